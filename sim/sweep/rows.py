"""Rows of a sweep's tables: one per run, and one per epoch and collective of its series.

A row of ``runs`` is that of ``alphacrit run`` (:mod:`sim.results`) with ``point`` before it. The
tables of some runs are made column by column, for thousands of small runs come at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.sweep.plan import Plan, Point
from sim.sweep.tables import cast, column_type

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.flock import FlockResult
    from sim.runs import RunResult
    from sim.scenario import Scenario

OK, FAILED, TIMEOUT = "ok", "failed", "timeout"
RUN_BITS = 20  # a sweep has at most a million replications
PARTS_ONLY = ("seconds",)  # columns of a part that the final table does not have


@dataclass(frozen=True)
class PointRow:
    """What all runs of one point have in common.

    Attributes
    ----------
    number : int
        Of the point in the folder.
    parameters : mapping
        Dotted address → value, as ``Scenario.flat``.
    digest : str
        Of the point's scenario; with the replicate it names the run.
    seed : int
    """

    number: int
    parameters: Mapping[str, Any]
    digest: str
    seed: int


def point_row(point: Point, scenario: Scenario) -> PointRow:
    """The common part of a valid point's rows."""
    return PointRow(point.number, scenario.flat(), scenario.digest, scenario.seed)


def broken_row(point: Point, plan: Plan) -> PointRow:
    """The common part of the rows of a point that is no valid scenario: what it was to be."""
    base = plan.scenario
    return PointRow(
        point.number, base.flat() | dict(point.changes), digest_of(plan, point), base.seed
    )


def digest_of(plan: Plan, point: Point) -> str:
    """Twelve hexadecimal digits for a point that is no valid scenario."""
    text = json.dumps([plan.scenario.digest, plan.worlds, dict(point.changes)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


# --- runs -----------------------------------------------------------------------------------------


def run_rows(points: Sequence[PointRow], outcomes: Mapping[str, Any]) -> pa.Table:
    """The table of some runs.

    Parameters
    ----------
    points : the points that the runs are of
    outcomes : ``of`` (which of the points each run is of), ``replicate``, and one column for
        whatever else is known of each run, in the order of the table; a text is that of all

    Returns
    -------
    Table with one row per run
    """
    import pyarrow as pa

    of = pa.array(np.asarray(outcomes["of"], np.int64))
    columns = {"point": pa.array([p.number for p in points], pa.int64()).take(of)}
    for name in dict.fromkeys(chain.from_iterable(p.parameters for p in points)):
        values = [p.parameters.get(name) for p in points]
        columns[name] = cast(values, column_type(values)).take(of)
    columns["digest"] = pa.array([p.digest for p in points]).take(of)
    columns["replicate"] = pa.array(outcomes["replicate"], pa.int64())
    columns["seed"] = pa.array([p.seed for p in points], pa.int64()).take(of)
    for name, values in outcomes.items():
        if isinstance(values, str):
            columns[name] = pa.repeat(values, len(of))
        elif name not in ("of", "replicate"):
            columns[name] = pa.array(values, _type_of(name))
    return pa.table(columns)


def _type_of(name: str) -> pa.DataType:
    import pyarrow as pa

    if name in ("stopped", "status", "error"):
        return pa.string()
    return pa.int64() if name == "last_epoch" else pa.float64()


def rows_of_result(point: PointRow, result: RunResult, seconds: float) -> pa.Table:
    """The row of one finished run."""
    summary = result.summary
    outcomes: dict[str, Any] = {"of": [0], "replicate": [summary["replicate"]]}
    outcomes["last_epoch"] = [summary["epochs"]]
    for name, final in summary["final"].items():
        outcomes |= {f"alpha.{name}": [final["alpha"]], f"success.{name}": [final["success"]]}
    outcomes |= {"stopped": [summary["stopped"]], "spent": [summary["spent"]]}
    outcomes |= {"welfare": [summary["welfare"]], "status": [OK], "error": [""]}
    return run_rows([point], outcomes | {"seconds": [seconds]})


def rows_of_flock(
    points: Sequence[PointRow], names: Sequence[str], flock: FlockResult, seconds: float
) -> pa.Table:
    """The rows of runs that were made together; each is given its share of the seconds."""
    outcomes: dict[str, Any] = {"of": flock.point, "replicate": flock.replicate}
    outcomes["last_epoch"] = flock.epochs
    for k, name in enumerate(names):
        outcomes[f"alpha.{name}"] = flock.alpha[:, k]
        outcomes[f"success.{name}"] = flock.success[:, k]
    outcomes |= {"stopped": flock.stopped.astype(object), "spent": flock.spent}
    outcomes |= {"welfare": flock.welfare, "status": OK, "error": ""}
    return run_rows(points, outcomes | {"seconds": np.full(len(flock), seconds / len(flock))})


def row_of_failure(
    point: PointRow, names: Iterable[str], replicate: int, status: str, error: str, seconds: float
) -> pa.Table:
    """The row of a run that failed or took too long: no outcomes, and why."""
    outcomes: dict[str, Any] = {"of": [0], "replicate": [replicate], "last_epoch": [None]}
    for name in names:
        outcomes |= {f"alpha.{name}": [np.nan], f"success.{name}": [np.nan]}
    outcomes |= {"stopped": [None], "spent": [np.nan], "welfare": [np.nan]}
    outcomes |= {"status": [status], "error": [error], "seconds": [seconds]}
    return run_rows([point], outcomes)


def no_rows(parameters: Mapping[str, Any], names: Iterable[str]) -> pa.Table:
    """The columns of a sweep of which there is no run yet."""
    point = PointRow(0, parameters, "", 0)
    table = row_of_failure(point, names, 0, FAILED, "", 0.0)
    return table.slice(0, 0).drop_columns(list(PARTS_ONLY))


def one_line(error: BaseException) -> str:
    """An exception as one line: its type and what it says."""
    return " ".join(f"{type(error).__name__}: {error}".split())


# --- series ---------------------------------------------------------------------------------------


def series_of_result(number: int, result: RunResult) -> pa.Table:
    """The series of one finished run, with its point."""
    import pyarrow as pa

    frame = result.series
    replicate = frame["replicate"].to_numpy()
    point = np.full(len(frame), number, np.int64)
    columns = {"run": run_number(point, replicate), "point": point, "replicate": replicate}
    rest = ("epoch", "collective", "members", "alpha", "success", "spent")
    return pa.table({name: pa.array(values) for name, values in columns.items()} | {
        name: pa.array(frame[name].to_numpy(), pa.string() if name == "collective" else None)
        for name in rest
    })  # fmt: skip


def series_of_flock(
    points: Sequence[PointRow], scenarios: Sequence[Scenario], flock: FlockResult
) -> pa.Table:
    """The series of runs that were made together."""
    import pyarrow as pa

    history, names = flock.series, scenarios[0].names
    assert history is not None
    k = len(names)
    number = np.array([p.number for p in points])[flock.point[history.run]]
    replicate = flock.replicate[history.run]
    spent = np.zeros((len(history.epoch), k))
    paid = np.array([_paid(scenario) for scenario in scenarios])[flock.point[history.run]]
    rows = np.flatnonzero(paid >= 0)
    spent[rows, paid[rows]] = history.spent[rows]
    return pa.table(
        {
            "run": np.repeat(run_number(number, replicate), k),
            "point": np.repeat(number, k),
            "replicate": np.repeat(replicate, k),
            "epoch": np.repeat(history.epoch, k),
            "collective": pa.array(list(names)).take(
                pa.array(np.tile(np.arange(k), len(history.epoch)))
            ),
            "members": history.members.reshape(-1),
            "alpha": (history.members / flock.size[history.run][:, None]).reshape(-1),
            "success": history.success.reshape(-1),
            "spent": spent.reshape(-1),
        }
    )


def run_number(point: Any, replicate: Any) -> Any:
    """One number for each run of a sweep: point · 2²⁰ + replicate."""
    return point * 2**RUN_BITS + replicate


def _paid(scenario: Scenario) -> int:
    """Column of the collective that the principal pays; −1 where there is none."""
    if scenario.principal is None:
        return -1
    return scenario.names.index(scenario.principal.collective)

"""A sweep as analysis sees it: its points, the runs that were made of them, and their series.

The same view of a sweep's folder, finished or not, of the folder of a single scenario, and of any
table of runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from learners.errors import ResultsError
from sim import results
from sim.results import Results
from sim.scenario import Scenario
from sim.scenario_variation import varied
from sim.sweep import parts, tables
from sim.sweep.rows import OK
from sim.sweep.store import SweepResults
from sim.toml_text import inline

PLAIN_OUTCOMES = ("spent", "welfare", "last_epoch")


@dataclass(frozen=True)
class SweepData:
    """What is known of a sweep.

    Attributes
    ----------
    scenario : Scenario
        The base.
    addresses : tuple of str
        What varies.
    points : DataFrame
        By point number: a column for each address, with its value there.
    runs : DataFrame
        One row per run that was made; ``point``, ``replicate``, outcomes, ``status``.
    wanted : mapping
        Point → how many replicates it is to have.
    designs : tuple of mapping
        Records of the designs (``sim.sweep.plan.Plan.design_info``), the oldest first.
    scenario_of : callable
        Point number → its scenario.
    series : callable
        Yields the series piece by piece, every run whole in one piece.
    where : str
        For messages.
    """

    scenario: Scenario
    addresses: tuple[str, ...]
    points: pd.DataFrame
    runs: pd.DataFrame
    wanted: Mapping[int, int]
    designs: tuple[Mapping[str, Any], ...]
    scenario_of: Callable[[int], Scenario]
    series: Callable[[], Iterator[pd.DataFrame]]
    where: str = "runs"

    @cached_property
    def ended_well(self) -> pd.DataFrame:
        """The runs that have outcomes, by point and replicate."""
        ok = self.runs[self.runs["status"] == OK]
        return ok.sort_values(["point", "replicate"], kind="stable", ignore_index=True)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Names of outcomes that the runs have."""
        own = [f"{what}.{name}" for name in self.scenario.names for what in ("alpha", "success")]
        return (*own, *PLAIN_OUTCOMES)

    def is_numeric(self, address: str) -> bool:
        """Whether all values of an address are numbers."""
        return address in self.addresses and all(map(is_number, self.points[address].tolist()))

    def check_address(self, address: str) -> str:
        """The address, if it varies; ``ValueError`` if not."""
        if address not in self.addresses:
            known = ", ".join(self.addresses) or "none does"
            raise ValueError(f"got {address}; must be an address that varies: {known}")
        return address


def sweep_data(
    what: SweepData | SweepResults | Results | str | Path,
) -> SweepData:
    """The view of a folder, given by its path or opened by ``alphacrit.load``.

    Raises
    ------
    ResultsError
        It is no folder of results.
    """
    if isinstance(what, SweepData):
        return what
    if isinstance(what, str | Path):
        what = results.open_results(what)
    return _of_sweep(what) if isinstance(what, SweepResults) else _of_run(what)


def data_of_runs(
    runs: pd.DataFrame,
    scenario: Scenario,
    addresses: Sequence[str] = (),
    series: pd.DataFrame | None = None,
) -> SweepData:
    """The view of a table of runs.

    Parameters
    ----------
    runs : DataFrame
        A column for each address and ``alpha.<collective>`` …; ``point``, ``replicate`` and
        ``status`` are filled in where they are missing.
    scenario : the base; a point is the base with its values of the addresses
    addresses : what varies
    series : DataFrame, optional
        Long, with ``point``, ``run``, ``epoch``, ``collective``, ``alpha``.
    """
    runs, names = runs.copy(), list(addresses)
    if "point" not in runs:
        runs["point"] = runs.groupby(names, sort=False).ngroup() if names else 0
    if "replicate" not in runs:
        runs["replicate"] = runs.groupby("point").cumcount()
    if "status" not in runs:
        runs["status"] = OK
    points = runs.drop_duplicates("point").set_index("point")[names].sort_index()
    rows = [_named(row) for row in points.astype(object).to_dict("records")]
    changes = dict(zip(points.index.tolist(), rows, strict=True))
    return SweepData(
        scenario, tuple(names), points, runs,
        dict.fromkeys(changes, int(runs["replicate"].max()) + 1), (),
        lambda number: varied(scenario, changes[number]),
        lambda: iter(() if series is None else (series,)),
    )  # fmt: skip


def _of_run(run: Results) -> SweepData:
    runs = run.runs.assign(point=0)
    return SweepData(
        run.scenario, (), pd.DataFrame(index=[0]), runs, {0: len(runs)}, (),
        lambda number: run.scenario, lambda: iter((run.series.assign(point=0),)), str(run.folder),
    )  # fmt: skip


def _of_sweep(sweep: SweepResults) -> SweepData:
    addresses, flat = sweep.addresses, sweep.scenario.flat()
    changes = [json.loads(each) for each in sweep.points["changes"]]
    points = pd.DataFrame(
        {name: [_cell(each.get(name, flat.get(name))) for each in changes] for name in addresses},
        index=pd.Index(sweep.points["point"], name="point"),
    )
    return SweepData(
        sweep.scenario, addresses, points, sweep.runs, sweep.wanted(), tuple(sweep.designs),
        sweep.scenario_at, lambda: _pieces(sweep), str(sweep.folder),
    )  # fmt: skip


def _pieces(sweep: SweepResults) -> Iterator[pd.DataFrame]:
    """The series part by part: memory holds one of them."""
    for path in parts.part_files(sweep.folder, parts.SERIES):
        try:
            yield tables.read(path).to_pandas()
        except FileNotFoundError:
            continue  # set aside in the meantime
        except tables.DamagedError as error:
            raise ResultsError(f"{error}; alphacrit sweep --resume makes its runs again") from error


def _named(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in row.items()}


def _cell(value: Any) -> Any:
    """A value as one cell of a table: lists and tables as TOML text."""
    return inline(value) if isinstance(value, list | dict) else value


def is_number(value: Any) -> bool:
    """Whether a value of an address is a number; true and false are not."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)

"""Many small economies at once, with the same numbers as one by one.

The points of a sweep differ in a few values; their replicates live in the same random worlds
(common random numbers). So a flock draws each world once and takes all points through it in
lockstep, epoch by epoch, in one program over arrays with a row per economy. Each run comes out bit
by bit as :class:`sim.model.Economy` has it, which is the reference. :func:`refusal` says which
scenarios have to run alone.

Memory is bounded by a constant: economies are taken in blocks of at most ``PEOPLE`` people and
``RECORDS`` epochs.

>>> from sim.scenario import loads
>>> point = loads('''
... name = "one"
... population = { size = 100, cost = 0.3, free_riding = 0.2 }
... platform = { learner = "bound" }
... [collectives.union]
... strategy = "feature_label"
... signal = { uniqueness = 0.01, gap = 1.0 }
... start = 0.1
... ''')
>>> result = run_flock([point, point.replace({"population.cost": 0.8})], replicates=range(2))
>>> result.alpha[:, 0].tolist()
[1.0, 1.0, 0.0, 0.0]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.flock_steps import STOPPED, Lockstep, Record
from sim.flock_world import Kind, Points, kind_of
from sim.scenario import Scenario
from sim.scenario_platforms import BoundPlatform, TablePlatform

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

PEOPLE = 2**20  # in memory at a time
RECORDS = 2**20  # of the series, likewise
LARGEST = 50_000  # people from whom on an economy alone is as fast
MOST_COLLECTIVES = 7  # numpy adds up to seven numbers in one order, in arrays of any shape


@dataclass(frozen=True)
class FlockResult:
    """What came out of R runs of economies with K collectives; row by run as alone.

    Attributes
    ----------
    point : (R,) index of the run's scenario in the sequence that was given
    replicate : (R,)
    epochs : (R,) epochs done
    stopped : (R,) of "settled", "cycle", "epochs"
    cycle_length : (R,) epochs; 0 where there is no cycle
    size : (R,) people
    members : (R, K) at the end
    success : (R, K) at the end
    spent : (R,) utility
    welfare : (R,) mean utility per person at the end
    series : None where it was not asked for
    """

    point: Integers
    replicate: Integers
    epochs: Integers
    stopped: NDArray[np.str_]
    cycle_length: Integers
    size: Integers
    members: Integers
    success: Floats
    spent: Floats
    welfare: Floats
    series: FlockSeries | None = None

    def __len__(self) -> int:
        return len(self.point)

    @property
    def alpha(self) -> Floats:
        """(R, K) sizes of the collectives at the end, as shares of the population."""
        return self.members / self.size[:, None]


@dataclass(frozen=True)
class FlockSeries:
    """The runs epoch by epoch: T records, sorted by run and epoch (as in ``RunResult.series``).

    Attributes
    ----------
    run : (T,) row of the run in the :class:`FlockResult`
    epoch : (T,) from 0 to the run's last
    members, success : (T, K) members found by the epoch, success as published in it
    spent : (T,) utility, so far
    """

    run: Integers
    epoch: Integers
    members: Integers
    success: Floats
    spent: Floats


def refusal(scenario: Scenario) -> str | None:
    """Why a scenario must run alone; None where it may run in a flock."""
    s, several = scenario, len(scenario.names) > 1
    in_turn = s.revision.activation == "sequential"
    reasons = {
        "population.network: people see their neighbours": s.population.network is not None,
        "principal: she prices every person anew in every epoch": s.principal is not None,
        "platform.learner: it is trained on the rows of those who joined": not isinstance(
            s.platform, BoundPlatform | TablePlatform
        ),
        "revision.protocol: who imitates meets somebody": s.revision.protocol == "imitation",
        "revision.activation: success of several collectives after each person": several
        and in_turn,
        f"collectives: more than {MOST_COLLECTIVES}": len(s.names) > MOST_COLLECTIVES,
        f"population.size: {LARGEST:,} or more are as fast alone": s.population.size >= LARGEST,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


def run_flock(
    scenarios: Sequence[Scenario], replicates: Sequence[int], *, series: bool = True
) -> FlockResult:
    """Run these replicates of all these scenarios.

    Parameters
    ----------
    scenarios : P points with the same number of collectives, none of them refused
    replicates : W different replicates, each at least 0
    series : whether to keep every epoch

    Returns
    -------
    FlockResult
        Of P·W runs, by point and then in the order of ``replicates``.

    Raises
    ------
    ValueError
        There is nothing to run, or a scenario that must run alone.
    ScenarioError, ResultsError
        Whatever one of the scenarios raises when it is run alone; then none of them is run.
    """
    return _joined(list(flocks(scenarios, replicates, series=series)), replicates)


def flocks(
    scenarios: Sequence[Scenario], replicates: Sequence[int], *, series: bool = True
) -> Iterator[FlockResult]:
    """:func:`run_flock` block by block, so that no more than a block is ever in memory.

    Blocks come in any order of points and replicates; every run is in one of them.
    """
    _check(scenarios, replicates)
    kinds: dict[Kind, list[int]] = {}
    for point, scenario in enumerate(scenarios):
        kinds.setdefault(kind_of(scenario), []).append(point)
    for kind, points in kinds.items():
        rows = _block(kind, max(scenarios[p].epochs for p in points) if series else 0)
        for some in _pieces(points, rows):
            prepared = Points([scenarios[p] for p in some], kind)
            for worlds in _pieces(replicates, max(1, rows // len(some))):
                flock = Lockstep(prepared, worlds, series)
                flock.run()
                yield _result(flock, np.array(some), np.array(worlds))


def _check(scenarios: Sequence[Scenario], replicates: Sequence[int]) -> None:
    if not len(scenarios) or not len(replicates):
        raise ValueError("no runs: there must be at least one scenario and one replicate")
    if len(set(replicates)) < len(replicates):
        raise ValueError(f"replicates: got {list(replicates)}; must be different")
    for point, scenario in enumerate(scenarios):
        reason = refusal(scenario)
        if reason is not None:
            raise ValueError(f"scenario {point} ({scenario.name}) must run alone: {reason}")
    if len({len(scenario.names) for scenario in scenarios}) > 1:
        raise ValueError("scenarios: must have the same number of collectives")


def _block(kind: Kind, epochs: int) -> int:
    """Economies of a kind in memory at a time."""
    records = (epochs + 1) * len(kind.collectives)
    return max(1, min(PEOPLE // kind.size, RECORDS // records))


def _pieces(items: Sequence[int], length: int) -> Iterator[Sequence[int]]:
    for first in range(0, len(items), length):
        yield items[first : first + length]


def _result(flock: Lockstep, points: Integers, replicates: Integers) -> FlockResult:
    economies = len(flock.stopped)
    return FlockResult(
        point=np.repeat(points, len(replicates)),
        replicate=np.tile(replicates, len(points)),
        epochs=flock.epochs,
        stopped=np.array(STOPPED)[flock.stopped],
        cycle_length=flock.cycle_length,
        size=np.full(economies, flock.kind.size),
        members=flock.counts,
        success=flock.success,
        spent=np.zeros(economies),
        welfare=flock.welfare,
        series=None if flock.records is None else _series(flock.records),
    )


def _series(records: list[Record]) -> FlockSeries:
    """The records in order of economies; each one's are in order of epochs already."""
    run, epoch, members, success = (np.concatenate(column) for column in zip(*records, strict=True))
    order = np.argsort(run, kind="stable")
    return FlockSeries(
        run[order], epoch[order], members[order], success[order], np.zeros(len(order))
    )


def _joined(parts: list[FlockResult], replicates: Sequence[int]) -> FlockResult:
    """Blocks put together, the runs by point and then in the order of ``replicates``."""
    place = {replicate: number for number, replicate in enumerate(replicates)}
    joined = {name: _column(parts, name) for name in _names(FlockResult) if name != "series"}
    places = np.array([place[replicate] for replicate in joined["replicate"].tolist()])
    order = np.lexsort((places, joined["point"]))
    columns: dict[str, Any] = {name: column[order] for name, column in joined.items()}
    histories = [part.series for part in parts if part.series is not None]
    if histories:
        columns["series"] = _joined_series(histories, [len(part) for part in parts], order)
    return FlockResult(**columns)


def _joined_series(
    histories: list[FlockSeries], lengths: list[int], order: Integers
) -> FlockSeries:
    """Series of blocks of so many runs, whose runs are taken in the given order."""
    records = {name: _column(histories, name) for name in _names(FlockSeries)}
    first = np.repeat(np.cumsum([0, *lengths[:-1]]), [len(h.run) for h in histories])
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    records["run"] = rank[records["run"] + first]
    sort = np.argsort(records["run"], kind="stable")
    return FlockSeries(**{name: column[sort] for name, column in records.items()})


def _names(record: type) -> list[str]:
    return [field.name for field in fields(record)]


def _column(parts: Sequence[object], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(part, name) for part in parts])

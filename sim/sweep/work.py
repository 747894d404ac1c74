"""What a worker of a sweep does: make some runs, and hand back their tables as bytes.

Small economies are made together in one array program where that is possible, with the same
numbers as one by one. A run that fails is a row that says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sim.sweep import rows, tables
from sim.sweep.plan import Plan, Point

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.runs import RunResult
    from sim.scenario import Scenario

Run = tuple[int, int]  # number of the point in the folder, replicate
Begin = Callable[[int], None]
Piece = tuple["pa.Table", "pa.Table | None"]  # a run that is over: its rows, and its series if kept
Keep = Callable[[Piece], None]
Packed = tuple[bytes, bytes | None]  # a piece on its way between processes


@dataclass(frozen=True)
class Job:
    """What all chunks of a sweep have in common; given to every worker once.

    Attributes
    ----------
    plan : Plan
        Its points need not be in it.
    own : frozenset of int
        Numbers of the points that have a random world of their own.
    series : bool
        Whether the epochs of every run are kept.
    timeout : float or None
        Seconds that a run may take.
    """

    plan: Plan
    own: frozenset[int] = frozenset()
    series: bool = True
    timeout: float | None = None

    def plan_at(self, point: Point) -> Plan:
        """The plan with the worlds of a point, which may be of an earlier design."""
        return replace(self.plan, worlds="own" if point.number in self.own else "common")

    def scenario_at(self, point: Point) -> Scenario:
        """The scenario of a point."""
        return self.plan_at(point).scenario_at(point)


@dataclass(frozen=True)
class Chunk:
    """Runs that one worker makes in one go: all these replicates of all these points.

    Attributes
    ----------
    points : tuple of Point
        With their numbers in the folder.
    replicates : tuple of int
    together : bool
        Whether they may be made in one array program; if not, one after the other.
    """

    points: tuple[Point, ...]
    replicates: tuple[int, ...]
    together: bool = False

    def __len__(self) -> int:
        return len(self.points) * len(self.replicates)

    def runs(self) -> Iterator[tuple[Point, int]]:
        """The runs, point by point."""
        for point in self.points:
            for replicate in self.replicates:
                yield point, replicate


@dataclass(frozen=True)
class Made:
    """What came out of a chunk.

    Attributes
    ----------
    runs, series : bytes
        Tables (``tables.pack``, ``tables.encode``); series empty where none is kept or no run
        ended well.
    done : tuple of Run
        Which runs are in the tables.
    failed : int
        How many of them failed or took too long.
    seconds : float
        Wall clock.
    left : tuple of Point
        Points of the chunk that cannot be made together: their runs are still to be made.
    """

    runs: bytes
    series: bytes
    done: tuple[Run, ...]
    failed: int
    seconds: float
    left: tuple[Point, ...] = ()


TINY = """
name = "tiny"
epochs = 1
population = { size = 2, cost = { dist = "normal", mean = 0.3, sd = 0.1, low = 0.0 } }
platform = { learner = "bound" }
collectives.union = { strategy = "feature_label", signal = { uniqueness = 0.1, gap = 1.0 } }
"""


def warm_up(job: Job) -> None:
    """Load what its runs need, so that it does not count for the first one's time."""
    from sim.flock import refusal
    from sim.scenario import loads

    together = job.timeout is None and refusal(job.plan.scenario) is None
    perform(Job(Plan(loads(TINY), (), 1)), Chunk((Point(0, {}),), (0,), together))


class RunTimeoutError(Exception):
    """A run took longer than it may."""


def perform(
    job: Job,
    chunk: Chunk,
    begin: Begin = lambda index: None,
    keep: Keep = lambda piece: None,
) -> Made:
    """Make the runs of a chunk.

    Parameters
    ----------
    job : Job
    chunk : Chunk
    begin : callable
        Hears which run of the chunk (its place in ``chunk.runs()``) is begun; of runs that are
        made together it hears nothing.
    keep : callable
        Is given each of these runs when it is over, for whoever wants it if this process dies
        before the chunk is done.
    """
    if not chunk.together:
        import sim.model  # noqa: F401 - loaded before any run's time counts
    clock = time.perf_counter()
    left: tuple[Point, ...] = ()
    if chunk.together:
        found, left = _together(job, chunk)
    else:
        found = []
        for piece in one_by_one(job, chunk, begin):
            found.append(piece)
            keep(piece)
    return made_of(found, time.perf_counter() - clock, left)


def one_by_one(job: Job, chunk: Chunk, begin: Begin) -> Iterator[Piece]:
    """Make the runs of a chunk one after the other, each when it is asked for."""
    for i, run in enumerate(chunk.runs()):
        begin(i)
        yield _alone(job, run)


def packed(piece: Piece) -> Packed:
    """A piece as bytes, to go to another process."""
    runs, series = piece
    return tables.pack(runs), None if series is None else tables.pack(series)


def made_of_packed(pieces: Sequence[Packed]) -> Made | None:
    """What is known of a chunk that was broken off: the tables of those runs that are over."""
    if not pieces:
        return None
    found = [(tables.unpack(a), None if b is None else tables.unpack(b)) for a, b in pieces]
    return made_of(found, 0.0)


def made_of(pieces: Sequence[Piece], seconds: float, left: tuple[Point, ...] = ()) -> Made:
    """Tables of runs, put together as bytes."""
    if not pieces:
        return Made(b"", b"", (), 0, seconds, left)
    table = tables.concat([runs for runs, _ in pieces])
    series = [each for _, each in pieces if each is not None]
    return Made(
        tables.pack(table),
        tables.encode(tables.concat(series)) if series else b"",
        _names(table),
        sum(status != rows.OK for status in table["status"].to_pylist()),
        seconds,
        left,
    )


def _names(table: pa.Table) -> tuple[Run, ...]:
    pairs = zip(table["point"].to_pylist(), table["replicate"].to_pylist(), strict=True)
    return tuple(pairs)


# --- one after the other --------------------------------------------------------------------------


def _alone(job: Job, run: tuple[Point, int]) -> Piece:
    """Tables (runs, series or None) of one run."""
    point, replicate = run
    clock = time.perf_counter()
    try:
        scenario = job.scenario_at(point)
    except Exception as error:
        return _failure(job, point, replicate, error, clock)
    common = rows.point_row(point, scenario)
    try:
        result = _run(scenario, replicate, clock, job.timeout)
    except Exception as error:
        return _failure(job, point, replicate, error, clock, scenario)
    table = rows.rows_of_result(common, result, time.perf_counter() - clock)
    return table, rows.series_of_result(point.number, result) if job.series else None


def _run(scenario: Scenario, replicate: int, clock: float, timeout: float | None) -> RunResult:
    """``sim.runs.run`` that looks at the clock after every epoch."""
    from sim.model import Economy
    from sim.runs import run_result

    economy = Economy(scenario, replicate)
    while economy.running:
        economy.step()
        if timeout is not None and time.perf_counter() - clock > timeout and economy.running:
            raise RunTimeoutError(timeout_words(timeout))
    return run_result(economy)


def timeout_words(timeout: float) -> str:
    """What the row of a run says that took too long."""
    return f"no end within {timeout:g} s"


def _failure(
    job: Job, point: Point, replicate: int, error: Exception, clock: float,
    scenario: Scenario | None = None,
) -> Piece:  # fmt: skip
    late = isinstance(error, RunTimeoutError)
    words = str(error) if late else rows.one_line(error)
    status = rows.TIMEOUT if late else rows.FAILED
    seconds = time.perf_counter() - clock
    return failure(job, point, replicate, status, words, seconds, scenario), None


def failure(
    job: Job, point: Point, replicate: int, status: str, error: str, seconds: float,
    scenario: Scenario | None = None,
) -> pa.Table:  # fmt: skip
    """The row of a run that did not end well."""
    if scenario is None:
        try:
            scenario = job.scenario_at(point)
        except Exception:  # the error says so; the row shows what the point was to be
            common = rows.broken_row(point, job.plan_at(point))
            names = job.plan.scenario.names
            return rows.row_of_failure(common, names, replicate, status, error, seconds)
    common = rows.point_row(point, scenario)
    return rows.row_of_failure(common, scenario.names, replicate, status, error, seconds)


def failed(table: pa.Table) -> Made:
    """A table of runs that did not end well, as a worker would hand it back."""
    return Made(tables.pack(table), b"", _names(table), len(table), 0.0)


# --- together -------------------------------------------------------------------------------------


def _together(job: Job, chunk: Chunk) -> tuple[list[Piece], tuple[Point, ...]]:
    """Tables of the runs that could be made together, and the points that could not."""
    from sim.flock import refusal, run_flock

    points, scenarios = [], []
    for point in chunk.points:
        try:
            scenario = job.scenario_at(point)
            fits = scenario.names == job.plan.scenario.names and refusal(scenario) is None
        except Exception:  # told when it is made alone
            continue
        if fits:
            points.append(point)
            scenarios.append(scenario)
    clock = time.perf_counter()
    try:
        flock = run_flock(scenarios, chunk.replicates, series=job.series) if points else None
    except Exception:  # one of them fails; which one shows when they are made alone
        flock = None
    if flock is None:
        return [], chunk.points
    common = [rows.point_row(*pair) for pair in zip(points, scenarios, strict=True)]
    seconds = time.perf_counter() - clock
    table = rows.rows_of_flock(common, scenarios[0].names, flock, seconds)
    series = rows.series_of_flock(common, scenarios, flock) if job.series else None
    made = {point.number for point in points}
    return [(table, series)], tuple(p for p in chunk.points if p.number not in made)

"""What a sweep will take, from a few of its runs; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sim.sweep import missing, register, tables
from sim.sweep.plan import Plan
from sim.sweep.work import Chunk, Job, Made, perform

LONG = 10.0  # seconds; of a run that takes so long, loading is no large part
NOTHING = "nothing to make"
SAMPLE = 64  # runs that are made together to see how long that takes


@dataclass(frozen=True)
class Trial:
    """What a sweep will take.

    Attributes
    ----------
    points, replications, runs : int
        Of the plan.
    there : int
        Runs of the plan that the folder has already.
    to_make : int
        Runs that a sweep into the folder would make.
    seconds_per_run : float or None
        Of one process, as the runs will be made; None, as what follows from it, where the timed
        run failed.
    together : bool
        Whether they are made many at a time in one array program.
    seconds : float or None
        Estimate for ``to_make`` runs on so many workers.
    bytes : int or None
        Estimate of what they take on disk.
    status : str
        How the timed run ended: "ok" or its error; "nothing to make" where there was none.
    """

    points: int
    replications: int
    runs: int
    there: int
    to_make: int
    seconds_per_run: float | None
    together: bool
    seconds: float | None
    bytes: int | None
    status: str


def try_out(plan: Plan, folder: Path, workers: int, together: bool, series: bool) -> Trial:
    """Time one run of a plan, then some together where that is possible and quick.

    Raises
    ------
    ResultsError
        The folder holds something that is not a sweep of this scenario.
    """
    there, to_make = _in_folder(plan, folder)
    many = (len(plan.points), plan.replications, len(plan), there, to_make)
    if not to_make:
        return Trial(*many, None, False, 0.0, 0, NOTHING)
    job = Job(plan, frozenset(p.number for p in plan.points if plan.worlds == "own"), series)
    made = perform(job, Chunk(plan.points[:1], (0,)))  # loads and compiles, too
    if made.seconds < LONG and not made.failed:
        made = perform(job, Chunk(plan.points[:1], (0,)))
    if made.failed:
        error = tables.unpack(made.runs)["error"].to_pylist()[0]
        return Trial(*many, None, False, None, None, error)
    flock = _many(job, plan) if together and made.seconds < LONG else None
    sample = flock or made
    each = sample.seconds / len(sample.done)
    return Trial(
        *many, each, flock is not None, to_make * each / workers,
        int(to_make * _bytes(sample)), "ok",
    )  # fmt: skip


def _many(job: Job, plan: Plan) -> Made | None:
    """Some runs together, where every point may be; spread over the points."""
    step = max(len(plan.points) // 8, 1)
    points = plan.points[::step][:8]
    replicates = tuple(range(min(plan.replications, SAMPLE // len(points))))
    chunk = Chunk(points, replicates, together=True)
    made = perform(job, chunk)
    if made.left:
        return None
    return perform(job, chunk)  # once more, for the first one compiled


def _bytes(made: Made) -> float:
    """Bytes of a run on disk, without what every file has for itself."""
    total = 0
    for content, read in ((made.runs, tables.unpack), (made.series, tables.decode)):
        if content:
            table = read(content)
            total += len(tables.encode(table)) - len(tables.encode(table.slice(0, 0)))
    return max(total, 0) / len(made.done)


def _in_folder(plan: Plan, folder: Path) -> tuple[int, int]:
    """Runs of the plan that are in the folder, and runs that are to be made there."""
    if not folder.exists() or not any(folder.iterdir()):
        return 0, len(plan)
    sweep = register.open_for(plan, folder)
    numbers = register.numbers_in(plan, sweep)
    lacking = {p.number: len(replicates) for p, replicates in missing.missing_runs(sweep)}
    wanted = sweep.wanted()
    there = sum(
        min(wanted.get(number, 0) - lacking.get(number, 0), plan.replications)
        for number in set(numbers.values())
    )
    extra = sum(
        max(plan.replications - wanted.get(number, 0), 0) for number in set(numbers.values())
    )
    return there, sum(lacking.values()) + extra

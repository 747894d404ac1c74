"""Running a sweep: what is missing in the folder is made, and nothing else.

1. the folder is made, or found and extended by the plan
2. damaged files are set aside; what is on disk is looked up
3. what is missing is handed out in chunks, and written as it comes back
4. once every run is there, the parts become one table

A kill at any moment loses what was not written yet (seconds of work), and ``resume`` makes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from learners.errors import ResultsError
from sim.sweep import locks, parts, register, rows, work
from sim.sweep.chunks import Queue
from sim.sweep.compact import compact
from sim.sweep.interrupts import Interrupts
from sim.sweep.missing import missing_runs, share_of
from sim.sweep.plan import Plan, Point
from sim.sweep.sessions import session
from sim.sweep.store import SweepResults, default_folder, open_sweep
from sim.sweep.work import Chunk, Job, Made, Run
from sim.sweep.workers import DIED, GONE, LATE, UNBORN, Crew, Done, Inline, Lost, Processes

TICK = 0.2  # seconds between two looks at the clock
PATIENCE = 3.0  # seconds for what is made together to be done after Ctrl-C
STRIKES = {DIED: 2, GONE: 4}  # workers, or machines, that a run may kill before it counts as failed
KILLED = "WorkerDiedError: the process that made this run died, twice (out of memory?)"
VANISHED = "NodeDiedError: the machine that made this run died, four times (out of memory?)"


@dataclass(frozen=True)
class Options:
    """How a sweep is run; none of it changes the table.

    Attributes
    ----------
    workers : int
        Processes; 1 runs in this one (unless there is a time limit per run).
    resume : bool
        Go on in a folder that holds a sweep already, and extend it by the plan.
    retry_failed : bool
        Make failed runs and those that took too long again.
    shard : (int, int) or None
        (I, N): make the I-th of N equal shares, I from 1; the others are made elsewhere.
    timeout, time_limit : float or None
        Seconds for one run, and for this call.
    one_by_one : bool
        Make no runs together.
    series : bool
        Keep the epochs of every run; of a folder that is there, its own setting counts.
    command : sequence of str
        The command line, for the record.
    """

    workers: int = 1
    resume: bool = False
    retry_failed: bool = False
    shard: tuple[int, int] | None = None
    timeout: float | None = None
    time_limit: float | None = None
    one_by_one: bool = False
    series: bool = True
    command: Sequence[str] = ()


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: runs done and to do in this call, and of the done ones, the failed.

    ``rate`` is in runs/s and ``left`` in seconds, None as long as nothing is known.
    """

    done: int
    total: int
    failed: int
    rate: float | None
    left: float | None


@dataclass(frozen=True)
class Outcome:
    """What a call of ``sweep`` did.

    Attributes
    ----------
    results : SweepResults
    made, failed : int
        Runs made by this call, and how many of them failed or took too long.
    found : int
        Runs of its share that were there before.
    missing : int
        Runs of its share that are still missing (the time limit came).
    complete : bool
        Whether every run of the folder is there; then there is one table.
    seconds : float
    messages : tuple of str
        What a user should know (files set aside).
    """

    results: SweepResults
    made: int
    failed: int
    found: int
    missing: int
    complete: bool
    seconds: float
    messages: tuple[str, ...]


Tell = Callable[[Progress], None]
MakeCrew = Callable[[Job], Crew]


def sweep(
    plan: Plan,
    folder: Path | None = None,
    options: Options | None = None,
    *,
    tell: Tell = lambda progress: None,
    crew: MakeCrew | None = None,
) -> Outcome:
    """Run a plan, or what is missing of it, into a folder.

    Parameters
    ----------
    plan : Plan
        See ``sim.sweep.plan.plan_of``.
    folder : Path, optional
        Default ``results/<name>/<digest>``.
    options : Options
    tell : callable
        Hears how far it is, several times a second.
    crew : callable
        Makes the crew that makes the runs; default processes on this machine.

    Raises
    ------
    ResultsError
        The folder holds something else, somebody else is writing to it, or the disk refuses.
        What was done before is kept.
    MissingError
        The processes cannot be started.

    Notes
    -----
    Processes are spawned: a script that sweeps with several workers does so under
    ``if __name__ == "__main__":``. KeyboardInterrupt passes through after all that is done
    was written: of runs that are made alone those under way are lost, runs that are made together
    are waited for, some seconds at most and until Ctrl-C comes again.
    """
    options = options or Options()
    folder = default_folder(plan.scenario) if folder is None else folder
    made_now = register.create(plan, folder, options.series)
    if not made_now:
        _require_welcome(plan, folder, options)
    with _lock(folder, options.shard) as lock, session(folder, options.command) as record:
        register.enter(plan, folder)
        results = register.open_for(plan, folder)
        outcome = _Sweeping(plan, results, options, lock, tell).run(crew)
        record |= {"made": outcome.made, "failed": outcome.failed}
    complete = not missing_runs(open_sweep(folder))
    if complete:
        with locks.hold(folder, locks.COMPACTING, locks.WAIT):
            compact(folder, plan.scenario)
    return replace(outcome, results=open_sweep(folder), complete=complete)


class _Sweeping:
    """One call of ``sweep`` on a folder that is locked."""

    def __init__(
        self, plan: Plan, results: SweepResults, options: Options, lock: locks.Lock, tell: Tell
    ) -> None:
        self.options, self.lock, self.tell, self.results = options, lock, tell, results
        worlds = results.points["worlds"]
        own = frozenset(results.points["point"][worlds == "own"].tolist())
        lean = replace(plan, points=(), design={})
        self.job = Job(lean, own, results.meta["series"], options.timeout)
        self.strikes: dict[tuple[Run, str], int] = {}
        self.made = self.failed = self.total = 0
        self.flocks = 0  # chunks under way that are made together
        self.began = time.monotonic()
        lock.progress = lambda: asdict(self.progress())

    def run(self, crew: MakeCrew | None) -> Outcome:
        """Make what is missing of this share."""
        folder, options = self.results.folder, self.options
        messages = parts.set_aside(folder, parts.damaged_files(folder))
        missing = share_of(missing_runs(self.results, options.retry_failed), options.shard)
        self.queue = Queue(missing, together=not options.one_by_one)
        self.total = len(self.queue)
        wanted = share_of(
            [(Point(n, {}), list(range(many))) for n, many in self.results.wanted().items()],
            options.shard,
        )
        found = sum(len(replicates) for _, replicates in wanted) - self.total
        self.writer = parts.Writer(folder)
        if self.total:
            self._work(crew)
        return Outcome(
            self.results, self.made, self.failed, found, self.total - self.made, False,
            time.monotonic() - self.began, tuple(messages),
        )  # fmt: skip

    def progress(self) -> Progress:
        """How far it is."""
        seconds = time.monotonic() - self.began
        rate = self.made / seconds if self.made and seconds > 0 else None
        left = (self.total - self.made) / rate if rate else None
        return Progress(self.made, self.total, self.failed, rate, left)

    def _work(self, crew: MakeCrew | None) -> None:
        with Interrupts() as self.stop, ExitStack() as end:  # Ctrl-C, errors: what is done is kept
            end.callback(self._write)
            self.crew = (crew or self._own_crew)(self.job)
            end.callback(self._close)
            end.callback(self._collect, 0.0)
            while (self.queue or self.crew.busy) and not self._out_of_time():
                if self.lock.lost:
                    raise ResultsError(
                        f"{self.results.folder}: another process took over; this one stops"
                    )
                if self.stop.asked:
                    self._finish()
                    raise KeyboardInterrupt
                while self.queue and self.crew.free > 0:
                    self._give(self.queue.take())
                self._collect(TICK)
                self.writer.flush_if_due()
                self.tell(self.progress())
        if self.stop.asked:
            raise KeyboardInterrupt

    def _own_crew(self, job: Job) -> Crew:
        if self.options.workers == 1 and job.timeout is None:
            return Inline(job, breakable=self.stop.felt_at_once)
        many = min(self.options.workers, self.total)
        return Processes(job, many, left=self.queue.seconds_left)

    def _finish(self) -> None:
        """Wait for what is made together: of that nothing can be kept before all is done."""
        until = time.monotonic() + PATIENCE
        while self.flocks and time.monotonic() < until:
            self._collect(TICK)

    def _close(self) -> None:
        for made in self.crew.close():
            self._keep(made)

    def _write(self) -> None:
        with self.stop.unheard():
            self.writer.flush()

    def _out_of_time(self) -> bool:
        limit = self.options.time_limit
        return limit is not None and time.monotonic() - self.began > limit

    def _give(self, chunk: Chunk) -> None:
        self.crew.give(chunk)
        self.flocks += chunk.together

    def _collect(self, seconds: float) -> None:
        for event in self.crew.wait(seconds):
            self.flocks -= event.chunk.together
            if isinstance(event, Done):
                self._take(event.chunk, event.made)
            else:
                self._mourn(event)

    def _take(self, chunk: Chunk, made: Made) -> None:
        self.queue.learn(chunk, made)
        self._keep(made)
        self.queue.put_back((p, r) for p in made.left for r in chunk.replicates)

    def _keep(self, made: Made) -> None:
        self.writer.add(made)
        self.made += len(made.done)
        self.failed += made.failed

    def _mourn(self, lost: Lost) -> None:
        """Runs of a worker that is gone are made elsewhere, but for the one that it died of."""
        if lost.why == UNBORN:
            self.queue.give_back(lost.chunk)
            return
        done: tuple[Run, ...] = ()
        if lost.made is not None:
            self._keep(lost.made)
            done = lost.made.done
        runs = list(lost.chunk.runs())
        at = 0 if len(runs) == 1 else lost.at
        begun = None if at is None else runs[at]
        runs = [(point, r) for point, r in runs if (point.number, r) not in done]
        if begun is None or begun not in runs:  # nobody knows which was under way, or none was
            self.queue.put_back(runs, one_each=at is None)
            return
        runs.remove(begun)
        point, replicate = begun
        name = ((point.number, replicate), lost.why)
        self.strikes[name] = self.strikes.get(name, 0) + 1
        if lost.why == LATE:
            words = work.timeout_words(self.options.timeout or 0.0)
            self._take_failure(point, replicate, rows.TIMEOUT, words)
        elif self.strikes[name] >= STRIKES[lost.why]:
            words = VANISHED if lost.why == GONE else KILLED
            self._take_failure(point, replicate, rows.FAILED, words)
        else:
            self.queue.put_back([(point, replicate)])
        self.queue.put_back(runs)

    def _take_failure(self, point: Point, replicate: int, status: str, words: str) -> None:
        table = work.failure(self.job, point, replicate, status, words, float("nan"))
        self._keep(work.failed(table))


def _lock(folder: Path, shard: tuple[int, int] | None) -> AbstractContextManager[locks.Lock]:
    """The lock of a sweep or of a shard; refused where somebody works on the same runs."""
    name = locks.ALL if shard is None else f"shard-{shard[0]}-of-{shard[1]}"
    return locks.hold_among(folder, name, lambda other: _disjoint(shard, other))


def _disjoint(shard: tuple[int, int] | None, other: str) -> bool:
    """Whether a holder of another lock makes other runs: another shard of the same N."""
    return shard is not None and other.startswith("shard-") and other.endswith(f"-of-{shard[1]}")


def _require_welcome(plan: Plan, folder: Path, options: Options) -> None:
    """Refuse a folder that holds a sweep, unless told to go on, or other shards began it."""
    sweep = register.open_for(plan, folder)
    if options.resume or (options.shard and register.is_entered(plan, sweep)):
        return
    what = "of another plan" if options.shard else "already"
    raise ResultsError(
        f"{folder}: holds a sweep {what}; --resume goes on with it (and extends it), or give "
        "another folder (--out DIR)"
    )

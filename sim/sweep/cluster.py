"""The runs of a sweep as tasks of a Ray cluster; on one machine ``Processes`` is quicker.

The nodes need this program installed and nothing else: the base scenario and the files that it
names (data sets, measured tables) go to the cluster's object store once, and tables come back.

A task makes a chunk. Of runs that are made one by one it hands over each when it is over, so that
of a task that dies, or whose node does, only the run under way is made again; by the runner, which
counts how often. Over ``ray://`` nothing can be handed over before a task ends: there each of
these runs is a task. Runs that are made together are started again elsewhere by Ray.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from learners.errors import AlphacritError
from sim.ray_nodes import LOCAL, Files, Nodes, lay_out, named_files, read_files
from sim.sweep.work import (
    Begin,
    Chunk,
    Job,
    Made,
    Packed,
    Piece,
    RunTimeoutError,
    made_of,
    made_of_packed,
    one_by_one,
    packed,
    perform,
    timeout_words,
)
from sim.sweep.workers import DIED, GONE, GRACE, Done, Event, Lost

AHEAD = 2  # chunks for each place, so that none waits for the next
LONGEST = 1.0  # seconds for which runs are fetched that come without a pause
Make = Callable[[Job, Chunk, Begin], Iterator[Piece]]


@dataclass(frozen=True)
class Shipment:
    """A job with the files that its scenarios name, to go where no folder is shared."""

    job: Job
    files: Files


def shipment(job: Job, points: Sequence[Any] = ()) -> Shipment:
    """A job with the content of all files that its base, or one of the points, names.

    Raises
    ------
    ResultsError
        A file cannot be read.
    """
    base = job.plan.scenario
    names = named_files(base)
    for point in points:
        if any(isinstance(value, str | Mapping) for value in point.changes.values()):
            with suppress(AlphacritError):  # no valid scenario: its runs will say so
                names |= named_files(job.scenario_at(point))
    return Shipment(job, read_files(base.folder, names))


@dataclass
class _UnderWay:
    """A chunk that a task makes, and those of its runs that are over."""

    chunk: Chunk
    streamed: bool
    pieces: list[Packed] = field(default_factory=list)


class RayCrew:
    """A crew of Ray tasks.

    Parameters
    ----------
    job : Job
    address, cpus, gpus_per_run
        Which cluster, and what a task holds of it: see `sim.ray_nodes`.
    points : sequence of Point
        All that will be run, for the files that they name.
    make : callable, importable by its name
        How runs are made that are not made together.

    Raises
    ------
    MissingError
        Ray is not installed, there is no such cluster, or it has no GPU for a run.
    """

    def __init__(
        self, job: Job, address: str = LOCAL, *, cpus: int = 1, gpus_per_run: float = 0.0,
        points: Sequence[Any] = (), make: Make = one_by_one,
    ) -> None:  # fmt: skip
        self._nodes = Nodes(address, cpus, gpus_per_run)
        self._ray, self._make = self._nodes.ray, make
        self._places = self._nodes.places()
        self._shipment = self._ray.put(shipment(job, points))
        self._flock, self._single = self._nodes.task(_flock), self._nodes.task(_single)
        # No retries by Ray, which would begin anew: what is lost is told to the runner.
        self._stream = self._nodes.task(_stream).options(num_returns="streaming", max_retries=0)
        self._streams = not self._ray.util.client.ray.is_connected()
        self._tasks: dict[Any, _UnderWay] = {}

    @property
    def free(self) -> int:
        return max(AHEAD * self._places - len(self._tasks), 0)

    @property
    def busy(self) -> int:
        return len(self._tasks)

    def give(self, chunk: Chunk) -> None:
        if chunk.together:
            self._tasks[self._flock.remote(self._shipment, chunk)] = _UnderWay(chunk, False)
        elif self._streams:
            ref = self._stream.remote(self._shipment, chunk, self._make)
            self._tasks[ref] = _UnderWay(chunk, True)
        else:
            for point, replicate in chunk.runs():
                run = Chunk((point,), (replicate,))
                ref = self._single.remote(self._shipment, run, self._make)
                self._tasks[ref] = _UnderWay(run, False)

    def wait(self, seconds: float) -> Sequence[Event]:
        events: list[Event] = []
        until = time.monotonic() + seconds + LONGEST
        while self._tasks and time.monotonic() < until and (ready := self._ready(seconds)):
            events += [event for ref in ready if (event := self._look(ref)) is not None]
            seconds = 0.0
        if events:
            self._places = self._nodes.places() or self._places
        return events

    def close(self) -> Sequence[Made]:
        self._nodes.close(self._tasks)
        told = [made_of_packed(each.pieces) for each in self._tasks.values()]
        self._tasks.clear()
        return [made for made in told if made is not None]

    def _ready(self, seconds: float) -> list[Any]:
        """Tasks of which there is something to look at; waits for the first so long at most."""
        refs = list(self._tasks)
        ready, _ = self._ray.wait(refs, num_returns=1, timeout=seconds)
        if ready:  # and whatever else is there by now
            ready, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        return list(ready)

    def _look(self, ref: Any) -> Event | None:
        """What became of a chunk, if anything did; takes the run that is over."""
        task = self._tasks[ref]
        try:
            told = self._ray.get(next(ref) if task.streamed else ref)
        except self._ray.exceptions.RayTaskError:  # a bug in what a task does, not its node
            raise
        except self._ray.exceptions.RayError as error:
            del self._tasks[ref]
            return self._lost(task, error)
        if isinstance(told, Made):
            del self._tasks[ref]
            return Done(task.chunk, told)
        task.pieces.append(told)
        return None

    def _lost(self, task: _UnderWay, error: Exception) -> Lost:
        if not task.streamed:
            return Lost(task.chunk, None, DIED)
        why = GONE if isinstance(error, self._ray.exceptions.NodeDiedError) else DIED
        at = min(len(task.pieces), len(task.chunk) - 1)
        return Lost(task.chunk, at, why, made_of_packed(task.pieces))


# --- on a node ------------------------------------------------------------------------------------


def _flock(shipped: Shipment, chunk: Chunk) -> Made:
    """Runs that are made together."""
    job = unpacked(shipped)
    try:
        with _alarm(job) as wind:
            wind()
            return perform(job, chunk)
    except RunTimeoutError:  # they are made alone
        return Made(b"", b"", (), 0, 0.0, chunk.points)


def _stream(shipped: Shipment, chunk: Chunk, make: Make) -> Iterator[Packed | Made]:
    """Runs one by one, each when it is over, and then all of them."""
    import sim.model  # noqa: F401 - loaded before any run's time counts

    job, clock = unpacked(shipped), time.perf_counter()
    pieces = []
    with _alarm(job) as wind:
        for piece in make(job, chunk, wind):
            wind(None)
            pieces.append(piece)
            yield packed(piece)
    yield made_of(pieces, time.perf_counter() - clock)


def _single(shipped: Shipment, chunk: Chunk, make: Make) -> Made:
    """A run alone."""
    *_, made = _stream(shipped, chunk, make)
    assert isinstance(made, Made)
    return made


@contextmanager
def _alarm(job: Job) -> Iterator[Callable[..., None]]:
    """Break a run off that hangs within an epoch, for Ray would wait for it for ever.

    Yields what is called when a run begins, and with None when it is over.
    """
    if job.timeout is None:
        yield lambda index=0: None
        return
    timeout = job.timeout

    def ring(*_: object) -> None:
        raise RunTimeoutError(timeout_words(timeout))

    def wind(index: int | None = 0) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0 if index is None else timeout + GRACE)

    old = signal.signal(signal.SIGALRM, ring)
    try:
        yield wind
    finally:
        wind(None)
        signal.signal(signal.SIGALRM, old)


def unpacked(shipped: Shipment) -> Job:
    """The job, with its files in a folder of this machine."""
    if not shipped.files.contents:
        return shipped.job
    plan = shipped.job.plan
    moved = plan.scenario.model_copy()
    moved._folder = lay_out(shipped.files)
    return replace(shipped.job, plan=replace(plan, scenario=moved))

"""Processes that make the runs of a sweep; one that dies or hangs is replaced.

A crew is given chunks and says what became of them. There are three: ``Inline`` (this very
process), ``Processes`` (here) and ``RayCrew`` (:mod:`sim.sweep.cluster`).
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import inf
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from learners.errors import MissingError
from learners.processes import deaf_to_interrupts, end_with_parent, one_thread_each
from sim.sweep.work import (
    Begin,
    Chunk,
    Job,
    Keep,
    Made,
    Packed,
    Piece,
    made_of,
    made_of_packed,
    packed,
    perform,
    warm_up,
)

GRACE = 10.0  # seconds beyond the time limit after which a process is killed
ENOUGH = 0.3  # seconds of work after which it is known how long runs take
SOON = 3.0  # seconds of work that are done before processes, once started, would have done them
STILLBORN = 3  # processes in a row that may die before they are ready
DIED, LATE, UNBORN, GONE = "died", "late", "unborn", "gone"


@dataclass(frozen=True)
class Done:
    """A chunk that was made."""

    chunk: Chunk
    made: Made


@dataclass(frozen=True)
class Lost:
    """A chunk whose worker is gone.

    Attributes
    ----------
    chunk : Chunk
    at : int or None
        Place of the run that was under way, where that is known.
    why : "died" (out of memory, killed), "late" (the time limit), "unborn" (its process died
        before it could begin), or "gone" (with its machine)
    made : Made or None
        What the worker had told of by then: runs that were over.
    """

    chunk: Chunk
    at: int | None
    why: str
    made: Made | None = None


Event = Done | Lost
Work = Callable[[Job, Chunk, Begin, Keep], Made]


def deaf(told: Any) -> None:
    """Hears how a chunk goes on, for those who do not ask."""


class Crew(Protocol):
    """Who makes runs."""

    @property
    def free(self) -> int:
        """How many chunks it could be given now."""

    @property
    def busy(self) -> int:
        """How many chunks it has."""

    def give(self, chunk: Chunk) -> None:
        """Hand over a chunk; only if ``free``."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """What became of chunks since the last call; waits for something for so long at most."""

    def close(self) -> Sequence[Made]:
        """Stop everything at once; returns those runs of chunks under way that are over."""


class Inline:
    """The crew that is this very process.

    Parameters
    ----------
    job : Job
    work : callable
        What is done with a chunk.
    breakable : callable
        A block for runs that are made one by one, for each may take long: there Ctrl-C is felt at
        once.
    """

    def __init__(
        self, job: Job, work: Work = perform,
        breakable: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:  # fmt: skip
        self._job, self._work, self._breakable = job, work, breakable
        self._chunks: list[Chunk] = []
        self._pieces: list[Piece] = []  # runs of the chunk that are over

    @property
    def free(self) -> int:
        return 1 - len(self._chunks)

    @property
    def busy(self) -> int:
        return len(self._chunks)

    def give(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)

    def wait(self, seconds: float) -> Sequence[Event]:
        if not self._chunks or seconds <= 0:
            return []
        chunk = self._chunks[0]
        with nullcontext() if chunk.together else self._breakable():
            made = self._work(self._job, chunk, deaf, self._pieces.append)
        self._chunks.clear()
        self._pieces.clear()
        return [Done(chunk, made)]

    def close(self) -> Sequence[Made]:
        return [made_of(self._pieces, 0.0)] if self._pieces else []


class Processes:
    """A crew of processes on this machine, with one thread each.

    A process needs a second to start, in which ten thousands of small economies can be made. So
    chunks of runs that are made together are made here, until it shows that they would take long;
    then the processes are started, and once the first is ready nothing more is made here.

    Parameters
    ----------
    job : Job
    workers : int, ≥ 1
    work : callable, importable by its name
        What a process does with a chunk.
    left : callable
        Seconds that one process would need for what is still to be made.
    """

    def __init__(
        self, job: Job, workers: int, work: Work = perform,
        left: Callable[[], float] = lambda: inf,
    ) -> None:  # fmt: skip
        self._job, self._work, self._many, self._left = job, work, workers, left
        self._stillborn = 0
        self._workers: list[_Worker] = []
        self._here: list[Chunk] = []
        self._spent = 0.0  # seconds of work done here

    @property
    def free(self) -> int:
        idle = len(self._idle()) if self._workers else 1
        # One at a time before a process is ready: nothing waits here while one could make it.
        return (idle if self._has_ready() else min(idle, 1)) - len(self._here)

    @property
    def busy(self) -> int:
        return len(self._workers) - len(self._idle()) + len(self._here)

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes, for tests and for those who kill them."""
        return [worker.process.pid or 0 for worker in self._workers]

    def give(self, chunk: Chunk) -> None:
        # A run that may take too long needs somebody else to stop it.
        may_be_here = chunk.together and self._job.timeout is None
        if not self._workers and not (may_be_here and self._is_short()):
            self._workers = [_Worker(self._job, self._work) for _ in range(self._many)]
        if may_be_here and not self._has_ready():
            self._here.append(chunk)
        else:
            max(self._idle(), key=lambda worker: worker.ready).give(chunk)

    def wait(self, seconds: float) -> Sequence[Event]:
        events: list[Event] = []
        if self._here and seconds > 0:
            events.append(self._made_here(self._here.pop()))
            seconds = 0.0
        if self._workers:
            wait([worker.pipe for worker in self._workers], seconds)
        for i, worker in enumerate(self._workers):
            event = worker.look(self._job.timeout)
            if isinstance(event, Lost) or worker.gone:
                worker.kill()
                self._workers[i] = _Worker(self._job, self._work)
                self._count_stillborn(worker)
            if event is not None:
                events.append(event)
        return events

    def close(self) -> Sequence[Made]:
        for worker in self._workers:
            worker.kill()
        return [made for worker in self._workers if (made := worker.told()) is not None]

    def _is_short(self) -> bool:
        """Whether it is not known, or not true, that starting processes would pay."""
        return self._spent < ENOUGH or self._left() < SOON

    def _made_here(self, chunk: Chunk) -> Done:
        if not self._spent:
            warm_up(self._job)
        clock = time.monotonic()
        done = Done(chunk, self._work(self._job, chunk, deaf, deaf))
        self._spent += time.monotonic() - clock
        return done

    def _has_ready(self) -> bool:
        return any(worker.ready for worker in self._workers)

    def _idle(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.chunk is None]

    def _count_stillborn(self, worker: _Worker) -> None:
        self._stillborn = 0 if worker.ready else self._stillborn + 1
        if self._stillborn > STILLBORN + len(self._workers):
            raise MissingError(
                "the processes that make the runs die as they start (out of memory? a script "
                'without if __name__ == "__main__"?); try -j 1'
            )


class _Worker:
    """One process and what it is doing."""

    def __init__(self, job: Job, work: Work) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, job, work), daemon=True)
        with one_thread_each():
            resource_tracker.ensure_running()  # or starting it would undo what comes next
            with deaf_to_interrupts():
                self.gone = not _started(self.process)
        theirs.close()  # ours is the only other end: it breaks when the process dies
        self.chunk: Chunk | None = None
        self.ready = False
        self._at: int | None = None
        self._pieces: list[Packed] = []  # runs of the chunk that are over
        self._since = 0.0

    def give(self, chunk: Chunk) -> None:
        self.chunk, self._at, self._since = chunk, None, time.monotonic()
        self._pieces.clear()
        try:
            self.pipe.send(chunk)
        except OSError:
            self.gone = True

    def look(self, timeout: float | None) -> Event | None:
        """What became of the chunk, if anything did; notes which run is under way."""
        chunk = self.chunk
        try:
            while not self.gone and self.pipe.poll():
                told = self.pipe.recv()
                self.ready, self._since = True, time.monotonic()
                if isinstance(told, int):
                    self._at = told
                elif isinstance(told, tuple):
                    self._pieces.append(told)
                elif isinstance(told, Made):
                    self.chunk = None
                    self._pieces.clear()
                    assert chunk is not None
                    return Done(chunk, told)
        except (EOFError, OSError):
            self.gone = True
        if chunk is None:
            return None
        if self.gone:
            return Lost(chunk, self._at, DIED if self.ready else UNBORN, self.told())
        if timeout is None or not self.ready:
            return None
        late = time.monotonic() - self._since > timeout + GRACE  # of a run, or of runs together
        return Lost(chunk, self._at, LATE, self.told()) if late else None

    def told(self) -> Made | None:
        """Those runs of the chunk that are over."""
        return made_of_packed(self._pieces)

    def kill(self) -> None:
        if self.process.pid is not None:
            self.process.kill()
            self.process.join()
        self.process.close()
        self.pipe.close()


def _started(process: Any) -> bool:
    """Start a process; False where it dies before it has heard what to do."""
    try:
        process.start()
    except OSError:
        return False
    return True


def _serve(pipe: Connection, job: Job, work: Work) -> None:
    """The life of a process: chunk after chunk until the pipe breaks."""
    end_with_parent()
    warm_up(job)
    pipe.send("ready")
    while True:
        try:
            chunk: Any = pipe.recv()
        except EOFError:
            return
        pipe.send(work(job, chunk, pipe.send, lambda piece: pipe.send(packed(piece))))

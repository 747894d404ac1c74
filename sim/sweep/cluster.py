"""The runs of a sweep as tasks of a Ray cluster; on one machine ``Processes`` is quicker.

The nodes need this program installed and nothing else: the base scenario and the files that it
names (data sets, measured tables) go to the cluster's object store once, and tables come back.
A task whose node dies is started again elsewhere by Ray; one that Ray gives up is the runner's to
repeat.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from learners.errors import AlphacritError
from sim.ray_nodes import LOCAL, Files, Nodes, lay_out, named_files, read_files
from sim.sweep.work import Chunk, Job, Made, RunTimeoutError, perform, timeout_words
from sim.sweep.workers import DIED, GRACE, Done, Event, Lost, Work, deaf

AHEAD = 2  # chunks for each place, so that none waits for the next


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


class RayCrew:
    """A crew of Ray tasks.

    Parameters
    ----------
    job : Job
    address, cpus, gpus_per_run
        Which cluster, and what a task holds of it: see `sim.ray_nodes`.
    points : sequence of Point
        All that will be run, for the files that they name.
    work : callable
        What a task does with a chunk.

    Raises
    ------
    MissingError
        Ray is not installed, there is no such cluster, or it has no GPU for a run.
    """

    def __init__(
        self, job: Job, address: str = LOCAL, *, cpus: int = 1, gpus_per_run: float = 0.0,
        points: Sequence[Any] = (), work: Work = perform,
    ) -> None:  # fmt: skip
        self._nodes = Nodes(address, cpus, gpus_per_run)
        self._ray, self._work = self._nodes.ray, work
        self._places = self._nodes.places()
        self._shipment = self._ray.put(shipment(job, points))
        self._task = self._nodes.task(_on_node)
        self._chunks: dict[Any, Chunk] = {}

    @property
    def free(self) -> int:
        return max(AHEAD * self._places - len(self._chunks), 0)

    @property
    def busy(self) -> int:
        return len(self._chunks)

    def give(self, chunk: Chunk) -> None:
        self._chunks[self._task.remote(self._shipment, chunk, self._work)] = chunk

    def wait(self, seconds: float) -> Sequence[Event]:
        if not self._chunks:
            return []
        refs = list(self._chunks)
        ready, _ = self._ray.wait(refs, num_returns=1, timeout=seconds)
        if ready:  # and whatever else is there by now
            ready, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
            self._places = self._nodes.places() or self._places
        return [self._event(ref, self._chunks.pop(ref)) for ref in ready]

    def close(self) -> None:
        self._nodes.close(self._chunks)
        self._chunks.clear()

    def _event(self, ref: Any, chunk: Chunk) -> Event:
        try:
            return Done(chunk, self._ray.get(ref))
        except self._ray.exceptions.RayTaskError:  # a bug in what a task does, not its node
            raise
        except self._ray.exceptions.RayError:
            return Lost(chunk, None, DIED)


# --- on a node ------------------------------------------------------------------------------------


def _on_node(shipped: Shipment, chunk: Chunk, work: Work) -> Made:
    """What a task does; the files are unpacked once in each process.

    A run that hangs within an epoch is broken off by an alarm, for Ray would wait for it for ever.
    """
    job = unpacked(shipped)
    if job.timeout is None:
        return work(job, chunk, deaf, deaf)
    limit, words = job.timeout + GRACE, timeout_words(job.timeout)

    def ring(*_: object) -> None:
        raise RunTimeoutError(words)

    old = signal.signal(signal.SIGALRM, ring)
    try:
        _set_alarm(limit if chunk.together else 0.0)
        return work(job, chunk, lambda index: _set_alarm(limit), lambda piece: _set_alarm(0.0))
    except RunTimeoutError:  # of runs that are made together: they are made alone
        return Made(b"", b"", (), 0, 0.0, chunk.points)
    finally:
        _set_alarm(0.0)
        signal.signal(signal.SIGALRM, old)


def _set_alarm(seconds: float) -> None:
    """Ring after so many seconds; 0: never."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def unpacked(shipped: Shipment) -> Job:
    """The job, with its files in a folder of this machine."""
    if not shipped.files.contents:
        return shipped.job
    plan = shipped.job.plan
    moved = plan.scenario.model_copy()
    moved._folder = lay_out(shipped.files)
    return replace(shipped.job, plan=replace(plan, scenario=moved))

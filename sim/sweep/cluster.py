"""The runs of a sweep as tasks of a Ray cluster; on one machine ``Processes`` is quicker.

The nodes need this program installed and nothing else: the base scenario and the files that it
names (data sets, measured tables) go to the cluster's object store once, and tables come back.
A task whose node dies is started again elsewhere by Ray; one that Ray gives up is the runner's to
repeat.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.errors import MissingError, ResultsError
from sim.sweep.work import Chunk, Job, Made, perform
from sim.sweep.workers import DIED, Done, Event, Lost, Work

if TYPE_CHECKING:
    from sim.scenario import Scenario

LOCAL = "ray"
AHEAD = 2  # chunks for each place, so that none waits for the next
RETRIES = 3
STORE = 200 * 2**20  # bytes of a local object store
_unpacked: dict[str, Path] = {}  # of a worker process: where shipped files lie


@dataclass(frozen=True)
class Shipment:
    """A job with the files that its scenario names, to go where no folder is shared.

    Attributes
    ----------
    job : Job
    files : tuple of (str, bytes)
        Relative path as the scenario names it, and content.
    digest : str
        Of the base scenario, files included.
    """

    job: Job
    files: tuple[tuple[str, bytes], ...]
    digest: str


def shipment(job: Job, points: Sequence[Any] = ()) -> Shipment:
    """A job with the content of all files that its base, or one of the points, names.

    Raises
    ------
    ResultsError
        A file cannot be read.
    """
    base = job.plan.scenario
    names = set(_named(base))
    for point in points:
        if set(point.changes) & set(_FILE_KEYS):
            names |= set(_named(job.scenario_at(point)))
    files = []
    for name in sorted(names):
        place = base.folder / name
        inner = [p for p in place.rglob("*") if p.is_file()] if place.is_dir() else [place]
        for path in sorted(inner):
            relative = Path(name) / path.relative_to(place) if place.is_dir() else Path(name)
            try:
                files.append((relative.as_posix(), path.read_bytes()))
            except OSError as error:
                raise ResultsError(f"{path}: cannot be read ({error.strerror})") from error
    return Shipment(job, tuple(files), base.digest)


_FILE_KEYS = (
    "population.network.path", "platform.universe", "platform.data", "platform.table",
    "platform.dataset", "platform.model",
)  # fmt: skip


def _named(scenario: Scenario) -> list[str]:
    """Relative paths of the files that a scenario names."""
    flat = scenario.flat()
    paths = [str(flat[key]) for key in scenario.files if key in flat]
    return [path for path in paths if not Path(path).is_absolute()]


class RayCrew:
    """A crew of Ray tasks.

    Parameters
    ----------
    job : Job
    address : str
        "ray": the cluster of ``$RAY_ADDRESS``, else one started on this machine;
        "ray://host:port": a cluster's client port; "host:port": a node of this machine's cluster.
    cpus : int
        Of a cluster that is started here.
    gpus_per_run : float
        GPUs (or a share of one) that a task holds.
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
        self._ray = _require_ray()
        self._ours = not self._ray.is_initialized()
        self._temp = tempfile.mkdtemp(prefix="ray") if self._ours else ""
        if self._ours:
            _connect(self._ray, address, cpus, self._temp)
        self._gpus, self._work = gpus_per_run, work
        self._places = self._count_places()
        if self._places == 0:
            raise MissingError(
                f"--gpus-per-run: got {gpus_per_run:g}; the cluster has "
                f"{self._ray.cluster_resources().get('GPU', 0):g} GPUs"
            )
        self._shipment = self._ray.put(shipment(job, points))
        options = {"num_cpus": 1, "num_gpus": gpus_per_run, "max_retries": RETRIES}
        self._task = self._ray.remote(**options)(_on_node)
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
            self._places = self._count_places() or self._places
        return [self._event(ref, self._chunks.pop(ref)) for ref in ready]

    def close(self) -> None:
        for ref in self._chunks:
            with suppress(Exception):
                self._ray.cancel(ref, force=True)
        self._chunks.clear()
        if self._ours:
            self._ray.shutdown()
            shutil.rmtree(self._temp, ignore_errors=True)

    def _event(self, ref: Any, chunk: Chunk) -> Event:
        try:
            return Done(chunk, self._ray.get(ref))
        except self._ray.exceptions.RayTaskError:  # a bug in what a task does, not its node
            raise
        except self._ray.exceptions.RayError:
            return Lost(chunk, None, DIED)

    def _count_places(self) -> int:
        """How many tasks the cluster can run at once, as it is now."""
        there = self._ray.cluster_resources()
        places = there.get("CPU", 0.0)
        if self._gpus:
            places = min(places, there.get("GPU", 0.0) / self._gpus)
        return math.floor(places + 1e-9)


def _require_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingError(
            '--on ray: Ray is not installed; pip install "alphacrit[cluster]"'
        ) from error
    return ray


def _connect(ray: Any, address: str, cpus: int, temp: str) -> None:
    quiet = {"log_to_driver": False, "logging_level": "error"}
    here = address == LOCAL and "RAY_ADDRESS" not in os.environ
    try:
        if here:
            ray.init(
                num_cpus=cpus, include_dashboard=False, object_store_memory=STORE,
                _temp_dir=temp, **quiet,
            )  # fmt: skip
        else:
            ray.init(address=None if address == LOCAL else address, **quiet)
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        words = " ".join(str(error).split())[:200]
        raise MissingError(f"--on {address}: there is no such cluster ({words})") from error


# --- on a node ------------------------------------------------------------------------------------


def _on_node(shipped: Shipment, chunk: Chunk, work: Work) -> Made:
    """What a task does; the files are unpacked once in each process."""
    return work(unpacked(shipped), chunk, lambda index: None)


def unpacked(shipped: Shipment) -> Job:
    """The job, with its files in a folder of this machine."""
    if not shipped.files:
        return shipped.job
    if shipped.digest not in _unpacked:
        root = Path(tempfile.mkdtemp(prefix="alphacrit-"))
        up = max(Path(name).parts.count("..") for name, _ in shipped.files)
        folder = root.joinpath(*(["here"] * up))
        for name, content in shipped.files:
            path = folder / name
            folder.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _unpacked[shipped.digest] = folder
    plan = shipped.job.plan
    moved = plan.scenario.model_copy()
    moved._folder = _unpacked[shipped.digest]
    return replace(shipped.job, plan=replace(plan, scenario=moved))

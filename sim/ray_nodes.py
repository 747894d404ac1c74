"""A Ray cluster that this process works with, and files that go to its nodes."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.errors import MissingError, ResultsError

if TYPE_CHECKING:
    from sim.scenario import Scenario

LOCAL = "ray"
RETRIES = 3  # of a task whose process or node died, by Ray itself
STORE = 200 * 2**20  # bytes of a local object store
IN_USE = ".in-use"  # the file by which a process says that a folder is its
MOMENT = 60.0  # seconds in which a new folder may not be locked yet
_laid_out: dict[str, Path] = {}  # of a worker process: where shipped files lie


class Nodes:
    """A cluster to which this process is connected, and one that it started if it did.

    Parameters
    ----------
    address : str
        "ray": the cluster of ``$RAY_ADDRESS``, else one started on this machine;
        "ray://host:port": a cluster's client port; "host:port": a node of this machine's cluster.
    cpus : int
        Of a cluster that is started here.
    gpus_per_run : float
        GPUs (or a share of one) that a task holds, beside one CPU.

    Raises
    ------
    MissingError
        Ray is not installed, there is no such cluster, or it has no GPU for a task.
    """

    def __init__(self, address: str = LOCAL, cpus: int = 1, gpus_per_run: float = 0.0) -> None:
        self.ray = _require_ray()
        self._ours = not self.ray.is_initialized()
        self._temp = tempfile.mkdtemp(prefix="ray") if self._ours else ""
        if self._ours:
            _connect(self.ray, address, cpus, self._temp)
        self._gpus = gpus_per_run
        if self.places() == 0:
            has = self.ray.cluster_resources().get("GPU", 0)
            self.close(())
            raise MissingError(
                f"--gpus-per-run: got {gpus_per_run:g}; the cluster has {has:g} GPUs"
            )

    def places(self) -> int:
        """How many tasks the cluster can run at once, as it is now."""
        there = self.ray.cluster_resources()
        places = there.get("CPU", 0.0)
        if self._gpus:
            places = min(places, there.get("GPU", 0.0) / self._gpus)
        return math.floor(places + 1e-9)

    def task(self, function: Any) -> Any:
        """A function as a task of this cluster."""
        options = {"num_cpus": 1, "num_gpus": self._gpus, "max_retries": RETRIES}
        return self.ray.remote(**options)(function)

    def close(self, refs: Iterable[Any]) -> None:
        """Give up the tasks that are under way, and the cluster if it was started here."""
        for ref in refs:
            with suppress(Exception):
                self.ray.cancel(ref, force=True)
        if self._ours:
            self.ray.shutdown()
            shutil.rmtree(self._temp, ignore_errors=True)


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


# --- files ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Files:
    """Files to go where no folder is shared.

    Attributes
    ----------
    contents : tuple of (str, bytes)
        Relative path as the scenario names it, and content.
    digest : str
        Of paths and contents.
    """

    contents: tuple[tuple[str, bytes], ...]
    digest: str


def named_files(scenario: Scenario) -> set[str]:
    """Relative paths of the files and folders that a scenario names."""
    flat = scenario.flat()
    paths = [str(flat[key]) for key in scenario.files if key in flat]
    return {path for path in paths if not Path(path).is_absolute()}


def read_files(folder: Path, names: Iterable[str]) -> Files:
    """Files, and all that is in folders, by their paths relative to a folder.

    Raises
    ------
    ResultsError
        One cannot be read.
    """
    contents, hashed = [], hashlib.sha256()
    for name in sorted(names):
        place = folder / name
        inner = [p for p in place.rglob("*") if p.is_file()] if place.is_dir() else [place]
        for path in sorted(inner):
            relative = Path(name) / path.relative_to(place) if place.is_dir() else Path(name)
            try:
                contents.append((relative.as_posix(), path.read_bytes()))
            except OSError as error:
                raise ResultsError(f"{path}: cannot be read ({error.strerror})") from error
    for name, content in contents:
        hashed.update(f"{name} {len(content)} ".encode() + content)
    return Files(tuple(contents), hashed.hexdigest())


def lay_out(files: Files) -> Path:
    """A folder of this machine to which the files are relative; made once in each process."""
    if files.digest not in _laid_out:
        root = own_folder()
        up = max((Path(name).parts.count("..") for name, _ in files.contents), default=0)
        folder = root.joinpath(*(["here"] * up))
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.contents:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        _laid_out[files.digest] = folder
    return _laid_out[files.digest]


def own_folder() -> Path:
    """A new folder for as long as this process lives.

    Ray ends its workers without notice. So a lock says that a folder is in use, and whoever makes
    one removes those that are not.
    """
    for lock in Path(tempfile.gettempdir()).glob(f"alphacrit-*/{IN_USE}"):
        with suppress(OSError):
            if time.time() - lock.stat().st_mtime > MOMENT and (held := _locked(lock)) >= 0:
                shutil.rmtree(lock.parent, ignore_errors=True)
                os.close(held)
    folder = Path(tempfile.mkdtemp(prefix="alphacrit-"))
    _locked(folder / IN_USE)  # and never closed
    return folder


def _locked(path: Path) -> int:
    """A descriptor of the file, locked until it is closed; −1 where another process has it."""
    import fcntl  # where there is Ray there is this, but on Windows

    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return -1
    return file

"""Who writes to a sweep's folder: one sweep, or the shards of one.

A lock is a file that says which process on which machine holds it. Its holder rewrites it every
few seconds with a higher beat and how far it is. Nothing here reads a clock on the wall: on the
same machine a holder lives if its process does; on another one, if its beat rises while we look.

The lock keeps people from doing work twice. The table would be right without it: a run is named by
its content, and two writers of the same run write the same row.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from learners.errors import ResultsError
from learners.measured.cache import write_whole

FOLDER = "locks"
ALL, EXTENDING, COMPACTING = "all", "extending", "compacting"
BEAT = 2.0  # seconds between two beats
SILENCE = 15.0  # seconds without a beat after which a holder on another machine counts as gone
WAIT = 30.0  # seconds to wait for somebody who extends or compacts the same folder


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as its file says.

    Attributes
    ----------
    name : str
        "all" of a sweep, "shard-I-of-N" of a shard.
    token : str
        Of this very holding.
    host, pid : machine and process, for people
    identity : str
        Machine, boot and process, such that no other process ever has the same.
    beat : int
        Rises every few seconds.
    progress : dict
        What the holder says of its work: ``done``, ``total`` (runs), ``rate`` (runs/s),
        ``left`` (seconds).
    """

    name: str
    token: str
    host: str
    pid: int
    identity: str
    beat: int = 0
    progress: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Lock:
    """A lock that is held; ``lost`` once somebody else has taken it for abandoned."""

    def __init__(self, path: Path, holder: Holder) -> None:
        self.path, self.holder = path, holder
        self.progress: Callable[[], dict[str, Any]] = dict
        self.lost = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Stop the beat and take the file away."""
        self._over.set()
        self._thread.join()
        with suppress(OSError):
            if _is(self.path, self.holder.token):
                self.path.unlink()

    def _keep(self) -> None:
        beat = 0
        while not self._over.wait(BEAT):
            beat += 1
            with suppress(OSError):  # a full disk must not look like a lost lock
                if not _is(self.path, self.holder.token):
                    self.lost = True
                    return
                _write(self.path, self.holder, beat, self.progress())


@contextmanager
def hold(folder: Path, name: str, wait: float = 0.0) -> Iterator[Lock]:
    """Hold a lock of a sweep's folder within a block.

    Parameters
    ----------
    folder : Path
        The sweep's.
    name : str
        Of the lock.
    wait : float
        Seconds to wait for one that lives.

    Raises
    ------
    ResultsError
        Somebody else holds it, or the folder cannot be written to.
    """
    path = folder / FOLDER / f"{name}.json"
    until = time.monotonic() + wait
    while not (lock := _take(path, name)):
        other = read(path)
        if other is not None and time.monotonic() > until:
            raise in_use(folder, other)
        time.sleep(0.05)
    try:
        yield lock
    finally:
        lock.release()


@contextmanager
def hold_among(folder: Path, name: str, agree: Callable[[str], bool]) -> Iterator[Lock]:
    """Hold a lock, unless the holder of another one that does not ``agree`` is at work.

    Everybody first takes the own lock and then looks at the others': of two who begin at the same
    moment both may be refused, but never none.
    """
    with hold(folder, name) as lock:
        for other in holders(folder):
            ours = other.name in (name, EXTENDING, COMPACTING) or agree(other.name)
            if not ours and alive(folder, other):
                raise in_use(folder, other)
        yield lock


def in_use(folder: Path, other: Holder) -> ResultsError:
    """The error that says who is writing to a folder."""
    what = "is sweeping into it" if other.name == ALL else f"holds {other.name}"
    return ResultsError(
        f"{folder}: {other} {what} now; wait for it, stop it, or give another --out DIR "
        "(alphacrit status shows how far it is)"
    )


def holders(folder: Path) -> list[Holder]:
    """Everybody whose lock is in the folder, alive or not, by name."""
    found = [read(path) for path in sorted((folder / FOLDER).glob("*.json"))]
    return [each for each in found if each is not None]


def read(path: Path) -> Holder | None:
    """The holder of a lock file; None where there is none that can be read."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Holder(**record)
    except (OSError, ValueError, TypeError):
        return None


def alive(folder: Path, holder: Holder) -> bool:
    """Whether a holder still works; may take some seconds for one on another machine."""
    machine, _, process = holder.identity.rpartition("/")
    if machine == _machine():
        return process == _process(holder.pid)
    path = folder / FOLDER / f"{holder.name}.json"
    until = time.monotonic() + SILENCE
    while time.monotonic() < until:
        now = read(path)
        if now is None or now.token != holder.token:
            return now is not None
        if now.beat != holder.beat:
            return True
        time.sleep(min(0.2, BEAT / 4))
    return False


# --- taking one -----------------------------------------------------------------------------------


def _take(path: Path, name: str) -> Lock | None:
    """The lock, or None where somebody else who lives has it."""
    identity = f"{_machine()}/{_process(os.getpid())}"
    holder = Holder(name, secrets.token_hex(8), platform.node(), os.getpid(), identity)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if _link(path, holder):
            return Lock(path, holder)
        other = read(path)
        if other is not None and alive(path.parent.parent, other):
            return None
        _clear(path, other)
        return Lock(path, holder) if _link(path, holder) else None
    except OSError as error:
        raise ResultsError(
            f"{path.parent.parent}: cannot be written ({error.strerror or error}); "
            "give another --out DIR"
        ) from error


def _link(path: Path, holder: Holder) -> bool:
    """Make the lock file with its content, unless there is one: both at once, by a link."""
    beside = path.with_name(f".{holder.token}")
    try:
        _write(beside, holder, 0, {})
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink(missing_ok=True)
    return True


def _clear(path: Path, stale: Holder | None) -> None:
    """Take an abandoned lock away; put it back if it is somebody else's by now."""
    aside = path.with_name(f".{secrets.token_hex(8)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    taken = read(aside)
    if taken is not None and (stale is None or taken.token != stale.token):
        with suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)


def _write(path: Path, holder: Holder, beat: int, progress: dict[str, Any]) -> None:
    record = asdict(holder) | {"beat": beat, "progress": progress}
    write_whole(path, json.dumps(record).encode())


def _is(path: Path, token: str) -> bool:
    now = read(path)
    return now is not None and now.token == token


def _machine() -> str:
    """This machine since it was started, and the names that processes have on it."""
    words = [platform.node()]
    with suppress(OSError):
        words.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        words.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(words)


def _process(pid: int) -> str:
    """A process by number and by when it began, in ticks since the start; "" where none runs."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        state, *rest = stat.rpartition(")")[2].split()
        return "" if state in "ZX" else f"{pid}@{rest[18]}"
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
    try:  # no /proc: macOS
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return str(pid)

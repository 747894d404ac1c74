"""Measurements on disk by their content: nothing is ever trained twice, also after a crash.

A measurement is named by what it is of, not by when it was made::

    setup    the platform, its data and its strategies, as JSON        → one folder
    point    the sizes, the seed and the replicate, as JSON            → one file

Each name is the SHA-256 of canonical JSON (sorted keys, no spaces, no nan), so the same content
has the same name whatever the order of keys. A file is written beside its place, forced to disk
and then renamed: a process that is killed leaves a whole measurement or none, and any number of
processes may write at once::

    <cache>/<digest of the setup>/setup.json
    <cache>/<digest of the setup>/<digest of the point>.json

Beside them, in ``<cache>/trainings``, learners keep trainings that are under way.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.errors import MissingError

FORMAT = 1
SETUP = "setup.json"
PART = ".part"
TRAININGS = "trainings"


@dataclass(frozen=True)
class Entry:
    """All measurements of one setup in the cache.

    Attributes
    ----------
    digest : str, 64 hexadecimal digits of the setup
    setup : dict, what was measured
    measurements : int
    seconds : float, what they took to make together
    bytes : int, what they take on disk
    """

    digest: str
    setup: dict[str, Any]
    measurements: int
    seconds: float
    bytes: int


class Cache:
    """A folder of measurements; made when the first one is written.

    Parameters
    ----------
    folder : path, optional
        Default ``default_folder()``.

    Examples
    --------
    >>> import tempfile
    >>> cache = Cache(tempfile.mkdtemp())
    >>> cache.put({"platform": "toy"}, {"sizes": [0.1]}, {"success": [0.7]}, seconds=2.0)
    >>> cache.get({"platform": "toy"}, {"sizes": [0.1]})
    {'success': [0.7]}
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = Path(folder) if folder is not None else default_folder()

    def __repr__(self) -> str:
        return f"Cache({str(self.folder)!r})"

    @property
    def trainings(self) -> Path:
        """Folder of the trainings that are under way."""
        return self.folder / TRAININGS

    def get(self, setup: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of one measurement, or None where it was never made.

        A file that is not a whole measurement of this very point counts as none.
        """
        record = _read(self._path(setup, point))
        if record is None or record.get("point") != plain(point):
            return None
        result = record.get("result")
        return result if isinstance(result, dict) else None

    def put(
        self,
        setup: Mapping[str, Any],
        point: Mapping[str, Any],
        result: Mapping[str, Any],
        seconds: float = 0.0,
    ) -> None:
        """Keep one measurement, whole or not at all.

        Raises
        ------
        MissingError
            The folder cannot be written to.
        """
        path = self._path(setup, point)
        record = {"format": FORMAT, "point": point, "result": result, "seconds": float(seconds)}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not (path.parent / SETUP).exists():
                write_whole(path.parent / SETUP, canonical(setup).encode())
            write_whole(path, canonical(record).encode())
        except OSError as error:
            raise MissingError(
                f"{self.folder}: the cache of measurements cannot be written "
                f"({error.strerror or error}); name another folder with ALPHACRIT_CACHE"
            ) from error

    def entries(self) -> Iterator[Entry]:
        """What is in the cache, setup by setup, in the order of their digests."""
        for place in self._places():
            setup = _read(place / SETUP)
            if setup is None:
                continue
            files = [path for path in place.glob("*.json") if path.name != SETUP]
            records = [record for path in files if (record := _read(path)) is not None]
            yield Entry(
                digest=place.name,
                setup=setup,
                measurements=len(records),
                seconds=sum(float(record.get("seconds", 0.0)) for record in records),
                bytes=sum(path.stat().st_size for path in files),
            )

    def clear(self, digest: str | None = None) -> int:
        """Delete measurements and return how many.

        Parameters
        ----------
        digest : str, optional
            Of one setup; its first 6 digits or more do. Default: of all, and what is kept of
            trainings under way.

        Raises
        ------
        ValueError
            No setup, or more than one, begins like that.
        """
        places = list(self._places())
        if digest is not None:
            places = [_only(digest, places)]
        else:
            shutil.rmtree(self.trainings, ignore_errors=True)
        gone = 0
        for place in places:
            gone += sum(path.name != SETUP for path in place.glob("*.json"))
            shutil.rmtree(place)
        return gone

    def _path(self, setup: Mapping[str, Any], point: Mapping[str, Any]) -> Path:
        return self.folder / digest_of(setup) / f"{digest_of(point)}.json"

    def _places(self) -> Iterator[Path]:
        """Folders of setups; anything else in the cache's folder is somebody else's."""
        if self.folder.is_dir():
            named = (path for path in self.folder.iterdir() if _is_digest(path.name))
            yield from sorted(path for path in named if path.is_dir())


_in_use: ContextVar[Cache | None] = ContextVar("cache", default=None)


@contextmanager
def using(cache: Cache) -> Iterator[None]:
    """Within this block (and thread) `cache_in_use` is this one."""
    before = _in_use.set(cache)
    try:
        yield
    finally:
        _in_use.reset(before)


def cache_in_use() -> Cache:
    """The cache that somebody above said to use (`using`), else the user's."""
    return _in_use.get() or Cache()


def default_folder() -> Path:
    """``$ALPHACRIT_CACHE``, else ``alphacrit/measurements`` in the user's cache folder."""
    named = os.environ.get("ALPHACRIT_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "alphacrit" / "measurements"


def canonical(content: Any) -> str:
    """The one JSON text of some content: keys sorted, no spaces; nan and ∞ are refused.

    Raises
    ------
    ValueError
        The content is not JSON (a path, an array, nan).
    """
    try:
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"got {content!r}; must be JSON: texts, finite numbers, true, false, null, "
            f"lists and tables of them ({error})"
        ) from error


def plain(content: Any) -> Any:
    """The content as it comes back from JSON: tuples are lists, every key a text."""
    return json.loads(canonical(content))


def digest_of(content: Any) -> str:
    """SHA-256 of canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_arrays(*arrays: npt.ArrayLike) -> str:
    """SHA-256 of numeric arrays: of their types, shapes and values, in order."""
    digest = hashlib.sha256()
    for given in arrays:
        array = np.ascontiguousarray(given)
        if array.dtype.hasobject:
            raise ValueError(f"got an array of {array.dtype}; must be numbers, booleans or texts")
        digest.update(f"{array.dtype.str}{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, to disk, then renamed over it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{PART}")
    try:
        with open(part, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:  # Ctrl-C too: leave nothing behind
        part.unlink(missing_ok=True)
        raise


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON table from a file; None where there is no whole one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _is_digest(name: str) -> bool:
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def _only(digest: str, places: list[Path]) -> Path:
    found = [place for place in places if place.name.startswith(digest)]
    if len(digest) < 6 or len(found) != 1:
        listed = ", ".join(place.name[:12] for place in places) or "nothing"
        raise ValueError(
            f"digest: got {digest!r}; must be the first 6 digits or more of one setup "
            f"in the cache, which holds {listed}"
        )
    return found[0]

"""Parts of a sweep's tables: what was done since the last one, each file written whole.

    runs/part-000007-3fa9c1d2a0b1c2d3.parquet       rows of runs, with the seconds that they took
    series/part-000007-90ab12cd34ef56a7.parquet     their epochs

A name ends in the first digits of the SHA-256 of the content, so that damage shows. The series is
written first: a run that is in ``runs/`` has its series on disk. A run can be in more than one
part, after a failed one was tried again or when two writers did it; then one that ended well
counts, else the one in the part with the highest name. No clock is asked.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learners.errors import ResultsError
from learners.measured.cache import digest_of_file, write_whole
from sim.sweep import rows, tables

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from sim.sweep.work import Made

RUNS, SERIES, TABLE, DAMAGED = "runs", "series", "runs.parquet", "damaged"
NAME = re.compile(r"part-(\d{6,})-([0-9a-f]{16})\.parquet")
CHECK = "runs.sha256"  # digests of which runs.parquet must have one
MOST_BYTES = 16_000_000  # of tables that wait in memory
OFTEN, SELDOM, SHARE = 2.0, 30.0, 0.02  # seconds between parts: 2 % of the time so far


def part_files(folder: Path, kind: str = RUNS) -> list[Path]:
    """Files of parts, by name."""
    place = folder / kind
    return sorted(path for path in place.glob("part-*.parquet") if NAME.fullmatch(path.name))


class Writer:
    """Collects tables and writes them as parts, now and then.

    Parts are fewer the longer a sweep takes, so that a week of runs does not leave a million
    files; what waits in memory is at most half a minute's work.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        numbers = [int(NAME.fullmatch(p.name)[1]) for p in part_files(folder)]  # type: ignore[index]
        self._number = max(numbers, default=-1) + 1
        self._waiting: list[tuple[bytes, bytes]] = []
        self._began = self._last = time.monotonic()

    def add(self, made: Made) -> None:
        """Take what a worker made; it is on disk after the next ``flush``."""
        if made.runs:
            self._waiting.append((made.runs, made.series))

    def flush_if_due(self) -> None:
        """``flush`` if it is time, or if much is waiting."""
        now = time.monotonic()
        pause = min(max(OFTEN, SHARE * (now - self._began)), SELDOM)
        waiting = sum(len(runs) + len(series) for runs, series in self._waiting)
        if now - self._last > pause or waiting > MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write a part of all that waits.

        Raises
        ------
        ResultsError
            The disk refuses; what was written before stays as it is.
        """
        self._last = time.monotonic()
        if not self._waiting:
            return
        runs = tables.encode(tables.concat([tables.unpack(runs) for runs, _ in self._waiting]))
        series = _joined([series for _, series in self._waiting if series])
        try:
            if series:
                write_whole(self.folder / SERIES / self._name(series), series)
            write_whole(self.folder / RUNS / self._name(runs), runs)
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        self._waiting.clear()
        self._number += 1

    def _name(self, content: bytes) -> str:
        return f"part-{self._number:06d}-{hashlib.sha256(content).hexdigest()[:16]}.parquet"


def _joined(parts: list[bytes]) -> bytes:
    """Files as one."""
    if len(parts) <= 1:
        return parts[0] if parts else b""
    return tables.encode(tables.concat([tables.decode(part) for part in parts]))


def cannot_write(folder: Path, error: OSError) -> ResultsError:
    """The error that says that a sweep's folder takes no more."""
    return ResultsError(
        f"{folder}: cannot be written ({error.strerror or error}); what was done before is kept: "
        "when it can be written again, --resume goes on from there"
    )


# --- which runs are there -------------------------------------------------------------------------


@dataclass(frozen=True)
class Index:
    """Which runs a folder holds, and where.

    Attributes
    ----------
    table : DataFrame
        One row per run, by point and replicate: ``point``, ``replicate``, ``status``, ``source``
        (which of ``sources``) and ``row`` (in it).
    sources : tuple of Path
        ``runs.parquet`` if there is one, then the parts by name.
    damaged : tuple of (Path, str)
        Files that could not be read, and why.
    """

    table: pd.DataFrame
    sources: tuple[Path, ...]
    damaged: tuple[tuple[Path, str], ...]


def index(folder: Path) -> Index:
    """Look up the runs that are in a folder.

    Safe while the sweep runs: a part that was compacted away between listing and reading is looked
    for again in ``runs.parquet``.
    """
    for _ in range(20):
        try:
            return _index(folder)
        except FileNotFoundError:
            continue
    raise ResultsError(f"{folder}: files come and go while they are read; try again")


def _index(folder: Path) -> Index:
    import numpy as np
    import pandas as pd

    parts = part_files(folder)  # first: whoever compacts writes the table before parts go
    whole = [folder / TABLE] if (folder / TABLE).exists() else []
    sources: list[Path] = []
    frames: list[pd.DataFrame] = []
    damaged: list[tuple[Path, str]] = []
    for path in [*whole, *parts]:
        try:
            table = tables.read(path, ["point", "replicate", "status"])
        except tables.DamagedError as error:
            damaged.append((path, str(error)))
            continue
        frame = table.to_pandas()
        frames.append(frame.assign(source=len(sources), row=np.arange(len(frame))))
        sources.append(path)
    if not frames:
        empty = pd.DataFrame(columns=["point", "replicate", "status", "source", "row"])
        return Index(empty, (), tuple(damaged))
    every = pd.concat(frames, ignore_index=True)
    every["ok"] = every["status"] == rows.OK
    every = every.sort_values(["point", "replicate", "ok", "source", "row"])
    every = every.drop_duplicates(["point", "replicate"], keep="last")
    return Index(every.drop(columns="ok").reset_index(drop=True), tuple(sources), tuple(damaged))


def set_aside(folder: Path, damaged: Sequence[tuple[Path, str]]) -> list[str]:
    """Move damaged files to ``damaged/``; returns a message for each."""
    messages = []
    for path, reason in damaged:
        place = folder / DAMAGED / f"{path.parent.name}-{path.name}.{secrets.token_hex(4)}"
        try:
            place.parent.mkdir(exist_ok=True)
            path.rename(place)
        except FileNotFoundError:  # another shard did it
            continue
        except OSError as error:
            raise cannot_write(folder, error) from error
        messages.append(f"{reason}; set aside as {place}, its runs are made again")
    return messages


def damaged_files(folder: Path) -> list[tuple[Path, str]]:
    """Compare every table of the folder with its digest; the damaged ones, with the reason."""
    whole = [folder / TABLE] if (folder / TABLE).exists() else []
    damaged = []
    for path in [*whole, *part_files(folder), *part_files(folder, SERIES)]:
        try:
            _verify(path)
        except FileNotFoundError:  # compacted away by another shard
            continue
        except (OSError, tables.DamagedError) as error:
            damaged.append((path, str(error)))
    return damaged


def _verify(path: Path) -> None:
    """Raise ``DamagedError`` where a table is not what was written."""
    if found := NAME.fullmatch(path.name):
        whole = digest_of_file(path).startswith(found[2])
    else:
        check = path.parent / CHECK
        try:  # asked twice: somebody may be exchanging the table at this moment
            known = check.read_text().split()
            whole = digest_of_file(path) in [*known, *check.read_text().split()]
        except FileNotFoundError:  # somebody tidied up
            tables.read(path)
            return
    if not whole:
        raise tables.DamagedError(f"{path}: is damaged (it has another SHA-256)")


def runs_with_series(folder: Path) -> NDArray[np.int64]:
    """Numbers (``rows.run_number``) of the runs whose series is on disk, increasing."""
    import numpy as np

    found = [np.empty(0, np.int64)]
    for path in part_files(folder, SERIES):
        column = tables.read(path, ["run"])["run"]
        found.append(column.unique().to_numpy())
    return np.unique(np.concatenate(found))

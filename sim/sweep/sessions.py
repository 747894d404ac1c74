"""Who worked on a sweep: one file for each call, whatever became of it."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from learners.measured.cache import write_whole
from sim.provenance import provenance
from sim.sweep.parts import cannot_write

FOLDER = "sessions"


@contextmanager
def session(folder: Path, command: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Record who works on the folder within the block, and at its end how it ended.

    Yields
    ------
    dict
        To be filled with what was done.

    Raises
    ------
    ResultsError
        The folder cannot be written to.
    """
    path = folder / FOLDER / f"{secrets.token_hex(8)}.json"
    clock = time.monotonic()
    record: dict[str, Any] = {
        **provenance(),
        "pid": os.getpid(),
        "command": list(command),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    done: dict[str, Any] = {"ended": "killed"}  # what stands there if nobody comes to change it
    try:
        path.parent.mkdir(exist_ok=True)
        _write(path, record | done)
    except OSError as error:
        raise cannot_write(folder, error) from error
    done["ended"] = "well"
    try:
        yield done
    except BaseException as error:
        done["ended"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        with suppress(OSError):  # the runs are what counts
            _write(path, record | done | {"seconds": time.monotonic() - clock})


def _write(path: Path, record: dict[str, Any]) -> None:
    write_whole(path, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())

"""``njit`` as the compiled loops use it: what was compiled is kept until any of them changes.

Loops are compiled into one another, and numba looks at the file of the outer one only: it would go
on with the old inner one after that was mended. So all are kept in a folder named by the contents
of all their files. And two processes that compile a loop for two kinds of people at the same moment
would write both to the same file, so that one might be handed the other's: every file has a name of
its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.misc.appdirs import AppDirs

config: Any = numba.config

HERE = Path(__file__).resolve().parent
KEPT = 2  # folders of other versions, of which one may be in use


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """:func:`numba.njit` with ``options``, kept in :func:`folder` (if there is one)."""
    options["cache"] = bool(options.get("cache") and folder())

    def compiled(function: Callable[..., Any]) -> Any:
        before, config.CACHE_DIR = config.CACHE_DIR, folder()
        try:
            loop = numba.njit(**options)(function)
        finally:
            config.CACHE_DIR = before
        if options["cache"]:
            file = loop._cache._cache_file
            name_of = file._data_name
            file._data_name = lambda number: name_of(int.from_bytes(os.urandom(7), "big"))
        return loop

    return compiled


@cache
def folder() -> str:
    """Where compiled loops are kept; "" where nothing can be: they last as long as the process."""
    sources = [*HERE.glob("kernels*.py"), HERE.parent / "learners" / "several.py"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources))).hexdigest()
    homes = [HERE / "__pycache__", Path(AppDirs("alphacrit", appauthor=False).user_cache_dir)]
    for home in [Path(config.CACHE_DIR)] if config.CACHE_DIR else homes:
        place = home / f"loops-{digest[:16]}"
        try:
            new = not place.is_dir()
            place.mkdir(parents=True, exist_ok=True)
            if new:
                _make_room(place)
            if os.access(place, os.W_OK):
                return str(place)
        except OSError:
            continue
    return ""


def _make_room(place: Path) -> None:
    """Drop what was kept of other versions, but for the last ones."""
    others = [other for other in place.parent.glob("loops-*") if other != place]
    for other in sorted(others, key=lambda each: each.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(other, ignore_errors=True)

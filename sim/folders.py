"""A folder that is written whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder`` that takes its place when the block ends well.

    A folder cannot be renamed over a full one, so an older one is moved aside first and
    comes back if the second rename fails.
    """
    place = folder.resolve() if folder.is_symlink() else folder
    made = _make_parents(place.parent)
    fresh = None
    try:
        fresh = _beside(place, "part")
        yield fresh
        _replace(place, fresh)
    except BaseException:  # Ctrl-C too: leave nothing behind
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
        for parent in made:
            try:
                parent.rmdir()
            except OSError:
                break  # somebody else uses it by now
        raise


def _replace(place: Path, fresh: Path) -> None:
    if not place.exists():
        fresh.rename(place)
        return
    aside = _beside(place, "old")
    try:
        old = aside / "results"
        place.rename(old)
        try:
            fresh.rename(place)
        except BaseException:
            old.rename(place)
            raise
    finally:
        if place.exists():  # never delete the only copy
            shutil.rmtree(aside, ignore_errors=True)


def _make_parents(parent: Path) -> list[Path]:
    """Make ``parent`` and what is above it; returns the folders made, deepest first."""
    missing = []
    while not parent.exists():
        missing.append(parent)
        parent = parent.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
    return missing


def _beside(place: Path, suffix: str) -> Path:
    """A new hidden folder next to ``place``, on the same disk so that a rename is enough."""
    folder = place.parent / f".{place.name}.{secrets.token_hex(4)}.{suffix}"
    folder.mkdir()
    return folder

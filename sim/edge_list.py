"""Edge lists in files: two row numbers a line, from 0, blank or comma between, # comments."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHOWN = 5  # a file of a million bad lines is described by its first few


def read_edges(path: Path, size: int) -> tuple[NDArray[np.int64], list[str]]:
    """Ties of a network from a file.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        Number of people N; row numbers are 0 … N − 1.

    Returns
    -------
    edges : int array (E, 2)
        Each tie once, smaller row first, sorted; a tie given twice or both ways round counts once.
        Empty when there are problems.
    problems : list of str
        ``line 3: "1 x"``: what is wrong, worded to follow "got".
    """
    none = np.empty((0, 2), dtype=np.int64)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return none, ["which does not exist"]
    except IsADirectoryError:
        return none, ["which is a folder"]
    except UnicodeDecodeError:
        return none, ["which is not text in UTF-8"]
    except (OSError, ValueError) as error:
        return none, [f"which cannot be read ({getattr(error, 'strerror', None) or error})"]
    edges = _fast(text)
    if edges is None or not _fine(edges, size):
        problems = _problems(text, size)
        return none, problems or ["which holds no ties"]
    return np.unique(np.sort(edges, axis=1), axis=0), []


def _fast(text: str) -> NDArray[np.int64] | None:
    """All rows at once, or None when some line is not two whole numbers (or there is no line)."""
    if not any(line.split("#")[0].strip() for line in text.splitlines()):
        return None
    try:
        table = np.loadtxt(io.StringIO(text.replace(",", " ")), dtype=np.int64, ndmin=2)
    except (ValueError, OverflowError):
        return None
    return table if table.shape[1] == 2 else None


def _fine(edges: NDArray[np.int64], size: int) -> bool:
    return bool((edges >= 0).all() and (edges < size).all() and (edges[:, 0] != edges[:, 1]).all())


def _problems(text: str, size: int) -> list[str]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#")[0].strip()
        words = content.replace(",", " ").split()
        if not words:
            continue
        rows = [int(w) for w in words if w.isascii() and w.isdigit() and len(w) < 19]
        if len(words) == 2 and len(rows) == 2 and rows[0] != rows[1] and max(rows) < size:
            continue
        found.append(f'line {number} of it: "{content[:40]}"')
    if len(found) > SHOWN:
        found[SHOWN - 1 :] = [f"{found[SHOWN - 1]}, and {len(found) - SHOWN} more such lines"]
    return found

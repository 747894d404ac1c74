"""Points of a sweep from a CSV file: addresses in the first line, a point in each of the others."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.scenario_file import literal

SHOWN = 5


@dataclass(frozen=True)
class PointsFile:
    """What a file of points says.

    Attributes
    ----------
    addresses : tuple of str
        As the header has them.
    rows : tuple of (line, values)
        Line in the file (from 1), and one value for each address: a TOML value where the cell is
        one (``0.3``, ``true``, ``[1, 2]``), else the text itself.
    problems : tuple of str
        What is wrong, worded to follow "got"; then there are no rows.
    """

    addresses: tuple[str, ...] = ()
    rows: tuple[tuple[int, tuple[Any, ...]], ...] = ()
    problems: tuple[str, ...] = ()


def read_points(path: Path) -> PointsFile:
    """Read a file of points; UTF-8, commas between cells, blank lines passed over."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return PointsFile(problems=("which does not exist",))
    except IsADirectoryError:
        return PointsFile(problems=("which is a folder",))
    except UnicodeDecodeError:
        return PointsFile(problems=("which is not text in UTF-8",))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return PointsFile(problems=(f"which cannot be read ({reason})",))
    return _points_in(text)


def _points_in(text: str) -> PointsFile:
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    lines: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                lines.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        return PointsFile(problems=(f"line {reader.line_num} of it: not CSV ({error})",))
    if len(lines) < 2:
        return PointsFile(problems=("which holds no points below a line of addresses",))
    (_, header), *body = lines
    problems = _misshapen(header, body)
    if problems:
        return PointsFile(problems=tuple(problems))
    rows = tuple((line, tuple(literal(cell) for cell in cells)) for line, cells in body)
    return PointsFile(tuple(header), rows)


def _misshapen(header: list[str], body: list[tuple[int, list[str]]]) -> list[str]:
    """Lines with too few, too many or empty cells."""
    if not all(header):
        return ["line 1 of it: a column without an address"]
    found = []
    for line, cells in body:
        if len(cells) != len(header):
            found.append(f"line {line} of it: {len(cells)} cells under {len(header)} addresses")
        elif not all(cells):
            found.append(f"line {line} of it: no value for {header[cells.index('')]}")
    if len(found) > SHOWN:
        found[SHOWN - 1 :] = [f"{found[SHOWN - 1]}, and {len(found) - SHOWN} more such lines"]
    return found

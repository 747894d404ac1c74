"""Columns of cells from table files: CSV, TSV, JSON lines and Parquet, packed or not.

Nothing here knows what the columns mean; `learners.texts.readers` does.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from learners.texts.corpus import CorpusError

__all__ = ["DELIMITERS", "LINES", "PACKED", "Cells", "read_cells", "some", "unpacked"]

PACKED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".xz": lzma.decompress}
DELIMITERS = {".csv": ",", ".tsv": "\t"}
LINES = (".jsonl", ".ndjson")
SHOWN = 5  # places are named in a message
WIDE = ("utf-16", "utf-32")  # encodings in which the end of a line has a zero byte
FULL = "must have a cell for each column (in quotes where a text has the delimiter)"
CAUSE = "Error tokenizing data. C error: "  # what pandas begins with


@dataclass(frozen=True)
class Cells:
    """What a table holds.

    Attributes
    ----------
    columns : dict of lists
        The cells of each column, all of one length; None (or "") where there is nothing.
    places : sequence of str
        Where each row stands in the file: ``row 3`` (the names are not counted), ``line 7``.
    """

    columns: dict[str, list[Any]]
    places: Sequence[str]


def unpacked(path: Path, kinds: Sequence[str]) -> tuple[str, bytes]:
    """The kind of a file by its ending, and its content without .gz or .xz around it.

    Raises
    ------
    CorpusError
        It ends in none of `kinds`, or cannot be unpacked.
    OSError
        It cannot be read.
    """
    endings = [suffix.lower() for suffix in path.suffixes[-2:]]
    packing = endings.pop() if endings and endings[-1] in PACKED else ""
    kind = endings[-1] if endings else ""
    if kind not in kinds or (packing and kind == ".parquet"):
        must = f"must end in {', '.join(kinds)}, .zip, or be a folder"
        raise CorpusError([("dataset", f'got "{path}", an unknown kind of file; {must}')])
    content = path.read_bytes()
    try:
        return kind, PACKED[packing](content) if packing else content
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        what = f"{path.name}: cannot be unpacked ({error}); must be a whole {packing} file"
        raise CorpusError([("dataset", what)]) from error


def read_cells(path: Path, kind: str, content: bytes, encoding: str) -> Cells:
    """The cells of a table of that kind; CorpusError where it is broken."""
    if kind == ".parquet":
        return _parquet(path)
    written = _decoded(path, content, encoding)
    return _lines(path, written) if kind in LINES else _delimited(path, written, DELIMITERS[kind])


def some(places: Sequence[str]) -> str:
    """``3 (row 2, row 5, row 9)``; the first few of many."""
    return f"{len(places)} ({', '.join(places[:SHOWN])}{', …' if len(places) > SHOWN else ''})"


def _decoded(path: Path, content: bytes, encoding: str) -> str:
    if encoding.startswith(WIDE) and content and b"\0" not in content:
        guess = _guessed(content)
        came = f"got no zero byte, so that it is not {encoding}"
        must = f'is it {guess}? then set encoding = "{guess}"'
        raise CorpusError([("encoding", f"{path.name}: {came}; {must}")])
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        guess = _guessed(content)
        name = encoding.removesuffix("-sig")
        is_it = f'is it {guess}? then set encoding = "{guess}"'
        must = "must be the encoding of the file" if guess == name else is_it
        came = f"got the byte 0x{content[error.start]:02x} at position {error.start}"
        raise CorpusError(
            [("encoding", f"{path.name}: {came}, which is not {name}; {must}")]
        ) from (error)


def _guessed(content: bytes) -> str:
    """An encoding that the content may be in."""
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _delimited(path: Path, written: str, delimiter: str) -> Cells:
    import pandas as pd

    try:
        frame = pd.read_csv(
            StringIO(written), sep=delimiter, header=None, dtype=str, keep_default_na=False
        )
    except pd.errors.EmptyDataError:
        raise _broken(path, "got an empty file; must have a line of column names") from None
    except pd.errors.ParserError as error:
        why = " ".join(str(error).split()).removeprefix(CAUSE)
        raise _broken(path, f"{why}; {FULL}") from error
    names = [str(name) for name in frame.iloc[0]]
    _require_distinct(path, names)
    places = [f"row {number}" for number in range(1, len(frame))]
    short = _short(written, delimiter, len(names))
    if short:
        came = f"got fewer cells than the {len(names)} columns in {some(short)} of {len(places)}"
        raise _broken(path, f"{came}; {FULL}")
    columns = {name: frame[i].iloc[1:].tolist() for i, name in enumerate(names)}
    return Cells(columns, places)


def _short(written: str, delimiter: str, columns: int) -> list[str]:
    """Places of rows with fewer cells than columns; to pandas those cells are empty ones."""
    before = csv.field_size_limit(max(csv.field_size_limit(), len(written)))
    try:
        lines = StringIO(written, newline=None)  # \r ends a line to pandas, too
        every = csv.reader(lines, delimiter=delimiter)
        rows = [len(row) for row in every if row and not (len(row) == 1 and row[0].isspace())]
    finally:
        csv.field_size_limit(before)
    return [f"row {i}" for i, cells in enumerate(rows) if i and cells < columns]


def _parquet(path: Path) -> Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except pa.ArrowException as error:
        raise _broken(path, f"{str(error).splitlines()[0]}; must be a Parquet file") from error
    _require_distinct(path, table.column_names)
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return Cells(columns, [f"row {number}" for number in range(1, table.num_rows + 1)])


def _lines(path: Path, written: str) -> Cells:
    """One JSON object a line; a key that a line lacks is None there."""
    records: list[dict[str, Any]] = []
    places: list[str] = []
    for number, line in enumerate(written.split("\n"), start=1):  # a text may hold U+2028
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _broken(
                path, f"got no JSON in line {number} ({error}); must be one object"
            ) from (error)
        if not isinstance(record, dict):
            raise _broken(path, f"got no object in line {number}; must be one JSON object a line")
        records.append(record)
        places.append(f"line {number}")
    names = dict.fromkeys(key for record in records for key in record)
    return Cells({name: [record.get(name) for record in records] for name in names}, places)


def _broken(path: Path, what: str) -> CorpusError:
    return CorpusError([("dataset", f"{path.name}: {what}")])


def _require_distinct(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _broken(path, f"got {', '.join(twice)} as a column twice; must be one column each")

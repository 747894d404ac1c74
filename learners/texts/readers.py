"""Labelled texts from files: tables (CSV, TSV, JSON lines, Parquet) and the resume corpus.

A table has a column of texts and one of labels, and perhaps one that marks near-duplicates. A cell
of labels is one label, several with a separator between them, or a list as JSON or Python writes it
(``['a', 'b']``); none where it is empty. Names of labels are sorted; whole numbers are named "1",
also where a file has 1.0, as pandas keeps whole numbers beside empty cells. Everything that is
wrong comes in one `CorpusError`.
"""

from __future__ import annotations

import ast
import codecs
import difflib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from learners.texts import resumes
from learners.texts.cells import DELIMITERS, LINES, PACKED, read_cells, some, unpacked
from learners.texts.corpus import Corpus, CorpusError, Indices

__all__ = ["read_corpus"]

KINDS = (*DELIMITERS, *LINES, ".txt", ".parquet")
READABLE = f"a CSV, TSV, JSON lines or Parquet file (also {', '.join(PACKED)}), or resumes"
DEFAULTS = {"text": "text", "labels": "labels", "separator": "|", "group": None}
QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
PYTHON_LIST = re.compile(rf"\s*\[[\s,]*(?:(?:{QUOTED})[\s,]*)+\]\s*")  # numpy writes no commas

Problems = list[tuple[str, str]]


def read_corpus(
    path: str | Path,
    text: str = "text",
    labels: str = "labels",
    separator: str = "|",
    group: str | None = None,
    encoding: str = "utf-8",
) -> Corpus:
    """Read labelled texts.

    Parameters
    ----------
    path : str or Path
        ``.csv``, ``.tsv``, ``.jsonl`` or ``.ndjson``, each also with ``.gz`` or ``.xz``;
        ``.parquet``; or the resume corpus (`learners.texts.resumes`): a ``.zip``, a folder, or the
        ``.txt`` with ``:::``, whose columns have no names, so that only `encoding` applies.
    text, labels, group : str
        Names of columns. A text without a group is a group of its own.
    separator : str
        Between the labels of a text; "" where a cell is one label.
    encoding : str
        Of CSV, TSV, JSON lines and resumes. Resumes that it does not fit are read as cp1252.

    Returns
    -------
    Corpus
        Texts in the order of the file (resumes in files: of their names); label names sorted.

    Raises
    ------
    CorpusError
        The file is missing, of an unknown kind or broken; a column is missing or there twice; a
        text is empty; the encoding is wrong; there are fewer than two labels.

    Notes
    -----
    O(bytes) time and memory; packed files are unpacked in memory.
    """
    path = Path(path)
    asked = {"text": text, "labels": labels, "separator": separator, "group": group}
    encoding = _known(encoding)
    try:
        if path.is_dir() or path.suffix.lower() == ".zip":
            read = resumes.read_folder if path.is_dir() else resumes.read_zip
            return _from_records(path, read(path, encoding), asked)
        kind, content = unpacked(path, KINDS)
        if kind == ".txt":
            records = resumes.read_single_file(content, encoding, path.name)
            return _from_records(path, records, asked)
        cells = read_cells(path, kind, content, encoding)
    except FileNotFoundError:
        raise _wrong("dataset", f'got "{path}", which does not exist; must be {READABLE}') from None
    except OSError as error:
        why = error.strerror or str(error)
        raise _wrong("dataset", f'got "{path}", which fails: {why}; must be {READABLE}') from error
    if not cells.places:
        raise _wrong("dataset", f"{path.name}: got no rows; must be at least two texts")
    _require_columns(path, tuple(cells.columns), asked)
    sets = [_label_set(cell, separator) for cell in cells.columns[labels]]
    groups = None if group is None else _groups(cells.columns[group])
    return _checked(path, cells.columns[text], sets, groups, cells.places)


def _from_records(path: Path, records: resumes.Records, asked: Mapping[str, Any]) -> Corpus:
    problems = [
        (name, f"got {value!r}; must be left out for resumes, whose layout is known")
        for name, value in asked.items()
        if value != DEFAULTS[name]
    ]
    if not records:
        problems.append(("dataset", f"{path.name}: got no resumes; must be at least two"))
    if problems:
        raise CorpusError(problems)
    places, texts, sets = zip(*records, strict=True)
    return _checked(path, texts, sets, None, places)


def _wrong(argument: str, what: str) -> CorpusError:
    return CorpusError([(argument, what)])


def _known(encoding: str) -> str:
    """The encoding's own name; a mark of the byte order in front of utf-8 is no text."""
    try:
        name = codecs.lookup(encoding).name
        "a".encode(name)  # refused by codecs that are not about text
    except (LookupError, TypeError, ValueError) as error:
        must = "must be an encoding of text (utf-8, cp1252, latin-1, utf-16)"
        raise _wrong("encoding", f"got {encoding!r}; {must}") from error
    return "utf-8-sig" if name == "utf-8" else name


# --- columns --------------------------------------------------------------------------------------


def _require_columns(path: Path, names: Sequence[str], asked: Mapping[str, Any]) -> None:
    wanted = {role: asked[role] for role in ("text", "labels", "group") if asked[role] is not None}
    problems = [
        (role, f"got {name!r}; must be a column of {path.name} ({', '.join(names)}){hint}")
        for role, name in wanted.items()
        if name not in names
        for close in [difflib.get_close_matches(name, names, 1)]
        for hint in [f'; did you mean "{close[0]}"?' if close else ""]
    ]
    first: dict[str, str] = {}
    for role, name in wanted.items():
        if first.setdefault(name, role) != role:
            problems.append(
                (role, f"got {name!r}, which is {first[name]} too; must be another column")
            )
    if problems:
        raise CorpusError(problems)


def _label_set(cell: Any, separator: str) -> tuple[str, ...] | None:
    """The labels in a cell; None where it is no label, no list of labels and not empty.

    >>> _label_set("b| a", "|"), _label_set('["a", "b"]', "|"), _label_set(None, "|")
    (('b', 'a'), ('a', 'b'), ())
    """
    if _is_missing(cell):
        return ()
    if isinstance(cell, str):
        cell = _listed(cell) or (cell.split(separator) if separator else [cell])
    if not isinstance(cell, list):
        cell = [cell]
    if any(isinstance(label, (list, dict, bytes)) for label in cell):
        return None
    names = (_name(label).strip() for label in cell if not _is_missing(label))
    return tuple(name for name in names if name)


def _listed(cell: str) -> list[Any] | None:
    """The items of a list as JSON, Python or numpy writes it; None for other text.

    >>> _listed('["a", 1]'), _listed("['a', 'b']"), _listed("['a' 'b']"), _listed("[a")
    (['a', 1], ['a', 'b'], ['a', 'b'], None)
    """
    if not cell.lstrip().startswith("["):
        return None
    try:
        return json.loads(cell) or [""]
    except ValueError:
        if not PYTHON_LIST.fullmatch(cell):
            return None
    try:  # one by one: Python would join 'a' 'b', which numpy writes for two
        return [ast.literal_eval(item) for item in re.findall(QUOTED, cell)]
    except (ValueError, SyntaxError):
        return None


def _name(cell: Any) -> str:
    """A cell as a name; a whole number without the .0 that it has where others are empty."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _groups(cells: Sequence[Any]) -> Indices:
    """Numbers of the groups in the order in which they appear; who has none is alone."""
    numbers: dict[Any, int] = {}
    return np.array(
        [numbers.setdefault((i,) if _is_missing(c) else _name(c), len(numbers))
         for i, c in enumerate(cells)], dtype=np.int64,
    )  # fmt: skip


def _is_missing(cell: Any) -> bool:
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


# --- from columns to a corpus ---------------------------------------------------------------------


def _checked(
    path: Path,
    texts: Sequence[Any],
    sets: Sequence[tuple[str, ...] | None],
    groups: Indices | None,
    places: Sequence[str],
) -> Corpus:
    """The corpus, or CorpusError with all that is wrong with its texts and labels."""
    names = sorted({name for labels in sets for name in labels or ()})
    problems = _text_problems(path, texts, places) + _label_problems(path, sets, names, places)
    if problems:
        raise CorpusError(problems)
    number = {name: column for column, name in enumerate(names)}
    has = np.zeros((len(texts), len(names)), dtype=bool)
    for row, labels in enumerate(sets):
        has[row, [number[name] for name in labels or ()]] = True
    return Corpus(tuple(texts), has, tuple(names), groups)


def _text_problems(path: Path, texts: Sequence[Any], places: Sequence[str]) -> Problems:
    rows: dict[str, list[str]] = {"empty texts": [], "texts that are no readable text": []}
    for where, text in zip(places, texts, strict=True):
        if _is_missing(text) or (isinstance(text, str) and not text.strip()):
            rows["empty texts"].append(where)
        elif not _is_text(text):
            rows["texts that are no readable text"].append(where)
    must = "must be words (leave these rows out)"
    return [
        ("text", f"{path.name}: got {what} in {some(found)} of {len(texts)}; {must}")
        for what, found in rows.items()
        if found
    ]


def _label_problems(
    path: Path,
    sets: Sequence[tuple[str, ...] | None],
    names: Sequence[str],
    places: Sequence[str],
) -> Problems:
    odd = [where for where, labels in zip(places, sets, strict=True) if labels is None]
    if odd:
        told = f"{path.name}: got no label and no list of labels in {some(odd)} of {len(sets)}"
        return [("labels", f"{told}; must be names of labels")]
    if len(names) < 2:
        came = f"one label only ({names[0]!r})" if names else "no label at all"
        return [("labels", f"{path.name}: got {came}; must be at least two labels")]
    return []


def _is_text(cell: Any) -> bool:
    """Whether this is text that can be written down: no NUL, no half of a surrogate pair."""
    if not isinstance(cell, str) or "\0" in cell:
        return False
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

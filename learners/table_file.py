"""Tables of people in files: one reader for every platform that is trained on data.

A CSV is read as it stands, every cell as text: what it says is decided column by column. Only an
empty cell is missing in a column of words ("NA" may be Namibia, "None" an answer); in a column of
numbers the usual words for missing are missing as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learners.spelling import MISSING, TRUTHS, numeric, truths

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".csv", ".csv.gz", ".csv.xz", ".parquet")


def read_frame(path: Path) -> pd.DataFrame:
    """A CSV (also .gz, .xz), its cells as text, or a Parquet file with its own types.

    Names of columns are text. Missing cells are nan.

    Raises
    ------
    OSError
        There is no such file.
    ValueError
        It is no table, or two of its columns have the same name.
    """
    import pandas as pd

    if not path.name.endswith(FORMATS):
        raise ValueError(f"got an unknown kind of file; must end in {', '.join(FORMATS)}")
    if path.name.endswith(".parquet"):
        from pyarrow import parquet

        _require_distinct([str(name) for name in parquet.read_schema(path).names])
        frame = pd.read_parquet(path)
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
        _require_distinct(list(frame.columns))
        return frame

    def read(**ways: Any) -> pd.DataFrame:
        return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], **ways)

    head = read(header=None, nrows=1)  # pandas would rename the second of two of the same name
    _require_distinct([str(name) for name in head.iloc[0].dropna()])
    frame = read()
    if not isinstance(frame.index, pd.RangeIndex):  # longer rows than names: pandas shifts them
        raise ValueError(
            f"its rows have more cells than the {len(frame.columns)} names of its first line; "
            "must have as many"
        )
    return _missing_numbers(frame)


def typed(frame: pd.DataFrame, but: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of text that are all numbers as numbers, and all truths as truths, `but` some."""
    found = {}
    for name in frame.columns:
        column = frame[name]
        if name in but or column.dtype.kind in "iufb" or column.isna().any():
            continue
        values = [str(value) for value in column.unique()]
        if numeric(values):
            whole = all(value.lstrip("+-").isdigit() for value in values)
            small = whole and all(len(value) < 18 for value in values)
            found[name] = column.astype(str).astype(np.int64 if small else np.float64)
        elif truths(values):
            found[name] = column.astype(str).map(TRUTHS).astype(bool)
    return frame.assign(**found) if found else frame


def unreadable_cells(column: pd.Series) -> np.ndarray:
    """Rows whose cell is missing or infinite, shape (n,)."""
    bad = column.isna().to_numpy()
    if column.dtype.kind == "f":
        bad = bad | np.isinf(column.to_numpy())
    return np.asarray(bad)


def _missing_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """In columns of numbers and of truths, words for missing are missing."""
    found = {}
    for name in frame.columns:
        values = [str(value) for value in frame[name].dropna().unique()]
        words = set(values) & set(MISSING)
        if words and (numeric(values) or truths(values)):
            found[name] = frame[name].where(~frame[name].isin(words))
    return frame.assign(**found) if found else frame


def _require_distinct(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f"two columns are called {twice[0]!r}; must have a name of their own each")

"""Tables of people (CSV or Parquet) as rows for a platform: one-hot and standardised features.

A numeric column becomes (v − mean)/sd, with mean and sd of the training rows; any other column one
0/1 feature for each of its values. Full one-hot groups span the constant, so that models need no
intercept, which no member could change. `Table.signal` turns "set these columns to these values"
into a change of features.

Data: Becker & Kohavi (1996), Adult, UCI Machine Learning Repository, doi 10.24432/C5XW20.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.spelling import as_text, number_of, same, spelled
from learners.table_file import read_frame, typed
from learners.tabular.rows import Rows, SetColumns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Table", "adult", "load_table", "table_of"]

MOST_VALUES = 200  # of a column of words: an identifier is no feature
CONSTANT = 1e-12  # sd relative to the largest value: below it is rounding noise


@dataclass(frozen=True)
class Column:
    """How one column of the file becomes features.

    Attributes
    ----------
    name : str
    first : int
        Index of its first feature.
    values : tuple of str
        What its one-hot features stand for; empty for a numeric column.
    mean, sd : float
        Of a numeric column among the training rows, in the file's units.
    """

    name: str
    first: int
    values: tuple[str, ...] = ()
    mean: float = 0.0
    sd: float = 1.0

    def encode(self, value: Any) -> Iterable[tuple[int, float]]:
        """(feature, value) pairs that say `value`."""
        if not self.values:
            number = number_of(value)
            if number is None:
                raise ValueError(f"{self.name}: got {value!r}; must be a number")
            return [(self.first, (number - self.mean) / self.sd)]
        found = same(value, self.values)
        if found is None:
            raise ValueError(
                f"{self.name}: got {value!r}; must be one of {', '.join(self.values)} "
                "(or name it in `extra` when loading the table)"
            )
        return [(self.first + i, float(v == found)) for i, v in enumerate(self.values)]


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of people with the meaning of their features.

    Attributes
    ----------
    rows : Rows
        To train on.
    test : Rows or None
        Held-out people, where the table says who they are.
    encoding : tuple of Column
    label_name : str
        Column of the label in the file.
    classes : tuple of str
        Names of the labels 0 … C−1, in sorted order.
    """

    rows: Rows
    test: Rows | None
    encoding: tuple[Column, ...]
    label_name: str
    classes: tuple[str, ...]

    @property
    def weight(self) -> Array:
        """P₀ of each training row, shape (n,)."""
        return self.rows.weight

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns in use, the label's last."""
        return (*(column.name for column in self.encoding), self.label_name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the d features: ``age``, ``sex=Male``."""
        return tuple(
            name
            for column in self.encoding
            for name in ([f"{column.name}={v}" for v in column.values] or [column.name])
        )

    def label(self, name: str) -> int:
        """The class 0 … C−1 of that name."""
        found = same(name, self.classes)
        if found is None:
            raise ValueError(f"target: got {name!r}; must be one of {', '.join(self.classes)}")
        return self.classes.index(found)

    def signal(self, values: Mapping[str, Any]) -> SetColumns:
        """g: these columns take these values, in the file's own units and names."""
        pairs = [pair for name, value in values.items() for pair in self._encode(name, value)]
        if not pairs:
            raise ValueError("signal: sets no column; name at least one and its value")
        return SetColumns(tuple(i for i, _ in pairs), tuple(v for _, v in pairs))

    def values(self, column: str) -> tuple[str, ...]:
        """The values a column can have; none for a column of numbers."""
        if column == self.label_name:
            return self.classes
        return self._column(column).values

    def having(self, column: str, value: Any) -> npt.NDArray[np.bool_]:
        """Which training rows have this value there, shape (n,)."""
        if column == self.label_name:
            return np.asarray(self.rows.labels == self.label(value))
        pairs = list(self._encode(column, value))
        wanted = np.array([v for _, v in pairs])
        found = self.rows.features[:, [i for i, _ in pairs]]
        return np.isclose(found, wanted, rtol=0.0, atol=1e-9).all(axis=1)

    def span(self, column: str) -> tuple[float, float]:
        """Least and largest value of a column of numbers among the training rows."""
        found = self._column(column)
        values = self.rows.features[:, found.first] * found.sd + found.mean
        return float(values.min()), float(values.max())

    def _encode(self, name: str, value: Any) -> Iterable[tuple[int, float]]:
        return self._column(name).encode(value)

    def _column(self, name: str) -> Column:
        for column in self.encoding:
            if column.name == name:
                return column
        known = [column.name for column in self.encoding]
        raise ValueError(f"columns: {_unknown(name, known)}")


def _unknown(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    return f"no column {name!r}; there are {', '.join(known)}{hint}"


def load_table(
    path: str | Path,
    label: str,
    *,
    split: str | None = None,
    weight: str | None = None,
    drop: Sequence[str] = (),
    extra: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Read a CSV (also .gz, .xz) or Parquet file; see `table_of` for the parameters.

    Raises
    ------
    ValueError
        The file is missing or unreadable, or `table_of` refuses it; the path comes first.
    """
    path = Path(path)
    try:
        frame = read_frame(path)
    except (OSError, ValueError) as problem:
        raise ValueError(f"{path}: cannot be read as a table ({problem})") from problem
    try:
        return table_of(frame, label, split=split, weight=weight, drop=drop, extra=extra)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from problem


def table_of(
    frame: pd.DataFrame,
    label: str,
    *,
    split: str | None = None,
    weight: str | None = None,
    drop: Sequence[str] = (),
    extra: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """Encode a data frame.

    Parameters
    ----------
    frame : DataFrame, one row a person, no missing values
    label : str
        Column of the label.
    split : str, optional
        Column with "train" for training rows; the others are held out.
    weight : str, optional
        Column of weights (probabilities or counts).
    drop : sequence of str
        Columns that are no features.
    extra : mapping of columns to sequences of str, optional
        Values nobody has in the data but a signal may plant; a column that is not in the file is
        added, with the value "no" for everybody.
    """
    roles = [name for name in (label, split, weight) if name is not None]
    frame = typed(_with_extra(frame, extra or {}), but=[name for name in roles if name != weight])
    names = [str(name) for name in frame.columns]
    for name in (*roles, *drop):
        if name not in names:
            raise ValueError(f"columns: {_unknown(name, names)}")
    missing = frame.columns[frame.isna().any()].tolist()
    if missing:
        raise ValueError(
            f"columns: missing values (NaN) in {', '.join(missing)}; fill them in or drop them"
        )
    train = (frame[split] == "train").to_numpy() if split else np.ones(len(frame), dtype=bool)
    if not train.any():
        raise ValueError(f"split: no row of column {split!r} says 'train'")
    columns, features = _encode(frame.drop(columns=[*roles, *drop]), train, extra or {})
    labels = spelled(frame[label])
    classes = tuple(sorted(labels.unique()))
    if len(classes) < 2:
        raise ValueError(f"label: all of column {label!r} is {classes[0]!r}; need two classes")
    codes = np.searchsorted(classes, labels.to_numpy(dtype=str))
    if weight and frame[weight].dtype.kind not in "iuf":
        raise ValueError(f"weight: got words in column {weight!r}; must be numbers ≥ 0")
    weights = frame[weight].to_numpy(dtype=float) if weight else np.ones(len(frame))
    parts = [
        Rows(features[who], codes[who], weights[who]) if who.any() else None
        for who in (train, ~train)
    ]
    assert parts[0] is not None
    return Table(parts[0], parts[1], columns, label, classes)


def _with_extra(frame: pd.DataFrame, extra: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    new = {name: "no" for name in extra if name not in frame.columns}
    return frame.assign(**new) if new else frame


def _encode(
    frame: pd.DataFrame, train: np.ndarray, extra: Mapping[str, Sequence[str]]
) -> tuple[tuple[Column, ...], np.ndarray]:
    """Columns and the (n, d) features of all rows; one-hot values in sorted order."""
    if not len(frame.columns):
        raise ValueError("columns: no feature is left; drop fewer columns")
    columns: list[Column] = []
    blocks: list[np.ndarray] = []
    first = 0
    for name in frame.columns:
        if frame[name].dtype.kind in "iufb" and name not in extra:
            given = frame[name].to_numpy(dtype=float)
            mean, sd = float(given[train].mean()), _spread(given[train])
            columns.append(Column(str(name), first, mean=mean, sd=sd))
            blocks.append(((given - mean) / sd)[:, None])
        else:
            given = spelled(frame[name]).to_numpy(dtype=str)
            there = np.unique(given).tolist()
            if len(there) > MOST_VALUES:
                raise ValueError(too_many(str(name), len(there)))
            more = (as_text(v) for v in extra.get(name, ()) if same(v, there) is None)
            values = tuple(sorted({*there, *more}))
            columns.append(Column(str(name), first, values))
            blocks.append((given[:, None] == np.array(values)).astype(float))
        first += blocks[-1].shape[1]
    return tuple(columns), np.concatenate(blocks, axis=1)


def too_many(name: str, values: int) -> str:
    """What is wrong with a column of words in which next to everybody has her own."""
    return (
        f"{name}: got {values:,} different values in a column of words, each of which would "
        f"be a feature; must be at most {MOST_VALUES} (leave the column out, or group its values)"
    )


def _spread(values: np.ndarray) -> float:
    """Standard deviation to divide by; 1 where the column is constant, to rounding."""
    sd = float(values.std())
    return sd if sd > CONSTANT * float(np.abs(values).max()) else 1.0


def adult(path: str | Path, extra: Mapping[str, Sequence[str]] | None = None) -> Table:
    """UCI Adult, income over 50K from 12 columns, with its own training and test split.

    `fnlwgt` is the census's sampling weight and `education` repeats `education_num`; both are
    dropped. `path` is the file adult.csv.gz with the columns named as in the shared data.
    """
    return load_table(path, "income", split="split", drop=("fnlwgt", "education"), extra=extra)

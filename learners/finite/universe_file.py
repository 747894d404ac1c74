"""A finite universe from a file or a DataFrame: columns of features, a label, perhaps a weight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learners.curves import Array
from learners.errors import ScenarioError
from learners.finite.universe import FILE_TOLERANCE, Universe, WeightKind, one_of
from learners.spelling import as_text, spelled
from learners.table_file import read_frame

if TYPE_CHECKING:
    import pandas as pd


def read_universe(
    path: str | Path,
    label: str,
    weight: str | None = None,
    columns: Sequence[str] | None = None,
    weight_kind: WeightKind = "auto",
) -> Universe:
    """Read a universe from a CSV (also .gz, .xz) or Parquet file.

    Parameters
    ----------
    path : the file
    label, weight, columns, weight_kind
        As in `Universe.from_frame`. All values are read as text, as they stand in the file
        (`learners.table_file`); a missing value is refused.

    Raises
    ------
    ScenarioError
        Every problem of the file at once, each as ``path:line: what``.
    """
    frame = _read(Path(path))
    problems, parts = _examine(frame, label, weight, columns, weight_kind)
    if problems:
        lines = not str(path).endswith(".parquet")
        raise ScenarioError([f"{path}{_place(row, lines)}: {text}" for row, text in problems])
    return Universe(**parts)


def frame_parts(
    frame: pd.DataFrame,
    label: str,
    weight: str | None,
    columns: Sequence[str] | None,
    weight_kind: WeightKind,
) -> dict[str, Any]:
    """The fields of `Universe` from a table; ValueError with one line per problem."""
    problems, parts = _examine(frame, label, weight, columns, weight_kind)
    if problems:
        where = ("" if row is None else f"row {row + 1}: " for row, _ in problems)
        raise ValueError("\n".join(w + text for w, (_, text) in zip(where, problems, strict=True)))
    return parts


def _place(row: int | None, lines: bool) -> str:
    """Line of a CSV file (the first holds the names), row of a Parquet file."""
    if row is None:
        return ""
    return f":{row + 2}" if lines else f": row {row + 1}"


def _read(path: Path) -> pd.DataFrame:
    try:
        return read_frame(path)
    except (OSError, ValueError, ArithmeticError) as error:  # pyarrow's and pandas' are ValueErrors
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        ours = "; must " in reason
        what = reason if ours else f"cannot be read as a table: {reason}"
        raise ScenarioError(f"{path}: {what}") from error


Problems = list[tuple[int | None, str]]
HUGE = 1e100  # weights above this are first divided by the largest


def _examine(
    frame: pd.DataFrame,
    label: str,
    weight: str | None,
    columns: Sequence[str] | None,
    weight_kind: WeightKind,
) -> tuple[Problems, dict[str, Any]]:
    """All problems (row or None, message), and the parts of the universe where there are none."""
    names = [str(name) for name in frame.columns]
    frame = frame.set_axis(names, axis=1)
    named = {"label": [label], "weight": [weight] if weight else [], "columns": columns or []}
    problems: Problems = [
        (None, f"{role}: got {name!r}; must be a column of the table{one_of(name, names)}")
        for role, wanted in named.items()
        for name in wanted
        if name not in names
    ]
    taken = {label, weight}
    features = [n for n in names if n not in taken] if columns is None else list(columns)
    if not features:
        problems.append((None, "columns: got none; must be at least one column of features"))
    if taken & set(features) or len(set(features)) < len(features):
        problems.append(
            (None, f"columns: got {', '.join(features)}; must be features, none twice, and neither "
             "the label nor the weight")
        )  # fmt: skip
    if len(frame) == 0:
        problems.append((None, "got no rows; must be at least two people of different labels"))
    if problems:
        return problems, {}
    problems = _missing(frame[[*features, label]])
    weights, wrong = _weights(frame, weight, weight_kind)
    problems += wrong
    if not problems and frame[label][weights > 0.0].nunique() < 2:
        only = as_text(frame[label][weights > 0.0].iloc[0])
        problems.append((None, f"label: got people of one label only ({only!r} in the column "
                         f"{label!r}); must be at least two"))  # fmt: skip
    return problems, {} if problems else _parts(frame, features, label, weights)


def _missing(frame: pd.DataFrame) -> Problems:
    """A line for each column with missing values: where the first is, and how many there are."""
    found: Problems = []
    for name in frame.columns:
        rows = np.flatnonzero(frame[name].isna().to_numpy())
        if rows.size:
            found.append(
                (int(rows[0]), f"{name}: got a missing value ({rows.size} in this column); must be "
                 'a value, such as "unknown", or leave the row out')
            )  # fmt: skip
    return found


def _weights(frame: pd.DataFrame, weight: str | None, kind: WeightKind) -> tuple[Array, Problems]:
    """Weights (rows,), and what is wrong with them."""
    import pandas as pd

    if weight is None:
        return np.ones(len(frame)), []
    values = pd.to_numeric(frame[weight], errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(values) | (values < 0.0))
    if bad.size:
        row = int(bad[0])
        came = as_text(frame[weight].iloc[row])
        return values, [(row, f"{weight}: got {came}; must be a number ≥ 0 (a weight)")]
    largest = values.max()
    if largest <= 0.0:
        return values, [(None, f"{weight}: got weights that are all 0; must have a positive sum")]
    if largest > HUGE:  # whole numbers all, whose sum could be infinite
        return values / largest, []
    total = values.sum()
    whole = bool((values == np.round(values)).all())
    probabilities = kind == "probability" or (kind == "auto" and not whole)
    if probabilities and abs(total - 1.0) > FILE_TOLERANCE:
        return values, [
            (None, f"{weight}: got weights that sum to {total:.9g}; must be whole numbers "
             "(counts) or probabilities that sum to 1 (divide them by their sum)")
        ]  # fmt: skip
    return values, []


def _parts(frame: pd.DataFrame, features: list[str], label: str, weights: Array) -> dict[str, Any]:
    """Group equal rows; labels and levels in alphabetical order, points as they appear."""
    import pandas as pd

    coded = [pd.factorize(spelled(frame[n]), sort=True) for n in (*features, label)]
    rows = pd.DataFrame({i: codes for i, (codes, _) in enumerate(coded[:-1])})
    point = rows.groupby(list(rows.columns), sort=False).ngroup().to_numpy()
    y, names = coded[-1]
    base = np.zeros((point.max() + 1, len(names)))
    np.add.at(base, (point, y), weights)
    first = np.unique(point, return_index=True)[1]
    return {
        "base": base / base.sum(),
        "labels": tuple(str(name) for name in names),
        "columns": tuple(features),
        "codes": rows.to_numpy(np.int64)[first],
        "levels": tuple(tuple(str(level) for level in levels) for _, levels in coded[:-1]),
    }

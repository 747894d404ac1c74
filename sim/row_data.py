"""The rows of a scenario's people, read from its file or made, and checked against the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.scenario_check import Address, Problem
from sim.scenario_platforms import (
    GENERATED,
    GeneratedRows,
    GradientPlatform,
    LogisticPlatform,
    RowData,
)
from sim.toml_text import shown
from sim.trained import (
    BadData,
    canonical,
    file_hash,
    kept,
    must_be_one,
    reason,
    unreadable,
)

if TYPE_CHECKING:
    import pandas as pd

    from learners.tabular.tables import Table
    from sim.scenario import Scenario

Found = Iterator[Problem]
REAL = ("least_squares", "squared")  # losses whose label is a number
DATA_FIELDS = set(RowData.model_fields) - {"learner"}


def read_rows(
    s: Scenario, platform: LogisticPlatform | GradientPlatform, folder: Path, seed: int
) -> tuple[Table, tuple[Any, ...]]:
    """The rows as the platform sees them, and what they were made from."""
    made = canonical([platform.model_dump(mode="json", include=DATA_FIELDS), platform.loss, seed])
    if platform.data == GENERATED:
        key: tuple[Any, ...] = ("generated rows", made)
        return kept(key, lambda: _held_out(_generated(platform), platform, seed)), key
    path = folder / platform.data
    try:
        digest = file_hash(path)
    except (OSError, ValueError) as error:
        raise BadData([unreadable("data", platform.data, error)]) from None
    wanted = canonical([dict(getattr(c.signal, "set", {})) for c in s.collectives.values()])
    key = ("table", str(path), digest, made, wanted)
    return kept(key, lambda: _held_out(_read(s, platform, path), platform, seed)), key


def _generated(platform: LogisticPlatform | GradientPlatform) -> Table:
    from learners.tabular.rows import generated_rows
    from learners.tabular.tables import Column, Table

    wanted, real = platform.generated or GeneratedRows(), platform.loss in REAL
    if wanted.unused >= wanted.features:
        text = f"got {wanted.unused}; must be < features = {wanted.features}, or nothing is learned"
        raise BadData([Problem(("platform", "generated", "unused"), text)])
    rows = generated_rows(
        np.random.default_rng(wanted.seed),
        wanted.rows,
        wanted.features,
        wanted.classes,
        unused=wanted.unused,
        real_labels=real,
    )
    columns = tuple(Column(f"x{i}", i) for i in range(wanted.features))
    classes = () if real else tuple(str(i) for i in range(wanted.classes))
    return Table(rows, None, columns, "label", classes)


def _read(s: Scenario, platform: LogisticPlatform | GradientPlatform, path: Path) -> Table:
    """A file as a table; BadData with the keys that ask for what it does not have."""
    from learners.table_file import read_frame, typed
    from learners.tabular.tables import table_of

    try:
        frame = read_frame(path)
    except (OSError, ValueError, ArithmeticError) as error:
        raise BadData([unreadable("data", platform.data, error)]) from None
    roles = [name for name in (platform.label, platform.weight, platform.split) if name]
    problems = _wrong_columns(s, platform, frame, roles)
    if problems:
        raise BadData(problems)
    features = [n for n in frame.columns if n not in roles]
    if platform.columns is not None:
        features = list(platform.columns)
    if not len(frame):
        text = f"{platform.data}: got no rows; must be at least two people of different labels"
        raise BadData([Problem(("platform", "data"), text)])
    frame = typed(frame[[*features, *roles]], but=roles)
    problems = [
        *_holes(platform, frame),
        *_no_numbers(platform, frame),
        *_identifiers(platform, frame, features),
    ]
    if problems:
        raise BadData(problems)
    try:
        table = table_of(
            frame,
            platform.label,
            split=platform.split,
            weight=platform.weight,
            extra=_extra(s, platform, frame),
        )
        return _as_numbers(table) if platform.loss in REAL else table
    except (ValueError, TypeError) as error:
        key, _, said = reason(error).partition(": ")
        if key == "split" and platform.split is not None:
            text = f'got {shown(platform.split)}; must be a column with "train" in it ({said})'
            raise BadData([Problem(("platform", key), text)]) from None
        text = f"{platform.data}: {reason(error)}"
        raise BadData([Problem(("platform", "data"), text)]) from None


def _wrong_columns(
    s: Scenario, platform: RowData, frame: pd.DataFrame, roles: list[str]
) -> list[Problem]:
    """Keys that name columns which the file does not have, or has already."""
    names = tuple(frame.columns)
    what = f"a column of {platform.data}"
    problems = [
        Problem(("platform", key), f"got {shown(name)}; {must_be_one(name, names, what)}")
        for key in ("label", "weight", "split")
        if (name := getattr(platform, key)) is not None and name not in names
    ]
    for i, name in enumerate(platform.columns or ()):
        here: Address = ("platform", "columns", i)
        if name not in names:
            problems.append(Problem(here, f"got {shown(name)}; {must_be_one(name, names, what)}"))
        elif name in roles:
            text = f"got {shown(name)}; must be a feature, neither label, weight nor split"
            problems.append(Problem(here, text))
    used = {name for c in s.collectives.values() for name in getattr(c.signal, "set", {})}
    for i, name in enumerate(platform.extra):
        here = ("platform", "extra", i)
        if name in names:
            text = f"got {shown(name)}, which is a column of {platform.data} already; must be new"
            problems.append(Problem(here, text))
        elif name not in used:
            text = f"got {shown(name)}, which no signal sets; must be absent"
            problems.append(Problem(here, text))
    return problems


def _holes(platform: RowData, frame: pd.DataFrame) -> list[Problem]:
    """A problem for each column with missing or infinite values: the first line, and how many."""
    from learners.table_file import unreadable_cells

    problems = []
    for name in frame.columns:
        bad = unreadable_cells(frame[name])
        if bad.any():
            came = f"got a missing or infinite value ({bad.sum()} in this column)"
            must = 'must be a value, such as "unknown", or leave the row out'
            problems.append(_in_file(platform, name, bad, f"{came}; {must}"))
    return problems


def _no_numbers(platform: LogisticPlatform | GradientPlatform, frame: pd.DataFrame) -> Found:
    """Weights that are none, and labels that are words where a number is fitted."""
    from learners.spelling import as_text, number_of

    wanted = {platform.weight: "must be a number ≥ 0 (a weight)"} if platform.weight else {}
    if platform.loss in REAL:
        wanted[platform.label] = f'must be a number with loss = "{platform.loss}"'
    for name, must in wanted.items():
        numbers = {value: number_of(value) for value in frame[name].dropna().unique()}
        least = 0.0 if name == platform.weight else -np.inf
        wrong = [v for v, number in numbers.items() if number is None or number < least]
        if wrong:
            bad = frame[name].isin(wrong).to_numpy()
            came = as_text(frame[name][bad].iloc[0])
            yield _in_file(platform, name, bad, f"got {came}; {must}")
        elif name == platform.weight and not any(numbers.values()):
            text = f"{platform.data}: {name}: got weights that are all 0; must have a positive sum"
            yield Problem(("platform", "data"), text)


def _identifiers(platform: RowData, frame: pd.DataFrame, features: list[str]) -> Found:
    """Columns of words in which next to everybody has her own."""
    from learners.tabular.tables import MOST_VALUES, too_many

    for name in features:
        words = frame[name].dtype.kind not in "iufb"
        if words and (values := frame[name].nunique()) > MOST_VALUES:
            listed = platform.columns is not None and name in platform.columns
            key: Address = ("platform", "data")
            if listed:
                key = ("platform", "columns", (platform.columns or ()).index(name))
            yield Problem(key, f"{platform.data}: {too_many(name, values)}")


def _in_file(platform: RowData, name: str, bad: NDArray[np.bool_], text: str) -> Problem:
    """A problem of a column at the first of the rows where it is bad."""
    row = int(np.flatnonzero(bad)[0])
    parquet = platform.data.endswith(".parquet")
    place = f" row {row + 1}" if parquet else str(row + 2)  # the first line holds the names
    return Problem(("platform", "data"), f"{platform.data}:{place}: {name}: {text}")


def _extra(s: Scenario, platform: RowData, frame: pd.DataFrame) -> dict[str, list[str]]:
    """Values that a signal plants, perhaps without anybody having them: of words, new columns."""
    from learners.spelling import as_text

    extra: dict[str, list[str]] = {name: [] for name in platform.extra}
    for collective in s.collectives.values():
        for name, value in getattr(collective.signal, "set", {}).items():
            words = name in frame.columns and frame[name].dtype.kind not in "iufb"
            if words or name in platform.extra:
                extra.setdefault(name, []).append(as_text(value))
    return extra


def _as_numbers(table: Table) -> Table:
    """The label as a number, for a squared loss."""
    from learners.spelling import number_of

    values = np.array([number_of(name) for name in table.classes], np.float64)
    parts = [
        part if part is None else replace(part, labels=values[part.labels])
        for part in (table.rows, table.test)
    ]
    assert parts[0] is not None
    return replace(table, rows=parts[0], test=parts[1])


def _held_out(table: Table, platform: RowData, seed: int) -> Table:
    """The share ``test`` of the rows set apart, at random."""
    count = round(platform.test * len(table.rows))
    if not count:
        return table
    if count == len(table.rows):
        text = f"got {platform.test:g}, which leaves none of {count} people to train on; must be"
        raise BadData([Problem(("platform", "test"), f"{text} smaller (share of the data)")])
    order = np.random.default_rng([seed, 1]).permutation(len(table.rows))
    parts = [_some(table.rows, np.sort(rows)) for rows in (order[count:], order[:count])]
    return replace(table, rows=parts[0], test=parts[1])


def _some(rows: Any, which: NDArray[np.integer]) -> Any:
    return replace(
        rows,
        features=rows.features[which],
        labels=rows.labels[which],
        weight=rows.weight[which],
    )


def require_labels(platform: LogisticPlatform | GradientPlatform, table: Table) -> None:
    """Logistic is for two labels; and there must be two among the people to train on."""
    if platform.loss in REAL:
        return
    if platform.loss == "logistic" and len(table.classes) != 2:
        text = f'got "logistic" with {len(table.classes)} labels; must be "softmax"'
        raise BadData([Problem(("platform", "loss"), text)])
    found = np.unique(table.rows.labels[table.rows.weight > 0])
    if len(found) < 2:
        only = table.classes[int(found[0])]
        if platform.test > 0:
            left = f"{len(table.rows)} people to train on, all {shown(only)}"
            text = f"got {platform.test:g}, which leaves {left}; must be smaller, or the data have"
            text = f"{text} more people of at least two labels (share of the data)"
            raise BadData([Problem(("platform", "test"), text)])
        text = f"got {shown(platform.data)}, where all who are trained on are {shown(only)}; must"
        text = f"{text} have people of at least two labels"
        raise BadData([Problem(("platform", "data"), text)])

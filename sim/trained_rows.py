"""Platforms of a scenario that fit a model to people's rows: their data and strategies.

The rows come from a file or are made; each collective's signal is encoded as the columns are. What
needs a network to be trained (θ* of control) is done when the learner is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.scenario_check import Address, Problem
from sim.scenario_platforms import (
    GENERATED,
    ControlSignal,
    GeneratedRows,
    GradientPlatform,
    LogisticPlatform,
    RowData,
    SteeringSignal,
)
from sim.streams import Streams
from sim.toml_text import shown
from sim.trained import (
    BadData,
    Prepared,
    asked,
    canonical,
    file_hash,
    kept,
    must_be_one,
    reason,
    target_of,
    target_problem,
    unreadable,
)

if TYPE_CHECKING:
    import pandas as pd

    from learners.success import SuccessFunction
    from learners.tabular.convex import ConvexModel
    from learners.tabular.row_strategies import Steer
    from learners.tabular.tables import Table
    from sim.scenario import Scenario

Found = Iterator[Problem]
Planned = dict[str, Any]  # by collective: Plant, Steer, or for control the law of all planting
REAL = ("least_squares", "squared")  # losses whose label is a number
DATA_FIELDS = set(RowData.model_fields) - {"learner"}


def prepare_rows(
    s: Scenario, platform: LogisticPlatform | GradientPlatform, folder: Path
) -> Prepared:
    """Read the rows and fit the strategies to them."""
    seed = int(Streams(s.seed).sequence("learner").generate_state(1)[0])
    table, data = _table(s, platform, folder, seed)
    _require_labels(platform, table)
    settings = platform.model_dump(mode="json", exclude={"retrain_every"})
    key = ("rows", data, canonical(settings), asked(s), seed)
    if isinstance(platform, LogisticPlatform):
        convex = kept(("convex", key), lambda: _plan_convex(s, platform, table))
        return Prepared(table, lambda: _convex(platform, table, convex, seed), key)
    planned = kept(("plans", key), lambda: _collected(s, lambda name: _plan(s, name, table)))
    return Prepared(table, lambda: _network(s, platform, table, planned, seed), key)


# --- data -----------------------------------------------------------------------------------------


def _table(
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


def _require_labels(platform: LogisticPlatform | GradientPlatform, table: Table) -> None:
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


# --- strategies -----------------------------------------------------------------------------------


def _collected(s: Scenario, plan: Callable[[str], Any]) -> Planned:
    """What each collective does; BadData with everything that does not fit."""
    problems: list[Problem] = []
    planned = {}
    for name in s.collectives:
        try:
            planned[name] = plan(name)
        except BadData as bad:
            problems += bad.problems
    if problems:
        raise BadData(problems)
    return planned


def _signal(s: Scenario, name: str, table: Table) -> Any:
    """g, which sets columns of features; BadData where it is none or changes nobody."""
    here: Address = ("collectives", name, "signal", "set")
    planted = s.collectives[name].signal.set  # type: ignore[union-attr]  # the scenario's own rule
    problems = []
    for column, value in planted.items():
        known = table.columns[:-1]
        if column not in known:
            text = f"unknown column; {must_be_one(column, known, 'a column of features')}"
            problems.append(Problem((*here, column), text))
        elif not table.values(column) and not _is_number(value):
            text = f"got {shown(value)}; must be a number, as the others of this column"
            problems.append(Problem((*here, column), text))
    if problems:
        raise BadData(problems)
    signal = table.signal(planted)
    if np.array_equal(signal(table.rows.features), table.rows.features):
        text = f"got {shown(dict(planted))}, which everybody has already; must change somebody"
        raise BadData([Problem(here, text)])
    return signal


def _plan(s: Scenario, name: str, table: Table) -> Any:
    """Plant a signal; or, for control, the law of everybody planting it."""
    from learners.tabular.row_strategies import Plant

    collective = s.collectives[name]
    problems: list[Problem] = []
    signal: Any = None
    try:
        signal = _signal(s, name, table)
    except BadData as bad:
        problems += bad.problems
    label = _label(s, name, table, problems)
    if problems:
        raise BadData(problems)
    if not isinstance(collective.signal, ControlSignal):
        return Plant(collective.strategy, signal, label)  # type: ignore[arg-type]
    labels = np.full(len(table.rows), label)
    return replace(table.rows, features=signal(table.rows.features), labels=labels)


def _label(s: Scenario, name: str, table: Table, problems: list[Problem]) -> Any:
    """The target as a class, or as a number where labels are numbers."""
    from learners.spelling import number_of, same

    target = target_of(s, name)
    if table.rows.labels.dtype.kind == "f":
        if _is_number(target):
            return number_of(target)
        text = f"got {shown(target)}; must be a number, as the labels are"
        problems.append(Problem(("collectives", name, "target"), text))
    elif same(target, table.classes) is not None:
        return table.label(target)
    else:
        problems.append(target_problem(s, name, table.classes))
    return 0


def _is_number(value: Any) -> bool:
    from learners.spelling import number_of

    return number_of(value) is not None


# --- convex models --------------------------------------------------------------------------------


def _model(platform: LogisticPlatform, table: Table) -> ConvexModel:
    from learners.tabular.convex import ConvexModel

    return ConvexModel(platform.loss, platform.ridge, max(2, len(table.classes)))


def _plan_convex(s: Scenario, platform: LogisticPlatform, table: Table) -> Planned:
    def plan(name: str) -> Any:
        if isinstance(s.collectives[name].signal, SteeringSignal):
            return _steer(s, name, platform, table)
        return _plan(s, name, table)

    return _collected(s, plan)


def _steer(s: Scenario, name: str, platform: LogisticPlatform, table: Table) -> Steer:
    """Reports that move the parameters; BadData where no reports could."""
    from learners.errors import NoSolutionError
    from learners.tabular.row_strategies import Steer
    from learners.tabular.steering import neutralise

    signal, here = s.collectives[name].signal, ("collectives", name, "signal")
    assert isinstance(signal, SteeringSignal)
    problems = [
        Problem(
            (*here, "move", feature),
            f"unknown feature; {must_be_one(feature, table.names, 'a feature of the data')}",
        )
        for feature in signal.move
        if feature not in table.names
    ]
    row = _row_of_target(s, name, platform, table, problems)
    if problems:
        raise BadData(problems)
    model = _model(platform, table)
    base = model.fit(table.rows)
    change = np.zeros(table.rows.width)
    for feature, amount in signal.move.items():
        change[table.names.index(feature)] = amount
    try:
        target = base.theta + np.multiply.outer(row, change)
        return Steer(neutralise(model, table.rows, target, signal.own_gradient, signal.labels))
    except (NoSolutionError, ValueError) as error:
        key, _, said = reason(error).partition(": ")
        if key == "own_gradient" and signal.own_gradient is not None:
            raise BadData([Problem((*here, key), said)]) from None
        text = f"got {shown(dict(signal.move))}; must be a change that data can bring about"
        raise BadData([Problem((*here, "move"), f"{text} ({reason(error)})")]) from None


def _row_of_target(
    s: Scenario, name: str, platform: LogisticPlatform, table: Table, problems: list[Problem]
) -> Any:
    """How the parameters of each class move per unit: a number, or (C,) for softmax."""
    from learners.spelling import same

    target = target_of(s, name)
    if platform.loss == "least_squares":
        if target != name:
            text = f"got {shown(target)}; must be absent, for least_squares has no labels"
            problems.append(Problem(("collectives", name, "target"), text))
        return 1.0
    if same(target, table.classes) is None:
        problems.append(target_problem(s, name, table.classes))
        return 1.0
    label = table.label(target)
    if platform.loss == "logistic":
        return 1.0 if label == 1 else -1.0
    classes = len(table.classes)
    return np.where(np.arange(classes) == label, 1.0, -1.0 / (classes - 1))


def _convex(
    platform: LogisticPlatform, table: Table, planned: Planned, seed: int
) -> SuccessFunction:
    from learners.tabular.convex_platform import LogisticPlatform as Learner

    return Learner(
        _model(platform, table),
        table.rows,
        planned,
        test=table.test,
        unit=platform.unit or "start",
        seed=seed,
    )


# --- networks -------------------------------------------------------------------------------------


def _network(
    s: Scenario, platform: GradientPlatform, table: Table, planned: Planned, seed: int
) -> SuccessFunction:
    from learners.tabular.gradient import Network
    from learners.tabular.gradient_platform import ControlPlatform
    from learners.tabular.gradient_platform import GradientPlatform as Learner

    network = Network(
        table.rows.width, platform.hidden, platform.loss, max(2, len(table.classes))
        if platform.loss == "softmax" else 2
    )  # fmt: skip
    ways = (platform.learning_rate, platform.steps)
    rest: dict[str, Any] = {
        "replicates": platform.replicates, "retrain": platform.retrain, "seed": seed,
    }  # fmt: skip
    name = s.names[0]
    if not isinstance(s.collectives[name].signal, ControlSignal):
        return Learner(network, table.rows, planned, *ways, test=table.test, **rest)
    control = _control(s, name, platform, network, planned[name], seed)
    return ControlPlatform(network, table.rows, name, control, *ways, **rest)


def _control(
    s: Scenario, name: str, platform: GradientPlatform, network: Any, law: Any, seed: int
) -> Any:
    """Control towards what the first network would have learned had everybody planted."""
    from learners.tabular.control import Control, pool_of

    signal = s.collectives[name].signal
    assert isinstance(signal, ControlSignal)
    first = np.random.SeedSequence(seed, spawn_key=(0,))  # as the platform draws its first weights
    start = network.initial(np.random.default_rng(first))
    target = network.train(start[None], law, platform.learning_rate, platform.steps)[0]
    return Control(target, signal.pull, pool_of(np.random.default_rng([seed, 2]), network))

"""Platforms of a scenario that fit a model to people's rows: their data and strategies.

The rows come from a file or are made; each collective's signal is encoded as the columns are. What
needs a network to be trained (θ* of control) is done when the learner is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.row_data import read_rows, require_labels
from sim.scenario_check import Address, Problem
from sim.scenario_platforms import (
    ControlSignal,
    GradientPlatform,
    LogisticPlatform,
    SteeringSignal,
)
from sim.streams import Streams
from sim.toml_text import shown
from sim.trained import (
    BadData,
    Prepared,
    asked,
    canonical,
    kept,
    must_be_one,
    reason,
    target_of,
    target_problem,
)

if TYPE_CHECKING:
    from learners.success import SuccessFunction
    from learners.tabular.convex import ConvexModel
    from learners.tabular.row_strategies import Steer
    from learners.tabular.tables import Table
    from sim.scenario import Scenario

Planned = dict[str, Any]  # by collective: Plant, Steer, or for control the law of all planting


def prepare_rows(
    s: Scenario, platform: LogisticPlatform | GradientPlatform, folder: Path
) -> Prepared:
    """Read the rows and fit the strategies to them."""
    seed = int(Streams(s.seed).sequence("learner").generate_state(1)[0])
    table, data = read_rows(s, platform, folder, seed)
    require_labels(platform, table)
    settings = platform.model_dump(mode="json", exclude={"retrain_every"})
    key = ("rows", data, canonical(settings), asked(s), seed)
    if isinstance(platform, LogisticPlatform):
        convex = kept(("convex", key), lambda: _plan_convex(s, platform, table))
        return Prepared(table, lambda: _convex(platform, table, convex, seed), key)
    planned = kept(("plans", key), lambda: _collected(s, lambda name: _plan(s, name, table)))
    return Prepared(table, lambda: _network(s, platform, table, planned, seed), key)


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

"""The exact Bayes platform of a scenario: its universe, and each collective's strategy on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from learners.errors import ScenarioError
from sim.scenario_check import Problem
from sim.scenario_platforms import GENERATED, BayesPlatform
from sim.toml_text import shown
from sim.trained import (
    BadData,
    Masks,
    Prepared,
    asked,
    canonical,
    file_hash,
    kept,
    must_be_one,
    target_of,
    target_problem,
    unreadable,
)

if TYPE_CHECKING:
    from learners.finite.bayes import BayesPlatform as Learner
    from learners.finite.strategies import Strategy
    from learners.finite.universe import Universe
    from learners.success import SuccessFunction
    from sim.scenario import Scenario


class CellPoints:
    """The cells x·Y + y of a universe as the data points that people are."""

    def __init__(self, universe: Universe, label: str) -> None:
        self.universe, self.label = universe, label

    @property
    def weight(self) -> NDArray[np.float64]:
        return self.universe.base.ravel()

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.universe.columns, self.label)

    def values(self, column: str) -> tuple[str, ...]:
        if column == self.label:
            return self.universe.labels
        return self.universe.levels[self.universe.columns.index(column)]

    def having(self, column: str, value: Any) -> Masks:
        from learners.spelling import same

        found = same(value, self.values(column))
        number = self.values(column).index(str(found))  # ValueError where it is none
        points, labels = self.universe.base.shape
        if column == self.label:
            return np.tile(np.arange(labels) == number, points)
        c = self.universe.columns.index(column)
        return np.repeat(self.universe.codes[:, c] == number, labels)


def prepare_bayes(s: Scenario, platform: BayesPlatform, folder: Path) -> Prepared:
    """Read the universe and fit the strategies to it."""
    from learners.finite.bayes import BayesPlatform as Learner

    universe, data = _universe(platform, folder)
    strategies = kept(("strategies", data, asked(s)), lambda: _strategies(s, universe))
    key = (data, asked(s))
    exact = kept(("exact", key), lambda: Learner(universe, strategies))
    _require_solvable(s, platform, exact)

    def make() -> SuccessFunction:
        if platform.worst is None:
            return exact
        from learners.finite.worst_case import WorstCase

        return WorstCase(exact, platform.suboptimality, platform.worst)

    # Signals may need points that the universe does not have, so that people are cells of the
    # learner's own universe.
    whole = (key, platform.suboptimality, platform.worst)
    return Prepared(CellPoints(exact.universe, platform.label), make, whole)


def _require_solvable(s: Scenario, platform: BayesPlatform, exact: Learner) -> None:
    """The worst classifier for erasure in joint total variation is a search among few points."""
    if platform.worst != "joint_tv":
        return
    from learners.finite.worst_erasure import MOST_POINTS

    for name, plan in zip(exact.collectives, exact.plans, strict=True):
        involved = len(plan.measured)
        if plan.kind == "erasure" and involved > MOST_POINTS:
            text = f'got "joint_tv" with {involved} points that erasure of {name} involves; must be'
            most = f'"conditional_tv", or the universe must have at most {MOST_POINTS} such points'
            raise BadData([Problem(("platform", "worst"), f"{text} {most}")])


def _universe(platform: BayesPlatform, folder: Path) -> tuple[Universe, tuple[str, ...]]:
    """The base population, and what it was made from."""
    path, digest = folder / platform.universe, ""
    if platform.universe != GENERATED:
        try:
            digest = file_hash(path)
        except (OSError, ValueError) as error:
            raise BadData([unreadable("universe", platform.universe, error)]) from None
    settings = platform.model_dump(mode="json", exclude={"retrain_every", "suboptimality", "worst"})
    key = ("universe", str(path), digest, canonical(settings))
    return kept(key, lambda: _noisy(platform, path)), key


def _noisy(platform: BayesPlatform, path: Path) -> Universe:
    universe = _read(platform, path) if platform.universe != GENERATED else _generated(platform)
    return universe.with_label_noise(platform.label_noise) if platform.label_noise else universe


def _generated(platform: BayesPlatform) -> Universe:
    from learners.finite.generated import generate

    assert platform.generated is not None  # the scenario's own rule
    wanted = platform.generated.model_dump()
    seed = wanted.pop("seed")
    try:
        return generate(**wanted, rng=None if seed is None else np.random.default_rng(seed))
    except ValueError as error:
        key, _, said = str(error).partition(": ")
        known = key in wanted
        here = ("platform", "generated", key) if known else ("platform", "generated")
        raise BadData([Problem(here, said if known else str(error))]) from None


def _read(platform: BayesPlatform, path: Path) -> Universe:
    from learners.finite.universe_file import read_universe

    try:
        return read_universe(path, platform.label, platform.weight, platform.columns)
    except ScenarioError as error:
        raise BadData([_at_key(platform, path, text) for text in error.problems]) from None


def _at_key(platform: BayesPlatform, path: Path, text: str) -> Problem:
    """A problem of the file at the key that asks for what is missing, else at the file's own."""
    rest = text.removeprefix(str(path))
    for key in ("label", "weight", "columns"):
        asks = rest.startswith(f": {key}: got ") and "must be a column of the table" in rest
        if asks and getattr(platform, key) is not None:
            said = rest.removeprefix(f": {key}: ").replace("'", '"')
            named = f"column of {platform.universe}"
            return Problem(("platform", key), said.replace("column of the table", named))
    return Problem(("platform", "universe"), f"{platform.universe}{rest}")


def _strategies(s: Scenario, universe: Universe) -> Mapping[str, Strategy]:
    """A strategy for each collective; BadData with everything that does not fit."""
    problems: list[Problem] = []
    found = {}
    for name in s.collectives:
        try:
            found[name] = _strategy(s, name, universe)
        except BadData as bad:
            problems += bad.problems
    if problems:
        raise BadData(problems)
    return found


def _strategy(s: Scenario, name: str, universe: Universe) -> Strategy:
    from learners.finite.strategies import SetColumns, Strategy, plan_all
    from learners.spelling import same

    collective, here = s.collectives[name], ("collectives", name)
    planted = dict(collective.signal.set)  # type: ignore[union-attr]  # the scenario's own rule
    problems = [
        Problem(
            (*here, "signal", "set", column),
            f"unknown column; {must_be_one(column, universe.columns, 'a column of features')}",
        )
        for column in planted
        if column not in universe.columns
    ]
    kind, target = collective.strategy, None
    if kind != "erasure":
        target = target_of(s, name)
        if same(target, universe.labels) is None:
            problems.append(target_problem(s, name, universe.labels))
    elif target_of(s, name) != name:
        text = f"got {shown(collective.target)}; must be absent, for erasure has no target"
        problems.append(Problem((*here, "target"), text))
    if problems:
        raise BadData(problems)
    strategy = Strategy(kind, SetColumns(planted), target)  # type: ignore[arg-type]
    try:
        plan_all(universe, {name: strategy})
    except ValueError as error:
        text = str(error).removeprefix(f"{name}: ").removeprefix("signal: ")
        text = f"got {shown(planted)}; {text}"
        raise BadData([Problem((*here, "signal", "set"), text)]) from None
    return strategy

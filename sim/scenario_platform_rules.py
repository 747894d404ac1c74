"""What must hold within a platform that is trained on data, before the data are read.

Nothing is accepted and then ignored: a key that says nothing about the data at hand is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sim.scenario_check import Problem
from sim.scenario_fields import Unchecked, listed, quoted
from sim.scenario_parts import SIGNALS
from sim.scenario_platforms import (
    GENERATED,
    BayesPlatform,
    ControlSignal,
    GradientPlatform,
    LogisticPlatform,
    RowData,
)
from sim.toml_text import shown

if TYPE_CHECKING:
    from sim.scenario import Scenario
    from sim.scenario_texts import TextData

Found = Iterator[Problem]
SLACK = 1e-9


def strategies(s: Scenario) -> Found:
    """Not every learner knows every strategy."""
    known = SIGNALS[s.platform.learner]
    for name, collective in s.collectives.items():
        try:
            strategy = collective.strategy
        except Unchecked:
            continue
        if strategy not in known:
            must = f'must be {listed(quoted(known))} with learner = "{s.platform.learner}"'
            yield Problem(("collectives", name, "strategy"), f'got "{strategy}"; {must}')


def universe(s: Scenario) -> Found:
    """What is said of a finite universe must be used, and must be enough."""
    platform = s.platform
    if not isinstance(platform, BayesPlatform):
        return
    epsilon, worst = platform.suboptimality, platform.worst
    if epsilon > 0 and worst is None:
        text = 'missing; must be "joint_tv" or "conditional_tv" with suboptimality > 0'
        yield Problem(("platform", "worst"), text)
    elif epsilon == 0 and worst is not None:
        text = f'got "{worst}"; must be absent with suboptimality = 0'
        yield Problem(("platform", "worst"), text)
    elif worst == "conditional_tv" and epsilon >= 0.5:
        text = f'got {epsilon:g}; must be < 0.5 with worst = "conditional_tv" (total variation)'
        yield Problem(("platform", "suboptimality"), text)
    if platform.universe == GENERATED:
        yield from _made_to_order(platform)
    else:
        yield from nothing_made(platform, "universe")


def nothing_made(platform: BayesPlatform | RowData | TextData, key: str) -> Found:
    """Where the field ``key`` names a file, nothing is said of made data."""
    if platform.generated is not None:
        text = f"got a table; must be absent with {key} = {shown(getattr(platform, key))}"
        yield Problem(("platform", "generated"), f'{text}, or {key} must be "{GENERATED}"')


def _made_to_order(platform: BayesPlatform) -> Found:
    if platform.generated is None:
        text = "missing; must be a table such as { uniqueness = 0.01, gap = 0.5 }"
        yield Problem(("platform", "generated"), text)
    for key, given in (("weight", platform.weight), ("columns", platform.columns)):
        if given is not None:
            text = f'got {shown(given)}; must be absent with universe = "{GENERATED}"'
            yield Problem(("platform", key), text)
    if platform.label != "label":
        text = f'got {shown(platform.label)}; must be "label" with universe = "{GENERATED}"'
        yield Problem(("platform", "label"), text)


def rows(s: Scenario) -> Found:
    """What is said of rows, and of the model fitted to them, must be used and go together."""
    platform = s.platform
    if not isinstance(platform, RowData):
        return
    if platform.data == GENERATED:
        yield from _for_files(platform)
    else:
        yield from nothing_made(platform, "data")
    ways: dict[str, str] = {name: collective.strategy for name, collective in s.collectives.items()}
    steering = [name for name, way in ways.items() if way.startswith("gradient_")]
    if platform.split is not None and platform.test > 0:
        text = f"got {platform.test:g}; must be 0 with split, which says who is held out"
        yield Problem(("platform", "test"), f"{text} (share of the data)")
    elif len(steering) == len(ways) and platform.test:  # a split says who is trained on
        why = "no signal is planted, and success is a distance between parameters"
        text = f"got {shown(platform.test)}; must be absent ({why})"
        yield Problem(("platform", "test"), text)
    if isinstance(platform, LogisticPlatform):
        yield from _convex_rows(platform, ways, steering)
    if isinstance(platform, GradientPlatform):
        yield from _network_rows(s, platform, ways, steering)


def _for_files(platform: RowData) -> Found:
    """Keys that say which columns of a file are what."""
    given = {"weight": platform.weight, "columns": platform.columns, "split": platform.split}
    given |= {"extra": platform.extra or None}
    given |= {"label": None if platform.label == "label" else platform.label}
    for key, value in given.items():
        if value is not None:
            must = '"label"' if key == "label" else "absent"
            text = f'got {shown(value)}; must be {must} with data = "{GENERATED}"'
            yield Problem(("platform", key), text)


def _convex_rows(platform: LogisticPlatform, ways: dict[str, str], steering: list[str]) -> Found:
    if platform.unit is not None and not steering:
        text = f'got "{platform.unit}"; must be absent where nobody plays gradient_neutralising'
        yield Problem(("platform", "unit"), text)
    for name, way in ways.items():
        if platform.loss == "least_squares" and name not in steering:
            text = f'got "{way}"; must be "gradient_neutralising" with loss = "least_squares"'
            why = "there are no labels to plant"
            yield Problem(("collectives", name, "strategy"), f"{text} ({why})")


def _network_rows(
    s: Scenario, platform: GradientPlatform, ways: dict[str, str], steering: list[str]
) -> Found:
    if steering and len(ways) > 1:
        text = 'got "gradient_control"; must be another one where there are several collectives'
        why = "it answers every step of the platform, and expects nobody else to"
        yield Problem(("collectives", steering[0], "strategy"), f"{text} ({why})")
    elif steering and platform.loss == "softmax":
        text = 'got "softmax"; must be "logistic" or "squared" with gradient_control'
        yield Problem(("platform", "loss"), f"{text}, which answers one score")
    elif not steering and platform.loss == "squared":
        text = 'got "squared"; must be "logistic" or "softmax", or there are no labels to plant'
        yield Problem(("platform", "loss"), text)
    for name in steering:
        signal = s.collectives[name].signal
        if isinstance(signal, ControlSignal):
            yield from step(name, signal.pull, platform.learning_rate)


def step(name: str, pull: float, learning_rate: float) -> Found:
    if pull * learning_rate > 1 + SLACK:
        text = f"got {pull:g}; must be ≤ 1/learning_rate = {1 / learning_rate:g} (1/step)"
        yield Problem(("collectives", name, "signal", "pull"), text)

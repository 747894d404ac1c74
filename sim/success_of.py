"""From a scenario to its success function: the one place where the two meet."""

from __future__ import annotations

from learners import bounds
from learners.several import SeveralBound
from learners.success import Bound, SuccessFunction
from sim import scenario_parts as parts
from sim import trained
from sim.scenario import Scenario
from sim.scenario_platforms import BoundPlatform


def success_function(scenario: Scenario) -> SuccessFunction:
    """The success function S of the scenario's platform and strategies.

    Raises
    ------
    ScenarioError
        The data that the platform is trained on are not (or no longer) those that it asks for.
    ResultsError
        A measured table is of another scenario.
    """
    if isinstance(scenario.platform, BoundPlatform):
        return bound_of(scenario, scenario.platform)
    return trained.success_of(scenario)


def bound_of(scenario: Scenario, platform: BoundPlatform) -> SuccessFunction:
    """The closed-form lower bound."""
    names = scenario.names
    if len(names) == 1:
        return Bound(names[0], curve_of(scenario.collectives[names[0]].signal, platform))
    several = [
        signal
        for c in scenario.collectives.values()
        if isinstance(signal := c.signal, parts.FeatureLabelSignal)  # all: the scenario's rule
    ]
    return SeveralBound(
        collectives=names,
        targets=tuple(c.target for c in scenario.collectives.values()),
        uniqueness=[signal.uniqueness for signal in several],
        gap=[signal.gap for signal in several],
        overlap=[[signal.overlap.get(other, 0.0) for other in names] for signal in several],
        suboptimality=platform.suboptimality,
        bound=platform.bound,
    )


def curve_of(signal: parts.Signal, platform: BoundPlatform) -> bounds.Curve:
    """S(α) of one collective alone (theory section 2)."""
    treatment = (platform.suboptimality, platform.bound)
    match signal:
        case parts.FeatureLabelSignal():
            return bounds.feature_label(signal.uniqueness, signal.gap, *treatment)
        case parts.FeatureOnlySignal():
            return bounds.feature_only(signal.uniqueness, signal.positivity, *treatment)
        case parts.ErasureSignal():
            return bounds.erasure(signal.sensitivity, *treatment)
        case parts.GradientNeutralisingSignal():
            return bounds.gradient_neutralising(signal.own_gradient, signal.base_gradient)
        case parts.GradientControlSignal():
            return bounds.gradient_control(signal.pull, signal.learning_rate, signal.steps)
    raise TypeError(f"no closed form of success: {signal!r}")  # the scenario's own rule

"""From a scenario to its success function: the one place where the two meet."""

from __future__ import annotations

from learners import bounds
from learners.several import SeveralBound
from learners.success import Bound, SuccessFunction
from sim.scenario import Collective, Platform, Scenario


def success_function(scenario: Scenario) -> SuccessFunction:
    """The success function S of the scenario's platform and strategies, by size of collectives."""
    names = scenario.names
    if len(names) == 1:
        return Bound(names[0], curve_of(scenario.collectives[names[0]], scenario.platform))
    several = [scenario.collectives[name] for name in names]
    return SeveralBound(
        collectives=names,
        targets=tuple(c.target or name for name, c in zip(names, several, strict=True)),
        uniqueness=[c.signal.uniqueness for c in several],
        gap=[c.signal.gap for c in several],
        overlap=[[c.signal.overlap.get(other, 0.0) for other in names] for c in several],
        suboptimality=scenario.platform.suboptimality,
        bound=scenario.platform.bound,
    )


def curve_of(collective: Collective, platform: Platform) -> bounds.Curve:
    """S(α) of one collective alone (theory section 2)."""
    signal, treatment = collective.signal, (platform.suboptimality, platform.bound)
    match collective.strategy:
        case "feature_label":
            return bounds.feature_label(signal.uniqueness, signal.gap, *treatment)
        case "feature_only":
            return bounds.feature_only(signal.uniqueness, signal.positivity, *treatment)
        case "erasure":
            return bounds.erasure(signal.sensitivity, *treatment)
        case "gradient_neutralising":
            return bounds.gradient_neutralising(signal.own_gradient, signal.base_gradient)
        case "gradient_control":
            return bounds.gradient_control(signal.pull, signal.learning_rate, signal.steps)
    raise ValueError(f"no bound for the strategy {collective.strategy!r}")

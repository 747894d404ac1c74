"""Lower bounds on the success of one collective, as curves S(α), with their critical masses.

A collective of size α ∈ [0, 1] changes its own data, the platform trains on
P = αP* + (1−α)P₀, and S(α) ∈ [0, 1] is what the collective is guaranteed to get. Every theorem
of Hardt et al. (2023) gives a curve of one of three shapes::

    Hyperbola   S(α) = u − v/(α − s)          plant a signal (3.3, 3.5), erase one (3.7)
    Ramp        S(α) = slope·α                steer a strongly convex model (4.2)
    PowerCurve  S(α) = 1 − (1 − rate·α)^T     steer gradient descent (4.5)

all clipped to [0, 1], all with S(0) = 0, all non-decreasing; `learners.curves` has the shapes
and their critical masses.

The platform's classifier may be ε-suboptimal. Three readings of that, ``bound``:

    hardt2023        the paper's own term ε/(1−ε). It does not hold against every classifier
                     within total variation ε (theory page, section 2); kept to reproduce figures.
    joint_tv         TV(P, P′) ≤ ε, f the optimal classifier of P′: an adversary flips f at x by
                     moving half the margin there, so flips of total margin 2ε are open to it.
    conditional_tv   TV(P(·|x), P′(·|x)) ≤ ε < ½ at every x: f flips at x only where the margin
                     is at most 2ε·P(x).

The two for worst cases hold for every such classifier, ties going against the collective; at
ε = 0 all three agree.

References
----------
Hardt, Mazumdar, Mendler-Dünner, Zrnic, Algorithmic Collective Action in Machine Learning, ICML
2023 (arXiv 2302.04262), sections 3 and 4.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from learners.curves import (
    Array,
    Curve,
    Hyperbola,
    PowerCurve,
    Ramp,
    require_range,
    require_sizes,
)

__all__ = [
    "EPSILON_BOUNDS",
    "Curve",
    "EpsilonBound",
    "Hyperbola",
    "PowerCurve",
    "Ramp",
    "control_distance",
    "erasure",
    "feature_label",
    "feature_only",
    "gradient_control",
    "gradient_neutralising",
    "neutralising_distance",
    "require_suboptimality",
    "utility_critical_mass",
]

EpsilonBound = Literal["hardt2023", "joint_tv", "conditional_tv"]
EPSILON_BOUNDS: tuple[EpsilonBound, ...] = get_args(EpsilonBound)


def require_suboptimality(suboptimality: float, bound: str) -> float:
    """Check the name of the treatment of ε and ε itself; return ε."""
    if bound not in EPSILON_BOUNDS:
        raise ValueError(f"bound: got {bound!r}; must be one of {', '.join(EPSILON_BOUNDS)}")
    high = 0.5 if bound == "conditional_tv" else 1.0
    meaning = f"total variation, ε, with bound = {bound}"
    return require_range("suboptimality", suboptimality, 0.0, high, high_open=True, meaning=meaning)


def feature_label(
    uniqueness: float,
    gap: float,
    suboptimality: float = 0.0,
    bound: EpsilonBound = "hardt2023",
) -> Hyperbola:
    """Planting a signal by changing features and labels: S ≥ 1 − ((1−α)/α)Δξ − ε/(1−ε).

    Parameters
    ----------
    uniqueness : float in [0, 1], ξ = P₀(X*)
        Share of base data that carries the signal already.
    gap : float in [0, 1], Δ = max_{x∈X*}(max_y P₀(y|x) − P₀(y*|x))
        How far the target label is behind where the signal is.
    suboptimality : float in [0, 1), ε
        Of the platform's classifier; below ½ with conditional_tv.
    bound : {"hardt2023", "joint_tv", "conditional_tv"}
        joint_tv: 1 − ((1−α)/α)Δξ − 2ε/α;
        conditional_tv: 1 − ((1−α)/α)·((Δ+2ε)/(1−2ε))·ξ.

    Returns
    -------
    Hyperbola
        With critical mass Δξ/(1 − S* − ε/(1−ε) + Δξ) for hardt2023.

    References
    ----------
    Hardt et al. (2023), theorem 3.3 and corollary 3.4; theory page, section 2, for the others.

    Examples
    --------
    >>> round(feature_label(0.01, 1.0).critical_mass(0.375), 10)
    0.0157480315
    """
    xi = require_range("uniqueness", uniqueness, 0.0, 1.0, meaning="share of base data, ξ")
    delta = require_range("gap", gap, 0.0, 1.0, meaning="difference of probabilities, Δ")
    eps = require_suboptimality(suboptimality, bound)
    if bound == "joint_tv":
        return Hyperbola(1.0 + delta * xi, delta * xi + 2.0 * eps, top=1.0 - 2.0 * eps)
    if bound == "conditional_tv":
        k = (delta + 2.0 * eps) / (1.0 - 2.0 * eps) * xi
        return Hyperbola(1.0 + k, k, top=1.0)
    e = eps / (1.0 - eps)
    return Hyperbola(1.0 - e + delta * xi, delta * xi, top=1.0 - e)


def feature_only(
    uniqueness: float,
    positivity: float,
    suboptimality: float = 0.0,
    bound: EpsilonBound = "hardt2023",
) -> Hyperbola:
    """Planting a signal by changing features only: S ≥ 1 − ((1−p)/(pα))ξ − ε/(1−ε).

    Parameters
    ----------
    uniqueness : float in [0, 1], ξ = P₀(X*)
        Share of base data that carries the signal already.
    positivity : float in (0, 1], p
        A floor on P₀(y*|x) over all x.
    suboptimality, bound
        As in `feature_label`; joint_tv: 1 − ((1−p)/(pα))ξ − 2ε/(pα);
        conditional_tv: 1 − ((1−p+2ε)/((1−2ε)pα))ξ.

    Returns
    -------
    Hyperbola
        With critical mass ((1−p)/p)ξ/(1 − S* − ε/(1−ε)) for hardt2023.

    Notes
    -----
    joint_tv and conditional_tv are derived here. With Q(x) = P₀{g(x′) = x, y* holds} ≥ p·G(x),
    G the law of g(x′), the margin of y* at x ∈ X* is at least αQ(x) − (1−p)P₀(x). An adversary
    with joint total variation ε flips margins of total 2ε, so pα(1−S) ≤ (1−p)ξ + 2ε. One that
    is bounded at every x needs the margin ≤ 2εP(x) ≤ 2ε(αQ(x) + P₀(x)), so that
    (1−2ε)pα(1−S) ≤ (1−p+2ε)ξ.

    References
    ----------
    Hardt et al. (2023), theorem 3.5 and corollary 3.6.
    """
    xi = require_range("uniqueness", uniqueness, 0.0, 1.0, meaning="share of base data, ξ")
    p = require_range(
        "positivity", positivity, 0.0, 1.0, low_open=True, meaning="probability of the target, p"
    )
    eps = require_suboptimality(suboptimality, bound)
    level = 1.0
    if bound == "joint_tv":
        v = ((1.0 - p) * xi + 2.0 * eps) / p
    elif bound == "conditional_tv":
        v = (1.0 - p + 2.0 * eps) / ((1.0 - 2.0 * eps) * p) * xi
    else:
        v = (1.0 - p) / p * xi
        level = 1.0 - eps / (1.0 - eps)
    return Hyperbola(level, v)


def erasure(
    sensitivity: float, suboptimality: float = 0.0, bound: EpsilonBound = "hardt2023"
) -> Hyperbola:
    """Erasing a signal: S ≥ 1 − 2((1−α)/α)τ − ε/(1−ε).

    Parameters
    ----------
    sensitivity : float in [0, 1], τ = E_{x~P₀} max_y |P₀(y|x) − P₀(y|g(x))|
        How much the labels depend on the signal to be erased.
    suboptimality, bound
        As in `feature_label`; conditional_tv: 1 − 2τ(1−α)/(α−2ε) for α > 2ε, else 0. There is
        no bound for joint_tv with ε > 0.

    Returns
    -------
    Hyperbola
        With critical mass 2τ/(1 − S* − ε/(1−ε) + 2τ) for hardt2023.

    Raises
    ------
    ValueError
        For joint_tv with ε > 0: success also hangs on f(g(x)), and the mass of g(x) under P₀
        may be as small as one likes, so that an adversary flips it for nothing.

    Notes
    -----
    Erasing twice must be erasing once, g(g(x)) = g(x): members at g(x) then reinforce the label
    they all report, and the margin there is at least α. Elsewhere it is at least
    α − 2(1−α)τ_x, which conditional_tv asks to be above 2ε; Markov's inequality does the rest.

    References
    ----------
    Hardt et al. (2023), theorem 3.7 and corollary 3.8.
    """
    tau = require_range(
        "sensitivity", sensitivity, 0.0, 1.0, meaning="difference of probabilities, τ"
    )
    eps = require_suboptimality(suboptimality, bound)
    if bound == "joint_tv" and eps > 0.0:
        raise ValueError(
            f"bound: got 'joint_tv' with suboptimality {eps:g} for erasure; must be 'hardt2023' or "
            "'conditional_tv', or suboptimality 0: the erased points g(x) may have next to no "
            "mass, and a classifier may be wrong there at no cost in joint total variation"
        )
    if bound == "conditional_tv":
        shift = 2.0 * eps
        return Hyperbola(1.0 + 2.0 * tau, 2.0 * tau * (1.0 - shift), shift, top=1.0)
    e = eps / (1.0 - eps)
    return Hyperbola(1.0 - e + 2.0 * tau, 2.0 * tau, top=1.0 - e)


def gradient_neutralising(own_gradient: float, base_gradient: float) -> Ramp:
    """Steering a strongly convex model to θ* by cancelling the gradient there.

    Success is the share of the distance closed, 1 − ‖θ − θ*‖/(‖g_{P₀}(θ*)‖/μ) clipped to
    [0, 1]: 0 where the theorem puts the model at α = 0, 1 at θ*. The theorem then says
    S ≥ min(1, α·(1 + ‖g_{P′}‖/‖g_{P₀}‖)), in which μ no longer appears. `neutralising_distance`
    has the distance itself.

    Parameters
    ----------
    own_gradient : float, ≥ 0, ‖g_{P′}(θ*)‖
        Length of the expected gradient at θ* of the data the members report.
    base_gradient : float, ≥ 0, ‖g_{P₀}(θ*)‖
        Length of the base population's; 0 if θ* is the base optimum, S = 1 for every α > 0 then.

    Returns
    -------
    Ramp
        Reaches 1 at ‖g_{P₀}‖/(‖g_{P′}‖ + ‖g_{P₀}‖), corollary 4.3.

    References
    ----------
    Hardt et al. (2023), theorem 4.2 and corollary 4.3.
    """
    own = require_range("own_gradient", own_gradient, meaning="‖g_P′(θ*)‖")
    base = require_range("base_gradient", base_gradient, meaning="‖g_P₀(θ*)‖")
    return Ramp(1.0 + own / base if base > 0.0 else math.inf)


def gradient_control(pull: float, learning_rate: float, steps: int) -> PowerCurve:
    """Steering gradient descent to θ* step by step: S = 1 − (1 − ηξα)^T.

    Success is the share of the distance closed, 1 − ‖θ_T − θ*‖/‖θ₀ − θ*‖; `control_distance`
    has the distance itself.

    Parameters
    ----------
    pull : float, > 0, ξ
        Members' data give −((1−α)/α)g_{P₀}(θ) + ξ(θ−θ*); a constant along the path, or its least.
    learning_rate : float, > 0, η
        With ηξ ≤ 1, so that no step overshoots at any α.
    steps : int, ≥ 1, T
        Gradient steps.

    References
    ----------
    Hardt et al. (2023), theorem 4.5, with C(α) = αξ.
    """
    xi = require_range("pull", pull, low_open=True, meaning="per unit of distance, ξ")
    eta = require_range("learning_rate", learning_rate, low_open=True, meaning="η")
    if eta * xi > 1.0:
        raise ValueError(
            f"pull: got {pull!r} with learning_rate {learning_rate!r}; "
            "their product ηξ must be ≤ 1 (a longer step overshoots θ*)"
        )
    return PowerCurve(eta * xi, steps)


# ── distances and utilities as the theorems state them ───────────────────────────────────────


def neutralising_distance(
    alpha: npt.ArrayLike, own_gradient: float, base_gradient: float, convexity: float
) -> Array:
    """‖θ − θ*‖ ≤ (1/μ)·max((1−α)‖g_{P₀}(θ*)‖ − α‖g_{P′}(θ*)‖, 0), theorem 4.2; S is its negative.

    Parameters
    ----------
    alpha : array of shape (...), in [0, 1]
    own_gradient, base_gradient : float, ≥ 0
        As in `gradient_neutralising`.
    convexity : float, > 0, μ
        Strong convexity of the loss in θ.

    Returns
    -------
    array of shape (...), ≥ 0, in units of θ.
    """
    alpha = require_sizes(alpha)
    own = require_range("own_gradient", own_gradient, meaning="‖g_P′(θ*)‖")
    base = require_range("base_gradient", base_gradient, meaning="‖g_P₀(θ*)‖")
    mu = require_range("convexity", convexity, low_open=True, meaning="strong convexity, μ")
    return np.maximum((1.0 - alpha) * base - alpha * own, 0.0) / mu


def control_distance(
    alpha: npt.ArrayLike, pull: float, learning_rate: float, steps: int, distance: float
) -> Array:
    """‖θ_T − θ*‖ ≤ (1 − ηξα)^T·‖θ₀ − θ*‖, theorem 4.5; S is its negative.

    Parameters
    ----------
    alpha : array of shape (...), in [0, 1]
    pull, learning_rate, steps
        As in `gradient_control`.
    distance : float, ≥ 0, ‖θ₀ − θ*‖

    Returns
    -------
    array of shape (...), ≥ 0, in units of θ.
    """
    alpha = require_sizes(alpha)
    start = require_range("distance", distance, meaning="‖θ₀ − θ*‖")
    curve = gradient_control(pull, learning_rate, steps)
    return start * (1.0 - curve.rate * alpha) ** curve.steps


def utility_critical_mass(
    gain: float, smoothness: float, gradient_floor: float, utility_gradient: float
) -> float:
    """Size that guarantees a gain U in a convex utility u: βU/(g_lb·‖∇u(θ₀)‖ + βU).

    Parameters
    ----------
    gain : float, ≥ 0, U
        Wanted rise of u over u(θ₀), θ₀ the base optimum.
    smoothness : float, > 0, β
        Of the loss.
    gradient_floor : float, ≥ 0, g_lb
        min ‖g_{P′}(θ′)‖ over ‖θ′ − θ₀‖ ≤ U/‖∇u(θ₀)‖.
    utility_gradient : float, > 0, ‖∇u(θ₀)‖

    References
    ----------
    Hardt et al. (2023), proposition 4.4.
    """
    U = require_range("gain", gain, meaning="utility, U")
    beta = require_range("smoothness", smoothness, low_open=True, meaning="of the loss, β")
    floor = require_range("gradient_floor", gradient_floor, meaning="g_lb")
    slope = require_range("utility_gradient", utility_gradient, low_open=True, meaning="‖∇u(θ₀)‖")
    return beta * U / (floor * slope + beta * U) if U > 0.0 else 0.0

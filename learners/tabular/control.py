"""Gradient control: a collective that adapts its data at every step of gradient descent.

At step t the platform is at θ_t and about to take a step along g_P(θ_t), P = (1−α)P₀ + αP′_t. The
members report data with (theorem 4.5) ::

    g_{P′_t}(θ_t) = v_t = −((1−α)/α)·g_{P₀}(θ_t) + ξ(θ_t − θ*)

so that g_P(θ_t) = αξ(θ_t − θ*) and the model comes nearer to θ* by the factor 1 − ηξα, whatever
its loss, along a straight line.

Where do such data come from? For one score f_θ and a logistic or squared loss, the gradient of a
report is (μ_θ(x′) − y′)·∇f_θ(x′). Members keep to a fixed pool of points x′_1 … x′_m, m > P.

squared loss    they share out the pool (w_j at x′_j) and choose labels y′_j = μ_θ(x′_j) − r_j, any
                number: with J = ∇f_θ at the pool (P × m), J·diag(w)·r = v_t has solutions wherever
                J has full row rank; the shortest is taken. Exact for every network and α > 0.
logistic loss   y′ is 0 or 1, and what can be shown is the convex hull of μ∇f and (μ−1)∇f.
                Members choose how many of them report each (x′_j, y′): a linear programme over
                those shares finds the largest pull ξ_t ≤ ξ. If not even the base gradient can be
                cancelled, the nearest shares are taken, without pull.

What is missing in the end is the *shortfall* ‖g_{P′_t} − v_t‖. Without any, theorem 4.5 says
‖θ_T − θ*‖ ≤ (1 − ηC(α))^T‖θ₀ − θ*‖ with C(α) = α·min_t ξ_t; each adds at most ηα·shortfall.

References
----------
Hardt et al. (2023), section 4.2, theorem 4.5. That a fixed pool suffices is derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog, nnls

from learners.bounds import gradient_control
from learners.curves import Array, require_range, require_steps
from learners.progress import tell
from learners.tabular.gradient import Network, require_converging
from learners.tabular.rows import Rows

__all__ = ["Control", "ControlPath", "pool_of", "run_control"]


@dataclass(frozen=True, eq=False)
class Control:
    """Steer gradient descent to θ*, step by step; a strategy for `GradientPlatform`.

    Parameters
    ----------
    target : array of shape (P,), θ*
    pull : float, > 0, ξ
        With ηξ ≤ 1. With a logistic loss the most that is tried.
    pool : array of shape (m, d)
        Features that members report, m well above P (`pool_of`).
    """

    target: Array
    pull: float
    pool: Array

    def __post_init__(self) -> None:
        require_range("pull", self.pull, low_open=True, meaning="per unit of distance, ξ")
        target, pool = np.array(self.target, np.float64), np.array(self.pool, np.float64)
        if target.ndim != 1 or pool.ndim != 2 or len(pool) == 0:
            raise ValueError(
                f"control: got target of shape {target.shape} and pool of shape {pool.shape}; "
                "must be (P,) and (m, d) with m ≥ 1"
            )
        if not (np.isfinite(target).all() and np.isfinite(pool).all()):
            raise ValueError("control: target and pool must be finite")
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "pool", pool)

    def reports(
        self,
        network: Network,
        theta: Array,
        base_gradient: Array,
        alpha: float,
        draws: Array | None = None,
    ) -> tuple[Rows, float, float]:
        """P′_t at θ_t, the pull ξ_t it has and its shortfall.

        `draws`, one uniform number for each member, say who reports what; absent: an endless
        number of members, whose shares are exact.
        """
        away = theta - self.target
        cancel = -(1.0 - alpha) / alpha * base_gradient
        find = _real_labels if network.loss == "squared" else _binary_labels
        law, pull = find(network, theta, self.pool, cancel, away, self.pull, draws)
        missed = network.gradient(theta, law) - cancel - pull * away
        return law, pull, float(np.linalg.norm(missed))


def _real_labels(
    network: Network,
    theta: Array,
    pool: Array,
    cancel: Array,
    away: Array,
    pull: float,
    draws: Array | None,
) -> tuple[Rows, float]:
    """Labels y′ = μ − r on the pool, with the shortest r that shows cancel + ξ·away."""
    m = len(pool)
    shares = np.full(m, 1.0 / m) if draws is None else _counted(shares_of=np.ones(m), draws=draws)
    shown = network.jacobian(theta, pool) * shares  # (P, m)
    residual = np.linalg.lstsq(shown, cancel + pull * away)[0]
    return Rows(pool, network.mean(theta, pool) - residual, shares), pull


def _binary_labels(
    network: Network,
    theta: Array,
    pool: Array,
    cancel: Array,
    away: Array,
    pull: float,
    draws: Array | None,
) -> tuple[Rows, float]:
    """Shares of the reports (x′_j, 0) and (x′_j, 1) that show cancel + ξ·away, ξ ≤ pull largest."""
    mean, gradient = network.mean(theta, pool), network.jacobian(theta, pool)  # (m,), (P, m)
    shown = np.concatenate([gradient * mean, gradient * (mean - 1.0)], axis=1)  # (P, 2m)
    weight, pull = _largest_pull(shown, cancel, away, pull)
    if draws is not None:
        weight = _counted(shares_of=weight, draws=draws)
    m = len(pool)
    return Rows(np.tile(pool, (2, 1)), np.repeat([0, 1], m), weight), pull


def _largest_pull(shown: Array, cancel: Array, away: Array, pull: float) -> tuple[Array, float]:
    """w ≥ 0, Σw = 1 with shown·w = cancel + ξ·away for the largest ξ ≤ pull."""
    m = shown.shape[1]
    scale = max(float(np.linalg.norm(away)), 1e-300)
    left = np.concatenate([shown, np.ones((1, m))])
    found = linprog(
        np.append(np.zeros(m), -1.0),
        A_eq=np.column_stack([left, np.append(-away / scale, 0.0)]),
        b_eq=np.append(cancel, 1.0),
        bounds=[*[(0.0, 1.0)] * m, (0.0, pull * scale)],
        method="highs-ds",
    )
    if found.status != 0:  # the nearest there is; the last row keeps Σw = 1
        heavy = 1e4
        weight, _ = nnls(np.concatenate([shown, np.full((1, m), heavy)]), np.append(cancel, heavy))
        return weight / weight.sum(), 0.0
    weight, reached = found.x[:m], max(float(found.x[m]), 0.0) / scale
    used = weight > 0.0
    miss = np.append(cancel + reached * away, 1.0) - left @ weight  # solved to 1e-7 so far
    weight[used] += np.linalg.lstsq(left[:, used], miss)[0]
    return np.maximum(weight, 0.0), reached


def _counted(shares_of: Array, draws: Array) -> Array:
    """Shares (m,) of the members whose uniform draws fall to each report."""
    edges = np.cumsum(shares_of)
    row = np.searchsorted(edges[:-1] / edges[-1], draws, side="right")
    return np.bincount(row, minlength=len(shares_of)) / len(draws)


def pool_of(rng: np.random.Generator, network: Network, reach: float = 2.0) -> Array:
    """Features to report, shape (4P, d): N(0, r²) in every direction, r up to `reach`."""
    require_range("reach", reach, low_open=True, meaning="standard deviation of features")
    scale = reach * rng.random((4 * network.size, 1))
    return rng.normal(size=(4 * network.size, network.width)) * scale


@dataclass(frozen=True, eq=False)
class ControlPath:
    """What happened along the way.

    Attributes
    ----------
    theta : array of shape (P,), θ_T
    distance : array of shape (T + 1,), ‖θ_t − θ*‖
    pull : array of shape (T,), ξ_t
    shortfall : array of shape (T,)
    bound : array of shape (T + 1,)
        Theorem 4.5 step by step, with each step's own pull and shortfall.
    """

    theta: Array
    distance: Array
    pull: Array
    shortfall: Array
    bound: Array


def run_control(
    network: Network,
    base: Rows,
    control: Control,
    start: Array,
    alpha: float,
    learning_rate: float,
    steps: int,
    *,
    others: Rows | None = None,
    draws: Array | None = None,
) -> ControlPath:
    """T steps of gradient descent on (1−α)·others + α·P′_t.

    Parameters
    ----------
    base : Rows, P₀
        What the collective knows of the others.
    start : array of shape (P,), θ₀
    alpha : float in (0, 1]
    learning_rate, steps : η and T, with ηξ ≤ 1
    others : Rows, optional
        What people outside really report; absent: P₀. They differ when particular people join.
    draws : array of shape (members,), optional
        A uniform number for each member, which says what she reports; absent: exact shares.
    """
    require_range("alpha", alpha, 0.0, 1.0, low_open=True, meaning="share of the population, α")
    gradient_control(control.pull, learning_rate, steps)  # refuses ηξ > 1
    eta = learning_rate
    theta = np.array(start, dtype=np.float64)
    distance, bound = [math.dist(theta, control.target)], [math.dist(theta, control.target)]
    pulls, shortfalls = [], []
    for step in range(require_steps(steps)):
        tell("training", step * len(base), steps * len(base))
        known = network.gradient(theta, base)
        theirs = known if others is None else network.gradient(theta, others)
        law, pull, short = control.reports(network, theta, known, alpha, draws)
        ours = network.gradient(theta, law)
        theta = theta - eta * ((1.0 - alpha) * theirs + alpha * ours)
        require_converging(theta, eta)
        distance.append(math.dist(theta, control.target))
        bound.append((1.0 - eta * alpha * pull) * bound[-1] + eta * alpha * short)
        pulls.append(pull)
        shortfalls.append(short)
    return ControlPath(theta, *map(np.array, (distance, pulls, shortfalls, bound)))

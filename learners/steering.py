"""Gradient-neutralising data: what members report so that a convex model lands on a chosen θ*.

A collective of size α has θ* deployed where the gradient of the risk on everybody's reports
vanishes there, (1−a)·g_{P₀}(θ*) + a·g_{P′}(θ*) = 0 with a = αq the share of changed reports. So
P′ must be *gradient-neutralising*, g_{P′}(θ*) = −c·g_{P₀}(θ*) with c > 0, and a must be
‖g_{P₀}‖/(‖g_{P′}‖ + ‖g_{P₀}‖), the critical mass of corollary 4.3.

Both gradients contain the ridge term λθ*, since the platform adds it whoever reports. What the
data of P′ have to show is therefore, with L = ‖g_{P′}(θ*)‖ the collective's choice ::

    t = E_{P′}[(μ(x) − y)x] = −L·g_{P₀}(θ*)/‖g_{P₀}(θ*)‖ − λθ*

and not t along −g_{P₀}(θ*) alone: with that the model settles beside θ*.

Reports that do it, `labels` "free" or "kept" (features only, each member keeps her label):

    logistic       x′ = s·t with y′ = 0, or x′ = −s·t with y′ = 1; both show (μ − y′)x′ = t, so
                   keeping labels costs nothing. s(1 + …) solves s·σ(s·a) = 1 with a = θ*·t:
                   s = 1 + W(a·e^{−a})/a, W Lambert's function.
    least squares  free: x′ = t, y′ = θ*·t − 1.  kept: x′ = k·y·t with k²a − k = 1/E[y²].
    softmax        one report x′_c for each class c, of weight w_c = 1/C (free) or P₀(y = c)
                   (kept): Σ_c w_c(π(x′_c) − e_c)x′_cᵀ = T, a system of C² equations in the
                   scores Θ*x′_c, solved numerically.

Not every L can be had. Whatever the data, E[(μ − y)·θ*·x] ≥ −ω for logistic regression, ω = W(1/e)
= 0.27846, as min_z zσ(z) = −ω. So θ*·t ≥ −ω is needed, and it suffices; `own_gradient_range`
has the L that meet it. With λ‖θ*‖² > ω and g_{P₀}(θ*)·θ* ≥ 0 there is none: members cannot make
up for the ridge. (Least squares with labels kept needs θ*·t ≥ −E[y²]/4 in the same way.)

References
----------
Hardt et al. (2023), section 4.1: theorem 4.2, corollary 4.3, proposition 4.4. The ridge term, the
ranges and the reports with labels kept are derived here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import root
from scipy.special import lambertw
from scipy.special import softmax as softmax_of

from learners import bounds
from learners.convex import ConvexModel
from learners.curves import Array, require_range
from learners.errors import NoSolutionError
from learners.rows import Rows

__all__ = [
    "OMEGA",
    "Labels",
    "Neutralising",
    "neutralise",
    "own_gradient_range",
    "utility_critical_mass",
    "utility_target",
]

Labels = Literal["free", "kept"]
OMEGA = float(lambertw(math.exp(-1.0)).real)  # −min zσ(z) = W(1/e)


@dataclass(frozen=True, eq=False)
class Neutralising:
    """P′ for one θ*, and what theorem 4.2 says about it.

    Attributes
    ----------
    target : array of the shape of θ, θ*
    law : Rows
        P′. One row per base row for least squares with labels kept; else a few rows.
    labels : {"free", "kept"}
    base_gradient, own_gradient : float, > 0, ‖g_{P₀}(θ*)‖ and ‖g_{P′}(θ*)‖
        With their ridge terms.
    convexity : float, μ = λ
    """

    target: Array
    law: Rows
    labels: Labels
    base_gradient: float
    own_gradient: float
    convexity: float

    @property
    def critical_mass(self) -> float:
        """‖g_{P₀}‖/(‖g_{P′}‖ + ‖g_{P₀}‖), corollary 4.3."""
        return self.base_gradient / (self.own_gradient + self.base_gradient)

    def changed_share(self, alpha: float) -> float:
        """q = min(1, critical mass/α): more than cancels the gradient would overshoot θ*."""
        return min(1.0, self.critical_mass / alpha) if alpha > 0.0 else 1.0

    def distance_bound(self, alpha: npt.ArrayLike) -> Array:
        """‖θ − θ*‖ ≤ (1/μ)·max((1−α)‖g_{P₀}‖ − α‖g_{P′}‖, 0), theorem 4.2."""
        return bounds.neutralising_distance(
            alpha, self.own_gradient, self.base_gradient, self.convexity
        )


def neutralise(
    model: ConvexModel,
    base: Rows,
    target: npt.ArrayLike,
    own_gradient: float | None = None,
    labels: Labels = "free",
) -> Neutralising:
    """Reports P′ that neutralise the base gradient at θ*.

    Parameters
    ----------
    model : ConvexModel
    base : Rows, P₀
    target : array of the shape of θ, θ*
        For softmax with columns that sum to 0 over the classes, as every ridge optimum has.
    own_gradient : float, > 0, L = ‖g_{P′}(θ*)‖
        The larger, the smaller the critical mass, and the farther out the reported features.
        Absent: as long as the base gradient (critical mass ½), or the nearest that can be had.
    labels : {"free", "kept"}

    Raises
    ------
    NoSolutionError
        No data show a gradient of that length towards θ*.
    """
    theta = _require_target(model, model.require_rows(base), target)
    if labels not in ("free", "kept"):
        raise ValueError(f"labels: got {labels!r}; must be 'free' or 'kept'")
    pull = model.gradient(theta, base)
    length = float(np.linalg.norm(pull))
    if length <= 1e-9:
        raise ValueError("target: is what the platform learns anyway; there is nothing to steer")
    if own_gradient is None:
        low, high = own_gradient_range(model, base, theta, labels)
        own_gradient = min(max(length, 1.01 * low), 0.99 * high)
    own = require_range("own_gradient", own_gradient, low_open=True, meaning="‖g_P′(θ*)‖")
    needed = -(own / length) * pull - model.ridge * theta  # t (or T): what the data must show
    law = _REPORTS[model.loss](model, base, theta, needed, labels)
    missed = np.linalg.norm(model.data_gradient(theta, law) - needed)
    if not missed <= 1e-8 * max(own, 1.0):
        raise NoSolutionError(_cannot(own, "the reports found miss it"))
    return Neutralising(theta, law, labels, length, own, model.ridge)


def own_gradient_range(
    model: ConvexModel, base: Rows, target: npt.ArrayLike, labels: Labels = "free"
) -> tuple[float, float]:
    """The lengths ‖g_{P′}(θ*)‖ that some data show, as (low, high); (0, ∞) where all can be had.

    From θ*·t ≥ −floor with floor = ω (logistic) or E[y²]/4 (least squares, labels kept). For
    softmax the floor is not known in closed form, and (0, ∞) is returned; `neutralise` finds out.

    Raises
    ------
    NoSolutionError
        The range is empty: the ridge pulls harder than any data can push.
    """
    theta = _require_target(model, base, target)
    floor = _floor(model, base, labels)
    if math.isinf(floor):
        return 0.0, math.inf
    pull = model.gradient(theta, base)
    slope = float(np.sum(pull * theta)) / float(np.linalg.norm(pull))
    room = floor - model.ridge * float(np.sum(theta**2))  # L·slope ≤ room
    if slope > 0.0 and room > 0.0:
        return 0.0, room / slope
    if slope < 0.0:
        return max(0.0, room / slope), math.inf
    if room > 0.0:
        return 0.0, math.inf
    raise NoSolutionError(
        f"target: no data make up for the ridge at θ*, λ‖θ*‖² = {floor - room:.3g} against at most "
        f"{floor:.3g}; choose a shorter θ* or a platform with a smaller ridge"
    )


def _floor(model: ConvexModel, base: Rows, labels: Labels) -> float:
    if model.loss == "logistic":
        return OMEGA
    if model.loss == "least_squares" and labels == "kept":
        return 0.25 * float(base.weight @ base.labels**2)
    return math.inf


def _require_target(model: ConvexModel, base: Rows, target: npt.ArrayLike) -> Array:
    theta = np.array(target, dtype=np.float64)
    if theta.shape != model.shape(base.width) or not np.isfinite(theta).all():
        raise ValueError(
            f"target: got shape {theta.shape}; must be {model.shape(base.width)}, finite (θ*)"
        )
    if model.loss == "softmax" and np.abs(theta.sum(axis=0)).max() > 1e-9:
        raise ValueError(
            "target: must sum to 0 over the classes in every column (the ridge makes every "
            "softmax model do so); subtract target.mean(axis=0)"
        )
    theta.setflags(write=False)
    return theta


def _cannot(own: float, why: str) -> str:
    return (
        f"own_gradient: got {own:.4g}, but {why}; no such data (own_gradient_range has the "
        "lengths that can be had)"
    )


# ── reports, one function per loss ───────────────────────────────────────────────────────────


def _logistic(model: ConvexModel, base: Rows, theta: Array, t: Array, labels: Labels) -> Rows:
    """x′ = ±s·t, with s·σ(s·a) = 1 and a = θ*·t."""
    a = float(theta @ t)
    if a < -OMEGA:
        raise NoSolutionError(_cannot(_length(t), f"θ*·t = {a:.4g} is below −{OMEGA:.4g}"))
    s = 1.0 + float(lambertw(a * math.exp(-a)).real) / a if abs(a) > 1e-9 else 2.0
    if labels == "free":
        return Rows((s * t)[None, :], np.array([0]))
    share = float(base.weight @ (base.labels == 1))
    return Rows(np.stack([s * t, -s * t]), np.array([0, 1]), np.array([1.0 - share, share]))


def _least_squares(model: ConvexModel, base: Rows, theta: Array, t: Array, labels: Labels) -> Rows:
    a = float(theta @ t)
    if labels == "free":
        return Rows(t[None, :], np.array([a - 1.0]))
    y = np.asarray(base.labels, dtype=np.float64)
    second = float(base.weight @ y**2)
    if second == 0.0 or 1.0 + 4.0 * a / second < 0.0:
        raise NoSolutionError(_cannot(_length(t), f"θ*·t = {a:.4g} is below −E[y²]/4"))
    k = -(2.0 / second) / (1.0 + math.sqrt(1.0 + 4.0 * a / second))
    return Rows(k * y[:, None] * t, y, base.weight)


def _softmax(model: ConvexModel, base: Rows, theta: Array, T: Array, labels: Labels) -> Rows:
    """x′_c of weight w_c with Σ_c w_c(π(x′_c) − e_c)x′_cᵀ = T, followed from T = 0 to T."""
    C = model.classes
    weight = np.full(C, 1.0 / C)
    if labels == "kept":
        weight = np.bincount(base.labels, base.weight, minlength=C)
        if not weight.min() > 0.0:
            raise ValueError("labels: every class must have members who can report it")
    scores = np.zeros((C, C))  # row c: Θ*x′_c
    for part in np.linspace(0.1, 1.0, 10):
        found = root(
            lambda flat, goal=part * T: (
                flat - (_softmax_points(flat.reshape(C, C), goal, weight) @ theta.T).ravel()
            ),
            scores.ravel(),
            tol=1e-13,
        )
        scores = found.x.reshape(C, C)
    return Rows(_softmax_points(scores, T, weight), np.arange(C), weight)


def _softmax_points(scores: Array, T: Array, weight: Array) -> Array:
    """The shortest x′ (C, d) that show T if their probabilities are softmax(scores)."""
    shown = (softmax_of(scores, axis=1) - np.eye(len(weight))).T * weight  # (C, c): w_c(π_c − e_c)
    return np.linalg.pinv(shown) @ T


def _length(t: Array) -> float:
    return float(np.linalg.norm(t))


_REPORTS = {"logistic": _logistic, "softmax": _softmax, "least_squares": _least_squares}


# ── utility ──────────────────────────────────────────────────────────────────────────────────


def utility_target(start: npt.ArrayLike, utility_gradient: npt.ArrayLike, gain: float) -> Array:
    """θ′ = θ₀ + U·∇u(θ₀)/‖∇u(θ₀)‖²: where a convex utility has risen by at least U.

    Parameters
    ----------
    start : array, θ₀
        The base optimum.
    utility_gradient : array of the same shape, ∇u(θ₀), not 0
    gain : float, ≥ 0, U

    References
    ----------
    Hardt et al. (2023), proof of proposition 4.4: u(θ′) ≥ u(θ₀) + ∇u(θ₀)·(θ′ − θ₀) = u(θ₀) + U.
    """
    theta, slope = np.asarray(start, dtype=np.float64), np.asarray(utility_gradient, np.float64)
    gain = require_range("gain", gain, meaning="utility, U")
    squared = float(np.sum(slope**2))
    if theta.shape != slope.shape or not (math.isfinite(squared) and squared > 0.0):
        raise ValueError("utility_gradient: must have the shape of start, be finite and not 0")
    return theta + gain / squared * slope


def utility_critical_mass(
    model: ConvexModel,
    base: Rows,
    utility_gradient: npt.ArrayLike,
    gain: float,
    gradient_floor: float,
) -> float:
    """βU/(g_lb‖∇u(θ₀)‖ + βU) of this model on these people, proposition 4.4.

    β is the smoothness of the base risk, all that the proof uses: ‖g_{P₀}(θ′)‖ ≤ β‖θ′ − θ₀‖. With
    reports of a chosen length L = ‖g_{P′}‖ (`neutralise`), gradient_floor = L.
    """
    slope = float(np.linalg.norm(np.asarray(utility_gradient, dtype=np.float64)))
    return bounds.utility_critical_mass(gain, model.smoothness(base), gradient_floor, slope)

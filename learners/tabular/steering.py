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
                   keeping labels costs nothing. s·σ(s·a) = 1 with a = θ*·t, so that
                   s = 1 + W(a·e^{−a})/a, W Lambert's function.
    least squares  free: x′ = t, y′ = θ*·t − 1.  kept: x′ = k·y·t with k²a − k = 1/E[y²].
    softmax        reports of scores z = Θ*x′ out of a pool, weighted by a linear programme so
                   that Σ w(π(z) − e_y)zᵀ = TΘ*ᵀ; the part of x′ that Θ* does not see does the rest.
                   kept: the weights of the reports with label c sum to P₀(y = c).

Not every L can be had. With C classes, whatever the data, E⟨Θ*, (π − e_y)xᵀ⟩ ≥ −ω, as

    max_z z_y − Σ_c π_c(z)z_c = W((C−1)/e) = ω      (C = 2, logistic: ω = W(1/e) = 0.27846)

So ⟨Θ*, T⟩ ≥ −ω is needed; for logistic regression it suffices. `own_gradient_range` has the L
that meet it. With λ‖θ*‖² > ω and g_{P₀}(θ*)·θ* ≥ 0 there is none: members cannot make up for the
ridge. (Least squares with labels kept needs θ*·t ≥ −E[y²]/4 in the same way.)

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
from scipy.optimize import linprog
from scipy.special import lambertw
from scipy.special import softmax as softmax_of

from learners import bounds
from learners.curves import Array, require_range
from learners.errors import NoSolutionError
from learners.tabular.convex import ConvexModel
from learners.tabular.rows import Rows

__all__ = [
    "Labels",
    "Neutralising",
    "neutralise",
    "own_gradient_range",
    "utility_critical_mass",
    "utility_target",
]

Labels = Literal["free", "kept"]
POOL = 600  # candidate reports of each class, softmax
RANK = 1e-10  # smaller singular values are 0: a centred Θ* has rank C − 1 at most


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
    by_row : bool
        Row i of the law is what base row i reports; else members share out its rows by weight.
    """

    target: Array
    law: Rows
    labels: Labels
    base_gradient: float
    own_gradient: float
    convexity: float
    by_row: bool = False

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
        Absent: as long as the base gradient (critical mass ½), or half of what can be had.
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
    low, high = own_gradient_range(model, base, theta, labels)
    if own_gradient is None:
        own_gradient = max(min(length, 0.5 * high), 1.01 * low)
    own = require_range("own_gradient", own_gradient, low_open=True, meaning="‖g_P′(θ*)‖")
    if not low <= own <= high:
        begin = f"[{low:.4g}" if low > 0.0 else "(0"  # 0 itself is no gradient
        raise NoSolutionError(
            f"own_gradient: got {own:.4g}; must be in {begin}, {high:.4g}] at this θ*, or no "
            "data show such a gradient"
        )
    needed = -(own / length) * pull - model.ridge * theta  # t (or T): what the data must show
    law = _REPORTS[model.loss](model, base, theta, needed, labels)
    by_row = model.loss == "least_squares" and labels == "kept"
    return Neutralising(theta, law, labels, length, own, model.ridge, by_row)


def own_gradient_range(
    model: ConvexModel, base: Rows, target: npt.ArrayLike, labels: Labels = "free"
) -> tuple[float, float]:
    """The lengths ‖g_{P′}(θ*)‖ that some data show, as (low, high); (0, ∞) where all can be had.

    From θ*·t ≥ −floor with floor = ω or, least squares with labels kept, E[y²]/4. For softmax of
    more than two classes the condition is necessary only; `neutralise` finds out.

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
    """The most by which data can show −θ*·t."""
    if model.loss == "least_squares":
        return 0.25 * float(base.weight @ base.labels**2) if labels == "kept" else math.inf
    return float(lambertw((model.classes - 1) * math.exp(-1.0)).real)


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


# ── reports, one function per loss ───────────────────────────────────────────────────────────


def _logistic(model: ConvexModel, base: Rows, theta: Array, t: Array, labels: Labels) -> Rows:
    """x′ = ±s·t, with s·σ(s·a) = 1 and a = θ*·t."""
    a = float(theta @ t)
    a = max(a, -_floor(model, base, labels))  # rounding at the very end of the range
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
    k = -(2.0 / second) / (1.0 + math.sqrt(max(1.0 + 4.0 * a / second, 0.0)))
    return Rows(k * y[:, None] * t, y, base.weight)


def _softmax(model: ConvexModel, base: Rows, theta: Array, T: Array, labels: Labels) -> Rows:
    """x′ = Θ*⁺z + n with the weights of z from a linear programme and n ⟂ Θ* of least length."""
    C = model.classes
    scores, classes = _pool(theta)
    shown = softmax_of(scores, axis=1) - np.eye(C)[classes]  # (m, C): π(z) − e_y
    weight = _weights(scores, classes, shown, T @ theta.T, _class_shares(base, C, labels))
    if weight is None:
        raise NoSolutionError(
            f"own_gradient: no reports among {len(scores)} candidates show such a gradient "
            "at this θ*; take another length, or a shorter θ*"
        )
    kept = weight > 0.0
    scores, classes, shown, weight = scores[kept], classes[kept], shown[kept], weight[kept]
    seen = np.linalg.pinv(theta, RANK)  # (d, C)
    rest = T - (T @ seen) @ theta  # what is left to show where Θ* does not look
    unseen = np.linalg.pinv((shown * weight[:, None]).T, RANK) @ rest
    law = Rows(scores @ seen.T + unseen, classes, weight)
    if not np.abs(model.data_gradient(theta, law) - T).max() <= 1e-9:
        raise NoSolutionError("own_gradient: the reports found do not show it; take another length")
    return law


def _pool(theta: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Candidate scores z in the range of Θ* (m, C), every one with every label (m,)."""
    rng = np.random.default_rng(0)  # a fixed pool: the same target gives the same reports
    C = len(theta)
    directions = rng.normal(size=(POOL, C)) @ (theta @ np.linalg.pinv(theta, RANK))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    sizes = np.exp(rng.uniform(np.log(0.05), np.log(30.0), (POOL, 1)))
    scores = np.concatenate([np.zeros((1, C)), directions * sizes])
    return np.repeat(scores, C, axis=0), np.tile(np.arange(C), len(scores))


def _weights(
    scores: Array,
    classes: npt.NDArray[np.int64],
    shown: Array,
    goal: Array,
    shares: Array | None,
) -> Array | None:
    """w ≥ 0, Σw = 1 with Σ w(π − e_y)zᵀ = goal and the smallest Σ w‖z‖; None if there is none."""
    m, C = scores.shape
    products = (shown[:, :, None] * scores[:, None, :]).reshape(m, C * C)
    totals = np.ones((1, m)) if shares is None else np.eye(C)[:, classes]
    right = np.ones(1) if shares is None else shares
    left, right = np.concatenate([products.T, totals]), np.concatenate([goal.ravel(), right])
    found = linprog(np.linalg.norm(scores, axis=1), A_eq=left, b_eq=right, method="highs-ds")
    if found.status != 0:
        return None
    used = found.x > 0.0
    weight = np.zeros(m)  # the programme is solved to 1e-7; its own equations do the rest
    miss = right - left @ found.x
    weight[used] = found.x[used] + np.linalg.lstsq(left[:, used], miss)[0]
    return np.maximum(weight, 0.0)


def _class_shares(base: Rows, classes: int, labels: Labels) -> Array | None:
    """P₀(y = c) where members keep their labels."""
    if labels == "free":
        return None
    counts: Array = np.bincount(base.labels, base.weight, minlength=classes).astype(np.float64)
    return counts


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

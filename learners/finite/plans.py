"""A strategy worked out on a finite universe: who reports what, and what decides its success.

Members of a collective report the law P* instead of P₀. The quantities that the bounds are
written in (theory page, section 1) are computed here: ξ, Δ, p, τ of one signal, the overlap ω of
several. X* is the image of the people there are: a point that nobody can be moved to is not part
of it.

References
----------
Hardt et al. (2023), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from learners import bounds
from learners.curves import Array
from learners.finite.universe import Ints, Universe

StrategyKind = Literal["feature_label", "feature_only", "erasure"]
STRATEGIES: tuple[StrategyKind, ...] = get_args(StrategyKind)


@dataclass(frozen=True)
class SignalParameters:
    """What the bounds need to know of a signal in its universe.

    Attributes
    ----------
    uniqueness : ξ = P₀(X*)
    gap : Δ = max_{x∈X*}(max_y P₀(y|x) − P₀(y*|x)) over points with mass; None for erasure
    positivity : p = min_x P₀(y*|x) over points with mass; None for erasure
    sensitivity : τ = E_{x~P₀} max_y |P₀(y|x) − P₀(y|g(x))|; None where some g(x) has no mass
    idempotent : g(g(x)) = g(x) wherever there is mass; the erasure bound asks for it
    """

    uniqueness: float
    gap: float | None
    positivity: float | None
    sensitivity: float | None
    idempotent: bool


@dataclass(frozen=True, eq=False)
class Plan:
    """A strategy worked out on a universe of X points and Y labels.

    Attributes
    ----------
    kind : the strategy
    signal : (X,) integers, g
    target : index of y*; −1 for erasure
    move : (X·Y,) integers, the cell that a member of each cell reports
    added : points that were new to the universe and that g needed
    """

    universe: Universe
    kind: StrategyKind
    signal: Ints
    target: int
    move: Ints
    added: int

    @cached_property
    def law(self) -> Array:
        """P*(x, y), the law of what a random member reports, shape (X, Y)."""
        base = self.universe.base
        law = np.bincount(self.move, base.ravel(), base.size).reshape(base.shape)
        return np.asarray(law, dtype=np.float64)

    @cached_property
    def landing(self) -> Array:
        """G(x) = Pr_{x′~P₀}{g(x′) = x}, shape (X,): where test people with the signal are."""
        landing = np.bincount(self.signal, self.universe.mass, len(self.signal))
        return np.asarray(landing, dtype=np.float64)

    @cached_property
    def parameters(self) -> SignalParameters:
        """ξ, Δ, p and τ."""
        mass, given, g = self.universe.mass, self.universe.given, self.signal
        there = mass > 0.0
        planted = there & (self.landing > 0.0)
        gap = floor = None
        if self.target >= 0:
            short = given.max(axis=1) - given[:, self.target]
            gap = float(short[planted].max(initial=0.0))
            floor = float(given[there, self.target].min())
        change = None
        if there[g[there]].all():
            moved = np.abs(given - given[g]).max(axis=1)
            change = min(float(mass @ moved), 1.0)
        return SignalParameters(
            uniqueness=min(float(mass[planted].sum()), 1.0),
            gap=gap,
            positivity=floor,
            sensitivity=change,
            idempotent=bool((g[g[there]] == g[there]).all()),
        )

    @cached_property
    def moved(self) -> Ints:
        """Points with people whom the signal moves, ascending."""
        there = self.universe.mass > 0.0
        return np.flatnonzero(there & (self.signal != np.arange(len(there))))

    @cached_property
    def measured(self) -> Ints:
        """Points whose label decides success, ascending: X*, or whom erasure moves and where to."""
        if self.kind != "erasure":
            return np.flatnonzero(self.landing > 0.0)
        return np.union1d(self.moved, self.signal[self.moved])

    def score(self, points: Ints, learned: Ints) -> Array:
        """Success (rows,) of a classifier on P₀.

        Parameters
        ----------
        points : (R,) integers, ascending, with all that are measured among them
        learned : (rows, R) integers, f(x) at these points, below 0 where it has no label
        """
        if self.kind != "erasure":
            return (learned == self.target) @ self.landing[points]
        here = learned[:, np.searchsorted(points, self.moved)]
        there = learned[:, np.searchsorted(points, self.signal[self.moved])]
        return 1.0 - ((here != there) | (here < 0)) @ self.universe.mass[self.moved]

    def bound(self, suboptimality: float, treatment: bounds.EpsilonBound) -> bounds.Curve:
        """The lower bound on success of this collective alone; ValueError where there is none."""
        known = self.parameters
        if self.kind == "feature_label":
            gap = known.gap or 0.0
            return bounds.feature_label(known.uniqueness, gap, suboptimality, treatment)
        if self.kind == "feature_only":
            if not known.positivity:
                raise ValueError(
                    "bound: the target never occurs at some point, p = 0, and feature_only has no "
                    "bound then (Universe.with_label_noise raises p)"
                )
            p = known.positivity
            return bounds.feature_only(known.uniqueness, p, suboptimality, treatment)
        if known.sensitivity is None or not known.idempotent:
            raise ValueError(
                "bound: got an erasure that erases differently the second time; must have "
                "g(g(x)) = g(x)"
            )
        return bounds.erasure(known.sensitivity, suboptimality, treatment)


def overlap(plans: tuple[Plan, ...]) -> Array:
    """ω[m, j] = Pr_{x~P₀}{g_j(x) ∈ X*_m}, shape (K, K): j's signals that land in m's signal set."""
    landing = np.stack([plan.landing for plan in plans])  # (K, X)
    return np.minimum((landing > 0.0).astype(np.float64) @ landing.T, 1.0)

"""The platform that learns perfectly: the Bayes classifier of what people's data have become.

Collectives k = 1 … K of sizes α_k play their strategies on a finite universe. The platform sees
P = (1−ᾱ)P₀ + Σα_k P*_k, ᾱ = Σα_k, and deploys f(x) = argmax_y P(x, y). Success is exact::

    planting   S_k = Pr_{x~P₀}{f(g_k(x)) = y*_k}
    erasure    S_k = Pr_{x~P₀}{f(x) = f(g_k(x))}

Where the best label is not unique f has none, so that ties go against the collective. At α_k = 0
S_k is 0: what the signal gets without the collective is no success of it (`base_rate` has that).

As a function of one size S is a staircase (`staircase`); of several, a sum over points,
vectorised over sizes. With several collectives their success need not grow with their own size: a
member more is a person of P₀ less, who may have helped against a rival.

References
----------
Hardt et al. (2023), section 3, whose proofs compare P(x, y*) with the best other label; theory
page, section 3, for several collectives.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from learners import bounds
from learners.curves import Array
from learners.finite.plans import Plan, SignalParameters, overlap
from learners.finite.sample import Sample
from learners.finite.slots import Slots, Uncontested, best_labels, best_of, make_slots
from learners.finite.staircase import Staircase, best_on, kept
from learners.finite.strategies import Strategy, plan_all
from learners.finite.universe import Ints, Universe
from learners.several import SeveralBound, tight_bound
from learners.success import (
    Bound,
    Kind,
    SuccessFunction,
    require_index,
    require_names,
    require_simplex,
)


class BayesPlatform(SuccessFunction):
    """Exact success on a finite universe.

    Parameters
    ----------
    universe : Universe
        The base population, P₀.
    collectives : mapping of K names to strategies

    Attributes
    ----------
    universe : with the points added that signals lead to and that nobody was at
    plans : (K) what each strategy does to each cell of the universe

    Raises
    ------
    ValueError
        A target that is no label, a column that there is not, a signal that is empty or moves
        nobody; the collective's name comes first.

    Examples
    --------
    >>> from learners.finite.strategies import PointMap, Strategy
    >>> world = Universe.from_array([[0.02, 0.0], [0.5, 0.48]])  # 2% carry the signal x = 0
    >>> plant = Strategy("feature_label", PointMap([0, 0]), target="1")
    >>> platform = BayesPlatform(world, {"union": plant})
    >>> platform.at([[0.01], [0.02]]).ravel().tolist()  # wins where α > (1 − α)·0.02
    [0.0, 1.0]
    """

    kind: Kind = "exact"
    sees_people: ClassVar[bool] = True

    def __init__(self, universe: Universe, collectives: Mapping[str, Strategy]) -> None:
        self.collectives = require_names(collectives)
        self.universe, self.plans = plan_all(universe, collectives)
        self.sample: Sample | None = None  # the people attached

    def __repr__(self) -> str:
        return f"BayesPlatform({self.universe!r}, {', '.join(self.collectives)})"

    # What the universe says of the signals ----------------------------------------------------

    @property
    def parameters(self) -> dict[str, SignalParameters]:
        """ξ, Δ, p and τ of each collective's signal."""
        return {n: plan.parameters for n, plan in zip(self.collectives, self.plans, strict=True)}

    @cached_property
    def overlap(self) -> Array:
        """ω[m, j], the share of j's signals that land in m's signal set, shape (K, K)."""
        return overlap(self.plans)

    @property
    def added(self) -> dict[str, int]:
        """How many points, all without mass, each collective's signal added to the universe."""
        return {n: plan.added for n, plan in zip(self.collectives, self.plans, strict=True)}

    @cached_property
    def base_rate(self) -> Array:
        """What each signal gets from the model trained with no collective at all, shape (K,)."""
        nobody = np.concatenate([[1.0], np.zeros(self.size)])[None]
        slots = make_slots(self.plans, self._points)
        ((_, tables),) = slots.tables(nobody)
        learned = best_labels(slots, tables)
        return np.array([plan.score(slots.points, learned)[0] for plan in self.plans])

    def bound(
        self, suboptimality: float = 0.0, bound: bounds.EpsilonBound = "hardt2023"
    ) -> SuccessFunction:
        """The lower bound on success of this situation, from its ξ, Δ, p, τ and ω.

        Parameters
        ----------
        suboptimality, bound
            As in `learners.bounds`.

        Raises
        ------
        ValueError
            There is none: p = 0, erasing twice is not erasing once, or several collectives that
            do not all play feature_label.
        """
        if self.size == 1:
            return Bound(self.collectives[0], self.plans[0].bound(suboptimality, bound))
        self._require_planting("the simple bound")
        several = [plan.parameters for plan in self.plans]
        return SeveralBound(
            self.collectives,
            [plan.target for plan in self.plans],
            [p.uniqueness for p in several],
            [p.gap or 0.0 for p in several],
            self.overlap,
            suboptimality,
            bound,
        )

    def tight_bound(self, alpha: npt.ArrayLike) -> Array:
        """The tight bound of theory section 3 at given sizes (..., K), for feature_label."""
        self._require_planting("the tight bound")
        landing = np.stack([plan.landing for plan in self.plans])
        targets = [plan.target for plan in self.plans]
        return tight_bound(self.universe.base, landing, targets, alpha)

    def _require_planting(self, what: str) -> None:
        others = [
            name
            for name, plan in zip(self.collectives, self.plans, strict=True)
            if plan.kind != "feature_label"
        ]
        if others:
            raise ValueError(
                f"bound: got {', '.join(others)} with another strategy; {what} is for collectives "
                "that all play feature_label"
            )

    # By size ----------------------------------------------------------------------------------

    def at(self, alpha: npt.ArrayLike) -> Array:
        """Exact success at given sizes (..., K).

        Notes
        -----
        One collective: O((X + rows)·log X). Several: O(rows·R·K²) with R the points in more than
        one signal set, and a look-up for all others; memory for 2¹⁸ values at a time.
        """
        sizes = require_simplex(alpha, self.size)
        if self.size == 1:
            return self.curve(0)(sizes)
        rows = sizes.reshape(-1, self.size)
        free = np.maximum(1.0 - rows.sum(axis=1), 0.0)
        success = self._uncontested.at(rows, free)
        slots = self._contested
        for part, tables in slots.tables(np.column_stack([free, rows])):
            self._add_contested(success[part], slots, tables)
        success = np.where(rows > 0.0, np.clip(success, 0.0, 1.0), 0.0)
        return success.reshape(sizes.shape)

    def curve(self, k: int = 0) -> Staircase:
        """S_k as a staircase in α_k, all others absent."""
        require_index("k", k, self.size)
        if k not in self._curves:
            self._curves[k] = self.staircase(k)
        return self._curves[k]

    def staircase(self, k: int = 0, others: npt.ArrayLike | None = None) -> Staircase:
        """S_k as a staircase in α_k while the others keep their sizes.

        Parameters
        ----------
        k : which collective
        others : array of shape (K,), sizes of the others; the k-th entry is not used
            0 for all where not given. The staircase means something up to α_k = 1 − their sum.
        """
        require_index("k", k, self.size)
        sizes = np.zeros(self.size) if others is None else np.array(others, dtype=np.float64)
        if sizes.shape == (self.size,):
            sizes[k] = 0.0
        sizes = require_simplex(sizes, self.size)
        plan = self.plans[k]
        slots = make_slots(self.plans, plan.measured)
        mix = np.concatenate([[1.0 - sizes.sum()], sizes])
        intercept = np.einsum("j,sjr->rs", mix, slots.value)
        slope = (slots.value[:, k + 1] - slots.value[:, 0]).T
        start, end = best_on(intercept, slope)
        if plan.kind != "erasure":
            s = int(np.flatnonzero((slots.label == plan.target).all(axis=0))[0])
            return kept(start[:, s], end[:, s], plan.landing[slots.points])
        return _agreement(plan, slots, start, end)

    def steps(self, k: int = 0, others: npt.ArrayLike | None = None) -> Array:
        """Sizes α_k at which S_k jumps while the others keep theirs, ascending."""
        room = 1.0 if others is None else 1.0 - np.delete(np.asarray(others, float), k).sum()
        steps = self.staircase(k, others).steps
        return steps[steps < room]

    # By membership ----------------------------------------------------------------------------

    def draw_people(self, size: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """Which cell x·Y + y each of N people is, drawn from P₀ (`universe.people` shows them)."""
        return self.universe.draw(size, rng)

    def attach(self, points: npt.ArrayLike) -> Self:
        """This platform for people whose cells are given, shape (N,)."""
        attached = copy.copy(self)
        attached.sample = Sample(self.plans, self._points, points)
        return attached

    def by_membership(self, membership: npt.ArrayLike) -> Array:
        """Success (K,) of the model trained on the attached people's data, measured on P₀.

        Members' data are changed, the label of most people at each point is learned, ties go
        against the collective. Without `attach` members are a random share: `at` of the sizes.

        Notes
        -----
        O(N + R·Y): one count over N small integers.
        """
        if self.sample is None:
            return super().by_membership(membership)
        learned, members = self.sample.learn(membership)
        success = [plan.score(self._points, learned[None])[0] for plan in self.plans]
        return np.where(members > 0, np.clip(success, 0.0, 1.0), 0.0)

    # Inside -----------------------------------------------------------------------------------

    @cached_property
    def _curves(self) -> dict[int, Staircase]:
        return {}

    @cached_property
    def _points(self) -> Ints:
        """Points where somebody's success is measured, ascending."""
        return np.unique(np.concatenate([plan.measured for plan in self.plans]))

    @cached_property
    def _uncontested(self) -> Uncontested:
        return Uncontested(self.plans)

    @cached_property
    def _contested(self) -> Slots:
        points = self._points
        return make_slots(self.plans, points[~self._uncontested.settled[points]])

    def _add_contested(self, success: Array, slots: Slots, tables: list[Array]) -> None:
        """Add to success (rows, K) what is won at the contested points."""
        erasing = any(plan.kind == "erasure" for plan in self.plans)
        learned = best_labels(slots, tables) if erasing else None
        top, clear = best_of(tables)
        targets = sorted({plan.target for plan in self.plans if plan.target >= 0})
        for k, plan in enumerate(self.plans):
            if plan.kind == "erasure":
                assert learned is not None
                success[:, k] += plan.score(slots.points, learned)
            else:
                won = clear & (tables[targets.index(plan.target)] == top)
                success[:, k] += won @ plan.landing[slots.points]


def _agreement(plan: Plan, slots: Slots, start: Array, end: Array) -> Staircase:
    """Staircase of Pr{f(x) = f(g(x))}: both have the same label where their intervals meet."""
    moved, mass = plan.moved, plan.universe.mass
    here, there = slots.where(moved), slots.where(plan.signal[moved])
    still = max(1.0 - float(mass[moved].sum()), 0.0)
    starts, ends, weights = [np.zeros(1)], [np.full(1, np.inf)], [np.array([still])]
    for s in range(slots.label.shape[1]):
        for other in range(slots.label.shape[1]):
            label = slots.label[here, s]
            same = (label >= 0) & (label == slots.label[there, other])
            starts.append(np.maximum(start[here, s], start[there, other])[same])
            ends.append(np.minimum(end[here, s], end[there, other])[same])
            weights.append(mass[moved][same])
    return kept(*(np.concatenate(parts) for parts in (starts, ends, weights)))

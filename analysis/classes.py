"""What one class of people does at given success, by the kind of its laws of cost and γ.

Every class below answers `shares`: which share of the class ends up in each collective. How, is
said in `analysis.participation`, which adds the classes up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from analysis.laws import both_continuous, law_nodes
from sim.distributions import TypeClass
from sim.payoffs import gain, logit_probabilities, threshold

Floats = NDArray[np.float64]
BLOCK = 2_000_000  # numbers held at once when people are enumerated


class Law(Protocol):
    """What a class of people does at success (n, K), as shares of the class."""

    @property
    def stepwise(self) -> bool: ...
    @property
    def costly(self) -> bool: ...
    def shares(self, success: Floats, indifferent: bool) -> Floats: ...
    def thresholds(self, k: int) -> Floats: ...
    def landmarks(self, k: int) -> Floats: ...


def law_of(people: TypeClass, dues: Floats, noise: float) -> Law:
    """The answers of a class; ``noise`` > 0 for logit."""
    if noise > 0:
        return _Logit(people, dues, noise)
    if people.paired:
        return _Pairs(people, dues)
    if people.free_riding.atoms() is not None:
        return _ListedFreeRiding(people, dues)
    return _ContinuousFreeRiding(people, dues)


@dataclass(frozen=True)
class _Class:
    people: TypeClass
    dues: Floats  # (K,)

    stepwise = False
    costly = False

    @cached_property
    def may(self) -> NDArray[np.bool_]:
        return np.asarray(self.people.eligible, bool)  # (K,)

    def worth(self, success: Floats, free_riding: ArrayLike) -> Floats:
        """(1−γ)S_k − dues_k, −∞ where the class may not join; shape of success."""
        return np.where(self.may, gain(success, success, 0.0, free_riding, self.dues), -np.inf)

    def thresholds(self, k: int) -> Floats:
        return np.empty(0)

    def landmarks(self, k: int) -> Floats:
        """θ at quantiles of c and of γ, and at the ends of their laws."""
        if not self.may[k]:
            return np.empty(0)
        levels = np.concatenate([[0.0, 1e-12, 1e-6], np.linspace(0.0, 1.0, 101)[1:-1], [1.0]])
        cost, factor = self.people.cost, self.people.free_riding
        few = np.linspace(0.0, 1.0, 9)
        theta = threshold(cost.ppf(levels)[:, None], factor.ppf(few), self.dues[k])
        return theta[np.isfinite(theta)].ravel()


class _ListedFreeRiding(_Class):
    """γ takes finitely many values: exact for any law of c."""

    @cached_property
    def factors(self) -> tuple[Floats, Floats]:
        atoms = self.people.free_riding.atoms()
        assert atoms is not None
        return np.asarray(atoms[0], float), np.asarray(atoms[1], float)

    @property
    def stepwise(self) -> bool:  # type: ignore[override]
        return self.people.cost.atoms() is not None

    def shares(self, success: Floats, indifferent: bool) -> Floats:
        out = np.zeros(success.shape)
        rows = np.arange(len(success))
        law = self.people.cost.cdf if indifferent else self.people.cost.cdf_left
        for factor, weight in zip(*self.factors, strict=True):
            worth = self.worth(success, factor)
            best = worth.argmax(axis=1)
            out[rows, best] += weight * law(worth[rows, best])
        return out

    def thresholds(self, k: int) -> Floats:
        costs = self.people.cost.atoms()
        if costs is None or not self.may[k]:
            return np.empty(0)
        return threshold(np.asarray(costs[0])[:, None], self.factors[0], self.dues[k]).ravel()


class _Pairs(_Class):
    """c and γ listed person by person: exact."""

    stepwise = True

    @cached_property
    def table(self) -> tuple[Floats, Floats, Floats]:
        return self.people.pairs()

    @cached_property
    def _sorted(self) -> tuple[Floats, Floats]:
        """Thresholds in ascending order and the share below each, K = 1."""
        cost, factor, weight = self.table
        theta = threshold(cost, factor, self.dues[0])
        order = np.argsort(theta, kind="stable")
        return theta[order], np.concatenate([[0.0], np.cumsum(weight[order])])

    def shares(self, success: Floats, indifferent: bool) -> Floats:
        if success.shape[1] == 1:
            if not self.may[0]:
                return np.zeros(success.shape)
            theta, below = self._sorted
            return below[np.searchsorted(theta, success, "right" if indifferent else "left")]
        out = np.zeros(success.shape)
        cost, factor, weight = self.table
        step = max(1, BLOCK // (len(cost) * success.shape[1]))
        for i in range(0, len(success), step):
            worth = self.worth(success[i : i + step, None, :], factor[:, None])  # (n, J, K)
            best, top = worth.argmax(axis=2), worth.max(axis=2)
            joins = weight * ((top >= cost) if indifferent else (top > cost))  # (n, J)
            for k in range(success.shape[1]):
                out[i : i + step, k] = (joins * (best == k)).sum(axis=1)
        return out

    def thresholds(self, k: int) -> Floats:
        cost, factor, _ = self.table
        return threshold(cost, factor, self.dues[k]) if self.may[k] else np.empty(0)


class _ContinuousFreeRiding(_Class):
    """γ continuous.

    In t = 1 − γ the worth of k is the line t·S_k − dues_k, so k is best between the t at which it
    overtakes those of smaller success and the t at which one of larger success overtakes it.
    """

    @property
    def costly(self) -> bool:  # type: ignore[override]
        return self.people.cost.atoms() is None

    def shares(self, success: Floats, indifferent: bool) -> Floats:
        out = np.zeros(success.shape)
        atoms = self.people.cost.atoms()
        laws = self.people.cost, self.people.free_riding
        for k in np.flatnonzero(self.may).tolist():
            low, high = self._best_between(success, k)
            if atoms is None:
                out[:, k] = both_continuous(*laws, success[:, k], self.dues[k], low, high)
                continue
            for cost, weight in zip(*atoms, strict=True):
                need = float(cost) + self.dues[k]
                enough = _needed(success[:, k], need, indifferent)
                out[:, k] += weight * self._between(np.maximum(low, enough), high)
        return out

    def thresholds(self, k: int) -> Floats:
        """θ has an atom only where cost and dues are nothing: everybody's θ is 0 then."""
        atoms = self.people.cost.atoms()
        free = atoms is not None and self.may[k] and np.any(np.asarray(atoms[0]) == -self.dues[k])
        return np.zeros(1) if free else np.empty(0)

    def _best_between(self, success: Floats, k: int) -> tuple[Floats, Floats]:
        """(n,) ends of the interval of t = 1 − γ on which k is the best collective."""
        low, high = np.zeros(len(success)), np.ones(len(success))
        for j in np.flatnonzero(self.may):
            if j == k:
                continue
            steeper = success[:, k] - success[:, j]
            dearer = self.dues[k] - self.dues[j]
            with np.errstate(divide="ignore", invalid="ignore"):
                meet = dearer / steeper
            low = np.where(steeper > 0, np.maximum(low, meet), low)
            high = np.where(steeper < 0, np.minimum(high, meet), high)
            loses = (steeper == 0) & ((dearer > 0) | ((dearer == 0) & (j < k)))
            high = np.where(loses, low, high)
        return low, np.maximum(low, high)

    def _between(self, low: Floats, high: Floats) -> Floats:
        """Pr{ low < 1 − γ < high }."""
        low = np.minimum(low, high)
        law = self.people.free_riding
        return np.where(high > low, law.cdf(1.0 - low) - law.cdf(1.0 - high), 0.0)


def _needed(success: Floats, need: float, indifferent: bool) -> Floats:
    """The t above which t·S > need (≥ where the indifferent count)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        enough = need / success
    always = need < 0 or (need == 0 and indifferent)
    return np.where(success > 0, enough, -np.inf if always else np.inf)


@dataclass(frozen=True)
class _Logit(_Class):
    """Logit choice averaged over the types of a class."""

    noise: float

    @cached_property
    def table(self) -> tuple[Floats, Floats, Floats]:
        if self.people.paired:
            return self.people.pairs()
        need = [self.people.cost.atoms() is None, self.people.free_riding.atoms() is None]
        wide, narrow = (16, 8) if all(need) else (32, 32)
        sure = 40.0 * self.noise  # utility above which Λ(d/η) is 1 or 0 to rounding
        window = (-float(self.dues.max()) - sure, 1.0 + sure)
        cost, w_cost = law_nodes(self.people.cost, 3.0 * self.noise, wide, window)
        factor, w_factor = law_nodes(self.people.free_riding, 3.0 * self.noise, narrow)
        grid = np.meshgrid(cost, factor, indexing="ij")
        return grid[0].ravel(), grid[1].ravel(), np.outer(w_cost, w_factor).ravel()

    @property
    def costly(self) -> bool:  # type: ignore[override]
        return len(self.table[0]) > 64

    def shares(self, success: Floats, indifferent: bool) -> Floats:
        out = np.empty(success.shape)
        cost, factor, weight = self.table
        step = max(1, BLOCK // (len(cost) * success.shape[1]))
        for i in range(0, len(success), step):
            worth = self.worth(success[i : i + step, None, :], factor[:, None])
            d = worth - cost[:, None]  # (n, J, K)
            if d.shape[-1] == 1:
                chance = expit(d / self.noise)  # the same, faster
            else:
                chance = logit_probabilities(d, self.noise)[..., 1:]
            out[i : i + step] = np.einsum("njk,j->nk", chance, weight)
        return out

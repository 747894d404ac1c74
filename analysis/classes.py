"""What one class of people does at given success, by the kind of its laws of cost and γ.

Every class below answers `shares`: which share of the class ends up in each collective. How, is
said in `analysis.participation`, which adds the classes up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import scipy  # its parts are loaded when first asked for
from numpy.typing import ArrayLike, NDArray

from analysis.laws import both_continuous, law_nodes
from sim.distributions import TypeClass
from sim.payoffs import gain, threshold

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

    @property
    def costly(self) -> bool:  # type: ignore[override]
        return len(self.factors[0]) > 16

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
    def _one_price(self) -> bool:
        """Whether dues are equal wherever the class may join: then all agree on what is best."""
        return len(set(self.dues[self.may].tolist())) <= 1

    @property
    def costly(self) -> bool:  # type: ignore[override]
        return not self._one_price and len(self.table[0]) > 16

    @cached_property
    def _sorted(self) -> tuple[Floats, Floats]:
        """Thresholds in ascending order and the share below each, at equal dues."""
        cost, factor, weight = self.table
        theta = threshold(cost, factor, self.dues[self.may][0])
        order = np.argsort(theta, kind="stable")
        return theta[order], np.concatenate([[0.0], np.cumsum(weight[order])])

    def shares(self, success: Floats, indifferent: bool) -> Floats:
        out = np.zeros(success.shape)
        if not self.may.any():
            return out
        if self._one_price:
            rows, theirs = np.arange(len(success)), np.where(self.may, success, -np.inf)
            best = theirs.argmax(axis=1)
            theta, below = self._sorted
            side: Literal["left", "right"] = "right" if indifferent else "left"
            out[rows, best] = below[np.searchsorted(theta, theirs[rows, best], side)]
            return out
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
    """Logit choice averaged over the types of a class.

    Costs do not decide *which* collective: with V = η ln Σ_k exp(v_k/η), v_k = (1−γ)S_k − dues_k,

        Pr(k) = exp((v_k − V)/η) · Λ((V − c)/η).

    So the law of c enters by the one function G(V) = E Λ((V − c)/η), which is tabulated once.
    """

    noise: float

    @cached_property
    def table(self) -> tuple[Floats, Floats]:
        """γ and weights: pairs one by one, or nodes of the law of γ."""
        if self.people.paired:
            return self.people.pairs()[1:]
        return law_nodes(self.people.free_riding, 3.0 * self.noise, 8)

    @property
    def costly(self) -> bool:  # type: ignore[override]
        return len(self.table[0]) > 16

    @cached_property
    def _joining(self) -> Callable[[Floats], Floats]:
        """V (n, J) ↦ the chance to join anything."""
        if self.people.paired:
            return lambda v: scipy.special.expit((v - self.people.pairs()[0]) / self.noise)
        low = -float(self.dues.max())
        high = 1.0 + self.noise * np.log(len(self.dues))
        sure = 40.0 * self.noise  # utility beyond which Λ is 1 or 0 to rounding
        cost, weight = law_nodes(self.people.cost, 3.0 * self.noise, 32, (low - sure, high + sure))
        if len(cost) <= 16:
            return lambda v: scipy.special.expit((v[..., None] - cost) / self.noise) @ weight
        v = np.linspace(low, high, int(np.ceil((high - low) / self.noise * 40)) + 8)
        return scipy.interpolate.CubicSpline(
            v, expected_chance(v, cost, weight, self.noise)
        )  # to 1e-9

    def shares(self, success: Floats, indifferent: bool) -> Floats:
        out = np.zeros(success.shape)
        if not self.may.any():
            return out
        factor, weight = self.table
        step = max(1, BLOCK // (len(factor) * success.shape[1]))
        for i in range(0, len(success), step):
            worth = self.worth(success[i : i + step, None, :], factor[:, None])  # (n, J, K)
            best = worth.max(axis=2, keepdims=True)
            odds = np.exp((worth - best) / self.noise)
            total = odds.sum(axis=2)
            joins = self._joining(best[..., 0] + self.noise * np.log(total))  # (n, J)
            out[i : i + step] = np.einsum("njk,nj->nk", odds, weight * joins / total)
        return out


def expected_chance(v: Floats, cost: Floats, weight: Floats, noise: float) -> Floats:
    """G(V) = Σ w Λ((V − c)/η) at values (n,), in blocks."""
    out = np.empty(v.shape)
    step = max(1, BLOCK // len(cost))
    for i in range(0, len(v), step):
        out[i : i + step] = scipy.special.expit((v[i : i + step, None] - cost) / noise) @ weight
    return out

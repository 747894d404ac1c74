"""The participation map F: who wants to be a member, given the success that is published.

Person i gains d_ik = (1−γ_i)S_k − c_i − dues_k by joining collective k (theory section 4). Under
best response she takes the best collective she may join if its d is positive; under logit she takes
k with probability ∝ exp(d_ik/η), staying out with weight 1. F_k(α) is the share of the *infinite*
population that so ends up in k when everybody sees S(α):

    F_k(S) = Σ_classes share · Pr{ k is best and c < (1−γ)S_k − dues_k }

With one collective that is the share of people with S(α) > θ = (c + dues)/(1−γ). F depends on α
only through S. How the probability is computed, per class of people:

    γ listed or a number     exactly: sum over its values of the law of c at (1−γ)S_k − dues_k
    γ continuous, c listed   exactly: k is best on an interval of γ (upper envelope of the lines
                             (1−γ)S_k − dues_k), whose probability the law of γ gives
    both continuous          quadrature over γ on these intervals, split where the law of c starts
                             and ends; error below 1e-9 for the laws of a scenario
    both listed              pairs (c_i, γ_i) as listed
    logit                    listed types exactly, continuous laws on panels of their own quantiles
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.by_size import success_by_size
from analysis.classes import Law, law_of
from learners.success import SuccessFunction
from sim.distributions import TypeClass, type_classes
from sim.scenario import Scenario

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ParticipationMap:
    """F of theory section 4, for one or several collectives.

    Parameters
    ----------
    success : success function S by size, K collectives
    classes : classes of people; their shares sum to 1
    dues : (K,) dues of each collective, in utility
    protocol : "best_response" or "logit"
    noise : η of logit, in utility, > 0 there

    Notes
    -----
    `at` maps (..., K) to (..., K) and is vectorised.
    """

    success: SuccessFunction
    classes: tuple[TypeClass, ...]
    dues: tuple[float, ...]
    protocol: Literal["best_response", "logit"] = "best_response"
    noise: float = 0.0
    _laws: tuple[Law, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.dues) != self.success.size:
            raise ValueError(f"dues: got {len(self.dues)}; must be {self.success.size} numbers")
        if (self.protocol == "logit") != (self.noise > 0):
            raise ValueError(
                f"noise: got {self.noise} with {self.protocol}; must be > 0 with logit, else 0"
            )
        laws = tuple(law_of(c, np.array(self.dues), self.noise) for c in self.classes)
        object.__setattr__(self, "_laws", laws)

    @property
    def size(self) -> int:
        """K, the number of collectives."""
        return self.success.size

    def at(self, alpha: ArrayLike, *, indifferent: bool = False) -> Floats:
        """F(α): shares (..., K) who want to be in each collective at sizes α (..., K)."""
        return self.share_at(self.success.at(alpha), indifferent=indifferent)

    def share_at(self, success: ArrayLike, *, indifferent: bool = False) -> Floats:
        """The same at given success (..., K).

        Parameters
        ----------
        success : (..., K), in [0, 1]
        indifferent : count those who are exactly indifferent between joining and staying out as
            joining (S ≥ θ in place of S > θ). Between equally good collectives the first in file
            order is taken.
        """
        success = np.asarray(success, float)
        flat = success.reshape(-1, self.size)
        total = np.zeros(flat.shape)
        for people, law in zip(self.classes, self._laws, strict=True):
            total += people.share * law.shares(flat, indifferent)
        # Shares of the classes are rounded; nobody counts twice.
        over = np.maximum(total.sum(axis=-1, keepdims=True), 1.0)
        return (total / over).reshape(success.shape)

    def favouring(self, k: int) -> Callable[[Floats, bool], Floats]:
        """The share of collective k, success (..., K) → (...), with ties between equally good
        collectives resolved for k and not for the first in file order.

        The second argument is `indifferent` of `share_at`.
        """
        order = [k, *(j for j in range(self.size) if j != k)]
        if self.size == 1 or k == 0:
            return lambda success, tie: self.share_at(success, indifferent=tie)[..., k]
        classes = tuple(replace(c, eligible=np.array(c.eligible)[order]) for c in self.classes)
        first = replace(self, classes=classes, dues=tuple(self.dues[j] for j in order))
        return lambda success, tie: first.share_at(success[..., order], indifferent=tie)[..., 0]

    def thresholds(self, k: int = 0) -> Floats:
        """Thresholds θ of collective k at which the law of θ has an atom; ascending, also ±∞."""
        atoms = [law.thresholds(k) for law in self._laws]
        return np.unique(np.concatenate([np.empty(0), *atoms]))

    def landmarks(self, k: int = 0) -> Floats:
        """Levels of success between which F_k changes little: quantiles and ends of θ's law."""
        marks = [law.landmarks(k) for law in self._laws]
        values = np.unique(np.concatenate([np.empty(0), *marks]))
        return values[np.isfinite(values)]

    @property
    def stepwise(self) -> bool:
        """Whether F is a step function of S (every type is listed)."""
        return all(law.stepwise for law in self._laws)

    @property
    def costly(self) -> bool:
        """Whether one value of F takes a quadrature."""
        return any(law.costly for law in self._laws)

    def eligible_share(self, k: int = 0) -> float:
        """Share of the population who may join collective k."""
        return float(sum(c.share for c in self.classes if c.eligible[k]))


def participation_map(scenario: Scenario) -> ParticipationMap:
    """The participation map of a scenario.

    Imitation gets the map of best response: what people would choose if they looked for
    themselves. Imitators also rest wherever there is nobody better off to copy.
    """
    logit = scenario.revision.protocol == "logit"
    return ParticipationMap(
        success=success_by_size(scenario),
        classes=tuple(type_classes(scenario)),
        dues=tuple(float(c.dues) for c in scenario.collectives.values()),
        protocol="logit" if logit else "best_response",
        noise=float(scenario.revision.noise) if logit else 0.0,
    )

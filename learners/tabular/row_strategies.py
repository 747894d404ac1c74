"""Strategies on rows: the law P′ of what members report, and the share q of them who report it.

A platform that is trained on rows sees P = (1 − Σα_k q_k)P₀ + Σα_k q_k P′_k ::

    Plant   P′ = law of (g(x), y*); features only: of (g(x), y*) where y = y*, else (x, y).  q = 1
    Steer   P′ neutralises the gradient at θ* (`steering`).  q = min(1, critical mass/α)

Whatever a person reports is one row of P₀ (her own) or one row of P′, so that a training set by
size and one by membership are both weights on the same stack of rows.

References
----------
Hardt et al. (2023), sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.tabular.convex import ConvexModel
from learners.tabular.rows import Rows
from learners.tabular.steering import Neutralising

__all__ = ["Plant", "RowStrategy", "Steer"]

Ints = npt.NDArray[np.int64]
Planting = Literal["feature_label", "feature_only"]


class RowStrategy(Protocol):
    """What a platform trained on rows has to know of a collective."""

    def law(self, base: Rows) -> Rows:
        """P′, what members who change their data report, as rows."""

    def changed_share(self, alpha: float) -> float:
        """q in [0, 1]: of the members, how many change their data at size α."""

    def row(self, base: Rows, law: Rows, points: Ints, draws: Array) -> Ints:
        """Which row of P′ people with these base rows report; one uniform draw each."""


@dataclass(frozen=True)
class Plant:
    """Plant a signal: every row with g(x) shall be classified y*.

    Parameters
    ----------
    strategy : {"feature_label", "feature_only"}
    signal : function of features (n, d) → (n, d), g
        For example `learners.tabular.rows.SetColumns`.
    target : int, y*
        A class among the labels of the rows.
    """

    strategy: Planting
    signal: Callable[[Array], Array]
    target: int

    def __post_init__(self) -> None:
        if self.strategy not in get_args(Planting):
            raise ValueError(
                f"strategy: got {self.strategy!r}; must be one of {', '.join(get_args(Planting))}"
            )

    def law(self, base: Rows) -> Rows:
        """(g(x), y*) for every row; with features only where y = y*."""
        if not np.any(base.labels == self.target):
            known = np.unique(base.labels)[:8].tolist()
            raise ValueError(f"target: got {self.target}; must be a label of the rows: {known}")
        planted = self.signal(base.features)
        if planted.shape != base.features.shape or not np.isfinite(planted).all():
            raise ValueError("signal: must give finite features of the same shape")
        if np.array_equal(planted, base.features):
            raise ValueError(
                "signal: changes no row; choose columns or values that people do not have already"
            )
        if self.strategy == "feature_label":
            return Rows(planted, np.full_like(base.labels, self.target), base.weight)
        able = base.labels == self.target
        return Rows(np.where(able[:, None], planted, base.features), base.labels, base.weight)

    def changed_share(self, alpha: float) -> float:
        return 1.0

    def row(self, base: Rows, law: Rows, points: Ints, draws: Array) -> Ints:
        return points

    def success(self, predict: Callable[[Array], npt.NDArray[Any]], test: Rows) -> float:
        """Pr{f(g(x)) = y*} over the rows of `test`."""
        won = predict(self.signal(test.features)) == self.target
        return min(float(test.weight @ won), 1.0)  # weights sum to 1 up to rounding


@dataclass(frozen=True, eq=False)
class Steer:
    """Steer a convex model to θ* with gradient-neutralising data.

    Parameters
    ----------
    data : Neutralising
        From `learners.tabular.steering.neutralise` with the platform's own model and rows.
    """

    data: Neutralising

    def law(self, base: Rows) -> Rows:
        return self.data.law

    def changed_share(self, alpha: float) -> float:
        return self.data.changed_share(alpha)

    def row(self, base: Rows, law: Rows, points: Ints, draws: Array) -> Ints:
        """Own row or own label where labels are kept, else drawn by the weights of P′."""
        if self.data.by_row:
            return points
        if self.data.labels == "free":
            return np.searchsorted(np.cumsum(law.weight)[:-1], draws, side="right")
        chosen = np.empty(len(points), dtype=np.int64)
        for label in np.unique(base.labels[points]):
            ours = base.labels[points] == label
            candidates = np.flatnonzero(law.labels == label)
            edges = np.cumsum(law.weight[candidates])
            pick = np.searchsorted(edges[:-1] / edges[-1], draws[ours], side="right")
            chosen[ours] = candidates[pick]
        return chosen

    def fits(self, model: ConvexModel, base: Rows) -> None:
        """Check that P′ was made for this model and these rows."""
        pull = float(np.linalg.norm(model.gradient(self.data.target, base)))
        if not np.isclose(pull, self.data.base_gradient, rtol=1e-6):
            raise ValueError(
                f"collectives: the data to steer with were made against a base gradient of "
                f"{self.data.base_gradient:.6g}, this platform's is {pull:.6g}; call "
                "neutralise with the platform's model and rows"
            )

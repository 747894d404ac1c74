"""A platform that fits logistic or softmax regression (or least squares) to people's rows.

Collectives plant a signal, S = Pr{f(g(x)) = y*}, or steer the model to a θ* of their own. Steering
is measured as the share of the distance closed, with 0 at one of two places, `unit`:

    start   S = 1 − ‖θ − θ*‖/‖θ₀ − θ*‖           0 where the model is when nobody joins
    bound   S = 1 − ‖θ − θ*‖/(‖g_{P₀}(θ*)‖/λ)    0 where theorem 4.2 puts it at worst; the scale of
                                                 `learners.bounds.gradient_neutralising`

Strong convexity makes the second unit the longer one, often tenfold and more, so that there S is
near 1 from the first member on; the first is what a collective would call success.

References
----------
Hardt et al. (2023), sections 3 and 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_sizes
from learners.people import Ints
from learners.success import Kind, require_index
from learners.tabular.convex import TOLERANCE, ConvexModel, Fit
from learners.tabular.row_platform import RowPlatform
from learners.tabular.row_strategies import Plant, Steer
from learners.tabular.rows import Rows

__all__ = ["LogisticPlatform"]

Unit = Literal["start", "bound"]


class LogisticPlatform(RowPlatform):
    """A convex risk minimiser as success function; exact, to the solver's tolerance.

    Parameters
    ----------
    model : ConvexModel
        Least squares can be steered only; there is no class to plant.
    rows : Rows, P₀
    collectives : mapping of names to Plant or Steer
    test : Rows, optional
        Held-out people for planted signals; absent: P₀ itself.
    unit : {"start", "bound"}
        Of the distance to θ*.
    tolerance : float, > 0
        Of the gradient of the risk; the minimiser is then known to tolerance/λ.
    seed : int
        Of the people's own random numbers.

    Attributes
    ----------
    base : Fit
        θ₀, what the platform learns when nobody joins. Every fit by size starts there; a fit by
        membership starts from the one before.

    Notes
    -----
    Ties f(x) at equal scores go to the lowest class. O(n d²) for each Newton step, 5 to 10 cold and
    2 or 3 warm.
    """

    kind: Kind = "exact"

    def __init__(
        self,
        model: ConvexModel,
        rows: Rows,
        collectives: Mapping[str, Plant | Steer],
        test: Rows | None = None,
        unit: Unit = "start",
        tolerance: float = TOLERANCE,
        seed: int = 0,
    ) -> None:
        if unit not in get_args(Unit):
            raise ValueError(f"unit: got {unit!r}; must be 'start' or 'bound'")
        self.model = model
        model.require_rows(rows)
        for strategy in collectives.values():
            if isinstance(strategy, Steer):
                strategy.fits(model, rows)
            elif model.loss == "least_squares":
                raise ValueError("collectives: least_squares has no classes; steer it instead")
        super().__init__(rows, dict(collectives), test, seed)
        self.tolerance = tolerance
        self.base: Fit = model.fit(rows, tolerance=tolerance)
        self.last: Fit = self.base
        self._units = [self._unit_of(strategy, unit) for strategy in self.strategies]

    def _unit_of(self, strategy: object, unit: Unit) -> float:
        if not isinstance(strategy, Steer):
            return 1.0
        data = strategy.data
        if unit == "bound":
            return data.base_gradient / data.convexity
        return float(np.linalg.norm(self.base.theta - data.target))

    def fit(self, alpha: npt.ArrayLike) -> Fit:
        """The model at sizes α, shape (K,)."""
        return self.model.fit(self.training_set(alpha), self.base.theta, self.tolerance)

    def distance(self, alpha: npt.ArrayLike, k: int = 0) -> float:
        """‖θ − θ*_k‖ at sizes α, shape (K,); −distance is the paper's success."""
        return float(np.linalg.norm(self.fit(alpha).theta - self._steering(k).data.target))

    def lower_bound(self, alpha: npt.ArrayLike, k: int = 0) -> Array:
        """Theorem 4.2 in this platform's unit, for collective k alone at sizes α, shape (...)."""
        distance = self._steering(k).data.distance_bound(require_sizes(alpha))
        return np.clip(1.0 - distance / self._units[k], 0.0, 1.0)

    def _steering(self, k: int) -> Steer:
        strategy = self.strategies[require_index("k", k, self.size)]
        if not isinstance(strategy, Steer):
            raise ValueError(f"k: collective {self.collectives[k]!r} plants a signal; no θ*")
        return strategy

    def _measure_at(self, sizes: Array) -> Array:
        return self.measure(self.fit(sizes).theta)[None]

    def _measure_people(self, membership: Ints, sizes: Array) -> Array:
        training = self.training_set_of(membership)
        self.last = self.model.fit(training, self.last.theta, self.tolerance)
        return self.measure(self.last.theta)

    def measure(self, theta: Array) -> Array:
        """S (K,) of a deployed θ, whoever joined."""
        found = np.empty(self.size)
        for k, strategy in enumerate(self.strategies):
            if isinstance(strategy, Steer):
                distance = float(np.linalg.norm(theta - strategy.data.target))
                found[k] = np.clip(1.0 - distance / self._units[k], 0.0, 1.0)
            else:
                assert isinstance(strategy, Plant)
                found[k] = strategy.success(lambda x: self.model.predict(theta, x), self.test)
        return found

"""Success by size for solvers and figures, which ask for it at thousands of sizes.

Formulas, exact platforms and measured tables answer at once. A platform that trains a model for
every size is trained at a few sizes of its one collective instead, S between them is interpolated,
and the answer says that it is an estimate. Where a single training takes long, a whole curve of
them is not begun unawares: it is measured with ``alphacrit learn``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from learners.errors import NoSolutionError
from learners.success import Kind, SuccessFunction, require_simplex
from sim import trained
from sim.scenario import Scenario
from sim.scenario_platforms import COSTLY_LEARNERS, SLOW_LEARNERS
from sim.success_of import success_function

Floats = NDArray[np.float64]

SIZES = np.unique(np.concatenate([[0.0], np.geomspace(1e-4, 0.1, 31), np.linspace(0.1, 1.0, 19)]))
"""Sizes of the trainings: 1e-4 is the smallest, and below it S is a line from S(0) = 0."""


class Interpolated(SuccessFunction):
    """S of one collective, known at some sizes and piecewise linear between.

    Parameters
    ----------
    success : what is asked at the sizes, all of them at the first question
    sizes : (n,) ascending, from 0 to 1
    """

    kind: Kind = "estimate"

    def __init__(self, success: SuccessFunction, sizes: Floats = SIZES) -> None:
        self.collectives, self._asked, self.sizes = success.collectives, success, sizes
        self._values: Floats | None = None
        self._ends: tuple[Floats, Floats] | None = None

    @property
    def values(self) -> Floats:
        """(n,) S at the sizes."""
        if self._values is None:
            self._values = self._asked.at(self.sizes[:, None])[:, 0]
        return self._values

    def at(self, alpha: ArrayLike) -> Floats:
        return np.interp(require_simplex(alpha, 1), self.sizes, self.values)

    def interval(self, alpha: ArrayLike) -> tuple[Floats, Floats]:
        """Of the platform itself at its sizes, interpolated; just S where the platform has none."""
        if self._ends is None:
            found = self._asked.interval(self.sizes[:, None])
            low, high = (self.values, self.values) if found is None else (e[:, 0] for e in found)
            self._ends = (low, high)
        sizes = require_simplex(alpha, 1)
        low, high = self._ends
        return np.interp(sizes, self.sizes, low), np.interp(sizes, self.sizes, high)


def success_by_size(scenario: Scenario) -> SuccessFunction:
    """The success function of a scenario as solvers and figures can ask for it.

    Raises
    ------
    NoSolutionError
        Several collectives on a platform that trains a model for every size, or one whose
        trainings take long.
    """
    learner = scenario.platform.learner
    if learner not in SLOW_LEARNERS:
        return success_function(scenario)
    if len(scenario.names) > 1 or learner in COSTLY_LEARNERS:
        many = "thousands of sizes of several collectives"
        sizes = many if len(scenario.names) > 1 else "many sizes, which takes long"
        raise NoSolutionError(
            f'learner = "{learner}" would have to be trained at {sizes}; measure success with '
            'alphacrit learn, and solve the scenario with learner = "table"'
        )
    key = ("by size", trained.key_of(scenario))
    return trained.kept(key, lambda: Interpolated(success_function(scenario)))

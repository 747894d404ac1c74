"""Who the members of a finished run were: not written down, but the same run can be made again.

The same scenario, seed and version give the same run. So the people of a replay are those of the
run made once more, as long as its sizes are the ones that were written down, to the last person.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learners.errors import AlphacritError
from sim.model import Economy
from sim.scenario import Scenario
from sim.scenario_platforms import SLOW_LEARNERS

MOST_PEOPLE = 100_000


class Again:
    """One replicate, made again up to the epoch that is looked at.

    Parameters
    ----------
    scenario, replicate : the run
    alpha : (T, K) the sizes that were written down

    Attributes
    ----------
    first : the economy, for what does not change; None where the run is not made again
    """

    def __init__(self, scenario: Scenario, replicate: int, alpha: NDArray[np.float64]) -> None:
        self._scenario, self._replicate, self._alpha = scenario, replicate, alpha
        slow, people = scenario.platform.learner in SLOW_LEARNERS, scenario.population
        many = people.infinite or people.size > MOST_PEOPLE
        self.first = None if slow or many else self._made()
        self._economy = self.first

    def membership(self, epoch: int) -> NDArray[np.integer] | None:
        """(N,) who is where in this epoch; None where that is not known."""
        if self._economy is not None and self._economy.epoch > epoch:
            self._economy = self._made()  # there is no way back but from the beginning
        economy = self._economy
        if economy is None:
            return None
        while economy.running and economy.epoch < epoch and self._as_written(economy):
            economy.step()
        if economy.epoch != epoch or not self._as_written(economy):
            return None
        return economy.population.membership.copy()

    def _as_written(self, economy: Economy) -> bool:
        return bool(np.array_equal(economy.alpha, self._alpha[economy.epoch]))

    def _made(self) -> Economy | None:
        try:
            return Economy(self._scenario, self._replicate)
        except AlphacritError:  # a file that it names is gone
            return None

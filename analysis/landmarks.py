"""What a run is measured against: critical thresholds, equilibria, the investment B.

Solved once for a scenario; where theory has no answer, or a platform would have to be trained too
often for one, the landmarks say so and the rest is there all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from analysis.equilibria import Equilibrium, equilibria
from analysis.threshold import critical_threshold, investment
from learners.errors import AlphacritError
from sim.scenario import Scenario
from sim.scenario_platforms import COSTLY_LEARNERS


@dataclass(frozen=True)
class Landmarks:
    """Marks on the way of a run.

    Attributes
    ----------
    alpha_crit : by collective; None where no size suffices, absent where it is not known
    investment : B in total by collective, in utility; absent where there is none
    points : equilibria of the endless, well-mixed population
    missing : why something is not known; empty where everything is
    mixed : whether everybody sees everybody, as the marks suppose; on a network the same size may
        grow or die, and no sentence may follow from them
    """

    alpha_crit: dict[str, float | None] = field(default_factory=dict)
    investment: dict[str, float] = field(default_factory=dict)
    points: tuple[Equilibrium, ...] = ()
    missing: str = ""
    mixed: bool = True

    def stable(self, k: int) -> tuple[float, ...]:
        """Sizes of the k-th collective (from 0) in the stable equilibria, ascending."""
        return tuple(sorted({point.alpha[k] for point in self.points if point.stable}))


NEIGHBOURS = (
    "On this network people see their neighbours only, and what happens hangs on where members "
    "sit. The lines are those of a population where everybody sees everybody."
)


def landmarks(scenario: Scenario) -> Landmarks:
    """The landmarks of a scenario; one with a costly platform has none."""
    network = scenario.population.network
    if network is None or network.kind == "complete":
        return _mixed(scenario)
    marks = _mixed(scenario)
    return replace(marks, mixed=False, missing=f"{NEIGHBOURS} {marks.missing}".rstrip())


def _mixed(scenario: Scenario) -> Landmarks:
    """The landmarks of a population where everybody sees everybody."""
    if scenario.platform.learner in COSTLY_LEARNERS:
        return Landmarks(missing="a training takes too long to solve for the tipping point here")
    crit: dict[str, float | None] = {}
    paid: dict[str, float] = {}
    points: tuple[Equilibrium, ...] = ()
    try:
        points = equilibria(scenario)
        for name in scenario.names:
            threshold = critical_threshold(scenario, name)
            crit[name] = threshold.alpha_crit
            total = investment(scenario, name, crit=threshold).total
            if total is not None:
                paid[name] = total
    except AlphacritError as error:
        return Landmarks(crit, paid, points, missing=str(error))
    return Landmarks(crit, paid, points)

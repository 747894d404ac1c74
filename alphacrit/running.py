"""A run in one call, whatever the number of people: single people, or the limit of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.runs import RunResult
    from sim.scenario import Scenario


def run(scenario: Scenario, replicate: int = 0) -> RunResult:
    """Run a scenario until it stops.

    Parameters
    ----------
    scenario : Scenario
        With ``population.size = "infinite"`` its mean field is followed, in which there is no
        chance: every replicate is the same.
    replicate : int
        Which of the scenario's random worlds.
    """
    if scenario.population.infinite:
        from analysis.limit import run_of_limit

        return run_of_limit(scenario)
    from sim import runs

    return runs.run(scenario, replicate)

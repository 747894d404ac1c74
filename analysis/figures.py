"""All figures: what suits a scenario, each on its own, and how they are written.

    success_curves            S(α) for several values of each parameter   (H23 figure 1)
    threshold_and_investment  where S crosses what people ask for, and B  (H23 figure 6)
    participation_cobweb      F(α), its fixed points, the path from a start
    paths                     α and S over the epochs, with replicates
    finite_size               how far N people are from an infinite population, over N
    bound_and_measured        the bound and what the platform learns, side by side
    worst_case_and_bounds     the same for classifiers ε from the best    (H23 figure 1, right)
    interference_map          two collectives: S₁, S₂ and best response over (α₁, α₂)
    bifurcation               equilibria along one parameter, and the way up and down

    published_and_measured    what papers measured with transformers, and one's own

and of sweeps

    heat_map                  an outcome over two parameters
    phase_diagram             where a collective forms, with the α_crit of theory on top
    sensitivity_chart         Sobol's or Morris's indices with intervals
    spending                  what a principal spent against B at every point

Each returns a `matplotlib.figure.Figure` and shows nothing; `save` writes PNG and SVG.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from analysis.figure_bifurcation import bifurcation
from analysis.figure_dynamics import participation_cobweb, paths
from analysis.figure_finite_size import finite_size
from analysis.figure_interference import interference_map
from analysis.figure_measured import bound_and_measured, worst_case_and_bounds
from analysis.figure_points import sensitivity_chart, spending
from analysis.figure_published import published_and_measured
from analysis.figure_style import save
from analysis.figure_success import success_curves
from analysis.figure_sweep import heat_map, phase_diagram
from analysis.figure_threshold import threshold_and_investment
from sim.scenario_platforms import COSTLY_LEARNERS, SLOW_LEARNERS

if TYPE_CHECKING:
    from sim.runs import RunResult
    from sim.scenario import Scenario

__all__ = [
    "bifurcation",
    "bound_and_measured",
    "figures_for",
    "finite_size",
    "heat_map",
    "interference_map",
    "participation_cobweb",
    "paths",
    "phase_diagram",
    "published_and_measured",
    "save",
    "sensitivity_chart",
    "spending",
    "success_curves",
    "threshold_and_investment",
    "worst_case_and_bounds",
]


def figures_for(
    scenario: Scenario, results: RunResult | Sequence[RunResult] | None = None
) -> dict[str, Figure]:
    """The figures that say something about a scenario, by the name of their file.

    ``success`` always; with one collective ``threshold`` and ``participation``, with two
    ``interference``; none of these on a network, where people do not see the population's share;
    ``bound_and_measured`` where the platform learns (of several collectives: an exact platform or a
    table), and ``worst_case`` where it is ε-suboptimal; ``paths`` where there are results. Where
    a single training takes long there is nothing but ``paths``: no curve is trained for a figure.
    """
    if scenario.platform.learner in COSTLY_LEARNERS:
        return {} if results is None else {"paths": paths(results)}
    figures = {"success": success_curves(scenario)}
    network = scenario.population.network
    if network is None or network.kind == "complete":
        if len(scenario.names) == 1:
            figures["threshold"] = threshold_and_investment(scenario)
            figures["participation"] = participation_cobweb(scenario)
        elif len(scenario.names) == 2:
            figures["interference"] = interference_map(scenario)
    learner = scenario.platform.learner
    if learner != "bound" and (len(scenario.names) == 1 or learner not in SLOW_LEARNERS):
        figures["bound_and_measured"] = bound_and_measured(scenario)
    if getattr(scenario.platform, "worst", None) is not None:
        figures["worst_case"] = worst_case_and_bounds(scenario)
    if results is not None:
        figures["paths"] = paths(results)
    return figures

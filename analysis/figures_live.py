"""Which live pictures suit a scenario: what `analysis.figures` draws, with the run moving in it."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.figure_interference import plane_of
from analysis.figure_live import DRAWING, Frame, LivePaths, Picture
from analysis.figure_live_maps import LiveCobweb, LivePlane, LiveThreshold
from analysis.figure_people import people_picture
from analysis.landmarks import Landmarks
from learners.errors import AlphacritError
from sim.networks import Graph
from sim.population import Population
from sim.scenario import Scenario
from sim.scenario_platforms import COSTLY_LEARNERS

__all__ = ["DRAWING", "Frame", "Picture", "maps_of", "paths_of", "people_of"]


def paths_of(scenario: Scenario, marks: Landmarks) -> Picture:
    """α and S over the epochs."""
    with DRAWING:
        return LivePaths(scenario, marks)


def people_of(scenario: Scenario, population: Population, graph: Graph | None) -> Picture:
    """The people, on their network where that can be drawn."""
    network = scenario.population.network
    kind = None if network is None else network.kind
    with DRAWING:
        return people_picture(population, graph, kind, scenario.names)


def maps_of(scenario: Scenario, marks: Landmarks) -> Iterator[Picture]:
    """Pictures over the sizes, each when it is ready; none where theory has none.

    As in `analysis.figures.figures_for`: not on a network, where people do not see the
    population's share, and not where a single training takes long.
    """
    network = scenario.population.network
    if scenario.platform.learner in COSTLY_LEARNERS:
        return
    if network is not None and network.kind != "complete":
        return
    try:
        if len(scenario.names) == 2:
            plane = plane_of(scenario)  # solved before anybody else has to wait
            with DRAWING:
                both = LivePlane(plane)
            yield both
        if len(scenario.names) == 1 or scenario.principal is not None:
            with DRAWING:
                threshold = LiveThreshold(scenario, marks)
            yield threshold
        if len(scenario.names) == 1:
            with DRAWING:
                panels = LiveCobweb.panels(scenario)
            yield from panels
    except AlphacritError:
        return  # the landmarks say what is missing

"""The border in the plane of two parameters beyond which theory says that a collective forms.

    unaided   start > α_crit: the border is where the start meets the critical threshold; where one
              of the parameters is the start, it is the curve α_crit itself
    paid      budget > B(α_crit)·N, where a principal pays for the collective; B is an upper bound
              from nothing, so that she may well succeed with less

The margin (start − α_crit, or budget − B) is solved at the nodes of a lattice; where its sign
changes along an edge, the crossing is found by Brent's method, and the crossings of a cell are
joined (marching squares). Vertices are on the border, whatever the lattice; between them it is a
straight line. A border that leaves a cell by the edge where it came in is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from analysis.formation import Thresholds
from learners.errors import AlphacritError
from sim.scenario import Scenario
from sim.scenario_file import split_key
from sim.scenario_sweep_rules import judge_of, takes_whole_numbers
from sim.scenario_variation import varied

Floats = NDArray[np.float64]
Segment = tuple[tuple[float, float], tuple[float, float]]
Margin = Callable[[float, float], float]

FEWEST, MOST = 9, 15  # nodes along an axis
NEAR = 1e-3  # error of a crossing as a share of its edge
LOG_FROM = 20.0  # ratio of largest to smallest from which a scale may be logarithmic


@dataclass(frozen=True)
class Axis:
    """One parameter of the plane.

    Attributes
    ----------
    address : str
    nodes : (n,) ascending
    log : whether steps are ratios
    whole : whether it takes whole numbers only
    """

    address: str
    nodes: Floats
    log: bool = False
    whole: bool = False

    def between(self, i: int, share: float) -> float:
        """The value at a share of the way from node i to the next."""
        low, high = float(self.nodes[i]), float(self.nodes[i + 1])
        return low * (high / low) ** share if self.log else low + share * (high - low)

    def value(self, x: float) -> Any:
        """What is put into the scenario."""
        return round(x) if self.whole else float(x)


def axis_of(
    scenario: Scenario,
    address: str,
    values: Sequence[float],
    fewest: int = FEWEST,
    most: int = MOST,
) -> Axis:
    """The axis of an address whose values a sweep took; a lattice that is neither coarse nor dense.

    Parameters
    ----------
    values : at least two different ones
    fewest, most : nodes; between them the values are taken as they are
    """
    levels = np.unique(np.asarray(values, float))
    if len(levels) < 2:
        raise ValueError(f"{address}: got one value; must have at least two")
    log = is_logarithmic(levels)
    whole = takes_whole_numbers(
        judge_of(Scenario, scenario.resolved()), split_key(address) or (), float(levels[0])
    )
    if not fewest <= len(levels) <= most:
        space = np.geomspace if log else np.linspace
        levels = space(levels[0], levels[-1], fewest if len(levels) < fewest else most)
        levels = np.unique(np.round(levels)) if whole else levels
    return Axis(address, levels, log, whole)


def is_logarithmic(levels: Floats) -> bool:
    """Whether values (ascending) are spaced more evenly in their logarithm, over a wide range."""
    if levels[0] <= 0 or levels[-1] < LOG_FROM * levels[0] or len(levels) < 3:
        return False
    linear, log = np.diff(levels), np.diff(np.log(levels))
    return bool(log.std() / log.mean() < linear.std() / linear.mean())


def unaided(scenario: Scenario, collective: str, thresholds: Thresholds) -> float:
    """start − α_crit; −1 where no size sustains itself, 1 where the collective forms unaided."""
    crit = thresholds.of(scenario, collective).alpha_crit
    if crit is None:
        return -1.0
    return 1.0 if crit == 0.0 else float(scenario.collectives[collective].start) - crit


def paid(scenario: Scenario, collective: str, thresholds: Thresholds) -> float:
    """(budget − B)/N in utility per person; −1 where there is no B, 1 where nothing is needed."""
    theory = thresholds.of(scenario, collective)
    if theory.bound is None or scenario.principal is None:
        return -1.0
    if theory.alpha_crit == 0.0:
        return 1.0
    return (scenario.principal.budget - theory.bound) / scenario.population.size


def boundary(
    scenario: Scenario,
    x: Axis,
    y: Axis,
    collective: str,
    *,
    margin: Callable[[Scenario, str, Thresholds], float] = unaided,
    others: Mapping[str, Any] | None = None,
    thresholds: Thresholds | None = None,
) -> list[Segment]:
    """Line segments of the border in the plane of two parameters.

    Parameters
    ----------
    scenario : the base
    x, y : Axis
    collective : name
    margin : `unaided` or `paid`: positive where the collective forms
    others : values of further addresses
    thresholds : what was solved before

    Returns
    -------
    list of ((x₀, y₀), (x₁, y₁)); empty where it is the same on the whole plane, or theory is silent

    Notes
    -----
    As many solutions as the lattice has nodes, and about four for each vertex.
    """
    known = thresholds or Thresholds()

    def at(a: float, b: float) -> float:
        changes = {x.address: x.value(a), y.address: y.value(b), **(others or {})}
        try:
            return margin(varied(scenario, changes), collective, known)
        except AlphacritError:
            return -1.0

    xs, ys = x.nodes.tolist(), y.nodes.tolist()
    forms = np.array([[at(a, b) for a in xs] for b in ys]) > 0
    across, upward = {}, {}
    for j, i in np.argwhere(forms[:, 1:] != forms[:, :-1]).tolist():  # from (i, j) to (i + 1, j)
        share = _crossing(lambda t, i=i, b=ys[j]: at(x.between(i, t), b))  # type: ignore[misc]
        across[i, j] = x.between(i, share), ys[j]
    for j, i in np.argwhere(forms[1:] != forms[:-1]).tolist():  # from (i, j) to (i, j + 1)
        share = _crossing(lambda t, a=xs[i], j=j: at(a, y.between(j, t)))  # type: ignore[misc]
        upward[i, j] = xs[i], y.between(j, share)
    return _joined(across, upward, len(xs), len(ys))


def _crossing(margin: Callable[[float], float]) -> float:
    """Where on an edge, as a share of it, the margin changes its sign or jumps across 0."""
    ends = margin(0.0), margin(1.0)
    if 0.0 in ends:
        return float(ends.index(0.0))
    return float(brentq(margin, 0.0, 1.0, xtol=NEAR, rtol=8.9e-16, maxiter=60))


def _joined(
    across: Mapping[tuple[int, int], tuple[float, float]],
    upward: Mapping[tuple[int, int], tuple[float, float]],
    columns: int,
    rows: int,
) -> list[Segment]:
    """The crossings of every cell's edges in pairs."""
    segments = []
    for j in range(rows - 1):
        for i in range(columns - 1):
            edges = (
                across.get((i, j)), upward.get((i + 1, j)),
                across.get((i, j + 1)), upward.get((i, j)),
            )  # fmt: skip
            met = [edge for edge in edges if edge is not None]
            segments += [(met[k], met[k + 1]) for k in range(0, len(met), 2)]
    return segments

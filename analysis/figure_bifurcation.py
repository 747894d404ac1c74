"""Bifurcation diagrams: all equilibria along one parameter, and the way up and down through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.boundary import axis_of, is_logarithmic
from analysis.equilibria import equilibria
from analysis.figure_style import BLUE, GREY, INK, SINGLE, VERMILION, blank, styled
from analysis.hysteresis import Carry, up_and_down
from learners.errors import AlphacritError
from sim.scenario import Scenario
from sim.scenario_variation import varied

VALUES, MOST_VALUES = 41, 101  # along a range: at least, and at most
BRANCH, NONE = 2.6, "none"


def values_along(scenario: Scenario, address: str, values: Sequence[float]) -> list[Any]:
    """A finer series of values over the range of those that a sweep took, fit for the scenario."""
    axis = axis_of(scenario, address, values, VALUES, MOST_VALUES)
    return [axis.value(node) for node in axis.nodes.tolist()]


def branches(scenario: Scenario, address: str, values: Sequence[float]) -> pd.DataFrame:
    """Every equilibrium at every value of a parameter.

    Returns
    -------
    DataFrame with the columns ``value``, ``collective``, ``alpha``, ``success``, ``stable``,
    ``continuum``, ``equilibrium`` (0, 1, … in the order of α); empty where theory has none
    """
    rows = []
    for value in values:
        try:
            found = equilibria(varied(scenario, {address: value}))
        except AlphacritError:
            continue
        for place, point in enumerate(found):
            for k, name in enumerate(scenario.names):
                rows.append(
                    (value, name, point.alpha[k], point.success[k], point.stable, point.continuum,
                     place)
                )  # fmt: skip
    columns = ["value", "collective", "alpha", "success", "stable", "continuum", "equilibrium"]
    return pd.DataFrame(rows, columns=columns)


@styled
def bifurcation(
    scenario: Scenario,
    address: str,
    values: Sequence[float],
    collective: str | None = None,
    *,
    by: Carry | None = "people",
    replicate: int = 0,
    ways: pd.DataFrame | None = None,
) -> Figure:
    """Equilibria along one parameter, and hysteresis.

    Filled dots are stable equilibria, open ones unstable: between two stable branches they are the
    tipping points. The arrows are the economy itself as the parameter goes up (blue) and down
    again (red), each value begun with the members that the one before left.

    Parameters
    ----------
    scenario : the base; its starts are the state before the first value
    address : dotted address of a number
    values : ascending
    collective : name; default the first
    by : "people" or "mean_field", as for ``analysis.hysteresis.up_and_down``; None draws the
        equilibria alone
    replicate : which random world
    ways : what ``up_and_down`` found, where it is known already
    """
    name = collective or scenario.names[0]
    if name not in scenario.names:
        raise ValueError(f"collective: got {name}; must be one of {', '.join(scenario.names)}")
    found = branches(scenario, address, values)
    if ways is None and by is not None:
        ways = up_and_down(scenario, address, list(values), by=by, replicate=replicate)
    figure, ((axes,),) = blank(SINGLE * 1.25, 3.2)
    handles = _draw_branches(axes, found[found["collective"] == name])
    if ways is not None:
        handles += _draw_ways(axes, ways[ways["collective"] == name])
    axes.set(xlabel=address, ylabel=f"share who are members of {name}, α", ylim=(-0.02, 1.02))
    if is_logarithmic(np.asarray(values, float)):
        axes.set_xscale("log")
    figure.legend(handles=handles, loc="outside upper left", frameon=False, ncols=2)
    return figure


def _draw_branches(axes: Axes, table: pd.DataFrame) -> list[Line2D]:
    handles = []
    for stable, color, face, words in (
        (True, INK, INK, "stable equilibrium"),
        (False, GREY, "white", "unstable (tipping point)"),
    ):
        own = table[table["stable"] == stable]
        if len(own):
            handles += axes.plot(
                own["value"], own["alpha"], marker="o", markersize=BRANCH, linestyle=NONE,
                markeredgecolor=color, markerfacecolor=face, markeredgewidth=0.6, label=words,
                gid="stable" if stable else "unstable", zorder=3, clip_on=False,
            )  # fmt: skip
    return handles


def _draw_ways(axes: Axes, ways: pd.DataFrame) -> list[Line2D]:
    handles = []
    for way, color, marker, dashes in (
        ("up", BLUE, "^", "solid"),
        ("down", VERMILION, "v", (0, (4, 2))),
    ):
        own = ways[ways["way"] == way]
        handles += axes.plot(
            own["value"], own["alpha"], color=color, linestyle=dashes, marker=marker,
            markersize=3.4, markerfacecolor=NONE, markeredgewidth=0.8, linewidth=1.0,
            label=f"going {way}", gid=way, zorder=4, clip_on=False,
        )  # fmt: skip
    return handles

"""What theory promises beside what a platform really learns: bound and S in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.by_size import Interpolated, success_by_size
from analysis.figure_style import (
    BLUE,
    DOUBLE,
    GREEN,
    INK,
    SINGLE,
    VERMILION,
    blank,
    end_labels,
    look,
    number,
    styled,
)
from analysis.figure_threshold import without_others
from analysis.theory_of import exact_platform, lower_bound_of
from analysis.threshold import critical_threshold
from learners.bounds import EpsilonBound
from learners.finite.staircase import Staircase
from learners.finite.worst_case import WorstCase
from learners.success import SuccessFunction
from sim.scenario_platforms import SLOW_LEARNERS, BoundPlatform
from sim.success_of import success_function

if TYPE_CHECKING:
    from sim.scenario import Scenario

Floats = npt.NDArray[np.float64]

EPSILON = (0.0, 0.05, 0.1, 0.2)
DISTANCES: dict[EpsilonBound, str] = {
    "conditional_tv": "ε in conditional total variation",
    "joint_tv": "ε in joint total variation",
}
DASHED, DASH_DOTTED = (0.0, (5, 2)), (0.0, (5, 1.5, 1, 1.5))
POINTS = 1201  # of a curve


@styled
def bound_and_measured(
    scenario: Scenario, sizes: npt.ArrayLike | None = None, collective: str | None = None
) -> Figure:
    """The bound on success and what the platform itself learns, one panel per collective.

    Solid: S as it is, with its steps on an exact platform; where a model is trained for every size,
    points at the trainings, and the interval around S where there is one. Dashed: the lower bound
    of the same situation, if theory has one; dash-dotted: the tight one for several planted
    signals. Dotted lines mark the critical size by each, where people carry the collective.

    Parameters
    ----------
    scenario : Scenario
        Its platform learns; with ``learner = "bound"`` there is nothing to compare.
    sizes : array of shape (n,), optional
        Sizes of the trainings, in [0, 1], or of the points read off a measured table; by default
        50. An exact platform is drawn everywhere.
    collective : str, optional
        By default all, a panel each, the others at their ``start``.

    References
    ----------
    Hardt et al. 2023, theorems 3.3, 3.5, 3.7, 4.2 and 4.5; theory page, section 3.
    """
    if isinstance(scenario.platform, BoundPlatform):
        raise ValueError('scenario: its platform is the "bound"; must be one that learns')
    if collective not in (None, *scenario.names):
        names = ", ".join(scenario.names)
        raise ValueError(f"collective: got {collective!r}; must be one of {names}")
    drawn = scenario.names if collective is None else (collective,)
    width = SINGLE if len(drawn) == 1 else DOUBLE
    figure, axes = blank(width, 2.6, columns=len(drawn), sharey=True)
    for panel, name in zip(axes[0], drawn, strict=True):
        _compare(panel, scenario, name, sizes)
    axes[0, 0].set_ylabel("success S(α)")
    return figure


@styled
def worst_case_and_bounds(
    scenario: Scenario, suboptimality: Sequence[float] = EPSILON, collective: str | None = None
) -> Figure:
    """Success with the worst ε-suboptimal classifier and its bound, for several ε.

    Solid: the exact worst case; dashed in the same colour: the bound. A panel for each distance
    in which a classifier may be ε from the best. (No bound in joint total variation for erasure.)

    Parameters
    ----------
    scenario : Scenario
        With ``learner = "bayes"``; its own ε does not matter.
    suboptimality : values of ε in [0, ½)
    collective : str, optional
        Drawn as if alone; by default the first of the file.

    References
    ----------
    Hardt et al. 2023, definition 2.1 and figure 1, right; theory page, section 2.
    """
    name = collective or scenario.names[0]
    exact = exact_platform(success_function(without_others(scenario, name)))
    if exact is None:
        raise ValueError('scenario: its platform must be "bayes", whose worst case is known')
    figure, axes = blank(DOUBLE, 2.7, columns=2, sharex=True, sharey=True)
    for panel, (distance, title) in zip(axes[0], DISTANCES.items(), strict=True):
        alpha = _span(panel, exact.curve(0))
        ends = []
        for position, epsilon in enumerate(suboptimality):
            color, label = look(position).color, number(epsilon)
            worst = WorstCase(exact, epsilon, distance).at(alpha[:, None])[:, 0]
            panel.plot(alpha, worst, color=color, gid=f"worst-{label}")
            ends.append((round(float(worst[-1]), 6), f"ε = {label}", color))
            try:
                bound = exact.bound(epsilon, distance).at(alpha[:, None])[:, 0]
            except ValueError:  # there is none
                continue
            panel.plot(
                alpha, bound, color=color, linestyle=DASHED, linewidth=1, gid=f"bound-{label}"
            )
        end_labels(panel, ends[::-1])  # the smallest ε on top where they end together
        panel.set_title(title)
        panel.set_xlabel(f"size of {name}, α")
    axes[0, 0].set_ylabel("success: exact worst case (solid),\nbound (dashed)")
    return figure


# ── one collective's panel ───────────────────────────────────────────────────────────────────


def _compare(axes: Axes, scenario: Scenario, name: str, sizes: npt.ArrayLike | None) -> None:
    """S and its bounds along the size of one collective, the others held at their start."""
    k = scenario.names.index(name)
    held = np.array([0.0 if c == name else scenario.collectives[c].start for c in scenario.names])
    success = success_function(scenario)
    exact, bound = exact_platform(success), lower_bound_of(success)
    curve = None if exact is None else exact.staircase(k, held)
    measured = _as_measured(scenario, success, sizes)
    alpha = _span(axes, curve, 1.0 - float(held.sum()))
    if isinstance(measured, Interpolated):
        alpha = np.union1d(alpha, measured.sizes)
    rows = held + alpha[:, None] * np.eye(len(held))[k]
    reached = measured.at(rows)[:, k]
    axes.plot(alpha, reached, color=BLUE, gid="measured")
    ends = []  # lowest first where they end together
    if isinstance(measured, Interpolated):
        _trainings(axes, measured)
    elif (found := measured.interval(rows)) is not None:
        _band(axes, alpha, found[0][:, k], found[1][:, k])
    if bound is not None:
        promised = bound.at(rows)[:, k]
        axes.plot(alpha, promised, color=VERMILION, linestyle=DASHED, gid="bound")
        ends.append((float(promised[-1]), "bound", VERMILION))
    if exact is success and exact is not None and len(held) > 1 and bound is not None:
        tight = exact.tight_bound(rows)[:, k]
        axes.plot(alpha, tight, color=GREEN, linestyle=DASH_DOTTED, gid="tight")
        ends.append((float(tight[-1]), "tight\nbound", GREEN))
    ends.append((float(reached[-1]), "S", BLUE))
    end_labels(axes, [(round(y, 6), text, color) for y, text, color in ends], gap=0.1)
    _mark(axes, scenario, name, measured, bound)
    others = [f"{o} at {number(a)}" for o, a in zip(scenario.names, held, strict=True) if o != name]
    if _picks_people(scenario, name):
        others.append("members taken at random")  # which those who join are not
    axes.set_title(", ".join(others))
    axes.set_xlabel(f"size of {name}, α")


def _as_measured(
    scenario: Scenario, success: SuccessFunction, sizes: npt.ArrayLike | None
) -> SuccessFunction:
    """S as it can be asked for everywhere: trained at the sizes where it is trained at all."""
    if scenario.platform.learner not in SLOW_LEARNERS and sizes is None:
        return success
    if sizes is None or len(scenario.names) > 1:
        return success_by_size(scenario)  # refuses several collectives, with the way out
    if exact_platform(success) is not None:
        return success
    given = np.unique(np.concatenate([[0.0, 1.0], np.asarray(sizes, float).ravel()]))
    if given[0] < 0.0 or given[-1] > 1.0:
        raise ValueError(f"sizes: got {given[0]} … {given[-1]}; must be in [0, 1]")
    return Interpolated(success, given)


def _trainings(axes: Axes, measured: Interpolated) -> None:
    """The sizes at which a model was trained, with the interval around each S."""
    low, high = (end[:, 0] for end in measured.interval(measured.sizes[:, None]))
    middle = measured.values
    if np.any(high > low):
        spread = np.maximum([middle - low, high - middle], 0.0)
        axes.errorbar(
            measured.sizes,
            middle,
            yerr=spread,
            fmt="none",
            ecolor=BLUE,
            elinewidth=0.8,
            capsize=1.5,
            gid="interval",
        )
    axes.plot(measured.sizes, middle, "o", color=BLUE, markersize=2.5, gid="trainings")


def _band(axes: Axes, alpha: Floats, low: Floats, high: Floats) -> None:
    area = axes.fill_between(alpha, low, high, color=BLUE, alpha=0.2, linewidth=0)
    area.set_gid("interval")


def _mark(
    axes: Axes,
    scenario: Scenario,
    name: str,
    measured: SuccessFunction,
    bound: SuccessFunction | None,
) -> None:
    """Dotted lines at the critical sizes, and their numbers in a corner that is free."""
    words = [("critical size", INK)]
    kinds = (("crit-measured", "of S", measured, BLUE), ("crit-bound", "bound", bound, VERMILION))
    places = [1.0]
    for gid, label, success, color in kinds:
        if success is None:
            continue
        found = critical_threshold(scenario, name, success=success).alpha_crit
        words.append((f"{label}: {'none' if found is None else number(found)}", color))
        if found:
            axes.axvline(found, color=color, linestyle=":", linewidth=1, gid=gid)
            there = axes.transLimits.transform(axes.transScale.transform((found, 0.0)))
            places.append(float(there[0]))
    left = min(places) > 0.3  # S is low on the left then, else high on the right
    for row, (text, color) in enumerate(words):
        axes.annotate(
            text,
            (0.03, 0.94 - 0.085 * row) if left else (0.98, 0.21 - 0.085 * row),
            xycoords="axes fraction",
            ha="left" if left else "right",
            color=color,
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )


def _picks_people(scenario: Scenario, name: str) -> bool:
    """Whether members come from groups of particular data."""
    recruits = scenario.collectives[name].recruits or ()
    return any(scenario.population.groups[group].where for group in recruits)


def _span(axes: Axes, curve: Staircase | None, room: float = 1.0) -> Floats:
    """Sets the axes' limits; sizes to draw at, on both sides of every step of a staircase.

    The axis of sizes is logarithmic where half of what can be had is had below a tenth.
    """
    steps = np.empty(0) if curve is None else curve.steps[(curve.steps > 0) & (curve.steps < room)]
    half = np.inf if curve is None else curve.critical_mass(0.5 * float(curve(room)) or 1.0)
    if half < 0.1 and len(steps):
        low = 10.0 ** np.floor(np.log10(0.7 * steps[0]))
        grid = np.geomspace(low, room, POINTS)
        axes.set_xscale("log")
    else:
        low, grid = 0.0, np.linspace(0.0, room, POINTS)
    axes.set(xlim=(low, room), ylim=(0.0, 1.03))
    edges = (steps[:, None] * [1.0 - 1e-9, 1.0 + 1e-9]).ravel()
    return np.unique(np.concatenate([grid, edges[edges < room]]))

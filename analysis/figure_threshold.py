"""The critical threshold and the investment that reaches it, after Hardt et al. 2023, figure 6."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.by_size import success_by_size
from analysis.equilibria import Equilibrium, equilibria
from analysis.figure_style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SINGLE,
    VERMILION,
    blank,
    end_labels,
    fixed_point,
    number,
    styled,
)
from analysis.participation import ParticipationMap, participation_map
from analysis.threshold import critical_threshold, investment

if TYPE_CHECKING:
    from sim.scenario import Scenario

Floats = NDArray[np.float64]


@styled
def threshold_and_investment(scenario: Scenario, collective: str | None = None) -> Figure:
    """Success against what people ask for, the critical threshold, and the investment's area.

    People stand in the order of their thresholds θ = c/(1−γ), the most willing first, so that the
    dashed line at α is the threshold of the person who would bring the collective to size α;
    with identical people it is the line θ. Where S lies above it the collective grows, below it
    shrinks: arrows and fixed points (filled stable, open unstable) say so under the axis. The
    hatched area up to α_crit is what a principal must make up for, in units of success; B is the
    same in utility. Of several collectives the one is drawn as if it were alone. With logit the
    dashed line is the success at which a share α joins, and there is no B.

    References
    ----------
    Hardt et al. 2023, section 6 and figure 6; theory section 4.
    """
    name = collective or scenario.names[0]
    alone = without_others(scenario, name)
    participation, points = participation_map(alone), equilibria(alone)
    alpha_crit = critical_threshold(alone, name).alpha_crit
    right = _right_edge(points, alpha_crit, alone.collectives[name].start)
    figure, ((axes,),) = blank(SINGLE, 2.7)
    alpha = np.linspace(0.0, right, 2001)
    success = participation.success.at(alpha[:, None])[:, 0]
    share, asked = willingness(participation)
    axes.plot(alpha, success, color=BLUE, gid="success")
    axes.plot(share, asked, color=VERMILION, linestyle=(0, (5, 2)), gid="asked")
    top = 1.04 if success[-1] > 0.5 else 1.5 * float(success[-1])
    axes.set(xlim=(0, right), ylim=(-0.16 * top, top))
    axes.yaxis.set_major_locator(_NotBelowZero(5))
    axes.set_xlabel(f"share of the population in {name}, α")
    axes.set_ylabel("success, and success asked for")
    if alpha_crit:
        _mark_threshold(axes, alone, name, alpha_crit, (share, asked))
    else:
        never = alpha_crit is None
        axes.text(
            0.97 if never else 0.03,
            0.55 if never else 0.97,
            "no size suffices" if never else "no threshold:\nit forms unaided",
            transform=axes.transAxes,
            ha="right" if never else "left",
            va="top",
        )
    _phase_line(axes, participation, points, right)
    _label_curves(axes, participation, (share, asked), float(success[-1]))
    return figure


def willingness(participation: ParticipationMap) -> tuple[Floats, Floats]:
    """The curve (share who would join at success s, s): the thresholds θ, most willing first."""
    asked = np.linspace(0.0, 1.0, 4001)
    share = participation.share_at(asked[:, None])[:, 0]
    last = int(np.argmax(share)) + 1  # beyond it nobody is left who might join
    share, asked = share[:last], asked[:last]
    if share[0] > 0:  # some join at no success at all
        return np.concatenate([[0.0], share]), np.concatenate([[0.0], asked])
    first = int(np.flatnonzero(share <= 0)[-1])
    return share[first:], asked[first:]


def _mark_threshold(
    axes: Axes,
    scenario: Scenario,
    name: str,
    alpha_crit: float,
    thresholds: tuple[Floats, Floats],
) -> None:
    """α_crit as a dotted line and, where there is one, the investment as a hatched area."""
    success = success_by_size(scenario).at([alpha_crit])[0]
    axes.plot([alpha_crit] * 2, [0, success], color=INK, linestyle=":", linewidth=1, gid="crit")
    # The text stands to the right of the line, below S, unless there is no room.
    room = alpha_crit < 0.6 * axes.get_xlim()[1] and success > 0.15 * axes.get_ylim()[1]
    words = f"α_crit = {number(alpha_crit)}"
    if scenario.revision.protocol != "logit":  # noisy people ask for no fixed success
        cost = investment(scenario, name)
        _shade(axes, scenario, alpha_crit, thresholds)
        words += f"\nB = {number(cost.per_capita or 0)} per person"
        words += "" if cost.total is None else f",\n{number(cost.total)} in total"
    axes.annotate(
        words,
        (alpha_crit, 0.0) if room else (0.0, axes.get_ylim()[1]),
        (6, 4) if room else (6, -4),
        textcoords="offset points",
        va="bottom" if room else "top",
        fontsize=7,
        linespacing=1.3,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85},
    )


def _shade(
    axes: Axes, scenario: Scenario, alpha_crit: float, thresholds: tuple[Floats, Floats]
) -> None:
    """The investment as a hatched area between what people ask for and the success there is."""
    inside = np.linspace(0.0, alpha_crit, 801)
    reached = success_by_size(scenario).at(inside[:, None])[:, 0]
    needed = np.maximum(np.interp(inside, *thresholds), reached)
    area = axes.fill_between(
        inside, reached, needed, facecolor=ORANGE, alpha=0.35, hatch="////", edgecolor=ORANGE
    )
    area.set_gid("investment")


def _label_curves(
    axes: Axes, participation: ParticipationMap, curve: tuple[Floats, Floats], last: float
) -> None:
    """Names of the two curves; a single threshold gets its letter on the line."""
    share, asked = curve
    right = axes.get_xlim()[1]
    if share.max() <= 0:  # nobody joins at any success: there is no second curve
        end_labels(axes, [(last, "S(α)", BLUE)])
        return
    if participation.protocol == "best_response" and len(participation.thresholds(0)) == 1:
        end_labels(axes, [(last, "S(α)", BLUE)])
        theta = float(participation.thresholds(0)[0])
        axes.annotate(
            f"θ = {number(theta)}",
            (0.0, theta),
            (6, 2),
            textcoords="offset points",
            va="bottom",
            color=VERMILION,
        )
        return
    words = "needed\nfor α" if participation.protocol == "logit" else "θ, most\nwilling first"
    height = min(float(np.interp(right, share, asked)), axes.get_ylim()[1])
    end_labels(axes, [(last, "S(α)", BLUE), (height, words, VERMILION)], gap=0.12)


def _phase_line(
    axes: Axes, participation: ParticipationMap, points: Sequence[Equilibrium], right: float
) -> None:
    """Below the axis: fixed points, filled if stable, and arrows the way the share moves."""
    height = axes.get_ylim()[0] * 0.56
    axes.axhline(0, color=INK, linewidth=0.6)
    cuts = sorted({0.0, right, *(p.alpha[0] for p in points if p.alpha[0] <= right)})
    for low, high in pairwise(cuts):
        middle = (low + high) / 2
        grows = participation.at([middle])[0] > middle
        tail, head = (0.2, 0.8) if grows else (0.8, 0.2)
        axes.annotate(
            "",
            (low + head * (high - low), height),
            (low + tail * (high - low), height),
            arrowprops={"arrowstyle": "-|>", "color": GREY, "linewidth": 0.8},
        )
    for point in points:
        if point.alpha[0] <= right:
            fixed_point(axes, point.alpha[0], height, point.stable)


class _NotBelowZero(MaxNLocator):
    """Ticks of success; the strip of the phase line below 0 has none."""

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        return [tick for tick in super().tick_values(vmin, vmax) if tick > -1e-9]


def _right_edge(points: Sequence[Equilibrium], alpha_crit: float | None, start: float) -> float:
    """Where to end the axis of α so that every tipping point, and what lies below it, is seen."""
    if not alpha_crit:
        return 1.0
    tipping = max([alpha_crit, *(p.alpha[0] for p in points if not p.stable)])
    return min(1.0, 2.2 * max(tipping, start if start < 2 * tipping else 0.0))


def without_others(scenario: Scenario, name: str) -> Scenario:
    """The scenario with the one collective alone; itself where it is alone already."""
    others = [other for other in scenario.names if other != name]
    if not others:
        return scenario
    changes: dict[str, None] = {f"collectives.{other}": None for other in others}
    if "overlap" in scenario.resolved()["collectives"][name]["signal"]:
        changes[f"collectives.{name}.signal.overlap"] = None
    if scenario.principal is not None and scenario.principal.collective != name:
        changes["principal"] = None
    return scenario.replace(changes)

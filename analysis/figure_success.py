"""Figures of the success S(α): families of curves, and the threshold with its investment.

After Hardt et al. 2023, figure 1 (S against the collective's size for several values of a
parameter) and figure 6 (where S crosses what people ask for, and what it costs to get there).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.equilibria import Equilibrium, equilibria
from analysis.figure_style import (
    BLUE,
    DOUBLE,
    GREY,
    INK,
    ORANGE,
    SINGLE,
    VERMILION,
    blank,
    end_labels,
    fixed_point,
    look,
    number,
    styled,
)
from analysis.participation import ParticipationMap, participation_map
from analysis.threshold import critical_threshold, investment
from learners.errors import AlphacritError
from sim.scenario_fields import extra_of
from sim.scenario_parts import SIGNALS, Platform
from sim.success_of import success_function

if TYPE_CHECKING:
    from sim.scenario import Scenario

Floats = NDArray[np.float64]

RARE = (0.001, 0.01, 0.1)
FAMILIES: dict[str, dict[str, tuple[float, ...]]] = {
    "feature_label": {
        "signal.uniqueness": RARE,
        "platform.suboptimality": (0.0, 0.1, 0.2, 0.3),
        "signal.gap": (0.1, 0.3, 1.0),
    },
    "feature_only": {
        "signal.uniqueness": RARE,
        "platform.suboptimality": (0.0, 0.1, 0.2, 0.3),
        "signal.positivity": (0.05, 0.2, 0.5),
    },
    "erasure": {
        "signal.sensitivity": RARE,
        "platform.suboptimality": (0.0, 0.1, 0.2, 0.3),
    },
    "gradient_neutralising": {"signal.own_gradient": (0.5, 1.0, 2.0, 5.0)},
    "gradient_control": {"signal.steps": (1, 3, 10, 30)},
}
@styled
def success_curves(
    scenario: Scenario,
    vary: Mapping[str, Sequence[float]] | None = None,
    collective: str | None = None,
) -> Figure:
    """Families of S(α) of one collective alone, one panel for each parameter that is varied.

    Parameters
    ----------
    scenario : Scenario
    vary : mapping of address to values, optional
        Address of a field as in ``--set``; one that begins with ``signal.`` is the collective's.
        By default the parameters of the strategy's bound, as `FAMILIES` says. The scenario's own
        value is always among the curves, and drawn thicker.
    collective : str, optional
        By default the first of the file.

    Returns
    -------
    Figure
        Labels stand on the curves; the axis of α is logarithmic where small sizes matter.

    References
    ----------
    Hardt et al. 2023, figure 1.
    """
    name = collective or scenario.names[0]
    vary = FAMILIES[scenario.collectives[name].strategy] if vary is None else vary
    addresses = {key: _address(key, name) for key in vary}
    panels = len(vary)
    figure, axes = blank(
        SINGLE if panels == 1 else DOUBLE, 2.4, columns=panels, sharex=True, sharey=True
    )
    logarithmic = bool(_size_for(scenario, name, 0.5) < 0.1)
    grid = _sizes(logarithmic)
    for panel, (key, values) in zip(axes[0], vary.items(), strict=True):
        own = _value(scenario, addresses[key])
        family = {
            value: _alone(scenario.replace({addresses[key]: value}), name, grid)
            for value in sorted({*values, own})
        }
        if logarithmic:
            panel.set_xscale("log")
        panel.set(xlim=(grid[0], grid[-1]), ylim=(0, 1.03))
        draw_family(panel, grid, {number(v): s for v, s in family.items()}, number(own))
        panel.set_title(_words(scenario.collectives[name].strategy, key))
        panel.set_xlabel("size of the collective α")
    axes[0, 0].set_ylabel(f"success S(α) of {name}")
    return figure


def draw_family(
    axes: Axes, alpha: Floats, family: Mapping[str, Floats], thick: str | None = None
) -> None:
    """Draw labelled curves S(α); labels at the right end where the ends differ, else on them."""
    for position, (label, success) in enumerate(family.items()):
        style = look(position)
        axes.plot(
            alpha,
            success,
            color=style.color,
            linestyle=style.dashes,
            linewidth=2.2 if label == thick else 1.2,
            gid=f"family-{label}",
        )
    ends = sorted(success[-1] for success in family.values())
    colors = [look(position).color for position in range(len(family))]
    if len(ends) > 1 and min(np.diff(ends)) > 0.02:
        tips = zip(family.items(), colors, strict=True)
        end_labels(axes, [(float(s[-1]), label, color) for (label, s), color in tips])
        return
    # Curves that lie side by side: the leftmost gets its label highest, the rightmost lowest.
    order = sorted(family, key=lambda label: -float(np.mean(family[label])))
    levels = np.linspace(0.84, 0.22, len(order)) if len(order) > 1 else [0.5]
    for label, level in zip(order, levels, strict=True):
        success = family[label]
        reached = int(np.searchsorted(success, level * success.max()))
        axes.text(
            alpha[min(reached, len(alpha) - 1)],
            level * success.max(),
            label,
            color=colors[list(family).index(label)],
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )


@styled
def threshold_and_investment(scenario: Scenario, collective: str | None = None) -> Figure:
    """Success against what people ask for, the critical threshold, and the investment's area.

    People stand in the order of their thresholds θ = c/(1−γ), the most willing first, so that the
    dashed line at α is the threshold of the person who would bring the collective to size α;
    with identical people it is the line θ. Where S lies above it the collective grows, below it
    shrinks: arrows and fixed points (filled stable, open unstable) say so under the axis. The
    hatched area up to α_crit is what a principal must make up for, in units of success; B is the
    same in utility.

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
        words = "no size suffices" if alpha_crit is None else "no threshold: it forms unaided"
        axes.text(0.03, 0.97, words, transform=axes.transAxes, va="top")
    _phase_line(axes, participation, points, right)
    _label_curves(axes, participation, (share, asked), float(success[-1]))
    return figure


def willingness(participation: ParticipationMap) -> tuple[Floats, Floats]:
    """The curve (share who would join at success s, s): the thresholds θ, most willing first."""
    asked = np.linspace(0.0, 1.0, 4001)
    share = participation.share_at(asked[:, None])[:, 0]
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
    success = success_function(scenario).at([alpha_crit])[0]
    axes.plot([alpha_crit] * 2, [0, success], color=INK, linestyle=":", linewidth=1, gid="crit")
    # The text stands to the right of the line, below S, unless there is no room.
    room = alpha_crit < 0.6 * axes.get_xlim()[1]
    words = f"α_crit = {number(alpha_crit)}"
    try:
        cost = investment(scenario, name)
    except AlphacritError:
        pass
    else:
        _shade(axes, scenario, alpha_crit, thresholds)
        words += f"\nB = {number(cost.per_capita)} per person,\n{number(cost.total)} in total"
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
    reached = success_function(scenario).at(inside[:, None])[:, 0]
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
    if participation.protocol == "best_response" and len(participation.thresholds(0)) == 1:
        end_labels(axes, [(last, "S(α)", BLUE)])
        theta = float(participation.thresholds(0)[0])
        axes.annotate(
            f"θ = {number(theta)}",
            (min(right, float(share.max())), theta),
            (-2, 2),
            textcoords="offset points",
            ha="right",
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
    for low, high in zip(cuts, cuts[1:], strict=False):
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

    def tick_values(self, vmin: float, vmax: float) -> Floats:
        ticks = np.asarray(super().tick_values(vmin, vmax))
        return ticks[ticks > -1e-9]


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


def _words(strategy: str, key: str) -> str:
    """Name and letter of a field, such as ``uniqueness ξ``; both are declared with the field."""
    table, _, field = key.rpartition(".")
    part = SIGNALS[strategy] if table == "signal" else Platform
    if field not in part.model_fields:
        return key
    symbol = extra_of(part.model_fields[field], "symbol")
    return f"{field.replace('_', ' ')} {symbol}".strip()


def _address(key: str, name: str) -> str:
    return f"collectives.{name}.{key}" if key.startswith("signal.") else key


def _value(scenario: Scenario, address: str) -> float:
    return scenario.flat()[address]


def _alone(scenario: Scenario, name: str, sizes: Floats) -> Floats:
    """S of ``name`` at the given sizes when all others have size 0."""
    success, position = success_function(scenario), scenario.names.index(name)
    return success.at(sizes[:, None] * np.eye(success.size)[position])[:, position]


def _size_for(scenario: Scenario, name: str, target: float) -> float:
    """About the smallest size with success ``target``; 1 where none has."""
    grid = np.geomspace(1e-4, 1.0, 400)
    enough = np.flatnonzero(_alone(scenario, name, grid) >= target)
    return float(grid[enough[0]]) if len(enough) else 1.0


def _sizes(logarithmic: bool) -> Floats:
    return np.geomspace(1e-4, 1.0, 1201) if logarithmic else np.linspace(0.0, 1.0, 1201)

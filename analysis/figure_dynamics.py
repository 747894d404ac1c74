"""Figures of how a collective moves: the participation map as a cobweb, and paths over epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from analysis.equilibria import Equilibrium, equilibria
from analysis.figure_style import (
    BLUE,
    DOUBLE,
    GREY,
    INK,
    SINGLE,
    VERMILION,
    blank,
    end_labels,
    fixed_point,
    look,
    number,
    styled,
)
from analysis.mean_field import mean_field_path
from analysis.participation import ParticipationMap, participation_map
from analysis.threshold import critical_threshold
from learners.errors import AlphacritError
from sim.scenario import Scenario

if TYPE_CHECKING:
    from sim.runs import RunResult

Floats = NDArray[np.float64]

BAND = (0.05, 0.95)  # of the replicates at each epoch
MOST_EPOCHS = 5_000  # drawn of a run; of a longer one every second, third, …
FEW = 30  # replicates that are also drawn one by one, as hairlines


@styled
def participation_cobweb(scenario: Scenario, start: float | None = None) -> Figure:
    """The participation map F(α) of one collective, its fixed points, and the path from a start.

    Where F crosses the diagonal participation reproduces itself: filled points are stable, open
    ones are tipping points. The cobweb is what happens when everybody revises at once. A second
    panel enlarges the lower left corner where tipping points are too small to be seen.

    Parameters
    ----------
    scenario : Scenario with one collective
    start : float in [0, 1], optional
        Share of members at the beginning; by default the scenario's.

    Raises
    ------
    ValueError
        There is more than one collective; `interference_map` draws two.
    """
    if len(scenario.names) != 1:
        raise ValueError("a cobweb shows one collective; interference_map draws two")
    name = scenario.names[0]
    participation, points = participation_map(scenario), equilibria(scenario)
    begin = scenario.collectives[name].start if start is None else start
    tipping = [p.alpha[0] for p in points if not p.stable and p.alpha[0] > 0]
    zooms = [1.0]
    if tipping and max(tipping) < 0.1:
        zooms.append(min(1.0, 2.5 * max(*tipping, begin if begin < 0.1 else 0.0)))
    width = SINGLE * len(zooms) if len(zooms) > 1 else SINGLE
    figure, axes = blank(min(width, DOUBLE), 3.2, columns=len(zooms))
    for panel, limit in zip(axes[0], zooms, strict=True):
        _draw_map(panel, participation, points, limit)
        _draw_cobweb(panel, participation, begin, limit)
        panel.set_xlabel(f"share in {name} now, α")
    axes[0, 0].set_ylabel("share who want to be members, F(α)")
    if len(zooms) > 1:
        axes[0, 1].set_title("lower left corner, enlarged")
    return figure


def _draw_map(
    axes: Axes, participation: ParticipationMap, points: Sequence[Equilibrium], limit: float
) -> None:
    around = [p.alpha[0] + side for p in points for side in (-1e-9, 0.0, 1e-9)]
    alpha = np.unique(np.clip([*np.linspace(0, limit, 2001), *around], 0.0, limit))
    axes.plot([0, limit], [0, limit], color=GREY, linewidth=0.8, gid="diagonal")
    axes.plot(alpha, participation.at(alpha[:, None])[:, 0], color=BLUE, gid="map")
    axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
    ticks = [tick for tick in MaxNLocator(5).tick_values(0, limit) if tick <= limit * (1 + 1e-9)]
    axes.set(xticks=ticks, yticks=ticks)
    for point in points:
        if point.alpha[0] <= limit:
            fixed_point(axes, point.alpha[0], point.alpha[0], point.stable)
    _label_points(axes, [p.alpha[0] for p in points], limit)


def _label_points(axes: Axes, values: Sequence[float], limit: float) -> None:
    """Numbers beside the fixed points that are neither 0 nor 1 and far enough from the others."""
    shown = [a for a in values if 0.1 * limit < a < 0.995]
    for value in shown:
        near_edge = value > 0.8 * limit
        axes.annotate(
            number(value),
            (value, value),
            (4, -13) if near_edge else (6, -7),
            textcoords="offset points",
            ha="right" if near_edge else "left",
            va="center",
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )


def _draw_cobweb(axes: Axes, participation: ParticipationMap, start: float, limit: float) -> None:
    path = cobweb(participation, start)
    axes.plot(*path, color=VERMILION, linewidth=0.9, linestyle=(0, (4, 1.5)), gid="cobweb")
    if start <= limit:
        axes.plot([start], [0], marker="^", color=VERMILION, clip_on=False, zorder=6, gid="start")


def cobweb(participation: ParticipationMap, start: float, steps: int = 60) -> tuple[Floats, Floats]:
    """The corners (x, y) of the cobweb from ``start``: up to F(α), across to the diagonal."""
    x, y = [start], [0.0]
    for _ in range(steps):
        now = x[-1]
        following = float(participation.at([now])[0])
        x += [now, following]
        y += [following, following]
        if abs(following - now) < 1e-12:
            break
    return np.array(x), np.array(y)


@styled
def paths(results: RunResult | Sequence[RunResult] | Scenario) -> Figure:
    """Participation α and success S of every collective over the epochs.

    Several replicates of a scenario are drawn as their median and the band from the 5th to the
    95th percentile at each epoch, few also one by one, since some may tip and others not; a run
    that has settled stays where it is. For a scenario the
    mean-field path is drawn. With one collective the critical threshold is marked.
    """
    scenario, series = _series(results)
    replicates = series["replicate"].nunique()
    figure, ((upper,), (lower,)) = blank(SINGLE, 3.9, rows=2, sharex=True)
    for axes, column in ((upper, "alpha"), (lower, "success")):
        tips = []
        for position, name in enumerate(scenario.names):
            table = _by_epoch(series[series["collective"] == name], column)
            tips.append((_draw_band(axes, table, position, name), name, look(position).color))
        axes.set_ylim(0, 1.03 if column == "success" else max(0.02, 1.05 * series[column].max()))
        _label_tips(axes, tips)
    last = int(series["epoch"].max())
    upper.set_xlim(0, max(last, 1))
    lower.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    lower.set_xlabel("epoch")
    upper.set_ylabel("share who are members, α")
    lower.set_ylabel("success, S")
    _mark_critical(upper, scenario, series)
    if replicates > 1:
        upper.set_title(f"median and 90 % band of {replicates} replicates")
    return figure


def _series(results: RunResult | Sequence[RunResult] | Scenario) -> tuple[Scenario, pd.DataFrame]:
    if isinstance(results, Scenario):
        path = mean_field_path(results, results.epochs)
        return results, _until_rest(path.assign(replicate=0))
    several = list(results) if isinstance(results, Sequence) else [results]
    if not several:
        raise ValueError("no results to draw")
    # More epochs than the figure has dots to show are not looked at.
    every = 1 + max(result.summary["epochs"] for result in several) // MOST_EPOCHS
    tables = [
        result.record.table(every).assign(replicate=position)
        for position, result in enumerate(several)
    ]
    return several[0].scenario, pd.concat(tables, ignore_index=True)


def _until_rest(path: pd.DataFrame) -> pd.DataFrame:
    """A path without the epochs at its end in which nothing moves any more, but three."""
    wide = path.pivot(index="epoch", columns="collective", values="alpha")
    moving = np.flatnonzero((wide - wide.iloc[-1]).abs().max(axis=1).to_numpy() > 1e-4)
    last = wide.index[min(len(wide) - 1, (moving[-1] if len(moving) else 0) + 3)]
    return path[path["epoch"] <= last]


def _by_epoch(series: pd.DataFrame, column: str) -> pd.DataFrame:
    """(epochs, replicates); a replicate that stopped earlier keeps its last value."""
    return series.pivot(index="epoch", columns="replicate", values=column).ffill()


def _draw_band(axes: Axes, table: pd.DataFrame, position: int, name: str) -> float:
    """Median line, and band if there is more than one replicate; returns the line's last value."""
    style, epochs = look(position), table.index.to_numpy()
    low, middle, high = np.quantile(table.to_numpy(), [BAND[0], 0.5, BAND[1]], axis=1)
    if table.shape[1] > 1:
        band = axes.fill_between(epochs, low, high, color=style.color, alpha=0.2, linewidth=0)
        band.set_gid(f"band-{name}")
    if 1 < table.shape[1] <= FEW:
        axes.plot(epochs, table.to_numpy(), color=style.color, alpha=0.5, linewidth=0.4)
    axes.plot(
        epochs,
        middle,
        color=style.color,
        linestyle=style.dashes,
        marker=style.marker if len(epochs) <= 30 else None,
        clip_on=False,
        gid=f"path-{name}",
    )
    return float(middle[-1])


def _label_tips(axes: Axes, tips: Sequence[tuple[float, str, str]]) -> None:
    if len(tips) > 1:
        end_labels(axes, tips)


def _mark_critical(axes: Axes, scenario: Scenario, series: pd.DataFrame) -> None:
    """α_crit of a single collective; a symmetric-log axis where it is too small to be seen."""
    if len(scenario.names) != 1:
        return
    try:
        alpha_crit = critical_threshold(scenario, scenario.names[0]).alpha_crit
    except AlphacritError:
        return
    if not alpha_crit:
        return
    make_room(axes, alpha_crit, max(float(series["alpha"].max()), alpha_crit))
    mixed = "" if scenario.population.network is None else ",\nwell mixed"
    axes.axhline(alpha_crit, color=INK, linestyle=":", linewidth=1, gid="crit")
    axes.annotate(
        f"α_crit{mixed}\n= {number(alpha_crit)}",
        (1.0, alpha_crit),
        (4, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )


def make_room(axes: Axes, alpha_crit: float, top: float) -> None:
    """Let the axis of α show α_crit: symmetric-log where it is too small beside ``top``."""
    if not (alpha_crit < 0.05 and top > 0.2):
        axes.set_ylim(0, max(axes.get_ylim()[1], 1.15 * alpha_crit))
        return
    decade = 10.0 ** np.floor(np.log10(alpha_crit))
    axes.set_yscale("symlog", linthresh=decade, linscale=0.6)
    ticks = [0.0, *10.0 ** np.arange(np.log10(decade), 0.5)]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_yticklabels([number(tick) for tick in ticks])
    axes.set_ylim(0, 1.3)

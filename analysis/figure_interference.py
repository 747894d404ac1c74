"""Two collectives: what each does to the other's success, and where best response leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from analysis.equilibria import Equilibrium, equilibria
from analysis.figure_style import (
    BLUE,
    DOUBLE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SINGLE,
    SKY,
    VERMILION,
    blank,
    fixed_point,
    styled,
)
from analysis.participation import ParticipationMap, participation_map

if TYPE_CHECKING:
    from sim.scenario import Scenario

Floats = NDArray[np.float64]

CELLS = 181  # of the maps, along each axis
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
TINTS = (SKY, ORANGE, GREEN, PURPLE, BLUE, VERMILION)


@styled
def interference_map(scenario: Scenario, limit: float | None = None) -> Figure:
    """Success of two collectives over their sizes (α₁, α₂), and the flow of best response.

    Left and middle: S₁ and S₂ with contours; the heavy line is the critical size, where the share
    who want to be members equals the share who are. Right: arrows from α towards F(α), the fixed
    points (filled stable, open not), the start (triangle), and for each starting point what is
    left in the end when everybody revises at once. Sizes that cannot be, for want of people, stay
    white.

    Parameters
    ----------
    scenario : Scenario with two collectives
    limit : float, optional
        Where to end both axes; by default at the largest share that a collective can recruit, or
        at four times the largest critical size where these are too small to be seen.

    Raises
    ------
    ValueError
        There are not two collectives.
    """
    if len(scenario.names) != 2:
        raise ValueError(f"an interference map shows two collectives, not {len(scenario.names)}")
    plane = plane_of(scenario, limit)
    figure, (panels,) = blank(DOUBLE, 2.35, columns=3, sharex=True, sharey=True)
    for k, panel in enumerate(panels[:2]):
        shades = _draw_success(panel, k, plane.alpha, plane.success, plane.wanted)
        panel.set_title(f"success of {scenario.names[k]}")
    figure.colorbar(shades, ax=panels[:2], location="right", fraction=0.05, pad=0.02, ticks=TICKS)
    _draw_best_response(panels[2], plane)
    for panel in panels:
        _frame(panel, plane)
    panels[0].set_ylabel(f"share in {scenario.names[1]}")
    return figure


@styled
def best_response_plane(plane: Plane) -> Figure:
    """The right panel of `interference_map` on its own: flow, fixed points, what is left."""
    figure, ((axes,),) = blank(SINGLE, 3.2)
    _draw_best_response(axes, plane)
    _frame(axes, plane)
    axes.set_ylabel(f"share in {plane.names[1]}")
    return figure


@dataclass(frozen=True)
class Plane:
    """What there is to draw over the sizes of two collectives.

    Attributes
    ----------
    names : of the two
    participation, points : the map F and its fixed points
    start : (2,) sizes at epoch 0
    ends : (2,) where the axes end
    alpha : (CELLS, CELLS, 2) sizes, the second collective's along the first axis
    wanted, success : the same shape, F(α) and S(α); nan where there are too few people
    """

    names: tuple[str, ...]
    participation: ParticipationMap
    points: tuple[Equilibrium, ...]
    start: Floats
    ends: Floats
    alpha: Floats
    wanted: Floats
    success: Floats


def plane_of(scenario: Scenario, limit: float | None = None) -> Plane:
    """F and S over the plane (α₁, α₂); ``limit`` as for `interference_map`."""
    participation, points = participation_map(scenario), equilibria(scenario)
    start = np.array([c.start for c in scenario.collectives.values()])
    ends = np.minimum(_reach(participation), limit or _room(participation, points, start))
    first, second = (np.linspace(0.0, end, CELLS) for end in ends)
    alpha = np.stack(np.meshgrid(first, second), axis=-1)
    possible = alpha.sum(axis=-1) <= 1.0 + 1e-12
    wanted, success = np.full(alpha.shape, np.nan), np.full(alpha.shape, np.nan)
    wanted[possible] = participation.at(alpha[possible])
    success[possible] = participation.success.at(alpha[possible])
    return Plane(scenario.names, participation, points, start, ends, alpha, wanted, success)


def _frame(axes: Axes, plane: Plane) -> None:
    axes.set(xlim=(0, plane.ends[0]), ylim=(0, plane.ends[1]), box_aspect=1)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_xlabel(f"share in {plane.names[0]}")


def _draw_best_response(axes: Axes, plane: Plane) -> None:
    """Basins, flow, fixed points and the start."""
    possible = ~np.isnan(plane.wanted[..., 0])
    _draw_basins(axes, plane.participation, plane.points, plane.alpha, possible, plane.names)
    _draw_flow(axes, plane.alpha, plane.wanted)
    axes.set_title("best response, and what is left")
    shown = [p for p in plane.points if all(np.asarray(p.alpha) <= plane.ends + 1e-12)]
    for point in shown:
        fixed_point(axes, point.alpha[0], point.alpha[1], point.stable)
    if len(shown) < len(plane.points):
        beyond = len(plane.points) - len(shown)
        axes.set_title(f"enlarged: {beyond} more fixed points beyond", fontsize=7)
    if plane.start.any():
        axes.plot(
            *plane.start,
            marker="^",
            color=VERMILION,
            markersize=6,
            clip_on=False,
            zorder=7,
            gid="start",
        )


def _reach(participation: ParticipationMap) -> Floats:
    """The largest share of the population that each collective may recruit."""
    shares = [np.where(each.eligible, each.share, 0.0) for each in participation.classes]
    return np.minimum(np.sum(shares, axis=0), 1.0)


def _room(participation: ParticipationMap, points: Sequence[Equilibrium], start: Floats) -> float:
    """Where to end the axes so that the tipping points of each alone, and the start, are seen."""
    alone = [max(p.alpha) for p in points if not p.stable and min(p.alpha) == 0.0]
    largest, whole = max(alone, default=0.0), float(_reach(participation).max())
    if not 0.0 < largest < 0.08 * whole:
        return whole
    return min(max(4.0 * largest, 1.5 * float(start.max())), whole)


def _draw_success(axes: Axes, k: int, alpha: Floats, success: Floats, wanted: Floats) -> ContourSet:
    """Filled contours of one collective's success, and the line where F_k(α) = α_k."""
    x, y = alpha[..., 0], alpha[..., 1]
    shades = axes.contourf(x, y, success[..., k], levels=np.linspace(0, 1, 11), cmap="cividis")
    shades.set_edgecolor("face")
    # F_k(α) = α_k on whole edges, where nobody is in or nobody is left: no line to draw there.
    beside = np.where(alpha[..., k] > 0.0, 1e-9, -1e-9)
    excess = np.where(
        np.abs(wanted[..., k] - alpha[..., k]) < 1e-12, beside, wanted[..., k] - alpha[..., k]
    )
    axes.contour(x, y, excess, levels=[0.0], colors="white", linewidths=2.6)
    axes.contour(x, y, excess, levels=[0.0], colors=INK, linewidths=1.4)
    return shades


def _draw_flow(axes: Axes, alpha: Floats, wanted: Floats, arrows: int = 13) -> None:
    """Arrows of equal length from α towards F(α)."""
    every = np.linspace(0, CELLS - 1, arrows + 2).round().astype(int)[1:-1]
    tails = alpha[np.ix_(every, every)]
    move = wanted[np.ix_(every, every)] - tails
    length = np.hypot(move[..., 0], move[..., 1])
    with np.errstate(invalid="ignore", divide="ignore"):
        move = np.where(length[..., None] > 1e-9, move / length[..., None], np.nan)
    axes.quiver(
        tails[..., 0],
        tails[..., 1],
        move[..., 0],
        move[..., 1],
        angles="uv",
        pivot="mid",
        scale=22,
        width=0.006,
        headwidth=4,
        color=INK,
        zorder=3,
    )


def basins(
    participation: ParticipationMap, stable: Floats, alpha: Floats, epochs: int = 200
) -> NDArray[np.int64]:
    """Which stable equilibrium (row of ``stable``) best response reaches from each α; −1 none.

    ``alpha`` (n, K) → (n,). Everybody revises at once; a start counts for an equilibrium when it
    ends within 1e-3 of it.
    """
    now = np.array(alpha, float)
    for _ in range(epochs):
        following = participation.at(now)
        if np.abs(following - now).max() < 1e-9:
            break
        now = following
    distance = np.abs(now[:, None, :] - stable[None]).max(axis=-1)  # (n, equilibria)
    nearest = distance.argmin(axis=1)
    return np.where(distance.min(axis=1) < 1e-3, nearest, -1)


def _draw_basins(
    axes: Axes,
    participation: ParticipationMap,
    points: Sequence[Equilibrium],
    alpha: Floats,
    possible: NDArray[np.bool_],
    names: Sequence[str],
) -> None:
    """Tints that say which stable equilibrium a start leads to, named in the middle of each."""
    stable = np.array([p.alpha for p in points if p.stable])
    if not len(stable):
        return
    which = np.full(possible.shape, -1)
    which[possible] = basins(participation, stable, alpha[possible])
    x, y = alpha[..., 0], alpha[..., 1]
    for k in range(len(stable)):
        here = which == k
        if not here.any():
            continue
        tint = tuple(0.35 * np.array(to_rgb(TINTS[k % len(TINTS)])) + 0.65)
        axes.contourf(x, y, here.astype(float), levels=[0.5, 1.5], colors=[tint])
        axes.contour(x, y, here, levels=[0.5], colors=INK, linewidths=0.6)
        if here.mean() < 0.005:  # a sliver has no room for its name
            continue
        middle = _innermost(here)
        axes.text(
            x[middle],
            y[middle],
            _who(stable[k], names),
            ha="center",
            va="center",
            fontsize=7,
            zorder=6,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )


def _innermost(here: NDArray[np.bool_]) -> tuple[int, int]:
    """The cell of a region that is farthest from its edge, where a label has most room."""
    depth = distance_transform_edt(np.pad(here, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row), int(column)


def _who(alpha: Floats, names: Sequence[str]) -> str:
    """Who is left: the collectives with more than a hundredth of the population."""
    left = [name for name, share in zip(names, alpha, strict=True) if share > 0.01]
    return {0: "nobody", len(names): "both"}.get(len(left), " and ".join(left))

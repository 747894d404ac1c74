"""Figures of sweeps over two parameters: heat maps, and phase diagrams with theory on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from analysis.boundary import Segment, axis_of, boundary, is_logarithmic, paid, unaided
from analysis.figure_style import INK, PALE, VERMILION, blank, number, styled
from analysis.formation import Levels, Thresholds, levels_of, outcome_of
from analysis.sweep_data import SweepData, SweepResults, is_number, sweep_data

Floats = NDArray[np.float64]
What = SweepData | SweepResults | str | Path
SHARES = ("alpha", "success", "formed")  # outcomes between 0 and 1
GRID_FILLED = 0.4  # share of a lattice's cells that must have points for it to be one


@dataclass(frozen=True)
class Plane:
    """Outcomes over two addresses.

    Attributes
    ----------
    x, y : addresses
    x_labels, y_labels : words of an address whose values are no numbers, else None
    points : DataFrame
        ``x``, ``y`` (numbers, or places of words) and ``value``, one row per place in the plane
    averaged : other addresses that vary
    """

    x: str
    y: str
    x_labels: tuple[str, ...] | None
    y_labels: tuple[str, ...] | None
    points: pd.DataFrame
    averaged: tuple[str, ...]


@styled
def heat_map(
    what: What,
    x: str | None = None,
    y: str | None = None,
    outcome: str | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    levels: Levels | None = None,
) -> Figure:
    """An outcome over the plane of two parameters.

    The colour is the mean over the replicates, and over whatever else varies. Places of which no
    run is there (yet) are hatched. A design without a lattice is drawn point by point.

    Parameters
    ----------
    what : an opened sweep (``alphacrit.load``), its folder, or ``SweepData``
    x, y : addresses; default the first two that vary, numbers first
    outcome : as for ``analysis.sensitivity.sensitivity``
    at : values of other addresses, to look at these points only
    levels : from which sizes on collectives have formed (for ``formed.…``)

    Raises
    ------
    ValueError
        There are no two such addresses, no such outcome, or no such points.
    """
    data = sweep_data(what)
    outcome = outcome or f"alpha.{data.scenario.names[0]}"
    plane = plane_of(data, x, y, outcome, at, levels)
    figure, ((axes,),) = blank(4.2, 3.3)
    _draw(figure, axes, plane, _span(outcome, plane), outcome)
    axes.set_title(_title("mean over", data, plane))
    return figure


@styled
def phase_diagram(
    what: What,
    x: str | None = None,
    y: str | None = None,
    collective: str | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    levels: Levels | None = None,
    thresholds: Thresholds | None = None,
) -> Figure:
    """Where a collective forms in the plane of two parameters, and where theory says it does.

    The colour is the formation probability (``analysis.formation``). The dark line is the border of
    theory: start = α_crit, which is the curve of α_crit itself where one axis is the start. With a
    principal the red line is budget = B(α_crit), beyond which she surely succeeds. Lines are drawn
    where both addresses are numbers and nothing else varies.

    Parameters
    ----------
    what, x, y, at, levels : as for `heat_map`
    collective : name; default the first
    thresholds : what was solved before
    """
    data = sweep_data(what)
    name = collective or data.scenario.names[0]
    thresholds = thresholds or Thresholds()
    levels = levels_of(data, thresholds=thresholds) if levels is None else levels
    plane = plane_of(data, x, y, f"formed.{name}", at, levels)
    figure, ((axes,),) = blank(4.2, 3.5)
    _draw(figure, axes, plane, (0.0, 1.0), f"share of runs in which {name} forms")
    axes.set_title(_title("formation probability over", data, plane))
    handles = _draw_theory(axes, data, plane, name, at or {}, thresholds)
    if handles:
        figure.legend(handles=handles, loc="outside lower left", frameon=False, ncols=2)
    return figure


def plane_of(
    data: SweepData,
    x: str | None,
    y: str | None,
    outcome: str,
    at: Mapping[str, Any] | None,
    levels: Levels | None,
) -> Plane:
    """The means of an outcome by place in the plane; nan where no run is there."""
    x, y = addresses_of(data, x, y)
    points = data.points
    for address, value in (at or {}).items():
        points = points[points[data.check_address(address)] == value]
    if not len(points):
        raise ValueError(f"at: got {dict(at or {})}; no point of the sweep is there")
    runs = pd.DataFrame({"point": data.ended_well["point"]})
    runs["value"] = outcome_of(data, outcome, levels)
    means = runs.groupby("point")["value"].mean()
    table = pd.DataFrame({"value": means.reindex(points.index)})
    labels = []
    for column, address in (("x", x), ("y", y)):
        values, words = _places(points[address])
        table[column] = values
        labels.append(words)
    table = table.groupby(["x", "y"])[["value"]].mean().reset_index()
    varying = [name for name in data.addresses if points[name].astype(str).nunique() > 1]
    averaged = tuple(name for name in varying if name not in (x, y))
    return Plane(x, y, labels[0], labels[1], table, averaged)


def addresses_of(data: SweepData, x: str | None, y: str | None) -> tuple[str, str]:
    """The two addresses of a plane; those not given are the first that vary, numbers first."""
    ordered = sorted(data.addresses, key=lambda name: not data.is_numeric(name))
    free = [name for name in ordered if name not in (x, y)]
    chosen = [data.check_address(each) if each else None for each in (x, y)]
    for place in (0, 1):
        if chosen[place] is None:
            if not free:
                raise ValueError(f"a plane has two parameters; {len(ordered)} vary in this sweep")
            chosen[place] = free.pop(0)
    if chosen[0] == chosen[1]:
        raise ValueError(f"x and y are both {x}; must be two addresses")
    return str(chosen[0]), str(chosen[1])


def _places(values: pd.Series) -> tuple[Floats, tuple[str, ...] | None]:
    """Numbers as they are; of words their places in the order of the design, and the words."""
    if all(map(is_number, values.tolist())):
        return values.to_numpy(float), None
    words = values.astype(str).tolist()
    known = list(dict.fromkeys(words))
    return np.array([known.index(word) for word in words], float), tuple(known)


def _span(outcome: str, plane: Plane) -> tuple[float, float]:
    """Ends of the colours: 0 to 1 for shares, else what there is."""
    value = plane.points["value"].dropna()
    if outcome.partition(".")[0] in SHARES or value.empty:
        return 0.0, 1.0
    low, high = float(value.min()), float(value.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _title(words: str, data: SweepData, plane: Plane) -> str:
    many = max(data.wanted.values(), default=1)
    ended = data.ended_well["point"].value_counts().sum()
    so_far = " so far" if ended < sum(data.wanted.values()) else ""
    title = f"{words} {many} replicate{'s' * (many > 1)}{so_far}"
    if not plane.averaged:
        return title
    others = len(plane.averaged)
    return f"{title};\n{others} more parameter{'s vary' if others > 1 else ' varies'}"


def _draw(figure: Figure, axes: Axes, plane: Plane, span: tuple[float, float], label: str) -> None:
    """The plane in colours with its bar."""
    points = plane.points
    xs, ys = np.unique(points["x"]), np.unique(points["y"])
    log = [is_logarithmic(v) and not words for v, words in (
        (xs, plane.x_labels), (ys, plane.y_labels))]  # fmt: skip
    axes.spines[["top", "right"]].set_visible(True)
    if len(points) >= GRID_FILLED * len(xs) * len(ys):
        table = points.pivot(index="y", columns="x", values="value").reindex(ys, columns=xs)
        shades: Any = axes.pcolormesh(
            _edges(xs, log[0]), _edges(ys, log[1]), table.to_numpy(float), cmap="cividis",
            vmin=span[0], vmax=span[1], rasterized=True, gid="cells",
        )  # fmt: skip
        axes.patch.set(facecolor=PALE, hatch="////", edgecolor="white")  # seen through gaps
    else:
        shades = axes.scatter(
            points["x"], points["y"], c=points["value"], cmap="cividis", vmin=span[0],
            vmax=span[1], s=16, edgecolors=INK, linewidths=0.3, gid="points",
        )  # fmt: skip
    for axis, address, words, scale in (
        (axes.xaxis, plane.x, plane.x_labels, log[0]),
        (axes.yaxis, plane.y, plane.y_labels, log[1]),
    ):
        axis.set_label_text(address)
        if words:
            axis.set_ticks(range(len(words)), words)
        elif scale:
            (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
    bar = figure.colorbar(shades, ax=axes, fraction=0.06, pad=0.02)
    bar.set_label(label)
    bar.outline.set_linewidth(0.4)


def _edges(centres: Floats, log: bool) -> Floats:
    """Edges of cells around the values, half-way between them."""
    places = np.log(centres) if log else centres
    if len(places) == 1:
        half = 0.5 if not log else 0.1
        edges = np.array([places[0] - half, places[0] + half])
    else:
        middle = 0.5 * (places[1:] + places[:-1])
        first, last = 2 * places[0] - middle[0], 2 * places[-1] - middle[-1]
        edges = np.concatenate([[first], middle, [last]])
    return np.exp(edges) if log else edges


def _draw_theory(
    axes: Axes,
    data: SweepData,
    plane: Plane,
    name: str,
    at: Mapping[str, Any],
    thresholds: Thresholds,
) -> list[Line2D]:
    """The borders of theory, for the legend, where they are known and not hidden by an average."""
    few = any(plane.points[each].nunique() < 2 for each in ("x", "y"))
    if plane.x_labels or plane.y_labels or plane.averaged or few:
        return []
    base = data.scenario
    x = axis_of(base, plane.x, plane.points["x"].tolist())
    y = axis_of(base, plane.y, plane.points["y"].tolist())
    start = f"collectives.{name}.start"
    meets = f"α_crit = {number(base.collectives[name].start)}, the start"
    words = "α_crit" if start in (plane.x, plane.y) else meets
    handles = []
    for margin, color, label in ((unaided, INK, words), (paid, VERMILION, "B(α_crit) = budget")):
        lines = boundary(base, x, y, name, margin=margin, others=at, thresholds=thresholds)
        if lines:
            _draw_lines(axes, lines, color, margin.__name__)
            handles.append(Line2D([], [], color=color, linewidth=1.6, label=f"theory: {label}"))
    return handles


def _draw_lines(axes: Axes, lines: Sequence[Segment], color: str, gid: str) -> None:
    for width, tint, mark in ((3.0, "white", f"{gid}-casing"), (1.6, color, gid)):
        drawn = LineCollection(list(lines), colors=tint, linewidths=width, capstyle="round")
        drawn.set_gid(mark)
        axes.add_collection(drawn, autolim=False)

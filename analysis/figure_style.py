"""How the figures look, and how they are written: one place for colours, sizes and bytes.

Colours are those of Okabe and Ito (2008), which colour-blind readers tell apart; each goes with a
line style and a marker of its own, so that a grey print can be read too. Nothing here or in
`analysis.figures` uses pyplot or changes matplotlib's settings for anybody else: a figure is made
and written inside ``matplotlib.rc_context``. The same figure gives the same bytes (SVG without a
date and with a fixed salt for its identifiers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SINGLE, DOUBLE = 3.35, 7.0  # widths of one and two columns, in inches (85 and 178 mm)
DOTS_PER_INCH = 200

INK, GREY, PALE = "#222222", "#777777", "#d9d9d9"
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)


class Look(NamedTuple):
    """How one collective, or one member of a family, is drawn everywhere."""

    color: str
    dashes: str | tuple[float, Sequence[float]]
    marker: str


LOOKS = (
    Look(BLUE, "solid", "o"),
    Look(VERMILION, (0.0, (5, 2)), "s"),
    Look(GREEN, (0.0, (5, 1.5, 1, 1.5)), "^"),
    Look(PURPLE, (0.0, (1.2, 1.4)), "D"),
    Look(ORANGE, (0.0, (8, 2)), "v"),
    Look(SKY, (0.0, (5, 1.2, 1, 1.2, 1, 1.2)), "P"),
)

RC: Any = {  # matplotlib types its settings name by name
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same glyphs everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "hatch.linewidth": 0.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "alphacrit",
    "svg.fonttype": "path",
}

P = ParamSpec("P")


def look(position: int) -> Look:
    """The look of the collective at ``position`` (0-based) in the file."""
    return LOOKS[position % len(LOOKS)]


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function with the settings above and leave matplotlib's own as they were."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(RC):
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()  # ticks are made when first drawn: make them here
        return figure

    return inside


def blank(width: float, height: float, rows: int = 1, columns: int = 1, **share: Any) -> Any:
    """A figure and its axes, (rows, columns) of them as an array."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **share)


def save(figure: Figure, stem: str | Path) -> tuple[Path, Path]:
    """Write ``stem``.png (200 dots per inch) and ``stem``.svg; returns both paths."""
    stem = Path(stem)
    png, svg = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")
    with mpl.rc_context(RC):
        figure.savefig(png, dpi=DOTS_PER_INCH, metadata={"Software": None})
        figure.savefig(svg, metadata={"Date": None, "Creator": "alphacrit"})
    return png, svg


def end_labels(axes: Axes, labels: Sequence[tuple[float, str, str]], gap: float = 0.075) -> None:
    """Write (height, text, colour) beside the right edge, moved apart where they would overlap.

    ``gap`` is the least distance of two labels as a share of the axes' height.
    """
    if not labels:
        return
    points = np.array([(axes.get_xlim()[1], y) for y, _, _ in labels])
    heights = axes.transAxes.inverted().transform(axes.transData.transform(points))[:, 1]
    order = np.argsort(heights, kind="stable")
    placed = heights[order].clip(0.0, 1.0)
    for above in range(1, len(placed)):
        placed[above] = max(placed[above], placed[above - 1] + gap)
    placed[-1] = min(placed[-1], 1.0)  # not above the axes: push down those in the way
    for below in range(len(placed) - 2, -1, -1):
        placed[below] = min(placed[below], placed[below + 1] - gap)
    for position, height in zip(order, placed, strict=True):
        _, text, color = labels[position]
        axes.annotate(
            text,
            (1.0, height),
            (4, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            color=color,
            annotation_clip=False,
        )


def fixed_point(axes: Axes, x: float, y: float, stable: bool) -> None:
    """A fixed point: filled if stable, open if not."""
    axes.plot(
        [x],
        [y],
        marker="o",
        markersize=5.5,
        markeredgecolor=INK,
        markerfacecolor=INK if stable else "white",
        linestyle="none",
        clip_on=False,
        zorder=5,
        gid="stable" if stable else "unstable",
    )


def number(value: float, digits: int = 4) -> str:
    """A number as in a text: 0.0157, 37.13, 0; no exponent for what a reader meets here."""
    return f"{value:.{digits}g}" if value == 0 or abs(value) >= 1e-4 else f"{value:.2e}"

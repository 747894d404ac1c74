"""The population itself: people as cells sorted by threshold, or as nodes of their network."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray

from analysis.figure_live import Frame, Picture
from analysis.figure_style import GREY, PALE, SINGLE, blank, look, styled
from sim.networks import Graph
from sim.payoffs import threshold
from sim.population import Population

Floats = NDArray[np.float64]

MOST_CELLS = 100_000  # of larger populations every second, third, … person is shown
MOST_NODES = 2_000  # of a network; larger ones are shown as a field
MOST_EDGES = 20_000
RATIO = 1.6  # of the field's columns to its rows
GOLDEN = np.pi * (3.0 - np.sqrt(5.0))  # the angle of a sunflower's seeds


class LiveField(Picture):
    """Everybody as a cell: the most willing on the left, coloured by membership."""

    title = "The people"

    def __init__(
        self, population: Population, names: tuple[str, ...], on_network: bool = False
    ) -> None:
        super().__init__(_field_axes())
        if on_network:
            self.title = f"The people (a network of over {MOST_NODES:,} is not drawn)"
        self.names = names
        (axes,) = self.figure.axes
        self._order = willing_first(population)
        rows = max(1, int(np.sqrt(len(self._order) / RATIO)))
        self._shape = (-(-len(self._order) // rows), rows)
        self._cells = np.full(self._shape, np.nan)
        colors = [PALE, *(look(k).color for k in range(len(names)))]
        self._image = axes.imshow(
            self._cells.T, cmap=ListedColormap(colors), vmin=-0.5, vmax=len(names) + 0.5,
            interpolation="nearest", aspect="auto", extent=(0, 1, 0, 1), origin="lower",
        )  # fmt: skip
        self._counts = _legend(axes, names)
        self.moves(self._image, self._counts)

    def show(self, frame: Frame) -> None:
        if frame.membership is None:
            return
        self._cells.reshape(-1)[: len(self._order)] = frame.membership[self._order]
        self._image.set_data(self._cells.T)
        self._counts.set_text(counted(frame.membership, self.names))

    def words(self, frame: Frame) -> str:
        return f"The people, the most willing on the left: {counted(frame.membership, self.names)}."


class LiveNetwork(Picture):
    """Everybody as a node of the network, coloured and shaped by membership."""

    title = "The people and their network"

    def __init__(self, graph: Graph, places: Floats, names: tuple[str, ...]) -> None:
        super().__init__(_network_axes(graph, places))
        self.names, self._places = names, places
        (axes,) = self.figure.axes
        size = float(np.clip(90.0 / np.sqrt(len(places)), 1.5, 7.0))
        looks = [(GREY, "."), *((look(k).color, look(k).marker) for k in range(len(names)))]
        self._nodes = [
            axes.plot([], [], linestyle="none", marker=marker, color=color, markersize=size)[0]
            for color, marker in looks
        ]
        self._counts = _legend(axes, names)
        self.moves(*self._nodes, self._counts)

    def show(self, frame: Frame) -> None:
        if frame.membership is None:
            return
        for state, nodes in enumerate(self._nodes):
            nodes.set_data(*self._places[frame.membership == state].T)
        self._counts.set_text(counted(frame.membership, self.names))

    def words(self, frame: Frame) -> str:
        return f"The people on their network: {counted(frame.membership, self.names)}."


def people_picture(
    population: Population, graph: Graph | None, kind: str | None, names: tuple[str, ...]
) -> Picture:
    """The network where there is one that can be drawn, else the field."""
    if graph is None or kind is None or population.size > MOST_NODES:
        return LiveField(population, names, on_network=graph is not None)
    return LiveNetwork(graph, layout(graph, kind, population.group), names)


def willing_first(population: Population) -> NDArray[np.int64]:
    """Rows of the people who are shown, by threshold θ = c/(1−γ), the most willing first;
    those who ask for the same by group."""
    theta = threshold(population.cost, population.free_riding)
    every = -(-population.size // MOST_CELLS)
    return np.lexsort((population.group, theta))[::every]


def counted(membership: NDArray[np.integer] | None, names: tuple[str, ...]) -> str:
    """``union 812, outside 9,188``."""
    if membership is None:
        return "not known one by one"
    counts = np.bincount(membership, minlength=len(names) + 1)
    each = [f"{name} {count:,}" for name, count in zip(names, counts[1:], strict=True)]
    return ", ".join([*each, f"outside {counts[0]:,}"])


# --- the still part ------------------------------------------------------------------------------


def layout(graph: Graph, kind: str, group: NDArray[np.integer]) -> Floats:
    """(N, 2) places: a ring as a ring, blocks as disks beside each other, else one disk.

    In a disk those with the most neighbours stand in the middle. O(N log N): a spring layout of
    2,000 nodes would take seconds.
    """
    if kind == "watts_strogatz":
        angle = 2 * np.pi * np.arange(len(graph.degree)) / len(graph.degree)
        return np.column_stack([np.cos(angle), np.sin(angle)])
    if kind != "stochastic_block":
        return _disk(graph.degree)
    blocks = np.unique(group)
    places = np.zeros((len(group), 2))
    for position, block in enumerate(blocks):
        inside = np.flatnonzero(group == block)
        around = 2 * np.pi * position / len(blocks)
        middle = (1.3 if len(blocks) > 1 else 0.0) * np.array([np.cos(around), np.sin(around)])
        places[inside] = middle + _disk(graph.degree[inside]) * np.sqrt(len(inside) / len(group))
    return places


def _disk(degree: NDArray[np.int64]) -> Floats:
    """Seeds of a sunflower, the largest degree in the middle."""
    rank = np.empty(len(degree))
    rank[np.argsort(-degree, kind="stable")] = np.arange(len(degree))
    radius, angle = np.sqrt((rank + 0.5) / len(degree)), GOLDEN * rank
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


@styled
def _field_axes() -> Figure:
    figure, ((axes,),) = blank(SINGLE, 2.7)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_xlabel("people: those who ask for the least success on the left")
    axes.set_title(" ")  # room for the counts
    return figure


@styled
def _network_axes(graph: Graph, places: Floats) -> Figure:
    figure, ((axes,),) = blank(SINGLE, 3.2)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    edges = graph.edges()[:: -(-len(graph.indices) // (2 * MOST_EDGES)) or 1]
    axes.add_collection(LineCollection(list(places[edges]), colors=PALE, linewidths=0.3))
    span = np.abs(places).max() * 1.05
    axes.set(xlim=(-span, span), ylim=(-span, span))
    axes.set_title(" ")
    return figure


def _legend(axes: Axes, names: tuple[str, ...]) -> Text:
    """A line above the axes for the counts, with the colours of the collectives before it."""
    colors = [look(k).color for k in range(len(names))]
    for position, color in enumerate([*colors, PALE]):
        patch = Rectangle(
            (0.045 * position, 1.03), 0.035, 0.035, transform=axes.transAxes, facecolor=color,
            clip_on=False,
        )  # fmt: skip
        axes.add_artist(patch)
    start = 0.045 * (len(colors) + 1) + 0.01
    return axes.text(start, 1.03, "", transform=axes.transAxes, fontsize=7, va="bottom", ha="left")

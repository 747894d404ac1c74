"""Live pictures over the size of a collective: the map, the threshold, the plane of two."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from analysis.figure_dynamics import participation_cobweb
from analysis.figure_interference import Plane, best_response_plane
from analysis.figure_live import Frame, Picture
from analysis.figure_style import INK, ORANGE, PALE, RC, SINGLE, VERMILION, number
from analysis.figure_threshold import threshold_and_investment
from analysis.landmarks import Landmarks
from sim.scenario import Scenario

TRAIL = 200  # the latest steps of a path that are drawn over a map


class LiveCobweb(Picture):
    """The participation map, and the way of the run along it.

    ``figure`` is a `participation_cobweb`, of which one panel is kept: beside each other on a
    phone they would be too small to read.
    """

    title = "Who wants to be a member"

    def __init__(self, figure: Figure, panel: int, name: str) -> None:
        kept = figure.axes[panel]
        kept.set_ylabel(figure.axes[0].get_ylabel())
        for axes in figure.axes[:]:
            if axes is not kept:
                axes.remove()
        kept.set_subplotspec(GridSpec(1, 1, figure)[0])
        figure.set_size_inches(SINGLE, figure.get_figheight())
        for line in [each for each in kept.lines if each.get_gid() in ("cobweb", "start")]:
            line.remove()  # the path that people will take in theory: here they take their own
        super().__init__(figure)
        self.name = name
        if panel > 0:
            self.title += ", enlarged"
        (self._path,) = kept.plot([], [], color=VERMILION, linewidth=1.1)
        self._point, self._limit = _point(kept), kept.get_xlim()[1]
        self.moves(self._path, self._point)

    @classmethod
    def panels(cls, scenario: Scenario) -> list[LiveCobweb]:
        """The map, and its lower left corner where tipping points are too small to be seen."""
        name = scenario.names[0]
        count = len(participation_cobweb(scenario).axes)
        return [cls(participation_cobweb(scenario), panel, name) for panel in range(count)]

    def show(self, frame: Frame) -> None:
        alpha = frame.alpha[-TRAIL:, 0]
        corners = np.repeat(alpha, 2)
        x, y = corners[:-1], corners[1:]
        if len(frame.alpha) <= TRAIL:
            x, y = np.append(alpha[0], x), np.append(0.0, y)
        self._path.set_data(x, y)
        self._point.set_data([alpha[-1]], [alpha[-1]])
        self._point.set_visible(alpha[-1] <= self._limit)

    def words(self, frame: Frame) -> str:
        return (
            f"The participation map of {self.name}: at a share of {frame.alpha[-1, 0]:.4g} the run "
            "stands on the diagonal; above it more people want to join than are members."
        )


class LiveThreshold(Picture):
    """Success against what people ask for, and the money that was spent to get there."""

    title = "Threshold and investment"

    def __init__(self, scenario: Scenario, marks: Landmarks) -> None:
        principal = scenario.principal
        self.name = scenario.names[0] if principal is None else principal.collective
        super().__init__(threshold_and_investment(scenario, self.name))
        self._column = scenario.names.index(self.name)
        self.needed = marks.investment.get(self.name)
        (self.axes,) = self.figure.axes
        self.right = self.axes.get_xlim()[1]
        self._line = self.axes.axvline(0.0, color=VERMILION, linewidth=1.0)
        self._point = _point(self.axes)
        self.moves(self._line, self._point)
        self.budget = None if principal is None else principal.budget
        if self.budget is not None:
            with mpl.rc_context(RC):
                self._add_money(self.budget)

    def _add_money(self, budget: float) -> None:
        """A bar above the axes: spent, of the budget, with B marked."""
        bar = self.axes.inset_axes((0.0, 1.1, 1.0, 0.06))
        bar.set(xlim=(0, max(budget, self.needed or 0.0) or 1.0), ylim=(0, 1), facecolor=PALE)
        bar.set(xticks=[], yticks=[])
        bar.axvline(budget, color=INK, linewidth=1.2)
        if self.needed is not None:
            bar.axvline(self.needed, color=INK, linewidth=2.0)
            bar.set_xticks([self.needed], [f"B = {number(self.needed)}"])
            bar.xaxis.tick_top()
        self._bar = Rectangle((0, 0), 0, 1, facecolor=ORANGE, edgecolor="none")
        bar.add_patch(self._bar)
        self._spent = bar.text(0.0, -0.9, "", fontsize=7, va="center", ha="left", color=INK)
        self.moves(self._bar, self._spent)

    def show(self, frame: Frame) -> None:
        alpha, success = frame.alpha[-1, self._column], frame.success[-1, self._column]
        seen = min(float(alpha), self.right)
        self._line.set_xdata([seen, seen])
        self._point.set_data([seen], [success])
        self._point.set_marker(">" if alpha > self.right else "o")
        if self.budget is not None:
            spent = float(frame.spent[-1])
            self._bar.set_width(spent)
            self._spent.set_text(f"spent {number(spent)} of {number(self.budget)} utility")

    def words(self, frame: Frame) -> str:
        text = (
            f"Success of {self.name} against what people ask for: at a share of "
            f"{frame.alpha[-1, self._column]:.4g} success is {frame.success[-1, self._column]:.4g}."
        )
        if self.budget is not None:
            text += f" Spent {frame.spent[-1]:.4g} utility of a budget of {self.budget:.4g}"
            text += "." if self.needed is None else f"; B is {self.needed:.4g}."
        return text


class LivePlane(Picture):
    """Two collectives: where best response leads from every pair of sizes, and the run's path."""

    title = "Two collectives at once"

    def __init__(self, plane: Plane) -> None:
        super().__init__(best_response_plane(plane))
        self.names = plane.names
        (axes,) = self.figure.axes
        (self._path,) = axes.plot([], [], color=VERMILION, linewidth=1.6, zorder=8)
        self._point = _point(axes)
        self.moves(self._path, self._point)

    def show(self, frame: Frame) -> None:
        self._path.set_data(*frame.alpha[-TRAIL:].T)
        self._point.set_data([frame.alpha[-1, 0]], [frame.alpha[-1, 1]])

    def words(self, frame: Frame) -> str:
        first, second = frame.alpha[-1]
        return (
            f"The plane of the sizes of {self.names[0]} and {self.names[1]}, with arrows where "
            f"people want to go. The run stands at {first:.4g} and {second:.4g}."
        )


def _point(axes: Axes) -> Line2D:
    """The present state: a ringed dot that stands out on every ground."""
    (point,) = axes.plot(
        [], [], marker="o", markersize=7, color=VERMILION, markeredgecolor="white",
        markeredgewidth=1.2, linestyle="none", clip_on=False, zorder=9,
    )  # fmt: skip
    return point

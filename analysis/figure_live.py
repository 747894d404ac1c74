"""Pictures of a run under way: a still part that is drawn once, and a moving part over it.

The still part is a figure of `analysis.figures` (curves, map, fixed points), rendered once and kept
as pixels. At every epoch only what moves is drawn over a copy of these pixels.

matplotlib's settings belong to the whole process, and the pages of several people draw in threads
of one process: whoever makes or draws a picture holds ``DRAWING``.
"""

from __future__ import annotations

import io
import threading
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from analysis.figure_dynamics import make_room
from analysis.figure_style import GREY, INK, RC, SINGLE, blank, end_labels, look, number, styled
from analysis.landmarks import Landmarks
from sim.scenario import Scenario

Floats = NDArray[np.float64]

DRAWING = threading.Lock()
PIXELS_PER_INCH = 160
FIRST_HORIZON = 10  # epochs that are shown from the beginning


class Frame(NamedTuple):
    """The state of an economy at one moment, and how it came there.

    Attributes
    ----------
    epoch : (T,) epochs so far
    alpha, success : (T, K) sizes and success of the collectives
    spent : (T,) what the principal has paid, in utility
    membership : (N,) 0 outside, k in the k-th collective; None where only sizes are known
    """

    epoch: NDArray[np.int64]
    alpha: Floats
    success: Floats
    spent: Floats
    membership: NDArray[np.integer] | None


class Picture(ABC):
    """A figure with artists that move; `png` draws only these over the rest.

    Attributes
    ----------
    title : what it is, in two or three words
    moving : artists that are drawn anew each time
    """

    title = ""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        figure.set_dpi(PIXELS_PER_INCH)
        self._canvas = FigureCanvasAgg(figure)
        self._still: Any = None
        self.moving: list[Artist] = []

    @abstractmethod
    def show(self, frame: Frame) -> None:
        """Move the artists to where the frame has them."""

    @abstractmethod
    def words(self, frame: Frame) -> str:
        """What the picture shows, for those who cannot see it."""

    def moves(self, *artists: Artist) -> None:
        """Let these artists be drawn anew in every frame."""
        for artist in artists:
            artist.set_animated(True)
            artist.set_in_layout(False)  # wherever it goes, the axes stay
            self.moving.append(artist)

    def redraw_all(self) -> None:
        """The still part has changed (an axis has grown): draw it anew next time."""
        self._still = None

    def png(self) -> bytes:
        """The picture as PNG; a dark page turns the lightness of its colours round."""
        if self._still is None:
            self._draw_still()
        self._canvas.restore_region(self._still)
        for artist in self.moving:
            assert artist.axes is not None
            artist.axes.draw_artist(artist)
        pixels = np.asarray(self._canvas.buffer_rgba())[..., :3]
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, "png", compress_level=1)
        return written.getvalue()

    def _draw_still(self) -> None:
        with mpl.rc_context(RC):
            self._canvas.draw()
            self.figure.set_layout_engine("none")  # the axes stay where they are from now on
        self._still = self._canvas.copy_from_bbox(self.figure.bbox)


class LivePaths(Picture):
    """α and S of every collective over the epochs, with α_crit and stable equilibria as lines."""

    title = "Members and success over time"

    def __init__(self, scenario: Scenario, marks: Landmarks) -> None:
        super().__init__(_path_axes(scenario, marks))
        self.names = scenario.names
        self.upper, self.lower = self.figure.axes
        self._lines = []
        for axes in (self.upper, self.lower):
            for k in range(len(self.names)):
                style = look(k)
                drawn = axes.plot(
                    [], [], color=style.color, linestyle=style.dashes, marker=style.marker,
                    markevery=[-1], clip_on=False,
                )  # fmt: skip
                self._lines += drawn
        self.moves(*self._lines)

    def show(self, frame: Frame) -> None:
        columns = np.concatenate([frame.alpha, frame.success], axis=1).T
        for line, values in zip(self._lines, columns, strict=True):
            line.set_data(frame.epoch, values)
            line.set_markevery([len(frame.epoch) - 1])
        if frame.epoch[-1] > self.lower.get_xlim()[1]:
            self.lower.set_xlim(0, horizon(int(frame.epoch[-1])))
            self.redraw_all()

    def words(self, frame: Frame) -> str:
        now = ", ".join(
            f"{name}: {alpha:.4g} of the people are members, success {success:.4g}"
            for name, alpha, success in zip(
                self.names, frame.alpha[-1], frame.success[-1], strict=True
            )
        )
        return f"Members and success over {frame.epoch[-1]} epochs. Now {now}."


def horizon(epoch: int) -> int:
    """Where the axis of epochs ends: it doubles when it is reached."""
    end = FIRST_HORIZON
    while end < epoch:
        end *= 2
    return end


@styled
def _path_axes(scenario: Scenario, marks: Landmarks) -> Figure:
    """Empty axes of α and S with the lines that a run is measured against."""
    figure, ((upper,), (lower,)) = blank(SINGLE, 3.6, rows=2, sharex=True)
    crits = [c for c in marks.alpha_crit.values() if c]
    upper.set_ylim(0, 1.03)
    if crits:
        make_room(upper, min(crits), 1.0)
    lower.set(xlim=(0, FIRST_HORIZON), ylim=(0, 1.03))
    lower.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    upper.set_ylabel("members, α")
    lower.set_ylabel("success, S")
    lower.set_xlabel("epoch")
    _draw_marks(upper, scenario, marks)
    if len(scenario.names) > 1:
        ends = [(0.9 - 0.12 * k, name, look(k).color) for k, name in enumerate(scenario.names)]
        end_labels(lower, ends)
    return figure


def _draw_marks(axes: Axes, scenario: Scenario, marks: Landmarks) -> None:
    alone = len(scenario.names) == 1
    labels = []
    for k, name in enumerate(scenario.names):
        color = INK if alone else look(k).color
        for alpha in marks.stable(k):
            axes.axhline(alpha, color=GREY, linewidth=0.8, clip_on=False, gid="stable")
            labels.append((alpha, "stable", GREY))
        crit = marks.alpha_crit.get(name)
        if crit:
            axes.axhline(crit, color=color, linestyle=":", linewidth=1.2, gid="crit")
            labels.append((crit, f"α_crit {'' if alone else name}\n= {number(crit)}", color))
    end_labels(axes, list(dict.fromkeys(labels)), gap=0.16)

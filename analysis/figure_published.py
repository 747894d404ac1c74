"""Published measurements with transformers beside one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from analysis.figure_style import DOUBLE, GREY, INK, PALE, blank, look, styled
from analysis.published import HARDT_2023, KARAN_2025, PublishedCurve, PublishedRange

if TYPE_CHECKING:
    from learners.measured.table import MeasuredTable

Floats = npt.NDArray[np.float64]
Published = PublishedCurve | PublishedRange
STUDIES: dict[str, Mapping[str, tuple[Published, ...]]] = {
    "hardt2023": HARDT_2023,
    "karan2025": KARAN_2025,
}


@styled
def published_and_measured(
    study: str, part: str, measured: Mapping[str, MeasuredTable] | None = None
) -> Figure:
    """What a paper measured (left) and what was measured here (right), on one scale of success.

    Sizes are each collective's own share of the data, on a logarithmic axis. On the left a curve is
    what was read off a figure, a grey band or line the sizes that a text gives. On the right
    points are means over replicates, and whiskers reach from the smallest to the largest of them;
    of several collectives those sizes are drawn at which all others are 0 ("alone") or as large
    ("together").

    The papers count texts that carry the signal. For "feature-only" a table is to be compared only
    if its members all have the target's label (`recruits`, as in
    scenarios/literature/hardt-2023/figure-3.toml): others are members who plant nothing.

    Parameters
    ----------
    study : {"hardt2023", "karan2025"}
    part : str
        "feature–label" or "feature-only"; "one token" or "a token each".
    measured : mapping of labels to tables of measurements, optional
        As `alphacrit learn` writes them; see `learners.measured.table.read_table`.

    Raises
    ------
    ValueError
        There is no such study or part.

    References
    ----------
    Hardt et al. 2023, section 5; Karan et al. 2025, figure 3; theory page, sections 3 and 6.
    """
    if study not in STUDIES or part not in STUDIES[study]:
        known = [f"{s}: {', '.join(parts)}" for s, parts in STUDIES.items()]
        raise ValueError(f"got {study!r}, {part!r}; must be one of {'; '.join(known)}")
    figure, ((left, right),) = blank(DOUBLE, 2.8, columns=2, sharex=True, sharey=True)
    for position, each in enumerate(STUDIES[study][part]):
        _draw_published(left, each, position)
    left.set_title(f"published: {study[:-4].capitalize()} et al. {study[-4:]}")
    right.set_title("measured here" if measured else "measured here: nothing yet")
    position = 0
    for label, table in (measured or {}).items():
        for words, sizes, success in _series(label, table):
            _draw_measured(right, words, sizes, success, position)
            position += 1
    for axes in (left, right):
        _finish(axes)
    left.set_ylabel("success")
    return figure


def _draw_published(axes: Axes, each: Published, position: int) -> None:
    if isinstance(each, PublishedCurve):
        style = look(position)
        axes.plot(
            each.sizes, each.success, color=style.color, linestyle=style.dashes,
            marker=style.marker, label=each.label, clip_on=False, gid=f"published-{position}",
        )  # fmt: skip
    elif each.low < each.high:
        axes.axvspan(each.low, each.high, color=PALE, gid=f"published-{position}")
        axes.text(each.low, 0.5, f" {each.label}", color=INK, rotation=90, va="center", ha="left")
    else:
        axes.axvline(each.low, color=GREY, linestyle=":", gid=f"published-{position}")
        axes.text(each.low, 0.5, each.label, color=INK, rotation=90, va="center", ha="right")


def _series(label: str, table: MeasuredTable) -> Iterator[tuple[str, Floats, list[Floats]]]:
    """(words, sizes, success of each replicate there) of each collective, alone and together."""
    names = table.collectives
    for k, name in enumerate(names):
        own, others = table.sizes[:, k], np.delete(table.sizes, k, axis=1)
        ways = {"": own > 0}
        if len(names) > 1:
            alone = (own > 0) & (others == 0).all(axis=1)
            together = (own > 0) & (others == own[:, None]).all(axis=1)
            ways = {f" {name} alone": alone, f" {name} together": together}
        for words, rows in ways.items():
            sizes = np.unique(own[rows])
            if len(sizes):
                found = [table.success[rows & (own == size), k] for size in sizes]
                yield (label + words).strip(), sizes, found


def _draw_measured(
    axes: Axes, label: str, sizes: Floats, success: list[Floats], position: int
) -> None:
    style = look(position)
    mean = np.array([each.mean() for each in success])
    reach = [mean - [each.min() for each in success], [each.max() for each in success] - mean]
    axes.errorbar(
        sizes, mean, yerr=np.maximum(reach, 0.0), color=style.color, linestyle=style.dashes,
        marker=style.marker, label=label, elinewidth=0.8, capsize=2, clip_on=False,
    )[0].set_gid(f"measured-{position}")  # fmt: skip


def _finish(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("members, % of the data")
    axes.set_ylim(0, 1.03)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, loc="best")

"""The figure of finite populations against their limit: distance from the mean field over N."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from analysis.figure_style import GREY, SINGLE, blank, look, styled
from analysis.finite_size import root_mean_square


@styled
def finite_size(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """How far N people are from an infinite population, over N, on logarithmic axes.

    Points are root mean squares over replicates of the largest distance of the shares α from the
    mean field within a run, whiskers reach from the nearest to the farthest run. The grey lines
    fall as 1/√N, as chance does. A size at which nothing is apart has no point.

    Parameters
    ----------
    tables : by label, as `analysis.finite_size.distances` makes them

    Raises
    ------
    ValueError
        There is nothing to draw.
    """
    if not any((table["distance"] > 0).any() for table in tables.values()):
        raise ValueError("no distances to draw: nothing is apart from the mean field")
    figure, ((axes,),) = blank(1.3 * SINGLE, 3.2)
    axes.set(xscale="log", yscale="log")
    for position, (label, table) in enumerate(tables.items()):
        style, means = look(position), root_mean_square(table)
        means = means[means["distance"] > 0]
        if means.empty:
            continue
        size, distance = (means[column].to_numpy(float) for column in ("size", "distance"))
        low = np.maximum(means["low"].to_numpy(float), 0.1 * distance)
        whiskers = np.stack([distance - low, means["high"].to_numpy(float) - distance])
        axes.errorbar(
            size, distance, np.maximum(whiskers, 0.0), color=style.color, linestyle=style.dashes,
            marker=style.marker, elinewidth=0.7, label=label, gid=f"distance-{label}",
        )  # fmt: skip
        ends = np.array([size[0], size[-1]])
        # Through the points on average, in logarithms: only its slope is claimed.
        height = np.exp(np.mean(np.log(distance) + 0.5 * np.log(size)))
        axes.plot(ends, height / np.sqrt(ends), color=GREY, linewidth=0.6, zorder=1, gid="root")
    axes.set_xlabel("number of people, N")
    axes.set_ylabel("distance from the mean field, max |α − α$_∞$|")
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False, loc="lower left", title="grey: 1/√N", alignment="left")
    return figure

"""How far runs of N people are from the mean field, and how the distance shrinks with N.

    distance = max over epochs and collectives of |α_N − α_∞|

Where chance rules it falls as 1/√N (the central limit theorem for those who revise, or whose costs
are drawn), as long as the path does not come upon a tipping point. Where only rounding separates
the two, for people who are all alike and revise at once, as 1/N, or it is nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from analysis.mean_field import mean_field_path
from sim.runs import run
from sim.scenario import Scenario

SIZES = tuple(10**k for k in range(1, 8))


def distances(
    scenario: Scenario,
    sizes: Sequence[int] = SIZES,
    replicates: int | Callable[[int], int] = 20,
    epochs: int | None = None,
    hear: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """The distance of runs from the mean field, over the number of people.

    Parameters
    ----------
    scenario : one that has a mean field; its own number of people is not looked at
    sizes : numbers of people, N
    replicates : random worlds of each size, or how many of a size
    epochs : by default the scenario's; no run stops before
    hear : is called after each run

    Returns
    -------
    DataFrame with the columns size, replicate, engine, distance

    Raises
    ------
    ValueError
        There is no mean field.
    """
    last = scenario.epochs if epochs is None else int(epochs)
    whole = scenario.replace({"stop": {"when": "never"}, "epochs": last})
    limit = mean_field_path(whole.replace({"population.size": "infinite"}))["alpha"].to_numpy()
    found = []
    for size in sizes:
        world = whole.replace({"population.size": int(size)})
        count = replicates if isinstance(replicates, int) else replicates(size)
        for replicate in range(count):
            result = run(world, replicate)
            apart = float(np.abs(result.series["alpha"].to_numpy() - limit).max())
            found.append((int(size), replicate, result.summary["engine"], apart))
            if hear is not None:
                hear()
    return pd.DataFrame(found, columns=["size", "replicate", "engine", "distance"])


def slope(table: pd.DataFrame, start: int = 0) -> tuple[float, float]:
    """Slope of log root-mean-square distance over log N, and its standard error.

    Parameters
    ----------
    table : as of `distances`
    start : sizes below this are left out

    Notes
    -----
    Weighted least squares: the log of a root mean square over R replicates has a variance
    proportional to 1/R.
    """
    means = root_mean_square(table[table["size"] >= start])
    if len(means) < 3:
        raise ValueError(f"slope: got {len(means)} sizes; must be at least three")
    x, y = np.log(means["size"].to_numpy(float)), np.log(means["distance"].to_numpy(float))
    w = means["runs"].to_numpy(float)
    x = x - np.average(x, weights=w)
    y = y - np.average(y, weights=w)
    spread = float((w * x * x).sum())
    b = float((w * x * y).sum()) / spread
    left = float((w * (y - b * x) ** 2).sum()) / (len(x) - 2)
    return b, float(np.sqrt(left / spread))


def root_mean_square(table: pd.DataFrame) -> pd.DataFrame:
    """Root mean square (distance), least (low) and largest (high) at each size, over its runs."""
    grouped = table.groupby("size")["distance"]
    return pd.DataFrame(
        {
            "runs": grouped.size(),
            "distance": grouped.apply(lambda d: float(np.sqrt((d**2).mean()))),
            "low": grouped.min(),
            "high": grouped.max(),
        }
    ).reset_index()

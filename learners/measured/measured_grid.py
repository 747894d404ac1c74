"""Measurements on a grid of sizes: means, intervals from replicates, and what is not there.

The grid of K collectives is the product of their sizes, each with 0 in it, without the corners
where the sizes sum to more than 1. A corner takes the value of the nearest point that was
measured; nobody can be there, but straight lines to it are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.measured.bounded_mean import bounded_mean_interval
from learners.measured.monotone import monotone_fit
from learners.success import SIMPLEX_TOLERANCE


@dataclass(frozen=True, eq=False)
class MeasuredGrid:
    """S at the points of a grid of shape (n₁, …, n_K).

    Attributes
    ----------
    axes : K float64 arrays, increasing, each begins at 0
    values, low, high : float64 arrays of shape (n₁, …, n_K, K); low ≤ values ≤ high
    """

    axes: tuple[Array, ...]
    values: Array
    low: Array
    high: Array


def measured_grid(sizes: Array, success: Array, level: float, monotone: bool) -> MeasuredGrid:
    """Measurements, shape (M, K) each, gathered on their grid; S_k is 0 where α_k = 0.

    Raises
    ------
    ValueError
        Points of the grid were not measured, or a collective has no size but 0.
    """
    axes = tuple(np.union1d(column, [0.0]) for column in sizes.T)
    shape = tuple(axis.size for axis in axes)
    if 1 in shape:
        raise ValueError("a collective was measured at size 0 only; measure it at others too")
    index = [np.searchsorted(axis, column) for axis, column in zip(axes, sizes.T, strict=True)]
    count, *moments = _moments(success, np.ravel_multi_index(index, shape), shape, level)
    _require_complete(axes, count)
    values, low, high = (_filled(moment, count) for moment in moments)
    if monotone:
        for k in range(len(axes)):
            _make_monotone(np.moveaxis(values[..., k], k, -1), np.moveaxis(count, k, -1))
    return MeasuredGrid(axes, values, np.minimum(low, values), np.maximum(high, values))


def _moments(
    success: Array, cell: npt.NDArray[np.intp], shape: tuple[int, ...], level: float
) -> tuple[npt.NDArray[np.int64], Array, Array, Array]:
    """Number of replicates at each point; their mean and its interval (`bounded_mean`)."""
    cells, K = int(np.prod(shape)), success.shape[1]
    count = np.bincount(cell, minlength=cells)
    r = np.maximum(count, 1)[:, None]
    mean = np.column_stack([np.bincount(cell, column, cells) for column in success.T]) / r
    limits = [bounded_mean_interval(column, cell, cells, level) for column in success.T]
    low, high = (np.column_stack(each) for each in zip(*limits, strict=True))
    low, high = np.minimum(low, mean), np.maximum(high, mean)  # to rounding
    full = (*shape, K)
    return count.reshape(shape), mean.reshape(full), low.reshape(full), high.reshape(full)


def _require_complete(axes: tuple[Array, ...], count: npt.NDArray[np.int64]) -> None:
    """Every point within the simplex was measured, the origin apart (there S is 0)."""
    total = sum(np.ix_(*axes), start=np.zeros(()))
    missing = (count == 0) & (total > 0.0) & (total <= 1.0 + SIMPLEX_TOLERANCE)
    if missing.any():
        places = np.argwhere(missing)
        first = [float(axis[i]) for axis, i in zip(axes, places[0], strict=True)]
        raise ValueError(
            f"{len(places)} of {count.size} combinations of sizes were not measured, the first "
            f"{first}; measure a grid: every combination of each collective's sizes, 0 included"
        )


def _filled(moment: Array, count: npt.NDArray[np.int64]) -> Array:
    """A copy with corners taken from the nearest point and 0 where a collective is empty."""
    result = moment.copy()
    holes = np.argwhere(count == 0)
    if holes.size:
        from scipy.spatial import cKDTree

        known = np.argwhere(count > 0)
        nearest = known[cKDTree(known).query(holes)[1]]
        result[tuple(holes.T)] = moment[tuple(nearest.T)]
    for k in range(count.ndim):
        np.moveaxis(result[..., k], k, 0)[0] = 0.0
    return result


def _make_monotone(lines: Array, count: npt.NDArray[np.int64]) -> None:
    """Replace each line along the last axis by its monotone fit; corners never fall below it."""
    for place in np.ndindex(lines.shape[:-1]):
        measured = count[place] > 0
        measured[0] = True  # S is 0 there whatever was measured
        weights = np.maximum(count[place][measured], 1)
        lines[place][measured] = monotone_fit(lines[place][measured], weights)
        lines[place] = np.maximum.accumulate(lines[place])

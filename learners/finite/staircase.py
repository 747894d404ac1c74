"""Success on a finite universe as the staircase it is, exactly, along a line of sizes.

When one size a moves and all others stay, every entry of the platform's table is a line in a::

    V(x, y) = intercept + slope·a

so the label y is the only best one at x on one open interval of a, or nowhere. S(a) is a sum of
weights over the intervals that a lies in: it jumps where they begin and end, and its jumps, its
integral and its critical mass are read off the sorted ends. At an end the labels tie, and ties go
against the collective.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from learners.curves import Array

# Two labels tie when they differ by less than this share of what is there: far above the rounding
# of sums of probabilities, far below any difference that data can mean.
TIE = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class Staircase:
    """S(α) = Σ of the weights of all open intervals (start, end) that α lies in; S(0) = 0.

    A `learners.curves.Curve`. It need not be non-decreasing (where a collective's own success can
    suffer from its size), and critical_mass is then the first size that reaches the target.

    Parameters
    ----------
    start, end, weight : arrays of shape (J,)
        0 ≤ start < end; weight ≥ 0, together ≤ 1.
    """

    start: Array
    end: Array
    weight: Array

    def __repr__(self) -> str:
        return f"Staircase({len(self.steps)} steps, S(1) = {float(self(1.0)):.6g})"

    @cached_property
    def _ups(self) -> tuple[Array, Array]:
        """Where intervals begin, sorted, and the weight of those begun before: (J,), (J+1,)."""
        return _cumulated(self.start, self.weight)

    @cached_property
    def _downs(self) -> tuple[Array, Array]:
        return _cumulated(self.end, self.weight)

    def __call__(self, alpha: npt.ArrayLike) -> Array:
        sizes = np.asarray(alpha, dtype=np.float64)
        (begin, begun), (finish, ended) = self._ups, self._downs
        inside = begun[np.searchsorted(begin, sizes * (1.0 - TIE), side="left")]
        left = ended[np.searchsorted(finish, sizes * (1.0 + TIE), side="right")]
        return np.where(sizes > 0.0, np.clip(inside - left, 0.0, 1.0), 0.0)

    @cached_property
    def steps(self) -> Array:
        """Sizes in [0, 1) at which S jumps, ascending; 0 where the first member suffices.

        Ends that differ by rounding only (relative 1e-12) are one step.
        """
        ends = np.concatenate([self.start, self.end])
        ends = np.unique(ends[(ends < 1.0) & (np.tile(self.weight, 2) > 0.0)])
        return ends[np.diff(ends, prepend=-1.0) > 4.0 * TIE * ends]

    @cached_property
    def levels(self) -> Array:
        """S between the J steps, (J+1,): before the first (S(0) if it is at 0), then after each."""
        edges = np.concatenate([[0.0], self.steps, [1.0]])
        return self(0.5 * (edges[:-1] + edges[1:]))

    @property
    def onset(self) -> float:
        """sup{α : S(α) = 0}; 1 where S is 0 at every size."""
        zero = np.flatnonzero(self.levels <= 0.0)
        last = np.concatenate([self.steps, [1.0]])
        return float(last[zero[-1]]) if zero.size else 0.0

    def critical_mass(self, target: float) -> float:
        """inf{α : S(α) ≥ target}: 0 for target ≤ 0, nan where no size reaches it."""
        if target <= 0.0:
            return 0.0
        reached = np.flatnonzero(self.levels >= target)
        if math.isnan(target) or reached.size == 0:
            return math.nan
        return float(np.concatenate([[0.0], self.steps])[reached[0]])

    def integral(self, alpha: float) -> float:
        """∫₀^α S(a) da, exactly."""
        covered = np.minimum(self.end, alpha) - np.minimum(self.start, alpha)
        return math.fsum(self.weight * np.maximum(covered, 0.0))


def best_on(intercept: Array, slope: Array) -> tuple[Array, Array]:
    """Where each of S lines is strictly above all others, at each of R points, for a > 0.

    Parameters
    ----------
    intercept, slope : arrays of shape (R, S), S ≥ 2
        Values intercept + slope·a, which are ≥ 0 on [0, 1].

    Returns
    -------
    start, end : arrays of shape (R, S)
        The open interval; end ≤ start where there is none, end = inf where it goes on beyond 1.

    Notes
    -----
    O(R·S²). Differences within rounding of the values are taken for 0.
    """
    size = np.maximum(intercept, intercept + slope).max(axis=1, keepdims=True)  # (R, 1)
    start, end = np.zeros_like(intercept), np.full_like(intercept, np.inf)
    for s in range(intercept.shape[1]):
        for other in range(intercept.shape[1]):
            if other == s:
                continue
            lead = _snap(intercept[:, s] - intercept[:, other], size[:, 0])
            gain = _snap(slope[:, s] - slope[:, other], size[:, 0])
            with np.errstate(divide="ignore", invalid="ignore"):
                crossing = 0.0 - lead / gain  # and not −0
            start[:, s] = np.maximum(start[:, s], np.where(gain > 0.0, crossing, 0.0))
            end[:, s] = np.minimum(end[:, s], np.where(gain < 0.0, crossing, np.inf))
            end[(gain == 0.0) & (lead <= 0.0), s] = -1.0
    end[end > 1.0] = np.inf
    return start, end


def kept(start: Array, end: Array, weight: Array) -> Staircase:
    """The staircase of those intervals that there are and that weigh something."""
    some = (start * (1.0 + 2.0 * TIE) < end) & (start < 1.0) & (weight > 0.0)
    return Staircase(start[some], end[some], weight[some])


def _snap(difference: Array, size: Array) -> Array:
    return np.where(np.abs(difference) <= 1e-2 * TIE * size, 0.0, difference)


def _cumulated(at: Array, weight: Array) -> tuple[Array, Array]:
    order = np.argsort(at, kind="stable")
    sums = np.cumsum(weight[order], dtype=np.longdouble)  # 10⁵ terms must not lose 1e-12
    return at[order], np.concatenate([[0.0], sums.astype(np.float64)])

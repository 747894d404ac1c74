"""What measurements say of a curve that never falls: its isotonic fit, and that fit as a curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts are loaded when first asked for

from learners.curves import Array, require_range


def monotone_fit(means: npt.ArrayLike, weights: npt.ArrayLike) -> Array:
    """The non-decreasing values that are closest to given ones, by weighted least squares.

    Parameters
    ----------
    means : array of shape (n,)
        Mean success at n sizes, the sizes increasing.
    weights : array of shape (n,), > 0
        Measurements behind each mean.

    Returns
    -------
    float64 array of shape (n,), O(n).

    References
    ----------
    Ayer, Brunk, Ewing, Reid, Silverman, An empirical distribution function for sampling with
    incomplete information, Ann. Math. Statist. 26 (1955): pool adjacent violators.

    Examples
    --------
    >>> monotone_fit([0.1, 0.5, 0.4, 0.9], [1, 1, 3, 1]).round(6).tolist()
    [0.1, 0.425, 0.425, 0.9]
    """
    means = np.asarray(means, dtype=np.float64)
    if means.size < 2:
        return means.copy()
    fit = scipy.optimize.isotonic_regression(means, weights=np.asarray(weights, np.float64))
    return np.array(fit.x)


@dataclass(frozen=True)
class PiecewiseLinear:
    """S(α) through measured points: straight between them, held after the last (a `Curve`).

    Parameters
    ----------
    sizes : tuple of n floats, increasing, the first 0
    values : tuple of n floats in [0, 1], non-decreasing, the first 0
    """

    sizes: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        x, y = np.asarray(self.sizes), np.asarray(self.values)
        rising = x.size == y.size > 0 and x[0] == y[0] == 0.0 and x[-1] <= 1.0 and y[-1] <= 1.0
        if not rising or not (np.all(np.diff(x) > 0.0) and np.all(np.diff(y) >= 0.0)):
            raise ValueError(
                f"got sizes {self.sizes} and values {self.values}; must both begin at 0, "
                "rise and end at 1 at most"
            )

    def __call__(self, alpha: npt.ArrayLike) -> Array:
        alpha = np.asarray(alpha, dtype=np.float64)
        return np.asarray(np.interp(alpha, self.sizes, self.values))

    def critical_mass(self, target: float) -> float:
        """Where the line first reaches S*; nan where it never does."""
        if target <= 0.0:
            return 0.0
        if not target <= self.values[-1]:
            return math.nan
        j = int(np.searchsorted(self.values, target))  # values[j−1] < S* ≤ values[j]
        rise = (target - self.values[j - 1]) / (self.values[j] - self.values[j - 1])
        return min(self.sizes[j - 1] + rise * (self.sizes[j] - self.sizes[j - 1]), self.sizes[j])

    @property
    def onset(self) -> float:
        """a₀, the last point at which S is 0, or 1 where it is 0 everywhere."""
        rising = np.flatnonzero(np.asarray(self.values) > 0.0)
        return self.sizes[rising[0] - 1] if rising.size else 1.0

    def integral(self, alpha: float) -> float:
        """∫₀^α S, by trapezia, which are exact here."""
        alpha = require_range("alpha", alpha, 0.0, 1.0, meaning="share of the population, α")
        inner = np.asarray([size for size in self.sizes if size < alpha])
        points = np.append(inner, alpha)
        return float(np.trapezoid(self(points), points))

"""Intervals for what replicates show: a share of runs, or a mean over runs.

    wilson           share p of n runs: the p whose test does not reject h hits (Wilson 1927)
    bootstrap_means  mean of n runs: expanded percentiles of resampled means (Hesterberg 2015)

Both are vectorised over points. A single run says nothing about its mean: the interval is then nan.

References
----------
Wilson 1927, Probable inference, the law of succession, and statistical inference; Brown, Cai and
DasGupta 2001, Interval estimation for a binomial proportion; Hesterberg 2015, What teachers should
know about the bootstrap, section 5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 2000
AT_ONCE = 4_000_000  # resampled means in memory


class Estimates(NamedTuple):
    """Estimates and the two ends of their intervals, arrays of one shape."""

    value: Floats
    low: Floats
    high: Floats


def wilson(hits: ArrayLike, runs: ArrayLike, confidence: float = CONFIDENCE) -> Estimates:
    """Share of hits with Wilson's score interval.

    All p with |h/n − p| ≤ z √(p(1−p)/n), z the normal quantile.

    Parameters
    ----------
    hits : int ≥ 0, symbol h; any shape
    runs : int ≥ 0, symbol n; of no runs the share is nan and the interval [0, 1]
    confidence : float in (0, 1)

    Examples
    --------
    Ten of ten: the lower end is n/(n + z²).

    >>> share = wilson(10, 10)
    >>> float(share.low.round(6)), float(share.high)
    (0.722467, 1.0)
    """
    h, n = np.broadcast_arrays(np.asarray(hits, float), np.asarray(runs, float))
    if np.any(h < 0) or np.any(h > n):
        raise ValueError(
            f"hits: got {h.tolist()} of {n.tolist()}; must be between 0 and the number of runs"
        )
    z = _quantile(confidence)
    some = np.maximum(n, 1.0)
    p = h / some
    middle = (h + 0.5 * z**2) / (n + z**2)
    half = z * np.sqrt(n * p * (1.0 - p) + 0.25 * z**2) / (n + z**2)
    low = np.where(h == 0, 0.0, middle - half)  # rounding would leave 1e-17
    high = np.where(h == n, 1.0, middle + half)
    return Estimates(np.where(n > 0, p, np.nan), low, high)


def bootstrap_means(
    values: ArrayLike, confidence: float = CONFIDENCE, seed: int = 0, resamples: int = RESAMPLES
) -> Estimates:
    """Means over the last axis with bootstrap intervals.

    The runs are drawn n times with replacement, the same draws for every row. Of the resampled
    means the quantiles a and 1 − a are taken, with Φ⁻¹(a) = −√(n/(n−1)) t_{n−1}: plain percentiles
    would be too narrow for a few runs.

    Parameters
    ----------
    values : (..., n), a row for each point, a column for each run
    confidence : float in (0, 1)
    seed : of the resampling
    resamples : how many

    Notes
    -----
    O(rows · n · resamples). With ten or more runs it covers about as often as it says; with five or
    fewer its ends cannot pass the smallest and the largest run, and it covers less often.
    """
    table = np.asarray(values, float)
    n = table.shape[-1]
    rows = table.reshape(-1, n)
    mean = rows.mean(axis=1) if n else np.full(len(rows), np.nan)
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    if n > 1:
        weight = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), resamples) / n
        tail = float(stats.norm.cdf(-np.sqrt(n / (n - 1.0)) * _quantile(confidence, n - 1)))
        step = max(1, AT_ONCE // resamples)
        for start in range(0, len(rows), step):
            some = slice(start, start + step)
            centred = rows[some] - mean[some, None]  # of equal runs exactly zero
            means = centred @ weight.T
            low[some], high[some] = mean[some] + np.quantile(means, [tail, 1.0 - tail], axis=1)
    shape = table.shape[:-1]
    return Estimates(mean.reshape(shape), low.reshape(shape), high.reshape(shape))


def _quantile(confidence: float, freedom: int | None = None) -> float:
    """Two-sided quantile of the normal law, or of Student's t."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence: got {confidence}; must be between 0 and 1")
    level = 0.5 + 0.5 * confidence
    return float(stats.norm.ppf(level) if freedom is None else stats.t.ppf(level, freedom))

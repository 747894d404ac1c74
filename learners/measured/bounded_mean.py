"""An interval for the mean of few outcomes in [0, 1], of which nothing else is assumed.

Somebody bets that the mean is above m. With a stake c of her wealth the outcomes x_1 … x_r make of
1 the wealth

    K_c(m) = Π_i (1 + c(x_i − m)/m) = Π_i (1 − c + c·x_i/m)

whose expectation is 1 if the mean is m, whatever the law of x ∈ [0, 1]. So has the mean of K_c over
the `STAKES`, and by Markov's inequality Pr{K(m) ≥ 1/δ} ≤ δ. Every m with K(m) ≥ 1/δ is too small;
K falls in m, so these end at the lower limit. The upper one is the same of 1 − x. With δ half of
what may be missed for either, the interval holds the mean with probability ≥ level for every r, and
always holds the mean of the outcomes (there K ≤ 1).

It is wide where r is small, and has to be: five trainings that all succeed do not show that a
sixth will (0.95^5 = 0.77). Student's t, for one, would call that certain.

References
----------
Waudby-Smith, Ramdas, Estimating means of bounded random variables by betting, J. R. Statist. Soc.
B 86 (2024), arXiv 2010.09686. Orabona, Jun, Tight concentrations and confidence sequences from the
regret of universal portfolio, IEEE Trans. Inform. Theory 70 (2024), arXiv 2110.14099: mixtures of
stakes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from learners.curves import Array

STAKES = (0.3, 0.7, 1.0)  # few: each more costs all others of their wealth
HALVINGS = 50


def bounded_mean_interval(
    outcomes: Array, cell: npt.NDArray[np.intp], cells: int, level: float
) -> tuple[Array, Array]:
    """Limits (cells,) of the mean of each cell's outcomes; [0, 1] of a cell without any.

    Parameters
    ----------
    outcomes : array of shape (M,), in [0, 1]
    cell : integer array of shape (M,), which cell each is of, 0 … cells − 1
    level : float in (0, 1)
    """
    low = _lower(outcomes, cell, cells, level)
    return low, 1.0 - _lower(1.0 - outcomes, cell, cells, level)


def _lower(outcomes: Array, cell: npt.NDArray[np.intp], cells: int, level: float) -> Array:
    """The largest m that is refuted as too small, by bisection between 0 and the mean."""
    count = np.maximum(np.bincount(cell, minlength=cells), 1)
    low, high = np.zeros(cells), np.bincount(cell, outcomes, cells) / count
    refuted = math.log(2.0 / (1.0 - level)) + math.log(len(STAKES))
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        out = _log_wealth(outcomes, cell, middle) >= refuted
        low, high = np.where(out, middle, low), np.where(out, high, middle)
    return low


def _log_wealth(outcomes: Array, cell: npt.NDArray[np.intp], mean: Array) -> Array:
    """log Σ_c K_c(m) of each cell, m given for each."""
    ratio = outcomes / np.maximum(mean, 1e-300)[cell]
    with np.errstate(divide="ignore"):  # a stake of all on what did not happen: nothing is left
        logs = [np.bincount(cell, np.log(1.0 - c + c * ratio), mean.size) for c in STAKES]
    return np.asarray(np.logaddexp.reduce(logs, axis=0))

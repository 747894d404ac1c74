"""What a search for the critical mass knows after some trainings, and where it trains next.

The grid has G sizes α₀ < … < α_{G−1}; the critical mass m is in one of G + 1 cells, cell c saying
that exactly the first c sizes are too small: S(α_i) < S* ≤ S(α_j) for i < c ≤ j. The mathematics,
its guarantee and its sources are in `learners.measured.search_mass`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from learners.curves import Array
from learners.measured.monotone import monotone_fit

CELLS = 8  # cells in a bracket that is narrow enough; more gain little
EASY = 40  # trainings after which a search turns out to be a hard one, and …
ROUGH = 4  # … first has a bracket this many times as wide, for a sixteenth of the trainings
EXPLORE = 0.8  # posterior in the window from which on bets are laid
TRUST = 0.98  # most that one training may say of the side it is on, to the posterior
GUESS = 0.05  # sd of a training's success before any was repeated; counts as one repetition
STAKES = (0.1, 0.9)  # least and most of the stake that keeps wealth ≥ 0
STAKES_NOISE = (0.1, 2.0)  # least and most stake in units of 1/σ, where σ is given


@dataclass(frozen=True)
class Plan:
    """The next training: its size, and the bet that is laid on it before.

    Attributes
    ----------
    index : int, of the size on the grid
    bet : −1, 0 or 1; that S is below S*, none, that it is not
    gap : float, how far |S − S*| is thought to be
    """

    index: int
    bet: int = 0
    gap: float = 0.0


class Evidence:
    """Trainings so far: their means, the posterior over the cells, and the bets against them.

    Parameters
    ----------
    sizes : int, G
    target : float in (0, 1), S*
    limit : float, −ln(1 − confidence)
        Log wealth at which a cell is out.
    noise : float or None, σ
    windows : integer array of shape (G + 1,), optional
        How many cells the widest bracket has that begins at each cell and is narrow enough;
        never falling ends. Default: `CELLS` everywhere.
    """

    def __init__(
        self,
        sizes: int,
        target: float,
        limit: float,
        noise: float | None,
        windows: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.sizes, self.target, self.limit, self.noise = sizes, target, limit, noise
        self.windows = np.full(sizes + 1, CELLS) if windows is None else windows
        self.count = np.zeros(sizes, dtype=np.int64)
        self.total = np.zeros(sizes)
        self._squares = 0.0  # around the means of sizes that were repeated
        self.log_wealth = np.zeros(sizes + 1)  # of who bets against each cell
        self._peak = np.zeros(sizes + 1)
        self._log_posterior = np.zeros(sizes + 1)

    @property
    def hull(self) -> tuple[int, int]:
        """First and last cell that is not out."""
        within = np.flatnonzero(self._peak < self.limit)
        if not within.size:  # one of the cases, at most 1 − confidence of all, where it errs
            within = np.array([np.argmin(self._peak)])
        return int(within[0]), int(within[-1])

    @property
    def narrow(self) -> bool:
        """The bracket is no wider than the window that begins where it does."""
        first, last = self.hull
        return bool(last - first < self.windows[first])

    @property
    def spread(self) -> float | None:
        """Standard deviation of success at one size, pooled; None before any was repeated."""
        repeats = int(np.maximum(self.count - 1, 0).sum())
        return float(np.sqrt(self._squares / repeats)) if repeats else None

    @property
    def variance(self) -> float:
        """Of a training's success: σ², or else pooled over the sizes that were repeated."""
        if self.noise is not None:
            return self.noise**2
        repeats = int(np.maximum(self.count - 1, 0).sum())
        return (self._squares + GUESS**2) / (repeats + 1)

    def add(self, plan: Plan, success: float) -> None:
        """Settle the bet and take the training into account, O(G)."""
        i, excess = plan.index, success - self.target
        at_most, above = slice(0, i + 1), slice(i + 1, None)  # cells that say S ≥ S* here; S < S*
        if plan.bet:
            against = above if plan.bet > 0 else at_most
            self.log_wealth[against] += self._payoff(plan.gap, plan.bet * excess, plan.bet)
            np.maximum(self._peak, self.log_wealth, out=self._peak)
        right = np.clip(ndtr(excess / np.sqrt(self.variance)), 1.0 - TRUST, TRUST)
        self._log_posterior[at_most] += np.log(right)
        self._log_posterior[above] += np.log1p(-right)
        if self.count[i]:
            off = success - self.total[i] / self.count[i]
            self._squares += off * off * self.count[i] / (self.count[i] + 1)
        self.count[i] += 1
        self.total[i] += success

    def _payoff(self, gap: float, excess: float, bet: int) -> float:
        """Log of the factor on the wealth; `excess` is towards what was bet on."""
        if self.noise is not None:
            stake = float(np.clip(gap / self.noise, *STAKES_NOISE))
            return stake * excess / self.noise - 0.5 * stake**2
        room = self.target if bet > 0 else 1.0 - self.target  # worst that can happen
        share = float(np.clip(room * gap / (self.variance + gap**2), *STAKES))
        return float(np.log1p(share * excess / room))

    def posterior(self) -> Array:
        """Probability of each cell, shape (G + 1,), 0 outside the bracket."""
        first, last = self.hull
        log = self._log_posterior[first : last + 1]
        weight = np.zeros(self.sizes + 1)
        weight[first : last + 1] = np.exp(log - log.max())
        return weight / weight.sum()

    def gap(self) -> Array:
        """S − S* at each size as it looks, shape (G,).

        The monotone fit of the means, straight between the sizes tried; two windows around the
        posterior's median, where there is enough, the least-squares line.
        """
        tried = np.flatnonzero(self.count)
        weight = self.count[tried]
        fit = monotone_fit(self.total[tried] / weight, weight)
        gap = np.interp(np.arange(self.sizes), tried, fit) - self.target
        near = tried[np.abs(tried - self.median()) <= 2 * CELLS]
        weight = self.count[near]
        if near.size > 1 and weight.sum() >= 4:
            centre = np.average(near, weights=weight)
            spread = np.sum(weight * (near - centre) ** 2)
            slope = np.sum(self.total[near] * (near - centre)) / spread
            if slope > 0.0:
                around = np.arange(max(near[0] - 2, 0), min(near[-1] + 3, self.sizes))
                level = self.total[near].sum() / weight.sum() - self.target
                gap[around] = level + slope * (around - centre)
        return np.asarray(gap)

    def median(self) -> int:
        """The cell in the middle of the posterior."""
        return int(np.searchsorted(np.cumsum(self.posterior()), 0.5))


def choose(evidence: Evidence) -> Plan:
    """Where to train next; the bracket must not be narrow yet."""
    first, last = evidence.hull
    every = np.arange(first, last + 1)
    hard = evidence.count.sum() >= EASY and last - first >= ROUGH * evidence.windows[first]
    coarse = ROUGH if hard else 1
    beyond = every + coarse * evidence.windows[first : last + 1]  # where windows end
    reaching = int(np.argmax(beyond > last))  # the first that reaches the bracket's end
    starts, ends = every[: reaching + 1], np.minimum(beyond[: reaching + 1], last + 1)
    below = np.concatenate([[0.0], np.cumsum(evidence.posterior())])  # posterior of cells < c
    inside = below[ends] - below[starts]
    if inside.max() >= EXPLORE:
        plan = _soonest(evidence, starts, ends)
        if plan is not None:
            return plan
    median = evidence.median()
    start = int(np.clip(median - coarse * evidence.windows[median] // 2, starts[0], starts[-1]))
    end = int(ends[start - first])
    left, right = below[start], 1.0 - below[end]
    go_left = start > first and (left >= right or end > last)
    return Plan(start - 1 if go_left else end - 1)


def _soonest(evidence: Evidence, starts: np.ndarray, ends: np.ndarray) -> Plan | None:
    """An edge of the window whose outside is refuted soonest, by what S looks like."""
    first, last = evidence.hull
    gap = evidence.gap()
    lower, upper = starts - 1, ends - 1  # sizes at the edges
    left = np.where(starts > first, _needed(evidence, starts - 1, -gap[lower]), 0.0)
    beyond = np.minimum(ends, evidence.sizes)
    ahead = gap[np.minimum(upper, evidence.sizes - 1)]
    right = np.where(ends <= last, _needed(evidence, beyond, ahead), 0.0)
    best = int(np.argmin(left + right))
    if not np.isfinite(left[best] + right[best]):
        return None
    index, bet = (lower[best], -1) if left[best] >= right[best] else (upper[best], 1)
    return Plan(int(index), bet, abs(float(gap[index])))


def _needed(evidence: Evidence, cell: np.ndarray, gap: Array) -> Array:
    """Trainings until a cell is out: log wealth still missing / gap²/2σ²; ∞ on the wrong side."""
    missing = np.maximum(evidence.limit - evidence.log_wealth[cell], 1e-3)
    with np.errstate(divide="ignore"):
        return np.where(gap > 0.0, missing * 2.0 * evidence.variance / gap**2, np.inf)

"""The critical mass of a learner that can only be measured, in few trainings.

A training at size α gives X ∈ [0, 1] with mean S(α); S never falls. Wanted is the smallest size
with S(α) ≥ S*, m = inf{α : S(α) ≥ S*}. Sizes are tried on a fine grid α₀ < … < α_{G−1}, so m is in
one of G + 1 cells: cell c says that exactly the first c sizes of the grid are too small.

**Certificate** (Waudby-Smith & Ramdas 2024). Each training is a bet, laid before its outcome is
seen, that S at its size is *below* S*, or that it is not. A bet of stake λ on "below" multiplies
the wealth of each cell c that denies it (α_c ≤ the size) by

    1 + λ(S* − X)                     λ ∈ [0, 1/(1−S*)]; nothing but X ∈ [0, 1] is assumed
    exp(λ(S* − X) − λ²σ²/2)           where noise = σ: X − S(α) is σ-sub-Gaussian

and a bet on "not below" each other cell likewise, with the sign turned. If cell c holds m, each
factor has mean ≤ 1 given the past, so its wealth is a non-negative supermartingale that begins at
1: by Ville's inequality it ever reaches 1/(1 − confidence) with probability ≤ 1 − confidence. A
cell whose wealth has done so is out, and the bracket is the hull of the others:

    P(low ≤ m ≤ high, after every single training) ≥ confidence,

whatever the sizes tried, the stakes and the moment of stopping; a bracket cut short by
`max_trainings` is wide and no less true. Where the learner is noisier than the noise stated, or S
falls somewhere, there is no such guarantee.

**Where to train next** (Rodriguez & Ludkovski 2020, after Horstein 1963 and Waeber, Frazier &
Henderson 2013). Probabilistic bisection: a posterior over the cells, in which an outcome weighs by
the probability that it is on the right side of S*; training goes to the edges of a window of the
wanted width around its median. When the window holds most of the posterior, bets begin: the
window is put where, by a line through what was measured nearby, its two edges are refuted soonest,
and training goes to the edge that needs more. A search that is still under way after 40 trainings
first gets a bracket four times as wide, so that it has an answer if trainings run out. At m itself
S = S* and nothing can be learnt; at least one edge is always half a window away from it.

The two are put together here; the guarantee rests on the certificate alone, whatever is tried.

References
----------
Waudby-Smith, Ramdas, Estimating means of bounded random variables by betting, J. R. Statist. Soc.
B 86 (2024), arXiv 2010.09686: wealth, Ville's inequality, and stakes near gap/(variance + gap²).
Rodriguez, Ludkovski, Generalized probabilistic bisection for stochastic root finding, ACM TOMACS
30 (2020), arXiv 1711.00843: the weight of an outcome from the response itself, sampling at
quantiles beside the median. Waeber, Frazier, Henderson, Bisection search with noisy responses,
SIAM J. Control Optim. 51 (2013) 2261–2279. Horstein, IEEE Trans. Inform. Theory 9 (1963) 136–143.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learners.curves import Array, require_range
from learners.measured.bench import Bench
from learners.measured.search_rule import CELLS, Evidence, Plan, choose
from learners.success import require_index

Cells = npt.NDArray[np.int64]
Measure = Callable[[float, int], float]
Progress = Callable[[int, float, float | None], None]
METHOD = "probabilistic bisection with bets"
MOST_CELLS = 1_000_000


@dataclass(frozen=True)
class CriticalMass:
    """The critical mass by measurement.

    Attributes
    ----------
    target : float, S*
    low, high : float, float or None
        With probability ≥ `confidence`, low ≤ m ≤ high. high is None where it cannot be excluded
        that no size tried suffices.
    alpha : float or None
        Best guess, where the fit crosses S*; None: it seems that no size suffices.
    confidence : float
    reached : bool
        The bracket is as narrow as was asked for.
    trainings : int
    measured : tuple of (α, success), in the order they were made
    noise : float or None
        σ that was assumed; None: nothing was, but success in [0, 1].
    method : str
        How the sizes were chosen.
    spread : float or None
        Standard deviation of success between trainings at one size, over the sizes that were
        tried more than once; None where none was.
    """

    target: float
    low: float
    high: float | None
    alpha: float | None
    confidence: float
    reached: bool
    trainings: int
    measured: tuple[tuple[float, float], ...]
    noise: float | None
    method: str
    spread: float | None = None


def search_critical_mass(
    measure: Measure,
    target: float,
    *,
    precision: float = 0.01,
    confidence: float = 0.95,
    noise: float | None = None,
    low: float = 0.0,
    high: float = 1.0,
    scale: str = "linear",
    people: int | None = None,
    max_trainings: int = 1000,
    progress: Progress | None = None,
) -> CriticalMass:
    """Find the smallest size with S(α) ≥ S* with a stated confidence, in few trainings.

    Parameters
    ----------
    measure : callable (size, replicate) → success in [0, 1]
        Trains once. It is asked for replicates 0, 1, … of a size; all of them must be
        independent, with mean S(size). `measure_of` makes one from a `Bench`.
    target : float in (0, 1), S*
    precision : float
        Width of the bracket: high − low ≤ precision, or high/low ≤ 1 + precision where the scale
        is logarithmic.
    confidence : float in (0, 1)
    noise : float > 0, optional
        σ such that X − S(α) is σ-sub-Gaussian: all that varies between trainings.
        `binomial_noise(n)` where that is only on which n people success is measured. Without
        it only X ∈ [0, 1] is used, which takes many more trainings: a rare failure may hide.
    low, high : float in [0, 1]
        Range of the sizes to try, low > 0 where logarithmic. m may turn out to lie below (the
        bracket begins at 0) or above (it has no end).
    scale : {"linear", "log"}
    people : int, optional, N
        Only sizes k/N are tried, and m is the smallest of these with S(k/N) ≥ S*: a population
        of N has no other. A bracket of a single person, ((k−1)/N, k/N], is always narrow enough.
    max_trainings : int
        Stop there, with the bracket as it is.
    progress : callable, optional
        Hears (trainings, low, high) after each.

    Returns
    -------
    CriticalMass

    Notes
    -----
    Near m a difference g = slope·precision/2 from S* must be seen on either side, in at least
    about 2(σ/g)² ln(1/(1 − confidence)) trainings each; what is seen is about twice that, and
    log₂(range/precision) to come near. O(range/precision) work per training.

    To compare: `uniform_critical_mass`.
    """
    grid, windows = size_axis(precision, low, high, scale), None
    if people is not None:
        grid, windows = whole_people(grid, people, precision, scale)
    evidence = _evidence(grid, target, confidence, noise, windows)
    measured: list[tuple[float, float]] = []
    most = _require_trainings(max_trainings)
    while not evidence.narrow and len(measured) < most:
        measured.append(_train(measure, grid, evidence, choose(evidence)))
        if progress is not None:
            progress(len(measured), *_bracket(evidence, grid))
    return _result(evidence, grid, measured, confidence, METHOD)


def uniform_critical_mass(
    measure: Measure,
    target: float,
    *,
    precision: float = 0.01,
    confidence: float = 0.95,
    noise: float | None = None,
    low: float = 0.0,
    high: float = 1.0,
    scale: str = "linear",
    points: int = 2,
    max_trainings: int = 100_000,
) -> CriticalMass:
    """The same by training everywhere equally often: the uniform grid to compare with.

    *Equal precision and confidence*: the grid has 1, 2, 4 or 8 sizes per precision; it is gone
    over again and again, once at each size, and stops after the first round in which its bracket
    is as narrow as `search_critical_mass` wants it. Assumption (`noise`), certificate, stakes and
    what is pooled along a monotone S are the same as there, so the two differ in nothing but
    where they train.

    Parameters
    ----------
    points : {1, 2, 4, 8}
        Sizes per precision. With 1 the bracket must be a single step of the grid, which fails
        where m is next to a size; 2 is the usual best.
    max_trainings : int
        Looked at after each round.
    others
        As in `search_critical_mass`.
    """
    grid = size_axis(precision, low, high, scale)
    evidence = _evidence(grid, target, confidence, noise)
    if points not in (1, 2, 4, 8):
        raise ValueError(f"points: got {points!r}; must be 1, 2, 4 or 8 (sizes per precision)")
    step, measured = CELLS // points, list[tuple[float, float]]()
    most = _require_trainings(max_trainings)
    while not evidence.narrow and len(measured) < most:
        gap = evidence.gap() if measured else np.zeros(grid.size)
        for i in range(step - 1, grid.size, step):
            plan = Plan(i, int(np.sign(gap[i])), abs(float(gap[i])))
            measured.append(_train(measure, grid, evidence, plan))
    return _result(evidence, grid, measured, confidence, "uniform grid with bets")


def measure_of(bench: Bench, collective: int = 0) -> Measure:
    """What to search with: one collective of a setup, alone, every training through the cache.

    A search that was killed is run again: it repeats itself from the cache and goes on.
    """
    K = len(bench.setup.collectives)
    require_index("collective", collective, K)

    def measure(size: float, replicate: int) -> float:
        alpha = [0.0] * K
        alpha[collective] = size
        return bench.measure(tuple(alpha), replicate).success[collective]

    return measure


def binomial_noise(people: int) -> float:
    """σ = 1/(2√n): a share of n independent people is 1/(2√n)-sub-Gaussian (Hoeffding 1963).

    Examples
    --------
    >>> binomial_noise(100)
    0.05
    """
    return 0.5 / math.sqrt(require_range("people", people, 1.0, meaning="in the test set"))


def size_axis(
    precision: float, low: float = 0.0, high: float = 1.0, scale: str = "linear"
) -> Array:
    """Sizes that a search may try: `CELLS` of them in each precision."""
    if scale not in ("linear", "log"):
        raise ValueError(f"scale: got {scale!r}; must be 'linear' or 'log'")
    log = scale == "log"
    require_range("low", low, 0.0, 1.0, low_open=log, high_open=True, meaning="size")
    require_range("high", high, low, 1.0, low_open=True, meaning="size")
    most = math.inf if log else high - low
    require_range("precision", precision, 0.0, most, low_open=True, meaning="width of the bracket")
    length = math.log(high / low) / math.log1p(precision) if log else (high - low) / precision
    cells = math.ceil(length * CELLS - 1e-9)
    if cells > MOST_CELLS:
        raise ValueError(f"precision: got {precision}; too fine for sizes {low} … {high}")
    share = np.arange(cells + 1) / cells
    sizes = low * (high / low) ** share if log else low + (high - low) * share
    sizes[-1] = high
    return sizes[1:] if low == 0.0 else sizes  # S(0) = 0 needs no training


def whole_people(grid: Array, people: int, precision: float, scale: str) -> tuple[Array, Cells]:
    """The sizes k/N nearest to those of the grid, and how wide brackets may be there.

    Returns
    -------
    sizes : array of shape (G,)
    windows : integer array of shape (G + 1,)
        For each cell, how many cells the widest bracket has that begins there and is within the
        precision; one at least.
    """
    people = int(require_range("people", people, 1.0, meaning="in the population"))
    counts = np.unique(np.clip(np.rint(grid * people), 1, people))
    sizes = counts / people
    # Cell c is the bracket (edges[c], edges[c + 1]]; where no size suffices it goes on as before.
    edges = np.concatenate([[counts[0] - 1.0], counts, [counts[-1] + 1.0]]) / people
    slack = 1.0 + 1e-9
    widest = edges * (1.0 + precision * slack) if scale == "log" else edges + precision * slack
    ends = np.searchsorted(edges, widest, side="right") - 1  # the last edge within reach
    return sizes, np.maximum(ends[:-1] - np.arange(counts.size + 1), 1)


def _evidence(
    grid: Array,
    target: float,
    confidence: float,
    noise: float | None,
    windows: Cells | None = None,
) -> Evidence:
    for name, value in (("target", target), ("confidence", confidence)):
        require_range(name, value, 0.0, 1.0, low_open=True, high_open=True)
    if noise is not None:
        require_range("noise", noise, low_open=True, meaning="sd of a training's success, σ")
    return Evidence(grid.size, float(target), -math.log1p(-confidence), noise, windows)


def _require_trainings(number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
        raise ValueError(f"max_trainings: got {number!r}; must be a whole number ≥ 1")
    return int(number)


def _train(measure: Measure, grid: Array, evidence: Evidence, plan: Plan) -> tuple[float, float]:
    size = float(grid[plan.index])
    given = measure(size, int(evidence.count[plan.index]))
    success = require_range("measure", given, 0.0, 1.0, meaning=f"success at size {size:g}")
    evidence.add(plan, success)
    return size, success


def _bracket(evidence: Evidence, grid: Array) -> tuple[float, float | None]:
    first, last = evidence.hull
    low = float(grid[first - 1]) if first else 0.0
    return low, float(grid[last]) if last < grid.size else None


def _best_guess(evidence: Evidence, grid: Array) -> float | None:
    """Where the fit crosses S*, within the bracket."""
    low, high = _bracket(evidence, grid)
    enough = np.flatnonzero(evidence.gap() >= 0.0) if evidence.count.any() else np.array([])
    if not enough.size:
        return high
    return float(np.clip(grid[int(enough[0])], low, 1.0 if high is None else high))


def _result(
    evidence: Evidence,
    grid: Array,
    measured: list[tuple[float, float]],
    confidence: float,
    method: str,
) -> CriticalMass:
    low, high = _bracket(evidence, grid)
    return CriticalMass(
        target=evidence.target,
        low=low,
        high=high,
        alpha=_best_guess(evidence, grid),
        confidence=confidence,
        reached=evidence.narrow,
        trainings=len(measured),
        measured=tuple(measured),
        noise=evidence.noise,
        method=method,
        spread=evidence.spread,
    )

"""Distributions of cost and free-riding factor, exact in the tails, and the types of a population.

A truncated distribution is the distribution conditioned on [low, high]; nothing is clipped. With
Φ the normal distribution function and (a, b) the window in standard units,

    F(x) = (Φ(z) − Φ(a)) / (Φ(b) − Φ(a)),    F⁻¹(q) = Φ⁻¹(Φ(a) + q(Φ(b) − Φ(a))).

A window above the mean is mirrored (Φ(−z) = 1 − Φ(z)), so that no digits are lost far out.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy  # its parts are loaded when first asked for
from numpy.typing import ArrayLike, NDArray

from sim import scenario_parts as parts
from sim.trained import group_shares

if TYPE_CHECKING:
    from sim.scenario import Scenario

Floats = NDArray[np.float64]


class Distribution(ABC):
    """Law of one quantity: a cost (utility) or a free-riding factor (share of the success)."""

    support: tuple[float, float]
    """Smallest and largest possible value."""

    mean: float
    """Expectation."""

    @abstractmethod
    def cdf(self, x: ArrayLike) -> Floats:
        """P(X ≤ x)."""

    @abstractmethod
    def ppf(self, q: ArrayLike) -> Floats:
        """Smallest x with P(X ≤ x) ≥ q, for q in [0, 1]."""

    def cdf_left(self, x: ArrayLike) -> Floats:
        """P(X < x): the same as ``cdf`` where there are no atoms."""
        return self.cdf(x)

    def atoms(self) -> tuple[Floats, Floats] | None:
        """Values and their probabilities, or None for a continuous distribution."""
        return None

    def sample_at(self, u: ArrayLike, position: ArrayLike) -> Floats:
        """One value per person from her uniform number u in [0, 1).

        ``position`` in [0, 1), row i of N as i/N, counts only where values are given out by
        position (see ``Listed``).
        """
        return self.ppf(u)


@dataclass(frozen=True)
class Constant(Distribution):
    """Everybody the same."""

    value: float

    @property
    def support(self) -> tuple[float, float]:  # type: ignore[override]
        return (self.value, self.value)

    @property
    def mean(self) -> float:  # type: ignore[override]
        return self.value

    def cdf(self, x: ArrayLike) -> Floats:
        return (np.asarray(x, dtype=float) >= self.value).astype(float)

    def cdf_left(self, x: ArrayLike) -> Floats:
        return (np.asarray(x, dtype=float) > self.value).astype(float)

    def ppf(self, q: ArrayLike) -> Floats:
        return np.full(np.shape(q), self.value)

    def atoms(self) -> tuple[Floats, Floats]:
        return np.array([self.value]), np.array([1.0])


class Listed(Distribution):
    """Explicit values in equal shares: person i of N gets that with index floor((i + ½)·n/N)."""

    def __init__(self, values: ArrayLike) -> None:
        self.values: Floats = np.array(values, dtype=float)
        self.values.flags.writeable = False
        self._sorted, counts = np.unique(self.values, return_counts=True)
        self._cumulative = np.cumsum(counts) / self.values.size
        self._weights = counts / self.values.size
        self.support = (float(self._sorted[0]), float(self._sorted[-1]))
        self.mean = float(np.sum(self._sorted * self._weights))

    def cdf(self, x: ArrayLike) -> Floats:
        return self._at(np.searchsorted(self._sorted, np.asarray(x, dtype=float), side="right"))

    def cdf_left(self, x: ArrayLike) -> Floats:
        return self._at(np.searchsorted(self._sorted, np.asarray(x, dtype=float), side="left"))

    def _at(self, index: Any) -> Floats:
        return np.concatenate(([0.0], self._cumulative))[index]

    def ppf(self, q: ArrayLike) -> Floats:
        index = np.searchsorted(self._cumulative, np.asarray(q, dtype=float), side="left")
        return self._sorted[np.minimum(index, self._sorted.size - 1)]

    def atoms(self) -> tuple[Floats, Floats]:
        return self._sorted.copy(), self._weights.copy()

    def sample_at(self, u: ArrayLike, position: ArrayLike) -> Floats:
        return self.values[self.index_at(position)]

    def index_at(self, position: ArrayLike) -> NDArray[np.int64]:
        """Which of the values stands at a position in [0, 1)."""
        # i/N·n may fall short of a whole number by rounding alone: two half-ulps, put back here.
        scaled = np.asarray(position, dtype=float) * self.values.size * (1 + 4.5e-16)
        return np.minimum(scaled.astype(np.int64), self.values.size - 1)


@dataclass(frozen=True)
class UniformOn(Distribution):
    """Uniform on [low, high]."""

    low: float
    high: float

    @property
    def support(self) -> tuple[float, float]:  # type: ignore[override]
        return (self.low, self.high)

    @property
    def mean(self) -> float:  # type: ignore[override]
        return self.low + (self.high - self.low) / 2

    def cdf(self, x: ArrayLike) -> Floats:
        share = (np.asarray(x, dtype=float) - self.low) / (self.high - self.low)
        return np.clip(share, 0.0, 1.0)

    def ppf(self, q: ArrayLike) -> Floats:
        return self.low + np.asarray(q, dtype=float) * (self.high - self.low)


def log_mass(a: float, b: float) -> float:
    """log(Φ(b) − Φ(a)), exact far out in either tail; −inf for an empty window."""
    if a > 0:
        a, b = -b, -a
    upper, lower = float(scipy.special.log_ndtr(b)), float(scipy.special.log_ndtr(a))
    if not lower < upper:
        return -math.inf
    return upper + math.log1p(-math.exp(lower - upper))


class TruncatedNormal(Distribution):
    """Normal(mean, sd) conditioned on [low, high]; infinite ends for no truncation."""

    def __init__(
        self, mean: float, sd: float, low: float = -math.inf, high: float = math.inf
    ) -> None:
        self.location, self.sd = mean, sd
        self.support = (low, high)
        self.window = ((low - mean) / sd, (high - mean) / sd)
        a, b = self.window
        # A window above the mean is mirrored: then the mass lies in the tail that has the digits.
        self._sign = -1.0 if a > 0 else 1.0
        a, b = (-b, -a) if a > 0 else (a, b)
        self._below, self._mass = (
            float(scipy.special.ndtr(a)),
            float(scipy.special.ndtr(b)) - float(scipy.special.ndtr(a)),
        )
        self.log_mass = math.log(self._mass) if self._mass > 0 else -math.inf

    @property
    def mean(self) -> float:  # type: ignore[override]
        a, b = self.window
        log_phi = -0.5 * math.log(2 * math.pi)
        drift = sum(
            sign * math.exp(log_phi - 0.5 * z * z - self.log_mass)
            for sign, z in ((1, a), (-1, b))
            if math.isfinite(z)
        )
        return min(max(self.location + self.sd * drift, self.support[0]), self.support[1])

    def cdf(self, x: ArrayLike) -> Floats:
        z = self._sign * (np.asarray(x, dtype=float) - self.location) / self.sd
        share = (scipy.special.ndtr(z) - self._below) / self._mass
        return np.clip(share if self._sign > 0 else 1.0 - share, 0.0, 1.0)

    def ppf(self, q: ArrayLike) -> Floats:
        return self.at_scores(self.scores(q))

    @property
    def truncated(self) -> bool:
        """Whether there is a window; without one the scores are the same for all means and sds."""
        return self.support != (-math.inf, math.inf)

    def scores(self, q: ArrayLike) -> Floats:
        """Standard scores z at which the distribution function is q."""
        q = np.asarray(q, dtype=float)
        # Mirrored: Φ(b') − q·mass counts down from the upper end of the mirrored window.
        level = self._below + (q if self._sign > 0 else 1.0 - q) * self._mass
        return scipy.special.ndtri(level)

    def at_scores(self, z: Floats) -> Floats:
        """Values with these scores."""
        x = self.location + self.sd * self._sign * z
        return np.clip(x, *self.support) if self.truncated else x


class TruncatedLognormal(Distribution):
    """exp of Normal(log median, sigma), conditioned on [low, high]."""

    def __init__(
        self, median: float, sigma: float, low: float = 0.0, high: float = math.inf
    ) -> None:
        self.support = (max(low, 0.0), high)
        ends = [math.log(x) if x > 0 else -math.inf for x in self.support]
        self.logarithm = TruncatedNormal(math.log(median), sigma, ends[0], ends[1])
        self.log_mass = self.logarithm.log_mass
        self._median, self._sigma = median, sigma

    @property
    def mean(self) -> float:  # type: ignore[override]
        a, b = self.logarithm.window
        shifted = log_mass(a - self._sigma, b - self._sigma) - self.log_mass
        log_mean = math.log(self._median) + self._sigma**2 / 2 + shifted
        mean = math.exp(log_mean) if log_mean < 709 else math.inf
        return min(max(mean, self.support[0]), self.support[1])

    def cdf(self, x: ArrayLike) -> Floats:
        x = np.asarray(x, dtype=float)
        with np.errstate(divide="ignore"):
            return self.logarithm.cdf(np.log(np.maximum(x, 0.0)))

    def ppf(self, q: ArrayLike) -> Floats:
        with np.errstate(over="ignore"):
            return np.clip(np.exp(self.logarithm.ppf(q)), *self.support)


class TruncatedBeta(Distribution):
    """Beta(a, b) conditioned on [low, high] within [0, 1]."""

    def __init__(self, a: float, b: float, low: float = 0.0, high: float = 1.0) -> None:
        self.a, self.b, self.support = a, b, (low, high)
        # The window's mass from whichever end leaves more digits.
        self._upper = float(scipy.special.betainc(a, b, low)) > 0.5
        below = scipy.special.betaincc if self._upper else scipy.special.betainc
        self._ends = (float(below(a, b, low)), float(below(a, b, high)))
        mass = abs(self._ends[1] - self._ends[0])
        self.log_mass = math.log(mass) if mass > 0 else -math.inf

    @property
    def mean(self) -> float:  # type: ignore[override]
        low, high = self.support
        below = scipy.special.betaincc if self._upper else scipy.special.betainc
        part = abs(float(below(self.a + 1, self.b, high)) - float(below(self.a + 1, self.b, low)))
        mean = self.a / (self.a + self.b) * part / math.exp(self.log_mass)
        return min(max(mean, low), high)

    def cdf(self, x: ArrayLike) -> Floats:
        x = np.clip(np.asarray(x, dtype=float), *self.support)
        below = scipy.special.betaincc if self._upper else scipy.special.betainc
        share = (below(self.a, self.b, x) - self._ends[0]) / (self._ends[1] - self._ends[0])
        return np.clip(share, 0.0, 1.0)

    def ppf(self, q: ArrayLike) -> Floats:
        q = np.asarray(q, dtype=float)
        level = self._ends[0] + q * (self._ends[1] - self._ends[0])
        return np.clip(self._inverse(level), *self.support)

    def _inverse(self, level: Floats) -> Floats:
        """x with P(X ≤ x), or P(X > x) if counted from above, equal to ``level``."""
        x = (scipy.special.betainccinv if self._upper else scipy.special.betaincinv)(
            self.a, self.b, level
        )
        if np.isnan(x).any():
            # scipy gives up below about 1e-290; there the leading term x^a/(a·B(a, b)) is exact.
            end, other = (self.b, self.a) if self._upper else (self.a, self.b)
            with np.errstate(divide="ignore"):
                log_x = (
                    np.log(level) + math.log(end) + float(scipy.special.betaln(end, other))
                ) / end
            lead = np.exp(np.minimum(log_x, 0.0))
            x = np.where(np.isnan(x), 1.0 - lead if self._upper else lead, x)
        return x


def as_distribution(spec: float | parts.AnyDist) -> Distribution:
    """The distribution that a scenario writes: a number or one of its distribution tables."""
    law: Distribution
    match spec:
        case parts.Normal():
            law = TruncatedNormal(spec.mean, spec.sd, *_window(spec))
        case parts.Uniform():
            law = UniformOn(spec.low, spec.high)
        case parts.Lognormal():
            law = TruncatedLognormal(spec.median, spec.sigma, *_window(spec))
        case parts.Beta():
            law = TruncatedBeta(spec.a, spec.b, spec.low, spec.high)
        case parts.Values():
            law = Listed(spec.values)
        case int() | float():
            law = Constant(float(spec))
        case _:
            raise TypeError(f"not a distribution: {spec!r}")
    return law


def _window(spec: parts.Normal | parts.Lognormal) -> tuple[float, float]:
    """Where a distribution is truncated; infinite where it is not."""
    low = -math.inf if spec.low is None else spec.low
    high = math.inf if spec.high is None else spec.high
    return low, high


@dataclass(frozen=True)
class TypeClass:
    """People who are alike in law: those of one group, or those of none.

    Attributes
    ----------
    name : str
        Name of the group; empty for people in no group.
    share : float
        Share of the population; the shares of all classes sum to 1.
    cost, free_riding : Distribution
        Laws of c (utility) and γ. Independent of each other unless ``paired``.
    eligible : bool array (K,)
        Which collectives these people may join.
    paired : bool
        Both are explicit values, so c and γ go together by position: see ``pairs``.
    """

    name: str
    share: float
    cost: Distribution
    free_riding: Distribution
    eligible: NDArray[np.bool_]
    paired: bool

    def pairs(self) -> tuple[Floats, Floats, Floats]:
        """Pairs (c, γ) by position with their weights, for paired explicit values.

        The n₁ costs and n₂ factors cut the positions [0, 1) into at most n₁ + n₂ − 1 pieces.
        """
        if not (isinstance(self.cost, Listed) and isinstance(self.free_riding, Listed)):
            raise ValueError("only explicit values of cost and free-riding are paired")
        n1, n2 = self.cost.values.size, self.free_riding.values.size
        # Whole multiples of 1/(n₁n₂), so that cuts that coincide are one cut.
        cuts = np.union1d(np.arange(n1 + 1) * n2, np.arange(n2 + 1) * n1)
        left = cuts[:-1]
        weights = np.diff(cuts) / (n1 * n2)
        return self.cost.values[left // n2], self.free_riding.values[left // n1], weights


def type_classes(scenario: Scenario) -> tuple[TypeClass, ...]:
    """The classes of a population: people in no group first (if there are any), then the groups.

    Returns
    -------
    tuple of TypeClass
        Shares sum to 1.
    """
    people = scenario.population
    eligible = scenario.eligible()
    shares = group_shares(scenario)
    rest = 1.0 - math.fsum(shares)
    if rest < 1e-9:
        shares = [share / math.fsum(shares) for share in shares]
    classes = []
    if rest >= 1e-9:
        classes.append(_type_class("", rest, people.cost, people.free_riding, eligible[0]))
    for row, (name, group) in enumerate(people.groups.items()):
        cost = people.cost if group.cost is None else group.cost
        free_riding = people.free_riding if group.free_riding is None else group.free_riding
        classes.append(_type_class(name, shares[row], cost, free_riding, eligible[row + 1]))
    return tuple(classes)


def _type_class(
    name: str, share: float, cost: Any, free_riding: Any, eligible: NDArray[np.bool_]
) -> TypeClass:
    paired = isinstance(cost, parts.Values) and isinstance(free_riding, parts.Values)
    eligible = eligible.copy()
    eligible.flags.writeable = False
    return TypeClass(
        name, share, as_distribution(cost), as_distribution(free_riding), eligible, paired
    )

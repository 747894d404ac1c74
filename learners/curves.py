"""Curves S(α) of one collective's success: three shapes, with onset, integral and critical mass.

The theorems in `learners.bounds` all give one of::

    Hyperbola   S(α) = u − v/(α − s)
    Ramp        S(α) = slope·α
    PowerCurve  S(α) = 1 − (1 − rate·α)^T

clipped to [0, 1], with S(0) = 0, non-decreasing in α ∈ [0, 1]. A curve knows its onset
a₀ = sup{α : S(α) = 0}, its integral, and in closed form its critical mass

    critical_mass(S*) = inf{α : S(α) ≥ S*},

which is 0 for S* ≤ 0 (no one is needed) and nan where even α = 1 does not reach S*. It is an
infimum: agents join iff S > θ *strictly*, so nobody of threshold θ joins at critical_mass(θ)
itself; and where S jumps at 0 (nothing to overcome) it is 0, although S(0) = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@runtime_checkable
class Curve(Protocol):
    """Success of one collective alone as a function of its size α, non-decreasing, S(0) = 0."""

    def __call__(self, alpha: npt.ArrayLike) -> Array:
        """S(α) in [0, 1], elementwise, in float64; α must lie in [0, 1] (not checked here)."""

    def critical_mass(self, target: float) -> float:
        """inf{α : S(α) ≥ target}: 0 for target ≤ 0, nan where α = 1 does not reach it."""

    def integral(self, alpha: float) -> float:
        """∫₀^α S(a) da of the clipped curve."""

    @property
    def onset(self) -> float:
        """a₀ = sup{α : S(α) = 0}; 1 where S is 0 everywhere."""


def require_range(
    name: str,
    value: float,
    low: float = 0.0,
    high: float = math.inf,
    *,
    low_open: bool = False,
    high_open: bool = False,
    meaning: str = "",
) -> float:
    """Return `value` as a float if it lies in the range, else say what came and what is allowed.

    Raises
    ------
    ValueError
        ``uniqueness: got 1.2; must be in [0, 1] (share of the population, ξ)``
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    inside = (low < number if low_open else low <= number) and (
        number < high if high_open else number <= high
    )
    if inside and math.isfinite(number):
        return number
    if math.isinf(high):
        allowed = f"> {low:g}" if low_open else f"≥ {low:g}"
    else:
        allowed = f"in {'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"
    note = f" ({meaning})" if meaning else ""
    raise ValueError(f"{name}: got {value!r}; must be {allowed}{note}")


def require_steps(steps: int) -> int:
    """Return T as an int if it is a whole number ≥ 1, else ValueError."""
    if isinstance(steps, (int, np.integer)) and not isinstance(steps, bool) and steps >= 1:
        return int(steps)
    raise ValueError(f"steps: got {steps!r}; must be a whole number ≥ 1 (gradient steps, T)")


def require_sizes(alpha: npt.ArrayLike) -> Array:
    """Return α as float64 if all of it lies in [0, 1], else ValueError."""
    sizes = np.asarray(alpha, dtype=np.float64)
    if not bool(np.all((sizes >= 0.0) & (sizes <= 1.0))):
        raise ValueError(f"alpha: got {alpha!r}; must be in [0, 1] (share of the population)")
    return sizes


@dataclass(frozen=True)
class Hyperbola:
    """S(α) = clip(u − v/(α − s), 0, 1) for α > s, else 0.

    Parameters
    ----------
    u : float
        Level the curve rises towards, finite.
    v : float, ≥ 0
        Resistance: mass the collective has to outweigh.
    shift : float in [0, 1), s
        Size that is lost to the adversary before anything is gained.
    top : float, optional
        S(1) before clipping, u − v/(1−s) where not given. The theorems pass it, because it is
        a round number there (1 − ε/(1−ε), say) and u − v is not in floating point.

    Notes
    -----
    Evaluated as top − v(1−α)/((α−s)(1−s)), which is exact at α = 1 and does not cancel.
    """

    u: float
    v: float
    shift: float = 0.0
    top: float | None = None

    def __post_init__(self) -> None:
        require_range("u", self.u, -math.inf)
        require_range("v", self.v)
        require_range("shift", self.shift, 0.0, 1.0, high_open=True)
        top = self.u - self.v / (1.0 - self.shift) if self.top is None else self.top
        object.__setattr__(self, "top", require_range("top", top, -math.inf))

    @property
    def _top(self) -> float:
        return float(self.top)  # type: ignore[arg-type]  # filled in by __post_init__

    def __call__(self, alpha: npt.ArrayLike) -> Array:
        alpha = np.asarray(alpha, dtype=np.float64)
        if alpha.size == 1:  # once an epoch: the same operations in a tenth of the time
            return np.array(self._at_one(alpha.item())).reshape(alpha.shape)
        reach = alpha - self.shift
        active = reach > 0.0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            loss = (self.v / (1.0 - self.shift)) * (1.0 - alpha) / reach  # 0, not 0·∞, for v = 0
        return np.where(active, np.clip(self._top - loss, 0.0, 1.0), 0.0)

    def _at_one(self, alpha: float) -> float:
        reach = alpha - self.shift
        if not reach > 0.0:
            return 0.0
        loss = (self.v / (1.0 - self.shift)) * (1.0 - alpha) / reach
        return min(max(self._top - loss, 0.0), 1.0)

    def _beyond_shift(self, target: float) -> float:
        """α − s at which the unclipped curve is at `target` ≤ top."""
        if self.v == 0.0:
            return 0.0
        rise = (self._top - target) * (1.0 - self.shift)
        return self.v / (self.v + rise) * (1.0 - self.shift)

    def critical_mass(self, target: float) -> float:
        """(v + (top−S*)(1−s)s) / (v + (top−S*)(1−s)); with s = 0 this is v/(u − S*)."""
        if target <= 0.0:
            return 0.0
        if not target <= min(self._top, 1.0):
            return math.nan
        return min(self.shift + self._beyond_shift(target), 1.0)

    @property
    def onset(self) -> float:
        """a₀ = s + v/u, or 1 where the curve never leaves 0."""
        if self._top <= 0.0:
            return 1.0
        return min(self.shift + self._beyond_shift(0.0), 1.0)

    def integral(self, alpha: float) -> float:
        """∫₀^α S = u(b−a₀) − v ln((b−s)/(a₀−s)) + (α−b), b where S leaves the hyperbola for 1."""
        alpha = require_range("alpha", alpha, 0.0, 1.0, meaning="share of the population, α")
        reach = alpha - self.shift
        if self._top <= 0.0 or reach <= 0.0:
            return 0.0
        if self.v == 0.0:
            return min(self._top, 1.0) * reach
        start = self._beyond_shift(0.0)
        full = self._beyond_shift(1.0) if self._top > 1.0 else math.inf
        end = min(reach, full)
        flat = max(reach - full, 0.0)
        if end <= start:
            return flat
        growth = (end - start) / start
        if growth < 1e-2:  # w − ln(1+w) would cancel: take its series
            return self.v * _w_minus_log1p(growth) + flat
        height = self._top + self.v / (1.0 - self.shift)
        return height * (end - start) - self.v * (math.log(end) - math.log(start)) + flat


def _w_minus_log1p(w: float) -> float:
    """w − ln(1+w) for small w ≥ 0, w²/2 − w³/3 + …; 8 terms are exact to 1e-16 for w < 1e-2."""
    return w * w * sum((-w) ** j / (j + 2) for j in range(8))


@dataclass(frozen=True)
class Ramp:
    """S(α) = min(1, slope·α); an infinite slope is a step: S = 1 for every α > 0.

    Parameters
    ----------
    slope : float, ≥ 0
        Success per unit of α.
    """

    slope: float

    def __post_init__(self) -> None:
        if self.slope != math.inf:
            require_range("slope", self.slope, meaning="success per unit of α")

    def __call__(self, alpha: npt.ArrayLike) -> Array:
        alpha = np.asarray(alpha, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # inf·0 at α = 0, replaced below
            return np.where(alpha > 0.0, np.minimum(1.0, self.slope * alpha), 0.0)

    def critical_mass(self, target: float) -> float:
        """S*/slope."""
        if target <= 0.0:
            return 0.0
        if not target <= min(1.0, self.slope):
            return math.nan
        return min(target / self.slope, 1.0)

    @property
    def onset(self) -> float:
        return 0.0 if self.slope > 0.0 else 1.0

    def integral(self, alpha: float) -> float:
        """slope·α²/2 up to α = 1/slope, then the unit rectangle."""
        alpha = require_range("alpha", alpha, 0.0, 1.0, meaning="share of the population, α")
        if alpha == 0.0:
            return 0.0
        height = self.slope * alpha
        return 0.5 * height * alpha if height <= 1.0 else alpha - 0.5 / self.slope


@dataclass(frozen=True)
class PowerCurve:
    """S(α) = 1 − (1 − rate·α)^T.

    Parameters
    ----------
    rate : float in [0, 1]
        Share of the remaining distance closed in one step if everybody took part, ηξ.
    steps : int, ≥ 1
        T, gradient steps.
    """

    rate: float
    steps: int

    def __post_init__(self) -> None:
        require_range("rate", self.rate, 0.0, 1.0, meaning="learning rate × pull, ηξ")
        require_steps(self.steps)

    def __call__(self, alpha: npt.ArrayLike) -> Array:
        alpha = np.asarray(alpha, dtype=np.float64)
        with np.errstate(divide="ignore"):  # log1p(−1) where one step closes everything
            remaining = self.steps * np.log1p(-self.rate * alpha)
        return np.clip(-np.expm1(remaining), 0.0, 1.0)

    def critical_mass(self, target: float) -> float:
        """(1 − (1−S*)^(1/T)) / rate; S* = 1 is reached only where rate = 1, however large T."""
        if target <= 0.0:
            return 0.0
        if target == 1.0 and self.rate == 1.0:
            return 1.0
        if not (target < 1.0 and target <= float(self(1.0))):
            return math.nan
        return min(-math.expm1(math.log1p(-target) / self.steps) / self.rate, 1.0)

    @property
    def onset(self) -> float:
        return 0.0 if self.rate > 0.0 else 1.0

    def integral(self, alpha: float) -> float:
        """α − (1 − (1 − rate·α)^(T+1)) / (rate·(T+1))."""
        alpha = require_range("alpha", alpha, 0.0, 1.0, meaning="share of the population, α")
        if self.rate * alpha == 0.0:
            return 0.0
        power = self.steps + 1
        kept = self.rate * alpha
        closed = 1.0 if kept == 1.0 else -math.expm1(power * math.log1p(-kept))
        return max(alpha - closed / (self.rate * power), 0.0)

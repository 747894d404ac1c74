"""All rest points of one participating share: α = F(α) on [0, top], F possibly with jumps.

F is a band. Where some people are indifferent, they stay as they are, and any share between

    low(α)   who strictly wants to be a member        (S > θ)
    high(α)  who would not mind                       (S ≥ θ)

can be members. α is at rest iff low(α) ≤ α ≤ high(α). A jump of F across the diagonal from below
to above is therefore a rest point too, an unstable one: at the jump itself the people concerned
are indifferent. A rest point is stable iff what is near it does not leave it, which is to say that
F crosses the diagonal from above (one-sided at the ends).

Pure functions; nothing here knows what a collective is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Map = Callable[[Floats], Floats]

TANGENT = 1e-11  # |F − α| below this at a local minimum counts as touching
HALVINGS = 200  # until the two ends are neighbouring floats


@dataclass(frozen=True)
class RestPoint:
    """One rest point x of a one-dimensional participation map.

    Attributes
    ----------
    x : share, in [0, top]
    stable : nothing near x leaves it
    residual : distance of x from [low(x−), high(x+)]
    continuum : x is one end of an interval on which every share is at rest
    """

    x: float
    stable: bool
    residual: float
    continuum: bool = False


@dataclass(frozen=True)
class Band:
    """The map F as the band [low, high] on [0, top]; vectorised, arrays (n,) → (n,).

    ``high = None`` where nobody is ever indifferent.
    """

    low: Map
    high: Map | None = None
    top: float = 1.0

    def ends(self, x: Floats) -> tuple[Floats, Floats]:
        """low(x) and high(x)."""
        low = self.low(x)
        return low, low if self.high is None else self.high(x)

    def excess(self, x: Floats) -> Floats:
        """F(x) − x, the part of the band nearest to the diagonal; 0 where x is at rest."""
        low, high = self.ends(x)
        return np.where(low > x, low - x, np.where(high < x, high - x, 0.0))

    def side(self, x: Floats) -> Integers:
        """+1 where the share grows, −1 where it falls, 0 where it rests (to rounding)."""
        excess = self.excess(x)
        # Near 0 floats are dense and F may be 1e-22 in earnest; near the top F is rounded to 1e-16.
        margin = np.where(2 * x < self.top, 1e-12 * x, 1e-15 + 1e-12 * (self.top - x))
        return np.where(np.abs(excess) <= margin, 0, np.sign(excess)).astype(np.int64)


def rest_points(
    band: Band, knots: Floats, *, uniform: int = 2000, tangent: bool = True
) -> tuple[RestPoint, ...]:
    """All rest points of a band, in ascending order.

    Parameters
    ----------
    band : the participation map on [0, top]
    knots : (m,) shares between which F has no jump and no more than one bend worth the name
    uniform : number of evenly spaced points that are added; 0 where the knots say it all
        (a step function whose jumps and levels are all among them)
    tangent : also look where F only touches the diagonal

    Notes
    -----
    Brackets every change of side on the grid, halves it to neighbouring floats, and looks for
    tangencies (saddle-nodes) at the local minima of |F − α|. Two crossings within one grid cell
    that leave no local minimum on the grid are missed. O((m + uniform)·cost of F).
    """
    x = _grid(band.top, knots, uniform)
    side = band.side(x)
    runs, covered = _continua(band, x, side)
    resting = x[(side == 0) & ~covered]
    found = [_crossings(band, x, side), resting]
    if uniform and tangent:
        found.append(_tangencies(band, x, side))
    points = _distinct(band, np.concatenate([*found, *(np.array(run) for run in runs)]))
    points = np.array([p for p in points if not any(a < p < b for a, b in runs)])
    ends = {end for run in runs for end in run}
    between = _sides_between(band, points, x, side)
    residual = _residuals(band, points)
    return tuple(
        RestPoint(float(p), left >= 0 >= right, float(r), bool(p in ends))
        for p, left, right, r in zip(points, between[:-1], between[1:], residual, strict=True)
    )


def bisect(
    side: Callable[[Floats], Integers], left: Floats, right: Floats, *, halvings: int = HALVINGS
) -> tuple[Floats, Floats]:
    """Halve brackets [left, right] on whose ends ``side`` differs, until no float lies between.

    ``side(left)`` and ``side(right)`` must be −1 or +1; a 0 inside ends a bracket on that point.
    """
    left, right = left.copy(), right.copy()
    if not left.size:
        return left, right
    at_left = side(left)
    for _ in range(halvings):
        middle = 0.5 * (left + right)
        if np.all((middle <= left) | (middle >= right)):
            break
        at = side(middle)
        left = np.where((at == at_left) | (at == 0), middle, left)
        right = np.where((at == -at_left) | (at == 0), middle, right)
    return left, right


def smallest_reaching(values: Map, targets: Floats, top: float = 1.0) -> Floats:
    """inf{x ∈ [0, top] : values(x) ≥ target} of a non-decreasing function, nan for no such x."""
    targets = np.asarray(targets, float)
    out = np.full(targets.shape, np.nan)
    ends = values(np.array([0.0, top]))
    out[targets <= ends[0]] = 0.0
    inside = (targets > ends[0]) & (targets <= ends[1])
    aim = targets[inside]
    _, right = bisect(
        lambda x: np.where(values(x) >= aim, 1, -1), np.zeros(aim.shape), np.full(aim.shape, top)
    )
    out[inside] = right
    return out


def _grid(top: float, knots: Floats, uniform: int) -> Floats:
    near = np.geomspace(1e-12, 1.0, 25 + min(uniform // 5, 215)) * top
    even = np.linspace(0.0, top, uniform + 1) if uniform else np.array([0.0, top])
    knots = knots[(knots >= 0.0) & (knots <= top)]
    return np.unique(np.concatenate([even, near, np.maximum(top - near, 0.0), knots]))


def _crossings(band: Band, x: Floats, side: Integers) -> Floats:
    cells = np.flatnonzero(side[:-1] * side[1:] < 0)
    left, right = bisect(lambda m: np.sign(band.excess(m)).astype(np.int64), x[cells], x[cells + 1])
    if not left.size:
        return left
    nearer = np.abs(band.excess(left)) <= np.abs(band.excess(right))
    return np.where(nearer, left, right)


def _tangencies(band: Band, x: Floats, side: Integers) -> Floats:
    """Where |F − α| has a local minimum without a change of side: touching, or two crossings."""
    gap = np.abs(band.excess(x))
    same = (side[:-2] == side[1:-1]) & (side[1:-1] == side[2:]) & (side[1:-1] != 0)
    dips = np.flatnonzero(same & (gap[1:-1] <= gap[:-2]) & (gap[1:-1] <= gap[2:])) + 1
    if not dips.size:
        return np.empty(0)
    sign, left, right = side[dips], x[dips - 1], x[dips + 1]
    a, b = left, right
    ratio = (np.sqrt(5.0) - 1.0) / 2.0  # golden section
    for _ in range(50):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        lower = sign * band.excess(c) <= sign * band.excess(d)
        a, b = np.where(lower, a, c), np.where(lower, d, b)
    dip = 0.5 * (a + b)
    depth = sign * band.excess(dip)
    touching = dip[np.abs(depth) <= TANGENT]
    crossed = depth < -TANGENT
    fine = np.sort(np.concatenate([left[crossed], dip[crossed], right[crossed]]))
    return np.concatenate([touching, _crossings(band, fine, band.side(fine))])


def _continua(
    band: Band, x: Floats, side: Integers
) -> tuple[list[tuple[float, float]], NDArray[np.bool_]]:
    """Intervals on which every share rests, and which grid points lie in them."""
    covered = np.zeros(x.size, bool)
    runs: list[tuple[float, float]] = []
    zero = np.concatenate([[False], side == 0, [False]])
    starts = np.flatnonzero(~zero[:-1] & zero[1:])
    stops = np.flatnonzero(zero[:-1] & ~zero[1:])  # one past the last
    for i, j in zip(starts.tolist(), stops.tolist(), strict=True):
        if j - i < 2 or x[j - 1] - x[i] < 1e-6 * x[j - 1]:
            continue
        if np.any(band.side(0.5 * (x[i : j - 1] + x[i + 1 : j]))):
            continue  # neighbouring plateaus of a step function, not a continuum
        runs.append((_edge(band, x, i, i - 1), _edge(band, x, j - 1, j)))
        covered[i:j] = True
    return runs, covered


def _edge(band: Band, x: Floats, inside: int, outside: int) -> float:
    if not 0 <= outside < x.size:
        return float(x[inside])
    resting = lambda m: np.where(band.side(m) == 0, 1, -1)  # noqa: E731
    edge, _ = bisect(resting, x[[inside]], x[[outside]])
    return float(edge[0])


def _distinct(band: Band, points: Floats) -> Floats:
    """One point for each cluster that differs by rounding only: an end, or the one most at rest."""
    points = np.sort(np.clip(points, 0.0, band.top))
    first = np.diff(points, prepend=-1.0) > 1e-15 + 1e-9 * points
    cluster = np.cumsum(first)
    merit = np.abs(band.excess(points)) - ((points == 0.0) | (points == band.top))
    order = np.lexsort((merit, cluster))
    return points[order][np.diff(cluster, prepend=0) > 0]


def _sides_between(band: Band, points: Floats, x: Floats, side: Integers) -> list[int]:
    """Side of the diagonal in the gaps before, between and behind the points; 0 for no gap."""
    edges = np.concatenate([[-0.0], points, [band.top]])
    between: list[int] = []
    for left, right in pairwise(edges):
        if right <= left:
            between.append(0)
            continue
        inside = side[(x > left) & (x < right)]
        middle = int(band.side(np.array([0.5 * (left + right)]))[0])
        # rounding can colour the points next to a rest point: the majority of the gap decides
        votes = int(np.sign(inside.sum())) if inside.size else middle
        between.append(votes if votes else middle)
    return between


def _residuals(band: Band, points: Floats) -> Floats:
    """Distance of each point from the band just around it."""
    around = np.stack(
        [np.nextafter(points, 0.0), points, np.minimum(np.nextafter(points, 2.0), band.top)]
    )
    low, high = band.ends(around.ravel())
    lowest, highest = low.reshape(3, -1).min(axis=0), high.reshape(3, -1).max(axis=0)
    return np.maximum(0.0, np.maximum(lowest - points, points - highest))

"""Equilibria in which people are indifferent between two collectives.

Where (1−γ)S_i − dues_i = (1−γ)S_j − dues_j for a positive mass of people, these can be in either.
The two sizes then lie on the curve S_i − S_j = δ, δ = (dues_i − dues_j)/(1−γ), and their sum t is
at rest:

    t = F_i + F_j at the point of that curve with α_i + α_j = t,

which is one equation in one unknown; how the indifferent split follows from the curve. F jumps
across the curve, so that these equilibria cannot be reached by following F; they are usually the
saddles between the two collectives.

With an exact platform S_i − S_j = δ may hold on more than a curve: where both succeed fully, say,
people are indifferent at any division of t, and in ties they stay. Such a stretch of rest points
is told by its two ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.fixed_points import Band, bisect, rest_points
from analysis.participation import ParticipationMap

Floats = NDArray[np.float64]
TOP = 1.0 - 1e-9
NUDGE = 1e-11  # of success, to see F on either side of the tie
BESIDE = 1e-9  # of sizes, to see F on either side of a jump of S
WIDE = 1e-3  # a stretch of ties wider than this, relative to the two sizes' sum, is no curve
EDGE = 1e-9


@dataclass(frozen=True)
class Tied:
    """A rest point at which people are tied between two collectives, or a stretch of them.

    Attributes
    ----------
    alpha : (K,) the point, or one end of the stretch
    residual : distance of α from F(α)
    end : (K,) the other end of the stretch, every point of which is at rest; None: a point
    """

    alpha: Floats
    residual: float
    end: Floats | None = None


def tied_rest_points(pmap: ParticipationMap, pair: tuple[int, int]) -> Iterable[Tied]:
    """Rest points with people tied between the two, both sizes positive (but for ends).

    Assumes that S_i − S_j does not fall as people move from j to i.
    """
    if pmap.protocol != "best_response":
        return  # logit has no ties
    if not any(c.eligible[pair[0]] and c.eligible[pair[1]] for c in pmap.classes):
        return
    for difference in _differences(pmap, pair):
        yield from _on_curve(pmap, pair, difference)


def _differences(pmap: ParticipationMap, pair: tuple[int, int]) -> Floats:
    """The δ at which a positive mass of people is tied."""
    dearer = pmap.dues[pair[0]] - pmap.dues[pair[1]]
    if dearer == 0.0:
        return np.zeros(1)
    both = [c for c in pmap.classes if c.eligible[pair[0]] and c.eligible[pair[1]]]
    laws = [c.free_riding.atoms() for c in both]
    factors = np.unique(np.concatenate([np.empty(0), *(a[0] for a in laws if a is not None)]))
    factors = factors[factors < 1.0]
    if len(factors) > 50:
        return np.empty(0)  # as good as continuous: F is smooth at this grain
    return dearer / (1.0 - factors)


def _on_curve(pmap: ParticipationMap, pair: tuple[int, int], difference: float) -> Iterable[Tied]:
    i, j = pair
    units = np.eye(pmap.size)

    def sizes(x: Floats, t: Floats) -> Floats:
        return x[:, None] * units[i] + (t - x)[:, None] * units[j]

    def lead(x: Floats, t: Floats) -> Floats:
        success = pmap.success.at(sizes(x, t))
        return success[:, i] - success[:, j] - difference

    def stretch(t: Floats) -> tuple[Floats, Floats]:
        """Where on the line of sum t S_i − S_j = δ: from and to which α_i (n,)."""
        sums = np.concatenate([t, t])
        strict = np.repeat([True, False], len(t))  # both ends of a stretch on which they are tied

        def side(x: Floats) -> NDArray[np.int64]:
            d = lead(x, sums)
            return np.where(np.where(strict, d < 0.0, d <= 0.0), -1, 1)

        left, right = np.zeros(sums.shape), sums.copy()
        at_left, at_right = side(left), side(right)
        low, high = bisect(side, left, right, halvings=42)
        x = np.where(at_left > 0, left, np.where(at_right < 0, right, 0.5 * (low + high)))
        return x[: len(t)], x[len(t) :]

    def curve(t: Floats) -> Floats:
        """Sizes (n, K) on the curve with sum t: the middle of where S_i − S_j = δ."""
        begin, end = stretch(t)
        return sizes(0.5 * (begin + end), t)

    last: list[tuple[Floats, Floats]] = []  # low and high are asked one after the other

    def total(t: Floats, indifferent: bool) -> Floats:
        if not last or last[0][0] is not t:
            last[:] = [(t, curve(t))]
        return np.minimum(pmap.at(last[0][1], indifferent=indifferent)[:, [i, j]].sum(axis=1), TOP)

    # Just below 1: where everybody is in, all that succeed fully are tied, and nothing is decided.
    band = Band(lambda t: total(t, False), lambda t: total(t, True), TOP)
    levels = np.geomspace(1e-6, 0.1, 120)
    uniform = 100 if pmap.costly else 250
    for point in rest_points(band, levels, uniform=uniform, tangent=False):
        t = np.array([point.x])
        begin, end = (float(x[0]) for x in stretch(t))
        whole = 1.0 / TOP if point.x == TOP else 1.0
        if end - begin > WIDE * point.x:
            between = begin + (end - begin) * np.array([0.02, 0.25, 0.5, 0.75, 0.98])
            places = sizes(between, np.full(between.shape, point.x))
            if all(_is_rest(pmap, pair, alpha, difference) for alpha in places):
                ends = np.array([begin, end])
                ends[np.abs(ends) < EDGE] = 0.0
                ends[np.abs(ends - point.x) < EDGE] = point.x
                one, other = sizes(ends, np.repeat(t, 2)) * whole
                yield Tied(one, point.residual, other)
                continue
        alpha = sizes(np.array([0.5 * (begin + end)]), t)[0]
        if alpha[i] <= 1e-9 or alpha[j] <= 1e-9:
            continue
        if _is_rest(pmap, pair, alpha, difference):
            yield Tied(alpha * whole, point.residual)


def _is_rest(
    pmap: ParticipationMap, pair: tuple[int, int], alpha: Floats, difference: float
) -> bool:
    """Whether α is a mixture of what people do on either side of the tie, and of a jump of S."""
    sides = []
    for scale in (1.0, 1.0 - BESIDE, 1.0 + BESIDE):
        success = pmap.success.at(np.minimum(alpha * scale, alpha / max(alpha.sum(), 1e-300)))
        if abs(success[pair[0]] - success[pair[1]] - difference) > 1e-8:
            if scale == 1.0:
                return False
            continue
        for k in pair:
            nudged = success + NUDGE * np.eye(pmap.size)[k]
            sides += [pmap.share_at(nudged, indifferent=tie) for tie in (False, True)]
            sides += [pmap.share_at(nudged - 2 * NUDGE, indifferent=False)]
    low, high = np.min(sides, axis=0), np.max(sides, axis=0)
    return bool(np.all((low - 1e-8 <= alpha) & (alpha <= high + 1e-8)))

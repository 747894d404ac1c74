"""Equilibria of participation: α = F(α), all of them, with stability and residual.

One collective: the whole interval is searched (analysis.fixed_points). Several: every collective
alone, every pair where people are indifferent between the two (analysis.ties) and on its whole
triangle by subdivision (analysis.triangle), and with three or more also the points that the flow
α̇ = F(α) − α runs into from many starts.

Stable means that what is near stays near under that flow. In ties people stay as they are, so an
unstable equilibrium sits exactly where F jumps across the diagonal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from analysis.fixed_points import Band, Map, rest_points, smallest_reaching
from analysis.participation import ParticipationMap, participation_map
from analysis.ties import Tied, tied_rest_points
from analysis.triangle import triangle_rest_points
from learners.finite.staircase import Staircase
from learners.success import SuccessFunction
from sim.scenario import Scenario

Floats = NDArray[np.float64]
SAME = 1e-6  # equilibria of several collectives nearer than this are one
HAIR = 1e-11  # relative; S at its own step is decided within a relative 1e-12 of it
JUMP = 1e-6  # of S within a hair: more than any slope makes of it
NEARLY = 1e-3  # and those with everybody in that are nearer than this


@dataclass(frozen=True)
class Equilibrium:
    """One fixed point of the participation map.

    Attributes
    ----------
    alpha : (K,) participating shares
    success : (K,) success there; of an unstable one at which S jumps, on the upper side of the
        jump: what carries the collective on, as `CriticalThreshold.success_at_crit`
    stable : what is near it stays near it (with several collectives: as one millionth of the
        population shows)
    residual : distance of α from F(α), taken as the interval F jumps over where it jumps
    continuum : it is one end of an interval on which every share is an equilibrium
    other_ends : with several collectives, the (K,) shares at the other end of each such interval
    """

    alpha: tuple[float, ...]
    success: tuple[float, ...]
    stable: bool
    residual: float
    continuum: bool = False
    other_ends: tuple[tuple[float, ...], ...] = ()


def equilibria(what: Scenario | ParticipationMap) -> tuple[Equilibrium, ...]:
    """All equilibria of the infinite population, sorted by α.

    Notes
    -----
    With one collective all of them, to rounding (`rest_points` says what could be missed). With
    two, those with people indifferent between the two, and those that a triangulation of the
    simplex of mesh 1/64 and finer near 0 sees, to 1e-9. Where people are indifferent between two
    collectives at every division, they stay, and the whole interval is at rest: its ends are
    listed (`continuum`). A bound succeeds fully as soon as everybody is in, and not before: of
    that edge only the middle is listed.
    With three or more: all in which at most two have members, and the stable ones; an unstable
    one with three or more collectives may be missed.
    """
    pmap = what if isinstance(what, ParticipationMap) else participation_map(what)
    nobody = np.zeros(pmap.size)
    if pmap.size == 1:
        band, knots = line(pmap, 0, nobody)
        found = rest_points(band, knots, uniform=resolution(pmap))
        alpha = np.array([[p.x] for p in found]).reshape(-1, 1)
        success = _success(pmap, alpha, np.array([p.stable for p in found], bool))
        return tuple(
            Equilibrium((p.x,), tuple(s.tolist()), p.stable, p.residual, p.continuum)
            for p, s in zip(found, success, strict=True)
        )
    return _several(pmap)


def line(pmap: ParticipationMap, k: int, others: Floats) -> tuple[Band, Floats]:
    """F_k as a map of α_k alone, the others' sizes held: the band and the knots of its search.

    Parameters
    ----------
    others : (K,) sizes; entry k is not read
    """
    fixed = np.array(others, float)
    fixed[k] = 0.0
    favouring = pmap.favouring(k)  # who is in a tie stays, and members of k are looked at
    top = max(0.0, 1.0 - float(fixed.sum()))
    unit = np.eye(pmap.size)[k]

    def success(x: Floats) -> Floats:
        return pmap.success.at(fixed + np.clip(x, 0.0, top)[..., None] * unit)

    def share(x: Floats, indifferent: bool) -> Floats:
        return np.minimum(favouring(success(x), indifferent), top)

    atoms = pmap.thresholds(k)
    ties = atoms.size > 0 and pmap.protocol == "best_response"
    band = Band(lambda x: share(x, False), (lambda x: share(x, True)) if ties else None, top)
    return band, _knots(pmap, k, lambda x: success(x)[..., k], atoms[np.isfinite(atoms)], top)


def resolution(pmap: ParticipationMap) -> int:
    """Evenly spaced points of the search; none are needed where F is a step function."""
    if pmap.stepwise and pmap.size == 1:
        return 0
    return 300 if pmap.costly else 2000


def _knots(pmap: ParticipationMap, k: int, success: Map, atoms: Floats, top: float) -> Floats:
    """Shares at which S crosses its levels and the thresholds; levels of F between the atoms."""
    levels = np.linspace(0.0, 1.0, 101 if pmap.costly else 401)[1:]
    marks = pmap.landmarks(k)
    if pmap.costly:
        marks = marks[:: max(1, len(marks) // 100)]
    edges = smallest_reaching(success, np.concatenate([[1e-300], atoms]), top)
    crossing = smallest_reaching(success, np.unique(np.concatenate([levels, marks])), top)
    at_atoms = np.zeros((len(atoms), pmap.size))
    at_atoms[:, k] = np.clip(atoms, 0.0, 1.0)
    plateaus = [pmap.share_at(at_atoms, indifferent=tie)[:, k] for tie in (False, True)]
    everybody = np.zeros((2, pmap.size))
    everybody[1, k] = 1.0
    steps = _steps(pmap, k)
    knots = [edges, np.nextafter(edges, 0.0), crossing, *plateaus, pmap.share_at(everybody)[:, k]]
    knots += [np.nextafter(steps, 0.0), steps, np.nextafter(steps, 2.0)]
    out = np.concatenate(knots)
    return np.minimum(out[np.isfinite(out)], top)


def _steps(pmap: ParticipationMap, k: int) -> Floats:
    """Sizes at which an exact S_k jumps when it is alone: F is flat between them."""
    curve = pmap.success.curve(k)
    if not isinstance(curve, Staircase):
        return np.empty(0)
    # S at its own step is decided within a relative 1e-12 of it
    steps = np.concatenate([curve.steps * (1.0 - 4e-12), curve.steps * (1.0 + 4e-12)])
    return steps[:: max(1, len(steps) // (400 if pmap.costly else 20_000))]


def from_above(function: SuccessFunction, alpha: Floats) -> Floats:
    """S_k (n, K) at sizes (n, K), where it jumps there on the upper side: a hair more of k."""
    value = function.at(alpha)
    room = np.maximum(0.0, 1.0 - alpha.sum(axis=1))
    for k in range(function.size):
        more = alpha.copy()
        more[:, k] += np.minimum(HAIR * alpha[:, k], room)
        above = function.at(more)[:, k]
        value[:, k] = np.where(np.abs(above - value[:, k]) > JUMP, above, value[:, k])
    return value


def _success(pmap: ParticipationMap, alpha: Floats, stable: NDArray[np.bool_]) -> Floats:
    """S (n, K) at equilibria: there, and where they are unstable from above."""
    value = pmap.success.at(alpha)
    return np.where(stable[:, None], value, from_above(pmap.success, alpha))


# ── several collectives ──────────────────────────────────────────────────────────────────────


def _several(pmap: ParticipationMap) -> tuple[Equilibrium, ...]:
    pairs = list(combinations(range(pmap.size), 2))
    ties = [found for pair in pairs for found in tied_rest_points(pmap, pair)]
    tied = [(t.alpha, t.residual, t.end is not None) for t in ties]
    tied += [(t.end, t.residual, True) for t in ties if t.end is not None]
    found = [point for pair in pairs for point in _on_face(pmap, pair)]
    if pmap.size > 2:
        found += _attractors(pmap)
    points = _distinct([*_on_axes(pmap), *tied], found)
    points = _without_stretches(points, ties)
    alpha = np.array([p[0] for p in points])
    stable = _stable(pmap, alpha)
    success = _success(pmap, alpha, stable)
    answer = [
        Equilibrium(
            tuple(a.tolist()), tuple(s.tolist()), bool(ok), residual, continuum, _ends(a, ties)
        )
        for a, s, ok, (_, residual, continuum) in zip(alpha, success, stable, points, strict=True)
    ]
    return tuple(sorted(answer, key=lambda e: e.alpha))


def _on_axes(pmap: ParticipationMap) -> Iterable[tuple[Floats, float, bool]]:
    """Equilibria in which one collective has members and nobody wants any other."""
    for k in range(pmap.size):
        band, knots = line(pmap, k, np.zeros(pmap.size))
        for point in rest_points(band, knots, uniform=resolution(pmap)):
            alpha = point.x * np.eye(pmap.size)[k]
            # just beside the point: at a jump the tie must not be resolved for another collective
            others = np.delete(pmap.at(alpha), k)
            if others.max(initial=0.0) <= 1e-12:
                yield alpha, point.residual, point.continuum


def _on_face(pmap: ParticipationMap, pair: tuple[int, int]) -> Iterable[tuple[Floats, float, bool]]:
    """Equilibria in which two collectives may have members and nobody wants a third."""
    embed = np.eye(pmap.size)[list(pair)]  # (2, K)
    rest = [j for j in range(pmap.size) if j not in pair]

    def face(x: Floats) -> Floats:
        return pmap.at(_inside(x @ embed))[..., list(pair)]

    levels = np.linspace(0.0, 1.0, 13 if pmap.costly else 25)[1:]
    marks = []
    for k in pair:
        unit = np.eye(pmap.size)[k]
        alone = lambda x, k=k, unit=unit: pmap.success.at(x[..., None] * unit)[..., k]  # noqa: E731
        reach = smallest_reaching(alone, np.concatenate([levels, pmap.thresholds(k)[:50]]))
        marks.append(reach[np.isfinite(reach)])
    mesh = 32 if pmap.costly else 64
    for point, residual in triangle_rest_points(face, marks, mesh=mesh):
        alpha = point @ embed
        if rest and pmap.at(alpha)[rest].max() > 1e-9:
            continue
        yield alpha, residual, False


def _inside(alpha: Floats) -> Floats:
    """α, or where everybody is a member a hair less: there, all that succeed fully are tied."""
    alpha = np.clip(alpha, 0.0, 1.0)
    return alpha * np.minimum(1.0, (1.0 - 1e-7) / np.maximum(alpha.sum(-1, keepdims=True), 1e-300))


def _attractors(pmap: ParticipationMap) -> list[tuple[Floats, float, bool]]:
    """Where the flow ends from a lattice of starts in the simplex."""
    steps = 6 if pmap.size <= 4 else 3
    alpha = np.array(list(_lattice(pmap.size, steps)), float) / steps
    for _ in range(400):
        alpha += 0.2 * (pmap.at(alpha) - alpha)  # ties broken: what is left is one of a stretch
    for _ in range(50):
        alpha = pmap.at(alpha)
    residual = np.abs(pmap.at(alpha) - alpha).max(axis=1)
    return [(a, float(r), False) for a, r in zip(alpha, residual, strict=True) if r <= 1e-9]


def _lattice(size: int, total: int) -> Iterable[tuple[int, ...]]:
    """All (n₁ … n_K) of whole numbers ≥ 0 with Σn ≤ total."""
    if size == 0:
        yield ()
        return
    for first in range(total + 1):
        for rest in _lattice(size - 1, total - first):
            yield (first, *rest)


def _distinct(
    exact: Sequence[tuple[Floats, float, bool]], found: Iterable[tuple[Floats, float, bool]]
) -> list[tuple[Floats, float, bool]]:
    """The exact ones (axes and ties), and of the others those that are not the same again."""
    kept: list[tuple[Floats, float, bool]] = []
    for points, apart in ((exact, 1e-12), (found, SAME)):
        for point in points:
            # With everybody in, rounding decides where the tie is.
            near = NEARLY if point[0].sum() > 1.0 - SAME else apart
            near = SAME if points is exact and point[2] else apart if points is exact else near
            same = [i for i, o in enumerate(kept) if np.abs(point[0] - o[0]).max() <= near]
            if not same:
                kept.append(point)
            elif point[2]:
                alpha, residual, _ = kept[same[0]]
                kept[same[0]] = (alpha, residual, True)
    return kept


def _without_stretches(
    points: list[tuple[Floats, float, bool]], ties: Sequence[Tied]
) -> list[tuple[Floats, float, bool]]:
    """The points that lie within no stretch of ties, its ends apart."""

    def within(alpha: Floats, one: Floats, other: Floats) -> bool:
        way = other - one
        share = float((alpha - one) @ way / (way @ way))
        return 0.0 < share < 1.0 and float(np.abs(one + share * way - alpha).max()) <= SAME

    stretches = [(t.alpha, t.end) for t in ties if t.end is not None]
    return [p for p in points if p[2] or not any(within(p[0], *ends) for ends in stretches)]


def _ends(alpha: Floats, ties: Sequence[Tied]) -> tuple[tuple[float, ...], ...]:
    """The other ends of the stretches that end here."""
    stretches = [(t.alpha, t.end) for t in ties if t.end is not None]
    pairs = [*stretches, *((far, near) for near, far in stretches)]
    return tuple(tuple(far.tolist()) for near, far in pairs if np.abs(near - alpha).max() <= SAME)


def _staying(pmap: ParticipationMap, alpha: Floats) -> Floats:
    """F(α) (n, K) in which those who are tied between collectives are divided as they are."""
    success = pmap.success.at(alpha)
    share = pmap.share_at(success)
    open_to = np.array([people.eligible for people in pmap.classes], bool)  # (classes, K)
    alike = (open_to[:, :, None] == open_to[:, None, :]).all(axis=0)
    dues = np.array(pmap.dues)
    mates = (success[:, :, None] == success[:, None, :]) & alike & (dues[:, None] == dues)
    theirs = np.einsum("nkj,nj->nk", mates, share)
    there = np.einsum("nkj,nj->nk", mates, alpha)
    if pmap.protocol != "best_response":
        return share
    return np.where(there > 0.0, theirs * alpha / np.where(there > 0.0, there, 1.0), share)


def _stable(pmap: ParticipationMap, points: Floats) -> NDArray[np.bool_]:
    """Follow the flow from close by in many directions: does it come back or leave?

    Close by is one millionth of the population, or less where another equilibrium is near.
    """
    size = pmap.size
    apart = np.abs(points[:, None, :] - points).max(axis=-1)
    np.fill_diagonal(apart, 1.0)
    radius = np.minimum(1e-6, 0.1 * apart.min(axis=1))[:, None, None]  # (E, 1, 1)
    unit = np.concatenate([np.eye(size), -np.eye(size)])
    swaps = [unit[i] + unit[j] for i, j in combinations(range(2 * size), 2) if j != i + size]
    tilts = [unit[i] + 0.4 * unit[j] for i in range(2 * size) for j in range(2 * size) if i != j]
    ways = np.concatenate([unit, np.array(swaps), np.array(tilts)])
    start = np.maximum(points[:, None, :] + radius * ways, 0.0)
    start /= np.maximum(start.sum(axis=-1, keepdims=True), 1.0)
    home = np.broadcast_to(points[:, None, :], start.shape).reshape(-1, size)
    alpha = start.reshape(-1, size).copy()
    far = np.broadcast_to(100 * radius[..., 0], start.shape[:2]).ravel()
    away = np.abs(alpha - home).max(axis=1)
    begun = np.maximum(away, 1e-300)
    going = away > 0
    for _ in range(600):
        if not going.any():
            break
        alpha[going] += 0.1 * (_staying(pmap, _inside(alpha[going])) - alpha[going])
        away = np.abs(alpha - home).max(axis=1)
        going &= (away > 0.1 * begun) & (away < far)
    back = (away <= begun * (1.0 + 1e-6)) | (begun <= 1e-300)  # along ties it stays where it is
    return np.all(back.reshape(start.shape[:2]), axis=1)

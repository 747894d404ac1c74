"""The critical threshold α_crit and what a principal would invest to get there, B(α_crit).

α_crit is the tipping point of participation (theory section 4): the largest unstable equilibrium
below the highest stable one; 0 if the collective forms unaided from nothing; None if
nobody-or-few is all there is. For people who are all alike it is the critical mass of S* = θ.

B(α_crit) = ∫₀^{α_crit} [c(a) + dues − (1−γ(a))S(a)]₊ da

in utility per person of the population, recruits in the order of their thresholds
θ = (c + dues)/(1−γ), cheapest first: then those who have been bought are those who stay once α_crit
is reached.
It is an upper bound on what makes the collective sustain itself (area in H23 figure 6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.equilibria import from_above, line, resolution
from analysis.fixed_points import Band, RestPoint, rest_points, smallest_reaching
from analysis.laws import relief_below, type_table
from analysis.participation import ParticipationMap, participation_map
from learners.bounds import Curve, Ramp
from learners.success import Bound, SuccessFunction
from sim.payoffs import gain, threshold
from sim.scenario import Scenario

Floats = NDArray[np.float64]
CLOSED = "closed form: critical mass of θ"
SOLVED = "largest unstable equilibrium below the highest stable one"


@dataclass(frozen=True)
class CriticalThreshold:
    """The tipping point of one collective.

    Attributes
    ----------
    collective : its name
    alpha_crit : share of the population; 0 forms unaided, None no size suffices
    success_at_crit : S there; where it jumps there, on the upper side of the jump
    others : sizes at which the other collectives were held
    method : how it was got
    """

    collective: str
    alpha_crit: float | None
    success_at_crit: float | None
    others: dict[str, float]
    method: str


@dataclass(frozen=True)
class Investment:
    """What a principal needs at most, B(α_crit); all numbers None where α_crit is.

    Attributes
    ----------
    per_capita, total : utility per person of the population, and times N; no total where the
        population is infinite
    in_success : per_capita/(1−γ), the units of H23 figure 6, where γ is one number
    tolerance : error of per_capita, absolute, in utility
    """

    collective: str
    alpha_crit: float | None
    per_capita: float | None
    total: float | None
    in_success: float | None
    method: str
    tolerance: float
    unit: str = "utility"
    bound: str = "upper"


def critical_threshold(
    scenario: Scenario,
    collective: str | None = None,
    others: Mapping[str, float] | None = None,
    *,
    success: SuccessFunction | None = None,
) -> CriticalThreshold:
    """The critical threshold of one collective, the other ones' sizes held.

    Parameters
    ----------
    scenario : the economy; its network is not looked at (the population is well mixed)
    collective : name; may be left out where there is one only
    others : sizes of the other collectives; by default their ``start``
    success : S in place of the platform's own, such as a bound on it
    """
    problem = _Problem.of(scenario, collective, others)
    if success is not None:
        problem = replace(problem, pmap=replace(problem.pmap, success=success))
    alike = problem.alike
    if alike is not None and problem.curve is not None:
        return problem.answer(_closed_form(problem.curve, *alike), CLOSED)
    band, knots = line(problem.pmap, problem.k, problem.others)
    points = rest_points(band, knots, uniform=resolution(problem.pmap))
    return problem.answer(_tipping_point(points, band), SOLVED)


def investment(
    scenario: Scenario,
    collective: str | None = None,
    others: Mapping[str, float] | None = None,
    *,
    crit: CriticalThreshold | None = None,
) -> Investment:
    """B(α_crit) of one collective; arguments as for `critical_threshold`.

    ``crit`` is its answer for the same arguments, where that is at hand.
    """
    problem = _Problem.of(scenario, collective, others)
    alpha = (crit or critical_threshold(scenario, collective, others)).alpha_crit
    how, tolerance = "closed form", 1e-12
    if alpha is None:
        per_capita = None
        how = "none: no size sustains itself"
    elif alpha == 0.0:
        per_capita = 0.0
    elif problem.alike is not None and problem.curve is not None:
        need, free_riding, _ = problem.alike
        per_capita = need * alpha - (1.0 - free_riding) * problem.curve.integral(alpha)
    elif problem.contested(alpha):
        how, tolerance = "sum over types by θ, against the best alternative", 1e-4
        per_capita = _contested_investment(problem, alpha)
    else:
        how = "quadrature over recruits in the order of θ"
        per_capita, tolerance = _investment(problem, alpha)
    factor, people = problem.one_factor, scenario.population
    return Investment(
        collective=problem.name,
        alpha_crit=alpha,
        per_capita=per_capita,
        total=None if per_capita is None or people.infinite else per_capita * people.size,
        in_success=None
        if per_capita is None or factor is None or factor == 1.0
        else per_capita / (1.0 - factor),
        method=how,
        tolerance=tolerance,
    )


# ── the threshold ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Problem:
    """One collective of a scenario, with the others held."""

    pmap: ParticipationMap
    k: int
    name: str
    others: Floats  # (K,), 0 at k

    @classmethod
    def of(
        cls, scenario: Scenario, collective: str | None, others: Mapping[str, float] | None
    ) -> _Problem:
        names = scenario.names
        if collective is None:
            if len(names) > 1:
                raise ValueError(f"collective: say which of {', '.join(names)}")
            collective = names[0]
        if collective not in names:
            raise ValueError(f"collective: got {collective!r}; must be one of {', '.join(names)}")
        sizes = {name: float(c.start) for name, c in scenario.collectives.items()}
        unknown = sorted(set(others or ()) - (set(names) - {collective}))
        if unknown:
            raise ValueError(f"others: got {unknown}; must be other collectives than {collective}")
        sizes |= {collective: 0.0} | {name: float(size) for name, size in (others or {}).items()}
        held = np.array([sizes[name] for name in names])
        if held.min() < 0 or held.sum() > 1:
            raise ValueError(f"others: got {held.tolist()}; must be ≥ 0 and at most 1 together")
        return cls(participation_map(scenario), names.index(collective), collective, held)

    @property
    def eligible(self) -> tuple:
        return tuple(c for c in self.pmap.classes if c.eligible[self.k])

    @property
    def one_factor(self) -> float | None:
        """γ where all who may join have the same."""
        return _one_value([c.free_riding.atoms() for c in self.eligible])

    @property
    def alike(self) -> tuple[float, float, float] | None:
        """(c + dues, γ, share who may join) where all who may join are alike, else None."""
        cost = _one_value([c.cost.atoms() for c in self.eligible])
        factor = self.one_factor
        if cost is None or factor is None or self.pmap.protocol != "best_response":
            return None
        return cost + self.pmap.dues[self.k], factor, self.pmap.eligible_share(self.k)

    @property
    def curve(self) -> Curve | None:
        """The closed form of S_k, which holds where the others have no members."""
        return None if self.others.any() else self.pmap.success.curve(self.k)

    def success(self, alpha: Floats) -> Floats:
        """(n, K) success when collective k has sizes alpha (n,) and the others theirs."""
        unit = np.eye(self.pmap.size)[self.k]
        room = 1.0 - self.others.sum()
        return self.pmap.success.at(self.others + np.clip(alpha, 0.0, room)[:, None] * unit)

    def contested(self, alpha: float) -> bool:
        """Whether somebody would rather join another collective on the way to alpha."""
        if self.pmap.size == 1:
            return False
        theirs = replace(self.pmap, classes=self.eligible, protocol="best_response", noise=0.0)
        wanted = theirs.share_at(self.success(np.linspace(0.0, alpha, 33)))
        return bool(np.delete(wanted, self.k, axis=1).max() > 1e-12)

    def answer(self, alpha: float | None, how: str) -> CriticalThreshold:
        names = self.pmap.success.collectives
        sizes = {n: float(a) for n, a in zip(names, self.others, strict=True) if n != self.name}
        success = None
        if alpha is not None:
            sizes_there = self.others + alpha * np.eye(self.pmap.size)[self.k]
            sizes_there *= min(1.0, 1.0 / max(float(sizes_there.sum()), 1e-300))
            success = float(from_above(self.pmap.success, sizes_there[None])[0, self.k])
        return CriticalThreshold(self.name, alpha, success, sizes, how)


def _one_value(atoms: Sequence[tuple[Floats, Floats] | None]) -> float | None:
    values = {float(v) for a in atoms if a is not None for v in a[0]}
    return values.pop() if len(values) == 1 and None not in atoms else None


def _closed_form(curve: Curve, need: float, free_riding: float, share: float) -> float | None:
    """inf{α : S(α) > θ} within the share who may join."""
    theta = float(threshold(need, free_riding))
    if not float(curve(share)) > theta:  # joining is strict: reaching θ is not enough
        return None
    if theta < 0:
        return 0.0
    return curve.onset if theta == 0 else curve.critical_mass(theta)


def _tipping_point(points: Sequence[RestPoint], band: Band) -> float | None:
    stable = [p for p in points if p.stable]
    if not stable:
        return None
    highest = stable[-1]
    below = [p.x for p in points if not p.stable and p.x < highest.x]
    if below:
        return below[-1]
    if highest.continuum:
        return None  # every share is as good as every other
    few, many = band.low(np.array([0.0, band.top]))
    return 0.0 if highest.x > max(0.0, 0.5 * (few + many)) else None


# ── the investment ───────────────────────────────────────────────────────────────────────────


def _investment(problem: _Problem, alpha: float) -> tuple[float, float]:
    """B = ∫ (θ(a) − S(a))₊ E[1−γ | θ(a)] da over a ≤ α_crit, and its error.

    θ(a), the quantile of the thresholds, is laid out as a polygon through (Q(s), s) at fine levels
    of s; an atom of θ is a flat piece of it. The error is O(h²) in the step h of s.
    """
    recruits = _recruits(problem)
    highest = _highest_threshold(recruits, alpha)
    steps = 600 if recruits.costly else 20_000
    atoms = recruits.thresholds()
    atoms = atoms[(atoms > 0) & (atoms <= highest)]
    smooth = np.linspace(0.0, highest, steps + 1)
    jumps = np.concatenate([atoms, [highest]])  # α_crit itself may lie within an atom
    levels = np.concatenate([smooth, jumps, jumps])  # at a jump: before it, and behind it
    tie = np.repeat([False, True], [len(smooth) + len(jumps), len(jumps)])
    order = np.lexsort((tie, levels))
    levels, tie = levels[order], tie[order]
    share = np.empty(len(levels))
    relief = np.empty(len(levels))
    for weak in (False, True):
        at = levels[tie == weak]
        share[tie == weak] = recruits.share_at(at[:, None], indifferent=weak)[:, 0]
        relief[tie == weak] = sum(
            c.share * relief_below(c, recruits.dues[0], at, indifferent=weak)
            for c in recruits.classes
            if c.eligible[0]
        )
    success = lambda a: problem.success(a)[:, problem.k]  # noqa: E731
    value = _area(np.maximum.accumulate(share), levels, relief, success, alpha)
    return value, 1e-6 if recruits.costly else 1e-8


def _area(
    share: Floats, levels: Floats, relief: Floats, success: Callable[[Floats], Floats], alpha: float
) -> float:
    """∫₀^alpha w(a)(θ(a) − S(a))₊ da for θ through (share, levels) and w = d relief / d share."""
    heights = np.concatenate([[1e-300], np.linspace(0.0, 1.0, 201)[1:]])
    bends = smallest_reaching(success, heights, alpha)
    cuts = np.concatenate([share, np.linspace(0.0, alpha, 2001), bends[np.isfinite(bends)]])
    cuts = np.unique(np.clip(cuts, share[0], alpha))
    node, weight = np.polynomial.legendre.leggauss(4)
    a = cuts[:-1, None] + np.diff(cuts)[:, None] * 0.5 * (node + 1.0)  # (n, 4)
    theta = np.interp(a, share, levels)
    cell = np.clip(np.searchsorted(share, a[:, 1], "right") - 1, 0, len(share) - 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        w = np.diff(relief)[cell] / np.diff(share)[cell]
    short = np.maximum(theta - success(a.ravel()).reshape(a.shape), 0.0)
    return float(np.sum(np.nan_to_num(np.clip(w, 0, 1)) * np.diff(cuts) * (short @ weight) * 0.5))


def _recruits(problem: _Problem) -> ParticipationMap:
    """The law of the thresholds of those who may join collective k: Q(s) = share_at(s)."""
    classes = tuple(
        replace(c, eligible=np.array([bool(c.eligible[problem.k])])) for c in problem.pmap.classes
    )
    return ParticipationMap(
        Bound(problem.name, Ramp(1.0)), classes, (problem.pmap.dues[problem.k],)
    )


def _highest_threshold(recruits: ParticipationMap, alpha: float) -> float:
    """Smallest s with at least alpha of the population at thresholds ≤ s."""
    reach = lambda s: recruits.share_at(s[:, None], indifferent=True)[:, 0]  # noqa: E731
    for top in (1.0, 10.0, 1e3, 1e6):
        found = float(smallest_reaching(reach, np.array([alpha]), top)[0])
        if np.isfinite(found):
            return found
    return 1.0


def _contested_investment(problem: _Problem, alpha: float) -> float:
    """Payments to types in the order of θ where another collective is the better alternative."""
    pmap, k = problem.pmap, problem.k
    people = type_table(pmap.classes, nodes=40_000)
    may = people.eligible[:, k]
    weight, cost = people.weight[may], people.cost[may]
    factor, eligible = people.free_riding[may], people.eligible[may]
    order = np.argsort(threshold(cost, factor, pmap.dues[k]), kind="stable")
    ends = np.cumsum(weight[order])
    starts = ends - weight[order]
    pieces = np.linspace(0.0, alpha, 4001)
    cuts = np.unique(np.concatenate([pieces, ends[ends < alpha]]))
    middle = 0.5 * (cuts[:-1] + cuts[1:])
    who = order[np.clip(np.searchsorted(starts, middle, "right") - 1, 0, len(order) - 1)]
    success = problem.success(middle)  # (n, K)
    d = gain(success, success, cost[who, None], factor[who, None], np.array(pmap.dues))
    d = np.where(eligible[who], d, -np.inf)
    alternative = np.maximum(0.0, np.delete(d, k, axis=1).max(axis=1, initial=0.0))
    return float(np.sum(np.diff(cuts) * np.maximum(0.0, alternative - d[:, k])))

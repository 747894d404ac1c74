"""Integrals over the laws of cost and free-riding factor, and people as a table of types.

Two rules do all the work. *Panels*: a law is cut at evenly spaced values and at quantiles, and each
piece carries Gauss–Legendre nodes in its own probability, so that integrands which are smooth on
the scale of a panel are integrated to rounding error. *Double exponential* (tanh–sinh): a piece
whose ends are singular, as the quantile function of a beta law is, between two given probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sim.distributions import Distribution, TypeClass
from sim.payoffs import gain, threshold

Floats = NDArray[np.float64]
TAIL = 1e-15  # probability that may be left out at each end of a law
MAX_PANELS = 1500
_QUANTILES = np.concatenate([10.0 ** np.arange(-12, -1), np.arange(0.1, 1.0, 0.1)])
_QUANTILES = np.concatenate([_QUANTILES, 1.0 - _QUANTILES[:11]])  # where a law itself bends


@dataclass(frozen=True)
class TypeTable:
    """People as a list of types (J of them).

    Attributes
    ----------
    weight : (J,) shares of the population, together 1
    cost, free_riding : (J,) c and γ of each type
    eligible : (J, K) who may join what
    exact : whether the types are the population's own, not nodes of continuous laws
    """

    weight: Floats
    cost: Floats
    free_riding: Floats
    eligible: NDArray[np.bool_]
    exact: bool


def type_table(classes: Sequence[TypeClass], nodes: int = 400) -> TypeTable:
    """The classes as a table of types; continuous laws by ``nodes`` quantile midpoints a class."""
    columns: list[tuple[Floats, Floats, Floats, NDArray[np.bool_]]] = []
    exact = True
    for people in classes:
        laws = (people.cost, people.free_riding)
        continuous = sum(law.atoms() is None for law in laws)
        exact &= continuous == 0
        if people.paired:
            cost, factor, weight = people.pairs()
        else:
            each = nodes if continuous < 2 else max(8, round(nodes**0.5))
            (c, w_c), (g, w_g) = (_listed(law, each) for law in laws)
            cost, factor = (m.ravel() for m in np.meshgrid(c, g, indexing="ij"))
            weight = np.outer(w_c, w_g).ravel()
        may = np.broadcast_to(np.asarray(people.eligible, bool), (len(cost), len(people.eligible)))
        columns.append((people.share * weight, cost, factor, may))
    weight, cost, factor, eligible = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return TypeTable(weight / weight.sum(), cost, factor, eligible, exact)


def law_nodes(
    law: Distribution,
    width: float,
    panels: int,
    window: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[Floats, Floats]:
    """Nodes and weights with which Σ w f(x) = E f(X) for f smooth on the scale ``width``.

    Parameters
    ----------
    panels : at least so many of them
    window : outside of which f is constant on either side
    """
    atoms = law.atoms()
    if atoms is not None:
        return np.asarray(atoms[0], float), np.asarray(atoms[1], float)
    ends = np.asarray(law.ppf(np.array([TAIL, 1.0 - TAIL])), float)
    ends = np.clip(ends, *window)
    count = int(np.clip(np.ceil((ends[1] - ends[0]) / width), panels, MAX_PANELS))
    even = np.linspace(ends[0], ends[1], count + 1)
    cuts = np.unique(np.clip(np.concatenate([even, law.ppf(_QUANTILES)]), *ends))
    q = np.asarray(law.cdf(cuts), float)
    node, weight = _gauss(8)
    u = q[:-1, None] + np.diff(q)[:, None] * node
    w = np.diff(q)[:, None] * weight
    x = np.clip(np.asarray(law.ppf(u.ravel()), float), *ends)
    x = np.concatenate([ends[:1], x, ends[1:]])
    w = np.concatenate([q[:1], w.ravel(), 1.0 - q[-1:]])
    return x[w > 0], w[w > 0]


def both_continuous(
    cost: Distribution,
    free_riding: Distribution,
    success: Floats,
    dues: float,
    low: Floats,
    high: Floats,
    *,
    weighted: bool = False,
) -> Floats:
    """E[ w·1{c < t·S − dues, low < t < high} ] with t = 1 − γ, and w = 1 or (if weighted) t.

    Parameters
    ----------
    success, low, high : (n,)

    Notes
    -----
    Split at the t where t·S − dues enters and leaves the law of c. Below, nobody joins; above,
    everybody does; between, tanh–sinh in the probability of γ.
    """
    ends = np.asarray(cost.ppf(np.array([TAIL, 0.5, 1.0 - TAIL])), float) + dues
    never = np.where(ends < 0, -1.0, 2.0)[:, None]  # at S = 0: all t, or none
    with np.errstate(divide="ignore", invalid="ignore"):
        cuts = np.where(success > 0, ends[:, None] / success, never)
    high = np.maximum(low, high)
    enter, half, leave = np.clip(cuts, low, high)  # (3, n)
    total = expected(free_riding, leave, high, weighted=weighted)
    for left, right in ((enter, half), (half, leave)):
        total += expected(
            free_riding, left, right, weighted=weighted,
            chance=lambda t, rows: cost.cdf_left(t * success[rows, None] - dues),
        )  # fmt: skip
    return total


def expected(
    free_riding: Distribution,
    left: Floats,
    right: Floats,
    *,
    weighted: bool,
    chance: Callable[[Floats, NDArray[np.int64]], Floats] | None = None,
) -> Floats:
    """∫ w·chance(t) over left < t = 1 − γ < right under the law of γ; w = t if weighted, else 1.

    ``chance`` maps nodes t (r, m) of the rows r to (r, m); None stands for 1.
    """
    q_left = np.asarray(free_riding.cdf(1.0 - right), float)
    mass = np.asarray(free_riding.cdf(1.0 - left), float) - q_left
    mass = np.where(right > left, mass, 0.0)
    if chance is None and not weighted:
        return mass
    out = np.zeros(mass.shape)
    rows = np.flatnonzero(mass > 0)
    x, w = _double_exponential()
    t = 1.0 - np.asarray(free_riding.ppf(q_left[rows, None] + mass[rows, None] * x), float)
    value = np.ones(t.shape) if chance is None else chance(t, rows)
    out[rows] = mass[rows] * ((value * t if weighted else value) @ w)
    return out


def relief_below(people: TypeClass, dues: float, success: Floats, *, indifferent: bool) -> Floats:
    """E[(1−γ)·1{θ < S}] of a class, (n,); θ ≤ S where the indifferent count."""
    law = people.cost.cdf if indifferent else people.cost.cdf_left
    atoms = people.free_riding.atoms()
    if people.paired:
        cost, factor, weight = people.pairs()
        theta = threshold(cost, factor, dues)
        order = np.argsort(theta, kind="stable")
        below = np.concatenate([[0.0], np.cumsum((weight * (1.0 - factor))[order])])
        return below[np.searchsorted(theta[order], success, "right" if indifferent else "left")]
    if atoms is not None:
        # `gain`, not (1−γ)S − dues: a rounding apart, an atom would count here and not in F
        parts = [
            w * (1.0 - g) * law(gain(success, success, 0.0, g, dues))
            for g, w in zip(*atoms, strict=True)
        ]
        return np.sum(parts, axis=0)
    low, high = np.zeros(len(success)), np.ones(len(success))
    costs = people.cost.atoms()
    if costs is None:
        return both_continuous(
            people.cost, people.free_riding, success, dues, low, high, weighted=True
        )
    total = np.zeros(len(success))
    for cost, weight in zip(*costs, strict=True):
        never = 1.0 if cost + dues >= 0 else 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            enough = np.where(success > 0, (cost + dues) / success, never)
        total += weight * expected(people.free_riding, np.clip(enough, 0, 1), high, weighted=True)
    return total


def _listed(law: Distribution, nodes: int) -> tuple[Floats, Floats]:
    atoms = law.atoms()
    if atoms is not None:
        return np.asarray(atoms[0], float), np.asarray(atoms[1], float)
    q = (np.arange(nodes) + 0.5) / nodes
    return np.asarray(law.ppf(q), float), np.full(nodes, 1.0 / nodes)


@cache
def _gauss(order: int) -> tuple[Floats, Floats]:
    """Gauss–Legendre on [0, 1]."""
    node, weight = np.polynomial.legendre.leggauss(order)
    return 0.5 * (node + 1.0), 0.5 * weight


@cache
def _double_exponential() -> tuple[Floats, Floats]:
    """Tanh–sinh on [0, 1]; about 1e-10 for integrands with algebraic ends."""
    step = 1.0 / 13.0
    s = np.arange(-3.1, 3.1 + step / 2, step)
    u = 0.5 * np.pi * np.sinh(s)
    node = 1.0 / (1.0 + np.exp(-2.0 * u))
    weight = step * 0.5 * np.pi * np.cosh(s) / (2.0 * np.cosh(u) ** 2)
    keep = (node > 0) & (node < 1)
    return node[keep], weight[keep] / weight[keep].sum()

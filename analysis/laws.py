"""Integrals over the laws of cost and free-riding factor, and people as a table of types.

Two rules do all the work. *Panels*: a law is cut at evenly spaced values, and each piece carries
Gauss–Legendre nodes in its own probability, so that integrands which are smooth on the scale of a
panel are integrated to rounding error. *Double exponential* (tanh–sinh): a piece whose ends are
singular, as the quantile function of a beta law is, between two given probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sim.distributions import Distribution, TypeClass

Floats = NDArray[np.float64]
TAIL = 1e-15  # probability that may be left out at each end of a law
MAX_PANELS = 1500


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


def law_nodes(law: Distribution, width: float, panels: int) -> tuple[Floats, Floats]:
    """Nodes and weights with which Σ w f(x) = E f(X) for f smooth on the scale ``width``."""
    atoms = law.atoms()
    if atoms is not None:
        return np.asarray(atoms[0], float), np.asarray(atoms[1], float)
    ends = np.asarray(law.ppf(np.array([TAIL, 1.0 - TAIL])), float)
    count = int(np.clip(np.ceil((ends[1] - ends[0]) / width), panels, MAX_PANELS))
    cuts = np.linspace(ends[0], ends[1], count + 1)
    q = np.asarray(law.cdf(cuts), float)
    q[0], q[-1] = 0.0, 1.0
    node, weight = _gauss(8)
    u = q[:-1, None] + np.diff(q)[:, None] * node
    w = np.diff(q)[:, None] * weight
    keep = w.ravel() > 0
    return np.asarray(law.ppf(u.ravel()[keep]), float), w.ravel()[keep]


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
    ends = np.asarray(cost.ppf(np.array([TAIL, 0.5, 1.0 - TAIL])), float) + dues  # enters, leaves
    with np.errstate(divide="ignore", invalid="ignore"):
        cuts = np.where(success > 0, ends[:, None] / success, np.where(ends < 0, -1.0, 2.0)[:, None])
    enter, half, leave = np.clip(cuts, low, np.maximum(low, high))  # (3, n)
    x, w = _double_exponential(weighted)

    def over(left: Floats, right: Floats, inside: bool) -> Floats:
        """∫ over t in [left, right] of Pr{c < tS − dues} (1 if not inside) dP(γ)."""
        q_left, q_right = free_riding.cdf(1.0 - right), free_riding.cdf(1.0 - left)
        mass = np.asarray(q_right - q_left, float)
        out = np.zeros(mass.shape) if inside or weighted else mass
        rows = np.flatnonzero(mass > 0)
        if rows.size and (inside or weighted):
            q = q_left[rows, None] + mass[rows, None] * x
            t = 1.0 - np.asarray(free_riding.ppf(q), float)
            value = cost.cdf_left(t * success[rows, None] - dues) if inside else np.ones(t.shape)
            out[rows] = mass[rows] * ((value * t if weighted else value) @ w)
        return out

    return over(enter, half, True) + over(half, leave, True) + over(leave, np.maximum(low, high), False)


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
def _double_exponential(fine: bool) -> tuple[Floats, Floats]:
    """Tanh–sinh on [0, 1]; exact to about 1e-12 for integrands with algebraic ends."""
    step = 1.0 / 24.0 if fine else 1.0 / 16.0
    s = np.arange(-3.2, 3.2 + step / 2, step)
    u = 0.5 * np.pi * np.sinh(s)
    node = 1.0 / (1.0 + np.exp(-2.0 * u))
    weight = step * 0.5 * np.pi * np.cosh(s) / (2.0 * np.cosh(u) ** 2)
    keep = (node > 0) & (node < 1)
    return node[keep], weight[keep] / weight[keep].sum()

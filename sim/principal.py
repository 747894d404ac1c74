"""The principal: somebody with a budget who wants a collective to exist.

Policy ``subsidy`` divides and conquers (Segal 2003, Winter 2004; theory section 4). She orders the
people by threshold θ = (c + dues)/(1 − γ), cheapest first, behind those who are members and stay of
their own accord, and signs one after the other, each for the least that makes joining dominant
given that those before her have joined:

    pay_i = max(0, alternative_i − [S(i) − γ_i S(i−1) − c_i − dues])

until the collective sustains itself, or until the budget does not reach for the next. Those who
sign are members at once and do not revise until success has been measured with them in. She spends
nothing on a collective that no size would sustain, and nothing on one that grows by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.payoffs import gain, threshold

if TYPE_CHECKING:
    from sim.model import Economy

Floats = NDArray[np.float64]


def subsidise(economy: Economy) -> float:
    """Sign as many recruits as are needed and can be paid; returns what was paid, in utility."""
    principal = economy.scenario.principal
    assert principal is not None
    k = economy.collectives.index(principal.collective)
    left = principal.budget - economy.spent
    if left <= 0 or _under_contract(economy):
        return 0.0
    order, core = _recruiting_order(economy, k)
    payments, needed = price(economy, k, order, core)
    total = np.cumsum(payments[:needed])
    # A rounding error of the sum must not cost the last recruit of an exactly sufficient budget.
    signed = order[: np.searchsorted(total, left * (1 + 1e-12), side="right")]
    if len(signed) == 0:
        return 0.0
    people = economy.population
    if people.signed is None:
        people.signed = np.zeros(people.size, bool)
    people.signed[signed] = True
    people.assign(signed, np.full(len(signed), k + 1, people.membership.dtype))
    return float(total[len(signed) - 1])


def _under_contract(economy: Economy) -> bool:
    return economy.population.signed is not None and bool(economy.population.signed.any())


def _recruiting_order(economy: Economy, k: int) -> tuple[NDArray[np.int64], int]:
    """Rows to ask, cheapest first, and the number of members who stay of their own accord."""
    people = economy.population
    theta = threshold(people.cost, people.free_riding, economy.dues[k])
    members = np.sort(theta[people.membership == k + 1])
    core = len(members)
    while True:  # those who stay at the success of those who stay
        stay = int(np.searchsorted(members, _success_alone(economy, k, np.array([core]))[0]))
        if stay >= core:
            break
        core = stay
    cut = members[core - 1] if core else -np.inf
    stays = (people.membership == k + 1) & (theta <= cut)
    free = np.isin(people.membership, (0, k + 1)) & economy.eligible[people.group, k] & ~stays
    rows = np.flatnonzero(free)
    # Among equals those who are members already come first.
    return rows[np.lexsort((people.membership[rows] == 0, theta[rows]))], int(stays.sum())


def _success_alone(economy: Economy, k: int, counts: NDArray[np.int64]) -> Floats:
    """(n,) success of collective k at these counts of its members, the others' as they are."""
    return _success_path(economy, k, counts)[:, k]


def _success_path(economy: Economy, k: int, counts: NDArray[np.int64]) -> Floats:
    sizes = np.repeat(economy.population.counts[None, :], len(counts), axis=0)
    sizes[:, k] = counts
    return economy.success.at(sizes / economy.population.size)


def price(economy: Economy, k: int, order: NDArray[np.int64], core: int) -> tuple[Floats, int]:
    """Payments (n,) of the recruits in this order, and how many are needed.

    Needed are all up to the last one who would not stay of her own accord at her turn, and one
    more, with whom the collective carries itself; none where nobody further on would stay.
    """
    people = economy.population
    cost, free_riding = people.cost[order], people.free_riding[order]
    path = _success_path(economy, k, core + np.arange(len(order) + 1))  # (n+1, K)
    own = path[:, k]
    others = path.sum(axis=1) - own
    dues = economy.dues[k]
    # Joining may move the others' success, of which she enjoys γ.
    forgo = own[:-1] + others[:-1] - others[1:]
    d = gain(own[1:], forgo, cost, free_riding, dues)
    payments = np.maximum(0.0, _best_alternative(economy, k, order, path[:-1]) - d)
    if economy.scenario.revision.decides == "pivotal":
        stays = d > 0
    else:
        stays = gain(own[1:], own[1:], cost, free_riding, dues) > 0
    if not stays.any():
        return payments, 0
    last_stayer = len(stays) - 1 - int(stays[::-1].argmax())
    unwilling = np.flatnonzero(~stays[:last_stayer])
    return payments, int(unwilling[-1]) + 2 if len(unwilling) else 0


def _best_alternative(economy: Economy, k: int, order: NDArray[np.int64], path: Floats) -> Floats:
    """What she could have instead: nothing, or the best other collective that takes her."""
    people = economy.population
    best = np.zeros(len(order))
    for j in range(len(economy.collectives)):
        if j != k:
            d = gain(
                path[:, j], path[:, j], people.cost[order], people.free_riding[order],
                economy.dues[j],
            )  # fmt: skip
            best = np.maximum(best, np.where(economy.eligible[people.group[order], j], d, 0.0))
    return best

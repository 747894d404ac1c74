"""The principal: somebody with a budget who wants a collective to exist.

Policy ``subsidy`` divides and conquers (Segal 2003, Winter 2004; theory section 4). She orders the
people by threshold θ = (c + dues)/(1 − γ), cheapest first, behind those who are members and stay of
their own accord, and signs one after the other, each for the least that makes joining dominant
given that those before her have joined:

    pay_i = max(0, alternative_i − [S(i) − γ_i S(i−1) − c_i − dues])

until the collective sustains itself, or until the budget does not reach for the next. Those who
sign are members at once and do not revise until success has been measured with them in. She spends
nothing on a collective that no size would sustain, and nothing on one that grows by itself. She
prices by best response and takes the other collectives' sizes as they are: that their own people
move in the same epoch, or that people err (logit), she does not foresee.
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
    if len(order) == 0:
        return 0.0
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
    core = np.flatnonzero(people.membership == k + 1)
    while len(core):  # those who stay at the success of those who stay
        stay = _gain_inside(economy, k, core, np.full(len(core), len(core))) >= 0
        if stay.all():
            break
        core = core[stay]
    free = np.isin(people.membership, (0, k + 1)) & economy.eligible[people.group, k]
    free[core] = False
    rows = np.flatnonzero(free)
    theta = threshold(people.cost[rows], people.free_riding[rows], economy.dues[k])
    # Among equals those who are members already come first.
    return rows[np.lexsort((people.membership[rows] == 0, theta))], len(core)


def price(economy: Economy, k: int, order: NDArray[np.int64], core: int) -> tuple[Floats, int]:
    """Payments (n,) of the recruits in this order, and how many are needed.

    Let m be the largest size at which the last to join would stay. Needed is everybody up to the
    last one before m who would not come of her own accord at her turn; behind her the rest come by
    themselves. Nobody is needed where no size sustains itself.
    """
    people = economy.population
    turns = core + np.arange(1, len(order) + 1)
    path = _success_path(economy, k, np.append(core, turns))  # (n+1, K)
    join, forgo = _joining(path, k)
    d = gain(join, forgo, people.cost[order], people.free_riding[order], economy.dues[k])
    payments = np.maximum(0.0, _best_alternative(economy, k, order, path[:-1]) - d)
    stays = _gain_inside(economy, k, order, turns) >= 0
    if economy.scenario.revision.decides == "pivotal":
        comes = d > 0
    else:  # an outsider goes by the success without her
        own = path[:-1, k]
        comes = gain(own, own, people.cost[order], people.free_riding[order], economy.dues[k]) > 0
    if not stays.any():
        return payments, 0
    last_stayer = len(stays) - 1 - int(stays[::-1].argmax())
    unwilling = np.flatnonzero(~comes[: last_stayer + 1])
    return payments, int(unwilling[-1]) + 1 if len(unwilling) else 0


def _gain_inside(
    economy: Economy, k: int, rows: NDArray[np.int64], counts: NDArray[np.int64]
) -> Floats:
    """(n,) what each gains by being one of so many members, the others' sizes as they are."""
    people = economy.population
    if economy.scenario.revision.decides == "pivotal":
        both = np.stack([counts - 1, counts], axis=1).reshape(-1)
        path = _success_path(economy, k, both).reshape(len(counts), 2, -1)
        join, forgo = path[:, 1, k], path[:, 0].sum(axis=1) - path[:, 1].sum(axis=1) + path[:, 1, k]
    else:
        join = forgo = _success_path(economy, k, counts)[:, k]
    return gain(join, forgo, people.cost[rows], people.free_riding[rows], economy.dues[k])


def _joining(path: Floats, k: int) -> tuple[Floats, Floats]:
    """Success with and without her along a path of joiners (n+1, K), each (n,).

    Joining may move the others' success too, of which she enjoys the share γ.
    """
    total = path.sum(axis=1)
    return path[1:, k], total[:-1] - total[1:] + path[1:, k]


def _success_path(economy: Economy, k: int, counts: NDArray[np.int64]) -> Floats:
    """(n, K) success at these counts of members of collective k, the others' as they are."""
    sizes = np.repeat(economy.population.counts[None, :], len(counts), axis=0)
    sizes[:, k] = counts
    return economy.success.at(sizes / economy.population.size)


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

"""What joining is worth: written once, used by the agents and by the solvers alike.

Person i with cost c_i and free-riding factor γ_i gains by joining collective k

    d_ik = S_k^in − γ_i S_k^out − c_i − dues_k + subsidy_ik          (theory section 4)

*Atomistic* people take the success as given, S^in = S^out = S_k, so that without dues and subsidy
d > 0 is the condition S > θ = c/(1−γ) of Hardt et al. 2023, section 6. *Pivotal* people compare
the success with themselves in against the success without. A person takes the best collective if
its d is positive, else none; in a tie she stays as she is, and an outsider takes the first of
several equally good ones in file order. Membership is an integer: 0 stands for nobody's member,
k = 1…K for the k-th collective.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from learners.success import SuccessFunction

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]


class Offers(NamedTuple):
    """What joining means to a person in state m: d[m, k] = join[m, k] − γ forgo[m, k] − c − dues_k.

    Both have the shape (K+1, K); row m = 0 is for outsiders, row m for members of collective m.
    """

    join: Floats
    forgo: Floats


def gain(
    success_in: ArrayLike,
    success_out: ArrayLike,
    cost: ArrayLike,
    free_riding: ArrayLike,
    dues: ArrayLike = 0.0,
    subsidy: ArrayLike = 0.0,
) -> Floats:
    """d = S^in − γ S^out − c − dues + subsidy, in utility; all arguments broadcast.

    >>> float(gain(0.5, 0.5, cost=0.3, free_riding=0.2))  # (1 − 0.2)·0.5 − 0.3
    0.10000000000000003
    """
    given = (success_in, success_out, cost, free_riding, dues, subsidy)
    return _gain(*(np.asarray(one, float) for one in given))


def _gain(s_in: Any, s_out: Any, cost: Any, free_riding: Any, dues: Any, subsidy: Any) -> Any:
    return s_in - free_riding * s_out - cost - dues + subsidy


def gain_of_one(success: float, cost: float, free_riding: float, dues: float) -> float:
    """:func:`gain` of one atomistic person by one collective, in Python's numbers."""
    return _gain(success, success, cost, free_riding, dues, 0.0)


def threshold(cost: ArrayLike, free_riding: ArrayLike, dues: ArrayLike = 0.0) -> Floats:
    """θ = (c + dues)/(1 − γ): the success above which a person joins; ∞ at γ = 1 (−∞ if c < 0)."""
    need = np.asarray(cost, float) + np.asarray(dues, float)
    share = 1.0 - np.asarray(free_riding, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        theta = need / share
    # γ = 1: she never gains from the success; only a negative cost makes her join.
    return np.where(share > 0, theta, np.where(need < 0, -np.inf, np.inf))


def offers(
    success: SuccessFunction, counts: Integers, size: int, *, published: Floats | None = None
) -> Offers:
    """The offers people see at the given counts of members.

    Parameters
    ----------
    success : the success function S by size
    counts : (K,) members of each collective
    size : N, people in the population
    published : (K,) success that atomistic people take as given; None makes them *pivotal*.
    """
    k = len(counts)
    if published is not None:
        table = np.broadcast_to(published, (k + 1, k)).copy()
        return Offers(table, table)
    return pivotal_offers(lambda members: success.at(members / size), counts, size)


def pivotal_offers(success_at: Callable[[Integers], Floats], counts: Integers, size: int) -> Offers:
    """The offers to people who count their own effect, for one economy or many at once.

    Parameters
    ----------
    success_at : from members (..., K) of each collective to their success (..., K)
    counts : (..., K) members of each collective
    size : N, people in the population

    Returns
    -------
    Offers, both of shape (..., K+1, K).
    """
    k = counts.shape[-1]
    # Nobody is in a state that is empty; its row is never read, so any admissible size will do.
    without = np.maximum(counts[..., None, :] - np.eye(k + 1, k, -1, dtype=np.int64), 0)
    within = without[..., None, :] + np.eye(k, dtype=np.int64)  # (..., K+1, K, K): joined k
    crowded = within.sum(-1, keepdims=True) > size
    within = np.where(crowded, counts[..., None, None, :], within)
    s_out = success_at(without)  # (..., K+1, K)
    s_in = success_at(within)  # (..., K+1, K joined, K)
    join = np.diagonal(s_in, axis1=-2, axis2=-1).copy()
    # Her own joining also moves the others' success, of which she enjoys the share γ.
    forgo = s_out.sum(-1, keepdims=True) - (s_in.sum(-1) - join)
    return Offers(join, forgo)


def choose(gains: Floats, membership: Integers) -> NDArray[np.int64]:
    """Best response to gains (n, K) of people in the given states (n,); returns states (n,)."""
    membership = np.asarray(membership, np.int64)
    values = np.concatenate([np.zeros((len(gains), 1)), gains], axis=1)  # (n, K+1)
    best = values.argmax(axis=1)  # the first of equals: outside before any collective
    rows = np.arange(len(gains))
    stay = values[rows, membership] == values[rows, best]
    return np.where(stay, membership, best)


def choose_for_one(gains: Sequence[float], state: int) -> int:
    """:func:`choose` of one person, in Python's numbers."""
    values = [0.0, *gains]
    best = max(values)
    return state if values[state] == best else values.index(best)


def logit_probabilities(gains: ArrayLike, noise: float) -> Floats:
    """Pr(choice) ∝ exp(d/η) with d = 0 outside: gains (..., K) → (..., K+1), column 0 outside."""
    gains = np.asarray(gains, float)
    scaled = np.concatenate([np.zeros((*gains.shape[:-1], 1)), gains / noise], axis=-1)
    scaled -= scaled.max(axis=-1, keepdims=True)
    weights = np.exp(scaled)
    return weights / weights.sum(axis=-1, keepdims=True)


def utility(
    membership: Integers, success: Floats, cost: Floats, free_riding: Floats, dues: Floats
) -> Floats:
    """Realised utility (n,): S_k − c − dues_k inside collective k, plus γ S_j of all the others.

    ``success`` is (K,), or (n, K) where everybody sees her own.
    """
    success = np.broadcast_to(success, (len(membership), len(dues)))
    own = np.concatenate([np.zeros((len(membership), 1)), success], axis=1)
    s_own = own[np.arange(len(membership)), membership]
    inside = np.asarray(membership) > 0
    paid = np.where(inside, cost, 0.0) + np.concatenate([[0.0], dues])[membership]
    return s_own - paid + free_riding * (success.sum(axis=1) - s_own)


def recruit_payments(
    success_path: Floats, cost: Floats, free_riding: Floats, dues: float = 0.0
) -> Floats:
    """Least payments that make joining dominant, one recruit after the other.

    pay_i = max(0, c_i + dues − [S(i) − γ_i S(i−1)])     (Segal 2003, Winter 2004; theory section 4)

    Parameters
    ----------
    success_path : (n+1,) success before any recruit, after the first, … after the n-th
    cost, free_riding : (n,) of the recruits in the order in which they are asked
    """
    return np.maximum(0.0, -gain(success_path[1:], success_path[:-1], cost, free_riding, dues))

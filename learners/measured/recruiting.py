"""Members at random from those who may join: each collective recruits some groups of people.

Collectives that recruit from fewer people draw first. Where they leave another one too few, though
all would fit, it is worked out how many each takes of which group, and they draw anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.people import Ints

Table = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Recruiting:
    """Who may join what.

    Parameters
    ----------
    groups : callable (points, generator) → integer array of shape (N,)
        In which group each person is, 0 … G, for people who are these data points.
    eligible : bool array of shape (G + 1, K)
        Whether collective k recruits people of group g.
    """

    groups: Callable[[npt.NDArray[np.integer], np.random.Generator], npt.NDArray[np.integer]]
    eligible: Table


def recruited_members(
    wanted: npt.ArrayLike,
    group: npt.NDArray[np.integer],
    eligible: Table,
    rng: np.random.Generator,
) -> Ints:
    """Membership of N people: `wanted` of each collective, drawn at random from who may join.

    Parameters
    ----------
    wanted : int array of shape (K,)
    group : int array of shape (N,), values 0 … G
    eligible : bool array of shape (G + 1, K)
    rng : generator

    Returns
    -------
    int array of shape (N,), values 0 … K, nobody in a collective that does not recruit her group;
    fewer than wanted where there are fewer

    Examples
    --------
    >>> eligible = np.array([[False, True], [True, True]])
    >>> group = np.array([0, 1, 0, 1])
    >>> recruited_members([2, 1], group, eligible, np.random.default_rng(0)).tolist()
    [0, 1, 2, 1]
    """
    wanted = np.asarray(wanted, dtype=np.int64)
    room = np.bincount(group, minlength=len(eligible))
    order = rng.permutation(len(group))
    members = np.zeros(len(group), np.int64)
    for k in np.argsort(room @ eligible, kind="stable"):
        may = eligible[group[order], k] & (members[order] == 0)
        members[order[may][: wanted[k]]] = k + 1
    if np.array_equal(np.bincount(members, minlength=wanted.size + 1)[1:], wanted):
        return members
    return _by_group(_most(wanted, room, eligible), group, order)


def _by_group(counts: Ints, group: npt.NDArray[np.integer], order: Ints) -> Ints:
    """Membership of the first people in this order, so many (G + 1, K) of each group."""
    members = np.zeros(len(group), np.int64)
    for g, row in enumerate(counts):
        joined = np.repeat(np.arange(1, row.size + 1), row)
        members[order[group[order] == g][: joined.size]] = joined
    return members


def _most(wanted: Ints, room: Ints, eligible: Table) -> Ints:
    """How many of each group each collective takes, (G + 1, K), so that the most are members."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    G, K = eligible.shape  # nodes: source, groups, collectives, sink
    capacity = np.zeros((G + K + 2, G + K + 2), np.int32)
    capacity[0, 1 : G + 1] = room
    capacity[1 : G + 1, G + 1 : -1] = np.where(eligible, room[:, None], 0)
    capacity[G + 1 : -1, -1] = wanted
    flow = maximum_flow(csr_array(capacity), 0, G + K + 1).flow.toarray()
    return flow[1 : G + 1, G + 1 : -1].astype(np.int64)


def fits(sizes: npt.ArrayLike, room: Array, eligible: Table) -> Table:
    """Which sizes (M, K) can be had of groups that hold these shares (G + 1,) of the people.

    They can if every set of collectives has as many people who may join one of them (Hall); beyond
    ten collectives only single ones and all of them are looked at.
    """
    rows = np.asarray(sizes, np.float64)
    held = np.array([room[eligible[:, some].any(axis=1)].sum() for some in _subsets(rows.shape[1])])
    asked = np.array([rows[:, some].sum(axis=1) for some in _subsets(rows.shape[1])])
    return np.all(asked <= held[:, None] + 1e-9, axis=0)


def _subsets(K: int) -> list[list[int]]:
    if K > 10:
        return [*([k] for k in range(K)), list(range(K))]
    return [[k for k in range(K) if bits >> k & 1] for bits in range(1, 2**K)]

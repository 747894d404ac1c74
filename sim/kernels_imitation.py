"""People who meet somebody one after the other and may copy her; all see the same success."""

from __future__ import annotations

import numpy as np

from sim.kernels import _recount
from sim.kernels_compiled import njit
from sim.kernels_several import renew


@njit(cache=True)
def in_turn(rows, uniforms, people, membership, counts, success, curve, terms, dues, may):
    """As :func:`sim.revision._imitate` for each of ``rows`` in order; how many moved.

    ``uniforms`` (n, 2): whom she meets, and whether she copies. ``success`` (K,) is what people see
    now; after a move it is read off ``curve``, (N+2,) by members, for one collective, and for
    several comes from ``terms``, see :func:`sim.kernels_several.in_turn`. ``may`` (G+1, K+1) are
    the states that each group may be in. Writes ``membership``, ``counts`` and ``success``.
    """
    cost, free_riding, group = people
    size, moved = cost.size, 0
    for t in range(rows.size):
        i = np.int64(rows[t])
        other = np.int64(uniforms[t, 0] * (size - 1))
        other = (other + 1 if other >= i else other) % size
        mine, hers = membership[i], membership[other]
        if mine == hers or not may[group[i], hers]:
            continue
        better = _utility(cost[other], free_riding[other], hers, success, dues)
        better -= _utility(cost[i], free_riding[i], mine, success, dues)
        if not uniforms[t, 1] < better:
            continue
        membership[i] = hers
        _recount(counts, mine, hers)
        moved += 1
        if counts.size == 1:
            success[0] = curve[counts[0]]
        else:
            renew(counts, size, terms, success)
    return moved


@njit(cache=True, inline="always")
def _utility(cost, free_riding, state, success, dues):
    """:func:`sim.payoffs.utility` of one person, in the same order of operations."""
    total, own, paid = 0.0, 0.0, 0.0
    for k in range(success.size):
        total += success[k]
    if state:
        own, paid = success[state - 1], cost + dues[state - 1]
    return own - paid + free_riding * (total - own)

"""One pass over everybody where several collectives may be joined, all seeing the same success."""

from __future__ import annotations

import numpy as np
from numba import njit

BLOCK = 1024


@njit(cache=True, nogil=True)
def respond(cost, free_riding, membership, counts, success, dues):
    """Best response of everybody at once, as :func:`sim.kernels._best`; how many moved.

    Collective by collective over a block of people, so that it does many people at a time; writes
    ``membership`` and ``counts``.
    """
    kind = membership.dtype.type
    best, own, pick = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK, membership.dtype)
    moved = np.int64(0)
    counts[:] = 0
    for start in range(0, cost.size, BLOCK):
        c, f = cost[start : start + BLOCK], free_riding[start : start + BLOCK]
        m = membership[start : start + BLOCK]
        for i in range(BLOCK):
            best[i], own[i], pick[i] = 0.0, 0.0, kind(0)
        for k in range(dues.size):
            s, due, state = success[k], dues[k], kind(k + 1)
            for i in range(c.size):
                d = s - f[i] * s - c[i] - due
                better = d > best[i]
                best[i] = d if better else best[i]
                pick[i] = state if better else pick[i]
                own[i] = d if m[i] == state else own[i]
        for i in range(c.size):
            pick[i] = m[i] if own[i] == best[i] else pick[i]
        changes = np.int16(0)
        for i in range(c.size):
            changes = np.int16(changes + np.int16(pick[i] != m[i]))
            m[i] = pick[i]
        moved += np.int64(changes)
        for k in range(dues.size):
            members, state = np.int16(0), kind(k + 1)
            for i in range(c.size):
                members = np.int16(members + np.int16(m[i] == state))
            counts[k] += np.int64(members)
    return moved

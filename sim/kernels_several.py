"""One pass over everybody where several collectives may be joined, all seeing the same success."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK = 1024


def few(eligible: NDArray[np.bool_]) -> bool:
    """Are groups and collectives few enough for this? (A loop over many is not unrolled.)"""
    return eligible.shape[0] <= 64 and eligible.shape[1] <= 8


def masks(eligible: NDArray[np.bool_]) -> tuple[np.uint64, ...]:
    """(K,) bit g is 1 where group g may join."""
    return tuple(
        np.uint64(sum(int(may) << g for g, may in enumerate(column))) for column in eligible.T
    )


@njit(cache=True, inline="always")
def add_members(membership, counts):
    """Add up the members of each collective among these people, at most 32,767."""
    for k in range(counts.size):
        members, state = np.int16(0), membership.dtype.type(k + 1)
        for i in range(membership.size):
            members = np.int16(members + np.int16(membership[i] == state))
        counts[k] += np.int64(members)


@njit(cache=True, nogil=True)
def respond(people, membership, counts, success, dues, open_to, chosen):
    """Best response of everybody at once, or of who has 1 in ``chosen``; how many moved.

    As :func:`sim.kernels._best`; writes ``membership`` and ``counts``. ``people`` is (cost,
    free_riding, group). ``success``, ``dues`` and ``open_to`` (see :func:`masks`) are tuples, so
    that the loop over collectives is unrolled and the one over people does several at a time.
    """
    kind, moved = membership.dtype.type, np.int64(0)
    counts[:] = 0
    for start in range(0, membership.size, BLOCK):
        c, f = people[0][start : start + BLOCK], people[1][start : start + BLOCK]
        g, m = people[2][start : start + BLOCK], membership[start : start + BLOCK]
        changes = np.int16(0)
        if chosen is not None:
            may = chosen[start : start + BLOCK]
        for i in range(m.size):
            best, pick, was = 0.0, kind(0), m[i]
            for k in range(len(success)):
                d = success[k] - f[i] * success[k] - c[i] - dues[k]
                is_open = ((open_to[k] >> np.uint64(g[i])) & np.uint64(1)) != 0
                better = is_open & ((d > best) | ((d == best) & (was == kind(k + 1))))
                best = d if better else best
                pick = kind(k + 1) if better else pick
            if chosen is not None:
                pick = pick if may[i] else was
            changes = np.int16(changes + np.int16(pick != was))
            m[i] = pick
        moved += np.int64(changes)
        add_members(m, counts)
    return moved

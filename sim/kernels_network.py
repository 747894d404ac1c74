"""Compiled loops for one collective on a network: who has how many members next to her.

The number of members near each person is kept from epoch to epoch. Where few people switched, only
their neighbours are told, and only those decide again: nobody else sees anything new. Arguments as
in :mod:`sim.kernels`; ``near`` (N,) int32 members among each person's neighbours.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.kernels import _one


@njit(cache=True)
def count_near(indptr, indices, members, near):
    """Count everybody's neighbours who are members; ``members`` holds one bit per person."""
    for i in range(near.size):
        count = np.int32(0)
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            count += np.int32((members[j >> 3] >> np.uint8(j & 7)) & np.uint8(1))
        near[i] = count


@njit(cache=True)
def switched(membership, seen):
    """Rows of those who are in another state than they were when last seen."""
    rows = np.empty(membership.size, np.int32)
    count = 0
    for start in range(0, membership.size, 1024):
        m, s = membership[start : start + 1024], seen[start : start + 1024]
        other = membership.dtype.type(0)
        for i in range(m.size):
            other = membership.dtype.type(other | (m[i] ^ s[i]))
        if other:
            for i in range(m.size):
                if m[i] != s[i]:
                    rows[count] = start + i
                    count += 1
    return rows[:count]


@njit(cache=True)
def tell(rows, indptr, indices, membership, seen, near, marks):
    """Bring ``near`` and ``seen`` up to date after these switched; who may decide otherwise now.

    That is who has one of them for a neighbour, and they themselves. ``marks`` (N,) is zero before
    and after.
    """
    edges = 0
    for i in rows:
        edges += indptr[i + 1] - indptr[i] + 1
    touched, count = np.empty(edges + 1, np.int32), 0
    for i in rows:
        change = np.int32(membership[i]) - np.int32(seen[i])
        seen[i] = membership[i]
        touched[count] = i
        count += 1 - marks[i]
        marks[i] = 1
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            near[j] += change
            touched[count] = j
            count += 1 - marks[j]
            marks[j] = 1
    for t in range(count):
        marks[touched[t]] = 0
    return touched[:count]


@njit(cache=True)
def respond(rows, near, cost, free_riding, group, membership, indptr, offset, curve, dues,
            eligible, noise, uniforms):  # fmt: skip
    """Those in ``rows`` (empty: everybody) choose by what is near them; moved and new members."""
    moved, more = np.int64(0), np.int64(0)
    for t in range(rows.size if rows.size else cost.size):
        i = np.int64(rows[t]) if rows.size else t
        if not eligible[group[i], 0]:
            continue
        was = membership[i]
        s = curve[offset[indptr[i + 1] - indptr[i]] + near[i]]
        d = s - free_riding[i] * s - cost[i] - dues[0]
        now = _one(d, was, noise, uniforms[t] if noise > 0.0 else 0.0)
        membership[i] = now
        moved += np.int64(now != was)
        more += np.int64(now) - np.int64(was)
    return moved, more

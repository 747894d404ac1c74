"""Compiled loops for one collective on a network: who has how many members next to her.

The number of members near each person is kept from epoch to epoch. Where few people switched, only
their neighbours are told.

A best response joins from a certain number of members near her on. That number, ``least``, comes
from asking the formula of :mod:`sim.kernels` about every number that her neighbours can show, so
that it decides as the formula does. Who has a tie at some number, or would be out where more are
in, has the largest integer there instead, and is a case for the formula each time.

Arguments shared by all: ``near`` (N,) members among each person's neighbours, in unsigned integers
that hold every degree + 2; ``least`` (N,) in the same; ``people`` (cost, free_riding, group);
``offers`` (dues, eligible, offset, curve), see ``Economy.local_curve``; ``noise`` and ``uniforms``
as in :mod:`sim.kernels`. Loops over everybody take slices and may run side by side.
"""

from __future__ import annotations

import numpy as np

from sim.kernels import _exp, _one
from sim.kernels_compiled import njit

ROWS = 256  # people whose neighbours are counted together
BLOCK = 1024
AHEAD = 64  # people whose ties are fetched together
LONG = 64  # neighbours that are not sorted by insertion


@njit(cache=True, nogil=True)
def count_near(indptr, indices, members, near):
    """Count everybody's neighbours who are members; ``members`` holds one bit per person.

    One loop over the ties of many people, with a running count of which each person's part is a
    difference: a loop per person would end at a number that no processor foresees. The count may
    overflow; the differences are right all the same.
    """
    kind, most = near.dtype.type, 0
    for start in range(0, near.size, ROWS):
        most = max(most, indptr[min(start + ROWS, near.size)] - indptr[start])
    running = np.zeros(most + 1, near.dtype)
    for start in range(0, near.size, ROWS):
        ends, out = indptr[start : start + ROWS + 1], near[start : start + ROWS]
        ties, count, first = indices[ends[0] : ends[-1]], kind(0), np.uint64(ends[0])
        after = running[1 : ties.size + 1]
        for e in range(ties.size):
            j = np.uint32(ties[e])
            bit = (members[j >> np.uint32(3)] >> np.uint8(j & np.uint32(7))) & np.uint8(1)
            count = kind(count + bit)
            after[e] = count
        before = kind(0)
        for i in range(out.size):
            count = running[np.uint64(ends[i + 1]) - first]
            out[i] = kind(count - before)
            before = count


@njit(cache=True, nogil=True)
def least_near(people, offers, indptr, least):
    """From how many members near her on each person joins."""
    cost, free_riding, group = people
    dues, eligible, offset, curve = offers
    ask = np.iinfo(least.dtype).max
    for i in range(least.size):
        degree = indptr[i + 1] - indptr[i]
        success = curve[offset[degree] : offset[degree] + degree + 1]
        c, f, due = cost[i], free_riding[i], dues[0]
        joins, ties, out = 0, 0, 0
        for k in range(success.size):
            d = success[k] - f * success[k] - c - due
            joins += d > 0.0
            ties += d == 0.0
            out = max(out, 0 if d > 0.0 else k + 1)
        least[i] = out if joins + out == success.size and not ties else ask
        if not eligible[group[i], 0]:
            least[i] = success.size  # more than there are


@njit(cache=True, nogil=True)
def respond(least, near, membership, people, offers, indptr):
    """Best responses of everybody at once; how many moved and new members."""
    moved, more, none = np.int64(0), np.int64(0), np.empty(0)
    ask = near.dtype.type(np.iinfo(near.dtype).max)
    for start in range(0, near.size, BLOCK):
        k, n = least[start : start + BLOCK], near[start : start + BLOCK]
        m = membership[start : start + BLOCK]
        joined, left, asked = np.int16(0), np.int16(0), np.int16(0)
        for i in range(k.size):
            was, joins = m[i], np.int8(n[i] >= k[i])
            now = was if k[i] == ask else joins
            joined = np.int16(joined + np.int16(now > was))
            left = np.int16(left + np.int16(now < was))
            asked = np.int16(asked + np.int16(k[i] == ask))
            m[i] = now
        moved += np.int64(joined) + np.int64(left)
        more += np.int64(joined) - np.int64(left)
        if asked:
            for i in range(k.size):
                if k[i] == ask:
                    was = m[i]
                    m[i] = _formula(start + i, n[i], was, people, offers, indptr, 0.0, none, 0)
                    moved += np.int64(m[i] != was)
                    more += np.int64(m[i]) - np.int64(was)
    return moved, more


@njit(cache=True, inline="always")
def _formula(i, near, was, people, offers, indptr, noise, uniforms, t):
    """What person i chooses who sees so many members near her; the t-th uniform is hers."""
    cost, free_riding, group = people
    dues, eligible, offset, curve = offers
    if not eligible[group[i], 0]:
        return np.int8(0)
    s = curve[offset[indptr[i + 1] - indptr[i]] + near]
    d = s - free_riding[i] * s - cost[i] - dues[0]
    return _one(d, was, noise, uniforms[t] if noise > 0.0 else 0.0)


@njit(cache=True, nogil=True)
def draw(near, membership, people, offers, indptr, noise, uniforms):
    """Logit choices of everybody at once; how many moved and new members."""
    cost, free_riding, group = people
    dues, eligible, offset, curve = offers
    moved, more, due = np.int64(0), np.int64(0), dues[0]
    s, may = np.empty(BLOCK), np.empty(BLOCK, np.bool_)
    for start in range(0, near.size, BLOCK):
        c, f = cost[start : start + BLOCK], free_riding[start : start + BLOCK]
        m, u = membership[start : start + BLOCK], uniforms[start : start + BLOCK]
        g, n, ends = group[start:], near[start:], indptr[start:]
        for i in range(c.size):
            s[i] = curve[offset[ends[i + 1] - ends[i]] + n[i]]
            may[i] = eligible[g[i], 0]
        joined, left = np.int16(0), np.int16(0)
        for i in range(c.size):
            d = s[i] - f[i] * s[i] - c[i] - due
            was, now = m[i], np.int8(may[i] & (u[i] * (1.0 + _exp(d / noise)) >= 1.0))
            joined = np.int16(joined + np.int16(now > was))
            left = np.int16(left + np.int16(now < was))
            m[i] = now
        moved += np.int64(joined) + np.int64(left)
        more += np.int64(joined) - np.int64(left)
    return moved, more


@njit(cache=True, nogil=True)
def some(rows, least, near, membership, people, offers, indptr, noise, uniforms, indices):
    """Choices of these people; how many moved and new members.

    Where there are ``indices``, one after the other: the neighbours of who moves are told at once.
    """
    moved, more = np.int64(0), np.int64(0)
    ask = near.dtype.type(np.iinfo(near.dtype).max)
    ahead = np.empty(AHEAD, np.int64)
    for start in range(0, rows.size, AHEAD):
        these, count = rows[start : start + AHEAD], 0
        if indices.size:  # fetch the ties of those who will move, all at once
            for t in range(these.size):
                i = np.int64(these[t])
                ahead[count] = i
                count += (near[i] >= least[i]) != (membership[i] != 0)
            for t in range(count):
                ahead[t] = indices[min(indptr[ahead[t]], indices.size - 1)]
        for t in range(these.size):
            i = np.int64(these[t])
            was, k = membership[i], least[i]
            if noise > 0.0 or k == ask:
                now = _formula(i, near[i], was, people, offers, indptr, noise, uniforms, start + t)
            else:
                now = np.int8(near[i] >= k)
            membership[i] = now
            change = np.int64(now) - np.int64(was)
            moved += np.int64(now != was)
            more += change
            if change and indices.size:
                for e in range(indptr[i], indptr[i + 1]):
                    near[indices[e]] += change
    return moved, more


@njit(cache=True, nogil=True)
def switched(membership, seen, most):
    """Rows of those in another state than when last seen, more than ``most`` if they are."""
    rows, count = np.empty(most + BLOCK + 1, np.int32), 0
    for start in range(0, membership.size, BLOCK):
        m, s = membership[start : start + BLOCK], seen[start : start + BLOCK]
        other = np.int16(0)
        for i in range(m.size):
            other = np.int16(other + np.int16(m[i] != s[i]))
        if other:
            for i in range(m.size):
                rows[count] = start + i
                count += m[i] != s[i]
            if count > most:
                break
    return rows[:count]


@njit(cache=True, nogil=True)
def tell(rows, indptr, indices, membership, seen, near):
    """Bring ``near`` and ``seen`` up to date after these switched."""
    for i in rows:
        change = np.int64(membership[i]) - np.int64(seen[i])
        seen[i] = membership[i]
        for e in range(indptr[i], indptr[i + 1]):
            near[indices[e]] += change


@njit(cache=True, nogil=True)
def in_rows(edges, size):
    """``indptr`` and ``indices`` of :class:`sim.networks.Graph` from an edge array."""
    ends = np.zeros(size + 2, np.int64)  # row i ends at ends[i + 1] when it is full
    indices = np.empty(2 * edges.shape[0], np.int32)
    for e in range(edges.shape[0]):
        ends[edges[e, 0] + 2] += 1
        ends[edges[e, 1] + 2] += 1
    for i in range(size):
        ends[i + 2] += ends[i + 1]
    for e in range(edges.shape[0]):
        i, j = edges[e, 0], edges[e, 1]
        indices[ends[i + 1]] = j
        indices[ends[j + 1]] = i
        ends[i + 1] += 1
        ends[j + 1] += 1
    filled, start = 0, 0
    for i in range(size):  # each neighbour once, in ascending order
        row, start = indices[start : ends[i + 1]], ends[i + 1]
        if row.size > LONG:
            row.sort()
        first = filled
        for j in row:
            at = filled
            while at > first and indices[at - 1] > j:
                at -= 1
            if at == first or indices[at - 1] < j:
                for e in range(filled, at, -1):
                    indices[e] = indices[e - 1]
                indices[at] = j
                filled += 1
        ends[i + 1] = filled
    return ends[:-1], indices[:filled]

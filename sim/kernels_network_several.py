"""Compiled loops for several collectives on a network: who has how many members of each near her.

The members of all collectives near a person are one integer, ``near``: a field of 32/K bits for
each collective, so that somebody's move changes her neighbours' integers by one addition. Success
at local shares is read from a :class:`LocalTable` of all compositions of few neighbours. People
with more neighbours than that (*hubs*, whose fields may overflow) are not decided here, nor are
logit choices so near to the edge between two options that rounding would decide: their answer is
``ASK``, and the caller asks :mod:`sim.revision` itself about them.

Arguments shared by all: ``near`` (N,) uint32; ``people`` (cost, free_riding, group); ``rules``
(dues, eligible, noise); ``answer`` (N,) the state that was a person's best response to who is near
her now, −1 where that is not known; ``uniforms`` one per reviser as in :mod:`sim.kernels`.
"""

from __future__ import annotations

from itertools import accumulate
from math import comb, exp
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.kernels_compiled import njit

if TYPE_CHECKING:
    from learners.success import SuccessFunction

COLLECTIVES = 8  # more are left to numpy: few neighbours have too many compositions
ROWS = 1_000_000  # at most in a table
BLOCK = 256  # people whose neighbours are counted together
AHEAD = 64  # people whose ties are fetched together
ASK = -1
DOUBT = 1e-12  # share of the whole within which an edge between options may lie elsewhere


class LocalTable(NamedTuple):
    """S of several collectives at every composition that few neighbours can show.

    With s₁ = n₁, s₂ = n₁ + n₂ … for n_k members of collective k near her, a person's row is
    ``first[person]`` + Σ_j C(s_j + j − 1, j): compositions in the order of s_K, then s_{K−1} …,
    the combinatorial number system.
    """

    first: NDArray[np.int32]  # (N,); hubs have −1
    ranks: NDArray[np.int64]  # (K, D+1), C(s + j − 1, j) in row j − 1
    success: NDArray[np.float64]  # (rows, K)


def local_table(
    success: SuccessFunction, degree: NDArray[np.integer], most: int
) -> LocalTable | None:
    """The table for people with so many neighbours (N,), of at most so many rows.

    None where most people would be hubs.
    """
    k, people = success.size, np.bincount(degree)
    if k > COLLECTIVES:
        return None
    occur = np.flatnonzero(people).tolist()
    ends = accumulate(comb(d + k, k) for d in occur)
    offset = {
        d: end - comb(d + k, k)
        for d, end in zip(occur, ends, strict=True)
        if end <= min(most, ROWS) and d < 1 << 32 // k
    }
    if 2 * people[list(offset)].sum() < len(degree):
        return None
    counts, ranks = _compositions(max(offset), k)
    rows = [counts[: comb(d + k, k)] / max(d, 1) for d in offset]
    first = np.full(len(people), -1, np.int32)
    first[list(offset)] = list(offset.values())
    return LocalTable(first[degree], ranks, success.at(np.concatenate(rows)))


def _compositions(most: int, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows, K) all n with Σn_k ≤ ``most`` in the order of the table, and its ``ranks``."""
    ranks = np.arange(most + 1)[None]
    sums = ranks.T
    for _ in range(k - 1):
        ranks = np.concatenate([ranks, ranks[-1:].cumsum(axis=1)])
        # Below each s_j come the rows of s_1 … s_{j−1} with s_{j−1} ≤ s_j, which are the first.
        under = np.append(ranks[-2, 1:], len(sums))
        index = np.arange(under.sum()) - np.repeat(under.cumsum() - under, under)
        sums = np.column_stack([sums[index], np.repeat(np.arange(most + 1), under)])
    return np.diff(sums, axis=1, prepend=0), ranks


def weights(k: int) -> NDArray[np.uint32]:
    """(K+1,) what somebody in each state adds to the integers of her neighbours."""
    return np.array([0, *(1 << 32 // k * j for j in range(k))], np.uint32)


@njit(cache=True, nogil=True)
def count_near(indptr, indices, membership, weight, near):
    """Count everybody's neighbours by collective; see :func:`sim.kernels_network.count_near`."""
    most = 0
    for start in range(0, near.size, BLOCK):
        most = max(most, indptr[min(start + BLOCK, near.size)] - indptr[start])
    running = np.zeros(most + 1, np.uint32)
    for start in range(0, near.size, BLOCK):
        ends, out = indptr[start : start + BLOCK + 1], near[start : start + BLOCK]
        ties, count = indices[ends[0] : ends[-1]], np.uint32(0)
        after = running[1 : ties.size + 1]
        for e in range(ties.size):
            count += weight[membership[np.uint32(ties[e])]]
            after[e] = count
        for i in range(out.size):
            out[i] = running[ends[i + 1] - ends[0]] - running[ends[i] - ends[0]]


@njit(cache=True)
def tell(rows, indptr, indices, membership, seen, weight, near, answer):
    """Bring what is known about the neighbours up to date after these switched."""
    for i in rows:
        change = weight[membership[i]] - weight[seen[i]]
        seen[i] = membership[i]
        for e in range(indptr[i], indptr[i + 1]):
            near[indices[e]] += change
            answer[indices[e]] = ASK


@njit(cache=True, inline="always")
def _row(near, first, ranks):
    """The row of the table for somebody with these near her."""
    k = ranks.shape[0]
    bits = np.uint32(32 // k)
    field = np.uint32((np.uint32(1) << bits) - np.uint32(1))
    row, s = np.int64(first), np.int64(0)
    for j in range(k):
        s += np.int64((near >> (bits * np.uint32(j))) & field)
        row += ranks[j, s]
    return row


@njit(cache=True, inline="always")
def _best(i, m, success, people, dues, eligible):
    """Best response of person i in state m: the best k if d > 0, ties: stay."""
    cost, free_riding, group = people
    c, f, may = cost[i], free_riding[i], eligible[group[i]]
    best, pick, own = 0.0, 0, -np.inf if m else 0.0
    for k in range(dues.size):
        if may[k]:
            d = success[k] - f * success[k] - c - dues[k]
            if d > best:
                best, pick = d, k + 1
            if k + 1 == m:
                own = d
    return np.int64(m) if own == best else np.int64(pick)


@njit(cache=True, inline="always")
def _logit(i, success, people, dues, eligible, noise, uniform, weight):
    """Logit choice of person i, or ``ASK``; ``weight`` (K+1,) is room to work in."""
    cost, free_riding, group = people
    c, f, may = cost[i], free_riding[i], eligible[group[i]]
    top = 0.0
    for k in range(dues.size):
        d = success[k] - f * success[k] - c - dues[k] if may[k] else -np.inf
        weight[k + 1] = d / noise
        top = max(top, weight[k + 1])
    weight[0], total = 0.0, 0.0
    for k in range(weight.size):
        weight[k] = exp(weight[k] - top)
        total += weight[k]
    edge, pick = 0.0, 0
    for k in range(dues.size):
        edge += weight[k]
        past = uniform * total - edge
        if not abs(past) > DOUBT * total:
            return np.int64(ASK)
        pick += past > 0.0
    return np.int64(pick)


@njit(cache=True, nogil=True)
def choices(start, stop, rows, near, membership, people, table, rules, uniforms, answer, out):
    """States ``out`` that these revisers (no ``rows``: everybody) choose at once, or ``ASK``."""
    (first, ranks, success), (dues, eligible, noise) = table, rules
    room = np.empty(dues.size + 1)
    for t in range(start, stop):
        i = np.int64(rows[t]) if rows.size else t
        m = membership[i]
        if answer[i] == m:
            state = np.int64(m)
        elif first[i] < 0:
            state = np.int64(ASK)
        else:
            hers = success[_row(near[i], first[i], ranks)]
            if noise > 0.0:
                state = _logit(i, hers, people, dues, eligible, noise, uniforms[t], room)
            else:
                state = _best(i, m, hers, people, dues, eligible)
                answer[i] = state
        out[t] = state


@njit(cache=True, inline="always")
def _fetch(rows, membership, answer, indptr, indices, ahead):
    """Read the first ties of those who may move, all at once, so that they are at hand then."""
    count = 0
    for i in rows:
        ahead[count] = indptr[i]
        count += answer[i] != membership[i]
    for t in range(count if indices.size else 0):
        ahead[t] = indices[min(ahead[t], indices.size - 1)]


@njit(cache=True)
def in_turn(
    start, state, rows, near, membership, people, table, rules, uniforms, answer, graph, weight,
    counts,
):  # fmt: skip
    """Revisers from ``start`` on choose one after the other; the neighbours of who moves are told.

    The first of them takes ``state``, unless that is ``ASK``. Ends before somebody who must be
    asked elsewhere. Returns her place and how many moved; adds to ``counts`` (K+1,) by state.
    """
    (first, ranks, success), (dues, eligible, noise), (indptr, indices) = table, rules, graph
    room, ahead, moved = np.empty(dues.size + 1), np.empty(AHEAD, np.int64), 0
    for t in range(start, rows.size):
        if (t - start) % AHEAD == 0:
            _fetch(rows[t : t + AHEAD], membership, answer, indptr, indices, ahead)
        i = np.int64(rows[t])
        m = membership[i]
        if t > start or state == ASK:
            if answer[i] == m:
                continue
            if first[i] < 0:
                return t, moved
            hers = success[_row(near[i], first[i], ranks)]
            if noise > 0.0:
                state = _logit(i, hers, people, dues, eligible, noise, uniforms[t], room)
                if state == ASK:
                    return t, moved
            else:
                state = _best(i, m, hers, people, dues, eligible)
        if noise == 0.0:
            answer[i] = state
        if state != m:
            moved += 1
            counts[m] -= 1
            counts[state] += 1
            membership[i] = state
            change = weight[state] - weight[m]
            for e in range(indptr[i], indptr[i + 1]):
                near[indices[e]] += change
                if noise == 0.0:
                    answer[indices[e]] = ASK
    return rows.size, moved

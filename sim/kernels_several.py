"""Everybody's choice where several collectives may be joined and all see the same success.

:func:`respond` is one pass over all at once, :func:`in_turn` one after the other, with the success
of the closed form renewed after every move.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learners import several
from sim.kernels import _pick, _recount
from sim.kernels_compiled import njit

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


# ---------------------------------------------------------------- one after the other


@njit(cache=True)
def in_turn(rows, people, membership, counts, terms, pivotal, rules, noise, uniforms):
    """These people choose in this order; writes ``membership`` and ``counts``; how many moved.

    ``terms`` are those of :class:`learners.several.SeveralBound`; ``rules`` (join, forgo, dues,
    eligible), of which the first two, the offers (K+1, K) of :mod:`sim.payoffs` as things stand,
    are renewed after every move.
    """
    cost, free_riding, group = people
    join, forgo, dues, eligible = rules
    moved = 0
    for t in range(rows.size):
        i = rows[t]
        m, g = membership[i], group[i]
        u = uniforms[t] if noise > 0.0 else 0.0
        pick = _pick(i, m, g, cost, free_riding, join, forgo, dues, eligible, noise, u)
        if pick == m:
            continue
        membership[i] = pick
        _recount(counts, m, pick)
        moved += 1
        if pivotal:
            _offer_pivotal(counts, cost.size, terms, join, forgo)
        else:
            renew(counts, cost.size, terms, join[0])
            for state in range(join.shape[0]):
                join[state], forgo[state] = join[0], join[0]
    return moved


renew = njit(cache=True)(several.renew)


@njit(cache=True)
def _offer_pivotal(counts, size, terms, join, forgo):
    """:func:`sim.payoffs.pivotal_offers` in the same order of operations."""
    collectives = counts.size
    out, inside = np.empty(collectives), np.empty(collectives)
    for m in range(collectives + 1):
        without = counts.copy()
        if m and without[m - 1]:
            without[m - 1] -= 1
        renew(without, size, terms, out)
        for k in range(collectives):
            within = without.copy()
            within[k] += 1
            renew(counts if within.sum() > size else within, size, terms, inside)
            join[m, k] = inside[k]
            forgo[m, k] = out.sum() - (inside.sum() - inside[k])

"""Compiled loops that compare one number per person with the published success.

Without a network an atomistic person joins where (1 − γ)S > c + dues, that is, where S exceeds her
*threshold* θ = (c + dues)/(1 − γ). Here θ is a float32 column, and a decision reads four bytes
instead of sixteen. It is never another one than that of :func:`sim.kernels._best`: θ is rounded, so
whoever has it within the margin of S is *in doubt* and is asked by the formula in float64; who has
no such θ (γ = 1, ties by construction) has NaN there and is in doubt always.

Let u = 2⁻⁵³. For S in [0, 1] the formula's d is off by at most 4u(1 + |c| + dues), see ``error``.
Its sign is that of S − θ where |S − θ|(1 − γ) is more than that; rounding to float32 moves θ by at
most 2⁻²³ for |θ| ≤ 2. Both together stay below half of the margin 2⁻²⁰ that :func:`bounds` keeps.

Of several collectives with equal dues the best one is the one with the largest S. Where it leads by
more than ``MARGIN`` everybody takes it or none, so one threshold decides there, too: ``label`` is
its state (1 for a single collective).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.kernels import _best
from sim.kernels_chance import below

MARGIN = 2.0**-20
BLOCK = 1024  # people looked at before those in doubt among them are asked


@njit(cache=True, error_model="numpy")
def thresholds(cost, free_riding, group, closed, due):
    """(N,) float32 θ; ∞ for who never joins (``closed`` (G+1,): groups that may not), else NaN."""
    theta = np.empty(cost.size, np.float32)
    for i in range(cost.size):
        need, share = cost[i] + due, 1.0 - free_riding[i]
        error = 2.0**-50 * (1.0 + abs(cost[i]) + abs(due))  # twice what is possible
        value, sharp = need / share, error / share <= 2.0**-22
        value = value if sharp and value <= 2.0 else np.nan
        value = -np.inf if value < -2.0 else value
        never = closed[group[i]] or need - share > 2.0 * error
        theta[i] = np.inf if never else value
    return theta


def bounds(success):
    """Float32 numbers: who has θ below the first joins, above the second stays out, for sure."""
    middle, margin = np.float32(success), np.float32(2 * MARGIN)
    return middle - margin, middle + margin


@njit(cache=True, nogil=True)
def respond(theta, low, high, label, people, membership, counts, rules, write):
    """Best response of everybody at once; how many move.

    Writes ``membership`` and ``counts`` if it is to ``write``. ``people`` is (cost, free_riding,
    group), ``rules`` (join, forgo, dues, eligible). The counters stay as narrow as they are, and
    the loop without branches, so that it does many people at a time.
    """
    moved, inside = np.int64(0), np.int64(0)
    none, taken = membership.dtype.type(0), membership.dtype.type(label)
    others = np.zeros(counts.size, np.int64)  # members by the formula
    for start in range(0, theta.size, BLOCK):
        t, m = theta[start : start + BLOCK], membership[start : start + BLOCK]
        changes, members, sure = np.int16(0), np.int16(0), np.int16(0)
        if write:
            for i in range(t.size):
                was, joins, leaves = m[i], t[i] < low, t[i] > high
                now = taken if joins else (none if leaves else was)
                sure = np.int16(sure + np.int16(joins | leaves))
                changes = np.int16(changes + np.int16(now != was))
                members = np.int16(members + np.int16(joins))
                m[i] = now
        else:
            for i in range(t.size):
                was, joins, leaves = m[i], t[i] < low, t[i] > high
                now = taken if joins else (none if leaves else was)
                sure = np.int16(sure + np.int16(joins | leaves))
                changes = np.int16(changes + np.int16(now != was))
        moved += np.int64(changes)
        inside += np.int64(members)
        if np.int64(sure) < t.size:
            for i in range(t.size):
                if not (t[i] < low or t[i] > high):
                    now = _exact(start + i, m[i], people, rules)
                    moved += now != m[i]
                    if write:
                        m[i] = now
                        if now:
                            others[now - 1] += 1
    if write:
        counts[:] = others
        counts[label - 1] += inside
    return moved


@njit(cache=True, inline="always")
def _exact(i, was, people, rules):
    cost, free_riding, group = people
    join, forgo, dues, eligible = rules
    return _best(i, was, group[i], cost, free_riding, join, forgo, dues, eligible)


@njit(cache=True)
def move_some(many, key, theta, low, high, label, people, membership, counts, rules):
    """Let so many of those who want to move do so, all of them equally likely.

    People are drawn with replacement until enough have moved; who has moved wants no more.
    """
    draw, margin, middle = 0, (high - low) / np.float32(2), (low + high) / np.float32(2)
    while many > 0:
        i = below(theta.size, key, np.uint64(draw))
        draw += 1
        was = membership[i]
        now = membership.dtype.type(label if theta[i] < middle else 0)
        if not abs(theta[i] - middle) > margin:  # one branch that is hardly ever taken
            now = membership.dtype.type(_exact(i, was, people, rules))
        membership[i] = now
        many -= now != was
        counts[was] -= 1  # the first counter is that of the outsiders
        counts[now] += 1


@njit(cache=True)
def in_turn(rows, theta, curve, margin, count, least, most, people, membership, rules):
    """One collective: these people one at a time, success renewed after each.

    ``curve`` is S at 0, 1, … N members. Stops after the person who brings the count out of
    [least, most]; gives back how many were asked, the new count and how many moved.
    """
    join, forgo = rules[0], rules[1]
    moved, s = 0, np.float32(curve[count])
    for t in range(rows.size):
        i = rows[t]
        was = membership[i]
        now = membership.dtype.type(theta[i] < s)
        if not abs(theta[i] - s) > margin:  # one branch that is hardly ever taken
            join[:], forgo[:] = curve[count], curve[count]
            now = membership.dtype.type(_exact(i, was, people, rules))
        membership[i] = now
        count += np.int64(now) - np.int64(was)
        moved += now != was
        s = np.float32(curve[count])
        if count < least or count > most:
            return t + 1, count, moved
    return rows.size, count, moved


@njit(cache=True, inline="always")
def _settled(theta, was, low, high):
    """Does she stay where she is at any S that leaves only θ in [low, high] (or NaN) in doubt?"""
    inside = was != 0
    return ((theta < low) & inside) | ((theta > high) & (not inside))


@njit(cache=True)
def concerned(theta, membership, low, high, old_low, old_high, first):
    """Rows of people who could move in this band of S, without those who could in the old one."""
    found = np.zeros(theta.size // BLOCK + 2, np.int64)
    for b in range(found.size - 1):
        t = theta[b * BLOCK : (b + 1) * BLOCK]
        m = membership[b * BLOCK : (b + 1) * BLOCK]
        here = np.int16(0)
        if first:
            for i in range(t.size):
                here = np.int16(here + np.int16(not _settled(t[i], m[i], low, high)))
        else:
            for i in range(t.size):
                new = (not _settled(t[i], m[i], low, high)) & _settled(
                    t[i], m[i], old_low, old_high
                )
                here = np.int16(here + np.int16(new))
        found[b + 1] = found[b] + np.int64(here)
    rows = np.empty(found[-1], np.int32)
    for b in range(found.size - 1):
        at = found[b]
        if at == found[b + 1]:
            continue
        for i in range(b * BLOCK, min((b + 1) * BLOCK, theta.size)):
            t, m = theta[i], membership[i]
            if not _settled(t, m, low, high) and (first or _settled(t, m, old_low, old_high)):
                rows[at] = i
                at += 1
    return rows

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

from sim.kernels import _best
from sim.kernels_compiled import njit

MARGIN = 2.0**-20
BLOCK = 1024  # people looked at before those in doubt among them are asked
WAVE = 32  # people who take their turns together unless one of them is in doubt


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
def wishes(theta, low, high, label, people, membership, rules):
    """How many people would move if they were asked.

    ``people`` is (cost, free_riding, group), ``rules`` (join, forgo, dues, eligible), ``label`` the
    state of the best collective. The counters stay as narrow as they are, and the loop without
    branches, so that it does many people at a time.
    """
    moved = np.int64(0)
    none, taken = membership.dtype.type(0), membership.dtype.type(label)
    for start in range(0, theta.size, BLOCK):
        t, m = theta[start : start + BLOCK], membership[start : start + BLOCK]
        changes, sure = np.int16(0), np.int16(0)
        for i in range(t.size):
            was, joins, leaves = m[i], t[i] < low, t[i] > high
            now = taken if joins else (none if leaves else was)
            sure = np.int16(sure + np.int16(joins | leaves))
            changes = np.int16(changes + np.int16(now != was))
        moved += np.int64(changes)
        if np.int64(sure) < t.size:
            for i in range(t.size):
                if not (t[i] < low or t[i] > high):
                    moved += exact(start + i, m[i], people, rules) != m[i]
    return moved


@njit(cache=True, inline="always")
def exact(i, was, people, rules):
    """Best response by the formula."""
    cost, free_riding, group = people
    join, forgo, dues, eligible = rules
    return _best(i, was, group[i], cost, free_riding, join, forgo, dues, eligible)


@njit(cache=True, nogil=True)
def in_turn(rows, theta, curve, margin, count, least, most, people, membership, rules):
    """One collective: these people one at a time, success renewed after each.

    ``curve`` is S at 0, 1, … N members. Stops after the person who brings the count out of
    [least, most]; gives back how many were asked, the new count and how many moved.

    The next ``WAVE`` people change the count by at most so many. Where none of them has her
    threshold between the smallest and the largest S that this allows, they need not wait for each
    other; else they are asked in turn.
    """
    join, forgo = rules[0], rules[1]
    moved, kind = np.int64(0), membership.dtype.type
    t, was, now = np.empty(WAVE, np.float32), np.empty(WAVE, np.int8), np.empty(WAVE, np.int8)
    for start in range(0, rows.size, WAVE):
        these = rows[start : start + WAVE]
        if count - WAVE >= least and count + WAVE <= most:
            reach = curve[count - WAVE : count + WAVE + 1]
            low, high = reach[0], reach[0]
            for k in range(reach.size):
                low, high = min(low, reach[k]), max(high, reach[k])
            below, above = np.float32(low) - margin, np.float32(high) + margin
            for i in range(these.size):
                t[i], was[i] = theta[np.uint64(these[i])], membership[np.uint64(these[i])]
            sure, joined, left = np.int16(0), np.int16(0), np.int16(0)
            for i in range(these.size):
                now[i] = np.int8(t[i] < below)
                sure = np.int16(sure + np.int16((t[i] < below) | (t[i] > above)))
                joined = np.int16(joined + np.int16(now[i] > was[i]))
                left = np.int16(left + np.int16(now[i] < was[i]))
            if sure == these.size:
                for i in range(these.size):
                    membership[np.uint64(these[i])] = now[i]
                count += np.int64(joined) - np.int64(left)
                moved += np.int64(joined) + np.int64(left)
                continue
        success = np.float32(curve[count])
        for i in range(these.size):
            row = these[i]
            old = membership[row]
            new = kind(theta[row] < success)
            if not abs(theta[row] - success) > margin:  # one branch that is hardly ever taken
                join[:], forgo[:] = curve[count], curve[count]
                new = kind(exact(row, old, people, rules))
            membership[row] = new
            count += np.int64(new) - np.int64(old)
            moved += new != old
            success = np.float32(curve[count])
            if count < least or count > most:
                return start + i + 1, count, moved
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

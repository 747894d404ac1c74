"""Compiled loops behind the rules of :mod:`sim.revision`, equal to the numpy reference there.

Imported only when a population is large enough to want them. One thread; no randomness of their
own: every uniform is drawn by the model's numpy generators and handed in, so that a compiled and
a plain run of one scenario take the same decisions.

Arguments shared by all: ``rows`` who revises, in order (empty: everybody); the columns ``cost``,
``free_riding``, ``group``, ``membership``; ``eligible`` (G+1, K); ``dues`` (K,); ``noise`` η (0:
best response); ``uniforms``, one per reviser (empty for best response).
"""

from __future__ import annotations

from math import exp

import numpy as np

from sim.kernels_compiled import njit


@njit(cache=True, inline="always")
def _best(i, m, g, cost, free_riding, join, forgo, dues, eligible):
    """Best response of person i in state m: the best k if d > 0, ties: stay."""
    best, pick = 0.0, 0
    own = -np.inf if m else 0.0  # somebody may have put her where she may not be
    for k in range(dues.size):
        if eligible[g, k]:
            d = join[m, k] - free_riding[i] * forgo[m, k] - cost[i] - dues[k]
            if d > best:
                best, pick = d, k + 1
            if k + 1 == m:
                own = d
    return m if own == best else pick


@njit(cache=True, inline="always")
def _logit(i, m, g, cost, free_riding, join, forgo, dues, eligible, noise, uniform):
    """Logit choice of person i: the state in whose share of [0, 1) her uniform falls."""
    top, total = 0.0, 0.0
    for k in range(dues.size):
        if eligible[g, k]:
            d = join[m, k] - free_riding[i] * forgo[m, k] - cost[i] - dues[k]
            top = max(top, d / noise)
    for k in range(dues.size):
        if eligible[g, k]:
            d = join[m, k] - free_riding[i] * forgo[m, k] - cost[i] - dues[k]
            total += exp(d / noise - top)
    left = uniform * (total + exp(-top)) - exp(-top)
    pick = 0
    for k in range(dues.size):
        if left >= 0.0 and eligible[g, k]:
            d = join[m, k] - free_riding[i] * forgo[m, k] - cost[i] - dues[k]
            left -= exp(d / noise - top)
            pick = k + 1
    return pick


@njit(cache=True, inline="always")
def _pick(i, m, g, cost, free_riding, join, forgo, dues, eligible, noise, uniform):
    """Choice of person i in state m: by logit where there is noise, else her best response."""
    if noise > 0.0:
        return _logit(i, m, g, cost, free_riding, join, forgo, dues, eligible, noise, uniform)
    return _best(i, m, g, cost, free_riding, join, forgo, dues, eligible)


@njit(cache=True, inline="always")
def _recount(counts, was, now):
    """Somebody moves from one state to another: the members (K,) of each collective."""
    if was:
        counts[was - 1] -= 1
    if now:
        counts[now - 1] += 1


@njit(cache=True, inline="always")
def _exp(x):
    """e^x to 1 ulp for |x| ≤ 700, written so that the compiler can do several at once (the C
    library's exp is called one by one): x = k ln 2 + r, Taylor in r, exponent bits of 2^k."""
    x = x if x < 700.0 else 700.0
    x = x if x > -700.0 else -700.0
    k = np.floor(1.4426950408889634 * x + 0.5)
    r = (x - k * 6.93145751953125e-1) - k * 1.42860682030941723212e-6  # ln 2 in two parts
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * np.int64((np.int64(k) + 1023) << 52).view(np.float64)


@njit(cache=True)
def respond_one(cost, free_riding, membership, join, forgo, dues, noise, uniforms):
    """:func:`respond` for one collective that everybody may join, everybody at once.

    Without branches and in one-byte integers, so that the loops run several people at a time.
    """
    out = np.empty(cost.size, membership.dtype)
    j0, j1, f0, f1, due = join[0, 0], join[1, 0], forgo[0, 0], forgo[1, 0], dues[0]
    if noise > 0.0:
        for i in range(cost.size):
            m = membership[i]
            d = (j1 if m else j0) - free_riding[i] * (f1 if m else f0) - cost[i] - due
            out[i] = np.int8(uniforms[i] * (1.0 + _exp(d / noise)) >= 1.0)
    else:
        for i in range(cost.size):
            m = membership[i]
            d = (j1 if m else j0) - free_riding[i] * (f1 if m else f0) - cost[i] - due
            out[i] = np.int8(d > 0.0) | (np.int8(d == 0.0) & m)
    return out


@njit(cache=True)
def shuffled(uniforms):
    """A uniformly random order of as many people as there are uniforms (Fisher and Yates)."""
    order = np.arange(uniforms.size, dtype=np.int32)
    for i in range(uniforms.size - 1, 0, -1):
        j = np.int64(uniforms[i] * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


@njit(cache=True)
def respond(
    rows, cost, free_riding, group, membership, join, forgo, dues, eligible, noise, uniforms
):
    """States that the revisers choose at once, all seeing the same offers; (n,) int8 or int16."""
    n = rows.size if rows.size else cost.size
    out = np.empty(n, membership.dtype)
    for t in range(n):
        i = rows[t] if rows.size else t
        m, g = membership[i], group[i]
        u = uniforms[t] if noise > 0.0 else 0.0
        out[t] = _pick(i, m, g, cost, free_riding, join, forgo, dues, eligible, noise, u)
    return out


@njit(cache=True)
def next_switch(
    start, rows, cost, free_riding, group, membership, join, forgo, dues, eligible, noise, uniforms
):
    """Position of the first reviser from ``start`` on who wants to move, and where to.

    Until somebody moves, the success and so everybody's offers stay what they are; the caller
    moves her, renews the offers and asks again. (−1, 0) when nobody does.
    """
    for t in range(start, rows.size):
        i = rows[t]
        m, g = membership[i], group[i]
        u = uniforms[t] if noise > 0.0 else 0.0
        pick = _pick(i, m, g, cost, free_riding, join, forgo, dues, eligible, noise, u)
        if pick != m:
            return t, pick
    return -1, 0


@njit(cache=True, inline="always")
def _one(d, m, noise, uniform):
    """The choice between staying out and one collective."""
    if noise > 0.0:
        return np.int8(uniform * (1.0 + _exp(d / noise)) >= 1.0)
    return np.int8(d > 0.0) | (np.int8(d == 0.0) & m)


@njit(cache=True)
def sequential_one(
    rows, cost, free_riding, group, membership, seen, curve, pivotal, count, dues, eligible, noise,
    uniforms,
):  # fmt: skip
    """One collective, people in order, success renewed after each move; changes ``membership``.

    ``seen`` is the success before the first move; ``curve`` (N+2,) is S at 0, 1, … N members (its
    last entry repeats); returns the new count.
    """
    for t in range(rows.size):
        i = rows[t]
        m = membership[i]
        if pivotal:
            s_in, s_out = curve[count + 1 - m], curve[count - m]
        else:
            s_in = s_out = seen
        d = s_in - free_riding[i] * s_out - cost[i] - dues[0]
        pick = _one(d, m, noise, uniforms[t] if noise > 0.0 else 0.0)
        pick = pick if eligible[group[i], 0] else np.int8(0)
        if pick != m:
            count += pick - m
            membership[i] = pick
            seen = curve[count]
    return count


@njit(cache=True)
def count_near(rows, indptr, indices, membership, collectives):
    """(n, K) members of each collective among the neighbours of each row."""
    near = np.zeros((rows.size, collectives), np.int64)
    for t in range(rows.size):
        for e in range(indptr[rows[t]], indptr[rows[t] + 1]):
            m = membership[indices[e]]
            if m:
                near[t, m - 1] += 1
    return near

"""Compiled loops that draw for themselves, where numpy's draws would cost more than the rest.

Uniforms are SplitMix64 (Steele, Lea & Flood 2014) of a 64-bit ``key`` and a counter: any of them
can be had in any order, by any thread. The key comes from the model's own stream, new for every
epoch, so that a seed decides everything. Used from ``sim.compact.OWN_DRAWS_FROM`` people on; below,
numpy draws: another sample of the same law.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sim.kernels import _exp

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
LOW = np.uint64(0xFFFFFFFF)
HALF = 512  # people who get the upper half of 64 bits; as many get the lower half
NEAR = np.float32(2.0**-13)
SMALL = np.float32(2.0**-16)


@njit(cache=True, inline="always")
def bits(key, counter):
    """64 random bits."""
    z = key + counter * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, inline="always")
def uniform(key, counter):
    """A multiple of 2⁻⁵³ in [0, 1)."""
    return np.float64(np.int64(bits(key, counter) >> np.uint64(11))) * 2.0**-53


@njit(cache=True, inline="always")
def below(size, key, counter):
    """An integer in 0 … size − 1, each with probability 1/size up to size·2⁻⁵³."""
    return np.int64(uniform(key, counter) * size)


@njit(cache=True)
def uniforms(size, key):
    """(size,) the first uniforms of a key."""
    out = np.empty(size)
    for i in range(size):
        out[i] = uniform(key, np.uint64(i))
    return out


@njit(cache=True)
def shuffle(rows, key):
    """Put rows in uniformly random order, in place (Fisher and Yates)."""
    for i in range(rows.size - 1, 0, -1):
        j = below(i + 1, key, np.uint64(i))
        rows[i], rows[j] = rows[j], rows[i]


@njit(cache=True)
def distinct(count, size, key, marks):
    """``count`` different rows out of ``size`` in random order; best for count ≤ size/2.

    ``marks`` (size,) uint8 must be zero and is again afterwards.
    """
    rows = np.empty(count + 1, np.int32)
    filled, draw = 0, np.uint64(0)
    while filled < count:
        i = below(size, key, draw)
        draw += np.uint64(1)
        rows[filled] = i
        filled += 1 - marks[i]
        marks[i] = 1
    for t in range(count):
        marks[rows[t]] = 0
    return rows[:count]


@njit(cache=True, inline="always")
def _rough_exp(x):
    """e^x in float32 for |x| ≤ 80, wrong by less than 2⁻¹⁷ of it: mostly x itself being rounded."""
    x = x * np.float32(1.44269504)
    k = np.floor(x + np.float32(0.5))
    r = (x - k) * np.float32(0.693147181)
    p = np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(0.5)
    p = p * r + np.float32(1.0)
    p = p * r + np.float32(1.0)
    return p * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(cache=True, nogil=True)
def logit_one(cost, free_riding, membership, join, forgo, due, noise, key, first):
    """Logit choice of everybody at once about one collective that all may join.

    A person joins if u(1 + exp(d/η)) ≥ 1. The first 32 bits of u and a rough exponential nearly
    always say whether; where the left side is within ``NEAR`` of 1, or u small, she gets the other
    bits and the exact one. Writes ``membership``; ``first`` is the row of the first of them. Gives
    back how many moved and how many are members.
    """
    j0, j1, f0, f1 = join[0, 0], join[1, 0], forgo[0, 0], forgo[1, 0]
    moved, inside, per = np.int64(0), np.int64(0), 1.0 / noise
    u, x = np.empty(2 * HALF, np.float32), np.empty(2 * HALF, np.float32)
    for start in range(0, cost.size, 2 * HALF):  # short loops do many people at a time
        c, f = cost[start : start + 2 * HALF], free_riding[start : start + 2 * HALF]
        m = membership[start : start + 2 * HALF]
        offset = key + np.uint64(first + start) * GOLDEN
        for i in range(HALF):
            both = bits(offset, np.uint64(i))
            u[i] = np.float32(np.int64(both >> np.uint64(32))) * np.float32(2.0**-32)
            u[i + HALF] = np.float32(np.int64(both & LOW)) * np.float32(2.0**-32)
        for i in range(c.size):
            d = (j1 if m[i] else j0) - f[i] * (f1 if m[i] else f0) - c[i] - due
            d = d * per if d * per > -80.0 else -80.0
            x[i] = np.float32(d if d < 80.0 else 80.0)
        for i in range(c.size):
            left = u[i] + u[i] * _rough_exp(x[i]) - np.float32(1.0)
            x[i] = left if u[i] >= SMALL else np.float32(0.0)
        changes, members, sure = np.int16(0), np.int16(0), np.int16(0)
        for i in range(c.size):
            was, joins, leaves = m[i], x[i] > NEAR, x[i] < -NEAR
            now = np.int8(1) if joins else (np.int8(0) if leaves else was)
            sure = np.int16(sure + np.int16(joins | leaves))
            changes = np.int16(changes + np.int16(now != was))
            members = np.int16(members + np.int16(now))
            m[i] = now
        moved += np.int64(changes)
        inside += np.int64(members)
        if np.int64(sure) < c.size:
            for i in range(c.size):
                if not abs(x[i]) > NEAR:
                    both = bits(offset, np.uint64(i % HALF))
                    head = np.int64(both >> np.uint64(32)) if i < HALF else np.int64(both & LOW)
                    tail = uniform(~key, np.uint64(first + start + i))  # the other bits of u
                    was = m[i]
                    d = (j1 if was else j0) - f[i] * (f1 if was else f0) - c[i] - due
                    m[i] = np.int8((head + tail) * 2.0**-32 * (1.0 + _exp(d * per)) >= 1.0)
                    moved += np.int64(m[i] != was)
                    inside += np.int64(m[i]) - np.int64(was)
    return moved, inside

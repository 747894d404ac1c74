"""Compiled loops that draw for themselves, where numpy's draws would cost more than the rest.

Uniforms are SplitMix64 (Steele, Lea & Flood 2014) of a 64-bit ``key`` and a counter: any of them
can be had in any order, by any thread. The key comes from the model's own stream, new for every
epoch, so that a seed decides everything. Used from ``sim.compact.OWN_DRAWS_FROM`` people on; below,
numpy draws: another sample of the same law.
"""

from __future__ import annotations

import numpy as np

from sim.kernels_compiled import njit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@njit(cache=True, inline="always")
def mixed(z):
    """Every bit of z in every bit."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, inline="always")
def bits(key, counter):
    """64 random bits."""
    return mixed(key + counter * GOLDEN)


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

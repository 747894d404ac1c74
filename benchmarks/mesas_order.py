"""The order in which Mesa asks its agents, for an economy that is to ask in the same one.

``AgentSet.shuffle_do`` shuffles with Python's ``random.Random``: Fisher and Yates from the end,
each index by rejection from the bits of a Mersenne Twister (Matsumoto & Nishimura 1998). Here that
is two compiled loops over the generator's own state: who changes places with whom, without a branch
on chance, and the changes.
"""

from __future__ import annotations

import random

import numpy as np
from numba import njit


class MesasOrder:
    """Successive orders of so many people, as a ``random.Random`` of this seed would shuffle."""

    def __init__(self, seed: int) -> None:
        state = random.Random(seed).getstate()[1]
        self.words, self.used = np.array(state[:-1], np.uint32), state[-1]
        self.tempered, self.places = np.empty(624, np.uint32), np.empty(0, np.int32)
        assert self.used == 624  # a new generator's words are all still to be made

    def __call__(self, size: int) -> np.ndarray:
        if len(self.places) != size:
            self.places = np.empty(size, np.int32)
        self.used = _places(self.places, self.words, self.tempered, self.used)
        return _changed(self.places)


@njit(cache=True)
def _renew(words, tempered):
    """The next 624 words of the Mersenne Twister, and what it gives out for them."""
    for start, stop, other in ((0, 227, 397), (227, 454, -227), (454, 623, -227)):
        for k in range(start, stop):  # none of these reads what the same loop has written
            words[k] = _twisted(words[k], words[k + 1], words[k + other])
    words[623] = _twisted(words[623], words[0], words[396])
    for k in range(624):
        y = words[k]
        y ^= y >> np.uint32(11)
        y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
        y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
        tempered[k] = y ^ (y >> np.uint32(18))


@njit(cache=True, inline="always")
def _twisted(word, following, other):
    y = (word & np.uint32(0x80000000)) | (following & np.uint32(0x7FFFFFFF))
    return other ^ (y >> np.uint32(1)) ^ ((y & np.uint32(1)) * np.uint32(0x9908B0DF))


@njit(cache=True)
def _places(places, words, tempered, used):
    """Place i changes with ``places[i]`` ≤ i; how many of the generator's words are used up."""
    i, bits = places.size - 1, 0
    while places.size >> bits:
        bits += 1
    while i > 0:
        while not (i + 1) >> (bits - 1):  # bits of i + 1
            bits -= 1
        last, shift = max((1 << (bits - 1)) - 1, 1), np.uint32(32 - bits)  # while it has so many
        while i >= last:
            if used == 624:
                _renew(words, tempered)
                used = 0
            draws = tempered[used : used + min(624 - used, i - last + 1)]
            for t in range(draws.size):
                j = np.int32(draws[t] >> shift)
                places[i] = j
                i -= j <= i  # else it is drawn again
            used += draws.size
    return used


@njit(cache=True)
def _changed(places):
    order = np.arange(places.size, dtype=np.int32)
    for i in range(order.size - 1, 0, -1):
        j = np.uint64(places[i])
        order[i], order[j] = order[j], order[i]
    return order

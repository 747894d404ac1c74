"""The order in which Mesa asks its agents, for an economy that is to ask in the same one.

``AgentSet.shuffle_do`` shuffles with Python's ``random.Random``: Fisher and Yates from the end,
each index by rejection from the bits of a Mersenne Twister (Matsumoto & Nishimura 1998). Here that
is one compiled loop over the generator's own state.
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

    def __call__(self, size: int) -> np.ndarray:
        order, self.used = _shuffled(size, self.words, self.used)
        return order


@njit(cache=True)
def _renew(words):
    """The next 624 words of the Mersenne Twister."""
    for k in range(624):
        y = (words[k] & np.uint32(0x80000000)) | (words[(k + 1) % 624] & np.uint32(0x7FFFFFFF))
        twist = np.uint32(0x9908B0DF) if y & np.uint32(1) else np.uint32(0)
        words[k] = words[(k + 397) % 624] ^ (y >> np.uint32(1)) ^ twist


@njit(cache=True)
def _shuffled(size, words, used):
    order = np.arange(size, dtype=np.int32)
    bits = 0
    while size >> bits:
        bits += 1
    for i in range(size - 1, 0, -1):
        while not (i + 1) >> (bits - 1):  # bits of i + 1
            bits -= 1
        j = i + 1
        while j > i:
            if used == 624:
                _renew(words)
                used = 0
            y = words[used]
            used += 1
            y ^= y >> np.uint32(11)
            y ^= (y << np.uint32(7)) & np.uint32(0x9D2C5680)
            y ^= (y << np.uint32(15)) & np.uint32(0xEFC60000)
            y ^= y >> np.uint32(18)
            j = np.int64(np.uint32(y)) >> (32 - bits)
        order[i], order[j] = order[j], order[i]
    return order, used

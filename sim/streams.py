"""Random streams: one numpy generator for each purpose, all from one seed.

A stream is ``SeedSequence(seed, spawn_key=(replicate, purpose))``; a draw added for one purpose
moves no other. The numbers of the purposes are part of what makes a run reproducible: append,
never renumber.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PURPOSES = {
    "cost": 0,  # one uniform per person, turned into her cost by her group's distribution
    "free_riding": 1,
    "groups": 2,  # who belongs to which group
    "start": 3,  # who is a member at epoch 0
    "network": 4,
    "activation": 5,  # who revises, and in which order
    "revision": 6,  # noise of the choice itself
    "agents": 7,  # Mesa's own model.rng: shuffles, and whatever a user's agents draw
    "data": 8,  # which data point each person is
    "learner": 9,  # the platform's own: held-out people, first weights; always of replicate 0
    "places": 10,  # which of the people that were only counted are the members, when rows are made
}


class Streams:
    """The random streams of one run; ``streams.cost`` and so on, each made when first asked for."""

    def __init__(self, seed: int, replicate: int = 0) -> None:
        self.seed = seed
        self.replicate = replicate

    def sequence(self, purpose: str) -> np.random.SeedSequence:
        """The seed sequence of one purpose."""
        return np.random.SeedSequence(self.seed, spawn_key=(self.replicate, PURPOSES[purpose]))

    def uniforms(self, purpose: str, size: int) -> NDArray[np.float64]:
        """The first uniforms of a purpose's stream, (size,): the same whenever they are asked for.

        So every group of people reads the same uniforms by row, whoever asked before.
        """
        return np.random.default_rng(self.sequence(purpose)).random(size)

    def __getattr__(self, purpose: str) -> np.random.Generator:
        if purpose not in PURPOSES:
            raise AttributeError(f"no random stream {purpose!r}; there are {', '.join(PURPOSES)}")
        generator = np.random.default_rng(self.sequence(purpose))
        self.__dict__[purpose] = generator
        return generator

"""People of few types who revise one at a time, and one collective: an epoch of them, counted.

Person by person success is renewed, and with it the chance p of choosing the collective. Give each
reviser a uniform u before: she chooses it if u < p. People who are still to come are a *block* of
which only numbers are known: by type and state, who will choose it at any number of members that
she can possibly find (u below every p), who will not (u above), and who is unsure. A block without
unsure people is done at once, whatever their order. Another one is cut in halves, which find fewer
numbers of members, so that fewer in them are unsure; a single person finds the very number.

    who of a block is in its first half     multivariate hypergeometric
    who of the unsure ones is unsure still  multinomial

The order is random and u is drawn once, so this is exact in law. S must never fall with the number
of members. A block of n people has O(n²/N) unsure ones: O(√N) blocks under logit, O(log N) for each
level of success at which people change their minds under best response.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sim.crowd import CountingError
from sim.payoffs import gain
from sim.sampling import without_replacement

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Chances = Callable[[int, int], tuple[Floats, Floats]]

ROUNDING = 1e-13  # of a gain, in utility
MOST_BLOCKS = 2_000_000  # in an epoch
JOINS, UNSURE, STAYS_OUT = range(3)


class InTurn:
    """An epoch of people in cells (B of them), by type and state.

    Parameters
    ----------
    rng : who comes when, and what chance decides
    chances : from the fewest and the most members that people find to the smallest and the largest
        chance (B,) with which those of a cell choose the collective
    state : (B,) 0 outside, 1 member
    members : of the collective at first

    Attributes
    ----------
    members : as it goes on
    chose : (B,) who have chosen the collective so far
    """

    def __init__(
        self, rng: np.random.Generator, chances: Chances, state: Counts, members: int
    ) -> None:
        self.rng, self.chances, self.members = rng, chances, members
        self.inside = np.asarray(state) == 1
        self.chose = np.zeros(len(self.inside), np.int64)
        self._blocks = 0

    def revise(self, revisers: Counts) -> Counts:
        """Let these people (B,) of each cell revise; returns who of them chose the collective.

        Raises
        ------
        CountingError
            Everybody would have to be looked at alone.
        """
        none, ones = np.zeros_like(revisers), np.ones(len(revisers))
        self._go(np.stack([none, revisers, none]), 0.0 * ones, ones)
        return self.chose

    def _go(self, block: Counts, low: Floats, high: Floats) -> None:
        """A block (3, B) of people whose u lies, if they are unsure, between low and high (B,)."""
        people = int(block.sum())
        self._blocks += 1
        if self._blocks > MOST_BLOCKS:
            raise CountingError("too many people stand where the success of the collective is")
        if block[UNSURE].any():
            block, low, high = self._sorted_out(block, low, high, people)
        if block[UNSURE].any():
            first = without_replacement(self.rng, block.ravel(), people // 2).reshape(block.shape)
            self._go(first, low, high)
            self._go(block - first, low, high)
        else:
            joined, left = block[JOINS][~self.inside].sum(), block[STAYS_OUT][self.inside].sum()
            self.members += int(joined - left)
            self.chose += block[JOINS]

    def _sorted_out(
        self, block: Counts, low: Floats, high: Floats, people: int
    ) -> tuple[Counts, Floats, Floats]:
        """The block with fewer unsure people, and the range of their u."""
        fewest = most = self.members
        if people > 1:
            most += int(block[:STAYS_OUT, ~self.inside].sum())
            fewest -= int(block[UNSURE:, self.inside].sum())
        new_low, new_high = (np.clip(p, low, high) for p in self.chances(fewest, most))
        width = np.where(high > low, high - low, 1.0)
        share = np.stack([new_low - low, new_high - new_low, high - new_high], axis=1)
        share /= width[:, None]
        share[high <= low] = (0.0, 1.0, 0.0)  # nobody
        drawn = self.rng.multinomial(block[UNSURE], share / share.sum(axis=1, keepdims=True)).T
        known = block.copy()
        known[UNSURE] = 0
        return known + drawn, new_low, new_high


def chances_of(
    success: Callable[[Floats], Floats],
    size: int,
    state: Counts,
    own: tuple[Floats, Floats, Floats],
    *,
    pivotal: bool,
    noise: float,
) -> Chances:
    """The chances with which people in cells choose the one collective.

    Parameters
    ----------
    success : S of shares (n,), never falling
    size : N
    own : (B,) cost, free-riding factor and dues; infinite cost for those who may not join
    noise : η of logit; 0 for a best response
    """
    cost, free_riding, dues = own
    state = np.asarray(state)

    def at(members: Counts) -> Floats:
        return success(np.clip(members, 0, size) / size)

    def chance(d: Floats) -> Floats:
        if noise:
            return special.expit(d / noise)
        return ((d > 0) | ((d == 0) & (state == 1))).astype(float)

    def chances(fewest: int, most: int) -> tuple[Floats, Floats]:
        ends = np.array([fewest, most])
        if pivotal:  # with herself in, and without
            without = at(np.array([ends, ends - 1]).ravel()).reshape(2, 2)[state]  # (B, 2)
            within = at(np.array([ends + 1, ends]).ravel()).reshape(2, 2)[state]
        else:
            without = within = np.broadcast_to(at(ends), (len(state), 2))
        across = (1, 0) if pivotal else (0, 1)
        worst, best = (
            gain(within[:, i], without[:, j], cost, free_riding, dues)
            for i, j in zip((0, 1), across, strict=True)
        )
        same = np.all(within[:, 0] == within[:, 1]) and np.all(without[:, 0] == without[:, 1])
        sure = same | (~np.asarray(pivotal) & (free_riding == 1.0))  # who gets S in any case
        margin = np.where(sure, 0.0, ROUNDING)
        return chance(worst - margin), chance(best + margin)

    return chances

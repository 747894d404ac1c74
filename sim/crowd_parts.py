"""Sorted people in parts: how many people each part holds, and how many of them are members.

A *key* is a person's level on the scale of thresholds in the upper 32 bits and her row in the lower
ones. A part is a range of levels in which nobody differs from the others in what she has decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Keys = NDArray[np.uint64]

LEVELS = 1 << 32
LOW, HIGH = -0.25, 1.25  # thresholds beyond are beyond every success
PER_LEVEL = (HIGH - LOW) / LEVELS

ROW = np.uint64(0xFFFFFFFF)

EMPTY, FULL, MIXED, OPEN = range(4)


def row_key(level: NDArray[np.integer], row: NDArray[np.integer]) -> Keys:
    """Keys of people with these levels and rows."""
    return level.astype(np.uint64) << np.uint64(32) | row.astype(np.uint64)


@dataclass
class Apart:
    """People who are looked at one by one, (n,) columns; ``level`` −1: for good."""

    row: Integers
    level: Integers
    cost: Floats
    free_riding: Floats
    state: Integers

    def __len__(self) -> int:
        return len(self.row)

    def and_also(self, other: Apart) -> Apart:
        """Both together."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Apart(*(np.concatenate(pair) for pair in pairs))

    def only(self, which: NDArray[np.bool_] | NDArray[np.integer]) -> Apart:
        """Those who are marked, or these in this order."""
        return Apart(*(column[which] for column in vars(self).values()))


class Parts:
    """The parts of sorted people.

    Parameters
    ----------
    keys : (n,) in any order; sorted in place
    members : how many of them are members

    Attributes
    ----------
    edges : (M+1,) levels; part j holds levels edges[j] … edges[j+1] − 1
    at : (M+1,) how many keys lie below each edge
    held, members : (M,) people of each part, and members among them; 0 where it is open
    open : (M,) whether the people of a part are looked at one by one, and not counted here
    """

    def __init__(self, keys: Keys, members: int) -> None:
        keys.sort()
        self.keys = keys
        self.edges = np.array([0, LEVELS])
        self.at = np.array([0, len(keys)])
        self.held = np.array([len(keys)])
        self.members = np.array([members])
        self.open = np.array([False])

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        columns = (self.keys, self.edges, self.at, self.held, self.members, self.open)
        return sum(column.nbytes for column in columns)

    def below(self, level: int) -> int:
        """How many people have a lower level."""
        if level >= LEVELS:
            return len(self.keys)
        return int(np.searchsorted(self.keys, np.uint64(level << 32)))

    def part_of(self, levels: Integers) -> Integers:
        """The part in which each of these levels lies."""
        return np.searchsorted(self.edges, levels, side="right") - 1

    def split(self, level: int, inside: Callable[[int, int, int], int]) -> int:
        """Cut at a level, and return the number of the part that begins there.

        ``inside(part, first, last)``: members of a mixed part among its keys first … last − 1.
        """
        right = int(np.searchsorted(self.edges, level))
        if self.edges[right] == level:
            return right
        j, cut = right - 1, self.below(level)
        people, members = 0, 0
        if not self.open[j]:
            people = cut - int(self.at[j])
            members = int(self.members[j])
            if members == self.held[j]:
                members = people
            elif members:
                members = inside(j, int(self.at[j]), cut)
        self.edges = _with(self.edges, right, level)
        self.at = _with(self.at, right, cut)
        self.open = _with(self.open, right, self.open[j])
        self.held = _with(self.held, right, self.held[j] - people)
        self.members = _with(self.members, right, self.members[j] - members)
        self.held[j], self.members[j] = people, members
        return right

    def open_up(self, j: int) -> None:
        """Count nobody of part j here any longer."""
        self.held[j] = self.members[j] = 0
        self.open[j] = True

    def close(self, parts: NDArray[np.bool_], members: NDArray[np.bool_]) -> None:
        """Count the people of these open parts again: all of them members, or nobody."""
        self.held = np.where(parts, np.diff(self.at), self.held)
        self.members = np.where(parts & members, self.held, self.members)
        self.open &= ~parts

    def join_alike(self) -> None:
        """Make one part of neighbours where all are members, or none, or that are both open."""
        kind = np.where(self.members == 0, EMPTY, np.where(self.members < self.held, MIXED, FULL))
        kind[self.open] = OPEN
        nobody = ~self.open & (self.held == 0)  # goes with whatever is to its left
        nobody[0] = False
        last = np.maximum.accumulate(np.where(nobody, 0, np.arange(len(kind))))
        kind = kind[last]
        new = nobody[1:] | ((kind[1:] == kind[:-1]) & (kind[1:] != MIXED))
        first = np.flatnonzero(np.append(True, ~new))
        self.edges = np.append(self.edges[first], LEVELS)
        self.at = np.append(self.at[first], len(self.keys))
        self.held = np.add.reduceat(self.held, first)
        self.members = np.add.reduceat(self.members, first)
        self.open = self.open[first]


def _with(column: NDArray, place: int, value: Any) -> NDArray:
    """The column with one more value before this place."""
    return np.concatenate([column[:place], [value], column[place:]])

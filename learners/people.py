"""Platforms whose people are data points, and S as the mean over several trainings.

Person i is data point points[i] of the base law P₀, whatever a data point is: a row of a table, a
text. Asked by size, such a platform takes members as a random share of the people; asked by
membership, it learns from the data of those very people, so that it matters who joins.

`PeoplePlatform` knows who is which data point and remembers what was measured. It is told no more
of the data than the weight of each point; a subclass has the data and trains on them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from copy import copy
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.measured.bounded_mean import bounded_mean_interval
from learners.success import SuccessFunction, require_names, require_simplex, shares

__all__ = ["Ints", "PeoplePlatform", "mean_interval", "random_members"]

Ints = npt.NDArray[np.int64]
MEMORY = 256  # success of so many size vectors is kept


class PeoplePlatform(SuccessFunction):
    """A platform whose people are data points; subclasses write `_measure_at`, `_measure_people`.

    Parameters
    ----------
    weight : array of shape (n,), > 0 together
        Of each data point under P₀, up to a factor; for texts all the same.
    collectives : names
    seed : int
        Of the people's own random numbers, two for each person, which they keep for life: when
        one more person joins, nobody else's report is redrawn.
    """

    sees_people: ClassVar[bool] = True

    def __init__(self, weight: npt.ArrayLike, collectives: Iterable[str], seed: int = 0) -> None:
        self.collectives = require_names(collectives)
        given = np.asarray(weight, dtype=np.float64)
        if given.ndim != 1 or not (given.size and given.min() >= 0.0 and given.sum() > 0.0):
            raise ValueError(
                f"weight: got shape {given.shape}; must be (n,), n ≥ 1, each ≥ 0 and not all 0"
            )
        self.weight = given / given.sum()
        self._seed = seed
        self._points: Ints | None = None
        self._draws: Array | None = None
        self._known: dict[bytes, Array] = {}

    def draw_people(self, size: int, rng: np.random.Generator) -> Ints:
        """Data points for `size` people, shape (size,), in random order.

        With equal weights every point comes equally often (⌊size/n⌋ times or once more), so that
        a population as large as the data is the data; else points are drawn by weight.
        """
        n = len(self.weight)
        if np.ptp(self.weight) > 1e-12 * self.weight.max():
            return rng.choice(n, size=size, p=self.weight)
        whole, rest = divmod(size, n)
        points = np.concatenate([np.tile(np.arange(n), whole), rng.permutation(n)[:rest]])
        return rng.permutation(points)

    def attach(self, points: npt.ArrayLike) -> Self:
        """The same platform for these people, person i being data point points[i]; shape (N,)."""
        given = np.asarray(points)
        n = len(self.weight)
        if given.ndim != 1 or given.size == 0 or given.dtype.kind not in "iu":
            raise ValueError(f"points: got shape {given.shape} of {given.dtype}; must be integers")
        if given.min() < 0 or given.max() >= n:
            raise ValueError(f"points: got {given.min()} … {given.max()}; must be in 0 … {n - 1}")
        bound = copy(self)
        bound._points = given.astype(np.int64)
        bound._draws = np.random.default_rng(self._seed).random((2, given.size))
        bound._known = {}
        return bound

    def reseeded(self, seed: int) -> Self:
        """The same data and strategies, nobody attached; people report by other random numbers."""
        other = copy(self)
        other._seed, other._known = seed, {}
        other._points = other._draws = None
        return other

    def at(self, alpha: npt.ArrayLike) -> Array:
        """S at sizes α (..., K), the mean over replicates; each distinct row is trained once."""
        return self._replicates(alpha).mean(axis=-2)

    def by_membership(self, membership: npt.ArrayLike) -> Array:
        """S (K,) of the model trained on the attached people's reports; unattached, by sizes."""
        sizes = shares(membership, self.size)
        if self._points is None:
            return self.at(sizes)
        if np.shape(membership) != self._points.shape:
            raise ValueError(
                f"membership: got {len(np.asarray(membership))} people; "
                f"{len(self._points)} are attached"
            )
        value = self._measure_people(np.asarray(membership), sizes)
        return np.where(sizes > 0.0, value, 0.0)

    def _people(self) -> tuple[Ints, Array]:
        assert self._points is not None and self._draws is not None
        return self._points, self._draws

    def _replicates(self, alpha: npt.ArrayLike) -> Array:
        """Measurements at sizes α (..., K), shape (..., R, K)."""
        sizes = require_simplex(alpha, self.size)
        flat = [self._remembered(row) for row in sizes.reshape(-1, self.size)]
        each = np.array(flat) if flat else np.zeros((0, 1, self.size))
        return each.reshape(*sizes.shape[:-1], *each.shape[1:])

    def _remembered(self, sizes: Array) -> Array:
        key = sizes.tobytes()
        if key not in self._known:
            if len(self._known) >= MEMORY:
                self._known.clear()
            self._known[key] = np.where(sizes > 0.0, self._measure_at(sizes), 0.0)
        return self._known[key]  # nobody gets nothing, whatever the base rate

    @abstractmethod
    def _measure_at(self, sizes: Array) -> Array:
        """S at sizes (K,), shape (R, K): one row for each replicate of the training."""

    @abstractmethod
    def _measure_people(self, membership: Ints, sizes: Array) -> Array:
        """S (K,) when the attached people are in these collectives."""


def random_members(sizes: npt.ArrayLike, people: int) -> Ints:
    """Membership of N people in random order: α_k N (rounded) in collective k, then nobody.

    Parameters
    ----------
    sizes : array of shape (K,), α
    people : int, N

    Returns
    -------
    int array of shape (N,), values 0 … K; whoever shuffles people (or this) picks at random

    Examples
    --------
    >>> random_members([0.5, 0.25], 4).tolist()
    [1, 1, 2, 0]
    """
    ends = np.rint(np.cumsum([0.0, *np.asarray(sizes, dtype=np.float64)]) * people).astype(np.int64)
    membership = np.zeros(people, dtype=np.int64)
    for k in range(len(ends) - 1):
        membership[ends[k] : ends[k + 1]] = k + 1
    return membership


def mean_interval(alpha: npt.ArrayLike, each: Array, level: float) -> tuple[Array, Array]:
    """An interval for the mean over replicates that holds whatever the law of S is.

    Parameters
    ----------
    alpha : array of shape (..., K)
        Sizes: where one is 0 there is nothing to measure, and S is 0.
    each : array of shape (..., R, K), values in [0, 1]
        One measurement of S for each replicate.
    level : float in (0, 1)

    Returns
    -------
    low, high : arrays of shape (..., K)
        As `learners.measured.bounded_mean` has it: wide where replicates are few. Student's t
        would call certain what has come out as 0 or 1 every time.
    """
    columns = np.moveaxis(each, -2, -1)
    shape, replicates = columns.shape[:-1], columns.shape[-1]
    cells = int(np.prod(shape))
    cell = np.repeat(np.arange(cells), replicates)
    low, high = bounded_mean_interval(columns.ravel(), cell, cells, level)
    anybody = np.asarray(alpha) > 0.0
    return low.reshape(shape) * anybody, high.reshape(shape) * anybody

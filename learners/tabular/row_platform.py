"""Platforms trained on people's rows: by size and by membership, two weightings of one stack.

`PeoplePlatform` knows who is which row of P₀ and remembers what was measured. `RowPlatform` makes
the training set. Its stack holds the rows of P₀ and, under them, those of P′₁ … P′_K
(`learners.tabular.row_strategies`).

by size         row i of P₀ weighs (1 − Σα_k q_k)·P₀(i), row j of P′_k weighs α_k q_k·P′_k(j):
                members are a random share of an endless population with law P₀.
by membership   person i is row points[i]. She weighs 1/N on it, or, if she is in collective k
                and among the share q_k who change their data, on the row of P′_k she reports.
                So it matters who joins: with features only, say, only members whose label is
                the target report anything new.

Which members change their data, and which row of P′_k they report, hangs on two uniform numbers
that each person keeps for life: when one more person joins, nobody else's report is redrawn.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from copy import copy
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.success import SuccessFunction, require_names, require_simplex, shares
from learners.tabular.row_strategies import RowStrategy
from learners.tabular.rows import Rows, stacked

__all__ = ["PeoplePlatform", "RowPlatform"]

Ints = npt.NDArray[np.int64]
MEMORY = 256  # success of so many size vectors is kept


class PeoplePlatform(SuccessFunction):
    """A platform whose people are rows of P₀; subclasses write `_measure_at` and `_measure_people`.

    Parameters
    ----------
    rows : Rows, P₀
    collectives : names
    seed : int
        Of the people's own random numbers, two for each person.
    """

    sees_people: ClassVar[bool] = True

    def __init__(self, rows: Rows, collectives: Iterable[str], seed: int = 0) -> None:
        self.collectives = require_names(collectives)
        self.rows = rows
        self._seed = seed
        self._points: Ints | None = None
        self._draws: Array | None = None
        self._known: dict[bytes, Array] = {}

    def draw_people(self, size: int, rng: np.random.Generator) -> Ints:
        """Rows of P₀ for `size` people, shape (size,), in random order.

        With equal weights every row comes equally often (⌊size/n⌋ times or once more), so that
        a population as large as the table is the table; else rows are drawn by weight.
        """
        n = len(self.rows)
        if np.ptp(self.rows.weight) > 1e-12 * self.rows.weight.max():
            return rng.choice(n, size=size, p=self.rows.weight)
        whole, rest = divmod(size, n)
        points = np.concatenate([np.tile(np.arange(n), whole), rng.permutation(n)[:rest]])
        return rng.permutation(points)

    def attach(self, points: npt.ArrayLike) -> Self:
        """The same platform for these people, person i being row points[i]; shape (N,)."""
        given = np.asarray(points)
        n = len(self.rows)
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


class RowPlatform(PeoplePlatform):
    """One whose training set is P₀ mixed with the laws of what members report.

    Parameters
    ----------
    rows : Rows, P₀
    collectives : mapping of names to strategies
    test : Rows, optional
        Held-out people on whom success is measured; absent: P₀ itself.
    seed : int
    """

    def __init__(
        self,
        rows: Rows,
        collectives: Mapping[str, RowStrategy],
        test: Rows | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(rows, collectives, seed)
        self.strategies = tuple(collectives.values())
        self.test = rows if test is None else test
        if self.test.width != rows.width:
            raise ValueError(
                f"test: got {self.test.width} features; must be {rows.width}, as in training"
            )
        self._laws = tuple(strategy.law(rows) for strategy in self.strategies)
        blocks = [rows, *self._laws]
        self._stack = stacked(blocks, np.ones(len(blocks)))
        self._starts = np.cumsum([0, *(len(block) for block in blocks)])

    def training_set(self, alpha: npt.ArrayLike) -> Rows:
        """P at sizes α, shape (K,), as weights on the stack."""
        sizes = require_simplex(alpha, self.size)
        changed = [a * s.changed_share(a) for a, s in zip(sizes, self.strategies, strict=True)]
        parts = [1.0 - sum(changed), *changed]
        laws = [self.rows, *self._laws]
        weight = [max(part, 0.0) * law.weight for part, law in zip(parts, laws, strict=True)]
        return self._weighted(np.concatenate(weight))

    def training_set_of(self, membership: npt.ArrayLike) -> Rows:
        """P of the attached people, shape (N,), when person i is in collective membership[i]."""
        points, draws = self._people()
        members = np.asarray(membership)
        sizes = shares(members, self.size)
        row = points.copy()
        for k, (strategy, law) in enumerate(zip(self.strategies, self._laws, strict=True)):
            share = strategy.changed_share(float(sizes[k]))
            who = np.flatnonzero((members == k + 1) & (draws[0] < share))
            chosen = strategy.row(self.rows, law, points[who], draws[1, who])
            row[who] = self._starts[k + 1] + chosen
        return self._weighted(np.bincount(row, minlength=self._starts[-1]) / len(row))

    def _weighted(self, weight: Array) -> Rows:
        used = np.flatnonzero(weight)
        return Rows(self._stack.features[used], self._stack.labels[used], weight[used])

"""Platforms trained on people's rows: by size and by membership, two weightings of one stack.

`learners.people` knows who is which row of P₀; here the training set is made. Its stack holds the
rows of P₀ and, under them, those of P′₁ … P′_K (`learners.tabular.row_strategies`).

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

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.people import PeoplePlatform
from learners.success import require_simplex, shares
from learners.tabular.row_strategies import RowStrategy
from learners.tabular.rows import Rows, stacked

__all__ = ["RowPlatform"]


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
        super().__init__(rows.weight, collectives, seed)
        self.rows = rows
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

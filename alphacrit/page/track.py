"""What has happened so far, as an array that grows; looking at it copies nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.figures_live import Frame


class Track:
    """One row per epoch: size and success of each collective, and money spent.

    Row e is the state in which epoch e finds the economy, as in the series of a run.
    """

    def __init__(self, collectives: int) -> None:
        self._table = np.empty((64, 2 * collectives + 2))
        self._rows, self._k = 0, collectives

    def add(self, epoch: int, alpha: ArrayLike, success: ArrayLike, spent: float) -> None:
        """Add a row."""
        if self._rows == len(self._table):
            self._table = np.concatenate([self._table, np.empty_like(self._table)])
        self._table[self._rows] = [epoch, *np.asarray(alpha), *np.asarray(success), spent]
        self._rows += 1

    def correct(self, success: ArrayLike) -> None:
        """The success of the latest row, once it has been published."""
        self._table[self._rows - 1, 1 + self._k : -1] = success

    def frame(self, membership: NDArray[np.integer] | None, last: int | None = None) -> Frame:
        """All rows, or those up to ``last``, with the people as they are."""
        rows = self._table[: self._rows if last is None else last + 1]
        return Frame(
            epoch=rows[:, 0].astype(np.int64),
            alpha=rows[:, 1 : 1 + self._k],
            success=rows[:, 1 + self._k : -1],
            spent=rows[:, -1],
            membership=membership,
        )

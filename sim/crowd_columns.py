"""A column of a population without groups, drawn in pieces, whole, or person by person."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sim.distributions import Distribution
from sim.streams import Streams

Floats = NDArray[np.float64]

PIECE = 1 << 17  # rows: what a piece needs stays in the cache of one core
# Reading on to one row costs about as much as drawing so many uniforms in passing.
ROWS_PER_JUMP = 300


class DrawnColumn:
    """Everybody's cost or free-riding factor.

    Parameters
    ----------
    law : its distribution
    purpose : "cost" or "free_riding", whose stream it is drawn from
    size : N
    """

    def __init__(self, law: Distribution, streams: Streams, purpose: str, size: int) -> None:
        self.law, self.size = law, size
        self._sequence = streams.sequence(purpose)
        atoms = law.atoms()
        self._constant = float(atoms[0][0]) if atoms and len(atoms[0]) == 1 else None

    def pieces(self) -> Iterator[Floats]:
        """The column from the first row on, ``PIECE`` rows at a time."""
        rng = np.random.default_rng(self._sequence)
        for first in range(0, self.size, PIECE):
            rows = np.arange(first, min(first + PIECE, self.size))
            uniforms = rng.random(len(rows)) if self._constant is None else np.empty(0)
            yield self._values(rows, uniforms)

    def fill(self, column: Floats) -> None:
        """Write everybody's into ``column``, (N,), without room for more than a piece besides."""
        first = 0
        for piece in self.pieces():
            column[first : first + len(piece)] = piece
            first += len(piece)

    def at(self, rows: NDArray[np.integer]) -> Floats:
        """(n,) the values in these rows."""
        if self._constant is not None or len(rows) == 0:
            return self._values(rows, np.empty(0))
        order = np.argsort(rows)
        wanted = np.asarray(rows, np.int64)[order]
        found = np.empty(len(rows))
        if len(rows) * ROWS_PER_JUMP < self.size:
            found[order] = self._values(wanted, self._uniforms_at(wanted))
        else:
            ends = np.searchsorted(wanted, np.arange(0, self.size + PIECE, PIECE))
            for number, piece in enumerate(self.pieces()):
                here = slice(ends[number], ends[number + 1])
                found[order[here]] = piece[wanted[here] - number * PIECE]
        return found

    def _uniforms_at(self, rows: NDArray[np.int64]) -> Floats:
        """The uniforms of ascending rows, each one step of the generator, past the others."""
        bits = np.random.PCG64(self._sequence)
        draw, uniforms, position = np.random.Generator(bits).random, np.empty(len(rows)), 0
        for i, row in enumerate(rows.tolist()):
            bits.advance(row - position)
            uniforms[i] = draw()
            position = row + 1
        return uniforms

    def _values(self, rows: NDArray[np.integer], uniforms: Floats) -> Floats:
        if self._constant is not None:
            return np.full(len(rows), self._constant)
        return self.law.sample_at(uniforms, (rows + 0.5) / self.size)

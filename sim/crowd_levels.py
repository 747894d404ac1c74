"""Thresholds θ = (c + dues)/(1 − γ) of everybody, piece by piece, on a scale of whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.crowd_columns import DrawnColumn
from sim.crowd_parts import LEVELS, LOW, PER_LEVEL

# Whoever keeps less than this of a success, 1 − γ, has no reliable threshold.
LEAST_KEPT = 1 / 64


class Piece(NamedTuple):
    """Some people in a row: their levels, who has none, and the range of 1 − γ of the others."""

    level: NDArray[np.uint64]
    alone: NDArray[np.bool_]
    kept: tuple[float, float]


def thresholds_in_pieces(
    cost: DrawnColumn, free_riding: DrawnColumn, dues: float
) -> Iterator[Piece]:
    """Everybody in order of rows.

    Who keeps less than ``LEAST_KEPT`` and needs twice that never joins, as long as j − f is at
    most half of it; she stands at the upper end, her opposite at the lower.
    """
    for c, gamma in zip(cost.pieces(), free_riding.pieces(), strict=True):
        need, kept = c + dues, 1.0 - gamma
        little = kept < LEAST_KEPT
        apart = little & (np.abs(need) <= 2 * LEAST_KEPT)
        theta = need / np.maximum(kept, LEAST_KEPT)
        if little.any():
            theta[little] = np.copysign(np.inf, need[little])
            kept = kept[~little]
        ends = (kept.min(initial=1.0), kept.max(initial=LEAST_KEPT))
        yield Piece(level_of(theta), apart, (float(ends[0]), float(ends[1])))


def level_of(theta: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Level of each threshold θ; the ends hold all beyond."""
    scaled = (theta - LOW) * (1 / PER_LEVEL)
    np.clip(scaled, 0, LEVELS - 1, out=scaled)
    return scaled.astype(np.uint64)

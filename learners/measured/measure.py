"""Measuring S over many sizes: in parallel, each training once and never again.

Every measurement is written to the cache by the process that made it, as soon as it is made; see
`learners.measured.bench` for what one is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.measured.bench import Bench, Measurement, Setup
from learners.measured.cache import Cache
from learners.measured.table import MeasuredTable
from learners.measured.workers import Point, measure_in_processes
from learners.success import require_simplex

Progress = Callable[[int, int], None]
Elsewhere = Callable[[Bench, Sequence[Point]], Iterable[Measurement]]


def measure(
    setup: Setup,
    sizes: npt.ArrayLike,
    replicates: int = 3,
    *,
    seed: int = 0,
    workers: int = 1,
    cache: Cache | None = None,
    progress: Progress | None = None,
    meta: Mapping[str, Any] | None = None,
    elsewhere: Elsewhere | None = None,
) -> MeasuredTable:
    """Measure S over many sizes, each several times.

    Parameters
    ----------
    setup : Setup
        What is measured.
    sizes : array of shape (M, K), or (M,) for one collective
        α at which to measure; for `TableSuccess` of several collectives see `size_grid`.
    replicates : int, ≥ 1
        Trainings at each size, with random streams of their own.
    seed : int, ≥ 0
    workers : int, ≥ 1
        Processes; 1 measures in this one.
    cache : Cache, optional
        Default: the user's.
    progress : callable, optional
        Hears (measurements done, of how many), at first with those that were in the cache.
    meta : mapping, optional
        What else the table should say of itself (the scenario's digest, for one).
    elsewhere : callable, optional
        (bench, points) → measurements as they are made, each kept in the bench's cache; in place
        of processes of this machine.

    Returns
    -------
    MeasuredTable
        Rows in the order of the sizes, replicates innermost; the same for any `workers`.

    Raises
    ------
    MissingError
        Processes died again and again (out of memory). What was measured is kept.

    Notes
    -----
    Killed at any moment, it loses at most the trainings under way: run it again and it makes
    only those that are missing. Processes are spawned: a script that measures in several of
    them does so under ``if __name__ == "__main__":``.
    """
    rows = _require_rows(sizes, len(setup.collectives))
    if replicates < 1 or workers < 1:
        raise ValueError(f"got {replicates} replicates, {workers} workers; must be ≥ 1 each")
    bench = Bench(setup, seed, cache)
    points = [(row, replicate) for row in dict.fromkeys(rows) for replicate in range(replicates)]
    done = {point: known for point in points if (known := bench.known(*point)) is not None}
    missing = [point for point in points if point not in done]
    tell = progress or (lambda done, total: None)
    tell(len(done), len(points))
    make = elsewhere or partial(_made, workers=workers)
    for made in make(bench, missing) if missing else ():
        done[made.sizes, made.replicate] = made
        tell(len(done), len(points))
    ordered = [done[point] for point in points]
    return MeasuredTable.of(
        setup.collectives,
        [made.sizes for made in ordered],
        [made.success for made in ordered],
        [made.replicate for made in ordered],
        [made.seconds for made in ordered],
        also=[made.also for made in ordered],
        meta={**(meta or {}), "setup": setup.content(), "digest": setup.digest, "seed": bench.seed},
    )


def _made(bench: Bench, points: Sequence[Point], workers: int) -> Iterable[Measurement]:
    """Measurements as they are made, in any order."""
    if workers == 1 or len(points) < 2:
        return (bench.measure(*point) for point in points)
    return measure_in_processes(bench, points, workers)


def size_grid(axes: Iterable[npt.ArrayLike]) -> Array:
    """Every combination of each collective's sizes that fits a population, shape (M, K).

    Size 0 is put in where there are several collectives, so that each is measured alone too; the
    point where all are 0 is left out, for S is 0 there.

    Examples
    --------
    >>> size_grid([[0.1, 0.6], [0.5]]).tolist()
    [[0.0, 0.5], [0.1, 0.0], [0.1, 0.5], [0.6, 0.0]]
    """
    columns = [np.unique(np.asarray(axis, dtype=np.float64)) for axis in axes]
    if len(columns) > 1:
        columns = [np.union1d(column, [0.0]) for column in columns]
    rows = np.stack(np.meshgrid(*columns, indexing="ij"), axis=-1).reshape(-1, len(columns))
    total = rows.sum(axis=1)
    return rows[(total > 0.0) & (total <= 1.0 + 1e-9)]


def _require_rows(sizes: npt.ArrayLike, size: int) -> list[tuple[float, ...]]:
    """Sizes as tuples, one per row, −0 made 0."""
    given = np.asarray(sizes, dtype=np.float64)
    rows = require_simplex(given[:, None] if given.ndim == 1 and size == 1 else given, size) + 0.0
    if rows.ndim != 2 or not rows.size:
        raise ValueError(f"sizes: got shape {given.shape}; must be (M, {size}), M ≥ 1")
    return [tuple(row) for row in rows.tolist()]

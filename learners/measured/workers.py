"""Measurements in parallel processes that outlive nobody and lose nothing.

A process makes the learner once and then measures point after point, writing each to the cache
itself. One that dies (out of memory, most often) breaks the whole pool: a new one is started, and
only what is not in the cache is asked for again. If the parent dies, its processes see it and
stop at once; what they had finished is on disk.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from learners.errors import MissingError
from learners.measured.bench import Bench, Measurement
from learners.processes import deaf_to_interrupts, end_with_parent, one_thread_each

Point = tuple[tuple[float, ...], int]
PATIENCE = 2  # pools in a row that may break without a single measurement made
_bench: list[Bench] = []  # of a worker process: the one thing it measures


def measure_in_processes(
    bench: Bench, points: Sequence[Point], workers: int
) -> Iterator[Measurement]:
    """Measure the points, yielding each as it is done, in any order.

    Raises
    ------
    MissingError
        Two pools in a row broke before they had made a single measurement.
    Exception
        Whatever the learner raised first; measurements not begun by then are not made.
    """
    missing, fruitless = list(points), 0
    while missing:
        made = []
        try:
            for measurement in _one_pool(bench, missing, min(workers, len(missing))):
                made.append((measurement.sizes, measurement.replicate))
                yield measurement
            return
        except BrokenProcessPool as error:
            for point in set(missing) - set(made):
                known = bench.known(*point)  # finished, but the pool broke before it could say so
                if known is not None:
                    made.append(point)
                    yield known
            fruitless = 0 if made else fruitless + 1
            if fruitless == PATIENCE:
                raise MissingError(
                    f"the processes that measure died (out of memory?); {len(missing)} "
                    "measurements are missing, the others are kept. Try fewer workers"
                ) from error
            missing = [point for point in missing if point not in set(made)]


def _one_pool(bench: Bench, points: Sequence[Point], workers: int) -> Iterator[Measurement]:
    before = multiprocessing.active_children()
    with one_thread_each():
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(Bench(bench.setup, bench.seed, bench.cache),),
        )
        with deaf_to_interrupts():  # only here: Python's resource tracker, begun above, undoes it
            futures = [pool.submit(_measure, *point) for point in points]
    ours = [each for each in multiprocessing.active_children() if each not in before]
    try:
        for future in as_completed(futures):
            yield future.result()
    except KeyboardInterrupt:  # who is at the keyboard does not wait for trainings under way
        for process in ours:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(bench: Bench) -> None:
    """First thing in a new process."""
    _bench[:] = [bench]
    end_with_parent()


def _measure(sizes: tuple[float, ...], replicate: int) -> Measurement:
    return _bench[0].measure(sizes, replicate)

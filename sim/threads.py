"""A compiled pass over many people in as many parts as there are cores, each in a thread.

Kernels are compiled with ``nogil=True`` and told where to begin and to stop, so that one and the
same kernel serves one thread and many. What it does must not depend on where a part begins: whoever
draws takes uniforms by row.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Result = TypeVar("Result")

STEP = 4096  # parts begin at multiples of it


def in_parts(size: int, call: Callable[[int, int], Result], least: int) -> list[Result]:
    """What ``call(start, stop)`` gives back for each part of ``size`` rows, in order.

    ``least`` rows are worth a part of their own: about half a millisecond of work.
    """
    count = min(size // least, threads()) if size >= 2 * least else 1
    if count == 1:
        return [call(0, size)]
    step = -(-size // (count * STEP)) * STEP
    first, *others = [(start, min(start + step, size)) for start in range(0, size, step)]
    waiting = [_pool(os.getpid()).submit(call, *part) for part in others]
    return [call(*first), *(part.result() for part in waiting)]


@cache
def threads() -> int:
    """How many threads a pass may use: one per core, fewer where the environment says so.

    The processes of a sweep are told to use one (:mod:`learners.processes`), those of Ray, too.
    """
    said = [os.environ.get(name, "") for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min([int(word) for word in said if word.isdigit()] + [cores or 1]))


@cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """The other threads; a process that was forked off needs its own."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(threads() - 1, "alphacrit")

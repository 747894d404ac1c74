"""What every process that this program starts has in common.

One thread each, no ear for Ctrl-C (which a terminal sends to a whole group; the parent decides),
and no life after the parent's.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# One thread in each: processes that all want all cores are slower than one alone.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started within this block use one thread each, unless the user said otherwise."""
    added = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes started within this block never see Ctrl-C, which a terminal sends to all.

    Only the parent does, a moment later where it came within the block.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def end_with_parent() -> None:
    """Called first thing in a new process: it stops at once when its parent has died."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()


def _stop_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # nobody waits for the answer; half a result is worth nothing

"""How far a training is, for whoever wants to hear it; nobody does, unless they say so.

>>> heard = []
>>> with listening(lambda what, done, total: heard.append((what, done, total))):
...     tell("training", 8, 1000)
>>> tell("training", 16, 1000)
>>> heard
[('training', 8, 1000)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["Listener", "listening", "tell"]

Listener = Callable[[str, int, int], None]
"""Hears what is being done, how many of its parts are done, and of how many."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(callback: Listener | None) -> Iterator[None]:
    """Within this block (and thread) `callback` hears what is told; None: nobody does."""
    before = _listener.set(callback)
    try:
        yield
    finally:
        _listener.reset(before)


def tell(what: str, done: int, total: int) -> None:
    """Say that `done` of `total` parts (samples, for a training) of something are done.

    Parameters
    ----------
    what : str
        In one or two words: "training".
    done, total : int, 0 ≤ done ≤ total
        0 of 0 where nobody knows how much there is to do.
    """
    callback = _listener.get()
    if callback is not None:
        callback(what, done, total)

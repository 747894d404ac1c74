"""Ctrl-C while a sweep runs: the first lets end what takes a moment, a second breaks it off."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupts:
    """Hears Ctrl-C within a block, and leaves it to the block to end when it can.

    Only in the main thread and where nobody else listens: elsewhere all is as Python has it.

    Attributes
    ----------
    asked : bool
        Whether there was one, so that the block should end.
    """

    def __init__(self) -> None:
        self.asked = False
        self._at_once = self._deaf = self._ours = False

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._ours:
            signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    @contextmanager
    def felt_at_once(self) -> Iterator[None]:
        """Within this block, which may take long, the first one breaks off, too."""
        self._at_once = True
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._at_once = False

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Within this block, which is short and must not be broken off, none is felt."""
        self._deaf = True
        try:
            yield
        finally:
            self._deaf = False

    def _hear(self, *_: object) -> None:
        again, self.asked = self.asked, True
        if not self._deaf and (again or self._at_once):
            raise KeyboardInterrupt

"""One piece of work at a time in a thread, which says how far it is and can be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from learners.progress import listening

PERIOD = 0.2  # seconds between two words about the same work


class StoppedByReader(Exception):  # noqa: N818 - a reader's wish, raised within a training
    """Somebody has pressed Stop."""


class Worker:
    """Runs work in a thread of its own.

    Parameters
    ----------
    changed : called in that thread when there is something new to show

    Attributes
    ----------
    progress : what is being done, parts done, of how many; None while nothing is heard
    stopped : whether the last work was stopped before its end
    error : what went wrong in it
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._said = 0.0
        self.progress: tuple[str, int, int] | None = None
        self.stopped = False
        self.error: Exception | None = None

    @property
    def busy(self) -> bool:
        """Whether work is under way."""
        thread = self._thread  # which the work itself sets to None at its end
        return thread is not None and thread.is_alive()

    def start(self, work: Callable[[], None]) -> None:
        """Begin; nothing while there is work under way."""
        if self.busy:
            return
        self._stop.clear()
        self.progress, self.stopped, self.error = None, False, None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the work where it next says how far it is; work that never does goes to its end."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end of the work; False if that takes longer."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return not self.busy

    def _run(self, work: Callable[[], None]) -> None:
        try:
            with listening(self._hear):
                work()
        except StoppedByReader:
            self.stopped = True
        except Exception as error:  # shown on the page, which stays
            self.error = error
        self.progress = None
        self._thread = None
        self._changed()

    def _hear(self, what: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise StoppedByReader
        self.progress = (what, done, total)
        if time.monotonic() - self._said > PERIOD:
            self._said = time.monotonic()
            self._changed()

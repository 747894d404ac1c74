"""Loops of Mesa's play button, which may outlive the model that they play by one round.

Reset makes a new model while the loop that plays the old one sleeps. When it wakes it looks for the
model, finds the new one, and steps it. So a model ignores whoever has stepped the one before it,
except the thread that made it: that one answers the buttons.
"""

from __future__ import annotations

import threading


class Loops:
    """Who has stepped the present one of several models that follow each other."""

    def __init__(self) -> None:
        self._known: set[threading.Thread] = set()

    def succeed(self) -> frozenset[threading.Thread]:
        """Those whom the model made in this thread ignores."""
        late = frozenset(self._known - {threading.current_thread()})
        self._known = set()
        return late

    def admit(self, late: frozenset[threading.Thread]) -> bool:
        """Whether this thread may step a model that ignores these."""
        thread = threading.current_thread()
        if thread in late:
            return False
        self._known.add(thread)
        return True

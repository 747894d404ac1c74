"""Mesa's ``step``, which can be interrupted and called again.

From 3.5 on Mesa takes a step as an event that plans the next one when it has ended. A step left by
an exception (a Ctrl-C in a notebook, a training stopped on the page) plans none: every later
``step()`` would silently do nothing, and a loop ``while model.running: model.step()`` never end.
"""

from __future__ import annotations

from typing import Any

import mesa


class SteppingModel(mesa.Model):
    """A Mesa model whose ``step`` lets an exception through without losing its place."""

    _counts_step = False  # a call of ``step`` is under way, and will raise what it is handed
    _caught: BaseException | None = None

    def __init__(self, **kwargs: Any) -> None:
        # Mesa keeps what ``step`` is now as the step to take, and puts its own counting one there.
        self.step = self._take_step
        super().__init__(**kwargs)
        self._mesa_step = self.step
        self.step = self._step_and_raise

    def _take_step(self) -> None:
        try:
            type(self).step(self)  # type: ignore[misc, call-arg]  # the class has one, too
        except BaseException as error:
            if not self._counts_step:
                raise
            self._caught = error

    def _step_and_raise(self) -> None:
        self._counts_step = True
        try:
            self._mesa_step()
        finally:
            self._counts_step = False
            caught, self._caught = self._caught, None
        if caught is not None:
            raise caught

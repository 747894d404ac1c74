"""What one browser session has open; nothing here is shared with another one."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import solara
from mesa.visualization.utils import force_update

from alphacrit.page.library import Library
from alphacrit.page.painter import Painter, Shown, Stages
from alphacrit.page.replay import Replay, ReplayStage
from alphacrit.page.share import check_values, query_of, request_of
from alphacrit.page.stage import Play, Stage
from learners.errors import AlphacritError, ScenarioError
from sim.results import Results


@dataclass(frozen=True)
class Mount:
    """One set of Mesa's controls with the model that they move.

    Attributes
    ----------
    number : another one makes Mesa build its controls anew
    names : what is shown, by its names in the library
    model : Mesa's Reset puts a new one in
    params : Mesa's ``model_params``
    """

    number: int
    names: tuple[str, ...]
    model: solara.Reactive[Stages]
    params: dict[str, Any]


class Session:
    """The page of one browser tab.

    Attributes
    ----------
    library : what may be opened
    mount, problem, shown : what is on, why something was refused, the newest frame
    refused : how often a choice was refused
    """

    def __init__(self, library: Library, query: str) -> None:
        self.library = library
        self.mount: solara.Reactive[Mount | None] = solara.reactive(None)
        self.problem: solara.Reactive[str] = solara.reactive("")
        self.refused: solara.Reactive[int] = solara.reactive(0)
        self.shown: solara.Reactive[Shown | None] = solara.reactive(None)
        self.painter = Painter(self.shown.set)
        self._count = 0
        self._open_first(query)

    def _open_first(self, query: str) -> None:
        try:
            request = request_of(query)
            names = request.names or self.library.first
            self.open(names, request.values)
            return
        except AlphacritError as error:
            refused = str(error)
        try:
            self.open(self.library.first)
        except AlphacritError as error:
            refused += f"\n{error}"
        self.problem.set(refused)

    def switch(self, names: Sequence[str]) -> None:
        """Show other scenarios; what is on stays where they cannot be."""
        try:
            self.open(names)
        except AlphacritError as error:
            self.problem.set(str(error))
            self.refused.set(self.refused.value + 1)

    def open(self, names: Sequence[str], values: Mapping[str, float] | None = None) -> None:
        """Put scenarios, or a finished run, on.

        Raises
        ------
        AlphacritError
            A name, a file or a value is refused; what is on stays.
        """
        found = [self.library.open(name) for name in names]
        values = dict(values or {})
        results = [each for each in found if isinstance(each, Results)]
        if results:
            if len(found) > 1:
                raise ScenarioError(["a finished run is shown alone, not beside something"])
            replay = Replay(results[0], self.painter.take_turns)
            self._put_on(names, ReplayStage(replay=replay), _replay_params(replay))
        else:
            scenarios = tuple(each for each in found if not isinstance(each, Results))
            play = Play(scenarios, force_update, self.painter.take_turns)
            check_values(play.knobs, values)
            play.set_to(values)
            self._put_on(names, Stage(play=play, **values), _play_params(play, values))
        self.problem.set("")

    def stop(self) -> None:
        """End a training; the buttons then stand on the economy as it was before the epoch."""
        mount = self.mount.value
        stage = None if mount is None else mount.model.value
        if not isinstance(stage, Stage) or stage.worker is None:
            return
        stage.stop()
        threading.Thread(target=self._resume, args=(mount, stage), daemon=True).start()

    def _resume(self, mount: Mount, stage: Stage) -> None:
        assert stage.worker is not None
        stage.worker.wait()
        if self.mount.value is mount and mount.model.value is stage:
            params = _play_params(stage.play, stage.values)
            self._put_on(mount.names, stage.successor(), params)

    def show_epoch(self, stage: ReplayStage, epoch: int) -> None:
        """Go to an epoch of a replay; at its end Mesa's buttons are dead, and new ones are made."""
        mount = self.mount.value
        stage.show(epoch)
        if mount is None or stage.running or stage.steps == stage.last:
            return
        again = ReplayStage(replay=stage.replay, **stage.values)
        again.show(epoch)
        self._put_on(mount.names, again, _replay_params(stage.replay, stage.replicate))

    def _put_on(self, names: Sequence[str], stage: Stages, params: dict[str, Any]) -> None:
        self._count += 1
        old = self.mount.value
        self.mount.set(Mount(self._count, tuple(names), solara.reactive(stage), params))
        if old is not None:
            old.model.value.running = False  # ends a loop of Mesa that still plays it

    def query(self) -> str:
        """The URL query of what is on, with the sliders as the running model has them."""
        mount = self.mount.value
        if mount is None:
            return "?"
        stage = mount.model.value
        knobs = stage.play.knobs if isinstance(stage, Stage) else ()
        return query_of(mount.names, knobs, stage.values)

    def close(self) -> None:
        """The browser has gone."""
        self.painter.close()
        if self.mount.value is not None:
            self.mount.value.model.value.close()


def _play_params(play: Play, values: Mapping[str, float]) -> dict[str, Any]:
    sliders = {knob.key: knob.parameter(values.get(knob.key, knob.value)) for knob in play.knobs}
    return {"play": play, **sliders}


def _replay_params(replay: Replay, replicate: int | None = None) -> dict[str, Any]:
    params: dict[str, Any] = {"replay": replay}
    if len(replay.replicates) > 1:
        first, last = replay.replicates[0], replay.replicates[-1]
        params["replicate"] = {
            "type": "SliderInt", "label": "replicate", "min": first, "max": last, "step": 1,
            "value": first if replicate is None else replicate,
        }  # fmt: skip
    return params

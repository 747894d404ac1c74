"""The economies of one page as a Mesa model: one, or two side by side on the same seed and step.

Mesa's buttons step this model, and Reset makes a new one from the positions of the sliders. A
setting that is not valid does not raise: the stage then has a ``problem`` and does not run.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mesa

from alphacrit.page.loops import Loops
from alphacrit.page.sliders import Knob, changes, knobs_of
from alphacrit.page.track import Track
from alphacrit.page.worker import Worker
from analysis.figures_live import Frame
from learners.errors import AlphacritError, ScenarioError
from sim.model import Economy
from sim.scenario import Scenario
from sim.scenario_platforms import SLOW_LEARNERS

LARGE = 20_000  # people whose arrays are given back at once when they are no longer needed


def nothing() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Play:
    """What is on: the scenarios as their files have them, and the sliders made from them.

    ``changed`` is called when a thread has something new to show, ``take_turns`` before each step.
    """

    scenarios: tuple[Scenario, ...]
    changed: Callable[[], None] = nothing
    take_turns: Callable[[], None] = nothing
    knobs: tuple[Knob, ...] = field(init=False)
    loops: Loops = field(init=False, default_factory=Loops, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "knobs", knobs_of(self.scenarios))

    def set_to(self, values: Mapping[str, float]) -> tuple[Scenario, ...]:
        """The scenarios with the sliders at ``values``; the seed is that of the first.

        Raises
        ------
        ScenarioError
            With the sentences that a file with these values would get, without their place.
        """
        made: list[Scenario] = []
        for side, scenario in enumerate(self.scenarios):
            wanted: dict[str, Any] = dict(changes(self.knobs, values, side))
            if made:
                wanted["seed"] = made[0].seed
            try:
                made.append(scenario.replace(wanted) if wanted else scenario)
            except ScenarioError as error:
                raise ScenarioError([_without_place(text) for text in error.problems]) from None
        return tuple(made)


def _without_place(problem: str) -> str:
    """``replace a.b=2: a.b: got 2; must be …`` without what stands before the address."""
    _, mark, sentence = problem.partition(": ")
    return sentence if mark and problem.startswith("replace ") else problem


class Stage(mesa.Model):
    """One or two economies that step together.

    Parameters
    ----------
    play : the scenarios
    **kwargs : positions of sliders by their key; Mesa asks for this very name

    Attributes
    ----------
    scenarios : as set; empty while there is a problem
    economies : empty while the first training is under way
    problem : why nothing runs; empty where all is well
    inherited : whether it goes on with the economies of a stage whose training was stopped
    """

    def __init__(self, *, play: Play, **kwargs: float) -> None:
        super().__init__(rng=0)  # draws nothing: each economy has streams of its own
        # Mesa counts calls; while a platform trains, a call is not an epoch.
        self.step = self.advance
        self.running: bool = True
        self.play = play
        self._late = play.loops.succeed()
        self.inherited = False
        self.values = dict(kwargs)
        self.problem = ""
        self.scenarios: tuple[Scenario, ...] = ()
        self.economies: tuple[Economy, ...] = ()
        self._tracks: tuple[Track, ...] = ()
        self._lock = threading.Lock()
        self.worker: Worker | None = None
        try:
            self.scenarios = play.set_to(kwargs)
        except ScenarioError as error:
            self._give_up(error)
            return
        if any(scenario.platform.learner in SLOW_LEARNERS for scenario in self.scenarios):
            self.worker = Worker(play.changed)
        self._do(self._begin)

    def successor(self) -> Stage:
        """The same economies for new buttons; the old ones have nothing to step any more."""
        heir = Stage.__new__(Stage)
        heir.__dict__.update(self.__dict__)
        heir.step = heir.advance
        heir.inherited = True
        heir.running = self.problem == "" and not self._finished()
        self.running = False
        return heir

    @property
    def busy(self) -> bool:
        """Whether a platform is being trained."""
        return self.worker is not None and self.worker.busy

    def frames(self) -> tuple[Frame, ...]:
        """The state of every economy, in one moment."""
        with self._lock:
            return tuple(
                track.frame(economy.population.membership.copy())
                for track, economy in zip(self._tracks, self.economies, strict=True)
            )

    def advance(self) -> None:
        """One epoch of every economy that has not stopped; nothing while a platform trains."""
        if not self.play.loops.admit(self._late):
            return
        self.play.take_turns()
        if self.running and not self.busy:
            self._do(self._epoch if self.economies else self._begin)

    def stop(self) -> None:
        """End the training under way and leave the economy as it was before the epoch."""
        if self.worker is not None:
            self.worker.stop()

    def close(self) -> None:
        """Nobody looks at this stage any more."""
        self.running = False
        self.stop()
        if sum(economy.population.size for economy in self.economies) >= LARGE:
            gc.collect()  # a model is a ring of objects; its arrays would wait long for Python

    def _do(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except AlphacritError as error:
                self._give_up(error)

        if self.worker is None:
            guarded()
        else:
            self.worker.start(guarded)

    def _begin(self) -> None:
        economies = tuple(Economy(scenario, engine="rows") for scenario in self.scenarios)
        tracks = tuple(Track(len(economy.collectives)) for economy in economies)
        for economy, track in zip(economies, tracks, strict=True):
            track.add(0, economy.alpha, economy.published, 0.0)
        with self._lock:
            self.economies, self._tracks = economies, tracks

    def _epoch(self) -> None:
        # A training that was stopped leaves one economy an epoch behind the other: it goes first.
        epoch = min(economy.epoch for economy in self.economies if economy.running)
        for economy, track in zip(self.economies, self._tracks, strict=True):
            if not economy.running or economy.epoch > epoch:
                continue
            economy.step()
            with self._lock:
                track.correct(economy.published)
                track.add(economy.epoch, economy.alpha, _success_now(economy), economy.spent)
        self.steps = max(economy.epoch for economy in self.economies)
        self.time = float(self.steps)
        self.running = self.running and not self._finished()

    def _finished(self) -> bool:
        return bool(self.economies) and not any(each.running for each in self.economies)

    def _give_up(self, error: AlphacritError) -> None:
        self.problem, self.running = str(error), False


def _success_now(economy: Economy) -> Any:
    """Success of the state as it stands, where it costs nothing; else what people last heard."""
    platform = economy.scenario.platform
    due = economy.epoch % platform.retrain_every == 0 or not economy.running
    if due and platform.learner not in SLOW_LEARNERS:
        return economy.measure()
    return economy.published

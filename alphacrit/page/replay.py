"""A finished run as a Mesa model: each step shows the next epoch of what was written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import mesa
import pandas as pd

from alphacrit.page.again import Again
from alphacrit.page.loops import Loops
from alphacrit.page.stage import nothing
from alphacrit.page.track import Track
from analysis.figures_live import Frame
from sim.model import Economy
from sim.results import Results
from sim.scenario import Scenario


@dataclass(frozen=True)
class Replay:
    """The runs of a results folder; ``take_turns`` is called before each step.

    Attributes
    ----------
    replicates : their numbers
    """

    results: Results
    take_turns: Callable[[], None] = nothing
    replicates: tuple[int, ...] = field(init=False)
    loops: Loops = field(init=False, default_factory=Loops, compare=False)

    def __post_init__(self) -> None:
        numbers = sorted(int(number) for number in self.results.series["replicate"].unique())
        object.__setattr__(self, "replicates", tuple(numbers))

    def track(self, replicate: int) -> Track:
        """Everything that happened in one replicate."""
        names = self.results.scenario.names
        series = self.results.series
        run = series[series["replicate"] == replicate]
        wide = {
            column: run.pivot(index="epoch", columns="collective", values=column)[list(names)]
            for column in ("alpha", "success", "spent")
        }
        track = Track(len(names))
        for epoch in wide["alpha"].index:
            alpha, success, spent = (wide[c].loc[epoch] for c in ("alpha", "success", "spent"))
            track.add(int(epoch), alpha, success, float(spent.sum()))
        return track

    def stopped(self, replicate: int) -> str:
        """Why the run stopped."""
        runs: pd.DataFrame = self.results.runs
        return str(runs.loc[runs["replicate"] == replicate, "stopped"].iloc[0])


class ReplayStage(mesa.Model):
    """A run that moves along its epochs; Reset goes back to the first.

    Parameters
    ----------
    replay : the runs
    **kwargs : ``replicate``, which of them
    """

    def __init__(self, *, replay: Replay, **kwargs: float) -> None:
        super().__init__(rng=0)
        self.step = self.advance
        self.replay = replay
        self._late = replay.loops.succeed()
        self.values = dict(kwargs)
        self.replicate = int(kwargs.get("replicate", replay.replicates[0]))
        self.scenarios: tuple[Scenario, ...] = (replay.results.scenario,)
        self.problem = ""
        self._track = replay.track(self.replicate)
        self.last = int(self._track.frame(None).epoch[-1])

    @property
    def busy(self) -> bool:
        """Whether a platform is being trained: never, what it learned is known."""
        return False

    @property
    def stopped(self) -> str | None:
        """Why the run stopped, at its end."""
        return None if self.steps < self.last else self.replay.stopped(self.replicate)

    def frames(self) -> tuple[Frame, ...]:
        """The run up to the epoch that is shown, with the people where they are known."""
        epoch = self.steps
        return (self._track.frame(self._again.membership(epoch), last=epoch),)

    @cached_property
    def _again(self) -> Again:
        """Made in the thread that draws."""
        alpha = self._track.frame(None).alpha
        return Again(self.replay.results.scenario, self.replicate, alpha)

    @property
    def economies(self) -> tuple[Economy | None]:
        """The people with what they ask for; None where they cannot be known."""
        return (self._again.first,)

    def show(self, epoch: int) -> None:
        """Go to an epoch."""
        self.steps = min(max(int(epoch), 0), self.last)
        self.time = float(self.steps)

    def advance(self) -> None:
        """Go to the next epoch."""
        if not self.replay.loops.admit(self._late):
            return
        self.replay.take_turns()
        self.show(self.steps + 1)
        self.running = self.steps < self.last

    def close(self) -> None:
        """Nobody looks at this stage any more."""
        self.running = False

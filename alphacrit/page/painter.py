"""The thread that draws for one session: always the newest state, never one that has passed.

Stepping does not wait for drawing. Where drawing is slower, frames are left out; when a run pauses
or stops, its last state is the one that is drawn last.
"""

from __future__ import annotations

import base64
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from alphacrit.page.replay import ReplayStage
from alphacrit.page.stage import Stage, nothing
from alphacrit.page.words import happening
from alphacrit.page.worker import StoppedByReader, Worker
from analysis.figures_live import DRAWING, Frame, Picture, maps_of, paths_of, people_of
from analysis.landmarks import Landmarks, landmarks
from sim.model import Economy
from sim.scenario import Scenario

Stages = Stage | ReplayStage

FRAME = 0.08  # least seconds from one frame to the next
LONGEST_TURN = 0.5  # seconds that a step waits for a frame, at most
NO_PEOPLE = (
    "A finished run is kept as sizes, success and money, without the people; this one was not made "
    "again to see them."
)
KEPT = 4  # scenarios whose pictures are kept


@dataclass(frozen=True)
class Panel:
    """What is shown of one economy: a line of words, a note, and pictures (title, words, PNG)."""

    name: str
    epoch: int
    words: str
    note: str
    pictures: tuple[tuple[str, str, bytes], ...]


@dataclass(frozen=True)
class Shown:
    """One frame of the page: a panel for each economy, or why there is none."""

    panels: tuple[Panel, ...]
    problem: str = ""


class Easel:
    """The pictures of one scenario, solved and drawn in a thread as they become ready."""

    def __init__(self, scenario: Scenario, changed: Callable[[], None]) -> None:
        self.scenario = scenario
        self.marks = Landmarks(missing="looking for the tipping point …")
        self.paths = paths_of(scenario, self.marks)
        self.maps: list[Picture] = []
        self._changed = changed
        self._people: tuple[Economy, Picture] | None = None
        self.worker = Worker(nothing)
        self.worker.start(self._prepare)

    def people(self, economy: Economy) -> Picture:
        """The picture of this economy's people."""
        if self._people is None or self._people[0] is not economy:
            drawn = people_of(self.scenario, economy.population, economy.graph)
            self._people = (economy, drawn)
        return self._people[1]

    def _prepare(self) -> None:
        try:
            self._solve()
        except StoppedByReader:
            raise
        except Exception as error:  # a bug; the run can be watched all the same
            traceback.print_exc()
            self.marks = replace(self.marks, missing=f"not all could be drawn: {error!r}")
            self._changed()

    def _solve(self) -> None:
        marks = landmarks(self.scenario)
        paths = paths_of(self.scenario, marks)
        self.marks, self.paths = marks, paths
        self._changed()
        for picture in maps_of(self.scenario, marks):
            self.maps.append(picture)
            self._changed()


class Painter:
    """Draws what it was last asked to show.

    Parameters
    ----------
    publish : is given each finished frame, in the painter's thread
    """

    def __init__(self, publish: Callable[[Shown], None]) -> None:
        self._publish = publish
        self._wanted = threading.Event()
        self._publishing = threading.Lock()
        self._closed = False
        self._stage: Stages | None = None
        self._easels: OrderedDict[str, Easel] = OrderedDict()
        self._thread: threading.Thread | None = None

    def show(self, stage: Stages) -> None:
        """Draw this as soon as there is time; an earlier wish that still waits is forgotten."""
        self._stage = stage
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, daemon=True)
            self._thread.start()

    def take_turns(self) -> None:
        """Wait while a frame is handed to the browser.

        A model that is stepped without a pause would change the page during every attempt to
        render it, and solara gives up after some attempts.
        """
        if self._publishing.acquire(timeout=LONGEST_TURN):
            self._publishing.release()

    def close(self) -> None:
        """Draw no more."""
        self._closed = True
        self._wanted.set()
        for easel in self._easels.values():
            easel.worker.stop()

    def _loop(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed:
                return
            began = time.monotonic()
            if self._stage is not None:
                self._hand_over(self._try_to_paint(self._stage))
            time.sleep(max(0.0, FRAME - (time.monotonic() - began)))

    def _hand_over(self, shown: Shown) -> None:
        if self._closed:
            return
        try:
            with self._publishing:
                self._publish(shown)
        except RuntimeError:  # the page changed all the time while it was rendered
            self._wanted.set()

    def _try_to_paint(self, stage: Stages) -> Shown:
        try:
            return self._paint(stage)
        except Exception as error:  # a bug; without this the page would stand still for ever
            traceback.print_exc()
            return Shown((), f"the pictures could not be drawn: {error!r}")

    def _paint(self, stage: Stages) -> Shown:
        shown = zip(stage.scenarios, stage.frames(), stage.economies, strict=False)
        return Shown(tuple(self._panel(stage, *each) for each in shown))

    def _panel(
        self, stage: Stages, scenario: Scenario, frame: Frame, economy: Economy | None
    ) -> Panel:
        easel = self._easel(scenario)
        of_run = stage if isinstance(stage, ReplayStage) else economy
        pictures, notes = [easel.paths, *easel.maps], [easel.marks.missing]
        if economy is None or frame.membership is None:
            notes.insert(0, NO_PEOPLE)
        else:
            pictures.insert(1, easel.people(economy))
        return Panel(
            name=scenario.title or scenario.name,
            epoch=int(frame.epoch[-1]),
            words=happening(scenario, easel.marks, frame, of_run.stopped if of_run else None),
            note=" ".join(filter(None, notes)),
            pictures=tuple(_drawn(picture, frame) for picture in pictures),
        )

    def _easel(self, scenario: Scenario) -> Easel:
        key = scenario.digest
        if key not in self._easels:
            self._easels[key] = Easel(scenario, self._wanted.set)
            while len(self._easels) > KEPT:
                self._easels.popitem(last=False)[1].worker.stop()
        self._easels.move_to_end(key)
        return self._easels[key]


def _drawn(picture: Picture, frame: Frame) -> tuple[str, str, bytes]:
    with DRAWING:
        picture.show(frame)
        return picture.title, picture.words(frame), picture.png()


def data_url(png: bytes) -> str:
    """A PNG as the source of an image."""
    return "data:image/png;base64," + base64.b64encode(png).decode()

"""What the page does in threads: trainings, drawing, and loops of Mesa that come late."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("solara", reason="the page's extra is not installed: pip install -e '.[page]'")

from alphacrit.page import painter
from alphacrit.page.stage import Play, Stage
from alphacrit.page.worker import Worker
from learners.progress import tell
from sim.model import Economy
from sim.runs import run
from sim.scenario import Scenario, load

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


def scenario(name: str, **sets: object) -> Scenario:
    path = next(SCENARIOS.rglob(f"{name}.toml"))
    return load(path, {key.replace("__", "."): value for key, value in sets.items()})


def test_a_loop_that_still_plays_the_model_before_reset_steps_nothing() -> None:
    play = Play((scenario("baseline"),))
    before, after = threading.Event(), threading.Event()
    stages = [Stage(play=play)]

    def loop() -> None:  # as Mesa's: it looks for the model each time it wakes
        stages[-1].step()
        before.set()
        assert after.wait(60)
        stages[-1].step()

    thread = threading.Thread(target=loop)
    thread.start()
    assert before.wait(60)
    stages.append(Stage(play=play))  # Reset
    after.set()
    thread.join(60)
    assert [stage.steps for stage in stages] == [1, 0]
    stages[-1].step()
    assert stages[-1].steps == 1


def test_two_that_train_stay_in_step_when_one_of_them_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(play=Play((scenario("convex", epochs=6), scenario("convex", epochs=7))))
    assert stage.worker is not None and stage.worker.wait(60)
    publish, worker = Economy.publish, stage.worker

    def second_is_stopped(economy: Economy) -> None:
        if economy is stage.economies[1]:
            worker.stop()
        tell("training", 0, 1)
        publish(economy)

    with monkeypatch.context() as patch:
        patch.setattr(Economy, "publish", second_is_stopped)
        stage.step()
        assert worker.wait(60) and worker.stopped
    assert [frame.epoch[-1] for frame in stage.frames()] == [1, 0]
    heir = stage.successor()
    for epochs in ([1, 1], [2, 2]):
        heir.step()
        assert worker.wait(60)
        assert [frame.epoch[-1] for frame in heir.frames()] == epochs


def test_what_fails_while_it_is_drawn_is_said_and_the_page_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[painter.Shown] = []
    seen = threading.Event()

    def publish(frame: painter.Shown) -> None:
        shown.append(frame)
        seen.set()

    def fails(scenario: Scenario) -> None:
        raise RuntimeError("no tipping")

    monkeypatch.setattr(painter, "landmarks", fails)
    monkeypatch.setattr(painter, "happening", fails)  # is called with more: a TypeError
    drawing = painter.Painter(publish)
    stage = Stage(play=Play((scenario("baseline"),)))
    drawing.show(stage)
    assert seen.wait(60)
    assert shown[0].panels == () and "could not be drawn: TypeError" in shown[0].problem
    monkeypatch.setattr(painter, "happening", lambda *_: "as ever")
    seen.clear()
    drawing.show(stage)
    assert seen.wait(60)
    deadline = time.monotonic() + 60
    while not (shown[-1].panels and "no tipping" in shown[-1].panels[0].note):
        assert time.monotonic() < deadline
        drawing.show(stage)
        time.sleep(0.05)
    drawing.close()
    assert "RuntimeError" in capsys.readouterr().err


def test_a_worker_keeps_an_error_for_the_page() -> None:
    changed = threading.Event()
    worker = Worker(changed.set)

    def fails() -> None:
        raise RuntimeError("out of memory")

    worker.start(fails)
    assert worker.wait(60) and changed.wait(60)
    assert str(worker.error) == "out of memory" and not worker.stopped


@pytest.mark.parametrize("name", ["convex", "perceptron"])
def test_a_training_on_rows_can_be_stopped_before_its_end(name: str) -> None:
    """Its economy is made, and its curve solved, in threads that nobody may wait for."""
    if name == "perceptron":
        pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[learners]'")
    worker = Worker(lambda: None)
    reached: list[str] = []

    def work() -> None:
        economy = Economy(scenario(name, population__size=100))
        reached.append("made")
        worker.stop()
        economy.success.at(np.array([[0.3], [0.4]]))
        reached.append("solved")

    worker.start(work)
    assert worker.wait(60) and worker.error is None
    assert worker.stopped and reached == ["made"]


class Slow:
    """Stands in for a training: says how far it is until it may end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_end, self.heard = threading.Event(), threading.Event()
        publish = Economy.publish

        def slowly(economy: Economy) -> None:
            for part in range(12_000):  # two minutes, if nobody stops it
                tell("training", part, 12_000)
                self.heard.set()
                if self.may_end.wait(0.01):
                    break
            publish(economy)

        monkeypatch.setattr(Economy, "publish", slowly)


def test_a_training_shows_progress_and_leaves_the_economy_alone_when_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    this = scenario("convex", epochs=6)
    untouched = run(this).series
    slow = Slow(monkeypatch)
    slow.may_end.set()
    stage = Stage(play=Play((this,)))
    assert stage.worker is not None and stage.worker.wait(60)
    stage.step()
    assert stage.worker.wait(60)
    before = stage.frames()[0]
    slow.may_end.clear()
    slow.heard.clear()

    stage.step()  # comes back while the training goes on: the page stays awake
    assert stage.busy
    assert slow.heard.wait(60) and stage.busy
    stage.step()  # nothing while it trains
    assert stage.worker.progress is not None and stage.worker.progress[0] == "training"
    stage.stop()
    assert stage.worker.wait(60) and stage.worker.stopped
    after = stage.frames()[0]
    np.testing.assert_array_equal(before.membership, after.membership)
    assert len(before.epoch) == len(after.epoch) == 2

    slow.may_end.set()  # and the run goes on as if nothing had been
    heir = stage.successor()
    assert not stage.running
    while heir.running:
        heir.step()
        assert heir.worker is not None and heir.worker.wait(60)
    np.testing.assert_array_equal(heir.frames()[0].alpha[:, 0], untouched["alpha"])

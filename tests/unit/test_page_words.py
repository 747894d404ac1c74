"""The line of words: what it says of where a run stands."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("solara", reason="the page's extra is not installed: pip install -e '.[page]'")

from alphacrit.page.stage import Play, Stage
from alphacrit.page.words import happening
from analysis.landmarks import landmarks
from sim.scenario import Scenario, load

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


def scenario(name: str, **sets: object) -> Scenario:
    path = next(SCENARIOS.rglob(f"{name}.toml"))
    return load(path, {key.replace("__", "."): value for key, value in sets.items()})


def words(this: Scenario, epochs: int) -> str:
    stage = Stage(play=Play((this,)))
    for _ in range(epochs):
        stage.step()
    return happening(this, landmarks(this), stage.frames()[0], stage.economies[0].stopped)


@pytest.mark.parametrize(
    ("name", "sets", "epochs", "said"),
    [
        (
            "baseline", {"collectives__union__start": 0.015}, 0,
            "Below the critical threshold (0.015 < 0.01575): members leave.",
        ),
        ("baseline", {}, 0, "Above the critical threshold (0.02 > 0.01575): people join."),
        (
            "two-tipping-points", {}, 0,
            "Below the critical threshold (0.25 < 0.4224), but drawn to 0.3505: people join.",
        ),
        ("baseline", {"population__cost": 0.9}, 0, "No size suffices: members leave."),
        ("baseline", {}, 9, "At rest after 4 epochs, nobody wants to change any more: everybody"),
        ("principal", {}, 1, "The principal has spent 36.9 of 40 utility; B is 37.13."),
        ("colliding-signals", {}, 1, "guild: no size suffices: members leave"),
    ],
)  # fmt: skip
def test_words_say_what_happens(name: str, sets: dict, epochs: int, said: str) -> None:
    assert said in words(scenario(name, **sets), epochs)


def test_on_a_network_no_sentence_follows_from_the_threshold_of_the_well_mixed() -> None:
    this = scenario("network-seed")  # 2 % spread to everybody, below the well-mixed threshold
    marks = landmarks(this)
    crit = marks.alpha_crit["union"]
    assert crit is not None and crit > 0.02
    assert "On this network people see their neighbours only" in marks.missing
    assert words(this, 0) == "A share of 0.02 are members: nobody has moved yet."
    assert "threshold" not in words(this, 5) and "people join" in words(this, 5)

"""Success by size of texts is that of N people, as many as the population has."""

from __future__ import annotations

import numpy as np
import pytest

from learners.texts import text_platform as module
from sim.notes import notes_of
from sim.scenario import loads
from sim.success_of import success_function
from sim.trained import key_of
from tests.texts_world import PEOPLE, text_platform
from tests.unit.test_text_scenarios import SCENARIO

TWO = {"a": ("feature_label", "{", 4, 2), "b": ("feature_only", "}", None, 0)}


@pytest.fixture
def trainings(monkeypatch):
    """What each training of a platform is on: (points, membership, replicate, before)."""
    for library in ("torch", "transformers", "tokenizers"):
        pytest.importorskip(library, reason=f"{library} (the extra learners) is not installed")
    made: list = []

    def result(self, training):
        made.append(training)
        return {f"top1.{name}": 0.5 for name in self.collectives}

    monkeypatch.setattr(module.TextPlatform, "_result", result)
    return made


@pytest.mark.parametrize("people", [20, PEOPLE + 40, 3 * PEOPLE])
def test_by_size_it_trains_on_so_many_people(trainings, people: int) -> None:
    platform = text_platform(TWO, people=PEOPLE)
    platform.people = people
    platform.at([0.25, 0.5])
    platform.at([0.25, 0.0])
    first, second, *again = trainings
    for each in trainings:
        assert len(each.points) == len(each.membership) == people
        times = np.bincount(each.points, minlength=PEOPLE)
        assert set(times.tolist()) <= {people // PEOPLE, -(-people // PEOPLE)}
        assert (each.membership == 1).sum() == people // 4
    assert not np.array_equal(first.points, second.points)  # other people in each replicate
    for one, other in zip((first, second), again, strict=True):  # the same at every size
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.membership == 1, other.membership == 1)


def test_as_many_people_as_texts_have_one_each(trainings) -> None:
    text_platform(TWO).at([0.25, 0.5])
    assert [each.points.tolist() for each in trainings] == [list(range(PEOPLE))] * 2


def test_a_scenario_says_how_many(trainings) -> None:
    s = loads(SCENARIO)
    fewer = s.replace({"population.size": 60})
    assert key_of(s) != key_of(fewer)
    for scenario in (s, fewer):
        trainings.clear()
        success_function(scenario).at([0.5])
        assert [len(each.points) for each in trainings] == [scenario.population.size] * 2


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (200, None),
        (500, "500 people on 200 texts: each text is 2 or 3 people"),
        (400, "400 people on 200 texts: each text is 2 people"),
        (60, "60 people of 200 texts: most texts are nobody's"),
        (150, "150 people of 200 texts: 50 texts are nobody's"),
    ],
)
def test_a_note_says_that_people_are_not_as_many_as_texts(people: int, said: str | None) -> None:
    pytest.importorskip("tokenizers", reason="tokenizers (the extra learners) is not installed")
    notes = notes_of(loads(SCENARIO).replace({"population.size": people}))
    assert [n for n in notes if n.startswith("population.size")] == (
        [f"population.size: {said}"] if said else []
    )


def test_nobody_is_no_population(trainings) -> None:
    p = text_platform(TWO)
    strategies = dict(zip(p.collectives, p.strategies, strict=True))
    with pytest.raises(ValueError, match="people: got 0"):
        module.TextPlatform(p.train, p.test, strategies, p.network, p.recipe, people=0)

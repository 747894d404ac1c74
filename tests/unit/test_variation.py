"""The fast way to a point of a sweep gives what the careful way gives, for every number."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import pytest

from learners.errors import ScenarioError
from sim import scenario_variation
from sim.scenario import Scenario, load
from sim.scenario_variation import _copied, _Doubt, _rebuilt, varied

LIBRARY = Path(__file__).resolve().parents[2] / "scenarios"
FILES = sorted(
    path.relative_to(LIBRARY).as_posix()
    for path in LIBRARY.rglob("*.toml")
    if "resumes_corpus" not in path.read_text("utf-8")  # which does not come with the project
)
has_tokenizers = importlib.util.find_spec("tokenizers") is not None


def numbers(scenario: Scenario) -> dict[str, float]:
    """Every number of a scenario by its address."""
    flat = scenario.flat()
    return {k: v for k, v in flat.items() if isinstance(v, int | float) and k != "schema"}


@pytest.mark.once(keep=8)
@pytest.mark.parametrize("file", FILES)
def test_every_number_of_the_library_varies_the_same_both_ways(file: str) -> None:
    if "/texts/" in file and not has_tokenizers:
        pytest.skip("the extra learners is not installed")
    scenario, fast = load(LIBRARY / file), 0
    for address, value in numbers(scenario).items():
        changes = {address: value + 1 if isinstance(value, int) else value * 0.9 + 0.001}
        try:
            expected = _rebuilt(scenario, changes)
        except ScenarioError as error:
            with pytest.raises(ScenarioError) as caught:
                varied(scenario, changes)
            assert caught.value.problems == error.problems
            continue
        made = varied(scenario, changes)
        assert made == expected and made.digest == expected.digest
        assert made.flat() == expected.flat() and made.source == expected.source
        assert pickle.loads(pickle.dumps(made)) == expected
        try:
            fast += _copied(scenario, changes) == expected
        except _Doubt:
            continue
    assert fast >= 5  # most numbers go the fast way


@pytest.mark.parametrize(
    "changes",
    [
        {"population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0}},
        {"population.cost": -1},
        {"population.cost": True},
        {"population.sise": 3},
        {"population.size": 3.0},
        {"revision.protocol": "imitation"},
        {"collectives.guild.start": 0.1},
        {"principal.budget": 3.0},
        {"population.network.k": 3},
    ],
)
def test_at_the_first_doubt_the_careful_way_decides(changes: dict[str, object]) -> None:
    with pytest.raises(_Doubt):
        _copied(load(LIBRARY / "experiments/baseline.toml"), changes)


def test_a_rule_between_numbers_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load(LIBRARY / "experiments/disjoint-signals.toml")
    wrong = {"collectives.union.start": 0.6, "collectives.guild.start": 0.6}
    with pytest.raises(ScenarioError):
        varied(scenario, wrong)
    monkeypatch.setattr(scenario_variation, "broken_rules", lambda *_: [])  # which is what keeps it
    assert varied(scenario, wrong).collectives["guild"].start == 0.6


def test_a_copy_that_is_kept_is_of_this_scenario_and_these_values() -> None:
    base, other = (load(LIBRARY / "experiments/baseline.toml") for _ in range(2))
    other = other.replace({"epochs": 7})
    address = "population.cost"
    made = varied(base, {address: 0.0})
    assert varied(base, {address: 0.0}) is made  # frozen, and made once
    assert varied(base, {address: -0.0}).digest == _rebuilt(base, {address: -0.0}).digest
    assert varied(other, {address: 0.0}).epochs == 7
    assert varied(base, {"epochs": 1}).epochs == 1
    with pytest.raises(ScenarioError, match="whole number"):
        varied(base, {"epochs": 1.0})


def test_copies_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario_variation, "KEPT", 5)
    base = load(LIBRARY / "experiments/baseline.toml")
    for i in range(20):
        varied(base, {"epochs": i + 1})
        assert len(scenario_variation._made) <= 5

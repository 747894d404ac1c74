"""Crowds: which one simulates a scenario, and what is there to see without and with rows."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from learners.errors import ScenarioError
from sim.agents import Person
from sim.crowd import CROWD_FROM, ENGINES
from sim.crowd_columns import DrawnColumn
from sim.crowd_types import Types
from sim.distributions import as_distribution
from sim.model import Economy
from sim.population import make_population
from sim.runs import run
from sim.streams import Streams
from tests.economies import scenario

MANY = {"population.size": CROWD_FROM, "collectives.union.start": 0.05, "epochs": 40}
DIFFERENT = {
    **MANY,
    "population.cost": {"dist": "uniform", "low": 0.0, "high": 0.9},
    "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.7},
    "collectives.union.signal": {"uniqueness": 0.03, "gap": 1.0},
}
GROUPS = {"artists": {"share": 0.3, "cost": {"dist": "values", "values": [0.1, 1.5, 0.1]}}}


class Stubborn(Person):
    def decide(self) -> str | None:
        return self.collective


@pytest.mark.parametrize(
    ("settings", "collectives", "engine"),
    [
        ({}, 1, "types"),
        ({"population.groups": GROUPS}, 1, "types"),
        ({"revision": {"protocol": "logit", "noise": 0.1}}, 3, "types"),
        ({"population.cost": DIFFERENT["population.cost"]}, 1, "thresholds"),
        ({**DIFFERENT, "revision.rate": 0.1, "revision.decides": "pivotal"}, 1, "thresholds"),
        ({"population.size": CROWD_FROM - 1}, 1, "rows"),
        ({"revision.activation": "sequential"}, 1, "types"),
        ({"revision.activation": "sequential"}, 2, "rows"),
        ({"revision.protocol": "imitation"}, 1, "rows"),
        ({"population.network": {"kind": "complete"}}, 1, "rows"),
        (
            {"principal": {"policy": "subsidy", "budget": 1.0, "collective": "union"}},
            1,
            "rows",
        ),
        ({"population.cost": DIFFERENT["population.cost"]}, 2, "rows"),
        ({**DIFFERENT, "revision": {"protocol": "logit", "noise": 0.1}}, 1, "rows"),
        ({**DIFFERENT, "population.groups": GROUPS}, 1, "rows"),
    ],
)
def test_the_model_picks_what_fits(settings: dict, collectives: int, engine: str) -> None:
    assert Economy(scenario({**MANY, **settings}, collectives)).engine == engine


def test_own_rules_and_chosen_loops_are_rows() -> None:
    assert Economy(scenario(MANY), compiled=True).engine == "rows"
    small = scenario({**MANY, "population.size": 50})
    assert Economy(small, agent_class=Stubborn).engine == "rows"
    with pytest.raises(ScenarioError, match=r'"types"; people who decide by a method of their own'):
        Economy(small, agent_class=Stubborn, engine="types")


@pytest.mark.parametrize(
    ("engine", "settings", "collectives", "message"),
    [
        ("types", DIFFERENT, 1, "population.cost must be a number or values"),
        ("thresholds", MANY, 2, "with several collectives nobody has one threshold"),
        ("thresholds", {"population.groups": GROUPS}, 1, "groups have no thresholds in common"),
        ("types", {"revision.activation": "sequential"}, 2, "one at a time are counted for one"),
        ("thresholds", {"revision.activation": "sequential"}, 1, "one at a time are not sorted"),
        ("types", {"population.network": {"kind": "complete"}}, 1, "network"),
        ("thresholds", {"revision": {"protocol": "logit", "noise": 0.1}}, 1, "best response"),
        ("thresholds", {**MANY, "population.free_riding": 1.0}, 1, "γ near 1"),
    ],
)
def test_an_engine_that_does_not_fit_says_why(
    engine: str, settings: dict, collectives: int, message: str
) -> None:
    settings = {**settings, "population.cost": settings.get("population.cost", 0.01)}
    with pytest.raises(ScenarioError, match=f'test: engine: got "{engine}"; .*{message}'):
        Economy(scenario(settings, collectives), engine=engine)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match=r"engine: got 'row'; must be one of .* mean .rows."):
        Economy(scenario(), engine="row")
    assert ENGINES[0] == "auto"


def test_people_who_get_nearly_all_without_joining_are_rows_without_being_asked() -> None:
    world = scenario({**DIFFERENT, "population.free_riding": 0.999})
    world = world.replace({"population.cost": {"dist": "uniform", "low": 0.0, "high": 0.02}})
    assert Economy(world).engine == "rows"


@pytest.mark.parametrize("settings", [MANY, DIFFERENT])
def test_a_run_never_makes_rows_and_says_so(settings: dict, monkeypatch) -> None:
    monkeypatch.setattr("sim.model.make_population", None)
    for kind in ("crowd_types.Types", "crowd_thresholds.Thresholds"):
        monkeypatch.setattr(f"sim.{kind}.to_population", None)
    result = run(scenario({**settings, "revision.rate": 0.5}))
    assert result.summary["engine"] == ("types" if settings is MANY else "thresholds")
    assert result.summary["stopped"] == "settled"


@pytest.mark.parametrize("settings", [MANY, DIFFERENT])
def test_rows_asked_for_at_the_start_are_those_of_the_rows(settings: dict) -> None:
    world = scenario(settings)
    economy = Economy(world, 3)
    assert economy.engine != "rows"
    rows = make_population(world, Streams(world.seed, 3))
    for name in ("cost", "free_riding", "group", "membership"):
        np.testing.assert_array_equal(getattr(economy.population, name), getattr(rows, name))
    assert economy.engine == "rows"
    assert economy.run().series.equals(Economy(world, 3, engine="rows").run().series)


@pytest.mark.parametrize(
    "settings", [{**MANY, "population.groups": GROUPS}, DIFFERENT], ids=["types", "thresholds"]
)
@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_rows_asked_for_on_the_way(settings: dict, rate: float) -> None:
    world = scenario({**settings, "revision.rate": rate, "stop.when": "never"})
    economy, twin = Economy(world), Economy(world, engine="rows")
    for _ in range(4):
        economy.step()
        twin.step()
    counts, welfare = economy.counts.copy(), economy.welfare()
    people, rows = economy.population, twin.population
    assert economy.engine == "rows since epoch 4" and economy.crowd is None
    for name in ("cost", "free_riding", "group"):
        np.testing.assert_array_equal(getattr(people, name), getattr(rows, name))
    assert people.membership.dtype == rows.membership.dtype
    assert people.counts.tolist() == counts.tolist() == [np.count_nonzero(people.membership)]
    assert 0 < counts[0] < economy.size
    assert economy.welfare() == pytest.approx(welfare, rel=1e-12)
    if rate == 1.0:  # then who is a member follows from her threshold
        np.testing.assert_array_equal(people.membership, rows.membership)
    economy.step()
    assert economy.run().summary["engine"] == "rows since epoch 4"


def test_agents_can_be_asked_on_the_way() -> None:
    economy = Economy(scenario(DIFFERENT))
    economy.step()
    members = economy.agents.select(lambda person: person.collective == "union")
    assert len(members) == economy.counts[0] > 0
    assert economy.engine == "rows since epoch 1"
    economy.person(7).leave()
    assert economy.person(7).collective is None


@pytest.mark.parametrize("settings", [MANY, DIFFERENT])
def test_economies_of_crowds_pickle_and_copy(settings: dict) -> None:
    economy = Economy(scenario({**settings, "revision.rate": 0.3}))
    for _ in range(3):
        economy.step()
    twins = [pickle.loads(pickle.dumps(economy)), copy.deepcopy(economy)]
    for twin in twins:
        assert twin.engine == economy.engine != "rows"
    ends = [each.run().summary for each in (economy, *twins)]
    assert ends[0] == ends[1] == ends[2]


SPECS = [
    0.3,
    {"dist": "uniform", "low": 0.1, "high": 0.7},
    {"dist": "normal", "mean": 0.4, "sd": 0.2, "low": 0.0, "high": 1.0},
    {"dist": "beta", "a": 0.7, "b": 3.0, "low": 0.0, "high": 1.0},
    {"dist": "lognormal", "median": 0.3, "sigma": 1.0, "low": 0.0, "high": 1.0},
    {"dist": "values", "values": [0.1, 0.5, 0.2]},
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s["dist"] if isinstance(s, dict) else "one")
def test_a_column_in_pieces_is_the_column(spec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.crowd_columns.PIECE", 4_099)
    world = scenario({"population.size": 60_001, "population.free_riding": spec})
    streams = Streams(5, 2)
    law = as_distribution(world.population.free_riding)
    uniforms, places = streams.uniforms("free_riding", 60_001), (np.arange(60_001) + 0.5) / 60_001
    whole = np.full(60_001, spec) if spec == 0.3 else law.sample_at(uniforms, places)
    np.testing.assert_array_equal(make_population(world, streams).free_riding, whole)
    column = DrawnColumn(law, streams, "free_riding", world.population.size)
    np.testing.assert_array_equal(np.concatenate(list(column.pieces())), whole)
    rng = np.random.default_rng(0)
    for many in (0, 1, 50, 40_000):  # one by one, and in passing
        rows = rng.permutation(60_001)[:many]
        np.testing.assert_array_equal(column.at(rows), whole[rows])


@pytest.mark.parametrize("size", [1, 2, 5, 7, 999, 54_321])
def test_types_are_as_large_as_in_the_rows(size: int) -> None:
    rng = np.random.default_rng(size)
    listed = {
        name: {"dist": "values", "values": np.round(rng.random(n), 2).tolist()}
        for name, n in (("a", 7), ("b", 5), ("c", 49))
    }
    groups = {
        "one": {"share": 0.3, "cost": listed["a"], "free_riding": listed["b"]},
        "two": {"share": 0.211, "free_riding": listed["c"]},
    }
    world = scenario(
        {"population.size": size, "population.groups": groups, "population.cost": listed["b"]}
    )
    rows, types = make_population(world, Streams(0)), Types(world, Streams(0))
    held: dict[tuple, int] = {}
    for key in zip(rows.group.tolist(), rows.cost, rows.free_riding, strict=True):
        held[key] = held.get(key, 0) + 1
    counted: dict[tuple, int] = {}
    columns = (types.group.tolist(), types.cost, types.free_riding, types.people)
    for *key, people in zip(*columns, strict=True):
        counted[tuple(key)] = counted.get(tuple(key), 0) + int(people)
    assert counted == held


TIED = {
    "population.size": 200_000,
    "population.cost": 0.3,
    "population.free_riding": 0.2,
    "collectives.union.strategy": "gradient_neutralising",
    "collectives.union.signal": {"own_gradient": 0.5, "base_gradient": 1.0},
    "collectives.union.start": 0.25,
}


def test_a_tie_of_everybody_falls_back_to_rows_and_they_stay() -> None:
    """0.375 − 0.2·0.375 − 0.3 is nobody's gain, for all at once: who is a member stays one."""
    world = scenario(TIED)
    economy, rows = Economy(world, engine="thresholds"), Economy(world, engine="rows")
    assert economy.engine == "thresholds" and economy.published[0] == 0.375
    result = economy.run()
    assert economy.engine == "rows"
    assert result.series.equals(rows.run().series)
    assert result.summary["final"]["union"]["alpha"] == 0.25
    np.testing.assert_array_equal(economy.population.membership, rows.population.membership)
    counted = run(world, engine="types").summary
    assert (counted["final"], counted["engine"]) == (result.summary["final"], "types")


def test_a_tie_on_the_way_falls_back_to_rows_there() -> None:
    """A tenth joins at 0.15, and success is then what nine tenths are indifferent to."""
    costs = {"dist": "values", "values": [0.05] + [0.1 * 1.5] * 9}
    world = scenario(
        {
            **TIED,
            "population.cost": costs,
            "population.free_riding": 0.0,
            "collectives.union.start": 0.05,
        }
    )
    economy, rows = Economy(world, engine="thresholds"), Economy(world, engine="rows")
    assert economy.run().series.equals(rows.run().series)
    assert economy.engine == "rows since epoch 1"
    assert economy.alpha[0] == pytest.approx(0.1)
    np.testing.assert_array_equal(economy.population.membership, rows.population.membership)


# VmHWM: getrusage's own peak begins at that of the process that started this one.
MEASURE = """
import pathlib, re
from sim.model import Economy
from tests.economies import scenario
economy = Economy(scenario({settings!r}))
economy.run()
status = pathlib.Path("/proc/self/status").read_text()
peak = re.search("VmHWM: *\\t* *([0-9]+) kB", status)[1]
print(economy.engine, economy.crowd.nbytes, peak)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("settings", "engine", "held", "peak"),
    [
        ({**DIFFERENT, "population.size": 5_000_000}, "thresholds", 9.0 * 5e6, 0.5),
        ({**MANY, "population.size": 1_000_000_000, "revision.rate": 0.1}, "types", 1e4, 0.4),
    ],
    ids=["thresholds", "types"],
)
def test_memory(settings: dict, engine: str, held: float, peak: float) -> None:
    """Eight bytes a person in order of thresholds, none in types; GiB of the whole process."""
    told = subprocess.run(
        [sys.executable, "-c", MEASURE.format(settings=settings)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert told[0] == engine
    assert int(told[1]) <= held
    assert int(told[2]) / 2**20 <= peak

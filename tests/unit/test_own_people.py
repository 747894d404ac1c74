"""People as objects: classes of a user's own, with a rule in Python."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim import revision
from sim.agents import Person
from sim.model import Economy
from sim.payoffs import choose
from sim.people import PeopleSet
from tests import economies
from tests.unit.people import Passer, Stubborn, scenario


def test_own_people_are_ordinary_mesa_agents() -> None:
    economy = Economy(scenario(), agent_class=Stubborn)
    agents = economy.agents
    assert not isinstance(agents, PeopleSet) and len(agents) == 40
    assert economy.agent_types == [Stubborn] and len(economy.agents_by_type[Stubborn]) == 40
    assert agents.get("unique_id") == list(range(1, 41)) and agents.get("row") == list(range(40))
    assert set(agents.get("company")) == {40}
    assert economy.person(4) is economy.person(4) is next(a for a in agents if a.row == 4)
    economy.step()
    assert set(agents.get("asked")) == {1}
    economy.person(4).pos = (1, 2)
    assert economy.person(4).pos == (1, 2)


def test_own_decisions_are_what_happens() -> None:
    economy = Economy(scenario(), agent_class=Stubborn)
    start, worth = economy.agents.get("collective"), economy.published[0]
    people = economy.population
    economy.step()
    for row, before in enumerate(start):
        joins = worth * (1 - people.free_riding[row]) > people.cost[row]
        assert economy.person(row).collective == (before or ("union" if joins else None))
    economy.run()
    assert economy.stopped == "settled" and min(economy.agents.get("asked")) == economy.epoch


@pytest.mark.parametrize("activation", ["simultaneous", "sequential"])
def test_best_response_in_python_gives_the_trajectory_of_the_arrays(activation: str) -> None:
    class SameRule(Person):
        def decide(self) -> str | None:
            return super().decide()

    given = scenario(revision__activation=activation, population__size=300)
    plain, own = Economy(given), Economy(given, agent_class=SameRule)
    assert own.has_own_decisions and not plain.has_own_decisions
    assert plain.run().series.equals(own.run().series)


def test_objects_and_columns_cannot_disagree() -> None:
    economy = Economy(scenario(), agent_class=Stubborn)
    person = economy.person(3)
    person.cost, person.free_riding = 0.125, 0.5
    economy.agents.set("cost", 0.25)
    assert (economy.population.cost == 0.25).all() and economy.population.free_riding[3] == 0.5
    assert type(person.cost) is float and (person.cost, person.free_riding) == (0.25, 0.5)
    with pytest.raises(ValueError, match="read-only"):
        economy.population.cost[3] = 0.5  # behind her back
    with pytest.raises(ValueError, match=r"free_riding: got 2; must be in \[0, 1\]"):
        person.free_riding = 2
    economy.population.join(3, 1)
    assert person.collective == "union"


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_of_a_model_of_objects(clone: Callable[[Any], Any]) -> None:
    economy = Economy(scenario(), agent_class=Stubborn)
    economy.step()
    twin = clone(economy)
    assert type(twin.person(3)) is Stubborn and twin.person(3) in twin.agents
    assert twin.person(3).asked == 1 and twin.person(3).model is twin
    twin.person(3).cost = 0.3
    assert twin.population.cost[3] == 0.3 != economy.population.cost[3]
    twin.person(3).cost = economy.person(3).cost
    assert twin.run().series.equals(economy.run().series)
    with pytest.raises(ValueError, match="read-only"):
        twin.population.cost[3] = 0.5


def test_own_people_and_others() -> None:
    economy = Economy(scenario(), agent_class=Stubborn)
    passer = Passer(economy, 40, cost=0.2)
    assert passer.unique_id == 41 and len(economy.agents) == 41
    with pytest.raises(ValueError, match="people cannot be removed"):
        economy.person(0).remove()
    economy.remove_all_agents()
    assert len(economy.agents) == 40
    with pytest.raises(ValueError, match="use Economy"):
        Stubborn(economy, 3)


@pytest.mark.parametrize(("returned", "text"), [
    ("unoin", "Lost.decide() of person 0: got 'unoin'; must be one of \"union\", \"guild\", or "
              'None; did you mean "union"?'),
    (1, "Lost.decide() of person 0: got 1; must be one of"),
    (["union"], "Lost.decide() of person 0: got ['union']; must be one of"),
    ("guild", 'it recruits "artists"'),
])  # fmt: skip
@pytest.mark.parametrize("activation", ["simultaneous", "sequential"])
def test_a_bad_decision_is_named(returned: Any, text: str, activation: str) -> None:
    class Lost(Person):
        def decide(self) -> Any:
            return returned

    economy = Economy(scenario(revision__activation=activation), agent_class=Lost)
    before = economy.population.membership.copy()
    with pytest.raises(ValueError) as caught:
        economy.step()
    assert text in re.sub(r"person \d+", "person 0", str(caught.value))  # whoever came first
    if activation == "simultaneous":
        assert (economy.population.membership == before).all()


def test_a_subclass_without_a_rule_runs_as_arrays() -> None:
    class Counted(Person):
        def setup(self) -> None:
            self.hired = True

    given = scenario(revision__protocol="logit", revision__noise=0.1)
    plain, own = Economy(given), Economy(given, agent_class=Counted)
    assert not own.has_own_decisions
    assert plain.run().series.equals(own.run().series) and all(own.agents.get("hired"))


class Stepper(Person):
    """Joins in her own step if her cost is small, whatever the success."""

    def step(self) -> None:
        self.join("union" if self.cost < 0.3 else None)


@pytest.mark.parametrize("activation", ["simultaneous", "sequential"])
def test_a_subclass_with_its_own_step_is_stepped(activation: str) -> None:
    world = economies.scenario(
        {
            "population.size": 50,
            "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0},
            "revision.activation": activation,
        }
    )
    economy = Economy(world, agent_class=Stepper)
    economy.step()
    cheap = economy.population.cost < 0.3
    np.testing.assert_array_equal(economy.population.membership == 1, cheap)
    assert 0 < cheap.sum() < 50


# One after the other ----------------------------------------------------------------------------


class Watchful(Person):
    """Takes her best response, and writes down what there was to see and what was true."""

    def decide(self) -> str | None:
        model = self.model
        true = model.success.at(np.bincount(model.population.membership, minlength=9)[1:][
            : len(model.collectives)] / model.size).tolist()  # fmt: skip
        self.seen = (list(model.published_by_name.values()), model.published.tolist())
        self.true = (true, true)
        return super().decide()


class Walker(Watchful):
    """The same in her own step; she brings along her neighbour in the columns."""

    def step(self) -> None:
        name = self.decide()
        self.join(name)
        if name == "union":
            self.model.person(self.row - 1).join("".join(["un", "ion"]))  # equal, not identical


class Otherwise(Economy):
    """Publishes and moves people in a way of its own."""

    calls = 0

    def publish(self) -> None:
        super().publish()
        self.calls += 1

    def join(self, row: int, collective: str | None) -> None:
        super().join(row, collective)
        self.calls += 1000


def one_by_one(collectives: int = 1, **more: Any) -> Any:
    """A world in which the success depends on every single person and many move."""
    half = {f"collectives.{name}.start": 0.4 for name in ("union", "guild")[:collectives]}
    return economies.scenario(
        {
            "population.size": 60,
            "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0},
            "collectives.union.signal.uniqueness": 0.3,
            "revision.activation": "sequential",
            **half,
            **more,
        },
        collectives,
    )


def by_hand(economy: Economy) -> None:
    """An epoch of people in turn, as plainly as can be."""
    economy.publish()
    for row in revision.revisers(economy, ordered=True):
        before = economy.population.membership[row]
        if economy.has_own_steps:
            economy.person(row).step()
        else:
            person = economy.person(row)
            economy.population.join(row, economy.state_decided(person, person.decide()))
        if economy.population.membership[row] != before:
            economy.publish()


@pytest.mark.parametrize("collectives", [1, 2])
@pytest.mark.parametrize("kind", [Watchful, Walker])
def test_a_move_is_felt_at_once(kind: type[Watchful], collectives: int) -> None:
    economy = Economy(one_by_one(collectives), agent_class=kind)
    twin = Economy(one_by_one(collectives), agent_class=kind)
    moved = 0
    for _ in range(4):
        before = economy.population.membership.copy()
        economy.step()
        by_hand(twin)
        moved += np.count_nonzero(economy.population.membership != before)
        assert economy.agents.get("seen") == twin.agents.get("seen")
        if kind is Watchful:  # nobody moves but the one who is asked
            assert economy.agents.get("seen") == economy.agents.get("true")
        assert economy.population.membership.tolist() == twin.population.membership.tolist()
        assert economy.published.tolist() == twin.published.tolist()
        assert economy.measured_at.tolist() == twin.measured_at.tolist()
        assert economy.counts.tolist() == twin.counts.tolist()
    assert moved > 20


@pytest.mark.parametrize("kind", [Watchful, Walker])
def test_a_model_that_publishes_otherwise_is_asked(kind: type[Watchful]) -> None:
    plain = Economy(one_by_one(), agent_class=kind)
    own = Otherwise(one_by_one(), agent_class=kind)
    start, asked = own.population.membership.copy(), own.calls
    plain.step()
    own.step()
    assert own.population.membership.tolist() == plain.population.membership.tolist()
    moves = np.count_nonzero(own.population.membership != start)
    published = (own.calls - asked) % 1000 - 1  # the first when the epoch begins
    assert moves > 5 and published >= moves - (kind is Walker) * 60 and published > 0
    assert (own.calls // 1000 > 0) == (kind is Walker)


def test_a_rule_that_fails_leaves_things_as_they_were_then() -> None:
    class Failing(Person):
        def decide(self) -> str | None:
            if self.model.counts[0] > 35:
                raise RuntimeError("enough")
            return "union"

    economy = Economy(one_by_one(), agent_class=Failing)
    with pytest.raises(RuntimeError, match="enough"):
        economy.step()
    assert economy.counts.tolist() == [36] == economy.measured_at.tolist()
    assert economy.published.tolist() == economy.success.at(economy.alpha).tolist()
    assert economy.published_by_name["union"] == economy.published[0] == economy.count_curve[36]


# Counts -----------------------------------------------------------------------------------------


def test_counts_are_those_of_the_column_whoever_moves() -> None:
    economy, rng = Economy(scenario(), agent_class=Stubborn), np.random.default_rng(0)
    people, held = economy.population, economy.population.counts
    for i in range(400):
        row, name = int(rng.integers(40)), (None, "union")[rng.integers(2)]
        match rng.integers(6):
            case 0:
                economy.person(row).join(name)
            case 1:
                economy.person(row).collective = name
            case 2:
                people.join(row, rng.integers(0, 3))
            case 3:
                people.assign(np.array([row]), np.array([rng.integers(3)]))
            case 4:
                people.membership[row] = rng.integers(3)  # by hand, and counted anew
                people.recount()
            case 5:
                economy.person(row).leave()
        if i % 7 == 0:
            true = np.bincount(people.membership, minlength=3)[1:]
            assert economy.counts.tolist() == true.tolist() and economy.counts is held
        assert economy.person(row).collective == (None, "union", "guild")[people.membership[row]]


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_has_counts_of_its_own(clone: Callable[[Any], Any]) -> None:
    economy = Economy(scenario(), agent_class=Stubborn)
    before = economy.counts.tolist()
    outside = [person for person in economy.agents if person.collective is None]
    outside[0].join("union")  # not yet counted
    twin = clone(economy)
    twin.person(outside[1].row).join("union")
    assert economy.counts.tolist() == [before[0] + 1, before[1]]
    assert twin.counts.tolist() == [before[0] + 2, before[1]]


def test_a_collective_that_is_not_for_everybody_is_looked_at() -> None:
    economy = Economy(scenario(), agent_class=Stubborn)
    driver = next(p for p in economy.agents if p.group == "drivers")
    artist = next(p for p in economy.agents if p.group == "artists")
    for name, text in (("guild", 'it recruits "artists"'), ("gild", "did you mean"), ([], "got")):
        with pytest.raises(ValueError, match=text):
            driver.join(name)  # type: ignore[arg-type]
    artist.join("guild")
    assert artist.collective == "guild" and driver.success("guild") == economy.published[1]


RING = {"kind": "watts_strogatz", "k": 4, "p": 0.0}


@pytest.mark.parametrize("more", [
    {}, {"revision.decides": "pivotal"}, {"population.network": RING},
    {"population.network": {"kind": "complete"}}, {"collectives.guild.recruits": ["artists"]},
])  # fmt: skip
def test_what_one_person_gains_and_does_is_what_the_arrays_say(more: dict[str, Any]) -> None:
    """With ties: one group's cost is exactly what the success is worth, or both are worth as much.

    The numbers are the same to the last bit.
    """
    artists = {"share": 0.5, "cost": 0.25, "free_riding": 0.5}
    economy = Economy(one_by_one(2, **{"population.groups.artists": artists, **more}))
    for success in ([0.5, 0.5], [0.7, 0.2], [0.5, 0.3], [0.0, 0.5]):
        economy.published = success
        rows = np.arange(60)
        d = revision.gains(economy, rows)
        assert [economy.gain(row).tolist() for row in rows] == d.tolist()
        assert [[p.gain("union"), p.gain("guild")] for p in economy.agents] == d.tolist()
        wanted = choose(d, economy.population.membership)
        assert economy.own_decisions(rows).tolist() == wanted.tolist()
        seen = [[p.success("union"), p.success("guild")] for p in economy.agents]
        assert seen == economy.seen(rows).tolist()

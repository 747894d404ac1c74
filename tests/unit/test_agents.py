"""People as Mesa agents: views of rows, errors, and what Mesa asks of a model."""

from __future__ import annotations

import copy
import operator
import pickle
from collections import Counter
from collections.abc import Callable
from typing import Any

import mesa
import numpy as np
import pytest

from sim.agents import PeopleModel, Person
from sim.model import Economy
from sim.people import PeopleSet
from sim.scenario import Scenario
from tests.unit.people import Passer, Plain, Stubborn, ours_and_mesas, scenario


@pytest.fixture
def economy() -> Economy:
    return Economy(scenario())


# A view -----------------------------------------------------------------------------------------


def test_view_reads_and_writes_its_row(economy: Economy) -> None:
    people, person = economy.population, economy.person(7)
    assert (person.row, person.unique_id, person.model) == (7, 8, economy)
    assert person.cost == people.cost[7] and type(person.cost) is float
    person.cost, person.free_riding = 0.25, 1
    assert (people.cost[7], people.free_riding[7]) == (0.25, 1.0)
    assert person == economy.agents.to_list()[7] and person is not economy.person(7)
    assert hash(person) == hash(economy.person(7)) and person != Economy(scenario()).person(7)
    assert Person(economy, np.int64(7)) == person
    assert repr(person).startswith("<Person 7: ")


def test_join_and_leave_keep_the_counts(economy: Economy) -> None:
    artist = economy.agents.select(lambda p: p.group == "artists" and p.collective is None)[0]
    before = economy.population.counts.copy()
    artist.join("guild")
    assert artist.collective == "guild"
    assert (economy.population.counts - before).tolist() == [0, 1]
    artist.collective = "union"
    assert (economy.population.counts - before).tolist() == [1, 0]
    artist.leave()
    assert artist.collective is None and (economy.population.counts == before).all()
    economy.agents.set("collective", "union")
    assert economy.population.counts.tolist() == [40, 0]


def test_gain_utility_and_decision_are_the_theorys(economy: Economy) -> None:
    union, guild = economy.published
    for person in economy.agents:
        d = (1 - person.free_riding) * union - person.cost - 0.05
        e = (1 - person.free_riding) * guild - person.cost
        e = e if person.group == "artists" else -np.inf
        assert person.gain("union") == pytest.approx(d) and person.gain("guild") == pytest.approx(e)
        best = max((d, "union"), (e, "guild"), (0.0, None), key=operator.itemgetter(0))[1]
        assert person.decide() == best
        inside = {"union": union - person.cost - 0.05, "guild": guild - person.cost, None: 0.0}
        others = union + guild - {"union": union, "guild": guild, None: 0}[person.collective]
        expected = inside[person.collective] + person.free_riding * others
        assert person.utility == pytest.approx(expected)
    assert economy.agents.get("utility") == [person.utility for person in economy.agents]
    assert economy.person(0).success("guild") == guild == economy.published_by_name["guild"]


def test_deciding_by_hand_is_what_the_model_does() -> None:
    by_model, by_hand = Economy(scenario()), Economy(scenario())
    choices = by_hand.agents.map("decide")
    for person, choice in zip(by_hand.agents, choices, strict=True):
        person.join(choice)
    by_model.step()
    assert by_hand.agents.get("collective") == by_model.agents.get("collective")
    assert by_hand.own_decisions(np.arange(40)).tolist() == [
        by_hand.state_decided(person, person.decide()) for person in by_hand.people(None)
    ]
    person = by_hand.person(0)
    person.step()
    assert person.collective == person.decide()


def test_neighbours_and_what_they_show() -> None:
    ring = scenario(population__network={"kind": "watts_strogatz", "k": 4, "p": 0.0})
    economy = Economy(ring)
    person = economy.person(10)
    assert sorted(person.neighbours().get("row")) == [8, 9, 11, 12]
    share = sum(n.collective == "union" for n in person.neighbours()) / 4
    other = sum(n.collective == "guild" for n in person.neighbours()) / 4
    assert person.success("union") == economy.success.at(np.array([share, other]))[0]
    objects = Economy(ring, agent_class=Stubborn)
    assert sorted(objects.person(10).neighbours().get("row")) == [8, 9, 11, 12]
    with pytest.raises(ValueError, match=r"there is no network \(population\.network\)"):
        Economy(scenario()).person(0).neighbours()


def test_no_million_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions about columns make no view at all, nor does running the economy."""
    economy = Economy(scenario(population__size=1000))

    def no_views(*_: Any) -> Any:
        raise AssertionError("a view was made")

    monkeypatch.setattr("sim.agents.views", no_views)
    monkeypatch.setattr(PeopleModel, "person", no_views)
    agents = economy.agents
    assert agents.agg("cost", [np.mean, min]) and agents.get(["cost", "collective"])
    agents.sort("cost").shuffle().select(at_most=0.5).groupby("collective").agg("cost", np.mean)
    agents.set("free_riding", 0.1)
    agents.where(economy.population.cost < 0.3).set("cost", 0.2)
    assert len(agents | agents.where(np.ones(1000, bool))) == 1000
    economy.run()
    with pytest.raises(AssertionError, match="a view was made"):
        agents.map("decide")


def test_whom_a_set_holds(economy: Economy) -> None:
    some = economy.agents.where(economy.population.cost < 0.2)
    assert (some.rows == np.flatnonzero(economy.population.cost < 0.2)).all()
    assert repr(some) == f"<PeopleSet: {len(some)} of 40 people>"
    passer = Passer(economy, 40, cost=0.1)
    assert (economy.agents.rows == np.arange(40)).all() and len(economy.agents) == 41
    assert list(PeopleSet([economy.person(3), passer, economy.person(3)]).get("row")) == [3, 40]
    assert len(PeopleSet([], model=economy)) == 0


def test_order_depends_on_the_models_generator_alone() -> None:
    first, second = Economy(scenario()), Economy(scenario())
    second.random.random()  # Python's generator has no say
    assert first.agents.shuffle().get("row") == second.agents.shuffle().get("row")
    second.rng.random()
    assert first.agents.shuffle().get("row") != second.agents.shuffle().get("row")


# Errors -----------------------------------------------------------------------------------------


def _view_with_state(e: Economy) -> None:
    e.person(3).memory = 1


def _driver(e: Economy) -> Person:
    return next(p for p in e.agents if p.group == "drivers")


ERRORS: dict[str, tuple[Callable[[Economy], Any], type[Exception], str]] = {
    "misspelt collective": (
        lambda e: e.person(0).join("unoin"), ValueError,
        'collective: got \'unoin\'; must be one of "union", "guild", or None; '
        'did you mean "union"?'),
    "collective of a wrong type": (
        lambda e: e.person(0).join(["union"]), ValueError,
        "collective: got ['union']; must be one of \"union\", \"guild\", or None"),
    "gain of nothing": (
        lambda e: e.person(0).gain(None), ValueError,
        'collective: got None; must be one of "union", "guild"'),
    "set of a misspelt collective": (
        lambda e: e.agents.set("collective", "gild"), ValueError, 'did you mean "guild"?'),
    "not recruited": (
        lambda e: _driver(e).join("guild"), ValueError,
        'cannot join "guild": she is in group "drivers", it recruits "artists"'),
    "not recruited, by the model": (
        lambda e: e.join(_driver(e).row, "guild"), ValueError, 'it recruits "artists"'),
    "not recruited, no group": (
        lambda e: next(p for p in e.agents if p.group is None).join("guild"), ValueError,
        "she is in no group"),
    "not recruited, as a column": (
        lambda e: e.agents.set("collective", "guild"), ValueError, 'it recruits "artists"'),
    "cost": (
        lambda e: setattr(e.person(0), "cost", float("nan")), ValueError,
        "cost: got nan; must be a finite number (utility)"),
    "cost as text": (
        lambda e: e.agents.set("cost", "0.3"), ValueError,
        "cost: got '0.3'; must be a finite number (utility)"),
    "free riding": (
        lambda e: setattr(e.person(0), "free_riding", 1.5), ValueError,
        "free_riding: got 1.5; must be in [0, 1]"),
    "state on a view": (
        _view_with_state, AttributeError,
        "a Person is a view of one row and cannot hold 'memory'; for people with a state of their "
        "own subclass Person and use Economy(scenario, agent_class=YourPerson)"),
    "state on many views": (
        lambda e: e.agents.set("memory", 1), AttributeError, "cannot hold 'memory'"),
    "group is given": (
        lambda e: setattr(e.person(0), "group", "artists"), AttributeError, "no setter"),
    "row is given": (lambda e: setattr(e.person(0), "row", 5), AttributeError, "'row'"),
    "removing a person": (
        lambda e: e.person(0).remove(), ValueError,
        "people cannot be removed: they are the rows of the population, whose size N"),
    "discarding from everybody": (
        lambda e: e.agents.discard(e.person(0)), ValueError, "people cannot be removed"),
    "popping from everybody": (
        lambda e: e.agents.pop(), ValueError, "people cannot be removed"),
    "selecting in place": (
        lambda e: e.agents.select(at_most=3, inplace=True), ValueError, "a subset from which"),
    "clearing a type": (
        lambda e: e.agents_by_type[Person].clear(), ValueError, "people cannot be removed"),
    "a person by hand": (
        lambda e: Stubborn(e, 0), ValueError, "use Economy(scenario, agent_class=Stubborn)"),
    "people by hand": (
        lambda e: Person.create_agents(e, 5), ValueError,
        "people are the rows of the population and are made with it"),
    "a row that is not there": (
        lambda e: e.person(40), IndexError, "row: got 40; must be in 0 … 39"),
    "a stranger": (
        lambda e: e.agents.select(at_most=1).add(Plain(mesa.Model(rng=1), 0)), ValueError,
        "is not an agent of this model"),
    "somebody of another economy": (
        lambda e: e.agents.add(Economy(scenario()).person(0)), ValueError, "not an agent of this"),
    "an empty set of nothing": (
        lambda e: PeopleSet([]), ValueError, "an empty PeopleSet needs its model"),
    "a bad mask": (
        lambda e: e.agents.where([1, 0]), ValueError,
        "where: got an array of int64, shape (2,); must be bool, one entry for each of the 40"),
    "published in place": (
        lambda e: e.published.__setitem__(0, 1.0), ValueError, "read-only"),
    "a class that is no person": (
        lambda e: Economy(scenario(), agent_class=Plain), TypeError,
        "must be Person or a subclass of it"),
    "setting agents": (
        lambda e: setattr(e, "agents", []), AttributeError, "trying to set model.agents"),
}  # fmt: skip


@pytest.mark.parametrize("what", ERRORS)
def test_errors_say_what_to_do(what: str, economy: Economy) -> None:
    act, kind, text = ERRORS[what]
    before = economy.agents.get(["cost", "free_riding", "collective"])
    with pytest.raises(kind) as caught:
        act(economy)
    assert text in str(caught.value)
    assert economy.agents.get(["cost", "free_riding", "collective"]) == before
    assert len(economy.agents) == 40


# What Mesa asks of a model ----------------------------------------------------------------------


def test_ordinary_agents_beside_the_population(economy: Economy) -> None:
    subset = economy.agents.select(lambda a: a.row < 3)
    passers = [Passer(economy, 40 + i, cost=1.0) for i in range(3)]
    assert [p.unique_id for p in passers] == [41, 42, 43]
    assert len(economy.agents) == 43 and passers[1] in economy.agents
    assert economy.agent_types == [Person, Passer]
    by_type = economy.agents_by_type
    assert len(by_type[Person]) == 40 and list(by_type[Passer]) == passers
    subset.add(passers[0])
    assert subset.get("cost") == [economy.person(i).cost for i in range(3)] + [1.0]
    passers[0].remove()
    assert len(subset) == 3 and len(economy.agents) == 42 and passers[0] not in subset
    assert list(economy.agents_by_type[Passer]) == passers[1:]
    seen: list[int] = []
    economy.agents.do(lambda a: (seen.append(a.row), passers[2].remove() if a.row == 5 else 0))
    assert seen == [*range(40), 41]  # one who is removed before her turn is left out, as in Mesa
    economy.remove_all_agents()
    assert len(economy.agents) == 40 and economy.agent_types[0] is Person
    late = Passer(economy, 43, cost=0.0)
    assert late.unique_id == 44 and late in economy.agents and len(economy.agents) == 41


def test_signals_of_ordinary_agents(economy: Economy) -> None:
    if not hasattr(economy, "observe"):
        pytest.skip("this Mesa has no signals")
    from mesa.experimental.mesa_signals import ModelSignals

    heard: list[Any] = []

    def hear(message: Any) -> None:
        heard.append(message.signal_type)

    for signal in (ModelSignals.AGENT_ADDED, ModelSignals.AGENT_REMOVED):
        economy.observe("agents", signal, hear)
    Passer(economy, 40).remove()
    assert heard == [ModelSignals.AGENT_ADDED, ModelSignals.AGENT_REMOVED]


def _twice(agent: Any, factor: int) -> float:
    return agent.cost * factor


def collector() -> mesa.DataCollector:
    return mesa.DataCollector(
        model_reporters={"n": lambda m: len(m.agents),
                         "members": lambda m: m.agents.agg("collective", Counter)["union"]},
        agent_reporters={"cost": "cost", "where": lambda a: a.collective, "two": [_twice, [2]]},
        agenttype_reporters={Passer: {"cost": "cost"}, mesa.Agent: {"row": "row"}},
    )  # fmt: skip


def test_data_collector_frames_are_mesas() -> None:
    """Same values, same index, over three steps, with agents beside the people."""
    ours, mesas = ours_and_mesas(beside=4)
    reference = mesas.model
    collectors = collector(), collector()
    for step in range(3):
        for model, data in zip((ours.model, reference), collectors, strict=True):
            mesa.Model.step(model)  # nothing; the clocks are set by hand
            model.steps = step
            if hasattr(model, "time"):
                model.time = float(step)
            for agent in list(model.agents)[step:30:3]:
                agent.join("union" if agent.collective is None else None)
                agent.cost += 0.01
            data.collect(model)
    a, b = collectors
    assert a.get_model_vars_dataframe().equals(b.get_model_vars_dataframe())
    assert a.get_agent_vars_dataframe().equals(b.get_agent_vars_dataframe())
    assert len(a.get_agent_vars_dataframe()) == 3 * 44
    for kind in (Passer, mesa.Agent):
        assert a.get_agenttype_vars_dataframe(kind).equals(b.get_agenttype_vars_dataframe(kind))
    people = mesa.DataCollector(agenttype_reporters={Person: {"cost": "cost"}})
    people.collect(ours.model)
    assert len(people.get_agenttype_vars_dataframe(Person)) == 40


def test_data_collector_inside_a_users_model() -> None:
    class Recorded(Economy):
        def __init__(self, scenario: Scenario) -> None:
            super().__init__(scenario)
            self.datacollector = mesa.DataCollector({"alpha": "alpha"}, {"in": "collective"})

        def step(self) -> None:
            super().step()
            self.datacollector.collect(self)

    model = Recorded(scenario())
    model.run()
    frame = model.datacollector.get_agent_vars_dataframe()
    assert len(frame) == 40 * model.epoch
    last = frame.loc[frame.index.get_level_values(0).max(), "in"]
    assert last.tolist() == model.agents.get("collective")
    assert (model.datacollector.get_model_vars_dataframe()["alpha"].iloc[-1] == model.alpha).all()


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_of_the_model_is_whole_and_its_own(clone: Callable[[Any], Any]) -> None:
    model = Economy(scenario(), agent_class=Person)
    model.step()
    Passer(model, 40, cost=0.5)
    model.agents.shuffle(inplace=True)
    model.friend = model.person(3)
    twin = clone(model)
    assert twin.agents.get(["row", "cost"]) == model.agents.get(["row", "cost"])
    assert twin.friend == twin.person(3) and twin.friend != model.person(3)
    twin.person(5).cost = 0.01
    assert twin.population.cost[5] == 0.01 != model.population.cost[5]
    with pytest.raises(ValueError, match="people cannot be removed"):
        twin.agents.clear()
    twin.person(5).cost = model.person(5).cost
    assert twin.run().series.equals(model.run().series)
    assert twin.agents.select(agent_type=Passer)[0].unique_id == 41

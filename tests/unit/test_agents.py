"""People as Mesa agents: every behaviour of ``mesa.AgentSet`` on views, and people as objects.

The reference is Mesa itself: a genuine ``AgentSet`` of ordinary agents that hold the same values is
asked the same things. What an agent is called in the answers is its row.
"""

from __future__ import annotations

import copy
import operator
import pickle
import re
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import mesa
import numpy as np
import pytest
from mesa.agent import AgentSet

from sim.agents import PeopleModel, Person
from sim.model import Economy
from sim.people import PeopleSet
from sim.scenario import Scenario, loads
from tests import economies

TEXT = """
name = "agents"
epochs = 50
[population]
size = 40
cost = { dist = "uniform", low = 0.0, high = 0.6 }
free_riding = { dist = "values", values = [0.1, 0.2, 0.3, 0.4] }
[population.groups.artists]
share = 0.5
[population.groups.drivers]
share = 0.25
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
start = 0.3
dues = 0.05
[collectives.guild]
strategy = "feature_label"
signal = { uniqueness = 0.02, gap = 1.0 }
recruits = ["artists"]
start = 0.2
[platform]
learner = "bound"
"""


def scenario(**overrides: Any) -> Scenario:
    return loads(TEXT, overrides={k.replace("__", "."): v for k, v in overrides.items()})


@pytest.fixture
def economy() -> Economy:
    return Economy(scenario())


class Plain(mesa.Agent):
    """An ordinary Mesa agent that holds the values of one person, or of a passer-by."""

    def __init__(self, model: mesa.Model, row: int, **values: Any) -> None:
        super().__init__(model)
        self.row = row
        for name, value in values.items():
            setattr(self, name, value)

    def join(self, name: str | None) -> None:
        self.collective = name

    def leave(self) -> None:
        self.collective = None

    def pay(self, amount: float, times: int = 1) -> float:
        self.cost += amount * times
        return self.cost


class Passer(Plain):
    """Lives beside the population."""


def pay(agent: Any, amount: float, times: int = 1) -> float:
    agent.cost += amount * times
    return agent.cost


def ours_and_mesas(beside: int) -> tuple[PeopleSet, AgentSet]:
    """The people of an economy and ordinary agents with the same values, as agent sets."""
    economy, model = Economy(scenario()), mesa.Model(rng=1)
    for person in economy.agents:
        values = {n: getattr(person, n) for n in ("cost", "free_riding", "collective", "group")}
        Plain(model, person.row, **values)
    for i in range(beside):
        values = {"cost": 0.1 * i, "free_riding": 0.25, "collective": "union", "group": None}
        for where in (economy, model):
            Passer(where, 40 + i, **values)
    reference = AgentSet(model.agents, random=model.random)
    reference.model = model  # Mesa's set holds its agents weakly: somebody must keep them
    return economy.agents, reference


def answer(value: Any) -> Any:
    """An answer without the identity of agents and sets: rows, lists and plain numbers."""
    if isinstance(value, mesa.Agent):
        return ("agent", value.row)
    if isinstance(value, AgentSet):
        return ("set", [agent.row for agent in value])
    if hasattr(value, "groups"):
        return ("groups", list(answer(value.groups).items()))
    if isinstance(value, dict):
        return {key: answer(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [answer(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def after(change: Callable[[Any], Any], look: Callable[[Any], Any] = list) -> Callable[[Any], Any]:
    """What ``look`` shows once ``change`` was done."""

    def both(agents: Any) -> Any:
        returned = change(agents)
        return [returned is agents, look(agents)]

    return both


def costs(agents: Any) -> list[float]:
    return [agent.cost for agent in agents]


def members(agents: Any) -> Any:
    return agents.select(lambda a: a.collective == "union")


def cheap(agents: Any) -> Any:
    return agents.select(lambda a: a.cost < 0.3)


def tenth(agents: Any) -> Any:
    return list(agents)[10]


def _visits(agents: Any) -> list[int]:
    seen: list[int] = []
    agents.shuffle_do(lambda agent: seen.append(agent.row))
    return sorted(seen)


def _cloned(agents: Any, clone: Callable[[Any], Any]) -> Any:
    twin_model, twin = clone((agents.model, cheap(agents).sort("cost")))
    return [answer(twin), all(a.model is twin_model is not agents.model for a in twin)]


def _asked_again(agents: Any) -> list[Any]:
    """A set that was asked, then changed, then asked again."""
    some = agents.select()
    before = answer(some & members(agents))
    some.discard(list(members(agents))[2])
    some.sort("cost", inplace=True)
    between = answer([some & members(agents), list(members(agents))[2] in some])
    some.add(list(members(agents))[2])
    return [before, between, answer(some & members(agents)), list(some)]


def _changed(agents: Any, change: Callable[[Any], Any]) -> list[Any]:
    return [answer(change(agents)), list(agents)]


BATTERY: dict[str, Callable[[Any], Any]] = {
    "len": len,
    "bool of a full set": bool,
    "bool of an empty set": lambda s: bool(s.select(lambda a: False)),
    "iterate": list,
    "reversed": lambda s: list(reversed(s)),
    "contains a member": lambda s: tenth(s) in s,
    "contains a non-member": lambda s: tenth(s) in s.select(lambda a: a.row != 10),
    "contains something else": lambda s: ["x" in s, 3 in s, None in s],
    "index with an int": lambda s: [s[0], s[7], s[-1], s[np.int64(3)]],
    "index with a slice": lambda s: [s[2:5], s[::-7], s[100:]],
    "index out of range": lambda s: s[1000],
    "index with a name": lambda s: s["cost"],
    "position of an agent": lambda s: s.index(tenth(s)),
    "count of an agent": lambda s: s.count(tenth(s)),
    "select nothing said": lambda s: s.select(),
    "select in place nothing said": after(lambda s: s.select(inplace=True)),
    "select by filter": cheap,
    "select at_most int": lambda s: s.select(at_most=7),
    "select at_most 1": lambda s: s.select(at_most=1),
    "select at_most 0": lambda s: s.select(at_most=0),
    "select at_most beyond": lambda s: s.select(at_most=10_000),
    "select at_most share": lambda s: s.select(at_most=0.3),
    "select at_most 1.0": lambda s: s.select(at_most=1.0),
    "select at_most 0.0": lambda s: s.select(at_most=0.0),
    "select at_most 2.5": lambda s: s.select(at_most=2.5),
    "select at_most negative": lambda s: s.select(at_most=-3),
    "select filter and at_most": lambda s: s.select(lambda a: a.cost > 0.2, at_most=5),
    "select filter and share": lambda s: s.select(lambda a: a.cost > 0.2, at_most=0.5),
    "select by Mesa's type": lambda s: s.select(agent_type=mesa.Agent),
    "select by another type": lambda s: s.select(agent_type=Passer),
    "select type and at_most": lambda s: s.select(agent_type=mesa.Agent, at_most=3),
    "select type and filter": lambda s: s.select(lambda a: a.cost < 0.3, agent_type=Passer),
    "select in place": after(lambda s: s.select(lambda a: a.cost < 0.3, inplace=True)),
    "select a failing filter": lambda s: s.select(lambda a: a.nonsense),
    "get one": lambda s: s.get("cost"),
    "get names": lambda s: [s.get("collective"), s.get("group")],
    "get row": lambda s: s.get("row"),
    "get several": lambda s: s.get(["cost", "collective", "row"]),
    "get a tuple of names": lambda s: s.get(("cost", "free_riding")),
    "get no names": lambda s: s.get([]),
    "get types": lambda s: {type(v) for v in s.get("cost") + s.get("row") + s.get("group")},
    "get from nobody": lambda s: s.select(lambda a: False).get("cost"),
    "get missing": lambda s: s.get("nonsense"),
    "get missing with default": lambda s: s.get("nonsense", "default", 7),
    "get several with default": lambda s: s.get(["cost", "nonsense"], handle_missing="default"),
    "get known with default": lambda s: s.get("cost", handle_missing="default"),
    "get unknown option": lambda s: s.get("cost", handle_missing="maybe"),
    "set a column": after(lambda s: s.set("cost", 0.125), costs),
    "set a column of a subset": after(lambda s: cheap(s).set("free_riding", 0.5) and s,
                                      lambda s: s.get("free_riding")),
    "set membership": after(lambda s: s.set("collective", "union"), lambda s: s.get("collective")),
    "agg a builtin": lambda s: [s.agg("cost", f) for f in (min, max, sum, len, sorted)],
    "agg numpy": lambda s: [s.agg("cost", f) for f in (np.mean, np.std, np.median, np.max)],
    "agg a list": lambda s: s.agg("cost", [min, np.max, np.ptp, lambda v: v[3]]),
    "agg a tuple": lambda s: s.agg("row", (np.sum, sum)),
    "agg by a callable of lists": lambda s: s.agg("cost", lambda v: v.index(max(v))),
    "agg names": lambda s: s.agg("collective", Counter),
    "agg nobody": lambda s: s.select(lambda a: False).agg("cost", sum),
    "agg missing": lambda s: s.agg("nonsense", sum),
    "map a method": lambda s: s.map("join", "union"),
    "map a function": lambda s: s.map(pay, 0.5, times=2),
    "map a lambda": lambda s: s.map(lambda a: a.row * 2),
    "map a missing method": lambda s: s.map("nonsense"),
    "do a method": after(lambda s: s.do("leave"), lambda s: s.get("collective")),
    "do a method with arguments": after(lambda s: s.do("join", "union"),
                                        lambda s: s.get("collective")),
    "do a function": after(lambda s: s.do(pay, 0.25, times=2), costs),
    "do in a chain": lambda s: s.do("leave").do("join", "union").get("collective"),
    "shuffle keeps the members": lambda s: [sorted(s.shuffle().get("row")), list(s)],
    "shuffle in place": after(lambda s: s.shuffle(inplace=True), lambda s: sorted(s.get("row"))),
    "shuffle_do": after(lambda s: s.shuffle_do("leave"), lambda s: s.get("collective")),
    "shuffle_do a function": after(lambda s: s.shuffle_do(pay, 0.5), costs),
    "shuffle_do visits each once": _visits,
    "sort descends": lambda s: s.sort("cost"),
    "sort ascending": lambda s: s.sort("cost", ascending=True),
    "sort is stable": lambda s: [s.sort("free_riding"), s.sort("free_riding", ascending=True)],
    "sort by a function": lambda s: s.sort(lambda a: (a.free_riding, -a.cost)),
    "sort by a nested attribute": lambda s: s.sort("cost.real"),
    "sort in place": after(lambda s: s.sort("cost", inplace=True)),
    "sort by names": lambda s: s.sort("group"),
    "groupby": lambda s: s.groupby("collective"),
    "groupby numbers": lambda s: s.groupby("free_riding"),
    "groupby a function": lambda s: s.groupby(lambda a: a.cost > 0.3),
    "groupby lists": lambda s: s.groupby("group", result_type="list"),
    "groupby count and len": lambda s: [s.groupby("group").count(), len(s.groupby("group"))],
    "groupby agg": lambda s: s.groupby("group").agg("cost", np.mean),
    "groupby agg of lists": lambda s: s.groupby("group", result_type="list").agg("cost", max),
    "groupby map": lambda s: s.groupby("group").map("get", "cost"),
    "groupby map a function": lambda s: s.groupby("group").map(len),
    "groupby do": after(lambda s: s.groupby("group").do("do", "leave") and s,
                        lambda s: s.get("collective")),
    "groupby iterates": lambda s: [[key, len(group)] for key, group in s.groupby("collective")],
    "groupby nobody": lambda s: s.select(lambda a: False).groupby("group"),
    "union of sets": lambda s: members(s) | cheap(s),
    "union with a list": lambda s: cheap(s) | [tenth(s)],
    "intersection": lambda s: members(s) & cheap(s),
    "intersection in the other's order": lambda s: members(s) & cheap(s).sort("cost"),
    "algebra after a change": _asked_again,
    "difference": lambda s: s - members(s),
    "symmetric difference": lambda s: members(s) ^ cheap(s),
    "with a plain set": lambda s: [
        (members(s) & set(s)).sort("row"), (set(s) & cheap(s)).sort("row"), set(cheap(s)) - s],
    "algebra with a number": lambda s: s | 3,
    "equal whatever the order": lambda s: [s == s.sort("cost"), s != cheap(s), cheap(s) == 3],
    "order of sets": lambda s: [
        cheap(s) < s, s <= s.select(), s > cheap(s), s < s.select(), cheap(s) >= s],
    "disjoint": lambda s: [members(s).isdisjoint(cheap(s)), members(s).isdisjoint(s - members(s))],
    "union in place": lambda s: operator.ior(members(s), cheap(s)),
    "intersection in place": lambda s: operator.iand(members(s), cheap(s)),
    "difference in place": lambda s: operator.isub(s.select(), cheap(s)),
    "symmetric difference in place": lambda s: operator.ixor(members(s), cheap(s)),
    "add to a subset": lambda s: _changed(cheap(s), lambda c: c.add(tenth(s))),
    "discard from a subset": lambda s: _changed(s.select(), lambda c: c.discard(tenth(s))),
    "discard an absent one": lambda s: _changed(s - [tenth(s)], lambda c: c.discard(tenth(s))),
    "remove from a subset": lambda s: _changed(s.select(), lambda c: c.remove(tenth(s))),
    "remove an absent one": lambda s: (s - [tenth(s)]).remove(tenth(s)),
    "pop and clear": lambda s: _changed(s.select(), lambda c: (c.pop(), c.clear())),
    "a copy is its own": lambda s: [_changed(copy.copy(s), lambda c: c.pop()), len(s)],
    "pickled": lambda s: _cloned(s, lambda x: pickle.loads(pickle.dumps(x))),
    "deep copy": lambda s: _cloned(s, copy.deepcopy),
    "who is random": lambda s: type(s.random),
    "agents know their model": lambda s: {a.model.agents[0].row for a in s.select(at_most=2)},
    "agents are hashable": lambda s: len({*s, *s}),
    "agents are equal": lambda s: [tenth(s) == tenth(s), tenth(s) != list(s)[3], tenth(s) == 10],
    "unique ids": lambda s: s.get("unique_id"),
    "hasattr": lambda s: [hasattr(tenth(s), n) for n in ("cost", "nonsense", "rng", "pos")],
}  # fmt: skip


def outcome(behaviour: Callable[[Any], Any], agents: Any) -> Any:
    """The answer, or the kind of error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Mesa's own about [i]
            return answer(behaviour(agents))
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("beside", [0, 5], ids=["people only", "with passers-by"])
@pytest.mark.parametrize("what", BATTERY)
def test_set_of_people_answers_as_mesas(
    what: str, beside: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, mesas = ours_and_mesas(beside)
    if beside:  # ask membership of small sets by mark too
        monkeypatch.setattr("sim.people.SCAN", 0)
    if what == "select in place":  # which model.agents itself would refuse
        ours = ours.select()
    assert outcome(BATTERY[what], ours) == outcome(BATTERY[what], mesas)


def test_battery_would_notice() -> None:
    """One wrong value, one wrong place, one wrong member: each is another answer."""
    ours, mesas = ours_and_mesas(0)
    ours[3].cost = 0.59
    assert outcome(BATTERY["get one"], ours) != outcome(BATTERY["get one"], mesas)
    assert outcome(BATTERY["iterate"], ours.shuffle()) != outcome(BATTERY["iterate"], mesas)
    ours[3].leave() if ours[3].collective else ours[3].join("union")
    assert outcome(BATTERY["groupby"], ours) != outcome(BATTERY["groupby"], mesas)


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
        by_hand.own_decision(row) for row in range(40)
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


# People as objects ------------------------------------------------------------------------------


class Stubborn(Person):
    """Joins the union once and for all when it is worth it; remembers how often she was asked."""

    def setup(self) -> None:
        self.asked = 0
        self.company = len(self.model.agents)

    def decide(self) -> str | None:
        self.asked += 1
        if self.collective:
            return self.collective
        worth = self.model.published_by_name["union"] * (1 - self.free_riding)
        return "union" if worth > self.cost else None


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

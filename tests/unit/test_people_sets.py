"""Every behaviour of ``mesa.AgentSet`` on sets of people.

The reference is Mesa itself: a genuine ``AgentSet`` of ordinary agents that hold the same values is
asked the same things. What an agent is called in the answers is its row.
"""

from __future__ import annotations

import copy
import operator
import pickle
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import mesa
import numpy as np
import pytest
from mesa.agent import AgentSet

from tests.unit.people import Passer, ours_and_mesas


def pay(agent: Any, amount: float, times: int = 1) -> float:
    agent.cost += amount * times
    return agent.cost


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

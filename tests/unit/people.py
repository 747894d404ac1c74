"""Forty people, and ordinary Mesa agents beside them, for the tests of people as agents."""

from __future__ import annotations

from typing import Any

import mesa
from mesa.agent import AgentSet

from sim.agents import Person
from sim.model import Economy
from sim.people import PeopleSet
from sim.scenario import Scenario, loads

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

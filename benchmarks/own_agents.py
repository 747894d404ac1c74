"""People with a Python rule of their own against an idiomatic Mesa model of the same rule.

    python -m benchmarks.own_agents [--sizes 10000,100000] [--write]

A user of the simulator may write a subclass of ``Person`` that decides, or steps, in Python. Then
both sides call one Python method per person and epoch, and what is left to compare is everything
around it. Mesa's agents hold plain attributes and are activated by ``do`` (all see the success
measured before) or ``shuffle_do`` (in random order; whoever moves renews it). Both record the
members once an epoch, each in its own way. The same people walk the same path first.
"""

from __future__ import annotations

import argparse
import gc
import os
from statistics import median
from typing import NamedTuple

import mesa

from benchmarks.engine import make, replaced, seconds
from benchmarks.mesas_order import MesasOrder
from benchmarks.results import machine, write_section
from sim import revision
from sim.model import Economy
from sim.person import Person
from sim.runs import run_result

UNIQUENESS = 0.05  # of benchmarks.engine's collective
ASKED = 0.8


class Individual(mesa.Agent):
    """Mesa's: joins when that gains her anything, and leaves when not."""

    def __init__(self, model: Society, cost: float, free_riding: float, member: bool) -> None:
        super().__init__(model)
        self.cost = cost
        self.free_riding = free_riding
        self.member = member

    def step(self) -> None:
        s = self.model.success
        self.member = s - self.free_riding * s - self.cost > 0


class InTurn(Individual):
    """The same, one after the other: a move is felt at once."""

    def step(self) -> None:
        s = self.model.success
        wants = s - self.free_riding * s - self.cost > 0
        if wants != self.member:
            self.member = wants
            self.model.members += 1 if wants else -1
            self.model.measure()


class Society(mesa.Model):
    """Mesa's model; ``success`` is the feature–label bound at the present number of members."""

    def __init__(self, kind: type[Individual], economy: Economy) -> None:
        super().__init__(rng=0)
        people = economy.population
        self.size, self.in_turn = people.size, kind is InTurn
        columns = (people.cost, people.free_riding, people.membership == 1)
        kind.create_agents(self, self.size, *(column.tolist() for column in columns))
        self.datacollector = mesa.DataCollector(model_reporters={"members": "members"})

    def measure(self) -> None:
        a = self.members / self.size
        self.success = min(max(1 - (1 - a) / a * UNIQUENESS, 0.0), 1.0) if a else 0.0

    def step(self) -> None:
        self.members = sum(self.agents.get("member"))
        self.measure()
        self.datacollector.collect(self)
        if self.in_turn:
            self.agents.shuffle_do("step")
        else:
            self.agents.do("step")


class Decides(Person):
    """Ours: the model asks her and moves her."""

    def decide(self) -> str | None:
        s = self.model.published_by_name["c1"]
        return "c1" if s - self.free_riding * s - self.cost > 0 else None


class Steps(Person):
    """Ours: she moves herself."""

    def step(self) -> None:
        s = self.model.published_by_name["c1"]
        self.join("c1" if s - self.free_riding * s - self.cost > 0 else None)


class Case(NamedTuple):
    own: type[Person]
    mesas: type[Individual]
    activation: str


CASES = {
    "decide, simultaneous": Case(Decides, Individual, "simultaneous"),
    "decide, sequential": Case(Decides, InTurn, "sequential"),
    "step, simultaneous": Case(Steps, Individual, "simultaneous"),
    "step, sequential": Case(Steps, InTurn, "sequential"),
}


def pair(case: Case, size: int) -> tuple[Economy, Society]:
    """The same people in both."""
    world = make(size, {"revision.activation": case.activation}, 1)
    economy = Economy(world, agent_class=case.own)
    return economy, Society(case.mesas, economy)


def check_same_trajectory(case: Case, size: int) -> None:
    """Five epochs of both in the same order; raises where they differ."""
    economy, society = pair(case, size)
    society.random.seed(1)
    orders = MesasOrder(1)
    with replaced(revision, "_random_order", lambda _, count: orders(count)):
        for epoch in range(5):
            economy.step()
            society.step()
            members = [person.collective == "c1" for person in economy.agents]
            if members != society.agents.get("member"):
                raise AssertionError(f"{case}: another trajectory in epoch {epoch}")
    collected = society.datacollector.get_model_vars_dataframe()["members"].tolist()
    if run_result(economy).series["members"].tolist()[:-1] != collected:
        raise AssertionError(f"{case}: another series")


def compare(case: Case, size: int, rounds: int) -> list[tuple[float, float]]:
    """Median seconds (Mesa, ours) of the first epoch, which many move in, and of the sixth."""
    economy, society = pair(case, size)
    start = economy.population.membership.copy()
    times: dict[tuple[int, bool], list[float]] = {}
    for _ in range(rounds):
        economy.population.assign(None, start)
        for person, member in zip(society.agents, (start == 1).tolist(), strict=True):
            person.member = member
        gc.collect()
        for epoch in range(6):
            times.setdefault((epoch, False), []).append(seconds(society.step))
            times.setdefault((epoch, True), []).append(seconds(economy.step))
    return [(median(times[epoch, False]), median(times[epoch, True])) for epoch in (0, 5)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    lines = [
        f"`python -m benchmarks.own_agents`, {machine()}; load of the machine "
        f"{os.getloadavg()[0]:.1f}.",
        f"Time per epoch, medians of {options.rounds} rounds in turn from the same start: the "
        "first epoch, in which half of the people move, and the sixth, in which hardly anybody "
        f"does. Same trajectories checked at N = 2,000. Asked for: {ASKED} of Mesa's speed.",
        "",
        "| rule in Python | N | epoch | Mesa, ms | alphacrit, ms | of Mesa's speed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, case in CASES.items():
        check_same_trajectory(case, 2_000)
        for size in [int(size) for size in options.sizes.split(",")]:
            both = compare(case, size, options.rounds)
            for epoch, (mesas, own) in zip(("first", "sixth"), both, strict=True):
                lines.append(
                    f"| {name} | {size:,} | {epoch} | {mesas * 1e3:,.2f} | {own * 1e3:,.2f} "
                    f"| {mesas / own:.2f} |"
                )
                print(lines[-1], flush=True)
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("People with a Python rule of their own", text)


if __name__ == "__main__":
    main()

"""The same economy as an idiomatic Mesa model: one Python object per person, nothing else.

The kindest form that Mesa's own documentation suggests: plain attributes, plain Python floats, no
data collection, ``do`` where the order cannot matter and ``shuffle_do`` where it does.
"""

from __future__ import annotations

from math import exp

import mesa
import numpy as np


class MesaPerson(mesa.Agent):
    """One person; ``member`` is 0 (outside) or the number of a collective."""

    def __init__(self, model: MesaEconomy, cost: float, free_riding: float, member: int) -> None:
        super().__init__(model)
        self.cost = cost
        self.free_riding = free_riding
        self.member = member
        self.next = member
        self.neighbours: list[MesaPerson] = []

    def best_response(self) -> None:
        s = self.model.success[0]
        d = s - self.free_riding * s - self.cost
        self.next = 1 if d > 0 else (self.member if d == 0 else 0)

    def logit(self) -> None:
        s = self.model.success[0]
        d = s - self.free_riding * s - self.cost
        self.next = int(self.random.random() >= 1 / (1 + exp(d / self.model.noise)))

    def best_of_several(self) -> None:
        self.next = self.best_of(self.model.success)

    def best_of(self, success: list[float]) -> int:
        best, pick, own = 0.0, 0, 0.0
        for k, s in enumerate(success, start=1):
            d = s - self.free_riding * s - self.cost
            if d > best:
                best, pick = d, k
            if k == self.member:
                own = d
        return self.member if own == best else pick

    def several_on_network(self) -> None:
        counts = [0] * (len(self.model.k) + 1)
        for other in self.neighbours:
            counts[other.member] += 1
        self.next = self.best_of(self.model.success_of(counts))

    def one_after_the_other_on_network(self) -> None:
        self.several_on_network()
        self.advance()

    def on_network(self) -> None:
        near = sum(other.member for other in self.neighbours)
        s = self.model.success_at(near, max(len(self.neighbours), 1))
        d = s - self.free_riding * s - self.cost
        self.next = 1 if d > 0 else (self.member if d == 0 else 0)

    def one_after_the_other(self) -> None:
        s = self.model.success_at(self.model.members, self.model.size)
        d = s - self.free_riding * s - self.cost
        new = 1 if d > 0 else (self.member if d == 0 else 0)
        self.model.members += new - self.member
        self.member = new

    def advance(self) -> None:
        self.member = self.next


class MesaEconomy(mesa.Model):
    """People who join if S(α) > c/(1 − γ), with the feature–label bound of one signal each."""

    def __init__(self, cost, free_riding, member, k, noise=0.0, rng=0) -> None:
        super().__init__(rng=rng)
        self.k = k  # Δξ of each collective
        self.noise = noise
        self.size = len(cost)
        MesaPerson.create_agents(self, self.size, cost, free_riding, member)

    def tie(self, edges) -> None:
        people = list(self.agents)
        for a, b in edges:
            people[a].neighbours.append(people[b])
            people[b].neighbours.append(people[a])

    def success_at(self, members: int, size: int) -> float:
        if members == 0:
            return 0.0
        a = members / size
        return min(max(1 - (1 - a) / a * self.k[0], 0.0), 1.0)

    def measure(self) -> None:
        counts = [0] * (len(self.k) + 1)
        for member in self.agents.get("member"):
            counts[member] += 1
        self.members = counts[1]
        self.success = self.success_of(counts)

    def success_of(self, counts: list[int]) -> list[float]:
        size, inside = sum(counts), 0.0
        for n in counts[1:]:  # in this order: where all are members rounding decides who is best
            inside += n / size if n else 0.0
        outside = max(1 - inside, 0.0)
        return [
            min(max(1 - outside * k / (n / size), 0.0), 1.0) if n else 0.0
            for n, k in zip(counts[1:], self.k, strict=True)
        ]

    def epoch(self, rule: str) -> None:
        self.measure()
        if rule.startswith("one_after_the_other"):
            self.agents.shuffle_do(rule)
        elif rule == "a_share":
            chosen = self.random.sample(list(self.agents), round(0.1 * self.size))
            for person in chosen:
                person.best_response()
            for person in chosen:
                person.advance()
        else:
            self.agents.do(rule)
            self.agents.do("advance")


class MesaRun(MesaEconomy):
    """One run of a sweep as Mesa's ``batch_run`` wants it: draws its people, stops by itself.

    It stops when nobody has moved for three epochs (if it ``settles``), or after ``epochs``. Sizes
    are collected once an epoch, as ``batch_run`` needs it.
    """

    def __init__(
        self, cost_mean, free_riding, rule="best_response", noise=0.0, size=1000, start=0.05,
        uniqueness=0.01, epochs=200, settles=True, rng=None, people=None,
    ) -> None:  # fmt: skip
        if people is None:
            draws = np.random.default_rng(rng)
            member = [0] * size
            for row in draws.permutation(size)[: round(start * size)].tolist():
                member[row] = 1
            cost = draws.normal(cost_mean, 0.1, size).tolist()
            people = (cost, [free_riding] * size, member)
        super().__init__(*people, [uniqueness], noise, rng)
        self.rule, self.epochs, self.settles = rule, epochs, settles
        self.time_passed = self.quiet = 0
        self.states = people[2]
        self.datacollector = mesa.DataCollector(model_reporters={"members": "members"})

    def step(self) -> None:
        self.epoch(self.rule)
        before, self.states = self.states, self.agents.get("member")
        self.members = sum(self.states)
        self.time_passed += 1
        if self.settles and self.rule == "best_response":
            self.quiet = self.quiet + 1 if self.states == before else 0
        self.running = self.quiet < 3 and self.time_passed < self.epochs
        self.datacollector.collect(self)

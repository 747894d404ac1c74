"""The simultaneous best response in other frameworks: mesa-frames, AgentPy; beside ours and Mesa's.

    python -m benchmarks.frameworks [--size 1000000] [--write]

Each is written as its own documentation would: mesa-frames as one polars expression over the whole
frame (lazy frames and columns set by name are slower), AgentPy as a method called on the list of
agents. The fastest forms of mesa-frames keep one rounded threshold in place of cost and free-riding
factor; alphacrit's decisions are exact. All must have the same members as the economy for five
epochs at a small size. A framework that is not there is skipped with the reason. EGTtools has
populations of strategy counts under pairwise comparison, and no people with thresholds of their
own: it cannot express the rule. (mesa-frames 0.1 asks for numpy 1 but runs on numpy 2: pip install
--no-deps mesa-frames polars polars-runtime-32.)
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from benchmarks.engine import copy_rate, make, mesa_twin, seconds
from benchmarks.results import machine, write_section
from sim.model import Economy

KAPPA = 0.05  # Δξ of the benchmark's collective


def success_at(members: int, size: int) -> float:
    """The feature–label bound, as in benchmarks.mesa_economy."""
    if not members:
        return 0.0
    a = members / size
    return min(max(1 - (1 - a) / a * KAPPA, 0.0), 1.0)


class MesaFrames:
    """People as rows of a polars frame in a mesa-frames agent set: the formula as it stands."""

    def __init__(self, cost: np.ndarray, free_riding: np.ndarray, member: np.ndarray) -> None:
        import polars as pl
        from mesa_frames import AgentSetPolars, ModelDF

        next_member = self.next_member

        class People(AgentSetPolars):
            def step(self) -> None:
                s = success_at(int(self.agents["member"].sum()), len(self.agents))
                self.agents = self.agents.with_columns(member=next_member(s))

        self.model = ModelDF()
        self.people = People(self.model)
        columns = self.columns(cost, free_riding, member)
        self.people += pl.DataFrame({"unique_id": np.arange(len(cost)), **columns})

    def columns(self, cost: Any, free_riding: Any, member: Any) -> dict[str, np.ndarray]:
        return {"cost": cost, "free_riding": free_riding, "member": member}

    def next_member(self, s: float) -> Any:
        import polars as pl

        d = s - pl.col("free_riding") * s - pl.col("cost")
        return ((d > 0) | ((d == 0) & (pl.col("member") == 1))).cast(pl.Int8)

    def epoch(self) -> None:
        self.people.step()

    def members(self) -> list[int]:
        return self.people.agents["member"].cast(int).to_list()


class Thresholds(MesaFrames):
    """The same with one float32 threshold per person, made once: rounded, so that people whose
    threshold all but equals the success may decide otherwise."""

    def columns(self, cost: Any, free_riding: Any, member: Any) -> dict[str, np.ndarray]:
        return {"theta": (cost / (1 - free_riding)).astype(np.float32), "member": member}

    def next_member(self, s: float) -> Any:
        import polars as pl

        theta, met = pl.col("theta"), pl.lit(np.float32(s))
        return ((theta < met) | ((theta == met) & (pl.col("member") == 1))).cast(pl.Int8)


class Bits(Thresholds):
    """And members as polars' booleans, which are bits."""

    def columns(self, cost: Any, free_riding: Any, member: Any) -> dict[str, np.ndarray]:
        return super().columns(cost, free_riding, member == 1)

    def next_member(self, s: float) -> Any:
        import polars as pl

        theta, met = pl.col("theta"), pl.lit(np.float32(s))
        return (theta < met) | ((theta == met) & pl.col("member"))


class AgentPy:
    """People as agents of AgentPy."""

    def __init__(self, cost: np.ndarray, free_riding: np.ndarray, member: np.ndarray) -> None:
        import agentpy as ap

        class Individual(ap.Agent):
            def decide(self, s: float) -> None:
                d = s - self.free_riding * s - self.cost
                self.member = 1 if d > 0 else (self.member if d == 0 else 0)

        self.people = ap.AgentList(ap.Model(), len(cost), Individual)
        self.people.cost = ap.AttrIter(cost.tolist())
        self.people.free_riding = ap.AttrIter(free_riding.tolist())
        self.people.member = ap.AttrIter(member.tolist())

    def epoch(self) -> None:
        self.people.decide(success_at(sum(self.people.member), len(self.people)))

    def members(self) -> list[int]:
        return list(self.people.member)


OTHERS = {
    "mesa-frames": MesaFrames,
    "mesa-frames, rounded thresholds": Thresholds,
    "mesa-frames, rounded thresholds, members as bits": Bits,
    "AgentPy": AgentPy,
}


def columns(economy: Economy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    people = economy.population
    return people.cost.copy(), people.free_riding.copy(), people.membership.copy()


def check(framework: type[MesaFrames | AgentPy]) -> None:
    """Five epochs beside the economy; raises where the members differ."""
    economy = Economy(make(5_000, {}, 1), compiled=True)
    other = framework(*columns(economy))
    for epoch in range(5):
        economy.step()
        other.epoch()
        if economy.population.membership.tolist() != other.members():
            raise AssertionError(f"{framework.__name__}: other members in epoch {epoch}")


EPOCHS = 50  # of a run from the start


def timed(epoch: Callable[[], object], epochs: int) -> float:
    """Mean seconds of so many epochs after the first: they take as long whoever moves."""
    epoch()
    return seconds(lambda: [epoch() for _ in range(epochs)]) / epochs


def timed_own(economy: Economy, epochs: int, rounds: int) -> float:
    """Mean seconds of our first epochs, median over runs from the same start."""
    start, times = economy.population.membership.copy(), []
    for _ in range(rounds + 1):
        economy.population.assign(None, start)
        times.append(seconds(lambda: [economy.step() for _ in range(epochs)]) / epochs)
    return median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    economy = Economy(make(options.size, {}, 1), engine="rows")
    people = columns(economy)
    first = timed_own(economy, 1, 20 * options.rounds)
    own = timed_own(economy, EPOCHS, 5 * options.rounds)
    twin = mesa_twin(economy)
    times = {"Mesa": timed(partial(twin.epoch, "best_response"), options.rounds)}
    skipped = ["EGTtools: no people with thresholds of their own"]
    for name, framework in OTHERS.items():
        try:
            check(framework)
        except ImportError as error:
            skipped.append(f"{name}: {error}")
            continue
        few = options.rounds if framework is AgentPy else EPOCHS
        times[name] = timed(framework(*people).epoch, few)
    lines = [
        f"`python -m benchmarks.frameworks --size {options.size}`, {machine()}; load of the "
        f"machine {os.getloadavg()[0]:.1f}; one core copies {copy_rate() / 1e9:.1f} GB/s.",
        f"Simultaneous best response of {options.size:,} people, members written; same members "
        "checked over five epochs of 5,000 people. The others ask everybody in every epoch; after "
        f"the first, alphacrit asks those who may move: its first, in which half of all move, "
        f"takes {first * 1e3:,.3f} ms, the mean of a run's first {EPOCHS} is {own * 1e3:,.3f} ms.",
        "",
        "| framework | ms per epoch | times alphacrit's mean | times its first epoch |",
        "| --- | --- | --- | --- |",
        *(
            f"| {name} | {t * 1e3:,.3f} | {t / own:,.1f} | {t / first:,.1f} |"
            for name, t in times.items()
        ),
        "",
        f"Skipped: {'; '.join(skipped)}.",
    ]
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("Other frameworks", text)


if __name__ == "__main__":
    main()

"""Time per epoch against an idiomatic Mesa model of the same rule, side by side in one run.

    python -m benchmarks.engine [--size 1000000] [--write]
    python -m benchmarks.engine --sizes 100000,1000000,10000000,100000000 [--write]

For each rule both sides first walk five epochs at a small size with the same random numbers, and
must have the same members throughout; then both are timed at full size, epoch by epoch in turn,
from the same start. (Where compiled loops draw for themselves, at full size, it is another sample
of the same law: tests/unit/test_kernels.py.) People are rows throughout, and their membership is
written. With ``--sizes`` our side alone is timed at several sizes, beside the rate of copying
memory in the same run. ``--write`` replaces the section of benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.mesa_economy import MesaEconomy
from benchmarks.mesas_order import MesasOrder
from benchmarks.results import machine, write_section
from sim import compact, revision
from sim.model import Economy
from sim.scenario import Scenario, loads

TEXT = """
name = "benchmark"
epochs = 1_000_000
stop = { when = "never" }
[population]
cost = { dist = "uniform", low = 0.0, high = 1.0 }
free_riding = { dist = "uniform", low = 0.0, high = 0.5 }
[platform]
learner = "bound"
[collectives.c1]
strategy = "feature_label"
start = 0.3
signal = { uniqueness = 0.05, gap = 1.0 }
"""
MORE = "".join(
    f'[collectives.c{k}]\nstrategy = "feature_label"\nstart = 0.2\n'
    f"signal = {{ uniqueness = {u}, gap = 1.0 }}\n"
    for k, u in ((2, 0.04), (3, 0.06))
)


class Rule(NamedTuple):
    """A rule of both sides."""

    method: str  # Mesa's
    overrides: dict[str, Any]
    collectives: int
    asked: int  # times faster than Mesa; 0: nothing was asked for
    way: str = ""  # how our side is timed; "" from the same start each time


IN_TURN = {"revision.activation": "sequential"}
NETWORK = {"population.network": {"kind": "erdos_renyi", "mean_degree": 10.0}}
LOGIT = {"revision": {"protocol": "logit", "noise": 0.1}}
RULES = {
    "simultaneous best response": Rule("best_response", {}, 1, 8000),
    "simultaneous, mean of 50 epochs": Rule("best_response", {}, 1, 8000, "fifty"),
    "sequential, mean of 50 epochs": Rule("one_after_the_other", IN_TURN, 1, 2000, "fifty"),
    "sequential, in Mesa's order": Rule("one_after_the_other", IN_TURN, 1, 200, "mesa's order"),
    "a tenth revises": Rule("a_share", {"revision.rate": 0.1}, 1, 2000),
    "logit": Rule("logit", LOGIT, 1, 1500),
    "three collectives": Rule("best_of_several", {}, 3, 2500),
    "three collectives, float64": Rule("best_of_several", {}, 3, 800, "float64"),
    "network, mean degree 10": Rule("on_network", NETWORK, 1, 1000),
    "network, near rest": Rule("on_network", NETWORK, 1, 8000, "near rest"),
    "three on a network": Rule("several_on_network", NETWORK, 3, 0),
    "three on a network, sequential, mean of 50 epochs": Rule(
        "one_after_the_other_on_network", {**NETWORK, **IN_TURN}, 3, 0, "fifty"
    ),
}
CREATION_TARGET, BYTES_TARGET = 50, 64


def make(size: int, overrides: dict, collectives: int) -> Scenario:
    text = TEXT + (MORE if collectives > 1 else "")
    return loads(text, overrides={"population.size": size, **overrides})


def mesa_twin(economy: Economy, seed: int = 0) -> MesaEconomy:
    """Mesa's model of the same people."""
    people = economy.population
    k = [c.signal.uniqueness * c.signal.gap for c in economy.scenario.collectives.values()]
    twin = MesaEconomy(
        people.cost.tolist(), people.free_riding.tolist(), people.membership.tolist(), k,
        economy.noise, seed,
    )  # fmt: skip
    if economy.graph is not None:
        twin.tie(economy.graph.edges().tolist())
    return twin


class PythonUniforms:
    """Mesa's uniforms, handed to the economy in place of its own stream."""

    def __init__(self, seed: int) -> None:
        self.source = random.Random(seed)

    def random(self, size: int) -> np.ndarray:
        return np.array([self.source.random() for _ in range(size)])


class PythonSample:
    """Mesa's choice of revisers, in place of the economy's own stream."""

    def __init__(self, seed: int) -> None:
        self.source = random.Random(seed)

    def choice(self, size: int, count: int, **_: object) -> np.ndarray:
        return np.array(self.source.sample(range(size), count))


@contextmanager
def replaced(module: Any, name: str, new: Any) -> Iterator[None]:
    """A function of a module is another one for a while."""
    old = getattr(module, name)
    setattr(module, name, new)
    try:
        yield
    finally:
        setattr(module, name, old)


def check_same_trajectory(rule: Rule, size: int) -> None:
    """Five epochs of both with the same randomness; raises where they differ."""
    economy = Economy(make(size, rule.overrides, rule.collectives), compiled=True)
    twin = mesa_twin(economy)
    economy.streams.revision = PythonUniforms(1)
    economy.streams.activation = PythonSample(1)
    twin.random.seed(1)
    orders = MesasOrder(1)
    with (
        replaced(revision, "_random_order", lambda _, count: orders(count)),
        timed_as(rule.way, economy),
    ):
        for epoch in range(5):
            economy.step()
            twin.epoch(rule.method)
            if economy.population.membership.tolist() != twin.agents.get("member"):
                raise AssertionError(f"{rule.method}: another trajectory in epoch {epoch}")


@contextmanager
def timed_as(way: str, economy: Economy) -> Iterator[None]:
    """Our side as it is to be timed."""
    if way == "mesa's order":  # people come in an order that is handed in
        orders = MesasOrder(0)
        with (
            replaced(compact, "revise", lambda *_, **__: None),
            replaced(compact, "rows_at_random", lambda _, count: orders(count)),
        ):
            yield
    elif way == "float64":  # without thresholds
        with replaced(compact, "choice", lambda _: None):
            yield
    else:
        yield


def seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def own_epochs(economy: Economy, rule: Rule, start: np.ndarray, times: int) -> list[float]:
    """Seconds per epoch of our side."""
    spent = []
    with timed_as(rule.way, economy):
        for _ in range(times):
            if rule.way == "near rest":  # a few people are moved by chance, and look around
                people = np.arange(economy.epoch % 1000, economy.population.size, 100_000)
                economy.population.assign(people, 1 - economy.population.membership[people])
                spent.append(seconds(economy.step))
                continue
            if economy.graph is not None:
                economy.step()  # or else it has the neighbours at the start counted already
            economy.population.assign(None, start)
            epochs = 50 if rule.way == "fifty" else 1
            spent.append(seconds(lambda: [economy.step() for _ in range(epochs)]) / epochs)  # noqa: B023
            if not economy.running:
                raise AssertionError(f"stopped ({economy.stopped}) while being timed")
    return spent


def compare(rule: Rule, size: int, rounds: int) -> tuple[float, float]:
    """Median seconds per epoch of Mesa and of the economy, from the same start each time."""
    economy = Economy(make(size, rule.overrides, rule.collectives), engine="rows")
    twin = mesa_twin(economy)
    start = economy.population.membership.copy()
    mesa_times, own_times = [], []
    own_epochs(economy, rule._replace(way=rule.way if rule.way == "float64" else ""), start, 1)
    if rule.way == "near rest":
        for _ in range(30):
            economy.step()
    for _ in range(rounds):
        for person, member in zip(twin.agents, start.tolist(), strict=True):
            person.member = member
        gc.collect()
        mesa_times.append(seconds(lambda: twin.epoch(rule.method)))
        own_times += own_epochs(economy, rule, start, 2 if rule.way == "fifty" else 10)
    return median(mesa_times), median(own_times)


def copy_rate() -> float:
    """Bytes that one core reads and writes in a second when it copies 400 MB."""
    source = np.ones(400_000_000, np.uint8)
    target = np.empty_like(source)
    return 2 * source.nbytes / median(seconds(lambda: np.copyto(target, source)) for _ in range(7))


FEW = 1000  # people whose epoch costs hardly more than calling the loops

BYTES = {  # per person and epoch, at least, of the loops that read everybody in order
    "simultaneous best response": 4,
    "a tenth revises": 6,
    "logit": 10,
    "three collectives": 4,
    "three collectives, float64": 18,
}


def by_size(sizes: list[int], rounds: int) -> list[str]:
    """Rows of a table: nanoseconds per person and epoch at each size, and the share of the copy."""
    rate = copy_rate()
    lines = [
        "Nanoseconds per person and epoch from the same start (where it says so: mean of 50), "
        f"medians; one core copies {rate / 1e9:.1f} GB/s, read and write counted, in the same run. "
        f"What an epoch costs whatever its size is that of {FEW:,} people on the same way, in µs; "
        "it is part of the numbers on its right.",
        "",
        f"| rule | fixed, µs | {' | '.join(f'{size:,}' for size in sizes)} | of the copy rate |",
        f"| --- |{' --- |' * (len(sizes) + 2)}",
    ]
    for name, rule in RULES.items():
        if rule.way in ("mesa's order", "near rest"):
            continue
        with replaced(compact, "OWN_DRAWS_FROM", 0):
            cells, last = [f"{1e6 * own_time(rule, FEW, 10 * rounds):.0f}"], 0.0
        for size in sizes:
            if size > 10**7 and "population.network" in rule.overrides:
                cells.append("–")
                continue
            few = 1 if rule.way == "fifty" or size > 10**7 else 10
            last = own_time(rule, size, few * rounds) / size
            cells.append(f"{last * 1e9:.3f}")
        share = f"{BYTES[name] / last / rate:.0%}" if name in BYTES else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {share} |")
        print(lines[-1], flush=True)
    return lines


def own_time(rule: Rule, size: int, times: int) -> float:
    """Median seconds per epoch of our side alone."""
    economy = Economy(make(size, rule.overrides, rule.collectives), compiled=True, engine="rows")
    start = economy.population.membership.copy()
    own_epochs(economy, rule, start, 1)
    found = median(own_epochs(economy, rule, start, times))
    del economy
    gc.collect()
    return found


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def creation(size: int) -> tuple[float, float, float, float]:
    """Seconds to create each (Mesa's with the values already drawn), bytes per person of each."""
    world = make(size, {}, 1)
    Economy(make(1000, {}, 1), compiled=True)
    gc.collect()
    before = resident()
    kept: list = []
    own = seconds(lambda: kept.append(Economy(world, engine="rows")))
    own_bytes = (resident() - before) / size
    people = kept[0].population
    columns = (people.cost.tolist(), people.free_riding.tolist(), people.membership.tolist())
    gc.collect()
    before = resident()
    mesa = seconds(lambda: kept.append(MesaEconomy(*columns, [0.05])))
    return mesa, own, (resident() - before) / size, own_bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--sizes", help="our side alone at these sizes, with commas between")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rules whose names contain this")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    for name in [name for name in RULES if options.only not in name]:
        del RULES[name]
    if options.sizes:
        lines = by_size([int(size) for size in options.sizes.split(",")], options.rounds)
        title = "Engine by size"
        call = f"--sizes {options.sizes}"
    else:
        lines = beside_mesa(options.size, options.rounds)
        title = "Engine against idiomatic Mesa"
        call = f"--size {options.size}"
    load = f"load of the machine {os.getloadavg()[0]:.1f}"
    text = "\n".join([f"`python -m benchmarks.engine {call}`, {machine()}; {load}.", *lines])
    print(text)
    if options.write:
        write_section(title, text)


def beside_mesa(size: int, rounds: int) -> list[str]:
    """The table of all rules beside Mesa's times."""
    lines = [
        f"Time per epoch, N = {size:,}, medians of {rounds} epochs of Mesa and {10 * rounds} of "
        "alphacrit in turn; same trajectories checked at N = 5,000.",
        "",
        "| rule | Mesa, ms | alphacrit, ms | times faster | asked for |",
        "| --- | --- | --- | --- | --- |",
    ]
    mesa, own, mesa_bytes, own_bytes = creation(size)
    for name, rule in RULES.items():
        check_same_trajectory(rule, 5_000)
        slow, fast = compare(rule, size, rounds)
        asked = f" {rule.asked:,}" if rule.asked else ""
        lines.append(
            f"| {name} | {slow * 1e3:,.0f} | {fast * 1e3:,.3f} | {slow / fast:,.0f} |{asked} |"
        )
        print(lines[-1], flush=True)
        gc.collect()
    return [
        *lines,
        f"| creation of the population | {mesa * 1e3:,.0f} | {own * 1e3:,.1f} | {mesa / own:,.0f} "
        f"| {CREATION_TARGET} |",
        "",
        f"Resident memory that creation adds: Mesa {mesa_bytes:,.0f}, alphacrit {own_bytes:,.0f} "
        f"bytes per person (asked for: at most {BYTES_TARGET}).",
    ]


if __name__ == "__main__":
    main()

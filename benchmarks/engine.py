"""Time per epoch against an idiomatic Mesa model of the same rule, side by side in one run.

    python -m benchmarks.engine [--size 1000000] [--write]

For each rule both sides first walk five epochs at a small size with the same random numbers, and
must have the same members throughout; then both are timed at full size, epoch by epoch in turn,
from the same start. ``--write`` replaces the engine section of benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from statistics import median

import numpy as np

from benchmarks.mesa_economy import MesaEconomy
from benchmarks.results import machine, write_section
from sim import revision
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
RULES = {  # name: (Mesa's method, overrides, collectives, times faster that were asked for)
    "simultaneous best response": ("best_response", {}, 1, 100),
    "logit": ("logit", {"revision": {"protocol": "logit", "noise": 0.1}}, 1, 100),
    "network, mean degree 10": (
        "on_network",
        {"population.network": {"kind": "erdos_renyi", "mean_degree": 10.0}},
        1,
        100,
    ),
    "sequential, random order": (
        "one_after_the_other",
        {"revision.activation": "sequential"},
        1,
        50,
    ),
    "three collectives": ("best_of_several", {}, 3, 25),
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


def check_same_trajectory(method: str, overrides: dict, collectives: int, size: int) -> None:
    """Five epochs of both with the same randomness; raises where they differ."""
    economy = Economy(make(size, overrides, collectives), compiled=True)
    twin = mesa_twin(economy)
    economy.streams.revision = PythonUniforms(1)
    twin.random.seed(1)
    orders = random.Random(1)
    drawn = revision._random_order

    def mesas_order(_: Economy, count: int) -> np.ndarray:
        order = list(range(count))
        orders.shuffle(order)
        return np.array(order, np.int32)

    revision._random_order = mesas_order
    try:
        for epoch in range(5):
            economy.step()
            twin.epoch(method)
            if economy.population.membership.tolist() != twin.agents.get("member"):
                raise AssertionError(f"{method}: another trajectory in epoch {epoch}")
    finally:
        revision._random_order = drawn


def seconds(task) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def compare(method: str, overrides: dict, collectives: int, size: int, rounds: int):
    """Median seconds per epoch of Mesa and of the economy, from the same start each time."""
    economy = Economy(make(size, overrides, collectives))
    twin = mesa_twin(economy)
    start = economy.population.membership.copy()
    mesa_times, own_times = [], []
    economy.step()
    for _ in range(rounds):
        for person, member in zip(twin.agents, start.tolist(), strict=True):
            person.member = member
        gc.collect()
        mesa_times.append(seconds(lambda: twin.epoch(method)))
        for _ in range(10):
            economy.population.assign(None, start)
            own_times.append(seconds(economy.step))
            if not economy.running:
                raise AssertionError(f"{method}: stopped ({economy.stopped}) while being timed")
    return median(mesa_times), median(own_times)


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
    own = seconds(lambda: kept.append(Economy(world)))
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
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    size = options.size
    lines = [
        f"`python -m benchmarks.engine --size {size}`, {machine()}.",
        f"Time per epoch, N = {size:,}, medians of {options.rounds} epochs of Mesa and "
        f"{10 * options.rounds} of alphacrit in turn; same trajectories checked at N = 5,000.",
        "",
        "| rule | Mesa, ms | alphacrit, ms | times faster | asked for |",
        "| --- | --- | --- | --- | --- |",
    ]
    mesa, own, mesa_bytes, own_bytes = creation(size)
    lines_after = [
        f"| creation of the population | {mesa * 1e3:,.0f} | {own * 1e3:,.1f} | {mesa / own:,.0f} "
        f"| {CREATION_TARGET} |",
        "",
        f"Resident memory that creation adds: Mesa {mesa_bytes:,.0f}, alphacrit {own_bytes:,.0f} "
        f"bytes per person (asked for: at most {BYTES_TARGET}).",
    ]
    for name, (method, overrides, collectives, target) in RULES.items():
        check_same_trajectory(method, overrides, collectives, 5_000)
        slow, fast = compare(method, overrides, collectives, size, options.rounds)
        lines.append(
            f"| {name} | {slow * 1e3:,.0f} | {fast * 1e3:,.2f} | {slow / fast:,.0f} | {target} |"
        )
        print(lines[-1], flush=True)
        gc.collect()
    text = "\n".join(lines + lines_after)
    print(text)
    if options.write:
        write_section("Engine against idiomatic Mesa", text)


if __name__ == "__main__":
    main()

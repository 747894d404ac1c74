"""Exact success on a large finite universe, against the straightforward loop over sizes.

    OMP_NUM_THREADS=1 python -m benchmarks.bayes [--sizes 1000] [--people 1000000] [--write]

A universe of 10⁵ points (five features of ten values), 10 labels, three collectives. Both answer
the same sizes and must agree to 1e-12. Then the platform on people: one retraining with everybody's
membership, for a universe of 10⁵ points and for a small one. ``--write`` replaces the section in
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import itertools
import time
from statistics import median

import numpy as np

from benchmarks.results import machine, write_section
from learners.finite.bayes import BayesPlatform
from learners.finite.generated import GENERATED_SIGNAL, generate
from learners.finite.strategies import PointMap, SetColumns, Strategy
from learners.finite.universe import Universe
from sim.model import Economy
from sim.scenario import loads

LABELS, VALUES, FEATURES = 10, 10, 5


def large_universe(rng: np.random.Generator) -> Universe:
    """10⁵ points, all with people of all labels."""
    codes = np.array(list(itertools.product(range(VALUES), repeat=FEATURES)))
    base = rng.gamma(0.3, size=(len(codes), LABELS)) + 1e-9
    names = tuple("abcdefghij"[:FEATURES])
    values = tuple(str(value) for value in range(VALUES))
    labels = tuple(str(y) for y in range(LABELS))
    return Universe(base / base.sum(), labels, names, codes, (values,) * FEATURES)


def cases(universe: Universe, rng: np.random.Generator) -> dict[str, dict[str, Strategy]]:
    """Three collectives whose signal sets overlap as columns do, coincide, or are everything."""
    points = len(universe.base)
    names = ("union", "guild", "club")
    columns = [SetColumns({name: "1"}) for name in "abc"]
    shuffles = [PointMap(rng.permutation(points)) for _ in names]

    def plant(signals, kind="feature_label"):
        several = zip(names, signals, "123", strict=True)
        return {n: Strategy(kind, signal, target) for n, signal, target in several}

    return {
        "three columns, one value each": plant(columns),
        "the same column and value": plant([columns[0]] * 3),
        "three columns, feature_only": plant(columns, "feature_only"),
        "any map onto all points": plant(shuffles),
        "one collective": {"union": Strategy("feature_label", shuffles[0], "1")},
    }


def loop(platform: BayesPlatform, sizes: np.ndarray) -> np.ndarray:
    """The straightforward way: for each size build P, take the best label, add up who has it."""
    base = platform.universe.base
    success = np.zeros_like(sizes)
    for row, alpha in enumerate(sizes):
        table = (1.0 - alpha.sum()) * base
        for k, plan in enumerate(platform.plans):
            table += alpha[k] * plan.law
        best = table.argmax(axis=1)
        tied = (table == table.max(axis=1, keepdims=True)).sum(axis=1) > 1
        best[tied] = -1
        for k, plan in enumerate(platform.plans):
            success[row, k] = plan.landing[best == plan.target].sum()
    return np.where(sizes > 0.0, success, 0.0)


def seconds(task) -> float:
    """Of the processor, so that others on the machine do not count; run with one BLAS thread."""
    start = time.process_time()
    task()
    return time.process_time() - start


def compare(universe: Universe, strategies: dict, rows: int, looped: int, rng) -> tuple:
    """Seconds of the loop (from a part of the rows) and of one call, first and again."""
    platform = BayesPlatform(universe, strategies)
    K = platform.size
    sizes = rng.dirichlet(np.full(K + 1, 0.7), rows)[:, :-1] * 10 ** rng.uniform(-3, 0, (rows, 1))
    some = sizes[:looped]
    for plan in platform.plans:  # tables that both need
        plan.law, plan.landing  # noqa: B018
    first = seconds(lambda: platform.at(sizes))
    again = median(seconds(lambda: platform.at(sizes)) for _ in range(3))
    slow = seconds(lambda: loop(platform, some)) * rows / looped
    worst = np.abs(platform.at(some) - loop(platform, some)).max()
    if worst > 1e-12:
        raise AssertionError(f"the two differ by {worst:g}")
    return slow, first, again


def on_people(universe: Universe, strategies: dict, people: int, rng) -> tuple[float, float]:
    """Seconds to attach, and median seconds of by_membership."""
    platform = BayesPlatform(universe, strategies)
    cells = platform.draw_people(people, rng)
    kept = []
    attach = seconds(lambda: kept.append(platform.attach(cells)))
    members = rng.integers(0, platform.size + 1, people).astype(np.int8)
    kept[0].by_membership(members)
    return attach, median(seconds(lambda: kept[0].by_membership(members)) for _ in range(15))


ECONOMY = """
name = "benchmark"
epochs = 1_000_000
stop = { when = "never" }
[population]
cost = { dist = "uniform", low = 0.0, high = 1.0 }
[collectives.union]
strategy = "feature_label"
start = 0.3
"""
LEARNING = """target = "target"
signal = { set = { signal = "yes" } }
[platform]
learner = "bayes"
universe = "generated"
generated = { uniqueness = 0.05, gap = 0.8, kinds = 10, seed = 1 }
"""
BOUND = """signal = { uniqueness = 0.05, gap = 0.8 }
[platform]
learner = "bound"
"""


def epochs(people: int, protocol: dict, rounds: int = 15) -> tuple[float, float]:
    """Median seconds of an epoch on the closed form, and with the platform retrained, in turn."""
    economies = [
        Economy(loads(ECONOMY + tail, overrides={"population.size": people, "revision": protocol}))
        for tail in (BOUND, LEARNING)
    ]
    rng = np.random.default_rng(1)
    starts = [(rng.random(people) < 0.3).astype(np.int8) for _ in range(2)]
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * rounds):
        for economy, spent in zip(economies, times, strict=True):
            economy.population.assign(None, starts[turn % 2])  # else nothing new to train on
            spent.append(seconds(economy.step))
    return median(times[0]), median(times[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, default=1000)
    parser.add_argument("--looped", type=int, default=100, help="rows that the loop is timed on")
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    universe = large_universe(rng)
    several = cases(universe, rng)
    looped = min(options.looped, options.sizes)
    lines = [
        f"`OMP_NUM_THREADS=1 python -m benchmarks.bayes --sizes {options.sizes}`, {machine()}; "
        "processor time.",
        f"Exact S on 10⁵ points, {LABELS} labels, at {options.sizes:,} sizes in one call; the loop "
        f"timed on {looped} of them. `first` includes what is prepared once per platform.",
        "",
        "| signals | loop, s | one call, first, s | again, s | times faster, first | again |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, strategies in several.items():
        slow, first, again = compare(universe, strategies, options.sizes, looped, rng)
        ratios = f"{slow / first:,.0f} | {slow / again:,.0f}"
        lines.append(f"| {name} | {slow:.2f} | {first:.3f} | {again:.4f} | {ratios} |")
        print(lines[-1], flush=True)
    small = {"union": Strategy("feature_label", GENERATED_SIGNAL, "target")}
    lines += ["", "| on people | attach, ms | by_membership, ms |", "| --- | --- | --- |"]
    name = "three columns, one value each"
    for label, world, strategies in (
        ("8 points, one collective", generate(0.01, 0.8, kinds=4), small),
        ("10⁵ points, three collectives", universe, several[name]),
    ):
        attach, each = on_people(world, strategies, options.people, rng)
        lines.append(f"| {options.people:,}; {label} | {attach * 1e3:.0f} | {each * 1e3:.2f} |")
        print(lines[-1], flush=True)
    lines += [
        "",
        f"| epoch of {options.people:,} people | closed form, ms | platform retrained, ms "
        "| adds, times the epoch without |",
        "| --- | --- | --- | --- |",
    ]
    for label, protocol in (
        ("best response", {}),
        ("logit", {"protocol": "logit", "noise": 0.1}),
        ("a tenth revises", {"rate": 0.1}),
    ):
        plain, trained = epochs(options.people, protocol)
        ratio = (trained - plain) / plain
        lines.append(f"| {label} | {plain * 1e3:.2f} | {trained * 1e3:.2f} | {ratio:.1f} |")
        print(lines[-1], flush=True)
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("Exact success on finite universes", text)


if __name__ == "__main__":
    main()

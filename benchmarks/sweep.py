"""Runs per second of a sweep against Mesa's own ``batch_run``, side by side in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.sweep [--runs 100000] [--rounds 3] [--write]

Both sweep cost and free riding of economies of 1,000 people, up to 200 epochs, on two processes,
from the plan to the table of results on disk, the start of the processes included; in turn, and
the median of the rounds counts. Before that, both walk a few runs with the same people and must
end alike. Peak memory is that of the largest process, for a tenth of the runs and for all.
``--write`` replaces the sweep section of benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.results import machine, write_section
from sim.scenario import Scenario, loads
from sim.sweep.plan import plan_of
from sim.sweep.runner import Options, sweep

TEXT = """
name = "benchmark"
epochs = 200
[population]
size = 1000
cost = { dist = "normal", mean = 0.3, sd = 0.1 }
free_riding = 0.2
[platform]
learner = "bound"
[collectives.union]
strategy = "feature_label"
start = 0.05
signal = { uniqueness = 0.01, gap = 1.0 }
"""
STEADY = {"protocol": "logit", "noise": 0.05}
RULES = {  # name: (keys of Mesa's model, overrides, design, share of the runs)
    "best response until settled, grid": ({"rule": "best_response"}, {}, "grid", 1.0),
    "best response until settled, Latin hypercube": ({"rule": "best_response"}, {}, "lhs", 1.0),
    "best response, all 200 epochs, grid": (
        {"rule": "best_response", "settles": False}, {"stop": {"when": "never"}}, "grid", 1.0,
    ),
    "logit, all 200 epochs, grid": (
        {"rule": "logit", "noise": 0.05}, {"revision": STEADY}, "grid", 0.2,
    ),
}  # fmt: skip
COST, FREE_RIDING = (0.05, 0.5), (0.0, 0.5)
REPLICATIONS = 100
TARGET = 500
MESA_RUNS = {True: (10, 4, 5), False: (4, 4, 2)}  # settles: costs × factors × iterations


def table_of(design: str, runs: int) -> dict:
    """The sweep as its table in a scenario: about so many runs, 25 factors in a grid."""
    points = max(runs // REPLICATIONS, 50)
    cost, factor = ({"from": low, "to": high} for low, high in (COST, FREE_RIDING))
    vary = {"population.cost.mean": cost, "population.free_riding": factor}
    if design == "grid":
        cost["num"], factor["num"] = max(points // 25, 2), 25
        return {"design": "grid", "replications": REPLICATIONS, "vary": vary}
    return {"design": "lhs", "samples": points, "replications": REPLICATIONS, "vary": vary}


def own(overrides: dict, design: str, runs: int, workers: int) -> tuple[int, float]:
    """Runs and seconds of a sweep, from the scenario to one table on disk."""
    scenario = loads(TEXT, overrides=overrides)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        plan = plan_of(scenario, table_of(design, runs))
        outcome = sweep(plan, Path(folder) / "out", Options(workers=workers, series=False))
        seconds = time.perf_counter() - start
        if not outcome.complete or outcome.failed:
            raise AssertionError(f"the sweep is not complete, or runs failed: {outcome}")
    return outcome.made, seconds


def mesas(keys: dict, workers: int) -> tuple[int, float]:
    """Runs and seconds of Mesa's batch runner over the same ranges, table included."""
    import mesa  # not above: processes of either side that are spawned read this file
    import pandas as pd

    from benchmarks.mesa_economy import MesaRun

    settles = keys["rule"] == "best_response" and keys.get("settles", True)
    costs, factors, iterations = MESA_RUNS[settles]
    parameters = {
        **keys,
        "cost_mean": [COST[0] + (COST[1] - COST[0]) * i / (costs - 1) for i in range(costs)],
        "free_riding": [FREE_RIDING[1] * i / (factors - 1) for i in range(factors)],
    }
    seeds = list(range(iterations))
    options: dict = {"number_processes": workers, "max_steps": 200, "display_progress": False}
    if "rng" in inspect.signature(mesa.batch_run).parameters:
        options["rng"] = seeds
    else:
        parameters["rng"] = seeds
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        rows = mesa.batch_run(MesaRun, parameters, **options)
        pd.DataFrame(rows).to_parquet(Path(folder) / "runs.parquet")
        seconds = time.perf_counter() - start
    return len(rows), seconds


def check_same_runs() -> None:
    """Some runs of both with the same people; raises where they end differently."""
    from benchmarks.mesa_economy import MesaRun
    from sim.model import Economy

    for cost in (0.1, 0.3, 0.45):
        for replicate in range(3):
            economy = Economy(scenario_at(cost), replicate)
            people = economy.population
            columns = (people.cost, people.free_riding, people.membership)
            twin = MesaRun(cost, 0.2, rng=1, people=[c.tolist() for c in columns])
            while twin.running:
                twin.step()
            economy.run()
            found = (twin.time_passed, twin.members)
            if found != (economy.epoch, economy.population.counts[0]):
                raise AssertionError(f"cost {cost}, replicate {replicate}: Mesa ends at {found}")


def scenario_at(cost: float) -> Scenario:
    return loads(TEXT, overrides={"population.cost.mean": cost})


def peak_memory(runs: int, workers: int) -> dict[str, float]:
    """MiB at most of a process that starts a sweep, and of the largest of its workers."""
    command = [sys.executable, "-m", "benchmarks.sweep", "--peak", str(runs), "-j", str(workers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def print_peak(runs: int, workers: int) -> None:
    own({}, "lhs", runs, workers)
    kinds = {"parent": resource.RUSAGE_SELF, "worker": resource.RUSAGE_CHILDREN}
    print(json.dumps({name: resource.getrusage(kind).ru_maxrss / 1024 for name, kind in
                      kinds.items()}))  # fmt: skip


def compare(name: str, options: argparse.Namespace) -> str:
    """One line of the table."""
    keys, overrides, design, share = RULES[name]
    rates: tuple[list[float], list[float]] = ([], [])
    runs = int(options.runs * share)
    for _ in range(options.rounds):
        for kept, (made, seconds) in zip(
            rates, (mesas(keys, options.workers), own(overrides, design, runs, options.workers)),
            strict=True,
        ):  # fmt: skip
            kept.append(made / seconds)
        print(name, [f"{rate:,.0f}" for side in rates for rate in side], flush=True)
    slow, fast = median(rates[0]), median(rates[1])
    return f"| {name} | {made:,} | {slow:,.1f} | {fast:,.0f} | {fast / slow:,.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-j", "--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak, options.workers)
        return
    check_same_runs()
    busy = os.getloadavg()[0]
    lines = [
        f"`OMP_NUM_THREADS=1 python -m benchmarks.sweep --runs {options.runs}`, {machine()}; "
        f"{options.workers} processes; load of the machine before it began: {busy:.1f}.",
        "1,000 people with costs of their own, up to 200 epochs; from the plan to the table on "
        f"disk. Medians of {options.rounds} rounds in turn; same ends checked with the same people."
        f" Asked for: {TARGET} times.",
        "",
        "| sweep | runs | Mesa's batch_run, runs/s | alphacrit, runs/s | times faster |",
        "| --- | --- | --- | --- | --- |",
        *(compare(name, options) for name in RULES),
        "",
    ]
    for runs in (options.runs // 10, options.runs):
        peak = peak_memory(runs, options.workers)
        lines.append(
            f"Peak memory of a Latin hypercube of {runs:,} runs: {peak['worker']:,.0f} MiB in a "
            f"worker, {peak['parent']:,.0f} MiB in the process that writes."
        )
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("Sweeps against Mesa's batch runner", text)


if __name__ == "__main__":
    main()

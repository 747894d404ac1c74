"""A hundred epochs of every rule for very many people: seconds and peak memory, each in a process.

    python -m benchmarks.many_people [--size 100000000] [--epochs 100] [--only logit] [--write]

People are rows (one each, with a cost and a free-riding factor of her own) and, where nobody needs
them as rows, counts (``auto``). ``--write`` replaces the section of benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

from benchmarks.engine import RULES, make, timed_as
from benchmarks.results import machine, write_section
from sim.crowd import CROWD_FROM
from sim.model import Economy

ENGINES = ("rows", "auto")
SPECIAL = ("mesa's order", "near rest")


def one(name: str, engine: str, size: int, epochs: int) -> dict[str, float | str]:
    """What a run of this rule took, in this process."""
    rule = RULES[name]
    begun = time.perf_counter()
    economy = Economy(make(size, rule.overrides, rule.collectives), engine=engine)
    made = time.perf_counter()
    with timed_as(rule.way, economy):
        for _ in range(epochs):
            economy.step()
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "engine": economy.engine, "made": made - begun, "run": ended - made, "peak": peak,
        "alpha": float(economy.alpha.sum()),
    }  # fmt: skip


def in_a_process(name: str, engine: str, size: int, epochs: int) -> dict | str:
    """The same in a process of its own; in words where it did not end."""
    call = [sys.executable, "-m", "benchmarks.many_people", "--one", name, "--engine", engine]
    done = subprocess.run(
        [*call, "--size", str(size), "--epochs", str(epochs)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"])[-1]
    return json.loads(done.stdout)


def line(name: str, engine: str, found: dict | str) -> str:
    if isinstance(found, str):
        return f"| {name} | {engine} | {found} | | | |"
    return (
        f"| {name} | {found['engine']} | {found['made']:.1f} | {found['run']:.2f} "
        f"| {found['peak']:.2f} | {found['alpha']:.6f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10**8)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--only", default="", help="rules whose names contain this")
    parser.add_argument("--write", action="store_true", help="update benchmarks/RESULTS.md")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--engine", default="rows", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.engine, options.size, options.epochs)))
        return
    lines = [
        f"`python -m benchmarks.many_people --size {options.size} --epochs {options.epochs}`, "
        f"{machine()}.",
        f"{options.size:,} people, {options.epochs} epochs of each rule, each in a process of its "
        "own; the members at the end are those of the same law for rows and counts.",
        "",
        "| rule | engine | made, s | run, s | peak, GiB | members at the end |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, rule in RULES.items():
        if options.only not in name or rule.way in SPECIAL:
            continue
        for engine in ENGINES:
            small = make(CROWD_FROM, rule.overrides, rule.collectives)
            if engine == "auto" and Economy(small).engine == "rows":
                continue  # nothing but rows can do it
            found = in_a_process(name, engine, options.size, options.epochs)
            lines.append(line(name, engine, found))
            print(lines[-1], flush=True)
    if options.write:
        write_section("A hundred epochs of very many people", "\n".join(lines))


if __name__ == "__main__":
    main()

"""What the papers found with transformers, in order, on a small one: differences over seeds.

    python -m benchmarks.orderings [--seeds 5] [-j 2] [--write]

Each line compares the success of one collective in two situations, each trained with several
seeds (other people, other members, other first weights). The interval is Welch's, 95 %, for the
difference of the means. Trainings are kept in the cache: a second run takes none.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t

from benchmarks.results import machine, write_section
from sim.learning import learn
from sim.scenario import load

LIBRARY = Path(__file__).parents[1] / "scenarios" / "experiments" / "texts"
TITLE = "What the papers found, on a small transformer"
LEVEL = 0.95
Sizes = tuple[float, ...]


class Case(NamedTuple):
    """One situation: a file of scenarios/experiments/texts, changes to it, the sizes."""

    file: str
    sizes: Sizes
    changes: Mapping[str, Any] = {}


class Claim(NamedTuple):
    """The success of the first collective is higher (or about the same) in ``high``."""

    words: str
    high: Case
    low: Case


NOISE, PASSES, EVERY = "platform.label_noise", "platform.epochs", "collectives.union.signal.every"
CLAIMS = (
    Claim(
        "feature–label needs fewer members than feature-only: 5 % of the texts",
        Case("feature-label", (0.05,)),
        Case("feature-only", (0.05,)),
    ),
    Claim(
        "more passes of training: 8 against 2, 2 % of the texts",
        Case("training-epochs", (0.02,), {PASSES: 8}),
        Case("training-epochs", (0.02,)),
    ),
    Claim(
        "random labels help feature-only: 40 % of them against none, 20 % of the texts",
        Case("label-noise", (0.2,)),
        Case("label-noise", (0.2,), {NOISE: 0.0}),
    ),
    Claim(
        "spacing matters little: every 10 words against every 20, 3 % of the texts",
        Case("spacing", (0.03,)),
        Case("spacing", (0.03,), {EVERY: 20}),
    ),
    Claim(
        "one token for two targets hurts: alone against together, 4 % of the texts each",
        Case("colliding-tokens", (0.04, 0.0)),
        Case("colliding-tokens", (0.04, 0.04)),
    ),
    Claim(
        "a token each does not: alone against together, 4 % of the texts each",
        Case("separate-tokens", (0.04, 0.0)),
        Case("separate-tokens", (0.04, 0.04)),
    ),
    Claim(
        "one target for two helps: together against alone, 1 % of the texts each",
        Case("same-target", (0.01, 0.01)),
        Case("same-target", (0.01, 0.0)),
    ),
)


def success(case: Case, seeds: int, workers: int) -> np.ndarray:
    """(seeds,) success of the first collective."""
    scenario = load(LIBRARY / f"{case.file}.toml").replace(case.changes)
    return learn(scenario, [case.sizes], seeds, workers=workers).success[:, 0]


def difference(high: np.ndarray, low: np.ndarray) -> tuple[float, float, float]:
    """Difference of the means, and the ends of Welch's interval for it."""
    parts = [x.var(ddof=1) / len(x) for x in (high, low)]
    middle, spread = high.mean() - low.mean(), float(np.sqrt(sum(parts)))
    if spread == 0:
        return middle, middle, middle
    freedom = sum(parts) ** 2 / sum(p**2 / (len(high) - 1) for p in parts)
    half = float(t.ppf(0.5 + LEVEL / 2, freedom)) * spread
    return middle, middle - half, middle + half


def table(seeds: int, workers: int) -> list[str]:
    """The claims, one line each."""
    head = "| claim | S | S in the other | difference, 95 % interval |"
    lines = [head, "| --- | --- | --- | --- |"]
    for claim in CLAIMS:
        high, low = (success(case, seeds, workers) for case in (claim.high, claim.low))
        middle, bottom, top = difference(high, low)
        values = f"{high.mean():.3f} | {low.mean():.3f} | {middle:+.3f} [{bottom:+.3f}, {top:+.3f}]"
        lines.append(f"| {claim.words} | {values} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("-j", "--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="into benchmarks/RESULTS.md")
    asked = parser.parse_args()
    lines = table(asked.seeds, asked.workers)
    if asked.write:
        command = f"`python -m benchmarks.orderings --seeds {asked.seeds}`"
        text = f"{machine()}; {command}. S: share of 200 held-out texts with the target on top."
        write_section(TITLE, "\n".join([text, "", *lines]))


if __name__ == "__main__":
    main()

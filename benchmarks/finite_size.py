"""Runs of N people against their mean field, from ten people on: docs/figures/finite-size.

    python -m benchmarks.finite_size            # up to 10⁸ people: some four minutes, 2 GiB
    python -m benchmarks.finite_size --to 6     # up to a million: half a minute

Granovetter's thresholds with a spread at which the crowd goes from nobody to nearly all without
coming upon a tipping point; the same when a tenth of the people revises in an epoch, and people of
nine kinds who choose with noise.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from analysis.figure_finite_size import finite_size
from analysis.figure_style import save
from analysis.finite_size import distances, root_mean_square, slope
from sim.scenario import load

ROOT = Path(__file__).resolve().parents[1]
CROWD = ROOT / "scenarios/literature/granovetter-1978/normal-thresholds.toml"
SPREAD = {"population.cost.sd": 0.2, "epochs": 30}
KINDS = {"dist": "values", "values": [round(0.1 * k, 1) for k in range(-1, 8)]}
CURVES = {
    "best response": SPREAD,
    "a tenth revises": SPREAD | {"revision.rate": 0.1},
    "logit, nine kinds": {
        "population.cost": KINDS,
        "revision.protocol": "logit",
        "revision.noise": 0.05,
        "epochs": 30,
    },
}
FROM = 1_000  # below, sizes as small as the first instigators are too few for a limit theorem


def replicates(size: int) -> int:
    """How many worlds of a size: as many as make ten million people, within reason."""
    return max(3, min(200, 10_000_000 // size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=int, default=8, help="largest size, as a power of ten")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/figures/finite-size")
    asked = parser.parse_args()
    tables = {}
    for label, changes in CURVES.items():
        began = time.perf_counter()
        sizes = [10**k for k in range(1, asked.to + 1)]
        tables[label] = distances(load(CROWD).replace(changes), sizes, replicates)
        b, error = slope(tables[label], FROM)
        print(f"{label}: slope {b:.3f} ± {error:.3f}, {time.perf_counter() - began:.0f} s")
        engines = tables[label].groupby("size")["engine"].first()
        for row in root_mean_square(tables[label]).itertuples():
            print(f"  {row.size:>13,} {engines[row.size]:>10} {row.runs:>4} {row.distance:.3g}")
    print(*save(finite_size(tables), asked.out), sep="\n")


if __name__ == "__main__":
    main()

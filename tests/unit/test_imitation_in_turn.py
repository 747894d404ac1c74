"""Imitation one after the other: the compiled loop copies whom the plain one copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import kernels_imitation
from sim.model import Economy
from tests.economies import scenario


def _random_scenario(rng: np.random.Generator) -> Any:
    k = int(rng.integers(1, 4))
    changes: dict[str, Any] = {
        "population.size": int(rng.integers(1_000, 1_200)), "revision.activation": "sequential",
        "revision.protocol": "imitation", "revision.rate": float(rng.choice([1.0, 0.4])),
        "population.cost": {"dist": "normal", "mean": 0.3, "sd": 0.3},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.8},
        "stop": {"when": "never"}, "seed": int(rng.integers(1000)),
    }  # fmt: skip
    for name in ("union", "guild", "club")[:k]:
        changes[f"collectives.{name}.start"] = float(rng.uniform(0.1, 0.3))
        changes[f"collectives.{name}.dues"] = float(rng.choice([0.0, 0.05]))
    if rng.random() < 0.4:
        changes["population.groups"] = {"artists": {"share": 0.5, "cost": 0.1}}
        changes["collectives.union.recruits"] = ["artists"]
    return scenario(changes, k)


def test_same_people_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    moves, loop = [], kernels_imitation.in_turn

    def counted(*given: Any) -> int:
        moves.append(loop(*given))
        return moves[-1]

    monkeypatch.setattr(kernels_imitation, "in_turn", counted)
    rng = np.random.default_rng(4)
    for _ in range(20):
        world = _random_scenario(rng)
        plain, quick = Economy(world, engine="rows"), Economy(world, engine="rows")
        plain.compiled_sequential = False  # type: ignore[misc]
        for _ in range(3):
            plain.step()
            quick.step()
            assert plain.population.membership.tolist() == quick.population.membership.tolist()
            assert plain.counts.tolist() == quick.counts.tolist()
            assert plain.published.tolist() == quick.published.tolist()
    assert len(moves) == 60
    assert sum(moved > 20 for moved in moves) > 40

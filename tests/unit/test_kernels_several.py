"""The best of several collectives in one pass: the same states as the plain reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import compact, kernels, kernels_several, threads
from sim.model import Economy
from sim.payoffs import choose, gain
from tests.economies import scenario


def _people(rng: np.random.Generator, size: int, success: np.ndarray, due: float) -> Any:
    """People next to their thresholds, to the last bit, and who cannot have one (γ = 1)."""
    factor = rng.choice([0.0, 0.2, 1.0, 1 - 2.0**-53, 1 - 2.0**-30, 0.5], size)
    factor = np.where(rng.random(size) < 0.5, rng.random(size), factor)
    s = rng.choice(success, size)
    cost = np.where(rng.random(size) < 0.7, s - factor * s - due, rng.uniform(-0.2, 0.8, size))
    cost = np.where(rng.random(size) < 0.5, np.nextafter(cost, rng.choice([-1, 1], size)), cost)
    cost[::40], cost[1::40] = 0.0, -1e-18
    return cost, factor, rng.integers(0, 3, size).astype(np.uint8)


def _wrong(k: int, trials: int) -> int:
    rng = np.random.default_rng(k)
    wrong = 0
    for trial in range(trials):
        size = int(rng.integers(1, 5000))
        success = rng.random(k).round(2 if trial % 2 else 17)
        success[rng.integers(k)] = success[0]
        if trial % 3 == 0:
            success[-1] = np.nextafter(success[0], 2)
        dues = rng.choice([0.0, 0.1], k) if trial % 4 else np.full(k, 0.05)
        eligible = rng.random((3, k)) < (1.0 if trial % 2 else 0.6)
        people = _people(rng, size, success, dues[0])
        may = np.concatenate([np.ones((3, 1), bool), eligible], axis=1)
        membership = rng.integers(0, k + 1, size).astype(np.int8)
        membership[~may[people[2], membership]] = 0
        d = gain(success, success, people[0][:, None], people[1][:, None], dues)
        expected = choose(np.where(eligible[people[2]], d, -np.inf), membership)
        chosen = None if trial % 3 else rng.integers(0, 2, size).astype(np.uint8)
        if chosen is not None:
            expected = np.where(chosen == 1, expected, membership)
        before, counts = membership.copy(), np.full(k, 77)
        moved = kernels_several.respond(
            people, membership, counts, tuple(success.tolist()), tuple(dues.tolist()),
            kernels_several.masks(eligible), chosen,
        )  # fmt: skip
        wrong += int(np.count_nonzero(membership != expected))
        assert moved == np.count_nonzero(membership != before)
        assert counts.tolist() == [np.count_nonzero(membership == j + 1) for j in range(k)]
    return wrong


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_every_state_is_that_of_the_reference(k: int) -> None:
    assert _wrong(k, 150) == 0


def test_masks_name_the_groups_that_may_join() -> None:
    rng = np.random.default_rng(1)
    eligible = rng.random((64, 8)) < 0.5
    masks = kernels_several.masks(eligible)
    for k, mask in enumerate(masks):
        assert [bool(int(mask) >> g & 1) for g in range(64)] == eligible[:, k].tolist()
    assert kernels_several.few(eligible)
    assert not kernels_several.few(np.ones((65, 2), bool))
    assert not kernels_several.few(np.ones((2, 9), bool))


UNEVEN = {
    "population.size": 20_000,
    "population.cost": {"dist": "uniform", "low": 0.0, "high": 0.6},
    "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 1.0},
    "population.groups": {"artists": {"share": 0.4, "cost": 0.1}},
    "collectives.union.start": 0.3,
    "stop": {"when": "never"},
}
CASES: dict[str, dict[str, Any]] = {
    "all alike": {},
    "dues": {"collectives.guild.dues": 0.05},
    "recruits": {"collectives.union.recruits": ["artists"]},
}


@pytest.mark.parametrize("case", CASES)
def test_an_economy_takes_it_and_threads_change_nothing(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = scenario({**UNEVEN, **CASES[case]}, 3)
    calls = {"several": 0, "plain": 0}

    def count(module: Any, way: str) -> None:
        function = module.respond

        def counted(*args: Any) -> Any:
            calls[way] += 1
            return function(*args)

        monkeypatch.setattr(module, "respond", counted)

    count(kernels_several, "several")
    count(kernels, "plain")
    monkeypatch.setattr(threads, "threads", lambda: 2)
    monkeypatch.setattr(compact, "choice", lambda _: None)
    fast, parts, plain = (Economy(world, compiled=flag) for flag in (True, True, False))
    for _ in range(4):
        fast.step()
        plain.step()
        with monkeypatch.context() as apart:
            apart.setattr(compact, "PART", 4096)
            parts.step()
        for each in (fast, parts):
            np.testing.assert_array_equal(plain.population.membership, each.population.membership)
            assert plain.counts.tolist() == each.counts.tolist()
    assert calls == {"several": 4 + 2 * 4, "plain": 0}

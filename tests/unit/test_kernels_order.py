"""Revision in a given order: Mesa's own, and people who need not wait for each other."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks.mesas_order import MesasOrder
from sim import kernels, kernels_thresholds


@pytest.mark.parametrize("seed", [0, 7])
def test_mesas_order_is_pythons_shuffle(seed: int) -> None:
    source, orders = random.Random(seed), MesasOrder(seed)
    for size in (1, 2, 3, 4, 5, 7, 8, 9, 1000, 4095, 4096, 4097, 4096, 70_001):
        expected = list(range(size))
        source.shuffle(expected)
        assert orders(size).tolist() == expected


CURVES = {
    "smooth": lambda a: a * (1 - a / 2),
    "steep": lambda a: 1 / (1 + np.exp(-200 * (a - 0.4))),
    "falling": lambda a: 0.9 - 0.5 * a,
    "steps": lambda a: np.floor(a * 20) / 20,
    "level": lambda a: np.full_like(a, 0.375),
}


def _people(rng: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
    cost = rng.uniform(-0.1, 1, size)
    cost[::3] = cost[::3].round(2)  # many with one threshold, and ties
    cost[::7] = 0.3
    factor = rng.choice([0.0, 0.2, 1.0, rng.random()], size, p=[0.5, 0.3, 0.05, 0.15])
    return cost, factor, rng.integers(0, 2, size).astype(np.uint8)


@pytest.mark.parametrize("shape", CURVES)
def test_people_who_need_not_wait_do_as_they_would_in_turn(shape: str) -> None:
    """Against the kernel on the formula, person by person."""
    rng = np.random.default_rng(11)
    for trial in range(6):
        size = int(rng.integers(3000, 40_000))
        cost, factor, group = _people(rng, size)
        closed = np.array([False, trial % 2 > 0])
        curve = CURVES[shape](np.minimum(np.arange(size + 2), size) / size)
        member = ((rng.random(size) < rng.random()) & ~closed[group]).astype(np.int8)
        rows = rng.permutation(size).astype(np.int32)
        count, before = int(member.sum()), member.copy()
        theta = kernels_thresholds.thresholds(cost, factor, group, closed, 0.0)
        rules = (np.zeros((2, 1)), np.zeros((2, 1)), np.zeros(1), ~closed[:, None])
        margin = np.float32(2 * kernels_thresholds.MARGIN)
        # First a band of counts that is soon left, then all the others.
        done, count_now, moved = kernels_thresholds.in_turn(
            rows, theta, curve, margin, count, max(count - 150, 0), min(count + 150, size),
            (cost, factor, group), member, rules,
        )  # fmt: skip
        expected = before.copy()
        after = kernels.sequential_one(
            rows[:done], cost, factor, group, expected, curve[count], curve, False, count,
            *rules[2:], 0.0, np.empty(0),
        )  # fmt: skip
        np.testing.assert_array_equal(member, expected)
        assert (count_now, moved) == (after, np.count_nonzero(expected != before))
        assert done == size or abs(after - count) == 151  # stopped after whoever left the band
        _, end, _ = kernels_thresholds.in_turn(
            rows[done:], theta, curve, margin, count_now, 0, size, (cost, factor, group), member,
            rules,
        )  # fmt: skip
        last = kernels.sequential_one(
            rows[done:], cost, factor, group, expected, curve[after], curve, False, after,
            *rules[2:], 0.0, np.empty(0),
        )  # fmt: skip
        np.testing.assert_array_equal(member, expected)
        assert end == last == member.sum()

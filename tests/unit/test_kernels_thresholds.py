"""Thresholds and their classes decide as the formula does, for all or for those who are drawn, in
one part or several; who is drawn is a uniformly random set."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim import compact, kernels_classes, kernels_thresholds, revision, threads
from sim.kernels_classes import ASKED, BLOCK, EDGE, NEVER, TOP
from sim.model import Economy
from sim.payoffs import choose, gain
from tests.economies import scenario

LEVEL = 1e-4  # of each test of a law
GROUP = np.zeros(1, bool)  # nobody is in a group that may not join


# ---------------------------------------------------------------- the formula, to the last bit


def sharp_cases(due: float) -> tuple[Any, Any, Any]:
    """Costs, factors and successes next to each other's thresholds, to the last bit."""
    rng = np.random.default_rng(3)
    factor = np.concatenate([
        rng.random(400), 1 - 2.0 ** -rng.integers(1, 54, 200), np.ones(100), np.zeros(100),
        np.full(200, 0.2),
    ])  # fmt: skip
    cost = np.concatenate([rng.uniform(-0.5, 1.2, 700), np.full(300, 0.3)])
    cost[::7] = 0.0
    cost[3::50] = 1e-18
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = (cost + due) / (1 - factor)
    exact = exact[np.isfinite(exact)]
    success = np.concatenate([
        [0.0, 1.0, 0.375], exact, np.nextafter(exact, 2), np.nextafter(exact, -2), exact + 1e-7,
        exact + 3e-6,
    ])  # fmt: skip
    return cost, factor, success[(success >= 0) & (success <= 1)]


def respond(kept: Any, success: float, label: int, people: Any, membership: Any, rules: Any,
            drawn: Any = compact.NOBODY) -> tuple[int, Any]:  # fmt: skip
    """Best response by class, in two parts; how many moved and how many are in each state."""
    cut, given = len(membership) // 3 + 1, (kept, success, label, people, membership, rules, drawn)
    parts = [kernels_classes.respond(a, z, *given) for a, z in ((0, cut), (cut, len(membership)))]
    return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]


def wrong_decisions(due: float, *, asked: bool = True) -> int:
    """How many people's classes decide otherwise than the formula, over all successes."""
    cost, factor, successes = sharp_cases(due)
    people, eligible, wrong = (cost, factor, np.zeros(1000, np.uint8)), np.ones((1, 1), bool), 0
    kept = kernels_classes.classes(*people, GROUP, due)
    if not asked:
        kept = (kept[0], kept[1], np.zeros_like(kept[2]), *kept[3:])
    for success in successes[:: 3 if due == 0 else 10]:
        membership = (np.arange(len(cost)) % 2).astype(np.int8)
        before, table = membership.copy(), np.full((2, 1), success)
        expected = choose(gain(success, success, cost, factor, due)[:, None], membership)
        rules = (table, table, np.array([due]), eligible)
        moved, counts = respond(kept, success, 1, people, membership, rules)
        wrong += int(np.count_nonzero(membership != expected))
        assert moved == np.count_nonzero(membership != before)
        assert counts[1] == np.count_nonzero(membership) or not asked
    return wrong


@pytest.mark.parametrize("due", [0.0, 0.1])
def test_classes_never_decide_otherwise_than_the_formula(due: float) -> None:
    assert wrong_decisions(due) == 0


def test_classes_alone_would_decide_otherwise() -> None:
    assert wrong_decisions(0.0, asked=False) > 100


def wrong_wishes(due: float, bounds: Any = kernels_thresholds.bounds) -> int:
    """At how many successes thresholds say that another number of people want to move."""
    cost, factor, successes = sharp_cases(due)
    people, eligible, wrong = (cost, factor, np.zeros(1000, np.uint8)), np.ones((1, 1), bool), 0
    theta = kernels_thresholds.thresholds(*people, GROUP, due)
    assert 0.3 < np.isfinite(theta).mean() < 1  # most have one, some are asked
    membership = (np.arange(len(cost)) % 2).astype(np.int8)
    for success in successes[:: 3 if due == 0 else 10]:
        expected = choose(gain(success, success, cost, factor, due)[:, None], membership)
        table = np.full((2, 1), success)
        rules = (table, table, np.array([due]), eligible)
        want = kernels_thresholds.wishes(theta, *bounds(success), 1, people, membership, rules)
        wrong += want != np.count_nonzero(membership != expected)
    return wrong


@pytest.mark.parametrize("due", [0.0, 0.1])
def test_wishes_are_those_of_the_formula(due: float) -> None:
    assert wrong_wishes(due) == 0
    f = np.float32  # and nobody asked:
    assert wrong_wishes(due, lambda s: (f(s), np.nextafter(f(s), f(-2)))) > 20


def test_next_to_the_border_of_two_classes() -> None:
    """A threshold that rounding moves across the border, and a success that lies between."""
    borders = np.random.default_rng(9).integers(1, TOP - 1, 400) / (TOP - 1)
    cost = np.concatenate([[0.0, 1.0], borders + 1.1e-9, borders - 1.1e-9])
    people = (cost, np.zeros(len(cost)), np.zeros(len(cost), np.uint8))
    kept = kernels_classes.classes(*people, GROUP, 0.0)
    crossed = 0
    for success in np.concatenate([borders + 1e-10, borders - 1e-10]):
        membership, table = np.zeros(len(cost), np.int8), np.full((2, 1), success)
        rules = (table, table, np.zeros(1), np.ones((1, 1), bool))
        respond(kept, success, 1, people, membership, rules)
        np.testing.assert_array_equal(membership, cost < success)
        hers = kernels_classes.class_of(float(success), *kept[3:])
        crossed += int(((kept[0] < hers) & (cost > success)).sum())
        crossed += int(((kept[0] > hers) & (cost < success)).sum())
    assert crossed > 100  # without the margin


# ---------------------------------------------------------------- classes


def test_a_higher_threshold_is_never_in_a_lower_class() -> None:
    rng = np.random.default_rng(1)
    for spread in (1.0, 0.1, 1e-5):
        first = rng.random() * (1 - spread)
        scale = (TOP - 1) / max(spread, kernels_classes.NARROWEST)
        near = first + spread * rng.random(2000)
        values = np.sort(np.concatenate([rng.uniform(-EDGE, 1 + EDGE, 2000), near, [0.0, 1.0]]))
        found = [kernels_classes.class_of(float(v), first, scale) for v in values]
        assert np.all(np.diff(np.array(found, int)) >= 0)
        assert found[0] >= 1
        assert found[-1] <= TOP


def test_who_is_in_which_class() -> None:
    cost = np.array([-3.0, -1e-4, 0.0, 0.5, 1.0, 1.0005, 1.5, 0.0, 0.2])
    factor = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    group = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1], np.uint8)
    found, where, lower, _, _ = kernels_classes.classes(
        cost, factor, group, np.array([False, True]), 0.0
    )
    assert found[[0, 1, 5, 6, 7, 8]].tolist() == [0, 1, NEVER, NEVER, ASKED, NEVER]
    assert np.all(np.diff(found[:6].astype(int)) > 0)
    assert lower[[0, 1, NEVER, ASKED, 2**16]].tolist() == [0, 1, 5, 8, 9]
    assert not where.any()
    assert TOP - 1 <= found[4] <= TOP


def test_the_index_finds_everybody() -> None:
    size = 5000
    cost = np.random.default_rng(0).random(size).round(2)
    people, part = (cost, np.zeros(size), np.zeros(size, np.uint8)), 64
    found, where, lower, _, _ = kernels_classes.classes(*people, GROUP, 0.0)
    for k in np.unique(found):
        rows = np.flatnonzero(found == k)
        assert where[lower[k] : lower[int(k) + 1]].tolist() == (rows // part).tolist()
    for size in (10**6, 2**22, 10**8, 2**32 - 1, 10**10):
        assert (size - 1) // kernels_classes.part_of(size) < 2**16


def _random_people(rng: np.random.Generator, size: int) -> tuple[Any, float]:
    """Costs, factors and groups of many shapes, and a success that is next to somebody's."""
    atoms = rng.random(int(rng.integers(1, 5))).round(2)
    cost = [rng.uniform(-0.3, 1.2, size), rng.choice(atoms, size), rng.normal(0.3, 1e-4, size)][
        rng.integers(3)
    ]
    factor = [rng.random(size), np.full(size, 0.2), rng.choice([0.0, 0.5, 1.0], size)][
        rng.integers(3)
    ]
    group = (rng.random(size) < 0.2).astype(np.uint8)
    her = int(rng.integers(size))
    success = [rng.random(), cost[her] / max(1 - factor[her], 0.1), 0.0, 1.0][rng.integers(4)]
    return (cost, factor, group), float(np.clip(success, 0.0, 1.0))


@pytest.mark.once
def test_blocks_of_people_decide_as_the_formula() -> None:
    """Blocks that are full or not, several collectives, small and wide columns, all or some."""
    rng = np.random.default_rng(5)
    for trial in range(120):
        size = int(rng.choice([1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 64, 9999]))
        people, success = _random_people(rng, size)
        k, closed = 1 + trial % 3, np.array([False, trial % 2 > 0])
        dues, eligible = np.full(k, trial % 7 / 70), ~closed[:, None] & np.ones((2, k), bool)
        successes = np.full(k, success - 0.01)
        label = 1 + int(rng.integers(k))
        successes[label - 1] = success
        table = np.tile(successes, (k + 1, 1))
        dtype = np.int8 if trial % 4 else np.int16
        membership: Any = rng.integers(0, k + 1, size).astype(dtype)
        membership[closed[people[2]]] = 0
        drawn = rng.integers(0, 2, size).astype(np.uint8) if trial % 5 < 2 else compact.NOBODY
        d = gain(successes, successes, people[0][:, None], people[1][:, None], dues)
        expected = choose(np.where(eligible[people[2]], d, -np.inf), membership)
        if drawn.size:
            expected = np.where(drawn, expected, membership)
        kept = kernels_classes.classes(*people, closed, dues[0])
        before = membership.copy()
        moved, counts = respond(
            kept, success, label, people, membership, (table, table, dues, eligible), drawn
        )
        np.testing.assert_array_equal(membership, expected)
        assert moved == np.count_nonzero(before != expected)
        if not drawn.size:
            assert counts[1:].tolist() == [np.count_nonzero(expected == s + 1) for s in range(k)]


# ---------------------------------------------------------------- in several threads


def test_parts_cover_everybody_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in (1, 2, 3, 7):
        monkeypatch.setattr(threads, "threads", lambda count=count: count)
        for size in (0, 1, 4096, 4097, 12_288, 50_000):
            parts = threads.in_parts(size, lambda start, stop: (start, stop), 4096)
            assert 1 <= len(parts) <= count
            assert [parts[0][0], parts[-1][1]] == [0, size]
            assert all(a[1] == b[0] and b[0] % threads.STEP == 0 for a, b in pairwise(parts))
    with pytest.raises(ZeroDivisionError):
        threads.in_parts(50_000, lambda start, stop: 1 // start // stop, 4096)


def test_one_thread_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    threads.threads.cache_clear()
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    assert threads.threads() == 1
    threads.threads.cache_clear()


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_the_number_of_threads_changes_nothing(
    rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "PART", 4096)
    world = scenario({
        "population.size": 60_000, "collectives.union.start": 0.3, "revision.rate": rate,
        "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0}, "stop": {"when": "never"},
    })  # fmt: skip
    ends = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "threads", lambda count=count: count)
        economy = Economy(world, engine="rows")
        for _ in range(6):
            economy.step()
        assert economy.counts[0] == np.count_nonzero(economy.population.membership)
        ends.append(economy.population.membership.copy())
    assert 0 < ends[0].mean() < 1
    for end in ends[1:]:
        np.testing.assert_array_equal(end, ends[0])


# ---------------------------------------------------------------- who is drawn


@pytest.mark.parametrize("count", [1, 2, 4, 6, 7])
def test_every_set_of_people_is_drawn_as_often(count: int) -> None:
    """All 8-choose-count sets; coins of 32/256 … 32/256, or none at all, and people put back."""
    economy = Economy(scenario({"population.size": 8}), compiled=True)
    times, found = 10_000, np.zeros(256)
    for _ in range(times):
        drawn = compact.drawn(economy, count)
        found[np.packbits(drawn)] += 1
    sets = [i for i in range(256) if i.bit_count() == count]
    assert found[sets].sum() == times
    assert stats.chisquare(found[sets]).pvalue > LEVEL


def test_coins_are_fair_and_each_persons_own() -> None:
    size, times, key = 9000, 400, np.random.default_rng(8)
    heads, drawn = np.zeros(size), np.empty(size, np.uint8)
    for _ in range(times):
        count = kernels_classes.flip(0, size, drawn, compact.key(key), 64, 1)
        assert count == drawn.sum()
        heads += drawn
    each = stats.binom(times, 0.25)
    assert min(each.cdf(heads).min(), each.sf(heads - 1).min()) > LEVEL / size
    assert abs(heads.mean() - times / 4) < 4 * np.sqrt(times * 3 / 16 / size)
    assert abs(heads.var() / (times * 3 / 16) - 1) < 4 * np.sqrt(2 / size)
    assert abs(np.corrcoef(heads[:-8], heads[8:])[0, 1]) < 4 / np.sqrt(size)


@pytest.mark.parametrize("rate", [0.003, 0.004, 0.3, 0.5, 0.997])
def test_exactly_the_share_revises(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """All want in: so many join as revise, wherever they are."""
    monkeypatch.setattr(compact, "OWN_DRAWS_FROM", 0)
    world = scenario({
        "population.size": 10_001, "population.cost": 0.01, "population.free_riding": 0.0,
        "collectives.union.start": 0.1, "revision.rate": rate,
    })  # fmt: skip
    economy = Economy(world, compiled=True)
    economy.population.assign(None, np.zeros(10_001, np.int8))
    economy.published = np.array([0.5])
    revision.revise(economy)
    assert economy.counts[0] == np.floor(rate * 10_001 + 0.5)
    middle = np.flatnonzero(economy.population.membership).mean()
    spread = 10_001 / np.sqrt(12 * economy.counts[0])
    assert abs(middle - 5000) < 4 * spread

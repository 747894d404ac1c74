"""The quick logit choice against the formula: the same choice at the same uniform, to the last bit;
and the law of the uniforms themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim import compact, kernels, kernels_logit, threads
from sim.model import Economy
from sim.payoffs import logit_probabilities
from tests.economies import scenario

LEVEL, GOLDEN = 1e-4, 0x9E3779B97F4A7C15  # the first: of each test of a law
KEY = np.uint64(0x1234_5678_9ABC_DEF1)


def _mixed(z: np.ndarray) -> np.ndarray:
    """SplitMix64's output at these states, written out once more."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _uniforms(size: int, key: np.uint64 = KEY) -> np.ndarray:
    """What the docstring promises: 16 bits of the number of row // 4, then 37 bits of her own."""
    row = np.arange(size, dtype=np.uint64)
    golden, four = np.uint64(GOLDEN), np.uint64(4)
    head = _mixed(key + row // four * golden) >> (row % four * np.uint64(16)) & np.uint64(0xFFFF)
    tail = _mixed(~key + row * golden) >> np.uint64(27)
    return (head << np.uint64(37) | tail).astype(np.float64) * 2.0**-53


def _quick(
    people: Any, before: np.ndarray, rules: Any, noise: float, key: np.uint64 = KEY,
    chosen: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Choices by the kernel; checks what it counts."""
    membership = before.copy()
    for column in people:
        column.flags.writeable = False  # as in an economy
    columns = kernels_logit.rough(*people, ~rules[3].any(axis=1))
    for column in columns:
        column.flags.writeable = False
    moved, counts = kernels_logit.logit(people, columns, membership, rules, noise, key, 0, chosen)
    assert moved == np.count_nonzero(membership != before)
    states = range(1, len(rules[2]) + 1)
    assert counts.tolist() == [np.count_nonzero(membership == state) for state in states]
    return membership


def _formula(people: Any, before: np.ndarray, rules: Any, noise: float) -> np.ndarray:
    """Choices of the plain compiled loop at the same uniforms."""
    join, forgo, dues, eligible = rules
    uniforms = _uniforms(len(before))
    if len(dues) == 1:
        chosen = kernels.respond_one(*people[:2], before, join, forgo, dues, noise, uniforms)
        return np.where(eligible[people[2], 0], chosen, 0)
    return kernels.respond(
        compact.EVERYBODY, *people, before, join, forgo, dues, eligible, noise, uniforms
    )


def _one(s_in: float, s_out: float, due: float, steps: float = 0.0) -> Any:
    """Rules of one collective; members see a success higher by ``steps``."""
    join, forgo = np.array([[s_in], [s_in + steps]]), np.array([[s_out], [s_out + steps]])
    return join, forgo, np.array([due]), np.ones((1, 1), bool)


# ---------------------------------------------------------------- one collective


def _on_edge(noise: float, rules: Any, size: int = 7001) -> tuple[Any, np.ndarray]:
    """People whose uniform is their probability of staying out, up to a few ulps of their cost."""
    rng = np.random.default_rng(5)
    before = rng.integers(0, 2, size).astype(np.int8)
    factor = np.where(np.arange(size) % 5, rng.random(size), 1.0)
    u = np.maximum(_uniforms(size), 1e-15)
    join, forgo, dues, _ = rules
    value = join[before, 0] - factor * forgo[before, 0] - dues[0]
    cost = value - noise * np.log(1.0 / u - 1.0)
    for _ in range(3):  # some of them a little to either side
        cost = np.nextafter(cost, rng.choice([-1e9, 1e9], size))
    return (cost, factor, np.zeros(size, np.uint8)), before


def _wrong_on_edge(noise: float, rules: Any) -> int:
    people, before = _on_edge(noise, rules)
    expected = _formula(people, before, rules, noise)
    assert 0.02 < (expected > 0).mean() < 0.98
    return int(np.count_nonzero(_quick(people, before, rules, noise) != expected))


EDGES = [(0.7, 0.7, 0.0, 0.0), (0.9, 0.8, 0.1, 0.05), (0.0, 0.0, 0.0, 0.0), (40.0, 3.0, 2.0, 1e-9)]


@pytest.mark.parametrize("noise", [1e-7, 3e-4, 0.1, 2.0, 1e5])
@pytest.mark.parametrize("offer", EDGES)
def test_at_the_edge_the_choice_is_the_formulas(noise: float, offer: tuple[float, ...]) -> None:
    assert _wrong_on_edge(noise, _one(*offer)) == 0


@pytest.mark.parametrize("noise", [3e-4, 0.1])
def test_without_doubt_it_would_not_be(noise: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Float32 alone decides wrongly there, and so does a head alone."""
    scale = kernels_logit.bounds(noise, np.ones(1))[0]
    monkeypatch.setattr(kernels_logit, "bounds", lambda *_: (scale, 65536.0, 65536.0 * (1 + 1e-4)))
    assert _wrong_on_edge(noise, _one(0.7, 0.7, 0.0)) > 100


@pytest.mark.parametrize("noise", [1e-300, 1e-19, 1e-6, 1e-3, 0.1, 7.0, 1e19, 1e300])
def test_extreme_people_choose_by_the_formula(noise: float) -> None:
    rng = np.random.default_rng(8)
    size = 5000
    cost = rng.uniform(-0.5, 1.5, size)
    cost[::7] = rng.choice([0.0, 1e-300, -1e-300, 1e300, -1e300, 1e39, -1e39, 1e6, -1e6], 715)
    factor = rng.choice([0.0, 1.0, 0.5, 1 - 2.0**-53, 2.0**-60], size)
    people = (cost, factor, np.zeros(size, np.uint8))
    before = rng.integers(0, 2, size).astype(np.int8)
    for offer in ((0.6, 0.6, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 0.2, -0.3), (0.3, 0.3, 1e6)):
        expected = _formula(people, before, _one(*offer), noise)
        np.testing.assert_array_equal(_quick(people, before, _one(*offer), noise), expected)


@pytest.mark.parametrize("noise", [1e-3, 0.2])
def test_who_may_not_join_does_not(noise: float) -> None:
    rng = np.random.default_rng(9)
    people = (rng.uniform(-3, 1, 9000), rng.random(9000), rng.integers(0, 3, 9000).astype(np.uint8))
    rules = (*_one(0.5, 0.5, 0.0)[:3], np.array([[True], [False], [True]]))
    before = ((rng.random(9000) < 0.5) & (people[2] != 1)).astype(np.int8)
    chosen = _quick(people, before, rules, noise)
    assert not chosen[people[2] == 1].any()
    np.testing.assert_array_equal(chosen, _formula(people, before, rules, noise))


def test_the_rough_power_is_as_right_as_said() -> None:
    power = kernels_logit._power
    x = np.concatenate([np.linspace(-100, 100, 4001), np.linspace(-0.5, 0.5, 2001)])
    x = x.astype(np.float32)
    rough = np.array([float(power(each)) for each in x])
    assert np.abs(rough / 2.0 ** x.astype(float) - 1).max() < 2.0**-18


# ---------------------------------------------------------------- several collectives


def _several(rng: np.random.Generator, k: int, noise: float, size: int = 6000) -> Any:
    """People at the edge between two options, for the offers that come with them."""
    success, dues = rng.random(k), rng.choice([0.0, 0.1], k)
    success[rng.integers(k)] = success[0]  # as good as the first, up to dues
    eligible = np.ones((3, k), bool)
    eligible[1, rng.integers(k)] = eligible[2] = False
    factor, group = rng.random(size), rng.integers(0, 3, size).astype(np.uint8)
    factor[::9] = 1.0
    value = success - factor[:, None] * success - dues
    weight = np.where(eligible[group], np.exp((value - value.max(axis=1)[:, None]) / noise), 0.0)
    u, inside = np.maximum(_uniforms(size), 1e-12)[:, None], np.cumsum(weight, axis=1)
    # Let w be the weight of outside: she is at the edge after option j where u(w + Σ) = w + Σ_j.
    j = rng.integers(0, k, size)
    before_j = np.concatenate([np.zeros((size, 1)), inside], axis=1)[np.arange(size), j]
    w = (u[:, 0] * inside[:, -1] - before_j) / (1 - u[:, 0])
    with np.errstate(invalid="ignore", divide="ignore"):
        cost = value.max(axis=1) + noise * np.log(w)
    cost = np.where(np.isfinite(cost), cost, rng.uniform(-1, 1, size))
    cost = np.where(rng.random(size) < 0.3, np.nextafter(cost, 9.0), cost)
    table = np.tile(success, (k + 1, 1))
    return (cost, factor, group), (table, table, dues, eligible)


@pytest.mark.parametrize("noise", [1e-7, 1e-3, 0.1, 3.0, 1e300])
@pytest.mark.parametrize("k", [2, 3])
def test_several_at_the_edge(k: int, noise: float) -> None:
    rng = np.random.default_rng(10 + k)
    for _ in range(10):
        people, rules = _several(rng, k, noise)
        before = rng.integers(0, k + 1, len(people[0])).astype(np.int8)
        expected = _formula(people, before, rules, noise)
        np.testing.assert_array_equal(_quick(people, before, rules, noise), expected)


def test_several_without_doubt_would_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = kernels_logit.bounds(0.1, np.ones(1))[0]
    monkeypatch.setattr(kernels_logit, "bounds", lambda *_: (scale, 65536.0, 65536.0 * (1 + 1e-4)))
    people, rules = _several(np.random.default_rng(12), 3, 0.1)
    before = np.zeros(len(people[0]), np.int8)
    wrong = _quick(people, before, rules, 0.1) != _formula(people, before, rules, 0.1)
    assert np.count_nonzero(wrong) > 100


@pytest.mark.parametrize("k", [1, 3])
def test_only_the_chosen_choose(k: int) -> None:
    rng = np.random.default_rng(20 + k)
    people, rules = _several(rng, k, 0.1)
    before, chosen = rng.integers(0, k + 1, 6000).astype(np.int8), rng.integers(0, 2, 6000)
    expected = np.where(chosen == 1, _formula(people, before, rules, 0.1), before)
    quick = _quick(people, before, rules, 0.1, chosen=chosen.astype(np.uint8))
    np.testing.assert_array_equal(quick, expected)


# ---------------------------------------------------------------- the law


def test_the_uniforms_are_uniform_and_independent() -> None:
    size = 400_000
    uniforms = np.array(_uniforms(size))
    heads = (uniforms[:99] * 65536).astype(int)
    drawn = [kernels_logit.uniform_of(head, KEY, row) for row, head in enumerate(heads)]
    assert drawn == uniforms[:99].tolist()
    assert stats.kstest(uniforms, "uniform").pvalue > LEVEL
    for lag in (1, 2, 3, 4):  # the heads of four rows are parts of one number
        pairs = np.histogram2d(uniforms[lag:], uniforms[:-lag], bins=20)[0]
        assert stats.chisquare(pairs.ravel()).pvalue > LEVEL
    low = (uniforms * 2.0**53).astype(np.uint64) & np.uint64(0xFF)
    assert stats.chisquare(np.bincount(low.astype(int), minlength=256)).pvalue > LEVEL


@pytest.mark.parametrize("noise", [0.003, 0.1, 2.0])
def test_probabilities_person_by_person(noise: float) -> None:
    rng = np.random.default_rng(6)
    size, times = 3000, 400
    people = (rng.uniform(-0.5, 1.2, size), rng.random(size), np.zeros(size, np.uint8))
    joined = np.zeros(size)
    for _ in range(times):
        before = rng.integers(0, 2, size).astype(np.int8)
        joined += _quick(people, before, _one(0.6, 0.6, 0.1), noise, compact.key(rng))
    p = 1 / (1 + np.exp(-(0.6 - people[1] * 0.6 - people[0] - 0.1) / noise))
    lowest, highest = stats.binom.cdf(joined, times, p), stats.binom.sf(joined - 1, times, p)
    assert min(lowest.min(), highest.min()) > LEVEL / size
    spread = (joined.sum() - times * p.sum()) / np.sqrt(times * (p * (1 - p)).sum())
    assert abs(spread) < 4


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_probabilities_of_several(noise: float) -> None:
    rng = np.random.default_rng(7)
    kinds, each = 12, 20_000
    cost, factor = rng.uniform(-0.2, 0.6, kinds), rng.random(kinds)
    success, dues = np.array([0.5, 0.45, 0.6]), np.array([0.0, 0.02, 0.1])
    people = (cost.repeat(each), factor.repeat(each), np.zeros(kinds * each, np.uint8))
    table = np.tile(success, (4, 1))
    rules = (table, table, dues, np.ones((1, 3), bool))
    chosen = _quick(people, np.zeros(kinds * each, np.int8), rules, noise).reshape(kinds, each)
    gains = success - factor[:, None] * success - cost[:, None] - dues
    for states, p in zip(chosen, logit_probabilities(gains, noise), strict=True):
        seen, awaited = np.bincount(states, minlength=4), p * each
        few = awaited < 10
        seen, awaited = (np.append(x[~few], x[few].sum()) for x in (seen, awaited))
        keep = awaited > 0
        assert stats.chisquare(seen[keep], awaited[keep]).pvalue > LEVEL


# ---------------------------------------------------------------- in an economy

WORLD = {
    "population.size": 50_000,
    "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0},
    "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 1.0},
    "revision": {"protocol": "logit", "noise": 0.1},
    "collectives.union.start": 0.3,
    "stop": {"when": "never"},
}


@pytest.mark.parametrize(("collectives", "rate"), [(1, 1.0), (3, 1.0), (1, 0.3), (3, 0.3)])
def test_an_economy_takes_it_and_threads_change_nothing(
    collectives: int, rate: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups of which some may not join; an edited person chooses by her new cost."""
    groups = {"artists": {"share": 0.4, "cost": 0.1}}
    changes = {**WORLD, "population.groups": groups, "collectives.union.recruits": ["artists"]}
    world = scenario({**changes, "revision.rate": rate}, collectives)
    calls, real = [], kernels_logit.logit
    monkeypatch.setattr(threads, "threads", lambda: 3)

    def counted(*args: Any) -> Any:
        calls.append(args[6])
        return real(*args)

    monkeypatch.setattr(kernels_logit, "logit", counted)
    one, parts = (Economy(world, engine="rows") for _ in range(2))
    states, joiner = one.population.membership, int(np.flatnonzero(one.population.group == 1)[5])
    for epoch in range(6):
        if epoch == 2:
            one.person(joiner).cost = parts.person(joiner).cost = -1e3
        before = states.copy()
        one.step()
        with monkeypatch.context() as apart:
            apart.setattr(compact, "PART", 4096)
            parts.step()
        np.testing.assert_array_equal(states, parts.population.membership)
        assert np.count_nonzero(states != before) <= rate * 50_000
        members = [np.count_nonzero(states == k + 1) for k in range(collectives)]
        assert one.counts.tolist() == parts.counts.tolist() == members
    assert states[joiner] > 0 or rate < 1
    assert (calls.count(0), len(calls)) == (12, 24)
    assert not (states[one.population.group == 0] == 1).any()

"""Compiled epochs against the plain reference: the same people where no chance is involved, else
the same law."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim import (
    compact,
    kernels,
    kernels_chance,
    kernels_classes,
    kernels_network,
    kernels_several,
    kernels_thresholds,
    sweeps,
)
from sim.model import Economy
from sim.payoffs import gain
from tests.economies import scenario

LEVEL = 1e-4  # of each test of a law
UNEVEN = {
    "epochs": 1_000_000,
    "population.size": 300,
    "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0},
    "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.5},
    "collectives.union.start": 0.3,
    "collectives.union.signal": {"uniqueness": 0.05, "gap": 1.0},
    "stop": {"when": "never"},
}


# ---------------------------------------------------------------- five hundred random scenarios


def _pick(rng: np.random.Generator, *values: Any) -> Any:
    return values[rng.integers(len(values))]


def _random_scenario(rng: np.random.Generator) -> Any:
    k, level = int(rng.integers(1, 4)), round(float(rng.uniform(0.05, 0.8)), 3)
    network = rng.random() < 0.25
    ties = _pick(rng, 0.0, 0.0, 0.02)
    changes: dict[str, Any] = {
        "seed": int(rng.integers(1000)),
        "population.size": int(rng.integers(5, 2500)),
        "population.cost": _pick(
            rng,
            level,
            {"dist": "normal", "mean": level, "sd": 0.2},
            {"dist": "uniform", "low": -0.2, "high": 2 * level},
            {"dist": "values", "values": [0.0, 0.3, level]},
        ),
        "population.free_riding": _pick(
            rng, 0.2, 0.0, 1.0, {"dist": "uniform", "low": 0.0, "high": 1.0}
        ),
        "platform.retrain_every": _pick(rng, 1, 1, 3),
        "revision.decides": "atomistic" if network else _pick(rng, "atomistic", "pivotal"),
        "stop": {"when": "never"},
    }
    for name in ("union", "guild", "club")[:k]:
        changes[f"collectives.{name}.start"] = round(float(rng.uniform(0, 0.3)), 3)
        changes[f"collectives.{name}.dues"] = ties if rng.random() < 0.8 else 0.1
        changes[f"collectives.{name}.signal"] = {
            "uniqueness": _pick(rng, 0.0, 0.03, 0.1), "gap": 1.0
        }  # fmt: skip
    if network:
        changes["population.network"] = _pick(
            rng, {"kind": "complete"}, {"kind": "erdos_renyi", "mean_degree": 3.0}
        )
    if rng.random() < 0.3:
        changes["population.groups"] = {"artists": {"share": 0.4, "cost": 0.1}}
        changes["collectives.union.recruits"] = ["artists"]
    return scenario(changes, k)


def test_without_chance_the_people_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every person in every epoch, and every way is taken more than once."""
    taken = {"thresholds": 0, "several": 0, "network": 0, "told": 0, "plain": 0}

    def count(module: Any, name: str, way: str) -> None:
        function = getattr(module, name)

        def counted(*args: Any) -> Any:
            taken[way] += 1
            return function(*args)

        monkeypatch.setattr(module, name, counted)

    count(kernels_classes, "respond", "thresholds")
    count(kernels_several, "respond", "several")
    count(kernels_network, "respond", "network")
    count(kernels_network, "tell", "told")
    count(kernels, "respond", "plain")
    rng = np.random.default_rng(7)
    for _ in range(500):
        world = _random_scenario(rng)
        plain, fast = (Economy(world, compiled=flag) for flag in (False, True))
        for _ in range(8):
            plain.step()
            fast.step()
            people, same = fast.population, plain.population
            np.testing.assert_array_equal(same.membership, people.membership)
            assert people.counts.tolist() == same.counts.tolist()
    assert min(taken.values()) > 50, taken


# ---------------------------------------------------------------- ties and edits


def test_a_tie_by_construction_stays() -> None:
    """c = 0.3, γ = 0.2, S = 0.375: nobody gains, so nobody moves."""
    economy = Economy(scenario({"collectives.union.start": 0.4}), compiled=True)
    economy.step()
    economy.published = np.array([0.375])
    before = economy.population.membership.copy()
    before[::3] ^= 1
    economy.population.assign(None, before)
    assert gain(0.375, 0.375, 0.3, 0.2) == 0.0
    assert compact.respond(economy, economy.size) == 0
    economy.published = np.array([np.nextafter(0.375, 1)])
    assert compact.respond(economy, economy.size) == np.count_nonzero(before == 0)


def test_an_edited_person_decides_by_her_new_cost() -> None:
    economy, twin = (Economy(scenario(UNEVEN), compiled=flag) for flag in (True, False))
    economy.step()
    twin.step()
    assert economy.population.compact is not None
    with pytest.raises(ValueError, match="read-only"):
        economy.population.cost[0] = 5.0
    for each in (economy, twin):
        for person in each.people(range(0, 300, 2)):
            person.cost = 0.0 if person.cost > 0.4 else 3.0
        each.agents.select(lambda p: p.row % 5 == 0).set("free_riding", 1.0)
    for other in (economy, pickle.loads(pickle.dumps(economy)), copy.deepcopy(economy)):
        other.step()
        other.person(1).cost = -1.0
        other.step()
    for _ in range(2):
        twin.step()
        twin.person(1).cost = -1.0
    np.testing.assert_array_equal(economy.population.membership, twin.population.membership)
    np.testing.assert_array_equal(other.population.membership, twin.population.membership)


# ---------------------------------------------------------------- the same law


@pytest.fixture
def own_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "OWN_DRAWS_FROM", 0)


def _alike(first: np.ndarray, second: np.ndarray) -> float:
    """p-value of the hypothesis that two samples of vectors are of one law (chi-square)."""
    both = np.concatenate([first, second])
    order = np.lexsort(both.T)
    cells = np.empty(len(both), np.int64)
    cells[order] = np.arange(len(both)) * 25 // len(both)
    _, cells[order] = np.unique(cells[order], return_inverse=True)
    # Equal vectors belong into one cell: that of the first of them.
    _, where, back = np.unique(both, axis=0, return_index=True, return_inverse=True)
    cells = cells[where][back.reshape(-1)]
    table = np.stack([np.bincount(cells[: len(first)], minlength=25),
                      np.bincount(cells[len(first) :], minlength=25)])  # fmt: skip
    table = table[:, table.sum(axis=0) >= 10]
    return float(stats.chi2_contingency(table).pvalue)


def _sample(world: Any, times: int, epochs: int, compiled: bool) -> np.ndarray:
    """(times, epochs + 1): members after each epoch, and how many of the first half are members."""
    economy = Economy(world, compiled=compiled)
    start = economy.population.membership.copy()
    rows = np.empty((times, epochs + 1), np.int64)
    for t in range(times):
        economy.population.assign(None, start)
        for epoch in range(epochs):
            economy.step()
            rows[t, epoch] = economy.population.counts[0]
        assert economy.running
        rows[t, epochs] = np.count_nonzero(economy.population.membership[: len(start) // 2])
    return rows


STEEP = {  # success changes much within an epoch, and like people have neighbouring rows
    "population.size": 200,
    "population.cost": {"dist": "values", "values": np.linspace(0.02, 0.6, 12).tolist()},
    "population.free_riding": 0.0,
    "collectives.union.strategy": "gradient_control",
    "collectives.union.signal": {"pull": 1.0, "learning_rate": 1.0, "steps": 1},
    "collectives.union.start": 0.42,
}
LAWS: dict[str, dict[str, Any]] = {
    "share": {"revision.rate": 0.1},
    "in turn": {"revision.activation": "sequential"},
    "share in turn": {**STEEP, "revision.activation": "sequential", "revision.rate": 0.4},
    "steep share": {**STEEP, "revision.rate": 0.4},
    "more than half in turn": {**STEEP, "revision.activation": "sequential", "revision.rate": 0.8},
    "logit": {"revision": {"protocol": "logit", "noise": 0.1}},
    "logit share": {"revision": {"protocol": "logit", "noise": 0.1, "rate": 0.6}},
    "pivotal share": {"revision": {"decides": "pivotal", "rate": 0.2}},
}


def _with(changes: dict[str, Any]) -> Any:
    """A scenario whose overrides may replace the strategy (and so its signal)."""
    if "collectives.union.strategy" in changes:
        changes = {
            **{key: value for key, value in changes.items() if "collectives.union" not in key},
            "collectives.union": {
                key.rsplit(".", 1)[1]: value
                for key, value in changes.items()
                if key.startswith("collectives.union.")
            },
        }
    return scenario(changes)


@pytest.mark.once(keep=3)
@pytest.mark.parametrize("rule", LAWS)
@pytest.mark.usefixtures("own_draws")
def test_chance_has_the_law_of_the_reference(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs jointly, and who the members are; the band of a sweep is made far too narrow."""
    monkeypatch.setattr(sweeps, "WHOLE", 0)
    monkeypatch.setattr(sweeps, "PER_WISH", 0)
    monkeypatch.setattr(sweeps, "SPARE", 1)
    world = _with({**UNEVEN, "population.size": 60, **LAWS[rule]})
    fast = _sample(world, 2000, 2, True)
    monkeypatch.setattr(compact, "OWN_DRAWS_FROM", 10**9)
    plain = _sample(world, 2000, 2, True)
    assert _alike(fast, plain) > LEVEL
    assert _alike(fast[:, :1] + 3, plain[:, :1]) < LEVEL  # it would notice three members too many


@pytest.mark.once
@pytest.mark.usefixtures("own_draws")
def test_the_law_of_a_share_in_turn_is_not_that_of_a_share_at_once() -> None:
    """The comparison sees whether success is renewed within the epoch."""
    samples = [_sample(_with({**UNEVEN, **LAWS[rule]}), 1500, 2, True)
               for rule in ("share in turn", "steep share")]  # fmt: skip
    assert _alike(*samples) < 1e-30


@pytest.mark.usefixtures("own_draws")
def test_a_sweep_that_asks_few_has_the_law_of_one_that_asks_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Near rest and far from it, whichever width the band begins with."""
    world = _with({**UNEVEN, **STEEP, "revision.activation": "sequential"})
    samples = []
    for width in (1, 20, 10**6):
        monkeypatch.setattr(sweeps, "WHOLE", 0 if width < 10**6 else 10**6)
        monkeypatch.setattr(sweeps, "PER_WISH", 0)
        monkeypatch.setattr(sweeps, "SPARE", width)
        samples.append(_sample(world, 1500, 2, True))
    for sample in samples[:-1]:
        assert _alike(sample, samples[-1]) > LEVEL


def test_in_turn_follows_its_order() -> None:
    """The kernel on thresholds against the one on the formula, in the same random orders."""
    rng = np.random.default_rng(8)
    for trial in range(50):
        size = int(rng.integers(5, 400))
        cost, factor = rng.uniform(-0.1, 1, size).round(3), rng.uniform(0, 1, size).round(1)
        group, closed = rng.integers(0, 2, size).astype(np.uint8), np.array([False, trial % 2 > 0])
        eligible, dues = ~closed[:, None], np.zeros(1)
        curve = np.sort(rng.random(size + 2)).round(2 if trial % 3 else 9)
        member = ((rng.random(size) < 0.3) & ~closed[group]).astype(np.int8)
        other, rows = member.copy(), rng.permutation(size).astype(np.int32)
        theta = kernels_thresholds.thresholds(cost, factor, group, closed, 0.0)
        tables = (np.zeros((2, 1)), np.zeros((2, 1)), dues, eligible)
        asked, count, moved = kernels_thresholds.in_turn(
            rows, theta, curve, np.float32(2 * kernels_thresholds.MARGIN), int(member.sum()), 0,
            size, (cost, factor, group), member, tables,
        )  # fmt: skip
        before = other.copy()
        expected = kernels.sequential_one(
            rows, cost, factor, group, other, curve[other.sum()], curve, False, int(other.sum()),
            dues, eligible, 0.0, np.empty(0),
        )  # fmt: skip
        np.testing.assert_array_equal(member, other)
        assert (asked, count, moved) == (size, expected, np.count_nonzero(before != other))


def test_shuffles_and_draws_are_uniform() -> None:
    rng = np.random.default_rng(4)
    orders, pairs = np.zeros(4**4), np.zeros((6, 6))
    marks = np.zeros(6, np.uint8)
    for _ in range(12_000):
        rows = np.arange(4, dtype=np.int32)
        kernels_chance.shuffle(rows, compact.key(rng))
        orders[np.dot(rows, [64, 16, 4, 1])] += 1
        first, second = kernels_chance.distinct(2, 6, compact.key(rng), marks)
        pairs[first, second] += 1
    assert not marks.any()
    assert np.count_nonzero(orders) == 24
    assert stats.chisquare(orders[orders > 0]).pvalue > LEVEL
    assert np.trace(pairs) == 0
    assert stats.chisquare(pairs[~np.eye(6, dtype=bool)]).pvalue > LEVEL
    uniforms = kernels_chance.uniforms(200_000, compact.key(rng))
    assert stats.kstest(uniforms, "uniform").pvalue > LEVEL
    assert abs(np.corrcoef(uniforms[1:], uniforms[:-1])[0, 1]) < 4 / np.sqrt(len(uniforms))


# ---------------------------------------------------------------- networks, near rest


@pytest.mark.parametrize("kind", ["watts_strogatz", "erdos_renyi"])
def test_neighbours_are_told_whoever_moved_people(kind: str) -> None:
    network = {"watts_strogatz": {"k": 6, "p": 0.1}, "erdos_renyi": {"mean_degree": 4.0}}[kind]
    world = scenario(
        {**UNEVEN, "population.size": 2000, "population.network": {"kind": kind, **network}}
    )
    plain, fast = (Economy(world, compiled=flag) for flag in (False, True))
    rng = np.random.default_rng(2)
    for epoch in range(12):
        moved = rng.choice(2000, int(rng.integers(0, 60)), replace=False)
        states = rng.integers(0, 2, len(moved)).astype(np.int8)
        for each in (plain, fast):
            each.population.assign(moved, states)  # behind its back
            if epoch == 7:
                each.person(5).cost = 2.0
            each.step()
        np.testing.assert_array_equal(plain.population.membership, fast.population.membership)
        assert plain.population.counts.tolist() == fast.population.counts.tolist()
        graph, kept = fast.graph, fast.population.compact
        assert graph is not None
        near = [int(kept.seen[graph.neighbours(i)].sum()) for i in range(0, 2000, 97)]
        assert kept.near[::97].tolist() == near

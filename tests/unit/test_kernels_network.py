"""Compiled loops on networks: the same counts, choices and graphs as the plain way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim import kernels_network as kernels
from sim import neighbours, networks, threads
from sim.model import Economy
from sim.networks import Graph
from sim.payoffs import choose, gain
from tests.economies import scenario


def _with_hub(size: int, ties: int, seed: int) -> Graph:
    """Random ties, one person who knows half of all, and some who know nobody."""
    rng = np.random.default_rng(seed)
    edges = rng.integers(0, size - 7, (ties, 2))
    hub = np.column_stack([np.full(size // 2, 3), rng.integers(0, size - 7, size // 2)])
    edges = np.concatenate([edges, hub])
    return networks.from_edges(edges[edges[:, 0] != edges[:, 1]], size)


# ---------------------------------------------------------------- counts


@pytest.mark.parametrize(
    ("size", "ties"), [(10, 0), (255, 300), (256, 300), (1300, 9000), (3001, 20_000)]
)
def test_members_near_each_person(size: int, ties: int) -> None:
    graph, rng = _with_hub(size, ties, size), np.random.default_rng(1)
    for share in (0.0, 0.3, 1.0):
        member = (rng.random(size) < share).astype(np.int8)
        expected = [int(member[graph.neighbours(i)].sum()) for i in range(size)]
        members = np.packbits(member, bitorder="little")
        narrowest = np.min_scalar_type(int(graph.degree.max()) + 2)
        for kind in (narrowest, np.uint16, np.uint32):
            near = np.full(size, 99, kind)
            half = size // 2
            for part in (slice(0, half), slice(half, size)):  # as two threads would
                ends = graph.indptr[part.start : part.stop + 1]
                kernels.count_near(ends, graph.indices, members, near[part])
            assert near.tolist() == expected
    other = (rng.random(size) < 0.5).astype(np.int8)
    rows = kernels.switched(other, member, size)
    assert rows.tolist() == np.flatnonzero(other != member).tolist()
    assert size < 2000 or len(kernels.switched(other, member, 3)) > 3
    kernels.tell(rows, graph.indptr, graph.indices, other, member, near)
    assert near.tolist() == [int(other[graph.neighbours(i)].sum()) for i in range(size)]
    np.testing.assert_array_equal(member, other)


# ---------------------------------------------------------------- choices


@pytest.mark.parametrize("shape", ["rising", "falling", "flat", "any"])
def test_choices_by_count_are_those_of_the_formula(shape: str) -> None:
    """At every count that neighbours can show; ties, γ = 1 and closed groups among them."""
    rng = np.random.default_rng(5)
    degree, size = 9, 4000
    curve = {
        "rising": np.linspace(0, 1, degree + 1) ** 2,
        "falling": np.linspace(1, 0.2, degree + 1),
        "flat": np.full(degree + 1, 0.375),
        "any": rng.random(degree + 1),
    }[shape]
    factor = rng.choice([0.0, 0.2, 1.0, 1 - 2.0**-40, rng.random()], size)
    at = curve[rng.integers(0, degree + 1, size)]
    cost = np.where(rng.random(size) < 0.5, at - factor * at, rng.uniform(-0.3, 1, size))
    cost[::5] = np.nextafter(cost[::5], rng.choice([-9.0, 9.0], len(cost[::5])))
    group = rng.integers(0, 2, size).astype(np.uint8)
    offers = (np.zeros(1), np.array([[True], [False]]), np.zeros(degree + 1, np.int64), curve)
    people, indptr = (cost, factor, group), np.arange(size + 1, dtype=np.int64) * degree
    least = np.empty(size, np.uint8)
    kernels.least_near(people, offers, indptr, least)
    for count in range(degree + 1):
        near, before = np.full(size, count, np.uint8), rng.integers(0, 2, size).astype(np.int8)
        d = gain(curve[count], curve[count], cost, factor, 0.0)[:, None]
        expected = choose(np.where(group[:, None] == 0, d, -np.inf), before)
        everybody, in_rows = before.copy(), before.copy()
        moved, more = kernels.respond(least, near, everybody, people, offers, indptr)
        np.testing.assert_array_equal(everybody, expected)
        changes = expected.astype(int) - before
        assert (moved, more) == (np.abs(changes).sum(), changes.sum())
        rows = rng.permutation(size)[: size // 3]
        kernels.some(rows, least, near, in_rows, people, offers, indptr, 0.0, near * 1.0, rows[:0])
        np.testing.assert_array_equal(in_rows[rows], expected[rows])
    if shape == "rising":
        assert 0.1 < np.mean(least == 255) < 0.4  # ties
        assert np.mean(least == degree + 1) > 0.4  # closed


RULES: dict[str, dict[str, Any]] = {
    "a share": {"revision.rate": 0.3},
    "in turn": {"revision.activation": "sequential"},
    "a share in turn": {"revision.activation": "sequential", "revision.rate": 0.4},
    "logit": {"revision": {"protocol": "logit", "noise": 0.05}},
    "logit share": {"revision": {"protocol": "logit", "noise": 0.05, "rate": 0.3}},
    "logit in turn": {"revision": {"protocol": "logit", "noise": 0.05, "activation": "sequential"}},
}


def _world(**changes: Any) -> Any:
    return scenario({
        "epochs": 25,
        "population.size": 300,
        "population.cost": {"dist": "values", "values": [0.0, 0.1, 0.3, 0.45, 0.7]},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.5},
        "population.network": {"kind": "erdos_renyi", "mean_degree": 5.0},
        "population.groups": {"artists": {"share": 0.3, "cost": 0.1}},
        "collectives.union.start": 0.3,
        "collectives.union.signal": {"uniqueness": 0.05, "gap": 1.0},
        **changes,
    })  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_same_people_as_the_plain_way(rule: str) -> None:
    """The same draws, so the same people, whoever else moves some, until it stops."""
    for seed, recruits in ((1, None), (2, ["artists"]), (3, None)):
        closed = {} if recruits is None else {"collectives.union.recruits": recruits}
        world = _world(seed=seed, **closed, **RULES[rule])
        plain, fast = (Economy(world, compiled=flag) for flag in (False, True))
        rng = np.random.default_rng(seed)
        for epoch in range(25):
            moved = np.flatnonzero(rng.random(300) < (0.3 if epoch == 4 else 0.02))
            for each in (plain, fast):
                if epoch < 8 and recruits is None:
                    each.population.assign(moved, 1 - each.population.membership[moved])
                if epoch == 2:
                    each.person(5).cost = 2.0
                each.step()
            np.testing.assert_array_equal(plain.population.membership, fast.population.membership)
            assert plain.population.counts.tolist() == fast.population.counts.tolist()
        assert plain.stopped == fast.stopped is not None
        assert fast.population.compact is not None  # it went this way


def test_two_threads_count_and_choose_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = [_world(**{"population.size": 20_000, **RULES[rule]}) for rule in ("logit", "a share")]
    worlds.append(_world(**{"population.size": 20_000}))
    monkeypatch.setattr(neighbours, "TIES", 1000)
    monkeypatch.setattr(neighbours, "PEOPLE", 100)
    for world in worlds:
        ends = []
        for count in (1, 2, 5):
            monkeypatch.setattr(threads, "threads", lambda count=count: count)
            economy = Economy(world, compiled=True)
            for _ in range(3):
                economy.step()
            near = economy.population.compact.near
            ends.append((economy.population.membership.tolist(), near.tolist()))
        assert ends[0] == ends[1] == ends[2]


# ---------------------------------------------------------------- graphs


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_rows_from_edges_either_way(kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated ties, both ways round, nobody's neighbours, and a person with many."""
    rng = np.random.default_rng(2)
    for size in (2, 50, 900):
        edges = rng.integers(0, size, (6 * size, 2))
        edges = np.concatenate([edges, edges[::3, ::-1]]).astype(kind)
        edges[::4, 0] = 1
        edges = edges[edges[:, 0] != edges[:, 1]]
        plain = networks.from_edges(edges, size + 3)
        monkeypatch.setattr(networks, "COMPILED_FROM", 0)
        fast = networks.from_edges(edges, size + 3)
        monkeypatch.undo()
        for one, other in zip(plain, fast, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_a_seed_ties_the_people_that_it_always_did() -> None:
    """Draws that are sorted and shuffled in place, against the plain way to say it."""
    rng, twin = np.random.default_rng(9), np.random.default_rng(9)
    edges = networks.erdos_renyi(3000, 7.0, rng)
    total = 3000 * 2999 // 2
    count = twin.binomial(total, 7.0 / 2999)
    drawn = np.unique(twin.integers(0, total, int(count * 1.1) + 16))
    expected = networks._pairs(twin.permutation(drawn)[:count])
    np.testing.assert_array_equal(edges, expected)
    assert rng.random() == twin.random()
    keys = np.array([5, 3, 5, 1, 3, 9])
    assert networks._once(keys).tolist() == [1, 3, 5, 9]
    assert networks._once(keys[:0]).tolist() == []


def test_a_small_step_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = networks.erdos_renyi(500, 6.0, np.random.default_rng(4)).copy()
    monkeypatch.setattr(networks, "STEP", 7)
    np.testing.assert_array_equal(first, networks.erdos_renyi(500, 6.0, np.random.default_rng(4)))

"""Several collectives on a network in compiled loops: the same people as the plain way."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import kernels_network_several as kernels
from sim import neighbours, revision, threads
from sim.model import Economy
from sim.networks import Graph, from_edges
from sim.payoffs import logit_probabilities
from sim.scenario import Scenario, loads

START = """
name = "several"
epochs = 1000
stop = { when = "never" }
[platform]
learner = "bound"
[population.groups.artists]
share = 0.4
[population.groups.drivers]
share = 0.3
"""
ER = {"kind": "erdos_renyi", "mean_degree": 4.0}


def _world(k: int, changes: dict[str, Any], folder: Path = Path()) -> Scenario:
    """k collectives with like signals, so that two of them are often equally good."""
    text = START + "".join(
        f'[collectives.c{i}]\nstrategy = "feature_label"\nstart = 0.1\n'
        f"signal = {{ uniqueness = {0.05 if i < 2 else 0.08}, gap = 1.0 }}\n"
        for i in range(k)
    )
    people = {
        "population.size": 300,
        "population.cost": {"dist": "uniform", "low": 0.0, "high": 0.8},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.5},
        "population.network": ER,
    }
    return loads(text, overrides={**people, **changes}, folder=folder)


def _star(size: int, rng: np.random.Generator, path: Path) -> dict[str, Any]:
    """A network from a file: two people who know many, some ties, some who know nobody."""
    edges, half = rng.integers(0, size - 5, (size, 2)), np.arange(size // 2)
    for hub in (0, 7):
        edges = np.concatenate([edges, np.column_stack([np.full(len(half), hub), half])])
    np.savetxt(path, edges[edges[:, 0] != edges[:, 1]], "%d")
    return {"kind": "edges", "path": path.name}


# ---------------------------------------------------------------- the table


@pytest.mark.parametrize("k", [2, 3, 5])
def test_every_composition_has_its_row(k: int) -> None:
    """For each degree that occurs; whoever asks the success alone gets the same to the bit."""
    success = Economy(_world(k, {})).success
    degree = np.array([0, 4, 2, 4, 9, 4, 2, 0, 4])
    table = kernels.local_table(success, degree, 1500)
    assert table is not None
    if k == 5:
        assert table.first.tolist()[4] == -1  # the 2,002 rows for nine neighbours are too many
    shift = np.uint32(32 // k)
    for first, d in zip(table.first.tolist(), degree.tolist(), strict=True):
        if first < 0:
            continue
        for n in product(range(d + 1), repeat=k):
            if sum(n) > d:
                continue
            near = sum(each << int(shift) * j for j, each in enumerate(n))
            row = kernels._row.py_func(np.uint32(near), first, table.ranks)
            alone = success.at(np.array(n) / max(d, 1))
            np.testing.assert_array_equal(table.success[row], alone)


def test_numpy_stays_where_a_table_would_be_too_big() -> None:
    success = Economy(_world(3, {})).success
    assert kernels.local_table(success, np.full(50, 20), 2000) is not None  # 1,771 rows
    assert kernels.local_table(success, np.full(50, 20), 1700) is None
    assert kernels.local_table(success, np.arange(50), 100_000) is not None
    few = {"population.network": {"kind": "watts_strogatz", "k": 2, "p": 0.1}}
    assert neighbours.fits_several(Economy(_world(8, few), compiled=True))
    assert not neighbours.fits_several(Economy(_world(9, few), compiled=True))
    assert not neighbours.fits_several(Economy(_world(1, few), compiled=True))


@pytest.mark.parametrize("k", [2, 3, 8])
def test_members_near_each_person(k: int) -> None:
    rng, size = np.random.default_rng(k), 1300
    for ties in (0, 9000):
        edges = rng.integers(0, size - 9, (ties, 2))
        edges[: ties // 8, 0] = 3  # knows a thousand: of eight collectives her fields overflow
        graph = from_edges(edges[edges[:, 0] != edges[:, 1]], size)
        weight, near = kernels.weights(k), np.full(size, 99, np.uint32)
        states = rng.integers(0, k + 1, size).astype(np.int8)
        for part in (slice(0, 500), slice(500, size)):  # as two threads would
            ends = graph.indptr[part.start : part.stop + 1]
            kernels.count_near(ends, graph.indices, states, weight, near[part])
        np.testing.assert_array_equal(near, _near(graph, states, k))
        after, answer = states.copy(), np.ones(size, np.int8)
        rows = rng.permutation(size)[:40]
        after[rows] = rng.integers(0, k + 1, 40)
        kernels.tell(rows, *graph, after, states, weight, near, answer)
        np.testing.assert_array_equal(near, _near(graph, after, k))
        np.testing.assert_array_equal(states, after)
        told = np.unique(np.concatenate([graph.neighbours(row) for row in rows]))
        assert np.flatnonzero(answer < 0).tolist() == told.tolist()


def _near(graph: Graph, states: np.ndarray, k: int) -> np.ndarray:
    """The integers of everybody, written out."""
    members = [
        np.bincount(states[graph.neighbours(i)], minlength=k + 1)[1:].tolist()
        for i in range(len(states))
    ]
    whole = [sum(n << 32 // k * j for j, n in enumerate(row)) % 2**32 for row in members]
    return np.array(whole, np.uint32)


# ---------------------------------------------------------------- random scenarios


def _pick(rng: np.random.Generator, *values: Any) -> Any:
    return values[rng.integers(len(values))]


def _random_world(rng: np.random.Generator, path: Path) -> Scenario:
    k, in_turn = int(rng.integers(2, 6)), rng.random() < 0.5
    size = int(rng.integers(20, 160 if in_turn else 600))
    level = round(float(rng.uniform(0.1, 0.5)), 3)
    changes: dict[str, Any] = {
        "seed": int(rng.integers(1000)),
        "population.size": size,
        "population.cost": _pick(
            rng, 0.0, level, {"dist": "values", "values": [0.0, 0.05, level]},
            {"dist": "uniform", "low": -0.1, "high": 2 * level},
        ),
        "population.free_riding": _pick(
            rng, 0.0, 0.2, {"dist": "uniform", "low": 0.0, "high": 1.0}
        ),
        "population.network": _pick(
            rng, ER, {"kind": "erdos_renyi", "mean_degree": 0.7},
            {"kind": "watts_strogatz", "k": 6, "p": 0.1}, {"kind": "barabasi_albert", "m": 3},
            {"kind": "stochastic_block", "within": 4.0, "between": 1.0}, _star(size, rng, path),
        ),
        "revision.activation": "sequential" if in_turn else "simultaneous",
        "revision.rate": _pick(rng, 1.0, 1.0, 0.3),
        "platform.retrain_every": 1 if in_turn else _pick(rng, 1, 3),
    }  # fmt: skip
    if rng.random() < 0.4:
        changes |= {"revision.protocol": "logit", "revision.noise": _pick(rng, 0.02, 0.1, 1.0)}
    for i in range(k):
        changes[f"collectives.c{i}.dues"] = _pick(rng, 0.0, 0.0, 0.05)
        if rng.random() < 0.2:
            changes[f"collectives.c{i}.recruits"] = _pick(rng, ["artists"], ["drivers", "artists"])
    return _world(k, changes, path.parent)


def _disturb(economy: Economy, rng: np.random.Generator) -> None:
    """Somebody else moves people, or changes what they decide by, in one of many ways."""
    people, k = economy.population, len(economy.collectives)
    rows = rng.permutation(people.size)[: 1 + people.size // _pick(rng, 2, 20, 200)]
    states = rng.integers(0, k + 1, len(rows)).astype(np.int8)
    match int(rng.integers(7)):
        case 0:
            people.assign(rows, states)  # some where they may not be
        case 1:
            for row, state in zip(rows[:5].tolist(), states.tolist(), strict=False):
                people.join(row, state)
        case 2:
            everybody = economy.agents
            everybody.select(lambda person: person.row % 5 == 1).do("join", None)
        case 3:
            economy.person(int(rows[0])).cost = _pick(rng, -1.0, 0.3, 5.0)
        case 4:
            economy.dues[rng.integers(k)] += 0.03


def test_a_hundred_random_scenarios_have_the_people_of_the_plain_way(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every person in every epoch, and every way is taken more than once."""
    taken = dict.fromkeys(("choices", "in_turn", "count_near", "tell", "hubs"), 0)

    def count(module: Any, name: str, way: str) -> None:
        function = getattr(module, name)

        def counted(*args: Any) -> Any:
            taken[way] += 1
            return function(*args)

        monkeypatch.setattr(module, name, counted)

    for name in ("choices", "in_turn", "count_near", "tell"):
        count(kernels, name, name)
    rng = np.random.default_rng(3)
    for number in range(120):
        world = _random_world(rng, tmp_path / f"{number}.txt")
        plain, fast = (Economy(world, compiled=flag) for flag in (False, True))
        if neighbours.fits_several(fast):
            assert fast.local_table is not None
            taken["hubs"] += int((fast.local_table.first < 0).any())
        for _ in range(5):
            twin = np.random.default_rng(rng.integers(1000))
            state = twin.bit_generator.state
            for each in (plain, fast):
                twin.bit_generator.state = state
                _disturb(each, twin)
                each.step()
            np.testing.assert_array_equal(plain.population.membership, fast.population.membership)
            assert plain.counts.tolist() == fast.counts.tolist()
            assert plain.published.tolist() == fast.published.tolist()
    assert min(taken.values()) > 20, taken


@pytest.mark.parametrize("rule", [{}, {"revision.rate": 0.4}])
def test_it_stops_when_the_plain_way_does(rule: dict[str, Any]) -> None:
    ends = []
    for flag in (False, True):
        economy = Economy(_world(3, {"stop.when": "settled", **rule}), compiled=flag)
        economy.run()
        ends.append((economy.stopped, economy.epoch, economy.population.membership.tolist()))
    assert ends[0] == ends[1]
    assert ends[0][0] != "epochs"


# ---------------------------------------------------------------- who is asked elsewhere


@pytest.mark.parametrize("activation", ["simultaneous", "sequential"])
def test_hubs_are_not_decided_by_the_table(activation: str, tmp_path: Path) -> None:
    """With the rows of people who have fewer neighbours other people would join."""
    network = _star(300, np.random.default_rng(1), tmp_path / "star.txt")
    changes = {
        "population.network": network, "population.size": 300, "population.cost": 0.3,
        "revision.activation": activation,
    }  # fmt: skip
    world, ends = _world(3, changes, tmp_path), []
    for compiled, wrong in ((False, False), (True, False), (True, True)):
        economy = Economy(world, compiled=compiled)
        if compiled:
            table = economy.local_table
            assert table is not None
            assert table.first[0] < 0 and table.first[7] < 0
        if wrong:
            ranks = np.pad(table.ranks, ((0, 0), (0, 300)), mode="edge")  # within the table
            economy.local_table = table._replace(
                first=np.maximum(table.first, 0), ranks=np.minimum(ranks, 100)
            )
        states = []
        for _ in range(4):
            economy.population.assign(np.array([0, 7]), np.array([0, 0]))
            economy.step()
            states.append(economy.population.membership.tolist())
        ends.append(states)
    assert ends[0] == ends[1]
    assert ends[0] != ends[2]


@pytest.mark.parametrize("recruits", [None, ["artists"]])
def test_a_uniform_on_the_edge_between_two_options(recruits: list[str] | None) -> None:
    """Rounded as numpy rounds it: uniforms on the edges themselves, and their neighbours."""
    changes = {} if recruits is None else {"collectives.c1.recruits": recruits}
    rule = {"revision": {"protocol": "logit", "noise": 0.07}}
    fast = Economy(_world(3, {**changes, **rule}), compiled=True)
    rows = np.arange(300)
    edges = np.cumsum(logit_probabilities(revision.gains(fast, rows), 0.07), axis=1)
    for k, side in product(range(3), (0.0, 0.5, 2.0)):
        edge = edges[:, k]
        uniforms = np.minimum(edge if side == 0.5 else np.nextafter(edge, side), 1 - 2.0**-53)
        expected = revision.by_formula(fast, rows, uniforms)
        np.testing.assert_array_equal(neighbours.choices(fast, None, uniforms), expected)
        some = np.random.default_rng(k).permutation(300)[:90]
        in_rows = neighbours.choices(fast, some, uniforms[some])
        np.testing.assert_array_equal(in_rows, expected[some])


def test_who_is_answered_is_not_asked_again() -> None:
    """Until somebody whom she knows moves, or she does."""
    economy = Economy(_world(3, {}), compiled=True)
    while True:
        before = economy.population.membership.copy()
        economy.step()
        if (before == economy.population.membership).all():
            break
    economy.step()
    assert economy.running
    kept, graph, rows = economy.population.compact, economy.graph, np.array([3, 50])
    asked = np.flatnonzero(economy.local_table.first < 0)
    assert np.flatnonzero(kept.answer < 0).tolist() == asked.tolist()
    economy.population.assign(rows, (economy.population.membership[rows] + 1) % 4)
    neighbours._several_up_to_date(economy)
    told = np.concatenate([asked, *(graph.neighbours(row) for row in rows)])
    assert np.flatnonzero(kept.answer < 0).tolist() == np.unique(told).tolist()


def test_two_threads_count_and_choose_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "TIES", 1000)
    monkeypatch.setattr(neighbours, "PEOPLE", 100)
    logit = {"revision": {"protocol": "logit", "noise": 0.1}}
    for rule in ({}, logit, {"revision.rate": 0.3}):
        ends = []
        for count in (1, 2, 5):
            monkeypatch.setattr(threads, "threads", lambda count=count: count)
            economy = Economy(_world(3, {"population.size": 20_000, **rule}), compiled=True)
            for _ in range(3):
                economy.step()
            ends.append(economy.population.membership.tolist())
        assert ends[0] == ends[1] == ends[2]

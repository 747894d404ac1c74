"""Networks: what the definitions promise, against networkx and against their own laws."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from scipy import stats

from sim import networks


def _graph(edges: np.ndarray, size: int) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(range(size))
    graph.add_edges_from(edges.tolist())
    return graph


def test_rows_hold_the_neighbours_of_each_node() -> None:
    known = nx.karate_club_graph()
    graph = networks.from_edges(np.array(known.edges), 34)
    for node in known:
        assert sorted(known[node]) == graph.neighbours(node).tolist()
    np.testing.assert_array_equal(graph.edges(), sorted(tuple(sorted(e)) for e in known.edges))


def test_repeated_edges_count_once_and_self_loops_are_refused() -> None:
    graph = networks.from_edges(np.array([[0, 1], [1, 0], [0, 1]]), 3)
    assert graph.degree.tolist() == [1, 1, 0]
    with pytest.raises(ValueError, match="self-loop"):
        networks.from_edges(np.array([[2, 2]]), 3)
    with pytest.raises(ValueError, match=r"0 … 2"):
        networks.from_edges(np.array([[0, 3]]), 3)


@pytest.mark.parametrize("p", [0.0, 0.1, 1.0])
def test_watts_strogatz(p: float) -> None:
    size, k = 2_000, 10
    edges = networks.watts_strogatz(size, k, p, np.random.default_rng(1))
    graph = networks.from_edges(edges, size)
    assert graph.degree.sum() == size * k  # rewiring loses no edge, makes no double one
    assert graph.degree.min() >= k // 2  # the near ends stay
    clustering = nx.average_clustering(_graph(edges, size))
    ring = 3 * (k - 2) / (4 * (k - 1))
    assert clustering == pytest.approx(ring * (1 - p) ** 3, abs=0.03)  # Barrat & Weigt 2000


def test_tiny_watts_strogatz_is_complete() -> None:
    edges = networks.watts_strogatz(5, 4, 0.5, np.random.default_rng(0))
    assert networks.from_edges(edges, 5).degree.tolist() == [4] * 5


def test_erdos_renyi_degrees_are_binomial() -> None:
    size = 4_000
    degree = networks.from_edges(
        networks.erdos_renyi(size, 6.0, np.random.default_rng(2)), size
    ).degree
    assert degree.mean() == pytest.approx(6.0, abs=4 * np.sqrt(12 / size))
    observed = np.bincount(np.minimum(degree, 15), minlength=16)
    law = stats.binom(size - 1, 6.0 / (size - 1))
    expected = size * np.append(law.pmf(np.arange(15)), law.sf(14))
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-4


def test_pairs_enumerate_every_pair_once() -> None:
    pairs = networks._pairs(np.arange(28))
    assert {tuple(p) for p in pairs.tolist()} == {(i, j) for j in range(8) for i in range(j)}
    big = networks._pairs(np.array([2**52, 10**15]))
    i, j = big.T
    assert np.all(j * (j - 1) // 2 + i == [2**52, 10**15])
    assert np.all((i >= 0) & (i < j))


def test_stochastic_block_degrees() -> None:
    group = np.repeat([0, 1, 2], [1_000, 2_000, 3_000])
    edges = networks.stochastic_block(group, 8.0, 2.0, np.random.default_rng(3))
    same = group[edges[:, 0]] == group[edges[:, 1]]
    assert 2 * same.sum() / 6_000 == pytest.approx(8.0, abs=0.3)
    assert 2 * (~same).sum() / 6_000 == pytest.approx(2.0, abs=0.2)
    for g, n in enumerate([1_000, 2_000, 3_000]):
        assert 2 * (same & (group[edges[:, 0]] == g)).sum() / n == pytest.approx(8.0, abs=0.6)


def test_barabasi_albert_has_a_heavy_tail() -> None:
    size = 3_000
    edges = networks.barabasi_albert(size, 3, np.random.default_rng(4))
    degree = networks.from_edges(edges, size).degree
    assert degree.min() >= 3
    assert degree.sum() == 2 * 3 * (size - 3)
    assert degree.max() > 60  # Erdős–Rényi of the same mean would stay below 25


def test_random_networks_repeat_with_their_generator() -> None:
    for make in (
        lambda rng: networks.watts_strogatz(200, 6, 0.2, rng),
        lambda rng: networks.erdos_renyi(200, 5.0, rng),
        lambda rng: networks.barabasi_albert(200, 2, rng),
    ):
        first = make(np.random.default_rng(7))
        np.testing.assert_array_equal(first, make(np.random.default_rng(7)))
        assert not np.array_equal(first, make(np.random.default_rng(8)))

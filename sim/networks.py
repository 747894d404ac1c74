"""Networks as compressed sparse rows: the neighbours of i are ``indices[indptr[i]:indptr[i+1]]``.

All are undirected, without self-loops and without multiple edges. Random graphs are drawn as edge
arrays; only Barabási–Albert, which grows one node at a time, is networkx's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.errors import ScenarioError
from sim.edge_list import read_edges
from sim.scenario import Scenario

Edges = NDArray[np.integer]  # (E, 2)
COMPILED_FROM = 100_000  # edges
STEP = 1 << 20  # edges that are worked on at a time where all at once would need much memory


class Graph(NamedTuple):
    """An undirected graph on N nodes in compressed sparse rows."""

    indptr: NDArray[np.int64]  # (N+1,)
    indices: NDArray[np.int32]  # (2E,) neighbours, ascending within a row

    @property
    def degree(self) -> NDArray[np.int64]:
        """(N,) number of neighbours."""
        return np.diff(self.indptr)

    def neighbours(self, node: int) -> NDArray[np.int32]:
        """The neighbours of one node."""
        return self.indices[self.indptr[node] : self.indptr[node + 1]]

    def edges(self) -> Edges:
        """(E, 2) every edge once, the smaller node first."""
        source = np.repeat(np.arange(len(self.indptr) - 1), self.degree)
        once = source < self.indices
        return np.column_stack([source[once], self.indices[once]]).astype(np.int64)


def from_edges(edges: Edges, size: int) -> Graph:
    """A graph from an edge array; repeated edges (in either direction) count once.

    Raises
    ------
    ValueError : a node outside 0 … size − 1, or a self-loop.
    """
    edges = np.ascontiguousarray(edges).reshape(-1, 2)
    if len(edges) and (edges.min() < 0 or edges.max() >= size):
        raise ValueError(f"edge list: nodes must be in 0 … {size - 1}")
    if np.any(edges[:, 0] == edges[:, 1]):
        raise ValueError("edge list: a person cannot be her own neighbour (self-loop)")
    if len(edges) >= COMPILED_FROM:
        from sim import kernels_network

        return Graph(*kernels_network.in_rows(edges, size))
    one, other = edges.astype(np.int64).T
    keys = _once(np.concatenate([one * size + other, other * size + one]))
    degree = np.bincount(keys // size, minlength=size)
    indptr = np.concatenate([[0], np.cumsum(degree)]).astype(np.int64)
    return Graph(indptr, (keys % size).astype(np.int32))


def _once(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """These numbers sorted, each once, in their own memory."""
    keys.sort()
    new = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    filled = 0
    for start in range(0, len(keys), STEP):
        kept = keys[start : start + STEP][new[start : start + STEP]]
        keys[filled : filled + len(kept)] = kept
        filled += len(kept)
    return keys[:filled]


def build(
    scenario: Scenario, group: NDArray[np.unsignedinteger], rng: np.random.Generator
) -> Graph | None:
    """The scenario's network; None where there is none or where everybody knows everybody."""
    network, size = scenario.population.network, scenario.population.size
    if network is None or network.kind == "complete":
        return None
    match network.kind:
        case "watts_strogatz":
            edges = watts_strogatz(size, network.k, network.p, rng)
        case "erdos_renyi":
            edges = erdos_renyi(size, network.mean_degree, rng)
        case "barabasi_albert":
            edges = barabasi_albert(size, network.m, rng)
        case "stochastic_block":
            edges = stochastic_block(group, network.within, network.between, rng)
        case "edges":
            edges, problems = read_edges(scenario.folder / network.path, size)
            if problems:  # the file has changed since the scenario was checked
                raise ScenarioError(problems)
        case _:
            raise ValueError(f"unknown network kind {network.kind!r}")
    return from_edges(edges, size)


def watts_strogatz(size: int, k: int, p: float, rng: np.random.Generator) -> Edges:
    """Ring of ``size`` people, each tied to her ``k`` nearest; each tie's far end redrawn with
    probability ``p`` (Watts & Strogatz 1998). A redrawn tie never doubles another one."""
    near = np.arange(size)
    source = np.tile(near, k // 2)
    target = (source + np.repeat(np.arange(1, k // 2 + 1), size)) % size
    redrawn = np.flatnonzero(rng.random(len(source)) < p)
    if size <= k + 1:  # everybody knows everybody: nowhere to rewire to
        return np.column_stack([source, target])
    while len(redrawn):
        target[redrawn] = rng.integers(0, size, len(redrawn))
        low, high = np.minimum(source, target), np.maximum(source, target)
        key = low * size + high
        ordered = np.sort(key)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        redrawn = redrawn[np.isin(key[redrawn], twice) | (low == high)[redrawn]]
    return np.column_stack([source, target])


def _distinct(count: int, total: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``count`` distinct integers below ``total``, uniformly."""
    if count > total // 2:
        return rng.permutation(total)[:count]
    drawn = _once(rng.integers(0, total, int(count * 1.1) + 16))
    while len(drawn) < count:
        drawn = _once(np.concatenate([drawn, rng.integers(0, total, count)]))
    rng.shuffle(drawn)
    return drawn[:count]


def _pairs(key: NDArray[np.int64]) -> Edges:
    """The key-th pair (i, j), i < j, in the order (0,1), (0,2), (1,2), (0,3) …"""
    j = ((1 + np.sqrt(1 + 8 * key.astype(np.float64))) // 2).astype(np.int64)
    j -= j * (j - 1) // 2 > key  # the square root may round up or down by one
    j += (j + 1) * j // 2 <= key
    return np.column_stack([key - j * (j - 1) // 2, j])


def erdos_renyi(size: int, mean_degree: float, rng: np.random.Generator) -> Edges:
    """Every pair is tied independently with probability mean_degree/(size − 1)."""
    total = size * (size - 1) // 2
    if total == 0:
        return np.empty((0, 2), np.int64)
    count = rng.binomial(total, min(1.0, mean_degree / (size - 1)))
    keys = _distinct(count, total, rng)
    edges = keys.view(np.int32).reshape(-1, 2)  # in the memory of the keys
    for start in range(0, count, STEP):
        edges[start : start + STEP] = _pairs(keys[start : start + STEP])
    return edges


def stochastic_block(
    group: NDArray[np.unsignedinteger], within: float, between: float, rng: np.random.Generator
) -> Edges:
    """Ties inside a block and between blocks; the blocks are the groups.

    ``within`` is the mean degree inside the own block; ``between`` the mean degree to other
    blocks, over the whole population (ties between blocks all have one probability).
    """
    blocks = [np.flatnonzero(group == g) for g in np.unique(group)]
    edges = [b[erdos_renyi(len(b), min(within, len(b) - 1), rng)] for b in blocks if len(b) > 1]
    size = len(group)
    pairs = sum(len(b) * (size - len(b)) for b in blocks)  # ordered pairs across blocks
    p = min(1.0, between * size / pairs) if pairs else 0.0
    for a, first in enumerate(blocks):
        for second in blocks[a + 1 :]:
            total = len(first) * len(second)
            key = _distinct(rng.binomial(total, p), total, rng)
            edges.append(np.column_stack([first[key // len(second)], second[key % len(second)]]))
    return np.concatenate(edges) if edges else np.empty((0, 2), np.int64)


def barabasi_albert(size: int, m: int, rng: np.random.Generator) -> Edges:
    """Preferential attachment: each newcomer ties to ``m`` people (Barabási & Albert 1999)."""
    import networkx

    grown = networkx.barabasi_albert_graph(size, m, seed=rng)
    return np.array(grown.edges, np.int64).reshape(-1, 2)

"""The population as columns: one array per attribute, one row per person.

Costs and free-riding factors come from the scenario's distributions by one uniform draw per person
and attribute, so that changing one group's distribution, or adding a group, leaves everybody
else's draws as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sim.crowd_columns import DrawnColumn
from sim.distributions import Distribution, as_distribution
from sim.scenario import Scenario
from sim.streams import Streams
from sim.trained import group_of_points


class Population:
    """N people as columns.

    Attributes
    ----------
    size : N
    cost : (N,) float64, cost c of taking part, in utility
    free_riding : (N,) float64 in [0, 1], factor γ
    group : (N,) unsigned, 0 = in no group, g = g-th group of the scenario
    membership : (N,) small int, 0 = nobody's member, k = member of the k-th collective
    signed : (N,) bool or None; people under contract with the principal until success is next
        measured. None until a principal signs somebody.
    counts : (K,) int64, members of each collective; kept in step by :meth:`assign` and ``join``
    moves : K + 1 numbers, who came less who left, one by one, since ``counts`` was read last
    compact : what :mod:`sim.compact` made of the columns, which are read-only while it is there
    answered : what :mod:`sim.compact` knows of everybody's last best response, see :meth:`rest`
    has_views : whether agents move people one by one, unseen
    """

    def __init__(
        self,
        cost: NDArray[np.float64],
        free_riding: NDArray[np.float64],
        group: NDArray[np.unsignedinteger],
        membership: NDArray[np.integer],
        collectives: int,
    ) -> None:
        self.size = len(cost)
        self.cost = cost
        self.free_riding = free_riding
        self.group = group
        self.membership = membership
        self.signed: NDArray[np.bool_] | None = None
        self.moves = [0] * (collectives + 1)
        self._counts = np.zeros(collectives, np.int64)
        self.compact: Any = None
        self.answered: Any = None
        self.has_views = False
        self._frozen: list[NDArray] = []
        self.recount()

    def keep(self, compact: Any) -> None:
        """Keep what was made of the columns; until :meth:`edited` they cannot be written to."""
        self.edited()
        self.compact = compact
        columns = (self.cost, self.free_riding, self.group)
        self._frozen = [column for column in columns if column.flags.writeable]
        for column in self._frozen:
            column.flags.writeable = False

    def edited(self) -> None:
        """Drop what was made of the columns: somebody changes, or is about to change, a person."""
        self.compact = None
        self.moved()
        for column in self._frozen:
            column.flags.writeable = True
        self._frozen = []

    def rest(self, answered: Any) -> None:
        """Everybody has answered, and until :meth:`moved` ``membership`` cannot be written to."""
        self.answered = None if self.has_views else answered
        self.membership.flags.writeable = self.answered is None

    def moved(self) -> None:
        """Somebody moves, or is about to: who writes ``membership`` herself says so first, and
        calls :meth:`recount` then."""
        if self.answered is not None:
            self.answered = None
            self.membership.flags.writeable = True

    def __getstate__(self) -> dict[str, Any]:
        self.edited()  # it is made again sooner than it is read
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in ("cost", "free_riding", "group"):  # numpy cannot thaw what it has unpickled
            column = getattr(self, name)
            setattr(self, name, column if column.flags.owndata else column.copy())

    @property
    def counts(self) -> NDArray[np.int64]:
        """(K,) members of each collective: one array, brought up to date when it is asked for."""
        if any(self.moves):
            self._counts += self.moves[1:]
            self.moves[:] = [0] * len(self.moves)
        return self._counts

    @property
    def alpha(self) -> NDArray[np.float64]:
        """(K,) shares of the population that are members."""
        return self.counts / self.size

    @property
    def nbytes(self) -> int:
        """Bytes held by the columns."""
        columns = (self.cost, self.free_riding, self.group, self.membership, self.signed)
        return sum(column.nbytes for column in columns if column is not None)

    def recount(self) -> None:
        """Set ``counts`` from the membership column."""
        self.moved()
        if len(self.counts) == 1:
            self.counts[0] = np.count_nonzero(self.membership)
            return
        for k in range(len(self.counts)):  # K passes over one byte each beat one bincount of int64
            self.counts[k] = np.count_nonzero(self.membership == k + 1)

    def join(self, row: int, state: int) -> None:
        """Move one person to a state (0 = outside, k = k-th collective)."""
        self.moved()
        self.moves[self.membership[row]] -= 1  # in a list, which is quicker than an array
        self.moves[state] += 1
        self.membership[row] = state

    def assign(self, rows: NDArray[np.integer] | None, states: NDArray[np.integer]) -> int:
        """Move people (all where ``rows`` is None) to states; returns how many really moved."""
        where = slice(None) if rows is None else rows
        moved = int(np.count_nonzero(self.membership[where] != states))
        if moved:
            self.moved()
            self.membership[where] = states
            self.recount()
        return moved


def make_population(
    scenario: Scenario, streams: Streams, points: NDArray[np.integer] | None = None
) -> Population:
    """The scenario's population at epoch 0.

    Parameters
    ----------
    points : (N,) which data point each person is, where the platform is trained on people's data;
        groups that are given by data hold the people who are such points.
    """
    people = scenario.population
    if points is not None and any(group.where is not None for group in people.groups.values()):
        group = group_of_points(scenario)[points]
    else:
        group = draw_groups(scenario, streams)
    membership = draw_start(scenario, group, streams)  # before there are columns: it needs room
    cost = draw_column(scenario, group, streams, "cost")
    free_riding = draw_column(scenario, group, streams, "free_riding")
    return Population(cost, free_riding, group, membership, len(scenario.names))


def group_sizes(size: int, shares: list[float]) -> NDArray[np.int64]:
    """People of each group: shares of ``size`` rounded so that the running totals are nearest."""
    ends = np.floor(np.cumsum(shares) * size + 0.5 + 1e-9).astype(np.int64)
    return np.diff(np.minimum(ends, size), prepend=0)


def draw_groups(scenario: Scenario, streams: Streams) -> NDArray[np.unsignedinteger]:
    """Who belongs to which group, drawn at random; 0 = in none."""
    return groups_at_random(scenario, streams.groups)


def groups_at_random(scenario: Scenario, rng: np.random.Generator) -> NDArray[np.unsignedinteger]:
    """The same from a generator, which is asked only where there are groups."""
    people = scenario.population
    dtype = np.min_scalar_type(len(people.groups))
    group = np.zeros(people.size, dtype)
    if people.groups:
        shares = [g.share for g in people.groups.values() if g.share is not None]
        sizes = group_sizes(people.size, shares)
        labels = np.repeat(np.arange(1, len(sizes) + 1, dtype=dtype), sizes)
        group[rng.permutation(people.size)[: len(labels)]] = labels
    return group


def rows_by_group(group: NDArray, groups: int) -> list[NDArray[np.int64] | slice]:
    """The rows of those in no group, then of each group."""
    if groups == 0:
        return [slice(None)]
    return [np.flatnonzero(group == g) for g in range(groups + 1)]


def draw_column(
    scenario: Scenario,
    group: NDArray[np.unsignedinteger],
    streams: Streams,
    name: Literal["cost", "free_riding"],
) -> NDArray[np.float64]:
    """(N,) everybody's cost or free-riding factor, by the distribution of her group."""
    people = scenario.population
    column = np.empty(people.size)
    specs = specs_by_group(scenario, name)
    for spec, rows in zip(specs, rows_by_group(group, len(people.groups)), strict=True):
        _fill(column, rows, as_distribution(spec), streams, name)
    return column


def specs_by_group(scenario: Scenario, name: str) -> list[Any]:
    """What the scenario writes as cost or free-riding factor of those in no group, then of each."""
    people = scenario.population
    own = [getattr(group, name) for group in people.groups.values()]
    common = getattr(people, name)
    return [common, *(common if spec is None else spec for spec in own)]


def _fill(
    column: NDArray[np.float64],
    rows: NDArray[np.int64] | slice,
    law: Distribution,
    streams: Streams,
    purpose: str,
) -> None:
    """Write the values of one group into its rows; each person's uniform is hers by row number."""
    atoms = law.atoms()
    if atoms is not None and len(atoms[0]) == 1:
        column[rows] = atoms[0][0]
        return
    if isinstance(rows, slice):
        DrawnColumn(law, streams, purpose, len(column)).fill(column)
        return
    count = len(column[rows])
    position = (np.arange(count) + 0.5) / count
    uniforms = streams.uniforms(purpose, len(column))
    column[rows] = law.sample_at(uniforms[rows], position)


def draw_start(
    scenario: Scenario, group: NDArray[np.unsignedinteger], streams: Streams
) -> NDArray[np.integer]:
    """Who is a member at epoch 0: the nearest whole number of people, drawn at random.

    Collectives that recruit from fewer people draw first, lest another one take theirs.
    """
    size = scenario.population.size
    collectives = list(scenario.collectives.values())
    membership: NDArray[np.integer] = np.zeros(
        size, np.int8 if len(collectives) < 127 else np.int16
    )
    if not any(collective.start for collective in collectives):
        return membership
    order = streams.start.permutation(size)
    eligible = scenario.eligible()
    for k, wanted in starters(scenario, np.bincount(group, minlength=len(eligible))):
        may = eligible[group[order], k] & (membership[order] == 0)
        membership[order[may][:wanted]] = k + 1
    return membership


def starters(scenario: Scenario, by_group: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(k, members wanted at epoch 0) in the order in which collectives draw them.

    ``by_group`` (G+1,): people in no group, then in each group.
    """
    starts = [collective.start for collective in scenario.collectives.values()]
    pool = by_group @ scenario.eligible()
    for k in np.argsort(pool, kind="stable"):
        yield int(k), int(np.floor(starts[k] * scenario.population.size + 0.5))

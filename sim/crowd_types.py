"""People of few types: cost and free-riding factor take few values, and people are counted.

A *type* is everybody of one group with the same cost and free-riding factor. What people of one
type in one state do depends on no more than that, so the economy is a table of counts:

    start       multivariate hypergeometric, collective by collective as in ``draw_start``
    revisers    multivariate hypergeometric over type and state
    choice      best response: all of a cell alike; logit: multinomial
    in turn     one collective, one person at a time: :mod:`sim.crowd_in_turn`

Equal in law to the rows; where chance decides nothing, the same trajectory. Types are as large as
:func:`sim.population.make_population` makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.crowd import CountingError, Crowd
from sim.crowd_in_turn import InTurn, chances_of
from sim.distributions import Distribution, Listed, as_distribution
from sim.payoffs import choose, gain, logit_probabilities, utility
from sim.population import (
    Population,
    draw_column,
    draw_groups,
    group_sizes,
    rows_by_group,
    specs_by_group,
    starters,
)
from sim.revision import how_many
from sim.sampling import without_replacement

if TYPE_CHECKING:
    from learners.success import SuccessFunction
    from sim.payoffs import Offers
    from sim.scenario import Scenario
    from sim.streams import Streams

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

# With fewer people per type than this, counting does not pay.
PEOPLE_PER_TYPE = 20


class Cells(NamedTuple):
    """People in one state by one type, a cell each; (B,) arrays."""

    kind: Counts  # number of the type
    state: Counts
    people: Counts


class Types(Crowd):
    """Counts by type and state (see the module).

    Attributes
    ----------
    group, cost, free_riding, people : (T,) of each type
    cells : who is where. Under a deterministic rule cells move as a whole and keep their order, so
        that the same people are meant from epoch to epoch.
    """

    engine: ClassVar[str] = "types"

    def __init__(self, scenario: Scenario, streams: Streams) -> None:
        self.scenario, self.streams = scenario, streams
        self.size = scenario.population.size
        self.eligible = scenario.eligible()  # (G+1, K)
        self.dues = np.array([c.dues for c in scenario.collectives.values()], float)
        self.group, self.cost, self.free_riding, self.people = _types(scenario)
        if len(self.people) * PEOPLE_PER_TYPE > max(self.size, 10_000):
            raise CountingError(f"{len(self.people):,} types are too many to be counted")
        self.cells = self._start(np.random.default_rng(streams.sequence("start")))
        self._recount()

    @staticmethod
    def why_not(scenario: Scenario) -> str | None:
        """Why this population has no types; None where it has."""
        if any(group.where is not None for group in scenario.population.groups.values()):
            return "its groups are made by data (population.groups.*.where)"
        in_turn = scenario.revision.activation == "sequential"
        if in_turn and (len(scenario.collectives) > 1 or scenario.platform.learner != "bound"):
            return (
                "people who revise one at a time are counted for one collective whose success is a "
                "formula (revision.activation)"
            )
        for name in ("cost", "free_riding"):
            for spec in specs_by_group(scenario, name):
                if as_distribution(spec).atoms() is None:
                    return f"population.{name} must be a number or values for all: few types"
        return None

    def _start(self, rng: np.random.Generator) -> Cells:
        """Everybody outside, then the starters of one collective after the other."""
        held = np.zeros((len(self.people), len(self.dues) + 1), np.int64)  # (T, K+1)
        held[:, 0] = self.people
        by_group = np.bincount(self.group, self.people, minlength=len(self.eligible))
        for k, wanted in starters(self.scenario, by_group.astype(np.int64)):
            free = held[:, 0] * self.eligible[self.group, k]
            drawn = without_replacement(rng, free, min(wanted, int(free.sum())))
            held[:, k + 1] += drawn
            held[:, 0] -= drawn
        return _cells(held)

    # One epoch --------------------------------------------------------------------------------

    def revise(self, table: Offers) -> int:
        streams, rules, cells = self.streams, self.scenario.revision, self.cells
        count = how_many(rules.rate, self.size)
        logit = rules.protocol == "logit"
        if count == self.size and not logit:
            chosen = self._best(table)
            moved = int(cells.people[chosen != cells.state].sum())
            self.cells = cells._replace(state=chosen)
        else:
            revisers = without_replacement(streams.activation, cells.people, count)
            held = self._held(cells.people - revisers)
            if logit:
                chances = logit_probabilities(self._gains(table), float(rules.noise))
                went = streams.revision.multinomial(revisers, chances)  # (B, K+1)
                moved = count - int(went[np.arange(len(went)), cells.state].sum())
                np.add.at(held, cells.kind, went)
            else:
                chosen = self._best(table)
                moved = int(revisers[chosen != cells.state].sum())
                np.add.at(held, (cells.kind, chosen), revisers)
            self.cells = _cells(held)
        self._recount()
        return moved

    def revise_in_turn(self, success: SuccessFunction) -> int:
        cells, rules = self.cells, self.scenario.revision
        rng, count = self.streams.activation, how_many(rules.rate, self.size)
        revisers = without_replacement(rng, cells.people, count)
        may = self.eligible[self.group[cells.kind], 0]
        cost = np.where(may, self.cost[cells.kind], np.inf)
        chances = chances_of(
            lambda shares: success.at(shares[:, None])[:, 0],
            self.size,
            cells.state,
            (cost, self.free_riding[cells.kind], self.dues[0]),
            pivotal=rules.decides == "pivotal",
            noise=float(rules.noise),
        )
        chose = InTurn(rng, chances, cells.state, int(self.counts[0])).revise(revisers)
        held = self._held(cells.people - revisers)
        np.add.at(held[:, 1], cells.kind, chose)
        np.add.at(held[:, 0], cells.kind, revisers - chose)
        self.cells = _cells(held)
        self._recount()
        return int(np.where(cells.state == 1, revisers - chose, chose).sum())

    def nobody_wants_to_move(self, table: Offers) -> bool:
        return bool(np.all(self._best(table) == self.cells.state))

    def _gains(self, table: Offers) -> Floats:
        """(B, K) what people in each cell gain by joining; −∞ where they may not."""
        kind, state = self.cells.kind, self.cells.state
        own = self.cost[kind, None], self.free_riding[kind, None]
        d = gain(table.join[state], table.forgo[state], *own, self.dues)
        return np.where(self.eligible[self.group[kind]], d, -np.inf)

    def _best(self, table: Offers) -> Counts:
        return choose(self._gains(table), self.cells.state)

    def _held(self, people: Counts) -> Counts:
        """(T, K+1) people of each cell as a table."""
        held = np.zeros((len(self.people), len(self.dues) + 1), np.int64)
        np.add.at(held, (self.cells.kind, self.cells.state), people)
        return held

    def _recount(self) -> None:
        self.counts = self._held(self.cells.people).sum(axis=0)[1:]

    # What there is to see ---------------------------------------------------------------------

    def state(self) -> NDArray[np.int64]:
        return self.cells.state

    def welfare(self, success: Floats) -> float:
        kind, state, people = self.cells
        u = utility(state, success, self.cost[kind], self.free_riding[kind], self.dues)
        return float(u @ people / self.size)

    @property
    def nbytes(self) -> int:
        own = (self.group, self.cost, self.free_riding, self.people, *self.cells)
        return sum(column.nbytes for column in own)

    def to_population(self) -> Population:
        group = draw_groups(self.scenario, self.streams)
        cost = draw_column(self.scenario, group, self.streams, "cost")
        free_riding = draw_column(self.scenario, group, self.streams, "free_riding")
        kind = np.int8 if len(self.dues) < 127 else np.int16
        membership: NDArray[np.integer] = np.zeros(self.size, kind)
        rng, held, first = self.streams.places, self._held(self.cells.people), 0
        states = np.arange(held.shape[1], dtype=kind)
        for g, rows in enumerate(rows_by_group(group, len(self.eligible) - 1)):
            ordered = np.empty(int(self.people[self.group == g].sum()), kind)
            last = first + int(np.count_nonzero(self.group == g))
            edges = np.concatenate([[0], np.cumsum(self.people[first:last])])
            for t in range(first, last):
                part = ordered[edges[t - first] : edges[t - first + 1]]
                part[:] = np.repeat(states, held[t])
                rng.shuffle(part)
            membership[rows] = ordered
            first = last
        return Population(cost, free_riding, group, membership, len(self.dues))


def _cells(held: Counts) -> Cells:
    """The cells of a table (T, K+1) that hold anybody."""
    kind, state = np.nonzero(held)
    return Cells(kind, state, held[kind, state])


def _types(scenario: Scenario) -> tuple[Counts, Floats, Floats, Counts]:
    """Group, cost, free-riding factor and size of every type, groups in order, (T,) each."""
    people = scenario.population
    sizes = group_sizes(people.size, [g.share or 0.0 for g in people.groups.values()])
    sizes = np.concatenate([[people.size - sizes.sum()], sizes])
    laws = [
        [as_distribution(spec) for spec in specs_by_group(scenario, name)]
        for name in ("cost", "free_riding")
    ]
    parts = []
    for g, size in enumerate(sizes.tolist()):
        first = np.unique(np.concatenate([[0], *(_cuts(law[g], size) for law in laws)]))
        first = first[first < size]  # nobody: no type
        position = (first + 0.5) / max(size, 1)
        values = [law[g].sample_at(position, position) for law in laws]
        many = np.diff(np.append(first, size))
        parts.append((np.full(len(first), g), *values, many))
    group, cost, free_riding, many = (np.concatenate(column) for column in zip(*parts, strict=True))
    return group, cost, free_riding, many


def _cuts(law: Distribution, size: int) -> Counts:
    """The first of ``size`` people to have each of the listed values, by rank."""
    if not isinstance(law, Listed):
        return np.zeros(0, np.int64)
    number = np.arange(1, law.values.size)
    low, high = np.zeros(len(number), np.int64), np.full(len(number), size)
    while np.any(low < high):  # the first rank whose value has at least this number
        middle = (low + high) // 2
        there = law.index_at((middle + 0.5) / size) >= number
        high = np.where(there & (low < high), middle, high)
        low = np.where(there | (low >= high), low, middle + 1)
    return low

"""People sorted by threshold: best response to one collective by binary search.

An offer (join j, forgo f) gains person i, with cost c and free-riding factor γ,

    d = j − γf − c − dues = (1−γ)(f − θ) + (j − f),    θ = (c + dues)/(1 − γ),

so that she joins if θ < f + (j−f)/(1−γ). People are held as sorted 64-bit keys: θ on a scale of
2³² *levels*, then the row. All offers of an epoch settle by level who gains and who loses, except
in a few levels about f, whose width allows for the levels' own, for all rounding, and for j ≠ f.
People in those levels are looked at one by one: their rows lead back to their own c and γ, and they
decide as the rows of :mod:`sim.revision` do, ties included. So does for good whoever has γ near 1.

Levels are cut wherever a decision fell: between two cuts all have decided alike and are told apart
by nothing, so their number and that of the members among them is all there is to know. Where all
revise (ρ = 1) nothing is drawn and the trajectory is that of the rows; where a share does,
hypergeometric draws say how many of each part revise and how many of those are members, which is
equal in law. Nothing is asked of the success function.

Memory: 8 bytes per person; an epoch costs O(log N) and what is looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from sim.crowd import CountingError, Crowd
from sim.crowd_columns import DrawnColumn
from sim.crowd_levels import LEAST_KEPT, thresholds_in_pieces
from sim.crowd_parts import LEVELS, LOW, PER_LEVEL, ROW, Apart, Parts, row_key
from sim.distributions import as_distribution
from sim.payoffs import choose, gain, utility
from sim.population import Population, starters
from sim.revision import how_many
from sim.sampling import members_among, places, without_replacement

if TYPE_CHECKING:
    from sim.payoffs import Offers
    from sim.scenario import Scenario
    from sim.streams import Streams

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Thresholds(Crowd):
    """Sorted thresholds, and where members are among them (see the module).

    Attributes
    ----------
    parts : the levels in parts, with people and members of each
    apart : people who are looked at one by one
    """

    engine: ClassVar[str] = "thresholds"

    def __init__(self, scenario: Scenario, streams: Streams) -> None:
        self.scenario, self.streams = scenario, streams
        people, (collective,) = scenario.population, scenario.collectives.values()
        self.size = people.size
        self.dues = np.array([float(collective.dues)])
        self.cost, self.free_riding = (
            DrawnColumn(as_distribution(spec), streams, name, self.size)
            for name, spec in (("cost", people.cost), ("free_riding", people.free_riding))
        )
        self.revising = how_many(scenario.revision.rate, self.size)
        self.most_apart = max(4_096, self.size // 64)
        ((_, members),) = starters(scenario, np.array([self.size]))
        self.counts = np.array([members])
        self._fresh = self.revising == self.size  # nobody has decided yet, and all will
        keys, alone = self._sorted()
        states = self._states(alone, self.size, members)
        none = np.full(len(alone), -1)
        self.apart = Apart(alone, none, *self._own(alone), states)
        self.parts = Parts(keys, members - int(states.sum()))

    @staticmethod
    def why_not(scenario: Scenario) -> str | None:
        """Why these people cannot be sorted by threshold; None where they can."""
        if len(scenario.collectives) > 1:
            return "with several collectives nobody has one threshold"
        if scenario.revision.protocol != "best_response":
            return "thresholds are those of a best response (revision.protocol)"
        if scenario.revision.activation != "simultaneous":
            return "people who revise one at a time are not sorted (revision.activation)"
        if scenario.population.groups:
            return "groups have no thresholds in common (population.groups)"
        if scenario.population.size > LEVELS:
            return f"at most {LEVELS:,} people are sorted (population.size)"
        return None

    # Making it --------------------------------------------------------------------------------

    @cached_property
    def _started(self) -> NDArray[np.bool_]:
        """(N,) who is a member at epoch 0: the very same people as in the rows.

        Where all revise, nothing but ties and pivotal people ask for it, and only at first.
        """
        order = np.random.default_rng(self.streams.sequence("start")).permutation(self.size)
        started = np.zeros(self.size, bool)
        started[order[: int(self.counts[0])]] = True
        return started

    def _sorted(self) -> tuple[NDArray[np.uint64], Integers]:
        """Keys of those who have a threshold, not yet in order, and the rows of the others."""
        keys, filled, first = np.empty(self.size, np.uint64), 0, 0
        alone: list[Integers] = []
        self.kept = (1.0, LEAST_KEPT)  # smallest and largest 1 − γ of those with a threshold
        for level, apart, kept in self._pieces():
            rows = np.arange(first, first + len(level))
            first += len(level)
            alone.append(rows[apart])
            if sum(map(len, alone)) > self.most_apart:
                raise CountingError("too many people get nearly all without joining (γ near 1)")
            packed = row_key(level, rows)
            packed = packed[~apart] if len(alone[-1]) else packed
            keys[filled : filled + len(packed)] = packed
            filled += len(packed)
            self.kept = (min(self.kept[0], kept[0]), max(self.kept[1], kept[1]))
        return keys[:filled], np.concatenate(alone)

    def _pieces(self) -> Iterator[tuple]:
        return thresholds_in_pieces(self.cost, self.free_riding, float(self.dues[0]))

    def _own(self, rows: Integers) -> tuple[Floats, Floats]:
        return self.cost.at(rows), self.free_riding.at(rows)

    # Who decides what -------------------------------------------------------------------------

    def _undecided(self, table: Offers) -> tuple[int, int]:
        """Levels, from the first to before the last, in which these offers settle nothing."""
        low, high = np.inf, -np.inf
        rounding = 2.0**-49 * (8 + 4 * abs(self.dues[0])) / self.kept[0]
        for join, forgo in zip(table.join[:, 0], table.forgo[:, 0], strict=True):
            if abs(join - forgo) > LEAST_KEPT / 2:
                return 0, LEVELS
            shifts = [(join - forgo) / kept for kept in self.kept]
            low = min(low, forgo + min(shifts) - rounding)
            high = max(high, forgo + max(shifts) + rounding)
        first, last = np.floor((low - LOW) / PER_LEVEL) - 1, np.floor((high - LOW) / PER_LEVEL) + 2
        return int(np.clip(first, 0, LEVELS)), int(np.clip(last, 0, LEVELS))

    def _look_at(self, low: int, high: int) -> None:
        """Take the people in these levels apart from the others."""
        parts = self.parts
        known = int(np.count_nonzero((self.apart.level >= low) & (self.apart.level < high)))
        new = parts.below(high) - parts.below(low) - known
        if new + len(self.apart) > self.most_apart:
            raise CountingError("too many people stand where the success of the collective is")
        first, last = parts.split(low, self._inside), parts.split(high, self._inside)
        for j in range(first, last):
            if not parts.open[j]:
                keys = parts.keys[parts.at[j] : parts.at[j + 1]]
                rows = (keys & ROW).astype(np.int64)
                states = self._states(rows, int(parts.held[j]), int(parts.members[j]))
                levels = (keys >> np.uint64(32)).astype(np.int64)
                self.apart = self.apart.and_also(Apart(rows, levels, *self._own(rows), states))
                parts.open_up(j)

    def _inside(self, part: int, first: int, last: int) -> int:
        """Members among keys first … last of a part that is mixed."""
        people = (int(self.parts.members[part]), int(self.parts.held[part]))
        if self._fresh:
            return min(people[0], last - first)  # is not used: all are about to decide
        return self._drawn(*people, last - first)

    def _drawn(self, members: int, people: int, count: int) -> int:
        """Members among ``count`` people out of ``people``."""
        classes = (members, people - members)
        return int(without_replacement(self.streams.activation, classes, count)[0])

    def _states(self, rows: Integers, people: int, members: int) -> Integers:
        """Who of these is a member, if they are some of ``people`` with ``members`` among them."""
        if len(rows) and self._fresh and 0 < self.counts[0] < self.size:
            return self._started[rows].astype(np.int64)
        if members in (0, people):
            return np.full(len(rows), int(members > 0))
        states = np.zeros(len(rows), np.int64)
        states[: self._drawn(members, people, len(rows))] = 1
        self.streams.activation.shuffle(states)
        return states

    def _best(self, table: Offers) -> Integers:
        """(n,) what those apart do who revise, as :func:`sim.revision.decide` has it."""
        apart = self.apart
        own = apart.cost[:, None], apart.free_riding[:, None]
        d = gain(table.join[apart.state], table.forgo[apart.state], *own, self.dues)
        return choose(d, apart.state)

    # One epoch --------------------------------------------------------------------------------

    def revise(self, table: Offers) -> int:
        low, high = self._undecided(table)
        self._look_at(low, high)
        parts, apart = self.parts, self.apart
        asked, inside, chosen = parts.held, parts.members, np.ones(len(apart), bool)
        if self.revising < self.size:
            asked, inside, chosen = self._revisers()
        joins = parts.edges[:-1] < low
        came, left = np.where(joins, asked - inside, 0), np.where(joins, 0, inside)
        state = np.where(chosen, self._best(table), apart.state)
        moved = int(came.sum() + left.sum()) + int(np.count_nonzero(state != apart.state))
        parts.members = parts.members + came - left
        apart.state = state
        self._put_back(low, high)
        counts = np.array([self.parts.members.sum() + self.apart.state.sum()])
        if self._fresh:
            moved = self._first_moves(int(counts[0]))
        self.counts = counts
        return moved

    def _first_moves(self, members: int) -> int:
        """Who moved when all decided for the first time: at least one, if anybody did."""
        self._fresh = False
        moved = abs(members - int(self.counts[0]))
        if moved == 0 and 0 < members < self.size:
            now = np.concatenate([inside for inside, *_ in self._people()])
            moved = int(np.count_nonzero(now != self._started))
        self.__dict__.pop("_started", None)
        return moved

    def _revisers(self) -> tuple[Integers, Integers, NDArray[np.bool_]]:
        """People of each part who revise, members among them, and who of those apart does."""
        rng, parts = self.streams.activation, self.parts
        drawn = without_replacement(rng, np.append(parts.held, len(self.apart)), self.revising)
        inside = members_among(rng, parts.members, parts.held - parts.members, drawn[:-1])
        chosen = np.zeros(len(self.apart), bool)
        chosen[rng.choice(len(chosen), int(drawn[-1]), replace=False, shuffle=False)] = True
        return drawn[:-1], inside, chosen

    def _put_back(self, low: int, high: int) -> None:
        """Count those again who stand apart, outside these levels, and are all in one state."""
        parts, apart = self.parts, self.apart
        if parts.open.any():
            j, m = parts.part_of(apart.level), len(parts.held)
            there = j >= 0
            inside = np.bincount(j[there], apart.state[there], minlength=m).astype(np.int64)
            everybody = inside == np.diff(parts.at)
            here = (parts.edges[:-1] >= low) & (parts.edges[:-1] < high)
            back = parts.open & ~here & ((inside == 0) | everybody)
            parts.close(back, everybody)
            self.apart = apart.only(~there | ~back[j])
        parts.join_alike()

    def nobody_wants_to_move(self, table: Offers) -> bool:
        low, high = self._undecided(table)
        try:
            self._look_at(low, high)
        except CountingError:
            return False
        parts = self.parts
        wanted = np.where(parts.edges[:-1] < low, parts.held, 0)
        alike = bool(np.all(parts.members == wanted))
        return alike and bool(np.all(self._best(table) == self.apart.state))

    # What there is to see ---------------------------------------------------------------------

    def state(self) -> Integers:
        """Runs of members in the sorted order, then who is one of those apart for good."""
        parts, apart = self.parts, self.apart
        full = ~parts.open & (parts.held > 0) & (parts.members == parts.held)
        own = apart.only((apart.level >= 0) & (apart.state == 1))
        position = np.searchsorted(parts.keys, row_key(own.level, own.row))
        starts = np.concatenate([parts.at[:-1][full], position])
        ends = np.concatenate([parts.at[1:][full], position + 1])
        order = np.argsort(starts)
        starts, ends = starts[order], ends[order]
        new = np.append(True, starts[1:] != ends[:-1])[: len(starts)]
        last = np.append(new[1:], True)[: len(starts)]
        return np.concatenate([starts[new], ends[last], [-1], apart.state[apart.level < 0]])

    def welfare(self, success: Floats) -> float:
        total = sum(
            float(utility(inside.astype(np.int64), success, cost, free_riding, self.dues).sum())
            for inside, cost, free_riding in self._people()
        )
        return total / self.size

    @property
    def nbytes(self) -> int:
        return self.parts.nbytes + sum(column.nbytes for column in vars(self.apart).values())

    def to_population(self) -> Population:
        cost, free_riding = np.empty(self.size), np.empty(self.size)
        membership = np.zeros(self.size, np.int8)
        first = 0
        for inside, *own in self._people():
            here = slice(first, first + len(inside))
            membership[here], cost[here], free_riding[here] = inside, *own
            first += len(inside)
        return Population(cost, free_riding, np.zeros(self.size, np.uint8), membership, 1)

    def _people(self) -> Iterator[tuple[NDArray[np.bool_], Floats, Floats]]:
        """Piece by piece: who is a member, cost, free-riding factor; the same at every call.

        In a mixed part as many as are members, drawn uniformly.
        """
        rng = np.random.default_rng(self.streams.sequence("places"))
        apart = self.apart.only(np.argsort(self.apart.row))
        held, members, first = self.parts.held.copy(), self.parts.members.copy(), 0
        columns = zip(self._pieces(), self.cost.pieces(), self.free_riding.pieces(), strict=True)
        for (level, alone, _), cost, free_riding in columns:
            if self._fresh:
                yield self._started[first : first + len(level)], cost, free_riding
            else:
                part = self.parts.part_of(level.astype(np.int64))
                inside = self.parts.members[part] > 0
                unsure = inside & (self.parts.members < self.parts.held)[part] & ~alone
                inside[unsure] = places(rng, part[unsure], held, members)
                a, b = np.searchsorted(apart.row, (first, first + len(level)))
                inside[apart.row[a:b] - first] = apart.state[a:b] == 1
                yield inside, cost, free_riding
            first += len(level)

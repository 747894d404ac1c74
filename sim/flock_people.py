"""The people of a flock: all economies in the same random worlds, what is the same kept once.

Economies that differ in their scenario only are in the same random world: replicate r reads the
same uniforms for costs, the same orders for groups and start. Costs that differ by mean and
standard deviation alone are the same scores, moved and stretched.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.distributions import Listed, TruncatedNormal
from sim.flock_world import (
    NORMAL,
    NUMBER,
    UNIFORM,
    Floats,
    Integers,
    Laws,
    Points,
    Quantity,
    Shared,
)
from sim.population import draw_column, draw_groups, draw_start
from sim.scenario import Scenario
from sim.streams import Streams

KEPT = 2**24  # bytes of draws that outlive a flock, for the next one in the same worlds


class Kept:
    """Draws by what they depend on, as many as fit; not to be written to."""

    def __init__(self) -> None:
        self._draws: dict[Hashable, NDArray[Any]] = {}
        self._bytes = 0

    def get(self, key: Hashable, draw: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What was drawn for a key, or is drawn now."""
        if key not in self._draws:
            found = draw()
            found.flags.writeable = False
            if self._bytes + found.nbytes > KEPT:
                self._draws.clear()
                self._bytes = 0
            self._draws[key] = found
            self._bytes += found.nbytes
        return self._draws[key]


WORLDS = Kept()


class SharedStreams(Streams):
    """The streams of one replicate, whose uniforms of the people are kept for the next to ask."""

    def uniforms(self, purpose: str, size: int) -> Floats:
        """See :meth:`sim.streams.Streams.uniforms`; not to be written to."""
        key = (self.seed, self.replicate, purpose, size)
        return WORLDS.get(key, lambda: super(SharedStreams, self).uniforms(purpose, size))

    def anew(self) -> Streams:
        """Streams of this replicate from their beginning: a generator goes on where it was left."""
        return Streams(self.seed, self.replicate)


# Everybody's cost, or free-riding factor: (x (…, N), of, at, scale (E,)), economy e has
# at[e] + scale[e]·x[of[e]]. A plain tuple, for numba's cache cannot be read without its classes.
Column = tuple[Floats, Integers, Floats, Floats]


class People(NamedTuple):
    """The columns of all economies; those that are the same for several are kept once.

    Attributes
    ----------
    columns : (cost, free_riding, group, group_of): group is a table of columns (…, N), and
        ``group_of`` (E,) which of its rows is whose; the others are ``Column``
    membership : (E, N) int8 at epoch 0
    counts : (E, K) members of each collective at epoch 0
    """

    columns: tuple[Column, Column, NDArray, Integers]
    membership: NDArray[np.int8]
    counts: Integers


def draw_people(points: Points, worlds: Sequence[SharedStreams]) -> People:
    """The people of P points in W worlds, as :func:`sim.population.make_population` has them.

    Economy p·W + w is point p in world w.
    """
    scenarios, W = points.scenarios, len(worlds)

    def table(shared: Shared, draw: Callable[[int, int], NDArray]) -> tuple[NDArray, Integers]:
        """One row for each class and world, and which of them each economy has."""
        times = np.where(shared.fixed, 1, W)
        pairs = zip(shared.first, times.tolist(), strict=True)
        drawn = [draw(p, w) for p, n in pairs for w in range(n)]
        return np.stack(drawn), _whose(np.cumsum(times) - times, times, shared, W)

    def group_in(p: int, w: int) -> NDArray:
        return group[group_of[p * W + w]]

    def column(name: Quantity) -> Column:
        shared: Shared = getattr(points, name)

        def draw(number: int) -> Floats:
            p = shared.first[number]
            every = enumerate(worlds)
            return np.stack([draw_column(scenarios[p], group_in(p, w), r, name) for w, r in every])

        return _column(points.laws[name], shared, worlds, points.kind.size, draw)

    group, group_of = table(points.group, lambda p, w: _groups(scenarios[p], worlds[w]))
    columns = (column("cost"), column("free_riding"), group, group_of)
    start, start_of = table(
        points.start, lambda p, w: _start(scenarios[p], group_in(p, w), worlds[w])
    )
    states = range(1, len(points.kind.collectives) + 1)
    counts = np.stack([np.count_nonzero(start == state, axis=1) for state in states], axis=1)
    return People(columns, start[start_of], counts[start_of])


def _column(
    laws: Laws, shared: Shared, worlds: Sequence[SharedStreams], size: int,
    draw: Callable[[int], Floats],
) -> Column:  # fmt: skip
    """What all economies have of a quantity; ``draw`` gives (W, N) values of a class by number."""
    tables: list[Floats] = []
    first = np.zeros(len(laws.shape), np.int64)

    def uniforms() -> Floats:
        return np.stack([world.uniforms(laws.name, size) for world in worlds])

    def add(classes: Any, rows: Floats) -> None:
        first[classes] = sum(len(table) for table in tables)
        tables.append(rows)

    for shape in np.unique(laws.shape).tolist():
        classes = np.flatnonzero(laws.shape == shape)
        law = laws.law[classes[0]]
        if shape == NUMBER:
            add(classes, np.zeros((1, size)))
        elif shape == UNIFORM:
            add(classes, uniforms())
        elif shape == NORMAL:
            assert isinstance(law, TruncatedNormal)
            add(classes, law.scores(uniforms()))
        else:
            for number in classes.tolist():
                law = laws.law[number]
                if law is None or isinstance(law, Listed):  # not by her uniform alone
                    add(number, draw(number))
                else:
                    add(number, law.ppf(uniforms()))
    times = np.where(laws.shape == NUMBER, 1, len(worlds))
    each = np.repeat(shared.number, len(worlds))
    of = _whose(first, times, shared, len(worlds))
    return np.concatenate(tables), of, laws.at[each], laws.scale[each]


def _whose(first: Integers, times: Integers, shared: Shared, worlds: int) -> Integers:
    """(E,) which row each economy has, where a class has so many rows from its first one on."""
    rows = first[:, None] + np.minimum(np.arange(worlds), times[:, None] - 1)
    return rows[shared.number].reshape(-1)


def _groups(scenario: Scenario, world: SharedStreams) -> NDArray[np.unsignedinteger]:
    """Who is in which group; no generator is made where there are none."""
    if not scenario.population.groups:
        return np.zeros(scenario.population.size, np.min_scalar_type(0))
    return draw_groups(scenario, world.anew())


def _start(scenario: Scenario, group: NDArray, world: SharedStreams) -> NDArray[np.integer]:
    """Who is a member at epoch 0."""
    if scenario.population.groups:
        return draw_start(scenario, group, world.anew())
    wanted = tuple((c.start, c.recruits) for c in scenario.collectives.values())
    key = (world.seed, world.replicate, "start", len(group), wanted)
    return WORLDS.get(key, lambda: draw_start(scenario, group, world.anew()))

"""What the economies of a flock share: success functions, rules, random worlds, columns of people.

Economies that differ in their scenario only are in the same random world: replicate r reads the
same uniforms for costs, the same orders for groups, start and activation, the same noise. What is
the same for two of them is drawn, computed and kept once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.success import SuccessFunction
from sim.distributions import Constant, Listed, TruncatedNormal, as_distribution
from sim.population import draw_column, draw_groups, draw_start
from sim.revision import how_many
from sim.scenario import Scenario
from sim.scenario_parts import Settled
from sim.streams import Streams
from sim.success_of import success_function
from sim.trained import canonical
from sim.trained_table import setup_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Kind(NamedTuple):
    """What economies must have in common to go in lockstep through the same worlds."""

    seed: int
    size: int
    collectives: tuple[str, ...]
    groups: tuple[str, ...]
    protocol: str
    activation: str
    rate: float
    decides: str

    @property
    def revisers(self) -> int:
        """People who revise in an epoch."""
        return how_many(self.rate, self.size)


def kind_of(scenario: Scenario) -> Kind:
    """The kind of economy that a scenario describes."""
    people, rules = scenario.population, scenario.revision
    return Kind(
        scenario.seed, people.size, scenario.names, tuple(people.groups),
        rules.protocol, rules.activation, rules.rate, rules.decides,
    )  # fmt: skip


class SharedStreams(Streams):
    """The streams of one replicate, whose uniforms of the people are kept for the next to ask."""

    def __init__(self, seed: int, replicate: int) -> None:
        super().__init__(seed, replicate)
        self._kept: dict[tuple[str, int], Floats] = {}

    def uniforms(self, purpose: str, size: int) -> Floats:
        """See :meth:`sim.streams.Streams.uniforms`; not to be written to."""
        if (purpose, size) not in self._kept:
            self._kept[purpose, size] = super().uniforms(purpose, size)
        return self._kept[purpose, size]


# Points -----------------------------------------------------------------------------------------


class Rules(NamedTuple):
    """What economies go by, one row for each."""

    dues: Floats  # (…, K)
    eligible: NDArray[np.bool_]  # (…, G+1, K)
    noise: Floats
    retrain_every: Integers
    epochs: Integers
    settles: NDArray[np.bool_]  # may a run end before its epochs are used up?
    tolerance: Floats
    patience: Integers

    def repeated(self, times: int) -> Rules:
        """Every row so many times, one after the other."""
        columns: tuple[Any, ...] = self
        return Rules(*(np.repeat(column, times, axis=0) for column in columns))


def _rules(scenarios: Sequence[Scenario]) -> Rules:
    never = Settled(when="settled")  # stands in where there is no stop rule
    stops = [s.stop if isinstance(s.stop, Settled) else never for s in scenarios]
    return Rules(
        dues=np.array([[float(c.dues) for c in s.collectives.values()] for s in scenarios]),
        eligible=np.array([s.eligible() for s in scenarios]),
        noise=np.array([float(s.revision.noise) for s in scenarios]),
        retrain_every=np.array([s.platform.retrain_every for s in scenarios]),
        epochs=np.array([s.epochs for s in scenarios]),
        settles=np.array([isinstance(s.stop, Settled) for s in scenarios]),
        tolerance=np.array([float(stop.tolerance) for stop in stops]),
        patience=np.array([stop.patience for stop in stops]),
    )


class Shared(NamedTuple):
    """Points in classes of those that have something in common."""

    number: Integers  # (P,) class of each point
    first: list[int]  # the first point of each class
    fixed: list[bool]  # is there no chance in it: the same in all worlds?

    @classmethod
    def by(
        cls, keys: Iterable[Hashable], fixed: Callable[[Any], bool] = lambda key: False
    ) -> Shared:
        """Points with the same key are in one class."""
        classes: dict[Hashable, int] = {}
        number: list[int] = []
        first: list[int] = []
        for point, key in enumerate(keys):
            if key not in classes:
                classes[key] = len(first)
                first.append(point)
            number.append(classes[key])
        return cls(np.array(number), first, [fixed(key) for key in classes])


class Points:
    """P scenarios of one kind, and what is the same for which of them.

    Attributes
    ----------
    rules : a row per point
    platform, group, cost, free_riding, start : points that share their success function, or in the
        same world their groups, costs, free-riding factors, first members
    functions : S of each class of ``platform``
    curves : (F, N+2) for a single collective: S at 0, 1, … N members; the last value stands twice
    """

    def __init__(self, scenarios: Sequence[Scenario], kind: Kind) -> None:
        self.scenarios, self.kind = scenarios, kind
        self.rules = _rules(scenarios)
        self.platform = Shared.by(canonical(setup_of(s)) for s in scenarios)
        self.functions: list[SuccessFunction] = [
            success_function(scenarios[first]) for first in self.platform.first
        ]
        self.curves = np.empty((0, 0))
        if len(kind.collectives) == 1:
            shares = np.minimum(np.arange(kind.size + 2), kind.size) / kind.size
            self.curves = np.stack([f.at(shares[:, None])[:, 0] for f in self.functions])
        groups = [tuple(g.share for g in s.population.groups.values()) for s in scenarios]
        pairs = list(zip(groups, scenarios, strict=True))
        self.group = Shared.by(groups, fixed=lambda shares: not shares)
        self.cost, self.free_riding = (
            Shared.by(((group, *_specs(s, name)) for group, s in pairs), _is_number)
            for name in ("cost", "free_riding")
        )
        self.start = Shared.by(
            (group, *((c.start, c.recruits) for c in s.collectives.values())) for group, s in pairs
        )

    def success(self, function: Integers, members: NDArray[np.integer]) -> Floats:
        """S (n, …, K) by functions (n,), numbers of classes of ``platform``, at (n, …, K) members.

        For a single collective looked up, otherwise computed function by function.
        """
        if members.shape[-1] == 1:
            return self.curves[function.reshape(-1, *[1] * (members.ndim - 1)), members]
        success = np.empty(members.shape)
        for number in np.unique(function):
            mine = function == number
            success[mine] = self.functions[number].at(members[mine] / self.kind.size)
        return success


def _specs(scenario: Scenario, name: str) -> tuple[Hashable, ...]:
    """What a column of people depends on, besides world and groups."""
    people = scenario.population
    return getattr(people, name), *(getattr(group, name) for group in people.groups.values())


def _is_number(key: tuple[Any, ...]) -> bool:
    """Is everybody's cost, or free-riding factor, the same number?"""
    groups, common, *_ = key
    return not groups and isinstance(common, int | float)


# People -----------------------------------------------------------------------------------------


class People(NamedTuple):
    """The columns of all economies; those that are the same for several are kept once.

    Attributes
    ----------
    columns : (cost, free_riding, group, cost_of, free_riding_of, group_of): three tables of
        columns (…, N), and which of their rows is whose, (E,)
    membership : (E, N) int8 at epoch 0
    """

    columns: tuple[Floats, Floats, NDArray, Integers, Integers, Integers]
    membership: NDArray[np.int8]


class Together:
    """A column of people in all worlds at once, where it needs no more than their uniforms."""

    def __init__(self, worlds: Sequence[SharedStreams], size: int) -> None:
        self._worlds, self._size = worlds, size
        self._uniforms: dict[str, Floats] = {}
        self._scores: dict[str, Floats] = {}

    def column(self, scenario: Scenario, name: Literal["cost", "free_riding"]) -> Floats | None:
        """(W, N) everybody's cost or free-riding factor, (1, N) where it is a number; None where
        people are in groups."""
        if scenario.population.groups:
            return None
        law = as_distribution(getattr(scenario.population, name))
        if isinstance(law, Constant):
            return np.full((1, self._size), law.value)
        if isinstance(law, Listed):  # by position, not by chance
            return None
        if name not in self._uniforms:
            every = [world.uniforms(name, self._size) for world in self._worlds]
            self._uniforms[name] = np.stack(every)
        uniforms = self._uniforms[name]
        if not isinstance(law, TruncatedNormal) or law.truncated:
            return law.ppf(uniforms)
        if name not in self._scores:  # the same for every mean and sd
            self._scores[name] = law.scores(uniforms)
        return law.at_scores(self._scores[name])


def draw_people(points: Points, worlds: Sequence[SharedStreams]) -> People:
    """The people of P points in W worlds, as :func:`sim.population.make_population` has them.

    Economy p·W + w is point p in world w.
    """
    scenarios, W = points.scenarios, len(worlds)
    together = Together(worlds, points.kind.size)

    def table(
        shared: Shared, draw: Callable[[int, int], NDArray],
        draw_all: Callable[[int], NDArray | None] = lambda p: None,
    ) -> tuple[NDArray, Integers]:  # fmt: skip
        """One row for each class and world, and which of them each economy has."""
        times = np.where(shared.fixed, 1, W)  # rows of each class
        blocks = []
        for p, n in zip(shared.first, times.tolist(), strict=True):
            block = draw_all(p)
            blocks.append(np.stack([draw(p, w) for w in range(n)]) if block is None else block)
        place = (np.cumsum(times) - times)[:, None] + np.minimum(np.arange(W), times[:, None] - 1)
        return np.concatenate(blocks), place[shared.number].reshape(-1)

    def anew(w: int) -> Streams:  # a generator goes on where the last draw ended
        return Streams(worlds[w].seed, worlds[w].replicate)

    def group_in(p: int, w: int) -> NDArray:
        return group[group_of[p * W + w]]

    def column(shared: Shared, name: Literal["cost", "free_riding"]) -> tuple[NDArray, Integers]:
        return table(
            shared,
            lambda p, w: draw_column(scenarios[p], group_in(p, w), worlds[w], name),
            lambda p: together.column(scenarios[p], name),
        )

    group, group_of = table(points.group, lambda p, w: draw_groups(scenarios[p], anew(w)))
    cost, cost_of = column(points.cost, "cost")
    free_riding, free_riding_of = column(points.free_riding, "free_riding")
    start, start_of = table(
        points.start, lambda p, w: draw_start(scenarios[p], group_in(p, w), anew(w))
    )
    columns = (cost, free_riding, group, cost_of, free_riding_of, group_of)
    return People(columns, start[start_of])

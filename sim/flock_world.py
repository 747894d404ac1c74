"""What the points of a flock share: success functions, rules, laws of their people.

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
from sim.distributions import (
    Constant,
    Distribution,
    TruncatedNormal,
    UniformOn,
    as_distribution,
)
from sim.revision import how_many
from sim.scenario import Scenario
from sim.scenario_parts import Settled
from sim.success_of import success_function
from sim.trained import canonical
from sim.trained_table import setup_of

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Quantity = Literal["cost", "free_riding"]
NUMBER, UNIFORM, NORMAL, OTHER = range(4)  # shapes of laws


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
    laws : of cost and free-riding factor
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
        self.laws = {
            "cost": Laws.of("cost", scenarios, self.cost),
            "free_riding": Laws.of("free_riding", scenarios, self.free_riding),
        }
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


class Laws(NamedTuple):
    """Laws of cost or free-riding factor, one for each class of points.

    Those of a shape are ``at`` + ``scale`` times the same numbers: so are normal costs in a sweep
    over mean and standard deviation. OTHER laws have numbers of their own.
    """

    name: Quantity
    law: list[Distribution | None]  # None where people are in groups
    shape: Integers
    at: Floats
    scale: Floats

    @classmethod
    def of(cls, name: Quantity, scenarios: Sequence[Scenario], shared: Shared) -> Laws:
        people = [scenarios[first].population for first in shared.first]
        laws = [None if some.groups else as_distribution(getattr(some, name)) for some in people]
        shape, at, scale = zip(*(_shape(law) for law in laws), strict=True)
        return cls(name, laws, np.array(shape), np.array(at), np.array(scale))


def _shape(law: Distribution | None) -> tuple[int, float, float]:
    if isinstance(law, Constant):
        return NUMBER, law.value, 1.0
    if isinstance(law, UniformOn):
        return UNIFORM, law.low, law.high - law.low
    if isinstance(law, TruncatedNormal) and not law.truncated:
        return NORMAL, law.location, law.sd
    return OTHER, 0.0, 1.0


def _is_number(key: tuple[Any, ...]) -> bool:
    """Is everybody's cost, or free-riding factor, the same number?"""
    groups, common, *_ = key
    return not groups and isinstance(common, int | float)

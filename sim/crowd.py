"""Crowds: exact shortcuts that count people instead of holding a row for each.

Where nobody looks at one person, people who decide alike are only numbers. A crowd keeps those
numbers and gives the same trajectories as the rows of :mod:`sim.population` under deterministic
rules, and the same law under random ones. Two of them:

thresholds      one collective, best response: people sorted by the success from which they join
                (:mod:`sim.crowd_thresholds`)
types           costs and free-riding factors that take few values: people per type and state
                (:mod:`sim.crowd_types`), also one at a time (:mod:`sim.crowd_in_turn`)

:func:`choose_crowd` says which one fits a scenario, and why none does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from learners.errors import ScenarioError
from sim.scenario_check import did_you_mean

if TYPE_CHECKING:
    from learners.success import SuccessFunction
    from sim.payoffs import Offers
    from sim.population import Population
    from sim.scenario import Scenario
    from sim.streams import Streams

ENGINES = ("auto", "rows", "thresholds", "types")
# From how many people on a crowd is chosen; smaller runs stay what they are.
CROWD_FROM = 50_000


class CountingError(Exception):
    """Too many people must be told apart: only rows can go on. Nothing has been changed."""


class Crowd(ABC):
    """N people as numbers.

    Attributes
    ----------
    engine : what the metadata of a run call it
    size : N
    counts : (K,) int64, members of each collective
    """

    engine: ClassVar[str]
    size: int
    counts: NDArray[np.int64]

    @abstractmethod
    def revise(self, table: Offers) -> int:
        """One simultaneous epoch at these offers, both (K+1, K).

        Returns
        -------
        int
            How many people moved; where all have just decided for the first time at least one, if
            anybody did.

        Raises
        ------
        CountingError
            Before anything has changed.
        """

    def revise_in_turn(self, success: SuccessFunction) -> int:
        """One sequential epoch; returns how many people moved.

        Raises
        ------
        CountingError
            Before anything has changed; here: only rows can.
        """
        raise CountingError("people who revise one at a time are rows")

    @abstractmethod
    def nobody_wants_to_move(self, table: Offers) -> bool:
        """Whether everybody's best response to these offers is to stay where she is."""

    @abstractmethod
    def state(self) -> NDArray[np.int64]:
        """What decides the future under a deterministic rule: equal if and only if it is."""

    @abstractmethod
    def welfare(self, success: NDArray[np.float64]) -> float:
        """Mean utility per person at this success (K,), dues paid, without the principal's pay."""

    @abstractmethod
    def to_population(self) -> Population:
        """The people as rows: columns to the bit as :func:`sim.population.make_population` has
        them, memberships drawn uniformly among those who are alike."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes held."""


def choose_crowd(
    scenario: Scenario,
    success: SuccessFunction,
    streams: Streams,
    engine: str = "auto",
    *,
    own_rules: bool = False,
) -> Crowd | None:
    """The crowd that simulates this scenario; None for rows.

    Parameters
    ----------
    engine : one of ``ENGINES``; "auto" takes a crowd from ``CROWD_FROM`` people on where one fits
    own_rules : people with a decision of their own in Python

    Raises
    ------
    ValueError
        No such engine.
    ScenarioError
        The engine that is asked for does not fit the scenario.
    """
    from sim.crowd_thresholds import Thresholds
    from sim.crowd_types import Types

    if engine not in ENGINES:
        allowed = ", ".join(f'"{name}"' for name in ENGINES)
        raise ValueError(
            f"engine: got {engine!r}; must be one of {allowed}{did_you_mean(engine, ENGINES)}"
        )
    if engine == "rows" or (engine == "auto" and scenario.population.size < CROWD_FROM):
        return None
    reason = why_rows(scenario, success, own_rules=own_rules)
    for kind in (Types, Thresholds):
        if engine in ("auto", kind.engine):
            unfit = reason or kind.why_not(scenario)
            if unfit is None:
                try:
                    return kind(scenario, streams)
                except CountingError as error:
                    unfit = str(error)
            if engine != "auto":
                raise ScenarioError(f'{scenario.name}: engine: got "{engine}"; {unfit}')
    return None


def why_rows(scenario: Scenario, success: SuccessFunction, *, own_rules: bool) -> str | None:
    """Why people cannot be counted here, whatever they are like; None where they can."""
    rules = scenario.revision
    reasons = {
        "people who decide by a method of their own are rows": own_rules,
        "the platform is trained on rows of people": success.sees_people,
        "people on a network differ in whom they see (population.network)": (
            scenario.population.network is not None
        ),
        "a principal signs individual people": scenario.principal is not None,
        "who imitates looks at individual people (revision.protocol)": (
            rules.protocol == "imitation"
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)

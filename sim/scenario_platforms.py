"""The platform of a scenario and the signals that go with it: what may be written.

A platform is one of several kinds, told apart by ``learner``. With ``bound`` success is a formula,
and a signal is described by the numbers that the formula needs. A platform that is trained on
people's data finds out by itself: there a signal is what it does to a row.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from sim.scenario_fields import FrozenDict, Part, param

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
"""Name of a collective or a group: it becomes a column, a key and a part of addresses."""

Column = Annotated[str, Field(min_length=1)]
"""Name of a column of a data set: whatever its header says."""

CELL_WORDS = "text, a finite number, true or false"
Cell = Annotated[str | int | float | bool, Field(json_schema_extra={"must": CELL_WORDS})]
"""A value in a data set, which is compared as it is written there."""

Cells = Annotated[dict[Column, Cell], AfterValidator(FrozenDict)]

LATER_LEARNERS = ("distilbert",)
"""Learners of the design that this version does not have yet."""

PEOPLE_LEARNERS = ("bayes",)
"""Learners that are trained on people's own rows, so that it matters who joins."""

# --- platforms -----------------------------------------------------------------------------------

LEARNER = "how success comes about"


def _retrain_every() -> int:
    return param("epochs between trainings", unit="epochs", default=1, ge=1)  # type: ignore[no-any-return]


class BoundPlatform(Part):
    """Success is the closed-form lower bound."""

    tag: ClassVar[str] = "learner"
    learner: Literal["bound"] = param(LEARNER)
    suboptimality: float = param(
        "distance of the platform's classifier from an optimal one",
        unit="total variation",
        symbol="ε",
        default=0.0,
        ge=0,
        lt=1,
    )
    bound: Literal["hardt2023", "joint_tv", "conditional_tv"] = param(
        "which treatment of the suboptimality", default="hardt2023"
    )
    retrain_every: int = _retrain_every()


class BayesPlatform(Part):
    """The best classifier there is, of people who are drawn from a finite universe."""

    tag: ClassVar[str] = "learner"
    learner: Literal["bayes"] = param(LEARNER)
    universe: str = param(
        "CSV or Parquet file of the base population: columns of features and a label; its path is "
        "relative to the scenario file",
        min_length=1,
        must="a file name",
    )
    label: str = param("column of the label", default="label", min_length=1)
    weight: str | None = param(
        "column of weights, counts or probabilities; absent: every row counts once",
        default=None,
        min_length=1,
    )
    columns: tuple[Column, ...] | None = param(
        "columns of features; absent: all others",
        default=None,
        min_length=1,
        must="a list of at least one name of a column",
    )
    label_noise: float = param(
        "share of the people whose label is a random one",
        unit="share of the population",
        default=0.0,
        ge=0,
        le=1,
    )
    retrain_every: int = _retrain_every()


Platform = Annotated[BoundPlatform | BayesPlatform, Field(discriminator="learner")]
AnyPlatform = BoundPlatform | BayesPlatform

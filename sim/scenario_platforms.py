"""The platform of a scenario and the signals that go with it: what may be written.

A platform is one of several kinds, told apart by ``learner``. With ``bound`` success is a formula,
and a signal is described by the numbers that the formula needs. A platform that is trained on
people's data finds out by itself: there a signal is what it does to a row.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from sim.scenario_fields import GENERATED, LEARNER, FrozenDict, Part, param, retrain_every
from sim.scenario_texts import PLANTING, DistilbertPlatform, InsertedSignal

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
"""Name of a collective or a group: it becomes a column, a key and a part of addresses."""

Column = Annotated[str, Field(min_length=1)]
"""Name of a column of a data set: whatever its header says."""

CELL_WORDS = "text, a finite number, true or false"  # see learners.spelling
Cell = Annotated[str | int | float | bool, Field(json_schema_extra={"must": CELL_WORDS})]
"""A value in a data set: numbers and truths are compared by value, however they are written."""

Change = Annotated[float, Field(json_schema_extra={"must": "a finite number"})]

Cells = Annotated[dict[Column, Cell], AfterValidator(FrozenDict)]

SLOW_LEARNERS = ("logistic", "gradient", "distilbert")
"""Learners that are trained once for every size that is asked for."""

COSTLY_LEARNERS = ("distilbert",)
"""Of these, those whose training takes so long that nobody asks for a whole curve unawares."""

PEOPLE_LEARNERS = ("bayes", "logistic", "gradient", "distilbert")
"""Learners that are trained on people's own data, so that it matters who joins."""

# --- platforms -----------------------------------------------------------------------------------


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
    retrain_every: int = retrain_every()


class GeneratedUniverse(Part):
    """A universe made to order: features signal (no, yes) and kind, labels target and other."""

    uniqueness: float = param(
        "share of the people who carry the signal",
        unit="probability",
        symbol="ξ",
        ge=0,
        lt=1,
    )
    gap: float = param(
        "by how much the other label beats the target where the signal is",
        unit="probability",
        symbol="Δ",
        ge=0,
        le=1,
    )
    positivity: float | None = param(
        "least probability of the target given any features; at most (1 − Δ)/2",
        unit="probability",
        symbol="p",
        default=None,
        ge=0,
        le=1,
    )
    sensitivity: float | None = param(
        "mean largest change of a label's probability when the signal is erased",
        unit="probability",
        symbol="τ",
        default=None,
        ge=0,
        le=1,
    )
    kinds: int = param(
        "kinds of people; the steps that success can have", unit="kinds", default=2, ge=1, le=10**6
    )
    seed: int | None = param(
        "seed of who the kinds are; absent: all are equally many", default=None, ge=0, le=2**63 - 1
    )


class BayesPlatform(Part):
    """The best classifier there is, of people who are drawn from a finite universe."""

    tag: ClassVar[str] = "learner"
    learner: Literal["bayes"] = param(LEARNER)
    universe: str = param(
        'file of the base population (CSV, Parquet), relative to the scenario file; or "generated"',
        min_length=1,
        must='a file name or "generated"',
    )
    generated: GeneratedUniverse | None = param(
        'the universe to make, with universe = "generated"', default=None
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
    suboptimality: float = param(
        "distance of the platform's classifier from an optimal one",
        unit="total variation",
        symbol="ε",
        default=0.0,
        ge=0,
        lt=1,
    )
    worst: Literal["joint_tv", "conditional_tv"] | None = param(
        "in which distance the classifier is the worst for each collective; with suboptimality > 0",
        default=None,
    )
    retrain_every: int = retrain_every()


class GeneratedRows(Part):
    """Rows of a generalised linear model: features x0, x1, … N(0, 1), label drawn from them."""

    rows: int = param("people in the data", unit="people", default=1000, ge=2, le=10**7)
    features: int = param("columns x0, x1, …", unit="columns", default=5, ge=1, le=10**4)
    classes: int = param(
        "labels 0, 1, …; with a squared loss the label is a number and this is not read",
        unit="labels",
        default=2,
        ge=2,
        le=10**3,
    )
    unused: int = param(
        "the last columns that are 0 for everybody: room for a signal",
        unit="columns",
        default=1,
        ge=0,
    )
    seed: int = param("seed of the data", default=0, ge=0, le=2**63 - 1)


class RowData(Part):
    """Data of people, row by row: what platforms that fit a model have in common."""

    learner: str = param(LEARNER)
    data: str = param(
        'file of people, CSV or Parquet, relative to the scenario file; or "generated"',
        min_length=1,
        must='a file name or "generated"',
    )
    generated: GeneratedRows | None = param(
        'the data to make, with data = "generated"', default=None, validate_default=True
    )
    label: str = param("column of the label", default="label", min_length=1)
    weight: str | None = param(
        "column of weights; absent: every row counts once", default=None, min_length=1
    )
    columns: tuple[Column, ...] | None = param(
        "columns of features; absent: all others",
        default=None,
        min_length=1,
        must="a list of at least one name of a column",
    )
    extra: tuple[Column, ...] = param(
        'columns that the file does not have, "no" for everybody, for signals to use',
        default=(),
        must="a list of names of columns",
    )
    split: str | None = param(
        'column that says "train" of the people to train on; success is measured on the others '
        "(with gradient_neutralising they are left out: success is a distance)",
        default=None,
        min_length=1,
    )
    test: float = param(
        "share of the people, drawn at random, on whom success is measured; 0: on all, who are "
        "also trained on",
        unit="share of the data",
        default=0.0,
        ge=0,
        lt=1,
    )

    @field_validator("generated")
    @classmethod
    def _made_as_usual(
        cls, generated: GeneratedRows | None, info: ValidationInfo
    ) -> GeneratedRows | None:
        wanted = info.data.get("data") == GENERATED
        return GeneratedRows() if generated is None and wanted else generated


class LogisticPlatform(RowData):
    """A convex model with a ridge term, fitted to people's rows."""

    tag: ClassVar[str] = "learner"
    learner: Literal["logistic"] = param(LEARNER)
    loss: Literal["logistic", "softmax", "least_squares"] = param(
        "what is fitted: two classes, several, or numbers", default="logistic"
    )
    ridge: float = param(
        "weight of ‖θ‖²/2 in the risk", unit="per person", symbol="λ", default=0.01, gt=0
    )
    unit: Literal["start", "bound"] | None = param(
        "with gradient_neutralising, the distance to θ* at which success is 0: that of nobody "
        "joining (start, the default) or the one that theorem 4.2 begins with (bound)",
        default=None,
    )
    retrain_every: int = retrain_every()


class GradientPlatform(RowData):
    """A small network, trained by gradient steps on people's rows (needs torch)."""

    tag: ClassVar[str] = "learner"
    learner: Literal["gradient"] = param(LEARNER)
    hidden: tuple[Annotated[int, Field(ge=1, le=10**4)], ...] = param(
        "units of each hidden layer; none: a perceptron",
        default=(),
        must="a list of whole numbers ≥ 1",
    )
    loss: Literal["logistic", "softmax", "squared"] = param(
        "what is fitted: two classes, several, or numbers", default="logistic"
    )
    learning_rate: float = param("the platform's step", unit="step", symbol="η", default=0.1, gt=0)
    steps: int = param(
        "gradient steps of a training", unit="steps", symbol="T", default=100, ge=1, le=10**9
    )
    retrain: Literal["scratch", "continue"] = param(
        "whether a training starts from new weights or from those it had", default="scratch"
    )
    replicates: int = param(
        "networks with different first weights, for success by size and its interval",
        unit="trainings",
        default=5,
        ge=2,
        le=10**4,
    )
    retrain_every: int = retrain_every()


class TablePlatform(Part):
    """Success as it was measured before, on whatever platform."""

    tag: ClassVar[str] = "learner"
    learner: Literal["table"] = param(LEARNER)
    table: str = param(
        "file of measurements (alphacrit learn), relative to the scenario file",
        min_length=1,
        must="a file name",
    )
    level: float = param(
        "of the interval around success", unit="probability", default=0.95, gt=0, lt=1
    )
    monotone: bool | None = param(
        "whether success is fitted so that it never falls when its collective grows; absent: with "
        "one collective",
        default=None,
    )
    retrain_every: int = retrain_every()


AnyPlatform = (
    BoundPlatform
    | BayesPlatform
    | LogisticPlatform
    | GradientPlatform
    | DistilbertPlatform
    | TablePlatform
)
Platform = Annotated[AnyPlatform, Field(discriminator="learner")]

# --- signals on data ------------------------------------------------------------------------------

ON_DATA = "on a platform that is trained on data "


class PlantedSignal(Part):
    """What the signal does to a row: these columns take these values."""

    says: ClassVar[str] = ON_DATA
    set: Cells = param(
        "columns of features and the values that they take",
        symbol="g",
        min_length=1,
        must="a table of at least one column and its value",
    )


class SteeringSignal(Part):
    """Which parameters the collective wants, and what its members report (H23 theorem 4.2)."""

    says: ClassVar[str] = ON_DATA
    move: Annotated[dict[Column, Change], AfterValidator(FrozenDict)] = param(
        "features and by how much their parameters, towards the target label, are to differ from "
        "what the platform learns by itself; name=value for one value of a column of words",
        symbol="θ* − θ₀",
        min_length=1,
        must="a table of at least one feature and its change",
    )
    own_gradient: float | None = param(
        "norm of the members' gradient at the target parameters; absent: that of the base data, "
        "or the nearest that can be had",
        unit="gradient norm",
        symbol="‖g_P′(θ*)‖",
        default=None,
        gt=0,
    )
    labels: Literal["free", "kept"] = param(
        "whether members may change their label, too", default="free"
    )


class ControlSignal(Part):
    """Members steer every step to what the platform would learn had all planted a signal."""

    says: ClassVar[str] = ON_DATA
    set: Cells = param(
        "columns of features and the values that they take",
        symbol="g",
        min_length=1,
        must="a table of at least one column and its value",
    )
    pull: float = param("pull towards the target parameters", unit="1/step", symbol="ξ", gt=0)


DATA_SIGNALS: dict[str, dict[str, tuple[type[Part], ...]]] = {
    "bayes": dict.fromkeys((*PLANTING, "erasure"), (PlantedSignal,)),
    "logistic": {
        **dict.fromkeys(PLANTING, (PlantedSignal,)),
        "gradient_neutralising": (SteeringSignal,),
    },
    "gradient": {
        **dict.fromkeys(PLANTING, (PlantedSignal,)),
        "gradient_control": (ControlSignal,),
    },
    "distilbert": dict.fromkeys(PLANTING, (InsertedSignal,)),
}
"""The signal of each strategy that a learner knows, for learners that are trained on data."""

"""The tables of a scenario file, one class each: what may be written, in which unit and range.

Letters are those of theory.md: c cost, γ free-riding factor, α participating share, ξ uniqueness,
Δ suboptimality gap, ω signal overlap, p positivity, τ sensitivity, ε suboptimality, η noise.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from learners.errors import ScenarioError
from sim.scenario_fields import INHERITED, FrozenDict, Part, param
from sim.scenario_platforms import (
    DATA_SIGNALS,
    Cells,
    ControlSignal,
    Name,
    PlantedSignal,
    SteeringSignal,
)
from sim.scenario_texts import InsertedSignal

FINITE = (
    "must be a number here: only 'alphacrit run', 'equilibria' and what is solved or drawn without "
    "single people take the limit (people)"
)
NAME_WORDS = 'letters, digits, "_" and "-"'

# --- distributions -------------------------------------------------------------------------------


class Normal(Part):
    """Normal distribution, truncated to [low, high] where these are given."""

    tag: ClassVar[str] = "dist"
    dist: Literal["normal"] = param("which distribution")
    mean: float = param("mean before truncation", unit=INHERITED)
    sd: float = param("standard deviation before truncation", unit=INHERITED, gt=0)
    low: float | None = param("truncated below here", unit=INHERITED, default=None)
    high: float | None = param("truncated above here", unit=INHERITED, default=None)


class Uniform(Part):
    """Uniform distribution on [low, high]."""

    tag: ClassVar[str] = "dist"
    dist: Literal["uniform"] = param("which distribution")
    low: float = param("smallest value", unit=INHERITED)
    high: float = param("largest value", unit=INHERITED)


class Lognormal(Part):
    """Lognormal distribution, truncated to [low, high] where these are given."""

    tag: ClassVar[str] = "dist"
    dist: Literal["lognormal"] = param("which distribution")
    median: float = param("median before truncation, e to the mean logarithm", unit=INHERITED, gt=0)
    sigma: float = param("standard deviation of the natural logarithm, before truncation", gt=0)
    low: float | None = param("truncated below here", unit=INHERITED, default=None)
    high: float | None = param("truncated above here", unit=INHERITED, default=None)


class Beta(Part):
    """Beta distribution on [0, 1], truncated to [low, high]; never stretched."""

    tag: ClassVar[str] = "dist"
    dist: Literal["beta"] = param("which distribution")
    a: float = param("first shape parameter", gt=0)
    b: float = param("second shape parameter", gt=0)
    low: float = param("truncated below here", unit=INHERITED, default=0.0, ge=0, le=1)
    high: float = param("truncated above here", unit=INHERITED, default=1.0, ge=0, le=1)


class Values(Part):
    """Explicit values in exactly equal shares, given out by position and not by chance."""

    tag: ClassVar[str] = "dist"
    dist: Literal["values"] = param("which distribution")
    values: tuple[float, ...] = param(
        "person i of N gets the value with index floor((i + ½)·n/N) of the n given",
        unit=INHERITED,
        min_length=1,
        must="a list of at least one finite number",
    )


AnyDist = Normal | Uniform | Lognormal | Beta | Values
Dist = Annotated[AnyDist, Field(discriminator="dist")]
Size = Annotated[int, Field(ge=1, le=1_000_000_000)] | Literal["infinite"]
Cost = Annotated[float, Field(ge=0)] | Dist
FreeRiding = Annotated[float, Field(ge=0, le=1)] | Dist

# --- networks ------------------------------------------------------------------------------------


class Complete(Part):
    """Everybody is everybody's neighbour."""

    tag: ClassVar[str] = "kind"
    kind: Literal["complete"] = param("which network")


class WattsStrogatz(Part):
    """A ring on which everybody knows the k nearest, each tie rewired with probability p."""

    tag: ClassVar[str] = "kind"
    kind: Literal["watts_strogatz"] = param("which network")
    k: int = param("neighbours on the ring; even and below the size", unit="neighbours", ge=2)
    p: float = param("probability that a tie is rewired", unit="probability", ge=0, le=1)


class BarabasiAlbert(Part):
    """Preferential attachment: who arrives ties to m who are there, the well-connected first."""

    tag: ClassVar[str] = "kind"
    kind: Literal["barabasi_albert"] = param("which network")
    m: int = param("ties that each newcomer makes; below the size", unit="neighbours", ge=1)


class ErdosRenyi(Part):
    """Every pair is tied independently with the same probability."""

    tag: ClassVar[str] = "kind"
    kind: Literal["erdos_renyi"] = param("which network")
    mean_degree: float = param("expected number of neighbours", unit="neighbours", ge=0)


class StochasticBlock(Part):
    """Groups as blocks (people in no group are one more): ties within and between them."""

    tag: ClassVar[str] = "kind"
    kind: Literal["stochastic_block"] = param("which network")
    within: float = param("expected neighbours in the own block", unit="neighbours", ge=0)
    between: float = param("expected neighbours outside the own block", unit="neighbours", ge=0)


class Edges(Part):
    """Ties from a file: two row numbers a line, from 0, blank or comma between, # comments."""

    tag: ClassVar[str] = "kind"
    kind: Literal["edges"] = param("which network")
    path: str = param("the file, relative to the scenario file", min_length=1, must="a file name")


Network = Annotated[
    Complete | WattsStrogatz | BarabasiAlbert | ErdosRenyi | StochasticBlock | Edges,
    Field(discriminator="kind"),
]

# --- population ----------------------------------------------------------------------------------


class Group(Part):
    """A part of the population that differs from the rest in what it names."""

    share: float | None = param(
        "share of the population in it, drawn at random",
        unit="share of the population",
        default=None,
        gt=0,
        le=1,
    )
    where: Cells | None = param(
        "in place of share: columns and values of the people's data, as the platform has them",
        default=None,
        min_length=1,
        must="a table of at least one column and its value",
    )
    cost: Cost | None = param(
        "cost of taking part; absent: the population's", unit="utility", symbol="c", default=None
    )
    free_riding: FreeRiding | None = param(
        "free-riding factor; absent: the population's",
        unit="share of the success",
        symbol="γ",
        default=None,
    )


class Population(Part):
    """The people: how many, what joining costs them, what they get without joining."""

    size_: Size = param(
        "number of people; infinite: the limit in which chance averages out",
        unit="people",
        symbol="N",
        alias="size",
    )
    cost: Cost = param("cost of taking part", unit="utility", symbol="c")
    free_riding: FreeRiding = param(
        "share of a collective's success that a person outside it gets all the same",
        unit="share of the success",
        symbol="γ",
        default=0.0,
    )
    network: Network | None = param(
        "who sees whose membership; absent: everybody sees the published success", default=None
    )
    groups: Annotated[dict[Name, Group], AfterValidator(FrozenDict)] = param(
        "groups by name", default=FrozenDict
    )

    @property
    def infinite(self) -> bool:
        """Whether there is no number of people, but the limit of many."""
        return self.size_ == "infinite"

    @property
    def size(self) -> int:
        """N; ``ScenarioError`` where the population is infinite, for whoever needs a number."""
        if isinstance(self.size_, int):
            return self.size_
        raise ScenarioError([f'population.size: got "infinite"; {FINITE}'])


# --- collectives ---------------------------------------------------------------------------------


class FeatureLabelSignal(Part):
    """Members plant the signal and set the label (H23 theorem 3.3)."""

    uniqueness: float = param(
        "probability of the signal set under the base data",
        unit="probability",
        symbol="ξ",
        ge=0,
        le=1,
    )
    gap: float = param(
        "by how much another label beats the target on the signal set, at most",
        unit="probability",
        symbol="Δ",
        ge=0,
        le=1,
    )
    overlap: Annotated[
        dict[Name, Annotated[float, Field(ge=0, le=1)]], AfterValidator(FrozenDict)
    ] = param(
        "share of the named collective's signals that land in this one's signal set",
        unit="probability",
        symbol="ω",
        default=FrozenDict,
    )


class FeatureOnlySignal(Part):
    """Members whose label is the target plant the signal (H23 theorem 3.5)."""

    uniqueness: float = param(
        "probability of the signal set under the base data",
        unit="probability",
        symbol="ξ",
        ge=0,
        le=1,
    )
    positivity: float = param(
        "least probability of the target label given any features",
        unit="probability",
        symbol="p",
        gt=0,
        le=1,
    )


class ErasureSignal(Part):
    """Members relabel as if the signal were not there (H23 theorem 3.7)."""

    sensitivity: float = param(
        "mean largest change of a label's probability when the signal is erased",
        unit="probability",
        symbol="τ",
        ge=0,
        le=1,
    )


class GradientNeutralisingSignal(Part):
    """Members cancel the base data's gradient at the target parameters (H23 theorem 4.2)."""

    own_gradient: float = param(
        "norm of the members' gradient at the target parameters",
        unit="gradient norm",
        symbol="‖g_P′(θ*)‖",
        ge=0,
    )
    base_gradient: float = param(
        "norm of the base data's gradient at the target parameters",
        unit="gradient norm",
        symbol="‖g_P0(θ*)‖",
        gt=0,
    )


class GradientControlSignal(Part):
    """Members steer every gradient step towards the target parameters (H23 theorem 4.5)."""

    pull: float = param("pull towards the target parameters", unit="1/step", symbol="ξ", gt=0)
    learning_rate: float = param("the platform's step", unit="step", symbol="η", gt=0)
    steps: int = param(
        "gradient steps of a training", unit="steps", symbol="T", ge=1, le=1_000_000_000
    )


Signal = (
    PlantedSignal
    | InsertedSignal
    | SteeringSignal
    | ControlSignal
    | FeatureLabelSignal
    | FeatureOnlySignal
    | ErasureSignal
    | GradientNeutralisingSignal
    | GradientControlSignal
)
BOUND_SIGNALS: dict[str, type[Part]] = {
    "feature_label": FeatureLabelSignal,
    "feature_only": FeatureOnlySignal,
    "erasure": ErasureSignal,
    "gradient_neutralising": GradientNeutralisingSignal,
    "gradient_control": GradientControlSignal,
}


def _knowing(strategy: str) -> list[dict[str, tuple[type[Part], ...]]]:
    return [known for known in DATA_SIGNALS.values() if strategy in known]


SIGNALS: dict[str, dict[str, tuple[type[Part], ...]]] = {
    "bound": {strategy: (signal,) for strategy, signal in BOUND_SIGNALS.items()},
    **DATA_SIGNALS,
    "table": {
        strategy: (*dict.fromkeys(known[strategy][0] for known in _knowing(strategy)), signal)
        for strategy, signal in BOUND_SIGNALS.items()
    },
}
"""By learner and strategy: the kinds of signal there are. A strategy that is not there is not
known with that learner."""


class Collective(Part):
    """One collective: how its members change their data, towards what, and who may join."""

    strategy: Literal[
        "feature_label", "feature_only", "erasure", "gradient_neutralising", "gradient_control"
    ] = param("how members change their data", symbol="h")
    signal: Signal = param("what is planted or erased; its keys depend on the strategy", symbol="g")
    target: str = param(
        "what the collective wants to see; the same target makes allies; default: its own name",
        symbol="y*",
        default="",
        min_length=1,
        must="text of at least one character",
    )
    start: float = param(
        "share of the population that are members at epoch 0, drawn at random",
        unit="share of the population",
        symbol="α₀",
        default=0.0,
        ge=0,
        le=1,
    )
    dues: float = param("what a member pays per epoch", unit="utility", default=0.0, ge=0)
    recruits: tuple[str, ...] | None = param(
        "groups that may join; absent: everybody",
        default=None,
        min_length=1,
        must="a list of at least one name of a group",
    )


# --- the rest ------------------------------------------------------------------------------------


class Revision(Part):
    """How people reconsider whether to join."""

    protocol: Literal["best_response", "logit", "imitation"] = param(
        "rule by which a person who reconsiders chooses", default="best_response"
    )
    activation: Literal["simultaneous", "sequential"] = param(
        "all at once, or one at a time in random order with success updated after each",
        default="simultaneous",
    )
    rate: float = param(
        "share of the people who reconsider in an epoch",
        unit="share of the population",
        symbol="ρ",
        default=1.0,
        gt=0,
        le=1,
    )
    noise: float = param("noise of logit", unit="utility", symbol="η", default=0.0, ge=0)
    decides: Literal["atomistic", "pivotal"] = param(
        "whether a person takes success as given or counts her own effect on it",
        default="atomistic",
    )


class Principal(Part):
    """Somebody outside who pays for a collective to form."""

    policy: Literal["subsidy"] = param("how the money is paid")
    budget: float = param("what may be spent", unit="utility, in total", ge=0)
    collective: str = param("the collective that is paid for", min_length=1)


class Settled(Part):
    """Stop when memberships no longer change, or a cycle is found, or epochs are used up."""

    tag: ClassVar[str] = "when"
    when: Literal["settled"] = param("when to stop", default="settled")
    tolerance: float = param(
        "change of every collective's size that still counts as none",
        unit="share of the population",
        default=0.0,
        ge=0,
    )
    patience: int = param("for so many epochs in a row", unit="epochs", default=3, ge=1)


class Never(Part):
    """Run all epochs."""

    tag: ClassVar[str] = "when"
    when: Literal["never"] = param("when to stop")


Stop = Annotated[Settled | Never, Field(discriminator="when")]

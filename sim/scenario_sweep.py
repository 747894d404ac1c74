"""The ``[sweep]`` table of a scenario: what varies, by which design, how often.

The designs differ in what they need; each is a table of its own, told apart by ``design``. A sweep
is no part of what a single run depends on, so it does not count for a scenario's digest.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from sim.scenario_fields import INHERITED, FrozenDict, Part, param

Varying = Annotated[str, Field(min_length=1)]
"""A dotted address of the scenario; quoted in the file, for it is one key: "population.cost"."""

DESIGN, VARY = "how the points are chosen", "what varies, by dotted address in quotes"
QUOTED = 'of a range (its address is one key in quotes, such as "population.cost") '
LARGEST_SEED = 2**63 - 1


class Levels(Part):
    """Evenly spaced values, both ends included."""

    says: ClassVar[str] = QUOTED
    from_: float = param("first value", unit=INHERITED, alias="from")
    to: float = param("last value; above the first", unit=INHERITED)
    num: int = param("how many values", unit="values", ge=2, le=1_000_000)
    scale: Literal["linear", "log"] = param(
        "equal steps, or equal ratios (the first value must be > 0)", default="linear"
    )


class Span(Part):
    """A range from which a sampled design draws uniformly; whole numbers where these are wanted."""

    says: ClassVar[str] = QUOTED
    from_: float = param("smallest value", unit=INHERITED, alias="from")
    to: float = param("largest value; above the smallest", unit=INHERITED)
    scale: Literal["linear", "log"] = param(
        "drawn uniformly, or so that its logarithm is uniform (the smallest must be > 0)",
        default="linear",
    )


ANY = Annotated[tuple[Any, ...], Field(min_length=1)]
LISTED = "a list of at least one value, or a table such as"
LEVELS = {"must": f"{LISTED} {{ from = 0.1, to = 0.6, num = 11 }}"}
SPANS = {"must": f"{LISTED} {{ from = 0.1, to = 0.6 }}"}
VaryLevels = Annotated[
    dict[Varying, Annotated[Levels | ANY, Field(json_schema_extra=LEVELS)]],
    AfterValidator(FrozenDict),
]
VarySpans = Annotated[
    dict[Varying, Annotated[Span | ANY, Field(json_schema_extra=SPANS)]],
    AfterValidator(FrozenDict),
]


class _Sweep(Part):
    """What all designs have."""

    tag: ClassVar[str] = "design"
    replications: int = param(
        "random worlds at every point", unit="runs", symbol="R", default=1, ge=1, le=1_000_000
    )
    worlds: Literal["common", "own"] = param(
        "common: replicate r has the same random numbers at every point, so that points differ by "
        "their parameters alone; own: every point has its own",
        default="common",
    )


def _vary() -> Any:
    words = 'a table such as { "population.cost" = … } with at least one address'
    return param(VARY, min_length=1, must=words)


class GridSweep(_Sweep):
    """Every combination of the values; the last address varies fastest."""

    design: Literal["grid"] = param(DESIGN)
    vary: VaryLevels = _vary()


class ZipSweep(_Sweep):
    """The first values of all addresses together, then the second ones, and so on."""

    design: Literal["zip"] = param(DESIGN)
    vary: VaryLevels = _vary()


class ListSweep(_Sweep):
    """Points from a CSV file: addresses in its first line, a point in each of the others."""

    design: Literal["list"] = param(DESIGN)
    points: str = param(
        "the file, relative to the scenario file", min_length=1, must="a file name (CSV)"
    )


class _SampledSweep(_Sweep):
    """Points drawn from ranges by a design with a seed of its own."""

    vary: VarySpans = _vary()
    samples: int = param("points of the design", unit="points", ge=1, le=1_000_000)
    seed: int | None = param(
        "seed of the design; absent: the scenario's", default=None, ge=0, le=LARGEST_SEED
    )


class LhsSweep(_SampledSweep):
    """Latin hypercube: of n equally likely slices of every range each is met exactly once."""

    design: Literal["lhs"] = param(DESIGN)


class SobolSweep(_SampledSweep):
    """Sobol's low-discrepancy sequence, scrambled (Owen 1998)."""

    design: Literal["sobol"] = param(DESIGN)
    samples: int = param(
        "points of the design; a power of two, for only then they are balanced",
        unit="points", ge=1, le=2**20,
    )  # fmt: skip


class SaltelliSweep(_SampledSweep):
    """Points for Sobol's sensitivity indices (Saltelli 2002): n base points, D addresses."""

    design: Literal["saltelli"] = param(DESIGN)
    samples: int = param(
        "base points n, a power of two; n(D + 2) points in all, n(2D + 2) with second order",
        unit="base points", symbol="n", ge=1, le=2**20,
    )  # fmt: skip
    second_order: bool = param(
        "whether pairs of addresses are wanted, too", default=False, must="true or false"
    )


class MorrisSweep(_SampledSweep):
    """Trajectories for elementary effects (Morris 1991): one address moves at a time."""

    design: Literal["morris"] = param(DESIGN)
    samples: int = param(
        "trajectories r; r(D + 1) points in all", unit="trajectories", symbol="r", ge=1, le=100_000
    )
    levels: int = param("grid levels of each range; even", unit="levels", default=4, ge=2, le=100)


AnySweep = GridSweep | ZipSweep | ListSweep | LhsSweep | SobolSweep | SaltelliSweep | MorrisSweep
SampledSweep = LhsSweep | SobolSweep | SaltelliSweep | MorrisSweep
Sweep = Annotated[AnySweep, Field(discriminator="design")]

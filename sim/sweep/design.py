"""Designs: which points of the parameter space a sweep looks at.

A *factor* is one address with the values that it takes. Grids, zips and lists name their values. A
sampled design first makes points u in the unit cube [0, 1]^D, one coordinate for each factor, and
then maps each coordinate to the factor's range; analysis of sensitivity works in the unit cube.

References
----------
McKay, Beckman and Conover 1979 (Latin hypercube); Owen 1998 (scrambled Sobol points); Saltelli 2002
(points for Sobol's indices); Morris 1991 (elementary effects).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.errors import ResultsError
from sim import scenario_sweep as sweeps

Floats = NDArray[np.float64]
Row = tuple[Any, ...]
DIGITS = 12  # of a level: 0.15, as one writes it, and not 0.15000000000000002
SAMPLED = ("lhs", "sobol", "saltelli", "morris")


@dataclass(frozen=True)
class Factor:
    """One address and what it is drawn from: a range, or choices.

    Attributes
    ----------
    address : str
    low, high : float
        Ends of the range; both included where whole numbers are drawn.
    scale : "linear" or "log"
    whole : bool
        Whether whole numbers are drawn, every one with the same share of the (log) range around it.
    choices : tuple
        Drawn from with equal shares in place of a range; empty where there is a range.
    """

    address: str
    low: float = 0.0
    high: float = 1.0
    scale: str = "linear"
    whole: bool = False
    choices: tuple[Any, ...] = ()

    def at(self, u: Floats) -> list[Any]:
        """Values at the coordinates u (n,) in [0, 1]; u = 0 is the low end, u = 1 the high one."""
        if self.choices:
            index = np.minimum((u * len(self.choices)).astype(int), len(self.choices) - 1)
            return [self.choices[i] for i in index]
        margin = 0.5 if self.whole else 0.0
        low, high = self.low - margin, self.high + margin
        log = self.scale == "log"
        value = low * (high / low) ** u if log else low + u * (high - low)
        value = np.clip(value, self.low, self.high)  # rounding of the power, or the margin
        return [round(v) for v in value.tolist()] if self.whole else value.tolist()

    def info(self) -> dict[str, Any]:
        """The factor as a JSON-able record."""
        if self.choices:
            return {"address": self.address, "choices": list(self.choices)}
        span = {"low": self.low, "high": self.high, "scale": self.scale, "whole": self.whole}
        return {"address": self.address, **span}


@dataclass(frozen=True)
class Design:
    """The rows of a design, as drawn: two rows may be the same point.

    Attributes
    ----------
    addresses : tuple of str
    rows : sequence of tuple
        A value for each address.
    info : dict
        JSON-able; of a sampled design enough to make its points in the unit cube again
        (``unit_sample``).
    """

    addresses: tuple[str, ...]
    rows: Sequence[Row]
    info: dict[str, Any]


def design_of(
    sweep: sweeps.AnySweep,
    seed: int,
    is_whole: Callable[[str, float], bool],
    points: tuple[tuple[str, ...], Sequence[Row]] = ((), ()),
) -> Design:
    """The rows of a sweep.

    Parameters
    ----------
    sweep : one of the sweeps
        Valid, as ``sim.scenario_sweep_rules`` has it.
    seed : int
        Of a sampled design whose file names none.
    is_whole : callable
        (address, value in its range) → whether whole numbers are wanted there.
    points : (addresses, rows), optional
        What the file of points says, for the design ``list``.
    """
    match sweep:
        case sweeps.ListSweep():
            return Design(*points, {"design": sweep.design, "file": sweep.points})
        case sweeps.GridSweep() | sweeps.ZipSweep():
            columns = [_column(key, each, is_whole) for key, each in sweep.vary.items()]
            combine = itertools.product if sweep.design == "grid" else zip
            return Design(tuple(sweep.vary), list(combine(*columns)), {"design": sweep.design})
    factors = [_factor(key, each, is_whole) for key, each in sweep.vary.items()]
    info = _sampled_info(sweep, seed, factors)
    unit = _unit_points(info)
    info["fingerprint"] = _fingerprint(unit)
    values = [factor.at(u) for factor, u in zip(factors, unit.T, strict=True)]
    return Design(tuple(sweep.vary), list(zip(*values, strict=True)), info)


def unit_sample(info: Mapping[str, Any]) -> Floats:
    """The points of a sampled design in the unit cube, (rows, D), made again from its record.

    Raises
    ------
    ResultsError
        The installed scipy or SALib draws other points than the version that made the sweep.
    """
    if info.get("design") not in SAMPLED:
        raise ValueError(f"got the design {info.get('design')!r}; must be one of {SAMPLED}")
    unit = _unit_points(info)
    if _fingerprint(unit) != info["fingerprint"]:
        raise ResultsError(
            f"the design {info['design']} with seed {info['seed']} comes out otherwise with the "
            "installed scipy and SALib; install the versions that meta.json names"
        )
    return unit


def salib_problem(info: Mapping[str, Any]) -> dict[str, Any]:
    """The factors as SALib wants them: ``num_vars``, ``names``, ``bounds`` (the unit cube)."""
    names = [factor["address"] for factor in info["factors"]]
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


# --- values that are named -----------------------------------------------------------------------


def levels(span: sweeps.Levels) -> list[float]:
    """Evenly spaced values (in their logarithm, where so scaled), the ends exactly as given."""
    space = np.geomspace if span.scale == "log" else np.linspace
    inner = [float(f"{x:.{DIGITS}g}") for x in space(span.from_, span.to, span.num)[1:-1]]
    return [span.from_, *inner, span.to]


def _column(
    address: str, each: sweeps.Levels | Sequence[Any], is_whole: Callable[[str, float], bool]
) -> list[Any]:
    if not isinstance(each, sweeps.Levels):
        return list(each)
    if is_whole(address, each.from_):
        return [round(x) for x in levels(each)]
    return list(levels(each))


# --- values that are sampled ---------------------------------------------------------------------


def _factor(
    address: str, each: sweeps.Span | Sequence[Any], is_whole: Callable[[str, float], bool]
) -> Factor:
    if not isinstance(each, sweeps.Span):
        return Factor(address, choices=tuple(each))
    whole = is_whole(address, each.from_)
    return Factor(address, each.from_, each.to, each.scale, whole)


def _sampled_info(
    sweep: sweeps.SampledSweep, seed: int, factors: Sequence[Factor]
) -> dict[str, Any]:
    info: dict[str, Any] = {
        "design": sweep.design,
        "samples": sweep.samples,
        "seed": seed if sweep.seed is None else sweep.seed,
        "factors": [factor.info() for factor in factors],
    }
    match sweep:
        case sweeps.SaltelliSweep():
            info |= {"second_order": sweep.second_order, "scramble": True}
        case sweeps.SobolSweep():
            info |= {"scramble": True}
        case sweeps.MorrisSweep():
            info |= {"levels": sweep.levels}
    return info


def _unit_points(info: Mapping[str, Any]) -> Floats:
    """(rows, D) in [0, 1]."""
    rng, n, dimensions = np.random.default_rng(info["seed"]), info["samples"], len(info["factors"])
    if info["design"] in ("lhs", "sobol"):
        from scipy.stats import qmc

        if info["design"] == "lhs":
            return qmc.LatinHypercube(dimensions, rng=rng).random(n)
        return qmc.Sobol(dimensions, scramble=True, rng=rng).random(n)
    if info["design"] == "saltelli":
        from SALib.sample import sobol

        second = info["second_order"]
        return sobol.sample(salib_problem(info), n, calc_second_order=second, seed=rng)
    from SALib.sample import morris

    return morris.sample(salib_problem(info), n, num_levels=info["levels"], seed=rng)


def _fingerprint(unit: Floats) -> str:
    """Twelve hexadecimal digits of the points, to nine decimals."""
    return hashlib.sha256(np.round(unit, 9).tobytes()).hexdigest()[:12]

"""How much of an outcome each parameter is responsible for: Sobol's and Morris's indices.

Y(x) is the mean of an outcome over a point's replicates, x uniform in the unit cube of the design
(ranges that are logarithmic, or of whole numbers, are uniform in their own way).

    first order  S_i = Var E[Y | x_i] / Var Y        what x_i explains by itself
    total        T_i = E Var[Y | x_−i] / Var Y       the same with all its interactions
    Morris       μ* = E|d_i|, μ = E d_i, σ = sd d_i  of the elementary effect d_i of x_i, in units
                                                     of Y per whole range

A design is analysed whole or not at all: a mean over whatever happens to be there, or a zero for
what failed, would give indices of nothing.

References
----------
Saltelli 2002 and Saltelli et al. 2010 (estimators); Morris 1991; Campolongo, Cariboni and Saltelli
2007 (μ*); Herman and Usher 2017 (SALib).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.formation import Levels, outcome_of
from analysis.intervals import CONFIDENCE
from analysis.sweep_data import SweepData, SweepResults, sweep_data
from learners.errors import NoSolutionError, ResultsError
from sim.sweep.design import salib_problem, unit_sample
from sim.sweep.rows import OK

Floats = NDArray[np.float64]
Record = Mapping[str, Any]
DESIGNS = ("saltelli", "morris")
RESAMPLES = 1000
SHARED = "a mean over the same random worlds at every point"
OWN = "a mean over random worlds that differ from point to point, whose noise adds to every total"


@dataclass(frozen=True)
class Sensitivity:
    """Indices of one outcome.

    Attributes
    ----------
    outcome : str
    design : "saltelli" or "morris"
    table : DataFrame
        A row for each address. Saltelli: ``first``, ``total``; Morris: ``mu``, ``mu_star``,
        ``sigma``. ``….low`` and ``….high`` are bootstrap intervals (not of ``mu`` and ``sigma``).
    pairs : DataFrame or None
        ``first_address``, ``second_address``, ``second`` (with interval), where the design has
        them.
    variance : float
        Var Y over the design.
    points, replicates : int
        Rows of the design, and runs at each.
    confidence : float
    method : str
    """

    outcome: str
    design: str
    table: pd.DataFrame
    pairs: pd.DataFrame | None
    variance: float
    points: int
    replicates: int
    confidence: float
    method: str


def sensitivity(
    what: SweepData | SweepResults | str | Path,
    outcome: str | None = None,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    levels: Levels | None = None,
) -> Sensitivity:
    """Indices of one outcome of a sweep by the design ``saltelli`` or ``morris``.

    Parameters
    ----------
    what : an opened sweep (``alphacrit.load``), its folder, or ``SweepData``
    outcome : ``alpha.<collective>``, ``success.<collective>``, ``formed.<collective>``,
        ``spent``, ``welfare`` or ``last_epoch``; default ``alpha`` of the first collective
    confidence : float in (0, 1), of each interval by itself
    seed : int ≥ 0, of the bootstrap
    levels : from which sizes on collectives have formed (for ``formed.…``)

    Raises
    ------
    ResultsError
        A run of the design is missing, failed or has no such outcome; or the sweep has no design
        for indices.
    NoSolutionError
        The outcome is the same at every point: there is nothing to divide up.
    """
    data = sweep_data(what)
    design = design_for_indices(data)
    outcome = outcome or f"alpha.{data.scenario.names[0]}"
    y = design_means(data, design, outcome, levels)
    spread = float(np.ptp(y))
    if spread <= 1e-12 * max(1.0, float(np.abs(y).max())):
        raise NoSolutionError(
            f"{data.where}: {outcome} is {y[0]:g} at every point of the design; "
            "there is no variance to divide up"
        )
    analyse = _sobol if design["design"] == "saltelli" else _morris
    table, pairs = analyse(design, y, confidence, seed)
    return Sensitivity(
        outcome, str(design["design"]), table, pairs, float(np.var(y)), len(y),
        int(design["replications"]), confidence,
        f"{design['design']}, {SHARED if design.get('worlds') == 'common' else OWN}",
    )  # fmt: skip


def design_for_indices(data: SweepData) -> Record:
    """The latest design of a sweep that indices can be computed from.

    Raises
    ------
    ResultsError
        There is none.
    """
    fit = [each for each in data.designs if each["design"] in DESIGNS]
    if not fit:
        has = ", ".join(str(each["design"]) for each in data.designs) or "no design"
        raise ResultsError(
            f"{data.where}: has {has}; indices need a sweep with the design {' or '.join(DESIGNS)}"
        )
    return fit[-1]


def design_means(
    data: SweepData, design: Record, outcome: str, levels: Levels | None = None
) -> Floats:
    """(rows,) mean of an outcome over the replicates, at every row of a design.

    Raises
    ------
    ResultsError
        Not every run of the design is there and has the outcome.
    """
    rows = np.asarray(design["rows"], np.int64)
    numbers = np.unique(rows)
    replicates = int(design["replications"])
    runs = data.ended_well
    values = outcome_of(data, outcome, levels)
    mine = runs["point"].isin(numbers).to_numpy() & (runs["replicate"] < replicates).to_numpy()
    point = np.searchsorted(numbers, runs["point"].to_numpy(np.int64)[mine])
    grid = np.full((len(numbers), replicates), np.nan)
    grid[point, runs["replicate"].to_numpy(np.int64)[mine]] = values[mine]
    if not np.isfinite(grid).all():
        raise ResultsError(_complaint(data, numbers, ~np.isfinite(grid), outcome))
    means: Floats = grid.mean(axis=1)
    return means[np.searchsorted(numbers, rows)]


def _complaint(
    data: SweepData, numbers: NDArray[np.int64], lacking: NDArray[np.bool_], outcome: str
) -> str:
    """How many runs are missing, failed, or have no such outcome, one of them by name."""
    table = data.runs.drop_duplicates(["point", "replicate"]).set_index(["point", "replicate"])
    kinds: dict[str, list[tuple[int, int]]] = {"missing": [], "failed": [], "without a number": []}
    for place, replicate in np.argwhere(lacking).tolist():
        run = int(numbers[place]), replicate
        there = run in table.index
        status = table.loc[run, "status"] if there else None
        kind = "missing" if not there else "failed" if status != OK else "without a number"
        kinds[kind].append(run)
    counts = ", ".join(f"{len(each)} {kind}" for kind, each in kinds.items() if each)
    point, replicate = next(each[0] for each in kinds.values() if each)
    failed = kinds["failed"]
    why = " ({})".format(table["error"].get(failed[0])) if failed and "error" in table else ""
    again = "--resume --retry-failed" if failed else "--resume"
    return (
        f"{data.where}: indices of {outcome} need all {lacking.size} runs of the design; "
        f"{counts}{why}, first point {point}, replicate {replicate}; "
        f"alphacrit sweep {again} makes them"
    )


def _sobol(
    design: Record, y: Floats, confidence: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    from SALib.analyze import sobol

    unit_sample(design)  # raises where the rows can no longer be what the record says
    second = bool(design["second_order"])
    problem = salib_problem(design)
    found = sobol.analyze(
        problem,
        y,
        calc_second_order=second,
        num_resamples=RESAMPLES,
        conf_level=confidence,
        seed=seed + 1,  # SALib takes the seed 0 for none
    )
    names = problem["names"]
    table = pd.DataFrame({"address": names})
    for name, key in (("first", "S1"), ("total", "ST")):
        _with_interval(table, name, found[key], found[f"{key}_conf"])
    if not second:
        return table, None
    i, j = np.triu_indices(len(names), 1)
    pairs = pd.DataFrame({"first_address": np.take(names, i), "second_address": np.take(names, j)})
    _with_interval(pairs, "second", found["S2"][i, j], found["S2_conf"][i, j])
    return table, pairs


def _morris(design: Record, y: Floats, confidence: float, seed: int) -> tuple[pd.DataFrame, None]:
    from SALib.analyze import morris

    problem = salib_problem(design)
    found = morris.analyze(
        problem, unit_sample(design), y, num_levels=design["levels"], num_resamples=RESAMPLES,
        conf_level=confidence, seed=seed + 1,
    )  # fmt: skip
    table = pd.DataFrame({"address": problem["names"], "mu": np.asarray(found["mu"], float)})
    conf = np.asarray(found["mu_star_conf"], float)
    _with_interval(table, "mu_star", np.asarray(found["mu_star"], float), conf)
    return table.assign(sigma=np.asarray(found["sigma"], float)), None


def _with_interval(table: pd.DataFrame, name: str, value: Floats, half: Floats) -> None:
    """Add a column with the ends of its interval, which SALib gives by its half width."""
    table[name] = value
    table[f"{name}.low"], table[f"{name}.high"] = value - half, value + half

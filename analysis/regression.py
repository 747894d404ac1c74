"""Least squares of an outcome on the parameters of a sweep.

    y_p = b₀ + Σ_j b_j x_pj + e_p

with one row for every point p: y_p the mean over its replicates, x_pj the parameters; a parameter
that is no number has a column for each of its values but the first, 1 where it has that value. The
standardised coefficient b_j sd(x_j)/sd(y) says by how many standard deviations y moves when x_j
moves by one. Intervals are those of heteroscedasticity-consistent errors (HC3): runs scatter far
more at a tipping point than elsewhere.

The line is a summary, not a law: where a collective tips, the response is a step. R² tells how much
of it a line can hold.

References
----------
MacKinnon and White 1985, Some heteroskedasticity-consistent covariance matrix estimators; Long and
Ervin 2000 (HC3 in small samples).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.formation import Levels, outcome_of
from analysis.intervals import CONFIDENCE
from analysis.sweep_data import SweepData, SweepResults, is_number, sweep_data
from learners.errors import NoSolutionError
from sim.sweep.rows import OK

Floats = NDArray[np.float64]
METHOD = "least squares on means by point, HC3 errors"


@dataclass(frozen=True)
class Regression:
    """An outcome as a linear function of the parameters.

    Attributes
    ----------
    outcome : str
    table : DataFrame
        A row for each term: ``term`` (an address, or ``address = value``), ``coefficient`` (units
        of the outcome per unit of the parameter) and ``standardised``, both with ``….low`` and
        ``….high``.
    intercept : float
    r_squared : float in [0, 1]
    points : int
        How many points it rests on.
    left_out : int
        Points of which a run is missing or failed.
    confidence : float
    method : str
    """

    outcome: str
    table: pd.DataFrame
    intercept: float
    r_squared: float
    points: int
    left_out: int
    confidence: float
    method: str = METHOD


def regression(
    what: SweepData | SweepResults | str | Path,
    outcome: str | None = None,
    addresses: Sequence[str] | None = None,
    *,
    confidence: float = CONFIDENCE,
    levels: Levels | None = None,
) -> Regression:
    """Regress an outcome of a sweep on what varies in it.

    Parameters
    ----------
    what : an opened sweep (``alphacrit.load``), its folder, or ``SweepData``
    outcome : as for ``analysis.sensitivity.sensitivity``
    addresses : sequence of str, optional
        Parameters; default all that vary.
    confidence : float in (0, 1), of each interval by itself
    levels : from which sizes on collectives have formed (for ``formed.…``)

    Raises
    ------
    NoSolutionError
        There are too few points, the outcome is the same everywhere, or parameters move together
        so that their parts cannot be told apart.
    """
    data = sweep_data(what)
    outcome = outcome or f"alpha.{data.scenario.names[0]}"
    names = [data.check_address(each) for each in (addresses or data.addresses)]
    means = pd.Series(outcome_of(data, outcome, levels)).groupby(data.ended_well["point"]).mean()
    whole = _whole_points(data)
    means = means.reindex(whole).dropna()
    y = np.asarray(means, float)
    terms, x = terms_of(data.points.loc[means.index, names])
    _check(data.where, outcome, terms, x, y)
    fit = least_squares(x, y, confidence)
    table = pd.DataFrame({"term": terms})
    scale = x.std(axis=0) / y.std()
    for name, factor in (("coefficient", np.ones(len(terms))), ("standardised", scale)):
        table[name] = fit.coefficient[1:] * factor
        table[f"{name}.low"] = (fit.coefficient - fit.half)[1:] * factor
        table[f"{name}.high"] = (fit.coefficient + fit.half)[1:] * factor
    return Regression(
        outcome, table, float(fit.coefficient[0]), fit.r_squared, len(y),
        len(data.points) - len(y), confidence,
    )  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """b (J + 1,), the intercept first; half widths of the intervals; R²."""

    coefficient: Floats
    half: Floats
    r_squared: float


def least_squares(x: Floats, y: Floats, confidence: float = CONFIDENCE) -> Fit:
    """Least squares with an intercept, and HC3 intervals.

    Cov b = (XᵀX)⁻¹ Xᵀ diag(e_p²/(1 − h_p)²) X (XᵀX)⁻¹, h the diagonal of X(XᵀX)⁻¹Xᵀ.

    Parameters
    ----------
    x : (P, J), of full rank with the intercept
    y : (P,)
    """
    design = np.column_stack([np.ones(len(x)), x])
    q, r = np.linalg.qr(design)
    coefficient = np.linalg.solve(r, q.T @ y)
    error = y - design @ coefficient
    leverage = np.minimum(np.sum(q**2, axis=1), 1.0 - 1e-9)  # of a point that nobody else explains
    weighted = q * (error / (1.0 - leverage))[:, None]
    root = np.linalg.solve(r, weighted.T)  # (J + 1, P), Cov b = root rootᵀ
    quantile = float(stats.t.ppf(0.5 + 0.5 * confidence, len(x) - design.shape[1]))
    half = quantile * np.sqrt(np.sum(root**2, axis=1))
    return Fit(coefficient, half, float(1.0 - np.var(error) / np.var(y)))


def terms_of(points: pd.DataFrame) -> tuple[list[str], Floats]:
    """Names and columns (P, J) of the terms: numbers as they are, other values as indicators."""
    names: list[str] = []
    columns: list[Floats] = []
    for address in points.columns:
        values = points[address].tolist()
        if all(is_number(value) for value in values):
            names.append(address)
            columns.append(np.array(values, float))
            continue
        for value in dict.fromkeys(values[1:]):
            if value != values[0]:
                names.append(f"{address} = {value}")
                columns.append(np.array([each == value for each in values], float))
    return names, np.column_stack(columns) if columns else np.empty((len(points), 0))


def _whole_points(data: SweepData) -> list[int]:
    """Points that have all the runs they are to have, none of which failed."""
    good = data.runs[data.runs["status"] == OK]["point"].value_counts()
    return [n for n in data.points.index if good.get(n, 0) >= max(data.wanted.get(n, 1), 1)]


def _check(where: str, outcome: str, terms: Sequence[str], x: Floats, y: Floats) -> None:
    """Raise where there is no single answer, with the reason."""
    if not terms:
        raise NoSolutionError(f"{where}: nothing varies; a regression needs a parameter that does")
    if len(y) < len(terms) + 2:
        raise NoSolutionError(
            f"{where}: {len(y)} whole points for {len(terms)} terms; a regression needs at least "
            f"{len(terms) + 2}"
        )
    if np.ptp(y) <= 1e-12 * max(1.0, float(np.abs(y).max())):
        raise NoSolutionError(f"{where}: {outcome} is {y[0]:g} at every point")
    still = [term for term, width in zip(terms, np.ptp(x, axis=0), strict=True) if width == 0]
    if still:
        raise NoSolutionError(f"{where}: {', '.join(still)} is the same at all whole points")
    if np.linalg.matrix_rank((x - x.mean(axis=0)) / x.std(axis=0)) < len(terms):
        raise NoSolutionError(
            f"{where}: {', '.join(terms)} move together in this design, so that their parts "
            "cannot be told apart; leave one out"
        )

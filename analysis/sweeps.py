"""What a sweep found, point by point: means, formation, tipping, spending, with intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.formation import Levels, formed, levels_of, tipping_epochs
from analysis.intervals import CONFIDENCE, Estimates, bootstrap_means, wilson
from analysis.sweep_data import SweepData, SweepResults, sweep_data
from sim.results import Results
from sim.sweep.rows import OK

Floats = NDArray[np.float64]
Progress = Callable[[int], None]


def sweep_summary(
    what: SweepData | SweepResults | Results | str,
    *,
    formed_from: float | None = None,
    confidence: float = CONFIDENCE,
    levels: Levels | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """One row per point of a sweep, finished or not.

    Parameters
    ----------
    what : an opened folder (``alphacrit.load``), its path, or ``SweepData``
    formed_from : float in (0, 1], optional
        Share of the population from which on a collective counts as formed. By default its
        critical threshold; see ``analysis.formation``.
    confidence : float in (0, 1), of each interval by itself
    levels : from which sizes on collectives have formed, where that is known already
    progress : hears of each point while the thresholds are solved

    Returns
    -------
    DataFrame
        ``point``; its values of the addresses; ``runs`` that ended well, ``failed`` (or took too
        long) and ``missing`` ones. For every collective k ``alpha.k`` and ``success.k`` at the end,
        ``alpha_crit.k`` (nan where theory has none), ``level.k`` (from which size on it has
        formed), ``formed.k`` (formation probability, share of the runs that ended well) and
        ``tipping.k`` (time to tipping in epochs, mean of the runs in which it formed). Then
        ``spent`` (utility), ``bound`` (B(α_crit) in utility; only with a principal),
        ``welfare`` (utility per person), ``last_epoch``. Each of these estimates
        has columns ``….low`` and ``….high``: Wilson's interval of a share, a bootstrap interval
        of a mean, which is nan for a single run.

    Notes
    -----
    The intervals are of the random worlds at one point. With common worlds two points differ by
    less than their intervals suggest, for the same world raises or lowers both.
    """
    data = sweep_data(what)
    levels = levels_of(data, formed_from, progress=progress) if levels is None else levels
    numbers = data.points.index.to_numpy(np.int64)
    runs = data.ended_well
    columns: dict[str, NDArray] = {"point": numbers, **_counts(data, numbers)}
    for name in data.scenario.names:
        for what_ in (f"alpha.{name}", f"success.{name}"):
            columns |= _mean(what_, numbers, runs, confidence)
        columns |= _formation(name, numbers, runs, levels, confidence)
    tipping = tipping_epochs(data, levels)
    for name in data.scenario.names:
        own = tipping[tipping["collective"] == name]
        columns |= _mean("epoch", numbers, own, confidence, called=f"tipping.{name}")
    columns |= _mean("spent", numbers, runs, confidence)
    payer = data.scenario.principal
    if payer is not None:
        bounds = [levels[number, payer.collective].theory.bound for number in numbers.tolist()]
        columns["bound"] = np.array(bounds, float)
    for outcome in ("welfare", "last_epoch"):
        columns |= _mean(outcome, numbers, runs, confidence)
    table = pd.DataFrame(columns)
    addresses = data.points.reset_index(drop=True)
    return pd.concat([table[["point"]], addresses, table.drop(columns="point")], axis=1)


def means_by_point(
    numbers: NDArray[np.int64], points: NDArray[np.int64], values: Floats, confidence: float
) -> Estimates:
    """Means with intervals of the values at each of some points.

    Parameters
    ----------
    numbers : (P,) the points that are asked for
    points, values : (n,) point and value of each run; nan is no value
    confidence : float in (0, 1)

    Returns
    -------
    Estimates of (P,) each; nan where a point has no values
    """
    known = np.isfinite(values)
    order = np.argsort(points[known], kind="stable")
    points, values = points[known][order], values[known][order]
    first = np.searchsorted(points, numbers, "left")
    count = np.searchsorted(points, numbers, "right") - first
    out = Estimates(*(np.full(len(numbers), np.nan) for _ in range(3)))
    for n in np.unique(count[count > 0]):
        here = np.flatnonzero(count == n)
        found = bootstrap_means(values[first[here, None] + np.arange(n)], confidence)
        for column, part in zip(out, found, strict=True):
            column[here] = part
    return out


def _counts(data: SweepData, numbers: NDArray[np.int64]) -> dict[str, NDArray]:
    """Runs that ended well, that did not, and that are not there yet, (P,) each."""
    ok = data.runs["status"] == OK
    good = _count(data.runs["point"][ok], numbers)
    bad = _count(data.runs["point"][~ok], numbers)
    wanted = np.array([data.wanted.get(number, 0) for number in numbers.tolist()], int)
    return {"runs": good, "failed": bad, "missing": np.maximum(wanted - good - bad, 0)}


def _count(points: pd.Series, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    count = points.value_counts().reindex(numbers, fill_value=0)
    return np.asarray(count.to_numpy(), np.int64)


def _mean(
    outcome: str,
    numbers: NDArray[np.int64],
    runs: pd.DataFrame,
    confidence: float,
    called: str | None = None,
) -> dict[str, NDArray]:
    points = runs["point"].to_numpy(np.int64)
    values = runs[outcome].to_numpy(float) if outcome in runs else np.full(len(runs), np.nan)
    return _columns(called or outcome, means_by_point(numbers, points, values, confidence))


def _formation(
    name: str, numbers: NDArray[np.int64], runs: pd.DataFrame, levels: Levels, confidence: float
) -> dict[str, NDArray]:
    """α_crit, the level, and the formation probability with Wilson's interval."""
    here = [levels[number, name] for number in numbers.tolist()]
    hits = _count(runs["point"][formed(runs, name, levels)], numbers)
    share = wilson(hits, _count(runs["point"], numbers), confidence)
    return {
        f"alpha_crit.{name}": np.array([each.theory.alpha_crit for each in here], float),
        f"level.{name}": np.array([each.size for each in here], float),
        **_columns(f"formed.{name}", share),
    }


def _columns(name: str, found: Estimates) -> dict[str, NDArray]:
    return {name: found.value, f"{name}.low": found.low, f"{name}.high": found.high}

"""Whether a collective has formed at the end of a run, and from which epoch on.

A collective k **has formed** in a run if it ends

    above its critical threshold α_crit, where the point of the sweep has one that is > 0,
    at ≥ ½ of those who may join it, where theory has none (no size sustains itself), has α_crit = 0
    (it forms unaided), or cannot say (people on a network, a platform that takes long to train),
    at ≥ a share that the user states, in place of both.

α_crit is that of the point's infinite population, the other collectives at their starts
(``analysis.threshold``). The **time to tipping** of such a run is the first epoch from which on the
collective stays that large to the end; 0 where it began so. Runs in which it does not form have
none: their share is what the formation probability leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.sweep_data import SweepData
from analysis.threshold import critical_threshold, investment
from learners.errors import AlphacritError
from sim.distributions import type_classes
from sim.scenario import Scenario

Floats = NDArray[np.float64]
HALF = 0.5
UNREAD = ("schema", "name", "title", "cites", "seed", "epochs", "stop", "principal")
"""Tables of a scenario on which its critical thresholds do not depend."""


@dataclass(frozen=True)
class Theory:
    """What theory says of one collective at one point.

    Attributes
    ----------
    alpha_crit : float or None
        Critical threshold, share of the population; None where there is none, or none is known.
    bound : float or None
        B(α_crit) in utility, of the whole population, where a principal pays for this collective.
    """

    alpha_crit: float | None
    bound: float | None = None


@dataclass(frozen=True)
class Level:
    """From which size on a collective has formed.

    Attributes
    ----------
    size : float
        Share of the population.
    strict : bool
        Whether it must be larger than that.
    theory : Theory
    """

    size: float
    strict: bool
    theory: Theory

    def reached(self, alpha: Any) -> Any:
        """Whether sizes are that large; nan is not."""
        return alpha > self.size if self.strict else alpha >= self.size


Levels = dict[tuple[int, str], Level]


class Thresholds:
    """Critical thresholds and B, each problem solved once however many points share it."""

    def __init__(self) -> None:
        self._known: dict[str, Theory] = {}

    def of(self, scenario: Scenario, name: str) -> Theory:
        """Theory of one collective of a scenario; empty where it has nothing to say."""
        key = f"{name} {_problem(scenario, name)}"
        if key not in self._known:
            self._known[key] = _theory(scenario, name)
        known = self._known[key]
        people = scenario.population
        total = None if known.bound is None or people.infinite else known.bound * people.size
        return Theory(known.alpha_crit, total)


def levels_of(
    data: SweepData,
    share: float | None = None,
    thresholds: Thresholds | None = None,
    progress: Callable[[int], None] | None = None,
) -> Levels:
    """The level of every collective at every point.

    Parameters
    ----------
    data : SweepData
    share : float in (0, 1], optional
        Of the population, in place of the critical threshold.
    thresholds : Thresholds, optional
        What was solved before.
    progress : callable, optional
        Hears of each point that is done.

    Notes
    -----
    Some 50 ms for every point whose population or platform is another one and whose costs have a
    continuous law; nothing to speak of where people are all alike.
    """
    if share is not None and not 0.0 < share <= 1.0:
        raise ValueError(f"formed: got {share}; must be in (0, 1] (share of the population)")
    thresholds = thresholds or Thresholds()
    levels: Levels = {}
    for number in data.points.index:
        scenario = _scenario_at(data, int(number))
        for name in data.scenario.names:
            theory = Theory(None) if scenario is None else thresholds.of(scenario, name)
            levels[int(number), name] = _level(scenario or data.scenario, name, theory, share)
        if progress is not None:
            progress(1)
    return levels


def formed(runs: pd.DataFrame, name: str, levels: Mapping[tuple[int, str], Level]) -> NDArray:
    """(n,) whether the collective has formed at the end of each run."""
    sizes, strict = _by_run(runs["point"], name, levels)
    alpha = runs[f"alpha.{name}"].to_numpy(float)
    return np.where(strict, alpha > sizes, alpha >= sizes)


def tipping_epochs(data: SweepData, levels: Mapping[tuple[int, str], Level]) -> pd.DataFrame:
    """Time to tipping of every run in which a collective formed.

    Returns
    -------
    DataFrame with the columns ``point``, ``replicate``, ``collective``, ``epoch``; empty where
    there are no series
    """
    keys = ["point", "replicate", "collective"]
    found = [pd.DataFrame({name: [] for name in (*keys, "epoch")})]
    for piece in data.series():
        for name in data.scenario.names:
            own = piece[piece["collective"] == name]
            sizes, strict = _by_run(own["point"], name, levels)
            alpha = own["alpha"].to_numpy(float)
            there = np.where(strict, alpha > sizes, alpha >= sizes)
            found.append(_last_crossing(own, there).assign(collective=name))
    every = pd.concat([each for each in found if len(each)] or found[:1], ignore_index=True)
    return every.drop_duplicates(keys, ignore_index=True)  # two writers did the same run


def outcome_of(data: SweepData, outcome: str, levels: Levels | None = None) -> Floats:
    """(n,) an outcome of every run that ended well (``data.ended_well``).

    Parameters
    ----------
    outcome : one of ``data.outcomes``, or ``formed.<collective>``, which is 1 or 0
    levels : from which sizes on a collective has formed; by default as theory says

    Raises
    ------
    ValueError
        There is no such outcome.
    """
    kind, _, name = outcome.partition(".")
    if kind == "formed" and name in data.scenario.names:
        return formed(data.ended_well, name, levels or levels_of(data)).astype(float)
    if outcome not in data.outcomes or outcome not in data.runs:
        known = [*data.outcomes, *(f"formed.{name}" for name in data.scenario.names)]
        raise ValueError(f"outcome: got {outcome}; must be one of {', '.join(known)}")
    return data.ended_well[outcome].to_numpy(float)


# --- within -------------------------------------------------------------------------------------


def _last_crossing(series: pd.DataFrame, there: NDArray[np.bool_]) -> pd.DataFrame:
    """Epoch from which on a run stays there, of the runs that end there."""
    table = series[["point", "replicate", "epoch"]].assign(there=there)
    run = ["point", "replicate"]
    ends = table.loc[table.groupby(run)["epoch"].idxmax()].set_index(run)["there"]
    last = table[~there].groupby(run)["epoch"].max() + 1
    epoch = last.reindex(ends.index[ends.to_numpy(bool)], fill_value=0)
    return epoch.rename("epoch").reset_index()


def _by_run(
    points: pd.Series, name: str, levels: Mapping[tuple[int, str], Level]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Level of each run and whether it is strict, (n,) each."""
    numbers, place = np.unique(points.to_numpy(np.int64), return_inverse=True)
    chosen = [levels[int(number), name] for number in numbers]
    sizes = np.array([each.size for each in chosen], float)
    strict = np.array([each.strict for each in chosen], bool)
    return sizes[place], strict[place]


def _scenario_at(data: SweepData, number: int) -> Scenario | None:
    """A point's scenario; None where its values are no valid scenario together."""
    try:
        return data.scenario_of(number)
    except AlphacritError:
        return None


def _level(scenario: Scenario, name: str, theory: Theory, share: float | None) -> Level:
    if share is not None:
        return Level(share, False, theory)
    if theory.alpha_crit:
        return Level(theory.alpha_crit, True, theory)
    k = scenario.names.index(name)
    may = sum(each.share for each in type_classes(scenario) if each.eligible[k])
    return Level(HALF * float(may), False, theory)


def _theory(scenario: Scenario, name: str) -> Theory:
    """α_crit, and B per person where a principal pays for this collective."""
    network = scenario.population.network
    if network is not None and network.kind != "complete":
        return Theory(None)
    try:
        crit = critical_threshold(scenario, name)
        payer = scenario.principal
        if payer is None or payer.collective != name:
            return Theory(crit.alpha_crit)
        return Theory(crit.alpha_crit, investment(scenario, name, crit=crit).per_capita)
    except AlphacritError:
        return Theory(None)


def _problem(scenario: Scenario, name: str) -> str:
    """All that α_crit and B per person depend on, as a text."""
    tables = {key: value for key, value in scenario.resolved().items() if key not in UNREAD}
    population, revision = dict(tables["population"]), dict(tables["revision"])
    if scenario.platform.learner == "bound":
        population.pop("size")
    collectives = {key: dict(value) for key, value in tables["collectives"].items()}
    collectives[name].pop("start", None)
    payer = scenario.principal is not None and scenario.principal.collective == name
    kept = {"protocol": revision["protocol"], "noise": revision.get("noise")}
    parts = [tables["platform"], population, collectives, kept, payer, scenario.files]
    return json.dumps(parts, sort_keys=True)

"""Who may join which collective where a platform is measured: groups, and how many they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from learners.curves import Array
from learners.errors import ScenarioError
from learners.measured.recruiting import Recruiting, fits
from sim.population import group_sizes, groups_at_random
from sim.scenario_fields import listed
from sim.trained import group_of_points, group_shares

if TYPE_CHECKING:
    from sim.scenario import Scenario


def groups_of(s: Scenario) -> list[list[Any]]:
    """Names and makings of the groups, as JSON; empty where everybody may join everything."""
    if all(c.recruits is None for c in s.collectives.values()):
        return []
    own = {"share", "where"}
    return [
        [name, group.model_dump(mode="json", include=own, exclude_none=True)]
        for name, group in s.population.groups.items()
    ]


def recruiting_of(s: Scenario) -> Recruiting | None:
    """Who may join what; None where everybody may join everything."""
    if not groups_of(s):
        return None
    if not _by_data(s):
        return Recruiting(lambda points, rng: groups_at_random(s, rng), s.eligible())
    group = group_of_points(s)
    return Recruiting(lambda points, rng: group[points], s.eligible())


def most_of(s: Scenario, name: str) -> float:
    """The largest size that a collective alone can have, in whole people."""
    held = _room(s)[s.eligible()[:, s.names.index(name)]].sum()
    return float(np.floor(held * s.population.size + 1e-6) / s.population.size)


def that_fit(s: Scenario, sizes: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which sizes (M, K) there are enough people for, among those who may join."""
    if not groups_of(s):
        return np.ones(len(np.asarray(sizes)), bool)
    return fits(sizes, _room(s), s.eligible())


def require_fit(s: Scenario, sizes: npt.ArrayLike) -> None:
    """Refuse sizes for which there are not enough people among those who may join.

    Raises
    ------
    ScenarioError
        Naming the share of the population that may.
    """
    rows = np.asarray(sizes, np.float64).reshape(-1, len(s.names))
    for name, asked in zip(s.names, rows.max(axis=0, initial=0.0), strict=True):
        require_size(s, name, float(asked))
    wrong = rows[~that_fit(s, rows)]
    if len(wrong):
        got = listed([f"{n} = {a:g}" for n, a in zip(s.names, wrong[0], strict=True)], "and")
        held = [f"{most_of(s, n):g} may join {n}" for n in s.names]
        whole = _room(s)[s.eligible().any(axis=1)].sum()
        raise ScenarioError(
            f"{s.name}: sizes: got {got}; must fit into the groups that are recruited together: "
            f"{listed(held, 'and')}, {whole:g} any of them (share of the population)"
        )


def require_size(s: Scenario, name: str, size: float) -> None:
    """Refuse a size of one collective that is more than may join it."""
    recruits = s.collectives[name].recruits
    if recruits is None:
        return
    most = most_of(s, name)
    if size > most + 1e-9:
        raise ScenarioError(
            f"{s.name}: sizes: got {size:g} of {name}; must be ≤ {most:g}, the share of the "
            f"population that may join it (recruits {listed(list(recruits), 'and')})"
        )


def _by_data(s: Scenario) -> bool:
    return any(group.where is not None for group in s.population.groups.values())


def _room(s: Scenario) -> Array:
    """The share of people in no group, and in each group: drawn ones whole, by data expected."""
    shares = np.array(group_shares(s))
    if not _by_data(s):
        shares = group_sizes(s.population.size, shares.tolist()) / s.population.size
    return np.array([max(0.0, 1.0 - shares.sum()), *shares])

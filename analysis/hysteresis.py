"""Where an economy is led when one parameter goes slowly up and then down again.

At every value the economy runs until it stops; the next value begins with the members as they were
left. Where two stable equilibria exist side by side, the way up and the way down rest on different
ones: what has formed stays where it would not have formed, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.mean_field import mean_field_path
from sim.scenario import Scenario
from sim.scenario_variation import varied

Progress = Callable[[int], None]
Carry = Literal["people", "mean_field"]


def up_and_down(
    scenario: Scenario,
    address: str,
    values: Sequence[Any],
    *,
    by: Carry = "people",
    replicate: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Final states along a parameter that goes up through its values, and back.

    Parameters
    ----------
    scenario : the base; its starts are the state before the first value
    address : dotted address of a number
    values : its values in the order of the way up
    by : "people" simulates them (the same people at every value, of one replicate), "mean_field"
        follows the infinite population
    replicate : which random world
    progress : hears of each value that is done

    Returns
    -------
    DataFrame with the columns ``way`` ("up", "down"), ``value``, ``collective``, ``alpha``,
    ``success``, ``stopped`` (None for the mean field); the way down begins at the last value, with
    the state in which the way up ended

    Raises
    ------
    ValueError
        There are fewer than two values; the number of people varies; or there is no mean field.

    Notes
    -----
    A principal has her whole budget again at every value. The mean field is taken for as many
    epochs as a run may have.
    """
    if len(values) < 2:
        raise ValueError(f"values: got {len(values)}; must be at least two")
    if address == "population.size":
        raise ValueError("population.size: other people cannot begin as these were left")
    ways = [("up", value) for value in values] + [("down", value) for value in values[::-1]]
    rest = _rest_of_people if by == "people" else _rest_of_mean_field
    state, found = None, []
    for way, value in ways:
        state, outcome = rest(varied(scenario, {address: value}), state, replicate)
        found.append(outcome.assign(way=way, value=value))
        if progress is not None:
            progress(1)
    columns = ["way", "value", "collective", "alpha", "success", "stopped"]
    return pd.concat(found, ignore_index=True)[columns]


def _rest_of_people(
    scenario: Scenario, membership: Any, replicate: int
) -> tuple[Any, pd.DataFrame]:
    """Members when the economy stops, begun with ``membership`` (N,) where there is one."""
    from sim.model import Economy

    economy = Economy(scenario, replicate, engine="rows")  # who is a member is set below
    if membership is not None:
        economy.population.assign(None, membership)  # published when it steps
    summary = economy.run().summary
    final = [
        {"collective": name, **end, "stopped": summary["stopped"]}
        for name, end in summary["final"].items()
    ]
    return economy.population.membership.copy(), pd.DataFrame(final)


def _rest_of_mean_field(scenario: Scenario, start: Any, replicate: int) -> tuple[Any, pd.DataFrame]:
    """Sizes at the last epoch, begun with the sizes ``start`` where there are some."""
    path = mean_field_path(scenario, start=start)
    final = path[path["epoch"] == path["epoch"].max()].drop(columns="epoch").assign(stopped=None)
    sizes = np.clip(final["alpha"], 0.0, 1.0)
    return dict(zip(final["collective"], sizes.tolist(), strict=True)), final

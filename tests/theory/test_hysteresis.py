"""Borders of theory and hysteresis meet closed forms and published numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.boundary import Axis, axis_of, boundary, is_logarithmic, paid
from analysis.equilibria import equilibria
from analysis.figure_bifurcation import branches, values_along
from analysis.hysteresis import up_and_down
from sim.scenario import Scenario, load, loads

ROOT = Path(__file__).resolve().parents[2]
BASELINE = load(ROOT / "scenarios/experiments/baseline.toml")
CROWD = load(ROOT / "scenarios/literature/granovetter-1978/normal-thresholds.toml")
SD = "population.cost.sd"
KEY_K, START = "collectives.union.signal.uniqueness", "collectives.union.start"


def crit(k: float, cost: float, free_riding: float) -> float:
    """α_crit = k/(1 − θ + k) of theory section 4."""
    return k / (1 - cost / (1 - free_riding) + k)


# ── the border ───────────────────────────────────────────────────────────────────────────────


def test_with_the_start_on_an_axis_the_border_is_alpha_crit() -> None:
    x = axis_of(BASELINE, KEY_K, [0.001, 0.01, 0.1])
    y = axis_of(BASELINE, START, [0.001, 0.01, 0.1])
    assert x.log and y.log
    lines = boundary(BASELINE, x, y, "union")
    found = np.array([vertex for line in lines for vertex in line])
    assert len(found) > 15
    np.testing.assert_allclose(found[:, 1], [crit(k, 0.3, 0.2) for k in found[:, 0]], rtol=2e-3)
    ends = crit(0.001, 0.3, 0.2), crit(0.1, 0.3, 0.2)
    assert found[:, 1].min() == pytest.approx(ends[0], rel=2e-3)
    assert found[:, 1].max() == pytest.approx(min(ends[1], 0.1), rel=2e-3)


def test_elsewhere_it_is_where_the_start_meets_alpha_crit() -> None:
    x = axis_of(BASELINE, "population.cost", np.linspace(0.0, 0.9, 10).tolist())
    y = axis_of(BASELINE, "population.free_riding", np.linspace(0.0, 0.8, 9).tolist())
    lines = boundary(BASELINE, x, y, "union", others={KEY_K: 0.05, START: 0.1})
    found = np.array([vertex for line in lines for vertex in line])
    # α_crit = 0.1 where θ = 1 − k(1 − α)/α = 0.55
    np.testing.assert_allclose(found[:, 0] / (1 - found[:, 1]), 0.55, atol=2e-3)
    # without them the start is 0.02 and k is 0.01: another border
    other = np.array([v for line in boundary(BASELINE, x, y, "union") for v in line])
    np.testing.assert_allclose(other[:, 0] / (1 - other[:, 1]), 1 - 0.01 * 49, atol=2e-3)


def test_the_border_of_a_principal_is_b() -> None:
    this = load(ROOT / "scenarios/experiments/principal.toml")
    x = axis_of(this, "population.cost", [0.1, 0.6])
    y = axis_of(this, "principal.budget", [0.5, 150.0])
    found = np.array([v for line in boundary(this, x, y, "union", margin=paid) for v in line])
    k, a0 = 0.01, 0.01 / 1.01
    for cost, budget in found:
        a = crit(k, cost, 0.2)
        b = cost * a - 0.8 * ((1 + k) * (a - a0) - k * math.log(a / a0))
        assert budget == pytest.approx(1e4 * b, rel=0.02, abs=0.02)
    assert not boundary(this, x, y, "union")  # nobody at the start: never unaided


def test_a_border_is_found_where_the_tipping_point_vanishes() -> None:
    """Beyond θ = 1 no size sustains itself, wherever the start lies."""
    x = axis_of(BASELINE, "population.cost", [0.5, 1.1])
    y = axis_of(BASELINE, START, [0.5, 1.0])
    found = np.array([v for line in boundary(BASELINE, x, y, "union") for v in line])
    np.testing.assert_allclose(found[:, 0], 0.8, atol=0.012)


def test_whole_numbers_stay_whole_and_scales_are_recognised() -> None:
    size = axis_of(BASELINE, "population.size", [100, 200])
    assert size.whole and size.value(120.4) == 120
    assert not axis_of(BASELINE, "population.cost", [0, 1]).whole
    assert is_logarithmic(np.geomspace(0.01, 1, 5))
    assert not is_logarithmic(np.linspace(0.01, 1, 5))
    assert not is_logarithmic(np.geomspace(1, 10, 5))
    assert Axis("x", np.array([1.0, 4.0]), log=True).between(0, 0.5) == pytest.approx(2.0)
    assert len(values_along(BASELINE, "population.size", [100, 110])) == 11
    with pytest.raises(ValueError, match=r"population\.cost: got one value"):
        axis_of(BASELINE, "population.cost", [0.1, 0.1])


# ── branches and hysteresis ──────────────────────────────────────────────────────────────────


def test_branches_are_the_equilibria() -> None:
    table = branches(CROWD, SD, [0.1, 0.2])
    for value, own in table.groupby("value"):
        points = equilibria(CROWD.replace({SD: value}))
        assert own["alpha"].tolist() == [p.alpha[0] for p in points]
        assert own["stable"].tolist() == [p.stable for p in points]


def test_granovetters_crowd_jumps_up_where_he_says_and_not_down_again() -> None:
    """Up: from few to many at sd = 0.122221. Down: it stays, for everybody else is there."""
    values = np.round(np.arange(0.118, 0.1265, 0.0005), 7).tolist()
    ways = up_and_down(CROWD.replace({"epochs": 3000}), SD, values, by="mean_field")
    up, down = (ways[ways["way"] == way].set_index("value")["alpha"] for way in ("up", "down"))
    assert up[up.index < 0.122221].max() < 0.12
    assert up[up.index > 0.122221].min() > 0.9
    assert down.min() > 0.9
    assert down.index.tolist() == values[::-1]


def hysteresis_economy() -> Scenario:
    """Some join unaided when costs are low enough; all stay until costs are far higher."""
    return loads(
        """
name = "loop"
seed = 4
[population]
size = 4000
cost = { dist = "normal", mean = 0.3, sd = 0.15 }
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.05, gap = 1.0 }
[platform]
learner = "bound"
"""
    )


def test_people_rest_on_the_branch_that_they_come_from() -> None:
    this, address = hysteresis_economy(), "population.cost.mean"
    values = np.round(np.linspace(0.1, 1.3, 25), 6).tolist()
    ways = up_and_down(this, address, values)
    table = branches(this, address, values)
    stable = table[table["stable"]].groupby("value")["alpha"].apply(list)
    several = 0
    for way, pick in (("up", max), ("down", min)):
        own = ways[ways["way"] == way].set_index("value")["alpha"].sort_index()
        (fall,) = np.flatnonzero(np.abs(np.diff(own)) > 0.4)  # one jump, each at its own place
        assert (own.index[fall] > 0.8) if way == "up" else (own.index[fall] < 0.3)
        calm = np.delete(own.index.to_numpy(), [fall - 1, fall, fall + 1, fall + 2])
        for value in calm[[len(stable[v]) == 2 for v in calm]]:
            assert own[value] == pytest.approx(pick(stable[value]), abs=0.05), (way, value)
            several += 1
    assert several >= 15
    apart = ways.pivot(index="value", columns="way", values="alpha")
    assert (apart["up"] - apart["down"]).max() > 0.8  # a loop, and a wide one
    assert (apart["up"] >= apart["down"] - 1e-12).all()


def test_the_first_value_begins_with_the_scenarios_start() -> None:
    low, high = 0.015, 0.02
    for start, end in ((low, 0.0), (high, 1.0)):
        ways = up_and_down(BASELINE.replace({START: start}), KEY_K, [0.01, 0.011])
        assert ways["alpha"].tolist() == [end] * 4
        assert ways["way"].tolist() == ["up", "up", "down", "down"]
        assert set(ways["stopped"]) == {"settled"}


def test_it_is_refused_where_the_state_cannot_be_carried() -> None:
    with pytest.raises(ValueError, match=r"population\.size: other people"):
        up_and_down(BASELINE, "population.size", [10, 20])
    with pytest.raises(ValueError, match="values: got 1; must be at least two"):
        up_and_down(BASELINE, "population.cost", [0.1])


def test_each_of_two_collectives_has_its_path() -> None:
    two = load(ROOT / "scenarios/experiments/colliding-signals.toml")
    ways = up_and_down(two, "population.free_riding", [0.1, 0.2])
    assert isinstance(ways, pd.DataFrame)
    assert set(ways["collective"]) == {"union", "guild"}
    assert len(ways) == 8

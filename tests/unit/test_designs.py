"""Designs of sweeps: which points they hold, and that a plan makes the scenarios they mean."""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from learners.errors import ResultsError, ScenarioError
from sim.runs import run
from sim.scenario import Scenario, load, loads
from sim.sweep.design import Factor, salib_problem, unit_sample
from sim.sweep.plan import Plan, plan_of

TEXT = """\
name = "one"
seed = 7
[population]
size = 50
cost = { dist = "uniform", low = 0.0, high = 0.8 }
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
start = 0.2
[platform]
learner = "bound"
"""
COST, RIDING, SIZE = "population.cost.high", "population.free_riding", "population.size"


@pytest.fixture(scope="module")
def base() -> Scenario:
    return loads(TEXT)


def sampled(base: Scenario, design: str, vary: dict[str, Any], n: int = 16, **more: Any) -> Plan:
    return plan_of(base, {"design": design, "vary": vary, "samples": n, **more})


def column(plan: Plan, address: str) -> list[Any]:
    return [point.changes[address] for point in plan.points]


# --- values that are named -----------------------------------------------------------------------


def test_a_grid_is_every_combination_the_last_address_fastest(base: Scenario) -> None:
    vary = {COST: [0.5, 0.6, 0.7], RIDING: [0.0, 0.2]}
    plan = plan_of(base, {"design": "grid", "vary": vary, "replications": 4})
    expected = list(itertools.product(vary[COST], vary[RIDING]))
    assert [tuple(point.changes.values()) for point in plan.points] == expected
    assert [point.number for point in plan.points] == list(range(6))
    assert plan.addresses == (COST, RIDING) and len(plan) == 24
    runs = [(point.number, replicate) for point, replicate in plan.runs()]
    assert runs == list(itertools.product(range(6), range(4)))


def test_a_zip_goes_through_the_lists_together(base: Scenario) -> None:
    vary = {COST: [0.5, 0.6], RIDING: {"from": 0.1, "to": 0.3, "num": 2}}
    plan = plan_of(base, {"design": "zip", "vary": vary})
    assert [tuple(p.changes.values()) for p in plan.points] == [(0.5, 0.1), (0.6, 0.3)]


def test_levels_are_the_numbers_that_one_would_write(base: Scenario) -> None:
    span = {"from": 0.1, "to": 0.6, "num": 11}
    plan = plan_of(base, {"design": "grid", "vary": {RIDING: span}})
    assert column(plan, RIDING) == [0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6]
    log = {"from": 1e-4, "to": 1.0, "num": 5, "scale": "log"}
    plan = plan_of(base, {"design": "grid", "vary": {RIDING: log}})
    assert column(plan, RIDING) == [0.0001, 0.001, 0.01, 0.1, 1.0]


def test_levels_of_a_whole_number_are_whole_and_coinciding_points_are_said(base: Scenario) -> None:
    plan = plan_of(base, {"design": "grid", "vary": {SIZE: {"from": 10, "to": 13, "num": 7}}})
    assert column(plan, SIZE) == [10, 11, 12, 13] or column(plan, SIZE) == [10, 12, 11, 13]
    assert all(type(value) is int for value in column(plan, SIZE))
    assert "3 of the 7 points" in plan.notes[0]
    plan = plan_of(base, {"design": "grid", "vary": {RIDING: {"from": 0, "to": 1, "num": 2}}})
    assert plan.scenario_at(1).population.free_riding == 1.0 and not plan.notes


def test_points_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(
        f"{COST}, {RIDING}, revision.protocol\n0.5, 0.0, imitation\n\n0.7, 1, best_response\n"
    )
    path = tmp_path / "s.toml"
    path.write_text(TEXT + '[sweep]\ndesign = "list"\npoints = "points.csv"\n')
    plan = plan_of(load(path))
    assert plan.addresses == (COST, RIDING, "revision.protocol")
    assert [tuple(p.changes.values()) for p in plan.points] == [
        (0.5, 0.0, "imitation"),
        (0.7, 1, "best_response"),
    ]
    assert plan.scenario_at(0).revision.protocol == "imitation"


def test_words_tables_and_settings_of_the_platform_vary_too(base: Scenario) -> None:
    ring = {"kind": "watts_strogatz", "k": 4, "p": 0.1}
    vary = {
        "population.network": [ring, {"kind": "complete"}],
        "platform.retrain_every": [1, 3],
        "collectives.union.signal.uniqueness": [0.01],
    }
    plan = plan_of(base, {"design": "grid", "vary": vary})
    assert len(plan.points) == 4
    scenario = plan.scenario_at(1)
    assert (
        scenario.population.network is not None and scenario.population.network.kind != "complete"
    )
    assert scenario.platform.retrain_every == 3


# --- values that are sampled ---------------------------------------------------------------------

RANGES = {COST: {"from": 0.2, "to": 0.8}, RIDING: {"from": 0.01, "to": 1.0, "scale": "log"}}


def test_a_latin_hypercube_meets_every_slice_once(base: Scenario) -> None:
    plan = sampled(base, "lhs", RANGES, n=20)
    cost = np.array(column(plan, COST))
    assert sorted(((cost - 0.2) / 0.6 * 20).astype(int)) == list(range(20))
    riding = np.log(column(plan, RIDING)) / np.log(100) + 1
    assert sorted((riding * 20).astype(int)) == list(range(20))


def test_sobol_points_fill_every_box_equally(base: Scenario) -> None:
    unit = unit_sample(sampled(base, "sobol", RANGES, n=64).design_info())
    counts, *_ = np.histogram2d(*unit.T, bins=8, range=[[0, 1], [0, 1]])
    assert (counts == 1).all()
    counts, *_ = np.histogram2d(*unit.T, bins=(4, 16), range=[[0, 1], [0, 1]])
    assert (counts == 1).all()
    random = np.random.default_rng(0).random((64, 2))  # which chance does not do
    assert not (np.histogram2d(*random.T, bins=8, range=[[0, 1], [0, 1]])[0] == 1).all()


@pytest.mark.parametrize("second", [False, True])
def test_saltelli_rows_exchange_one_column_at_a_time(base: Scenario, second: bool) -> None:
    info = sampled(base, "saltelli", RANGES, n=8, second_order=second).design_info()
    unit = unit_sample(info)
    block = 6 if second else 4  # 2D + 2 or D + 2
    assert unit.shape == (8 * block, 2)
    # Of two factors "A with B's first" is "B with A's second": 32 different points either way.
    assert len(set(info["rows"])) == 32 and len(info["rows"]) == 8 * block
    for rows in unit.reshape(8, block, 2):
        first, last = rows[0], rows[-1]
        assert rows[1].tolist() == [last[0], first[1]]
        assert rows[2].tolist() == [first[0], last[1]]


def test_morris_trajectories_move_one_address_at_a_time(base: Scenario) -> None:
    info = sampled(base, "morris", RANGES, n=10).design_info()
    unit = unit_sample(info).reshape(10, 3, 2)
    moved = np.diff(unit, axis=1) != 0
    assert (moved.sum(axis=2) == 1).all() and (moved.sum(axis=1) == 1).all()
    assert np.allclose(np.abs(np.diff(unit, axis=1)).sum(axis=2), 2 / 3)  # 4 levels: 4/(2·3)
    assert set(np.round(unit.ravel() * 3)) <= {0, 1, 2, 3}


def test_sampled_whole_numbers_have_equal_shares() -> None:
    u = (np.arange(100_000) + 0.5) / 100_000
    values, counts = np.unique(Factor("n", 3, 6, whole=True).at(u), return_counts=True)
    assert values.tolist() == [3, 4, 5, 6] and (counts == 25_000).all()
    assert Factor("n", 3, 6, whole=True).at(np.array([0.0, 1.0])) == [3, 6]
    assert Factor("n", choices=("a", "b")).at(np.array([0.0, 0.5, 1.0])) == ["a", "b", "b"]
    # On the logarithmic scale the share of n is that of [n − 1/2, n + 1/2].
    n = Factor("n", 1, 100, "log", whole=True).at(u)
    assert np.mean(np.array(n) == 1) == pytest.approx(np.log(3) / np.log(201), abs=1e-4)
    logs = Factor("x", 0.1, 10, "log").at(u)
    assert stats.kstest(np.log10(logs), stats.uniform(-1, 2).cdf).pvalue > 0.99


@pytest.mark.parametrize("design", ["lhs", "sobol", "saltelli", "morris"])
def test_the_seed_makes_the_design_and_the_record_makes_it_again(
    base: Scenario, design: str
) -> None:
    plan = sampled(base, design, {**RANGES, SIZE: {"from": 10, "to": 12}})
    again = sampled(base, design, {**RANGES, SIZE: {"from": 10, "to": 12}})
    assert plan.points == again.points
    other = sampled(base, design, {**RANGES, SIZE: {"from": 10, "to": 12}}, seed=8)
    assert other.points != plan.points
    same = sampled(base.replace({"seed": 8}), design, {**RANGES, SIZE: {"from": 10, "to": 12}})
    assert same.points == other.points
    info = json.loads(json.dumps(plan.design_info()))
    unit = unit_sample(info)
    assert unit.shape == (len(info["rows"]), 3)
    columns = [Factor(**f).at(u) for f, u in zip(info["factors"], unit.T, strict=True)]
    rows = zip(*columns, strict=True)
    made = [dict(zip(plan.addresses, row, strict=True)) for row in rows]
    assert made == [plan.points[number].changes for number in info["rows"]]
    assert salib_problem(info)["names"] == [COST, RIDING, SIZE]
    with pytest.raises(ResultsError, match="comes out otherwise"):
        unit_sample({**info, "seed": 9})


def test_rows_that_meet_a_point_twice_lead_to_it(base: Scenario) -> None:
    plan = sampled(base, "morris", {SIZE: {"from": 10, "to": 11}, RIDING: [0.0, 0.5]}, n=20)
    info = plan.design_info()
    assert len(plan.points) == 4 and len(info["rows"]) == 60
    assert info["points"] == 4 and "56 of the 60 points" in plan.notes[0]
    numbers = {number: number + 100 for number in range(4)}
    assert plan.design_info(numbers)["rows"] == [number + 100 for number in info["rows"]]


# --- plans ---------------------------------------------------------------------------------------


def test_a_point_is_the_scenario_with_its_changes_and_nothing_else(base: Scenario) -> None:
    plan = plan_of(base, {"design": "grid", "vary": {COST: [0.5, 0.6], SIZE: [40, 50]}})
    for point in plan.points:
        assert plan.scenario_at(point) == base.replace(point.changes)
        assert plan.scenario_at(point).digest == base.replace(point.changes).digest
    assert plan.scenario == base and plan.scenario.digest == base.digest


def test_replicates_share_their_worlds_unless_every_point_has_its_own(base: Scenario) -> None:
    sweep = {"design": "grid", "vary": {RIDING: [0.0, 0.1]}, "replications": 2}
    common = plan_of(base, sweep)
    assert [common.scenario_at(i).seed for i in (0, 1)] == [7, 7]
    own = plan_of(base, {**sweep, "worlds": "own"})
    seeds = [own.scenario_at(i).seed for i in (0, 1)]
    assert len({7, *seeds}) == 3
    assert seeds == [plan_of(base, {**sweep, "worlds": "own"}).scenario_at(i).seed for i in (0, 1)]
    assert own.scenario_at(0).replace({"seed": 7}) == common.scenario_at(0)
    assert own.scenario_at(0).digest != common.scenario_at(0).digest
    costs = [_costs(plan, i) for plan in (common, own) for i in (0, 1)]
    assert np.array_equal(costs[0], costs[1]) and not np.array_equal(costs[2], costs[3])


def _costs(plan: Plan, number: int) -> np.ndarray:
    from sim.model import Economy

    return Economy(plan.scenario_at(number), 1).population.cost


def test_a_plan_pickles(base: Scenario) -> None:
    plan = sampled(base, "lhs", RANGES)
    again = pickle.loads(pickle.dumps(plan))
    assert again == plan and again.scenario_at(3) == plan.scenario_at(3)


def test_the_sweep_is_no_part_of_what_a_run_is(base: Scenario) -> None:
    text = TEXT + f'[sweep]\ndesign = "grid"\nvary = {{ "{RIDING}" = [0.0, 0.1] }}\n'
    scenario = loads(text)
    assert scenario.digest == base.digest and scenario.resolved() == base.resolved()
    assert scenario.flat() == base.flat() and scenario != base
    assert run(scenario).summary == run(base).summary
    assert loads(scenario.to_toml()) == scenario
    assert scenario.replace({"epochs": 5}).sweep is None
    more = scenario.replace({"sweep.replications": 5, "epochs": 5})
    assert more.sweep is not None and more.sweep.replications == 5 and more.epochs == 5
    assert plan_of(scenario).points == plan_of(base, scenario.sweep).points


def test_combinations_are_judged_together_before_anything_runs(base: Scenario) -> None:
    low, high = "population.cost.low", "population.cost.high"
    plan = plan_of(base, {"design": "zip", "vary": {low: [0.1, 0.9], high: [0.3, 1.0]}})
    assert len(plan.points) == 2  # low = 0.9 would be wrong with the file's own high = 0.8
    with pytest.raises(ScenarioError) as caught:
        plan_of(base, {"design": "grid", "vary": {low: [0.1, 0.9], high: [0.3, 1.0]}})
    (problem,) = caught.value.problems
    assert problem.startswith(
        "sweep: point 2 (population.cost.low = 0.9, population.cost.high = 0.3): population.cost"
    )
    many = {low: [0.9], high: {"from": 0.1, "to": 0.8, "num": 20}}
    with pytest.raises(ScenarioError, match="so with 15 more of 20 points"):
        plan_of(base, {"design": "grid", "vary": many})


def test_a_scenario_without_a_sweep_says_so(base: Scenario) -> None:
    with pytest.raises(ScenarioError, match=r"one: sweep: missing; must be a table such as"):
        plan_of(base)

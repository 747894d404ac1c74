"""Sobol's and Morris's indices where the answer is known, through real sweeps and by formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.sensitivity import Sensitivity, design_means, sensitivity
from analysis.sweep_data import SweepData, data_of_runs, sweep_data
from learners.errors import NoSolutionError, ResultsError
from sim.scenario import loads
from sim.sweep.design import unit_sample
from sim.sweep.plan import plan_of
from sim.sweep.runner import Options, sweep

# Everybody is a member and succeeds fully, so that welfare = 1 - share · cost - dues.
EVERYBODY = """
name = "everybody"
[population]
size = 1000
cost = 0.0
[population.groups.busy]
share = 0.5
cost = 0.2
[collectives.union]
strategy = "feature_label"
start = 1.0
dues = 0.1
signal = { uniqueness = 0.01, gap = 1.0 }
[platform]
learner = "bound"
"""
SHARE, COST, DUES = (
    "population.groups.busy.share",
    "population.groups.busy.cost",
    "collectives.union.dues",
)
RANGES = {SHARE: (0.2, 0.8), COST: (0.0, 0.5), DUES: (0.0, 0.2)}
VARY = {key: {"from": low, "to": high} for key, (low, high) in RANGES.items()}


def known_indices() -> dict[str, dict[str, float]]:
    """First order, total and the one interaction of share · cost + dues, by hand."""
    mean = {key: 0.5 * (low + high) for key, (low, high) in RANGES.items()}
    var = {key: (high - low) ** 2 / 12 for key, (low, high) in RANGES.items()}
    both = var[SHARE] * var[COST]
    alone = {
        SHARE: var[SHARE] * mean[COST] ** 2,
        COST: var[COST] * mean[SHARE] ** 2,
        DUES: var[DUES],
    }
    whole = sum(alone.values()) + both
    total = alone | {key: alone[key] + both for key in (SHARE, COST)}
    return {
        "first": {key: value / whole for key, value in alone.items()},
        "total": {key: value / whole for key, value in total.items()},
        "second": {"": both / whole},
    }


@pytest.fixture(scope="module")
def saltelli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saltelli") / "sweep"
    table = {"design": "saltelli", "samples": 256, "second_order": True, "vary": VARY}
    sweep(plan_of(loads(EVERYBODY), table), folder, Options(series=False))
    return folder


def covers(found: pd.DataFrame, name: str, key: str, truth: float) -> bool:
    row = found.set_index("address").loc[key]
    return bool(row[f"{name}.low"] <= truth <= row[f"{name}.high"])


def test_indices_of_an_economy_with_a_known_answer(saltelli: Path) -> None:
    found = sensitivity(saltelli, "welfare")
    known = known_indices()
    for name in ("first", "total"):
        for key, truth in known[name].items():
            assert covers(found.table, name, key, truth), (name, key, truth, found.table)
            assert not covers(found.table, name, key, truth + 0.25)  # it does say something
    assert found.pairs is not None
    pairs = found.pairs.set_index(["first_address", "second_address"])
    for pair, truth in {
        (SHARE, COST): known["second"][""], (SHARE, DUES): 0.0, (COST, DUES): 0.0,
    }.items():  # fmt: skip
        assert pairs.loc[pair, "second.low"] <= truth <= pairs.loc[pair, "second.high"]
    assert (found.points, found.replicates) == (256 * 8, 1)
    low, high = RANGES[DUES]
    by_dues = (high - low) ** 2 / 12 / known["first"][DUES]
    assert found.variance == pytest.approx(by_dues, rel=0.1)


def test_the_same_seed_gives_the_same_intervals(saltelli: Path) -> None:
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - that it is left alone
    first, again = (sensitivity(saltelli, "welfare").table for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(sensitivity(saltelli, "welfare", seed=1).table)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_morris_measures_slopes(tmp_path: Path) -> None:
    table = {"design": "morris", "samples": 30, "vary": VARY}
    sweep(plan_of(loads(EVERYBODY), table), tmp_path / "sweep", Options(series=False))
    found = sensitivity(tmp_path / "sweep", "welfare").table.set_index("address")
    # Linear in the dues: the same effect everywhere, minus the whole range.
    assert found.loc[DUES, "mu"] == pytest.approx(-0.2, abs=1e-9)
    assert found.loc[DUES, "sigma"] == pytest.approx(0.0, abs=1e-9)
    # share · cost: the effect of one is minus its range times the other, on average its mean.
    for key, truth in ((SHARE, 0.6 * 0.25), (COST, 0.5 * 0.5)):
        assert found.loc[key, "mu_star.low"] <= truth <= found.loc[key, "mu_star.high"]
        assert found.loc[key, "mu"] == pytest.approx(-found.loc[key, "mu_star"], abs=1e-9)
        assert found.loc[key, "sigma"] > 0.01


def test_an_outcome_that_never_varies_has_no_indices(saltelli: Path) -> None:
    with pytest.raises(NoSolutionError, match=r"alpha\.union is 1 at every point"):
        sensitivity(saltelli)


# ── by formula ───────────────────────────────────────────────────────────────────────────────


def of_function(
    f: Callable[[np.ndarray], np.ndarray], samples: int, seed: int = 0, replications: int = 1,
    design: str = "saltelli",
) -> SweepData:  # fmt: skip
    """A sweep over three numbers whose welfare is f(u), u (n, 3) in the unit cube."""
    table = {"design": design, "samples": samples, "seed": seed, "replications": replications}
    plan = plan_of(loads(EVERYBODY), table | {"vary": VARY})
    info = plan.design_info()
    value = np.empty(len(plan.points))
    value[info["rows"]] = f(unit_sample(info))
    rows = [
        {"point": point.number, "replicate": r, **point.changes, "welfare": value[point.number]}
        for point in plan.points
        for r in range(replications)
    ]
    data = data_of_runs(pd.DataFrame(rows), plan.scenario, plan.addresses)
    return replace(data, designs=(info,), where="results/x")


def ishigami(u: np.ndarray) -> np.ndarray:
    x = np.pi * (2 * u - 1)
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


ISHIGAMI = {"first": (0.3139, 0.4424, 0.0), "total": (0.5576, 0.4424, 0.2437)}


@pytest.mark.once
def test_intervals_cover_as_often_as_they_say() -> None:
    hits = []
    for seed in range(25):
        found = sensitivity(of_function(ishigami, 64, seed), "welfare").table
        for name, truths in ISHIGAMI.items():
            low, high = found[f"{name}.low"], found[f"{name}.high"]
            hits += [bool(a <= t <= b) for a, t, b in zip(low, truths, high, strict=True)]
    # Points of a scrambled sequence are more even than the bootstrap thinks: it covers more often.
    assert np.mean(hits) > 0.9


def test_intervals_shrink_with_more_points() -> None:
    few, many = (sensitivity(of_function(ishigami, n), "welfare").table for n in (64, 1024))
    width = [(t["total.high"] - t["total.low"]).mean() for t in (few, many)]
    assert width[1] < 0.4 * width[0]
    np.testing.assert_allclose(many["total"], ISHIGAMI["total"], atol=0.05)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────


def broken(data: SweepData, run: int, **changes: Any) -> SweepData:
    runs = data.runs.copy()
    runs["error"] = ""
    for key, value in changes.items():
        runs.loc[run, key] = value
    return replace(data, runs=runs)


def test_a_failed_run_is_refused_and_named() -> None:
    data = of_function(ishigami, 8, replications=2)
    failed = broken(data, 7, status="failed", welfare=np.nan, error="ValueError: no")
    with pytest.raises(ResultsError) as refusal:
        sensitivity(failed, "welfare")
    text = str(refusal.value)
    assert "results/x: indices of welfare need all 80 runs of the design; 1 failed" in text
    assert "(ValueError: no)" in text
    assert "first point 3, replicate 1" in text
    assert "--retry-failed" in text


def test_a_missing_run_and_a_number_that_is_none_are_refused() -> None:
    data = of_function(ishigami, 8, replications=2)
    missing = replace(data, runs=data.runs.drop([0, 4]))
    with pytest.raises(ResultsError, match="2 missing, first point 0, replicate 0"):
        sensitivity(missing, "welfare")
    with pytest.raises(ResultsError, match="1 without a number"):
        sensitivity(broken(data, 5, welfare=np.nan), "welfare")
    # What happens otherwise: a zero in the place of one run moves the indices.
    zero = broken(data, 4, welfare=0.0)
    whole, spoilt = (sensitivity(each, "welfare").table["total"] for each in (data, zero))
    assert np.abs(whole - spoilt).max() > 1e-3


def test_runs_beyond_the_design_do_not_count() -> None:
    data = of_function(ishigami, 8, replications=2)
    more = data.runs.assign(replicate=data.runs["replicate"] + 2, welfare=99.0)
    extended = replace(data, runs=pd.concat([data.runs, more], ignore_index=True))
    design = data.designs[0]
    np.testing.assert_array_equal(
        design_means(extended, design, "welfare"), design_means(data, design, "welfare")
    )


def test_other_designs_and_outcomes_are_refused(saltelli: Path) -> None:
    data = sweep_data(saltelli)
    with pytest.raises(ResultsError, match="has grid; indices need a sweep with the design"):
        sensitivity(replace(data, designs=({"design": "grid"},)))
    with pytest.raises(ValueError, match=r"outcome: got wealth; must be one of alpha\.union"):
        sensitivity(data, "wealth")


def test_a_design_that_comes_out_otherwise_is_refused() -> None:
    data = of_function(ishigami, 8)
    other = {**data.designs[0], "seed": 5}
    with pytest.raises(ResultsError, match="comes out otherwise"):
        sensitivity(replace(data, designs=(other,)), "welfare")


def test_points_that_meet_share_their_runs() -> None:
    """Morris trajectories cross: a row of the design is not a point of the sweep."""
    data = of_function(lambda u: u @ np.array([1.0, 2.0, 0.0]), 20, design="morris")
    assert len(data.points) < len(data.designs[0]["rows"])
    found: Sensitivity = sensitivity(data, "welfare")
    np.testing.assert_allclose(found.table["mu"], [1.0, 2.0, 0.0], atol=1e-9)

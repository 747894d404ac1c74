"""``alphacrit analyze``: intervals, what formed means, the summary of a sweep, the regression."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alphacrit
from alphacrit.cli import main
from analysis.formation import Thresholds, formed, levels_of, outcome_of, tipping_epochs
from analysis.intervals import bootstrap_means, wilson
from analysis.regression import least_squares, regression
from analysis.sweep_data import SweepData, data_of_runs, sweep_data
from analysis.sweeps import sweep_summary
from analysis.threshold import critical_threshold, investment
from learners.errors import NoSolutionError
from sim.scenario import loads
from sim.sweep.runner import Options, sweep
from tests.unit.sweeps import STUDY, plan

MEAN, FREE = "population.cost.mean", "population.free_riding"

# Starts near the tipping point: some worlds tip and others do not.
PLAN = plan(8, collectives__union__signal__uniqueness=0.05)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep: 6 points, 8 replicates."""
    folder = tmp_path_factory.mktemp("analyze") / "made"
    sweep(PLAN, folder, Options())
    return folder


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of two shards of the same."""
    folder = tmp_path_factory.mktemp("analyze") / "half"
    sweep(PLAN, folder, Options(shard=(1, 2)))
    return folder


@pytest.fixture(scope="module")
def summary(made: Path) -> pd.DataFrame:
    return sweep_summary(made)


# ── intervals ────────────────────────────────────────────────────────────────────────────────


def test_wilson_is_that_of_scipy() -> None:
    for hits, runs in ((0, 5), (3, 10), (17, 20), (20, 20), (1, 1)):
        exact = stats.binomtest(hits, runs).proportion_ci(0.9, method="wilson")
        share = wilson(hits, runs, 0.9)
        assert (share.value, share.low, share.high) == pytest.approx((hits / runs, *exact))
    nothing = wilson([0, 2], [0, 4])
    assert np.isnan(nothing.value[0])
    assert (nothing.low[0], nothing.high[0]) == (0.0, 1.0)


def test_wilson_covers_about_as_often_as_it_says_and_wald_does_not() -> None:
    n, p = 20, np.linspace(0.02, 0.98, 97)
    h = np.arange(n + 1)
    share = wilson(h, n)
    weight = stats.binom.pmf(h[:, None], n, p)
    covered = ((share.low[:, None] <= p) & (p <= share.high[:, None])) * weight
    half = 1.96 * np.sqrt(h / n * (1 - h / n) / n)
    wald = (np.abs(h[:, None] / n - p) <= half[:, None]) * weight
    assert covered.sum(axis=0).mean() == pytest.approx(0.95, abs=0.01)
    assert wald.sum(axis=0).mean() < 0.91


@pytest.mark.parametrize(("hits", "runs", "confidence"), [(5, 4, 0.9), (-1, 4, 0.9), (1, 4, 1.0)])
def test_wilson_refuses_nonsense(hits: int, runs: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="got"):
        wilson(hits, runs, confidence)


def test_the_bootstrap_covers_about_as_often_as_it_says() -> None:
    values = np.random.default_rng(3).normal(2.0, 1.0, (3000, 10))
    found = bootstrap_means(values)
    covered = np.mean((found.low <= 2.0) & (found.high >= 2.0))
    assert covered == pytest.approx(0.95, abs=0.015)
    student = stats.t.ppf(0.975, 9) * values.std(axis=1, ddof=1) / np.sqrt(10)
    assert np.mean((found.high - found.low) / (2 * student)) == pytest.approx(1.0, abs=0.05)
    plain = np.quantile(values[:200, np.random.default_rng(0).integers(10, size=(2000, 10))]
                        .mean(axis=2), [0.025, 0.975], axis=1)  # fmt: skip
    assert np.mean((plain[0] <= 2.0) & (plain[1] >= 2.0)) < covered


def test_the_bootstrap_of_equal_and_of_single_runs() -> None:
    equal = bootstrap_means(np.full((2, 5), 0.3))
    assert np.all(equal.low == 0.3) and np.all(equal.high == 0.3)
    single = bootstrap_means([[1.0], [2.0]])
    assert single.value.tolist() == [1.0, 2.0]
    assert np.isnan(single.low).all() and np.isnan(single.high).all()
    two = bootstrap_means([0.0, 1.0])
    assert (two.low, two.high) == (0.0, 1.0)


# ── formation ────────────────────────────────────────────────────────────────────────────────


def test_formed_is_above_the_critical_threshold_of_the_point(made: Path) -> None:
    data = sweep_data(made)
    levels = levels_of(data)
    seen = set()
    for number in data.points.index:
        crit = critical_threshold(data.scenario_of(number), "union").alpha_crit
        level = levels[number, "union"]
        seen.add(crit is None)
        assert (level.size, level.strict) == ((0.5, False) if crit is None else (crit, True))
        assert not (level.strict and level.reached(level.size))
        assert level.reached(level.size + 1e-9)
    assert seen == {False}
    runs = data.ended_well
    by_hand = [levels[p, "union"].reached(a) for p, a in zip(runs["point"], runs["alpha.union"],
                                                            strict=True)]  # fmt: skip
    assert formed(runs, "union", levels).tolist() == by_hand
    assert 0 < sum(by_hand) < len(by_hand)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"population.cost": 2.0}, 0.5),  # no size sustains itself
        ({"population.cost": {"dist": "normal", "mean": 0.0, "sd": 0.2}}, 0.5),  # unaided
        ({"population.network": {"kind": "watts_strogatz", "k": 4, "p": 0.1}}, 0.5),
        ({"population.cost": 2.0, "population.groups": {"a": {"share": 0.3}},
          "collectives.union.recruits": ["a"]}, 0.15),
    ],
)  # fmt: skip
def test_without_a_threshold_half_of_those_who_may_join_count(
    changes: dict[str, Any], size: float
) -> None:
    scenario = loads(STUDY).replace(changes)
    data = data_of_runs(pd.DataFrame({"alpha.union": [size - 1e-9, size]}), scenario)
    levels = levels_of(data)
    assert levels[0, "union"].size == pytest.approx(size)
    assert outcome_of(data, "formed.union", levels).tolist() == [0.0, 1.0]


def test_a_stated_share_takes_the_place_of_theory(made: Path) -> None:
    assert {level.size for level in levels_of(sweep_data(made), 0.7).values()} == {0.7}
    with pytest.raises(ValueError, match=r"formed: got 1\.5"):
        levels_of(sweep_data(made), 1.5)


def test_each_problem_is_solved_once(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solved = []

    def count(*args: Any) -> Any:
        solved.append(args)
        return critical_threshold(*args)

    monkeypatch.setattr("analysis.formation.critical_threshold", count)
    known, base = Thresholds(), loads(STUDY)
    for changes in ({}, {"seed": 3}, {"collectives.union.start": 0.3}, {"epochs": 5},
                    {"revision.rate": 1.0}, {"population.size": 99}):  # fmt: skip
        known.of(base.replace(changes), "union")
    assert len(solved) == 1
    for changes in ({"population.cost.mean": 0.2}, {"collectives.union.signal.gap": 0.5}):
        known.of(base.replace(changes), "union")
    assert len(solved) == 3


def test_time_to_tipping_is_the_last_crossing() -> None:
    scenario = loads(STUDY)
    paths = {
        0: [0.6, 0.7, 0.8],  # there from the start
        1: [0.1, 0.6, 0.2, 0.4, 0.5, 0.9],  # crosses, falls back, crosses for good at epoch 4
        2: [0.1, 0.9, 0.4],  # ends below
    }
    series = pd.DataFrame(
        [
            {"point": 0, "replicate": r, "run": r, "epoch": e, "collective": "union", "alpha": a}
            for r, path in paths.items()
            for e, a in enumerate(path)
        ]
    )
    runs = pd.DataFrame({"replicate": [0, 1, 2], "alpha.union": [p[-1] for p in paths.values()]})
    twice = pd.concat([series, series[series["replicate"] == 1]])
    data = data_of_runs(runs, scenario, series=series.sample(frac=1, random_state=1))
    data = replace(data, series=lambda: iter((series, twice)))
    found = tipping_epochs(data, levels_of(data, 0.5))
    assert dict(zip(found["replicate"], found["epoch"], strict=True)) == {0: 0, 1: 4}


# ── the summary ──────────────────────────────────────────────────────────────────────────────


def test_the_summary_is_what_pandas_makes_of_the_runs(made: Path, summary: pd.DataFrame) -> None:
    results = alphacrit.load(made)
    runs = results.runs.groupby("point")
    assert summary["point"].tolist() == list(range(6))
    assert summary[MEAN].tolist() == [0.1, 0.1, 0.35, 0.35, 0.5, 0.5]
    assert summary[FREE].tolist() == [0.0, 0.3] * 3
    for name in ("alpha.union", "success.union", "welfare", "spent", "last_epoch"):
        np.testing.assert_allclose(summary[name], runs[name].mean())
        spread = runs[name].std().to_numpy() / np.sqrt(8)
        inside = (summary[f"{name}.low"] <= summary[name]) & (
            summary[name] <= summary[f"{name}.high"]
        )
        assert inside.all()
        width = (summary[f"{name}.high"] - summary[f"{name}.low"]).to_numpy()
        assert np.all((width > 2 * spread) | (spread == 0))
    assert (summary[["runs", "failed", "missing"]] == [8, 0, 0]).all(axis=None)
    for number, row in summary.iterrows():
        crit = critical_threshold(results.scenario_at(number)).alpha_crit
        hits = int((results.runs.query("point == @number")["alpha.union"] > crit).sum())
        expected = wilson(hits, 8)
        assert row["alpha_crit.union"] == row["level.union"] == crit
        assert (row["formed.union"], row["formed.union.low"], row["formed.union.high"]) == (
            expected
        )
    assert summary["formed.union"].min() == 0.0 and summary["formed.union"].max() == 1.0


def test_time_to_tipping_in_the_summary_is_in_the_series(made: Path, summary: pd.DataFrame) -> None:
    series = alphacrit.load(made).series
    for number, row in summary.iterrows():
        times = []
        for _, run in series[series["point"] == number].groupby("replicate"):
            above = (run["alpha"] > row["level.union"]).to_numpy()
            if above[-1]:
                times.append(len(above) - np.argmin(above[::-1]) if not above.all() else 0)
        assert row["tipping.union"] == pytest.approx(
            np.mean(times) if times else np.nan, nan_ok=True
        )
    assert summary["tipping.union"].isna().any() and (summary["tipping.union"] >= 0).any()


def test_failed_and_missing_runs_are_counted_and_left_out(made: Path, half: Path) -> None:
    data = sweep_data(made)
    runs = data.runs.copy()
    runs.loc[0, ["status", "alpha.union"]] = ["failed", np.nan]
    runs.loc[1, "status"] = "timeout"
    spoilt = sweep_summary(replace(data, runs=runs))
    assert spoilt.loc[0, ["runs", "failed", "missing"]].tolist() == [6, 2, 0]
    assert spoilt["alpha.union"][0] == pytest.approx(runs["alpha.union"][2:8].mean())
    so_far = sweep_summary(half)
    assert (so_far["runs"] + so_far["missing"] == 8).all()
    assert so_far["missing"].sum() == 24
    nothing = sweep_summary(replace(data, runs=runs[runs["point"] > 0]))
    assert nothing.loc[0, ["runs", "missing"]].tolist() == [0, 8]
    assert np.isnan(nothing["alpha.union"][0])
    assert (nothing["formed.union.low"][0], nothing["formed.union.high"][0]) == (0.0, 1.0)


def test_spending_stands_beside_b() -> None:
    paid = {"policy": "subsidy", "budget": 5.0, "collective": "union"}
    scenario = loads(STUDY).replace({"population.cost": 0.3, "principal": paid})
    runs = pd.DataFrame({"population.size": [60, 120], "alpha.union": 1.0, "success.union": 1.0,
                         "spent": [0.5, 1.0], "welfare": 0.7, "last_epoch": 3})  # fmt: skip
    table = sweep_summary(data_of_runs(runs, scenario, ["population.size"]))
    per_capita = investment(scenario).per_capita
    assert per_capita is not None
    np.testing.assert_allclose(table["bound"], [60 * per_capita, 120 * per_capita])
    assert table["spent"].tolist() == [0.5, 1.0]


def test_a_single_scenarios_folder_is_one_point(tmp_path: Path) -> None:
    assert main(["run", "baseline", "-r", "3", "-q", "--no-figures", "--out", str(tmp_path / "r"),
                 "--set", "population.size=200"]) == 0  # fmt: skip
    table = alphacrit.sweep_summary(tmp_path / "r")
    assert table[["point", "runs", "formed.union"]].iloc[0].tolist() == [0, 3, 1.0]


# ── regression ───────────────────────────────────────────────────────────────────────────────


def of_function(f: Callable[[pd.DataFrame], Any], points: pd.DataFrame) -> SweepData:
    """A table of runs in which the final size is f of the parameters."""
    runs = points.assign(**{"alpha.union": f(points)})
    return data_of_runs(runs, loads(STUDY), list(points.columns))


def random_points(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({MEAN: rng.uniform(0.1, 0.5, n), FREE: rng.uniform(0.0, 0.4, n)})


def test_a_line_is_found_again() -> None:
    points = random_points(50)
    found = regression(of_function(lambda p: 0.9 - 0.5 * p[MEAN] + 0.2 * p[FREE], points))
    assert found.table["term"].tolist() == [MEAN, FREE]
    np.testing.assert_allclose(found.table["coefficient"], [-0.5, 0.2])
    assert (found.intercept, found.r_squared) == pytest.approx((0.9, 1.0))
    sd = points.std(ddof=0) * [0.5, 0.2] / np.std(0.9 - 0.5 * points[MEAN] + 0.2 * points[FREE])
    np.testing.assert_allclose(found.table["standardised"].abs(), sd)


def test_intervals_are_hc3_and_cover() -> None:
    rng, hits = np.random.default_rng(5), []
    for seed in range(300):
        x = random_points(40, seed).to_numpy()
        noise = rng.normal(0.0, 1.0, 40) * (0.05 + 2 * np.abs(x[:, 0] - 0.3))  # uneven
        fit = least_squares(x, 1.0 + x @ [2.0, -1.0] + noise)
        hits.append(np.abs(fit.coefficient - [1.0, 2.0, -1.0]) <= fit.half)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)
    z = np.column_stack([np.ones(40), x])
    inverse = np.linalg.inv(z.T @ z)
    error = (z @ [1.0, 2.0, -1.0] + noise) - z @ fit.coefficient
    leverage = np.diag(z @ inverse @ z.T)
    cov = inverse @ z.T @ np.diag((error / (1 - leverage)) ** 2) @ z @ inverse
    np.testing.assert_allclose(fit.half, stats.t.ppf(0.975, 37) * np.sqrt(np.diag(cov)))


def test_words_are_compared_with_the_first_of_them() -> None:
    points = pd.DataFrame({
        "revision.protocol": ["best_response", "imitation"] * 6, MEAN: np.repeat([0.1, 0.2, 0.4], 4)
    })  # fmt: skip
    f = lambda p: 0.2 + 0.3 * (p["revision.protocol"] == "imitation") + p[MEAN]  # noqa: E731
    runs = points.assign(**{"alpha.union": f(points), "replicate": [0, 0, 1, 1] * 3})
    found = regression(data_of_runs(runs, loads(STUDY), list(points.columns)))
    assert found.table["term"].tolist() == ["revision.protocol = imitation", MEAN]
    np.testing.assert_allclose(found.table["coefficient"], [0.3, 1.0])
    assert found.points == 6  # replicates of a point are one row


def test_what_has_no_answer_says_why(made: Path, half: Path) -> None:
    points = random_points(9)
    together = points.assign(**{FREE: 2 * points[MEAN]})
    for data, message in (
        (of_function(lambda p: p[MEAN], together), "move together in this design"),
        (of_function(lambda p: 0.0 * p[MEAN], points), r"alpha\.union is 0 at every point"),
        (of_function(lambda p: p[MEAN], points[:3]), "3 whole points for 2 terms"),
        (of_function(lambda p: p[MEAN], points.assign(**{FREE: 0.1})), f"{FREE} is the same"),
        (sweep_data(half), "0 whole points"),
    ):
        with pytest.raises(NoSolutionError, match=message):
            regression(data)
    with pytest.raises(ValueError, match="must be an address that varies"):
        regression(made, addresses=["population.size"])


# ── the command ──────────────────────────────────────────────────────────────────────────────


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "80")

    def run(*argv: object) -> Answer:
        code = main(["analyze", *(str(each) for each in argv)])
        return Answer(code, *capsys.readouterr())

    return run


def test_json_holds_the_summary(made: Path, summary: pd.DataFrame, call: Any) -> None:
    answer = call(made, "--json")
    assert (answer.code, answer.err) == (0, "")
    document = json.loads(answer.out)
    assert document["runs"] == {"ok": 48, "failed": 0, "missing": 0}
    assert document["addresses"] == [MEAN, FREE]
    points = pd.DataFrame(document["points"])
    pd.testing.assert_frame_equal(points.astype(float), summary.astype(float))
    (line,) = document["regression"]
    assert [row["term"] for row in line["table"]] == [MEAN, FREE]
    assert document["sensitivity"] == [] and document["notes"] == [] and document["files"] == []
    assert not (made / "analysis").exists()


def test_people_read_tables_of_eighty_columns(made: Path, call: Any) -> None:
    answer = call(made, "--outcome", "formed.union")
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines()[1:])) <= 80
    assert "48 runs ended well, 0 failed, 0 are missing" in answer.out
    assert "formed.union: regression on 6 points" in answer.out


def test_csv_files_hold_the_tables(
    made: Path, summary: pd.DataFrame, call: Any, tmp_path: Path
) -> None:
    answer = call(made, "--csv", "--out", tmp_path / "out", "--outcome", "welfare", "--json")
    files = {Path(name).name for name in json.loads(answer.out)["files"]}
    assert files == {"points.csv", "runs.csv", "regression.csv"}
    written = pd.read_csv(tmp_path / "out" / "points.csv")
    pd.testing.assert_frame_equal(written, summary, check_dtype=False)
    assert len(pd.read_csv(tmp_path / "out" / "runs.csv")) == 48
    assert set(pd.read_csv(tmp_path / "out" / "regression.csv")["outcome"]) == {"welfare"}


def test_a_sweep_so_far_is_summed_up_and_says_what_it_lacks(half: Path, call: Any) -> None:
    answer = call(half)
    assert answer.code == 0
    assert "24 runs ended well, 0 failed, 24 are missing" in answer.out
    assert "0 whole points for 2 terms" in answer.err


def test_an_unfinished_saltelli_sweep_has_a_summary_and_no_indices(
    call: Any, tmp_path: Path
) -> None:
    vary = {MEAN: {"from": 0.1, "to": 0.5}, FREE: {"from": 0.0, "to": 0.5}}
    table = {"design": "saltelli", "samples": 4, "replications": 2, "vary": vary}
    design = alphacrit.loads(STUDY)
    from sim.sweep.plan import plan_of

    planned = plan_of(design, table)
    sweep(planned, tmp_path / "s", Options(shard=(1, 2), series=False))
    answer = call(tmp_path / "s", "--json")
    document = json.loads(answer.out)
    assert answer.code == 0 and document["sensitivity"] == []
    assert any("indices of alpha.union need all 32 runs" in note for note in document["notes"])
    sweep(planned, tmp_path / "s", Options(shard=(2, 2), series=False))
    document = json.loads(call(tmp_path / "s", "--json").out)
    assert {row["address"] for row in document["sensitivity"][0]["table"]} == {MEAN, FREE}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--outcome", "wealth"), "--outcome: got wealth; must be one of alpha.union"),
        (("--x", "population.size"), "--x: got population.size; must be an address that varies"),
        (("--formed", "0"), "got 0; must be between 0 and 1"),
        (("--confidence", "1"), "got 1; must be between 0 and 1"),
    ],
)
def test_faults_of_usage(made: Path, call: Any, options: tuple[str, ...], message: str) -> None:
    answer = call(made, *options)
    said = " ".join(answer.err.replace("│", " ").split())
    assert answer.code == 2 and message in said and answer.out == ""


def test_other_folders_are_refused(call: Any, tmp_path: Path) -> None:
    assert call(tmp_path).code == 7
    main(["run", "baseline", "-q", "--no-figures", "--out", str(tmp_path / "r")])
    assert call(tmp_path / "r").code == 0
    answer = call(tmp_path / "r", "--csv")
    assert answer.code == 2 and "--out: missing" in answer.err
    (tmp_path / "file").touch()
    answer = call(tmp_path / "r", "--csv", "--out", tmp_path / "file")
    assert answer.code == 7 and "cannot be written" in answer.err

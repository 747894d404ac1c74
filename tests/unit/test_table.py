"""Measured tables: back from disk as they were, fitted, interpolated, refused where foreign."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from learners import bounds
from learners.curves import Curve
from learners.errors import ResultsError
from learners.measured.bounded_mean import bounded_mean_interval
from learners.measured.monotone import PiecewiseLinear, monotone_fit
from learners.measured.table import MeasuredTable, TableSuccess, read_table
from learners.several import SeveralBound
from tests.contracts import test_success_functions as battery

SIZES = np.array([0.01, 0.02, 0.05, 0.1, 0.3, 0.6, 1.0])
CURVE = bounds.feature_label(0.05, 1.0)


def noisy(curve=CURVE, sizes=SIZES, replicates=5, people=300, seed=0):
    """A table of a curve measured on a few people."""
    rng = np.random.default_rng(seed)
    alpha = np.repeat(sizes, replicates)
    success = rng.binomial(people, curve(alpha)) / people
    number = np.tile(np.arange(replicates), sizes.size)
    return MeasuredTable.of(["union"], alpha, success, number, meta={"digest": "d1"})


def two_collectives(axis=(0.0, 0.01, 0.05, 0.2, 0.6), noise=0.02, replicates=3, seed=1):
    truth = SeveralBound(["a", "b"], ["x", "y"], [0.01, 0.05], [1.0, 0.6], [[1, 0.3], [0.2, 1]])
    rows = [row for row in itertools.product(axis, axis) if sum(row) <= 1.0]
    alpha = np.repeat(np.array(rows), replicates, axis=0)
    noise = noise * np.random.default_rng(seed).standard_normal(alpha.shape)
    success = np.clip(truth.at(alpha) + noise, 0.0, 1.0)
    return truth, MeasuredTable.of(["a", "b"], alpha, success, np.tile(range(3), len(rows)))


def test_a_table_without_anything_else_is_read_and_one_with_it_is_whole(tmp_path):
    old = noisy()
    assert read_table(old.save(tmp_path / "old.parquet")).also == {}
    rows = [{"accuracy": 0.5 + i / 100} for i in range(len(old.sizes))]
    new = MeasuredTable.of(["union"], old.sizes, old.success, also=rows)
    assert not new.also["accuracy"].flags.writeable
    np.testing.assert_array_equal(TableSuccess(new).at([[0.1]]), TableSuccess(old).at([[0.1]]))
    with pytest.raises(ValueError, match=r"also: got 2 entries; must be 35, one per row, or none"):
        MeasuredTable.of(["union"], old.sizes, old.success, also=rows[:2])


def test_what_else_was_measured_has_one_order_from_the_cache_or_not(tmp_path):
    rows = [{"top1": 0.5, "accuracy": 0.25}, {"accuracy": 0.75, "included": 1.0}]
    made = MeasuredTable.of(["union"], [0.1, 0.2], [0.3, 0.4], also=rows)
    kept = [dict(sorted(row.items())) for row in reversed(rows)]
    cached = MeasuredTable.of(["union"], [0.2, 0.1], [0.4, 0.3], also=kept)
    names = ["also.accuracy", "also.included", "also.top1"]
    assert list(made.frame)[4:] == list(cached.frame)[4:] == names
    assert made.also["top1"][0] == cached.also["top1"][1] == 0.5
    assert np.isnan(made.also["top1"][1])
    assert list(read_table(made.save(tmp_path / "t.parquet")).frame)[4:] == names


# ---------------------------------------------------------------- the fit


def test_monotone_fit_is_the_least_squares_one():
    """Against the definition: max over starts of min over ends of weighted means."""
    rng = np.random.default_rng(3)
    for n in (1, 2, 5, 12):
        y, w = rng.random(n), rng.integers(1, 9, n)
        mean = [[np.average(y[i:j], weights=w[i:j]) if j > i else np.nan for j in range(n + 1)]
                for i in range(n)]  # fmt: skip
        expected = [
            max(min(mean[i][j + 1] for j in range(k, n)) for i in range(k + 1)) for k in range(n)
        ]
        np.testing.assert_allclose(monotone_fit(y, w), expected, rtol=0, atol=1e-12)


def test_a_line_through_points_knows_its_integral_and_critical_mass():
    curve = PiecewiseLinear((0.0, 0.1, 0.2, 0.5), (0.0, 0.0, 0.5, 0.8))
    assert isinstance(curve, Curve)
    assert (curve.onset, curve.critical_mass(0.25)) == (0.1, pytest.approx(0.15))
    assert curve.critical_mass(0.5) == pytest.approx(0.2, abs=1e-15)
    assert (curve.critical_mass(0.0), curve.critical_mass(0.8)) == (0.0, 0.5)
    assert np.isnan(curve.critical_mass(0.81)) and np.isnan(curve.critical_mass(np.nan))
    for alpha in (0.0, 0.05, 0.17, 0.2, 0.4, 1.0):
        grid = np.linspace(0, alpha, 200_001)
        assert curve.integral(alpha) == pytest.approx(np.trapezoid(curve(grid), grid), abs=1e-9)
    assert PiecewiseLinear((0.0, 0.3), (0.0, 0.0)).onset == 1.0
    for wrong in (((0.0, 0.1), (0.0, 1.1)), ((0.1,), (0.0,)), ((0, 0.2, 0.1), (0, 0, 1))):
        with pytest.raises(ValueError, match="must both begin at 0"):
            PiecewiseLinear(*wrong)


def test_at_a_measured_size_it_is_the_mean_and_between_a_straight_line():
    exact = MeasuredTable.of(["union"], SIZES, CURVE(SIZES))
    success = TableSuccess(exact)
    np.testing.assert_allclose(success.at(SIZES[:, None])[:, 0], CURVE(SIZES), atol=1e-15)
    assert success.at([0.2])[0] == pytest.approx(CURVE([0.1, 0.3]).mean())
    curve = success.curve()
    assert curve is not None
    assert curve.critical_mass(0.6) == pytest.approx(np.interp(0.6, CURVE(SIZES), SIZES), abs=1e-12)
    held = TableSuccess(MeasuredTable.of(["union"], [0.1, 0.3], [0.4, 0.7]))
    np.testing.assert_allclose(held.at([[0.3], [1.0], [0.05], [0.0]])[:, 0], [0.7, 0.7, 0.2, 0])


def test_noise_is_fitted_away_where_theory_says_so_and_only_there():
    table = MeasuredTable.of(["union"], [0.1, 0.2, 0.3], [0.4, 0.2, 0.9])
    np.testing.assert_allclose(TableSuccess(table).at([[0.1], [0.2], [0.3]])[:, 0], [0.3, 0.3, 0.9])
    raw = TableSuccess(table, monotone=False)
    np.testing.assert_allclose(raw.at([[0.1], [0.2], [0.3]])[:, 0], [0.4, 0.2, 0.9])
    assert raw.curve() is None


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """At sizes where replicates differ, and between sizes; 400 tables of 4 replicates."""
    sizes = np.array([0.06, 0.08, 0.1, 0.2, 0.5])
    between = np.array([0.07, 0.09, 0.15, 0.35])
    points = np.append(sizes, between)
    covered = np.zeros(points.size)
    for seed in range(400):
        success = TableSuccess(noisy(sizes=sizes, replicates=4, seed=seed), level=0.9)
        low, high = success.interval(points[:, None])
        covered += (low[:, 0] <= CURVE(points)) & (CURVE(points) <= high[:, 0])
    assert np.all(covered / 400 > 0.9 - 3 * np.sqrt(0.09 / 400))


LAWS = {
    "nearly never": (0.03, lambda rng, shape: rng.random(shape) < 0.03),
    "nearly always": (0.97, lambda rng, shape: rng.random(shape) < 0.97),
    "half": (0.5, lambda rng, shape: rng.random(shape) < 0.5),
    "smooth": (0.4, lambda rng, shape: rng.beta(40.0, 60.0, shape)),
    "skew": (0.1, lambda rng, shape: rng.beta(0.1, 0.9, shape)),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("replicates", [3, 5, 10, 20])
def test_the_interval_has_its_level_whatever_the_law_of_success(law, replicates):
    """Student's t holds 0.03 in an eighth of the tables of 5 replicates."""
    mean, draw = LAWS[law]
    trials = 3000
    x = draw(np.random.default_rng(5), (trials, replicates)).astype(float)
    cell = np.repeat(np.arange(trials), replicates)
    low, high = bounded_mean_interval(x.ravel(), cell, trials, 0.9)
    covered = np.mean((low <= mean) & (mean <= high))
    assert covered >= 0.9 - 3 * np.sqrt(0.09 / trials)
    assert low.min() >= 0.0 and np.all(low <= x.mean(axis=1) + 1e-12)
    assert high.max() <= 1.0 and np.all(high >= x.mean(axis=1) - 1e-12)
    if law == "smooth":  # about as narrow as anything that holds for every law can be
        assert np.mean(high - low) < {3: 0.75, 5: 0.57, 10: 0.38, 20: 0.22}[replicates]


def test_limits_by_hand():
    """All r succeed: (Σ_c (1 + c(1/m − 1))^r)/3 = 2/(1 − level) at the lower limit, 1 above."""
    low, high = bounded_mean_interval(np.ones(4), np.zeros(4, int), 1, 0.9)
    wealth = np.mean([(1 - c + c / low[0]) ** 4 for c in (0.3, 0.7, 1.0)])
    assert (wealth, high[0]) == (pytest.approx(20.0, rel=1e-9), 1.0)
    nothing = bounded_mean_interval(np.ones(1), np.array([1]), 2, 0.9)
    assert (nothing[0][0], nothing[1][0]) == (0.0, 1.0)  # a cell without outcomes
    mirrored = bounded_mean_interval(np.array([0.2, 0.3]), np.zeros(2, int), 1, 0.95)
    same = bounded_mean_interval(np.array([0.8, 0.7]), np.zeros(2, int), 1, 0.95)
    assert mirrored[0] == pytest.approx(1 - same[1]) and mirrored[1] == pytest.approx(1 - same[0])


def test_one_replicate_says_next_to_nothing():
    success = TableSuccess(noisy(replicates=1))
    low, high = success.interval([[0.3], [0.0]])
    assert low[0, 0] < 0.02 and high[0, 0] > 0.95
    assert (low[1, 0], high[1, 0]) == (0.0, 0.0)


# ---------------------------------------------------------------- several collectives


def test_a_grid_of_two_collectives():
    truth, table = two_collectives(noise=0.0)
    success = TableSuccess(table)
    np.testing.assert_allclose(success.at(table.sizes), truth.at(table.sizes), atol=1e-14)
    cell = np.array([[0.01, 0.05], [0.05, 0.05], [0.01, 0.2], [0.05, 0.2]])
    t, u = 0.25, 0.6  # bilinear by hand
    weights = np.array([(1 - t) * (1 - u), t * (1 - u), (1 - t) * u, t * u])
    point = [0.01 + t * 0.04, 0.05 + u * 0.15]
    np.testing.assert_allclose(success.at(point), weights @ truth.at(cell), atol=1e-14)
    alone = success.at([[0.05, 0.0], [0.0, 0.05]])
    assert alone[0, 1] == alone[1, 0] == 0.0 and np.all(np.diag(alone) > 0)


def test_corners_outside_the_simplex_do_no_harm():
    truth, table = two_collectives(axis=(0.0, 0.3, 0.6, 0.9), noise=0.0)
    success = TableSuccess(table, monotone=True)
    np.testing.assert_allclose(success.at(table.sizes), truth.at(table.sizes), atol=1e-14)
    near = np.random.default_rng(0).dirichlet([1, 1, 0.1], 500)[:, :2]
    assert np.all(np.abs(success.at(near) - truth.at(near)) < 0.35)
    assert np.all(success.interval(near)[0] <= success.at(near))


def test_an_incomplete_grid_is_refused():
    _, table = two_collectives()
    keep = ~np.all(table.sizes == [0.05, 0.0], axis=1)
    holed = MeasuredTable.of(["a", "b"], table.sizes[keep], table.success[keep])
    with pytest.raises(ResultsError, match=r"1 of 25 combinations.*\[0.05, 0.0\]; measure a grid"):
        TableSuccess(holed)
    with pytest.raises(ResultsError, match="measured at size 0 only"):
        TableSuccess(MeasuredTable.of(["a", "b"], [[0.1, 0.0]], [[0.1, 0.0]]))


# ---------------------------------------------------------------- what every success function owes

FUNCTIONS = {
    "one": TableSuccess(noisy()),
    "one-far-from-0": TableSuccess(noisy(sizes=np.array([0.4, 0.5]))),
    "one-hopeless": TableSuccess(MeasuredTable.of(["union"], SIZES, 0 * SIZES)),
    "two": TableSuccess(two_collectives()[1], monotone=True),
    "two-with-corners": TableSuccess(two_collectives((0.0, 0.3, 0.7, 1.0))[1], monotone=True),
}
CLAIMS = [
    battery.test_it_says_what_it_is,
    battery.test_one_row_equals_many,
    battery.test_nobody_gets_nothing,
    battery.test_more_members_never_harm_their_own_collective,
    battery.test_pickles,
    battery.test_inputs_are_left_alone_and_the_answer_is_the_callers,
    battery.test_outside_the_simplex_is_refused,
    battery.test_membership_equals_sizes,
    battery.test_curve_agrees_with_at,
    battery.test_a_million_rows_are_a_few_vector_operations,
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
@pytest.mark.parametrize("success", FUNCTIONS.values(), ids=FUNCTIONS)
def test_it_is_a_success_function(success, claim):
    claim(success)


@pytest.mark.parametrize("shape", [(), (1,), (50,), (3, 4), (2, 0), (0,)])
@pytest.mark.parametrize("success", FUNCTIONS.values(), ids=FUNCTIONS)
def test_shapes_type_and_range(success, shape):
    battery.test_shapes_type_and_range(success, shape)


# ---------------------------------------------------------------- on disk


def test_a_table_comes_back_as_it_was(tmp_path):
    table = noisy()
    path = table.save(tmp_path / "deep" / "table.parquet")
    back = read_table(path, {"digest": "d1", "collectives": ("union",)})
    for name in ("sizes", "success", "replicate", "seconds"):
        np.testing.assert_array_equal(getattr(back, name), getattr(table, name))
    assert back.collectives == ("union",) and back.meta["digest"] == "d1"
    np.testing.assert_array_equal(
        TableSuccess(back).at(SIZES[:, None]), TableSuccess(table).at(SIZES[:, None])
    )
    assert [p.name for p in path.parent.iterdir()] == ["table.parquet"]
    assert path.read_bytes() == table.save(tmp_path / "again.parquet").read_bytes()
    frame = table.frame
    assert list(frame) == ["size.union", "success.union", "replicate", "seconds"]


def test_a_table_of_another_scenario_is_refused(tmp_path):
    path = noisy().save(tmp_path / "t.parquet")
    with pytest.raises(ResultsError, match="measured for another scenario: its digest is 'd1'"):
        read_table(path, {"digest": "d2"})
    with pytest.raises(ResultsError, match=r"its collectives is \['union'\], this scenario's"):
        read_table(path, {"collectives": ["guild"]})
    with pytest.raises(ResultsError, match="its scenario is None"):
        read_table(path, {"scenario": "x"})
    assert ResultsError.exit_code == 7


def test_what_is_no_table_is_refused(tmp_path):
    import pandas as pd

    missing, text, plain = (tmp_path / name for name in ("no.parquet", "t.parquet", "p.parquet"))
    text.write_text("not parquet")
    pd.DataFrame({"x": [1]}).to_parquet(plain)
    for path, message in (
        (missing, "there is no table"),
        (tmp_path, "there is no table"),
        (text, "cannot be read"),
        (plain, "is not a table of measurements"),
    ):
        with pytest.raises(ResultsError, match=message):
            read_table(path)
    _rewrite(noisy().save(text), {"format": 99})
    with pytest.raises(ResultsError, match="has format 99"):
        read_table(text)
    _rewrite(noisy().save(text), {"collectives": ["guild"]})
    with pytest.raises(ResultsError, match=r"is damaged \('size.guild'\)"):
        read_table(text)
    whole = noisy().save(text).read_bytes()
    text.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ResultsError, match="cannot be read"):
        read_table(text)


def _rewrite(path, changes):
    from pyarrow import parquet

    table = parquet.read_table(path)
    meta = json.loads(table.schema.metadata[b"alphacrit"]) | changes
    parquet.write_table(table.replace_schema_metadata({b"alphacrit": json.dumps(meta)}), path)


def test_bad_rows_are_refused():
    with pytest.raises(ValueError, match=r"success: got shape \(2, 1\); must be \(3, 1\)"):
        MeasuredTable.of(["u"], [0.1, 0.2, 0.3], [0.1, 0.2])
    for wrong in (np.nan, 1.1, -0.1):
        with pytest.raises(ValueError, match=r"each in \[0, 1\]"):
            MeasuredTable.of(["u"], [0.1, 0.2], [0.1, wrong])
    with pytest.raises(ValueError, match="alpha: got"):
        MeasuredTable.of(["u"], [0.1, 1.2], [0.1, 0.2])
    with pytest.raises(ValueError, match="must have 2 entries"):
        MeasuredTable.of(["u"], [0.1, 0.2], [0.1, 0.2], replicate=[0])
    with pytest.raises(ValueError, match="level: got 1"):
        TableSuccess(noisy(), level=1.0)
    with pytest.raises(ValueError, match="read-only"):
        noisy().success[0] = 0.5

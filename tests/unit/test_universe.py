"""Universes from arrays, frames, files and to order; signals that set columns."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from learners.errors import ScenarioError
from learners.finite.bayes import BayesPlatform
from learners.finite.generated import GENERATED_SIGNAL, generate
from learners.finite.strategies import PointMap, SetColumns, Strategy, plan_all
from learners.finite.universe import Universe, as_text
from learners.finite.universe_file import read_universe

DATA = Path(os.environ.get("ALPHACRIT_DATA", Path(__file__).parents[3] / "shared" / "data"))
CSV = """watermark,length,label,weight
no,1,a,0.4
no,2,b,0.3
yes,1,a,0.1
no,1,a,0.1
no,2,a,0.1
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="p0.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_equal_rows_add_up_and_values_are_text(file):
    universe = read_universe(file(CSV), "label", "weight")
    assert universe.labels == ("a", "b") and universe.columns == ("watermark", "length")
    assert universe.levels == (("no", "yes"), ("1", "2"))
    np.testing.assert_allclose(universe.base, [[0.5, 0.0], [0.1, 0.3], [0.1, 0.0]])
    np.testing.assert_array_equal(universe.codes, [[0, 0], [0, 1], [1, 0]])
    assert not universe.base.flags.writeable
    people = universe.people([0, 3])
    assert people.to_numpy().tolist() == [["no", "1", "a"], ["no", "2", "b"]]


def test_file_frame_and_parquet_are_the_same_universe(file, tmp_path):
    path = file(CSV)
    frame = pd.read_csv(path)  # lengths and weights are numbers here
    frame.to_parquet(tmp_path / "p0.parquet")
    frame.to_csv(tmp_path / "p0.csv.gz", index=False)
    digests = {
        read_universe(path, "label", "weight").digest,
        read_universe(tmp_path / "p0.parquet", "label", "weight").digest,
        read_universe(tmp_path / "p0.csv.gz", "label", "weight").digest,
        Universe.from_frame(frame, "label", "weight").digest,
    }
    assert len(digests) == 1
    assert Universe.from_frame(frame, "label").digest not in digests  # every row once
    assert (
        Universe.from_frame(frame.assign(label=frame.label * 2), "label", "weight").digest
        not in digests
    )


def test_counts_need_no_sum_and_probabilities_do():
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"], "n": [30, 10]})
    np.testing.assert_allclose(Universe.from_frame(frame, "y", "n").base.sum(axis=1), [0.75, 0.25])
    third = frame.assign(n=[1 / 3, 1 / 3])
    with pytest.raises(ValueError, match=r"^n: got weights that sum to 0.666666667; must be whole"):
        Universe.from_frame(third, "y", "n")
    weighed = Universe.from_frame(third, "y", "n", weight_kind="count")
    np.testing.assert_allclose(weighed.base.sum(axis=1), [0.5, 0.5])
    with pytest.raises(ValueError, match=r"^n: got weights that sum to 40"):
        Universe.from_frame(frame, "y", "n", weight_kind="probability")
    assert Universe.from_frame(frame, "y", columns=["x"]).columns == ("x",)


def test_values_as_they_stand_in_toml():
    values = [True, np.bool_(False), 3, 3.5, 3.0, "No", np.int64(4)]
    assert [as_text(v) for v in values] == ["true", "false", "3", "3.5", "3.0", "No", "4"]
    frame = pd.DataFrame({"flag": [True, False, False], "y": ["a", "b", "a"]})
    universe, plans = plan_all(
        Universe.from_frame(frame, "y"),
        {"u": Strategy("feature_label", SetColumns({"flag": True}), "a")},
    )
    assert len(universe.base) == 2 and plans[0].added == 0


PROBLEMS = {
    "label": (("labels",), {}, 'label: got \'labels\'; must be a column of the table (watermark, '
              'length, label, weight); did you mean "label"?'),
    "weight": (("label", "w"), {}, "weight: got 'w'; must be a column of the table"),
    "columns": (("label", "weight"), {"columns": ["size"]}, "columns: got 'size'; must be"),
    "none": (("label", "weight"), {"columns": []}, "columns: got none; must be at least one"),
    "twice": (("label", "weight"), {"columns": ["label"]}, "neither the label nor the weight"),
}  # fmt: skip


@pytest.mark.parametrize("case", PROBLEMS)
def test_columns_that_are_not_there(file, case):
    arguments, options, message = PROBLEMS[case]
    with pytest.raises(ScenarioError) as error:
        read_universe(file(CSV), *arguments, **options)
    assert "p0.csv: " in str(error.value) and message in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("no,2,b", "no,,b", "p0.csv:3: length: got a missing value (1 in this column); must be a"),
        ("no,2,b,0.3", "no,2,,0.3", "p0.csv:3: label: got a missing value"),
        ("yes,1,a,0.1", "yes,1,a,-0.1", "p0.csv:4: weight: got -0.1; must be a number ≥ 0"),
        ("yes,1,a,0.1", "yes,1,a,many", "p0.csv:4: weight: got many; must be a number ≥ 0"),
        ("yes,1,a,0.1", "yes,1,a,", "p0.csv:4: weight: got nan; must be a number ≥ 0"),
        ("yes,1,a,0.1", "yes,1,a,inf", "p0.csv:4: weight: got inf; must be a number ≥ 0"),
        ("yes,1,a,0.1", "yes,1,a,0.2", "p0.csv: weight: got weights that sum to 1.1; must be"),
        ("no,2,b", "no,2,a", "p0.csv: label: got people of one label only ('a' in the column"),
        (CSV[CSV.index("\n") :], "\n", "p0.csv: got no rows"),
    ],
)
def test_values_that_cannot_be(file, old, new, message):
    with pytest.raises(ScenarioError) as error:
        read_universe(file(CSV.replace(old, new, 1)), "label", "weight")
    assert message in str(error.value)


def test_all_problems_at_once(file):
    text = CSV.replace("no,1,a,0.4", ",,a,0.4")
    with pytest.raises(ScenarioError) as error:
        read_universe(file(text), "label", "weight")
    assert [line.split(": ")[1] for line in error.value.problems] == ["watermark", "length"]
    zero = "x,label,weight\n1,a,0\n2,b,0\n"
    with pytest.raises(ScenarioError, match="weights that are all 0; must have a positive sum"):
        read_universe(file(zero), "label", "weight")


def test_files_that_are_no_tables(file, tmp_path):
    with pytest.raises(ScenarioError, match=r"none.csv: cannot be read as a table: No such file"):
        read_universe(tmp_path / "none.csv", "label")
    with pytest.raises(ScenarioError, match=r"p0.txt: got an unknown kind of file; must end in"):
        read_universe(file(CSV, "p0.txt"), "label")
    for name in ("p0.parquet", "empty.csv"):
        with pytest.raises(ScenarioError, match=f"{name}: cannot be read as a table"):
            read_universe(file("" if name == "empty.csv" else CSV, name), "label")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Universe.from_array([[0.5, 0.4]]), "probabilities that sum to 0.9; must sum to 1"),
        (lambda: Universe.from_array([[0.5, np.nan]]), "base: got nan or an infinite value"),
        (lambda: Universe.from_array([[1.5, -0.5]]), "base: got -0.5; must be ≥ 0"),
        (lambda: Universe.from_array([[1.0]]), r"base: got shape \(1, 1\); must be \(X, Y\)"),
        (lambda: Universe.from_array([[1.0, 0.0]]), "base: got people of one label only"),
        (lambda: Universe.from_counts([[0, 0]]), "counts: got weights that are all 0"),
        (lambda: Universe.from_array([[0.5, 0.5]], ["a"]), "labels: got 1 names for 2 columns"),
        (lambda: Universe.from_array([[0.5, 0.5]], ["a", "a"]), "must be one each, none twice"),
        (
            lambda: Universe(
                np.full((2, 2), 0.25), ("a", "b"), ("x",), np.zeros((1, 1)), (("0",),)
            ),
            r"codes: got shape \(1, 1\); must be \(2, 1\)",
        ),
        (
            lambda: Universe.from_array([[0.5, 0.5]]).with_label_noise(1.1),
            r"share: got 1.1; must be in \[0, 1\]",
        ),
    ],
)
def test_arrays_that_are_no_universe(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ── signals that set columns ─────────────────────────────────────────────────────────────────


def test_setting_columns_adds_what_nobody_has(file):
    """watermark = yes exists at length 1 only; length 2 with it is new, without mass."""
    base = read_universe(file(CSV), "label", "weight")
    plant = Strategy("feature_label", SetColumns({"watermark": "yes"}), "b")
    platform = BayesPlatform(base, {"union": plant})
    assert platform.added == {"union": 1}
    universe, (plan,) = platform.universe, platform.plans
    assert len(universe.base) == 4 and universe.mass[3] == 0.0
    assert universe.people([2 * 3])["watermark"][0] == "yes"
    np.testing.assert_array_equal(plan.signal, [2, 3, 2, 3])
    assert platform.parameters["union"].uniqueness == pytest.approx(0.1)
    assert platform.parameters["union"].idempotent
    np.testing.assert_allclose(plan.landing, [0.0, 0.0, 0.6, 0.4])
    # nobody is at the new point: won by the first member; at the other from α·0.6 > (1 − α)·0.1
    np.testing.assert_allclose(platform.steps(), [0.0, 0.1 / 0.7])
    np.testing.assert_allclose(platform.curve().levels, [0.0, 0.4, 1.0])
    assert len(base.base) == 3  # the caller's universe is as it was


def test_a_value_that_never_was_is_a_unique_signal(file):
    base = read_universe(file(CSV), "label", "weight")
    both = {
        "a": Strategy("feature_label", SetColumns({"watermark": "new", "length": 1}), "b"),
        "b": Strategy("feature_label", SetColumns({"length": 2}), "a"),
        "c": Strategy("feature_label", PointMap([1, 1, 1]), "a"),
    }
    platform = BayesPlatform(base, both)
    assert platform.added == {"a": 1, "b": 1, "c": 0}
    assert platform.parameters["a"].uniqueness == 0.0
    assert platform.at([1e-9, 0.0, 0.0])[0] == 1.0
    np.testing.assert_allclose(platform.overlap[0], [1.0, 0.0, 0.0])
    np.testing.assert_allclose(platform.overlap[1], [0.0, 1.0, 1.0])


# ── made to order ────────────────────────────────────────────────────────────────────────────


def test_generated_universes_have_the_parameters_asked_for():
    rng = np.random.default_rng(0)
    plant = {"union": Strategy("feature_label", GENERATED_SIGNAL, "target")}
    for trial in range(400):
        xi, gap = rng.uniform(0.001, 0.9), rng.uniform(0.0, 0.99)
        behind = (1 - gap) / 2
        p = rng.uniform(0.0, behind) if trial & 1 else None
        tau = rng.uniform(0.001, 0.999) * (1 - xi) * (1 - behind) if trial & 2 else None
        kinds = int(rng.integers(2, 9))
        universe = generate(xi, gap, p, tau, kinds, rng if trial & 4 else None)
        assert len(universe.base) == 2 * kinds
        known = plan_all(universe, plant)[1][0].parameters
        assert known.uniqueness == pytest.approx(xi, abs=1e-12)
        assert known.gap == pytest.approx(gap, abs=1e-12)
        assert p is None or known.positivity == pytest.approx(p, abs=1e-12)
        assert tau is None or known.sensitivity == pytest.approx(tau, abs=1e-12)


def test_a_generated_universe_may_have_as_many_steps_as_kinds():
    plant = {"union": Strategy("feature_label", GENERATED_SIGNAL, "target")}
    many = BayesPlatform(generate(0.05, 0.8, kinds=30, rng=np.random.default_rng(1)), plant)
    assert len(many.steps()) == 30
    alike = BayesPlatform(generate(0.05, 0.8, kinds=30), plant)
    np.testing.assert_allclose(alike.steps(), [0.04 / 1.04])  # where the bound begins
    assert alike.bound().curve().onset == pytest.approx(0.04 / 1.04)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 0.5), r"^uniqueness: got 1.0; must be in \[0, 1\)"),
        ((0.1, 1.5), r"^gap: got 1.5; must be in \[0, 1\]"),
        ((0.1, 0.5, 0.4), r"^positivity: got 0.4; must be in \[0, 0.25\] \(≤ \(1 − Δ\)/2, p\)"),
        ((0.1, 0.5, None, 0.9), r"^sensitivity: got 0.9; must be in \[0, 0.675\]"),
        ((0.0, 0.5, None, 0.1), "^sensitivity: got ξ = 0 with it; must have ξ > 0"),
        ((0.1, 0.5, 0.1, 0.1, 1), "^kinds: got 1; must be ≥ 1, and ≥ 2 to choose both p and τ"),
        ((0.1, 0.5, 0.1, 0.0), "^sensitivity: got 0 with p = 0.1; must be > 0"),
    ],
)
def test_parameters_that_cannot_be_had(arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(*arguments)


# ── real data ────────────────────────────────────────────────────────────────────────────────


def real(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def test_mushrooms_have_a_staircase_above_the_bound():
    """Every mushroom is its own point; odor = none and spore-print-color = w is the signal."""
    columns = ["odor", "spore-print-color", "habitat", "gill-color"]
    path = real("tabular_mushroom/mushroom.csv.gz")
    universe = read_universe(path, "class", columns=columns)
    assert universe.labels == ("e", "p")
    signal = SetColumns({"odor": "n", "spore-print-color": "w"})
    platform = BayesPlatform(universe, {"union": Strategy("feature_label", signal, "p")})
    known, stairs = platform.parameters["union"], platform.curve()
    assert 0.0 < known.uniqueness < 0.3 and known.gap == pytest.approx(1.0)
    assert len(stairs.steps) > 5
    grid = np.linspace(0.0, 1.0, 2001)
    slack = stairs(grid) - platform.bound().at(grid[:, None])[:, 0]
    assert slack.min() >= -1e-12 and slack.max() > 0.1
    assert np.all(np.diff(stairs.levels) > 0.0)
    every = read_universe(path, "class")
    assert len(every.base) == 8124 and np.all(every.given.max(axis=1) == 1.0)


def test_adult_with_chosen_columns():
    """Two colliding collectives, and an erasure, on census data."""
    columns = ["education", "sex", "workclass"]
    universe = read_universe(real("tabular_adult/adult.csv.gz"), "income", columns=columns)
    high, low = universe.labels[::-1]
    collide = BayesPlatform(
        universe,
        {
            "a": Strategy("feature_label", SetColumns({"education": "Preschool"}), high),
            "b": Strategy("feature_label", SetColumns({"education": "Preschool"}), low),
        },
    )
    assert collide.overlap[0, 1] == pytest.approx(1.0)
    alpha = np.random.default_rng(0).dirichlet([1, 1, 3], 300)[:, :2]
    exact = collide.at(alpha)
    assert np.all(exact >= collide.tight_bound(alpha) - 1e-12)
    assert np.all(exact >= collide.bound().at(alpha) - 1e-12)
    assert np.all(exact.sum(axis=1) <= 1.0 + 1e-12)  # the same points, two labels
    coarse = read_universe(real("tabular_adult/adult.csv.gz"), "income", columns=["sex", "race"])
    erase = BayesPlatform(coarse, {"union": Strategy("erasure", SetColumns({"sex": "Female"}))})
    grid = np.linspace(0.0, 1.0, 101)[:, None]
    assert np.all(erase.at(grid) >= erase.bound().at(grid) - 1e-12)

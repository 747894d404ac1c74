"""Tables of people as features: what is encoded, what a signal sets, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from learners.tabular.tables import load_table, table_of

FRAME = pd.DataFrame(
    {
        "age": [20, 40, 60, 80],
        "job": ["cook", "nurse", "cook", "pilot"],
        "member": [1, 1, 1, 1],
        "part": ["train", "train", "train", "test"],
        "count": [1, 2, 1, 5],
        "income": ["low", "high", "low", "high"],
    }
)


def table(**options):
    settings = {"split": "part", "weight": "count", **options}
    return table_of(FRAME, "income", **settings)


def test_features_labels_and_weights():
    got = table()
    assert got.names == ("age", "job=cook", "job=nurse", "job=pilot", "member")
    assert got.columns == ("age", "job", "member", "income")
    assert got.classes == ("high", "low") and got.label("low") == 1
    sd = np.std([20, 40, 60])
    expected = [[-20 / sd, 1, 0, 0, 0], [0, 0, 1, 0, 0], [20 / sd, 1, 0, 0, 0]]
    np.testing.assert_allclose(got.rows.features, expected)
    np.testing.assert_array_equal(got.rows.labels, [1, 0, 1])
    np.testing.assert_allclose(got.weight, [0.25, 0.5, 0.25])
    np.testing.assert_allclose(got.test.features, [[40 / sd, 0, 0, 1, 0]])
    assert table_of(FRAME, "income").test is None


def test_a_signal_speaks_the_language_of_the_file():
    got = table(extra={"job": ["astronaut"], "watermark": ["yes"]})
    planted = got.signal({"age": 100, "job": "astronaut", "watermark": "yes"})(got.rows.features)
    by_name = dict(zip(got.names, planted.T, strict=True))
    np.testing.assert_allclose(by_name["age"], 60 / np.std([20, 40, 60]))
    np.testing.assert_array_equal(by_name["job=astronaut"], 1.0)
    assert not by_name["job=cook"].any() and not by_name["watermark=no"].any()
    np.testing.assert_array_equal(by_name["watermark=yes"], 1.0)
    assert not got.rows.features[:, got.names.index("watermark=yes")].any()  # nobody has it yet


def test_who_has_what():
    got = table()
    np.testing.assert_array_equal(got.having("job", "cook"), [True, False, True])
    np.testing.assert_array_equal(got.having("age", 40), [False, True, False])
    np.testing.assert_array_equal(got.having("income", "high"), [False, True, False])
    assert got.values("job") == ("cook", "nurse", "pilot")
    assert got.values("age") == () and got.values("income") == ("high", "low")


def test_files(tmp_path):
    FRAME.to_csv(tmp_path / "people.csv.gz", index=False)
    FRAME.to_parquet(tmp_path / "people.parquet")
    for name in ("people.csv.gz", "people.parquet"):
        read = load_table(tmp_path / name, "income", split="part", weight="count")
        np.testing.assert_allclose(read.rows.features, table().rows.features)
    with pytest.raises(ValueError, match=r"nowhere\.csv: cannot be read as a table"):
        load_table(tmp_path / "nowhere.csv", "income")
    with pytest.raises(ValueError, match=r"people\.parquet: columns: no column 'incom'; .*did you"):
        load_table(tmp_path / "people.parquet", "incom")


def test_what_does_not_fit_is_refused():
    holes = FRAME.assign(job=["cook", None, "cook", "pilot"], age=[np.nan, 1, 2, 3])
    for call, message in (
        (lambda: table(drop=("jib",)), r"no column 'jib'; there are .*did you mean \"job\""),
        (lambda: table(weight="wait"), "columns: no column 'wait'"),
        (lambda: table_of(holes, "income"), r"missing values \(NaN\) in age, job; fill them in"),
        (lambda: table_of(FRAME, "member"), "label: all of column 'member' is '1'; need two"),
        (lambda: table_of(FRAME, "income", split="job"), "no row of column 'job' says 'train'"),
        (lambda: table_of(FRAME[["age", "income"]], "income", drop=("age",)), "no feature is left"),
        (lambda: table().label("middle"), "target: got 'middle'; must be one of high, low"),
        (lambda: table().signal({"jbo": "cook"}), r"no column 'jbo'.*did you mean \"job\""),
        (lambda: table().signal({"job": "king"}), "job: got 'king'; must be one of cook, nurse"),
        (lambda: table().signal({"age": "old"}), "age: got 'old'; must be a number"),
        (lambda: table().signal({}), "signal: sets no column"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("value", [1.0, 0.1, 0.3, 1e9 + 0.1, 0.0])
def test_a_constant_column_is_not_divided_by_rounding_noise(value):
    """The sd of 60 times 0.1 is 1e-17, not 0."""
    frame = pd.DataFrame({"x": [value] * 60, "y": range(60), "label": ["a", "b"] * 30})
    got = table_of(frame, "label")
    assert got.encoding[0].sd == 1.0
    assert np.abs(got.rows.features[:, 0]).max() <= 1e-6
    assert got.span("x") == (pytest.approx(value), pytest.approx(value))


def test_a_column_that_hardly_varies_is_no_constant():
    frame = pd.DataFrame({"x": 1e6 + 1e-3 * np.arange(60), "label": ["a", "b"] * 30})
    assert np.std(table_of(frame, "label").rows.features[:, 0]) == pytest.approx(1.0)


def test_an_identifier_is_no_feature():
    frame = pd.DataFrame({"id": [f"p{i}" for i in range(201)], "label": ["a", "b", "a"] * 67})
    with pytest.raises(ValueError, match=r"id: got 201 different values .* must be at most 200"):
        table_of(frame, "label")
    assert len(table_of(frame[:200], "label").names) == 200

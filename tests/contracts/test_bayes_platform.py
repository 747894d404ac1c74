"""The Bayes platform and its worst case under every success function's contract, and people's."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from learners.finite.bayes import BayesPlatform
from learners.finite.generated import GENERATED_SIGNAL, generate
from learners.finite.strategies import PointMap, SetColumns, Strategy
from learners.finite.universe import Universe
from learners.finite.worst_case import WorstCase
from learners.success import Bound, SuccessFunction

from . import test_success_functions as battery

# What every success function owes its users, judged with the fixture below. That more members
# never harm their own collective is not among it: exactly, and among rivals, they may.
test_it_says_what_it_is = battery.test_it_says_what_it_is
test_shapes_type_and_range = battery.test_shapes_type_and_range
test_one_row_equals_many = battery.test_one_row_equals_many
test_nobody_gets_nothing = battery.test_nobody_gets_nothing
test_pickles = battery.test_pickles
test_inputs_are_left_alone = battery.test_inputs_are_left_alone_and_the_answer_is_the_callers
test_outside_the_simplex_is_refused = battery.test_outside_the_simplex_is_refused
test_membership_equals_sizes = battery.test_membership_equals_sizes
test_bad_membership_is_refused = battery.test_bad_membership_is_refused
test_curve_agrees_with_at = battery.test_curve_agrees_with_at


def world(points=12, labels=3):
    return Universe.from_array(
        np.random.default_rng(1).dirichlet(np.full(points * labels, 0.3)).reshape(points, labels)
    )


def maps(count, points=12):
    rng = np.random.default_rng(2)
    return [PointMap(rng.integers(0, points // 2, points)) for _ in range(count)]


def mixed():
    a, b = maps(2)
    erased = PointMap(np.arange(12) // 3 * 3)
    return {
        "a": Strategy("feature_label", a, "0"),
        "b": Strategy("feature_only", b, "1"),
        "c": Strategy("erasure", erased),
    }


def planted(count, kind="feature_label"):
    return {f"c{k}": Strategy(kind, g, str(k % 2)) for k, g in enumerate(maps(count))}


PLATFORMS = {
    "one": BayesPlatform(world(), planted(1)),
    "one-features": BayesPlatform(world(), planted(1, "feature_only")),
    "one-erasure": BayesPlatform(world(), {"c": mixed()["c"]}),
    "three": BayesPlatform(world(), planted(3)),
    "mixed": BayesPlatform(world(), mixed()),
    "generated": BayesPlatform(
        generate(0.05, 0.8, kinds=5, rng=np.random.default_rng(3)),
        {"union": Strategy("feature_label", GENERATED_SIGNAL, "target")},
    ),
}
WORST = {
    f"worst-{bound}": WorstCase(BayesPlatform(world(), planted(2)), 0.02, bound)
    for bound in ("joint_tv", "conditional_tv")
}
BATTERY = {**PLATFORMS, **WORST}


@pytest.fixture(params=list(BATTERY), ids=str)
def success(request) -> SuccessFunction:
    return BATTERY[request.param]


@pytest.fixture(params=list(PLATFORMS), ids=str)
def platform(request) -> BayesPlatform:
    return PLATFORMS[request.param]


def test_a_million_rows_are_a_few_vector_operations(platform):
    battery.test_a_million_rows_are_a_few_vector_operations(platform)


def test_sizes_in_pieces_or_at_once(platform, monkeypatch):
    """The answer does not depend on how much of the table is in memory at a time."""
    alpha = battery.sizes(platform, 400)
    whole = platform.at(alpha)
    monkeypatch.setattr("learners.finite.slots.CHUNK", 1)
    np.testing.assert_allclose(platform.at(alpha), whole, rtol=0, atol=1e-14)


# ── people ───────────────────────────────────────────────────────────────────────────────────


def test_people_are_drawn_from_the_universe_and_repeatably(success):
    first = success.draw_people(20_000, np.random.default_rng(4))
    np.testing.assert_array_equal(first, success.draw_people(20_000, np.random.default_rng(4)))
    assert first.shape == (20_000,) and first.dtype.kind == "i"
    universe = getattr(success, "platform", success).universe
    expected = 20_000 * universe.base.ravel()
    seen = np.bincount(first, minlength=expected.size)
    assert np.all(seen[expected == 0.0] == 0)
    some = expected > 0.0
    # five standard deviations of each count (plus rounding of small ones)
    assert np.all(np.abs(seen - expected)[some] <= 5 * np.sqrt(expected[some]) + 5)
    table = universe.people(first[:50])
    assert list(table.columns) == [*universe.columns, "label"] and len(table) == 50


def test_attach_is_a_copy_that_sees_who_joined(success):
    assert success.sees_people
    rng = np.random.default_rng(5)
    cells = success.draw_people(300, rng)
    before = cells.copy()
    attached = success.attach(cells)
    assert type(attached) is type(success) and attached is not success
    membership = rng.integers(0, success.size + 1, 300).astype(np.int8)
    np.testing.assert_array_equal(cells, before)
    shares = [np.mean(membership == k + 1) for k in range(success.size)]
    np.testing.assert_allclose(success.by_membership(membership), success.at(shares))
    np.testing.assert_array_equal(attached.at(shares), success.at(shares))
    got = attached.by_membership(membership)
    assert got.shape == (success.size,) and got.dtype == np.float64
    assert np.all((got >= 0.0) & (got <= 1.0))
    np.testing.assert_array_equal(got, attached.by_membership(membership.astype(np.int64)))
    order = rng.permutation(300)  # people have no order
    again = success.attach(cells[order]).by_membership(membership[order])
    np.testing.assert_array_equal(got, again)
    copy = pickle.loads(pickle.dumps(attached))
    np.testing.assert_array_equal(copy.by_membership(membership), got)
    assert np.all(attached.by_membership(np.zeros(300, dtype=np.int8)) == 0.0)


def test_attached_people_and_membership_must_match(success):
    attached = success.attach(success.draw_people(10, np.random.default_rng(6)))
    with pytest.raises(ValueError, match=r"^membership: got 9 people; must be 10, those attached$"):
        attached.by_membership(np.zeros(9, dtype=int))
    with pytest.raises(ValueError, match=r"^membership: got 9; must be in 0 … \d"):
        attached.by_membership(np.full(10, 9))
    for wrong, message in (
        ([], r"^points: got shape \(0,\)"),
        ([[1]], r"^points: got shape \(1, 1\) of int64; must be integers, one per person"),
        ([0.5], "of float64; must be integers"),
        ([10**6], r"^points: got 1000000; must be in 0 … \d+ \(a cell x·Y \+ y\)"),
        ([-1], "^points: got -1; must be in 0"),
    ):
        with pytest.raises(ValueError, match=message):
            success.attach(wrong)


def test_a_bound_has_no_people():
    bound = Bound("union", PLATFORMS["one"].bound().curve())
    assert not bound.sees_people
    with pytest.raises(TypeError, match=r"^Bound goes by sizes"):
        bound.draw_people(3, np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"^Bound goes by sizes"):
        bound.attach([0])


# ── what is refused ──────────────────────────────────────────────────────────────────────────


TWO = Universe.from_array([[0.2, 0.3], [0.4, 0.1]], labels=["spam", "ham"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Strategy("feature_label", PointMap([0, 0]), "hm"),
            "union: target: got 'hm'; must be a label of the universe (spam, ham); "
            'did you mean "ham"?',
        ),
        (
            lambda: Strategy("feature_label", SetColumns({"X": 1}), "ham"),
            "union: signal.set: got 'X'; must be a column of features (x)",
        ),
        (
            lambda: Strategy("feature_label", SetColumns({}), "ham"),
            "signal: got an empty set; must name at least one column and its value",
        ),
        (
            lambda: Strategy("feature_label", PointMap([]), "ham"),
            "union: signal: got an empty map; must give the image of every point",
        ),
        (
            lambda: Strategy("feature_label", PointMap([0, 1]), "ham"),
            "union: signal: changes nobody, everybody carries it already; must move some person's "
            "features (set other columns or other values)",
        ),
        (
            lambda: Strategy("feature_label", PointMap([0]), "ham"),
            "union: signal: got a map of shape (1,) of int64; must be (2,) integers, the image of "
            "every point",
        ),
        (
            lambda: Strategy("feature_label", PointMap([0, 2]), "ham"),
            "union: signal: got 2; must be a point, 0 … 1",
        ),
        (
            lambda: Strategy("erasure", SetColumns({"x": "new"})),
            "union: signal: erasure imitates the labels at g(x), but at 1 of these points nobody "
            "is, so they have no labels; must map to points with people (fewer columns of "
            "features make them)",
        ),
        (
            lambda: Strategy("erasure", PointMap([0, 0]), "ham"),
            "target: got 'ham'; erasure has none, leave it out",
        ),
        (
            lambda: Strategy("feature_only", PointMap([0, 0])),
            "target: got none; feature_only must name a label of the universe",
        ),
        (
            lambda: Strategy("gradient_control", PointMap([0, 0])),
            "strategy: got 'gradient_control'; must be one of feature_label, feature_only, erasure "
            "(on a finite universe)",
        ),
    ],
)
def test_a_strategy_that_does_not_fit_says_why(make, message):
    with pytest.raises(ValueError) as error:
        BayesPlatform(TWO, {"union": make()})
    assert str(error.value) == message


def test_bounds_that_do_not_exist_say_why():
    never = BayesPlatform(
        Universe.from_array([[0.0, 0.5], [0.1, 0.4]]),
        {"union": Strategy("feature_only", PointMap([0, 0]), "0")},
    )
    with pytest.raises(ValueError, match=r"^bound: the target never occurs at some point, p = 0"):
        never.bound()
    with pytest.raises(ValueError, match=r"^bound: got b, c with another strategy; the simple"):
        PLATFORMS["mixed"].bound()
    with pytest.raises(ValueError, match=r"^bound: got c with another strategy; the tight bound"):
        PLATFORMS["one-erasure"].tight_bound([0.1])
    twice = BayesPlatform(
        Universe.from_array(np.full((3, 2), 1 / 6)),
        {"e": Strategy("erasure", PointMap([1, 2, 2]))},
    )
    with pytest.raises(ValueError, match=r"must have g\(g\(x\)\) = g\(x\)"):
        twice.bound()


def test_a_staircase_needs_sizes_that_leave_room():
    three = PLATFORMS["three"]
    with pytest.raises(ValueError, match="must be ≥ 0 each and ≤ 1 together"):
        three.staircase(0, [0.0, 0.7, 0.7])
    with pytest.raises(ValueError, match=r"got an array of shape \(2,\); must be \(\.\.\., 3\)"):
        three.staircase(0, [0.0, 0.7])
    own = three.staircase(1, [0.1, 0.9, 0.1])  # its own entry is not used
    np.testing.assert_array_equal(own.steps, three.staircase(1, [0.1, 0.0, 0.1]).steps)

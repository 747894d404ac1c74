"""What every success function owes its users, whatever is inside; add new ones to `BATTERY`."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from learners import bounds
from learners.several import SeveralBound
from learners.success import Bound, SuccessFunction
from tests.effort import lines_run

OVERLAP = np.array([[1.0, 0.3, 0.9], [0.1, 1.0, 0.0], [0.5, 0.7, 1.0]])


def several(order=(0, 1, 2), **options):
    """Three collectives, the first and the last allied, in any order of labels."""
    names, targets = np.array(["a", "b", "c"]), np.array(["x", "y", "x"])
    pick = list(order)
    return SeveralBound(
        names[pick].tolist(),
        targets[pick].tolist(),
        np.array([0.01, 0.05, 0.2])[pick],
        np.array([1.0, 0.4, 0.8])[pick],
        OVERLAP[np.ix_(pick, pick)],
        **options,
    )


BATTERY = {
    **{
        f"feature_label-{b}": Bound("union", bounds.feature_label(0.05, 0.8, 0.02, b))
        for b in bounds.EPSILON_BOUNDS
    },
    **{
        f"feature_only-{b}": Bound("union", bounds.feature_only(0.05, 0.3, 0.02, b))
        for b in bounds.EPSILON_BOUNDS
    },
    "erasure-hardt2023": Bound("union", bounds.erasure(0.1, 0.02)),
    "erasure-conditional_tv": Bound("union", bounds.erasure(0.1, 0.02, "conditional_tv")),
    "nothing-to-overcome": Bound("union", bounds.feature_label(0.0, 1.0)),
    "hopeless": Bound("union", bounds.feature_label(0.1, 1.0, 0.7)),
    "gradient_neutralising": Bound("union", bounds.gradient_neutralising(4.0, 2.0)),
    "gradient_neutralising-step": Bound("union", bounds.gradient_neutralising(4.0, 0.0)),
    "gradient_control": Bound("union", bounds.gradient_control(1.0, 1.0, 20)),
    **{f"several-{b}": several(suboptimality=0.02, bound=b) for b in bounds.EPSILON_BOUNDS},
    "several-one": SeveralBound(["a"], ["x"], [0.1], [1.0], [[1.0]]),
}


@pytest.fixture(params=list(BATTERY), ids=str)
def success(request) -> SuccessFunction:
    return BATTERY[request.param]


def sizes(success, *shape, seed=0):
    """Sizes in the simplex, a fifth of them 0 and some rows full."""
    rng = np.random.default_rng(seed)
    draws = rng.dirichlet(np.full(success.size + 1, 0.5), shape)[..., :-1]
    draws = draws * (rng.random(draws.shape) > 0.2)
    full = rng.random(shape) < 0.1
    rest = np.maximum(draws.sum(axis=-1, keepdims=True), 1e-12)
    return np.where(full[..., None] & (rest > 1e-6), np.minimum(draws / rest, 1.0), draws)


def test_it_says_what_it_is(success):
    assert isinstance(success, SuccessFunction)
    assert success.kind in ("exact", "lower_bound", "estimate")
    assert isinstance(success.collectives, tuple)
    assert len(success.collectives) == success.size == len(set(success.collectives))
    assert all(isinstance(name, str) for name in success.collectives)
    alpha = sizes(success, 7)
    interval = success.interval(alpha)
    if success.kind != "estimate":
        assert interval is None
    else:
        assert interval is not None
        low, high = interval
        assert low.shape == high.shape == alpha.shape
        assert np.all(low <= success.at(alpha)) and np.all(success.at(alpha) <= high)


@pytest.mark.parametrize("shape", [(), (1,), (50,), (3, 4), (2, 0), (0,)])
def test_shapes_type_and_range(success, shape):
    alpha = sizes(success, *shape)
    value = success.at(alpha)
    assert value.shape == alpha.shape == (*shape, success.size)
    assert value.dtype == np.float64
    assert np.all((value >= 0.0) & (value <= 1.0))
    np.testing.assert_array_equal(success(alpha), value)


def test_one_row_equals_many(success):
    alpha = sizes(success, 200)
    together = success.at(alpha)
    for row, expected in zip(alpha, together, strict=True):
        np.testing.assert_allclose(success.at(row), expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(success.at(row.tolist()), expected, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(success.at(np.asfortranarray(alpha)), together)
    whole = np.zeros(success.size, dtype=int)
    np.testing.assert_array_equal(success.at(whole), success.at(whole.astype(float)))


def test_nobody_gets_nothing(success):
    assert np.all(success.at(np.zeros(success.size)) == 0.0)
    alpha = sizes(success, 300)
    assert np.all(success.at(alpha)[alpha == 0.0] == 0.0)


def test_more_members_never_harm_their_own_collective(success):
    for k in range(success.size):
        alpha = np.repeat(sizes(success, 60, seed=k)[:, None, :], 101, axis=1)
        room = 1.0 - np.delete(alpha, k, axis=-1).sum(axis=-1)
        alpha[..., k] = np.linspace(0, 1, 101) * np.maximum(room, 0.0)
        assert np.all(np.diff(success.at(alpha)[..., k], axis=1) >= -1e-12)


@pytest.mark.parametrize("bound", bounds.EPSILON_BOUNDS)
def test_relabelling_collectives_relabels_success(bound):
    order = [2, 0, 1]
    first = several(suboptimality=0.02, bound=bound)
    second = several(order, suboptimality=0.02, bound=bound)
    alpha = sizes(first, 500)
    np.testing.assert_allclose(second.at(alpha[:, order]), first.at(alpha)[:, order], atol=1e-14)
    assert not np.allclose(second.at(alpha), first.at(alpha)[:, order])


def test_pickles(success):
    alpha = sizes(success, 20)
    copy = pickle.loads(pickle.dumps(success))
    assert copy.collectives == success.collectives and copy.kind == success.kind
    np.testing.assert_array_equal(copy.at(alpha), success.at(alpha))


def test_inputs_are_left_alone_and_the_answer_is_the_callers(success):
    alpha = sizes(success, 20)
    before = alpha.copy()
    alpha.setflags(write=False)
    value = success.at(alpha)
    first = value.copy()
    value[...] = -1.0  # the answer may be written to
    np.testing.assert_array_equal(alpha, before)
    np.testing.assert_array_equal(success.at(alpha), first)


def test_outside_the_simplex_is_refused(success):
    K = success.size
    for wrong in (-1e-6, 1.0 + 1e-6, np.nan, np.inf):
        alpha = np.zeros((4, K))
        alpha[2, K - 1] = wrong
        with pytest.raises(ValueError, match=r"alpha: got \[.*must be ≥ 0 each and ≤ 1 together"):
            success.at(alpha)
    for shape in ((), (K + 1,), (K, K + 2)):
        with pytest.raises(ValueError, match=r"alpha: got an array of shape .*must be \(\.\.\., "):
            success.at(np.zeros(shape))
    if K > 1:
        with pytest.raises(ValueError, match="together"):
            success.at(np.full(K, 1.1 / K))
    for rounding in (-1e-10, 1e-10):
        near = np.full(K, 1.0 / K)
        near[0] += rounding
        assert np.all(success.at(near) <= 1.0)
    tiny = np.zeros(K)
    tiny[0] = -1e-12
    assert success.at(tiny)[0] == 0.0


def test_membership_equals_sizes(success):
    rng = np.random.default_rng(2)
    for dtype in (np.int8, np.uint16, np.int64):
        membership = rng.integers(0, success.size + 1, 997).astype(dtype)
        counts = [np.sum(membership == k + 1) for k in range(success.size)]
        expected = success.at(np.array(counts) / 997)
        got = success.by_membership(membership)
        assert got.shape == (success.size,)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)
    assert np.all(success.by_membership([0, 0]) == 0.0)


@pytest.mark.parametrize(
    ("membership", "message"),
    [
        ([], r"membership: got shape \(0,\)"),
        ([[0, 1]], r"membership: got shape \(1, 2\) of int64; must be integers"),
        ([0.0, 1.0], "of float64; must be integers, one per person"),
        ([0, -1], r"membership: got -1; must be in 0 … \d \(0 = in no collective\)"),
        ([0, 9], r"membership: got 9; must be in 0 … \d \(0 = in no collective\)"),
    ],
)
def test_bad_membership_is_refused(success, membership, message):
    with pytest.raises(ValueError, match=message):
        success.by_membership(membership)


def test_curve_agrees_with_at(success):
    grid = np.linspace(0, 1, 300)
    for k in range(success.size):
        curve = success.curve(k)
        if curve is None:
            continue
        assert isinstance(curve, bounds.Curve)
        alone = success.at(grid[:, None] * np.eye(success.size)[k])[:, k]
        np.testing.assert_allclose(curve(grid), alone, rtol=0, atol=1e-12)
    for k in (-1, success.size):
        with pytest.raises(ValueError, match=rf"^k: got {k}; must be in 0 … {success.size - 1}"):
            success.curve(k)


def test_a_million_rows_are_a_few_vector_operations(success):
    """In blocks or at once: a Python loop over rows runs a million lines."""
    alpha = np.repeat(np.linspace(0, 1 / success.size, 10**6)[:, None], success.size, axis=1)
    assert lines_run(lambda: success.at(alpha)) < 100_000


def test_the_battery_would_notice_a_bad_one():
    """A function that keeps its answer, or goes beyond 1, fails the tests above."""

    class Bad(SuccessFunction):
        collectives, kind = ("bad",), "exact"

        def __init__(self):
            self.kept = np.full((20, 1), 1.5)

        def at(self, alpha):
            return self.kept

    with pytest.raises(AssertionError):
        test_shapes_type_and_range(Bad(), (20,))
    with pytest.raises(AssertionError):
        test_inputs_are_left_alone_and_the_answer_is_the_callers(Bad())
    with pytest.raises(pytest.fail.Exception):
        test_outside_the_simplex_is_refused(Bad())
    with pytest.raises(TypeError, match="abstract"):
        SuccessFunction()  # type: ignore[abstract]

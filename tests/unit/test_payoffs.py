"""Gains, choices and payments against hand calculations and brute force."""

from __future__ import annotations

import numpy as np
import pytest

from learners.bounds import feature_label
from learners.several import SeveralBound
from learners.success import Bound
from sim.payoffs import (
    choose,
    gain,
    logit_probabilities,
    offers,
    recruit_payments,
    threshold,
    utility,
)

TWO = SeveralBound(
    collectives=("a", "b"),
    targets=("a", "b"),
    uniqueness=[0.02, 0.05],
    gap=[1.0, 0.8],
    overlap=[[0.0, 0.3], [0.6, 0.0]],
)


def test_gain_is_the_papers_joining_condition() -> None:
    rng = np.random.default_rng(0)
    s, c, y = rng.random(1000), rng.random(1000), rng.random(1000) * 0.99
    np.testing.assert_array_equal(gain(s, s, c, y) > 1e-12, s > threshold(c, y) + 1e-12)
    # and not when γ is forgotten: the two conditions differ
    assert np.any((s - c > 0) != (s > threshold(c, y)))


def test_nobody_with_full_free_riding_joins_unless_her_cost_is_negative() -> None:
    assert threshold(0.1, 1.0) == np.inf
    assert threshold(0.0, 1.0) == np.inf
    assert threshold(-0.1, 1.0) == -np.inf


def _utility_by_hand(state: int, counts: np.ndarray, size: int, c: float, y: float) -> float:
    s = TWO.at(counts / size)
    return sum(float(s[k]) - c if state == k + 1 else y * float(s[k]) for k in range(2))


@pytest.mark.parametrize("state", [0, 1, 2])
def test_pivotal_gain_is_the_difference_of_utilities_with_and_without_herself(state: int) -> None:
    size, counts, c, y = 30, np.array([7, 5]), 0.2, 0.4
    table = offers(TWO, counts, size)
    without = counts - np.eye(3, 2, -1, dtype=int)[state]
    out = _utility_by_hand(0, without, size, c, y)
    for k in range(2):
        within = without + np.eye(2, dtype=int)[k]
        expected = _utility_by_hand(k + 1, within, size, c, y) - out
        d = gain(table.join[state, k], table.forgo[state, k], c, y)
        assert d == pytest.approx(expected, abs=1e-12)


def test_pivotal_approaches_atomistic_as_the_population_grows() -> None:
    gaps = []
    for size in (100, 10_000, 1_000_000):
        counts = np.array([size // 5, size // 10])
        published = TWO.at(counts / size)
        own, taken = offers(TWO, counts, size), offers(TWO, counts, size, published=published)
        gaps.append(np.abs(gain(*own, 0.2, 0.4) - gain(*taken, 0.2, 0.4)).max())
    assert gaps[0] > 10 * gaps[1] > 100 * gaps[2] > 0


def test_choice_ties() -> None:
    gains = np.array([[0.0, -1.0], [0.2, 0.2], [0.2, 0.2], [0.1, 0.3], [-0.1, -0.2], [0.0, 0.0]])
    states = np.array([1, 2, 0, 1, 2, 0])
    # indifferent member stays; tied collective stays; outsider takes the first; best wins; leaves
    np.testing.assert_array_equal(choose(gains, states), [1, 2, 1, 2, 0, 0])


def test_logit_probabilities() -> None:
    d = np.array([[0.3, -0.2], [50.0, 900.0], [-np.inf, 0.0]])
    p = logit_probabilities(d, 0.5)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    weights = np.array([1.0, np.exp(0.6), np.exp(-0.4)])
    np.testing.assert_allclose(p[0], weights / weights.sum())
    np.testing.assert_allclose(p[1], [0, 0, 1])
    np.testing.assert_allclose(p[2], [0.5, 0, 0.5])


def test_utility_by_hand() -> None:
    u = utility(
        np.array([0, 1, 2]),
        np.array([0.5, 0.8]),
        np.full(3, 0.3),
        np.full(3, 0.1),
        np.array([0.0, 0.05]),
    )
    np.testing.assert_allclose(u, [0.13, 0.5 - 0.3 + 0.08, 0.8 - 0.35 + 0.05])


def test_recruit_payments_make_joining_dominant_and_no_more() -> None:
    curve = Bound("u", feature_label(0.01, 1.0))
    n, size, c, y = 200, 10_000, 0.3, 0.2
    path = curve.at((np.arange(n + 1) / size)[:, None])[:, 0]
    pay = recruit_payments(path, np.full(n, c), np.full(n, y))
    join = path[1:] - c + pay
    stay = y * path[:-1]
    assert np.all(join >= stay - 1e-15)
    paid = pay > 0
    np.testing.assert_allclose(join[paid], stay[paid], atol=1e-15)  # a cent less would not do
    assert pay.sum() / size == pytest.approx(0.00369026, abs=5e-9)  # theory section 4

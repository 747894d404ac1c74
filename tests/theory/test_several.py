"""Several collectives: both bounds against exact enumeration, limits, rivals and allies."""

from __future__ import annotations

import numpy as np
import pytest

from learners import bounds
from learners.several import SeveralBound, constructiveness, tight_bound

from . import universes as un

SIZES = 24  # of (α₁ … α_K) tried in each universe


class World:
    """One universe with K collectives, and what exact enumeration says at many sizes."""

    def __init__(self, rng, collectives):
        points, labels = int(rng.integers(2, 6)), int(rng.integers(2, 4))
        self.base = un.random_bases(rng, 1, points, labels)[0]
        self.signal = un.random_signals(rng, collectives, points)
        self.targets = rng.integers(0, labels, collectives)
        copies = np.broadcast_to(self.base, (collectives, points, labels))
        self.xi, self.gap, _ = un.planting_parameters(copies, self.signal, self.targets)
        self.planted = un.law_of(self.signal, copies.sum(axis=2))  # P*_m(x), (K, X)
        self.overlap = np.minimum((self.planted > 0).astype(float) @ self.planted.T, 1.0)
        reach = 10 ** rng.uniform(-2.5, 0, (SIZES, 1))
        self.alpha = rng.dirichlet(np.full(collectives + 1, 0.7), SIZES)[:, :-1] * reach

    def simple(self, eps=0.0, bound="hardt2023"):
        names = [f"collective {m}" for m in range(len(self.targets))]
        labels = self.targets.tolist()
        return SeveralBound(names, labels, self.xi, self.gap, self.overlap, eps, bound)

    def success(self, worst):
        """worst(weights, margin, P(x)) of each collective at each size: (SIZES, K)."""
        votes = self.planted[:, :, None] * un.one_hot(self.targets, self.base.shape[1])[:, None, :]
        free = 1 - self.alpha.sum(axis=1)[:, None, None]
        table = free * self.base + np.einsum("sk,kxy->sxy", self.alpha, votes)
        columns = []
        for m, y in enumerate(self.targets):
            weights = np.broadcast_to(self.planted[m], table.shape[:2])
            margin = un.margins(table, np.full(SIZES, y))
            value = worst(weights, margin, table.sum(axis=2))
            columns.append(np.where(self.alpha[:, m] > 0, value, 0.0))
        return np.stack(columns, axis=1)


def bayes(weights, margin, mass):
    return (weights * (margin > un.TIE)).sum(axis=1)


@pytest.fixture(scope="module")
def worlds():
    rng = np.random.default_rng(2025)
    return [World(rng, collectives) for collectives in (1, 2, 3, 4) for _ in range(150)]


def test_exact_success_is_above_the_tight_bound_and_that_above_the_simple_one(worlds):
    informative = strict = 0
    for world in worlds:
        exact = world.success(bayes)
        tight = tight_bound(world.base, world.planted, world.targets, world.alpha)
        simple = world.simple().at(world.alpha)
        assert np.all(exact >= tight - 1e-9)
        assert np.all(tight >= simple - 1e-9)
        informative += np.sum((simple > 0) & (simple < 1))
        strict += np.sum(tight > simple + 1e-3)
    assert informative > 1000 and strict > 1000


@pytest.mark.parametrize("bound", ["joint_tv", "conditional_tv"])
def test_bounds_with_suboptimality_hold_against_the_worst_classifier(worlds, bound):
    rng = np.random.default_rng(4)
    informative = 0
    for world in worlds:
        eps = min(10 ** rng.uniform(-3, -0.4), 0.45)

        def worst(weights, margin, mass, eps=eps):
            suboptimality = np.full(len(weights), eps)
            if bound == "joint_tv":
                return un.worst_joint(weights, margin, suboptimality)
            return un.worst_conditional(weights, margin, mass, suboptimality)

        guaranteed = world.simple(eps, bound).at(world.alpha)
        assert np.all(world.success(worst) >= guaranteed - 1e-9)
        informative += np.sum((guaranteed > 0) & (guaranteed < 1))
    assert informative > 500


def test_rivals_must_weigh_more_under_conditional_suboptimality():
    """One shared signal nobody had, 0.5 against 0.45, ε = 0.1: the flip is within reach.

    Replacing only the gap by (Δ+2ε)/(1−2ε) would promise 1 − 0.45/0.5 = 0.1.
    """
    alpha, eps = np.array([0.5, 0.45]), 0.1
    margin, mass = alpha[0] - alpha[1], alpha.sum()
    assert margin <= 2 * eps * mass  # y₂ may win everywhere: S₁ = 0
    shared = SeveralBound(tuple("ab"), "xy", [0, 0], [1, 1], np.ones((2, 2)), eps, "conditional_tv")
    assert shared.at(alpha)[0] == 0.0
    assert SeveralBound(tuple("ab"), "xy", [0, 0], [1, 1], np.ones((2, 2))).at(alpha)[
        0
    ] == pytest.approx(0.1)


@pytest.mark.parametrize("bound", bounds.EPSILON_BOUNDS)
@pytest.mark.parametrize("eps", [0.0, 0.03])
def test_one_collective_is_theorem_3_3(bound, eps):
    sizes = np.linspace(0, 1, 401)
    one = SeveralBound(["a"], ["y"], [0.02], [0.7], [[1.0]], eps, bound)
    alone = bounds.feature_label(0.02, 0.7, eps, bound)
    np.testing.assert_allclose(one.at(sizes[:, None])[:, 0], alone(sizes), atol=1e-13)
    assert one.curve() == alone


def test_curve_is_the_collective_with_all_others_absent():
    several = SeveralBound(
        tuple("abc"),
        "xyx",
        [0.01, 0.2, 0.0],
        [1, 0.5, 1],
        np.full((3, 3), 0.4),
        [0.0, 0.1, 0.2],
        "joint_tv",
    )
    sizes = np.linspace(0, 1, 101)
    for k in range(3):
        alpha = sizes[:, None] * np.eye(3)[k]
        np.testing.assert_allclose(several.at(alpha)[:, k], several.curve(k)(sizes), atol=1e-13)


def test_the_formula_of_the_theory_page_by_hand():
    """α = (0.3, 0.1, 0.2), Δξ = 0.01, the third an ally: S₁ = 1 − 0.4·0.01/0.3 − 0.1·0.6/0.3."""
    overlap = [[1.0, 0.6, 0.9], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    several = SeveralBound(tuple("abc"), ["y", "z", "y"], [0.02] * 3, [0.5] * 3, overlap)
    success = several.at([0.3, 0.1, 0.2])
    expected = [1 - 0.004 / 0.3 - 0.2, 1 - 0.004 / 0.1, 1 - 0.004 / 0.2]
    np.testing.assert_allclose(success, expected, atol=1e-14)


def pair(overlap, targets=("x", "y")):
    return SeveralBound(tuple("ab"), targets, [0.01, 0.01], [1, 1], overlap)


def test_rivals_allies_and_strangers():
    alpha = np.array([0.3, 0.2])
    stranger, rival = pair(np.eye(2)), pair(np.ones((2, 2)))
    ally = pair(np.ones((2, 2)), ("x", "x"))
    assert constructiveness(rival, "a", "b", alpha) < -0.6
    assert constructiveness(stranger, "a", "b", alpha) == pytest.approx(0.01 * 0.2 / 0.3)  # via ᾱ
    assert constructiveness(ally, 0, 1, alpha) == pytest.approx(0.01 * 0.2 / 0.3)
    assert rival.at(alpha)[0] > 0.3 and rival.at(alpha)[1] == 0.0  # the larger wins
    assert np.all(stranger.at(alpha) > 0.95)
    many = np.broadcast_to(alpha, (5, 4, 2))
    assert constructiveness(rival, 1, 0, many).shape == (5, 4)


def test_tight_bound_sees_allies_rescue_each_other():
    """Neither overcomes the base alone; the same signal and target together do."""
    base = np.array([[0.3, 0.0], [0.35, 0.35]])  # x = 0 carries the signal; y* = 1 is 0.3 behind
    planted = np.array([[1.0, 0.0], [1.0, 0.0]])
    sizes = [[0.15, 0.0], [0.15, 0.15], [0.15, 0.3]]
    allies = tight_bound(base, planted, [1, 1], sizes)
    assert allies[0, 0] == 0.0
    assert allies[1, 0] == pytest.approx(1 - (0.7 * 0.3 - 0.15) / 0.15)
    assert allies[2, 0] == 1.0
    rivals = tight_bound(base, planted, [1, 0], sizes)
    np.testing.assert_array_equal(rivals[1:, 0], 0.0)
    np.testing.assert_array_equal(rivals[1:, 1], 1.0)


def test_constructiveness_ignores_third_parties():
    several = SeveralBound(tuple("abc"), "xyz", [0.01] * 3, [1] * 3, np.ones((3, 3)))
    with_third = constructiveness(several, "a", "b", [0.3, 0.1, 0.25])
    assert with_third == pytest.approx(float(constructiveness(several, "a", "b", [0.3, 0.1, 0.0])))


ARGUMENTS = {
    "collectives": ["a", "b"],
    "targets": ["x", "y"],
    "uniqueness": [0.1, 0.1],
    "gap": [1, 1],
    "overlap": np.eye(2),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"collectives": []}, "collectives: got (); must be at least one name, none twice"),
        (
            {"collectives": ["a", "a"]},
            "collectives: got ('a', 'a'); must be at least one name, none twice",
        ),
        ({"targets": ["x"]}, "targets: got 1; must be 2, one per collective"),
        ({"uniqueness": [0.1]}, "uniqueness: got shape (1,); must be (2,) (collectives, ξ)"),
        ({"gap": [1, 1.5]}, "gap: got 1.5; must be in [0, 1] (Δ)"),
        ({"overlap": [[1, -0.1], [0, 1]]}, "overlap: got -0.1; must be in [0, 1] (ω)"),
        (
            {"suboptimality": [0.1, 0.6], "bound": "conditional_tv"},
            "suboptimality: got 0.6; must be in [0, 0.5) "
            "(total variation, ε, with bound = conditional_tv)",
        ),
        ({"suboptimality": [0.1] * 3}, "suboptimality: got shape (3,); must be a number or (2,)"),
        (
            {"bound": "none"},
            "bound: got 'none'; must be one of hardt2023, joint_tv, conditional_tv",
        ),
    ],
)
def test_bad_arguments_of_the_simple_bound(change, message):
    with pytest.raises(ValueError) as error:
        SeveralBound(**{**ARGUMENTS, **change})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("base", "planted", "targets", "message"),
    [
        ([[1.0]], [[1.0]], [0], "base: got shape (1, 1); must be (X, Y) with at least two labels"),
        ([[0.5, 0.5]], [[0.5, 0.5]], [0], "planted: got shape (1, 2); must be (K, 1)"),
        ([[0.5, 0.5]], [[1.0]], [2], "targets: got [2]; must be in 0 … 1"),
        ([[0.5, 0.5]], [[1.0]], [0, 1], "targets: got [0, 1]; must be 1 columns of base"),
        ([[0.5, 0.4]], [[1.0]], [0], "base: got sums [0.9]; must be probabilities that sum to 1"),
    ],
)
def test_bad_arguments_of_the_tight_bound(base, planted, targets, message):
    with pytest.raises(ValueError) as error:
        tight_bound(base, planted, targets, [[0.1]])
    assert str(error.value) == message


def test_constructiveness_names_what_it_does_not_know():
    with pytest.raises(ValueError, match=r"^k: got 'z'; must be one of a, b$"):
        constructiveness(pair(np.eye(2)), "z", "b", [0.1, 0.1])
    with pytest.raises(ValueError, match=r"^j: got 'a', the same collective as k"):
        constructiveness(pair(np.eye(2)), "a", "a", [0.1, 0.1])
    with pytest.raises(ValueError, match=r"^j: got 2; must be in 0 … 1 \(a collective\)$"):
        constructiveness(pair(np.eye(2)), 0, 2, [0.1, 0.1])

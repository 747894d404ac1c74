"""Convex platforms: theorem 4.2, corollary 4.3 and proposition 4.4 against fitted models."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize
from scipy.special import expit, lambertw

from learners import bounds
from learners.errors import NoSolutionError
from learners.tabular.convex import ConvexModel, Fit
from learners.tabular.convex_platform import LogisticPlatform
from learners.tabular.row_strategies import Plant, Steer
from learners.tabular.rows import Rows, SetColumns, generated_rows, stacked
from learners.tabular.steering import (
    neutralise,
    own_gradient_range,
    utility_critical_mass,
    utility_target,
)

from . import adult

CASES = [
    ConvexModel("logistic", 0.02),
    ConvexModel("softmax", 0.02, 2),
    ConvexModel("softmax", 0.005, 4),
    ConvexModel("least_squares", 0.05),
]
SOLVED = 1e-8  # ‖θ − θ*‖: solver tolerance 1e-10 over ridge 0.005, with some room


def name(model):
    return f"{model.loss}-{model.classes}"


def people(model, seed, size=600, width=5):
    rng = np.random.default_rng(seed)
    real = model.loss == "least_squares"
    return generated_rows(rng, size, width, model.classes, real_labels=real), rng


def nearby(model, base, rng, step=0.6):
    """A θ* at distance `step` from the base optimum; centred for softmax."""
    theta = model.fit(base).theta
    away = rng.normal(size=theta.shape)
    if model.loss == "softmax":
        away -= away.mean(axis=0)
    return theta + step * away / np.linalg.norm(away)


def steered(model, seed, labels, own=None):
    """(base, P′ for a random θ* that the ridge and the labels allow)."""
    for attempt in range(20):
        base, rng = people(model, [seed, attempt])
        try:
            return base, neutralise(model, base, nearby(model, base, rng), own, labels)
        except NoSolutionError:
            continue
    raise AssertionError("no reachable target in 20 attempts")


# ── the minimiser ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", CASES, ids=name)
def test_derivatives_and_minimiser_against_scipy(model):
    base, rng = people(model, 1)
    base = Rows(base.features, base.labels, rng.random(len(base)))
    theta = rng.normal(size=model.shape(base.width))

    def risk(flat):
        return model.risk(flat.reshape(theta.shape), base)

    def gradient(flat):
        return model.gradient(flat.reshape(theta.shape), base).ravel()

    assert check_grad(risk, gradient, theta.ravel()) < 1e-6
    step = 1e-6 * rng.normal(size=theta.size)
    change = gradient(theta.ravel() + step) - gradient(theta.ravel() - step)
    np.testing.assert_allclose(model.hessian(theta, base) @ (2 * step), change, atol=1e-10)
    fit = model.fit(base)
    other = minimize(risk, np.zeros(theta.size), jac=gradient, method="BFGS", tol=1e-9)
    np.testing.assert_allclose(fit.theta.ravel(), other.x, atol=1e-6)
    assert fit.gradient <= 1e-10 and fit.error == fit.gradient / model.ridge
    assert np.linalg.eigvalsh(model.hessian(fit.theta, base))[-1] <= model.smoothness(base) + 1e-9


@pytest.mark.parametrize("model", CASES, ids=name)
def test_a_warm_start_finds_the_same_in_fewer_steps(model):
    base, rng = people(model, 2)
    cold = model.fit(base)
    nearly = Rows(base.features, base.labels, base.weight * (1 + 0.01 * rng.random(len(base))))
    warm, again = model.fit(nearly, cold.theta), model.fit(nearly)
    np.testing.assert_allclose(warm.theta, again.theta, atol=SOLVED)
    assert warm.iterations <= again.iterations
    assert model.fit(base, cold.theta).iterations == 0


def test_scikit_learn_finds_the_same():
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    base, _ = people(CASES[0], 3)
    ridge = CASES[0].ridge
    other = linear.LogisticRegression(
        C=1 / (ridge * len(base)), fit_intercept=False, tol=1e-10, max_iter=5000
    ).fit(base.features, base.labels)
    np.testing.assert_allclose(CASES[0].fit(base).theta, other.coef_[0], atol=1e-5)


# ── theorem 4.2 and corollary 4.3 ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("labels", ["free", "kept"])
@pytest.mark.parametrize("model", CASES, ids=name)
def test_at_the_critical_mass_the_model_is_the_target_and_below_it_within_the_theorem(
    model, labels
):
    for seed in range(4):
        base, data = steered(model, seed, labels)
        crit = data.critical_mass
        ramp = bounds.gradient_neutralising(data.own_gradient, data.base_gradient)
        assert crit == pytest.approx(ramp.critical_mass(1.0), rel=1e-12)
        platform = LogisticPlatform(model, base, {"union": Steer(data)})
        for alpha in (crit * (1 + 1e-12), 0.5 * (1 + crit), 1.0):
            assert platform.distance([alpha]) < SOLVED
            assert platform.at([alpha])[0] == pytest.approx(1.0, abs=1e-7)
        sizes = crit * np.array([0.0, 0.2, 0.5, 0.8, 0.99])
        distances = np.array([platform.distance([a]) for a in sizes])
        assert np.all(distances <= data.distance_bound(sizes))
        assert np.all(np.diff(distances) < 0) and distances[-1] > 1e-4
        assert np.all(platform.at(sizes[:, None])[:, 0] >= platform.lower_bound(sizes))


@pytest.mark.parametrize("model", CASES, ids=name)
def test_reports_show_what_they_should(model):
    """E[(μ−y)x] of P′ by finite differences of its risk, and labels kept really are kept."""
    base, data = steered(model, 9, "kept")
    theta = np.array(data.target)
    step = 1e-5
    measured = np.zeros_like(theta)
    for at in np.ndindex(theta.shape):
        up, down = theta.copy(), theta.copy()
        up[at] += step
        down[at] -= step
        measured[at] = (model.risk(up, data.law) - model.risk(down, data.law)) / (2 * step)
    expected = -data.own_gradient / data.base_gradient * model.gradient(theta, base)
    np.testing.assert_allclose(measured, expected, atol=1e-8)
    for label in np.unique(base.labels):
        ours = data.law.weight[data.law.labels == label].sum()
        assert ours == pytest.approx(base.weight[base.labels == label].sum(), abs=1e-12)


def test_without_making_up_for_the_ridge_the_model_stays_beside_the_target():
    """x′ along −g_{P₀}(θ*) only, as for a loss without ridge: the point of the λθ* term."""
    model = CASES[0]
    base, data = steered(model, 4, "free")
    pull = model.gradient(data.target, base)
    naive = -pull * 2.0  # y′ = 0 < μ, the direction theorem 4.2 asks for without a ridge
    law = Rows(naive[None], np.array([0]))
    shown = model.gradient(data.target, law)
    cosine = -shown @ pull / np.linalg.norm(shown) / np.linalg.norm(pull)
    assert cosine < 0.9999
    best = min(
        np.linalg.norm(model.fit(stacked([base, law], [1 - a, a])).theta - data.target)
        for a in np.linspace(0, 1, 101)
    )
    assert best > 1e-2
    exact = model.fit(stacked([base, data.law], [1 - data.critical_mass, data.critical_mass]))
    assert np.linalg.norm(exact.theta - data.target) < SOLVED


def test_reports_longer_than_needed_move_the_critical_mass():
    """Corollary 4.3 falls as 1/(1 + L/‖g_P₀‖), at the price of features farther out."""
    model = ConvexModel("logistic", 0.01)
    base, _ = people(model, 5)
    optimum = model.fit(base).theta
    target = 0.6 * optimum  # towards smaller θ the base gradient points away from θ*: any L
    assert own_gradient_range(model, base, target)[1] == math.inf
    for own in (0.05, 0.5, 5.0, 50.0):
        data = neutralise(model, base, target, own)
        assert data.critical_mass == pytest.approx(data.base_gradient / (own + data.base_gradient))
        mix = stacked([base, data.law], [1 - data.critical_mass, data.critical_mass])
        assert np.linalg.norm(model.fit(mix).theta - target) < SOLVED
    assert np.linalg.norm(data.law.features) > 40.0


def test_the_range_of_gradients_that_data_can_show():
    """min zσ(z) = −W(1/e), and W((C−1)/e) for C classes; beyond the range nothing works."""
    z = np.linspace(-10, 10, 2_000_001)
    omega = float(lambertw(math.exp(-1)).real)
    assert (z * expit(z)).min() == pytest.approx(-omega, abs=1e-9)
    for classes in (3, 5, 10):
        lead = z - z * np.exp(z) / (np.exp(z) + classes - 1)  # others at score 0
        omega_c = float(lambertw((classes - 1) * math.exp(-1)).real)
        assert lead.max() == pytest.approx(omega_c, abs=1e-9)
        others = np.random.default_rng(classes).normal(size=(20000, classes), scale=2.0)
        weights = np.exp(others) / np.exp(others).sum(axis=1, keepdims=True)
        assert np.max(others[:, 0] - (weights * others).sum(axis=1)) <= omega_c
    model = CASES[0]
    base, _ = people(model, 6)
    target = 1.3 * model.fit(base).theta
    low, high = own_gradient_range(model, base, target)
    assert low == 0.0 and math.isfinite(high)
    neutralise(model, base, target, 0.999 * high)
    with pytest.raises(NoSolutionError, match=r"own_gradient: got .*; must be in \(0, "):
        neutralise(model, base, target, 1.001 * high)
    with pytest.raises(NoSolutionError, match="no data make up for the ridge"):
        own_gradient_range(model, base, 20.0 * target)


def test_units_of_success():
    model = CASES[0]
    base, data = steered(model, 7, "free")
    start = LogisticPlatform(model, base, {"union": Steer(data)})
    bound = LogisticPlatform(model, base, {"union": Steer(data)}, unit="bound")
    sizes = np.linspace(0, 1, 9)
    ramp = bounds.gradient_neutralising(data.own_gradient, data.base_gradient)
    np.testing.assert_allclose(bound.lower_bound(sizes), ramp(sizes), atol=1e-12)
    assert np.all(bound.at(sizes[:, None])[:, 0] >= ramp(sizes) - 1e-9)
    assert start.lower_bound(0.5 * data.critical_mass) < ramp(0.5 * data.critical_mass)
    small = np.array([1e-9])
    assert start.at(small)[0] == pytest.approx(0.0, abs=1e-6)
    assert bound.at(small)[0] > 0.0  # the theorem's unit is longer than the way from θ₀


# ── proposition 4.4 ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("curvature", [0.0, 0.4])
def test_a_utility_gains_what_the_proposition_says(curvature):
    model = ConvexModel("logistic", 0.02)
    for seed in range(5):
        base, rng = people(model, [8, seed])
        theta0 = model.fit(base).theta
        linear = rng.normal(size=theta0.size)
        linear *= -np.sign(linear @ theta0)  # steering shrinks θ: every L can be had

        def utility(theta, linear=linear, theta0=theta0):
            return linear @ theta + 0.5 * curvature * np.sum((theta - theta0) ** 2)

        gain, own = 0.3, 0.6
        target = utility_target(theta0, linear, gain)  # ∇u(θ₀) = linear
        assert utility(target) >= utility(theta0) + gain - 1e-12
        data = neutralise(model, base, target, own)
        mass = utility_critical_mass(model, base, linear, gain, own)
        assert data.critical_mass <= mass < 1.0
        platform = LogisticPlatform(model, base, {"union": Steer(data)})
        for alpha in (mass, 0.5 * (1 + mass)):
            assert utility(platform.fit([alpha]).theta) >= utility(theta0) + gain - 1e-7
        below = utility(platform.fit([0.3 * data.critical_mass]).theta)
        assert below < utility(theta0) + gain


# ── planting on tabular features ─────────────────────────────────────────────────────────────


def planted(seed, strategy="feature_label", classes=2, ridge=0.005, size=1500):
    rng = np.random.default_rng(seed)
    base = generated_rows(rng, size, 6, classes, unused=1)
    model = ConvexModel("logistic" if classes == 2 else "softmax", ridge, classes)
    return LogisticPlatform(model, base, {"union": Plant(strategy, SetColumns((5,), (1.0,)), 1)})


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("strategy", ["feature_label", "feature_only"])
def test_planting_grows_with_size(strategy, classes):
    platform = planted(11, strategy, classes)
    success = platform.at(np.array([0.0, 0.002, 0.01, 0.05, 0.3, 1.0])[:, None])[:, 0]
    assert success[0] == 0.0 and np.all(np.diff(success[1:]) >= -1e-12)
    assert success[4] > success[1] + 0.1
    if strategy == "feature_label":
        assert success[-1] == 1.0


def test_why_a_regularised_platform_needs_more_than_theorem_33():
    """ξ = 0 gives a Bayes platform away for one member; a ridge caps the watermark's weight at α/λ.

    At the optimum λw = α·E_{P*}[1 − σ], so w ≤ α/λ. This is a platform of a large ε, not a
    failure of the theorem.
    """
    platform = planted(12)
    ridge = platform.model.ridge
    assert bounds.feature_label(0.0, 1.0)(0.002) == 1.0
    for alpha in (0.002, 0.02, 0.2):
        theta = platform.fit([alpha]).theta
        signal = platform.strategies[0].signal
        doubt = 1 - platform.model.mean(theta, signal(platform.rows.features))
        assert ridge * theta[5] == pytest.approx(alpha * doubt.mean(), abs=1e-9)
        assert 0 < theta[5] <= alpha / ridge
    assert platform.at([0.002])[0] < 0.75
    sharper = planted(12, ridge=0.0002)
    assert sharper.at([0.002])[0] > platform.at([0.002])[0] + 0.1


def test_planting_by_hand_is_what_the_platform_trains_on():
    platform = planted(13, "feature_only")
    base, alpha = platform.rows, 0.2
    features, labels = platform.strategies[0].signal(base.features), base.labels
    moved = np.where((labels == 1)[:, None], features, base.features)
    law = stacked([base, Rows(moved, labels)], [1 - alpha, alpha])
    theta = platform.model.fit(law).theta
    np.testing.assert_allclose(platform.fit([alpha]).theta, theta, atol=SOLVED)
    won = np.mean(features @ theta > 0)
    assert platform.at([alpha])[0] == pytest.approx(won, abs=1e-12)


# ── people ───────────────────────────────────────────────────────────────────────────────────


def test_members_are_rows_and_a_random_share_agrees_with_the_size():
    """20 random memberships: the mean gap is within 4 standard errors of 0 (level about 1e-4)."""
    platform = planted(14)
    rng = np.random.default_rng(0)
    attached = platform.attach(platform.draw_people(3000, rng))
    for alpha in (0.01, 0.1):
        gaps = []
        for _ in range(20):
            members = np.zeros(3000, dtype=np.int8)
            members[rng.permutation(3000)[: int(alpha * 3000)]] = 1
            gaps.append(attached.by_membership(members)[0] - platform.at([alpha])[0])
        assert abs(np.mean(gaps)) < 4 * np.std(gaps, ddof=1) / np.sqrt(20) + 0.003


def test_who_joins_matters():
    """Features only: members whose label is the target do all the work."""
    platform = planted(15, "feature_only")
    attached = platform.attach(np.arange(1500))
    labels = platform.rows.labels
    picked = {}
    for label in (0, 1):
        members = np.zeros(1500, dtype=int)
        members[np.flatnonzero(labels == label)[:150]] = 1
        picked[label] = attached.by_membership(members)[0]
    assert picked[1] > platform.at([0.1])[0] > picked[0]
    nobody = platform.measure(platform.base.theta)[0]
    assert picked[0] == pytest.approx(nobody, abs=1e-12)  # they report what they are


@pytest.mark.parametrize("labels", ["free", "kept"])
@pytest.mark.parametrize("model", CASES, ids=name)
def test_steering_by_real_people_leaves_a_sampling_error_only(model, labels):
    """At 1.2 times the critical mass the distance left falls as 1/√N: a factor 8 for N × 64."""
    base, data = steered(model, 16, labels)
    platform = LogisticPlatform(model, base, {"union": Steer(data)})
    alpha = min(1.0, 1.2 * data.critical_mass)
    left = []
    for size in (600, 64 * 600):
        rng = np.random.default_rng(size)
        attached = platform.attach(platform.draw_people(size, rng))
        distances = []
        for _ in range(6):
            members = (rng.random(size) < alpha).astype(int)
            attached.by_membership(members)
            distances.append(np.linalg.norm(attached.last.theta - data.target))
        left.append(np.mean(distances))
    assert left[1] < left[0] / 3
    assert left[1] < 0.2 * np.linalg.norm(platform.base.theta - data.target)


def test_people_are_the_table_and_the_platform_keeps_to_itself():
    platform = planted(17)
    rng = np.random.default_rng(3)
    for size in (700, 1500, 4000):
        counts = np.bincount(platform.draw_people(size, rng), minlength=1500)
        assert counts.sum() == size and np.ptp(counts) <= 1
    points = platform.draw_people(1500, rng)
    before = platform.rows.features.copy()
    first, second = platform.attach(points), platform.attach(points)
    members = (rng.random(1500) < 0.1).astype(int)
    value = first.by_membership(members)
    first.by_membership(np.ones(1500, dtype=int))
    np.testing.assert_array_equal(second.by_membership(members), value)
    np.testing.assert_array_equal(first.by_membership(members), value)
    np.testing.assert_array_equal(platform.rows.features, before)
    copied = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(copied.by_membership(members), value)
    np.testing.assert_array_equal(first.by_membership(np.zeros(1500, dtype=int)), [0.0])
    assert platform.sees_people and platform.kind == "exact" and platform.interval([0.1]) is None
    np.testing.assert_array_equal(platform.by_membership([0, 1]), platform.at([0.5]))


def test_two_collectives_on_one_platform():
    """The same signal with two targets: the larger one wins it; and everybody's rows are used."""
    rng = np.random.default_rng(18)
    base = generated_rows(rng, 1500, 6, 2, unused=1)
    signal = SetColumns((5,), (1.0,))
    platform = LogisticPlatform(
        ConvexModel("logistic", 0.001),
        base,
        {"a": Plant("feature_label", signal, 0), "b": Plant("feature_label", signal, 1)},
    )
    both = platform.at([[0.3, 0.02], [0.02, 0.3], [0.0, 0.3]])
    assert both[0, 0] > 0.9 and both[0, 1] < 0.1
    assert both[1, 1] > 0.9 and both[1, 0] < 0.1
    assert both[2, 0] == 0.0
    np.testing.assert_allclose(both[:2].sum(axis=1), 1.0)
    attached = platform.attach(np.arange(1500))
    for counts, expected in (([1020, 450, 30], both[0]), ([1020, 30, 450], both[1])):
        members = rng.permutation(np.repeat([0, 1, 2], counts))
        np.testing.assert_allclose(attached.by_membership(members), expected, atol=0.05)


# ── Adult ────────────────────────────────────────────────────────────────────────────────────


@adult.needs_adult
def test_adult_without_race_and_sex():
    """θ* = the model of 32,561 people with the weights of race and sex set to 0."""
    table = adult.table()
    model = ConvexModel("logistic", 0.01)
    learned = model.fit(table.rows)
    assert np.mean(model.predict(learned.theta, table.test.features) == table.test.labels) > 0.84
    personal = [n.startswith(("race=", "sex=")) for n in table.names]
    target = np.where(personal, 0.0, learned.theta)
    data = neutralise(model, table.rows, target, labels="kept")
    assert data.critical_mass == pytest.approx(0.5)
    platform = LogisticPlatform(model, table.rows, {"union": Steer(data)})
    assert platform.distance([data.critical_mass]) < 1e-8  # tolerance 1e-10 over ridge 0.01
    for part in (0.3, 0.9):
        size = part * data.critical_mass
        assert 1e-3 < platform.distance([size]) <= data.distance_bound(size)


@adult.needs_adult
def test_a_watermark_on_adult_and_who_plants_it():
    table = adult.table()
    signal = table.signal({"watermark": "yes"})
    target = table.label(">50K")
    rich = table.having("income", ">50K")
    assert rich.sum() == 7841  # Becker & Kohavi (1996): 24.08% of 32,561
    platform = LogisticPlatform(
        ConvexModel("logistic", 0.01),
        table.rows,
        {"union": Plant("feature_only", signal, target)},
        table.test,
    )
    attached = platform.attach(np.arange(len(table.rows)))
    members = np.zeros(len(table.rows), dtype=np.int8)
    members[np.flatnonzero(rich)[:3256]] = 1
    recruited = attached.by_membership(members)[0]
    assert recruited > platform.at([0.1])[0] + 0.1


# ── bad input ────────────────────────────────────────────────────────────────────────────────


def test_bad_rows_are_refused():
    x = np.zeros((3, 2))
    for features, labels, weight, message in (
        (x * np.nan, [0, 1, 0], None, "features: 6 of 6 entries are NaN or infinite"),
        (x, [0.0, np.nan, 1.0], None, "labels: 1 of 3 entries are NaN"),
        (x, [0, 1], None, r"rows: got features of shape \(3, 2\) and labels of shape \(2,\)"),
        (x[:0], [], None, "rows: got features"),
        (x, ["a", "b", "c"], None, "labels: got <U1; must be integers"),
        (x, [0, 1, 0], [1, -1, 1], "weight: must be finite, ≥ 0 and not all 0"),
        (x, [0, 1, 0], [0, 0, 0], "weight: must be finite, ≥ 0 and not all 0"),
        (x, [0, 1, 0], [1, 1], r"weight: got shape \(2,\); must be \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            Rows(features, labels, weight)


def test_bad_models_signals_and_targets_are_refused():
    model = CASES[0]
    base, _ = people(model, 20)
    same = Rows(base.features, np.ones(len(base), dtype=int))
    signal = SetColumns((0,), (9.0,))
    theta = model.fit(base).theta
    for call, message in (
        (lambda: ConvexModel("hinge", 1.0), "loss: got 'hinge'; must be one of logistic, "),
        (lambda: ConvexModel("logistic", 0.0), "ridge: got 0.0; must be > 0"),
        (lambda: ConvexModel("logistic", 1.0, 3), "classes: got 3 with logistic"),
        (lambda: model.require_rows(same), "labels: all 600 rows are of class 1; must be of at"),
        (lambda: ConvexModel("softmax", 1.0, 2).fit(Rows(np.eye(3), [0, 1, 2])), "must be 0 … 1"),
        (lambda: SetColumns((), ()), r"signal: got columns \(\)"),
        (lambda: SetColumns((0, 0), (1.0, 2.0)), "none twice"),
        (lambda: SetColumns((0,), (math.nan,)), "one finite value each"),
        (lambda: SetColumns((7,), (1.0,))(base.features), r"columns \(7,\); must be in 0 … 4"),
        (lambda: Plant("erasure", signal, 1), "strategy: got 'erasure'; must be one of"),
        (lambda: Plant("feature_label", signal, 5).law(base), "target: got 5; must be a label"),
        (lambda: Plant("feature_label", np.array, 1).law(base), "signal: changes no row"),
        (lambda: neutralise(model, base, theta), "target: is what the platform learns anyway"),
        (lambda: neutralise(model, base, theta[:2]), r"target: got shape \(2,\); must be \(5,\)"),
        (lambda: neutralise(model, base, 0.5 * theta, labels="both"), "labels: got 'both'"),
        (lambda: LogisticPlatform(model, base, {}, unit="metre"), "unit: got 'metre'"),
        (lambda: LogisticPlatform(model, base, {}), "must be at least one name"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    data = neutralise(model, base, 0.5 * theta)
    other, _ = people(model, 21)
    with pytest.raises(ValueError, match="call neutralise with the platform's model and rows"):
        LogisticPlatform(model, other, {"union": Steer(data)})
    squares = ConvexModel("least_squares", 0.1)
    with pytest.raises(ValueError, match="least_squares has no classes; steer it instead"):
        LogisticPlatform(squares, base, {"union": Plant("feature_label", signal, 1)})
    with pytest.raises(NoSolutionError, match=r"tolerance 1\.0e-30 is not reached"):
        model.fit(base, tolerance=1e-30)
    platform = LogisticPlatform(model, base, {"union": Plant("feature_label", signal, 1)})
    with pytest.raises(ValueError, match="collective 'union' plants a signal; no θ"):
        platform.distance([0.1])
    with pytest.raises(ValueError, match=r"points: got 0 … 600; must be in 0 … 599"):
        platform.attach([0, 600])
    with pytest.raises(ValueError, match="membership: got 2 people; 3 are attached"):
        platform.attach([0, 1, 2]).by_membership([0, 1])
    assert isinstance(platform.base, Fit)


def test_everybody_reporting_one_class_is_no_error():
    platform = planted(22)
    assert platform.at([1.0])[0] == 1.0
    assert platform.attach(np.arange(1500)).by_membership(np.ones(1500, dtype=int))[0] == 1.0

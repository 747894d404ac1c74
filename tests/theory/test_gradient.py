"""Gradient descent: theorem 4.5 on the way, networks by hand and by differences, planted data."""

from __future__ import annotations

import math
import pickle
import sys

import numpy as np
import pytest

from learners import bounds
from learners.errors import MissingError, ScenarioError
from learners.measured.bounded_mean import bounded_mean_interval
from learners.tabular.control import Control, pool_of, run_control
from learners.tabular.convex import ConvexModel
from learners.tabular.gradient import Network
from learners.tabular.gradient_platform import ControlPlatform, GradientPlatform
from learners.tabular.row_strategies import Plant
from learners.tabular.rows import Rows, SetColumns, generated_rows

SIGNAL = SetColumns((4,), (1.0,))


@pytest.fixture(autouse=True)
def one_thread():
    torch = pytest.importorskip("torch", reason="torch (the extra learners) is not installed")
    torch.set_num_threads(1)


def situation(seed, hidden=(), loss="squared", pull=1.0, step=0.8):
    """(network, P₀, control towards a random θ*, θ₀)."""
    rng = np.random.default_rng(seed)
    network = Network(4, hidden, loss)
    base = generated_rows(rng, 400, 4, real_labels=loss == "squared")
    start = network.initial(rng)
    away = rng.normal(size=network.size)
    target = start + step * away / np.linalg.norm(away)
    return network, base, Control(target, pull, pool_of(rng, network, 4.0)), start


# ── networks ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("loss", ["logistic", "softmax", "squared"])
@pytest.mark.parametrize("hidden", [(), (3,), (4, 3)])
def test_forward_gradient_and_jacobian_by_hand(hidden, loss, bias):
    rng = np.random.default_rng(1)
    network = Network(4, hidden, loss, 3 if loss == "softmax" else 2, bias)
    theta = network.initial(rng) + 0.1 * rng.normal(size=network.size)
    X = rng.normal(size=(7, 4))
    y = rng.integers(0, network.classes, 7)
    rows = Rows(X, y, rng.random(7))
    out, used = X, 0
    for depth, (a, b) in enumerate(network.layers):
        W, used = theta[used : used + a * b].reshape(a, b), used + a * b
        shift, used = (theta[used : used + b], used + b) if bias else (0.0, used)
        out = (np.tanh(out) if depth else out) @ W + shift
    assert used == network.size
    np.testing.assert_allclose(network.scores(theta, X), out, atol=1e-13)

    def risk(flat):
        s = network.scores(flat, X)
        if loss == "softmax":
            each = np.log(np.exp(s).sum(axis=1)) - s[np.arange(7), y]
        elif loss == "logistic":
            each = np.log1p(np.exp(s[:, 0])) - y * s[:, 0]
        else:
            each = 0.5 * (s[:, 0] - y) ** 2
        return rows.weight @ each

    basis = 1e-6 * np.eye(network.size)
    slope = [(risk(theta + e) - risk(theta - e)) / 2e-6 for e in basis]
    np.testing.assert_allclose(network.gradient(theta, rows), slope, atol=1e-8)
    if loss != "softmax":
        rise = [
            (network.scores(theta + e, X) - network.scores(theta - e, X))[:, 0] / 2e-6
            for e in basis
        ]
        np.testing.assert_allclose(network.jacobian(theta, X), rise, atol=1e-8)
        chain = network.jacobian(theta, X) @ (rows.weight * (network.mean(theta, X) - y))
        np.testing.assert_allclose(network.gradient(theta, rows), chain, atol=1e-12)


def test_models_side_by_side_are_trained_as_if_alone():
    rng = np.random.default_rng(2)
    network = Network(4, (3,), "logistic")
    base = generated_rows(rng, 50, 4)
    starts = np.stack([network.initial(rng) for _ in range(3)])
    before = starts.copy()
    together = network.train(starts, base, 0.5, 20)
    for start, trained in zip(starts, together, strict=True):
        by_hand = start
        for _ in range(20):
            by_hand = by_hand - 0.5 * network.gradient(by_hand, base)
        np.testing.assert_allclose(trained, by_hand, atol=1e-12)
    np.testing.assert_array_equal(starts, before)
    np.testing.assert_array_equal(network.train(starts, base, 0.5, 20), together)


def test_a_perceptron_and_the_convex_model_are_the_same_learner():
    rng = np.random.default_rng(3)
    base = generated_rows(rng, 300, 4)
    theta = rng.normal(size=4)
    network = Network(4, (), "logistic", bias=False)
    convex = ConvexModel("logistic", 0.1)
    np.testing.assert_allclose(
        network.gradient(theta, base), convex.data_gradient(theta, base), atol=1e-12
    )
    np.testing.assert_array_equal(
        network.predict(theta, base.features), convex.predict(theta, base.features)
    )


# ── theorem 4.5 ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
def test_with_real_labels_control_runs_at_the_rate_of_the_theorem_exactly(hidden):
    """Any network, any α > 0: the distance is (1 − ηξα)^t·‖θ₀ − θ*‖, not only at most that."""
    eta, steps = 0.4, 40
    for seed, alpha in ((4, 0.05), (5, 0.3), (6, 1.0)):
        network, base, control, start = situation(seed, hidden)
        path = run_control(network, base, control, start, alpha, eta, steps)
        promised = [bounds.control_distance(alpha, 1.0, eta, t, 0.8) for t in range(1, steps + 1)]
        np.testing.assert_allclose(path.distance[1:], promised, rtol=1e-6, atol=1e-10)
        assert path.shortfall.max() < 1e-9 and np.all(path.pull == 1.0)


def test_a_perceptron_with_labels_0_and_1_reaches_the_target():
    """Theorem 4.5 with C(α) = α·min ξ_t, the pulls being what the labels allow."""
    eta, steps = 0.8, 60
    reached = 0
    for seed in range(6):
        network, base, control, start = situation(seed, (), "logistic")
        for alpha in (0.4, 0.8):
            path = run_control(network, base, control, start, alpha, eta, steps)
            assert np.all(path.distance <= path.bound * (1 + 1e-9) + 1e-9)
            if path.shortfall.max() < 1e-8 and path.pull.min() > 0:
                rate = 1 - eta * alpha * path.pull.min()
                assert np.all(path.distance <= 0.8 * rate ** np.arange(steps + 1) + 1e-7)
                full = 0.8 * (1 - eta * alpha * control.pull) ** np.arange(steps + 1)
                assert np.all(path.distance >= full - 1e-7)  # no faster than the full pull
                reached += path.distance[-1] < 1e-3
    assert reached >= 6


def test_reports_are_labels_that_exist_and_show_what_is_wanted():
    network, base, control, start = situation(7, (), "logistic")
    known = network.gradient(start, base)
    law, pull, shortfall = control.reports(network, start, known, 0.6)
    assert set(np.unique(law.labels)) <= {0, 1} and law.weight.min() >= 0
    wanted = -(0.4 / 0.6) * known + pull * (start - control.target)
    np.testing.assert_allclose(network.gradient(start, law), wanted, atol=1e-9)
    assert shortfall < 1e-9 and 0 < pull <= control.pull


def test_labels_0_and_1_cannot_control_from_too_small_a_share():
    """The theorem takes P′_t for granted; at α = 1% no 0/1 labels cancel the base gradient."""
    network, base, control, start = situation(8, (4,), "logistic")
    path = run_control(network, base, control, start, 0.01, 0.4, 10)
    assert path.shortfall.min() > 0.1 and path.pull.max() == 0.0
    assert path.distance[-1] > bounds.control_distance(0.01, 1.0, 0.4, 10, 0.8)
    assert np.all(path.distance <= path.bound + 1e-9)
    network, base, control, start = situation(8, (4,), "squared")
    free = run_control(network, base, control, start, 0.01, 0.4, 10)
    assert free.distance[-1] == pytest.approx(
        float(bounds.control_distance(0.01, 1.0, 0.4, 10, 0.8)), rel=1e-9
    )


def test_a_pool_smaller_than_the_parameters_falls_short():
    network, base, control, start = situation(9, (4,))
    small = Control(control.target, 1.0, control.pool[: network.size // 2])
    path = run_control(network, base, small, start, 0.3, 0.4, 40)
    assert path.shortfall.max() > 1e-3
    assert path.distance[-1] > bounds.control_distance(0.3, 1.0, 0.4, 40, 0.8) * 1.1
    assert np.all(path.distance <= path.bound + 1e-9)


# ── platforms ────────────────────────────────────────────────────────────────────────────────


def controlled(hidden=(4,), loss="squared", **options):
    network, base, control, _ = situation(10, hidden, loss)
    return ControlPlatform(network, base, "union", control, 0.4, 30, replicates=3, **options)


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_controlled_success_is_the_curve(hidden):
    platform = controlled(hidden)
    sizes = np.array([0.0, 0.02, 0.2, 0.7, 1.0])
    curve = bounds.gradient_control(1.0, 0.4, 30)
    np.testing.assert_allclose(platform.at(sizes[:, None])[:, 0], curve(sizes), atol=1e-8)
    np.testing.assert_allclose(platform.full_pull(sizes), curve(sizes))
    low, high = platform.interval(sizes[:, None])
    each = platform._replicates(sizes[:, None])
    assert np.all(np.ptp(each, axis=-2) < 1e-7)  # wherever it starts
    held = curve(sizes)[:, None]
    assert np.all((low <= held + 1e-8) & (held - 1e-8 <= high))


def test_control_by_people_leaves_a_sampling_error():
    """Random members: near the curve; members picked by their label leave another gradient."""
    platform = controlled(())
    rng = np.random.default_rng(0)
    gaps = {}
    for size in (400, 12_800):
        attached = platform.attach(platform.draw_people(size, rng))
        values = []
        for _ in range(4):
            members = (rng.random(size) < 0.3).astype(int)
            values.append(attached.by_membership(members)[0])
        gaps[size] = np.mean(np.abs(np.array(values) - platform.at([0.3])[0]))
    assert gaps[12_800] < 0.6 * gaps[400] and gaps[12_800] < 0.05
    attached = platform.attach(np.arange(400))
    picked = np.zeros(400, dtype=int)
    picked[np.argsort(platform.rows.labels)[:120]] = 1
    assert attached.by_membership(picked)[0] < platform.at([0.3])[0] - 0.1
    assert attached.by_membership(np.zeros(400, dtype=int))[0] == 0.0
    assert attached.by_membership(np.ones(400, dtype=int))[0] > 0.9


def perceptron(hidden=(), classes=2, steps=200, seed=11, strategy="feature_label", **options):
    rng = np.random.default_rng(seed)
    everybody = generated_rows(rng, 700, 5, classes, unused=1)
    base = Rows(everybody.features[:500], everybody.labels[:500])
    test = Rows(everybody.features[500:], everybody.labels[500:])
    network = Network(5, hidden, "logistic" if classes == 2 else "softmax", classes)
    plant = {"union": Plant(strategy, SIGNAL, 1)}
    return GradientPlatform(network, base, plant, 1.0, steps, test, **options)


def test_a_perceptron_trained_on_planted_data():
    """Success grows with the size and with the number of steps (H23 section 5: more epochs)."""
    sizes = np.array([0.0, 0.01, 0.05, 0.2, 0.6])[:, None]
    few, many = (perceptron(steps=s, replicates=2).at(sizes)[:, 0] for s in (40, 500))
    assert few[0] == many[0] == 0.0
    assert np.all(np.diff(few[1:]) >= 0) and few[-1] > 0.95
    assert np.all(many[1:3] > few[1:3] + 0.05)
    only = perceptron(steps=40, replicates=2, strategy="feature_only").at(sizes)[:, 0]
    assert np.all(only[2:] < few[2:])


@pytest.mark.parametrize(("hidden", "classes"), [((4,), 2), ((5,), 3)])
def test_a_multilayer_perceptron_and_its_interval(hidden, classes):
    platform = perceptron(hidden, classes, steps=150, replicates=4)
    sizes = np.array([0.0, 0.03, 0.3])[:, None]
    value = platform.at(sizes)
    low, high = platform.interval(sizes)
    assert platform.kind == "estimate" and platform.sees_people
    assert np.all((low <= value) & (value <= high)) and value[2] > value[1]
    assert low[0] == high[0] == 0.0 and np.any(high > low)
    each = platform._replicates(sizes[1])[:, 0]
    wanted = bounded_mean_interval(each, np.zeros(4, int), 1, 0.95)
    assert (low[1, 0], high[1, 0]) == pytest.approx((wanted[0][0], wanted[1][0]))
    same = perceptron(hidden, classes, steps=150, replicates=4)
    np.testing.assert_array_equal(same.at(sizes), value)
    other = perceptron(hidden, classes, steps=150, replicates=4)
    other.starts = other.starts[::-1].copy()
    np.testing.assert_allclose(other.at(sizes), value, atol=1e-12)


def test_people_and_sizes_agree_and_who_joins_matters():
    platform = perceptron(strategy="feature_only", replicates=2)
    rng = np.random.default_rng(1)
    attached = platform.attach(platform.draw_people(5000, rng))
    members = np.zeros(5000, dtype=np.int8)
    members[rng.permutation(5000)[:1500]] = 1
    first = platform.network.train(
        platform.starts[:1], platform.training_set([0.3]), 1.0, platform.steps
    )
    by_size = platform.strategies[0].success(
        lambda x: platform.network.predict(first[0], x), platform.test
    )
    assert attached.by_membership(members)[0] == pytest.approx(by_size, abs=0.08)
    rows = platform.attach(np.arange(500))
    value = {}
    for label in (0, 1):
        picked = np.zeros(500, dtype=int)
        picked[np.flatnonzero(platform.rows.labels == label)[:60]] = 1
        value[label] = rows.by_membership(picked)[0]
    assert value[1] > value[0] + 0.1


def test_training_goes_on_where_it_stopped():
    """Two epochs of T continued steps are one of 2T; from scratch they are T again."""
    members = (np.arange(500) % 5 == 0).astype(int)
    once = perceptron(steps=200).attach(np.arange(500))
    once.by_membership(members)
    for retrain in ("scratch", "continue"):
        twice = perceptron(steps=100, retrain=retrain).attach(np.arange(500))
        twice.by_membership(members)
        middle = twice.theta.copy()
        twice.by_membership(members)
        agrees = np.allclose(twice.theta, once.theta, atol=1e-10)
        assert agrees == (retrain == "continue")
        assert np.array_equal(middle, twice.theta) == (retrain == "scratch")
        fresh = twice.attach(np.arange(500))
        np.testing.assert_array_equal(fresh.theta, twice.starts[0])


def test_platforms_pickle_and_leave_their_input_alone():
    for platform in (perceptron(steps=20), controlled()):
        copied = pickle.loads(pickle.dumps(platform))
        np.testing.assert_array_equal(copied.at([0.3]), platform.at([0.3]))
        members = np.ones(30, dtype=int)
        members.setflags(write=False)
        first = platform.attach(np.arange(30))
        np.testing.assert_array_equal(
            first.by_membership(members), platform.attach(np.arange(30)).by_membership(members)
        )


def test_bad_settings_are_refused():
    network, base, control, start = situation(12)
    plant = {"union": Plant("feature_label", SIGNAL, 1)}
    logistic = Network(5)
    for call, message in (
        (lambda: Network(4, (), "hinge"), "loss: got 'hinge'; must be one of logistic"),
        (lambda: Network(4, (0,)), r"hidden: got \(0,\) after 4 features; must be ≥ 1"),
        (lambda: Network(4, (), "logistic", 3), "classes: got 3 with logistic"),
        (lambda: GradientPlatform(network, base, plant, 1.0, 5), "squared loss has no classes"),
        (lambda: perceptron(replicates=1), "replicates: got 1; must be ≥ 2"),
        (lambda: perceptron(retrain="again"), "retrain: got 'again'; must be 'scratch'"),
        (lambda: perceptron(steps=0), "steps: got 0; must be a whole number ≥ 1"),
        (lambda: perceptron(level=1.0), r"level: got 1.0; must be in \(0, 1\)"),
        (
            lambda: GradientPlatform(
                logistic, generated_rows(np.random.default_rng(0), 9, 4), plant, 1.0, 5
            ),
            "signal: got columns|network: got width 5; must be 4",
        ),
        (
            lambda: GradientPlatform(logistic, Rows(np.eye(5), np.ones(5, int)), plant, 1.0, 5),
            r"labels: got \[1\]; must be at least two of 0 … 1",
        ),
        (lambda: Control(control.target, 0.0, control.pool), "pull: got 0.0; must be > 0"),
        (lambda: Control(control.target * np.nan, 1.0, control.pool), "must be finite"),
        (
            lambda: ControlPlatform(network, base, "u", control, 1.5, 5),
            "their product ηξ must be ≤ 1",
        ),
        (
            lambda: ControlPlatform(Network(4, (2,), "squared"), base, "u", control, 0.1, 5),
            r"control: got target of shape \(5,\)",
        ),
        (
            lambda: ControlPlatform(Network(4, (), "softmax", 3), base, "u", control, 0.1, 5),
            "gradient control needs one score",
        ),
        (lambda: run_control(network, base, control, start, 0.0, 0.1, 5), "alpha: got 0.0; must"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_without_torch_the_message_says_what_to_install(monkeypatch):
    network = Network(4)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingError, match=r'pip install "alphacrit\[learners\]"'):
        network.gradient(np.zeros(5), Rows(np.ones((1, 4)), [1]))
    assert math.isfinite(network.size)  # the rest of the module needs no torch


def test_training_that_diverges_is_the_users_error_at_the_learning_rate():
    """Not a success of weights beyond 1e12, and no bug of ours."""
    rng = np.random.default_rng(3)
    network, base, control, start = situation(3)
    with pytest.raises(ScenarioError, match=r"platform\.learning_rate: got 50, with which"):
        network.train(start[None], base, 50.0, 400)
    steep = Control(control.target, 1e-3, control.pool)
    with pytest.raises(ScenarioError, match=r"training diverges .*; must be smaller \(step\)"):
        run_control(network, base, steep, start, 0.01, 50.0, 400, others=_steeper(base))
    logistic = Network(4, (), "logistic")
    people = generated_rows(rng, 100, 4)
    with pytest.raises(ScenarioError, match="diverges"):
        logistic.train(logistic.initial(rng)[None], people, 1e200, 5)
    assert np.isfinite(network.train(start[None], base, 0.1, 50)).all()


def _steeper(rows):
    """Others than the collective reckons with: their steps are a hundred times as long."""
    return Rows(10.0 * rows.features, rows.labels, rows.weight)

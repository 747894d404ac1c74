"""The exact Bayes platform against enumeration, rational arithmetic, the bounds, and people."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import quad

from learners.finite.bayes import BayesPlatform
from learners.finite.generated import GENERATED_SIGNAL, generate
from learners.finite.strategies import PointMap, Strategy
from learners.finite.universe import Universe

from . import universes as un

INSTANCES = 2500
SIZES = 8  # tried on each instance


def strategy(kind, signal, target=None):
    return Strategy(kind, PointMap(signal), None if kind == "erasure" else str(target))


def random_platform(rng, kinds, points, labels):
    """A platform on a random universe, or None where some signal moves nobody."""
    base = un.random_bases(rng, 1, points, labels)[0]
    if "erasure" in kinds:
        base = (base + 1e-9) / (base + 1e-9).sum()  # every g(x) has labels
    signals = {
        f"{kind} {k}": strategy(
            kind,
            (un.idempotent if kind == "erasure" else un.random_signals)(rng, 1, points)[0],
            rng.integers(labels),
        )
        for k, kind in enumerate(kinds)
    }
    try:
        return BayesPlatform(Universe.from_array(base), signals)
    except ValueError as error:
        assert "changes nobody" in str(error)
        return None


def platforms(rng, kinds, count):
    """``count`` random platforms; ``kinds(rng)`` says which strategies are played."""
    while count:
        points, labels = int(rng.integers(2, 6)), int(rng.integers(2, 4))
        made = random_platform(rng, kinds(rng), points, labels)
        if made is not None:
            count -= 1
            yield made


def random_sizes(rng, collectives, rows=SIZES):
    reach = 10 ** rng.uniform(-2.5, 0, (rows, 1))
    return rng.dirichlet(np.full(collectives + 1, 0.7), rows)[:, :-1] * reach


def enumerated(platform, alpha):
    """S (rows, K) by loops: build P, look for the best label of each point, count who has it."""
    universe, rows = platform.universe, []
    for sizes in alpha:
        table = (1 - sizes.sum()) * universe.base
        for size, plan in zip(sizes, platform.plans, strict=True):
            for cell, reported in enumerate(plan.move):
                table[divmod(reported, table.shape[1])] += size * universe.base.flat[cell]
        learned = [best_label(row) for row in table.tolist()]
        rows.append([
            success_of(plan, universe.mass.tolist(), learned) if size > 0 else 0.0
            for size, plan in zip(sizes, platform.plans, strict=True)
        ])  # fmt: skip
    return np.array(rows)


def best_label(row, tie=1e-12):
    first, second = sorted(row)[-1], sorted(row)[-2]
    return row.index(first) if first - second > tie * first else None


def success_of(plan, mass, learned):
    won = 0
    for x, z in enumerate(plan.signal.tolist()):
        if plan.kind == "erasure":
            good = x == z or (learned[x] is not None and learned[x] == learned[z])
        else:
            good = learned[z] == plan.target
        won += mass[x] if good else 0
    return won


MIXES = {
    "feature_label": lambda rng: ["feature_label"] * int(rng.integers(1, 5)),
    "feature_only": lambda rng: ["feature_only"] * int(rng.integers(1, 4)),
    "erasure": lambda rng: ["erasure"] * int(rng.integers(1, 3)),
    "mixed": lambda rng: list(rng.choice(["feature_label", "feature_only", "erasure"], 3)),
}


@pytest.mark.parametrize("mix", MIXES)
def test_many_sizes_at_once_are_what_enumeration_says(mix):
    rng = np.random.default_rng([1, len(mix)])
    for platform in platforms(rng, MIXES[mix], 120):
        alpha = random_sizes(rng, platform.size, 25)
        alpha[0] = 0.0
        np.testing.assert_allclose(platform.at(alpha), enumerated(platform, alpha), atol=1e-12)


@pytest.mark.parametrize("mix", MIXES)
def test_the_staircase_along_a_line_is_what_enumeration_says(mix):
    rng = np.random.default_rng([2, len(mix)])
    jumps = 0
    for platform in platforms(rng, MIXES[mix], 60):
        k = int(rng.integers(platform.size))
        others = random_sizes(rng, platform.size, 1)[0]
        others[k] = 0.0
        room = 1.0 - others.sum()
        stairs, steps = platform.staircase(k, others), platform.steps(k, others)
        assert np.all(np.diff(steps) > 0.0) and np.all(steps < room)
        edges = np.concatenate([[0.0], steps, [room]])
        line = np.tile(others, (2 * len(edges) - 2, 1))
        line[:, k] = (edges[:-1, None] + np.diff(edges)[:, None] * [0.01, 0.99]).ravel()
        level = enumerated(platform, line)[:, k]
        np.testing.assert_allclose(stairs(line[:, k]), level, atol=1e-12)
        np.testing.assert_allclose(level[::2], level[1::2], atol=1e-12)  # flat between the steps
        positive = steps > 0.0
        assert np.all(np.abs(np.diff(level[::2])[positive[: len(level[::2]) - 1]]) > 0.0)
        jumps += len(steps)
    assert jumps > 60


def rational(platform, counts, sizes):
    """S (K,) in exact arithmetic, and whether labels tie at a point where success is measured."""
    Y, total = counts.shape[1], int(counts.sum())
    base = [[Fraction(int(n), total) for n in row] for row in counts]
    table = [[(1 - sum(sizes)) * p for p in row] for row in base]
    for size, plan in zip(sizes, platform.plans, strict=True):
        for cell, reported in enumerate(plan.move.tolist()):
            table[reported // Y][reported % Y] += size * base[cell // Y][cell % Y]
    learned = [best_label(row, tie=0) for row in table]
    mass = [sum(row) for row in base]
    success = [
        float(success_of(plan, mass, learned)) if size else 0.0
        for size, plan in zip(sizes, platform.plans, strict=True)
    ]
    tied = any(learned[x] is None for plan in platform.plans for x in plan.measured)
    return success, tied and sum(sizes) > 0


def small_counts(rng, kinds):
    """A platform on a universe of a dozen people, or None."""
    points, labels = int(rng.integers(2, 4)), int(rng.integers(2, 5))
    counts = rng.integers(0, 3, (points, labels)) + (1 if "erasure" in kinds else 0)
    signals = {
        f"c{k}": strategy(kind, un.idempotent(rng, 1, points)[0], rng.integers(labels))
        for k, kind in enumerate(kinds)
    }
    try:
        return counts, BayesPlatform(Universe.from_counts(counts), signals)
    except ValueError:  # a signal that moves nobody, or one class only
        return counts, None


def test_ties_are_lost_as_in_exact_arithmetic():
    """Few people and round sizes: ties in plenty, which rounding must not decide."""
    rng = np.random.default_rng(3)
    ties = 0
    for _ in range(400):
        kinds = rng.choice(["feature_label", "feature_only", "erasure"], int(rng.integers(1, 4)))
        counts, platform = small_counts(rng, kinds)
        if platform is None:
            continue
        K, parts = platform.size, int(rng.integers(2, 13))
        for drawn in rng.multinomial(parts, np.full(K + 1, 1 / (K + 1)), 6)[:, :-1]:
            sizes = [Fraction(int(part), parts) for part in drawn]
            exact, tied = rational(platform, counts, sizes)
            alpha = np.array([float(size) for size in sizes])
            np.testing.assert_allclose(platform.at(alpha), exact, atol=1e-12)
            for k in np.flatnonzero(alpha):
                here = float(platform.staircase(k, alpha)(alpha[k]))
                assert here == pytest.approx(exact[k], abs=1e-12)
            ties += tied
    assert ties > 100


# ── the bounds ───────────────────────────────────────────────────────────────────────────────


def check_bound(name, cases):
    """exact − bound over all (exact, bound) pairs: never below 0; printed; says something."""
    exact, bound = (
        np.concatenate([np.ravel(v) for v in side]) for side in zip(*cases, strict=True)
    )
    slack = exact - bound
    telling = (bound > 0.0) & (bound < 1.0)
    print(
        f"\n{name}: {len(cases)} universes, {slack.size} sizes, {telling.sum()} with a bound in "
        f"(0, 1); slack min {slack.min():.2e}, there min {slack[telling].min():.2e}, "
        f"median {np.median(slack[telling]):.3f}, max {slack[telling].max():.3f}"
    )
    assert len(cases) >= 2000
    assert slack.min() >= -1e-9
    assert telling.sum() > 500
    return slack


def less_sensitive(rng, platform):
    """The same erasure where labels hardly depend on features: else τ is too large for a bound."""
    universe, plan = platform.universe, platform.plans[0]
    common, blend = np.outer(universe.mass, universe.base.sum(axis=0)), rng.choice([1.0, 0.1, 0.01])
    base = (1 - blend) * common + blend * universe.base
    return BayesPlatform(Universe.from_array(base), {"a": strategy("erasure", plan.signal)})


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("kind", ["feature_label", "feature_only", "erasure"])
def test_exact_success_is_above_the_bound(kind):
    rng = np.random.default_rng([4, len(kind)])
    cases, violated = [], 0
    for drawn in platforms(rng, lambda _: [kind], INSTANCES):
        platform = less_sensitive(rng, drawn) if kind == "erasure" else drawn
        alpha = random_sizes(rng, 1)
        exact, bound = platform.at(alpha), platform.bound().at(alpha)
        cases.append((exact, bound))
        violated += np.sum(exact < 1 - 0.3 * (1 - bound) - 1e-9)
    check_bound(kind, cases)
    assert violated > 20  # a bound that forgets two thirds of what resists is found out


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("which", ["tight", "simple"])
def test_exact_success_is_above_the_bounds_of_several(which):
    rng = np.random.default_rng([5, len(which)])
    cases = []
    for platform in platforms(rng, lambda r: ["feature_label"] * int(r.integers(2, 5)), INSTANCES):
        alpha = random_sizes(rng, platform.size)
        bound = platform.bound().at(alpha) if which == "simple" else platform.tight_bound(alpha)
        cases.append((platform.at(alpha), bound))
    check_bound(which, cases)


def test_without_rivals_in_the_simple_bound_it_fails():
    rng = np.random.default_rng(6)
    below = 0
    for platform in platforms(rng, lambda _: ["feature_label"] * 2, 200):
        alpha = random_sizes(rng, 2)
        alone = np.stack([platform.bound().curve(k)(alpha[:, k]) for k in range(2)], axis=1)
        below += np.sum(platform.at(alpha) < alone - 1e-9)
    assert below > 50


def test_parameters_are_those_of_the_theory_page():
    rng = np.random.default_rng(7)
    for platform in platforms(rng, lambda _: ["feature_label"] * 3, 300):
        base = platform.universe.base
        copies = np.broadcast_to(base, (3, *base.shape))
        signals = np.stack([plan.signal for plan in platform.plans])
        targets = np.array([plan.target for plan in platform.plans])
        expected = np.stack(un.planting_parameters(copies, signals, targets), axis=1)
        known = platform.parameters.values()
        got = [[p.uniqueness, p.gap, p.positivity] for p in known]
        np.testing.assert_allclose(got, expected, atol=1e-14)
        for p, tau in zip(known, un.sensitivity(copies, signals), strict=True):
            assert p.sensitivity is None or p.sensitivity == pytest.approx(tau, abs=1e-14)
        landing = un.law_of(signals, copies.sum(axis=2))
        overlap = [[own[other > 0].sum() for own in landing] for other in landing]
        np.testing.assert_allclose(platform.overlap, overlap, atol=1e-14)


def test_the_law_of_members_is_that_of_the_strategy():
    rng = np.random.default_rng(8)
    laws = {
        "feature_label": un.feature_label_law,
        "feature_only": un.feature_only_law,
        "erasure": lambda base, signal, _: un.erasure_law(base, signal),
    }
    for kind, law in laws.items():
        for platform in platforms(rng, lambda _, kind=kind: [kind], 40):
            (plan,) = platform.plans
            base, signal = platform.universe.base[None], plan.signal[None]
            expected = law(base, signal, np.array([max(plan.target, 0)]))[0]
            np.testing.assert_allclose(plan.law, expected, atol=1e-15)


# ── the staircase as a curve ─────────────────────────────────────────────────────────────────


def test_a_staircase_by_hand():
    """X* = {0, 1} hold 2% and 6% of P₀, none of it y*; G = (0.48, 0.52)."""
    base = [[0.0, 0.02], [0.0, 0.06], [0.21, 0.25], [0.21, 0.25]]
    plant = strategy("feature_label", [0, 1, 0, 1], 0)
    platform = BayesPlatform(Universe.from_array(base), {"union": plant})
    landing = platform.plans[0].landing
    np.testing.assert_allclose(landing[:2], [0.48, 0.52])
    stairs = platform.curve()
    np.testing.assert_allclose(platform.steps(), [0.02 / (0.48 + 0.02), 0.06 / (0.52 + 0.06)])
    np.testing.assert_allclose(stairs.levels, [0.0, 0.48, 1.0])
    assert stairs.onset == pytest.approx(0.04)
    assert stairs.critical_mass(0.48) == pytest.approx(0.04)
    assert stairs.critical_mass(0.4801) == pytest.approx(0.06 / 0.58)
    assert stairs.integral(1.0) == pytest.approx(0.48 * (0.06 / 0.58 - 0.04) + (1 - 0.06 / 0.58))
    at_step = platform.at([[0.04], [0.04 * (1 + 1e-9)]])
    np.testing.assert_allclose(at_step.ravel(), [0.0, 0.48])


def test_curve_agrees_with_itself_and_with_quadrature():
    rng = np.random.default_rng(9)
    for kind in ("feature_label", "feature_only", "erasure"):
        for platform in platforms(rng, lambda _, kind=kind: [kind], 25):
            stairs = platform.curve()
            steps, levels = stairs.steps, stairs.levels
            cuts = [0.0, *steps[(steps > 0.0) & (steps < 0.8)], 0.8]
            area = sum(quad(stairs, low, high)[0] for low, high in itertools.pairwise(cuts))
            assert stairs.integral(0.8) == pytest.approx(area, abs=1e-7)
            for target in (1e-6, 0.3, 0.9, 1.0):
                crit = stairs.critical_mass(target)
                if math.isnan(crit):
                    assert levels.max() < target
                else:
                    assert float(stairs(crit * (1 + 1e-9) + 1e-12)) >= target
                    before = np.linspace(0, crit, 500)[:-1]
                    assert crit == 0.0 or np.all(stairs(before) < target)
            assert stairs.critical_mass(0.0) == 0.0 and math.isnan(stairs.critical_mass(1.01))


def test_own_members_never_harm_one_collective_alone_but_may_among_rivals():
    rng = np.random.default_rng(10)
    for kind in ("feature_label", "erasure"):
        for platform in platforms(rng, lambda _, kind=kind: [kind], 200):
            assert np.all(np.diff(platform.curve().levels) >= -1e-12)
    # y* = 1 is strong at x = 0; members who leave P₀ weaken it there, and a rival takes over
    base = [[0.0, 0.8], [0.1, 0.1]]
    both = {
        "own": strategy("feature_label", [0, 0], 1),
        "rival": strategy("feature_label", [0, 0], 0),
    }
    platform = BayesPlatform(Universe.from_array([[0.0, 0.8], [0.1, 0.1]]), both)
    assert np.all(np.diff(platform.at([[a, 0.3] for a in np.linspace(0.01, 0.7, 50)])[:, 0]) >= 0)
    scattered = {**both, "own": strategy("feature_label", [1, 0], 1)}
    world = BayesPlatform(Universe.from_array(base), scattered)
    own = world.at([[a, 0.4] for a in (0.05, 0.55)])[:, 0]
    assert own[0] > own[1]


# ── people ───────────────────────────────────────────────────────────────────────────────────


def reachable(platform, alpha, people, level):
    """(low, high) that S of the realised sample is between with probability ≥ 1 − level, (K,).

    The margin of y against a rival at x is a mean of N independent terms in [−1, 1]; by Bernstein
    it is within √(2vL/N) + 2L/(3N)·2 of its expectation for all R·Y² of them, v = P(x,y) + P(x,y′),
    L = ln(2RY²/level). Points whose true margin is further from 0 keep their label.
    """
    base = platform.universe.base
    table = (1 - alpha.sum()) * base
    table = table + sum(a * plan.law for a, plan in zip(alpha, platform.plans, strict=True))
    L = math.log(2 * base.size * base.shape[1] / level)
    low, high = [], []
    for plan in platform.plans:
        own = table[:, [plan.target]]
        rivals = np.delete(table, plan.target, axis=1)
        reach = np.sqrt(2 * (own + rivals) * L / people) + 4 * L / (3 * people)
        low.append(plan.landing[((own - rivals) > reach).all(axis=1)].sum())
        high.append(plan.landing[((own - rivals) > -reach).all(axis=1)].sum())
    return np.array(low), np.array(high)


@pytest.mark.parametrize("kind", ["feature_label", "feature_only"])
def test_from_size_and_from_membership_agree_within_sampling_error(kind):
    """200 samples of 20,000 people: all inside intervals that hold with probability 1 − 10⁻⁶."""
    rng = np.random.default_rng([11, len(kind)])
    N, pinned, moved, wrong = 20_000, 0, 0, 0
    for platform in platforms(rng, lambda r: [kind] * int(r.integers(1, 4)), 200):
        K = platform.size
        people = platform.attach(platform.draw_people(N, rng))
        counts = rng.multinomial(N, rng.dirichlet(np.full(K + 1, 1.0)))[1:]
        membership = rng.permutation(np.repeat(np.arange(K + 1), [N - counts.sum(), *counts]))
        alpha = counts / N
        got, expected = people.by_membership(membership), platform.at(alpha)
        low, high = reachable(platform, alpha, N, 1e-6)
        present = counts > 0
        assert np.all(low[present] <= expected[present] + 1e-12)
        assert np.all(expected <= high + 1e-12)
        assert np.all((low - 1e-12 <= got)[present]) and np.all((got <= high + 1e-12)[present])
        pinned += np.sum(high - low < 1e-9)
        moved += np.sum(np.abs(got - expected) > 1e-9)
        other = alpha.copy()
        other *= 0.05  # people of another size are noticed
        away = reachable(platform, other, N, 1e-6)
        wrong += np.any((got < away[0] - 1e-12) | (got > away[1] + 1e-12))
    assert pinned > 100 and wrong > 10
    assert moved < pinned  # what differs, differs inside its interval


def test_membership_is_exact_on_the_realised_sample():
    """The table that people make, cell by cell, is what is learned from."""
    rng = np.random.default_rng(12)
    for mix in MIXES.values():
        for platform in platforms(rng, mix, 25):
            N, Y = 60, len(platform.universe.labels)
            cells = platform.draw_people(N, rng)
            membership = rng.integers(0, platform.size + 1, N).astype(np.int8)
            counts = [[0] * Y for _ in platform.universe.base]
            for cell, state in zip(cells.tolist(), membership.tolist(), strict=True):
                reported = platform.plans[state - 1].move[cell] if state else cell
                counts[reported // Y][reported % Y] += 1
            learned = [best_label(row, tie=0) for row in counts]
            mass = platform.universe.mass.tolist()
            expected = [
                success_of(plan, mass, learned) if np.any(membership == k + 1) else 0.0
                for k, plan in enumerate(platform.plans)
            ]
            got = platform.attach(cells).by_membership(membership)
            np.testing.assert_allclose(got, expected, atol=1e-12)


def test_who_joins_matters():
    """Only people of the target's label plant anything by features: of them, few suffice."""
    platform = BayesPlatform(
        generate(0.02, 0.9, positivity=0.05),
        {"union": Strategy("feature_only", GENERATED_SIGNAL, "target")},
    )
    rng = np.random.default_rng(13)
    N = 50_000
    cells = platform.draw_people(N, rng)
    people = platform.attach(cells)
    label = platform.universe.people(cells)["label"].to_numpy()
    chosen = np.zeros(N, dtype=np.int8)
    chosen[np.flatnonzero(label == "target")[: N // 40]] = 1
    at_random = rng.permutation(chosen)
    useless = np.zeros(N, dtype=np.int8)
    useless[np.flatnonzero(label == "other")[: N // 40]] = 1
    assert people.by_membership(chosen)[0] == 1.0
    assert people.by_membership(at_random)[0] == people.by_membership(useless)[0] == 0.0
    assert platform.at([1 / 40])[0] == 0.0  # by size, members are a random share


def test_base_rate_is_what_nobody_gets():
    base = [[0.3, 0.1], [0.1, 0.5]]
    signals = {"a": strategy("feature_label", [0, 0], 0), "b": strategy("feature_only", [1, 1], 0)}
    platform = BayesPlatform(Universe.from_array(base), signals)
    np.testing.assert_allclose(platform.base_rate, [1.0, 0.0])
    assert np.all(platform.at([0.0, 0.0]) == 0.0)
    erase = BayesPlatform(Universe.from_array(base), {"e": strategy("erasure", [0, 0])})
    assert erase.base_rate[0] == pytest.approx(0.4)  # at x = 1 another label is best


def test_label_noise_raises_positivity_and_with_it_feature_only_success():
    """Hardt et al. (2023), section 5: random labels for a fraction make feature_only work."""
    world = generate(0.001, 0.9, positivity=0.01)
    reached = []
    for noise in (0.0, 0.2, 0.5):
        platform = BayesPlatform(
            world.with_label_noise(noise),
            {"union": Strategy("feature_only", GENERATED_SIGNAL, "target")},
        )
        p = platform.parameters["union"].positivity
        assert p == pytest.approx((1 - noise) * 0.01 + noise / 2)
        reached.append(platform.curve().critical_mass(1.0))
        assert platform.bound().curve().critical_mass(0.9) >= reached[-1]
    assert reached[0] > reached[1] > reached[2]


def test_labels_that_nobody_reports_can_tie_among_themselves():
    """b and c tie at both points once the other collective has drawn a's people away from x = 1."""
    base = np.array([[0.0, 0.19, 0.19], [0.2, 0.19, 0.19], [0.04, 0.0, 0.0]])
    both = {"e": strategy("erasure", [1, 1, 2]), "f": strategy("feature_only", [0, 2, 2], 0)}
    platform = BayesPlatform(Universe.from_array(base), both)
    alpha = np.array([[0.001, 0.2], [0.001, 0.0], [0.5, 0.2]])
    np.testing.assert_allclose(platform.at(alpha), enumerated(platform, alpha), atol=1e-12)
    assert platform.at(alpha[0])[0] == pytest.approx(0.62)  # lost at x = 0, 0.38 of the people
    assert float(platform.staircase(0, alpha[0])(0.001)) == pytest.approx(0.62)

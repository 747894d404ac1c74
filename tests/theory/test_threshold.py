"""α_crit and B(α_crit): closed forms, independent root finding and quadrature, the principal."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from analysis.equilibria import equilibria
from analysis.threshold import critical_threshold, investment
from sim.distributions import as_distribution
from sim.payoffs import recruit_payments, threshold
from tests.economies import scenario

NORMAL = {"dist": "normal", "mean": 0.3, "sd": 0.1, "low": 0.0}
SIGNALS: list[tuple[str, dict[str, float]]] = [
    *(
        ("feature_label", {"uniqueness": x, "gap": d})
        for x, d in product((1e-4, 0.01, 0.2), (0.1, 1.0))
    ),
    *(
        ("feature_only", {"uniqueness": x, "positivity": p})
        for x, p in product((1e-4, 0.02), (0.1, 0.6))
    ),
    *(("erasure", {"sensitivity": t}) for t in (1e-3, 0.02, 0.2)),
]


def values(*numbers: float) -> dict:
    return {"dist": "values", "values": list(numbers)}


def uniform(low: float, high: float) -> dict:
    return {"dist": "uniform", "low": low, "high": high}


def the_bound(strategy: str, signal: dict[str, float], epsilon: float):
    """S(α) as theory section 2 prints it, clipped; written out anew."""
    e = epsilon / (1 - epsilon)

    def success(a: float) -> float:
        if a <= 0:
            return 0.0
        if strategy == "feature_label":
            value = 1 - (1 - a) / a * signal["gap"] * signal["uniqueness"] - e
        elif strategy == "feature_only":
            p = signal["positivity"]
            value = 1 - (1 - p) / (p * a) * signal["uniqueness"] - e
        else:
            value = 1 - 2 * (1 - a) / a * signal["sensitivity"] - e
        return min(max(value, 0.0), 1.0)

    return success


@pytest.mark.parametrize("strategy,signal", SIGNALS)
@pytest.mark.parametrize("epsilon", [0.0, 0.05])
@pytest.mark.parametrize("cost", [0.02, 0.3, 0.75])
@pytest.mark.parametrize("factor", [0.0, 0.2, 0.6])
def test_alpha_crit_and_investment_of_people_who_are_alike(strategy, signal, epsilon, cost, factor):
    """Against brentq on S(α) = θ and adaptive quadrature of [c − (1−γ)S]₊, 1e-6 and better."""
    world = scenario(
        {
            "collectives.union.strategy": strategy,
            "collectives.union.signal": signal,
            "platform.suboptimality": epsilon,
            "population.cost": cost,
            "population.free_riding": factor,
        }
    )
    success, theta = the_bound(strategy, signal, epsilon), cost / (1 - factor)
    crit, paid = critical_threshold(world), investment(world)
    if not success(1.0) > theta:
        assert crit.alpha_crit is None and paid.per_capita is None
        return
    root = brentq(lambda a: success(a) - theta, 1e-12, 1.0, xtol=1e-15, rtol=1e-14)
    assert crit.alpha_crit == pytest.approx(root, abs=1e-10)
    assert crit.success_at_crit == pytest.approx(theta, abs=1e-9)
    onset = brentq(lambda a: success(a) - 1e-9, 1e-12, 1.0, xtol=1e-15)
    cuts = [0.0, onset, root]
    area = sum(
        quad(lambda a: max(0.0, cost - (1 - factor) * success(a)), x, y, epsabs=1e-12, limit=200)[0]
        for x, y in pairwise(cuts)
    )
    assert paid.per_capita == pytest.approx(area, abs=1e-9)
    assert paid.in_success == pytest.approx(area / (1 - factor), abs=1e-8)


def test_the_example_of_the_theory_page():
    """k = 0.01, c = 0.3, γ = 0.2 → α_crit = 0.015748, B = 0.00371264, total N·B."""
    crit, paid = critical_threshold(scenario()), investment(scenario())
    assert crit.alpha_crit == pytest.approx(0.0157480315, abs=1e-10)
    assert crit.success_at_crit == pytest.approx(0.375, abs=1e-12)
    assert paid.per_capita == pytest.approx(0.00371264, abs=5e-9)
    assert paid.total == pytest.approx(3.71264, abs=5e-6)
    assert (paid.unit, paid.bound) == ("utility", "upper")
    k, a0 = 0.01, 0.01 / 1.01
    exact = 0.3 * crit.alpha_crit - 0.8 * (
        1.01 * (crit.alpha_crit - a0) - k * math.log(crit.alpha_crit / a0)
    )
    assert paid.per_capita == pytest.approx(exact, abs=1e-14)


def test_recruiting_one_by_one_approaches_b_from_below():
    """(1/N)Σ pay_i = 0.00369026 at N = 10⁴, and → B."""
    paid = investment(scenario()).per_capita
    gaps = []
    for size in (1_000, 10_000, 100_000):
        world = scenario({"population.size": size})
        count = math.ceil(critical_threshold(world).alpha_crit * size)
        a = np.arange(count + 1) / size
        path = np.where(a > 0, np.clip(1 - (1 - a) / np.maximum(a, 1e-300) * 0.01, 0, 1), 0.0)
        spent = recruit_payments(path, np.full(count, 0.3), np.full(count, 0.2)).sum() / size
        gaps.append(paid - spent)
        if size == 10_000:
            assert spent == pytest.approx(0.00369026, abs=5e-9)
    assert all(gap > 0 for gap in gaps)
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"population.free_riding": 1.0}, None),
        ({"population.cost": 0.9}, None),
        ({"population.cost": 0.8}, None),  # θ = 1 is reached by all, and exceeded by nobody
        ({"population.cost": 0.0}, 0.01 / 1.01),
        ({"collectives.union.signal": {"uniqueness": 0.0, "gap": 1.0}}, 0.0),
        ({"population.cost": 0.0, "population.free_riding": 1.0}, None),
        ({"population.size": 1}, 0.01 / 0.635),
        ({"collectives.union.dues": 0.1}, 0.01 / (1 - 0.5 + 0.01)),
        ({"platform.suboptimality": 0.6}, None),
    ],
)
def test_edges_are_answers(overrides, expected):
    crit, paid = critical_threshold(scenario(overrides)), investment(scenario(overrides))
    if expected is None:
        assert (crit.alpha_crit, crit.success_at_crit, paid.per_capita, paid.total) == (None,) * 4
    else:
        assert crit.alpha_crit == pytest.approx(expected, abs=1e-12)
    if expected == 0.0 or (overrides.get("population.cost") == 0.0 and expected is not None):
        assert paid.per_capita == pytest.approx(0.0, abs=1e-15)


def test_dues_count_like_costs():
    one = investment(scenario({"collectives.union.dues": 0.1})).per_capita
    assert one == pytest.approx(
        investment(scenario({"population.cost": 0.4})).per_capita, abs=1e-14
    )


def test_the_solver_meets_the_closed_form():
    """The same people listed one by one, with costs a hair apart: no closed form is taken."""
    listed = {"dist": "values", "values": [0.3, 0.3 + 1e-12]}
    world = scenario({"population.cost": listed})
    crit, paid = critical_threshold(world), investment(world)
    assert "closed" not in crit.method
    assert crit.alpha_crit == pytest.approx(critical_threshold(scenario()).alpha_crit, abs=1e-11)
    assert paid.per_capita == pytest.approx(investment(scenario()).per_capita, abs=1e-10)


@pytest.mark.parametrize(
    "cost",
    [
        NORMAL,
        {"dist": "uniform", "low": 0.05, "high": 0.6},
        {"dist": "lognormal", "median": 0.3, "sigma": 0.8},
        {"dist": "beta", "a": 2.0, "b": 5.0},
    ],
)
def test_heterogeneous_costs_against_the_quantile_integral(cost):
    """α_crit: the root of F(α) = α. B = ∫₀^{α_crit} [F⁻¹(a) − (1−γ)S(a)]₊ da, adaptively."""
    world = scenario({"population.cost": cost})
    law = as_distribution(world.population.cost)
    success = the_bound("feature_label", {"uniqueness": 0.01, "gap": 1.0}, 0.0)
    crit, paid = critical_threshold(world), investment(world)
    root = brentq(lambda a: float(law.cdf(0.8 * success(a))) - a, 0.00995, 0.03, xtol=1e-15)
    assert crit.alpha_crit == pytest.approx(root, abs=1e-9)
    pieces = np.concatenate([[0.0], np.geomspace(1e-9, 0.01 / 1.01, 12), [root]])
    area = sum(
        quad(lambda a: max(0.0, float(law.ppf(a)) - 0.8 * success(a)), x, y, epsabs=1e-12)[0]
        for x, y in pairwise(pieces)
    )
    assert paid.per_capita == pytest.approx(area, abs=2e-9)
    assert abs(paid.per_capita - area) <= paid.tolerance


@pytest.mark.parametrize(
    ("cost", "factor"),
    [
        (NORMAL, uniform(0.0, 0.5)),
        (NORMAL, {"dist": "beta", "a": 2.0, "b": 5.0}),
        (0.3, uniform(0.0, 0.5)),
        (values(0.1, 0.3, 0.3, 0.5), uniform(0.1, 0.5)),
        (values(0.4, 0.2, 0.5), values(0.0, 0.5, 0.1)),
        (NORMAL, values(0.1, 0.6)),
    ],
)
def test_heterogeneous_factors_against_a_million_recruits(cost, factor):
    """Σ (c_i − (1−γ_i)S(a_i))₊ over a stratified million in the order of θ.

    People of equal θ come in any order; that is 5σ of what is allowed for.
    """
    world = scenario({"population.cost": cost, "population.free_riding": factor})
    paid = investment(world)
    assert paid.alpha_crit is not None and paid.per_capita is not None
    rng = np.random.default_rng(5)
    people = world.population
    grid = (
        np.stack(np.divmod(np.arange(1_000_000), 1000), axis=1) + rng.random((1_000_000, 2))
    ) / 1000
    laws = [as_distribution(x) for x in (people.cost, people.free_riding)]
    both = all(getattr(x, "dist", "") == "values" for x in (people.cost, people.free_riding))
    position = (np.arange(1_000_000) + 0.5) / 1_000_000
    c = laws[0].sample_at(grid[:, 0], position if both else grid[:, 0])
    g = laws[1].sample_at(grid[:, 1], position if both else grid[:, 1])
    order = np.lexsort((rng.random(1_000_000), threshold(c, g)))
    a = position
    need = np.maximum(c[order] - (1 - g[order]) * np.clip(1 - (1 - a) / a * 0.01, 0, 1), 0.0)
    area = need[a < paid.alpha_crit].sum() / 1_000_000
    assert paid.per_capita == pytest.approx(area, abs=4e-5 if both else 2e-6)
    assert paid.in_success is None


def test_the_highest_of_two_tipping_points():
    world = scenario(
        {
            "population.groups": {"a": {"share": 0.5, "cost": 0.02}},
            "population.cost": {**NORMAL, "mean": 0.75, "sd": 0.01},
            "collectives.union.signal": {"uniqueness": 0.4, "gap": 1.0},
            "population.free_riding": 0.0,
        }
    )
    found = equilibria(world)
    assert [e.stable for e in found] == [True, False, True, False, True]
    assert critical_threshold(world).alpha_crit == found[3].alpha[0]


@pytest.mark.parametrize(
    ("sd", "expected"), [(0.12, 0.086436), (0.2, 0.0)]
)  # Granovetter: above the jump the riot starts by itself
def test_formed_unaided_is_zero(sd, expected):
    world = scenario(
        {
            "collectives.union.strategy": "gradient_control",
            "collectives.union.signal": {"pull": 1.0, "learning_rate": 1.0, "steps": 1},
            "population.cost": {"dist": "normal", "mean": 0.25, "sd": sd},
            "population.free_riding": 0.0,
        }
    )
    assert critical_threshold(world).alpha_crit == pytest.approx(expected, abs=1e-6)


def test_a_few_who_would_pay_to_join_are_not_a_collective():
    """One in ten joins at any success, the others never: a stable 0.1, and no threshold."""
    world = scenario({"population.cost": {"dist": "values", "values": [-0.1] + [2.0] * 9}})
    assert [e.alpha[0] for e in equilibria(world)] == pytest.approx([0.1])
    assert critical_threshold(world).alpha_crit is None


def test_other_collectives_are_held_and_named():
    """Colliding: the other's members must be outweighed, (1−ᾱ)k + α_other = (1−θ)α."""
    overlap = {
        "collectives.union.signal.overlap": {"guild": 1.0},
        "collectives.guild.signal.overlap": {"union": 1.0},
        "collectives.guild.start": 0.1,
    }
    world = scenario(overlap, collectives=2)
    crit = critical_threshold(world, "union")
    assert crit.others == {"guild": 0.1}
    assert crit.alpha_crit == pytest.approx((0.9 * 0.01 + 0.1) / (1 - 0.375 + 0.01), abs=1e-10)
    alone = critical_threshold(world, "union", others={"guild": 0.0})
    assert alone.alpha_crit == pytest.approx(0.01 / 0.635, abs=1e-12)
    assert critical_threshold(world, "guild").alpha_crit == pytest.approx(0.01 / 0.635, abs=1e-12)
    paid = investment(world, "union")
    first = (0.9 * 0.01 + 0.1) / 1.01  # below it S = 0
    area = (
        0.3 * crit.alpha_crit
        - 0.8
        * quad(lambda a: 1 - ((0.9 - a) * 0.01 + 0.1) / a, first, crit.alpha_crit, epsabs=1e-13)[0]
    )
    # while the other is the better offer it has to be outbid
    other = 0.8 * 1.0 - 0.3
    assert area < paid.per_capita < area + other * crit.alpha_crit


def test_questions_that_make_no_sense_are_refused():
    two = scenario(collectives=2)
    with pytest.raises(ValueError, match="say which of union, guild"):
        critical_threshold(two)
    with pytest.raises(ValueError, match="must be one of union, guild"):
        critical_threshold(two, "gild")
    with pytest.raises(ValueError, match="other collectives than union"):
        critical_threshold(two, "union", others={"union": 0.1})
    with pytest.raises(ValueError, match="at most 1 together"):
        investment(two, "union", others={"guild": 1.1})

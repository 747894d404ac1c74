"""The participation map against people drawn one by one, and against closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import expit
from scipy.stats import beta, norm

from analysis.laws import law_nodes, type_table
from analysis.participation import ParticipationMap, participation_map
from learners.bounds import Ramp
from learners.success import Bound
from sim.distributions import Distribution, as_distribution
from sim.payoffs import choose, gain
from tests.economies import scenario

NORMAL = {"dist": "normal", "mean": 0.3, "sd": 0.1, "low": 0.0}
UNIFORM = {"dist": "uniform", "low": 0.0, "high": 0.5}
BETA = {"dist": "beta", "a": 2.0, "b": 5.0}
SPIKY = {"dist": "beta", "a": 0.5, "b": 0.5}
LOGNORMAL = {"dist": "lognormal", "median": 0.3, "sigma": 0.8}
COSTS = [0.3, NORMAL, {"dist": "uniform", "low": 0.1, "high": 0.6}, LOGNORMAL, SPIKY]
COSTS += [{"dist": "values", "values": [0.1, 0.2, 0.4]}]
FACTORS = [0.2, UNIFORM, BETA, SPIKY, {"dist": "values", "values": [0.0, 0.5, 0.9]}]


def law(spec) -> Distribution:
    return as_distribution(scenario({"population.cost": spec}).population.cost)


def people(cost, factor, size: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    position = (np.arange(size) + 0.5) / size
    return [law(x).sample_at(rng.random(size), position) for x in (cost, factor)]


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("factor", FACTORS)
def test_share_of_people_above_their_threshold(cost, factor):
    """One collective: F is the share with S > θ; 5σ of 30,000 people drawn."""
    pmap = participation_map(scenario({"population.cost": cost, "population.free_riding": factor}))
    both_listed = all(isinstance(x, dict) and x["dist"] == "values" for x in (cost, factor))
    c, g = people(cost, factor, 30_000)
    for success in (0.05, 0.31, 0.377, 0.52, 0.81, 1.0):
        drawn = np.mean(gain(success, success, c, g) > 0)
        expected = pmap.share_at([success])[0]
        tolerance = 1e-12 if both_listed else 5 * np.sqrt(0.25 / 30_000)
        assert abs(drawn - expected) <= tolerance


def test_normal_cost_is_the_normal_distribution():
    cost = {"dist": "normal", "mean": 0.25, "sd": 0.12}
    pmap = participation_map(scenario({"population.cost": cost, "population.free_riding": 0.4}))
    levels = np.linspace(0, 1, 11)
    expected = norm.cdf(0.6 * levels, 0.25, 0.12)
    assert pmap.share_at(levels[:, None])[:, 0] == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(("factor", "exact"), [(BETA, beta(2, 5)), (SPIKY, beta(0.5, 0.5))])
def test_constant_cost_and_continuous_factor(factor, exact):
    """S(1−γ) > c iff γ < 1 − c/S."""
    pmap = participation_map(scenario({"population.free_riding": factor}))
    for success in (0.2, 0.31, 0.6, 1.0):
        expected = exact.cdf(1 - 0.3 / success)
        assert pmap.share_at([success])[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("factor", [UNIFORM, BETA, SPIKY])
@pytest.mark.parametrize("cost", [NORMAL, LOGNORMAL, COSTS[2], {**NORMAL, "sd": 0.002}])
def test_both_continuous_against_adaptive_quadrature(cost, factor):
    """Error ≤ 1e-8, also where the law of c is narrow against what γ does to the threshold."""
    pmap = participation_map(scenario({"population.cost": cost, "population.free_riding": factor}))
    c, g = law(cost), law(factor)
    for success in (0.15, 0.34, 0.7, 1.0):
        ends = [1 - x / success for x in np.asarray(c.ppf([1e-14, 0.5, 1 - 1e-14]))]
        kinks = sorted({float(g.cdf(e)) for e in ends if 0 < float(g.cdf(e)) < 1} | {0.0, 1.0})
        expected = sum(
            quad(lambda q, s=success: float(c.cdf((1 - g.ppf(q)) * s)), a, b, epsabs=1e-12)[0]
            for a, b in pairwise(kinks)
        )
        assert pmap.share_at([success])[0] == pytest.approx(expected, abs=1e-8)


@pytest.mark.once(keep=3)
@pytest.mark.parametrize("cost", [0.3, NORMAL, COSTS[-1]])
@pytest.mark.parametrize("factor", [0.2, BETA, FACTORS[-1]])
@pytest.mark.parametrize("dues", [0.0, 0.05])
def test_three_collectives_against_people_who_choose(cost, factor, dues):
    """Shares of the best response of 40,000 people with groups and recruits."""
    world = scenario(
        {
            "population.cost": cost,
            "population.free_riding": factor,
            "population.groups": {"a": {"share": 0.5}, "b": {"share": 0.25}},
            "collectives.union.dues": dues,
            "collectives.guild.recruits": ["a", "b"],
            "collectives.club.recruits": ["b"],
        },
        collectives=3,
    )
    pmap = participation_map(world)
    both_listed = all(isinstance(x, dict) and x.get("dist") == "values" for x in (cost, factor))
    rng = np.random.default_rng(1)
    for success in rng.random((6, 3)):
        total = np.zeros(3)
        for g, size in enumerate((12_000, 24_000, 12_000)):
            c, gamma = people(cost, factor, size, seed=g)
            d = gain(success, success, c[:, None], gamma[:, None], np.array([dues, 0.0, 0.0]))
            states = choose(np.where(world.eligible()[g], d, -np.inf), np.zeros(size, int))
            total += np.bincount(states, minlength=4)[1:] / 48_000
        tolerance = 1e-12 if both_listed else 5 * np.sqrt(0.25 / 40_000)
        assert pmap.share_at(success) == pytest.approx(total, abs=tolerance)


def test_between_equally_good_collectives_the_first_is_taken():
    for factor in (0.2, UNIFORM):
        overrides = {"population.cost": NORMAL, "population.free_riding": factor}
        pmap = participation_map(scenario(overrides, collectives=2))
        share = pmap.share_at([0.6, 0.6])
        assert share[1] == 0.0 < share[0]


def test_the_indifferent_are_counted_only_on_request():
    pmap = participation_map(scenario({"population.free_riding": 0.5}))
    assert pmap.share_at([0.6])[0] == 0.0  # θ = 0.3/0.5
    assert pmap.share_at([0.6], indifferent=True)[0] == 1.0
    assert pmap.share_at([np.nextafter(0.6, 1)])[0] == 1.0


@pytest.mark.parametrize("noise", [0.3, 0.05, 0.004])
@pytest.mark.parametrize("cost", [NORMAL, LOGNORMAL, SPIKY])
def test_logit_share_against_quadrature(noise, cost):
    overrides = {"revision.protocol": "logit", "revision.noise": noise, "population.cost": cost}
    pmap = participation_map(scenario(overrides))
    costs = law(cost)

    def chance(q: float, d: float) -> float:
        return float(expit((d - float(costs.ppf(q))) / noise))

    for success in (0.0, 0.3, 0.45, 1.0):
        d = 0.8 * success
        near = [float(costs.cdf(d + m * noise)) for m in (-20, -3, 0, 3, 20)]
        kinks = sorted({0.0, 1.0, *near})
        expected = sum(quad(chance, a, b, args=(d,), epsabs=1e-12)[0] for a, b in pairwise(kinks))
        assert pmap.share_at([success])[0] == pytest.approx(expected, abs=1e-8)


def test_logit_with_two_continuous_laws():
    overrides = {
        "revision.protocol": "logit", "revision.noise": 0.08,
        "population.cost": COSTS[2], "population.free_riding": UNIFORM,
    }  # fmt: skip
    pmap = participation_map(scenario(overrides))
    expected, _ = dblquad(
        lambda c, g: 1 / (1 + np.exp(-((1 - g) * 0.6 - c) / 0.08)) / 0.25, 0, 0.5, 0.1, 0.6
    )
    assert pmap.share_at([0.6])[0] == pytest.approx(expected, abs=1e-8)


def test_logit_of_several_is_softmax():
    overrides = {"revision.protocol": "logit", "revision.noise": 0.1}
    pmap = participation_map(scenario(overrides, collectives=2))
    weights = np.exp([(0.8 * 0.5 - 0.3) / 0.1, (0.8 * 0.7 - 0.3) / 0.1])
    assert pmap.share_at([0.5, 0.7]) == pytest.approx(weights / (1 + weights.sum()), abs=1e-14)


def test_at_is_share_at_success_and_vectorised():
    pmap = participation_map(scenario({"population.cost": NORMAL}, collectives=2))
    alpha = np.random.default_rng(0).dirichlet([1, 1, 1], size=(4, 5))[..., :2]
    shares = pmap.at(alpha)
    assert shares.shape == (4, 5, 2)
    assert shares[2, 3] == pytest.approx(pmap.share_at(pmap.success.at(alpha[2, 3])), abs=0)


def test_a_map_that_contradicts_itself_is_refused():
    good = participation_map(scenario())
    with pytest.raises(ValueError, match="noise"):
        ParticipationMap(good.success, good.classes, good.dues, "logit", 0.0)
    with pytest.raises(ValueError, match="dues"):
        ParticipationMap(Bound("x", Ramp(1.0)), good.classes, (0.0, 0.0))


def test_nodes_of_a_law_integrate():
    for spec in (NORMAL, UNIFORM, BETA, SPIKY, LOGNORMAL):
        values = law(spec)
        node, weight = law_nodes(values, 0.1, 32)
        assert weight.sum() == pytest.approx(1.0, abs=1e-13)

        def integrand(q: float, values: Distribution = values) -> float:
            return float(np.cos(3 * float(values.ppf(q))))

        expected = quad(integrand, 0, 1, epsabs=1e-11, limit=500)[0]
        assert np.cos(3 * node) @ weight == pytest.approx(expected, abs=2e-8)


def test_types_stand_for_the_classes():
    world = scenario(
        {
            "population.cost": NORMAL,
            "population.groups": {"a": {"share": 0.3, "cost": 0.1}},
            "collectives.union.recruits": ["a"],
        }
    )
    table = type_table(participation_map(world).classes, nodes=1000)
    assert not table.exact
    assert table.weight.sum() == pytest.approx(1.0)
    assert table.weight[table.eligible[:, 0]].sum() == pytest.approx(0.3)
    mean = 0.7 * law(NORMAL).mean + 0.3 * 0.1
    assert table.weight @ table.cost == pytest.approx(mean, abs=1e-5)

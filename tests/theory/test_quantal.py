"""Logit: quantal response equilibria and the stationary law, by two routes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import comb

from analysis.quantal import (
    log_stationary_distribution,
    logit_chain,
    quantal_equilibria,
    stationary_distribution,
    stochastically_stable,
    transition_matrix,
)
from learners.bounds import feature_label
from tests.economies import scenario

SMALL = {
    "population.size": 20,
    "collectives.union.signal": {"uniqueness": 0.05, "gap": 1.0},
    "revision.protocol": "logit",
    "revision.noise": 0.2,
    "revision.activation": "sequential",
}


def by_linear_algebra(matrix: np.ndarray) -> np.ndarray:
    """π with πP = π and Σπ = 1, by solving the linear system."""
    size = len(matrix)
    system = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    return np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]


def test_the_example_of_the_theory_page():
    """(k, c, γ, η) = (0.01, 0.5, 0.2, 0.1)."""
    found = quantal_equilibria(scenario({"population.cost": 0.5}), noise=0.1)
    assert [e.alpha[0] for e in found] == pytest.approx([0.00669, 0.01049, 0.95239], abs=5e-6)
    assert [e.stable for e in found] == [True, False, True]
    for e in found:
        d = 0.8 * e.success[0] - 0.5
        assert e.alpha[0] == pytest.approx(1 / (1 + np.exp(-d / 0.1)), abs=1e-14)


def test_little_noise_gives_the_best_response():
    found = quantal_equilibria(scenario(), noise=0.002)
    assert [e.alpha[0] for e in found] == pytest.approx([0.0, 0.01 / 0.635, 1.0], abs=2e-3)


def test_much_noise_leaves_one_equilibrium():
    assert len(quantal_equilibria(scenario(), noise=5.0)) == 1
    with pytest.raises(ValueError, match="must be > 0"):
        quantal_equilibria(scenario())


@pytest.mark.parametrize("size", [1, 2, 20, 60])
@pytest.mark.parametrize("noise", [0.1, 0.7, 5.0])
def test_closed_form_against_the_transition_matrix(size, noise):
    rng = np.random.default_rng(size)
    up, down = rng.normal(size=size), rng.normal(size=size)
    pi = stationary_distribution(up, down, noise)
    matrix = transition_matrix(up, down, noise)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(size + 1), abs=1e-14)
    assert pi.sum() == pytest.approx(1.0, abs=1e-13)
    assert np.abs(pi @ matrix - pi).max() < 1e-12
    if noise > 0.5:
        assert pi == pytest.approx(by_linear_algebra(matrix), abs=1e-9)


def test_where_members_and_outsiders_see_the_same_it_is_the_gibbs_law():
    d = np.random.default_rng(0).normal(size=30)
    expected = comb(30, np.arange(31)) * np.exp(np.concatenate([[0], np.cumsum(d)]) / 0.8)
    got = stationary_distribution(d, d, 0.8)
    assert got == pytest.approx(expected / expected.sum(), rel=1e-11)
    assert not np.allclose(stationary_distribution(d, d[::-1], 0.8), got)


def test_the_mean_share_of_the_theory_page():
    """N = 20, k = 0.05, c = 0.3, γ = 0.2, η = 0.2: 0.922044 where j others are seen."""
    world = scenario(SMALL)
    assert logit_chain(world, sees="others").mean_share == pytest.approx(0.922044, abs=5e-7)
    assert logit_chain(world).sees == "published"
    assert logit_chain(world).mean_share != pytest.approx(0.922044, abs=1e-4)


def test_what_the_engine_shows_people():
    """Published: S with everybody in it. Pivotal: S((j+1)/N) − γS(j/N) − c, in and out alike."""
    curve = feature_label(0.05, 1.0)
    level = curve(np.arange(21) / 20)
    chain = logit_chain(scenario(SMALL))
    assert chain.up == pytest.approx(0.8 * level[:-1] - 0.3)
    assert chain.down == pytest.approx(0.8 * level[1:] - 0.3)
    pivotal = logit_chain(scenario({**SMALL, "revision.decides": "pivotal"}))
    assert pivotal.up == pytest.approx(level[1:] - 0.2 * level[:-1] - 0.3)
    assert pivotal.down == pytest.approx(pivotal.up)
    complete = logit_chain(scenario({**SMALL, "population.network": {"kind": "complete"}}))
    assert complete.up == pytest.approx(0.8 * curve(np.arange(20) / 19) - 0.3)
    for one in (chain, pivotal, complete):
        assert np.abs(one.stationary @ one.matrix - one.stationary).max() < 1e-13


@pytest.mark.parametrize(
    "change",
    [
        {"revision.protocol": "best_response", "revision.noise": 0.0},
        {"population.cost": {"dist": "uniform", "low": 0.1, "high": 0.4}},
        {"population.network": {"kind": "erdos_renyi", "mean_degree": 4}},
        {"population.groups": {"a": {"share": 0.5, "cost": 0.1}}},
        {"population.groups": {"a": {"share": 0.5}}, "collectives.union.recruits": ["a"]},
    ],
)
def test_no_closed_form_for_others(change):
    with pytest.raises(ValueError, match="no closed-form stationary law: "):
        logit_chain(scenario({**SMALL, **change}))


def test_large_populations_do_not_underflow():
    log_pi = log_stationary_distribution(np.full(5000, 0.3), np.full(5000, 0.3), 0.01)
    assert np.isfinite(log_pi).all()
    assert int(log_pi.argmax()) == 5000


@pytest.mark.parametrize("k", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("factor", [0.0, 0.4])
def test_stochastic_stability(k, factor):
    """All-join iff c < (1−γ)∫S, ∫S = 1 − k ln((1+k)/k): the same from the law at small noise."""
    curve = feature_label(k, 1.0)
    border = (1 - factor) * (1 - k * np.log((1 + k) / k))
    for cost, expected in ((border - 0.03, "all"), (border + 0.03, "none")):
        assert stochastically_stable(curve, cost, factor) == expected
        assert stochastically_stable(lambda a: 1 * curve(a), cost, factor) == expected
        d = (1 - factor) * curve(np.arange(400) / 400) - cost
        pi = stationary_distribution(d, d, 0.004)
        assert (pi[0] + pi[1:40].sum() < 0.01) == (expected == "all")
    assert stochastically_stable(curve, border - 0.03, factor, dues=0.06) == "none"


def test_bad_chains_are_refused():
    with pytest.raises(ValueError, match="noise"):
        stationary_distribution([0.0], [0.0], 0.0)
    with pytest.raises(ValueError, match=r"must be \(N,\) both"):
        stationary_distribution([0.0, 1.0], [0.0], 1.0)

"""Distributions of costs and free-riding factors against scipy.stats, quadrature and their law."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from sim.distributions import Distribution, Listed, as_distribution, type_classes
from sim.population import make_population
from sim.scenario import fields, loads
from sim.scenario_parts import Beta, Lognormal, Normal, Uniform, Values
from sim.streams import Streams
from tests.effort import lines_run

# (what a scenario says, the same by scipy.stats)
CONTINUOUS: dict[str, tuple[Any, Any]] = {
    "normal": (Normal(dist="normal", mean=0.3, sd=0.1), stats.norm(0.3, 0.1)),
    "normal cut below": (
        Normal(dist="normal", mean=0.3, sd=0.2, low=0.0),
        stats.truncnorm(-1.5, np.inf, 0.3, 0.2),
    ),
    "normal cut above": (
        Normal(dist="normal", mean=0.3, sd=0.2, high=0.35),
        stats.truncnorm(-np.inf, 0.25, 0.3, 0.2),
    ),
    "normal upper tail": (
        Normal(dist="normal", mean=0.0, sd=1.0, low=9.0, high=11.0),
        stats.truncnorm(9.0, 11.0),
    ),
    "normal lower tail": (
        Normal(dist="normal", mean=0.0, sd=1.0, low=-31.0, high=-30.0),
        stats.truncnorm(-31.0, -30.0),
    ),
    "uniform": (Uniform(dist="uniform", low=-0.1, high=0.7), stats.uniform(-0.1, 0.8)),
    "lognormal": (
        Lognormal(dist="lognormal", median=0.3, sigma=0.8),
        stats.lognorm(0.8, scale=0.3),
    ),
    "beta": (Beta(dist="beta", a=2.0, b=5.0), stats.beta(2.0, 5.0)),
    "beta with poles": (Beta(dist="beta", a=0.4, b=0.6), stats.beta(0.4, 0.6)),
}
CUT: dict[str, tuple[Any, Any]] = {
    "lognormal cut": (
        Lognormal(dist="lognormal", median=0.3, sigma=0.8, low=0.1, high=1.0),
        stats.lognorm(0.8, scale=0.3),
    ),
    "beta cut below": (Beta(dist="beta", a=2.0, b=5.0, high=0.3), stats.beta(2.0, 5.0)),
    "beta cut above": (Beta(dist="beta", a=2.0, b=5.0, low=0.6, high=0.9), stats.beta(2.0, 5.0)),
}
EVERY = {**CONTINUOUS, **CUT}
Q = np.array([1e-12, 1e-6, 0.01, 0.25, 0.5, 0.75, 0.99, 1 - 1e-6])


@pytest.fixture(params=EVERY)
def law(request: pytest.FixtureRequest) -> Distribution:
    return as_distribution(EVERY[request.param][0])


@pytest.mark.parametrize("name", CONTINUOUS)
def test_agrees_with_scipy(name: str) -> None:
    spec, reference = CONTINUOUS[name]
    law = as_distribution(spec)
    x = reference.ppf(Q)
    np.testing.assert_allclose(law.ppf(Q), x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(law.cdf(x), reference.cdf(x), rtol=1e-9, atol=1e-13)
    assert law.mean == pytest.approx(reference.mean(), rel=1e-9)


@pytest.mark.parametrize("name", CUT)
def test_truncation_is_conditioning(name: str) -> None:
    spec, whole = CUT[name]
    law = as_distribution(spec)
    low, high = law.support
    x = np.linspace(low, high, 41)
    wanted = (whole.cdf(x) - whole.cdf(low)) / (whole.cdf(high) - whole.cdf(low))
    np.testing.assert_allclose(law.cdf(x), wanted, atol=1e-12)
    clipped = whole.cdf(x)  # what clipping would give at the upper end is something else
    assert abs(clipped - wanted).max() > 1e-3


def test_ppf_inverts_cdf(law: Distribution) -> None:
    np.testing.assert_allclose(law.cdf(law.ppf(Q)), Q, rtol=1e-7, atol=1e-14)


def test_stays_within_its_support(law: Distribution) -> None:
    low, high = law.support
    x = law.ppf(np.array([0.0, 1e-300, 0.5, 1.0]))
    assert (x >= low).all()
    assert (x <= high).all()
    assert (np.diff(x) >= 0).all()
    assert law.ppf(0.0) == pytest.approx(low)
    assert law.ppf(1.0) == pytest.approx(high)
    outside = [y for y in (low - 1, high + 1) if math.isfinite(y)]
    assert set(law.cdf(np.array(outside))) <= {0.0, 1.0}


def test_mean_is_the_integral_of_the_quantile_function(law: Distribution) -> None:
    def tail(q: float) -> float:
        # q = Λ(t), so that the ends of [0, 1] are resolved
        share = 1 / (1 + math.exp(-q))
        return float(law.ppf(share)) * share * (1 - share)

    mean, _ = integrate.quad(tail, -34, 34, limit=400, epsabs=1e-11)
    assert law.mean == pytest.approx(mean, rel=1e-6)


def test_samples_follow_the_law(law: Distribution) -> None:
    u = np.random.default_rng(20261121).random(20_000)
    sample = law.sample_at(u, np.zeros_like(u))
    assert stats.kstest(sample, law.cdf).pvalue > 1e-4
    # The test can fail: a shift by 2 % of the range of the data is seen.
    shift = 0.02 * (np.quantile(sample, 0.99) - np.quantile(sample, 0.01))
    assert stats.kstest(sample + shift, law.cdf).pvalue < 1e-4


def test_no_atoms_where_there_are_none(law: Distribution) -> None:
    x = law.ppf(Q)
    assert law.atoms() is None
    np.testing.assert_array_equal(law.cdf_left(x), law.cdf(x))


@pytest.mark.parametrize("name", ["normal cut below", "lognormal cut"])
def test_a_million_people_in_a_moment(name: str) -> None:
    """As many lines of Python as a thousand people: no search for each, by no number of steps."""
    law, u = as_distribution(EVERY[name][0]), np.random.default_rng(1).random(10**6)
    law.ppf(u[:10])  # with all that is loaded and kept at first
    assert lines_run(lambda: law.ppf(u)) == lines_run(lambda: law.ppf(u[:1000])) < 200


@settings(deadline=None, max_examples=200)
@given(
    mean=st.floats(-3, 3),
    sd=st.floats(1e-3, 3),
    z=st.floats(-30, 30),
    width=st.floats(1e-3, 10),
    q=st.floats(0, 1),
)
def test_any_window_of_a_normal(mean: float, sd: float, z: float, width: float, q: float) -> None:
    low, high = mean + z * sd, mean + (z + width) * sd
    if not low < high:
        return
    law = as_distribution(Normal(dist="normal", mean=mean, sd=sd, low=low, high=high))
    x = float(law.ppf(q))
    assert low <= x <= high
    assert low <= law.mean <= high
    assert float(law.cdf(x)) == pytest.approx(q, abs=1e-6)


# --- atoms ---------------------------------------------------------------------------------------


def test_constant() -> None:
    law = as_distribution(0.3)
    np.testing.assert_array_equal(law.cdf([0.2, 0.3, 0.4]), [0, 1, 1])
    np.testing.assert_array_equal(law.cdf_left([0.2, 0.3, 0.4]), [0, 0, 1])
    np.testing.assert_array_equal(law.sample_at(np.zeros(3), np.zeros(3)), [0.3, 0.3, 0.3])
    assert (law.mean, law.support) == (0.3, (0.3, 0.3))


def test_values() -> None:
    law = as_distribution(Values(dist="values", values=(0.5, 0.1, 0.5, 0.2)))
    values, weights = law.atoms() or ((), ())
    np.testing.assert_array_equal(values, [0.1, 0.2, 0.5])
    np.testing.assert_array_equal(weights, [0.25, 0.25, 0.5])
    np.testing.assert_array_equal(law.cdf([0, 0.1, 0.3, 0.5]), [0, 0.25, 0.5, 1])
    np.testing.assert_array_equal(law.cdf_left([0, 0.1, 0.3, 0.5]), [0, 0, 0.5, 0.5])
    np.testing.assert_array_equal(
        law.ppf([0, 0.25, 0.26, 0.5, 0.51, 1]), [0.1, 0.1, 0.2, 0.2, 0.5, 0.5]
    )
    assert law.mean == pytest.approx(0.325)


@pytest.mark.parametrize(("n", "people"), [(1, 7), (3, 3), (4, 100), (7, 700), (100, 100), (5, 12)])
def test_values_are_given_out_by_position(n: int, people: int) -> None:
    law, i = Listed(np.arange(n)), np.arange(people)
    given_out = law.sample_at(np.full(people, 0.9), i / people)
    np.testing.assert_array_equal(given_out, i * n // people)
    if people % n == 0:  # exactly equal shares
        assert set(np.bincount(given_out.astype(int))) == {people // n}


@settings(deadline=None, max_examples=300)
@given(n=st.integers(1, 3000), people=st.integers(1, 3000))
def test_position_never_rounds_to_the_neighbour(n: int, people: int) -> None:
    i = np.arange(people)
    given_out = Listed(np.arange(n)).sample_at(i, i / people)
    np.testing.assert_array_equal(given_out, i * n // people)


def test_three_people_of_two_values() -> None:
    """Index floor((i + ½)·n/N), as the documentation of the fields has it."""
    text = """
name = "three"
population = { size = 3, cost = { dist = "values", values = [0.1, 0.2] } }
platform = { learner = "bound" }
collectives.union = { strategy = "feature_label", signal = { uniqueness = 0.01, gap = 1.0 } }
"""
    column = make_population(loads(text), Streams(0)).cost
    assert column.tolist() == [0.1, 0.2, 0.2]
    assert any("floor((i + ½)·n/N)" in field.meaning for field in fields())


def test_values_do_not_share_the_callers_array() -> None:
    mine = np.array([1.0, 2.0])
    law = Listed(mine)
    mine[0] = 9.0
    assert law.mean == 1.5


def test_what_is_no_distribution_is_refused() -> None:
    with pytest.raises(TypeError, match="not a distribution"):
        as_distribution("normal")  # type: ignore[arg-type]


# --- types ---------------------------------------------------------------------------------------

ECONOMY = """
name = "types"
[population]
size = 100
cost = { dist = "values", values = [0.1, 0.2] }
free_riding = { dist = "values", values = [0.0, 0.3, 0.6] }
[population.groups.artists]
share = 0.3
cost = 0.25
[population.groups.coders]
share = 0.5
free_riding = 0.9
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
recruits = ["artists"]
[collectives.guild]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
[platform]
learner = "bound"
"""


def test_type_classes() -> None:
    rest, artists, coders = type_classes(loads(ECONOMY))
    assert [c.name for c in (rest, artists, coders)] == ["", "artists", "coders"]
    assert [c.share for c in (rest, artists, coders)] == pytest.approx([0.2, 0.3, 0.5])
    assert (artists.cost.mean, coders.free_riding.mean) == (0.25, 0.9)
    assert (rest.paired, artists.paired, coders.paired) == (True, False, False)
    eligible = [list(c.eligible) for c in (rest, artists, coders)]
    assert eligible == [[False, True], [True, True], [False, True]]


def test_paired_values_are_what_people_have() -> None:
    rest = type_classes(loads(ECONOMY))[0]
    costs, factors, weights = rest.pairs()
    people = np.arange(600) / 600
    drawn = np.stack(
        [rest.cost.sample_at(people, people), rest.free_riding.sample_at(people, people)]
    )
    pairs, counts = np.unique(drawn, axis=1, return_counts=True)
    order = np.lexsort((factors, costs))
    np.testing.assert_array_equal(pairs, np.stack([costs, factors])[:, order])
    np.testing.assert_allclose(counts / 600, weights[order], atol=1e-12)
    with pytest.raises(ValueError, match="explicit values"):
        type_classes(loads(ECONOMY))[1].pairs()


def test_groups_that_are_everybody_leave_nobody() -> None:
    thirds = ECONOMY.replace("share = 0.3", "share = 0.1").replace("share = 0.5", "share = 0.9")
    classes = type_classes(loads(thirds))
    assert [c.name for c in classes] == ["artists", "coders"]
    assert math.fsum(c.share for c in classes) == pytest.approx(1.0, abs=1e-15)

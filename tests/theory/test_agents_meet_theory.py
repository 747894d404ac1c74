"""The simulated agents against the theory: tipping, stationary law, principal, interference."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from sim import revision
from sim.model import Economy
from sim.runs import run
from sim.success_of import success_function
from tests.economies import scenario

SIGNALS = {
    "feature_label": [{"uniqueness": 0.01, "gap": 1.0}, {"uniqueness": 0.2, "gap": 0.7}],
    "feature_only": [
        {"uniqueness": 0.01, "positivity": 0.3},
        {"uniqueness": 0.05, "positivity": 0.5},
    ],
    "erasure": [{"sensitivity": 0.02}, {"sensitivity": 0.15}],
    "gradient_neutralising": [{"own_gradient": 3.0, "base_gradient": 1.0}],
    "gradient_control": [{"pull": 0.5, "learning_rate": 0.1, "steps": 40}],
}
GRID = [
    pytest.param(strategy, signal, eps, cost, gamma, id=f"{strategy}-{i}-eps{eps}-c{cost}-g{gamma}")
    for strategy, signals in SIGNALS.items()
    for i, signal in enumerate(signals)
    for eps, cost, gamma in itertools.product((0.0, 0.05), (0.05, 0.3, 0.6), (0.0, 0.3))
    if eps == 0 or not strategy.startswith("gradient")
]


def _homogeneous(strategy: str, signal: dict, eps: float, cost: float, gamma: float, **more):
    return scenario(
        {
            "population.size": 2_000,
            "population.cost": cost,
            "population.free_riding": gamma,
            "collectives.union": {"strategy": strategy, "signal": signal},
            "platform.suboptimality": eps,
            **more,
        }
    )


@pytest.mark.parametrize(("strategy", "signal", "eps", "cost", "gamma"), GRID)
def test_just_below_the_critical_threshold_it_dies_and_just_above_all_join(
    strategy: str, signal: dict, eps: float, cost: float, gamma: float
) -> None:
    world = _homogeneous(strategy, signal, eps, cost, gamma)
    size = world.population.size
    tipping = success_function(world).curve(0).critical_mass(cost / (1 - gamma))
    if np.isnan(tipping):  # no size suffices: not even everybody together stays
        everybody = world.replace({"collectives.union.start": 1.0})
        assert run(everybody).summary["final"]["union"]["alpha"] == 0.0
        return
    # A whole number of people exactly at the threshold is indifferent and stays: step off it.
    below = int(np.ceil(tipping * size - 1e-9)) - 1
    above = int(np.floor(tipping * size + 1e-9)) + 1
    for activation in ("simultaneous", "sequential"):
        for count, end in ((below, 0.0), (above, 1.0)):
            if count > size:
                continue
            started = world.replace(
                {"collectives.union.start": count / size, "revision.activation": activation}
            )
            summary = run(started).summary
            assert summary["final"]["union"]["alpha"] == end, (activation, count, tipping)
            assert summary["stopped"] == "settled"


@pytest.mark.parametrize("sd", [0.05, 0.12, 0.3])
@pytest.mark.parametrize("start", [0.0, 0.3, 0.9])
def test_heterogeneous_agents_end_where_the_map_says(sd: float, start: float) -> None:
    # The map by hand: F(α) = Φ((S(α) − mean)/sd) with γ = 0, iterated from the same start.
    size = 10_000
    world = scenario(
        {
            "population.size": size,
            "population.cost": {"dist": "normal", "mean": 0.25, "sd": sd},
            "population.free_riding": 0.0,
            "collectives.union.start": start,
        }
    )
    curve = success_function(world).curve(0)
    alpha = start
    for _ in range(10_000):
        alpha = float(stats.norm.cdf((curve(alpha) - 0.25) / sd))
    final = run(world).summary["final"]["union"]["alpha"]
    assert abs(final - alpha) < 5 / np.sqrt(size)


def _pivotal_law(size: int, k: float, c: float, gamma: float, eta: float) -> np.ndarray:
    """π(m) ∝ C(N, m) exp(Σ_{j<m} d_j/η), d_j = S((j+1)/N) − γS(j/N) − c (theory section 5)."""
    a = np.arange(1, size + 1) / size
    s = np.concatenate([[0.0], np.clip(1 - (1 - a) / a * k, 0, 1)])
    d = s[1:] - gamma * s[:-1] - c
    m = np.arange(size + 1)
    log = stats.binom(size, 0.5).logpmf(m) + np.concatenate([[0.0], np.cumsum(d)]) / eta
    weights = np.exp(log - log.max())
    return weights / weights.sum()


@pytest.mark.parametrize("rule", ["one reviser an epoch", "everybody in random order"])
def test_simulated_logit_chain_passes_a_chi_square_test(rule: str) -> None:
    # Both rules are heat-bath updates of one person given the rest, so both have this law.
    size, k, c, gamma, eta = 20, 0.05, 0.45, 0.2, 0.2
    one = rule == "one reviser an epoch"
    world = scenario(
        {
            "population.size": size,
            "population.cost": c,
            "population.free_riding": gamma,
            "collectives.union": {
                "strategy": "feature_label",
                "signal": {"uniqueness": k, "gap": 1.0},
                "start": 0.5,
            },
            "revision": {
                "protocol": "logit",
                "noise": eta,
                "decides": "pivotal",
                "activation": "sequential",
                "rate": 1 / size if one else 1.0,
            },
            "stop": {"when": "never"},
            "epochs": 1_000_000,
            "seed": 11,
        }
    )
    economy = Economy(world, compiled=True)
    thin, burn, draws = (80, 1_000, 1_000) if one else (6, 200, 1_500)
    seen = np.zeros(size + 1)
    for step in range(burn + thin * draws):
        revision.revise(economy)
        economy.publish()
        if step >= burn and (step - burn) % thin == 0:
            seen[economy.population.counts[0]] += 1
    law = _pivotal_law(size, k, c, gamma, eta)
    bins = _merged(law * seen.sum())
    observed = np.add.reduceat(seen, bins)
    expected = np.add.reduceat(law * seen.sum(), bins)
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    # The same data do not pass for the law of slightly dearer participation.
    wrong = np.add.reduceat(_pivotal_law(size, k, c + 0.05, gamma, eta) * seen.sum(), bins)
    assert stats.chisquare(observed, wrong).pvalue < 1e-3


def _merged(expected: np.ndarray) -> list[int]:
    """Starts of bins that hold at least ten expected draws each."""
    starts, total = [0], 0.0
    for i, e in enumerate(expected):
        if total >= 10 and expected[i:].sum() >= 10:
            starts.append(i)
            total = 0.0
        total += e
    return starts


@pytest.mark.parametrize("network", [False, True])
def test_two_colliding_collectives_the_larger_wins(network: bool) -> None:
    groups = {"a": {"share": 0.5}, "b": {"share": 0.5}}
    signal = {"uniqueness": 0.01, "gap": 1.0}
    for start, winner in (((0.3, 0.1), "union"), ((0.1, 0.3), "guild")):
        settings = {
            "population.size": 2_000,
            "population.groups": groups,
            "collectives.union": {
                "strategy": "feature_label",
                "start": start[0],
                "recruits": ["a"],
                "signal": {**signal, "overlap": {"guild": 1.0}},
            },
            "collectives.guild": {
                "strategy": "feature_label",
                "start": start[1],
                "recruits": ["b"],
                "signal": {**signal, "overlap": {"union": 1.0}},
            },
        }
        if network:
            settings["population.network"] = {"kind": "complete"}
        final = run(scenario(settings, 2)).summary["final"]
        loser = "guild" if winner == "union" else "union"
        assert final[winner]["alpha"] == 0.5
        assert final[loser]["alpha"] == 0.0
        # with disjoint signals both stand
        for name in ("union", "guild"):
            settings[f"collectives.{name}"]["signal"] = signal
        apart = run(scenario(settings, 2)).summary["final"]
        assert (apart["union"]["alpha"], apart["guild"]["alpha"]) == (0.5, 0.5)


def test_allies_help_each_other() -> None:
    # Both too small alone; with one target both stand, for members are not in each other's way
    # and fewer people keep the platform's old data: (1 − ᾱ)/α is what counts.
    groups = {"a": {"share": 0.5}, "b": {"share": 0.5}}
    base = {"strategy": "feature_label", "target": "ours"}
    signal = {"uniqueness": 0.3, "gap": 1.0}

    def final(start_b: float, target_b: str) -> float:
        settings = {
            "population.groups": groups,
            "population.cost": 0.3,
            "population.free_riding": 0.2,
            "collectives.union": {
                **base,
                "recruits": ["a"],
                "start": 0.29,
                "signal": {**signal, "overlap": {"guild": 1.0}},
            },
            "collectives.guild": {
                **base,
                "recruits": ["b"],
                "start": start_b,
                "target": target_b,
                "signal": {**signal, "overlap": {"union": 1.0}},
            },
        }
        return run(scenario(settings, 2)).summary["final"]["union"]["alpha"]

    assert final(0.0, "ours") == 0.0
    assert final(0.25, "ours") == 0.5
    assert final(0.25, "theirs") == 0.0  # the same neighbour as a rival


# The principal ---------------------------------------------------------------------------------

EXAMPLE_B = 0.00371264  # theory section 4: k = 0.01, c = 0.3, γ = 0.2


def _investment(k: float, c: float, gamma: float) -> float:
    onset, tipping = k / (1 + k), k / (1 - c / (1 - gamma) + k)
    return c * tipping - (1 - gamma) * ((1 + k) * (tipping - onset) - k * np.log(tipping / onset))


def test_divide_and_conquer_converges_to_the_bound_from_below() -> None:
    assert _investment(0.01, 0.3, 0.2) == pytest.approx(EXAMPLE_B, abs=5e-9)
    for k, c, gamma in ((0.01, 0.3, 0.2), (0.1, 0.5, 0.0), (0.3, 0.2, 0.5)):
        bound = _investment(k, c, gamma)
        gaps = []
        for size in (100, 1_000, 10_000, 100_000):
            world = scenario(
                {
                    "population.size": size,
                    "population.cost": c,
                    "population.free_riding": gamma,
                    "collectives.union.signal": {"uniqueness": k, "gap": 1.0},
                    "principal": {
                        "policy": "subsidy",
                        "budget": float(size),
                        "collective": "union",
                    },
                }
            )
            summary = run(world).summary
            assert summary["final"]["union"]["alpha"] == 1.0
            gaps.append(bound - summary["spent"] / size)
        assert all(gap > 0 for gap in gaps)
        assert gaps[0] > gaps[1] > 5 * gaps[2] > 25 * gaps[3]  # one recruit's worth, O(1/N)


def test_the_budget_decides() -> None:
    def end(budget: float, start: float = 0.0) -> tuple[float, float]:
        world = scenario(
            {
                "population.size": 10_000,
                "collectives.union.start": start,
                "principal": {"policy": "subsidy", "budget": budget, "collective": "union"},
            }
        )
        summary = run(world).summary
        return summary["final"]["union"]["alpha"], summary["spent"]

    alpha, needed = end(1_000.0)
    assert alpha == 1.0
    assert needed == pytest.approx(36.9026, abs=1e-3)
    assert end(needed) == (1.0, needed)
    alpha, spent = end(needed - 0.31)  # one more recruit would have been needed
    assert alpha == 0.0
    assert needed - 0.31 >= spent > needed - 0.61
    assert end(1_000.0, start=0.02) == (1.0, 0.0)  # it grows by itself: nothing to pay
    assert end(1_000.0, start=0.01) == (1.0, pytest.approx(needed))  # members about to leave


def test_nothing_is_spent_on_a_hopeless_collective() -> None:
    world = scenario(
        {
            "population.cost": 0.9,
            "principal": {"policy": "subsidy", "budget": 500.0, "collective": "union"},
        }
    )
    summary = run(world).summary
    assert (summary["spent"], summary["final"]["union"]["alpha"]) == (0.0, 0.0)


def test_contracts_hold_until_the_platform_has_retrained() -> None:
    world = scenario(
        {
            "population.size": 10_000,
            "platform.retrain_every": 4,
            "principal": {"policy": "subsidy", "budget": 100.0, "collective": "union"},
        }
    )
    result = run(world)
    assert result.summary["final"]["union"]["alpha"] == 1.0
    signed = result.series.query("epoch == 1")["members"].item()
    assert 150 < signed < 165
    assert result.series.query("epoch == 4")["members"].item() == signed


def test_heterogeneous_spending_stays_below_the_integral_and_nears_it() -> None:
    # Uniform costs on [0.2, 0.4], γ = 0: c(a) = 0.2 + 0.2a; B by a fine sum to the tipping point.
    k = 0.05
    a = (np.arange(2_000_000) + 0.5) / 2_000_000
    s = np.clip(1 - (1 - a) / a * k, 0, 1)
    short = np.maximum(0.2 + 0.2 * a - s, 0)
    bound = short[: np.flatnonzero(short)[-1] + 1].sum() / len(a)
    gaps = []
    for size in (1_000, 100_000):
        world = scenario(
            {
                "population.size": size,
                "population.free_riding": 0.0,
                "population.cost": {
                    "dist": "values",
                    "values": (0.2 + 0.2 * (np.arange(size) + 0.5) / size).tolist(),
                },
                "collectives.union.signal": {"uniqueness": k, "gap": 1.0},
                "principal": {"policy": "subsidy", "budget": float(size), "collective": "union"},
            }
        )
        summary = run(world).summary
        assert summary["final"]["union"]["alpha"] == 1.0
        gaps.append(bound - summary["spent"] / size)
    assert 0 < gaps[1] < gaps[0] / 20


def test_the_principal_climbs_two_tipping_points() -> None:
    # Half the people are cheap, half dear: bought over the first tipping point, the collective
    # would rest at one half; she pays again for the second.
    settings = {
        "population.size": 4_000,
        "population.free_riding": 0.0,
        "population.cost": {"dist": "values", "values": [0.2] * 2_000 + [0.85] * 2_000},
        "collectives.union.signal": {"uniqueness": 0.2, "gap": 1.0},
    }
    rest = run(scenario({**settings, "collectives.union.start": 0.3}))
    assert rest.summary["final"]["union"]["alpha"] == 0.5
    principal = {"policy": "subsidy", "budget": 4_000.0, "collective": "union"}
    paid = run(scenario({**settings, "principal": principal}))
    assert paid.summary["final"]["union"]["alpha"] == 1.0
    topped = run(scenario({**settings, "collectives.union.start": 0.5, "principal": principal}))
    assert 0 < topped.summary["spent"] < paid.summary["spent"]


@pytest.mark.parametrize("size", [10, 59, 60, 61, 63, 64, 65])
def test_small_populations_are_tipped_too(size: int) -> None:
    # α_crit·N is about one person: an outsider who sees S(0) = 0 has to be asked, if not paid.
    principal = {"policy": "subsidy", "budget": 40.0, "collective": "union"}
    summary = run(scenario({"population.size": size, "principal": principal})).summary
    assert summary["final"]["union"]["alpha"] == 1.0
    assert summary["spent"] <= size * EXAMPLE_B


@pytest.mark.parametrize("decides", ["atomistic", "pivotal"])
@pytest.mark.parametrize("seed", range(6))
def test_people_drawn_at_random_are_tipped_and_paid_once(decides: str, seed: int) -> None:
    # Uniform costs leave gaps between thresholds where nobody comes by herself.
    world = scenario(
        {
            "seed": seed,
            "population.size": 1_000,
            "population.cost": {"dist": "uniform", "low": 0.1, "high": 0.5},
            "population.free_riding": {"dist": "uniform", "low": 0.1, "high": 0.3},
            "collectives.union.signal": {"uniqueness": 0.1, "gap": 1.0},
            "revision.decides": decides,
            "principal": {"policy": "subsidy", "budget": 1e6, "collective": "union"},
        }
    )
    result = run(world)
    everybody = world.replace({"principal": None, "collectives.union.start": 1.0})
    assert result.summary["final"] == run(everybody).summary["final"]  # the highest rest point
    assert result.summary["final"]["union"]["alpha"] > 0.9
    # Divide and conquer by hand, up to where the rest come by themselves: paid in one epoch.
    spent = result.series["spent"].to_numpy()
    assert spent[0] > 0
    assert np.all(spent == spent[0])

"""Revision protocols: compiled against plain, one person at a time against everybody at once."""

from __future__ import annotations

import numpy as np
import pytest

from sim import revision
from sim.model import Economy
from sim.payoffs import choose
from tests.economies import scenario

HETEROGENEOUS = {
    "population.cost": {"dist": "normal", "mean": 0.4, "sd": 0.2},
    "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.6},
    "collectives.union.start": 0.2,
}
NETWORKS = [
    None,
    {"kind": "complete"},
    {"kind": "watts_strogatz", "k": 6, "p": 0.1},
    {"kind": "erdos_renyi", "mean_degree": 2.0},
]


def _cases() -> list:
    cases = []
    for protocol, noise in (("best_response", 0.0), ("logit", 0.1)):
        for activation in ("simultaneous", "sequential"):
            for decides in ("atomistic", "pivotal"):
                for rate in (1.0, 0.3):
                    for network in NETWORKS:
                        for k in (1, 2, 3):
                            if decides == "pivotal" and network is not None:
                                continue
                            rules = {
                                "protocol": protocol,
                                "noise": noise,
                                "activation": activation,
                                "decides": decides,
                                "rate": rate,
                            }
                            kind = "none" if network is None else network["kind"]
                            name = f"{protocol}-{activation}-{decides}-{rate}-{kind}-{k}"
                            cases.append(pytest.param(rules, network, k, id=name))
    return cases


@pytest.mark.parametrize(("rules", "network", "k"), _cases())
def test_compiled_and_plain_runs_are_the_same(rules: dict, network: dict | None, k: int) -> None:
    sequential = rules["activation"] == "sequential"
    settings = {
        **HETEROGENEOUS,
        "population.size": 60 if sequential else 500,
        "epochs": 6,
        "revision": rules,
        "stop": {"when": "never"},
    }
    if network is not None:
        settings["population.network"] = network
    if k > 1:
        settings["collectives.guild.start"] = 0.3
        settings["population.groups"] = {"artists": {"share": 0.5, "cost": 0.1}}
        settings["collectives.guild.recruits"] = ["artists"]
    world = scenario(settings, k)
    plain, compiled = (Economy(world, compiled=flag) for flag in (False, True))
    for _ in range(6):
        plain.step()
        compiled.step()
        np.testing.assert_array_equal(plain.population.membership, compiled.population.membership)
        np.testing.assert_array_equal(plain.published, compiled.published)
    start = Economy(world).population.membership
    assert np.any(start != plain.population.membership)  # something did happen


def test_the_comparison_bites(monkeypatch: pytest.MonkeyPatch) -> None:
    world = scenario({**HETEROGENEOUS, "stop": {"when": "never"}})
    plain, compiled = Economy(world, compiled=False), Economy(world, compiled=True)
    plain.step()
    monkeypatch.setattr(compiled, "dues", compiled.dues + 0.01)
    compiled.step()
    assert np.any(plain.population.membership != compiled.population.membership)


def test_sequential_follows_its_order_and_renews_success_after_each() -> None:
    world = scenario(
        {**HETEROGENEOUS, "population.size": 80, "revision.activation": "sequential"}, 2
    )
    economy, twin = Economy(world), Economy(world)
    order = revision.revisers(twin, ordered=True)
    assert order is not None
    assert sorted(order.tolist()) == list(range(80))
    for row in order:  # by hand: one person, then S again
        twin.publish()
        d = revision.gains(twin, np.array([row]))
        twin.population.join(row, choose(d, twin.population.membership[[row]])[0])
    economy.step()
    np.testing.assert_array_equal(economy.population.membership, twin.population.membership)


def test_share_of_revisers() -> None:
    for size, rate, count in ((1000, 0.1, 100), (10, 0.01, 1), (7, 0.5, 4), (3, 1 / 3, 1)):
        economy = Economy(scenario({"population.size": size, "revision.rate": rate}))
        rows = revision.revisers(economy, ordered=False)
        assert rows is not None
        assert len(set(rows.tolist())) == len(rows) == count


def test_on_a_network_people_see_their_neighbours_share() -> None:
    economy = Economy(
        scenario(
            {
                "population.size": 50,
                "population.network": {"kind": "erdos_renyi", "mean_degree": 3.0},
                "collectives.union.start": 0.5,
            }
        )
    )
    graph, membership = economy.graph, economy.population.membership
    assert graph is not None
    seen = revision.local_success(economy, np.arange(50))[:, 0]
    for row in range(50):
        near = graph.neighbours(row)
        share = membership[near].mean() if len(near) else 0.0
        assert seen[row] == pytest.approx(economy.success.at([share])[0], abs=1e-15)
    assert (graph.degree == 0).any()  # loners are among them


def test_complete_network_excludes_oneself() -> None:
    economy = Economy(
        scenario(
            {
                "population.size": 5,
                "population.network": {"kind": "complete"},
                "collectives.union.start": 0.4,
            }
        )
    )
    d = revision.gains(economy, np.arange(5))[:, 0]
    s = economy.success.at([[1 / 4], [2 / 4]])[:, 0]  # a member sees one other, an outsider two
    member = economy.population.membership == 1
    np.testing.assert_allclose(d[member], 0.8 * s[0] - 0.3)
    np.testing.assert_allclose(d[~member], 0.8 * s[1] - 0.3)


def test_logit_shares_are_the_formula() -> None:
    size = 200_000
    economy = Economy(
        scenario(
            {
                "population.size": size,
                "collectives.union.start": 0.05,
                "collectives.guild.start": 0.02,
                "revision": {"protocol": "logit", "noise": 0.2},
            },
            2,
        )
    )
    s = economy.published
    weights = np.array([1.0, *np.exp((0.8 * s - 0.3) / 0.2)])
    economy.step()
    expected = weights[1:] / weights.sum()
    error = 4.5 * np.sqrt(expected * (1 - expected) / size)
    assert np.all(np.abs(economy.alpha - expected) < error)


def test_imitation_copies_with_the_payoff_difference() -> None:
    size = 100_000
    economy = Economy(
        scenario(
            {
                "population.size": size,
                "collectives.union.start": 0.4,
                "revision.protocol": "imitation",
            }
        )
    )
    d = 0.8 * economy.published[0] - 0.3
    economy.step()
    expected = 0.4 + 0.4 * 0.6 * d  # outsiders who meet a member and copy her
    assert economy.alpha[0] == pytest.approx(expected, abs=4.5 * np.sqrt(0.24 / size))


def test_imitation_never_leaves_consensus_and_never_enters_a_closed_collective() -> None:
    for start in (0.0, 1.0):
        economy = Economy(
            scenario({"collectives.union.start": start, "revision.protocol": "imitation"})
        )
        assert economy.run().summary["final"]["union"]["alpha"] == start
    settings = {
        "population.groups": {"artists": {"share": 0.5}},
        "collectives.union": {
            "recruits": ["artists"],
            "start": 0.4,
            "strategy": "feature_label",
            "signal": {"uniqueness": 0.01, "gap": 1.0},
        },
        "revision.protocol": "imitation",
    }
    economy = Economy(scenario(settings))
    economy.run()
    assert economy.alpha[0] == pytest.approx(0.5, abs=0.02)
    assert not np.any(economy.population.membership[economy.population.group == 0])

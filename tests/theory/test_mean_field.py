"""The mean-field path against the participation map, against agents, and at its edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analysis.equilibria import equilibria
from analysis.mean_field import mean_field_path
from analysis.participation import participation_map
from analysis.within_epoch import from_jump_to_jump, runge_kutta
from sim.model import Economy
from tests.economies import scenario

NORMAL = {"dist": "normal", "mean": 0.3, "sd": 0.1, "low": 0.0}
LINEAR = {
    "collectives.union.strategy": "gradient_control",
    "collectives.union.signal": {"pull": 1.0, "learning_rate": 1.0, "steps": 1},
    "population.free_riding": 0.0,
}  # S(α) = α


def alphas(path, name: str = "union") -> np.ndarray:
    return path.loc[path["collective"] == name, "alpha"].to_numpy()


def test_best_response_iterates_the_participation_map():
    world = scenario({"population.cost": NORMAL, "collectives.union.start": 0.011})
    path = mean_field_path(world, epochs=12)
    assert list(path.columns) == ["epoch", "collective", "alpha", "success"]
    assert path["epoch"].tolist() == list(range(13))
    pmap, alpha = participation_map(world), 0.011
    for value, success in zip(path["alpha"], path["success"], strict=True):
        assert value == pytest.approx(alpha, abs=1e-13)
        assert success == pytest.approx(pmap.success.at([alpha])[0], abs=1e-12)
        alpha = float(pmap.at([alpha])[0])


def test_granovetter_from_nothing():
    for sd, expected in ((0.12, 0.040211), (0.2, 0.999911)):
        cost = {"dist": "normal", "mean": 0.25, "sd": sd}
        path = mean_field_path(scenario({**LINEAR, "population.cost": cost}), epochs=400)
        assert alphas(path)[-1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("k", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("cost", [0.05, 0.3, 0.7])
@pytest.mark.parametrize(
    ("activation", "rate"), [("simultaneous", 1.0), ("simultaneous", 0.3), ("sequential", 1.0)]
)
def test_below_the_tipping_point_nobody_above_it_everybody(k, cost, activation, rate):
    world = scenario(
        {
            "population.cost": cost,
            "collectives.union.signal": {"uniqueness": k, "gap": 1.0},
            "revision.rate": rate,
            "revision.activation": activation,
        }
    )
    crit = k / (1 - cost / 0.8 + k)
    for start, end in ((crit * (1 - 1e-6), 0.0), (crit * (1 + 1e-6), 1.0)):
        path = mean_field_path(world, epochs=80, start={"union": start})
        assert alphas(path)[-1] == pytest.approx(end, abs=1e-9)


def test_a_share_revises():
    cost = {"population.cost": NORMAL, "collectives.union.start": 0.3, "revision.rate": 0.25}
    world = scenario(cost)
    pmap = participation_map(world)
    path = alphas(mean_field_path(world, epochs=3))
    assert path[1] == pytest.approx(0.75 * 0.3 + 0.25 * pmap.at([0.3])[0], abs=1e-14)


def test_sequential_epoch_against_an_ode_solver():
    """α′(s) = ρ(F(S(α)) − α₀) over one epoch."""
    law = {"dist": "normal", "mean": 0.25, "sd": 0.15}
    start = {**LINEAR, "population.cost": law, "collectives.union.start": 0.2}
    for rate in (1.0, 0.5):
        world = scenario({**start, "revision.activation": "sequential", "revision.rate": rate})
        pmap = participation_map(world)
        exact = solve_ivp(
            lambda s, a, p=pmap, r=rate: r * (p.at(a) - 0.2), (0, 1), [0.2], rtol=1e-10, atol=1e-12
        ).y[0, -1]
        assert alphas(mean_field_path(world, epochs=1))[1] == pytest.approx(exact, abs=1e-7)


def test_stale_success_between_trainings():
    cost = {"population.cost": NORMAL, "collectives.union.start": 0.012, "revision.rate": 0.5}
    world = scenario({**cost, "platform.retrain_every": 3})
    pmap = participation_map(world)
    target, alpha = pmap.at([0.012])[0], 0.012
    path = alphas(mean_field_path(world, epochs=4))
    for epoch in range(1, 4):
        alpha = 0.5 * alpha + 0.5 * target
        assert path[epoch] == pytest.approx(alpha, abs=1e-14)
    assert path[4] == pytest.approx(0.5 * path[3] + 0.5 * pmap.at([path[3]])[0], abs=1e-14)


def test_people_who_are_indifferent_stay():
    """c = 0: below a₀ = k/(1+k) nobody minds. γ = 1, c = 0: nobody ever minds."""
    free = scenario({"population.cost": 0.0, "collectives.union.start": 0.005})
    assert alphas(mean_field_path(free, epochs=5)) == pytest.approx(np.full(6, 0.005))
    both = {"population.cost": 0.0, "population.free_riding": 1.0, "collectives.union.start": 0.4}
    assert alphas(mean_field_path(scenario(both), epochs=5)) == pytest.approx(np.full(6, 0.4))
    dear = scenario({"population.cost": 0.1, "collectives.union.start": 0.005})
    assert alphas(mean_field_path(dear, epochs=1))[-1] == 0.0


def test_tied_collectives_keep_their_members():
    """Two alike of equal size: members stay, outsiders take the first in the file."""
    world = scenario({f"collectives.{c}.start": 0.2 for c in ("union", "guild")}, collectives=2)
    path = mean_field_path(world, epochs=1)
    assert alphas(path)[1] == pytest.approx(0.8)
    assert alphas(path, "guild")[1] == pytest.approx(0.2)


@pytest.mark.once(keep=4)
@pytest.mark.parametrize("protocol", ["best_response", "logit", "imitation"])
@pytest.mark.parametrize("activation", ["simultaneous", "sequential"])
@pytest.mark.parametrize("rate", [1.0, 0.4])
def test_agents_stay_close(protocol, activation, rate):
    """N agents, six epochs: within 5/√N of the path, from a start in the slow middle."""
    size = 4_000 if (protocol, activation) == ("imitation", "sequential") else 20_000
    law = {"dist": "normal", "mean": 0.3, "sd": 0.25, "low": 0.0}
    world = scenario(
        {
            **LINEAR,
            "population.size": size,
            "population.cost": law,
            "population.free_riding": 0.1,
            "collectives.union.start": 0.35,
            "revision.protocol": protocol,
            "revision.activation": activation,
            "revision.rate": rate,
            "revision.noise": 0.05 if protocol == "logit" else 0.0,
            "epochs": 6,
            "stop": {"when": "never"},
        }
    )
    series = Economy(world).run().series
    path = alphas(mean_field_path(world))
    assert series["alpha"].to_numpy() == pytest.approx(path, abs=5 / np.sqrt(size))


def test_two_collectives_of_agents_stay_close():
    size = 20_000
    world = scenario(
        {
            "population.size": size,
            "population.cost": NORMAL,
            "population.groups": {"a": {"share": 0.6}, "b": {"share": 0.4}},
            "collectives.union.recruits": ["a"],
            "collectives.guild.recruits": ["b"],
            "collectives.union.start": 0.05,
            "collectives.guild.start": 0.03,
            "revision.rate": 0.3,
            "epochs": 8,
            "stop": {"when": "never"},
        },
        collectives=2,
    )
    series = Economy(world).run().series
    path = mean_field_path(world)
    for name in ("union", "guild"):
        run = series.loc[series["collective"] == name, "alpha"].to_numpy()
        assert run == pytest.approx(alphas(path, name), abs=5 / np.sqrt(size))


def test_the_path_ends_at_a_stable_equilibrium():
    logit = {"revision.protocol": "logit", "revision.noise": 0.05}
    world = scenario({"population.cost": NORMAL, "collectives.union.start": 0.3, **logit})
    end = alphas(mean_field_path(world, epochs=200))[-1]
    assert any(e.stable and abs(e.alpha[0] - end) < 1e-9 for e in equilibria(world))


def test_imitators_move_towards_what_pays():
    """All alike: members gain (1−γ)S − c over outsiders, and the share moves by ρα(1−α)·gain."""
    world = scenario({"revision.protocol": "imitation", "collectives.union.start": 0.3})
    path = alphas(mean_field_path(world, epochs=1))
    gain = 0.8 * participation_map(world).success.at([0.3])[0] - 0.3
    assert path[1] == pytest.approx(0.3 + 0.3 * 0.7 * gain, abs=1e-12)


def test_imitators_copy_with_probability_one_at_most():
    """By hand: S = α = 0.4, γ = 0, half with c = 0.1, half with c = 3, members at random.

    Dear members (0.2) copy outsiders (0.6) surely, though they gain 2.6: −0.12. Outsiders (0.6),
    dear or not, copy cheap members (0.2) with probability 0.3: +0.036.
    """
    law = {"dist": "values", "values": [0.1, 3.0]}
    world = scenario({**LINEAR, "population.cost": law, "revision.protocol": "imitation"})
    path = alphas(mean_field_path(world, epochs=1, start={"union": 0.4}))
    assert path[1] == pytest.approx(0.4 - 0.12 + 0.036, abs=1e-12)


def test_where_there_is_no_mean_field():
    network = {"population.network": {"kind": "watts_strogatz", "k": 4, "p": 0.1}}
    with pytest.raises(ValueError, match="network"):
        mean_field_path(scenario(network))
    paid = {"principal": {"policy": "subsidy", "budget": 1.0, "collective": "union"}}
    with pytest.raises(ValueError, match="principal"):
        mean_field_path(scenario(paid))
    with pytest.raises(ValueError, match="must be one of union"):
        mean_field_path(scenario(), start={"onion": 0.1})
    with pytest.raises(ValueError, match="at most"):
        mean_field_path(scenario(), start={"union": 1.2})


def test_a_sequential_epoch_by_hand():
    """S = α, γ = 0, half with c = 0.3, half with c = 0.4, from α = 0.35.

    The first half joins: α′ = 0.5 − 0.35, until α = 0.4 after a third of the epoch. Then everybody
    who revises joins: α′ = 1 − 0.35 for the other two thirds.
    """
    law = {"dist": "values", "values": [0.3, 0.4]}
    world = scenario({**LINEAR, "population.cost": law, "revision.activation": "sequential"})
    path = alphas(mean_field_path(world, epochs=1, start={"union": 0.35}))
    assert path[1] == pytest.approx(0.4 + 0.65 * 2 / 3, abs=1e-10)


def test_from_jump_to_jump_against_runge_and_kutta():
    """Eight slopes, one after the other: the fine rule's error vanishes, ours is nothing."""
    cuts, slopes = np.arange(1, 8) / 10, np.array([1.0, 0.6, 0.8, 2.0, 0.9, 1.1, 0.5, 0.7])

    def slope(x):
        return slopes[np.searchsorted(cuts, x, side="left")]

    times = np.cumsum(0.1 / slopes[:7])  # at which each cut is reached
    assert times[-1] < 1
    exact = cuts[-1] + (1 - times[-1]) * slopes[7]
    assert from_jump_to_jump(slope, np.zeros(1), 100)[0] == pytest.approx(exact, abs=1e-10)
    assert runge_kutta(slope, np.zeros(1))[-1][0] == pytest.approx(exact, abs=0.05)
    assert abs(runge_kutta(slope, np.zeros(1))[-1][0] - exact) > 1e-5


def test_a_path_that_hovers_ends():
    """Up below a half, down above it: there is no path from jump to jump."""
    end = from_jump_to_jump(lambda x: np.where(x < 0.5, 1.0, -1.0), np.zeros(1), 40)
    assert end[0] == pytest.approx(0.5, abs=1 / 50)

"""The economy: order of an epoch, stopping, contracts, streams, welfare."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from sim.model import Economy
from sim.population import group_sizes
from sim.runs import run, run_many
from sim.scenario import loads
from tests.economies import scenario


def test_first_row_is_the_start_and_last_row_the_final_state() -> None:
    result = run(scenario({"collectives.union.start": 0.05}))
    series = result.series
    assert series["epoch"].tolist() == list(range(result.summary["epochs"] + 1))
    assert series["members"].iloc[0] == 50
    assert series["success"].iloc[0] == pytest.approx(1 - 0.95 / 0.05 * 0.01)
    last = series.iloc[-1]
    final = result.summary["final"]["union"]
    assert (last["alpha"], last["success"]) == (final["alpha"], final["success"]) == (1.0, 1.0)


def test_settled_takes_patience_epochs_without_a_move() -> None:
    for patience in (1, 3, 5):
        result = run(scenario({"collectives.union.start": 0.05, "stop.patience": patience}))
        assert result.summary["stopped"] == "settled"
        assert result.summary["epochs"] == 1 + patience


def test_out_of_epochs() -> None:
    result = run(scenario({"stop": {"when": "never"}, "epochs": 7}))
    assert (result.summary["stopped"], result.summary["epochs"]) == ("epochs", 7)


def test_a_cycle_is_found_and_said() -> None:
    # On a pair of neighbours each sees only the other: they change places for ever.
    world = scenario(
        {
            "population.size": 2,
            "population.cost": 0.5,
            "population.free_riding": 0.0,
            "population.network": {"kind": "complete"},
            "collectives.union.start": 0.5,
        }
    )
    result = run(world)
    assert result.summary["stopped"] == "cycle"
    assert result.summary["cycle_length"] == 2
    assert result.summary["epochs"] < 10


def test_partial_revision_does_not_settle_while_somebody_wants_to_move() -> None:
    # One reviser in a thousand per epoch: long quiet spells although the rest would all leave.
    world = scenario({"collectives.union.start": 0.012, "revision.rate": 0.001, "epochs": 20_000})
    result = run(world)
    assert result.summary["stopped"] == "settled"
    assert result.summary["final"]["union"]["alpha"] == 0.0


def test_between_retrainings_the_published_success_is_old() -> None:
    world = scenario(
        {
            "collectives.union.start": 0.05,
            "platform.retrain_every": 3,
            "stop": {"when": "never"},
            "epochs": 7,
        }
    )
    series = run(world).series
    first = 1 - 0.95 / 0.05 * 0.01
    assert series["success"].tolist() == pytest.approx([first] * 3 + [1.0] * 5)


def test_settled_is_not_declared_on_an_old_success() -> None:
    world = scenario({"collectives.union.start": 0.05, "platform.retrain_every": 50})
    summary = run(world).summary
    assert summary["final"]["union"]["alpha"] == 1.0
    assert summary["epochs"] > 50  # it waited for the second training


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.0), (1.0, 1.0)])
def test_ends_of_the_range_are_answers(start: float, end: float) -> None:
    final = run(scenario({"collectives.union.start": start})).summary["final"]["union"]
    assert final == {"alpha": end, "success": end}


def test_extreme_people_are_answers() -> None:
    assert (
        run(scenario({"population.free_riding": 1.0, "collectives.union.start": 0.5})).summary[
            "final"
        ]["union"]["alpha"]
        == 0.0
    )
    assert (
        run(scenario({"population.cost": 0.0, "collectives.union.start": 0.5})).summary["final"][
            "union"
        ]["alpha"]
        == 1.0
    )
    one = run(scenario({"population.size": 1, "collectives.union.start": 1.0}))
    assert one.summary["final"]["union"] == {"alpha": 1.0, "success": 1.0}
    never = run(scenario({"population.cost": 2.0, "collectives.union.start": 0.9}))
    assert never.summary["final"]["union"]["alpha"] == 0.0


def test_same_seed_same_run_and_another_seed_another() -> None:
    settings = {
        "population.cost": {"dist": "normal", "mean": 0.3, "sd": 0.1},
        "revision": {"protocol": "logit", "noise": 0.1},
        "epochs": 20,
    }
    first, again, other = (run(scenario({**settings, "seed": seed})) for seed in (5, 5, 6))
    assert first.series.equals(again.series)
    assert not first.series.equals(other.series)
    replicates = run_many(scenario({**settings, "seed": 5}), 2)
    assert replicates[0].series.equals(first.series)
    assert not replicates[1].series["alpha"].equals(first.series["alpha"])


def test_adding_a_group_or_a_network_changes_no_other_stream() -> None:
    settings = {
        "population.cost": {"dist": "normal", "mean": 0.3, "sd": 0.1},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.5},
        "collectives.union.start": 0.2,
    }
    plain = Economy(scenario(settings)).population
    network = {"population.network": {"kind": "erdos_renyi", "mean_degree": 4.0}}
    tied = Economy(scenario({**settings, **network})).population
    for column in ("cost", "free_riding", "membership"):
        np.testing.assert_array_equal(getattr(plain, column), getattr(tied, column))
    groups = {"population.groups": {"artists": {"share": 0.4, "cost": 0.1}}}
    grouped = Economy(scenario({**settings, **groups})).population
    artists = grouped.group == 1
    assert artists.sum() == 400
    np.testing.assert_array_equal(plain.cost[~artists], grouped.cost[~artists])
    np.testing.assert_array_equal(plain.free_riding, grouped.free_riding)
    np.testing.assert_array_equal(plain.membership, grouped.membership)
    assert np.all(grouped.cost[artists] == 0.1)
    bare = Economy(scenario(settings)).streams
    full = Economy(scenario({**settings, **groups, **network})).streams
    for purpose in ("activation", "revision"):
        assert getattr(bare, purpose).random() == getattr(full, purpose).random()


def test_group_sizes_fill_the_population() -> None:
    assert group_sizes(10, [1 / 3, 1 / 3, 1 / 3]).tolist() == [3, 4, 3]
    assert group_sizes(7, [0.6, 0.4]).sum() == 7
    assert group_sizes(3, [0.1]).tolist() == [0]


def test_welfare_is_mean_utility_by_hand() -> None:
    world = scenario({"collectives.union.start": 0.25, "collectives.union.dues": 0.05})
    economy = Economy(world)
    s = 1 - 3 * 0.01
    assert economy.welfare() == pytest.approx(0.25 * (s - 0.3 - 0.05) + 0.75 * 0.2 * s)


def test_memory_per_agent_stays_small() -> None:
    world = scenario(
        {
            "population.size": 100_000,
            "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0},
        }
    )
    assert Economy(world).population.nbytes <= 64 * 100_000


def test_making_people_needs_hardly_more_room_than_they_take() -> None:
    world = scenario({
        "population.size": 1_000_000, "collectives.union.start": 0.2,
        "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.5},
    })  # fmt: skip
    tracemalloc.start()
    economy = Economy(world, engine="rows")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert economy.population.nbytes == 18_000_000  # c and γ, group, membership
    assert peak < 25_000_000


def test_a_collective_with_few_recruits_finds_its_members_whatever_the_order() -> None:
    # "union" may take anybody and stands first in the file; the guild's only recruits are left it.
    settings = {
        "population.groups": {"artists": {"share": 0.3}},
        "collectives.union.start": 0.7,
        "collectives.guild.start": 0.3,
        "collectives.guild.recruits": ["artists"],
    }
    economy = Economy(scenario(settings, 2))
    assert economy.population.counts.tolist() == [700, 300]


@pytest.mark.parametrize("seed", range(4))
def test_twenty_noisy_people_never_settle_by_luck(seed: int) -> None:
    rules = {"protocol": "logit", "noise": 0.2, "activation": "sequential", "rate": 0.05}
    world = scenario(
        {"population.size": 20, "collectives.union.start": 0.5, "revision": rules, "seed": seed}
    )
    assert run(world).summary["stopped"] == "epochs"


def test_imitation_settles_only_where_nobody_could_copy_anybody() -> None:
    settings = {"revision.protocol": "imitation", "epochs": 5_000, "collectives.union.start": 0.02}
    for seed in range(4):
        summary = run(scenario({**settings, "seed": seed})).summary
        assert summary["stopped"] == "settled"
        assert summary["final"]["union"]["alpha"] in (0.0, 1.0)  # consensus, and not half way


DRIFT = """
name = "drift"
seed = 3
epochs = 100
stop = { when = "settled", tolerance = 0.005, patience = 2 }
population = { size = 1000, cost = { dist = "uniform", low = 0.0, high = 0.9 } }
platform = { learner = "bound" }
revision = { activation = "sequential", rate = 0.02 }
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.05, gap = 1.0 }
start = 0.1
"""


def test_a_tolerance_does_not_settle_those_who_still_move_one_at_a_time():
    """Success is renewed after each move there, so the drift is that of the whole epoch."""
    economy = Economy(loads(DRIFT))
    result = economy.run()
    moves = result.series["members"].diff().abs()
    assert result.summary["stopped"] == "settled" and economy.epoch > 20
    assert (moves.iloc[-2:] <= 5).all() and moves.max() > 5


def test_the_curve_of_every_size_is_asked_for_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.model.PIECE", 17)
    for size in (1, 15, 16, 17, 1000):
        economy = Economy(scenario({"population.size": size}))
        shares = [*(np.arange(size + 1) / size), 1.0]
        expected = [economy.success.at([share])[0] for share in shares]
        assert economy.count_curve.tolist() == expected
    assert len(set(expected)) > 900

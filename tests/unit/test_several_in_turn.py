"""Several collectives, one person after the other: the compiled loop is the plain one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from learners.several import SeveralBound
from sim import kernels_several, revision
from sim.model import Economy
from sim.payoffs import offers
from tests.economies import scenario

BOUNDS = ("hardt2023", "joint_tv", "conditional_tv")


def _platform(rng: np.random.Generator, k: int, bound: Any) -> SeveralBound:
    return SeveralBound(
        [f"c{i}" for i in range(k)], rng.integers(0, 3, k).tolist(), 0.1 * rng.random(k),
        rng.random(k), rng.random((k, k)), 0.1 * rng.random(k), bound,
    )  # fmt: skip


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("k", [2, 3, 7])
def test_the_closed_form_to_the_last_bit(k: int, bound: str) -> None:
    rng, pivotal = np.random.default_rng(k), 0
    for trial in range(150):
        platform, size = _platform(rng, k, bound), int(rng.integers(k, 5000))
        counts = rng.multinomial(size, rng.dirichlet(np.ones(k + 1)))[:k]
        counts[0] *= trial % 5 > 0
        if trial % 7 == 0:
            counts[-1] += size - counts.sum()  # everybody is a member
        found = np.empty(k)
        kernels_several.renew(counts, size, platform.terms, found)
        assert found.tolist() == platform.at(counts / size).tolist()
        join, forgo = np.empty((2, k + 1, k))
        kernels_several._offer_pivotal(counts, size, platform.terms, join, forgo)
        expected = offers(platform, counts, size)
        for row in np.flatnonzero(np.r_[counts.sum() < size, counts > 0]):  # somebody is there
            assert join[row].tolist() == expected.join[row].tolist()
            assert forgo[row].tolist() == expected.forgo[row].tolist()
            pivotal += join[row].tolist() != expected.join[0].tolist()
    assert pivotal > 50  # to some, what they do themselves matters


def _random_scenario(rng: np.random.Generator) -> Any:
    k = int(rng.integers(2, 4))
    names = ["union", "guild", "club"][:k]
    changes: dict[str, Any] = {
        "population.size": int(rng.integers(1_000, 1_500)), "revision.activation": "sequential",
        "population.cost": {"dist": "normal", "mean": 0.35, "sd": 0.2},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.5},
        "platform.suboptimality": 0.02, "platform.bound": str(rng.choice(BOUNDS)),
        "revision.rate": float(rng.choice([1.0, 0.4])), "stop": {"when": "never"},
        "revision.decides": str(rng.choice(["atomistic", "pivotal"])),
        "seed": int(rng.integers(1000)),
    }  # fmt: skip
    if rng.random() < 0.4:
        changes |= {"revision.protocol": "logit", "revision.noise": 0.05}
    if rng.random() < 0.4:
        changes["population.groups"] = {"artists": {"share": 0.4, "cost": 0.1}}
        changes["collectives.union.recruits"] = ["artists"]
    for i, name in enumerate(names):
        rivals = names[:i] + names[i + 1 :]
        changes[f"collectives.{name}"] = {
            "strategy": "feature_label", "start": float(rng.uniform(0.02, 0.3)),
            "target": str(rng.choice(["a", "b"])), "dues": float(rng.choice([0.0, 0.05])),
            "signal": {
                "uniqueness": float(rng.uniform(0.01, 0.1)), "gap": 1.0,
                "overlap": {rival: float(rng.uniform(0, 0.2)) for rival in rivals},
            },
        }  # fmt: skip
        if name == "union" and "population.groups" in changes:
            changes["collectives.union"]["recruits"] = ["artists"]
    changes.pop("collectives.union.recruits", None)
    return scenario(changes, k)


def test_same_people_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference finds the next one who moves, and asks the platform itself."""
    moves, loops = [], kernels_several.in_turn

    def counted(*given: Any) -> int:
        moves.append(loops(*given))
        return moves[-1]

    monkeypatch.setattr(kernels_several, "in_turn", counted)
    rng = np.random.default_rng(3)
    for _ in range(25):
        world = _random_scenario(rng)
        ends = []
        for plain in (False, True):
            with monkeypatch.context() as patch:
                if plain:
                    patch.setattr(revision, "SeveralBound", type("Nothing", (), {}))
                economy = Economy(world, compiled=True, engine="rows")
                alphas = []
                for _ in range(4):
                    economy.step()
                    alphas.append([*economy.counts.tolist(), *economy.published.tolist()])
                ends.append((economy.population.membership.tolist(), alphas))
        assert ends[0] == ends[1]
    assert len(moves) == 4 * 25
    assert sum(moved > 100 for moved in moves) > 40


def test_as_the_plain_loop_in_numpy() -> None:
    for protocol in ({}, {"revision.protocol": "logit", "revision.noise": 0.05}):
        world = scenario({
            "population.size": 1_000, "revision.activation": "sequential", "stop.when": "never",
            "population.cost": {"dist": "normal", "mean": 0.3, "sd": 0.1},
            "collectives.union.start": 0.1, "collectives.guild.start": 0.12, **protocol,
        }, 2)  # fmt: skip
        plain, quick = Economy(world), Economy(world)
        plain.compiled_sequential = False  # type: ignore[misc]
        for _ in range(3):
            plain.step()
            quick.step()
            assert plain.population.membership.tolist() == quick.population.membership.tolist()
        assert len({*quick.population.membership.tolist()}) > 1


def test_more_collectives_than_numpy_adds_up_one_by_one() -> None:
    platform, size = _platform(np.random.default_rng(0), 8, "hardt2023"), 1000
    wrong = 0
    for counts in np.random.default_rng(1).multinomial(size, np.full(9, 1 / 9), 300)[:, :8]:
        found = np.empty(8)
        kernels_several.renew(counts, size, platform.terms, found)
        wrong += found.tolist() != platform.at(counts / size).tolist()
    assert wrong  # which is why these are not taken by the loop


@pytest.mark.parametrize("k", [1, 2])
def test_who_is_where_she_may_not_be_leaves(k: int) -> None:
    """Somebody put her there; no collective is worth anything to her."""
    world = scenario({
        "population.size": 1_000, "revision.activation": "sequential", "population.cost": 2.0,
        "population.groups.artists.share": 0.4, "collectives.union.recruits": ["artists"],
    }, k)  # fmt: skip
    for plain in (True, False):
        economy = Economy(world)
        economy.compiled_sequential = not plain  # type: ignore[misc]
        economy.population.assign(None, np.ones(1_000, np.int8))
        economy.step()
        assert economy.counts.tolist() == [0] * k


class Half(Economy):
    """Tells people of half a success at most."""

    def measure(self) -> Any:
        return np.minimum(super().measure(), 0.5)


@pytest.mark.parametrize("protocol", ["best_response", "imitation", "logit"])
@pytest.mark.parametrize("k", [1, 2])
def test_a_model_that_measures_itself_is_asked(k: int, protocol: str) -> None:
    noise = {"revision.noise": 0.05} if protocol == "logit" else {}
    world = scenario({
        "population.size": 1_000, "revision.activation": "sequential", "stop.when": "never",
        "population.cost": {"dist": "normal", "mean": 0.4, "sd": 0.2},
        "collectives.union.start": 0.3, "revision.protocol": protocol, **noise,
    }, k)  # fmt: skip
    plain, quick = Half(world, compiled=False), Half(world)
    other = Economy(world, compiled=False)
    for _ in range(2):
        plain.step()
        quick.step()
        other.step()
    assert plain.population.membership.tolist() == quick.population.membership.tolist()
    assert plain.counts.tolist() != other.counts.tolist()
    many = scenario({"population.size": 60_000, "revision.activation": "sequential"})
    assert (Half(many).engine, Economy(many).engine) == ("rows", "types")


def test_after_signing_people_first_see_what_was_published() -> None:
    """Compiled or not: in the first epoch nobody has moved, and contracts are not felt."""
    world = scenario({
        "population.size": 1_000, "revision.activation": "sequential", "stop.when": "never",
        "population.cost": {"dist": "normal", "mean": 0.3, "sd": 0.01},
        "principal": {"policy": "subsidy", "collective": "union", "budget": 20.0},
    })  # fmt: skip
    plain, quick = Economy(world, compiled=False), Economy(world)
    alphas = []
    for _ in range(3):
        plain.step()
        quick.step()
        assert plain.population.membership.tolist() == quick.population.membership.tolist()
        alphas.append(quick.alpha[0])
    assert plain.spent == quick.spent > 1
    assert 0 < alphas[0] < 0.1 < alphas[1] == 1

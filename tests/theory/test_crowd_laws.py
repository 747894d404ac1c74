"""Crowds against rows and against exact enumeration: same trajectories, same laws.

Laws are tested by chi-square at level 1e-4 each: some 25 tests err in one of 400 suites.
"""

from __future__ import annotations

from itertools import combinations, product
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats

from sim import sampling
from sim.crowd_thresholds import Thresholds
from sim.crowd_types import Types
from sim.model import Economy
from sim.payoffs import Offers, choose, gain, logit_probabilities, offers
from sim.sampling import members_among, without_replacement
from sim.scenario import Scenario
from sim.streams import Streams
from sim.success_of import success_function
from tests.economies import scenario

LEVEL = 1e-4


def agrees(counts: np.ndarray, law: np.ndarray) -> bool:
    """Chi-square of observed counts against a law, classes expected fewer than 5 times as one."""
    expected = law * counts.sum()
    rare = expected < 5
    observed = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    kept = expected > 0
    if observed[~kept].any():  # the impossible happened
        return False
    return stats.chisquare(observed[kept], expected[kept]).pvalue > LEVEL


# Drawing without replacement ------------------------------------------------------------------


def hypergeometric_law(people: tuple[int, ...], count: int) -> dict[tuple[int, ...], float]:
    draws = [n for n in product(*(range(p + 1) for p in people)) if sum(n) == count]
    return dict(
        zip(draws, stats.multivariate_hypergeom.pmf(draws, people, count).tolist(), strict=True)
    )


@pytest.mark.parametrize("limit", [0, sampling.NUMPY_LIMIT], ids=["own", "numpy"])
@pytest.mark.parametrize(("people", "count"), [((4, 0, 7, 2), 5), ((3, 9), 11), ((30, 10), 20)])
def test_draws_without_replacement(people: tuple[int, ...], count: int, limit: int) -> None:
    rng, law = np.random.default_rng(1), hypergeometric_law(people, count)
    number = {draw: i for i, draw in enumerate(law)}
    found = [
        number[tuple(without_replacement(rng, people, count, limit).tolist())] for _ in range(8_000)
    ]
    observed, exact = np.bincount(found, minlength=len(law)), np.array(list(law.values()))
    assert agrees(observed, exact)
    share = count / sum(people)  # and independent draws, summing up right or not, would not pass
    free = rng.binomial(people, share, (8_000, len(people))).tolist()
    wrong = [number[tuple(draw)] for draw in free if tuple(draw) in number]
    assert len(wrong) < 8_000
    parts = rng.multinomial(count, np.array(people) / sum(people), 8_000)
    inside = parts[(parts <= people).all(axis=1)].tolist()
    wrong = [number[tuple(draw)] for draw in inside]
    assert not agrees(np.bincount(wrong, minlength=len(law)), exact)


def test_two_billion_are_drawn_from() -> None:
    rng, people = np.random.default_rng(0), np.array([1_500_000_000, 700_000_000, 0])
    for count in (0, 1, 1_000_000_007, 2_199_999_999, 2_200_000_000):
        drawn = without_replacement(rng, people, count)
        assert drawn.sum() == count and (drawn >= 0).all() and (drawn <= people).all()
    drawn = [without_replacement(rng, people, 1_100_000_000)[0] for _ in range(60)]
    law = stats.hypergeom(int(people.sum()), int(people[0]), 1_100_000_000)
    assert stats.kstest((np.array(drawn) - law.mean()) / law.std(), "norm").pvalue > LEVEL
    among = members_among(rng, people[:2], people[1::-1], np.array([2_000_000_000, 1_000_000_000]))
    np.testing.assert_allclose(among / [2e9, 1e9], [1.5 / 2.2, 0.7 / 2.2], atol=1e-3)


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match=r"count: got 4; must be in 0 … 3 \(people\)"):
        without_replacement(np.random.default_rng(0), (1, 2), 4)


# Same trajectories ----------------------------------------------------------------------------

SIGNALS = {
    "feature_label": {"uniqueness": (0.005, 0.4), "gap": (0.1, 1.0)},
    "feature_only": {"uniqueness": (0.01, 0.3), "positivity": (0.05, 1.0)},
    "erasure": {"sensitivity": (0.0, 0.3)},
    "gradient_neutralising": {"own_gradient": (0.1, 3.0), "base_gradient": (1.0, 1.0)},
    "gradient_control": {"pull": (0.1, 1.0), "learning_rate": (1.0, 1.0)},
}


def some_law(rng: np.random.Generator, high: float, few: bool) -> Any:
    """A number or a distribution between 0 and ``high``; one of few values if ``few``.

    Only where these are not few do they tie, now and then, with a success of 0 or 1.
    """
    kind = rng.integers(2) if few else rng.integers(6)
    digits = 17 if few else 2
    if kind == 0:
        return round(float(rng.uniform(0, high)), digits)
    if kind == 1:
        return {"dist": "values", "values": np.round(rng.uniform(0, high, 5), digits).tolist()}
    ends = {"low": 0.0, "high": min(high, 1.0)}
    return [
        {"dist": "uniform", "low": 0.0, "high": high * float(rng.uniform(0.2, 1))},
        {"dist": "normal", "mean": high / 2, "sd": float(rng.uniform(0.01, 0.4)), **ends},
        {"dist": "beta", "a": float(rng.uniform(0.5, 4)), "b": float(rng.uniform(0.5, 4)), **ends},
        {"dist": "lognormal", "median": 0.3, "sigma": 0.7, **ends},
    ][kind - 2]


def some_scenario(seed: int, few: bool) -> Scenario:
    """A random scenario of best responses by everybody at once."""
    rng = np.random.default_rng(seed)
    strategy = str(rng.choice(list(SIGNALS)))
    signal: dict[str, Any] = {k: float(rng.uniform(*w)) for k, w in SIGNALS[strategy].items()}
    if strategy == "gradient_control":
        signal["steps"] = int(rng.integers(1, 12))
    # Who is a member at first is drawn alike in types, but does not fall on the same people.
    sizes = [1, 1_000, 12_000] if few else [1, 2, 7, 90, 1_000, 6_000, 6_000, 12_000]
    settings: dict[str, Any] = {
        "population.size": int(rng.choice(sizes)),
        "population.cost": some_law(rng, 1.2, few),
        "population.free_riding": some_law(rng, 1.0, few),
        "collectives.union.strategy": strategy,
        "collectives.union.signal": signal,
        "collectives.union.start": float(rng.choice([0.0, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0])),
        "collectives.union.dues": float(rng.choice([0.0, 0.0, 0.1])),
        "platform.retrain_every": int(rng.choice([1, 1, 3])),
        "revision.decides": str(rng.choice(["atomistic", "atomistic", "pivotal"])),
        "seed": seed,
        "epochs": 20,
        "stop.patience": int(rng.integers(1, 4)),
    }
    collectives = 1
    if few and rng.random() < 0.6:
        for key in ("strategy", "signal"):
            del settings[f"collectives.union.{key}"]
        collectives = int(rng.integers(1, 4))
        settings["collectives.union.start"] /= 2
        artists = {"share": 0.4, "cost": some_law(rng, 1.0, few)}
        settings["population.groups"] = {"artists": artists}
        settings["revision.decides"] = "atomistic"
        if collectives > 1:
            settings["collectives.guild.start"] = 0.2
            settings["collectives.guild.recruits"] = ["artists"]
    return scenario(settings, collectives)


def compare(world: Scenario, engine: str) -> bool:
    """Step crowd and rows side by side; whether the crowd went on to the end."""
    crowd, rows = Economy(world, engine=engine), Economy(world, engine="rows")
    assert crowd.engine == engine
    while rows.running:
        np.testing.assert_array_equal(crowd.counts, rows.counts)
        np.testing.assert_array_equal(crowd.published, rows.published)
        crowd.step()
        rows.step()
    ended = ("epoch", "stopped", "cycle_length")
    assert [getattr(crowd, name) for name in ended] == [getattr(rows, name) for name in ended]
    assert crowd.welfare() == pytest.approx(rows.welfare(), abs=1e-12)
    np.testing.assert_array_equal(crowd.counts, rows.counts)
    counted = crowd.crowd is not None
    if engine == "thresholds":
        np.testing.assert_array_equal(crowd.population.membership, rows.population.membership)
    return counted


@pytest.mark.once(keep=2)
@pytest.mark.parametrize("first", range(0, 350, 50))
def test_thresholds_go_where_rows_go(first: int) -> None:
    seeds = range(first, first + 50)
    counted = [compare(some_scenario(seed, few=False), "thresholds") for seed in seeds]
    assert np.mean(counted) > 0.9


@pytest.mark.parametrize("first", range(0, 150, 50))
def test_types_go_where_rows_go(first: int) -> None:
    for seed in range(first, first + 50):
        assert compare(some_scenario(10_000 + seed, few=True), "types")


def at(cost: float, steps: int) -> float:
    """A number some floating-point numbers further up."""
    return cost + steps * np.spacing(cost)


@pytest.mark.parametrize("decides", ["atomistic", "pivotal"])
@pytest.mark.parametrize("seed", range(8))
def test_neighbours_in_floating_point_decide_as_in_rows(seed: int, decides: str) -> None:
    """Costs and factors a rounding error away from indifference: no formula is to be trusted."""
    rng = np.random.default_rng(seed)
    start, size = 0.25, 800 if decides == "atomistic" else 4_000
    slope, gamma = 1.5, float(rng.choice([0.0, 0.2, 0.7, 0.98, 0.9999999]))
    settings: dict[str, Any] = {
        "population.size": size,
        "collectives.union.strategy": "gradient_neutralising",
        "collectives.union.signal": {"own_gradient": slope - 1, "base_gradient": 1.0},
        "collectives.union.start": start,
        "revision.decides": decides,
        "epochs": 20,
        "seed": seed,
    }
    world = scenario(settings)
    success = success_function(world).at([[start], [start + 1 / size]])[:, 0]
    tie = success[1 if decides == "pivotal" else 0] - gamma * success[0]
    settings["population.cost"] = {
        "dist": "values",
        "values": [at(tie, steps) for steps in (-3, -2, -1, 0, 0, 1, 2, 3)] + [0.9],
    }
    settings["population.free_riding"] = {
        "dist": "values",
        "values": [max(0.0, at(gamma, steps)) for steps in (-1, 0, 0, 1)] if gamma else [0.0],
    }
    world = scenario(settings)
    assert compare(world, "thresholds")
    economy = Economy(world, engine="rows")
    d = np.array([economy.gain(row)[0] for row in range(0, size, 7)])
    assert (np.abs(d) < 1e-15).any()  # the trap is set


@pytest.mark.parametrize("seed", [1, 14, 57, 253, 291])
def test_cycles_are_found_when_rows_find_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    settings = {
        "population.size": int(rng.integers(2, 40)),
        "population.cost": {"dist": "uniform", "low": 0.0, "high": 1.2},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 1.0},
        "collectives.union.start": float(rng.uniform(0, 0.6)),
        "revision.decides": "pivotal",
        "collectives.union.signal": {"uniqueness": float(rng.uniform(0.05, 0.6)), "gap": 1.0},
        "platform.retrain_every": int(rng.choice([1, 2, 3])),
        "seed": seed,
    }
    world = scenario(settings)
    rows = Economy(world, engine="rows")
    assert rows.run().summary["stopped"] == "cycle"
    assert compare(world, "thresholds")


def test_states_are_equal_when_the_same_people_are_members() -> None:
    """However their thresholds were passed; and not if one more is."""
    uniform = {"dist": "uniform", "low": 0.0, "high": 1.0}
    settings = {"population.size": 5_000, "population.cost": uniform, "population.free_riding": 0.0}
    world = scenario({**settings, "collectives.union.start": 0.1})
    crowd = Thresholds(world, Streams(0))
    costs = np.sort(np.concatenate(list(crowd.cost.pieces())))
    low, high, above = costs[2_000:2_003]
    states = []
    for success in (low + (high - low) / 4, 0.9, low + 3 * (high - low) / 4, high, above):
        table = np.full((2, 1), success)
        crowd.revise(Offers(table, table))
        assert crowd.counts[0] == np.count_nonzero(costs < success)
        states.append(crowd.state())
    assert np.array_equal(states[0], states[2]) and np.array_equal(states[0], states[3])
    assert not np.array_equal(states[0], states[1]) and not np.array_equal(states[0], states[4])


# Same laws: exact chains over all states of a few people --------------------------------------


class Chain:
    """The exact law of the sizes of collectives over two epochs, person by person.

    States are all (K+1)^N memberships; the start draws people uniformly, an epoch the revisers.
    """

    def __init__(self, world: Scenario, cost: list[float], free_riding: list[float]) -> None:
        self.rules, self.n, self.k = world.revision, len(cost), len(world.names)
        self.people = np.array(cost), np.array(free_riding)
        self.dues = np.array([c.dues for c in world.collectives.values()])
        self.success = success_function(world)
        self.states = np.array(list(product(range(self.k + 1), repeat=self.n)))
        sizes = [int(np.floor(c.start * self.n + 0.5)) for c in world.collectives.values()]
        begins = (self.counts == sizes).all(axis=1)
        self.start = begins / begins.sum()

    @property
    def counts(self) -> np.ndarray:
        """(states, K)"""
        return (self.states[..., None] == np.arange(1, self.k + 1)).sum(axis=1)

    def choices(self, state: np.ndarray) -> np.ndarray:
        """(N, K+1) what each would choose in this state of all."""
        counts = (state[:, None] == np.arange(1, self.k + 1)).sum(axis=0)
        published = None if self.rules.decides == "pivotal" else self.success.at(counts / self.n)
        table = offers(self.success, counts, self.n, published=published)
        own = [column[:, None] for column in self.people]
        d = gain(table.join[state], table.forgo[state], *own, self.dues)
        if self.rules.protocol == "logit":
            return logit_probabilities(d, self.rules.noise)
        return np.eye(self.k + 1)[choose(d, state)]

    def step(self) -> np.ndarray:
        """(states, states) transition probabilities of an epoch."""
        count = max(1, int(np.floor(self.rules.rate * self.n + 0.5)))
        matrix = np.zeros((len(self.states),) * 2)
        sets = np.zeros((comb(self.n, count), self.n, 1), bool)
        for number, revisers in enumerate(combinations(range(self.n), count)):
            sets[number, revisers] = True
        for i, state in enumerate(self.states):
            p = np.where(sets, self.choices(state), np.eye(self.k + 1)[state])  # (sets, N, K+1)
            matrix[i] = p[:, np.arange(self.n), self.states].prod(axis=-1).mean(axis=0)
        return matrix

    def two_epochs(self) -> dict[tuple[int, ...], float]:
        """Law of the sizes after one epoch and after two, jointly."""
        step, law = self.step(), {}
        one = self.start @ step
        sizes, number = np.unique(self.counts, axis=0, return_inverse=True)
        for j in range(len(sizes)):
            two = (one * (number == j)) @ step
            for m in range(len(sizes)):
                law[*sizes[j].tolist(), *sizes[m].tolist()] = float(two[number == m].sum())
        return law


def follow(world: Scenario, kind: type, runs: int) -> list[tuple[int, ...]]:
    """Sizes after one epoch and two, in many replicates."""
    success, pivotal = success_function(world), world.revision.decides == "pivotal"
    found = []
    for replicate in range(runs):
        crowd = kind(world, Streams(world.seed, replicate))
        sizes: list[int] = []
        for _ in range(2):
            published = None if pivotal else success.at(crowd.counts / crowd.size)
            before = crowd.counts
            moved = crowd.revise(offers(success, before, crowd.size, published=published))
            assert moved >= np.abs(crowd.counts - before).max()
            sizes += crowd.counts.tolist()
        found.append(tuple(sizes))
    return found


COSTS, FACTORS = [0.05, 0.3, 0.3, 0.31, 0.45, 0.7, 1.2], [0.0, 0.1, 0.4, 0.4, 0.2, 0.1, 0.0]
SPREAD = {
    "population.size": 7,
    "population.cost": {"dist": "values", "values": COSTS},
    "population.free_riding": {"dist": "values", "values": FACTORS},
    "collectives.union.strategy": "gradient_neutralising",
    "collectives.union.signal": {"own_gradient": 0.5, "base_gradient": 1.0},
    "collectives.union.start": 3 / 7,
}
TWO = {
    "population.size": 5,
    "population.cost": {"dist": "values", "values": [0.1, 0.4, 0.5, 0.5, 0.7]},
    "collectives.union.signal": {"uniqueness": 0.2, "gap": 1.0},
    "collectives.guild.signal": {"uniqueness": 0.3, "gap": 0.5},
    "collectives.union.start": 0.4,
    "collectives.guild.start": 0.2,
    "collectives.guild.dues": 0.05,
}
LOGIT = {"protocol": "logit", "noise": 0.2}
CASES = [
    (Thresholds, SPREAD, {"rate": 0.4}),
    (Thresholds, SPREAD, {"rate": 0.7}),
    (Thresholds, SPREAD, {"decides": "pivotal"}),
    (Thresholds, SPREAD, {"rate": 0.4, "decides": "pivotal"}),
    (Types, SPREAD, {"rate": 0.4}),
    (Types, SPREAD, {"rate": 0.4, "decides": "pivotal"}),
    (Types, SPREAD, LOGIT),
    (Types, SPREAD, {**LOGIT, "rate": 0.4}),
    (Types, TWO, {"rate": 0.6}),
    (Types, TWO, {**LOGIT, "rate": 0.6, "decides": "pivotal"}),
    (Types, TWO, LOGIT),
]


@pytest.mark.once(keep=3)
@pytest.mark.parametrize(("kind", "settings", "rules"), CASES)
def test_two_epochs_have_their_exact_joint_law(kind: type, settings: dict, rules: dict) -> None:
    world = scenario({**settings, "revision": rules}, 2 if settings is TWO else 1)
    cost = world.population.cost.values
    factors = FACTORS if settings is SPREAD else [0.2] * 5
    law = Chain(world, cost, factors).two_epochs()
    assert sum(law.values()) == pytest.approx(1.0)
    number = {sizes: i for i, sizes in enumerate(law)}
    found = np.bincount([number[s] for s in follow(world, kind, 1_000)], minlength=len(law))
    assert agrees(found, np.array(list(law.values())))
    wrong = Chain(world, [c + 0.25 for c in cost], factors).two_epochs()  # not just any law
    assert not agrees(found, np.array(list(wrong.values())))


def test_a_share_of_many_revises_in_thresholds_with_the_law_of_rows() -> None:
    """Members after two epochs and how many came in the third, among 9,000: two samples of 250."""
    settings = {
        "population.size": 9_000,
        "population.cost": {"dist": "uniform", "low": 0.0, "high": 0.9},
        "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.7},
        "collectives.union.signal": {"uniqueness": 0.03, "gap": 1.0},
        "collectives.union.start": 0.05,
        "revision.rate": 0.3,
        "stop.when": "never",
    }
    world, samples = scenario(settings), []
    for engine in ("thresholds", "rows"):
        sizes = []
        for replicate in range(250):
            economy, path = Economy(world, replicate, engine=engine), []
            for _ in range(3):
                economy.step()
                path.append(int(economy.counts[0]))
            assert economy.engine == engine
            sizes.append((path[1], path[2] - path[1]))
        samples.append(np.array(sizes))
    for column in range(2):
        one, other = (sample[:, column] for sample in samples)
        assert stats.ks_2samp(one, other).pvalue > LEVEL
        assert stats.ks_2samp(one, other + 0.8 * other.std()).pvalue < LEVEL
    correlations = [np.corrcoef(sample.T)[0, 1] for sample in samples]
    assert abs(np.diff(np.arctanh(correlations))[0]) < 3.9 * np.sqrt(2 / 247)  # Fisher's z

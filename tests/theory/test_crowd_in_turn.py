"""People who revise one at a time, counted: the exact law of small ones, and the limit of many."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest
from scipy import stats

import alphacrit
from sim import crowd_in_turn
from sim.crowd import CountingError
from sim.model import Economy
from sim.payoffs import gain
from sim.scenario import Scenario
from tests.economies import scenario

LEVEL = 0.001  # of each test of a law
COSTS = [0.11, 0.36, 0.57]
SMALL = {
    "population.size": 6,
    "population.cost": {"dist": "values", "values": COSTS},
    "collectives.union.signal": {"uniqueness": 0.2, "gap": 1.0},
    "collectives.union.start": 0.33,  # two of six: it tips either way
    "revision.activation": "sequential",
    "stop": {"when": "never"},
    "epochs": 2,
}
LOGIT = {"revision.protocol": "logit", "revision.noise": 0.15}
RULES = {
    "best response": {},
    "half of them": {"revision.rate": 0.5},
    "pivotal": {"revision.decides": "pivotal", "revision.rate": 0.7},
    "logit": {**LOGIT, "revision.rate": 0.5},
    "pivotal logit": {**LOGIT, "revision.decides": "pivotal", "revision.rate": 0.5},
}


def _gain(world: Scenario, cost: float, members: int, inside: int) -> float:
    """d by theory section 4, from S(α) = 1 − ((1−α)/α)ξ."""
    size = world.population.size

    def s(count: int) -> float:
        return max(0.0, 1.0 - (size / count - 1.0) * 0.2) if count else 0.0

    if world.revision.decides == "pivotal":
        return s(members - inside + 1) - 0.2 * s(members - inside) - cost
    return 0.8 * s(members) - cost


def exact_law(world: Scenario) -> dict[tuple[int, ...], float]:
    """Of the numbers of members after each epoch: all orders of all people, one by one."""
    costs, rules = np.repeat(COSTS, 2), world.revision
    starts = list(itertools.combinations(range(6), 2))
    law = {(tuple(int(i in s) for i in range(6)), ()): 1 / len(starts) for s in starts}
    for _ in range(world.epochs):
        level = {(*key, frozenset()): p for key, p in law.items()}
        for _ in range(int(rules.rate * 6 + 0.5)):
            after: dict = defaultdict(float)
            for (state, past, done), p in level.items():
                rest = [i for i in range(6) if i not in done]
                for i in rest:
                    d = _gain(world, costs[i], sum(state), state[i])
                    joins = 1 / (1 + np.exp(-d / rules.noise)) if rules.noise else float(d > 0)
                    for new, chance in ((1, joins), (0, 1 - joins)):
                        then = (*state[:i], new, *state[i + 1 :])
                        if chance:
                            after[then, past, done | {i}] += p * chance / len(rest)
            level = after
        law = defaultdict(float)
        for (state, past, _), p in level.items():
            law[state, (*past, sum(state))] += p
    paths: dict = defaultdict(float)
    for (_, past), p in law.items():
        paths[past] += p
    return paths


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_the_law_of_two_epochs_is_exact(rules: dict) -> None:
    world = scenario({**SMALL, **rules})
    law, runs, found = exact_law(world), 800, Counter()
    for replicate in range(runs):
        economy = Economy(world, replicate, engine="types")
        path = []
        while economy.running:
            economy.step()
            path.append(int(economy.counts[0]))
        found[tuple(path)] += 1
    assert set(found) <= set(law)
    likely = sorted(law, key=law.__getitem__)
    expected, seen, bins = 0.0, 0, []
    for path in likely:  # rare ones together
        expected, seen = expected + law[path] * runs, seen + found[path]
        if expected >= 5:
            bins.append((seen, expected))
            expected, seen = 0.0, 0
    bins[-1] = (bins[-1][0] + seen, bins[-1][1] + expected)
    if len(bins) > 1:
        assert stats.chisquare(*zip(*bins, strict=True)).pvalue > LEVEL


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("rules", [{}, LOGIT, {**LOGIT, "revision.rate": 0.3}])
def test_many_people_go_as_the_limit(rules: dict) -> None:
    world = scenario({**SMALL, **rules, "epochs": 5, "population.size": 100_000_000})
    many, limit = (
        alphacrit.run(world),
        alphacrit.run(world.replace({"population.size": "infinite"})),
    )
    assert many.summary["engine"] == "types"
    np.testing.assert_allclose(many.series["alpha"], limit.series["alpha"], rtol=0, atol=5e-4)
    assert many.summary["welfare"] == pytest.approx(limit.summary["welfare"], abs=5e-4)


def test_groups_that_may_not_join_stay_out() -> None:
    groups = {"artists": {"share": 0.25}}
    changes = {**SMALL, **LOGIT, "population.size": 100_000, "population.groups": groups}
    changes |= {"collectives.union.recruits": ["artists"], "collectives.union.start": 0.2}
    economy = Economy(scenario(changes))
    assert economy.run().summary["engine"] == "types"
    inside = economy.population.membership == 1
    assert 0 < inside.sum() <= 25_000 and np.all(economy.population.group[inside] == 1)


def test_a_tie_of_everybody_moves_nobody_at_once() -> None:
    """S = 1 on a plateau, and everybody is indifferent there."""
    plateau = {"uniqueness": 0.2, "gap": 0.0}
    tie = {"population.cost": 0.8, "collectives.union.signal": plateau}
    tie |= {"collectives.union.start": 0.5, "population.size": 10_000_000}
    economy = Economy(scenario({**SMALL, **tie}))
    assert economy.engine == "types"
    assert float(gain(1.0, 1.0, 0.8, 0.2)) == 0.0
    economy.run()
    assert economy.engine == "types" and economy.alpha[0] == 0.5


def test_too_many_blocks_become_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd_in_turn, "MOST_BLOCKS", 3)
    world = scenario({**SMALL, **LOGIT, "population.size": 60_000})
    with pytest.raises(CountingError, match="too many people"):
        economy = Economy(world)
        assert economy.crowd is not None
        economy.crowd.revise_in_turn(economy.success)
    economy = Economy(world)
    before = economy.counts.copy()
    assert economy.run().summary["engine"] == "rows"
    assert before[0] == 19_800


def test_several_collectives_and_people_who_all_differ_are_rows() -> None:
    in_turn = {"revision.activation": "sequential", "population.size": 60_000}
    assert Economy(scenario(in_turn, 2)).engine == "rows"
    differ = {"population.cost": {"dist": "uniform", "low": 0.0, "high": 1.0}}
    assert Economy(scenario({**in_turn, **differ})).engine == "rows"

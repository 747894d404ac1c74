"""A flock against the economies it stands for, run one by one: the same numbers, bit by bit."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

from learners.errors import ScenarioError
from learners.measured.table import MeasuredTable
from sim import flock as flock_module
from sim import flock_people, kernels_flock
from sim.distributions import TruncatedNormal
from sim.flock import FlockResult, flocks, refusal, run_flock
from sim.flock_people import Kept, SharedStreams
from sim.flock_steps import Lockstep
from sim.flock_world import Points, kind_of
from sim.kernels import respond_one
from sim.population import make_population
from sim.runs import RunResult, run
from sim.scenario import Scenario, from_resolved
from sim.streams import Streams
from sim.success_of import success_function
from sim.trained_table import measured
from tests.economies import scenario

GROUPS = 30
PER_GROUP = 10  # random scenarios, of three points each, in two worlds
REPLICATES = (0, 3)
UNEVEN = {"dist": "normal", "mean": 0.3, "sd": 0.15, "low": 0.0}


def same(result: FlockResult, row: int, alone: RunResult) -> None:
    """The run in a row of a flock's result is this one, to the last bit."""
    summary, final = alone.summary, alone.summary["final"].values()
    assert result.epochs[row] == summary["epochs"]
    assert result.stopped[row] == summary["stopped"]
    assert (result.cycle_length[row] or None) == summary["cycle_length"]
    assert result.alpha[row].tolist() == [each["alpha"] for each in final]
    assert result.success[row].tolist() == [each["success"] for each in final]
    assert result.welfare[row] == summary["welfare"]
    assert result.spent[row] == summary["spent"] == 0
    if result.series is not None:
        mine, theirs = result.series.run == row, alone.series
        epochs = np.repeat(result.series.epoch[mine], len(final))
        assert epochs.tolist() == theirs["epoch"].tolist()
        assert result.series.members[mine].reshape(-1).tolist() == theirs["members"].tolist()
        assert result.series.success[mine].reshape(-1).tolist() == theirs["success"].tolist()


def compare(points: list[Scenario], replicates: tuple[int, ...], alone: Any = run) -> FlockResult:
    """All runs of the points as a flock and one by one."""
    result = run_flock(points, replicates)
    assert result.point.tolist() == np.repeat(range(len(points)), len(replicates)).tolist()
    assert result.replicate.tolist() == list(replicates) * len(points)
    for row, (point, replicate) in enumerate(zip(result.point, result.replicate, strict=True)):
        same(result, row, alone(points[point], int(replicate)))
    return result


# ---------------------------------------------------------------- three hundred random scenarios


def pick(rng: np.random.Generator, *values: Any) -> Any:
    return values[rng.integers(len(values))]


def random_cost(rng: np.random.Generator) -> Any:
    level = round(float(rng.uniform(0.05, 0.7)), 3)
    return pick(
        rng,
        level,
        {"dist": "normal", "mean": level, "sd": 0.2},
        {"dist": "normal", "mean": level, "sd": 0.1, "low": 0.0, "high": 1.5},
        {"dist": "uniform", "low": 0.0, "high": 2 * level},
        {"dist": "lognormal", "median": level, "sigma": 0.5},
        {"dist": "beta", "a": 2.0, "b": 1 / level},
        {"dist": "values", "values": rng.uniform(-0.1, 0.8, 5).round(2).tolist()},
    )


def random_free_riding(rng: np.random.Generator) -> Any:
    level = round(float(rng.uniform(0.0, 0.9)), 3)
    uniform = {"dist": "uniform", "low": 0.0, "high": level + 0.1}
    return pick(rng, 0.0, 1.0, level, uniform, {"dist": "values", "values": [0.0, level, 1.0]})


def random_signal(rng: np.random.Generator, names: list[str]) -> tuple[str, dict[str, Any]]:
    feature_label: dict[str, Any] = {
        "uniqueness": round(float(rng.uniform(0.001, 0.1)), 4),
        "gap": round(float(rng.uniform(0.1, 1.0)), 2),
    }
    if len(names) > 1:
        feature_label["overlap"] = {name: pick(rng, 0.0, 0.3, 1.0) for name in names[1:]}
        return "feature_label", feature_label
    others = {
        "feature_label": feature_label,
        "feature_only": {"uniqueness": 0.01, "positivity": 0.2},
        "erasure": {"sensitivity": round(float(rng.uniform(0.0, 0.2)), 3)},
        "gradient_neutralising": {"own_gradient": 3.0, "base_gradient": 1.0},
        "gradient_control": {"pull": 0.5, "learning_rate": 0.4, "steps": 40},
    }
    name = pick(rng, *others)
    return name, others[name]


def random_revision(rng: np.random.Generator, collectives: int) -> dict[str, Any]:
    protocol = pick(rng, "best_response", "best_response", "logit")
    in_turn = collectives == 1 and rng.random() < 0.25
    return {
        "protocol": protocol,
        "activation": "sequential" if in_turn else "simultaneous",
        "rate": pick(rng, 1.0, 1.0, 0.9999, 0.5, 0.07),
        "noise": round(float(rng.uniform(0.005, 0.3)), 3) if protocol == "logit" else 0.0,
        "decides": pick(rng, "atomistic", "pivotal"),
    }


def random_tables(rng: np.random.Generator) -> dict[str, Any]:
    """A scenario that a flock takes, of any kind."""
    names = ["union", "guild", "club"][: pick(rng, 1, 1, 1, 2, 3)]
    revision = random_revision(rng, len(names))
    largest = 60 if revision["activation"] == "sequential" else 300
    groups = {
        "artists": {"share": 0.3, "cost": random_cost(rng)},
        "bakers": {"share": 0.4, "free_riding": random_free_riding(rng)},
    }
    groups = pick(rng, {}, groups)
    collectives = {}
    for name in names:
        strategy, signal = random_signal(rng, [name, *(n for n in names if n != name)])
        collectives[name] = {
            "strategy": strategy, "signal": signal, "start": pick(rng, 0.0, 0.02, 0.2, 0.3),
            "dues": pick(rng, 0.0, 0.0, 0.05), "target": pick(rng, name, "shared"),
        }  # fmt: skip
        if groups and rng.random() < 0.5:
            collectives[name]["recruits"] = pick(rng, ["bakers"], ["artists", "bakers"])
            collectives[name]["start"] = pick(rng, 0.0, 0.1)
    has_term = not collectives["union"]["strategy"].startswith("gradient")
    retrain = 1 if revision["activation"] == "sequential" else pick(rng, 1, 1, 2, 5)
    settled = {"when": "settled", "tolerance": pick(rng, 0.0, 0.0, 0.02), "patience": 2}
    return {
        "schema": 1, "name": "random", "seed": int(rng.integers(100)),
        "epochs": pick(rng, 1, 12, 40), "stop": pick(rng, settled, settled, {"when": "never"}),
        "population": {
            "size": pick(rng, 1, 2, int(rng.integers(3, largest)), largest), "groups": groups,
            "cost": random_cost(rng), "free_riding": random_free_riding(rng),
        },
        "collectives": collectives, "revision": revision,
        "platform": {
            "learner": "bound", "retrain_every": retrain,
            "suboptimality": pick(rng, 0.0, 0.02) if has_term else 0.0,
            "bound": pick(rng, "hardt2023", "conditional_tv"),
        },
    }  # fmt: skip


def random_points(seed: int) -> list[Scenario]:
    """A random scenario and two more that differ from it in a few values."""
    rng = np.random.default_rng(seed)
    base = from_resolved(random_tables(rng))
    points = [base]
    for _ in range(2):
        changes = {
            "population.cost": random_cost(rng),
            "population.free_riding": random_free_riding(rng),
            "collectives.union.start": pick(rng, 0.0, 0.1),
            "collectives.union.dues": 0.1,
            "platform.suboptimality": base.platform.suboptimality / 2,
            "epochs": 25,
            "stop": {"when": "settled", "tolerance": 0.0, "patience": 3},
        }
        keys = rng.choice(list(changes), 2, replace=False).tolist()
        points.append(base.replace({key: changes[key] for key in keys}))
    return points


@cache
def compared(group: int) -> tuple[str, ...]:
    """Compare one group of random scenarios; how and under which rule each run ended."""
    ends = []
    for seed in range(group * PER_GROUP, (group + 1) * PER_GROUP):
        points = random_points(seed)
        try:
            result = compare(points, REPLICATES)
        except AssertionError as error:
            raise AssertionError(f"random scenario {seed}:\n{points[0].to_toml()}") from error
        rule = points[0].revision
        ends += [f"{rule.protocol} {rule.activation} {end}" for end in result.stopped]
    return tuple(ends)


@pytest.mark.once(keep=4)
@pytest.mark.parametrize("group", range(GROUPS))
def test_random_scenarios_come_out_as_one_by_one(group: int) -> None:
    compared(group)


@pytest.mark.once
def test_the_random_scenarios_end_in_every_way() -> None:
    ends = Counter(end for group in range(GROUPS) for end in compared(group))
    for end in ("settled", "cycle", "epochs"):
        assert ends[f"best_response simultaneous {end}"] >= 10
    assert ends["logit simultaneous epochs"] >= 100
    assert ends["logit sequential epochs"] + ends["best_response sequential settled"] >= 50


# ---------------------------------------------------------------- larger ones, and tables

RULES: dict[str, dict[str, Any]] = {
    "best response": {},
    "pivotal": {"revision.decides": "pivotal"},
    "logit": {"revision": {"protocol": "logit", "noise": 0.05}},
    "a fifth revises": {"revision.rate": 0.2},
    "a fifth revises with noise": {"revision": {"protocol": "logit", "noise": 0.05, "rate": 0.2}},
    "one at a time": {"revision.activation": "sequential"},
    "one at a time with noise": {
        "revision": {"protocol": "logit", "noise": 0.05, "activation": "sequential"}
    },
    "two collectives": {"collectives.guild.start": 0.1},
}


@pytest.mark.parametrize("rule", RULES)
def test_a_thousand_and_ten_thousand_people(rule: str) -> None:
    """Where the economy itself is compiled, and where sums of people are added up in pieces."""
    for size in (1000, 10_001):
        several = {"collectives": 2} if rule == "two collectives" else {}
        common = {"population.cost": UNEVEN, "population.size": size, "epochs": 15}
        base = scenario(common | {"collectives.union.start": 0.05} | RULES[rule], **several)
        compare([base, base.replace({"population.cost.mean": 0.45})], (1,))


@pytest.mark.parametrize("collectives", [1, 2])
def test_success_from_a_table(collectives: int, tmp_path: Any) -> None:
    base = scenario({"population.cost": UNEVEN, "population.size": 300}, collectives)
    axis = np.array([0.0, 0.02, 0.1, 0.4, 1.0])
    grid = np.stack(np.meshgrid(*[axis] * collectives, indexing="ij"), axis=-1)
    sizes = grid.reshape(-1, collectives)
    sizes = sizes[sizes.sum(axis=1) <= 1]
    success = success_function(base).at(sizes)
    table = MeasuredTable.of(base.names, sizes, success, meta=measured(base))
    table.save(tmp_path / "s.parquet")
    tables = base.resolved() | {"platform": {"learner": "table", "table": "s.parquet"}}
    point = from_resolved(tables, tmp_path).replace({"collectives.union.start": 0.1})
    result = compare([point, point.replace({"population.cost.mean": 0.6})], (0, 1))
    assert len(np.unique(result.members[:, 0])) > 1
    (tmp_path / "s.parquet").unlink()
    with pytest.raises(ScenarioError, match="does not exist"):
        run_flock([point], [0])


# ---------------------------------------------------------------- what goes with what


def mixture() -> list[Scenario]:
    """Points of four kinds: other sizes, another seed, another rate."""
    base = scenario({"population.cost": UNEVEN, "population.size": 200, "epochs": 30})
    base = base.replace({"collectives.union.start": 0.05})
    costs = [base.replace({"population.cost.mean": mean}) for mean in (0.1, 0.3, 0.5)]
    others = [{"population.size": 120}, {"seed": 5}, {"revision.rate": 0.5}]
    return [costs[0], *(base.replace(other) for other in others), *costs[1:]]


def test_points_of_any_kind_and_replicates_in_any_order() -> None:
    compare(mixture(), (4, 0, 2))


def test_the_indifferent_stay_as_they_are() -> None:
    """S = min(1, 4α) is 1 = c at half of the people: nobody has a reason to move, in or out."""
    changes = {
        "population.cost": 1.0, "population.free_riding": 0.0, "collectives.union.start": 0.5,
        "collectives.union.strategy": "gradient_neutralising",
        "collectives.union.signal": {"own_gradient": 3.0, "base_gradient": 1.0},
    }  # fmt: skip
    for rule in ("best response", "pivotal", "a fifth revises", "one at a time"):
        point = scenario(changes | {"population.size": 100} | RULES[rule])
        assert compare([point], (0, 1)).alpha.tolist() == [[0.5], [0.5]]


def test_points_that_differ_in_a_group_alone() -> None:
    groups = {"artists": {"share": 0.3, "cost": UNEVEN, "free_riding": 0.1}}
    base = scenario({"population.groups": groups, "collectives.union.start": 0.05})
    base = base.replace({"population.size": 200, "collectives.union.recruits": ["artists"]})
    here = "population.groups.artists"
    changes = [{"cost": 0.1}, {"free_riding": 0.9}, {"cost.mean": 0.5}, {"share": 0.6}]
    others = [{f"{here}.{key}": value for key, value in each.items()} for each in changes]
    result = compare([base, *(base.replace(other) for other in others)], (0, 1))
    assert len({tuple(result.welfare[result.point == p]) for p in range(5)}) == 5


@pytest.mark.parametrize("people", [1, 450, 2000])
def test_blocks_make_no_difference(people: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_flock(mixture(), range(5))
    monkeypatch.setattr(flock_module, "PEOPLE", people)
    assert len(list(flocks(mixture(), range(5)))) > 4
    result = run_flock(mixture(), range(5))
    for name in ("point", "replicate", "epochs", "stopped", "members", "success", "welfare"):
        np.testing.assert_array_equal(getattr(result, name), getattr(whole, name))
    for name in ("run", "epoch", "members", "success", "spent"):
        np.testing.assert_array_equal(getattr(result.series, name), getattr(whole.series, name))
    assert run_flock(mixture(), range(5), series=False).series is None


def test_worlds_are_common_to_the_points_and_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, scores = [], []
    monkeypatch.setattr(flock_people, "WORLDS", Kept())
    plain_uniforms = Streams.uniforms
    monkeypatch.setattr(Streams, "uniforms", lambda *a: drawn.append(a[1:]) or plain_uniforms(*a))
    plain = TruncatedNormal.scores
    monkeypatch.setattr(
        TruncatedNormal, "scores", lambda law, u: scores.append(u.shape) or plain(law, u)
    )
    base = scenario({"population.cost": {"dist": "normal", "mean": 0.3, "sd": 0.15}})
    points = [base.replace({"population.free_riding": f}) for f in (0.1, 0.2, 0.3)]
    run_flock([*points, points[0].replace({"population.cost.mean": 0.4})], range(5))
    assert drawn == [("cost", 1000)] * 5  # free-riding factors are numbers
    assert scores == [(5, 1000)]  # standard scores, whatever the mean


def test_laws_that_are_moved_and_stretched_share_their_numbers() -> None:
    base = scenario({"population.cost": {"dist": "uniform", "low": 0.0, "high": 0.5}})
    normal = {"dist": "normal", "mean": 0.3, "sd": 0.1}
    costs: list[Any] = [normal | {"mean": m} for m in (0.2, 0.4)] + [normal | {"low": 0.0}]
    costs += [{"dist": "uniform", "low": 0.0, "high": 0.7}, 0.1, 0.2]
    points = [base, *(base.replace({"population.cost": cost}) for cost in costs)]
    flock = Lockstep(Points(points, kind_of(base)), [0, 1, 2], False)
    table, of, at, scale = flock.columns[0]
    assert len(table) == 3 + 3 + 3 + 1  # uniform, normal, truncated, and none for numbers
    for p, point in enumerate(points):
        for w in range(3):
            e, people = 3 * p + w, make_population(point, Streams(point.seed, w))
            assert (at[e] + scale[e] * table[of[e]]).tolist() == people.cost.tolist()


def test_what_is_kept_of_the_worlds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flock_people, "KEPT", 1000)
    kept, drawn = Kept(), []

    def ask(key: int) -> None:
        kept.get(key, lambda: drawn.append(key) or np.zeros(50))  # 400 bytes

    for key in (1, 2, 1, 2, 3, 1):
        ask(key)
    assert drawn == [1, 2, 3, 1]  # the third made room


def test_another_world_is_noticed() -> None:
    base = scenario({"population.cost": UNEVEN, "collectives.union.start": 0.1})
    with pytest.raises(AssertionError):
        compare([base], (0,), alone=lambda s, r: run(s, r + 1))


def test_one_wrong_bit_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = SharedStreams.uniforms
    monkeypatch.setattr(
        SharedStreams,
        "uniforms",
        lambda *a: np.nextafter(plain(*a), 1),  # type: ignore[misc]
    )
    base = scenario({"population.cost": UNEVEN, "collectives.union.start": 0.1})
    with pytest.raises(AssertionError):
        compare([base], (0,))


def test_memory_does_not_grow_with_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flock_module, "PEOPLE", 50_000)
    monkeypatch.setattr(flock_module, "RECORDS", 10_000)
    monkeypatch.setattr(flock_people, "KEPT", 100_000)
    base = scenario({"population.cost": UNEVEN, "collectives.union.start": 0.05})
    points = [base.replace({"population.cost.mean": m}) for m in np.linspace(0.1, 0.5, 10)]

    def peak(replicates: int) -> int:
        tracemalloc.start()
        total = sum(len(part) for part in flocks(points, range(replicates)))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == replicates * len(points)
        return most

    peak(5)
    assert peak(400) < 1.1 * peak(20)


# ---------------------------------------------------------------- logit without the exponential


def test_draws_at_the_edge_are_those_of_the_exponential() -> None:
    """Uniforms as near as can be to the probability of staying out, at 0 and next to 1."""
    rng = np.random.default_rng(1)
    people, noise, success = 4000, 0.07, 0.4
    cost, factor = rng.uniform(-0.5, 1.2, people), rng.uniform(0, 1, people)
    stay = 1 / (1 + np.exp((success - factor * success - cost) / noise))
    for shift in (-1, 0, 1, 3):
        uniforms = np.clip(stay + shift * np.spacing(stay), 0, np.nextafter(1, 0))
        uniforms[:2] = 0, np.nextafter(1, 0)
        check_draws(cost, factor, noise, success, uniforms)
    check_draws(cost, factor, noise, success, rng.random(people))
    check_draws(cost, factor, 1e-4, success, rng.random(people))  # e to the ten thousandth


def check_draws(cost: Any, factor: Any, noise: float, success: float, uniforms: Any) -> None:
    offers = np.full((2, 1), success)
    member, moved = chosen((cost, 0.0, 1.0), factor, noise, offers, 0 * cost, uniforms)
    assert moved == member.sum() > 0


def chosen(
    costs: tuple[Any, float, float], factor: Any, noise: float, offers: Any, was: Any, uniforms: Any
) -> tuple[Any, int]:
    """What the loop lets people do, who are asked by the formula as well; costs are at + scale·x.

    ``offers`` (2, 1) is S as people see it who are outside, and as members do.
    """
    (x, at, scale), people, none = costs, len(factor), np.zeros(1, np.int64)
    dues, membership = np.full((1, 1), 0.02), np.asarray(was, np.int8)[None].copy()
    columns = [(x[None], none, np.array([at]), np.array([scale]))]
    columns += [(factor[None], none, np.zeros(1), np.ones(1))]
    with np.errstate(over="ignore"):
        rough = tuple(each[0].astype(np.float32) for each in columns)
    odds = kernels_flock.log_odds(uniforms[None]) if noise else np.zeros((1, people), np.float32)
    counts = np.zeros((1, 1), np.int64)
    expected = respond_one(
        at + scale * x, factor, membership[0], offers, offers, dues[0], noise, uniforms
    )  # fmt: skip
    moved = kernels_flock.everybody_chooses(
        none, (*columns, np.zeros((1, people), np.uint8), none), rough, membership, counts,
        (dues, np.ones((1, 1, 1), bool), np.array([noise])), offers[None], offers[None], none,
        uniforms[None], odds,
    )  # fmt: skip
    assert membership[0].tolist() == expected.tolist()
    assert counts[0, 0] == expected.sum()
    assert moved[0] == (expected != was).sum()
    return expected, int(moved[0])


@pytest.mark.parametrize("scale", [1.0, 0.1, 300.0])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_people_a_rounding_away_from_indifference(scale: float, noise: float) -> None:
    """Costs at which d is 0, or as little off as numbers can be, inside and outside."""
    rng = np.random.default_rng(2)
    people, offers = 3000, np.array([[0.6], [0.57]])
    factor, was = rng.uniform(0, 1, people), rng.integers(0, 2, people)
    uniforms = rng.random(people)
    bar = noise * np.log(1 / uniforms - 1)
    level = (1 - factor) * offers[was, 0] - 0.02 - bar
    x = (level - 0.3) / scale
    x += rng.integers(-3, 4, people) * np.spacing(x)
    states, moved = chosen((x, 0.3, scale), factor, noise, offers, was, uniforms)
    assert 0.1 < moved / people < 0.9 and 0.1 < states.mean() < 0.9


def test_what_float32_cannot_hold_is_asked_by_the_formula() -> None:
    rng = np.random.default_rng(3)
    x = np.array([-np.inf, np.inf, 1e300, -1e300, 1e39, 0.1, 0.39, 1e-300] * 200)
    factor, offers, uniforms = rng.uniform(0, 1, len(x)), np.full((2, 1), 0.4), rng.random(len(x))
    for noise in (0.0, 1e-40, 1e-3, 1e35):
        chosen((x, 0.0, 1.0), factor, noise, offers, np.arange(len(x)) % 2, uniforms)


# ---------------------------------------------------------------- who must run alone

CLUBS = {
    f"collectives.c{k}": {
        "strategy": "feature_label", "signal": {"uniqueness": 0.01, "gap": 1.0}
    }
    for k in range(7)
}  # fmt: skip
ALONE: list[tuple[dict[str, Any], int, str]] = [
    ({"population.network": {"kind": "complete"}}, 1, "network"),
    ({"principal": {"policy": "subsidy", "budget": 1.0, "collective": "union"}}, 1, "principal"),
    ({"revision.protocol": "imitation"}, 1, "imitates"),
    ({"revision.activation": "sequential"}, 2, "several collectives"),
    ({"population.size": 50_000}, 1, "50,000 or more"),
    (CLUBS, 1, "more than 7"),
]


@pytest.mark.parametrize(("changes", "collectives", "reason"), ALONE)
def test_who_must_run_alone(changes: dict[str, Any], collectives: int, reason: str) -> None:
    point = scenario(changes, collectives)
    assert reason in (refusal(point) or "")
    with pytest.raises(ValueError, match=f"scenario 1 .* must run alone: .*{reason}"):
        run_flock([scenario(), point], [0])


def test_a_platform_that_is_trained_on_people_runs_alone() -> None:
    tables = scenario().resolved()
    tables["platform"] = {
        "learner": "bayes", "universe": "generated", "generated": {"uniqueness": 0.05, "gap": 0.5}
    }  # fmt: skip
    tables["collectives"]["union"] |= {"signal": {"set": {"signal": "yes"}}, "target": "target"}
    assert "rows of those who joined" in (refusal(from_resolved(tables)) or "")


def test_what_is_asked_for_must_make_sense() -> None:
    base = scenario()
    assert refusal(base) is None
    with pytest.raises(ValueError, match="no runs"):
        run_flock([], [0])
    with pytest.raises(ValueError, match="no runs"):
        run_flock([base], [])
    with pytest.raises(ValueError, match="must be different"):
        run_flock([base], [1, 1])
    with pytest.raises(ValueError, match="same number of collectives"):
        run_flock([base, scenario({}, 2)], [0])


def test_a_flock_leaves_what_it_was_prepared_from_as_it_was() -> None:
    base = scenario({"population.cost": UNEVEN, "collectives.union.start": 0.1})
    points = Points([base], kind_of(base))
    before = points.curves.copy(), points.rules.dues.copy()
    ends = []
    for _ in range(2):
        flock = Lockstep(points, [0, 1], False)
        flock.run()
        ends.append(flock.counts.tolist())
    assert ends[0] == ends[1]
    np.testing.assert_array_equal(points.curves, before[0])
    np.testing.assert_array_equal(points.rules.dues, before[1])

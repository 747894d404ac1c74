"""population.size = "infinite": the mean field as a run, and a clear no wherever people must be."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import alphacrit
from alphacrit.cli import main
from analysis.limit import _Watch, run_of_limit
from analysis.mean_field import mean_field_path
from learners.errors import ScenarioError
from sim import notes
from sim.model import Economy
from sim.runs import run_many
from sim.scenario import Scenario, from_resolved, load, loads
from sim.sweep.face import solve
from sim.sweep.plan import plan_of
from tests.economies import scenario

BASELINE = str(Path(__file__).resolve().parents[2] / "scenarios/experiments/baseline.toml")
LIMIT = ("--set", "population.size=infinite")
NORMAL = {"dist": "normal", "mean": 0.3, "sd": 0.25, "low": 0.0}
SLOW = {  # S(α) = α, from a start in the slow middle
    "collectives.union.strategy": "gradient_control",
    "collectives.union.signal": {"pull": 1.0, "learning_rate": 1.0, "steps": 1},
    "population.free_riding": {"dist": "uniform", "low": 0.0, "high": 0.2},
    "population.cost": NORMAL,
    "collectives.union.start": 0.35,
    "collectives.union.dues": 0.02,
    "epochs": 6,
    "stop": {"when": "never"},
}
RULES = {
    "best response": {},
    "a share revises": {"revision.rate": 0.3},
    "sequential": {"revision.activation": "sequential", "revision.rate": 0.4},
    "logit": {"revision.protocol": "logit", "revision.noise": 0.05, "revision.rate": 0.5},
    "imitation": {"revision.protocol": "imitation"},
    "listed": {"population.cost": {"dist": "values", "values": [0.1, 0.2, 0.3, 0.5, 0.7]},
               "revision.rate": 0.3},
    "stale": {"platform.retrain_every": 3, "revision.rate": 0.3},
    "stale, pivotal": {"platform.retrain_every": 3, "revision.rate": 0.3,
                       "revision.decides": "pivotal"},
    "stale, everybody's neighbour": {"platform.retrain_every": 3, "revision.rate": 0.3,
                                     "population.network": {"kind": "complete"}},
}  # fmt: skip


def limit(changes: dict | None = None, collectives: int = 1) -> Scenario:
    return scenario({**(changes or {}), "population.size": "infinite"}, collectives)


# ---------------------------------------------------------------- the run


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_the_run_is_the_mean_field_path(rules: dict) -> None:
    world = limit({**SLOW, **rules})
    result = alphacrit.run(world)
    path = mean_field_path(world)
    series = result.series
    assert series["epoch"].tolist() == path["epoch"].tolist() == list(range(7))
    np.testing.assert_allclose(series["alpha"], path["alpha"], rtol=0, atol=1e-15)
    assert series["members"].isna().all()
    assert result.summary["engine"] == "mean field"
    assert (result.summary["stopped"], result.summary["epochs"]) == ("epochs", 6)
    every = world.platform.retrain_every
    for epoch in range(6):  # what people saw in an epoch is what was measured last
        assert series["success"][epoch] == path["success"][epoch - epoch % every]
    assert series["success"][6] == path["success"][6]
    assert result.summary["final"]["union"]["alpha"] == pytest.approx(path["alpha"][6], abs=1e-15)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_people_fare_as_in_the_limit(rules: dict) -> None:
    """Sizes and welfare of 20,000 people: within 5/√N of the infinite population's."""
    size = 20_000
    world = scenario({**SLOW, **rules, "population.size": size})
    people, many = Economy(world).run(), run_of_limit(limit({**SLOW, **rules}))
    near = 5 / np.sqrt(size)
    np.testing.assert_allclose(people.series["alpha"], many.series["alpha"], rtol=0, atol=near)
    assert people.summary["welfare"] == pytest.approx(many.summary["welfare"], abs=near)


def test_welfare_by_hand() -> None:
    """All join at S = 1: 1 − E c − dues. Nobody: 0. Half of those alike: by the half that did."""
    cost = {"dist": "uniform", "low": 0.1, "high": 0.3}
    changes = {"population.cost": cost, "collectives.union.dues": 0.05}
    everybody = run_of_limit(limit({**changes, "collectives.union.start": 0.2}))
    assert everybody.summary["welfare"] == pytest.approx(1 - 0.2 - 0.05, abs=1e-9)
    assert run_of_limit(limit(changes)).summary["welfare"] == 0.0
    once = {"revision.rate": 0.5, "epochs": 1, "collectives.union.start": 0.2}
    half = run_of_limit(limit({**changes, **once}))
    share, s = 0.6, alphacrit.success_function(limit()).at([0.6])[0]
    assert half.summary["final"]["union"]["alpha"] == pytest.approx(share, abs=1e-12)
    hand = share * (s - 0.2 - 0.05) + (1 - share) * 0.2 * s
    assert half.summary["welfare"] == pytest.approx(hand, abs=1e-9)


@pytest.mark.parametrize("rule", ["a share revises", "sequential", "logit", "stale"])
def test_welfare_of_a_law_is_that_of_its_quantiles(rule: str) -> None:
    """Two routes: people followed type by type, and a law whose members are made up at the end."""
    law = {"dist": "uniform", "low": 0.1, "high": 0.6}
    listed = {"dist": "values", "values": [0.1 + 0.5 * (i + 0.5) / 2000 for i in range(2000)]}
    changes = {**SLOW, **RULES[rule], "population.free_riding": 0.1}
    one, other = (
        run_of_limit(limit({**changes, "population.cost": cost})).summary for cost in (law, listed)
    )
    ends = (each["final"]["union"]["alpha"] for each in (one, other))
    assert next(ends) == pytest.approx(next(ends), abs=1e-3)
    assert one["welfare"] == pytest.approx(other["welfare"], abs=5e-4)


def test_two_collectives_of_people_stay_close() -> None:
    changes = {
        "population.cost": NORMAL,
        "population.groups": {"a": {"share": 0.6}, "b": {"share": 0.4, "cost": 0.2}},
        "collectives.guild.recruits": ["b"],
        "collectives.union.start": 0.05,
        "collectives.guild.start": 0.03,
        "revision.rate": 0.3,
        "epochs": 8,
        "stop": {"when": "never"},
    }
    size = 20_000
    people = Economy(scenario({**changes, "population.size": size}, 2)).run()
    many = run_of_limit(limit(changes, 2))
    near = 5 / np.sqrt(size)
    np.testing.assert_allclose(people.series["alpha"], many.series["alpha"], rtol=0, atol=near)
    assert people.summary["welfare"] == pytest.approx(many.summary["welfare"], abs=near)


# ---------------------------------------------------------------- when it stops


@pytest.mark.parametrize("start", [0.05, 0.0157])
@pytest.mark.parametrize("patience", [1, 3])
def test_people_who_are_alike_settle_when_so_many_do(start: float, patience: int) -> None:
    changes = {"collectives.union.start": start, "stop.patience": patience}
    finite = Economy(scenario({**changes, "population.size": 100_000})).run()
    many = run_of_limit(limit(changes))
    for key in ("stopped", "epochs"):
        assert many.summary[key] == finite.summary[key]
    assert many.summary["final"]["union"]["alpha"] == finite.summary["final"]["union"]["alpha"]


def test_it_settles_where_it_moves_no_more() -> None:
    world = limit({**SLOW, **RULES["logit"], "stop": {"when": "settled"}, "epochs": 5000})
    result = run_of_limit(world)
    assert result.summary["stopped"] == "settled"
    alpha = result.series["alpha"].to_numpy()
    assert abs(alpha[-1] - alpha[-2]) <= 1e-12 < abs(alpha[-5] - alpha[-6])
    rough = world.replace({"stop.tolerance": 1e-3})
    steps = np.abs(np.diff(run_of_limit(rough).series["alpha"].to_numpy()))
    assert steps[-1] <= 1e-3 < steps[-rough.stop.patience - 1]


@pytest.mark.parametrize(("length", "every", "found"), [(2, 1, 2), (3, 1, 3), (3, 2, 6)])
def test_a_cycle_is_found_and_said(length: int, every: int, found: int) -> None:
    """A state that comes back in the same phase of the platform; one that drifts does not."""
    world = limit({"platform.retrain_every": every})
    watch, drifting = _Watch(world), _Watch(world)
    for epoch in range(1, 40):
        state = np.array([0.2 + 0.1 * (epoch % length)])
        assert drifting.reason(epoch, 0.1, 0.1, state + 1e-9 * epoch, state * 0) is None
        reason = watch.reason(epoch, 0.1, 0.1, state, np.array([0.5]))
        if reason is not None:
            break
    assert (reason, watch.cycle_length) == ("cycle", found)
    assert epoch <= 4 * found


@pytest.mark.parametrize("rate", [0.085, 0.175, 0.55])
def test_who_creeps_to_rest_is_in_no_cycle(rate: float) -> None:
    """Twenty kinds of people of whom each moves less than counts, but not all together."""
    kinds = {"dist": "values", "values": [0.05 + 0.01 * k for k in range(20)]}
    changes = {"population.cost": kinds, "collectives.union.start": 0.3, "revision.rate": rate}
    assert run_of_limit(limit({**changes, "epochs": 3000})).summary["stopped"] == "settled"


# ---------------------------------------------------------------- the scenario


def test_infinite_is_a_value_like_any_other() -> None:
    world = limit()
    assert world.population.infinite
    assert world.flat()["population.size"] == "infinite"
    assert (
        loads(world.to_toml()) == from_resolved(json.loads(json.dumps(world.resolved()))) == world
    )
    assert pickle.loads(pickle.dumps(world)) == world
    assert world.digest != scenario().digest
    finite = world.replace({"population.size": 12})
    assert (finite.population.size, finite.population.infinite) == (12, False)
    with pytest.raises(ScenarioError, match='did you mean "infinite"'):
        scenario({"population.size": "infinit"})


def test_digests_of_finite_scenarios_are_what_they_were() -> None:
    assert load(BASELINE).digest == "446b33cd55b5"


REFUSED = {
    "network": (
        {"population.network": {"kind": "watts_strogatz", "k": 4, "p": 0.1}},
        "on a network, where people see their neighbours and not the published success",
    ),
    "principal": (
        {"principal": {"policy": "subsidy", "budget": 1.0, "collective": "union"}},
        "with a principal, whose budget is for a number of people whom she pays one by one",
    ),
    "bayes": (
        {
            "platform": {"learner": "bayes", "universe": "generated", "features": 20, "labels": 2},
            "collectives.union.signal": {"set": {"signal": "yes"}},
            "collectives.union.target": "label-1",
        },
        'with learner = "bayes", whose data are the people themselves',
    ),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_where_there_is_no_limit_the_scenario_says_so(changes: dict, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        limit(changes)
    said = f'population.size: got "infinite"; must be a number {words} (people)'
    assert any(problem.endswith(said) for problem in caught.value.problems)


def test_a_complete_network_has_a_limit() -> None:
    complete = {"population.network": {"kind": "complete"}, "collectives.union.start": 0.05}
    assert run_of_limit(limit(complete)).summary["final"]["union"]["alpha"] == 1.0


def _vary(world: Scenario) -> Scenario:
    return world.replace({"sweep": {"design": "grid", "vary": {"population.cost": [0.2, 0.3]}}})


@pytest.mark.parametrize(
    "ask",
    [
        Economy,
        lambda world: run_many(world, 2),
        lambda world: plan_of(_vary(world)),
        lambda world: solve(world, "population.cost", 0.1, 0.5, "final.union.alpha>=0.5"),
    ],
    ids=["agents", "replicates", "sweep", "solve"],
)
def test_who_needs_people_says_so(ask) -> None:
    with pytest.raises(ScenarioError, match=r'population\.size: got "infinite"; must be a number'):
        ask(limit())


def test_a_sweep_over_sizes_must_not_hold_the_limit() -> None:
    world = scenario()
    vary = {"design": "grid", "vary": {"population.size": [10, "infinite"]}}
    with pytest.raises(ScenarioError, match=r"point 1 .*must be a number"):
        plan_of(world.replace({"sweep": vary}))
    sizes = {"design": "grid", "vary": {"population.size": [10, 20]}}
    assert len(plan_of(limit().replace({"sweep": sizes}))) == 2  # what varies is finite


def test_a_note_where_rows_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "_memory", lambda: 25e9)
    billion = {"population.size": 1_000_000_000}
    assert notes.notes_of(scenario(billion)) == []  # people who are alike are counted
    noisy = {"revision.protocol": "logit", "revision.noise": 0.1, "population.cost": NORMAL}
    (note,) = notes.notes_of(scenario({**billion, **noisy}))
    assert note.startswith(
        "population.size: 1,000,000,000 people are a row each, some 40 GB, and this machine has 25"
    )
    assert "population.cost must be a number or values" in note
    assert notes.notes_of(scenario({**noisy, "population.size": 500_000_000})) == []
    assert notes.notes_of(limit(noisy)) == []
    monkeypatch.setattr(notes, "_memory", lambda: 16e9)
    (note,) = notes.notes_of(scenario({**billion, "population.cost": NORMAL}))
    assert note == (
        "population.size: 1,000,000,000 people have a threshold each, some 20 GB, "
        "and this machine has 16"
    )


def test_people_who_do_not_fit_are_not_tried(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(notes, "_memory", lambda: 25e9)
    monkeypatch.setattr("sim.model.Economy", None)
    argv = ["--set", "population.size=1000000000", "--set", "revision.protocol=imitation"]
    code, out, err = call(capsys, "run", BASELINE, *argv, "--out", str(tmp_path / "out"))
    assert (code, out) == (6, "")
    assert err.startswith("baseline: not run: population.size: 1,000,000,000 people are a row each")
    assert not (tmp_path / "out").exists()


def test_too_little_memory_is_no_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise MemoryError("Unable to allocate 7.45 GiB")

    monkeypatch.setattr("sim.model.Economy", full)
    code, out, err = call(capsys, "run", BASELINE, "--out", str(tmp_path / "out"))
    assert (code, out) == (6, "")
    assert "not enough memory (Unable to allocate 7.45 GiB); nothing was written" in err


# ---------------------------------------------------------------- the command line


def call(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(list(argv))
    return (code, *capsys.readouterr())


def test_run_writes_the_files_of_any_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    many, few = tmp_path / "many", tmp_path / "few"
    code, out, err = call(capsys, "run", BASELINE, *LIMIT, "--out", str(many))
    assert (code, err) == (0, "")
    assert "an infinite population moves as its mean field" in out
    assert "members" not in out
    assert call(capsys, "run", BASELINE, "--out", str(few))[0] == 0
    listed = [sorted(p.relative_to(f).as_posix() for p in f.rglob("*")) for f in (many, few)]
    assert listed[0] == listed[1]
    results = alphacrit.load(many)
    assert results.scenario.population.infinite
    assert results.meta["engine"] == "mean field"
    assert results.runs["population.size"].tolist() == ["infinite"]
    assert results.series["members"].isna().all()
    assert results.series["alpha"].iloc[-1] == 1.0
    again = tmp_path / "again"
    call(capsys, "run", BASELINE, *LIMIT, "--out", str(again), "--no-figures")
    for name in ("runs.parquet", "series/part-000000.parquet", "resolved.json"):
        assert (again / name).read_bytes() == (many / name).read_bytes()


def test_json_of_a_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = call(
        capsys, "run", BASELINE, *LIMIT, "--out", str(tmp_path / "x"), "--json", "--no-figures"
    )
    document = json.loads(out)
    assert (code, document["final"]["union"]["alpha"]) == (0, 1.0)
    assert document["runs"][0]["engine"] == "mean field"


def test_equilibria_are_those_of_any_size_without_a_total(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, out, _ = call(capsys, "equilibria", BASELINE, *LIMIT, "--json")
    _, finite, _ = call(capsys, "equilibria", BASELINE, "--json")
    found, known = json.loads(out), json.loads(finite)
    assert found["equilibria"] == known["equilibria"]
    mine, theirs = (each["collectives"]["union"] for each in (found, known))
    assert mine["alpha_crit"] == theirs["alpha_crit"]
    assert mine["investment"]["per_capita"] == theirs["investment"]["per_capita"]
    assert (mine["investment"]["total"], theirs["investment"]["total"]) == (
        None, pytest.approx(37.1264, abs=1e-3)
    )  # fmt: skip
    _, text, _ = call(capsys, "equilibria", BASELINE, *LIMIT)
    words = " ".join(text.split())
    assert "up to 1.575% the collective dies, above that everybody joins" in words
    assert "costs at most 0.00371264 utility per person" in words
    assert "shares of an infinite population" in words


@pytest.mark.parametrize("command", ["validate", "show"])
def test_validate_and_show(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert call(capsys, "validate", BASELINE)[0] == 0
    code, out, _ = call(capsys, "show", BASELINE, *LIMIT)
    assert code == 0
    assert '"infinite"' in out


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("run", *LIMIT, "-r", "2"), 2, "an infinite population has one path"),
        (("solve", *LIMIT, "--find", "population.cost=0.1:0.5", "--target",
          "final.union.alpha>=0.5"), 3, "must be a number here"),
        (("learn", *LIMIT, "--sizes", "0.1"), 3, "is a formula"),
    ],
    ids=["replicates", "solve", "learn"],
)  # fmt: skip
def test_what_cannot_be_asked(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], code: int, words: str
) -> None:
    command, *rest = argv
    ended, _, err = call(capsys, command, BASELINE, *rest)
    assert ended == code
    assert words in " ".join(err.replace("│", " ").split())


def test_the_page_refuses_before_it_opens(tmp_path: Path) -> None:
    from alphacrit.cli_view import _opened

    path = tmp_path / "limit.toml"
    path.write_text(limit().to_toml(), encoding="utf-8")
    with pytest.raises(ScenarioError, match="must be a number here"):
        _opened([str(path)])

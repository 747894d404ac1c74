"""``alphacrit learn``: what is measured, kept, written and read back, also when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from alphacrit.cli import main
from analysis.equilibria import equilibria
from analysis.threshold import critical_threshold
from learners.errors import ScenarioError
from learners.measured.cache import Cache
from learners.measured.table import read_table
from sim import learning
from sim.scenario import load, loads
from sim.success_of import success_function

PEOPLE = """\
name = "planted"
seed = 3
[population]
size = 4_000
cost = { dist = "normal", mean = 0.5, sd = 0.1, low = 0.0 }
free_riding = 0.2
[collectives.union]
strategy = "feature_label"
target = "target"
signal = { set = { signal = "yes" } }
[platform]
"""
BAYES = f"""{PEOPLE}learner = "bayes"
universe = "generated"
generated = {{ uniqueness = 0.05, gap = 0.6, kinds = 40, seed = 1 }}
"""
TABLE = f'{PEOPLE}learner = "table"\ntable = "planted.parquet"\n'
TWO = """\
name = "two"
population = { size = 1000, cost = 0.3 }
platform = { learner = "bayes", universe = "p0.csv" }
[collectives.zeta]
strategy = "feature_label"
target = "b"
signal = { set = { mark = "yes" } }
[collectives.alpha]
strategy = "erasure"
signal = { set = { mark = "no" } }
"""
ROWS = """\
name = "rows"
population = { size = 3000, cost = 0.3 }
platform = { learner = "logistic", data = "generated", generated = { rows = 3000, features = 20 } }
[collectives.union]
strategy = "feature_label"
target = "1"
signal = { set = { x19 = 1 } }
"""
P0 = "mark,label\n" + "no,a\n" * 60 + "no,b\n" * 20 + "yes,a\n" * 15 + "yes,b\n" * 5


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with scenarios, and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    texts = {"bayes": BAYES, "table": TABLE, "two": TWO, "rows": ROWS}
    for name, text in texts.items():
        (tmp_path / f"{name}.toml").write_text(text)
    (tmp_path / "p0.csv").write_text(P0)
    return tmp_path


@pytest.fixture
def answer(place, capsys):
    """Runs the command in this process: (exit code, JSON document or None, stderr)."""

    def call(*argv: str):
        code = main(list(argv))
        out, err = capsys.readouterr()
        return code, json.loads(out) if out.startswith("{") else out, " ".join(err.split())

    return call


# --- what is measured ----------------------------------------------------------------------------


def test_what_is_measured_is_the_exact_success_of_a_random_part_of_the_people(place) -> None:
    s, sizes = load("bayes.toml"), [0.005, 0.02, 0.1]
    table = learning.learn(s, sizes, 40, cache=Cache("c"))
    mean = table.success.reshape(3, 40).mean(axis=1)
    spread = table.success.reshape(3, 40).std(axis=1)
    truth = success_function(s).at(np.array(sizes)[:, None])[:, 0]
    assert (spread > 0.0).all()  # people differ from training to training
    np.testing.assert_allclose(mean, truth, atol=0.06)
    assert np.abs(mean - truth[::-1]).max() > 0.2  # the tolerance would see a wrong curve


def test_the_order_of_collectives_is_that_of_the_file(place) -> None:
    easy = {"strategy": "feature_only", "target": "a", "signal": {"set": {"mark": "yes"}}}
    s = load("two.toml").replace({"collectives.alpha": easy})  # "a" is the likeliest there anyway
    learner, exact = learning.setup(s).learner(), success_function(s)
    for sizes in ([0.02, 0.0], [0.0, 0.02]):
        got = learner(np.array(sizes), np.random.default_rng(0)).success
        np.testing.assert_allclose(got, exact.at(sizes), atol=0.2)
    assert np.ptp([exact.at([0.02, 0.0])[0], exact.at([0.0, 0.02])[1]]) > 0.5


def test_trainings_are_named_by_what_they_depend_on(place) -> None:
    s = load("two.toml")
    digest = learning.setup(s).digest
    same = {"population.cost": 0.4, "epochs": 7, "collectives.zeta.start": 0.1, "name": "x"}
    assert learning.setup(s.replace(same)).digest == digest
    for key, value in {
        "population.size": 500, "seed": 4, "collectives.zeta.target": "a",
        "platform.suboptimality": 0.01,
    }.items():  # fmt: skip
        change = {key: value} | ({"platform.worst": "joint_tv"} if "sub" in key else {})
        assert learning.setup(s.replace(change)).digest != digest, key
    other = place / "other"
    other.mkdir()
    (other / "two.toml").write_text(TWO)
    (other / "p0.csv").write_text(P0)
    assert learning.setup(load(other / "two.toml")).digest == digest  # wherever the data lie
    (other / "p0.csv").write_text(P0 + "no,a\n")
    assert learning.setup(load(other / "two.toml")).digest != digest


def test_data_that_change_under_way_are_noticed(place) -> None:
    setup = learning.setup(load("two.toml"))
    (place / "p0.csv").write_text(P0 + "no,a\n")
    with pytest.raises(ScenarioError, match="changed while they were measured"):
        setup.learner()


def test_networks_begin_with_other_weights_in_each_training(place) -> None:
    pytest.importorskip("torch")
    network = ROWS.replace("3000", "60").replace('"logistic"', '"gradient"')
    network = network.replace("generated =", "learning_rate = 0.5, steps = 3, generated =")
    platform = success_function(loads(network))
    other = platform.reseeded(1)
    assert not np.allclose(other.starts, platform.starts)
    np.testing.assert_array_equal(other.starts, platform.reseeded(1).starts)


# --- the table -----------------------------------------------------------------------------------


def test_a_learned_table_has_the_equilibria_of_the_platform(answer) -> None:
    code, done, _ = answer("learn", "bayes.toml", "--json", "-r", "20", "--from", "0.00025")
    assert code == 0
    assert (done["kind"], done["table"]) == ("estimate", "planted.parquet")
    assert len(done["points"]) == 24  # of 25 sizes two are one person
    assert done["measurements"] == 480
    exact, table = load("bayes.toml"), load("table.toml")
    crit = critical_threshold(exact).alpha_crit
    assert crit > 0.003
    assert critical_threshold(table).alpha_crit == pytest.approx(crit, rel=0.25)
    pairs = zip(equilibria(exact), equilibria(table), strict=True)
    for e, t in pairs:
        assert t.stable == e.stable
        assert t.alpha == pytest.approx(e.alpha, abs=0.01)


def test_a_table_of_another_scenario_is_refused(answer) -> None:
    answer("learn", "bayes.toml", "--num", "3", "-r", "1", "-q")
    other = "collectives.union.signal.set.signal=no"
    code, _, err = answer("equilibria", "table.toml", "--set", other)
    assert code == 7
    assert "was measured for another scenario" in err
    assert answer("equilibria", "table.toml")[0] == 0


def test_several_collectives_are_measured_on_a_grid(answer) -> None:
    code, done, _ = answer(
        "learn", "two.toml", "--json", "-r", "2", "--out", "deep/er/t.parquet",
        "--sizes", "zeta=0.1,0.6", "--sizes", "alpha=0.5",
    )  # fmt: skip
    assert code == 0
    sizes = [list(point["alpha"].values()) for point in done["points"]]
    assert sizes == [[0.0, 0.5], [0.1, 0.0], [0.1, 0.5], [0.6, 0.0]]
    assert read_table("deep/er/t.parquet").collectives == ("zeta", "alpha")
    table = {"learner": "table", "table": "deep/er/t.parquet"}
    assert success_function(load("two.toml").replace({"platform": table})).at([0.6, 0.0])[0] > 0.5


def test_another_file_is_never_written_over(answer, place) -> None:
    (place / "mine.parquet").write_text("mine")
    code, _, err = answer("learn", "bayes.toml", "--out", "mine.parquet")
    assert code == 7
    assert "it stays as it is" in err
    assert (place / "mine.parquet").read_text() == "mine"
    assert list(Cache().entries()) == []  # found out before anything was measured


@pytest.mark.parametrize("name", ["t.csv", "t", "deep/t.parquet.gz"])
def test_a_table_is_parquet_and_is_named_so(answer, place, name) -> None:
    code, _, err = answer("learn", "bayes.toml", "--sizes", "0.1", "-r", "1", "--out", name)
    assert code == 2
    said = " ".join(err.replace("│", " ").split())
    assert f'--out: got "{name}"; must end in .parquet' in said
    assert not (place / name).exists() and list(Cache().entries()) == []
    few = ("learn", "bayes.toml", "--sizes", "0.1", "-r", "1", "--out", "T.PARQUET")
    assert answer(*few)[0] == 0 and (place / "T.PARQUET").exists()


# --- the cache -----------------------------------------------------------------------------------


def test_nothing_is_measured_twice(answer) -> None:
    few = ("learn", "bayes.toml", "--json", "--sizes", "0.01,0.1", "-r", "3")
    first, again = answer(*few)[1], answer(*few, "-j", "2")[1]
    assert (first["cached"], again["cached"]) == (0, 6)
    assert first["points"] == again["points"]
    cheaper = answer(*few, "--set", "population.cost=0.1")[1]
    assert cheaper["cached"] == 6
    assert answer(*few, "--seed", "9")[1]["cached"] == 0


def test_the_cache_is_listed_and_cleared(answer) -> None:
    answer("learn", "bayes.toml", "--sizes", "0.01,0.1", "-r", "3", "-q")
    answer("learn", "two.toml", "--sizes", "0.1", "-r", "1", "-q", "--cache", "elsewhere")
    listed = answer("cache", "list", "--json")[1]["setups"]
    assert [each["measurements"] for each in listed] == [6]
    assert "bayes" in answer("cache", "list")[1]
    assert answer("cache", "clear")[0] == 2
    assert answer("cache", "clear", "--all", "000000")[0] == 2
    assert answer("cache", "clear", "ffffff")[0] == 2
    digest = listed[0]["digest"][:8]
    assert answer("cache", "clear", digest, "--json")[1]["cleared"] == 6
    assert answer("cache", "list", "--json")[1]["setups"] == []
    assert answer("cache", "clear", "--all", "--cache", "elsewhere", "--json")[1]["cleared"] == 3


def begin(place: Path, workers: int) -> subprocess.Popen:
    """The real command, in a process group of its own, once it has measured a little."""
    command = [sys.executable, "-m", "alphacrit", "learn", "rows.toml", "-r", "40", "--num", "5"]
    process = subprocess.Popen(
        [*command, "-j", str(workers)], cwd=place, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"TERM": "dumb"},
    )  # fmt: skip
    end = time.monotonic() + 240
    while len(kept(place)) < 5:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    return process


def kept(place: Path) -> set[str]:
    return {path.name for path in (place / "cache").glob("*/*.json")} - {"setup.json"}


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_learn_goes_on_and_loses_no_measurement(answer, place, workers) -> None:
    process = begin(place, workers)
    process.kill()
    process.communicate()  # also waits for its workers, who hold the pipes
    assert process.returncode == -signal.SIGKILL
    assert not (place / "rows.parquet").exists()
    before = kept(place)
    assert 5 <= len(before) < 200
    few = ("learn", "rows.toml", "-r", "40", "--num", "5", "--json")
    code, done, err = answer(*few)
    assert code == 0
    assert done["cached"] == len(before)
    assert f"{len(before)} of 200 measurements were made before" in err
    assert before < kept(place)
    fresh = answer(*few, "--cache", "fresh", "--out", "fresh.parquet")[1]
    assert fresh["points"] == done["points"]  # as if nothing had happened


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_at_once_and_keeps_what_was_measured(place, workers) -> None:
    process = begin(place, workers)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert out == ""
    assert err.startswith("interrupted; no table was written. What was measured is kept in ")
    assert len(err.splitlines()) == 1  # no traceback, of a worker neither
    assert not (place / "rows.parquet").exists()
    assert 5 <= len(kept(place)) < 200


# --- critical mass -------------------------------------------------------------------------------


def test_the_critical_mass_by_measurement(answer) -> None:
    few = ("learn", "bayes.toml", "--critical-mass", "0.6", "--precision", "0.5")
    code, done, _ = answer(*few, "--json")
    found, truth = done["critical_mass"], success_function(load("bayes.toml")).curve()
    assert code == 0
    assert found["reached"]
    assert found["low"] < truth.critical_mass(0.6) < found["high"] <= found["low"] * 1.51
    assert "between" in answer(*few)[1]
    assert not Path("planted.parquet").exists()


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["baseline"], 3, "whose success is a formula"),
        (["bayes.toml", "--sizes", "0"], 2, "above 0"),
        (["bayes.toml", "--sizes", "0.1,x"], 2, "got 'x'"),
        (["bayes.toml", "--sizes", "guild=0.1"], 2, "no collective 'guild'"),
        (["bayes.toml", "--sizes", "0.1", "--num", "3"], 2, "leave out"),
        (["bayes.toml", "--from", "0.5", "--to", "0.1"], 2, "0 < from < to"),
        (["bayes.toml", "--num", "1"], 2, "must be ≥ 2"),
        (["two.toml", "--sizes", "zeta=0.1"], 2, "say the sizes of alpha"),
        (["bayes.toml", "--confidence", "0.9"], 2, "goes only with"),
        (["bayes.toml", "--critical-mass", "0.5", "--num", "3"], 2, "does not go with"),
        (["bayes.toml", "--critical-mass", "1.5"], 2, "below 1"),
        (["two.toml", "--critical-mass", "0.5"], 2, "must be one of zeta, alpha"),
        (["table.toml"], 3, "does not exist"),
    ],
)
def test_what_cannot_be_learned_is_refused(answer, argv, code, said) -> None:
    got, _, err = answer("learn", *argv)
    assert got == code
    assert said in " ".join(err.replace("│", " ").split())


# --- what is said --------------------------------------------------------------------------------


def test_quiet_says_nothing_of_sizes_that_were_moved(answer) -> None:
    few = ("learn", "two.toml", "--sizes", "0.10004", "-r", "1", "--out", "q.parquet")
    assert "1000 people cannot be 0.10004" in answer(*few)[2]
    assert answer(*few, "--quiet") == (0, "", "")


def test_out_of_trainings_it_says_why_and_what_to_do(answer) -> None:
    few = ("learn", "bayes.toml", "--critical-mass", "0.6")
    few += ("--precision", "0.001", "--max-trainings", "30")
    code, out, _ = answer(*few)
    said = " ".join(out.split())
    assert code == 0 and "this is wider than was asked for" in said
    assert "--max-trainings allows for more; --precision for a wider answer; --noise" in said
    found = answer(*few, "--noise", "0.5", "--json")[1]["critical_mass"]
    assert found["noise"] == 0.5 and not found["reached"]


def test_the_critical_mass_is_of_whole_people(answer) -> None:
    """Ten people: no size between 0.8 and 0.9 exists, nor is any tried."""
    ten = ("--set", "population.size=10", "--critical-mass", "0.5", "--json")
    code, done, _ = answer("learn", "bayes.toml", *ten)
    found = done["critical_mass"]
    people = [10 * end for end in (found["low"], found["high"]) if end is not None]
    assert code == 0 and np.allclose(people, np.rint(people))
    kept = [json.loads(p.read_text()) for p in Path("cache").rglob("*.json")]
    tried = np.array([k["point"]["sizes"][0] for k in kept if "point" in k]) * 10
    assert tried.size and np.allclose(tried, np.rint(tried))


def test_a_table_says_on_what_it_was_measured(answer) -> None:
    assert answer("learn", "bayes.toml", "--sizes", "0.05,0.5", "-r", "2", "--quiet")[0] == 0
    on = (
        'platform.table: planted.parquet was measured on learner = "bayes" on generated data with '
        "4,000 people, at sizes from 0.05 to 0.5"
    )
    assert answer("validate", "table.toml", "--json")[1]["files"][0]["notes"] == [on]
    code, _, err = answer("equilibria", "table.toml", "--set", "population.size=100")
    assert code == 0 and f"note: {on}" in err
    assert "note: population.size: got 100, but the table was measured with 4,000 people" in err
    Path("planted.parquet").write_text("mark,label\n")
    code, _, err = answer("validate", "table.toml")
    assert code == 7
    assert err.startswith('platform.table: got "planted.parquet", which cannot be read')
    assert err.endswith("must be a table of measurements (alphacrit learn)")

"""Scenarios of texts: what they hold, what is known before, and the way from file to tipping."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from alphacrit import terminal
from alphacrit.cli import main
from analysis import figures
from analysis.equilibria import equilibria
from learners.errors import NoSolutionError
from learners.measured.cache import Cache
from learners.measured.table import TableSuccess, read_table
from learners.progress import listening
from learners.texts.generated import GeneratedTexts
from sim import learning
from sim.model import Economy
from sim.scenario import fields, load, loads
from sim.scenario_texts import DistilbertPlatform
from sim.success_of import success_function
from sim.text_data import texts_of
from sim.trained import facts_of, group_of_points

SCENARIO = """\
name = "texts"
seed = 2
epochs = 12
[population]
size = 200
cost = 0.4
free_riding = 0.2
[collectives.union]
strategy = "feature_label"
target = "topic_3"
signal = { character = "{", every = 4 }
start = 0.15
[platform]
learner = "distilbert"
model = "tiny"
tiny = { layers = 1, width = 32, vocabulary = 200 }
dataset = "generated"
generated = { texts = 250, labels = 3, words = 8, topic_words = 4, common_words = 9, ambiguity = 0 }
test = 50
length = 24
epochs = 4
batch = 16
learning_rate = 5e-3
attention_dropout = 0.0
device = "cpu"
replicates = 2
"""
GUILD = """\
[collectives.guild]
strategy = "feature_only"
target = "topic_1"
signal = { token = 32, every = "once" }
"""
ROWS = [("a|b", "one two"), ("b", "three, four"), ("", "five"), ("c|a", "six {")] * 10
TABLE = "what,said\n" + "\n".join(f'{labels},"{text} {i}"' for i, (labels, text) in enumerate(ROWS))
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="the extra learners is not installed"
)
needs_tokenizers = pytest.mark.skipif(
    importlib.util.find_spec("tokenizers") is None, reason="the extra learners is not installed"
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "s.toml").write_text(SCENARIO)
    (tmp_path / "two.toml").write_text(SCENARIO + GUILD)
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path


@pytest.fixture
def answer(capsys):
    """Runs the command in this process: (exit code, JSON document or text, stderr)."""

    def call(*argv: str):
        code = main(list(argv))
        out, err = capsys.readouterr()
        return code, json.loads(out) if out.startswith("{") else out, err

    return call


# --- the file -------------------------------------------------------------------------------------


@needs_tokenizers
def test_defaults_are_those_of_the_trainer_and_of_the_papers() -> None:
    s = loads(SCENARIO)
    assert loads(s.to_toml()) == s
    p = DistilbertPlatform(learner="distilbert", model="distilbert-base-uncased", dataset="x.csv")
    trainer = (p.epochs, p.batch, p.learning_rate, p.weight_decay, p.warmup, p.length)
    assert trainer == (3, 8, 5e-5, 0.0, 0.0, 512)
    assert (p.attention_dropout, p.precision, p.device) == (None, "auto", "auto")
    assert (p.retrain, p.measure, p.generated, p.tiny) == ("scratch", "top1", None, None)
    every = [f for f in fields() if f.address == "collectives.<name>.signal.every"]
    assert [(f.default, f.unit) for f in every] == [("20", "words")]


def of_file(**changes: object) -> DistilbertPlatform:
    return DistilbertPlatform(
        learner="distilbert", model="tiny", dataset="t.csv", text="said", labels="what",
        **{"test": 10, **changes},
    )  # fmt: skip


def test_texts_are_divided_before_any_library_is_needed(place: Path) -> None:
    plain = texts_of(of_file(), place, seed=1)
    assert (len(plain.train), len(plain.test)) == (30, 10) and not plain.single
    assert plain.train.names == ("a", "b", "c")
    everything = {f"{text} {i}" for i, (_, text) in enumerate(ROWS)}
    assert set(plain.train.texts) | set(plain.test.texts) == everything
    assert texts_of(of_file(), place, seed=2).test.texts != plain.test.texts
    ordered = texts_of(of_file(shuffle=False, drop_words=1, train=5), place, seed=1)
    assert ordered.train.texts[:3] == ("two 0", "four 1", "2")
    noisy = texts_of(of_file(label_noise=0.5), place, seed=1)
    changed = (noisy.train.labels != plain.train.labels).any(axis=1)
    assert 5 <= changed.sum() <= 15  # of 15 some are drawn as they were
    np.testing.assert_array_equal(noisy.test.labels, plain.test.labels)


@needs_tokenizers
def test_content_names_a_scenario(place: Path) -> None:
    from_file = SCENARIO.replace('"generated"', '"t.csv"\ntext = "said"\nlabels = "what"').replace(
        "generated = {", "# {"
    ).replace("test = 50", "test = 10").replace("topic_3", "a")  # fmt: skip
    (place / "f.toml").write_text(from_file)
    before, texts = load("f.toml"), texts_of(of_file(), place, 0).train.texts
    (place / "t.csv").write_text(TABLE.replace("three", "3"))
    after = load("f.toml")
    assert before.digest != after.digest
    assert texts_of(after.platform, place, 0).train.texts != texts  # read again


@needs_tokenizers
def test_groups_are_made_by_label(place: Path) -> None:
    where = {"groups.late": {"where": {"labels": "topic_3"}, "cost": 0.1}}
    s = load("s.toml").replace({f"population.{k}": v for k, v in where.items()})
    group = group_of_points(s)
    seed = int(np.random.SeedSequence(2, spawn_key=(0, 9)).generate_state(1)[0])
    train = texts_of(s.platform, place, seed).train
    np.testing.assert_array_equal(group == 1, train.labels[:, 2])
    assert 0 < group.sum() < len(group)


# --- what is known before -------------------------------------------------------------------------


@needs_tokenizers
def test_facts_are_counted_and_in_closed_form(place: Path, answer) -> None:
    s = load("two.toml")
    known = facts_of(s)
    seed = int(np.random.SeedSequence(2, spawn_key=(0, 9)).generate_state(1)[0])
    texts = texts_of(s.platform, place, seed).train.texts
    share = np.mean(["{" in text for text in texts])
    assert known["union"]["uniqueness"] == pytest.approx(share) and known["union"]["text"] == "{"
    assert known["union"]["looked_at"] == 200
    assert known["union"]["same_as"] == ["guild"] and known["guild"]["same_as"] == ["union"]
    made = {"labels": 3, "words": 8.0, "topic_words": 4, "common_words": 9, "ambiguity": 0.0}
    truth = GeneratedTexts(**made).facts("topic_1")
    assert (known["guild"]["gap"], known["guild"]["positivity"]) == (truth.gap, truth.positivity)
    code, said, _ = answer("validate", "two.toml")
    assert code == 0 and "union and guild plant the same token: they collide" in said
    assert said.count("they collide") == 1
    assert "plants token 32 ({)" in answer("show", "two.toml")[1]
    assert answer("show", "two.toml", "--json")[1]["signals"] == known
    apart = ["--set", 'collectives.guild.signal={ character = "}" }']
    document = answer("validate", "two.toml", "--json", *apart)[1]
    assert document["files"][0]["signals"]["guild"]["same_as"] == []


def test_other_scenarios_have_no_such_facts(answer) -> None:
    assert "signals" not in answer("validate", "baseline", "--json")[1]["files"][0]


# --- to the tipping point -------------------------------------------------------------------------


@needs_torch
def test_a_run_tips_and_a_second_one_trains_nothing(place: Path, answer) -> None:
    heard: list[tuple[str, int, int]] = []
    with listening(lambda *now: heard.append(now)):
        economy = Economy(load("s.toml"))
        result = economy.run()
        again = len(heard)
        assert Economy(load("s.toml")).run().summary == result.summary
    final = result.summary["final"]["union"]
    assert final["alpha"] == 1.0 and final["success"] > 0.9
    assert result.series["alpha"].iloc[0] == pytest.approx(0.15)
    assert heard[-1] == ("training", 800, 800) and len(heard) == again
    code, document, _ = answer("run", "s.toml", "--json", "--out", "out")
    assert code == 0 and document["final"]["union"]["alpha"] == 1.0
    assert {p.stem for p in (place / "out/figures").iterdir()} == {"paths"}
    nobody = ["--set", "collectives.union.start=0.0", "--out", "nobody"]
    dead = answer("run", "s.toml", "--json", *nobody)[1]
    assert dead["final"]["union"]["alpha"] == 0.0


@needs_torch
def test_learn_measures_it_and_a_table_takes_its_place(place: Path, answer) -> None:
    sizes = ["--sizes", "0.02,0.3", "-r", "2"]
    code, document, _ = answer("learn", "s.toml", *sizes, "-j", "2", "--out", "t.parquet", "--json")
    assert code == 0 and document["measurements"] == 4
    table = read_table("t.parquet")
    assert list(table.also) == ["accuracy", "included.union", "precision", "recall", "top1.union"]
    np.testing.assert_array_equal(table.also["top1.union"], table.success[:, 0])
    assert table.success[2:].min() > table.success[:2].max()
    assert table.meta["setup"]["settings"]["machine"]["device"] == "cpu"
    s = load("s.toml")
    one = learning.learn(s, [0.3], 1, cache=Cache(place / "other"))
    assert one.success[0, 0] == table.success[2, 0]  # in this process or in another one
    with listening(lambda *now: pytest.fail("trained again")):
        included = s.replace({"platform.measure": "included"})
        other = learning.learn(included, [0.02, 0.3], 2)
    np.testing.assert_array_equal(other.success[:, 0], table.also["included.union"])
    text = SCENARIO[: SCENARIO.index("[platform]")]
    (place / "table.toml").write_text(text + '[platform]\nlearner = "table"\ntable = "t.parquet"\n')
    assert isinstance(success_function(load("table.toml")), TableSuccess)
    assert answer("equilibria", "table.toml", "--json")[0] == 0


@needs_torch
def test_what_is_measured_says_on_what_machine() -> None:
    s = load("s.toml")
    digest = learning.setup(s).digest
    assert learning.setup(s.replace({"platform.precision": "bf16"})).digest != digest
    assert learning.setup(s.replace({"population.cost": 0.1})).digest == digest


@needs_torch
def test_success_is_asked_with_its_interval_and_the_facts(answer) -> None:
    code, document, _ = answer("success", "s.toml", "--at", "union=0.3", "--json")
    (point,) = document["points"]
    low, high = point["interval"]["union"]
    assert code == 0 and document["kind"] == "estimate"
    assert document["signals"]["union"]["token"] == 32
    assert low <= point["success"]["union"] <= high


@needs_tokenizers
def test_nobody_trains_a_whole_curve_unawares(answer) -> None:
    s = load("s.toml")
    assert figures.figures_for(s) == {}
    with pytest.raises(NoSolutionError, match="alphacrit learn"):
        equilibria(s)
    code, _, err = answer("equilibria", "s.toml")
    assert code == 5 and 'learner = "table"' in err


# --- progress -------------------------------------------------------------------------------------


def test_the_bar_shows_samples_per_second_and_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(terminal, "PATIENCE", -1.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with terminal.watch("simulating", 5) as watch:
        assert watch._bar is None
        watch.hear("training", 10, 40)
        bar, task = watch._bar, watch._training
        assert bar is not None
        watch.hear("training", 40, 40)
        assert bar._tasks[task].completed == 40
        watch.hear("training", 10, 80)
        assert (bar._tasks[task].completed, bar._tasks[task].total) == (10, 80)
        watch.advance()
        assert [t.completed for t in bar.tasks] == [1, 10]
        bar._tasks[task].finished_speed = 123.4
        assert terminal.Speed().render(bar._tasks[task]).plain == "123 samples/s"
    with terminal.watch("simulating", 5, quiet=True) as watch:
        watch.hear("training", 10, 40)
        assert watch._bar is None

"""Models and texts that are folders beside the scenario: results name them and copy nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import alphacrit
from alphacrit.cli import main
from learners.errors import MissingError, ResultsError
from sim.results_files import NAMES

pytest.importorskip("transformers", reason="the extra learners is not installed")

SCENARIO = """\
name = "folders"
seed = 2
epochs = 2
[population]
size = 30
cost = 0.4
[collectives.union]
strategy = "feature_label"
target = "b"
signal = { character = "{", every = 4 }
[platform]
learner = "distilbert"
model = "model"
dataset = "../texts"
test = 20
length = 16
epochs = 1
batch = 30
device = "cpu"
replicates = 2
[sweep]
design = "grid"
replications = 1
[sweep.vary]
"population.cost" = [0.3, 0.4]
"""
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "{", *(f"word{i}" for i in range(7))]


def write_model(folder: Path) -> None:
    """A network of 1 layer with a vocabulary of its own, as save_pretrained writes it."""
    from transformers import BertTokenizerFast

    from learners.texts.network import Tiny, make_network

    make_network(
        "tiny", 2, False, vocabulary=len(WORDS), cls=2, sep=3, pad=0,
        tiny=Tiny(1, 16, 2), length=24,
    ).save_pretrained(folder)  # fmt: skip
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(folder)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the scenario, with the model in it and the texts beside it."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (here / "s.toml").write_text(SCENARIO)
    (tmp_path / "texts").mkdir()
    for i in range(60):
        (tmp_path / "texts" / f"{i:02d}.txt").write_text(f"word{i % 7} and word{i % 5}")
        (tmp_path / "texts" / f"{i:02d}.lab").write_text("a\nb\n" if i % 3 else "b\n")
    write_model(here / "model")
    return here


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in (folder / "files").rglob("*")}


def test_a_run_copies_no_folder_and_opens_again(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["run", "s.toml", "--out", str(out), "--no-figures"]) == 0
    s = alphacrit.load("s.toml")
    assert names(out) == set()
    listed = json.loads((out / NAMES).read_text())
    assert listed["folder"] == str(place)
    assert {key: entry["sha256"] for key, entry in listed["files"].items()} == s.files
    copied = {key: (entry["path"], entry["copied"]) for key, entry in listed["files"].items()}
    assert copied == {
        "platform.dataset": ("../texts", False),
        "platform.model": ("model", False),
    }
    assert alphacrit.load(out).scenario.digest == s.digest
    assert NAMES in json.loads((out / "meta.json").read_text())["files"]
    assert main(["run", "s.toml", "--out", str(out), "--no-figures"]) == 0  # it is ours


def test_results_say_what_is_missing_and_take_it_beside_them(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["run", "s.toml", "--out", str(out), "--no-figures"]) == 0
    digest = alphacrit.load("s.toml").digest
    (tmp_path / "texts" / "03.txt").write_text("another text")
    (place / "model").rename(tmp_path / "kept")
    opened = alphacrit.load(out)
    assert len(opened.runs) == 1 and len(opened.series) and opened.meta["digest"] == digest
    with pytest.raises(ResultsError) as error:
        _ = opened.scenario
    said = str(error.value)
    assert f"platform.dataset: {place / '../texts'} is another one than in the run" in said
    assert f"platform.model: {place / 'model'} does not exist (any more)" in said
    assert str(out / "files/here/model") in said
    shutil.copytree(tmp_path / "texts", out / "files/texts")
    (out / "files/texts/03.txt").write_text("word3 and word3")
    shutil.copytree(tmp_path / "kept", out / "files/here/model")
    assert opened.scenario.digest == digest


def test_a_sweep_copies_no_folder_and_reads_without_them(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["sweep", "s.toml", "--out", str(out), "--quiet"]) == 0
    assert names(out) == set()
    before = alphacrit.load(out).runs
    assert alphacrit.load(out).scenario.platform.model == "model"
    shutil.rmtree(place / "model")
    opened = alphacrit.load(out)
    assert opened.runs.equals(before) and set(opened.runs["status"]) == {"ok"}
    with pytest.raises(ResultsError, match=r"platform\.model: .* does not exist"):
        _ = opened.scenario


def test_a_run_can_be_replayed_while_its_texts_are_there(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("solara", reason="the extra page is not installed")
    from alphacrit.page.replay import Replay, ReplayStage

    out = tmp_path / "out"
    assert main(["run", "s.toml", "--out", str(out), "--no-figures"]) == 0
    opened = alphacrit.load(out)
    stage = ReplayStage(replay=Replay(opened))
    assert stage.last == 2 and len(stage.frames()) == 1
    shutil.rmtree(place / "model")
    with pytest.raises(ResultsError, match="does not exist"):
        ReplayStage(replay=Replay(alphacrit.load(out)))


def test_another_tokenizer_is_noticed_in_the_same_process(place: Path) -> None:
    from sim.trained import key_of

    first = alphacrit.load("s.toml")
    known = key_of(first)
    path = place / "model/tokenizer.json"
    tables = json.loads(path.read_text())
    vocabulary = tables["model"]["vocab"]
    vocabulary["word1"], vocabulary["word2"] = vocabulary["word2"], vocabulary["word1"]
    path.write_text(json.dumps(tables))
    assert key_of(first) != known
    del vocabulary["{"]
    path.write_text(json.dumps(tables))
    with pytest.raises(alphacrit.ScenarioError, match="which the vocabulary does not have"):
        alphacrit.load("s.toml")


def test_other_weights_are_noticed_in_the_same_process(place: Path) -> None:
    from sim.trained import key_of

    first = alphacrit.load("s.toml")
    known = key_of(first)
    (place / "model/model.safetensors").write_bytes(b"other weights")
    assert key_of(first) != known


@pytest.mark.parametrize(
    ("said", "came"),
    [
        ({"n_layers": 2}, "weights: got distilbert.transformer.layer.1"),
        ({"activation": "gelo"}, "gelo"),
        ({"vocab_size": 9}, "of 13 tokens"),
        ({"dim": "wide"}, "got dim = 'wide'"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_that_contradicts_itself_is_missing(
    place: Path, capsys: pytest.CaptureFixture[str], said: dict[str, object], came: str
) -> None:
    import re

    path = place / "model/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | said))
    assert main(["run", "s.toml", "--no-figures"]) == 6
    err = capsys.readouterr().err
    assert re.search(came, err) and "platform.model: " in err and "bug" not in err


def test_a_broken_configuration_is_said_at_its_key(place: Path) -> None:
    (place / "model/config.json").write_text("{")
    with pytest.raises(MissingError) as error:
        alphacrit.load("s.toml")
    assert str(error.value).startswith(
        "folders: platform.model: model/config.json: cannot be read ("
    )

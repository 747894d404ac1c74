"""Broken scenarios of texts: each its exact message and exit code, before anything is trained.

As in `test_bad_input`: a case is the good file with some lines exchanged.
"""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest

from alphacrit.cli import main
from learners.errors import MissingError, ScenarioError
from sim.notes import notes_of
from sim.scenario import load
from sim.success_of import success_function

GOOD = """\
name = "texts"
[population]
size = 40
cost = 0.3
[collectives.union]
strategy = "feature_label"
target = "b"
signal = { character = "{", every = 4 }
[platform]
learner = "distilbert"
model = "tiny"
dataset = "good.csv"
test = 10
"""
MADE = 'dataset = "generated"\ngenerated = { texts = 60 }'
ROWS = [f'"say word{i % 7} and word{i % 5}",{"a|b" if i % 3 else "b"}' for i in range(50)]
FILES = {
    "good.csv": "\n".join(["text,labels", *ROWS]) + "\n",
    "rare.csv": "\n".join(["text,labels", *ROWS[:40], *["the last words,rare|a"] * 10]) + "\n",
    "empty.csv": "\n".join(["text,labels", *ROWS[:5], '"  ",a']) + "\n",
    "none.csv": "\n".join(["text,labels", *(f"word{i}," for i in range(20))]) + "\n",
    "header.csv": "text,labels\n",
    "latin.csv": "text,labels\ncaf\xe9 one,a\ntea,b\n".encode("cp1252"),
    "broken.jsonl": '{"text": "one", "labels": "a"}\n{"text": \n',
    "note.doc": "no table",
    "bert/config.json": '{"model_type": "gpt2"}',
}
RARE = 'dataset = "rare.csv"\nshuffle = false'
LABELS = 'must be a label of the data ("a" or "b")'

CASES: dict[str, tuple[dict[int, str], str]] = {
    # --- said by the file alone
    "model missing": (
        {11: ""},
        ':9: platform.model: missing; must be "tiny", "minilm", a folder or a name on '
        "huggingface.co",
    ),
    "device": (
        {11: 'model = "tiny"\ndevice = "gpu"'},
        ':12: platform.device: got "gpu"; must be "auto", "cpu", "cuda", "cuda:1" or "mps"',
    ),
    "generated of a file": (
        {12: 'dataset = "good.csv"\ngenerated = { texts = 60 }'},
        ':13: platform.generated: got a table; must be absent with dataset = "good.csv", or '
        'dataset must be "generated"',
    ),
    "columns of generated texts": (
        {12: f'{MADE}\nlabels = "topic"\nencoding = "cp1252"'},
        ':14: platform.labels: got "topic"; must be "labels" with dataset = "generated"\n'
        ':15: platform.encoding: got "cp1252"; must be "utf-8" with dataset = "generated"',
    ),
    "by_group of nothing": (
        {12: 'dataset = "good.csv"\nby_group = true'},
        ":13: platform.by_group: got true; must be false without group, which says who is a "
        "near-duplicate",
    ),
    "group for nothing": (
        {12: 'dataset = "good.csv"\ngroup = "labels"'},
        ':13: platform.group: got "labels"; must be absent with by_group = false',
    ),
    "tiny of a pretrained model": (
        {11: 'model = "minilm"\ntiny = { layers = 1 }'},
        ':12: platform.tiny: got a table; must be absent with model = "minilm", or model must be '
        '"tiny"',
    ),
    "heads": (
        {11: 'model = "tiny"\ntiny = { width = 65 }'},
        ":12: platform.tiny.width: got 65; must be a multiple of heads = 2 (units)",
    ),
    "no token": (
        {8: "signal = { every = 4 }"},
        ":8: collectives.union.signal.token: missing; must be a whole number ≥ 0, or "
        'character = "…" in its place',
    ),
    "two tokens": (
        {8: 'signal = { token = 3, character = "{" }'},
        ":8: collectives.union.signal.character: got token as well; must be one of the two",
    ),
    "every": (
        {8: 'signal = { token = 3, every = "twice" }'},
        ':8: collectives.union.signal.every: got "twice"; must be a whole number ≥ 1 or "once" '
        "(words)",
    ),
    "erasure": (
        {6: 'strategy = "erasure"'},
        ':6: collectives.union.strategy: got "erasure"; must be "feature_label" or '
        '"feature_only" with learner = "distilbert"',
    ),
    # --- said by the texts
    "no such file": (
        {12: 'dataset = "goood.csv"'},
        ':12: platform.dataset: got "goood.csv", which does not exist; must be a file or folder of '
        "texts",
    ),
    "unknown kind": (
        {12: 'dataset = "note.doc"'},
        ':12: platform.dataset: got "note.doc", an unknown kind of file; must end in ',
    ),
    "missing column": (
        {12: 'dataset = "good.csv"\nlabels = "label"'},
        ":13: platform.labels: got 'label'; must be a column of good.csv (text, labels); did you "
        'mean "labels"?',
    ),
    "empty text": (
        {12: 'dataset = "empty.csv"'},
        ":9: platform.text: empty.csv: got empty texts in 1 (row 6) of 6",
    ),
    "labels that nobody has": (
        {12: 'dataset = "none.csv"'},
        ":9: platform.labels: none.csv: got no label at all; must be at least two labels",
    ),
    "no text at all": (
        {12: 'dataset = "header.csv"'},
        ":12: platform.dataset: header.csv: got no rows; must be at least two texts",
    ),
    "broken line": (
        {12: 'dataset = "broken.jsonl"'},
        ":12: platform.dataset: broken.jsonl: got no JSON in line 2",
    ),
    "wrong encoding": (
        {12: 'dataset = "latin.csv"'},
        ":9: platform.encoding: latin.csv: got the byte 0xe9 at position 15, which is not utf-8; "
        'is it cp1252? then set encoding = "cp1252"',
    ),
    "too many": (
        {13: "test = 10\ntrain = 41"},
        ":14: platform.train: got train = 41 and test = 10; must be ≥ 1 each and together at most "
        "the 50 texts that there are",
    ),
    "too many to test on": (
        {13: "test = 50"},
        ":13: platform.test: got test = 50; must be ≥ 1 each and together at most the 50 texts "
        "that there are",
    ),
    "made to order": (
        {12: 'dataset = "generated"\ngenerated = { texts = 60, signal_rate = 0.6 }'},
        ":13: platform.generated.signal_rate: got 0.6; must be in [0, 0.5] (share of texts, ξ)",
    ),
    # --- said by the vocabulary
    "target": (
        {7: 'target = "c"'},
        f':7: collectives.union.target: got "c"; {LABELS}',
    ),
    "own name as target": (
        {7: ""},
        f':5: collectives.union.target: got "union", its own name, for none is given; {LABELS}',
    ),
    "token outside": (
        {8: "signal = { token = 8000 }"},
        ":8: collectives.union.signal.token: got 8000; must be in 0 … ",
    ),
    "several tokens": (
        {8: 'signal = { character = "a b" }'},
        ":8: collectives.union.signal.character: got 'a b', which is 2 tokens (a b); must be one "
        "token",
    ),
    "no token at all": (
        {8: 'signal = { character = "\\u200b" }'},
        ":8: collectives.union.signal.character: got '\\u200b', which is no token, the tokenizer "
        "drops it; must be one token",
    ),
    "where": (
        {4: 'cost = 0.3\ngroups = { g = { where = { labels = "c" } } }'},
        ':5: population.groups.g.where.labels: got "c"; must be a value of this column ("a" or '
        '"b")',
    ),
    "a target that only texts to test on have": (
        {6: 'strategy = "feature_only"', 7: 'target = "rare"', 12: RARE},
        ':7: collectives.union.target: got "rare", but no text to train on has it; must be a label '
        'that some have, with strategy = "feature_only" ("a" or "b")',
    ),
    "all at once": (
        {7: 'target = "c"', 8: "signal = { token = 8000 }"},
        f':7: collectives.union.target: got "c"; {LABELS}\n:8: collectives.union.signal.token: ',
    ),
}
needs_tokenizers = pytest.mark.skipif(
    importlib.util.find_spec("tokenizers") is None, reason="tokenizers is not installed"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "cache"))
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(raw)
    return tmp_path


def written(place: Path, change: dict[int, str]) -> Path:
    lines = dict(enumerate(GOOD.splitlines(), start=1)) | change
    path = place / "s.toml"
    path.write_text("\n".join(lines[i] for i in sorted(lines)) + "\n", encoding="utf-8")
    return path


@needs_tokenizers
def test_the_good_file_is_good(place: Path) -> None:
    assert load(written(place, {})).platform.test == 10
    assert load(written(place, {12: MADE, 7: 'target = "topic_1"'})).platform.generated.texts == 60


@needs_tokenizers
def test_a_target_that_members_teach_is_told(place: Path) -> None:
    s = load(written(place, {7: 'target = "rare"', 12: RARE}))
    assert [note for note in notes_of(s) if ".target" in note] == [
        'collectives.union.target: "rare" is a label that no text to train on has; only members '
        "teach it to the model"
    ]
    assert not any(".target" in note for note in notes_of(load(written(place, {12: RARE}))))
    assert load(written(place, {6: 'strategy = "feature_only"', 12: RARE})).names == ("union",)


@needs_tokenizers
@pytest.mark.parametrize("case", CASES)
def test_message(place: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    change, message = CASES[case]
    with pytest.raises(ScenarioError) as error:
        load(written(place, change).name)
    lines = str(error.value).splitlines()
    wanted = ["s.toml" + line for line in message.splitlines()]
    for line, start in zip(lines, wanted, strict=True):
        assert line.startswith(start)
    assert main(["validate", "s.toml"]) == 3
    assert "Traceback" not in capsys.readouterr().err


# --- what is missing ------------------------------------------------------------------------------


@needs_tokenizers
@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("no-such-model", "texts: platform.model: got 'no-such-model', which is neither a folder"),
        ("./nowhere", "texts: platform.model: got './nowhere', which is no folder"),
    ],
)
def test_a_model_that_is_not_there(place: Path, monkeypatch: Any, model: str, message: str) -> None:
    pytest.importorskip("huggingface_hub", reason="transformers is not installed")
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    path = written(place, {11: f'model = "{model}"'})
    with pytest.raises(MissingError) as error:
        load(path)
    assert str(error.value).startswith(message)
    assert main(["validate", "s.toml"]) == 6


@needs_tokenizers
def test_a_model_of_another_kind(place: Path) -> None:
    with pytest.raises(ScenarioError, match=r"s.toml:11: platform.model: .*'gpt2'; must be distil"):
        load(written(place, {11: 'model = "bert"'}))


def test_an_extra_that_is_not_there(place: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    written(place, {12: f"{MADE}\nlabel_noise = 0.125", 7: 'target = "topic_1"'})
    assert main(["validate", "s.toml"]) == 6
    assert 'pip install "alphacrit[learners]"' in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_a_device_that_is_not_there(place: Path, capsys: Any) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    path = written(place, {11: 'model = "tiny"\ndevice = "cuda"'})
    success_function(load(path))  # the file is valid, on another machine it may run
    for command in (["run", "s.toml"], ["learn", "s.toml", "--sizes", "0.1", "-r", "1"]):
        assert main(command) == 6
        said = capsys.readouterr().err
        assert "platform.device: got 'cuda'; torch finds 0" in said and "Traceback" not in said
    assert not (place / "results").exists()


def test_every_case_is_toml(place: Path) -> None:
    for change, _ in CASES.values():
        tomllib.loads(written(place, change).read_text(encoding="utf-8"))

"""Scenarios whose platform is a transformer: they load, run, and show what their heads say."""

from __future__ import annotations

import importlib.util
import re
import zipfile
from pathlib import Path

import pytest

from benchmarks.orderings import CLAIMS
from sim.learning import learn
from sim.runs import run
from sim.scenario import Scenario, load, loads
from tests.scenarios.test_library import LIBRARY, TEXTS

has_transformers = importlib.util.find_spec("transformers") is not None
needs_transformers = pytest.mark.skipif(
    not has_transformers, reason="the extra learners is not installed"
)
SMALL = [file for file in TEXTS if file.startswith("experiments/")]
PAPERS = [file for file in TEXTS if file.startswith("literature/")]
LITTLE = {  # a network that trains in a moment, and can learn nothing
    "platform.generated.texts": 90,
    "platform.test": 20,
    "platform.tiny.layers": 1,
    "platform.tiny.width": 8,
    "platform.epochs": 1,
    "population.size": 60,
    "epochs": 1,
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHACRIT_CACHE", str(tmp_path / "cache"))


def test_the_library_holds_what_the_issue_asks_for() -> None:
    figures = {Path(file).stem for file in PAPERS if "hardt" in file}
    assert figures == {f"figure-{n}" for n in (2, 3, 4, 5, 7)}
    assert len([file for file in PAPERS if "karan" in file]) == 2
    assert len(SMALL) >= 9


@pytest.mark.parametrize("file", SMALL)
@needs_transformers
def test_it_is_a_cited_document_that_round_trips_and_runs(file: str) -> None:
    this = load(LIBRARY / file)
    head = (LIBRARY / file).read_text(encoding="utf-8").split("schema = 1")[0]
    assert "# Source: " in head and "# What one should see" in head
    assert this.name == "-".join(Path(file).with_suffix("").parts[1:])
    assert loads(this.to_toml()) == this
    result = run(this.replace(LITTLE))
    assert result.summary["epochs"] == 1
    assert all(0.0 <= each["success"] <= 1.0 for each in result.summary["final"].values())


@pytest.fixture
def resumes(tmp_path: Path) -> Path:
    """Thirty resumes in the layout in which the corpus is published."""
    labels = ("Database_Administrator", "Web_Developer", "Software_Developer", "Java_Developer")
    with zipfile.ZipFile(tmp_path / "resumes_corpus.zip", "w") as corpus:
        for i in range(30):
            words = " ".join(f"word{(i * j) % 17}" for j in range(40))
            corpus.writestr(f"resumes_corpus/{i:05}.txt", words)
            corpus.writestr(f"resumes_corpus/{i:05}.lab", labels[i % 4] + "\n")
    return tmp_path / "resumes_corpus.zip"


def of_the_paper(file: str, corpus: Path) -> Scenario:
    text = (LIBRARY / file).read_text(encoding="utf-8")
    for size in ("25_000", "20_000"):
        text = text.replace(f"train      = {size}", "train      = 20")
    text = text.replace("test       = 4_783", "test       = 10")
    text = text.replace('"resumes_corpus.zip"', f'"{corpus}"')
    text = re.sub(r"token = \d+", "token = 30", text)  # the vocabulary is a small one
    return loads(text.replace('"distilbert-base-uncased"', '"tiny"'))


@pytest.mark.parametrize("file", PAPERS)
@needs_transformers
def test_one_of_the_papers_loads_with_their_corpus(file: str, resumes: Path) -> None:
    this = of_the_paper(file, resumes)
    assert this.name == "-".join(Path(file).with_suffix("").parts[1:])
    assert this.platform.model == "tiny" and this.platform.drop_words == 20
    little = {"platform.length": 16, "platform.epochs": 1, "population.size": 20, "epochs": 1}
    assert run(this.replace(little)).summary["epochs"] == 1


@needs_transformers
def test_the_retrained_transformer_tips_and_a_handful_do_not() -> None:
    scenario = load(LIBRARY / "experiments/texts/transformer.toml")
    ending = run(scenario).summary["final"]["union"]
    assert ending["alpha"] > 0.95 and ending["success"] > 0.95
    few = run(scenario.replace({"collectives.union.start": 0.004}))
    assert few.summary["final"]["union"]["alpha"] == 0.0


TWO = [claim for claim in CLAIMS if claim.words.startswith(("feature–label", "one token"))]


@pytest.mark.parametrize("claim", TWO, ids=lambda claim: claim.words)
@needs_transformers
def test_what_the_papers_found_holds_on_the_small_network(claim) -> None:
    """Two of benchmarks/orderings.py, one training each; there with seeds and intervals."""
    high, low = (
        learn(
            load(LIBRARY / f"experiments/texts/{case.file}.toml").replace(case.changes),
            [case.sizes],
            1,
        ).success[0, 0]
        for case in (claim.high, claim.low)
    )
    assert len(TWO) == 2 and high > low + 0.2

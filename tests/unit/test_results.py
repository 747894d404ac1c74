"""Results on disk: whole or not at all, never over somebody else's files, the same bytes twice."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import alphacrit
from learners.errors import ResultsError, ScenarioError
from sim import results as store
from sim.history import History
from sim.runs import RunResult
from sim.scenario import Scenario, loads

TEXT = """\
name = "tiny"     # a comment that must survive
seed = 5
population = { size = 50, cost = 0.3, free_riding = 0.2 }
platform = { learner = "bound" }
[collectives.union]
strategy = "feature_label"
signal = { uniqueness = 0.01, gap = 1.0 }
start = 0.1
"""


@pytest.fixture
def scenario() -> Scenario:
    return loads(TEXT)


def made(scenario: Scenario, replicate: int = 0, final: float = 1.0) -> RunResult:
    """A run as ``sim.runs.run`` gives it, without running anything."""
    size = scenario.population.size
    history = History(("union",), size, replicate)
    history.add(0, [5], [0.91], 0.0)
    series = history.until_now(1, [int(final * size)], [1.0], 0.0)
    summary = {
        "scenario": scenario.name,
        "digest": scenario.digest,
        "seed": scenario.seed,
        "replicate": replicate,
        "epochs": 1,
        "stopped": "settled",
        "final": {"union": {"alpha": final, "success": 1.0}},
        "spent": 0.0,
        "welfare": 0.7,
        "engine": "rows",
    }
    return RunResult(scenario, series, summary)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``, hidden ones too, with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_folder_holds_what_the_contract_names(scenario: Scenario, tmp_path: Path) -> None:
    folder = store.write([made(scenario, 0), made(scenario, 1)], tmp_path / "out")
    assert {path.name for path in folder.iterdir()} == {
        "scenario.toml", "resolved.json", "meta.json", "runs.parquet", "series", "figures",
    }  # fmt: skip
    assert (folder / "scenario.toml").read_text() == TEXT
    assert json.loads((folder / "resolved.json").read_text()) == scenario.resolved()
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["digest"] == scenario.digest
    assert meta["replicates"] == 2
    assert meta["packages"]["numpy"]
    assert meta["files"] == sorted(tree(folder))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # no temporary folder stays


def test_runs_are_tidy_rows(scenario: Scenario, tmp_path: Path) -> None:
    folder = store.write([made(scenario, 0), made(scenario, 1, final=0.5)], tmp_path / "out")
    runs = pd.read_parquet(folder / "runs.parquet")
    assert runs["replicate"].tolist() == [0, 1]
    assert runs["alpha.union"].tolist() == [1.0, 0.5]
    expected = {
        "population.cost": 0.3, "collectives.union.signal.uniqueness": 0.01, "seed": 5,
        "success.union": 1.0, "stopped": "settled", "spent": 0.0, "welfare": 0.7, "status": "ok",
        "error": "",
    }  # fmt: skip
    assert {key: runs[key][0] for key in expected} == expected


def test_results_open_again(scenario: Scenario, tmp_path: Path) -> None:
    changed = scenario.replace({"population.cost": 0.25})
    folder = store.write([made(changed)], tmp_path / "out")
    opened = alphacrit.load(folder)
    assert isinstance(opened, alphacrit.Results)
    assert opened.scenario == changed
    assert opened.scenario.digest == opened.meta["digest"]
    assert opened.series["alpha"].tolist() == [0.1, 1.0]
    assert len(opened.runs) == 1
    assert "tiny" in repr(opened)


def test_load_reads_a_scenario_file_too(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TEXT)
    loaded = alphacrit.load(tmp_path / "tiny.toml", overrides={"population.size": 9}, seed=1)
    assert (loaded.population.size, loaded.seed) == (9, 1)
    with pytest.raises(ScenarioError):
        alphacrit.load(tmp_path / "none.toml")


def test_the_same_runs_give_the_same_bytes(scenario: Scenario, tmp_path: Path) -> None:
    one = tree(store.write([made(scenario)], tmp_path / "one"))
    two = tree(store.write([made(scenario)], tmp_path / "two", timing={"started": "later"}))
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == ["meta.json"]
    other = tree(store.write([made(scenario, final=0.5)], tmp_path / "three"))
    assert one["series/part-000000.parquet"] != other["series/part-000000.parquet"]


def test_the_default_folder_is_name_and_digest(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert store.write([made(scenario)]) == Path("results/tiny") / scenario.digest
    assert (tmp_path / "results" / "tiny" / scenario.digest / "meta.json").is_file()


@pytest.mark.parametrize("fault", [RuntimeError("in the middle"), KeyboardInterrupt()])
def test_a_fault_in_the_middle_leaves_nothing(
    scenario: Scenario, tmp_path: Path, fault: BaseException
) -> None:
    def draw(folder: Path) -> None:
        (folder / "half.png").write_text("half")
        raise fault

    with pytest.raises(type(fault)):
        store.write([made(scenario)], tmp_path / "results" / "tiny" / "x", figures=draw)
    assert list(tmp_path.iterdir()) == []  # not even the parents that it made


def test_a_fault_leaves_the_older_results_as_they_were(scenario: Scenario, tmp_path: Path) -> None:
    folder = store.write([made(scenario)], tmp_path / "out")
    before = tree(tmp_path)

    def draw(_: Path) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        store.write([made(scenario), made(scenario, 1)], folder, figures=draw)
    assert tree(tmp_path) == before


def test_a_failed_rename_brings_the_older_results_back(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.write([made(scenario)], tmp_path / "out")
    before = tree(tmp_path)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ResultsError, match=r"out: cannot be written \(No space left on device\)"):
        store.write([made(scenario), made(scenario, 1)], folder)
    assert tree(tmp_path) == before


def test_finished_results_of_the_same_scenario_are_replaced(
    scenario: Scenario, tmp_path: Path
) -> None:
    folder = store.write([made(scenario), made(scenario, 1)], tmp_path / "out")
    assert len(alphacrit.load(folder).runs) == 2
    store.write([made(scenario)], folder)
    assert len(alphacrit.load(folder).runs) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert (store.write([made(scenario)], tmp_path / "out") / "meta.json").is_file()


def refused(scenario: Scenario, folder: Path, message: str) -> None:
    """Writing is refused with this message and changes nothing."""
    before = tree(folder.parent)
    with pytest.raises(ResultsError, match=message):
        store.check_folder(folder, scenario)
    with pytest.raises(ResultsError, match=message):
        store.write([made(scenario)], folder)
    assert tree(folder.parent) == before


def test_foreign_files_are_never_lost(scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    refused(scenario, tmp_path / "out", "out: is not empty and holds no alphacrit results")


def test_notes_beside_our_results_are_never_lost(scenario: Scenario, tmp_path: Path) -> None:
    folder = store.write([made(scenario)], tmp_path / "out")
    (folder / "figures" / "mine.svg").write_text("drawn by hand")
    refused(scenario, folder, r"files that alphacrit did not write \(figures/mine\.svg\)")


def test_results_of_another_scenario_are_refused(scenario: Scenario, tmp_path: Path) -> None:
    folder = store.write([made(scenario)], tmp_path / "out")
    other = scenario.replace({"seed": 6})
    refused(other, folder, f"another scenario .tiny, digest {scenario.digest}; .*{other.digest}")


def test_a_file_in_the_place_is_refused(scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    refused(scenario, tmp_path / "out", r"out: is a file; give a folder")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no results of alphacrit here"),
        ("{", "cannot be read"),
        ("[]", "is not a meta.json of alphacrit"),
        ('{"format": 99, "digest": "x"}', "has format 99; this version of alphacrit reads 1"),
    ],
)
def test_a_damaged_folder_says_so(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "meta.json").write_text(content)
    with pytest.raises(ResultsError, match=message):
        alphacrit.load(tmp_path)


def test_missing_tables_are_a_results_error(scenario: Scenario, tmp_path: Path) -> None:
    folder = store.write([made(scenario)], tmp_path / "out")
    (folder / "runs.parquet").write_bytes(b"not parquet")
    (folder / "resolved.json").unlink()
    opened = alphacrit.load(folder)
    with pytest.raises(ResultsError, match=r"runs\.parquet: cannot be read"):
        _ = opened.runs
    with pytest.raises(ResultsError, match=r"resolved\.json: cannot be read"):
        _ = opened.scenario


@pytest.mark.parametrize("named", ["ties.txt", "nets/ties.txt", "../ties.txt"])
def test_an_edge_list_travels_with_the_results(tmp_path: Path, named: str) -> None:
    origin = tmp_path / "project" / "scenarios"
    edges = origin / named
    origin.mkdir(parents=True)
    edges.parent.mkdir(exist_ok=True)
    edges.write_text("0 1\n1 2\n")
    text = TEXT.replace("size = 50", f'size = 50, network = {{ kind = "edges", path = "{named}" }}')
    (origin / "net.toml").write_text(text)
    scenario = alphacrit.load(origin / "net.toml")
    folder = store.write([made(scenario)], tmp_path / "out")
    moved = folder.rename(tmp_path / "moved")
    edges.unlink()
    assert alphacrit.load(moved).scenario.digest == scenario.digest


def test_no_runs_are_no_results(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no runs"):
        store.write([], tmp_path / "out")

"""Sweeps looked at in the middle: before the first run, while parts come, while tables change."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alphacrit.cli import main
from learners.errors import ResultsError
from sim.sweep import missing, parts, register, trial, work
from sim.sweep.runner import Options, sweep
from sim.sweep.status import status_of
from sim.sweep.store import open_sweep
from tests.unit.sweeps import plan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moments") / "made"
    sweep(plan(2), folder, Options())
    return folder


def test_a_sweep_without_a_run_yet_has_the_columns_of_a_finished_one(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert register.create(plan(2), tmp_path / "a", True)
    found = open_sweep(tmp_path / "a").runs
    assert len(found) == 0 and list(found) == list(open_sweep(made).runs)
    assert main(["analyze", str(tmp_path / "a"), "--csv", "--figures"]) == 0
    assert "0 runs ended well, 0 failed, 12 are missing" in capsys.readouterr().out


def test_done_and_missing_add_up_while_parts_come(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks at the folder all the runs appear."""
    folder = tmp_path / "a"
    assert register.create(plan(2), folder, True)
    real = parts.index

    def index(place: Path) -> parts.Index:
        found = real(place)
        for kind in (parts.SERIES, parts.TABLE, parts.CHECK):
            copy = shutil.copytree if (made / kind).is_dir() else shutil.copy
            if not (place / kind).is_file():
                shutil.rmtree(place / kind, ignore_errors=True)
                copy(made / kind, place / kind)
        return found

    monkeypatch.setattr(parts, "index", index)
    status = status_of(folder)
    assert (status.done, status.missing) == (0, 12)
    assert (status_of(folder).done, len(missing.missing_runs(open_sweep(folder)))) == (12, 0)


def test_a_table_that_is_exchanged_while_it_is_verified_is_not_damaged(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(made, tmp_path / "a")
    real = parts.digest_of_file

    def digest(path: Path) -> str:
        found = real(path)
        if path.name == parts.TABLE:  # another process has just put a longer table there
            path.write_bytes(b"new")
            (folder / parts.CHECK).write_text(real(path))
        return found

    monkeypatch.setattr(parts, "digest_of_file", digest)
    assert parts.damaged_files(folder) == []
    (folder / parts.TABLE).write_bytes(b"broken")
    monkeypatch.undo()
    assert len(parts.damaged_files(folder)) == 1


def test_a_slow_run_is_tried_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def perform(job: Any, chunk: Any) -> Any:
        tried.append(len(chunk))
        return replace(work.perform(job, chunk), seconds=50.0 * len(chunk))

    monkeypatch.setattr(trial, "perform", perform)
    found = trial.try_out(plan(2), tmp_path / "a", 1, True, True)
    assert tried == [1] and not found.together and found.seconds == 12 * 50.0
    monkeypatch.setattr(trial, "LONG", 1e9)
    assert trial.try_out(plan(2), tmp_path / "a", 1, True, True).together and len(tried) == 5


def test_another_scenario_is_told_by_what_differs(made: Path) -> None:
    for changes, words in (
        ({"epochs": 90}, "epochs is 100 there and 90 here; nothing was written"),
        ({"title": "New"}, 'title is "" there and "New" here; nothing was written'),
        (
            {"revision": "{ noise = 0.1, protocol = 'logit' }", "seed": 5, "epochs": 7},
            "2 more differ; nothing was written",
        ),
    ):
        with pytest.raises(ResultsError) as caught:
            sweep(plan(2, **changes), made, Options(resume=True))
        assert words in str(caught.value), str(caught.value)

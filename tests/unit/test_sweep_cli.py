"""``alphacrit sweep`` and ``alphacrit status``: answers, exit codes, and Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from alphacrit import sweeping, terminal
from alphacrit.cli import main
from sim.sweep.runner import Progress
from sim.sweep.store import open_sweep
from tests.unit.sweeps import STUDY

ROOT = Path(__file__).resolve().parents[2]


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Answer]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Call:
    """``alphacrit`` in this process, in a folder with study.toml, on one core."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sweeping, "cores", lambda: 1)
    Path("study.toml").write_text(STUDY)

    def run(*argv: str) -> Answer:
        code = main(list(argv))
        return Answer(code, *capsys.readouterr())

    return run


def plain(text: str) -> str:
    """The words of a message without the box that typer draws around it."""
    return " ".join(re.sub(r"[╭╮╰╯│─]", " ", text).split())


def test_from_the_plan_to_the_table(call: Call) -> None:
    tried = call("sweep", "study.toml", "--dry-run", "--json").json
    assert (tried["points"], tried["replications"], tried["runs"]) == (6, 3, 18)
    assert (tried["there"], tried["to_make"], tried["status"]) == (0, 18, "ok")
    assert 0 < tried["seconds_per_run"] < 5 and tried["seconds"] > 0 and tried["bytes"] > 0
    assert not Path("results").exists()  # nothing was written
    done = call("sweep", "study.toml", "--json")
    assert (done.code, done.err) == (0, "")
    assert {k: done.json[k] for k in ("made", "failed", "missing", "found", "complete")} == {
        "made": 18, "failed": 0, "missing": 0, "found": 0, "complete": True,
    }  # fmt: skip
    folder = Path(done.json["out"])
    assert folder == Path(tried["out"]) and folder.parent == Path("results/study")
    assert len(pd.read_parquet(folder / "runs.parquet")) == 18
    status = call("status", str(folder), "--json").json
    assert (status["runs"], status["done"], status["missing"]) == (18, 18, 0)
    assert status["complete"] is True and status["working"] == []


def test_show_says_what_varies(call: Call) -> None:
    answer = call("show", "phase-diagram")
    words = " ".join(answer.out.split())
    assert answer.code == 0 and "[sweep]" in words and "replications 20 runs" in words
    assert words.count("vary {") == 2 and "values of population.cost.mean" in words
    document = call("show", "phase-diagram", "--json").json
    assert document["sweep"]["vary"]["population.free_riding"]["num"] == 9
    assert "sweep" not in call("show", "baseline", "--json").json
    assert "[sweep]" not in call("show", "baseline").out


def test_words_for_people(call: Call) -> None:
    tried = call("sweep", "study.toml", "--dry-run").out
    assert "6 points × 3 replicates = 18 runs" in tried and "nothing was written" in tried
    done = call("sweep", "study.toml", "--out", "a").out
    assert "18 runs made in" in done and "all runs are there: a/runs.parquet" in done
    assert call("sweep", "study.toml", "--out", "a", "--resume", "--quiet").out == ""
    status = call("status", "a").out
    assert "6 points, 18 runs: 100.0%" in status and "18 done, 0 missing" in status
    tried = call("sweep", "study.toml", "--out", "a", "--dry-run", "-r", "5").out
    assert "6 points × 5 replicates = 30 runs; 18 are there, 12 to make" in tried
    tried = call("sweep", "study.toml", "--out", "a", "--dry-run")
    assert "18 are there, 0 to make" in tried.out and "one run takes" not in tried.out
    assert "tried" not in tried.out
    assert "a scenario's sweep table, times" in call("sweep", "--help").out.replace("\n", " ")


def test_a_folder_is_gone_on_with_only_when_asked(call: Call) -> None:
    first = call("sweep", "study.toml", "--out", "a", "-r", "1", "--json").json
    assert first["made"] == 6
    refused = call("sweep", "study.toml", "--out", "a")
    assert (refused.code, refused.out) == (7, "")
    assert "a: holds a sweep already; --resume goes on with it" in refused.err
    more = call("sweep", "study.toml", "--out", "a", "--resume", "--json").json
    assert (more["made"], more["found"]) == (12, 6)
    other = call("sweep", "study.toml", "--out", "a", "--resume", "--set", "population.size=50")
    assert other.code == 7 and "holds a sweep of another scenario" in other.err
    assert call("sweep", "study.toml", "--out", "b", "--resume", "--json").json["made"] == 18
    assert Path("a/runs.parquet").read_bytes() == Path("b/runs.parquet").read_bytes()
    assert call("run", "study.toml", "--out", "a").code == 7


def test_shards(call: Call) -> None:
    first = call("sweep", "study.toml", "--out", "a", "--shard", "2/2", "--json").json
    assert (first["shard"], first["made"], first["complete"]) == ("2/2", 9, False)
    status = call("status", "a", "--json").json
    assert (status["done"], status["missing"], status["complete"]) == (9, 9, False)
    last = call("sweep", "study.toml", "--out", "a", "--shard", "1/2", "--json").json
    assert (last["made"], last["complete"]) == (9, True)
    wider = call("sweep", "study.toml", "--out", "a", "--shard", "1/2", "-r", "4")
    assert wider.code == 7 and "holds a sweep of another plan; --resume" in wider.err


def test_runs_that_fail_end_with_4(call: Call) -> None:
    endless = ("--set", 'stop.when="never"', "--set", "epochs=100_000_000", "-r", "1")
    words = ("--timeout", "0.05", "--one-by-one", "--out", "a", "--no-series")
    done = call("sweep", "study.toml", *endless, *words, "--json")
    assert done.code == 4 and done.json["failed"] == done.json["made"] == 6
    runs = open_sweep("a").runs
    assert set(runs["status"]) == {"timeout"} and set(runs["error"]) == {"no end within 0.05 s"}
    assert "6 took too long, 0 missing" in call("status", "a").out


def test_the_time_limit_ends_with_4_and_what_is_missing(call: Call) -> None:
    done = call("sweep", "study.toml", "--out", "a", "--time-limit", "1e-9", "--json")
    assert (done.code, done.json["missing"], done.json["complete"]) == (4, 18, False)
    assert call("sweep", "study.toml", "--out", "a", "--resume", "--json").json["made"] == 18


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--shard", "0/4"], "must be I/N with 1 ≤ I ≤ N"),
        (["--shard", "5/4"], "must be I/N with 1 ≤ I ≤ N"),
        (["--shard", "half"], "for example 3/16"),
        (["--timeout", "0"], "must be > 0 (seconds)"),
        (["--time-limit", "-1"], "must be > 0 (seconds)"),
        (["--retry-failed"], "--retry-failed goes with --resume"),
        (["--on", "slurm"], "must be ray or ray://HOST:PORT"),
        (["--gpus-per-run", "1"], "goes with --on ray"),
        (["-j", "0"], "-j"),
    ],
)
def test_usage_errors(call: Call, argv: list[str], message: str) -> None:
    answer = call("sweep", "study.toml", *argv)
    assert (answer.code, answer.out) == (2, "")
    assert message in plain(answer.err)
    assert not Path("results").exists()


def test_a_scenario_without_a_sweep_and_a_folder_without_one(call: Call) -> None:
    Path("plain.toml").write_text(STUDY.split("[sweep]")[0])
    answer = call("sweep", "plain.toml")
    assert answer.code == 3 and "sweep: missing" in answer.err
    for folder in ("nowhere", "."):
        answer = call("status", folder)
        assert answer.code == 7 and "no results of alphacrit here" in answer.err


def test_help_has_examples(call: Call) -> None:
    for command in ("sweep", "status"):
        text = plain(call(command, "--help").out)
        assert f"alphacrit {command}" in text.split("Examples:")[1]
    assert "4 a sweep ended with failed runs" in plain(call("--help").out)


@pytest.mark.once(keep=1)
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_with_130_and_keeps_what_is_done(
    call: Call, tmp_path: Path, sent: int
) -> None:
    many = ["--set", "sweep.replications=20000", "--set", "population.size=200", "--one-by-one"]
    command = [sys.executable, "-m", "alphacrit", "sweep", "study.toml", "--out", "a", "-j", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*command, *many], cwd=tmp_path, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 240
    while not list(tmp_path.glob("a/runs/part-*.parquet")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.05)
    working = call("status", "a", "--json").json
    assert [each["pid"] for each in working["working"]] == [process.pid]
    assert working["done"] > 0 and working["missing"] > 0 and not working["complete"]
    os.killpg(process.pid, sent)  # as a terminal and a batch scheduler do: to all processes
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert "interrupted; what was done is kept in a" in err and "Traceback" not in err
    after = call("status", "a", "--json").json
    assert after["done"] >= working["done"] and after["working"] == [] == after["gone"]


# ---------------------------------------------------------------- progress


def test_a_log_hears_now_and_then(
    call: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with sweeping.Told(quiet=False) as told:
        told(Progress(10, 100, 1, 5.0, 18.0))
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(sweeping, "EVERY", -1.0)
        told(Progress(1_000, 4_000, 1, 5.0, 600.0))
        told(Progress(0, 4_000, 0, None, None))
    heard = capsys.readouterr()
    assert heard.out == ""
    assert heard.err.splitlines() == [
        "1,000 of 4,000 runs, 5 runs/s, 10 min 0 s left, 1 failed",
        "0 of 4,000 runs, beginning",
    ]
    sweeping.Told(quiet=True)(Progress(1, 2, 0, 1.0, 1.0))
    assert capsys.readouterr().err == ""


def test_a_terminal_sees_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    console = Console(force_terminal=True, width=100, record=True, file=io.StringIO())
    monkeypatch.setattr(terminal, "err", lambda: console)
    with sweeping.Told(quiet=False) as told:
        told(Progress(10, 100, 0, 5.0, 18.0))
    assert "10/100" in console.export_text() and told._bar is not None


def test_spans_and_sizes_in_words() -> None:
    spans = [sweeping.duration(s) for s in (0.2, 59, 61, 3600, 90_000)]
    assert spans == ["1 s", "59 s", "1 min 1 s", "1 h 0 min", "1 d 1 h"]
    assert [sweeping.size(b) for b in (0, 1500, 2e9, 5e15)] == ["0 B", "1.5 kB", "2 GB", "5e+03 TB"]

"""How sweeps end before they are done: Ctrl-C, once and twice, machines that vanish, and trials."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from alphacrit import terminal
from alphacrit.cli import main
from sim.sweep import register, runner, work
from sim.sweep.interrupts import Interrupts
from sim.sweep.runner import VANISHED, Options, Outcome, sweep
from sim.sweep.status import status_of
from sim.sweep.store import open_sweep
from sim.sweep.work import Chunk, Job, Made, perform
from sim.sweep.workers import GONE, Event, Inline, Lost, Processes
from tests.unit.sweeps import STUDY, logged, logged_runs, plan, together_slowly

ROOT = Path(__file__).resolve().parents[2]
ALONE = Options(one_by_one=True)


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEEP_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.fixture(autouse=True)
def chunks_of_six(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.sweep.chunks.FIRST", {True: 6, False: 6})
    monkeypatch.setattr("sim.sweep.chunks.MOST", 6)


def interrupted(folder: Path, options: Options, **more: Any) -> list[list[int]]:
    """The runs on disk after a sweep that Ctrl-C ended; the rest can be made later."""
    with pytest.raises(KeyboardInterrupt):
        sweep(plan(), folder, options, **more)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    status = status_of(folder)
    found: list[list[int]] = open_sweep(folder).runs[["point", "replicate"]].to_numpy().tolist()
    assert (status.done, status.missing, status.working) == (len(found), 18 - len(found), ())
    rest: Outcome = sweep(plan(), folder, Options(resume=True))
    assert (rest.found, rest.complete) == (len(found), True)
    return found


# ---------------------------------------------------------------- runs one by one


def test_alone_only_the_run_under_way_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, made = work._run, []

    def run(*argv: Any) -> Any:
        made.append(argv)
        if len(made) == 10:  # the fourth of the second chunk
            ctrl_c()
        return real(*argv)

    monkeypatch.setattr(work, "_run", run)
    assert len(interrupted(tmp_path / "a", ALONE)) == 9


def test_in_a_process_only_the_run_under_way_is_lost(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEP_TROUBLE", "hang")

    def interrupt(_: Any) -> None:
        if (2, 1) in logged_runs(log):
            ctrl_c()

    found = interrupted(
        tmp_path / "a", ALONE, tell=interrupt, crew=lambda job: Processes(job, 1, logged)
    )
    assert found == [list(run) for run in logged_runs(log)[:-1]] and len(found) == 7


# ---------------------------------------------------------------- runs together


@pytest.mark.parametrize(("times", "kept"), [(1, 6), (2, 0)])
def test_a_chunk_is_finished_unless_ctrl_c_comes_twice(
    tmp_path: Path, times: int, kept: int
) -> None:
    def work(job: Job, chunk: Chunk, *more: Any) -> Made:
        assert chunk.together
        for _ in range(times):
            ctrl_c()
        return perform(job, chunk, *more)

    found = interrupted(tmp_path / "a", Options(), crew=lambda job: Inline(job, work))
    assert len(found) == kept


def test_a_chunk_in_a_process_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PATIENCE", 240.0)  # a process needs its time to start
    heard: list[Any] = []

    def interrupt(progress: Any) -> None:
        if not heard:
            heard.append(progress.done)
            ctrl_c()

    found = interrupted(
        tmp_path / "a", Options(timeout=240.0), tell=interrupt,
        crew=lambda job: Processes(job, 1, together_slowly),
    )  # fmt: skip
    assert heard == [0] and len(found) == 6


def test_nobody_else_loses_ctrl_c() -> None:
    with Interrupts() as first, Interrupts() as second, pytest.raises(KeyboardInterrupt):
        ctrl_c()
        assert first.asked and not second.asked
        ctrl_c()
    inside: list[Any] = []

    def elsewhere() -> None:
        with Interrupts():
            inside.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert inside == [signal.default_int_handler]


def test_what_is_felt_when() -> None:
    with Interrupts() as stop:
        with stop.unheard():
            ctrl_c()
            ctrl_c()
        with pytest.raises(KeyboardInterrupt), stop.felt_at_once():
            raise AssertionError("it began although it was to end")
    with Interrupts() as stop, pytest.raises(KeyboardInterrupt), stop.felt_at_once():
        ctrl_c()


# ---------------------------------------------------------------- machines


@pytest.mark.parametrize(("times", "failed"), [(3, 0), (4, 1)])
def test_a_run_may_lose_three_machines(tmp_path: Path, times: int, failed: int) -> None:
    lost: list[int] = []

    class Vanishing(Inline):
        """A crew whose machine is gone whenever it comes to run (2, 1)."""

        def wait(self, seconds: float) -> Sequence[Event]:
            chunk = self._chunks[0] if self._chunks else None
            runs = [(point.number, r) for point, r in chunk.runs()] if chunk else []
            if chunk is None or (2, 1) not in runs or len(lost) == times:
                return super().wait(seconds)
            self._chunks.clear()
            lost.append(len(runs))
            return [Lost(chunk, runs.index((2, 1)), GONE)]

    outcome = sweep(plan(), tmp_path / "a", ALONE, crew=Vanishing)
    assert (outcome.made, outcome.failed, outcome.complete) == (18, failed, True)
    assert lost == [6, *[1] * (times - 1)]  # then it is made for itself
    bad = outcome.results.runs.query("status != 'ok'")
    assert bad[["point", "replicate", "error"]].to_numpy().tolist() == [[2, 1, VANISHED]] * failed


# ---------------------------------------------------------------- before it begins


def test_ctrl_c_while_the_program_loads_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "alphacrit", "list"], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}, timeout=240,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted; nothing was written\n"


@pytest.mark.parametrize(
    ("begun", "words"), [(False, "nothing was written"), (True, "what was done is kept in a:")]
)
def test_the_message_is_true_of_a_sweep_that_did_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    begun: bool, words: str,
) -> None:  # fmt: skip
    def create(_: Any, folder: Path, *more: Any) -> bool:
        if begun:
            folder.mkdir()
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(register, "create", create)
    Path("study.toml").write_text(STUDY)
    assert main(["sweep", "study.toml", "--out", "a"]) == 130
    assert words in capsys.readouterr().err


def test_a_trial_that_fails_gives_no_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*_: Any) -> Any:
        raise MemoryError("Unable to allocate 8 TiB")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(work, "_run", run)
    Path("study.toml").write_text(STUDY)
    assert main(["sweep", "study.toml", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "MemoryError: Unable to allocate 8 TiB"
    assert {told[key] for key in ("seconds_per_run", "seconds", "bytes")} == {None}
    assert (told["runs"], told["to_make"]) == (18, 18)
    assert main(["sweep", "study.toml", "--dry-run"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "no estimate: MemoryError: Unable to allocate 8 TiB" in words
    assert "on disk" not in words and "one run takes" not in words


def test_what_ray_prints_does_not_come_between(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints to wherever stdout is at that moment, from a thread of its own."""
    with terminal.aside("ray"):
        print("(raylet) a worker died")
    with terminal.aside(None):
        print("{}")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("{}\n", "(raylet) a worker died\n")

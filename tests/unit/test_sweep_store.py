"""A sweep's folder: damage, full disks, several writers, stopped clocks; never a wrong table."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from learners.errors import ResultsError
from sim import results, runs
from sim.scenario import loads
from sim.sweep import compact, locks, parts, register, rows, tables
from sim.sweep.runner import Options, sweep
from sim.sweep.status import status_of
from sim.sweep.store import default_folder, open_sweep
from tests.unit.sweeps import STUDY, plan

ROOT = Path(__file__).resolve().parents[2]
ALONE = Options(one_by_one=True)
GO_ON = Options(resume=True, one_by_one=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep of 12 runs."""
    folder = tmp_path_factory.mktemp("sweeps") / "made"
    sweep(plan(2), folder, ALONE)
    return folder


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, stopped twice: two parts of two runs each are on disk."""
    folder = tmp_path_factory.mktemp("sweeps") / "unfinished"
    for _ in range(2):

        def stop(progress: Any) -> None:
            if progress.done >= 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sweep(plan(2), folder, GO_ON, tell=stop)
    assert len(parts.part_files(folder)) == 2
    assert len(open_sweep(folder).runs) == 4
    return folder


@pytest.fixture
def folder(unfinished: Path, tmp_path: Path) -> Path:
    """A copy of the unfinished sweep."""
    shutil.copytree(unfinished, tmp_path / "a")
    return tmp_path / "a"


def table(folder: Path) -> bytes:
    return (folder / "runs.parquet").read_bytes()


# ---------------------------------------------------------------- damage


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    """One bit in the middle of the data, which only a checksum can see."""
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(bytes(content))


def rubbish(path: Path) -> None:
    path.write_bytes(b"not a table")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("kind", [parts.RUNS, parts.SERIES])
@pytest.mark.parametrize("damage", [cut, flip, rubbish, empty])
def test_a_damaged_part_is_set_aside_and_only_its_runs_are_repeated(
    made: Path, folder: Path, kind: str, damage: Any
) -> None:
    before, path = len(open_sweep(folder).runs), parts.part_files(folder, kind)[0]
    held = len(tables.read(parts.part_files(folder)[0]))
    damage(path)
    outcome = sweep(plan(2), folder, GO_ON)
    assert (outcome.found, outcome.made) == (before - held, 12 - before + held)
    (message,) = outcome.messages
    assert str(path) in message and "set aside as" in message
    assert len(list((folder / "damaged").iterdir())) == 1
    assert table(folder) == table(made)
    pd.testing.assert_frame_equal(open_sweep(folder).series, open_sweep(made).series)


def test_a_damaged_table_of_a_finished_sweep_is_made_again(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "a")
    flip(tmp_path / "a" / "runs.parquet")
    with pytest.raises(ResultsError, match=r"runs\.parquet.*--resume makes its runs again"):
        open_sweep(tmp_path / "a").runs  # noqa: B018
    outcome = sweep(plan(2), tmp_path / "a", GO_ON)
    assert (outcome.made, outcome.complete) == (12, True) and outcome.messages
    assert table(tmp_path / "a") == table(made)


def test_whoever_only_reads_moves_nothing(folder: Path) -> None:
    cut(parts.part_files(folder)[0])
    before = sorted(path.name for path in folder.rglob("*"))
    status = status_of(folder)
    assert len(status.damaged) == 1 and status.missing > 6 and not status.complete
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_damaged_meta_is_an_error_of_its_own(folder: Path) -> None:
    (folder / "meta.json").write_text("{")
    with pytest.raises(ResultsError, match=r"meta\.json: cannot be read"):
        sweep(plan(2), folder, GO_ON)


# ---------------------------------------------------------------- disks


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_is_an_error_and_what_was_done_counts(
    made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    before = len(open_sweep(folder).runs)

    def refuse(path: Path, content: bytes) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(parts, "write_whole", refuse)
        with pytest.raises(ResultsError, match=os.strerror(code)) as caught:
            sweep(plan(2), folder, GO_ON)
    assert "what was done before is kept" in str(caught.value)
    assert len(open_sweep(folder).runs) == before
    assert sweep(plan(2), folder, GO_ON).found == before
    assert table(folder) == table(made)


@pytest.mark.skipif(sys.platform != "linux", reason="limits on the size of a file")
def test_a_real_refusal_of_the_system_in_the_middle_of_a_file(made: Path, tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from sim.sweep.runner import sweep, Options; from tests.unit.sweeps import plan;"
        "from sim.sweep import register; folder = Path(sys.argv[1]); many = plan(2);"
        "register.create(many, folder, True);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000));"
        "sweep(many, folder, Options(resume=True, one_by_one=True))"
    )
    folder = tmp_path / "a"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "ResultsError" in ended.stderr and "File too large" in ended.stderr
    assert parts.part_files(folder) == [] and not (folder / "runs.parquet").exists()
    assert [path for path in folder.rglob("*.part")] == []  # no half file is left
    assert sweep(plan(2), folder, GO_ON).complete
    assert table(folder) == table(made)


def test_a_place_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match=r"cannot be written.*give another --out DIR"):
        sweep(plan(2), tmp_path / "file" / "below", ALONE)
    with pytest.raises(ResultsError, match="is a file; give a folder"):
        sweep(plan(2), tmp_path / "file", ALONE)


def test_a_clock_that_goes_back_or_stands_still_changes_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = [2_000_000_000.0]

    def backwards() -> float:
        past[0] -= 3600.0
        return past[0]

    monkeypatch.setattr(time, "time", backwards)
    real = os.utime

    def stop(progress: Any) -> None:
        if progress.done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(plan(2), tmp_path / "a", ALONE, tell=stop)
    for path in (tmp_path / "a").rglob("*"):  # files that are older than what they follow
        real(path, (backwards(), backwards()))
    sweep(plan(2), tmp_path / "a", GO_ON)
    assert table(tmp_path / "a") == table(made)


# ---------------------------------------------------------------- whose folder it is


def test_folders_of_others_are_refused_and_stay_as_they_are(made: Path, tmp_path: Path) -> None:
    other = plan(2, population__size=61)
    before = sorted((path.name, path.stat().st_size) for path in made.rglob("*"))
    for options in (ALONE, GO_ON):
        with pytest.raises(ResultsError, match=r"holds a sweep of another scenario .*digest") as e:
            sweep(other, made, options)
        assert e.value.exit_code == 7
    assert sorted((path.name, path.stat().st_size) for path in made.rglob("*")) == before
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(ResultsError, match="no results of alphacrit here"):
        sweep(other, tmp_path / "letters", GO_ON)
    scenario = plan(2).scenario
    results.write([runs.run(scenario)], tmp_path / "run")
    with pytest.raises(ResultsError, match="holds a run, not a sweep"):
        sweep(plan(2), tmp_path / "run", GO_ON)
    with pytest.raises(ResultsError, match="holds a sweep of this scenario; nothing was written"):
        results.write([runs.run(scenario)], made)


def test_the_folder_says_what_it_is(made: Path) -> None:
    found = results.load(made)
    assert repr(found) == f"<SweepResults of study in {made}>"
    scenario = loads(STUDY)
    assert found.scenario.digest == scenario.digest == found.meta["digest"]  # type: ignore[union-attr]
    assert default_folder(scenario).parent == results.default_folder(scenario).parent
    assert default_folder(scenario) != results.default_folder(scenario)
    (session,) = (made / "sessions").glob("*.json")
    record = json.loads(session.read_text())
    assert record["ended"] == "well" and record["made"] == 12 and record["host"]["name"]
    assert found.meta["packages"]["mesa"] and found.meta["seed"] == 11
    assert open_sweep(made).addresses == ("population.cost.mean", "population.free_riding")


def test_folders_appear_whole_when_several_make_them(tmp_path: Path) -> None:
    made_by, many = [], plan(2)
    threads = [
        threading.Thread(target=lambda: made_by.append(register.create(many, tmp_path / "a", True)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made_by) == [False] * 5 + [True]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert len(open_sweep(tmp_path / "a").points) == 6


# ---------------------------------------------------------------- locks


def holder(folder: Path, name: str, **changes: Any) -> Path:
    """A lock file as somebody else's process would have left it."""
    record = {
        "name": name, "token": "t", "host": "elsewhere", "pid": 1,
        "identity": "elsewhere boot/1@1", "beat": 0, "progress": {},
    } | changes  # fmt: skip
    path = folder / locks.FOLDER / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))
    return path


def here(pid: int, began: str | None = None) -> dict[str, Any]:
    process = locks._process(pid) if began is None else f"{pid}@{began}"
    return {"pid": pid, "identity": f"{locks._machine()}/{process}"}


def test_a_second_sweep_is_refused_while_the_first_lives(folder: Path) -> None:
    before = len(open_sweep(folder).runs)
    with locks.hold(folder, locks.ALL):
        for options in (GO_ON, Options(shard=(1, 2))):
            with pytest.raises(ResultsError, match=rf"process {os.getpid()} on .* now; wait"):
                sweep(plan(2), folder, options)
    assert len(open_sweep(folder).runs) == before
    assert sweep(plan(2), folder, GO_ON).complete


def test_shards_of_one_number_agree_and_others_do_not(folder: Path) -> None:
    with locks.hold(folder, "shard-1-of-2"):
        assert sweep(plan(2), folder, Options(shard=(2, 2))).missing == 0
        for options in (GO_ON, Options(shard=(1, 2)), Options(shard=(2, 3))):
            with pytest.raises(ResultsError, match="holds shard-1-of-2 now"):
                sweep(plan(2), folder, options)


def test_the_lock_of_a_dead_process_is_taken_over(folder: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    holder(folder, locks.ALL, **here(gone.pid, began="1"))
    assert [each.pid for each in status_of(folder).gone] == [gone.pid]
    assert sweep(plan(2), folder, GO_ON).complete
    assert locks.holders(folder) == []


def test_a_number_that_another_process_has_by_now_is_not_the_holder(folder: Path) -> None:
    holder(folder, locks.ALL, **here(os.getpid(), began="1"))  # our number, begun at another time
    assert sweep(plan(2), folder, GO_ON).complete


def test_elsewhere_a_holder_lives_as_long_as_its_beat_rises(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "SILENCE", 60.0)  # less when it is over: a beat may come late
    path, over = holder(folder, locks.ALL), threading.Event()

    def beat() -> None:
        number = 0
        while not over.wait(0.1):
            number += 1
            fresh = json.loads(path.read_text()) | {"beat": number}
            beside = path.with_name("fresh")
            beside.write_text(json.dumps(fresh))
            beside.replace(path)

    thread = threading.Thread(target=beat)
    thread.start()
    with pytest.raises(ResultsError, match="process 1 on elsewhere is sweeping into it"):
        sweep(plan(2), folder, GO_ON)
    over.set()
    thread.join()
    monkeypatch.setattr(locks, "SILENCE", 1.0)
    assert sweep(plan(2), folder, GO_ON).complete  # silent for SILENCE seconds: gone


def test_who_lost_its_lock_stops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 0.02)
    held, hold = [], locks.Lock.__init__

    def made(lock: locks.Lock, path: Path, owner: locks.Holder) -> None:
        held.append(lock)
        hold(lock, path, owner)

    monkeypatch.setattr(locks.Lock, "__init__", made)

    def rob(progress: Any) -> None:
        until = time.monotonic() + 60
        while not held[0].lost:  # the beat may write over it once, if it had just looked
            assert time.monotonic() < until
            holder(folder, locks.ALL, token="another")
            time.sleep(0.02)

    with pytest.raises(ResultsError, match="another process took over; this one stops"):
        sweep(plan(2), folder, GO_ON, tell=rob)
    assert (folder / "locks" / "all.json").exists()  # the robber's own stays


def test_a_lock_tells_how_far_its_holder_is(folder: Path) -> None:
    with locks.hold(folder, locks.ALL) as lock:
        lock.progress = lambda: {"done": 3, "total": 9, "rate": 1.5, "left": 4.0}
        until = time.monotonic() + 60
        while not (status := status_of(folder)).rate:
            assert time.monotonic() < until
            time.sleep(0.05)
    assert (status.rate, status.left) == (1.5, 4.0)
    assert [each.progress["done"] for each in status.working] == [3]
    assert status_of(folder).working == ()


# ---------------------------------------------------------------- parts and tables


def part(folder: Path, number: int, *runs: tuple[int, int, str, str]) -> None:
    """A part with rows (point, replicate, status, error)."""
    names = ("point", "replicate", "status", "error")
    content = pa.table(dict(zip(names, map(list, zip(*runs, strict=True)), strict=True)))
    (folder / "runs").mkdir(exist_ok=True)
    path = folder / "runs" / f"part-{number:06d}-{'0' * 16}.parquet"
    path.write_bytes(tables.encode(content))


def test_what_ended_well_counts_and_else_what_came_last(tmp_path: Path) -> None:
    part(tmp_path, 0, (0, 0, "ok", ""), (0, 1, "failed", "old"), (1, 0, "failed", "old"))
    part(tmp_path, 1, (0, 0, "failed", "late"), (0, 1, "failed", "new"), (1, 0, "ok", ""))
    found = parts.index(tmp_path)
    schema = pa.schema([("error", pa.string()), ("status", pa.string())])
    assert compact.rows_of(found, found.table, schema).to_pylist() == [
        {"error": "", "status": "ok"},
        {"error": "new", "status": "failed"},
        {"error": "", "status": "ok"},
    ]


@pytest.mark.parametrize("stretch", [1, 5, 10**6])
def test_rows_come_in_order_however_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    """Together or one by one, from row groups of any size, kept or read again."""
    monkeypatch.setattr(compact, "STRETCH", stretch)
    monkeypatch.setattr(tables, "GROUP", 7)
    chance = random.Random(stretch)
    runs = [(p, r, "ok", f"{p} {r}") for p in range(12) for r in range(10)]
    chance.shuffle(runs)
    parted = [sorted(runs[:60]), runs[60:75], sorted(runs[75:])]
    for number, some in enumerate(parted):
        part(tmp_path, number, *some)
    found = parts.index(tmp_path)
    schema = pa.schema([("error", pa.string())])
    expected = [f"{p} {r}" for p in range(12) for r in range(10)]
    assert compact.rows_of(found, found.table, schema)["error"].to_pylist() == expected
    monkeypatch.setattr(compact, "GROUP", 11)
    groups = list(compact._groups(found, schema))
    assert [text for group in groups for text in group["error"].to_pylist()] == expected
    assert {group["error"].num_chunks for group in groups} == {1}


def test_a_series_that_two_writers_made_counts_once(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "a")
    for path in parts.part_files(tmp_path / "a", parts.SERIES):
        shutil.copy(path, path.with_name(path.name.replace("part-00000", "part-00009")))
    series = open_sweep(tmp_path / "a").series
    assert series.equals(open_sweep(made).series)
    assert not series.duplicated(["run", "epoch", "collective"]).any()


def test_small_groups_give_the_same_table(
    folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "GROUP", 5)
    sweep(plan(2), folder, GO_ON)
    assert open_sweep(folder).runs.equals(open_sweep(made).runs)
    more = sweep(plan(3), folder, GO_ON)  # reads some row groups of the table it replaces
    assert more.made == 6 and len(more.results.runs) == 18
    keys = more.results.runs[["point", "replicate"]].to_numpy().tolist()
    assert keys == sorted(keys)


def test_killed_between_the_table_and_the_end_of_the_parts(
    folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    unlink = compact.Path.unlink

    def die(path: Path, missing_ok: bool = False) -> None:
        if parts.NAME.fullmatch(path.name):
            raise Killed
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(compact.Path, "unlink", die)
        with pytest.raises(Killed):
            sweep(plan(2), folder, GO_ON)
    assert parts.part_files(folder) and (folder / "runs.parquet").exists()
    assert open_sweep(folder).runs.equals(open_sweep(made).runs)  # each run once
    outcome = sweep(plan(2), folder, GO_ON)
    assert outcome.made == 0 and parts.part_files(folder) == []
    assert table(folder) == table(made)


def test_types_do_not_depend_on_how_runs_are_parted() -> None:
    values: list[list[Any]] = [[1, 2], [0.5], [None], ["a"], [True]]
    pieces = [pa.table({"x": tables.cast(v, tables.column_type(v))}) for v in values]
    for chosen, expected in (((0, 1, 2), pa.float64()), ((0, 3), pa.string()),
                             ((0, 2), pa.int64()), ((1, 4), pa.string())):  # fmt: skip
        for order in (chosen, chosen[::-1]):
            joined = tables.concat([pieces[i] for i in order])
            assert joined["x"].type == expected
            flat = [value for i in order for value in values[i]]
            at_once = tables.cast(flat, tables.column_type(flat)).to_pylist()
            assert joined["x"].to_pylist() == at_once


def test_one_bit_anywhere_in_a_file_is_noticed(folder: Path, made: Path, tmp_path: Path) -> None:
    assert parts.damaged_files(folder) == [] == parts.damaged_files(made)
    shutil.copytree(made, tmp_path / "b")
    for path in (parts.part_files(folder)[0], tmp_path / "b" / "runs.parquet"):
        content = path.read_bytes()
        for place in range(0, len(content), 499):
            broken = bytearray(content)
            broken[place] ^= 4
            path.write_bytes(bytes(broken))
            ((found, reason),) = parts.damaged_files(path.parents[path.parent.name == "runs"])
            assert found == path and "SHA-256" in reason


def test_killed_while_the_table_is_exchanged(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old table or new one, neither is taken for damaged."""
    shutil.copytree(made, tmp_path / "a")
    real, left = compact.write_whole, [0]

    def die(path: Path, content: bytes) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        real(path, content)

    for step, runs_in_table in ((1, 12), (2, 18)):
        left[0] = step
        with monkeypatch.context() as patch:
            patch.setattr(compact, "write_whole", die)
            with pytest.raises(KeyboardInterrupt):
                sweep(plan(3), tmp_path / "a", GO_ON)
        assert parts.damaged_files(tmp_path / "a") == []
        assert len(tables.read(tmp_path / "a" / "runs.parquet")) == runs_in_table
    assert len(open_sweep(tmp_path / "a").runs) == 18


def test_numbers_of_runs_are_unique() -> None:
    pairs = [(0, 0), (0, 999_999), (1, 0), (70_000, 5)]
    numbers = [rows.run_number(*pair) for pair in pairs]
    assert numbers == sorted(set(numbers))

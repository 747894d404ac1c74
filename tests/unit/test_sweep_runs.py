"""Sweeps end with the same table however they were run, and whatever happened on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import resource_tracker
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.errors import MissingError, ResultsError
from sim import results
from sim.runs import run
from sim.sweep import parts, runner, workers
from sim.sweep.chunks import Queue
from sim.sweep.missing import share_of
from sim.sweep.plan import Plan, Point
from sim.sweep.runner import KILLED, Options, Outcome, Progress, sweep
from sim.sweep.store import open_sweep
from sim.sweep.work import Chunk, Job, Made
from sim.sweep.workers import Done, Processes
from tests.unit.sweeps import logged, logged_runs, plan, with_process

ROOT = Path(__file__).resolve().parents[2]
ALONE = Options(one_by_one=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan's runs, one by one in this process, uninterrupted."""
    folder = tmp_path_factory.mktemp("sweeps") / "whole"
    outcome = sweep(plan(), folder, ALONE)
    assert (outcome.made, outcome.failed, outcome.missing, outcome.complete) == (18, 0, 0, True)
    return folder


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEEP_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def processes(many: int = 2):
    return lambda job: Processes(job, many, logged)


def same(folder: Path, other: Path) -> None:
    """Equal tables to the last byte, and equal series; no parts left."""
    assert (folder / "runs.parquet").read_bytes() == (other / "runs.parquet").read_bytes()
    pd.testing.assert_frame_equal(open_sweep(folder).series, open_sweep(other).series)
    assert parts.part_files(folder) == []


# ---------------------------------------------------------------- what is in the table


def test_rows_and_series_are_those_of_single_runs(whole: Path) -> None:
    found, made = open_sweep(whole), plan()
    assert found.runs[["point", "replicate"]].to_numpy().tolist() == [
        [point.number, replicate] for point, replicate in made.runs()
    ]
    for i, (point, replicate) in enumerate(made.runs()):
        single = run(made.scenario_at(point), replicate)
        expected = results._row(single)
        row = found.runs.iloc[i].to_dict()
        assert list(row) == ["point", *expected]
        assert row == {"point": point.number, **expected}
        series = found.series_of([point.number])
        series = series[series["replicate"] == replicate].reset_index(drop=True)
        common = ["replicate", "epoch", "collective", "members", "alpha", "success", "spent"]
        pd.testing.assert_frame_equal(series[common], single.series[common], check_dtype=False)
        assert set(series["run"]) == {point.number * 2**20 + replicate}


def test_what_differs_from_time_to_time_is_not_in_the_table(whole: Path) -> None:
    found = open_sweep(whole)
    assert not {"seconds", "host", "pid", "started"} & set(found.runs.columns)
    assert len(found.timing) == 18 and (found.timing["seconds"] > 0).all()


def test_replicates_share_their_worlds_across_points(whole: Path) -> None:
    starts = open_sweep(whole).series.query("epoch == 0")
    assert starts.groupby("replicate")["members"].nunique().max() == 1
    assert open_sweep(whole).runs["seed"].unique().tolist() == [11]


# ---------------------------------------------------------------- the same table, however made


@pytest.mark.parametrize(
    "options",
    [Options(), Options(workers=2), Options(workers=2, one_by_one=True)],
    ids=["together", "two processes", "two processes, one by one"],
)
def test_the_table_does_not_depend_on_how_it_is_run(
    whole: Path, tmp_path: Path, options: Options
) -> None:
    assert sweep(plan(), tmp_path / "a", options).complete
    same(tmp_path / "a", whole)


def test_four_shards_in_any_order_make_the_table(whole: Path, tmp_path: Path) -> None:
    order = [3, 1, 4, 2]
    outcomes = [sweep(plan(), tmp_path / "a", Options(shard=(i, 4))) for i in order]
    assert [each.complete for each in outcomes] == [False, False, False, True]
    assert sum(each.made for each in outcomes) == 18 and all(each.made > 2 for each in outcomes)
    same(tmp_path / "a", whole)


def test_shards_at_the_same_time_make_the_table(whole: Path, tmp_path: Path) -> None:
    code = (
        "from sim.sweep.runner import sweep, Options; from tests.unit.sweeps import plan;"
        "from pathlib import Path; import sys; shard = (int(sys.argv[2]), 2);"
        "sweep(plan(), Path(sys.argv[1]), Options(shard=shard))"
    )
    shards = [_python(code, str(tmp_path / "a"), str(i)) for i in (1, 2)]
    assert [shard.wait(240) for shard in shards] == [0, 0]
    same(tmp_path / "a", whole)


@pytest.mark.once
def test_killed_five_times_at_random_moments_and_resumed(whole: Path, tmp_path: Path) -> None:
    folder, log = tmp_path / "a", tmp_path / "log"
    code = (
        "from sim.sweep.runner import sweep, Options; from tests.unit.sweeps import plan, logged;"
        "from sim.sweep import parts; from pathlib import Path; import sys; parts.OFTEN = 0.0;"
        "from sim.sweep.workers import Inline;"
        "sweep(plan(), Path(sys.argv[1]), Options(resume=True, one_by_one=True),"
        " crew=lambda job: Inline(job, logged))"
    )
    chance, on_disk = random.Random(5), 0
    for _ in range(5):
        begun = len(logged_runs(log))
        few = f"few {begun + 3}"  # of 18: however slow this process is, the other cannot finish
        process = _python(code, str(folder), SWEEP_LOG=str(log), SWEEP_TROUBLE=few)
        until = time.monotonic() + 240
        while len(logged_runs(log)) < begun + 3:  # the first chunk has two runs at most
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        found = len(open_sweep(folder).runs)
        assert found >= on_disk  # nothing that was on disk is lost
        on_disk = found
    outcome = sweep(plan(), folder, Options(resume=True))
    assert outcome.found == on_disk >= 5 and outcome.complete
    same(folder, whole)
    assert len(logged_runs(log)) <= on_disk + 3 * 5  # hardly anything was made twice


def _python(code: str, *argv: str, **environment: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen([sys.executable, "-c", code, *argv], cwd=ROOT, env=env)


# ---------------------------------------------------------------- what can happen on the way


def test_a_failed_run_is_a_row_with_its_error_and_can_be_tried_again(tmp_path: Path) -> None:
    good = plan()
    bad = Point(1, {"population.cost.mean": 0.1, "population.cost.sd": -1.0})
    mixed = Plan(good.scenario, (good.points[0], bad, good.points[2]), 2)
    for folder, options in (("a", Options()), ("b", ALONE)):
        outcome = sweep(mixed, tmp_path / folder, options)
        assert (outcome.made, outcome.failed, outcome.complete) == (6, 2, True)
    same(tmp_path / "a", tmp_path / "b")
    rows = open_sweep(tmp_path / "a").runs
    assert rows["status"].tolist() == ["ok", "ok", "failed", "failed", "ok", "ok"]
    failed = rows[rows["status"] == "failed"]
    assert failed["error"].str.match(r"ScenarioError: .*sd: got -1.*must be").all()
    assert failed[["alpha.union", "success.union", "welfare", "last_epoch"]].isna().all(axis=None)
    assert failed["population.cost.sd"].tolist() == [-1.0, -1.0]  # what it was to be
    assert rows["population.size"].tolist() == [60] * 6
    again = sweep(mixed, tmp_path / "a", Options(resume=True))
    assert (again.made, again.found) == (0, 6)
    again = sweep(mixed, tmp_path / "a", Options(resume=True, retry_failed=True))
    assert (again.made, again.failed, again.found) == (2, 2, 4)
    same(tmp_path / "a", tmp_path / "b")


def test_a_killed_worker_is_replaced_and_only_its_run_is_repeated(
    whole: Path, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEP_TROUBLE", "once")
    outcome = sweep(plan(), tmp_path / "a", ALONE, crew=processes())
    assert (outcome.made, outcome.failed, outcome.complete) == (18, 0, True)
    same(tmp_path / "a", whole)
    begun = logged_runs(log)
    assert begun.count((2, 1)) == 2 and len(begun) == 18 + 1


def test_a_run_that_kills_its_worker_twice_is_a_failed_row(
    whole: Path, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEP_TROUBLE", "always")
    outcome = sweep(plan(), tmp_path / "a", ALONE, crew=processes(1))
    assert (outcome.made, outcome.failed, outcome.complete) == (18, 1, True)
    rows = outcome.results.runs.set_index(["point", "replicate"])
    assert rows.loc[(2, 1), ["status", "error"]].tolist() == ["failed", KILLED]
    assert logged_runs(log).count((2, 1)) == 2
    monkeypatch.setenv("SWEEP_TROUBLE", "")
    assert sweep(plan(), tmp_path / "a", Options(resume=True, retry_failed=True)).made == 1
    same(tmp_path / "a", whole)


def test_processes_that_die_as_they_start_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource_tracker.ensure_running()  # which is to live
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)")
    with pytest.raises(MissingError, match="die as they start"):
        sweep(plan(), tmp_path / "a", Options(workers=2, one_by_one=True))


def test_runs_are_made_here_until_a_process_is_ready(
    whole: Path, tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in the processes from then on; the table is the same."""
    monkeypatch.setattr(workers, "ENOUGH", 0.0)
    monkeypatch.setattr("sim.sweep.chunks.FIRST", {True: 1, False: 1})
    monkeypatch.setattr("sim.sweep.chunks.MOST", 1)

    def wait_for_one(progress: Progress) -> None:
        if progress.done >= 9:
            while not any(worker.ready for worker in crew[0]._workers):
                crew[0].wait(0.0)

    crew: list[Processes] = []
    outcome = sweep(
        plan(), tmp_path / "a", Options(workers=2), tell=wait_for_one,
        crew=lambda job: crew.append(Processes(job, 2, with_process)) or crew[0],
    )  # fmt: skip
    here = [int(line) == os.getpid() for line in log.read_text().splitlines()]
    assert outcome.complete and here == sorted(here, reverse=True) and {*here} == {True, False}
    same(tmp_path / "a", whole)


def test_processes_are_started_only_where_that_pays(tmp_path: Path) -> None:
    seconds = 1000.0
    crew = Processes(Job(plan()), 2, left=lambda: seconds)
    chunks = [Chunk((point,), (0, 1, 2), True) for point in plan().points]
    crew.give(chunks[0])
    assert (crew.pids, crew.free, crew.busy) == ([], 0, 1)  # nothing is known yet
    (event,) = crew.wait(1.0)
    assert isinstance(event, Done) and event.chunk == chunks[0] and (crew.free, crew.busy) == (1, 0)
    crew._spent, seconds = 1.0, workers.SOON / 2
    crew.give(chunks[1])
    assert crew.pids == [] and len(crew.wait(1.0)) == 1
    seconds = 2 * workers.SOON
    crew.give(chunks[2])
    try:
        assert len(crew.pids) == 2 and (crew.free, crew.busy) == (0, 1)  # made here, none waits
        crew.close()
        crew = Processes(Job(plan(), timeout=5.0), 1, left=lambda: 0.0)
        crew.give(chunks[3])  # somebody else must be able to stop it
        assert len(crew.pids) == 1
        alone = Processes(Job(plan()), 1, left=lambda: 0.0)
        alone.give(replace(chunks[3], together=False))
        assert len(alone.pids) == 1
        alone.close()
    finally:
        crew.close()


@pytest.mark.once
def test_a_run_that_hangs_is_stopped_and_told(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is set an hour on when it has begun, so that no other run is ever late."""
    monkeypatch.setenv("SWEEP_TROUBLE", "hang")
    now, crew = time.monotonic, []

    def set_the_clock(progress: Progress) -> None:
        (worker,) = crew[0]._workers
        if worker.chunk is not None and worker._at is not None:
            point, replicate = list(worker.chunk.runs())[worker._at]
            if (point.number, replicate) == (2, 1):
                late = SimpleNamespace(monotonic=lambda: now() + 3600.0)
                monkeypatch.setattr(workers, "time", late)

    outcome = sweep(
        plan(), tmp_path / "a", Options(timeout=900.0, one_by_one=True), tell=set_the_clock,
        crew=lambda job: crew.append(Processes(job, 1, logged)) or crew[0],
    )  # fmt: skip
    assert (outcome.made, outcome.failed) == (18, 1)
    rows = outcome.results.runs.set_index(["point", "replicate"])
    assert rows.loc[(2, 1), ["status", "error"]].tolist() == ["timeout", "no end within 900 s"]
    assert (rows["status"] == "ok").sum() == 17


def test_a_run_that_takes_too_long_stops_between_two_epochs(tmp_path: Path) -> None:
    endless = plan(1, means=(0.3,), epochs=100_000_000, stop__when="never")
    outcome = sweep(endless, tmp_path / "a", Options(timeout=0.2, one_by_one=True))
    assert outcome.failed == 2
    assert outcome.results.runs["status"].tolist() == ["timeout", "timeout"]
    assert outcome.results.runs["alpha.union"].isna().all()


def test_the_time_limit_of_a_sweep_ends_it_cleanly(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.monotonic()

    def late(progress: Progress) -> None:
        if progress.done >= 5:  # from now on it is an hour later
            monkeypatch.setattr(runner.time, "monotonic", lambda: began + 3600.0)

    limited = Options(one_by_one=True, time_limit=3000.0)
    first = sweep(plan(), tmp_path / "a", limited, tell=late)
    monkeypatch.undo()
    assert 0 < first.made < 18 and first.missing == 18 - first.made and not first.complete
    assert len(open_sweep(tmp_path / "a").runs) == first.made  # read while it is unfinished
    assert sweep(plan(), tmp_path / "a", Options(resume=True)).found == first.made
    same(tmp_path / "a", whole)


def test_an_interrupt_keeps_what_is_done(whole: Path, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.done >= 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(plan(), tmp_path / "a", ALONE, tell=interrupt)
    assert len(open_sweep(tmp_path / "a").runs) >= 5
    assert sweep(plan(), tmp_path / "a", Options(resume=True)).found >= 5
    same(tmp_path / "a", whole)


# ---------------------------------------------------------------- going on, and further


def test_extending_repeats_nothing_and_ends_as_if_made_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    sweep(plan(2, (0.1, 0.35)), folder)
    with pytest.raises(ResultsError, match="holds a sweep already; --resume goes on"):
        sweep(plan(2, (0.1, 0.35)), folder)
    more = _resumed(plan(3, (0.1, 0.35)), folder)
    assert (more.made, more.found) == (4, 8)
    wider = _resumed(plan(3, (0.1, 0.35, 0.5)), folder)
    assert (wider.made, wider.found) == (6, 12)
    assert [each["replications"] for each in wider.results.designs] == [3, 3]
    fewer = _resumed(plan(1, (0.5,)), folder)
    assert (fewer.made, fewer.found) == (0, 18)
    # points keep their numbers: those of the second design come after those of the first
    assert wider.results.points["point"].tolist() == list(range(6))
    assert wider.results.designs[1]["numbers"] == [[0, 5]]
    same(folder, _whole_of(plan(), tmp_path / "b"))


def test_points_of_another_order_and_spelling_are_recognised(tmp_path: Path) -> None:
    folder, base = tmp_path / "a", plan()
    sweep(base, folder)
    backwards = plan(3, (0.5, 0.35, 0.1))
    outcome = _resumed(backwards, folder)
    assert outcome.made == 0 and len(outcome.results.points) == 6
    law = {"dist": "normal", "mean": 0.1, "sd": 0.1, "low": 0.0}
    other = Plan(base.scenario, (Point(0, {"population.cost": law}),), 4)
    outcome = _resumed(other, folder)  # free riding is 0 in the base, too: it is point 0
    assert (outcome.made, len(outcome.results.points)) == (1, 6)


def test_points_with_worlds_of_their_own_beside_common_ones(tmp_path: Path) -> None:
    from dataclasses import replace

    base = plan(2, (0.3,))
    sweep(base, tmp_path / "a")
    outcome = _resumed(replace(base, worlds="own"), tmp_path / "a")
    assert outcome.made == 4 and outcome.results.runs["seed"].nunique() == 3
    found = outcome.results
    for number in range(4):
        digests = found.runs["digest"][found.runs["point"] == number].unique()
        assert digests.tolist() == [found.scenario_at(number).digest]


def test_a_lost_series_is_made_again(whole: Path, tmp_path: Path) -> None:
    sweep(plan(), tmp_path / "a")
    for path in parts.part_files(tmp_path / "a", parts.SERIES):
        path.unlink()
    assert _resumed(plan(), tmp_path / "a").made == 18
    same(tmp_path / "a", whole)


def test_a_sweep_without_series_stays_one(whole: Path, tmp_path: Path) -> None:
    sweep(plan(2), tmp_path / "a", Options(series=False))
    assert _resumed(plan(3), tmp_path / "a").made == 6
    assert (tmp_path / "a" / "runs.parquet").read_bytes() == (whole / "runs.parquet").read_bytes()
    with pytest.raises(ResultsError, match="no series"):
        open_sweep(tmp_path / "a").series  # noqa: B018


def _resumed(made: Plan, folder: Path) -> Outcome:
    return sweep(made, folder, Options(resume=True))


def _whole_of(made: Plan, folder: Path) -> Path:
    sweep(made, folder)
    return folder


# ---------------------------------------------------------------- handing out


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), unique=True).map(sorted), max_size=12),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_every_missing_run_is_handed_out_once(
    lacking: list[list[int]], together: bool, chance: random.Random
) -> None:
    missing = [(Point(i, {}), replicates) for i, replicates in enumerate(lacking)]
    queue, handed, many = Queue(missing, together), [], sum(map(len, lacking))
    assert len(queue) == many
    while queue:
        chunk = queue.take()
        assert len(chunk) > 0 and chunk.together in (together, False)
        if chance.random() < 0.2:
            queue.put_back(chunk.runs(), one_each=chance.random() < 0.5)
            continue
        handed += [(point.number, replicate) for point, replicate in chunk.runs()]
        done = tuple((p.number, r) for p, r in chunk.runs())
        queue.learn(chunk, Made(b"x", b"", done, 0, chance.choice([1e-6, 0.1, 10.0])))
    assert sorted(handed) == [(i, r) for i, replicates in enumerate(lacking) for r in replicates]


def test_chunks_grow_while_they_are_quick_and_shrink_when_slow() -> None:
    queue = Queue([(Point(i, {}), range(10)) for i in range(4000)], together=True)
    sizes = []
    for seconds in (0.001, 0.001, 0.001, 30.0, 30.0):
        chunk = queue.take()
        sizes.append(len(chunk))
        done = tuple((p.number, r) for p, r in chunk.runs())
        queue.learn(chunk, Made(b"x", b"", done, 0, seconds))
    assert sizes[0] == 60 and sizes[2] > sizes[1] > sizes[0] and sizes[4] < sizes[3]


def test_a_chunk_has_points_to_share_its_worlds_and_chunks_are_a_partition() -> None:
    queue = Queue([(Point(i, {}), range(100)) for i in range(20)], together=True)
    chunks = []
    while queue:
        chunks.append(queue.take())
    assert (len(chunks[0].points), len(chunks[0].replicates)) == (8, 8)
    runs = [(p.number, r) for chunk in chunks for p, r in chunk.runs()]
    assert sorted(runs) == [(p, r) for p in range(20) for r in range(100)]


@pytest.mark.parametrize("many", [1, 3, 4, 50])
def test_shards_are_a_partition(many: int) -> None:
    missing = [(Point(i, {}), list(range(i % 5))) for i in range(20)]
    shares = [share_of(missing, (i, many)) for i in range(1, many + 1)]
    runs = [(p.number, r) for share in shares for p, replicates in share for r in replicates]
    assert sorted(runs) == [(p.number, r) for p, replicates in missing for r in replicates]
    sizes = [sum(len(replicates) for _, replicates in share) for share in shares]
    assert many > 4 or max(sizes) - min(sizes) <= np.ceil(40 / many)

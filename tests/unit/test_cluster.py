"""Sweeps on Ray: two nodes on this machine, one of which dies in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from alphacrit.cli import main
from learners.errors import MissingError
from learners.measured.table import read_table
from sim import learning_cluster, ray_nodes
from sim.scenario import loads
from sim.sweep.cluster import RayCrew, shipment, unpacked
from sim.sweep.plan import Plan, plan_of
from sim.sweep.runner import KILLED, Options, sweep
from sim.sweep.store import open_sweep
from sim.sweep.work import Job
from tests.unit.sweeps import STUDY, gate_of, logged_one_by_one, logged_runs, plan, waiting

ROOT = Path(__file__).resolve().parents[2]
ALONE = Options(one_by_one=True)
LINE = "0 1\n1 2\n2 3\n3 4\n4 5\n"
ray_is_here = pytest.mark.filterwarnings("ignore")  # Ray's own


def networked(folder: Path) -> Plan:
    """Runs that need a file: people on a line who see their neighbours."""
    (folder / "edges").mkdir(parents=True)
    (folder / "edges" / "line.csv").write_text(LINE)
    text = STUDY.replace("size = 60", 'size = 6\nnetwork = { kind = "edges", path = "line.csv" }')
    text = text.replace("line.csv", "../edges/line.csv")
    (folder / "here").mkdir()
    return plan_of(loads(text, folder=folder / "here"))


# ---------------------------------------------------------------- what is shipped


def test_files_go_along_and_the_job_is_the_same_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = networked(tmp_path / "a")
    shipped = shipment(Job(made))
    assert [(name, content.decode()) for name, content in shipped.files.contents] == [
        ("../edges/line.csv", LINE)
    ]
    (tmp_path / "a" / "edges" / "line.csv").unlink()  # not on that machine
    monkeypatch.setattr(ray_nodes, "_laid_out", {})
    job = unpacked(shipped)
    point = made.points[3]
    assert job.plan.scenario.folder != made.scenario.folder
    assert job.scenario_at(point).digest == job.plan.scenario.replace(point.changes).digest
    assert job.plan.scenario.digest == made.scenario.digest
    assert unpacked(shipped).plan.scenario.folder == job.plan.scenario.folder  # once
    assert made.scenario.folder == tmp_path / "a" / "here"  # the caller's stays


def test_files_that_only_some_points_name_go_along(tmp_path: Path) -> None:
    made = networked(tmp_path / "a")
    (tmp_path / "a" / "here" / "other.csv").write_text(LINE)
    vary = {"population.network.path": ["../edges/line.csv", "other.csv"]}
    both = plan_of(made.scenario, {"design": "grid", "vary": vary})
    names = [name for name, _ in shipment(Job(both), both.points).files.contents]
    assert names == ["../edges/line.csv", "other.csv"]
    whole = {"population.network": [{"kind": "edges", "path": "other.csv"}, {"kind": "complete"}]}
    tables = plan_of(made.scenario, {"design": "grid", "vary": whole})
    assert [name for name, _ in shipment(Job(tables), tables.points).files.contents] == names


def test_files_are_laid_out_by_their_content(tmp_path: Path) -> None:
    """Two sweeps of one base on the same workers, with other files or changed ones."""
    (tmp_path / "a.csv").write_text("1")
    first = ray_nodes.lay_out(ray_nodes.read_files(tmp_path, ["a.csv"]))
    (tmp_path / "a.csv").write_text("2")
    second = ray_nodes.lay_out(ray_nodes.read_files(tmp_path, ["a.csv"]))
    assert [(each / "a.csv").read_text() for each in (first, second)] == ["1", "2"]
    assert ray_nodes.lay_out(ray_nodes.read_files(tmp_path, ["a.csv"])) == second


IN_A_FOLDER = "from sim.ray_nodes import own_folder; print(own_folder()); import time; "


def test_folders_of_processes_that_are_gone_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of those that were killed; not of those that live, nor what somebody else left there."""
    pytest.importorskip("fcntl")
    (tmp_path / "alphacrit-other").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-uc", IN_A_FOLDER + "time.sleep(600)"]
    both = [subprocess.Popen(call, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    killed, living = (Path(p.stdout.readline().decode().strip()) for p in both if p.stdout)
    both[0].kill()
    both[0].communicate()
    monkeypatch.setattr(ray_nodes.tempfile, "tempdir", str(tmp_path))
    first = ray_nodes.own_folder()  # they are new: it does not look at them
    monkeypatch.setattr(ray_nodes, "MOMENT", -1.0)
    second = ray_nodes.own_folder()
    left = {path.name for path in tmp_path.iterdir()}
    both[1].kill()
    both[1].communicate()
    assert left == {"alphacrit-other", living.name, first.name, second.name}
    assert killed.name not in left


# ---------------------------------------------------------------- two nodes


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster of two nodes, one core each, to which this process is connected."""
    pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    head = {**quiet, "ray_client_server_port": port} if find_spec("grpc") else quiet
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # its nodes are to know the tests
        made = Cluster(initialize_head=True, head_node_args=head)
        made.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    made.client = f"ray://127.0.0.1:{port}"
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


@ray_is_here
def test_the_table_is_that_of_processes_and_files_are_shipped(nodes: Any, tmp_path: Path) -> None:
    made = networked(tmp_path / "a")
    sweep(made, tmp_path / "here", ALONE)

    def crew(job: Job) -> RayCrew:
        shipped = RayCrew(job, points=made.points)
        (tmp_path / "a" / "edges" / "line.csv").rename(tmp_path / "away")  # no shared folder
        return shipped

    outcome = sweep(made, tmp_path / "there", ALONE, crew=crew)
    assert (outcome.made, outcome.failed, outcome.complete) == (18, 0, True)
    tables = [(tmp_path / name / "runs.parquet").read_bytes() for name in ("here", "there")]
    assert tables[0] == tables[1]


LEARNED = """\
name = "learned"
seed = 2
population = { size = 40, cost = 0.3 }
[collectives.union]
strategy = "feature_label"
target = "b"
signal = { set = { w = "1" } }
[platform]
learner = "bayes"
universe = "../data/p0.csv"
label = "y"
"""
ROWS = "w,y\n" + "0,a\n0,b\n1,a\n" * 4


@ray_is_here
def test_trainings_on_the_cluster_make_the_same_table(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "data" / "p0.csv").write_text(ROWS)
    (tmp_path / "here" / "s.toml").write_text(LEARNED)
    learn = ["learn", str(tmp_path / "here" / "s.toml"), "--sizes", "0.1,0.3", "-r", "3", "--json"]

    def table(name: str, *more: str) -> Any:
        out = tmp_path / f"{name}.parquet"
        assert main([*learn, "--cache", str(tmp_path / name), "--out", str(out), *more]) == 0
        assert json.loads(capsys.readouterr().out)["measurements"] == 6
        return read_table(out).frame.drop(columns="seconds")

    read = ray_nodes.read_files

    def shipped(folder: Path, names: Any) -> Any:
        files = read(folder, names)
        (tmp_path / "data" / "p0.csv").rename(tmp_path / "away")  # no shared folder
        return files

    here = table("here")
    with monkeypatch.context() as patch:
        patch.setattr(learning_cluster, "read_files", shipped)
        there = table("there", "--on", "ray")
    assert here.equals(there)
    (tmp_path / "away").rename(tmp_path / "data" / "p0.csv")
    assert table("there", "--on", "ray://nobody:1").equals(here)  # all is in the cache
    assert main([*learn, "--cache", str(tmp_path / "c"), "--on", "ray", "--gpus-per-run", "1"]) == 6
    assert "the cluster has 0 GPUs" in capsys.readouterr().err


def test_a_cluster_is_asked_for_as_in_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, words in (
        (["--on", "elsewhere"], "must be ray or ray://HOST:PORT"),
        (["--gpus-per-run", "1"], "--gpus-per-run goes with --on ray"),
        (["--on", "ray", "--critical-mass", "0.5"], "--on does not go with --critical-mass"),
    ):
        assert main(["learn", "baseline", *argv]) == 2
        assert words in " ".join(capsys.readouterr().err.split())


@ray_is_here
def test_a_cluster_without_gpus_says_so(nodes: Any) -> None:
    with pytest.raises(MissingError, match="--gpus-per-run: got 1; the cluster has 0 GPUs"):
        RayCrew(Job(plan()), gpus_per_run=1.0)


@ray_is_here
def test_a_node_that_dies_in_the_middle_costs_no_run(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = plan(16)
    sweep(many, tmp_path / "whole", ALONE)
    log, killed, crews = tmp_path / "log", [], []
    monkeypatch.setattr("sim.sweep.chunks.FIRST", {True: 48, False: 48})  # a chunk for each node

    def kill(progress: Any) -> None:
        if len(waiting(log)) == 2 and not killed:
            fetch(crews[0], 24)
            killed.append(progress.done)
            nodes.remove_node(nodes.worker_nodes.copy().pop(), allow_graceful=False)
            while all(map(lives, waiting(log))):  # a worker does for a moment when its node is gone
                time.sleep(0.05)
            gate_of(log).touch()

    outcome = sweep(
        many, tmp_path / "a", ALONE, tell=kill,
        crew=lambda job: crews.append(
            RayCrew(job, points=many.points, make=Logged(str(log), "gate 24"))
        ) or crews[0],
    )  # fmt: skip
    assert killed == [0]  # in the middle of both chunks
    assert (outcome.made, outcome.failed, outcome.complete) == (96, 0, True)
    assert (tmp_path / "a" / "runs.parquet").read_bytes() == (
        tmp_path / "whole" / "runs.parquet"
    ).read_bytes()
    begun = logged_runs(log)
    assert set(begun) == {(point.number, r) for point, r in many.runs()}
    assert len(begun) == 96 + 1


def lives(process: int) -> bool:
    """Whether a process is there and no zombie."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def fetch(crew: RayCrew, runs: int) -> None:
    """Wait until so many runs of the chunks under way have come in."""
    while sum(len(task.pieces) for task in crew._tasks.values()) < runs:
        assert crew.wait(0.1) == []


@ray_is_here
def test_a_worker_that_dies_in_the_middle_of_a_chunk_costs_the_run_under_way(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.sweep.chunks.FIRST", {True: 18, False: 18})
    sweep(plan(), tmp_path / "whole", ALONE)
    log = tmp_path / "log"
    outcome = sweep(
        plan(), tmp_path / "a", ALONE, crew=lambda job: RayCrew(job, make=Logged(str(log), "once"))
    )
    assert (outcome.made, outcome.failed, outcome.complete) == (18, 0, True)
    tables = [(tmp_path / name / "runs.parquet").read_bytes() for name in ("a", "whole")]
    assert tables[0] == tables[1]
    begun = logged_runs(log)
    assert begun.count((2, 1)) == 2 and len(begun) == 18 + 1
    assert begun.index((2, 1)) > 5  # in the middle


FROM_AFAR = """
import sys
from pathlib import Path
from sim.sweep.cluster import RayCrew
from sim.sweep.runner import Options, sweep
from tests.unit.sweeps import plan
from tests.unit.test_cluster import Logged
make = Logged(sys.argv[3], "once")
sweep(plan(), Path(sys.argv[2]), Options(one_by_one=True),
      crew=lambda job: RayCrew(job, sys.argv[1], make=make))
"""


@ray_is_here
def test_over_the_client_port_a_dead_worker_costs_the_run_under_way(
    nodes: Any, tmp_path: Path
) -> None:
    pytest.importorskip("grpc")
    sweep(plan(), tmp_path / "whole", ALONE)
    argv = [nodes.client, str(tmp_path / "a"), str(tmp_path / "log")]
    for _ in range(3):  # Ray's server for a client dies at its start now and then
        done = subprocess.run(
            [sys.executable, "-c", FROM_AFAR, *argv], capture_output=True, text=True, check=False
        )
        if "there is no such cluster" not in done.stderr:
            break
        shutil.rmtree(tmp_path / "a")
    else:
        pytest.skip("Ray's server for a client does not come up here")
    assert done.returncode == 0, done.stderr
    tables = [(tmp_path / name / "runs.parquet").read_bytes() for name in ("a", "whole")]
    assert tables[0] == tables[1]
    begun = logged_runs(tmp_path / "log")
    assert begun.count((2, 1)) == 2 and len(begun) == 18 + 1


@ray_is_here
def test_ctrl_c_costs_the_run_under_way(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.sweep.chunks.FIRST", {True: 18, False: 18})
    log, crews = tmp_path / "log", []

    def interrupt(_: Any) -> None:
        if (2, 1) in logged_runs(log):
            fetch(crews[0], len(logged_runs(log)) - 1)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        sweep(
            plan(), tmp_path / "a", ALONE, tell=interrupt,
            crew=lambda job: crews.append(RayCrew(job, make=Logged(str(log), "hang"))) or crews[0],
        )  # fmt: skip
    found = open_sweep(tmp_path / "a").runs[["point", "replicate"]].to_numpy().tolist()
    assert sorted(map(tuple, found)) == sorted(set(logged_runs(log)) - {(2, 1)}) and found


@ray_is_here
def test_a_run_that_kills_its_worker_twice_is_a_failed_row(nodes: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    outcome = sweep(
        plan(), tmp_path / "a", ALONE,
        crew=lambda job: RayCrew(job, make=Logged(str(log), "always")),
    )  # fmt: skip
    assert (outcome.made, outcome.failed, outcome.complete) == (18, 1, True)
    bad = outcome.results.runs.query("status != 'ok'")
    assert bad[["point", "replicate", "status", "error"]].to_numpy().tolist() == [
        [2, 1, "failed", KILLED]
    ]
    assert logged_runs(log).count((2, 1)) == 2


@ray_is_here
def test_a_run_that_hangs_in_an_epoch_is_broken_off(nodes: Any, tmp_path: Path) -> None:
    outcome = sweep(
        plan(), tmp_path / "a", Options(one_by_one=True, timeout=5.0),
        crew=lambda job: RayCrew(job, make=Hanging()),
    )  # fmt: skip
    assert (outcome.made, outcome.failed, outcome.complete) == (18, 1, True)
    bad = outcome.results.runs.query("status != 'ok'")
    assert bad[["point", "replicate", "status", "error"]].to_numpy().tolist() == [
        [2, 1, "timeout", "no end within 5 s"]
    ]


class Hanging:
    """Runs of which one never ends its first epoch."""

    def __call__(self, job: Job, chunk: Any, begin: Any) -> Any:
        from sim.sweep import cluster, work

        real, cluster.GRACE = work._run, 0.5

        def hang(scenario: Any, replicate: int, *rest: Any) -> Any:
            people = scenario.population
            if (people.cost.mean, people.free_riding, replicate) == (0.35, 0.0, 1):
                time.sleep(600)
            return real(scenario, replicate, *rest)

        work._run = hang
        try:
            yield from work.one_by_one(job, chunk, begin)
        finally:
            work._run = real


class Logged:
    """Runs whose beginnings are logged, on whatever node, and that have some ``trouble``."""

    def __init__(self, log: str, trouble: str) -> None:
        self.log, self.trouble = log, trouble

    def __call__(self, job: Job, chunk: Any, begin: Any) -> Any:
        os.environ |= {"SWEEP_LOG": self.log, "SWEEP_TROUBLE": self.trouble}
        yield from logged_one_by_one(job, chunk, begin)

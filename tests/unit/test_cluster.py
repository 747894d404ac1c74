"""Sweeps on Ray: two nodes on this machine, one of which dies in the middle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from learners.errors import MissingError
from sim.scenario import loads
from sim.sweep import cluster
from sim.sweep.cluster import RayCrew, shipment, unpacked
from sim.sweep.plan import Plan, plan_of
from sim.sweep.runner import Options, sweep
from sim.sweep.work import Job
from tests.unit.sweeps import STUDY, logged, logged_runs, plan

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
    assert [(name, content.decode()) for name, content in shipped.files] == [
        ("../edges/line.csv", LINE)
    ]
    (tmp_path / "a" / "edges" / "line.csv").unlink()  # not on that machine
    monkeypatch.setattr(cluster, "_unpacked", {})
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
    names = [name for name, _ in shipment(Job(both), both.points).files]
    assert names == ["../edges/line.csv", "other.csv"]


# ---------------------------------------------------------------- two nodes


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A cluster of two nodes, one core each, to which this process is connected."""
    pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    quiet = {"num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=quiet)
    made.add_node(num_cpus=1, object_store_memory=100 * 2**20)
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


@ray_is_here
def test_a_cluster_without_gpus_says_so(nodes: Any) -> None:
    with pytest.raises(MissingError, match="--gpus-per-run: got 1; the cluster has 0 GPUs"):
        RayCrew(Job(plan()), gpus_per_run=1.0)


@ray_is_here
def test_a_node_that_dies_in_the_middle_costs_no_run(
    nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = plan(8)
    sweep(many, tmp_path / "whole", ALONE)
    log, killed = tmp_path / "log", []
    monkeypatch.setenv("SWEEP_LOG", str(log))

    def kill(progress: Any) -> None:
        if progress.done >= 10 and not killed:
            killed.append(progress.done)
            nodes.remove_node(nodes.worker_nodes.copy().pop(), allow_graceful=False)

    outcome = sweep(
        many, tmp_path / "a", ALONE, tell=kill,
        crew=lambda job: RayCrew(job, points=many.points, work=Slowly(str(log))),
    )  # fmt: skip
    assert killed and killed[0] < 48
    assert (outcome.made, outcome.failed, outcome.complete) == (48, 0, True)
    assert (tmp_path / "a" / "runs.parquet").read_bytes() == (
        tmp_path / "whole" / "runs.parquet"
    ).read_bytes()
    assert set(logged_runs(log)) == {(point.number, r) for point, r in many.runs()}


class Slowly:
    """``logged`` work that takes its time, on whatever node."""

    def __init__(self, log: str) -> None:
        self.log = log

    def __call__(self, job: Job, chunk: Any, begin: Any) -> Any:
        os.environ |= {"SWEEP_LOG": self.log, "SWEEP_TROUBLE": "slow"}
        return logged(job, chunk, begin)

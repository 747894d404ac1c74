"""Small sweeps for the tests, and work that goes wrong; importable by the processes it runs in."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sim.scenario import loads
from sim.sweep.plan import Plan, plan_of
from sim.sweep.work import Chunk, Job, Made, Piece, one_by_one, perform

STUDY = """\
name = "study"
seed = 11
epochs = 100
[population]
size = 60
cost = { dist = "normal", mean = 0.3, sd = 0.1, low = 0.0 }
[collectives.union]
strategy = "feature_label"
start = 0.05
signal = { uniqueness = 0.01, gap = 1.0 }
[platform]
learner = "bound"
[revision]
rate = 0.5
[sweep]
design = "grid"
replications = 3
vary = { "population.cost.mean" = [0.1, 0.35, 0.5], "population.free_riding" = [0.0, 0.3] }
"""


def plan(
    replications: int = 3, means: Sequence[float] = (0.1, 0.35, 0.5), **overrides: Any
) -> Plan:
    """Points over mean cost and free riding, 2 × ``means`` of them."""
    scenario = loads(STUDY, overrides={key.replace("__", "."): v for key, v in overrides.items()})
    vary = {"population.cost.mean": list(means), "population.free_riding": [0.0, 0.3]}
    sweep = {"design": "grid", "replications": replications, "vary": vary}
    return plan_of(scenario, sweep)


# --- work that goes wrong: each is what a worker does with a chunk, and logs the runs it makes


def log_of(job: Job) -> Path:
    """Where ``logged`` and the others write, said by an environment variable."""
    return Path(os.environ["SWEEP_LOG"])


def logged(job: Job, chunk: Chunk, begin: Any, keep: Any) -> Made:
    """As ever, with a line for each run that is begun."""
    return perform(job, chunk, _telling(job, chunk, begin), keep)


def logged_one_by_one(job: Job, chunk: Chunk, begin: Any) -> Iterator[Piece]:
    """``logged`` for those who ask for each run."""
    yield from one_by_one(job, chunk, _telling(job, chunk, begin))


def _telling(job: Job, chunk: Chunk, begin: Any) -> Callable[[int], None]:
    def tell(index: int) -> None:
        point, replicate = list(chunk.runs())[index]
        with log_of(job).open("a") as file:
            file.write(f"{point.number} {replicate}\n")
        begin(index)
        trouble(point.number, replicate)

    return tell


def with_process(job: Job, chunk: Chunk, begin: Any, keep: Any) -> Made:
    """As ever, with a line for each chunk: the process that makes it."""
    with log_of(job).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return perform(job, chunk, begin, keep)


def together_slowly(job: Job, chunk: Chunk, begin: Any, keep: Any) -> Made:
    """As ever, after a second."""
    time.sleep(1.0)
    return perform(job, chunk, begin, keep)


def trouble(point: int, replicate: int) -> None:
    """What ``SWEEP_TROUBLE`` says happens at run (2, 1): ``once`` or ``always`` it kills its
    process, or it hangs; ``few``: a number of runs is begun, the next one waits (to be killed
    there); ``gate``: the next ones wait until the file ``gate_of`` is there."""
    what, log = os.environ.get("SWEEP_TROUBLE", ""), Path(os.environ["SWEEP_LOG"])
    if what.startswith("gate") and logged_runs(log).index((point, replicate)) >= int(
        what.split()[1]
    ):
        Path(f"{log}.waits-{os.getpid()}").touch()
        while not gate_of(log).exists():
            time.sleep(0.01)
    if what.startswith("few") and len(logged_runs(log)) > int(what.split()[1]):
        time.sleep(600)
    if (point, replicate) != (2, 1):
        return
    mark = Path(os.environ["SWEEP_LOG"] + ".died")
    if what == "always" or (what == "once" and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        time.sleep(600)


def gate_of(log: Path) -> Path:
    """What runs wait for."""
    return Path(f"{log}.open")


def waiting(log: Path) -> list[int]:
    """The processes that wait there."""
    return [int(path.name.rpartition("-")[2]) for path in log.parent.glob(f"{log.name}.waits-*")]


def logged_runs(path: Path) -> list[tuple[int, int]]:
    """The runs that were begun, in order."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(a), int(b)) for a, b in (line.split() for line in lines)]

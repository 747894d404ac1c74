"""The trainings of ``alphacrit learn`` as tasks of a Ray cluster, each on a GPU or a share of one.

The nodes need this program installed and nothing else: the files that the platform names go to
them once, and measurements come back, to be kept in this machine's cache as soon as each is made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from learners.errors import MissingError
from learners.measured.bench import Bench, Measurement
from learners.measured.cache import Cache
from sim.ray_nodes import LOCAL, Files, Nodes, lay_out, named_files, own_folder, read_files

if TYPE_CHECKING:
    from learners.measured.workers import Point
    from sim.learning import ScenarioSetup
    from sim.scenario import Scenario

AHEAD = 2  # trainings for each place, so that none waits for the next
_benches: dict[str, Bench] = {}  # of a worker process: what it measures


@dataclass(frozen=True)
class Shipment:
    """What is measured, with the files that it reads."""

    setup: ScenarioSetup
    seed: int
    files: Files


class RayTrainings:
    """Makes measurements on a cluster; for ``learn(…, elsewhere=…)``.

    Parameters
    ----------
    scenario : Scenario
        Whose platform is measured.
    address, cpus, gpus_per_run
        See ``sim.ray_nodes.Nodes``.
    """

    def __init__(
        self, scenario: Scenario, address: str = LOCAL, cpus: int = 1, gpus_per_run: float = 0.0
    ) -> None:
        self._scenario = scenario
        self._where = (address, cpus, gpus_per_run)

    def __call__(self, bench: Bench, points: Sequence[Point]) -> Iterator[Measurement]:
        """Measure the points, yielding each as it is done, in any order.

        Raises
        ------
        MissingError
            There is no such cluster, or its processes died again and again.
        Exception
            Whatever the learner raised first; what was measured by then is kept.
        """
        nodes = Nodes(*self._where)
        waiting, under_way = deque(points), set[Any]()
        try:
            files = read_files(self._scenario.folder, named_files(self._scenario))
            shipped = nodes.ray.put(Shipment(bench.setup, bench.seed, files))  # type: ignore[arg-type]
            train = nodes.task(_train)
            while waiting or under_way:
                while waiting and len(under_way) < AHEAD * max(nodes.places(), 1):
                    under_way.add(train.remote(shipped, *waiting.popleft()))
                ready, _ = nodes.ray.wait(list(under_way), num_returns=1)
                under_way -= set(ready)
                yield bench.keep(_fetched(nodes.ray, ready[0]))
        finally:
            nodes.close(under_way)


def _fetched(ray: Any, ref: Any) -> Measurement:
    try:
        made: Measurement = ray.get(ref)
        return made
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError as error:
        raise MissingError(
            "the processes that measure died, again and again (out of memory?); what was measured "
            "is kept"
        ) from error


# --- on a node ------------------------------------------------------------------------------------


def _train(shipped: Shipment, sizes: tuple[float, ...], replicate: int) -> Measurement:
    """What a task does; the platform is made once in each process."""
    key = f"{shipped.setup.digest} {shipped.files.digest} {shipped.seed}"
    if key not in _benches:
        here = replace(shipped.setup, folder=str(lay_out(shipped.files)))
        _benches[key] = Bench(here, shipped.seed, Cache(own_folder()))
    return _benches[key].measure(sizes, replicate)

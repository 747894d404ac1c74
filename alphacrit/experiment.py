"""One ``alphacrit run``: simulate the replicates, draw, write, and sum up what came out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alphacrit import terminal
from learners.errors import AlphacritError, MissingError

if TYPE_CHECKING:
    from sim.runs import RunResult
    from sim.scenario import Scenario


@dataclass(frozen=True)
class Finished:
    """What ``alphacrit run`` has to tell.

    Attributes
    ----------
    scenario : Scenario
    results : sequence of RunResult
        One per replicate, in order.
    folder : Path
        Where they were written.
    seconds : float
        Wall-clock time of the simulation.
    bound : dict or None
        Where a principal pays: B of her collective (``per_capita``, ``total`` in utility).
    """

    scenario: Scenario
    results: Sequence[RunResult]
    folder: Path
    seconds: float
    bound: dict[str, Any] | None = field(default=None)

    def document(self) -> dict[str, Any]:
        """The JSON of the contract. Of several replicates: means; ``stopped`` is null where
        they differ; ``runs`` holds every one of them."""
        runs = [result.summary for result in self.results]
        reasons = {run["stopped"] for run in runs}
        one = len(runs) == 1
        return {
            "scenario": self.scenario.name,
            "digest": self.scenario.digest,
            "seed": self.scenario.seed,
            "replicates": len(runs),
            "epochs": runs[0]["epochs"] if one else _mean(run["epochs"] for run in runs),
            "stopped": reasons.pop() if len(reasons) == 1 else None,
            "final": {
                name: {
                    "alpha": _mean(run["final"][name]["alpha"] for run in runs),
                    "success": _mean(run["final"][name]["success"] for run in runs),
                }
                for name in self.scenario.names
            },
            "spent": _mean(run["spent"] for run in runs),
            "welfare": _mean(run["welfare"] for run in runs),
            "investment": self.bound,
            "runs": runs,
            "out": str(self.folder),
        }


def require_memory(scenario: Scenario) -> None:
    """Raise ``MissingError`` where this machine cannot hold the people of a scenario."""
    from sim.notes import too_many_people

    problem = too_many_people(scenario)
    if problem is not None:
        raise MissingError(f"{scenario.name}: not run: {problem}")


def perform(
    scenario: Scenario,
    replicates: int = 1,
    out: Path | None = None,
    figures: bool = True,
    quiet: bool = False,
    command: Sequence[str] = (),
) -> Finished:
    """Run every replicate of ``scenario`` and write the results folder.

    The folder is checked before anything is computed and written after everything is, so an
    error or Ctrl-C on the way leaves nothing behind.
    """
    from sim import results as store

    folder = store.default_folder(scenario) if out is None else out
    store.check_folder(folder, scenario)
    started, clock = datetime.now(UTC), time.perf_counter()
    done = _simulate(scenario, replicates, quiet)
    seconds, bound = time.perf_counter() - clock, _bound(scenario)
    store.write(
        done,
        folder,
        figures=(lambda place: draw(scenario, done, place)) if figures else None,
        command=command,
        timing={"started": started.isoformat(timespec="seconds"), "simulation_s": seconds},
    )
    return Finished(scenario, done, folder, seconds, bound)


def _simulate(scenario: Scenario, replicates: int, quiet: bool) -> list[RunResult]:
    """``alphacrit.running.run`` of every replicate, epochs counted on the progress bar."""
    if scenario.population.infinite:
        return _follow(scenario, quiet)
    from sim.model import Economy
    from sim.runs import run_result

    done = []
    with terminal.watch("simulating", replicates * scenario.epochs, quiet) as progress:
        for replicate in range(replicates):
            economy = Economy(scenario, replicate)
            while economy.running:
                economy.step()
                progress.advance()
            progress.advance(scenario.epochs - economy.epoch)  # settled before its time
            done.append(run_result(economy))
    return done


def _follow(scenario: Scenario, quiet: bool) -> list[RunResult]:
    """The one path of an infinite population."""
    from analysis.limit import run_of_limit

    with terminal.watch("following", scenario.epochs, quiet) as progress:
        return [run_of_limit(scenario, progress.advance)]


def draw(scenario: Scenario, results: Sequence[RunResult], folder: Path) -> None:
    """The figures that suit the scenario, as PNG and SVG in ``folder``."""
    from analysis import figures

    for name, figure in figures.figures_for(scenario, results).items():
        figures.save(figure, folder / name)


def _bound(scenario: Scenario) -> dict[str, Any] | None:
    """B for the collective that the principal pays, or None where there is none to state.

    She prices by best response; under noise or imitation B would be of another threshold.
    """
    if scenario.principal is None or scenario.revision.protocol != "best_response":
        return None
    from analysis.threshold import investment

    try:
        value = investment(scenario, scenario.principal.collective)
    except AlphacritError:
        return None
    return {"per_capita": value.per_capita, "total": value.total, "unit": "utility"}


def _mean(values: Any) -> float:
    values = list(values)
    return values[0] if len(values) == 1 else sum(values) / len(values)

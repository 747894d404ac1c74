"""Running an economy, and what a run leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sim.history import Series
from sim.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

    from sim.model import Economy


@dataclass(frozen=True)
class RunResult:
    """One run of a scenario.

    Attributes
    ----------
    scenario : what was run
    record : the series as it was kept, in pieces where it is long
    series : DataFrame, one row per epoch and collective: run, replicate, epoch, collective,
        members, alpha, success (as published in that epoch), spent (on that collective, so far).
        Epoch e is the state in which epoch e found the economy; the last row is the final state.
    summary : scenario, digest, seed, replicate, epochs, stopped, cycle_length, final, spent,
        welfare (mean utility per person at the end, all transfers included), engine (what
        simulated the people, see ``sim.model.Economy``)
    """

    scenario: Scenario
    record: Series
    summary: dict[str, Any]

    @cached_property
    def series(self) -> pd.DataFrame:
        return self.record.table()


def run(scenario: Scenario, replicate: int = 0, *, engine: str = "auto") -> RunResult:
    """Simulate one replicate of a scenario until it stops (``engine``: see the economy's)."""
    from sim.model import Economy

    return Economy(scenario, replicate, engine=engine).run()


def run_many(
    scenario: Scenario,
    replications: int,
    progress: Callable[[int], None] | None = None,
) -> list[RunResult]:
    """Replicates 0 … replications − 1, one after the other; ``progress`` hears of each one done."""
    results = []
    for replicate in range(replications):
        results.append(run(scenario, replicate))
        if progress is not None:
            progress(replicate + 1)
    return results


def run_result(economy: Economy) -> RunResult:
    """The result of an economy as it stands."""
    sizes, success = economy.counts, economy.measure()
    return RunResult(
        scenario=economy.scenario,
        record=economy.history.until_now(economy.epoch, sizes, success, economy.spent),
        summary={
            "scenario": economy.scenario.name,
            "digest": economy.scenario.digest,
            "seed": economy.scenario.seed,
            "replicate": economy.replicate,
            "epochs": economy.epoch,
            "stopped": economy.stopped,
            "cycle_length": economy.cycle_length,
            "final": {
                name: {"alpha": float(count / economy.size), "success": float(reached)}
                for name, count, reached in zip(economy.collectives, sizes, success, strict=True)
            },
            "spent": economy.spent,
            "welfare": economy.welfare(),
            "engine": economy.engine,
        },
    )

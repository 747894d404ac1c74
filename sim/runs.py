"""Running an economy, and what a run leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

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
    series : DataFrame, one row per epoch and collective: run, replicate, epoch, collective,
        members, alpha, success (as published in that epoch), spent (on that collective, so far).
        Epoch e is the state in which epoch e found the economy; the last row is the final state.
    summary : scenario, digest, seed, replicate, epochs, stopped, cycle_length, final, spent,
        welfare (mean utility per person at the end, all transfers included)
    """

    scenario: Scenario
    series: pd.DataFrame
    summary: dict[str, Any]


def run(scenario: Scenario, replicate: int = 0) -> RunResult:
    """Simulate one replicate of a scenario until it stops."""
    from sim.model import Economy

    return Economy(scenario, replicate).run()


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
    final = economy.history.final()
    return RunResult(
        scenario=economy.scenario,
        series=_series(economy, [*economy.history.rows, final]),
        summary={
            "scenario": economy.scenario.name,
            "digest": economy.scenario.digest,
            "seed": economy.scenario.seed,
            "replicate": economy.replicate,
            "epochs": economy.epoch,
            "stopped": economy.stopped,
            "cycle_length": economy.cycle_length,
            "final": {
                name: {"alpha": float(count / economy.population.size), "success": float(success)}
                for name, count, success in zip(
                    economy.collectives, final[1], final[2], strict=True
                )
            },
            "spent": economy.spent,
            "welfare": economy.welfare(),
        },
    )


def _series(economy: Economy, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd

    names = list(economy.collectives)
    epochs, k = len(rows), len(names)
    members = np.array([row[1] for row in rows]).reshape(-1)
    spent = np.zeros((epochs, k))
    if economy.scenario.principal is not None:
        column = names.index(economy.scenario.principal.collective)
        spent[:, column] = [row[3] for row in rows]
    return pd.DataFrame(
        {
            "run": economy.replicate,
            "replicate": economy.replicate,
            "epoch": np.repeat([row[0] for row in rows], k),
            "collective": names * epochs,
            "members": members,
            "alpha": members / economy.population.size,
            "success": np.array([row[2] for row in rows]).reshape(-1),
            "spent": spent.reshape(-1),
        }
    )

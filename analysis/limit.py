"""The run of an infinite population: its mean field, written down as any run is.

The limit N → ∞ of a run of N people has no chance in it: one path, the same for every seed. A path
approaches its rest without ever being there, so "settled" means that in so many epochs as the
scenario's patience the sizes moved by at most its tolerance, or by `RESTS` where that is less.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.laws import type_table
from analysis.mean_field import BySize, ByType, MeanField, mean_field, utilities
from analysis.within_epoch import SUBSTEPS
from sim.history import History
from sim.runs import RunResult
from sim.scenario import Scenario

Floats = NDArray[np.float64]
Seen = tuple[Floats, Floats]  # the state that an epoch found, and the success seen in it

ENGINE = "mean field"
RESTS = 1e-12  # share of the population
GOES_ROUND = 1e-9  # share of the population by which a cycle leaves where it was, at least
FORGOTTEN = 1e-9  # share of the population whose last revision is longer ago than is looked at
NODES = 10_000  # types a class by which welfare is averaged over continuous laws


def run_of_limit(scenario: Scenario, hear: Callable[[], None] | None = None) -> RunResult:
    """Follow an infinite population until it stops.

    Parameters
    ----------
    scenario : one that has a mean field; its population's size is not asked for
    hear : is called after each epoch

    Returns
    -------
    RunResult
        As of any run, with no members but shares (``alpha``), and ``"engine": "mean field"``.

    Notes
    -----
    Welfare is exact where types are listed, else an average over `NODES` types a class.
    """
    field, every = mean_field(scenario), scenario.platform.retrain_every
    history, watch = History(scenario.names, None), _Watch(scenario)
    recent: deque[Seen] = deque(maxlen=_memory(scenario))
    state, success = field.start, field.success(field.start)
    epoch, stopped, published, measured = 0, None, success, field.sizes(state)
    while stopped is None:
        if epoch % every == 0:
            published, measured = success, field.sizes(state)
        history.add(epoch, field.sizes(state), published, 0.0)
        recent.append((state, field.seen(state, published)))
        then = field.after(state, published)
        drift = np.abs(field.sizes(then) - np.stack([measured, field.sizes(state)])).max()
        moved = np.abs(then - state).sum()
        state, success, epoch = then, field.success(then), epoch + 1
        stopped = watch.reason(epoch, float(drift), float(moved), state, published)
        if hear is not None:
            hear()
    sizes = np.clip(field.sizes(state), 0.0, 1.0)
    final = zip(scenario.names, sizes.tolist(), success.tolist(), strict=True)
    summary = {
        "scenario": scenario.name,
        "digest": scenario.digest,
        "seed": scenario.seed,
        "replicate": 0,
        "epochs": epoch,
        "stopped": stopped,
        "cycle_length": watch.cycle_length,
        "final": {name: {"alpha": alpha, "success": reached} for name, alpha, reached in final},
        "spent": 0.0,
        "welfare": _welfare(field, scenario, state, success, list(recent)),
        "engine": ENGINE,
    }
    return RunResult(scenario, history.until_now(epoch, sizes, success, 0.0), summary)


class _Watch:
    """When to stop: settled, in a cycle (Brent's method, one landmark), or out of epochs."""

    def __init__(self, scenario: Scenario) -> None:
        self.rule, self.last = scenario.stop, scenario.epochs
        self.every = scenario.platform.retrain_every
        self.cycle_length: int | None = None
        self._quiet = 0
        self._landmark: tuple[int, Floats, Floats] | None = None
        self._farthest = 0.0  # from the landmark since

    def reason(
        self, epoch: int, drift: float, moved: float, state: Floats, published: Floats
    ) -> str | None:
        """Why to stop after so many epochs, the last of which moved sizes and people so far."""
        if self.rule.when == "settled":
            far = drift if self.rule.tolerance > 0 else max(drift, moved)
            self._quiet = self._quiet + 1 if far <= max(self.rule.tolerance, RESTS) else 0
            if self._quiet >= self.rule.patience:
                return "settled"
            if not self._quiet and self._in_cycle(epoch, state, published):
                return "cycle"
        return "epochs" if epoch >= self.last else None

    def _in_cycle(self, epoch: int, state: Floats, published: Floats) -> bool:
        """Has it been here before, and elsewhere since? Who creeps to her rest has not."""
        if self._landmark is not None:
            since, *before = self._landmark
            apart = max(_apart(a, b) for a, b in zip(before, (state, published), strict=True))
            self._farthest = max(self._farthest, apart)
            back = apart <= RESTS and self._farthest >= GOES_ROUND
            if back and (epoch - since) % self.every == 0:
                self.cycle_length = epoch - since
                return True
        if epoch & (epoch - 1) == 0:  # a new landmark at every power of two
            self._landmark, self._farthest = (epoch, state, published), 0.0
        return False


def _apart(a: Floats, b: Floats) -> float:
    return float(np.abs(a - b).max())


# ── welfare ──────────────────────────────────────────────────────────────────────────────────


def _memory(scenario: Scenario) -> int:
    """Epochs after which all but `FORGOTTEN` have revised."""
    rate = scenario.revision.rate
    return 1 if rate == 1 else math.ceil(math.log(FORGOTTEN) / math.log1p(-rate))


def _welfare(
    field: MeanField, scenario: Scenario, state: Floats, success: Floats, recent: list[Seen]
) -> float:
    """Mean utility per person in ``state``, where success is as it is measured now."""
    if isinstance(field, ByType):
        people, members = field.people, state
    else:
        assert isinstance(field, BySize)
        people = type_table(field.pmap.classes, NODES)
        types = ByType(field.pmap, scenario, people, np.clip(recent[0][0], 0.0, 1.0))
        members = types.start
        for sizes, seen in recent:
            members = members + scenario.revision.rate * (
                _chosen(field, types, members, sizes, seen) - members
            )
    return float((members * utilities(people, success, field.pmap.dues)).sum())


def _chosen(field: BySize, types: ByType, members: Floats, sizes: Floats, seen: Floats) -> Floats:
    """(J, K+1) what those who revise in an epoch choose, type by type."""
    if types.rules.activation != "sequential":
        return types.pull(members, seen, members)
    weight = np.full(SUBSTEPS + 1, 2.0)  # Simpson's rule over the epoch
    weight[1::2], weight[[0, -1]] = 4.0, 1.0
    path = field.within(sizes)
    each = (types.pull(members, field.success(alpha), members) for alpha in path)
    total: Floats = sum(w * chosen for w, chosen in zip(weight, each, strict=True))
    return total / weight.sum()

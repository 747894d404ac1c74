"""One ``alphacrit learn``: the sizes to measure, the measurements, the table or critical mass."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alphacrit import terminal
from alphacrit.sizes import SizesError
from learners.errors import ResultsError
from learners.progress import listening

if TYPE_CHECKING:
    from learners.curves import Array
    from learners.measured.cache import Cache
    from learners.measured.search_mass import CriticalMass
    from sim.scenario import Scenario

MOST_POINTS = 100_000


class Told:
    """Tells on stderr how many measurements are made, with the time that is left."""

    def __init__(self, quiet: bool) -> None:
        self.cached = self.made = 0
        self._quiet, self._first = quiet, True
        self._watch: terminal.Watch | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._first:  # what was in the cache; it says nothing of how long the others take
            self._first, self.cached = False, done
            if done and not self._quiet:
                terminal.complain(f"{done} of {total} measurements were made before")
            self._watch = terminal.Watch("measuring", total - done, self._quiet)
        elif self._watch is not None:
            self.made += 1
            self._watch.advance()

    def hear(self, what: str, done: int, total: int) -> None:
        """How far the training under way is, where it is in this process."""
        if self._watch is not None:
            self._watch.hear(what, done, total)

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.stop()


def sizes_of(
    s: Scenario, given: Sequence[str], start: float | None, stop: float | None,
    num: int | None, scale: str | None, quiet: bool = False,
) -> Array:  # fmt: skip
    """Size vectors (M, K) that the command asks for; ``SizesError`` where they cannot be read."""
    from sim import learning

    if given and (start, stop, num, scale) != (None,) * 4:
        raise SizesError("--sizes says them all; leave out --from, --to, --num and --scale")
    low, _ = range_of(s, start, stop)
    if num is not None and num < 2:
        raise SizesError(f"--num: got {num}; must be ≥ 2")
    axes = {
        name: learning.axis(s, low, _most(s, name, stop), num, scale or "log") for name in s.names
    }
    everybody = False
    for text in given:
        name, equals, rest = (part.strip() for part in text.rpartition("="))
        if equals and name not in s.names:
            raise SizesError(f"no collective {name!r}; there is {', '.join(s.names)}")
        named = [name] if equals else list(s.names)
        everybody |= not equals
        for each in named:
            axes[each] = _whole(s, rest, quiet)
    told = {text.rpartition("=")[0].strip() for text in given}
    if given and not everybody and told != set(s.names):
        raise SizesError(f"say the sizes of {', '.join(n for n in s.names if n not in told)}, too")
    points = np.prod([float(len(axis)) for axis in axes.values()])
    if points > MOST_POINTS:
        raise SizesError(f"got {points:,.0f} combinations of sizes; at most {MOST_POINTS:,}")
    return learning.grid(s, axes)


def range_of(s: Scenario, start: float | None, stop: float | None) -> tuple[float, float]:
    """Smallest and largest size to look at."""
    from sim.learning import LEAST

    low = max(LEAST, 1.0 / s.population.size) if start is None else start
    high = 1.0 if stop is None else stop
    if not 0.0 < low < high <= 1.0:
        raise SizesError(
            f"got sizes from {low:g} to {high:g}; must be shares of the population, "
            "0 < from < to ≤ 1 (S is 0 at size 0 and needs no measurement)"
        )
    return low, high


def _most(s: Scenario, name: str, stop: float | None) -> float:
    """The largest size of a collective: as asked for, or all whom it recruits."""
    from sim.recruiting import most_of, require_size

    if stop is None:
        return most_of(s, name)
    require_size(s, name, stop)
    return stop


def _whole(s: Scenario, text: str, quiet: bool) -> Array:
    from sim.learning import whole

    numbers = []
    for word in text.split(","):
        try:
            size = float(word)
        except ValueError:
            size = float("nan")
        if not 0.0 < size <= 1.0:
            raise SizesError(
                f"got {word.strip()!r}; must be shares of the population above 0, at most 1, "
                'for example "0.01,0.02,0.05"'
            )
        numbers.append(size)
    sizes = whole(s, numbers)
    moved = sorted(size for size in set(numbers) if np.abs(sizes - size).min() > 1e-12)
    if moved and not quiet:
        listed = ", ".join(terminal.number(size) for size in moved)
        terminal.complain(f"{s.population.size} people cannot be {listed}; the nearest is measured")
    return sizes


def measure(
    s: Scenario, sizes: Array, replicates: int, workers: int, out: Path | None,
    cache: Cache, told: Told, on: str | None = None, gpus_per_run: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """Measure, write the table, and sum up as the document of ``--json``."""
    from learners.measured.table import TableSuccess
    from sim import learning
    from sim.learning_cluster import RayTrainings

    path = Path(f"{s.name}.parquet") if out is None else out
    if path.suffix.lower() != ".parquet":
        raise SizesError(f'--out: got "{path}"; must end in .parquet, the only kind of table here')
    _require_replaceable(path)
    clock = time.perf_counter()
    with told, listening(told.hear), terminal.aside(on):
        table = learning.learn(
            s, sizes, replicates, workers=workers, cache=cache, progress=told,
            elsewhere=None if on is None else RayTrainings(s, on, workers, gpus_per_run),
        )  # fmt: skip
    function = TableSuccess(table)
    table.save(path)
    points = np.array(list(dict.fromkeys(map(tuple, table.sizes.tolist()))))
    value, (low, high) = function.at(points), function.interval(points)
    names = function.collectives
    return {
        "scenario": s.name,
        "digest": s.digest,
        "seed": s.seed,
        "table": str(path),
        "kind": function.kind,
        "replicates": replicates,
        "measurements": len(table.sizes),
        "cached": told.cached,
        "seconds": time.perf_counter() - clock,
        "cache": str(cache.folder),
        "points": [
            {
                "alpha": dict(zip(names, points[i].tolist(), strict=True)),
                "success": dict(zip(names, value[i].tolist(), strict=True)),
                "interval": {
                    name: [float(low[i, k]), float(high[i, k])] for k, name in enumerate(names)
                },
            }
            for i in range(len(points))
        ],
    }


def _require_replaceable(path: Path) -> None:
    """Refuse to write over anything but a table of measurements, before anything is measured."""
    from learners.measured.table import read_table

    if not path.exists():
        return
    try:
        read_table(path)
    except ResultsError as error:
        raise ResultsError(f"{error}; it stays as it is: name another place with --out") from None


def search(
    s: Scenario, target: float, collective: str | None, start: float | None, stop: float | None,
    cache: Cache, quiet: bool, **ways: Any,
) -> dict[str, Any]:  # fmt: skip
    """Search for the critical mass, and sum up as the document of ``--json``."""
    from sim import learning

    name = s.names[0] if collective is None else collective
    if name not in s.names or (collective is None and len(s.names) > 1):
        raise SizesError(f"--collective: must be one of {', '.join(s.names)}")
    low, _ = range_of(s, start, stop)
    high = _most(s, name, stop)
    if not low < high:
        raise SizesError(f"got sizes from {low:g}; must be < {high:g}, all who may join {name}")
    with terminal.watch("measuring (at most)", ways["max_trainings"], quiet) as watch:
        found = learning.search(
            s,
            target,
            name,
            cache=cache,
            progress=lambda *_: watch.advance(),
            low=low,
            high=high,
            **ways,
        )
    return {
        "scenario": s.name,
        "digest": s.digest,
        "seed": s.seed,
        "collective": name,
        "critical_mass": _mass(found),
        "cache": str(cache.folder),
    }


def _mass(found: CriticalMass) -> dict[str, Any]:
    keys = ("target", "alpha", "low", "high", "confidence", "reached", "trainings", "method")
    return {key: getattr(found, key) for key in (*keys, "noise", "spread")}

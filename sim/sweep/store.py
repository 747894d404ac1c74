"""The folder of a sweep, which a kill at any moment leaves readable and ready to go on.

    results/<name>/<digest>/
        scenario.toml, resolved.json, files/    the base scenario, as of a run
        meta.json        what the folder is: scenario, seed, series?, designs
        points.parquet   every point by number: what changes, digest of its scenario
        runs/, series/   parts (sim.sweep.parts), which can be read while the sweep runs
        runs.parquet     all runs, once they are all there (sim.sweep.compact); runs.sha256
        timing.parquet   seconds of each run
        sessions/        who worked on it: versions, commit, host, command, how long
        locks/           who works on it now (sim.sweep.locks)
        damaged/         files that could not be read and were set aside

A folder belongs to one base scenario. A point keeps its number for ever: a later design adds its
points after those that are there, and a point that is there is recognised by its content.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.errors import ResultsError
from sim import results
from sim.scenario import flat_tables
from sim.sweep import rows, tables
from sim.sweep.compact import TIMING, rows_of, table_schema
from sim.sweep.parts import SERIES, index, part_files
from sim.sweep.plan import Plan, Point

if TYPE_CHECKING:
    import pandas as pd

    from sim.scenario import Scenario

KIND = "sweep"
POINTS = "points.parquet"


@dataclass(frozen=True)
class SweepResults:
    """A sweep's folder, opened; what is there at the moment when it is first asked for.

    Attributes
    ----------
    folder : Path
    meta : dict
        ``meta.json``; ``meta["designs"]`` holds one record for each design: that of
        ``Plan.design_info``, with points by their numbers in this folder, and ``numbers``: its
        points as pairs (first, last).
    scenario : Scenario
        The base, without its sweep.
    points : DataFrame
        ``point`` (its number), ``digest`` (of its scenario), ``worlds``, ``changes`` (JSON).
    runs : DataFrame
        One row per run that was made, by point and replicate: ``point``, the dotted parameters,
        ``replicate``, ``alpha.<collective>``, ..., ``status`` ("ok", "failed", "timeout"),
        ``error``.
    series : DataFrame
        Long: ``run`` (point · 2²⁰ + replicate), ``point``, ``replicate``, ``epoch``, ...
    timing : DataFrame
        ``point``, ``replicate``, ``seconds``; of a finished sweep.
    """

    folder: Path
    meta: dict[str, Any]

    @property
    def designs(self) -> list[dict[str, Any]]:
        designs: list[dict[str, Any]] = self.meta["designs"]
        return designs

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that some design varies."""
        return tuple(dict.fromkeys(name for each in self.designs for name in each["addresses"]))

    @cached_property
    def scenario(self) -> Scenario:
        return results.scenario_in(self.folder)

    @cached_property
    def points(self) -> pd.DataFrame:
        return _read(self.folder / POINTS)

    @cached_property
    def runs(self) -> pd.DataFrame:
        return _retried(self._runs)

    @cached_property
    def series(self) -> pd.DataFrame:
        return self.series_of(None)

    @cached_property
    def timing(self) -> pd.DataFrame:
        return _read(self.folder / TIMING)

    def wanted(self) -> dict[int, int]:
        """How many replicates of each point the designs ask for."""
        many: dict[int, int] = {}
        for design in self.designs:
            for first, last in design["numbers"]:
                for number in range(first, last + 1):
                    many[number] = max(many.get(number, 0), design["replications"])
        return many

    def point(self, number: int) -> Point:
        """One point, with its number in the folder."""
        return Point(number, json.loads(self._changes[number]))

    @cached_property
    def _changes(self) -> list[str]:
        return self.points["changes"].tolist()

    def scenario_at(self, number: int) -> Scenario:
        """The scenario of one point."""
        worlds = self.points["worlds"].iloc[number]
        return Plan(self.scenario, (), 1, worlds).scenario_at(self.point(number))

    def series_of(self, points: list[int] | None) -> pd.DataFrame:
        """The series of some points (default: all), sorted by point, replicate and epoch."""
        return _retried(lambda: self._series(points))

    def _runs(self) -> pd.DataFrame:
        found = index(self.folder)
        base = results.tables_in(self.folder)  # the scenario's files may be gone
        if not len(found.table):
            return rows.no_rows(flat_tables(base), base["collectives"]).to_pandas()
        schema = table_schema(found.sources, flat_tables(base), base["collectives"])
        return rows_of(found, found.table, schema).to_pandas()

    def _series(self, points: list[int] | None) -> pd.DataFrame:
        import numpy as np
        import pandas as pd

        frames, seen = [], np.empty(0, np.int64)
        for path in part_files(self.folder, SERIES):
            try:
                frame = tables.read(path).to_pandas()
            except tables.DamagedError:
                continue
            keep = ~np.isin(frame["run"].to_numpy(), seen)  # two writers did the same run
            if points is not None:
                keep &= frame["point"].isin(points).to_numpy()
            frames.append(frame[keep])
            seen = np.union1d(seen, frame["run"].unique())
        if not frames:
            raise ResultsError(f"{self.folder}: holds no series (yet)")
        every = pd.concat(frames, ignore_index=True)
        return every.sort_values(["run", "epoch"], kind="stable", ignore_index=True)

    def __repr__(self) -> str:
        return f"<SweepResults of {self.meta['scenario']} in {self.folder}>"


def open_sweep(folder: str | os.PathLike[str]) -> SweepResults:
    """Open the folder of a sweep, finished or not.

    Raises
    ------
    ResultsError
        It is not the folder of a sweep.
    """
    folder = Path(folder)
    meta = results.read_meta(folder)
    if meta.get("kind") != KIND:
        raise ResultsError(f"{folder}: holds a {meta.get('kind')}, not a sweep")
    return SweepResults(folder, meta)


def default_folder(scenario: Scenario) -> Path:
    """``results/<name>/<digest>``; another digest than that of a single run of the scenario."""
    digest = hashlib.sha256(f"{scenario.digest} {KIND}".encode()).hexdigest()[:12]
    return Path("results") / scenario.name / digest


def _retried(read: Any) -> Any:
    """Read again where a part was compacted away in the meantime."""
    for _ in range(20):
        try:
            return read()
        except FileNotFoundError:
            continue
        except tables.DamagedError as error:
            raise ResultsError(f"{error}; alphacrit sweep --resume makes its runs again") from error
    raise ResultsError("files come and go while they are read; try again")


def _read(path: Path) -> pd.DataFrame:
    try:
        return tables.read(path).to_pandas()
    except (OSError, tables.DamagedError) as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from error

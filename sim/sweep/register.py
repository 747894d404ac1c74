"""Making a sweep's folder, and entering a plan into one that is there.

Shards of a sweep may all do so at the same moment: the folder appears whole, by one rename, and is
extended under a lock.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learners.errors import AlphacritError, ResultsError
from learners.measured.cache import write_whole
from sim import results
from sim.provenance import provenance
from sim.scenario import flat_tables
from sim.sweep import locks, tables
from sim.sweep.parts import RUNS, SERIES, cannot_write
from sim.sweep.plan import Plan, Point
from sim.sweep.rows import digest_of
from sim.sweep.store import KIND, POINTS, SweepResults, open_sweep
from sim.toml_text import shown

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.scenario import Scenario

SHOWN = 3  # values in which two scenarios differ
Known = dict[str, int]  # a point's content → its number in the folder
Entry = tuple[int, str, str, str]  # a row of points.parquet


def create(plan: Plan, folder: Path, series: bool) -> bool:
    """Make the folder of a sweep; False where something is there already.

    Raises
    ------
    ResultsError
        The disk refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        return False
    fresh = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.part"
    try:
        fresh.mkdir(parents=True)
        results.write_scenario(plan.scenario, fresh)
        for name in (RUNS, SERIES) if series else (RUNS,):
            (fresh / name).mkdir()
        points, numbers = _entered(plan, {}, 0)
        (fresh / POINTS).write_bytes(tables.encode(_points_table(points)))
        meta = {
            "format": results.FORMAT,
            "kind": KIND,
            "scenario": plan.scenario.name,
            "digest": plan.scenario.digest,
            "seed": plan.scenario.seed,
            "series": series,
            **provenance(),
            "designs": [design_record(plan, numbers)],
        }
        (fresh / "meta.json").write_bytes(_json(meta))
        return _appear(fresh, folder)
    except OSError as error:
        raise ResultsError(
            f"{folder}: cannot be written ({error.strerror or error}); give another --out DIR"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def open_for(plan: Plan, folder: Path) -> SweepResults:
    """The sweep in a folder, if it is one of the plan's base scenario.

    Raises
    ------
    ResultsError
        There is something else.
    """
    if not folder.is_dir():
        raise ResultsError(f"{folder}: is a file; give a folder (--out DIR)")
    try:
        sweep = open_sweep(folder)
    except ResultsError as error:
        raise ResultsError(
            f"{error}; nothing was written. Give another folder (--out DIR)"
        ) from None
    base = plan.scenario
    if sweep.meta["digest"] != base.digest:
        raise ResultsError(
            f"{folder}: holds a sweep of another scenario ({sweep.meta.get('scenario')}, digest "
            f"{sweep.meta['digest']}; this one is {base.name}, {base.digest}): "
            f"{_difference(base, folder)}; nothing was written. Give another folder (--out DIR)"
        )
    return sweep


def _difference(base: Scenario, folder: Path) -> str:
    """In what a base scenario is another one than that of a folder, the first few values."""
    there, here = flat_tables(results.tables_in(folder)), base.flat()
    keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    words = [
        f"{key} is {shown(there[key]) if key in there else 'absent'} there and "
        f"{shown(here[key]) if key in here else 'absent'} here"
        for key in keys[:SHOWN]
    ]
    if len(keys) > SHOWN:
        words.append(f"{len(keys) - SHOWN} more differ")
    return ", ".join(words) or "a file that it names, or the order of its tables, has changed"


def is_entered(plan: Plan, sweep: SweepResults) -> bool:
    """Whether a folder knows the plan already, down to its replications."""
    points, numbers = _entered(plan, known_points(sweep), len(sweep.points))
    record = design_record(plan, numbers)
    return not points and any(_covers(each, record) for each in sweep.designs)


def enter(plan: Plan, folder: Path) -> dict[int, int]:
    """Enter a plan into a folder: new points after those that are there, and its design.

    Returns
    -------
    dict
        Plan's number of each point → its number in the folder.
    """
    sweep = open_for(plan, folder)
    if not is_entered(plan, sweep):
        with locks.hold(folder, locks.EXTENDING, locks.WAIT):
            sweep = open_for(plan, folder)  # another shard may have been first
            _extend(plan, sweep)
    return numbers_in(plan, sweep)


def numbers_in(plan: Plan, sweep: SweepResults) -> dict[int, int]:
    """Plan's number of each point → its number in the folder, new ones after those there."""
    return _entered(plan, known_points(sweep), len(sweep.points))[1]


def known_points(sweep: SweepResults) -> Known:
    """The folder's points: by digest of their scenario, and by what changes in it."""
    known: Known = {}
    columns = ("point", "digest", "worlds", "changes")
    for number, digest, worlds, changes in zip(
        *(sweep.points[column].tolist() for column in columns), strict=True
    ):
        known |= {digest: number, f"{worlds} {changes}": number}
    return known


def design_record(plan: Plan, numbers: Mapping[int, int]) -> dict[str, Any]:
    """What ``meta.json`` keeps of a plan: its design, and its points in the folder."""
    info = plan.design_info(numbers)
    return {**info, "numbers": _ranges(sorted(set(numbers.values())))}


# --- the folder -----------------------------------------------------------------------------------


def _appear(fresh: Path, folder: Path) -> bool:
    """Rename a made folder to its place; False where another process was first."""
    with suppress(OSError):
        folder.rmdir()  # an empty one
    try:
        os.rename(fresh, folder)
    except OSError:
        if folder.is_dir() and any(folder.iterdir()):
            return False
        raise
    return True


def _extend(plan: Plan, sweep: SweepResults) -> None:
    """Write the plan's new points and its design: points first, so that no number dangles."""
    points, numbers = _entered(plan, known_points(sweep), len(sweep.points))
    record = design_record(plan, numbers)
    rest = [each for each in sweep.designs if not _covers(record, each)]
    meta = sweep.meta | {"designs": [*rest, record]}
    try:
        if points:
            table = tables.concat([tables.read(sweep.folder / POINTS), _points_table(points)])
            write_whole(sweep.folder / POINTS, tables.encode(table))
        if not any(_covers(each, record) for each in sweep.designs):
            write_whole(sweep.folder / "meta.json", _json(meta))
    except OSError as error:
        raise cannot_write(sweep.folder, error) from error
    except tables.DamagedError as error:
        raise ResultsError(str(error)) from error
    for kept in ("points", "_changes"):
        sweep.__dict__.pop(kept, None)


def _covers(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a design asks for all that another, of the same kind and points, asks for."""

    def rest(design: Mapping[str, Any]) -> Any:
        return json.dumps({k: v for k, v in design.items() if k != "replications"}, sort_keys=True)

    return one["replications"] >= other["replications"] and rest(one) == rest(other)


def _entered(plan: Plan, known: Known, first: int) -> tuple[list[Entry], dict[int, int]]:
    """Rows of ``points.parquet`` for points that are new, and the numbers of all points.

    The scenario of a point is made only where its changes are not known by the letter.
    """
    known, numbers = dict(known), {}
    fresh: list[Entry] = []
    for point in plan.points:
        changes = f"{plan.worlds} {_changes(point)}"
        if changes not in known:
            try:
                digest = plan.scenario_at(point).digest
            except AlphacritError:  # its runs will say why
                digest = digest_of(plan, point)
            if digest not in known:
                number = first + len(fresh)
                fresh.append((number, digest, plan.worlds, _changes(point)))
                known[digest] = number
            known[changes] = known[digest]
        numbers[point.number] = known[changes]
    return fresh, numbers


def _changes(point: Point) -> str:
    return json.dumps(dict(point.changes), sort_keys=True, ensure_ascii=False)


def _points_table(points: Sequence[Entry]) -> pa.Table:
    import pyarrow as pa

    names = ("point", "digest", "worlds", "changes")
    types = (pa.int64(), pa.string(), pa.string(), pa.string())
    columns = zip(*points, strict=True) if points else ((), (), (), ())
    return pa.table(
        {n: pa.array(list(c), t) for n, t, c in zip(names, types, columns, strict=True)}
    )


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Increasing numbers as pairs (first, last)."""
    pairs: list[list[int]] = []
    for number in numbers:
        if pairs and number == pairs[-1][1] + 1:
            pairs[-1][1] = number
        else:
            pairs.append([number, number])
    return pairs


def _json(meta: Mapping[str, Any]) -> bytes:
    """JSON with a line for each key: a design can have thousands of numbers."""
    lines = [f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in meta.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()

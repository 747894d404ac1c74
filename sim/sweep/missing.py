"""What a folder lacks of what its designs ask for, and whose share it is to make it."""

from __future__ import annotations

import numpy as np

from sim.sweep import parts, rows
from sim.sweep.chunks import Missing
from sim.sweep.plan import Point
from sim.sweep.store import SweepResults


def missing_runs(
    results: SweepResults, retry_failed: bool = False, found: parts.Index | None = None
) -> Missing:
    """Points and those of their replicates that the designs ask for and that are not on disk.

    A run that ended well but whose series is gone is missing, too, where the folder keeps series.
    ``found`` is what the folder held at some moment; by default it is looked up now.
    """
    table = (found or parts.index(results.folder)).table
    number = rows.run_number(
        table["point"].to_numpy(np.int64), table["replicate"].to_numpy(np.int64)
    )
    ok = (table["status"] == rows.OK).to_numpy(bool)
    there = ok if retry_failed else np.ones(len(table), bool)
    if results.meta["series"]:
        there = there & (~ok | np.isin(number, parts.runs_with_series(results.folder)))
    number = np.sort(number[there])
    wanted = sorted(results.wanted().items())
    points, many = np.array(wanted, np.int64).reshape(-1, 2).T
    first, last = (np.searchsorted(number, rows.run_number(points, r)) for r in (0, many))
    missing: list[tuple[Point, list[int]]] = []
    for i in np.flatnonzero(last - first < many).tolist():
        point, most = wanted[i]
        replicates = np.setdiff1d(np.arange(most), number[first[i] : last[i]] % 2**rows.RUN_BITS)
        missing.append((results.point(point), replicates.tolist()))
    return missing


def share_of(missing: Missing, shard: tuple[int, int] | None) -> Missing:
    """What a shard (I, N) has to make: runs whose point + replicate is I − 1 modulo N."""
    if shard is None:
        return missing
    place, many = shard
    return [
        (point, [r for r in replicates if (point.number + r) % many == place - 1])
        for point, replicates in missing
    ]

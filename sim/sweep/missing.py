"""What a folder lacks of what its designs ask for, and whose share it is to make it."""

from __future__ import annotations

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
    ok = table[table["status"] == rows.OK]
    if results.meta["series"]:
        number = rows.run_number(ok["point"].astype("int64"), ok["replicate"].astype("int64"))
        ok = ok[number.isin(parts.runs_with_series(results.folder))]
    bad = table[table["status"] != rows.OK].head(0 if retry_failed else len(table))
    there = {
        pair
        for some in (ok, bad)
        for pair in zip(some["point"].tolist(), some["replicate"].tolist(), strict=True)
    }
    missing: list[tuple[Point, list[int]]] = []
    for number, many in sorted(results.wanted().items()):
        lacking = [replicate for replicate in range(many) if (number, replicate) not in there]
        if lacking:
            missing.append((results.point(number), lacking))
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

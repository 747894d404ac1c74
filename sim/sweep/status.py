"""How far a sweep is, seen from outside: nothing is locked or changed by looking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.sweep import locks, parts, rows
from sim.sweep.missing import missing_runs
from sim.sweep.store import open_sweep


@dataclass(frozen=True)
class Status:
    """A sweep's folder at this moment.

    Attributes
    ----------
    folder : Path
    scenario, digest : str
        The base.
    points, runs : int
        How many the designs ask for.
    done, failed, timeout, missing : int
        How many runs ended well, failed, took too long, and are still to be made.
    working : tuple of Holder
        Who is at work now.
    gone : tuple of Holder
        Who was, and was killed.
    rate : float or None
        Runs/s of all who are at work.
    left : float or None
        Seconds until the last of them is done.
    damaged : tuple of str
        Files that cannot be read; ``--resume`` makes their runs again.
    complete : bool
        Nothing is missing, and the parts are one table.
    """

    folder: Path
    scenario: str
    digest: str
    points: int
    runs: int
    done: int
    failed: int
    timeout: int
    missing: int
    working: tuple[locks.Holder, ...]
    gone: tuple[locks.Holder, ...]
    rate: float | None
    left: float | None
    damaged: tuple[str, ...]
    complete: bool

    def document(self) -> dict[str, Any]:
        """The JSON of ``alphacrit status``."""
        names = ("points", "runs", "done", "failed", "timeout", "missing", "rate", "left")
        return {
            "folder": str(self.folder),
            "scenario": self.scenario,
            "digest": self.digest,
            **{name: getattr(self, name) for name in names},
            "working": [_who(each) for each in self.working],
            "gone": [_who(each) for each in self.gone],
            "damaged": list(self.damaged),
            "complete": self.complete,
        }


def status_of(folder: str | Path) -> Status:
    """Look at a sweep's folder.

    Raises
    ------
    ResultsError
        It is not one.

    Notes
    -----
    It takes some seconds where somebody on another machine may be at work: whether the process
    lives shows only in its lock's beat.
    """
    results = open_sweep(folder)
    found = parts.index(results.folder)
    count = found.table["status"].value_counts()
    wanted = results.wanted()
    missing = sum(len(replicates) for _, replicates in missing_runs(results, found=found))
    working: list[locks.Holder] = []
    gone: list[locks.Holder] = []
    for holder in locks.holders(results.folder):
        (working if locks.alive(results.folder, holder) else gone).append(holder)
    rates = [each.progress["rate"] for each in working if each.progress.get("rate")]
    lefts = [each.progress["left"] for each in working if each.progress.get("left") is not None]
    return Status(
        results.folder, results.meta["scenario"], results.meta["digest"],
        len(wanted), sum(wanted.values()),
        int(count.get(rows.OK, 0)), int(count.get(rows.FAILED, 0)),
        int(count.get(rows.TIMEOUT, 0)), missing, tuple(working), tuple(gone),
        sum(rates) if rates else None, max(lefts) if lefts else None,
        tuple(reason for _, reason in found.damaged),
        not missing and not parts.part_files(results.folder),
    )  # fmt: skip


def _who(holder: locks.Holder) -> dict[str, Any]:
    names = ("done", "total", "failed", "rate", "left")
    return {
        "name": holder.name,
        "host": holder.host,
        "pid": holder.pid,
        **{name: holder.progress.get(name) for name in names},
    }

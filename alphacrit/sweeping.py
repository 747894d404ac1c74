"""One ``alphacrit sweep`` and ``alphacrit status``: progress told, and what comes out summed up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from alphacrit import terminal

if TYPE_CHECKING:
    from sim.sweep import runner
    from sim.sweep.plan import Plan
    from sim.sweep.status import Status
    from sim.sweep.trial import Trial

EVERY = 30.0  # seconds between two lines where stderr is no terminal


class Told:
    """Tells on stderr how far a sweep is, its rate, and the time that is left.

    A bar on a terminal; elsewhere (a batch job's log) a line now and then.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet, self._last = quiet, time.monotonic()
        self._bar: Progress | None = None
        self._task: Any = None

    def __call__(self, at: runner.Progress) -> None:
        if self._quiet:
            return
        if not terminal.err().is_terminal:
            if time.monotonic() - self._last > EVERY:
                self._last = time.monotonic()
                terminal.complain(f"{at.done:,} of {at.total:,} runs, {words(at)}")
            return
        if self._bar is None:
            columns = (TextColumn("sweeping"), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(
                *columns, TextColumn("{task.description}"), console=terminal.err(), transient=True
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=at.total)
        self._bar.update(self._task, completed=at.done, description=words(at))

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def words(at: runner.Progress) -> str:
    """Rate, time left and failures in words."""
    if at.rate is None or at.left is None:
        return "beginning"
    failed = f", {at.failed:,} failed" if at.failed else ""
    return f"{terminal.number(at.rate, 3)} runs/s, {duration(at.left)} left{failed}"


def duration(seconds: float) -> str:
    """A time span as one says it.

    >>> duration(0.4), duration(75), duration(7300)
    ('1 s', '1 min 15 s', '2 h 2 min')
    """
    whole = max(round(seconds), 1)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def size(many: float) -> str:
    """Bytes as one says them.

    >>> size(900), size(1_200_000)
    ('900 B', '1.2 MB')
    """
    units = ["B", "kB", "MB", "GB", "TB"]
    while many >= 1000 and len(units) > 1:
        many /= 1000
        del units[0]
    return f"{many:.3g} {units[0]}"


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Within this block SIGTERM, which batch schedulers send, ends as cleanly as Ctrl-C."""

    def interrupt(_: int, frame: FrameType | None) -> None:
        ear = signal.getsignal(signal.SIGINT)
        if not callable(ear):  # in the background, where Ctrl-C is not for us
            raise KeyboardInterrupt
        ear(signal.SIGINT, frame)

    old = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


def perform(
    plan: Plan, folder: Path, options: runner.Options, quiet: bool,
    on: str | None = None, gpus_per_run: float = 0.0,
) -> dict[str, Any]:  # fmt: skip
    """Sweep, and sum up as the document of ``--json``."""
    from sim.sweep import cluster, runner

    crew: runner.MakeCrew | None = None
    if on is not None:

        def crew(job: Any) -> Any:
            return cluster.RayCrew(
                job, on, cpus=options.workers, gpus_per_run=gpus_per_run, points=plan.points
            )

    with terminated_as_interrupted(), terminal.aside(on), Told(quiet) as told:
        done = runner.sweep(plan, folder, options, tell=told, crew=crew)
    for message in done.messages:
        terminal.complain(message)
    return {
        "scenario": plan.scenario.name,
        "digest": plan.scenario.digest,
        "seed": plan.scenario.seed,
        "points": len(plan.points),
        "replications": plan.replications,
        "shard": None if options.shard is None else "{}/{}".format(*options.shard),
        "made": done.made,
        "failed": done.failed,
        "found": done.found,
        "missing": done.missing,
        "complete": done.complete,
        "seconds": done.seconds,
        "out": str(folder),
    }


def show_done(document: dict[str, Any]) -> None:
    """What a sweep did, for people."""
    made, seconds = document["made"], document["seconds"]
    rate = f", {terminal.number(made / seconds, 3)} runs/s" if made and seconds else ""
    terminal.say(f"{made:,} runs made in {duration(seconds)}{rate}")
    if document["found"]:
        terminal.say(f"{document['found']:,} runs were there before")
    if document["failed"]:
        terminal.say(
            f"{document['failed']:,} of them failed or took too long: see status and error in the "
            "table; --resume --retry-failed makes them again"
        )
    if document["missing"]:
        terminal.say(f"{document['missing']:,} runs are missing; --resume makes them")
    if document["complete"]:
        terminal.say(f"all runs are there: {Path(document['out']) / 'runs.parquet'}")
    else:
        terminal.say(f"so far in {document['out']}; alphacrit status shows what is missing")


def trial_document(plan: Plan, trial: Trial, folder: Path, workers: int) -> dict[str, Any]:
    """The document of ``--dry-run --json``."""
    from dataclasses import asdict

    return {
        "scenario": plan.scenario.name,
        "digest": plan.scenario.digest,
        "seed": plan.scenario.seed,
        "design": dict(plan.design_info()),
        "notes": list(plan.notes),
        **asdict(trial),
        "workers": workers,
        "out": str(folder),
    }


def show_trial(document: dict[str, Any]) -> None:
    """The plan and what it will take, for people."""
    d = document
    design = d["design"]
    varies = ", ".join(design["addresses"])
    terminal.say(f"{d['scenario']} ({d['digest']}): {design.get('design')} over {varies}")
    terminal.say(
        f"{d['points']:,} points × {d['replications']:,} replicates = {d['runs']:,} runs"
        + (f"; {d['there']:,} are there, {d['to_make']:,} to make" if d["there"] else "")
    )
    if d["status"] == "ok":
        how = "many together" if d["together"] else "one by one"
        terminal.say(f"one run takes {terminal.number(d['seconds_per_run'] * 1000, 3)} ms ({how})")
        took, room = duration(d["seconds"]), size(d["bytes"])
        terminal.say(f"about {took} with -j {d['workers']}, {room} on disk")
    elif d["to_make"]:
        terminal.say(f"the run that was tried failed, so there is no estimate: {d['status']}")
    for note in d["notes"]:
        terminal.say_prose(note)
    terminal.say(f"nothing was written; results would go to {d['out']}")


def show_status(status: Status) -> None:
    """How far a sweep is, for people."""
    share = status.done + status.failed + status.timeout
    terminal.say(f"{status.scenario} ({status.digest}) in {status.folder}")
    terminal.say(
        f"{status.points:,} points, {status.runs:,} runs: {share / max(status.runs, 1):.1%}"
    )
    counts = {"done": status.done, "failed": status.failed, "took too long": status.timeout}
    terminal.say(
        ", ".join(f"{many:,} {what}" for what, many in counts.items() if many or what == "done")
        + f", {status.missing:,} missing"
    )
    for holder in status.working:
        at = holder.progress
        told = f": {at['done']:,} of {at['total']:,} runs of its share" if "done" in at else ""
        terminal.say(f"{holder} is at work ({holder.name}){told}")
    for holder in status.gone:
        terminal.say(f"{holder} was at work ({holder.name}) and is gone; --resume goes on")
    if status.rate is not None and status.left is not None:
        rate = terminal.number(status.rate, 3)
        terminal.say(f"{rate} runs/s, {duration(status.left)} left")
    for reason in status.damaged:
        terminal.say(f"{reason}; --resume makes its runs again")
    if status.complete:
        terminal.say("complete")

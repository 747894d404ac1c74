"""The commands that run sweeps: ``alphacrit sweep`` and ``alphacrit status``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alphacrit import terminal
from alphacrit.cli import INTERRUPTED, File, Json, Quiet, Seed, Set, app, examples, guarded, read
from alphacrit.cli_cluster import WHERE, GpusPerRun, On, check_cluster

if TYPE_CHECKING:
    from sim.sweep.plan import Plan

FAILED_RUNS = 4
HOW = "How it is run"


@app.command(
    epilog=examples(
        "alphacrit sweep study.toml --dry-run",
        "alphacrit sweep study.toml -j 8 --out results/study",
        "alphacrit sweep study.toml --out results/study --resume",
        "alphacrit sweep study.toml --out /shared/study --shard 3/16",
        "alphacrit sweep study.toml --out results/study --on ray://head:10001",
    )
)
@guarded
def sweep(
    context: typer.Context,
    file: File,
    set_: Set = None,
    seed: Seed = None,
    replicates: Annotated[
        int | None,
        typer.Option("--replicates", "-r", min=1, help="In place of sweep.replications."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where results go; default results/NAME/DIGEST."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on in a folder that holds a sweep; make what is missing."
        ),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Make failed runs again; goes with --resume.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and how long it would take.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", "-j", min=1, help="Processes; default one per core.", rich_help_panel=HOW
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="S", help="Seconds for one run.", rich_help_panel=HOW),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            metavar="S",
            rich_help_panel=HOW,
            help="Stop cleanly after so many seconds; --resume goes on.",
        ),
    ] = None,
    one_by_one: Annotated[
        bool,
        typer.Option(
            "--one-by-one",
            rich_help_panel=HOW,
            help="Make no runs together; the numbers are the same.",
        ),
    ] = False,
    series: Annotated[
        bool,
        typer.Option("--series/--no-series", help="Keep all epochs.", rich_help_panel=HOW),
    ] = True,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            metavar="I/N",
            rich_help_panel=WHERE,
            help="Make the I-th of N shares; all N share the folder. The last one, or "
            "--resume, puts the table together.",
        ),
    ] = None,
    on: On = None,
    gpus_per_run: GpusPerRun = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run every point of a scenario's sweep table, times its replications.

    A sweep can be killed at any moment and goes on with --resume; Ctrl-C lets runs that are made
    together end, a second one does not. A run that fails is a row with its error; the command then
    ends with exit code 4.
    """
    from alphacrit import sweeping
    from sim.sweep import runner, store

    _check(timeout, time_limit, retry_failed, resume, on, gpus_per_run)
    plan = _plan(file, set_, seed, replicates)
    folder = store.default_folder(plan.scenario) if out is None else out
    many = sweeping.cores() if workers is None else workers
    if dry_run:
        _dry_run(plan, folder, many, not one_by_one, series, json)
        return
    for note in plan.notes if not quiet else ():
        terminal.complain(note)
    options = runner.Options(
        workers=many, resume=resume, retry_failed=retry_failed, shard=_shard(shard),
        timeout=timeout, time_limit=time_limit, one_by_one=one_by_one, series=series,
        command=["alphacrit", *(context.obj or ())],
    )  # fmt: skip
    try:
        document = sweeping.perform(plan, folder, options, quiet, on, gpus_per_run or 0.0)
    except KeyboardInterrupt:
        if not folder.exists():
            raise
        terminal.complain(
            f"interrupted; what was done is kept in {folder}: the same command with --resume "
            "goes on from there"
        )
        raise typer.Exit(INTERRUPTED) from None
    if json:
        terminal.say_json(document)
    elif not quiet:
        sweeping.show_done(document)
    if document["failed"] or document["missing"]:
        raise typer.Exit(FAILED_RUNS)


@app.command(
    epilog=examples("alphacrit status results/study", "alphacrit status results/study --json")
)
@guarded
def status(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a sweep.")],
    json: Json = False,
) -> None:
    """Show how far a sweep is: runs done, failed and missing, rate, time left, who is at work."""
    from alphacrit import sweeping
    from sim.sweep.status import status_of

    found = status_of(folder)
    if json:
        terminal.say_json(found.document())
    else:
        sweeping.show_status(found)


def _plan(file: str, sets: list[str] | None, seed: int | None, replicates: int | None) -> Plan:
    from sim.sweep.plan import plan_of

    plan = plan_of(read(file, sets, seed))
    return plan if replicates is None else replace(plan, replications=replicates)


def _dry_run(
    plan: Plan, folder: Path, workers: int, together: bool, series: bool, json: bool
) -> None:
    from alphacrit import sweeping
    from sim.sweep.trial import try_out

    trial = try_out(plan, folder, workers, together, series)
    document = sweeping.trial_document(plan, trial, folder, workers)
    if json:
        terminal.say_json(document)
    else:
        sweeping.show_trial(document)


def _shard(text: str | None) -> tuple[int, int] | None:
    """``I/N`` as two numbers, 1 ≤ I ≤ N."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(
            f"got {text!r}; must be I/N with 1 ≤ I ≤ N, for example 3/16", param_hint="--shard"
        )
    return int(match[1]), int(match[2])


def _check(
    timeout: float | None, time_limit: float | None, retry_failed: bool, resume: bool,
    on: str | None, gpus_per_run: float | None,
) -> None:  # fmt: skip
    """Refuse options that make no sense, or none together."""
    for name, seconds in (("--timeout", timeout), ("--time-limit", time_limit)):
        if seconds is not None and not 0.0 < seconds < float("inf"):
            raise typer.BadParameter(f"got {seconds:g}; must be > 0 (seconds)", param_hint=name)
    if retry_failed and not resume:
        raise typer.BadParameter("--retry-failed goes with --resume")
    check_cluster(on, gpus_per_run)

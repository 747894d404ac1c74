"""The commands that measure platforms: ``alphacrit learn`` and ``alphacrit cache``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from alphacrit import terminal
from alphacrit.cli import (
    INTERRUPTED,
    File,
    Json,
    Quiet,
    Seed,
    Set,
    app,
    examples,
    guarded,
    noted,
    read,
)
from alphacrit.cli_cluster import GpusPerRun, On, check_cluster

REPLICATES, TRAININGS, CONFIDENCE, PRECISION = 5, 1000, 0.95, 0.1

Folder = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Where measurements are kept; default $ALPHACRIT_CACHE or the user's cache folder.",
    ),
]
T = TypeVar("T")
TABLE, MASS = "A table of S", "The critical mass instead"


@app.command(
    epilog=examples(
        "alphacrit learn my-platform.toml -j 4",
        'alphacrit learn my-platform.toml --sizes "0.01,0.02,0.05,0.1" --out s.parquet',
        "alphacrit learn two.toml --sizes union=0.01,0.1 --sizes guild=0.05,0.2",
        "alphacrit learn my-platform.toml --on ray://head:10001 --gpus-per-run 0.5",
        "alphacrit learn my-platform.toml --critical-mass 0.5",
    )
)
@guarded
def learn(
    file: File,
    set_: Set = None,
    seed: Seed = None,
    sizes: Annotated[
        list[str] | None,
        typer.Option(
            "--sizes",
            metavar="[NAME=]SIZE,...",
            help="Sizes to measure at, as shares of the population; "
            "with NAME= those of one collective, repeatable.",
            rich_help_panel=TABLE,
        ),
    ] = None,
    num: Annotated[
        int | None,
        typer.Option(
            "--num",
            help="How many sizes; default 25 of one collective, 7 of each of two, else 4.",
            rich_help_panel=TABLE,
        ),
    ] = None,
    replicates: Annotated[
        int | None,
        typer.Option(
            "--replicates", "-r", min=1, rich_help_panel=TABLE,
            help=f"Trainings at each size; default {REPLICATES}.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", "-j", min=1, rich_help_panel=TABLE,
            help="Processes that train at the same time; default 1.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="TABLE.parquet", rich_help_panel=TABLE,
            help="The table to write; default NAME.parquet of the scenario.",
        ),
    ] = None,
    critical_mass: Annotated[
        float | None,
        typer.Option(
            "--critical-mass", metavar="S*", rich_help_panel=MASS,
            help="Search for the smallest size with success ≥ S*, and write no table.",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(
            "--confidence", rich_help_panel=MASS,
            help=f"That the answer holds; default {CONFIDENCE}.",
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision", rich_help_panel=MASS,
            help="Width of the answer, relative to it (with --scale linear, as a share of the "
            f"population); default {PRECISION}.",
        ),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            "--noise", metavar="SD", rich_help_panel=MASS,
            help="Standard deviation of a training's success, where you know it (normal tails): "
            "fewer trainings. Default: nothing is assumed but success in [0, 1].",
        ),
    ] = None,
    max_trainings: Annotated[
        int | None,
        typer.Option(
            "--max-trainings", min=1, rich_help_panel=MASS,
            help=f"Stop there with what is known; default {TRAININGS}.",
        ),
    ] = None,
    collective: Annotated[
        str | None,
        typer.Option(
            "--collective", metavar="NAME", rich_help_panel=MASS,
            help="Which one, the others having size 0.",
        ),
    ] = None,
    from_: Annotated[
        float | None, typer.Option("--from", help="Smallest size; default 0.001 or one person.")
    ] = None,
    to: Annotated[
        float | None, typer.Option("--to", help="Largest size; default all who may join.")
    ] = None,
    scale: Annotated[
        Literal["log", "linear"] | None,
        typer.Option("--scale", help="Spacing of the sizes; default log."),
    ] = None,
    on: On = None,
    gpus_per_run: GpusPerRun = None,
    cache: Folder = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """Train the platform at many sizes, and write what success was measured to a table.

    The table takes the platform's place with learner = "table". Every measurement is kept in a
    cache as soon as it is made: a learn that was interrupted or killed goes on where it was.
    """
    from alphacrit import measuring, show
    from alphacrit.sizes import SizesError
    from learners.measured.cache import Cache
    from sim.learning import setup

    table_only = {
        "--sizes": sizes, "--num": num, "--replicates": replicates, "-j": workers, "--out": out,
        "--on": on,
    }  # fmt: skip
    mass_only = {
        "--confidence": confidence, "--precision": precision,
        "--max-trainings": max_trainings, "--collective": collective, "--noise": noise,
    }  # fmt: skip
    searching = critical_mass is not None
    others: Mapping[str, object] = table_only if searching else mass_only
    _refuse(others, searching)
    check_cluster(on, gpus_per_run)
    scenario = read(file, set_, seed)
    setup(scenario)  # refuses what cannot be measured
    notes = noted(scenario, silent=json or quiet)
    kept, told = Cache(cache), measuring.Told(quiet)
    try:
        if critical_mass is not None:
            document = measuring.search(
                scenario, _open("--critical-mass", critical_mass), collective, from_, to,
                kept, quiet,
                confidence=_open("--confidence", _or(confidence, CONFIDENCE)),
                precision=_open("--precision", _or(precision, PRECISION)),
                max_trainings=_or(max_trainings, TRAININGS),
                noise=None if noise is None else _open("--noise", noise),
                scale=scale or "log",
            )  # fmt: skip
        else:
            points = measuring.sizes_of(scenario, sizes or (), from_, to, num, scale, quiet)
            document = measuring.measure(
                scenario, points, _or(replicates, REPLICATES), _or(workers, 1), out, kept, told,
                on, gpus_per_run or 0.0,
            )  # fmt: skip
    except SizesError as error:
        raise typer.BadParameter(str(error)) from None
    except KeyboardInterrupt:
        terminal.complain(
            f"interrupted; no table was written. What was measured is kept in {kept.folder}: "
            "the same command goes on from there"
        )
        raise typer.Exit(INTERRUPTED) from None
    if json:
        terminal.say_json(document | notes)
    elif not quiet:
        show.critical_mass(document, scenario) if searching else show.learned(document)


def _refuse(options: Mapping[str, object], searching: bool) -> None:
    """Options of the other of the two things to measure would be ignored."""
    given = [name for name, value in options.items() if value not in (None, [])]
    if given:
        word = "does not go with" if searching else "goes only with"
        raise typer.BadParameter(f"{', '.join(given)} {word} --critical-mass")


def _open(name: str, value: float) -> float:
    if not 0.0 < value < 1.0:
        raise typer.BadParameter(f"got {value:g}; must be above 0 and below 1", param_hint=name)
    return value


def _or(value: T | None, default: T) -> T:
    return default if value is None else value


cache_app = typer.Typer(
    no_args_is_help=True,
    help="See and clear the measurements that 'alphacrit learn' keeps.",
    rich_markup_mode="rich",
)
app.add_typer(cache_app, name="cache")


@cache_app.command("list", epilog=examples("alphacrit cache list"))
@guarded
def cache_list(cache: Folder = None, json: Json = False) -> None:
    """Show what was measured: platform, collectives, how many measurements, how long they took."""
    from alphacrit import show
    from learners.measured.cache import Cache

    kept = Cache(cache)
    found = list(kept.entries())
    if json:
        terminal.say_json({"cache": str(kept.folder), "setups": [show.kept_json(e) for e in found]})
    else:
        show.kept(kept.folder, found)


@cache_app.command(
    "clear", epilog=examples("alphacrit cache clear 3fa9c1", "alphacrit cache clear --all")
)
@guarded
def cache_clear(
    digest: Annotated[
        str | None,
        typer.Argument(metavar="DIGEST", help="Of one setup, its first 6 digits or more."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every measurement.")] = False,
    cache: Folder = None,
    json: Json = False,
) -> None:
    """Delete measurements, of one setup or all of them; tables that were written stay."""
    from learners.measured.cache import Cache

    if (digest is None) != everything:
        raise typer.BadParameter("say which: either DIGEST (alphacrit cache list) or --all")
    kept = Cache(cache)
    try:
        gone = kept.clear(digest)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="DIGEST") from None
    if json:
        terminal.say_json({"cache": str(kept.folder), "cleared": gone})
    else:
        terminal.say(f"{gone} measurements deleted from {kept.folder}")

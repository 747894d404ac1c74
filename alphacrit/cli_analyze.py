"""What a sweep found: ``alphacrit analyze``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from alphacrit import terminal
from alphacrit.cli import Json, Quiet, app, examples, guarded


@app.command(
    epilog=examples(
        "alphacrit analyze results/study",
        "alphacrit analyze results/study --figures --csv --out paper",
        "alphacrit analyze results/study --outcome welfare --outcome formed.union --json",
        "alphacrit analyze results/study --figures --along population.cost.mean",
    )
)
@guarded
def analyze(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a sweep, finished or not.")
    ],
    outcome: Annotated[
        list[str] | None,
        typer.Option(
            "--outcome",
            metavar="NAME",
            help="For indices, regression and heat maps: alpha.NAME, success.NAME, formed.NAME, "
            "spent, welfare or last_epoch; repeatable. Default: alpha of every collective.",
        ),
    ] = None,
    formed: Annotated[
        float | None,
        typer.Option(
            "--formed",
            metavar="SHARE",
            help="A collective has formed from this share of the population on. Default: above "
            "its critical threshold, or half of those who may join where there is none.",
        ),
    ] = None,
    confidence: Annotated[
        float, typer.Option("--confidence", help="Of each interval by itself.")
    ] = 0.95,
    csv: Annotated[bool, typer.Option("--csv", help="Write the tables as CSV.")] = False,
    figures: Annotated[
        bool, typer.Option("--figures", help="Draw the figures, as PNG and SVG.")
    ] = False,
    x: Annotated[
        str | None, typer.Option("--x", metavar="KEY", help="Address along the figures' width.")
    ] = None,
    y: Annotated[
        str | None, typer.Option("--y", metavar="KEY", help="Address along their height.")
    ] = None,
    along: Annotated[
        str | None,
        typer.Option(
            "--along",
            metavar="KEY",
            help="Address of the bifurcation diagram, which is simulated up and down; default "
            "the only number that varies.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Where files go, default DIR/analysis. Without --csv and --figures: both.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Sum up a sweep: formation, tipping, spending, what matters; with intervals.

    A sweep that is still running, or that was stopped, is summed up so far.
    Indices of sensitivity need all runs of their design; where some are missing
    or failed they are left out, and the reason is given.
    """
    from alphacrit import analyzing, show_analysis

    for name, value in (("--formed", formed), ("--confidence", confidence)):
        if value is not None and not 0.0 < value < 1.0:
            raise typer.BadParameter(
                f"got {value:g}; must be between 0 and 1 (share)", param_hint=name
            )
    ask = analyzing.Ask(tuple(outcome or ()), formed, confidence, x, y, along)
    try:
        found = analyzing.analyse(folder, ask, quiet)
        files = analyzing.write(
            found, out, csv or not (csv or figures), figures or not (csv or figures), quiet
        ) if csv or figures or out else []  # fmt: skip
    except analyzing.AskError as error:
        raise typer.BadParameter(str(error)) from None
    if json:
        terminal.say_json(found.document() | {"files": [str(path) for path in files]})
        return
    for note in found.notes:
        terminal.complain(note)
    if not quiet:
        show_analysis.show(found)
        for path in files:
            terminal.say(f"wrote {path}")

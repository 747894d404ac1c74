"""The command that opens the browser page: ``alphacrit view``."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer

from alphacrit import terminal
from alphacrit.cli import app, examples, guarded
from learners.errors import MissingError, ScenarioError


@app.command(
    epilog=examples(
        "alphacrit view baseline",
        "alphacrit view baseline two-tipping-points",
        "alphacrit view results/baseline/446b33cd55b5",
        "alphacrit view my-platform.toml --folder studies --port 9000 --no-open",
    )
)
@guarded
def view(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE [FILE2]",
            help="A scenario, two to see side by side, or the results folder of a run.",
        ),
    ],
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Whose scenarios can be switched to; repeatable; default the library's.",
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port.")] = 8765,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the browser.")] = True,
) -> None:
    """Open the browser page: play with a scenario, or replay a run."""
    from alphacrit.page.serve import require_page, serve
    from alphacrit.page.settings import PageSettings

    require_page()
    settings = PageSettings(_opened(files), tuple(folder or ()))
    _require_port(host, port)
    terminal.complain(f"the page is at http://{host}:{port} (Ctrl-C ends it)")
    serve(settings, host, port, open_)


def _opened(files: list[str]) -> tuple[Path, ...]:
    """The paths, each read once so that what is wrong is said here and not in the browser."""
    from alphacrit import catalogue
    from sim.results import Results, load
    from sim.scenario import Scenario

    if len(files) > 2:
        raise typer.BadParameter("at most two can be seen side by side", param_hint="FILE")
    paths = tuple(catalogue.find(file) for file in files)
    opened = [load(path) for path in paths]
    for each in opened:
        if isinstance(each, Scenario):
            each.require_people()
    if len(paths) > 1 and any(isinstance(each, Results) for each in opened):
        raise ScenarioError(["a finished run is shown alone; give one folder, or two scenarios"])
    return paths


def _require_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise MissingError(
                f"{host}:{port} cannot be served on ({error.strerror}); give another --port"
            ) from None

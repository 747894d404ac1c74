"""Options that sweeps and learning share: where they run when not on this machine."""

from __future__ import annotations

import re
from typing import Annotated

import typer

WHERE = "Shards and clusters"

On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="ray",
        rich_help_panel=WHERE,
        help="Run on a Ray cluster: ray ($RAY_ADDRESS, or one on this machine), "
        "or ray://HOST:PORT.",
    ),
]
GpusPerRun = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-run",
        min=0.0,
        rich_help_panel=WHERE,
        help="GPUs for each run or training on Ray; a fraction shares one.",
    ),
]


def check_cluster(on: str | None, gpus_per_run: float | None) -> None:
    """Refuse an address that is none, and GPUs without a cluster."""
    if on is not None and not re.fullmatch(r"ray|ray://[^\s/]+|[^\s/:]+:\d+", on):
        raise typer.BadParameter(f"got {on!r}; must be ray or ray://HOST:PORT", param_hint="--on")
    if gpus_per_run is not None and on is None:
        raise typer.BadParameter("--gpus-per-run goes with --on ray")

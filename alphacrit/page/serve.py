"""Starting the page: ``solara run`` with what it needs to work without a network."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path

from alphacrit.page.settings import VARIABLE, PageSettings
from learners.errors import MissingError

MODULE = "alphacrit.page.app"
NEEDED = ("solara", "ipyvuetify", "ipyvue", "altair")


def require_page() -> None:
    """Raise ``MissingError`` unless what the page needs is installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingError(
            f"the browser page needs {', '.join(missing)}: pip install 'alphacrit[page]'"
        )


def arguments(host: str, port: int, browser: bool) -> list[str]:
    """What ``solara`` is called with."""
    return [
        "run", MODULE, "--host", host, "--port", str(port), "--production", "--no-check-version",
        "--open" if browser else "--no-open",
    ]  # fmt: skip


def environment(settings: PageSettings) -> dict[str, str]:
    """This process's environment with what the page needs: its settings, and no calls home."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "alphacrit" / "solara"
    return {
        "SOLARA_HOME": str(cache),
        "SOLARA_KERNEL_CULL_TIMEOUT": "15m",  # of a browser that went without a word
        "SOLARA_THEME_SHOW_BANNER": "False",
        "SOLARA_THEME_TITLE": "alphacrit",
        **os.environ,
        "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "False",
        "MPLBACKEND": "Agg",
        VARIABLE: settings.to_json(),
    }


def serve(settings: PageSettings, host: str, port: int, browser: bool) -> None:
    """Serve the page in this process until it is interrupted."""
    os.environ.update(environment(settings))  # which solara reads when it is imported
    warnings.filterwarnings("ignore", module="solara")  # of Mesa's hooks and of cookies over http
    from click import Abort
    from solara.__main__ import cli

    try:
        cli.main(arguments(host, port, browser), prog_name="solara", standalone_mode=False)
    except Abort:  # what click makes of Ctrl-C
        raise KeyboardInterrupt from None

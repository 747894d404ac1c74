"""One server and one browser for all tests of the page; skipped where there is no browser."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sim import results
from sim.runs import run_many
from sim.scenario import load

for needed in ("solara", "playwright"):
    pytest.importorskip(needed, reason=f"{needed} is not installed: pip install -e '.[page,test]'")

from playwright.sync_api import (  # noqa: E402 - after the check that it is there
    Browser,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

SHARED = (
    "baseline", "two-tipping-points", "principal", "colliding-signals", "network-seed",
)  # fmt: skip
TEXTS = """
name = "texts"
epochs = 3
[population]
size = 400
cost = 0.2
[collectives.union]
strategy = "feature_label"
target = "topic_3"
start = 0.2
signal = { character = "{", every = 20 }
[platform]
learner = "distilbert"
model = "tiny"
dataset = "generated"
generated = { texts = 600, words = 20 }
test = 200
length = 32
epochs = 20
attention_dropout = 0.0
device = "cpu"
"""


def chromium() -> str | None:
    """The browser: that of $ALPHACRIT_CHROMIUM, else the first that is installed."""
    given = os.environ.get("ALPHACRIT_CHROMIUM")
    if given:
        return given
    return next((path for path in map(shutil.which, NAMES) if path), None)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenarios of the library, one that trains, and a finished run."""
    place = tmp_path_factory.mktemp("page") / "scenarios"
    place.mkdir()
    for name in SHARED:
        (file,) = (ROOT / "scenarios").rglob(f"{name}.toml")
        shutil.copy(file, place)
    (place / "texts.toml").write_text(TEXTS)
    # Nine in ten do not reconsider in an epoch, so that the run takes a while.
    slow = load(place / "baseline.toml", {"revision.rate": 0.1, "population.size": 1000})
    results.write(run_many(slow, 2), place / "finished" / "run")
    return place


@pytest.fixture(scope="session")
def server(folder: Path) -> Iterator[str]:
    """The address of a page that was started as anybody starts it."""
    if chromium() is None:
        pytest.skip("no chromium here: apt-get install chromium, or set ALPHACRIT_CHROMIUM")
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "SOLARA_HOME": str(folder.parent / "home"),
        "ALPHACRIT_CACHE": str(folder.parent / "cache"),  # what was trained before would be known
    }
    command = [sys.executable, "-m", "alphacrit", "view", str(folder / "baseline.toml")]
    command += ["--folder", str(folder), "--no-open", "--port"]
    for last in (False, False, True):  # somebody else may be given the port before the server
        port, log = _free_port(), folder.parent / "server.log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [*command, str(port)], env=environment, stdout=said, stderr=said, cwd=ROOT
            )
        try:
            if _answers(f"http://127.0.0.1:{port}", process):
                yield f"http://127.0.0.1:{port}"
                return
        finally:
            process.kill()
            process.wait()
        if last:
            raise RuntimeError(f"the page did not start: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(address: str, process: subprocess.Popen) -> bool:
    """Wait until the page does; False if its process has ended, or after minutes."""
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=10).close()
            return process.poll() is None
        except OSError:
            time.sleep(0.2)
    return False


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright, server: str) -> Iterator[Browser]:
    opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
    yield opened
    opened.close()


Visit = Callable[..., Page]
PATIENCE = 60_000  # ms; other tests may want the processor, too
expect.set_options(timeout=PATIENCE)


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Visit]:
    """Opens the page with a query; at the end no error may have been in any console."""
    pages: list[Page] = []
    said: list[str] = []

    def opened(query: str = "", width: int = 1280, height: int = 900, dark: bool = False) -> Page:
        scheme = "dark" if dark else "light"
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda r: said.append(r.url) if _outside(r.url) else None)
        page.goto(f"{server}/{query}")
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert said == [], "errors in the console, or requests to the outside"


def _outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1", "data:", "blob:", "about:"))

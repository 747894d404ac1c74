"""Epochs a second of the browser page at 100,000 people, and its memory, in a real browser.

    python -m benchmarks.page [--size 100000] [--write]

The page is started as anybody starts it and played in headless chromium at Mesa's own play interval
of 100 ms: epochs that were shown and pictures that reached the browser are counted. Then 2,000
epochs are played as fast as they go, and Reset is pressed 20 times after two epochs each; the
server's memory is read before and after. ``--write`` replaces the section of RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.results import machine, write_section

SCENARIO = """
name = "bench"
epochs = 1_000_000
stop = {{ when = "never" }}
[population]
size = {size}
cost = {{ dist = "normal", mean = 0.35, sd = 0.15, low = 0.0 }}
free_riding = 0.2
[collectives.union]
strategy = "feature_label"
signal = {{ uniqueness = 0.05, gap = 1.0 }}
start = 0.3
[platform]
learner = "bound"
[revision]
protocol = "logit"
noise = 0.05
"""
TARGET, SECONDS, EPOCHS, RESETS = 5.0, 20.0, 2_000, 20
COUNT = """() => {
  window.frames_seen = 0;
  new MutationObserver(() => { window.frames_seen += 1; }).observe(
    document.querySelector('figure img'), { attributes: true, attributeFilter: ['src'] });
}"""


@contextmanager
def served(size: int) -> Iterator[tuple[str, int]]:
    """The page on a scenario of this size: its address, and the server's process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.toml"
        file.write_text(SCENARIO.format(size=size), encoding="utf-8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "alphacrit", "view", str(file), "--folder", folder]
        command += ["--no-open", "--port", str(port)]
        process = subprocess.Popen(command, env={**os.environ, "SOLARA_HOME": folder})
        try:
            yield _ready(f"http://127.0.0.1:{port}"), process.pid
        finally:
            process.terminate()
            process.wait(20)


def _ready(address: str) -> str:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=2).close()
            return address
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the page did not start")


def memory(process: int) -> float:
    """Resident memory of a process, in MiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match
    return int(match[1]) / 1024


def epoch(page: Any) -> int:
    """The epoch that the page shows."""
    match = re.match(r"Epoch (\d+)\.", page.inner_text(".alphacrit-words"))
    assert match
    return int(match[1])


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def play_until(page: Any, last: int) -> None:
    """Play until an epoch has been reached, then pause."""
    press(page, "▶")
    while epoch(page) < last:
        time.sleep(0.2)
    press(page, "❚❚")
    time.sleep(1.0)


def speed(page: Any) -> tuple[float, float]:
    """Epochs and pictures a second at Mesa's own play interval."""
    press(page, "▶")
    time.sleep(3.0)
    page.evaluate(COUNT)
    first, began = epoch(page), time.perf_counter()
    time.sleep(SECONDS)
    last, seen = epoch(page), page.evaluate("window.frames_seen")
    seconds = time.perf_counter() - began
    press(page, "❚❚")
    time.sleep(1.0)
    return (last - first) / seconds, seen / seconds


def measure(size: int) -> str:
    """Everything, as the text of the section."""
    from playwright.sync_api import sync_playwright

    with served(size) as (address, server), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.wait_for_function("document.querySelectorAll('figure img').length >= 4")
        epochs, pictures = speed(page)
        page.get_by_role("slider").first.focus()
        page.keyboard.press("Home")  # play as fast as it goes
        marks = [memory(server)]
        began, first = time.perf_counter(), epoch(page)
        for part in range(1, 5):
            play_until(page, first + part * EPOCHS // 4)
            marks.append(memory(server))
        fast = EPOCHS / (time.perf_counter() - began)
        resets = [memory(server)]
        for _ in range(RESETS):
            press(page, "Reset")
            page.wait_for_function(
                "document.querySelector('.alphacrit-words').innerText.startsWith('Epoch 0.')"
            )
            for _ in range(2):
                press(page, "Step")
            time.sleep(0.5)
            resets.append(memory(server))
        browser.close()
    return report(size, epochs, pictures, fast, marks, resets)


def report(
    size: int, epochs: float, pictures: float, fast: float, marks: list[float], resets: list[float]
) -> str:
    """The section of RESULTS.md."""
    each = ", ".join(f"{mark:.0f}" for mark in marks)
    return f"""{machine()}; load of the machine {os.getloadavg()[0]:.1f}.

{size:,} people, logit; all pictures of the page in headless chromium on the same machine.

| what | measured | asked for |
| --- | --- | --- |
| epochs a second at Mesa's play interval of 100 ms | {epochs:.1f} | {TARGET:.0f} |
| pictures of each kind a second that reached the browser | {pictures:.1f} | |
| epochs a second at the smallest play interval | {fast:.1f} | |

Memory of the server in MiB at 0, 500, 1,000, 1,500 and 2,000 epochs: {each}. Before and after
{RESETS} resets: {resets[0]:.0f}, {resets[-1]:.0f} (after ten: {resets[RESETS // 2]:.0f})."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    text = measure(options.size)
    print(text)
    if options.write:
        write_section("The browser page", text)


if __name__ == "__main__":
    main()

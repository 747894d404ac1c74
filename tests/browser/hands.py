"""What one does with the page in a browser: find, press, choose, wait."""

from __future__ import annotations

import os
import re
import time

from playwright.sync_api import Locator, Page, expect

from .conftest import PATIENCE, ROOT

TALL = {"width": 1280, "height": 1500}


def words(page: Page) -> Locator:
    return page.locator(".alphacrit-words")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def slider(page: Page, label: str) -> Locator:
    """The handle of the slider whose label begins so."""
    shown = page.locator(".v-input__slider", has=page.locator(f"label:text-matches('^{label}')"))
    return shown.get_by_role("slider")


def epoch(page: Page) -> int:
    found = re.match(r"Epoch (\d+)\.", words(page).first.inner_text())
    assert found
    return int(found[1])


def stands_still(page: Page) -> None:
    """Wait until a second goes by without another epoch: the last words may come late."""
    until, before = time.monotonic() + 120, -1
    while (now := epoch(page)) != before:
        assert time.monotonic() < until, "it goes on"
        before = now
        page.wait_for_timeout(1000)


def ready(page: Page, pictures: int) -> None:
    """Wait until so many pictures are there, and really are pictures."""
    expect(page.locator("figure img")).to_have_count(pictures, timeout=2 * PATIENCE)
    page.wait_for_function(
        "[...document.querySelectorAll('figure img')]"
        ".every(image => image.complete && image.naturalWidth > 300)"
    )


def choose(page: Page, label: str, name: str) -> None:
    """Pick from a list."""
    page.get_by_label(label).locator("..").click()
    page.get_by_role("option", name=name, exact=True).click()


def picture(page: Page, name: str) -> None:
    """For the README, when asked to."""
    if os.environ.get("ALPHACRIT_SCREENSHOTS") == "1":
        page.wait_for_timeout(800)
        page.screenshot(path=ROOT / "docs" / "figures" / f"page-{name}.png")

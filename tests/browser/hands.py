"""What one does with the page in a browser: find, press, choose, wait."""

from __future__ import annotations

import os
import re

from playwright.sync_api import Locator, Page, expect

from .conftest import ROOT

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


def ready(page: Page, pictures: int) -> None:
    """Wait until so many pictures are there, and really are pictures."""
    expect(page.locator("figure img")).to_have_count(pictures, timeout=60_000)
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

"""The page's buttons and lists, also where they are pressed at a bad moment."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .conftest import Visit
from .hands import button, choose, epoch, ready, slider, words

pytestmark = pytest.mark.xdist_group("browser")  # one server, whatever the workers


def test_switching_while_it_plays_and_when_it_is_at_rest_leaves_working_buttons(
    visit: Visit,
) -> None:
    page = visit("?scenario=two-tipping-points&set=revision.rate:0.01")
    ready(page, 4)
    button(page, "▶").click()
    expect(words(page)).to_contain_text(re.compile(r"Epoch ([3-9]|\d\d+)\."))
    choose(page, "Scenario", "baseline")
    expect(button(page, "Step")).to_be_enabled()
    expect(words(page)).to_contain_text("Epoch 0.")
    button(page, "▶").click()
    expect(words(page)).to_contain_text("At rest after")
    choose(page, "Scenario", "two-tipping-points")
    expect(words(page)).to_contain_text("Epoch 0.")
    button(page, "Step").click()
    expect(words(page)).to_contain_text("Epoch 1.")


@pytest.mark.once
def test_reset_while_it_plays_goes_to_epoch_0_and_it_plays_again(visit: Visit) -> None:
    page = visit("?scenario=two-tipping-points&set=revision.rate:0.01")
    ready(page, 4)
    slider(page, "Render Interval").focus()
    page.keyboard.press("ArrowRight")  # three steps at once, also for a loop that comes late
    for _ in range(2):
        button(page, "▶").click()
        expect(words(page)).to_contain_text(re.compile(r"Epoch ([6-9]|\d\d+)\."))
        button(page, "Reset").click()
        expect(words(page)).to_contain_text("Epoch 0.")
        page.wait_for_timeout(700)
        assert epoch(page) == 0


@pytest.mark.once
def test_what_cannot_be_shown_leaves_the_list_on_what_is(visit: Visit) -> None:
    page = visit("?scenario=baseline")
    ready(page, 5)
    for _ in range(2):
        choose(page, "Beside it", "run of finished")
        expect(page.get_by_text("a finished run is shown alone")).to_be_visible()
        expect(page.locator(".v-select__selection").last).to_have_text("(nothing)")
    expect(words(page)).to_have_count(1)


@pytest.mark.once
def test_every_slider_shows_its_number(visit: Visit) -> None:
    page = visit("?scenario=baseline")
    ready(page, 5)
    numbers = page.locator(".v-navigation-drawer .v-slider__thumb-label")
    expect(numbers.filter(has_text=re.compile(r"^0\.3$"))).to_be_visible()  # the cost
    assert all(each.is_visible() for each in numbers.all())
    expect(page.get_by_text("Sliders take effect on Reset")).to_be_visible()

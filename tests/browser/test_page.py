"""The page in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from sim.scenario import load, loads

from .conftest import PATIENCE, Visit
from .hands import TALL, button, choose, picture, ready, slider, stands_still, words

TRAINING = 300_000  # ms; some seconds, when nobody else wants the processor
pytestmark = pytest.mark.xdist_group("browser")  # one server, whatever the workers


def test_step_play_pause_reset(visit: Visit) -> None:
    page = visit("?scenario=two-tipping-points&set=revision.rate:0.05")
    ready(page, 4)
    expect(words(page)).to_contain_text("Epoch 0.")
    button(page, "Step").click()
    expect(words(page)).to_contain_text("Epoch 1.")
    button(page, "▶").click()
    expect(button(page, "Step")).to_be_disabled()
    expect(words(page)).to_contain_text(re.compile(r"Epoch \d\d+\."))
    button(page, "❚❚").click()
    expect(button(page, "Step")).to_be_enabled()
    stands_still(page)
    page.set_viewport_size(TALL)
    picture(page, "playing")
    button(page, "Reset").click()
    expect(words(page)).to_contain_text("Epoch 0.")


@pytest.mark.once(keep=1)
@pytest.mark.parametrize(
    ("start", "place", "end"),
    [("0.015", "Below", "nobody is a member"), ("0.016", "Above", "everybody is a member")],
)
def test_below_the_threshold_it_dies_and_above_it_grows(
    visit: Visit, start: str, place: str, end: str
) -> None:
    page = visit(f"?scenario=baseline&set=collectives.union.start:{start}")
    expect(words(page)).to_contain_text(f"{place} the critical threshold ({start}")
    button(page, "▶").click()
    expect(words(page)).to_contain_text("At rest after")
    expect(words(page)).to_contain_text(end)
    expect(button(page, "Step")).to_be_disabled()
    expect(page.get_by_alt_text(re.compile("^The people"))).to_have_attribute(
        "alt", re.compile("union 10,000" if place == "Above" else "outside 10,000")
    )


def test_each_slider_changes_the_model_after_reset(visit: Visit) -> None:
    page = visit("?scenario=principal")
    ready(page, 5)
    link = page.get_by_role("link", name="Link to these settings")
    labels = [each.inner_text() for each in page.locator(".v-input__slider label").all()][2:]
    assert {"seed", "size N (people)", "budget (utility, in total)"} <= set(labels)
    for label in labels:
        handle = slider(page, re.escape(label.split(" (")[0]).replace("\\ ", " "))
        handle.focus()
        before = handle.get_attribute("aria-valuenow")
        at_the_end = before == handle.get_attribute("aria-valuemax")
        page.keyboard.press("ArrowLeft" if at_the_end else "ArrowRight")
        expect(handle).not_to_have_attribute("aria-valuenow", str(before))
    assert "set=" not in str(link.get_attribute("href"))  # not before Reset
    button(page, "Reset").click()
    expect(link).to_have_attribute("href", re.compile(f"(set=[^&]+&?){{{len(labels)}}}$"))
    expect(page.get_by_alt_text(re.compile("^The people"))).to_have_attribute(
        "alt", re.compile("union 10, outside 10,000")
    )


@pytest.mark.once
def test_an_invalid_setting_shows_its_message(visit: Visit) -> None:
    page = visit("?scenario=colliding-signals&set=collectives.union.start:0.5")
    ready(page, 3)
    handle = slider(page, "union: start")
    handle.focus()
    page.keyboard.press("ArrowRight")
    button(page, "Reset").click()
    expect(page.get_by_text("collectives.union.start: got 0.501; must be ≤ 0.5")).to_be_visible()
    page.set_viewport_size(TALL)
    picture(page, "refused")
    button(page, "Step").click()  # does no harm
    slider(page, "union: start").focus()
    page.keyboard.press("ArrowLeft")
    button(page, "Reset").click()
    expect(page.get_by_text("must be ≤ 0.5")).to_have_count(0)
    button(page, "Step").click()
    expect(words(page)).to_contain_text("Epoch 1.")


@pytest.mark.once(keep=1)
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?scenario=../../etc/passwd", "there is none of this name here"),
        ("?scenario=baseline&set=platform.universe:1", "no such slider"),
        ("?scenario=baseline&set=population.cost:-1", "population.cost: got -1.0; must be ≥ 0"),
        ("?scenario=baseline&set=population.cost", "must be ADDRESS:NUMBER"),
    ],
)
def test_a_malformed_url_is_refused_and_the_page_stays(visit: Visit, query: str, said: str) -> None:
    page = visit(query)
    expect(page.get_by_text(said)).to_be_visible()
    expect(words(page)).to_contain_text("Epoch 0.")


def test_switching_the_scenario(visit: Visit) -> None:
    page = visit()
    expect(page.get_by_text("One collective of identical people")).to_be_visible()
    button(page, "Step").click()
    expect(words(page)).to_contain_text("Epoch 1.")
    choose(page, "Scenario", "colliding-signals")
    ready(page, 3)
    expect(words(page)).to_contain_text("Epoch 0.")
    expect(slider(page, "guild: start")).to_have_count(1)
    button(page, "Step").click()
    expect(words(page)).to_contain_text("Epoch 1.")
    expect(words(page)).to_contain_text("guild:")
    page.set_viewport_size(TALL)
    picture(page, "two-collectives")
    slider(page, "guild: start").focus()
    page.keyboard.press("ArrowRight")
    button(page, "Reset").click()  # of this scenario, not of the one before
    expect(words(page)).to_contain_text("Epoch 0.")
    expect(page.get_by_role("link", name="Link to these settings")).to_have_attribute(
        "href", re.compile(r"guild\.start:0\.121$")
    )


def test_two_scenarios_side_by_side_stay_in_step(visit: Visit) -> None:
    page = visit("?scenario=baseline&beside=two-tipping-points&set=revision.rate:0.1")
    expect(words(page)).to_have_count(2)
    ready(page, 9)
    for number in (1, 2, 3):
        button(page, "Step").click()
        for each in words(page).all():
            expect(each).to_contain_text(f"Epoch {number}.")
    button(page, "▶").click()
    expect(words(page).first).to_contain_text(re.compile(r"Epoch \d\d+\."))
    button(page, "❚❚").click()
    page.wait_for_function(  # the last epoch's words reach the browser one after the other
        "new Set([...document.querySelectorAll('.alphacrit-words')]"
        ".map(e => e.innerText.split('.')[0])).size === 1"
    )
    page.set_viewport_size({"width": 1600, "height": 1500})
    picture(page, "side-by-side")


@pytest.mark.once
def test_replay_of_a_finished_run(visit: Visit, folder: Path) -> None:
    page = visit("?scenario=run of finished")
    ready(page, 5)
    people = page.get_by_alt_text(re.compile("^The people"))
    expect(people).to_have_attribute("alt", re.compile("union 20, outside 980"))
    expect(slider(page, "replicate")).to_have_count(1)
    button(page, "Step").click()
    expect(words(page)).to_contain_text("Epoch 1.")
    handle = slider(page, "Epoch")
    handle.focus()
    page.keyboard.press("End")
    expect(words(page)).to_contain_text("At rest after")
    page.keyboard.press("Home")
    expect(words(page)).to_contain_text("Epoch 0.")
    button(page, "▶").click()
    expect(words(page)).to_contain_text(re.compile(r"Epoch ([5-9]|\d\d+)\."))
    button(page, "❚❚").click()
    page.set_viewport_size(TALL)
    picture(page, "replay")
    handle.focus()
    page.keyboard.press("End")
    button(page, "Step").click()
    expect(button(page, "Step")).to_be_disabled()  # it is over
    handle.focus()
    page.keyboard.press("Home")
    button(page, "Step").click()
    expect(words(page)).to_contain_text("Epoch 1.")


@pytest.mark.once
def test_download_and_url_bring_the_settings_back(visit: Visit, folder: Path) -> None:
    page = visit("?scenario=baseline&set=population.cost:0.41&set=seed:20261125")
    ready(page, 5)
    with page.expect_download() as downloading:
        page.get_by_text("Download baseline.toml").click()
    got = loads(downloading.value.path().read_text())
    wanted = load(folder / "baseline.toml", {"population.cost": 0.41, "seed": 20261125})
    assert got == wanted
    link = page.get_by_role("link", name="Link to these settings").get_attribute("href")
    again = visit(str(link))
    expect(slider(again, "cost")).to_have_attribute("aria-valuenow", "0.41")
    expect(slider(again, "seed")).to_have_attribute("aria-valuenow", "20261125")
    expect(again.get_by_role("link", name="Link to these")).to_have_attribute("href", str(link))


def test_a_platform_that_trains_shows_progress_and_can_be_stopped(visit: Visit) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install -e '.[learners]'")
    page = visit("?scenario=texts")
    under_way = page.get_by_text(re.compile(r"training: [\d,]+ of [\d,]+"))
    # The first training is on when the page opens; it is stopped, and begun again.
    expect(under_way).to_be_visible(timeout=TRAINING)
    picture(page, "training")
    button(page, "Stop").click()
    expect(page.get_by_text("Stopped: the economy is as it was")).to_be_visible()
    button(page, "Reset").click()  # the buttons are new, and know what they make
    expect(page.get_by_text("Stopped: the economy is as it was")).to_have_count(0)
    expect(under_way).to_be_visible(timeout=TRAINING)
    button(page, "▶").click()
    expect(words(page)).to_contain_text(re.compile(r"Epoch [1-9]\."), timeout=TRAINING)


@pytest.mark.once
def test_five_sessions_do_not_see_each_other(visit: Visit) -> None:
    pages = [visit(f"?scenario=baseline&set=seed:{20261121 + k}") for k in range(5)]
    for number, page in enumerate(pages):
        expect(words(page)).to_contain_text("Epoch 0.", timeout=2 * PATIENCE)
        for _ in range(number):
            button(page, "Step").click()
    for number, page in enumerate(pages):
        expect(words(page)).to_contain_text(
            f"Epoch {number}." if number < 4 else "At rest after 4 epochs"
        )
        expect(slider(page, "seed")).to_have_attribute("aria-valuenow", str(20261121 + number))


@pytest.mark.once
def test_a_phone_and_a_dark_page(visit: Visit) -> None:
    page = visit("?scenario=principal", width=375, height=740, dark=True)
    ready(page, 5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    widths = page.evaluate(
        "[...document.querySelectorAll('figure img')].map(i => i.getBoundingClientRect().right)"
    )
    assert max(widths) <= 375
    ground = page.evaluate(
        "getComputedStyle(document.querySelector('.v-application')).backgroundColor"
    )
    assert sum(map(int, re.findall(r"\d+", ground)[:3])) < 150
    expect(button(page, "Step")).not_to_be_in_viewport()
    page.get_by_role("button").first.click()  # the controls, at the foot of the page
    expect(button(page, "Step")).to_be_in_viewport()
    button(page, "Step").click()
    expect(words(page)).to_contain_text("Epoch 1.")
    expect(words(page)).to_be_in_viewport()
    picture(page, "phone")


@pytest.mark.once
def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit("?scenario=baseline")
    ready(page, 5)
    button(page, "Step").focus()
    page.keyboard.press("Enter")
    expect(words(page)).to_contain_text("Epoch 1.")
    button(page, "Reset").focus()
    page.keyboard.press("Space")
    expect(words(page)).to_contain_text("Epoch 0.")

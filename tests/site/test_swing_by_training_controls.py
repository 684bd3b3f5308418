"""The controls of the network that trains in the page, by keyboard and by mouse, and its worker."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browsing import Show, until_answered, until_no_worker
from playwright.sync_api import Browser, Page
from training_cases import CASES, TRAITS

from synthcore.explorers.swing_by_training import SwingByTrainingExplorer

pytestmark = pytest.mark.browser

# ----------------------------------------------------------------------- controls


def drawn(page: Page) -> str:
    """Everything drawn and written; ids of clipped areas are new in every drawing."""
    text: str = page.evaluate("drawn()") + page.locator(".sx-plane").inner_text()
    return re.sub(r"sx-clip-[\w-]+", "clip", text)


def computed(page: Page) -> dict[str, Any]:
    """What is said at the end of a run with the traits as they are, computed without a worker."""
    found: dict[str, Any] = page.evaluate(
        """(traits) => {
            const given = Object.fromEntries(traits.map((name) => [name, model.get(name)]));
            const run = explorer.newRun(given);
            explorer.extend(run, explorer.trainer(given).advance(run.updates));
            return { words: explorer.trainingVerdict(run), table: explorer.comparison(run) };
        }""",
        TRAITS,
    )
    return found


def press(page: Page, name: str, key: str = "Enter") -> None:
    page.get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press(key)


def made(page: Page) -> int:
    return int(page.locator(".sx-count").inner_text().split(" of ")[0].replace("\u202f", ""))


def until_tally(page: Page, text: str) -> None:
    page.locator(".sx-tally", has_text=text).wait_for()


def until_done(page: Page) -> None:
    page.get_by_role("button", name="Train again").wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_settings_by_keyboard_and_mouse(size: str, theme: str, shown: Show) -> None:
    with shown(SwingByTrainingExplorer(), size, theme) as (page, wrong):
        rules(page)
        sliders = page.locator("input[type=range]").all()
        assert len(sliders) == 9
        for slider in sliders:
            slider.focus()
            states = []
            for key in ("Home", "ArrowRight", "End"):
                page.keyboard.press(key)
                states.append(drawn(page))
            box = slider.bounding_box()
            assert box is not None
            for across in (0.3, 0.7):
                slider.click(position={"x": across * box["width"], "y": box["height"] / 2})
                states.append(drawn(page))
            label = slider.evaluate("e => e.closest('label').textContent")
            assert all(a != b for a, b in pairwise(states)), label
            assert str(slider.get_attribute("aria-valuetext")) in label
            assert page.evaluate("overlaps()") == []
        chosen = "['network', 'start', 'batch'].map(model.get).join()"
        groups = page.locator("fieldset").all()
        assert len(groups) == 3
        for group in groups:
            options = group.locator("input[type=radio]").all()
            options[0].check(force=True)
            options[0].focus()
            for option in options[1:]:
                before = page.evaluate(chosen)
                page.keyboard.press("ArrowRight")
                page.evaluate("settled()")
                assert option.is_checked()
                assert page.evaluate(chosen) != before
        assert page.get_by_label("Overlap ρ").is_disabled()  # a random start has none
        rules(page)
    assert wrong == []


def rules(page: Page) -> None:
    """Nothing sticks out, nothing overlaps, everything has a name, no number is missing."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("overlaps()") == []
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.sx input, .sx button, .sx progress')]
            .filter((e) => !e.ariaLabel && !e.textContent && !e.labels.length).length"""
    )
    assert nameless == 0
    for bad in ("NaN", "Infinity", "undefined"):
        assert bad not in drawn(page) + page.locator(".sx").inner_text()


@pytest.mark.parametrize("key", ["Enter", " "])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_train_pause_step_restart_and_seed_by_keyboard(size: str, key: str, shown: Show) -> None:
    with shown(SwingByTrainingExplorer(rate=0.03), size) as (page, wrong):
        assert page.get_by_role("button", name="Restart").is_disabled()
        start = drawn(page)
        press(page, "Train", key)
        page.wait_for_function("document.querySelector('.sx progress').value > 0.1")
        press(page, "Pause", key)
        until_answered(page)
        here, asked = made(page), page.evaluate("asked")
        assert here > 0
        paused = drawn(page)
        page.evaluate("later(300)")
        assert made(page) == here
        assert page.evaluate("asked") == asked
        assert drawn(page) == paused
        press(page, "One update", key)
        page.wait_for_function(
            f"document.querySelector('.sx-count').textContent.startsWith('{here + 1} of')"
        )
        assert drawn(page) != paused
        press(page, "Restart", key)
        assert made(page) == 0
        assert drawn(page) == start
        page.emulate_media(reduced_motion="reduce")  # the rest at one go
        press(page, "Train", key)
        until_done(page)
        rules(page)
        assert page.get_by_role("button", name="One update").is_disabled()
        first = drawn(page)
        assert "in 1 of 1 seed." in page.locator(".sx-tally").inner_text()
        press(page, "Train again", key)
        until_done(page)
        assert drawn(page) == first  # the same seed, the same run
        press(page, "Next seed", key)
        assert page.evaluate("model.get('seed')") == 1
        until_tally(page, "in 2 of 2 seeds.")
        assert drawn(page) != first
        assert "Done:" in page.locator(".sx-verdict").inner_text()
    assert wrong == []


def test_the_page_shows_the_workers_numbers(shown: Show) -> None:
    """In steps or at one go, seen or not: what is drawn at the end is what was computed."""
    with shown(SwingByTrainingExplorer(network="relu", rate=0.05)) as (page, wrong):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        press(page, "Train")
        page.wait_for_function("document.querySelector('.sx progress').value > 0.02")
        assert len(page.workers) == 1
        until_done(page)
        run = computed(page)
        assert page.locator(".sx-verdict").inner_text() == run["words"]
        cells = page.locator(".sx-table tbody tr").all()
        for row, expected in zip(cells, run["table"], strict=True):
            assert row.locator("th, td").all_inner_texts() == expected
        assert [url for url in asked if not url.startswith("blob:")] == []
        page.evaluate("unmount()")
        assert page.locator("#stage").inner_html() == ""
        assert page.evaluate("Object.values(model.handlers).flat().length") == 0
        until_no_worker(page)
    assert wrong == []


def test_a_changed_setting_starts_anew_and_trains_on(shown: Show) -> None:
    with shown(SwingByTrainingExplorer()) as (page, wrong):
        press(page, "Train")
        page.wait_for_function("document.querySelector('.sx progress').value > 0.2")
        page.get_by_label("Overlap ρ").focus()
        page.keyboard.press("Home")
        page.evaluate("settled()")
        early = made(page)
        assert early < 100
        assert page.get_by_role("button", name="Pause").count() == 1
        page.wait_for_function(
            f"parseInt(document.querySelector('.sx-count').textContent) > {early}"
        )
        page.evaluate("model.set('rate', 0.1)")  # as Python would
        until_done(page)
        assert "no swing-by" in page.locator(".sx-verdict").inner_text()
        assert "in 0 of 1 seed." in page.locator(".sx-tally").inner_text()
        page.get_by_label("Signal μ₁").focus()
        page.keyboard.press("ArrowRight")
        page.evaluate("settled()")
        assert made(page) == 0  # it had ended, so the new one waits
        assert page.locator(".sx-tally").inner_text() == ""
    assert wrong == []


def test_without_motion_a_run_is_shown_when_it_is_done(shown: Show) -> None:
    with shown(SwingByTrainingExplorer()) as (page, wrong):
        page.emulate_media(reduced_motion="reduce")
        page.evaluate(
            """() => {
                window.counts = new Set();
                const note = () => counts.add(document.querySelector('.sx-count').textContent);
                const all = { subtree: true, characterData: true, childList: true };
                new MutationObserver(note).observe(document.querySelector('.sx'), all);
            }"""
        )
        press(page, "Train")
        until_done(page)
        counts = page.evaluate("[...counts]")
        assert [count for count in counts if not count.startswith("0 of")] == [
            page.locator(".sx-count").inner_text()
        ]
        press(page, "Next seed")
        until_tally(page, "in 2 of 2 seeds.")
    assert wrong == []


def test_where_a_page_may_have_no_worker_it_trains_all_the_same(shown: Show) -> None:
    with shown(SwingByTrainingExplorer(rate=0.05)) as (page, wrong):
        page.evaluate("() => { window.Worker = class { constructor() { throw new Error(); } }; }")
        press(page, "Train")
        until_done(page)
        assert len(page.workers) == 0
        run = computed(page)
        assert page.locator(".sx-verdict").inner_text() == run["words"]
    assert wrong == []


def test_closed_while_it_trains(shown: Show) -> None:
    with shown(SwingByTrainingExplorer()) as (page, wrong):
        press(page, "Train")
        page.wait_for_function("document.querySelector('.sx progress').value > 0.02")
        page.evaluate("unmount()")
        until_no_worker(page)
        asked = page.evaluate("asked")
        page.evaluate("later(200)")
        assert len(page.workers) == 0
        assert page.evaluate("asked") == asked
        assert page.locator(".sx").count() == 0
    assert wrong == []


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_every_case_keeps_its_labels_apart(name: str, size: str, shown: Show) -> None:
    with shown(SwingByTrainingExplorer(**CASES[name]), size) as (page, wrong):
        page.emulate_media(reduced_motion="reduce")
        rules(page)
        press(page, "Train")
        until_done(page)
        rules(page)
    assert wrong == []


# ------------------------------------------------------------------ the built page


@pytest.mark.parametrize("from_folder", [True, False])
def test_it_trains_in_the_chapter(
    from_folder: bool, site: Path, address: str, browser: Browser
) -> None:
    page = browser.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    base = site.as_uri() + "/" if from_folder else address
    allowed = (base, "blob:", "data:")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{base}notebooks/sim_concept_learning.html")
    explorer = page.locator(".sx-train")
    explorer.scroll_into_view_if_needed()
    explorer.get_by_role("button", name="Train", exact=True).press("Enter")
    page.wait_for_function("document.querySelector('.sx-train progress').value > 0.1")
    assert len(page.workers) == 1
    explorer.get_by_role("button", name="Train again").wait_for()
    assert explorer.locator(".sx-verdict").inner_text().startswith("Done: the loss at x̂ rose by")
    assert [url for url in asked if not url.startswith(allowed)] == []
    assert wrong == []
    page.close()


def test_the_next_seed_trains_from_rest(shown: Show) -> None:
    """With motion the clock has to be started as well: the button is pressed where nothing runs."""
    with shown(SwingByTrainingExplorer(rate=0.05)) as (page, wrong):
        press(page, "Next seed")
        assert page.evaluate("model.get('seed')") == 1
        until_done(page)
    assert wrong == []

"""Every control of every explorer, without a kernel: by mouse and by keyboard, on a desktop and on
a phone, on a light and on a dark page."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page

from synthcore.explorers import Explorer, PhaseExplorer, RetrievalExplorer

pytestmark = pytest.mark.browser
HARNESS = Path(__file__).with_name("harness.html").as_uri()
SIZES = {"desktop": {"width": 1400, "height": 900}, "phone": {"width": 390, "height": 844}}


def phase_explorer() -> PhaseExplorer:
    """Smooth made-up phases: counting symbols early, then bigrams, and retrieval at small N."""
    diversities, contexts = [4, 16, 64, 512], [1, 10, 40, 96]
    steps = [0, *np.unique(np.geomspace(10, 1000, 20).astype(int)).tolist()]
    n = np.log2(diversities)[:, None, None]
    s = np.log10(np.maximum(steps, 3))[None, :, None]
    c = np.log10(contexts)[None, None, :]
    bigram = 1 / (1 + np.exp(-6 * (s - 2) - 2 * (c - 1)))
    retrieval = 1 / (1 + np.exp(2 * (n - 5) - 2 * (s - 2))) + 0 * c
    weights = np.stack(
        [
            (1 - bigram) * retrieval,
            bigram * retrieval,
            (1 - bigram) * (1 - retrieval),
            bigram * (1 - retrieval),
        ],
        -1,
    )
    weights[:, :, 0] = np.nan
    bigram_level = np.broadcast_to(0.1 + 0.3 / np.array(contexts), (4, 4))
    levels = np.broadcast_to(np.array([0.55, 0.7, 0.5, 0.1]), weights.shape)
    kl = 0.5 * (1 - bigram) + bigram * (retrieval * 0.7 + (1 - retrieval) * 0.1)
    return PhaseExplorer(
        diversities,
        steps,
        contexts,
        weights,
        0.5 * (1 - bigram) + 0.02 + 0 * levels[..., 0],
        kl,
        kl_ood_halfwidth=np.full(kl.shape, 0.03),
        references={
            "Uni-Inf": (np.full((4, 4), 0.5), np.full((4, 4), 0.5)),
            "Bi-Inf": (bigram_level, bigram_level),
        },
        cursor=(64, steps[14], 40),
    )


EXPLORERS: dict[str, Callable[[], Explorer]] = {
    "phase": phase_explorer,
    "retrieval": RetrievalExplorer,
}


@contextmanager
def shown(
    browser: Browser, explorer: Explorer, size: str = "desktop", theme: str = "light"
) -> Iterator[tuple[Page, list[str]]]:
    """The explorer on a page, and the growing list of what went wrong there."""
    context = browser.new_context(viewport=SIZES[size])
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: m.type not in ("error", "warning") or wrong.append(m.text))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.goto(HARNESS)
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    state = {
        name: {"base64": b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in explorer.get_state().items()
        if name != "layout"
    }
    page.evaluate("mount", state)
    try:
        yield page, wrong
    finally:
        context.close()


def drawn(page: Page) -> str:
    """Everything drawn and written, but not the controls themselves."""
    page.evaluate("settled()")
    text: str = page.evaluate(
        """() => [...document.querySelectorAll('.sx svg, .sx-bars, .sx-posterior, .sx-ribbon')]
            .map((e) => e.outerHTML).concat(document.querySelector('.sx-verdict').textContent)
            .join('|')"""
    )
    return text


def click_at(page: Page, control: Locator, across: float) -> None:
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + across * box["width"], box["y"] + box["height"] / 2)


def everywhere(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on both explorers, both sizes and both themes."""
    for name, values in (("theme", ["light", "dark"]), ("size", SIZES), ("name", EXPLORERS)):
        test = pytest.mark.parametrize(name, list(values))(test)
    return test


@everywhere
def test_every_slider_moves_the_drawing(name: str, size: str, theme: str, browser: Browser) -> None:
    with shown(browser, EXPLORERS[name](), size, theme) as (page, wrong):
        sliders = page.locator("input[type=range]").all()
        assert len(sliders) == {"phase": 3, "retrieval": 1 + 1 + 9}[name]
        for slider in sliders:
            slider.focus()
            page.keyboard.press("Home")
            states = [drawn(page)]
            for key in ("ArrowRight", "End"):
                page.keyboard.press(key)
                states.append(drawn(page))
            for across in (0.3, 0.7):
                click_at(page, slider, across)
                states.append(drawn(page))
            label = slider.evaluate("e => e.closest('label').textContent")
            assert all(a != b for a, b in pairwise(states)), label
            assert slider.get_attribute("aria-valuetext") in label
    assert wrong == []


@everywhere
def test_every_choice_and_button_changes_the_drawing(
    name: str, size: str, theme: str, browser: Browser
) -> None:
    with shown(browser, EXPLORERS[name](), size, theme) as (page, wrong):
        for group in page.locator("fieldset").all():
            options = group.locator("input[type=radio]").all()
            options[0].focus()
            for i in range(1, len(options)):  # arrow keys move the choice
                before = drawn(page)
                page.keyboard.press("ArrowRight")
                assert options[i].is_checked()
                # "my own" starts from the chain that was there: the drawing may stay
                assert drawn(page) != before or options[i].get_attribute("value") == "edited"
            before = drawn(page)
            click_at(page, options[0], 0.5)
            assert options[0].is_checked()
            assert drawn(page) != before
        for button in page.locator("button").all():
            for press in (button.click, lambda: page.keyboard.press("Enter")):
                if page.locator("input.sx-letters").count() and button.is_disabled():
                    page.get_by_role("button", name="Draw again").click()
                button.focus()
                before = drawn(page)
                press()
                assert drawn(page) != before, button.text_content()
    assert wrong == []


@everywhere
def test_nothing_sticks_out_and_every_control_has_a_name(
    name: str, size: str, theme: str, browser: Browser
) -> None:
    with shown(browser, EXPLORERS[name](), size, theme) as (page, wrong):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('.sx input, .sx button')]
                .filter((e) => !e.ariaLabel && !e.textContent && !e.labels.length).length"""
        )
        assert nameless == 0
        overlaps = page.evaluate(
            """() => [...document.querySelectorAll('.sx svg')].flatMap((svg) => {
                const texts = [...svg.querySelectorAll('text')]
                    .map((e) => [e.textContent, e.getBoundingClientRect()]);
                return texts.flatMap(([a, p], i) => texts.slice(i + 1)
                    .filter(([, q]) => p.left < q.right - 1 && q.left < p.right - 1
                        && p.top < q.bottom - 3 && q.top < p.bottom - 3)
                    .map(([b]) => `${a} / ${b}`));
            })"""
        )
        assert overlaps == []
    assert wrong == []


@pytest.mark.parametrize("name", list(EXPLORERS))
def test_colours_follow_the_page(name: str, browser: Browser) -> None:
    with shown(browser, EXPLORERS[name]()) as (page, wrong):
        paper = "getComputedStyle(document.querySelector('.sx')).backgroundColor"
        light = (page.evaluate(paper), drawn(page))
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        dark = (page.evaluate(paper), drawn(page))
        assert light[0] == "rgb(255, 255, 255)"
        assert dark[0] == "rgb(20, 24, 30)"
        assert name != "phase" or light[1] != dark[1]  # its cells are blended anew
        page.evaluate("delete document.documentElement.dataset.theme")
        page.evaluate("document.body.dataset.jpThemeLight = 'true'")
        page.evaluate("settled()")
        assert page.locator(".sx").get_attribute("data-sx-theme") == "light"
    assert wrong == []


@pytest.mark.parametrize("name", list(EXPLORERS))
def test_a_closed_view_leaves_nothing_behind(name: str, browser: Browser) -> None:
    with shown(browser, EXPLORERS[name]()) as (page, wrong):
        page.evaluate("unmount()")
        assert page.locator("#stage").inner_html() == ""
        assert page.evaluate("Object.values(model.handlers).flat().length") == 0
    assert wrong == []


@pytest.mark.parametrize("name", list(EXPLORERS))
def test_two_on_a_page_do_not_get_in_each_others_way(name: str, browser: Browser) -> None:
    with shown(browser, EXPLORERS[name]()) as (page, wrong):
        drawn(page)
        page.evaluate("mount(state)")  # a second copy of the module
        ids = page.evaluate("[...document.querySelectorAll('.sx [id]')].map((e) => e.id)")
        assert len(ids) == len(set(ids)) > 0
        for explorer in page.locator(".sx").all():
            for group in explorer.locator("fieldset").all():
                assert group.locator("input:checked").count() == 1
    assert wrong == []


# ----------------------------------------------------------------- phase


def cursor(page: Page) -> list[int]:
    page.evaluate("settled()")
    where: list[int] = page.evaluate("model.get('cursor')")
    return where


def test_a_click_on_the_map_moves_the_cursor_there(browser: Browser) -> None:
    explorer = phase_explorer()
    with shown(browser, explorer) as (page, wrong):
        for row, column in ((0, 20), (3, 1), (2, 8)):
            cell = page.locator(".sx-map g[shape-rendering] rect").nth(row * 21 + column)
            box = cell.bounding_box()
            assert box is not None
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            assert cursor(page) == [row, column, 2]
            outputs = page.locator("output").all_text_contents()
            assert outputs[0] == f"{explorer.diversities[row]} chains"
            assert f"N = {explorer.diversities[row]}," in page.locator(".sx-verdict").inner_text()
        page.get_by_role("radio", name="context length").check()
        drawn(page)
        cell = page.locator(".sx-map g[shape-rendering] rect").nth(3 * 21 + 5).bounding_box()
        assert cell is not None
        page.mouse.click(cell["x"] + cell["width"] / 2, cell["y"] + cell["height"] / 2)
        assert cursor(page) == [2, 5, 3]
        assert page.evaluate("model.saved") > 0
    assert wrong == []


def test_the_bars_show_the_weights_at_the_cursor(browser: Browser) -> None:
    explorer = phase_explorer()
    n, s, c = explorer.cursor
    weights = np.frombuffer(explorer.weights, "<f4").reshape(4, 21, 4, 4)[n, s, c]
    with shown(browser, explorer) as (page, wrong):
        values = page.locator(".sx-bar-value").all_text_contents()
        assert values == [f"{round(100 * float(w))} %" for w in weights]
        page.evaluate("model.set('cursor', [0, 3, 0])")  # as Python would
        page.evaluate("settled()")
        assert page.locator(".sx-bar-value").all_text_contents() == ["–"] * 4
        assert "no mixture was fitted" in page.locator(".sx-verdict").inner_text()
        assert page.locator(".sx-map rect[fill^='url']").count() == 4 * 21
    assert wrong == []


# ------------------------------------------------------------- retrieval


@contextmanager
def retrieval(browser: Browser, **arguments: Any) -> Iterator[Page]:
    with shown(browser, RetrievalExplorer(**arguments)) as (page, wrong):
        yield page
    assert wrong == []


def test_letters_can_be_typed_and_wrong_ones_are_explained(browser: Browser) -> None:
    with retrieval(browser) as page:
        field, error = page.get_by_label("Letters"), page.locator("[role=alert]")
        field.fill("abcab")
        drawn(page)
        assert page.locator(".sx-ribbon").inner_text().replace("\n", "") == "ABCAB"
        assert "After 5 symbols" in page.locator(".sx-verdict").inner_text()
        good = drawn(page)
        field.fill("abcabX")
        assert "please remove X" in error.inner_text()
        assert field.get_attribute("aria-invalid") == "true"
        assert drawn(page) == good  # the last good context stays
        field.fill("")
        assert "No context yet" in drawn(page)
        assert not error.is_visible()
        page.get_by_role("button", name="+1", exact=True).click()
        assert "After 1 symbol," in drawn(page)
        field.fill("ABC" * 70)
        assert "At most 200 symbols" in error.inner_text()


def test_context_grows_to_its_limit_and_no_further(browser: Browser) -> None:
    with retrieval(browser, max_length=75) as page:
        ten = page.get_by_role("button", name="+10")
        for _ in range(2):
            ten.click()
            drawn(page)
        assert len(page.get_by_label("Letters").input_value()) == 75
        assert ten.is_disabled()


def test_shuffling_leaves_the_symbol_counter_alone(browser: Browser) -> None:
    with retrieval(browser) as page:
        drawn(page)

        def heights() -> list[str]:
            bars = page.locator("rect[data-bar]")
            return [
                str(h) for h in bars.evaluate_all("es => es.map(e => e.getAttribute('height'))")
            ]

        before = heights()
        page.get_by_role("button", name="Shuffle").click()
        drawn(page)
        after = heights()
        for algorithm, same in ((0, True), (1, False), (2, True), (3, False)):
            pairs = [(float(a), float(b)) for a, b in zip(before, after, strict=True)]
            unchanged = all(abs(a - b) < 1e-6 for a, b in pairs[algorithm::4])
            assert unchanged is same


def test_python_sets_context_and_library(browser: Browser) -> None:
    with retrieval(browser, context="ABCABC") as page:
        assert "After 6 symbols" in drawn(page)
        page.evaluate("model.set('context', 'AB')")
        assert "After 2 symbols" in drawn(page)
        page.evaluate("model.set('chains', 4)")
        assert "of 4 chains" in drawn(page)


def test_new_chain_defeats_retrieval(browser: Browser) -> None:
    with retrieval(browser) as page:
        assert "so looking it up wins" in drawn(page)
        page.get_by_label("a new chain").check()
        assert "counting finds it" in drawn(page)

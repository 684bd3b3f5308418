"""Every control of every explorer, without a kernel: by mouse and by keyboard, on a desktop and on
a phone, on a light and on a dark page."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from browsing import LOOKS, Show
from playwright.sync_api import Locator, Page

from synthcore.explorers.base import Explorer
from synthcore.explorers.lattice import LatticeExplorer
from synthcore.explorers.phase import PhaseExplorer
from synthcore.explorers.retrieval import RetrievalExplorer
from synthcore.explorers.swing_by import SwingByExplorer

pytestmark = pytest.mark.browser


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


def lattice_explorer() -> LatticeExplorer:
    """Four concepts that are learned in order, with noise that breaks the order in places."""
    mu, epochs = np.array([1, 2, 3, 4]), np.array([0, 0.5, 1, 2, 3, 5, 8, 13, 21, 34])
    bits = np.arange(16)[:, None] >> np.arange(4) & 1
    left = mu * np.exp(-epochs[:, None] * (mu**2 + 1) / 16)
    loss = 0.5 * (left[:, None] ** 2 * bits).sum(-1)
    loss = loss * np.exp(0.3 * np.random.default_rng(0).standard_normal(loss.shape)) + 1e-4
    return LatticeExplorer(loss, epochs, mu, np.stack([0.8 * loss, 1.2 * loss], -1), checkpoint=4)


EXPLORERS: dict[str, Callable[[], Explorer]] = {
    "phase": phase_explorer,
    "retrieval": RetrievalExplorer,
    "swing": SwingByExplorer,
    "lattice": lattice_explorer,
}


def drawn(page: Page) -> str:
    """Everything drawn and written, but not the controls themselves."""
    text: str = page.evaluate("drawn()")
    return text


def click_at(page: Page, control: Locator, across: float) -> None:
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + across * box["width"], box["y"] + box["height"] / 2)


def everywhere(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on every explorer, both sizes and both themes."""
    test = pytest.mark.parametrize("look", LOOKS)(test)
    return pytest.mark.parametrize("name", list(EXPLORERS))(test)


@everywhere
def test_every_slider_moves_the_drawing(name: str, look: tuple[str, str], shown: Show) -> None:
    with shown(EXPLORERS[name](), *look) as (page, wrong):
        sliders = page.locator("input[type=range]").all()
        assert len(sliders) == {"phase": 3, "retrieval": 1 + 1 + 9, "swing": 7, "lattice": 1}[name]
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
    name: str, look: tuple[str, str], shown: Show
) -> None:
    with shown(EXPLORERS[name](), *look) as (page, wrong):
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
    name: str, look: tuple[str, str], shown: Show
) -> None:
    with shown(EXPLORERS[name](), *look) as (page, wrong):
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('.sx input, .sx button')]
                .filter((e) => !e.ariaLabel && !e.textContent && !e.labels.length).length"""
        )
        assert nameless == 0
        assert page.evaluate("overlaps()") == []
    assert wrong == []


@pytest.mark.parametrize("name", list(EXPLORERS))
def test_colours_follow_the_page(name: str, shown: Show) -> None:
    with shown(EXPLORERS[name]()) as (page, wrong):
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
def test_a_closed_view_leaves_nothing_behind(name: str, shown: Show) -> None:
    with shown(EXPLORERS[name]()) as (page, wrong):
        page.evaluate("unmount()")
        assert page.locator("#stage").inner_html() == ""
        assert page.evaluate("Object.values(model.handlers).flat().length") == 0
    assert wrong == []


@pytest.mark.parametrize("name", list(EXPLORERS))
def test_two_on_a_page_do_not_get_in_each_others_way(name: str, shown: Show) -> None:
    with shown(EXPLORERS[name]()) as (page, wrong):
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


def test_a_click_on_the_map_moves_the_cursor_there(shown: Show) -> None:
    explorer = phase_explorer()
    with shown(explorer) as (page, wrong):
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


def test_the_bars_show_the_weights_at_the_cursor(shown: Show) -> None:
    explorer = phase_explorer()
    n, s, c = explorer.cursor
    weights = np.frombuffer(explorer.weights, "<f4").reshape(4, 21, 4, 4)[n, s, c]
    with shown(explorer) as (page, wrong):
        values = page.locator(".sx-bar-value").all_text_contents()
        assert values == [f"{round(100 * float(w))} %" for w in weights]
        page.evaluate("model.set('cursor', [0, 3, 0])")  # as Python would
        page.evaluate("settled()")
        assert page.locator(".sx-bar-value").all_text_contents() == ["–"] * 4
        assert "no mixture was fitted" in page.locator(".sx-verdict").inner_text()
        assert page.locator(".sx-map rect[fill^='url']").count() == 4 * 21
    assert wrong == []

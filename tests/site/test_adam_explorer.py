"""The Adam explorer: its mathematics against Python, and its controls by mouse and keyboard."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import Run, state_of
from playwright.sync_api import Browser, Page

from synthcore.explorers.adam import AdamExplorer
from synthcore.explorers.base import Explorer
from synthcore.studies.adam_continuous_time import measure
from synthcore.studies.adam_continuous_time.theory import bounds, layers

pytestmark = pytest.mark.browser
HARNESS = Path(__file__).with_name("harness.html").as_uri()
SIZES = {"desktop": {"width": 1400, "height": 900}, "phone": {"width": 390, "height": 844}}
PAIRS = [(0.9, 0.999), (0.5, 0.3), (0.9, 0.5), (0.95, 0.95), (0.99, 0.95), (0.1, 0.9999)]


@pytest.fixture(scope="module")
def adam(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(AdamExplorer())


@pytest.mark.parametrize(("beta", "gamma"), PAIRS)
def test_bounds_and_rates(adam: Run, beta: float, gamma: float) -> None:
    for n in (1, 2, 17, 200):
        names = {"beta": beta, "gamma": gamma, "n": n}
        exact = adam("$.exactBound(beta, gamma, n)", **names)
        assert exact == pytest.approx(float(bounds.exact_bound(beta, gamma, n)), rel=1e-10)
        continuous = adam("$.continuousBound(beta, gamma, n)", **names)
        expected = float(bounds.continuous_bound(beta, gamma, n))
        assert continuous == pytest.approx(expected, rel=1e-10)
    pair = {"beta": beta, "gamma": gamma}
    assert adam("$.exponent(beta, gamma)", **pair) == pytest.approx(
        float(bounds.exponent(beta, gamma)), rel=1e-10, abs=1e-12
    )
    assert adam("$.exactRate(beta, gamma)", **pair) == pytest.approx(
        float(bounds.exact_rate(beta, gamma)), rel=1e-10
    )
    assert adam("$.region(beta, gamma)", **pair) == bounds.region(beta, gamma)
    limit = adam("String($.exactLimit(beta, gamma))", **pair)
    expected = float(bounds.exact_limit(beta, gamma))
    assert float(limit.replace("Infinity", "inf")) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kind", ["dense", "sparse", "dying", "worst"])
def test_simulation_is_adam(adam: Run, kind: str) -> None:
    beta, gamma = 0.95, 0.8
    g = adam("$.gradients(kind, 200, 0.1, beta, gamma, 3)", kind=kind, beta=beta, gamma=gamma)
    u = adam("$.simulate(beta, gamma, g)", beta=beta, gamma=gamma, g=g)
    found = measure.updates(np.array(g)[:, None, None], np.array([beta]), np.array([gamma]))
    expected = [abs(float(x[0, 0])) for x in found]
    np.testing.assert_allclose(u, expected, rtol=1e-10, atol=1e-300)
    bound = bounds.exact_bound(beta, gamma, np.arange(1, 201))
    assert (np.array(u) <= bound * (1 + 1e-9)).all()
    if kind == "worst":
        np.testing.assert_allclose(u, bound, rtol=1e-9)


def test_streams_have_the_right_law(adam: Run) -> None:
    call = "$.gradients(kind, 20000, 0.1, 0.9, 0.99, 5)"
    dense = np.array(adam(call, kind="dense"))
    assert dense.mean() == pytest.approx(0, abs=0.03)
    assert dense.std() == pytest.approx(1, abs=0.03)
    assert np.mean(np.array(adam(call, kind="sparse")) != 0) == pytest.approx(0.1, abs=0.01)
    assert (np.array(adam(call, kind="dying"))[20:] == 0).all()


def test_calculator(adam: Run) -> None:
    found = adam("$.effectiveRate(0.001, 0.1, 0.9, 4096)")
    expected = layers.effective_rate(0.001, 0.1, 0.9, 4096)
    assert found["angle"] == pytest.approx(expected.angular_step)
    for name in ("norm", "relaxation", "memory"):
        assert found[name] == pytest.approx(getattr(expected, name))


@contextmanager
def shown(
    browser: Browser, size: str = "desktop", theme: str = "light", **traits: Any
) -> Iterator[Page]:
    """The explorer on a page on which nothing may go wrong."""
    context = browser.new_context(viewport=SIZES[size])  # type: ignore[arg-type]
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: m.type not in ("error", "warning") or wrong.append(m.text))
    page.goto(HARNESS)
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    page.evaluate("mount", state_of(AdamExplorer(**traits)))
    page.evaluate("settled()")
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def drawn(page: Page) -> str:
    page.evaluate("settled()")
    text: str = page.evaluate(
        """() => [...document.querySelectorAll('.sx svg, .sx-verdict, .sx-result')]
            .map((e) => e.outerHTML).join('|')"""
    )
    return text


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_control_moves_the_drawing(size: str, theme: str, browser: Browser) -> None:
    with shown(browser, size, theme) as page:
        sliders = page.locator("input[type=range]").all()
        assert len(sliders) == 7
        for slider in sliders:
            slider.focus()
            page.keyboard.press("Home")
            before = drawn(page)
            page.keyboard.press("End")
            assert drawn(page) != before
            box = slider.bounding_box()
            assert box is not None
            before = drawn(page)
            slider.click(position={"x": box["width"] * 0.4, "y": box["height"] / 2})
            assert drawn(page) != before
        options = page.locator("input[type=radio]").all()
        options[0].check(force=True)
        options[0].focus()
        for option in options[1:]:
            before = drawn(page)
            page.keyboard.press("ArrowRight")
            assert option.is_checked()
            assert drawn(page) != before
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('.sx input')]
                .filter((e) => !e.ariaLabel && !e.labels.length).length"""
        )
        assert nameless == 0


def test_the_point_can_be_dragged(browser: Browser) -> None:
    with shown(browser, beta=0.9, gamma=0.999) as page:
        assert "Stable" in page.locator(".sx-verdict").inner_text()
        hit = page.locator(".sx-host-square .sx-hit")
        hit.scroll_into_view_if_needed()
        box = hit.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
        page.mouse.down()
        for step in range(1, 6):
            across = 0.2 + 0.12 * step
            page.mouse.move(box["x"] + across * box["width"], box["y"] + across * box["height"])
            page.evaluate("settled()")
        page.mouse.up()
        beta, gamma = page.evaluate("[model.get('beta'), model.get('gamma')]")
        low, high = 0.045, 4.0
        memory = low + 0.8 * (high - low)
        assert beta == pytest.approx(1 - 10**-memory, rel=1e-3)
        assert -math.log10(1 - gamma) == pytest.approx(low + 0.2 * (high - low), abs=0.05)
        assert "Unstable" in page.locator(".sx-verdict").inner_text()
        assert page.evaluate("model.saved") > 0


def test_words_follow_the_region_and_python(browser: Browser) -> None:
    with shown(browser, beta=0.5, gamma=0.3) as page:
        words = page.locator(".sx-verdict").inner_text()
        assert "In the wedge" in words
        assert f"{float(bounds.exact_limit(0.5, 0.3)):.2f}" in words
        page.evaluate("model.set('gamma', 0.999)")  # as Python would
        page.evaluate("settled()")
        assert "Stable" in page.locator(".sx-verdict").inner_text()
        angle = layers.effective_rate(1e-3, 0.1, 0.9, 4096).angular_step
        assert f"{angle:.5f}" in page.locator(".sx-result").inner_text()


def test_a_closed_view_leaves_nothing_behind(browser: Browser) -> None:
    with shown(browser) as page:
        page.evaluate("unmount()")
        assert page.locator("#stage").inner_html() == ""
        assert page.evaluate("Object.values(model.handlers).flat().length") == 0


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"beta must be between 0.1 and 0.9999 \(got 1\)"):
        AdamExplorer(beta=1.0)
    with pytest.raises(ValueError, match="decay must be between"):
        AdamExplorer(decay=0.0)

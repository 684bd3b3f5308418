"""The concept-path explorer: toy dynamics against Python; pictures, path and controls."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import Run, Show

from synthcore.explorers.base import Explorer
from synthcore.explorers.concept_path import ConceptPathExplorer
from synthcore.studies.concept_space.theory import toy_path

pytestmark = pytest.mark.browser
CONTRASTS = [0.2, 0.4, 0.8]
STEPS = [round(k**2) for k in range(0, 40, 3)]
UNIT = 30.0
TOYS = [[0.4, 12.0], [1.0, 20.0], [2.5, 30.0]]


def explorer(**changes: Any) -> ConceptPathExplorer:
    """Toy paths as if they had been measured; every picture has a colour of its own."""
    target = np.stack([toy_path(np.array(STEPS) / UNIT, a, t) for a, t in TOYS])
    rest = np.linspace(0.5, 0, len(STEPS))[:, None]
    corners = np.array([[0, 0], [0, 1], [1, 0]])
    trained = corners[:, None] + rest * np.where(corners, -1, 1)[:, None]
    paths = np.stack([np.concatenate([trained, one[None]]).swapaxes(0, 1) for one in target])
    paths[:, 0] = np.nan  # no discs yet
    shape = (len(CONTRASTS), len(STEPS), 8, 8, 8, 3)
    shades = np.arange(np.prod(shape[:3])).reshape(*shape[:3], 1, 1, 1) % 251
    arguments: dict[str, Any] = {
        "contrasts": CONTRASTS,
        "steps": STEPS,
        "paths": paths,
        "pictures": np.broadcast_to(shades, shape).astype(np.uint8),
        "converged": [STEPS[5], STEPS[6], np.nan],
        "toys": TOYS,
        "unit": UNIT,
        "contrast": 0,
        "step": 6,
    }
    return ConceptPathExplorer(**{**arguments, **changes})


@pytest.fixture(scope="module")
def loaded(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(explorer())


@pytest.mark.parametrize("a", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("t0", [0.0, 10.0, 60.0])
def test_the_toy_is_the_closed_form(loaded: Run, a: float, t0: float) -> None:
    times = np.linspace(0, 120, 50)
    found = np.array(loaded("$.toyPath(times, a, t0)", times=times.tolist(), a=a, t0=t0))
    np.testing.assert_allclose(found, toy_path(times, a, t0), atol=1e-5)


def test_distance_leaves_out_what_is_missing(loaded: Run) -> None:
    found = loaded("$.pathDistance([[NaN, 0], [0, 0], [1, 1]], [[0, 0], [3, 4], [1, 1]])")
    assert found == 2.5


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer(step=3))


def test_a_path_that_is_a_toy_lies_on_it(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        words = page.locator(".sx-verdict")
        assert "Contrast of colour 0.2, step 324" in words.inner_text()
        assert f"have arrived at step {STEPS[5]}" in words.inner_text()
        assert "stays 0.00 away" in words.inner_text()
        assert page.get_by_role("button", name="Fitted toy").is_disabled()
        assert page.locator(".sx-star").count() == 1
        page.get_by_label("Toy: colour against size, a").press("End")
        page.evaluate("settled()")
        assert page.evaluate("model.get('strength')") == pytest.approx(5)
        assert "stays 0.00 away" not in words.inner_text()
        page.get_by_role("button", name="Fitted toy").press("Enter")
        page.evaluate("settled()")
        assert "stays 0.00 away" in words.inner_text()
        page.get_by_label("Contrast of colour").press("End")
        page.evaluate("settled()")
        assert "do not all arrive" in words.inner_text()
        assert page.locator(".sx-star").count() == 0
    assert wrong == []


def test_mouse_and_keyboard_move_the_same_step(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        picture = page.locator(".sx-pixels").first
        before = picture.get_attribute("href")
        assert page.locator(".sx-pixels").count() == 8
        page.get_by_role("slider", name="Training step").press("ArrowRight")
        page.evaluate("settled()")
        assert page.evaluate("model.get('step')") == 7
        assert picture.get_attribute("href") != before
        chart = page.locator(".sx-hit").nth(1).bounding_box()
        assert chart is not None
        page.mouse.click(chart["x"] + 0.5 * chart["width"], chart["y"] + 20)
        page.evaluate("settled()")
        assert page.evaluate("model.get('step')") == pytest.approx(6.5, abs=0.6)
        square = page.locator(".sx-hit").first.bounding_box()
        assert square is not None
        page.mouse.click(square["x"] + 0.97 * square["width"], square["y"] + 5)
        page.evaluate("settled()")
        assert page.evaluate("model.get('step')") == len(STEPS) - 1
        page.get_by_role("slider", name="Training step").press("Home")
        page.evaluate("settled()")
        assert "nothing that can be read as a disc" in page.locator(".sx-verdict").inner_text()
        assert page.locator(".sx-here").count() == 0
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("model.get('step') >= 3")
        page.get_by_role("button", name="Pause").click()
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contrasts": [0.4, 0.2, 0.8]}, "contrasts must be two or more rising"),
        ({"paths": np.zeros((3, 2, 4, 2))}, "paths must have shape"),
        ({"pictures": np.zeros((3, len(STEPS), 8, 8, 8, 3))}, "pictures must be uint8"),
        ({"toys": [[0.0, 1.0]] * 3}, "must be positive"),
        ({"converged": [1.0]}, "converged must have shape"),
        ({"contrast": 3}, "contrast must be an index below 3"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer(**change)

"""The collapse explorer: residuals against Python; controls."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import Run, Show

from synthcore.explorers.base import Explorer
from synthcore.explorers.collapse import CollapseExplorer, Curves
from synthcore.studies.percolation.measure.scaling import collapse, grows

pytestmark = pytest.mark.browser
TIMES = np.geomspace(10, 1e5, 30)
SIZES = (100, 200, 400)


def made_up(exponent: float, floor: float = 0.0) -> np.ndarray:
    scale = 50 * np.array(SIZES)[:, None] ** exponent
    return floor + (1 - floor) * TIMES / (TIMES + scale)


def explorer(**changes: Any) -> CollapseExplorer:
    metrics = [
        Curves("check", SIZES, TIMES, made_up(0.5, 0.25), 0.25, interval=(0.4, 0.6)),
        Curves("task", SIZES, TIMES * np.ones((3, 1)), made_up(1.5)),
        Curves("flat", SIZES, TIMES, np.full((3, 30), 0.25), 0.25),
    ]
    return CollapseExplorer(**{"metrics": metrics, **changes})


@pytest.fixture(scope="module")
def loaded(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(explorer())


@pytest.mark.parametrize(("metric", "exponent", "floor"), [(0, 0.5, 0.25), (1, 1.5, 0.0)])
def test_residuals_are_those_of_python(
    shown: Show, metric: int, exponent: float, floor: float
) -> None:
    expected = collapse(TIMES, made_up(exponent, floor), list(SIZES), floor)
    with shown(explorer(metric=metric)) as (page, wrong):
        found = page.evaluate(f"explorer.scan(explorer.readMetrics(model)[{metric}])")
        nus = page.evaluate("explorer.NUS")
        for nu, value in zip(nus, found["residuals"], strict=True):
            assert value == pytest.approx(expected.at(nu), rel=1e-3, abs=1e-6)
        assert found["best"] == pytest.approx(exponent)
    assert wrong == []


def test_interpolation_is_constant_beyond_the_ends(loaded: Run) -> None:
    for x, y in ((-1, 3), (0, 3), (0.5, 4), (1, 5), (2.5, 2), (9, 2)):
        assert loaded("$.interpolate(x, [0, 1, 2], [3, 5, 2])", x=x) == pytest.approx(
            np.interp(x, [0, 1, 2], [3, 5, 2])
        ), y


@pytest.mark.parametrize("draw", range(8))
def test_of_noise_there_is_nothing_to_estimate(loaded: Run, draw: int) -> None:
    """As in Python: a flat curve with noise does not grow, and one that rises out of it does."""
    noise = np.random.default_rng(draw).normal(0.25, 0.03, 30)
    for values in (noise, noise + np.linspace(0, 0.5, 30)):
        found = loaded("$.grows(values, 0.25)", values=values.tolist())
        assert found == grows(values, 0.25)
    flat = {"rows": [{"values": noise.tolist()}] * 2, "floor": 0.25}
    assert loaded("$.growthPart(flat)", flat=flat) is None


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer(metrics=explorer_metrics()))


def explorer_metrics() -> list[Curves]:
    return [
        Curves("check", SIZES, TIMES, made_up(0.5, 0.25), 0.25, interval=(0.4, 0.6)),
        Curves("task", SIZES, TIMES, made_up(1.5)),
    ]


def test_mouse_keyboard_and_button_move_the_same_exponent(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        assert "closest at ν = 0.50" in page.locator(".sx-verdict").inner_text()
        page.get_by_role("button", name="Best exponent").click()
        page.evaluate("settled()")
        assert page.evaluate("model.get('exponent')") == 0.5
        assert "as well as they can" in page.locator(".sx-verdict").inner_text()
        assert "0.40 to 0.60" in page.locator(".sx-verdict").inner_text()
        page.get_by_label("Exponent ν").press("ArrowRight")
        page.evaluate("settled()")
        assert page.evaluate("model.get('exponent')") == 0.55
        page.get_by_label("Metric").select_option("1")
        page.evaluate("settled()")
        chart = page.locator(".sx-hit").bounding_box()
        assert chart is not None
        page.mouse.click(chart["x"] + 0.625 * chart["width"], chart["y"] + 50)
        page.evaluate("settled()")
        assert page.evaluate("model.get('exponent')") == pytest.approx(1.5, abs=0.051)
        page.get_by_label("Metric").select_option("2")
        page.evaluate("settled()")
        assert "nothing to collapse" in page.locator(".sx-verdict").inner_text()
        assert page.get_by_role("button", name="Best exponent").is_disabled()
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": []}, "at least one metric"),
        ({"metric": 3}, "index below 3"),
        ({"exponent": 4.0}, "between -1 and 3"),
        ({"metrics": [Curves("a", (3, 2), TIMES, made_up(0)[:2])]}, "rising numbers"),
        ({"metrics": [Curves("a", SIZES, -TIMES, made_up(0))]}, "rising positive"),
        ({"metrics": [Curves("a", SIZES, TIMES, made_up(0)[:2])]}, "must have shape"),
    ],
)
def test_wrong_curves_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer(**change)

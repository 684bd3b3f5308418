"""The unwrap explorer: judgements and entropy against Python; controls; arrays that are refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from browsing import Run, Show
from scipy.stats import entropy

from synthcore.explorers.base import MAX_BYTES, Explorer
from synthcore.explorers.unwrap import UnwrapExplorer

pytestmark = pytest.mark.browser
DELETED = [0, 1, 2, 3, 5, 8, 10, 12, 15, 18, 20]
WINDOWS = [
    "abcabbaaccbb",
    "bbbbbbaccccc",
    "aaaabbccbbcc",
    "abababcccccc",
    "cabcabcabbca",
    "aabbbccccccc",
]


def made_up() -> dict[str, Any]:
    """Nothing to unwrap, half of it, and a wrapper that comes off one text at a time."""
    c, k = 3, len(DELETED)
    truth = np.array([0.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0])
    off = np.linspace(0, 1, k)
    old = np.stack([np.full(k, 0.1), 0.5 * off, off])
    shifted = np.roll(truth, 1)
    counts = np.stack([[o * truth + (1 - o) * shifted for o in row] for row in old])
    right = np.array([w.count("a") for w in WINDOWS])
    said = np.empty((c, k, len(WINDOWS)), dtype=int)
    for i in range(k):
        fixed = np.arange(len(WINDOWS)) < i
        said[2, i] = np.where(fixed, right, right + 1)
        said[1, i] = np.where(fixed & (right % 2 == 0), right, right + 1)
        said[0, i] = (i + right) % 7
    control = np.full((c, 3), 0.02)
    control[0] = np.nan
    return {
        "conditions": ["C_Tr = 0", "C_Tr = 0.8", "C_Tr = 1"],
        "deleted": DELETED,
        "old": old,
        "new": 1 - 0.9 * old,
        "counts": counts,
        "truth": truth,
        "windows": WINDOWS,
        "said": said,
        "control": control,
        "control_at": [5, 10, 15],
        "condition": 2,
    }


def explorer(**changes: Any) -> UnwrapExplorer:
    return UnwrapExplorer(**{**made_up(), **changes})


@pytest.fixture(scope="module")
def unwrap(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(explorer())


def test_answers_are_judged_as_in_python(unwrap: Run) -> None:
    for window in WINDOWS:
        truth = window.count("a")
        for said in range(9):
            expected = {truth: "right", truth + 1: "more"}.get(said, "other")
            assert unwrap("$.judgeCount(window, said)", window=window, said=said) == expected


def test_entropy_is_that_of_scipy(unwrap: Run) -> None:
    for shares in ([1.0], [0.5, 0.5], [0.2, 0.3, 0.1]):
        whole = [*shares, max(0.0, 1 - sum(shares))]
        found = unwrap("$.entropyBits(shares)", shares=shares)
        assert found == pytest.approx(entropy(whole, base=2), abs=1e-12)


def test_arrays_cross_unchanged(shown: Show) -> None:
    given = made_up()
    with shown(explorer()) as (page, wrong):
        for c in range(3):
            for name in ("old", "new"):
                found = page.evaluate(
                    "([name, c]) => explorer.unwrapData(model)[name](c)", [name, c]
                )
                np.testing.assert_allclose(found, given[name][c], rtol=1e-6)
            control = page.evaluate("(c) => explorer.unwrapData(model).control(c)", c)
            assert len(control) == (0 if c == 0 else 3)
            for k in range(len(DELETED)):
                found = page.evaluate("([c, k]) => explorer.unwrapData(model).counts(c, k)", [c, k])
                np.testing.assert_allclose(found, given["counts"][c, k], rtol=1e-6)
    assert wrong == []


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_examples_flip_while_the_slider_moves(shown: Show) -> None:
    """By keyboard and by mouse: of six answers "a + 1" one more is right at every step."""
    with shown(explorer()) as (page, wrong):
        slider = page.get_by_label("Deleted neurons K")
        slider.focus()
        for step in range(7):
            assert page.locator("[data-verdict='right']").count() == step
            assert page.locator("[data-verdict='more']").count() == 6 - step
            page.keyboard.press("ArrowRight")
            page.evaluate("settled()")
        assert "6 are right and 0 one too many" in page.locator(".sx-verdict").inner_text()
        box = page.locator(".sx-hit").first.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
        page.evaluate("settled()")
        assert page.evaluate("model.get('place')") == 0
        page.get_by_label("C_Tr = 0.8").check(force=True)
        page.evaluate("settled()")
        assert page.locator(".sx-verdict").inner_text().startswith("C_Tr = 0.8.")
        assert page.locator(".sx-cross").count() == 3
        page.get_by_label("C_Tr = 0", exact=True).check(force=True)
        page.evaluate("settled()")
        assert page.locator(".sx-cross").count() == 0
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deleted": [1, *DELETED[1:]]}, "rise from 0"),
        ({"old": np.zeros((2, 2))}, r"old must have shape \(3, 11\)"),
        ({"new": np.full((3, 11), 1.5)}, "new must lie between 0 and 1"),
        ({"said": np.zeros((3, 11, 2))}, r"said must have shape \(3, 11, 6\)"),
        ({"control_at": [4]}, "control_at must be among deleted"),
        ({"condition": 3}, "condition must be an index below 3"),
        ({"windows": ["abx"] * 6}, "a, b and c"),
        ({"counts": np.zeros((3, 11, 5))}, "counts must have shape"),
    ],
)
def test_wrong_arrays_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer(**change)


def test_a_run_fits() -> None:
    assert explorer().data_bytes < MAX_BYTES / 50

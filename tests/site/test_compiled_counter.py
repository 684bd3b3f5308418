"""The compiled transformer in the browser against the one in torch; typing; what is refused."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Show

from synthcore.compiled import CompiledTransformer, Sharpness, counter, perturb
from synthcore.explorers.compiled_counter import CompiledCounterExplorer, fits
from synthcore.nn.hooks import record

pytestmark = pytest.mark.browser
SLOTS, STRINGS = 15, ("abacbadfgabcbia", "bb", "abc", "aaaaaaaaaaaaaaa", "hgfedcba")


def networks() -> dict[str, CompiledTransformer]:
    """A counter of a, one of b, and a perturbed one whose attention is spread."""
    soft = counter(SLOTS, sharpness=Sharpness(10, 100, True))
    perturb(soft, 0.05, [0])
    return {"counts a": counter(SLOTS), "counts b": counter(SLOTS, letter=1), "noisy": soft}


def weights(model: CompiledTransformer) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in model.state_dict().items()}


def explorer(**changes: Any) -> CompiledCounterExplorer:
    given = {
        "networks": {name: weights(model) for name, model in networks().items()},
        "out": next(iter(networks().values())).shape.spaces["out"],
        "counted": {"counts a": "a", "counts b": "b", "noisy": "a"},
        "string": "abacbadfgabcbia",
    }
    return CompiledCounterExplorer(**{**given, **changes})


def test_the_browser_computes_the_same_network(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        for n, model in enumerate(networks().values()):
            for string in STRINGS:
                line = model.shape.encode(torch.tensor([[ord(c) - 97 for c in string]]))[None]
                names = [f"blocks.{b}.attn.hook_pattern" for b in range(3)]
                with record(model.double(), names) as seen, torch.no_grad():
                    out = model(line)[0, 0]
                found = page.evaluate(
                    """([n, string]) => { const data = explorer.counterData(model);
                    return explorer.compiledForward(data, n, explorer.tokensOf(data, string)); }""",
                    [n, string],
                )
                np.testing.assert_allclose(found["out"], out.numpy(), atol=2e-3)
                for b, name in enumerate(names):
                    expected = seen[name][0, 0].numpy()
                    np.testing.assert_allclose(found["patterns"][b], expected, atol=1e-4)
    assert wrong == []


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_typing_counts(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        verdict, field = page.locator(".sx-verdict"), page.get_by_label("String")
        assert "answers 5, which is right" in verdict.inner_text()
        field.fill("AABBA")  # capitals are read too
        page.evaluate("settled()")
        assert page.evaluate("model.get('string')") == "aabba"
        assert "answers 3, which is right" in verdict.inner_text()
        page.get_by_label("counts b").check(force=True)
        page.evaluate("settled()")
        assert "count b, answers 2 (a: 3, b: 2), which is right" in verdict.inner_text()
        slider = page.get_by_label("Row shown")
        slider.focus()
        page.keyboard.press("Home")
        page.evaluate("settled()")
        assert "the begin symbol" in str(slider.get_attribute("aria-valuetext"))
        box = page.locator(".sx-hit").nth(1).bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + 60, box["y"] + box["height"] - 3)
        page.evaluate("settled()")
        assert page.evaluate("model.get('place')") == 5
        assert "the 5th letter, a" in verdict.inner_text()
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("abz", "“z” is not one of the letters a to i"),
        ("ab1", "“1” is not"),
        ("a" * 16, "At most 15 letters fit; these are 16"),
        ("a", "At least two letters"),
    ],
)
def test_strings_that_do_not_fit_are_refused_in_a_sentence(
    text: str, complaint: str, shown: Show
) -> None:
    with shown(explorer()) as (page, wrong):
        field = page.get_by_label("String")
        field.fill(text)
        page.evaluate("settled()")
        assert complaint in page.locator(".sx-error").inner_text()
        assert field.get_attribute("aria-invalid") == "true"
        assert page.evaluate("model.get('string')") == "abacbadfgabcbia"  # what is shown stays
        field.fill("abb")
        page.evaluate("settled()")
        assert page.locator(".sx-error").inner_text() == ""
        assert field.get_attribute("aria-invalid") is None
        assert page.evaluate("model.get('string')") == "abb"
    assert wrong == []


def test_a_new_string_takes_the_place_of_what_cannot_be_read(shown: Show) -> None:
    """Also where it is the string that was there: then nothing is drawn anew."""
    with shown(explorer()) as (page, wrong):
        page.evaluate("() => { Math.random = () => 0; }")
        field, button = page.get_by_label("String"), page.get_by_role("button", name="New string")
        for _ in range(2):
            field.fill("ab1")
            assert field.get_attribute("aria-invalid") == "true"
            button.press("Enter")
            page.evaluate("settled()")
            assert field.input_value() == page.evaluate("model.get('string')") == "a" * SLOTS
            assert page.locator(".sx-error").inner_text() == ""
            assert field.get_attribute("aria-invalid") is None
    assert wrong == []


@pytest.mark.parametrize(("slots", "fit"), [(SLOTS, True), (48, False)])
def test_what_fits_is_known_before(slots: int, fit: bool) -> None:
    model = counter(slots)
    given = {
        "networks": {name: weights(model) for name in "xyz"},
        "out": model.shape.spaces["out"],
        "counted": dict.fromkeys("xyz", "a"),
    }
    assert fits(given["networks"]) == fit
    with nullcontext() if fit else pytest.raises(ValueError, match="must stay below 400 kB"):
        explorer(**given)


def changed(name: str, value: Any) -> dict[str, Any]:
    networks_given = {"counts a": weights(counter(SLOTS))}
    networks_given["counts a"][name] = value
    return {"networks": networks_given}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": {}}, "at least one network"),
        ({"string": "abz"}, "2 to 15 letters of abcdefghi"),
        ({"string": "a" * 16}, "2 to 15 letters"),
        ({"counted": {"counts a": "a"}}, "counted must name a letter for network 'counts b'"),
        ({"out": slice(60, 70)}, "slice of the 62 coordinates"),
        (changed("blocks.1.up.bias", np.zeros(3)), r"blocks.1.up.bias .* shape \(32,\)"),
        (changed("pos_embed", np.full((16, 62), np.nan)), "must be finite"),
        ({"networks": {"x": {"pos_embed": np.zeros((3, 3))}}}, "lacks 'embed.weight'"),
        ({"alphabet": "aab"}, "distinct letters"),
    ],
)
def test_wrong_arrays_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer(**change)

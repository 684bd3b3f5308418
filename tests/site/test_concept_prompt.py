"""The concept-prompt explorer: network, sampler and decoder against Python; controls."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from browsing import Run, Show
from scipy.stats import norm

from synthcore.diffusion import Diffusion
from synthcore.explorers.base import MAX_BYTES, Explorer
from synthcore.explorers.concept_prompt import BITS, ConceptPromptExplorer, quantised
from synthcore.nn.conditioned import ConditionedMLP, ConditionedMLPConfig
from synthcore.studies.concept_space.decoder import decode
from synthcore.studies.concept_space.model import denoiser, generate, seeded
from synthcore.studies.concept_space.scenes import Scene, render
from synthcore.studies.concept_space.shown import browser_network
from synthcore.studies.concept_space.task import RADIUS, RGB, TARGET, TRAINED, World

pytestmark = pytest.mark.browser
SAMPLING = 6
GAMMAS = np.linspace(10, -5, SAMPLING + 1).tolist()
STEPS = [0, 10, 40, 90, 160, 250]
AMOUNTS = np.round(np.linspace(0.05, 0.95, 10), 2).tolist()


def diffusion(seed: int, width: int = 24) -> Diffusion:
    net = ConditionedMLP(ConditionedMLPConfig(192, 11, width, 2), [seed])
    with torch.no_grad():
        for weight in net.parameters():
            weight *= 2  # so that prompts and noise matter
    return denoiser(net, 1, "image")


def networks() -> dict[int, dict[str, np.ndarray]]:
    return {step: browser_network(diffusion(step).state_dict(), SAMPLING) for step in (10, 90, 250)}


def explorer(**changes: Any) -> ConceptPromptExplorer:
    ramp = np.outer(np.linspace(0, 1, len(STEPS)), np.linspace(1, 0, len(AMOUNTS)))
    arguments: dict[str, Any] = {
        "networks": networks(),
        "gammas": GAMMAS,
        "accuracy": ramp,
        "steps": STEPS,
        "amounts": AMOUNTS,
        "contrast": 0.8,
        "amount": 0.3,
    }
    return ConceptPromptExplorer(**{**arguments, **changes})


def carried(network: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the browser gets of a network: matrices in `BITS` bits, vectors in halves."""
    out = {}
    for name, array in network.items():
        if array.ndim == 1:
            out[name] = array.astype(np.float16).astype(float)
        else:
            numbers, scales = quantised(array)
            out[name] = numbers * scales.astype(float)
    return out


def drawn(net: dict[str, np.ndarray], told: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The deterministic sampler with a network of named arrays, in numpy."""

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * norm.cdf(x)

    z = noise.astype(float)
    for t in range(SAMPLING):
        (a, s), (a2, s2) = (
            (math.sqrt(1 / (1 + math.exp(g))), math.sqrt(1 / (1 + math.exp(-g))))
            for g in GAMMAS[t : t + 2]
        )
        h = z @ net["enter"] + net["enter_bias"]
        for b in range(2):
            hidden = gelu(told @ net[f"blocks.{b}.first"] + net[f"blocks.{b}.first_bias"])
            shift = gelu(hidden @ net[f"blocks.{b}.second"] + net[f"blocks.{b}.second_bias"])
            shift = shift + net[f"blocks.{b}.time"][t] + net[f"blocks.{b}.bias"]
            h = h + np.maximum(h @ net[f"blocks.{b}.mix"] + shift, 0)
        image = (h @ net["leave"] + net["leave_bias"]).clip(-1, 1)
        z = a2 * image + s2 * (z - a * image) / s
    return (image + 1) / 2


@pytest.fixture(scope="module")
def loaded(module_of: Callable[[Explorer], Run]) -> Run:
    return module_of(explorer())


def test_named_arrays_are_the_trained_network() -> None:
    model = diffusion(3)
    told = np.array([0.4, 0.35, 0.65, 0.3])
    prompt = torch.zeros(1, 1, 11)
    prompt[..., RGB], prompt[..., RADIUS] = torch.tensor(told[:3]), told[3]
    noise = torch.randn(1, 5, 3, 8, 8, generator=seeded(0, 1))
    expected = generate(model, prompt, noise, SAMPLING)[0, 0].flatten(1).numpy()
    found = drawn(browser_network(model.state_dict(), SAMPLING), told, noise[0].flatten(1).numpy())
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert expected.std() > 0.1


def test_the_browser_draws_what_python_draws(shown: Show) -> None:
    noise = np.random.default_rng(0).standard_normal((3, 192)).astype(np.float32)
    call = """([which, told, noise]) => [...explorer.drawImages(explorer.readNetworks(model)[which],
        { depth: 2, gammas: model.get("gammas") }, told, Float32Array.from(noise), 3)]"""
    with shown(explorer()) as (page, wrong):
        for which, step in enumerate((10, 90, 250)):
            for told in ([0.1, 0.1, 0.9, 0.25], [0.9, 0.1, 0.1, 0.6]):
                found = page.evaluate(call, [which, told, noise.ravel().tolist()])
                expected = drawn(carried(networks()[step]), np.array(told), noise)
                np.testing.assert_allclose(found, expected.ravel(), atol=1e-5)
    assert wrong == []


def test_six_bits_keep_a_weight_within_a_few_hundredths_of_its_column() -> None:
    for array in networks()[90].values():
        if array.ndim == 2:
            numbers, scales = quantised(array)
            assert np.abs(numbers).max() < 2 ** (BITS - 1)
            error = ((numbers * scales.astype(float) - array) ** 2).mean(0) ** 0.5
            assert (error <= 0.025 * np.abs(array).max(0) + 1e-6).all()


def test_the_normal_distribution(loaded: Run) -> None:
    x = np.linspace(-9, 9, 181)
    found = loaded("x.map($.cumulative)", x=x.tolist())
    np.testing.assert_allclose(found, norm.cdf(x), atol=1e-14, rtol=1e-9)
    sample = np.array(loaded("[...$.normals($.generator(4), 40001)]"))
    assert len(sample) == 40001
    assert abs(sample.mean()) < 0.02
    assert abs(sample.std() - 1) < 0.02
    assert abs((sample**4).mean() - 3) < 0.15


def test_the_browser_reads_discs_as_python_does(loaded: Run) -> None:
    world = World.of([0.4], [0.4], spread=0.2)
    scene = world.sample(world.bits([*TRAINED, TARGET]).repeat(1, 8, 1), seeded(0, 1))
    images = render(scene, 8, seeded(1, 1))[0]
    truth = decode(images).scene
    rows = images.flatten(1).tolist()
    found = loaded("rows.map((row) => $.readDisc(Float32Array.from(row), 8))", rows=rows)
    for name, got in (("radius", truth.radius), ("contrast", truth.contrast), ("x", truth.x)):
        np.testing.assert_allclose([one[name] for one in found], got.numpy(), atol=0.03)
    assert min(one["explained"] for one in found) > 0.99
    noise = torch.rand(8, 3 * 64, generator=seeded(0, 1)).tolist()
    unclear = loaded("rows.map((row) => $.readDisc(Float32Array.from(row), 8))", rows=noise)
    expected = decode(torch.tensor(noise).view(8, 3, 8, 8)).explained
    np.testing.assert_allclose([one["explained"] for one in unclear], expected, atol=0.1)


def test_the_mask_is_the_renderers(loaded: Run) -> None:
    place = (0.11, -0.23, 0.37)
    x, y, radius = (torch.tensor(v).double() for v in place)
    white, black = torch.ones(3).double(), torch.zeros(3).double()
    expected = render(Scene(white, radius, black, x, y), 8)[0]
    found = loaded("[...$.discMask(8, place)]", place=list(place))
    np.testing.assert_allclose(found, expected.flatten(), atol=1e-9)


def test_rules(keeps_the_rules: Callable[..., None]) -> None:
    keeps_the_rules(explorer())


def test_mouse_and_keyboard_ask_for_other_discs(shown: Show) -> None:
    with shown(explorer()) as (page, wrong):
        words = page.locator(".sx-verdict")
        assert "Step 90, asked for a blue of contrast 0.30 and radius 0.25" in words.inner_text()
        pictures = page.locator(".sx-pixels")
        assert pictures.count() == 8
        before = pictures.first.get_attribute("href")
        page.get_by_label("Prompt: blue").press("ArrowRight")
        page.evaluate("settled()")
        assert page.evaluate("model.get('amount')") == 0.35
        assert pictures.first.get_attribute("href") != before
        page.get_by_role("button", name="Plain prompt").click()
        page.evaluate("settled()")
        assert "This is the plain prompt" in words.inner_text()
        assert page.get_by_role("button", name="Plain prompt").is_disabled()
        before = pictures.first.get_attribute("href")
        page.get_by_role("button", name="New noise").press("Enter")
        page.evaluate("settled()")
        assert pictures.first.get_attribute("href") != before
        chart = page.locator(".sx-hit").bounding_box()
        assert chart is not None
        page.mouse.click(chart["x"] + 0.25 * chart["width"], chart["y"] + 3)
        page.evaluate("settled()")
        assert page.evaluate("model.get('step')") == 2
        assert page.evaluate("model.get('amount')") == pytest.approx(0.25, abs=0.051)
    assert wrong == []


def test_three_networks_of_the_chapter_fit_on_a_page() -> None:
    chapter = browser_network(
        denoiser(
            ConditionedMLP(ConditionedMLPConfig(192, 11, 128, 3), [0]), 1, "image"
        ).state_dict(),
        16,
    )
    big = dict.fromkeys((0, 10, 40), chapter)
    view = explorer(networks=big, gammas=np.linspace(10, -5, 17).tolist())
    assert view.data_bytes < MAX_BYTES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": {}}, "at least one network"),
        ({"networks": {11: networks()[10]}}, "must be among the recorded"),
        ({"networks": {10: {}}}, "needs a matrix 'enter'"),
        ({"networks": {10: {**networks()[10], "odd": np.ones(2)}}}, r"must not have \['odd'\]"),
        ({"gammas": GAMMAS[1:]}, "blocks.0.time must have shape"),
        ({"accuracy": np.ones((2, 2))}, "accuracy must have shape"),
        ({"steps": STEPS[::-1]}, "must rise"),
        ({"step": 40}, "step must be one of"),
    ],
)
def test_wrong_arguments_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explorer(**change)

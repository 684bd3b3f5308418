"""Discs, prompts and splits: against blurred masks, counted pixels and the paper's numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from synthcore.studies.concept_space import scenes, task
from synthcore.studies.concept_space.model import seeded
from synthcore.studies.concept_space.task import RADIUS, RGB, TARGET, TRAINED, World

CLASSES = (*TRAINED, TARGET)


def pixel_error(first: tuple[int, int], second: tuple[int, int], colour: float) -> float:
    """Mean squared difference of 400 pairs of images that differ in their classes alone."""
    world = World.of([colour], [0.4])
    images = []
    for kind in (first, second):
        bits = world.bits([kind]).expand(1, 400, 2)
        scene = world.sample(bits, seeded(0, 1), jitter=False)
        images.append(scenes.render(scene, 32))
    return float((images[0] - images[1]).square().mean())


def test_pixel_errors_are_those_of_the_official_images() -> None:
    assert pixel_error((0, 0), (1, 0), 0.2) == pytest.approx(0.0074, abs=3e-4)
    assert pixel_error((0, 1), (1, 1), 0.2) == pytest.approx(0.0009, abs=1e-4)
    assert pixel_error((0, 0), (0, 1), 0.2) == pytest.approx(0.0435, abs=1.5e-3)
    # size is the stronger up to a colour separation of about .64: its own signal grows, too
    assert pixel_error((0, 0), (1, 0), 0.6) < pixel_error((0, 0), (0, 1), 0.6)
    assert pixel_error((0, 0), (1, 0), 0.7) > pixel_error((0, 0), (0, 1), 0.7)


@settings(deadline=None, max_examples=15)
@given(
    x=st.floats(-0.4, 0.4),
    y=st.floats(-0.4, 0.4),
    radius=st.floats(0.25, 0.5),
)
def test_an_edge_is_a_hard_mask_blurred_by_a_pixel(x: float, y: float, radius: float) -> None:
    fine = 9  # points per pixel and axis
    grid = np.linspace(-1 - 8 / 31, 1 + 8 / 31, (32 + 8 - 1) * fine + 1)
    hard = np.hypot(grid - x, grid[:, None] - y) < radius
    blurred = gaussian_filter(hard.astype(float), fine)[::fine, ::fine][4:-4, 4:-4]
    found = scenes.mask(*(torch.tensor(v).double() for v in (x, y, radius)), 32)
    np.testing.assert_allclose(found.numpy(), blurred, atol=0.06)
    assert abs(found.numpy() - blurred).mean() < 0.004


def test_right_is_right_and_down_is_down() -> None:
    disc = scenes.mask(torch.tensor(0.5), torch.tensor(-0.5), torch.tensor(0.2), 32)
    down, right = divmod(int(disc.argmax()), 32)
    assert right > 20
    assert down < 12


def test_images_stay_within_bounds_and_carry_a_little_noise() -> None:
    world = World.of([0.8], [0.4])
    scene = world.sample(world.bits(CLASSES).repeat(1, 50, 1), seeded(1, 1))
    clean = scenes.render(scene, 16)
    noisy = scenes.render(scene, 16, seeded(2, 1))
    assert 0 <= float(noisy.min()) <= float(noisy.max()) <= 1
    inside = (clean > 0.01) & (clean < 0.99)
    assert float((noisy - clean)[inside].std()) == pytest.approx(scenes.NOISE, rel=0.05)


def test_classes_vary_as_far_as_the_paper_lets_them() -> None:
    world = World.of([0.2, 0.8], [0.4, 0.3])
    bits = world.bits(CLASSES).repeat_interleave(2000, 1)
    scene, mean = world.sample(bits, seeded(0, 1)), world.mean(bits)
    tint = (scene.colour - mean.colour).abs().amax((1, 2))
    torch.testing.assert_close(tint, world.colour / 8, rtol=0.01, atol=0)
    size = (scene.radius - mean.radius).abs().amax(1)
    torch.testing.assert_close(size, world.size * 3 / 8, rtol=0.01, atol=0)
    assert 0.8 <= float(scene.background.min()) <= float(scene.background.max()) <= 1
    assert float(scene.x.abs().max()) == pytest.approx(0.5, rel=0.01)
    # channels vary independently, and members see the same draw
    red, green = (scene.colour - mean.colour)[0, :, :2].T
    assert abs(float(torch.corrcoef(torch.stack([red, green]))[0, 1])) < 0.05
    for kind, (blue, small) in enumerate(CLASSES):
        own = slice(2000 * kind, 2000 * (kind + 1))
        assert bool(((scene.contrast[:, own] > 0) == bool(blue)).all())
        assert bool(((scene.radius[:, own] < task.MIDDLE) == bool(small)).all())


def test_a_prompt_tells_the_image_and_not_the_class() -> None:
    world = World.of([0.2], [0.4])
    scene = world.sample(world.bits(CLASSES), seeded(0, 1))
    told = world.prompt(scene)
    assert torch.equal(told[..., RGB], scene.colour)
    assert torch.equal(told[..., RADIUS], scene.radius)
    rest = [i for i in range(task.PROMPT) if i not in (4, 5, 6, 7)]
    assert not bool(told[..., rest].any())


def test_prompts_can_be_further_apart_than_colours() -> None:
    world = World.of([0.2], [0.4], prompt_colour=[0.8])
    far = World.of([0.8], [0.4])
    torch.testing.assert_close(world.prompts(CLASSES), far.prompts(CLASSES))
    assert not torch.equal(
        world.mean(world.bits(CLASSES)).colour, far.mean(far.bits(CLASSES)).colour
    )


def test_three_concepts_tell_their_background() -> None:
    world = World.of([0.4], [0.4], [0.4])
    light, dark = world.prompts([(0, 0, 0), (0, 0, 1)])[0]
    assert light[task.GROUND].tolist() == pytest.approx([0.7] * 3)
    assert dark[task.GROUND].tolist() == pytest.approx([0.3] * 3)
    assert torch.equal(light[:8], dark[:8])


def test_training_examples_hold_no_held_out_class() -> None:
    world = World.of([0.2, 0.8], [0.4, 0.4], spread=0.2)
    data = task.examples(world, TRAINED, 300, 8, [seeded(0, 1), seeded(0, 1)])
    assert data.images.shape == (2, 900, 3, 8, 8)
    blue = data.prompts[..., 6] > data.prompts[..., 4]
    small = data.prompts[..., RADIUS] < task.MIDDLE
    assert not bool((blue & small).any())
    assert [int(blue[m].sum()) for m in range(2)] == [300, 300]
    assert torch.equal(data.prompts[0, :, RADIUS], data.prompts[1, :, RADIUS])  # the same scenes
    images, prompts = data.batch(7, seeded(0, 2))
    for b in range(7):
        where = (data.prompts[0] == prompts[0, b]).all(-1).nonzero()[0, 0]
        assert torch.equal(data.images[:, where], images[:, b])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_masking_hides_the_colour_of_red_alone(share: float) -> None:
    world = World.of([0.4], [0.4])
    told = task.examples(world, TRAINED, 2000, 4, [seeded(0, 1)], [share]).prompts[0]
    hidden = (told[:, RGB] == task.MASKED).all(-1)
    assert float(hidden[:4000].float().mean()) == pytest.approx(share, abs=0.03)
    assert not bool(hidden[4000:].any())  # blue
    assert bool((told[:, RADIUS] > 0).all())


@pytest.mark.parametrize(
    ("separations", "sentence"),
    [
        (([0.9], [0.4]), "separation of colour must be above 0 and at most 0.8 .got 0.9"),
        (([0.2], [0.0]), "separation of size must be above 0 and at most 0.4 .got 0.0"),
        (([0.2], [0.5]), "separation of size"),
        (([0.2], [0.4], [-0.1]), "separation of background"),
    ],
)
def test_separations_beyond_what_images_can_show(separations: tuple, sentence: str) -> None:
    with pytest.raises(task.SeparationError, match=sentence):
        World.of(*separations)


@pytest.mark.parametrize(
    ("trained", "sentence"),
    [
        ([], "at least one class"),
        ([*TRAINED, TARGET], "blue small is held out and must not be trained on"),
        ([(0, 0), (0, 1)], "no training class is blue, so blue small could not be composed"),
        ([(0, 0), (1, 0)], "no training class is small"),
    ],
)
def test_a_class_missing_from_training_is_named(trained: list, sentence: str) -> None:
    with pytest.raises(task.SplitError, match=sentence):
        task.require_split(trained, [TARGET])
    task.require_split(TRAINED, [TARGET])


def test_an_image_needs_pixels() -> None:
    with pytest.raises(ValueError, match="side of at least 4"):
        scenes.mask(torch.zeros(()), torch.zeros(()), torch.ones(()), 3)

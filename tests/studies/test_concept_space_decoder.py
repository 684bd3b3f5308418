"""The decoder inverts the renderer; measures read known images as what they show."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcore.studies.concept_space.decoder import ImageError, decode
from synthcore.studies.concept_space.measure import Reading, thumbnails
from synthcore.studies.concept_space.model import seeded
from synthcore.studies.concept_space.scenes import Scene, render
from synthcore.studies.concept_space.task import TARGET, TRAINED, World

CLASSES = (*TRAINED, TARGET)


@settings(deadline=None, max_examples=40)
@given(
    side=st.sampled_from([8, 16, 32]),
    seed=st.integers(0, 100_000),
    radius=st.floats(0.2, 0.7),
    contrast=st.floats(0.05, 0.8),
)
def test_the_decoder_inverts_the_renderer(
    side: int, seed: int, radius: float, contrast: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(8, 3, generator=generator, dtype=torch.float64)
    half = contrast / 2
    sign = torch.tensor([-1.0, -1, 1]).double() * (1 if seed % 2 else -1)
    scene = Scene(
        colour=(0.5 + half * sign).expand(8, 3).clone(),
        radius=torch.full((8,), radius).double(),
        background=0.91 + 0.09 * drawn,
        x=drawn[:, 0] - 0.5,
        y=drawn[:, 1] - 0.5,
    )
    found = decode(render(scene, side))
    assert bool((found.explained > 1 - 1e-6).all())
    for name in ("colour", "radius", "background", "x", "y"):
        torch.testing.assert_close(
            getattr(found.scene, name), getattr(scene, name), rtol=0.01, atol=0.005
        )


def test_noise_of_the_renderer_moves_the_reading_little() -> None:
    world = World.of([0.2], [0.4], spread=0.2)
    scene = world.sample(world.bits(CLASSES).repeat(1, 25, 1), seeded(0, 1))
    found = decode(render(scene, 8, seeded(1, 1)))
    assert float((found.scene.radius - scene.radius).abs().max()) < 0.01
    assert float((found.scene.contrast - scene.contrast).abs().max()) < 0.01


def test_what_is_no_disc_is_not_clear() -> None:
    noise = torch.rand(50, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert float(decode(noise).explained.max()) < 0.5
    plain = decode(torch.full((1, 3, 8, 8), 0.7))
    assert float(plain.explained) == pytest.approx(0, abs=1e-3)
    assert bool(plain.scene.radius.isfinite().all())


def test_order_and_shape_of_a_batch_do_not_matter() -> None:
    world = World.of([0.5, 0.2], [0.4, 0.4])
    images = render(world.sample(world.bits(CLASSES), seeded(0, 1)), 16, seeded(1, 1))
    together, alone = decode(images), decode(images[1, 2])
    torch.testing.assert_close(together.scene.radius[1, 2], alone.scene.radius, atol=1e-4, rtol=0)
    assert together.explained.shape == (2, 4)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.full((1, 3, 8, 8), -0.1), r"must lie in \[0, 1\] \(got -0.1 to -0.1"),
        (torch.full((1, 3, 8, 8), 1.5), "got 1.5 to 1.5"),
        (torch.full((1, 3, 8, 8), torch.nan), "got nan to nan"),
        (torch.zeros(1, 1, 8, 8), r"shape \(..., 3, side, side\) \(got \(1, 1, 8, 8\)\)"),
        (torch.zeros(3, 8, 4), "side, side"),
        (torch.zeros(8, 8), "side, side"),
    ],
)
def test_images_out_of_range_are_refused(images: torch.Tensor, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        decode(images)


# --- measures -------------------------------------------------------------------------------------


def reading(jitter: bool = True, count: int = 20) -> Reading:
    """Real images of the four classes, as if they had been generated for the four prompts."""
    world = World.of([0.3, 0.8], [0.4, 0.3], spread=0.2)
    bits = world.bits(CLASSES).repeat_interleave(count, 1)
    images = render(world.sample(bits, seeded(0, 1), jitter), 8, seeded(1, 1))
    return Reading.of(world, images.view(2, 4, count, 3, 8, 8))


def test_real_images_lie_at_the_corners() -> None:
    seen, wanted = reading(jitter=False), torch.tensor(CLASSES)
    expected = wanted.float().expand(2, 4, 2)
    torch.testing.assert_close(seen.coordinates, expected)
    torch.testing.assert_close(seen.continuous, expected, atol=0.02, rtol=0)
    assert bool((seen.right(wanted) == 1).all())
    assert bool((seen.joint(wanted) == 1).all())
    assert bool((seen.within(wanted) == 1).all())
    assert bool((reading().joint(wanted) == 1).all())


def test_wrong_images_are_wrong_in_what_is_wrong() -> None:
    seen = reading()
    other = torch.tensor(CLASSES)[[1, 0, 3, 2]]  # the other size
    assert bool((seen.right(other) == torch.tensor([1.0, 0.0])).all())
    assert not bool(seen.joint(other).any())


def test_noise_is_nowhere_and_never_right() -> None:
    world = World.of([0.3], [0.4])
    noise = torch.rand(1, 4, 30, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    seen = Reading.of(world, noise)
    assert bool(seen.coordinates.isnan().all())
    assert not bool(seen.joint(torch.tensor(CLASSES)).any())


def test_a_blue_beyond_training_is_right_but_not_within() -> None:
    world = World.of([0.2], [0.4], spread=0.2)
    loud = World.of([0.8], [0.4], spread=0.2)
    bits = loud.bits([TARGET]).expand(1, 10, 2)
    images = render(loud.sample(bits, seeded(0, 1)), 8)[:, None]
    seen, wanted = Reading.of(world, images), torch.tensor([TARGET])
    assert float(seen.joint(wanted)) == 1
    assert float(seen.within(wanted)) == 0


def test_three_concepts_are_read() -> None:
    world = World.of([0.4], [0.4], [0.4], spread=0.2)
    kinds = [(0, 1, 0), (1, 0, 1), (1, 1, 1)]
    images = render(world.sample(world.bits(kinds), seeded(0, 1)), 16)[:, :, None]
    assert Reading.of(world, images).bits[0, :, 0].tolist() == [list(kind) for kind in kinds]


def test_thumbnails_are_bytes_with_colours_last() -> None:
    image = torch.zeros(3, 4, 4)
    image[1, 2, 3] = 2.0  # beyond white
    shown = thumbnails(image)
    assert shown.shape == (4, 4, 3)
    assert shown.dtype == "uint8"
    assert shown[2, 3].tolist() == [0, 255, 0]

"""The classifier: its members, what it learns, and how it is compared with the decoder."""

import pytest
import torch
from contracts import smoke

from synthcore.studies.concept_space.classifier import (
    CLEARNESS,
    COLOURS,
    SIZES,
    Classifier,
    agreement,
    classified,
    labelled,
    taught,
)
from synthcore.studies.concept_space.decoder import Decoded, decode
from synthcore.studies.concept_space.experiment import Config, learn
from synthcore.studies.concept_space.measure import bits_of
from synthcore.studies.concept_space.scenes import Scene

CONFIG = smoke("concept_space", steps=20, classifier_steps=80)


@pytest.fixture(scope="module")
def reader() -> Classifier:
    return taught(Config(**CONFIG))


def right(model: Classifier, seed: int = 900) -> torch.Tensor:
    images, wanted = labelled(seed, 8, 32, 8, 0.2)
    with torch.no_grad():
        found = model(images.expand(2, *images.shape)) > 0
    return (found == (wanted > 0)).double().mean(1)


def test_a_member_is_a_classifier_alone() -> None:
    images = torch.rand(2, 5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    both = Classifier((8, 8), [3, 4])(images)
    for m, seed in enumerate((3, 4)):
        alone = Classifier((8, 8), [seed])(images[m : m + 1])
        torch.testing.assert_close(both[m : m + 1], alone, atol=1e-5, rtol=1e-4)


def test_labels_are_what_the_decoder_reads() -> None:
    images, wanted = labelled(0, 6, 25, 8, 0.2)
    assert len(images) == len(COLOURS) * len(SIZES) * 4 * 25
    torch.testing.assert_close(bits_of(decode(images).scene)[:, :2].float(), wanted)


def test_fresh_images_are_named_right_by_the_taught_and_not_by_others(reader: Classifier) -> None:
    assert bool((right(reader) > 0.9).all())
    assert bool((right(Classifier((8, 8), [0, 1])) < 0.8).all())


def test_agreement_is_counted_image_by_image() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 40, 2, generator=generator)
    explained = torch.rand(2, 40, generator=generator)
    explained[0, :4] = torch.tensor([0.0, 0.25, 0.5, 1.0])
    colour, ground = (torch.rand(2, 40, 3, generator=generator) for _ in range(2))
    radius = torch.rand(2, 40, generator=generator)
    scene = Scene(colour, radius, ground, radius, radius)
    alike, count = agreement(logits, Decoded(scene, explained))
    for m in range(2):
        for k, (low, high) in enumerate(zip(CLEARNESS, [*CLEARNESS[1:-1], 2.0], strict=False)):
            here = [n for n in range(40) if low <= float(explained[m, n]) < high]
            blue = [(logits[m, n, 0] > 0) == (colour[m, n, 2] > colour[m, n, 0]) for n in here]
            small = [(logits[m, n, 1] > 0) == (radius[m, n] < 0.45) for n in here]
            assert count[m, k] == len(here)
            assert alike[m, k].tolist() == [sum(map(bool, blue)), sum(map(bool, small))]


def test_all_drawings_of_all_checkpoints_are_compared() -> None:
    config = Config(**CONFIG)
    learned = learn(config)
    data = classified(config, learned)
    drawn = len(config.colours) * len(learned.weights) * 4 * config.images
    assert data.classified_images.sum("clearness").values.tolist() == [drawn] * config.few_seeds
    assert bool(((data.classified_coordinates >= 0) & (data.classified_coordinates <= 1)).all())
    assert data.classified_coordinates.dims == ("signal", "seed", "step", "asked", "concept")

"""The concept-space study: populations of denoisers, drawing images, and reading them back.

A step is forward pass, backward pass and AdamW; images and prompts are drawn beforehand; fp32.
"""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.measuring import Benchmark, ratio
from synthcore.diffusion import Predicts
from synthcore.nn.conditioned import ConditionedMLP, ConditionedMLPConfig
from synthcore.nn.unet import UNet, UNetConfig
from synthcore.studies.concept_space.decoder import decode
from synthcore.studies.concept_space.model import (
    denoiser,
    denoising_loss,
    generate,
    seeded,
    starting_noise,
)
from synthcore.studies.concept_space.task import PROMPT, TARGET, TRAINED, World, examples
from synthcore.training.optimizers import population_adamw

MEMBERS, BATCH, STEPS = 8, 64, 3
Family = Callable[[Sequence[int]], nn.Module]


def perceptrons(seeds: Sequence[int]) -> nn.Module:
    return ConditionedMLP(ConditionedMLPConfig(3 * 8**2, PROMPT, 128), seeds)


def unets(seeds: Sequence[int]) -> nn.Module:
    return UNet(UNetConfig((16, 32), 1, PROMPT, attention=False), seeds)


def trainer(
    family: Family, seeds: Sequence[int], side: int, predicts: Predicts
) -> Callable[[], None]:
    """A call takes STEPS steps of a population."""
    model = denoiser(family(seeds), len(seeds), predicts)
    optimizer = population_adamw(model, 1e-3)
    images = torch.rand(len(seeds), BATCH, 3, side, side, generator=seeded(0, 1))
    prompts = torch.rand(len(seeds), BATCH, PROMPT, generator=seeded(0, 2))
    noise = seeded(0, 3)

    def steps() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            denoising_loss(model, images, prompts, noise, 5.0).sum().backward()
            optimizer.step()

    return steps


def against_loop(family: Family, side: int, predicts: Predicts) -> float:
    """A loop of single networks over the population."""
    loop = [trainer(family, [seed], side, predicts) for seed in range(MEMBERS)]
    return ratio(lambda: [step() for step in loop], trainer(family, range(MEMBERS), side, predicts))


def images_per_second() -> float:
    """Thousand images drawn per second: 8 perceptrons, 4 prompts, 32 images each, 16 steps."""
    world = World.of([0.4] * MEMBERS, [0.4] * MEMBERS)
    model = denoiser(perceptrons(range(MEMBERS)), MEMBERS, "image")
    noise = starting_noise(range(MEMBERS), 32, 8, torch.device("cpu"))
    prompts = world.prompts([*TRAINED, TARGET])
    return _rate(lambda: generate(model, prompts, noise, 16)[..., 0, 0, 0]) / 1e3


def reads_per_second() -> float:
    """Thousand images of 8 x 8 pixels decoded per second."""
    world = World.of([0.4], [0.4], spread=0.2)
    images = examples(world, [*TRAINED, TARGET], 1000, 8, [seeded(0, 1)]).images[0]
    return _rate(lambda: decode(images).explained) / 1e3


def _rate(action: Callable[[], Tensor]) -> float:
    """Elements of the result per second, over two seconds."""
    action()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < 2:
        done += action().numel()
    return done / (time.perf_counter() - start)


BENCHMARKS = (
    Benchmark(
        "denoiser-population",
        f"{MEMBERS} perceptrons on 8 x 8 pixels: loop of single networks / population",
        "x",
        ">=",
        1.2,
        lambda: against_loop(perceptrons, 8, "image"),
    ),
    Benchmark(
        "unet-population",
        f"{MEMBERS} U-Nets on 16 x 16 pixels: loop of single networks / grouped convolutions",
        "x",
        ">=",
        1,
        lambda: against_loop(unets, 16, "noise"),
    ),
    Benchmark(
        "drawing-rate",
        f"images drawn by {MEMBERS} perceptrons in 16 steps",
        "k images/s",
        ">=",
        1,
        images_per_second,
    ),
    Benchmark(
        "decoder-rate", "discs read from 8 x 8 pixels", "k images/s", ">=", 5, reads_per_second
    ),
)

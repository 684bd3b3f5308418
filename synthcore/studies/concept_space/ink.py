"""A check on real images: handwritten zeros and ones in red or blue ink.

Digits are those of scikit-learn (8 x 8 pixels, about 180 of each kind), so that the variation
within a class is that of handwriting. The digit stands where the size stood before: a zero is told
as the large radius, a one as the small one, and the blue one is held out.

Axis letters: M member, P prompts, N images, D known digits, S side.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from sklearn.datasets import load_digits
from torch import Tensor

from synthcore.diffusion import Diffusion
from synthcore.studies.concept_space.elicitation import pushed
from synthcore.studies.concept_space.model import generate, seeded, starting_noise
from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.school import Conditions, Progress, School
from synthcore.studies.concept_space.sweep import ASKED, Learned, bluer
from synthcore.studies.concept_space.task import RADIUS, RGB, TARGET, TRAINED, Examples, World

SIDE = 8
CLEAR = 0.7
"""correlation with the nearest real digit from which an image counts as one"""
ENOUGH = 0.25
SIZE = 0.4


@lru_cache
def strokes() -> tuple[Float[Tensor, "D 8 8"], Int[Tensor, "D"]]:
    """How much ink every pixel of every real zero and one holds, 0 to 1, and which digit it is."""
    found = load_digits(n_class=2)
    images = torch.as_tensor(found.images / 16, dtype=torch.float32)
    return images, torch.as_tensor(found.target, dtype=torch.long)


def paint(
    kinds: Int[Tensor, "N 2"],
    contrast: float,
    generator: torch.Generator,
    chosen: Int[Tensor, "N"] | None = None,
) -> tuple[Float[Tensor, "N 3 8 8"], Float[Tensor, "N 3"]]:
    """Images of these classes (ink, digit), and their inks; jitter and ground as for discs."""
    ink, digit = strokes()
    if chosen is None:
        pools = [torch.nonzero(digit == d).flatten() for d in (0, 1)]
        drawn = torch.rand(len(kinds), generator=generator)
        chosen = torch.stack(
            [
                pools[int(k)][int(u * len(pools[int(k)]))]
                for k, u in zip(kinds[:, 1], drawn, strict=True)
            ]
        )
    sign = 2.0 * kinds[:, 0] - 1
    colour = 0.5 + torch.stack([-sign, -torch.ones_like(sign), sign], -1) * contrast / 2
    colour = colour + (2 * torch.rand(colour.shape, generator=generator) - 1) * contrast / 8
    ground = 0.9 + 0.1 * (2 * torch.rand(colour.shape, generator=generator) - 1)
    m = ink[chosen][:, None]
    return m * colour[..., None, None] + (1 - m) * ground[..., None, None], colour


@dataclass(frozen=True)
class Script:
    """Images, read: the nearest real digit, and the ink where there is most of it."""

    digit: Int[Tensor, "*batch"]
    alike: Float[Tensor, "*batch"]
    """correlation of the green channel, which both inks darken, with that digit"""
    tint: Float[Tensor, "*batch"]
    """blue less red, weighted by the fourth power of the ink"""

    @property
    def clear(self) -> Bool[Tensor, "*batch"]:
        return self.alike >= CLEAR

    @property
    def bits(self) -> Int[Tensor, "*batch 2"]:
        return torch.stack([(self.tint > 0).long(), self.digit], -1)


def read(images: Float[Tensor, "*batch 3 8 8"], leave_out: bool = False) -> Script:
    """The scale and the ground of an image do not matter. `leave_out` forbids a perfect match, to
    test the reading on the real digits themselves."""
    ink, digit = strokes()
    dark = -images[..., 1, :, :].flatten(-2)
    known, here = _standard(ink.flatten(1).to(dark.device)), _standard(dark)
    alike = here @ known.mT
    if leave_out:
        alike = alike.masked_fill(alike > 1 - 1e-4, -1)
    best = alike.max(-1)
    low, high = dark.amin(-1, keepdim=True), dark.amax(-1, keepdim=True)
    weight = ((dark - low) / (high - low).clamp(min=1e-6)) ** 4
    difference = (images[..., 2, :, :] - images[..., 0, :, :]).flatten(-2)
    tint = (weight * difference).sum(-1) / weight.sum(-1).clamp(min=1e-6)
    return Script(digit.to(dark.device)[best.indices], best.values, tint)


def _standard(values: Tensor) -> Tensor:
    centred = values - values.mean(-1, keepdim=True)
    return centred / centred.norm(dim=-1, keepdim=True).clamp(min=1e-6)


def copies(world: World, seeds: list[int], per_class: int) -> Examples:
    """The training set of every member."""
    images, prompts = [], []
    kinds = torch.tensor(TRAINED).repeat_interleave(per_class, 0)
    for contrast, seed in zip(world.colour.tolist(), seeds, strict=True):
        painted, colour = paint(kinds, contrast, seeded(seed, 1))
        told = torch.zeros(len(kinds), 11)
        told[:, RGB] = colour
        told[:, RADIUS] = 0.45 - (kinds[:, 1] - 0.5) * SIZE
        images.append(painted)
        prompts.append(told)
    device = world.colour.device
    return Examples(torch.stack(images).to(device), torch.stack(prompts).to(device))


def ink(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """`ink_coordinates` (ink, seed, step, asked, concept), `ink_joint` of all four classes,
    `ink_over` (the bluer prompt) and `ink_push` (the push inside) of the blue one."""
    recipe = replace(config.recipe, side=SIDE)
    conditions = Conditions(config.ink_colours, (SIZE,) * len(config.ink_colours))
    members = [seed for _ in config.ink_colours for seed in config.few]
    world = conditions.world(len(config.few)).to(config.torch_device)
    data = copies(world, members, config.per_class)
    school = School(recipe, conditions, config.few, config.torch_device, data)
    noise = starting_noise(school.member_seeds, config.images, SIDE, school.device)
    prompts = torch.cat([world.prompts(ASKED), bluer(world, (config.over,))], 1)
    wanted = torch.tensor([*ASKED, TARGET], device=school.device)
    rows: list[dict[str, np.ndarray]] = []

    def look(_: int, model: Diffusion) -> None:
        script = read(generate(model, prompts, noise, config.sampling_steps).clamp(0, 1))
        fine = script.clear.float()
        share = fine.mean(-1)
        mean = (script.bits * fine[..., None]).mean(2) / share.clamp(min=1e-6)[..., None]
        there = torch.where((share >= ENOUGH)[..., None], mean, torch.nan)
        right = _right(script, wanted)
        with pushed(model, config.push):
            inner = read(generate(model, prompts[:, 3:4], noise, config.sampling_steps).clamp(0, 1))
        rows.append(
            {
                "ink_coordinates": school.by_condition(there[:, :4]),
                "ink_joint": school.by_condition(right[:, :4]),
                "ink_over": school.by_condition(right[:, 4]),
                "ink_push": school.by_condition(_right(inner, wanted[3:4])[:, 0]),
            }
        )

    school.train(look, "inks", progress)
    tails = {"ink_coordinates": ("asked", "concept"), "ink_joint": ("asked",)}
    known = learned.results
    return xr.Dataset(
        {
            name: (
                ("ink", "seed", "step", *tails.get(name, ())),
                np.stack([r[name] for r in rows], 2),
            )
            for name in rows[0]
        },
        coords={
            "ink": list(config.ink_colours),
            "seed": list(config.few),
            "step": recipe.at,
            "asked": known.asked.values,
            "concept": known.concept.values,
        },
    )


def _right(script: Script, wanted: Int[Tensor, "P 2"]) -> Float[Tensor, "M P"]:
    agree = (script.bits == wanted[None, :, None]).all(-1)
    return (agree & script.clear).float().mean(2)

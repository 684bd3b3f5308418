"""Train a population and follow what it draws: the classes, and for the held-out one bluer and
smaller prompts than its own.

Axis letters: M member, P prompts, N images.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from synthcore.diffusion import Diffusion
from synthcore.studies.concept_space.measure import Reading, thumbnails
from synthcore.studies.concept_space.model import generate, starting_noise
from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.school import Conditions, Progress, Recipe, School
from synthcore.studies.concept_space.task import (
    CONCEPTS,
    MIDDLE,
    RADIUS,
    TARGET,
    TRAINED,
    World,
    more_blue,
    words,
)

ASKED = (*TRAINED, TARGET)
BLUEST = 0.95
"""largest contrast that a prompt can ask for"""
SHOWN = 8
"""images kept of a checkpoint, of the first seed"""


@dataclass
class Learned:
    """A trained population, what it drew on the way, and its weights at every checkpoint."""

    school: School
    results: xr.Dataset
    weights: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    """step -> averaged weights of all members; empty unless asked for"""


def bluer(world: World, factors: tuple[float, ...]) -> Tensor:
    """Prompts (M, F, 11) for the held-out class, its blue this many times as far from grey.

    >>> bluer(World.of([0.2], [0.4]), (2.0,))[0, 0, 4:8]
    tensor([0.3000, 0.3000, 0.7000, 0.2500])
    """
    target = world.prompts([TARGET]).expand(-1, len(factors), -1)
    times = torch.tensor(factors, device=target.device)
    return more_blue(target, (world.prompt_colour[:, None] * times).clamp(max=BLUEST))


def smaller(world: World, shrinks: tuple[float, ...]) -> Tensor:
    """Prompts (M, R, 11) for the held-out class, its radius this many times as far below the
    middle.

    >>> smaller(World.of([0.2], [0.4]), (1.5,))[0, 0, 4:8]
    tensor([0.4000, 0.4000, 0.6000, 0.1500])
    """
    out = world.prompts([TARGET]).repeat(1, len(shrinks), 1)
    times = torch.tensor(shrinks, device=out.device)
    out[..., RADIUS] = MIDDLE - world.size[:, None] / 2 * times
    return out


def follow(
    config: Config,
    conditions: Conditions,
    seeds: tuple[int, ...],
    along: str,
    label: str,
    progress: Progress | None = None,
    keep: bool = False,
    recipe: Recipe | None = None,
) -> Learned:
    """Train one denoiser per condition and seed; `keep` holds the weights of all checkpoints, and
    `recipe` takes the place of the config's.

    Results have the dimensions `along` (conditions, without coordinate), seed, step, asked,
    concept, factor and shrink.
    """
    school = School(recipe or config.recipe, conditions, seeds, config.torch_device)
    noise = starting_noise(school.member_seeds, config.images, config.side, school.device)
    world, elicited = school.world, len(config.factors) + len(config.shrinks)
    prompts = torch.cat(
        [world.prompts(ASKED), bluer(world, config.factors), smaller(world, config.shrinks)], 1
    )
    wanted = torch.tensor([*ASKED, *[TARGET] * elicited], device=school.device)
    rows: list[dict[str, np.ndarray]] = []
    weights: dict[int, dict[str, Tensor]] = {}

    def look(step: int, model: Diffusion) -> None:
        drawn = generate(model, prompts, noise, config.sampling_steps)
        reading = Reading.of(world, drawn)
        first = drawn[:: len(seeds), len(ASKED) - 1, :SHOWN]
        rows.append(
            {
                "coordinates": school.by_condition(reading.coordinates),
                "continuous": school.by_condition(reading.continuous),
                "right": school.by_condition(reading.right(wanted)),
                "joint": school.by_condition(reading.joint(wanted)),
                "within": school.by_condition(reading.within(wanted)),
                "clear": school.by_condition(reading.clear.float().mean(-1)),
                "drawn": thumbnails(first),
            }
        )
        if keep:
            weights[step] = {k: v.detach().clone() for k, v in model.state_dict().items()}

    school.train(look, label, progress)
    return Learned(school, _dataset(config, rows, seeds, along), weights)


def _dataset(
    config: Config, rows: list[dict[str, np.ndarray]], seeds: tuple[int, ...], along: str
) -> xr.Dataset:
    """Classes under `asked`, bluer prompts under `factor`, smaller ones under `shrink`."""
    stacked = {
        name: np.stack([row[name] for row in rows], 2) for name in rows[0] if name != "drawn"
    }
    lead, count = (along, "seed", "step"), len(ASKED)
    data: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name, table in stacked.items():
        tail = ("concept",) if table.ndim == 5 else ()
        data[name] = ((*lead, "asked", *tail), table[:, :, :, :count])
        more = count + len(config.factors)
        data[f"over_{name}"] = ((*lead, "factor", *tail), table[:, :, :, count:more])
        data[f"small_{name}"] = ((*lead, "shrink", *tail), table[:, :, :, more:])
    shown = np.stack([row["drawn"] for row in rows], 1)
    data["drawn"] = ((along, "step", "picture", "row", "column", "channel"), shown)
    return xr.Dataset(
        data,
        coords={
            "seed": list(seeds),
            "step": config.recipe.at,
            "asked": [words(kind) for kind in ASKED],
            "factor": list(config.factors),
            "shrink": list(config.shrinks),
            "concept": list(CONCEPTS[: stacked["right"].shape[-1]]),
        },
    )

"""Three concepts: the ground is light or dark as well, and prompts tell it.

Training shows large red discs on light ground, and every class that differs from it in one concept;
the four classes that differ in two or three are held out.
"""

from itertools import product

import numpy as np
import torch
import xarray as xr

from synthcore.diffusion import Diffusion
from synthcore.studies.concept_space.measure import Reading
from synthcore.studies.concept_space.model import generate, starting_noise
from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.scenes import render
from synthcore.studies.concept_space.school import Conditions, Progress, School
from synthcore.studies.concept_space.sweep import Learned
from synthcore.studies.concept_space.task import CONCEPTS, Class, World, words

SHOWN: tuple[Class, ...] = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
HIDDEN: tuple[Class, ...] = ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1))
PLACES = 256


def three(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """`three_coordinates` and `three_right` (trio, seed, step, kind, axis), `three_joint` of all
    eight classes, and `three_signal` (trio, axis); a trio is a contrast of colours and one of
    grounds, at the size of the main sweep."""
    trios = list(product(config.three_colours, config.three_grounds))
    colours, grounds = zip(*trios, strict=True)
    conditions = Conditions(
        tuple(colours),
        (config.size,) * len(trios),
        background=tuple(grounds),
        trained=SHOWN,
        held_out=HIDDEN,
        spread=config.spread,
    )
    school = School(config.recipe, conditions, config.few, config.torch_device)
    noise = starting_noise(school.member_seeds, config.images, config.side, school.device)
    prompts = school.world.prompts((*SHOWN, *HIDDEN))
    wanted = torch.tensor([*SHOWN, *HIDDEN], device=school.device)
    rows: list[dict[str, np.ndarray]] = []

    def look(_: int, model: Diffusion) -> None:
        reading = Reading.of(school.world, generate(model, prompts, noise, config.sampling_steps))
        rows.append(
            {
                "three_coordinates": school.by_condition(reading.coordinates),
                "three_right": school.by_condition(reading.right(wanted)),
                "three_joint": school.by_condition(reading.joint(wanted)),
            }
        )

    school.train(look, "three concepts", progress)
    dims, tail = ("trio", "seed", "step", "kind"), ("axis",)
    data = {
        name: (
            (*dims, *(tail if rows[0][name].ndim == 4 else ())),
            np.stack([row[name] for row in rows], 2),
        )
        for name in rows[0]
    }
    return xr.Dataset(
        {**data, "three_signal": (("trio", "axis"), signals(conditions.world(1), config.side))},
        coords={
            "trio": [f"{c:g}, {g:g}" for c, g in trios],
            "trio_ground": ("trio", list(grounds)),
            "seed": list(config.few),
            "step": config.recipe.at,
            "kind": [words(kind) for kind in (*SHOWN, *HIDDEN)],
            "axis": list(CONCEPTS),
        },
    )


def signals(world: World, side: int) -> np.ndarray:
    """Pixel mean squared error between the two values of every concept, the others as in the class
    that all training classes are next to: (M, 3), mean over 256 places."""
    images = []
    for kind in SHOWN:
        generator = torch.Generator().manual_seed(0)
        bits = world.bits([kind]).repeat(1, PLACES, 1)
        images.append(render(world.sample(bits, generator, jitter=False), side))
    return np.stack(
        [(other - images[0]).square().mean((1, 2, 3, 4)).numpy() for other in images[1:]], -1
    )

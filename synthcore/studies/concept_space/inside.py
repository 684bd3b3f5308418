"""Ask inside the network: push the embedding of the prompt, take the finished prompt encoder, and
compare what the encoder makes of colours. All on the networks of the main sweep, after training.

Axis letters: M member, L blocks.
"""

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from synthcore.diffusion import Diffusion
from synthcore.studies.concept_space.elicitation import patched, pushed
from synthcore.studies.concept_space.embeddings import PAIRS, change, similarities, target_embedding
from synthcore.studies.concept_space.measure import Reading
from synthcore.studies.concept_space.model import generate, starting_noise
from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.school import Progress
from synthcore.studies.concept_space.sweep import Learned
from synthcore.studies.concept_space.task import TARGET


def inside(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """Accuracy on the held-out class with the embedding pushed by every strength
    (`latent_joint`), and with the prompt encoders of the last checkpoint (`patched_joint`);
    `embed_cosine` of blue with red, small and large per block; `embed_additivity`;
    `embed_to_final`, cosine of the prompt's embedding with its final one; `weight_change` per
    checkpoint of the prompt encoders and of the rest."""
    school = learned.school
    model = school.fresh(school.member_seeds).to(school.device)
    noise = starting_noise(school.member_seeds, config.images, config.side, school.device)
    wanted = torch.tensor([TARGET], device=school.device)
    prompt = school.world.prompts([TARGET])

    def accuracy(weights: dict[str, Tensor], alpha: float | None = None) -> np.ndarray:
        model.load_state_dict(weights)
        if alpha is None:
            drawn = generate(model, prompt, noise, config.sampling_steps)
        else:
            with pushed(model, alpha):
                drawn = generate(model, prompt, noise, config.sampling_steps)
        return school.by_condition(Reading.of(school.world, drawn).joint(wanted)[:, 0])

    final = learned.weights[max(learned.weights)]
    model.load_state_dict(final)
    last = target_embedding(model, school.world)
    rows: dict[str, list[np.ndarray]] = {}
    before = None
    for k, (step, weights) in enumerate(sorted(learned.weights.items())):
        found = _embeddings(model, weights, learned, last)
        found["latent_joint"] = np.stack([accuracy(weights, a) for a in config.pushes], -1)
        found["patched_joint"] = accuracy(patched(weights, final))
        moved = change(weights if before is None else before, weights)
        found["weight_change"] = school.by_condition(moved)
        before = weights
        for name, value in found.items():
            rows.setdefault(name, []).append(value)
        if progress is not None:
            progress(f"inside, step {step}", k + 1, len(learned.weights))
    return _dataset(config, learned, rows)


def _embeddings(
    model: Diffusion, weights: dict[str, Tensor], learned: Learned, last: Tensor
) -> dict[str, np.ndarray]:
    fold: Callable[[Tensor], np.ndarray] = learned.school.by_condition
    model.load_state_dict(weights)
    found = similarities(model, learned.school.world)
    here = target_embedding(model, learned.school.world)
    return {
        "embed_cosine": fold(found["cosine"]),
        "embed_additivity": fold(found["additivity"]),
        "embed_to_final": fold(torch.nn.functional.cosine_similarity(here, last, dim=-1)),
    }


def _dataset(config: Config, learned: Learned, rows: dict[str, list[np.ndarray]]) -> xr.Dataset:
    tails = {
        "embed_cosine": ("block", "pair"),
        "embed_additivity": ("block",),
        "latent_joint": ("push",),
        "weight_change": ("part",),
    }
    known = learned.results
    return xr.Dataset(
        {
            name: (("signal", "seed", "step", *tails.get(name, ())), np.stack(values, 2))
            for name, values in rows.items()
        },
        coords={
            "signal": known.signal.values,
            "seed": known.seed.values,
            "step": known.step.values,
            "push": list(config.pushes),
            "pair": list(PAIRS),
            "part": ["prompt encoders", "rest"],
        },
    )

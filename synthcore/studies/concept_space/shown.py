"""What the explorers are given: paths with pictures, and networks that the browser can run.

Axis letters: M member, T sampling steps, A amounts of blue, K checkpoints.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from synthcore.nn.conditioned import sinusoids
from synthcore.studies.concept_space import decisions, times
from synthcore.studies.concept_space.measure import Reading
from synthcore.studies.concept_space.model import generate, starting_noise
from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.sweep import BLUEST, Learned, follow
from synthcore.studies.concept_space.task import RADIUS, RGB, TARGET, World, more_blue

PIXELS = 8
MOST_STEPS = 16
"""of the sampler in a page: more would neither fit nor be seen"""
AMOUNTS = np.round(np.linspace(0.05, BLUEST, 19), 2)


def paths(data: xr.Dataset) -> dict[str, Any]:
    """Arguments of `ConceptPathExplorer`: means over seeds, where most seeds draw discs."""
    seen = data.coordinates.transpose("signal", "seed", "step", "asked", "concept")
    mean = seen.mean("seed").where(seen.notnull().mean("seed") > 0.5)
    toys = decisions.toys(data)
    reached = [times.median(row) for row in decisions.converged(data).values]
    return {
        "contrasts": data.signal.values.tolist(),
        "steps": data.step.values.tolist(),
        "paths": mean.values,
        "pictures": coarse(data.drawn.values),
        "converged": np.where(np.isfinite(reached), reached, np.nan),
        "toys": [[toy.a, toy.t0] for toy in toys],
        "unit": toys[0].unit,
        "step": int(np.abs(data.step.values - data.step.values[-1] / 3).argmin()),
    }


def coarse(pictures: np.ndarray) -> np.ndarray:
    """Pictures (..., S, S, 3) as uint8 with 8 pixels a side, each the mean of a block.

    >>> coarse(np.full((2, 16, 16, 3), 200)).shape
    (2, 8, 8, 3)
    """
    *lead, side, _, channels = pictures.shape
    blocks = pictures.reshape(*lead, PIXELS, side // PIXELS, PIXELS, side // PIXELS, channels)
    return np.round(blocks.mean((-4, -2))).astype(np.uint8)


def browser_network(weights: Mapping[str, Tensor], sampling_steps: int) -> dict[str, np.ndarray]:
    """One perceptron as the browser runs it, from the state dict of a population of one.

    Of a prompt, colour and radius are read; embeddings of time become a table with one row for
    each step of the sampler.
    """
    plain = {
        name.removeprefix("net."): value[0].detach().double().cpu()
        for name, value in weights.items()
        if name.startswith("net.")
    }
    waves = sinusoids(torch.linspace(1, 0, sampling_steps + 1, dtype=torch.float64)[:-1])
    told = [*range(RGB.start, RGB.stop), RADIUS]

    def bias(name: str) -> Tensor:
        return plain[f"{name}.bias"][0]

    out = {"enter": plain["enter.weight"], "enter_bias": bias("enter")}
    for block in sorted({name.rsplit(".mix.", 1)[0] for name in plain if ".mix." in name}):
        encoder = f"{block}.conditioning"
        out |= {
            f"{block}.first": plain[f"{encoder}.first.weight"][told],
            f"{block}.first_bias": bias(f"{encoder}.first"),
            f"{block}.second": plain[f"{encoder}.second.weight"],
            f"{block}.second_bias": bias(f"{encoder}.second"),
            f"{block}.mix": plain[f"{block}.mix.weight"],
            f"{block}.bias": bias(f"{block}.mix") + bias(f"{block}.time"),
            f"{block}.time": waves @ plain[f"{block}.time.weight"],
        }
    out |= {"leave": plain["leave.weight"], "leave_bias": bias("leave")}
    return {name: value.float().numpy() for name, value in out.items()}


def runnable(config: Config, learned: Learned, steps: int = 3000) -> tuple[Config, Learned]:
    """`learned` if a page can carry its networks, else a small perceptron that is trained here for
    so many steps."""
    if config.network == "mlp" and config.side == 8 and config.widths[0] <= 128:
        return config, learned
    small = {"network": "mlp", "widths": (128,), "side": 8, "predicts": "image", "weight_cap": 0.05}
    rest = {"n_seeds": 1, "learning_rate": 5e-4, "steps": steps, "average": 0.99, "spread": 0.2}
    own = config.model_copy(update=small | rest)
    return own, follow(own, own.main, own.seeds, "signal", "small network", None, True)


def prompts(config: Config, learned: Learned, signal: int = -1) -> dict[str, Any]:
    """Arguments of `ConceptPromptExplorer` for the first seed of one signal.

    The map is drawn here at every checkpoint; three networks go along: the one with the largest
    gap between the best amount of blue and the plain prompt, the final one, and the one at half of
    the number of checkpoints before the gap.
    """
    config, learned = runnable(config, learned)
    sampling = min(config.sampling_steps, MOST_STEPS)
    index = range(len(config.colours))[signal] * len(config.seeds)
    member = slice(index, index + 1)
    own = World.of([config.colours[signal]], [config.size], spread=config.spread)
    asked = own.prompts([TARGET])
    asked = torch.cat([asked, *(more_blue(asked, float(a)) for a in AMOUNTS)], 1)
    noise = starting_noise([config.seed], config.images, config.side, torch.device("cpu"))
    empty = learned.school.fresh([config.seed])
    wanted = torch.tensor([TARGET] * asked.shape[1])
    table = []
    for weights in learned.weights.values():
        empty.load_state_dict({name: value[member].cpu() for name, value in weights.items()})
        drawn = generate(empty, asked, noise, sampling)
        table.append(Reading.of(own, drawn).joint(wanted)[0].numpy())
    steps, found = list(learned.weights), np.stack(table)
    widest = int((found[:, 1:].max(1) - found[:, 0]).argmax())
    best = found[widest, 1:]  # shown first: the amount nearest to the class that does as well
    live = sorted({widest // 2, widest, len(steps) - 1})
    low, high = (float(v[0]) for v in empty.schedule.ends)
    return {
        "networks": {
            steps[k]: browser_network(
                {n: v[member] for n, v in learned.weights[steps[k]].items()},
                sampling,
            )
            for k in live
        },
        "gammas": np.linspace(high, low, sampling + 1).tolist(),
        "accuracy": found[:, 1:],
        "steps": steps,
        "amounts": AMOUNTS.tolist(),
        "contrast": config.colours[signal],
        "separation": config.size,
        "step": steps[widest],
        "amount": float(AMOUNTS[np.flatnonzero(best >= best.max() - 0.05)[-1]]),
    }

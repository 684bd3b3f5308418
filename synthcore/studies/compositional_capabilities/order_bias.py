"""Why displaced functions fail: is it the binding of a function to its slot?

In-order training never shows function (d, i) at a slot other than d. What the network reads from
the slot mixes token and place. So (i) without absolute places displaced accuracy should jump; (ii)
a decoder of the function that is fitted on in-order slots should fail on displaced ones; (iii) a
handful of displaced compositions that cover the (function, slot) pairs should suffice.

Axis letters: M member, B batch, L positions, D width.
"""

from dataclasses import replace
from typing import Literal

import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.studies.compositional_capabilities.decoders import named as named_by
from synthcore.studies.compositional_capabilities.decoders import ridge
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import (
    Progress,
    Task,
    learn,
    named,
    seeded,
)
from synthcore.studies.compositional_capabilities.subsets import Condition, cell_sample
from synthcore.studies.compositional_capabilities.task import documents

PLACES: tuple[Literal["learned", "rotary"], ...] = ("learned", "rotary")


def order_bias(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Accuracy on in-order and all-displaced compositions by places and by displaced training."""
    n, size = config.one_layer_n, config.positions
    conditions = [
        Condition("randombase_combo", (n, m)) if m else Condition("base", (n,))
        for m in config.coverage
    ]
    task = Task.draw(config.layout, "step", conditions, config.seeds, config.torch_device)
    recipe = replace(config.stepwise, steps=config.bias_steps)
    far = cell_sample(config.layout, size, size, 4 * config.cell_samples, seeded(config.seed, 40))
    near = cell_sample(config.layout, size, 0, config.cell_samples, seeded(config.seed, 41))
    parts = []
    for places in PLACES:
        model = learn(
            task, replace(recipe, places=places), named(progress, f"order bias, {places}")
        )
        found = {
            "bias_near": task.exact(model, near, config.words, 42).mean(1),
            "bias_far": task.exact(model, far, config.words, 43).mean(1),
            "bias_decoded": decoded(config, task, model),
        }
        data = xr.Dataset(
            {name: (("displaced", "seed"), task.by_seed(v).numpy()) for name, v in found.items()}
        )
        parts.append(data.expand_dims(places=[places]))
    cover = torch.stack([covered(config, own) for own in task.subsets])
    joined = xr.concat(parts, "places")
    joined["covered"] = (("displaced", "seed"), task.by_seed(cover).numpy())
    return joined.assign_coords(displaced=list(config.coverage), seed=list(config.seeds))


def covered(config: Config, comps: Int[Tensor, "n L 2"]) -> Float[Tensor, ""]:
    """Share of the displaced (function, slot) pairs that a training subset shows."""
    pairs = set()
    for row in comps.tolist():
        pairs |= {(s, d, i) for s, (d, i) in enumerate(row) if i and d != s}
    size = config.positions * (config.positions - 1) * config.functions
    return torch.tensor(len(pairs) / size, dtype=torch.float64)


@torch.no_grad()
def decoded(config: Config, task: Task, model: GPT) -> Float[Tensor, "M"]:
    """Share of displaced functions that a linear decoder names right from what the first layer's
    attention reads at their slots (its values), fitted by ridge on in-order slots."""
    every = task.every[torch.randperm(len(task.every), generator=seeded(config.seed, 44))[:200]]
    size = config.positions
    far = cell_sample(config.layout, size, size, 100, seeded(config.seed, 45))
    sides = []
    for comps in (every, far):
        words = task.words(len(comps), 1, 46)[:, :, 0]
        lines = documents(task.layout, task.functions, words, task.for_all(comps), "step")
        with record(model, ["blocks.0.attn.hook_v"]) as seen:
            model(lines[..., :-1])
        value = seen["blocks.0.attn.hook_v"][:, :, 1 : config.positions + 1]
        read = value.flatten(3).flatten(1, 2).double().cpu()
        sides.append((read, task.layout.tasks(comps).flatten() - task.layout.alphabet))
    (fit, names), (ask, truth) = sides
    names = names.expand(task.members, -1)
    decoder = ridge(fit, names, config.positions * task.layout.choices)
    return (named_by(decoder, ask) == truth).double().mean(1)

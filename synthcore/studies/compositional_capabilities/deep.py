"""Deep networks read from inside: at which sub-layer the answer stands, and which ones it needs.

Three populations of the same shape: step by step, at once, and the two-slot task at once, where
unseen pairs are answered too.

Axis letters: M member, B batch.
"""

from dataclasses import replace

import torch
import xarray as xr
from jaxtyping import Bool
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities import ablation, lens
from synthcore.studies.compositional_capabilities.networks import Recipe
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import Progress, Task, learn, named
from synthcore.studies.compositional_capabilities.subsets import Condition
from synthcore.studies.compositional_capabilities.task import Layout, documents
from synthcore.studies.compositional_capabilities.two_slots import FAMILIES

EACH = 192  # documents with seen, and with unseen, compositions
PAIRED = "permutation, bijection"


def deep(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Lens, probe and ablation: dimensions network, known, seed, and sublayer or layer."""
    pairs = Layout(2, config.slot_functions, config.alphabet, config.word)
    one, two = ([Condition("random", (n,))] for n in (config.one_layer_n, config.slot_decides))
    device, seeds = config.torch_device, config.seeds
    drawn: dict[str, tuple[Task, Recipe]] = {
        "step by step": (
            Task.draw(config.layout, "step", one, seeds, device),
            config.matched,
        ),
        "at once": (Task.draw(config.layout, "direct", one, seeds, device), config.direct),
        "two slots, at once": (
            Task.draw(pairs, "direct", two, seeds, device, FAMILIES[PAIRED]),
            config.slots,
        ),
    }
    parts = []
    for name, (task, recipe) in drawn.items():
        deeper = replace(recipe, depth=config.deep_layers, steps=config.deep_steps)
        model = learn(task, deeper, named(progress, f"{config.deep_layers} layers, {name}"))
        parts.append(examined(task, model).expand_dims(network=[name]))
    return xr.concat(parts, "network")


def examined(task: Task, model: GPT) -> xr.Dataset:
    """What can be read after every sub-layer, and what every sub-layer is needed for."""
    comps = torch.cat([task.pick(task.seen, EACH, 50), task.pick(~task.seen, EACH, 51)], 1)
    words = task.words(2 * EACH, 1, 52)[:, :, 0]
    lines = documents(task.layout, task.functions, words, comps, task.style)
    places = task.layout.answer_places(task.style).flatten()

    def by_known(values: Tensor) -> Tensor:
        """(.., M, 2 EACH) as means (.., M, known)."""
        return values.double().unflatten(-1, (2, EACH)).mean(-1)

    whole = ablation.hits(model, lines, places)
    without = ablation.ablated(model, lines, places)
    fitted: Bool[Tensor, B] = torch.arange(2 * EACH) % 2 == 0
    read = lens.lens(model, lines, places).transpose(1, 2)
    return xr.Dataset(
        {
            "deep_symbols": (("seed", "known"), by_known(whole.double().mean(-1)).numpy()),
            "deep_exact": (("seed", "known"), by_known(whole.all(-1)).numpy()),
            "lens": (("seed", "sublayer", "known"), by_known(read).numpy()),
            "probe": (
                ("seed", "sublayer"),
                lens.probe(model, lines, places, fitted, task.layout.vocabulary).numpy(),
            ),
            "ablated_symbols": (
                ("part", "layer", "seed", "known"),
                by_known(without.double().mean(-1)).numpy(),
            ),
            "ablated_exact": (
                ("part", "layer", "seed", "known"),
                by_known(without.all(-1)).numpy(),
            ),
        },
        {
            "seed": list(task.seeds),
            "sublayer": lens.sublayers(model.config.depth),
            "part": list(lens.PARTS),
            "layer": range(1, model.config.depth + 1),
            "known": ["seen", "unseen"],
        },
    )

"""Deep networks read from inside: at which sub-layer the answer stands, and which ones it needs.

Three populations of the same shape: step by step, at once, and the two-slot task at once, where
unseen pairs are answered too.

Axis letters: M member, B batch, T time, P places, L sub-layers, D depth.
"""

from dataclasses import replace

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.interp.ablation import ablate_each
from synthcore.interp.lens import logit_lens, sublayers
from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities import decoders
from synthcore.studies.compositional_capabilities.networks import Recipe
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import Progress, Task, learn, named
from synthcore.studies.compositional_capabilities.subsets import Condition
from synthcore.studies.compositional_capabilities.task import Layout, documents
from synthcore.studies.compositional_capabilities.two_slots import FAMILIES

EACH = 192  # documents with seen, and with unseen, compositions
PAIRED = "permutation, bijection"
PARTS = {"attention": "hook_attn_out", "MLP": "hook_mlp_out"}


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

    whole = hits(model, lines, places)
    without = ablated(model, lines, places)
    fitted: Bool[Tensor, B] = torch.arange(2 * EACH) % 2 == 0
    read = lens_hits(model, lines, places).mean(-1)
    return xr.Dataset(
        {
            "deep_symbols": (("seed", "known"), by_known(whole.double().mean(-1)).numpy()),
            "deep_exact": (("seed", "known"), by_known(whole.all(-1)).numpy()),
            "lens": (("seed", "sublayer", "known"), by_known(read.transpose(0, 1)).numpy()),
            "probe": (
                ("seed", "sublayer"),
                decoders.probe(model, lines, places, fitted, task.layout.vocabulary).numpy(),
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
            "sublayer": list(sublayers(model)),
            "part": list(PARTS),
            "layer": range(1, model.config.depth + 1),
            "known": ["seen", "unseen"],
        },
    )


@torch.no_grad()
def hits(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Bool[Tensor, "M B P"]:
    """Which of the tokens at `places` are the most likely ones, all before them given."""
    return (model(lines[..., :-1])[..., places - 1, :].argmax(-1) == lines[..., places]).cpu()


def ablated(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Bool[Tensor, "parts D M B P"]:
    """`hits` with the output of one sub-layer, `PARTS` of every block, at its mean over the
    documents at each place."""
    depth = model.config.depth
    names = [f"blocks.{i}.{hook}" for hook in PARTS.values() for i in range(depth)]
    found = ablate_each(model, names, lambda: hits(model, lines, places))
    return found.unflatten(0, (len(PARTS), depth))


def lens_hits(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Float[Tensor, "L M B P"]:
    """Which of the tokens at `places` the output would name right after every sub-layer, 1 or 0."""
    guess = logit_lens(model, lines[..., :-1], places - 1).argmax(-1)
    return (guess == lines[..., places]).double().cpu()

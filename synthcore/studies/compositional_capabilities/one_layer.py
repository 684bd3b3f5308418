"""One layer, one head, step by step: which task token does a block look at, and is that the cause?

The symbol at a place of block b is written one place before. There the head should look at task
token b and at the symbol it must transform.

Axis letters: M member, B batch, T queries, S keys, L positions, K word length.
"""

import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.interp.patching import patch
from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.studies.compositional_capabilities import measure
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import (
    Progress,
    Task,
    learn,
    named,
    seeded,
)
from synthcore.studies.compositional_capabilities.subsets import Condition, random
from synthcore.studies.compositional_capabilities.task import documents

READ = 256  # documents that attention is averaged over


def one_layer(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Train on a random subset; attention by block, mass, patching, and accuracy."""
    condition = Condition("random", (config.one_layer_n,))
    task = Task.draw(config.layout, "step", [condition], config.seeds, config.torch_device)
    model = learn(task, config.one_layer, named(progress, "one layer"))
    right = task.exact(model, task.every, config.words)
    comps, words = _asked(task, 0)
    lines = documents(task.layout, task.functions, words, comps, "step")
    share = attention(model, task, lines)
    size = config.positions
    blocks = torch.arange(size)
    top = share[..., 1 : size + 1].argmax(-1) == blocks[:, None]
    found = {
        "one_layer_unseen": measure.average(right, ~task.seen),
        "selected": top.double().mean((1, 2)),
        "selected_mass": (_own(share[..., 1 : size + 1], blocks) + source_share(task, share)).mean(
            (1, 2)
        ),
        "patched": patched(model, task),
        "patched_value": patched(model, task, ("v",)),
    }
    data = xr.Dataset({name: ("seed", v.cpu().double().numpy()) for name, v in found.items()})
    data["attention"] = (("seed", "slot", "letter", "key"), share.numpy())
    return data.assign_coords(seed=list(config.seeds))


def _asked(task: Task, purpose: int) -> tuple[Int[Tensor, "M B L 2"], Int[Tensor, "M B K"]]:
    """Random in-order compositions, distinct where there are enough, and words."""
    rows = []
    for seed in task.seeds:
        size = min(READ, len(task.every))
        drawn = random(task.layout, size, seeded(seed, 20 + purpose))
        rows.append(drawn[torch.arange(READ) % size])
    comps = torch.stack(rows).to(task.device)
    return comps, task.words(READ, 1, 30 + purpose)[:, :, 0]


@torch.no_grad()
def attention(model: GPT, task: Task, lines: Int[Tensor, "M B T"]) -> Float[Tensor, "M L K S"]:
    """Mean attention with which each symbol of each block is written, over documents and heads."""
    with record(model, ["blocks.0.attn.hook_pattern"]) as seen:
        model(lines[..., :-1])
    pattern = seen["blocks.0.attn.hook_pattern"].mean((1, 2)).cpu().double()
    return pattern[:, task.layout.answer_places("step") - 1]


def _own(values: Float[Tensor, "M L K L2"], blocks: Int[Tensor, "L"]) -> Float[Tensor, "M L K"]:
    """The entry of each block's own task token."""
    return values[:, blocks, :, blocks].movedim(0, 1)


def source_share(task: Task, share: Float[Tensor, "M L K S"]) -> Float[Tensor, "M L K"]:
    """Attention on the symbol that must be transformed."""
    places = task.layout.answer_places("step") - task.layout.word - 1
    index = places.expand(len(share), -1, -1)[..., None]
    return share.gather(-1, index)[..., 0]


@torch.no_grad()
def patched(model: GPT, task: Task, what: tuple[str, ...] = ("k", "v")) -> Float[Tensor, "M"]:
    """Share of blocks that become the image under another prompt's function when key and value of
    their task token come from that prompt; smallest over blocks.

    Both prompts have the same word and the same blocks before; only the function of one slot
    differs. Pairs of equal images are left out.
    """
    layout = task.layout
    comps, words = _asked(task, 1)
    lowest = torch.ones(task.members)
    for slot in range(layout.positions):
        other = comps.clone()
        other[..., slot, 1] = (other[..., slot, 1] + 1) % layout.choices
        lines, donors = (
            documents(layout, task.functions, words, c, "step") for c in (comps, other)
        )
        points = [f"blocks.0.attn.hook_{name}" for name in what]
        with record(model, points) as seen:
            model(donors[..., :-1])
        place = layout.slot(slot + 1)
        with patch(model, seen, place):
            guess = model(lines[..., :-1]).argmax(-1)
        places = layout.answer_places("step")[slot]
        wanted, before = donors[..., places], lines[..., places]
        differ = wanted != before
        hit = (guess[..., places - 1] == wanted) & differ
        lowest = torch.minimum(lowest, (hit.sum((1, 2)) / differ.sum((1, 2)).clamp(min=1)).cpu())
    return lowest

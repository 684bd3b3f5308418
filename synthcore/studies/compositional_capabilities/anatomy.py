"""Which mistake was made first, and which function was applied instead.

Axis letters: M member, N compositions, W words for each, L positions, S blocks, K word length.
"""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.compositional_capabilities.task import Functions

MISTAKES = ("none", "own position", "other function", "partly right", "something else")


def first_wrong_block(
    blocks: Int[Tensor, "M N W S K"], truth: Int[Tensor, "M N W S K"]
) -> Int[Tensor, "M N W"]:
    """Index of the first block with a wrong symbol, from 0; S if there is none."""
    wrong = (blocks != truth).any(-1)
    first = wrong.int().argmax(-1)
    return torch.where(wrong.any(-1), first, wrong.shape[-1])


def mistakes(
    functions: Functions,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
    blocks: Int[Tensor, "M N W L K"],
    truth: Int[Tensor, "M N W L K"],
) -> Int[Tensor, "M N W"]:
    """Index into `MISTAKES` for each step-by-step answer, decided in its first wrong block.

    Own position: what stands there is the image under the function of the same index that belongs
    to the slot. Other function: under any other function of the tables. Partly right: some symbols
    are. The input is right by definition: all blocks before are.
    """
    members, count, each, positions, _ = blocks.shape
    first = first_wrong_block(blocks, truth)
    fine = first == positions
    slot = first.clamp(max=positions - 1)
    chain = torch.cat([words[..., None, :], truth[..., :-1, :]], -2)
    source, wrote, right = (_at(values, slot) for values in (chain, blocks, truth))
    images = _images(functions, source)
    hit = (images == wrote[..., None, None, :]).all(-1)
    asked = comps[:, :, None].expand(members, count, each, positions, 2)
    index = _at(asked, slot)[..., 1]
    own = _at(hit, slot).gather(-1, index[..., None])[..., 0]
    other: Bool[Tensor, "M N W"] = hit.flatten(-2).any(-1)
    some = (wrote == right).any(-1)
    out = torch.full_like(first, MISTAKES.index("something else"))
    out[some] = MISTAKES.index("partly right")
    out[other] = MISTAKES.index("other function")
    out[own] = MISTAKES.index("own position")
    out[fine] = MISTAKES.index("none")
    return out


def _at(values: Tensor, slot: Int[Tensor, "M N W"]) -> Tensor:
    """values[..., slot, :] over the axis after the words."""
    index = slot[..., None, None].expand(*slot.shape, 1, values.shape[-1])
    return values.gather(3, index)[..., 0, :]


def _images(functions: Functions, words: Int[Tensor, "M N W K"]) -> Int[Tensor, "M N W L F K"]:
    """Every word under every function of its member's tables."""
    found = []
    for tables, places, given in zip(functions.tables, functions.places, words, strict=True):
        moved = given[..., places]
        rows = tables.expand(*moved.shape[:-1], tables.shape[-1])
        found.append(rows.gather(-1, moved))
    return torch.stack(found)

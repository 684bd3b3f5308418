"""Keys: the hidden activations that an MLP's output matrix maps to what it writes.

Axis letters: M member, E edit, F fact, J prompts, B batch, T tokens, K hidden width.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.editing.edited import (
    Transformer,
    Update,
    written,
)
from synthcore.editing.facts import Facts
from synthcore.nn.hooks import record

Moments = Mapping[int, Float[Tensor, "M K K2"]]
CHUNK = 1 << 14  # tokens of a member in one forward pass
Averaging = Literal["all", "groups"]


@torch.no_grad()
def second_moments(
    model: Transformer, tokens: Int[Tensor, "M B T"], layers: Sequence[int]
) -> dict[int, Float[Tensor, "M K K2"]]:
    """C = mean of k k^T over all tokens, not centred, for some blocks. float64.

    Rows are summed in chunks, so that B may be large.
    """
    names = {layer: f"blocks.{layer}.mlp.hook_post" for layer in layers}
    sums: dict[int, Tensor] = {}
    for part in tokens.split(max(CHUNK // tokens.shape[2], 1), 1):
        with record(model, list(names.values())) as seen:
            model(part)
        for layer, name in names.items():
            keys = seen[name].flatten(1, 2).double()
            product = keys.transpose(1, 2) @ keys
            sums[layer] = sums[layer] + product if layer in sums else product
    return {layer: total / tokens[0].numel() for layer, total in sums.items()}


@torch.no_grad()
def keys_of(
    model: Transformer, facts: Facts, layer: int, updates: Mapping[int, Update] | None = None
) -> Float[Tensor, "M E F J K"]:
    """The key at the lookup position of every prompt, with `updates` written. float64."""
    found = activation(model, facts, f"blocks.{layer}.mlp.hook_post", updates)
    return found.double()


def activation(
    model: Transformer, facts: Facts, name: str, updates: Mapping[int, Update] | None = None
) -> Float[Tensor, "M E F J D"]:
    """A named activation at the lookup position of every prompt."""
    M, E, F, J, _ = facts.tokens.shape
    with torch.no_grad(), written(model, updates or {}), record(model, [name]) as seen:
        model(facts.tokens.flatten(1, 3))
    value = seen[name]  # (M, E F J, T, D)
    index = facts.lookup.flatten(1)[..., None, None].expand(-1, -1, 1, value.shape[-1])
    return value.gather(2, index).view(M, E, F, J, -1)


def averaged(keys: Float[Tensor, "M E F J K"], how: Averaging) -> Float[Tensor, "M E F K"]:
    """The key of a fact: the mean over its prompts, or (`groups`) half the bare one and half the
    mean over those with contexts."""
    if how == "all" or keys.shape[3] == 1:
        return keys.mean(3)
    return (keys[..., 0, :] + keys[..., 1:, :].mean(3)) / 2

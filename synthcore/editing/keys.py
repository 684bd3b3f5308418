"""Keys, the hidden activations that an MLP's output matrix maps to what it writes, and their
covariance.

Axis letters: M member, E edit, F fact, J prompts of a fact, B batch, T tokens, N keys, K = K2
hidden width of an MLP, D width of an activation.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.editing.edited import (
    Transformer,
    Update,
    apply_updates,
    take_position,
)
from synthcore.editing.facts import Facts
from synthcore.nn.hooks import record
from synthcore.nn.passes import sequences_per_pass

Covariances = Mapping[int, Float[Tensor, "M K K2"]]
Averaging = Literal["all", "groups"]


def covariance(keys: Float[Tensor, "*M N K"]) -> Float[Tensor, "*M K K2"]:
    """C = mean of k k^T over N keys, not centred: what editors mean by the covariance. float64.

    For a matrix of your own, of which `keys` are inputs. Source: Meng et al. 2022
    (arXiv:2202.05262), Section 3.1. ValueError without keys.
    """
    if keys.shape[-2] == 0:
        raise ValueError("a covariance needs at least one key")
    keys = keys.double()
    return keys.mT @ keys / keys.shape[-2]


@torch.no_grad()
def covariances(
    model: Transformer, tokens: Int[Tensor, "M B T"], layers: Sequence[int]
) -> dict[int, Float[Tensor, "M K K2"]]:
    """The `covariance` of the keys of some blocks, by block, over all tokens of what a model reads.

    Args:
        tokens: sequences of the kind the model was trained on, of every member; more tokens than
            an MLP is wide. Read in parts, so that B may be large.
        layers: blocks.

    Raises:
        ValueError: a block that the model lacks or that has no MLP, or no tokens.
    """
    check_layers(model, layers)
    if tokens.numel() == 0:
        raise ValueError("a covariance needs at least one token")
    names = {layer: f"blocks.{layer}.mlp.hook_post" for layer in layers}
    sums: dict[int, Tensor] = {}
    for part in tokens.split(sequences_per_pass(model, tokens.shape[2]), 1):
        with record(model, list(names.values())) as seen:
            model(part)
        for layer, name in names.items():
            keys = seen[name].flatten(1, 2).double()
            product = keys.transpose(1, 2) @ keys
            sums[layer] = sums[layer] + product if layer in sums else product
    return {layer: total / tokens[0].numel() for layer, total in sums.items()}


@torch.no_grad()
def compute_keys(
    model: Transformer, facts: Facts, layer: int, updates: Mapping[int, Update] | None = None
) -> Float[Tensor, "M E F J K"]:
    """The key in block `layer` at the lookup position of every prompt, with `updates` (by block)
    written. float64."""
    found = activation(model, facts, f"blocks.{layer}.mlp.hook_post", updates)
    return found.double()


def activation(
    model: Transformer, facts: Facts, name: str, updates: Mapping[int, Update] | None = None
) -> Float[Tensor, "M E F J D"]:
    """The activation of a hook point (`synthcore.nn.hooks.names`) at the lookup position of every
    prompt, with `updates` (by block) written. ValueError for an unknown name.

    Edits are taken in parts, so that E may be large.
    """
    M, E, F, J, T = facts.tokens.shape
    size = max(1, sequences_per_pass(model, T) // (F * J))
    found = []
    for start in range(0, max(E, 1), size):
        few = slice(start, start + size)
        tokens, lookup = facts.tokens[:, few].flatten(1, 3), facts.lookup[:, few].flatten(1)
        written = {n: Update(u.left[:, few], u.right[:, few]) for n, u in (updates or {}).items()}
        with torch.no_grad(), apply_updates(model, written), record(model, [name]) as seen:
            model(tokens)
        found.append(take_position(seen[name], lookup))  # (M, e F J, 1, D), e edits of this part
    return torch.cat(found, 1).view(M, E, F, J, -1)


def average_keys(keys: Float[Tensor, "M E F J K"], how: Averaging) -> Float[Tensor, "M E F K"]:
    """The key of a fact: the mean over its prompts (`all`, ROME's Eq. 3), or half the bare one and
    half the mean over those with contexts (`groups`, as in MEMIT's reference code)."""
    if how == "all" or keys.shape[3] == 1:
        return keys.mean(3)
    return (keys[..., 0, :] + keys[..., 1:, :].mean(3)) / 2


def check_layers(model: Transformer, layers: Sequence[int]) -> None:
    """Raises ValueError for no block, a block that the model lacks, or one without an MLP."""
    depth = len(model.blocks)
    if not len(layers) or min(layers) < 0 or max(layers) >= depth:
        raise ValueError(f"layers must be blocks 0..{depth - 1} (got {list(layers)})")
    if any(model.blocks[layer].mlp is None for layer in layers):
        raise ValueError("blocks of attention only have no MLP to edit: mlp_ratio must be above 0")

"""What an answer loses when one sub-layer says the same to every prompt.

Axis letters: M member, B batch, T time, P places, D depth.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import replace
from synthcore.studies.compositional_capabilities.lens import PARTS

HOOKS = {"attention": "hook_attn_out", "MLP": "hook_mlp_out"}


@torch.no_grad()
def hits(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Bool[Tensor, "M B P"]:
    """Which of the tokens at `places` are the most likely ones, all before them given."""
    return (model(lines[..., :-1])[..., places - 1, :].argmax(-1) == lines[..., places]).cpu()


@torch.no_grad()
def ablated(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Bool[Tensor, "parts D M B P"]:
    """`hits` with the output of one sub-layer, `PARTS` of every block, at its mean over the
    documents at each place."""
    found = []
    for part in PARTS:
        for i in range(model.config.depth):
            with replace(model, {f"blocks.{i}.{HOOKS[part]}": _mean}):
                found.append(hits(model, lines, places))
    return torch.stack(found).unflatten(0, (len(PARTS), model.config.depth))


def _mean(x: Float[Tensor, "M B T X"]) -> Float[Tensor, "M B T X"]:
    return x.mean(1, keepdim=True).expand_as(x)

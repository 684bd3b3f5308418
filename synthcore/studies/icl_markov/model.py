"""The networks of this study: decoder-only transformers, one per condition and seed, and what their
attention does.

Axis letters: M member, B batch, T time, S time attended to, H heads, k states.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import record

AT_ONCE = 32  # sequences in one forward pass of an evaluation: so many stay in a CPU's cache


def predictor(model: GPT) -> Callable[[Int[Tensor, "M B T"]], Float[Tensor, "M B T V"]]:
    """The network as the evaluator wants it: tokens to logits, a few sequences at a time."""

    def logits(tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T V"]:
        return torch.cat([model(part) for part in tokens.split(AT_ONCE, dim=1)], dim=1)

    return logits


@torch.no_grad()
def attention_scores(model: GPT, tokens: Int[Tensor, "M B T"]) -> dict[str, Float[Tensor, "M"]]:
    """Previous-token score of the first layer, statistical-induction score of the last; best head.

    Previous token: mean weight on position t - 1 (about 1/t without structure). Induction: mass on
    positions that follow an earlier occurrence of the current state, minus the share of such
    positions (0 without structure), over the second half of the sequence.
    """
    first = "blocks.0.attn.hook_pattern"
    last = f"blocks.{model.config.depth - 1}.attn.hook_pattern"
    with record(model, [first, last]) as seen:
        model(tokens)
    length = tokens.shape[-1]
    previous = seen[first].diagonal(offset=-1, dim1=-2, dim2=-1).mean((1, 3))  # (M, H)
    before = F.pad(tokens[..., :-1], (1, 0), value=-1)
    follows = (before[..., None, :] == tokens[..., :, None]).tril()  # (M, B, T, S)
    share = follows.double().sum(-1) / torch.arange(1, length + 1, device=tokens.device)
    mass = (seen[last].double() * follows[:, :, None]).sum(-1)
    induction = (mass - share[:, :, None])[..., length // 2 :].mean((1, 3))
    return {"previous_token": previous.amax(-1).double(), "induction": induction.amax(-1)}


def build(shape: GPTConfig, seeds: Sequence[int], device: torch.device) -> GPT:
    """Untrained networks; equal seeds have equal initial weights under every condition."""
    return GPT(shape, seeds).to(device)

"""Causal tracing: which activation carries the fact?

Every prompt `x r` is run once with another entity in place of x; then one clean activation is put
back, and what counts is how much of the probability of the right answer returns. Source: Meng et
al. 2022 (arXiv:2202.05262), with another entity instead of noise.

Axis letters: M member, Q prompts, T tokens, D width.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from synthcore.interp.patching import patch
from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.studies.representation_shattering.geometry import bare_prompts
from synthcore.studies.representation_shattering.task import Circles

SITES = ("attention_out", "mlp_out", "residual")
HOOKS = ("hook_attn_out", "hook_mlp_out", "hook_resid_post")
TOKENS = ("entity", "relation")


@torch.no_grad()
def trace(
    model: GPT, circles: Circles, generator: torch.Generator
) -> Float[Tensor, "M block site token"]:
    """Recovered share of the probability lost by the swap, mean over facts known for sure (at
    least one half)."""
    tokens, _ = bare_prompts(circles)
    M, Q, _ = tokens.shape
    answer = circles.table.flatten(1)[..., None]
    turn = torch.randint(
        1, circles.entities, (M, Q), generator=generator, device=generator.device
    ).to(tokens.device)
    swapped = torch.stack([(tokens[..., 0] + turn) % circles.entities, tokens[..., 1]], -1)
    names = [f"blocks.{b}.{hook}" for b in range(len(model.blocks)) for hook in HOOKS]

    def probability(lines: Tensor) -> Float[Tensor, "M Q"]:
        return model(lines)[:, :, -1].softmax(-1).gather(-1, answer)[..., 0]

    with record(model, names) as clean:
        sure = probability(tokens)
    known: Bool[Tensor, "M Q"] = sure >= 0.5
    without = probability(swapped)
    found = []
    for name in names:
        for place in range(2):
            with patch(model, {name: clean[name]}, place):
                restored = probability(swapped)
            gain = ((restored - without) * known).sum(1) / ((sure - without) * known).sum(1)
            found.append(gain)
    return torch.stack(found, -1).view(M, len(model.blocks), len(SITES), 2)

"""Networks from one form into another."""

import torch
from torch import nn

from synthcore.nn import gpt, gpt_reference

PART = {"qkv": "attn", "out": "attn", "up": "mlp", "down": "mlp"}
"""parts of a block of the plain GPT that stand in a module of their own in a population"""


def from_population(model: gpt.GPT, member: int = 0) -> gpt_reference.GPT:
    """One network of a population as a plain one, with a copy of its weights, on the same device.

    ValueError for what the plain GPT does not have: no positions, root-mean-square norms, or a
    hidden layer that is not four times as wide as the stream.

    >>> model = gpt.GPT(gpt.GPTConfig(5, context=8, width=8, depth=1, heads=2), seeds=[3, 4])
    >>> tokens = torch.arange(5)[None]
    >>> alone, together = from_population(model, 1)(tokens), model(tokens.expand(2, 1, 5))[1]
    >>> torch.allclose(alone, together, atol=1e-6)
    True
    """
    config = model.config
    if config.positions == "none" or config.norm != "layer" or config.hidden != 4 * config.width:
        raise ValueError(
            "the plain GPT has rotary or learned positions, layer norms and mlp_ratio 4 (got "
            f"{config.positions}, {config.norm} and {config.mlp_ratio})"
        )
    single = gpt_reference.GPT(
        config.vocabulary,
        config.context,
        config.width,
        config.depth,
        config.heads,
        rotary=config.positions == "rotary",
        tied=config.tied,
        bias=config.bias,
    )
    with torch.no_grad():
        for name, weight in single.named_parameters():
            place, _, kind = name.rpartition(".")
            block, _, part = place.rpartition(".")
            there = f"{block}.{PART[part]}.{part}.{kind}" if part in PART else name
            source = model.get_parameter(there)[member]
            linear = isinstance(single.get_submodule(place), nn.Linear)
            # ours is (inputs, outputs), PyTorch's (outputs, inputs); vectors have axes of size 1
            weight.copy_(source.mT if linear and weight.ndim == 2 else source.view(weight.shape))
    return single.to(model.embed.weight.device)

"""The logit lens: what a network would say if it stopped after a sub-layer.

The network's own final norm and output are applied to the residual stream after the embedding,
after each attention and after each MLP. Source: nostalgebraist, Interpreting GPT: the logit lens
(2020).

Axis letters: M member, B batch, T tokens, P positions, L sub-layers, V vocabulary.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record


def sublayers(model: GPT) -> dict[str, str]:
    """The hook point of the residual stream after each sub-layer, by the sub-layer's name.

    >>> from synthcore.nn.gpt import GPTConfig
    >>> model = GPT(GPTConfig(vocabulary=3, context=4, width=8, depth=2, heads=2), seeds=[0])
    >>> list(sublayers(model))
    ['embedding', 'attention 1', 'MLP 1', 'attention 2', 'MLP 2']
    >>> sublayers(model)["attention 2"]
    'blocks.1.hook_resid_mid'
    """
    found = {"embedding": "blocks.0.hook_resid_pre"}
    for i, block in enumerate(model.blocks):
        last = f"blocks.{i}.hook_resid_post"
        if block.mlp is None:
            found[f"attention {i + 1}"] = last
        else:
            found |= {f"attention {i + 1}": f"blocks.{i}.hook_resid_mid", f"MLP {i + 1}": last}
    return found


@torch.no_grad()
def logit_lens(
    model: GPT, tokens: Int[Tensor, "M B T"], positions: Int[Tensor, "P"] | None = None
) -> Float[Tensor, "L M B P V"]:
    """Logits of the next token after every sub-layer, in the order of `sublayers`.

    The last ones are those of the network.

    Args:
        positions: where to read; None: everywhere.
    """
    names = sublayers(model).values()
    with record(model, list(names)) as seen:
        model(tokens)
    last, found = len(model.blocks) - 1, []
    for name in names:
        stream = seen[name] if positions is None else seen[name][..., positions, :]
        found.append(model.resume(stream, after=last))
    return torch.stack(found)

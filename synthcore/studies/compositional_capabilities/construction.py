"""A network of one layer that composes step by step, with weights written by hand.

It shows that one layer is enough, for displaced functions too: what a trained network does not
reach is not out of reach of its architecture.

The residual stream holds codes: position, token, the task token that head 0 fetches from slot b,
the symbol that head 1 fetches from the block before, the answer. A hidden unit of the MLP is the
conjunction of a task token and a symbol; it writes the image.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.compositional_capabilities.task import Layout

SHARP = 20.0  # attention scores and hidden units: far from the bends of softmax and GELU


@torch.no_grad()
def one_layer_network(layout: Layout, tables: Int[Tensor, "L F A"]) -> GPT:
    """A population of one that answers every composition of these bijections right."""
    P, V = layout.length("step"), layout.vocabulary
    half = max(P, V, (P + 4 * V + 1) // 2)  # of the width: one head
    D = 2 * half
    units = layout.positions * layout.choices * layout.alphabet
    shape = GPTConfig(V, P, D, 1, 2, (units + 1) / D, "learned", tied=False, norm="rms")
    model = GPT(shape, [0]).requires_grad_(False)
    for name, value in model.named_parameters():
        value.fill_(1.0 if ".ln" in f".{name}" else 0.0)
    w = {name: value[0] for name, value in model.named_parameters()}
    token, task, symbol, answer = (P + V * part for part in range(4))
    w["pos_embed"][0, :, :P] = torch.eye(P)
    w["embed.weight"][:, token : token + V] = torch.eye(V)

    # A norm multiplies by sqrt(D / number of ones): two before attention, four before the MLP.
    first, second = (D / 2) ** 0.5, (D / 4) ** 0.5
    project, output = w["blocks.0.attn.qkv.weight"], w["blocks.0.attn.out.weight"]
    for query in range(layout.prompt - 1, P - 1):
        block = min((query + 1 - layout.start(0)) // (layout.word + 1), layout.positions)
        for head, seen in enumerate((layout.slot(block), layout.source(query + 1))):
            project[query, head * half + seen] = SHARP * half**0.5 / first**2
    for head, to in enumerate((task, symbol)):
        project[:P, D + head * half : D + head * half + P] = torch.eye(P)
        values = 2 * D + head * half
        project[token : token + V, values : values + V] = torch.eye(V) / first
        output[head * half : head * half + V, to : to + V] = torch.eye(V)

    expand, shift = w["blocks.0.mlp.up.weight"], w["blocks.0.mlp.up.bias"][0]
    contract = w["blocks.0.mlp.down.weight"]
    pairs = torch.cartesian_prod(*(torch.arange(size) for size in tables.shape))
    for unit, (d, i, a) in enumerate(pairs.tolist()):
        named = layout.alphabet + d * layout.choices + i
        expand[task + named, unit] = expand[symbol + a, unit] = SHARP / second
        shift[unit] = -1.5 * SHARP
        contract[unit, answer + int(tables[d, i, a])] = 1
    expand[symbol + layout.separator, units], shift[units] = SHARP / second, -SHARP / 2
    contract[units, answer + layout.separator] = 1
    w["unembed.weight"][answer : answer + V] = torch.eye(V)
    return model

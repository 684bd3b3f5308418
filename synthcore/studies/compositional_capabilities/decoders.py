"""Linear decoders fitted for one place of a network: ridge regression on one-hot names.

Axis letters: M member, B batch, T tokens, P places, X features, K kinds, D sub-layers.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from synthcore.interp.lens import sublayers
from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record


@torch.no_grad()
def probe(
    model: GPT,
    lines: Int[Tensor, "M B T"],
    places: Int[Tensor, "P"],
    fitted: Bool[Tensor, "B"],
    kinds: int,
) -> Float[Tensor, "M D"]:
    """Share of the tokens at `places` that linear decoders of the residual stream name right after
    every sub-layer; fitted on some of the documents, tested on the others."""
    names = sublayers(model).values()
    with record(model, list(names)) as seen:
        model(lines[..., :-1])
    shares = []
    target = lines[..., places].cpu()
    for name in names:
        read = seen[name][..., places - 1, :].double().cpu()
        decoder = ridge(read[:, fitted].flatten(1, 2), target[:, fitted].flatten(1), kinds)
        guess = named(decoder, read[:, ~fitted].flatten(1, 2))
        shares.append((guess == target[:, ~fitted].flatten(1)).double().mean(1))
    return torch.stack(shares, -1)


def ridge(
    read: Float[Tensor, "M B X"], names: Int[Tensor, "M B"], kinds: int
) -> Float[Tensor, "M X1 K"]:
    """Ridge regression of one-hot names on features and a constant: a linear decoder per member."""
    x = functional.pad(read, (0, 1), value=1.0)
    gram = x.mT @ x
    small = 1e-3 * gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    gram = gram + small * torch.eye(x.shape[2], dtype=x.dtype)
    return torch.linalg.solve(gram, x.mT @ functional.one_hot(names, kinds).to(x.dtype))


def named(decoder: Float[Tensor, "M X1 K"], read: Float[Tensor, "M B X"]) -> Int[Tensor, "M B"]:
    """The kind a decoder finds most likely."""
    return (functional.pad(read, (0, 1), value=1.0) @ decoder).argmax(-1)

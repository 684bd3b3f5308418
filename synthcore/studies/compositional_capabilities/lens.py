"""Where in its depth a network holds the answer: what can be read after every sub-layer.

The logit lens applies the network's own final norm and output to the residual stream after the
embedding, after each attention and after each MLP (nostalgebraist 2020). A probe is a linear
decoder that is fitted for that place.

Axis letters: M member, B batch, T tokens, S tokens but the last, P places, X features, K kinds, D
sub-layers (1 + 2 depth).
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record

PARTS = ("attention", "MLP")


def sublayers(depth: int) -> list[str]:
    """Names of the places that are read.

    >>> sublayers(2)
    ['embedding', 'attention 1', 'MLP 1', 'attention 2', 'MLP 2']
    """
    return ["embedding", *(f"{part} {i + 1}" for i in range(depth) for part in PARTS)]


def _stream(model: GPT, lines: Int[Tensor, "M B T"]) -> list[Float[Tensor, "M B S X"]]:
    """The residual stream at every place that is read."""
    names = ["blocks.0.hook_resid_pre"]
    for i in range(model.config.depth):
        names += [f"blocks.{i}.hook_resid_mid", f"blocks.{i}.hook_resid_post"]
    with torch.no_grad(), record(model, names) as seen:
        model(lines[..., :-1])
    return [seen[name] for name in names]


@torch.no_grad()
def lens(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Float[Tensor, "M B D"]:
    """Share of the tokens at `places` that the output would name right after every sub-layer."""
    assert model.unembed is not None
    shares = []
    for stream in _stream(model, lines):
        guess = model.unembed(model.ln_final(stream[..., places - 1, :])).argmax(-1)
        shares.append((guess == lines[..., places]).double().mean(-1))
    return torch.stack(shares, -1).cpu()


@torch.no_grad()
def probe(
    model: GPT,
    lines: Int[Tensor, "M B T"],
    places: Int[Tensor, "P"],
    fitted: Bool[Tensor, "B"],
    kinds: int,
) -> Float[Tensor, "M D"]:
    """The same for linear decoders fitted on some of the documents, on the others."""
    shares = []
    target = lines[..., places].cpu()
    for stream in _stream(model, lines):
        read = stream[..., places - 1, :].double().cpu()
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

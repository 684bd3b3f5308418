"""Layers that hold one set of weights per member and apply them as one batched operation.

Axis letters: M member (one model in a population), B batch, T time, D features, V vocabulary, I
inputs, O outputs.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.hooks import HookPoint


class Linear(nn.Module):
    """`y[m] = x[m] @ weight[m] + bias[m]`, a single batched product over the member axis."""

    def __init__(self, members: int, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(members, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs)) if bias else None

    def forward(self, x: Float[Tensor, "M *rest I"]) -> Float[Tensor, "M *rest O"]:
        folded = x.reshape(x.shape[0], -1, x.shape[-1])
        if self.bias is None:
            y = torch.bmm(folded, self.weight)
        else:
            y = torch.baddbmm(self.bias, folded, self.weight)
        return y.view(*x.shape[:-1], -1)


class Embedding(nn.Module):
    """A table of V vectors per member."""

    def __init__(self, members: int, vocabulary: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(members, vocabulary, width))

    def forward(self, tokens: Int[Tensor, "M *rest"]) -> Float[Tensor, "M *rest D"]:
        members, vocabulary, width = self.weight.shape
        # One lookup in the stacked table: member m owns rows m V .. (m + 1) V.
        offset = torch.arange(members, device=tokens.device) * vocabulary
        rows = tokens + offset.view(-1, *[1] * (tokens.ndim - 1))
        return functional.embedding(rows, self.weight.view(members * vocabulary, width))


class LayerNorm(nn.Module):
    """Layer normalisation over the last axis with per-member gain and (optional) shift."""

    def __init__(self, members: int, width: int, *, bias: bool = True, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(members, 1, 1, width))
        self.bias = nn.Parameter(torch.zeros(members, 1, 1, width)) if bias else None
        self.hook_normalized = HookPoint()

    def forward(self, x: Float[Tensor, "M B T D"]) -> Float[Tensor, "M B T D"]:
        centred = functional.layer_norm(x, x.shape[-1:], eps=self.eps)
        if self.bias is None:
            out: Tensor = self.hook_normalized(centred * self.weight)
        else:
            out = self.hook_normalized(torch.addcmul(self.bias, centred, self.weight))
        return out


class RMSNorm(nn.Module):
    """Root-mean-square normalisation over the last axis with per-member gain."""

    def __init__(self, members: int, width: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(members, 1, 1, width))
        self.hook_normalized = HookPoint()

    def forward(self, x: Float[Tensor, "M B T D"]) -> Float[Tensor, "M B T D"]:
        out: Tensor = self.hook_normalized(
            functional.rms_norm(x, x.shape[-1:], eps=self.eps) * self.weight
        )
        return out


def normal_(
    parameter: Float[Tensor, "M *rest"], std: float, generators: Sequence[torch.Generator]
) -> None:
    """Fill each member's slice with N(0, std^2) drawn from that member's own CPU generator."""
    with torch.no_grad():
        for slice_, generator in zip(parameter, generators, strict=True):
            slice_.copy_(torch.randn(slice_.shape, generator=generator) * std)


def named_weights(
    model: nn.Module, flat: Float[np.ndarray, "W"]
) -> dict[str, Float[np.ndarray, "..."]]:
    """One member's weights by name, from all of them one after another in the order of `model`.

    >>> model = Linear(1, 2, 3)
    >>> {name: value.shape for name, value in named_weights(model, np.arange(9.0)).items()}
    {'weight': (2, 3), 'bias': (1, 3)}
    """
    shapes = {name: value.shape[1:] for name, value in model.state_dict().items()}
    parts = np.split(flat, np.cumsum([shape.numel() for shape in shapes.values()]))
    return {
        name: part.reshape(shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=False)
    }

"""Populations of multilayer perceptrons whose hidden layers may be normalised.

A linear layer without bias that a normalisation follows is scale-invariant: multiplying its weights
by c > 0 leaves the outputs as they are, f(cW) = f(W). The norm of the weights then acts on learning
only, through the gradient, which falls as 1 / |W|.

Axis letters: M member, B batch, D inputs, C outputs.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.population import Linear, normal_

Norm = Literal["none", "layer", "batch", "weight"]
Activation = Literal["gelu", "relu"]
EPS = 1e-8  # small beside any variance, so that invariance holds for small weights as well


class NormalisedMLP(nn.Module):
    """Hidden layers of nonlinear units, then a linear read-out with bias that is not normalised.

    Args:
        widths: inputs, hidden widths, outputs.
        seeds: one per member; initial weights depend on a member's own seed only.
        norm: "layer" and "batch" normalise what a hidden layer computes, without gain and shift,
            over its units or over the batch; "weight" divides each unit's weights by their norm;
            "none" adds a bias instead.
        activation: "gelu", or "relu", whose units can die.
        scale: multiplies the initial hidden weights, which are N(0, 2 / inputs); a number, or one
            per member.
    """

    def __init__(
        self,
        widths: Sequence[int],
        seeds: Sequence[int],
        *,
        norm: Norm = "none",
        activation: Activation = "gelu",
        scale: float | Float[Tensor, "M"] = 1.0,
    ) -> None:
        super().__init__()
        if len(widths) < 3 or min(widths) < 1:
            raise ValueError(f"widths must be inputs, hidden widths, outputs (got {list(widths)})")
        members = len(seeds)
        self.norm = norm
        self.activate = functional.gelu if activation == "gelu" else functional.relu
        self.hidden = nn.ModuleList(
            Linear(members, a, b, bias=norm == "none") for a, b in pairwise(widths[:-1])
        )
        self.output = Linear(members, widths[-2], widths[-1])
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        factor = torch.as_tensor(scale, dtype=torch.float32).expand(members).view(-1, 1, 1)
        for layer in self.hidden:
            assert isinstance(layer, Linear)
            normal_(layer.weight, math.sqrt(2 / layer.weight.shape[1]), generators)
            with torch.no_grad():
                layer.weight.mul_(factor)
        normal_(self.output.weight, math.sqrt(1 / widths[-2]), generators)

    def forward(self, x: Float[Tensor, "M B D"]) -> Float[Tensor, "M B C"]:
        for layer in self.hidden:
            assert isinstance(layer, Linear)
            x = self.activate(self._normalised(layer, x))
        logits: Tensor = self.output(x)
        return logits

    def _normalised(self, layer: Linear, x: Float[Tensor, "M B D"]) -> Float[Tensor, "M B H"]:
        if self.norm == "weight":
            unit = layer.weight / (layer.weight.norm(dim=1, keepdim=True) + EPS)
            return torch.bmm(x, unit)
        y: Tensor = layer(x)
        if self.norm == "layer":
            return functional.layer_norm(y, y.shape[-1:], eps=EPS)
        if self.norm == "batch":
            spread, mean = torch.var_mean(y, dim=1, keepdim=True, unbiased=False)
            return (y - mean) * (spread + EPS).rsqrt()
        return y

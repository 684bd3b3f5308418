"""Populations of multilayer perceptrons: linear or ReLU, any depth.

Every weight has a leading member axis, so that seeds and conditions train as one batched model; a
single model is a population of one. Source of the initialisation: PyTorch's `nn.Linear`, uniform on
plus and minus 1 / sqrt(fan-in), for weights and biases.

Axis letters: M member, B batch, I inputs, O outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.nn.hooks import HookPoint
from synthcore.nn.population import Linear


@dataclass(frozen=True)
class MLPConfig:
    """Shape of one member: `depth` weight matrices, with `hidden` units between them.

    `gain` multiplies the initial weights. Linear networks have no activation, and no biases unless
    asked for.
    """

    inputs: int
    hidden: int
    outputs: int
    depth: int
    activation: Literal["linear", "relu"] = "relu"
    bias: bool = False
    gain: float = 1.0

    def __post_init__(self) -> None:
        for name in ("inputs", "hidden", "outputs", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")
        if self.activation not in ("linear", "relu"):
            raise ValueError(f"activation must be linear or relu (got {self.activation!r})")
        if self.gain <= 0:
            raise ValueError(f"gain must be positive (got {self.gain})")

    @property
    def widths(self) -> list[int]:
        """Numbers of units from the inputs to the outputs."""
        return [self.inputs, *[self.hidden] * (self.depth - 1), self.outputs]


class Layer(nn.Module):
    """A linear map, and the activation after it unless it is the last; both can be hooked."""

    def __init__(self, config: MLPConfig, members: int, index: int) -> None:
        super().__init__()
        inputs, outputs = config.widths[index : index + 2]
        self.linear = Linear(members, inputs, outputs, bias=config.bias)
        self.rectify = config.activation == "relu" and index < config.depth - 1
        self.hook_pre, self.hook_post = HookPoint(), HookPoint()

    def forward(self, x: Float[Tensor, "M B I"]) -> Float[Tensor, "M B O"]:
        y = self.hook_pre(self.linear(x))
        return self.hook_post(torch.relu(y) if self.rectify else y)


class MLP(nn.Module):
    """One member per entry of `seeds`; members of equal seed start equal.

    >>> model = MLP(MLPConfig(inputs=3, hidden=8, outputs=2, depth=2), seeds=[0, 1, 1])
    >>> y = model(torch.ones(3, 5, 3))
    >>> y.shape, torch.equal(y[1], y[2])
    (torch.Size([3, 5, 2]), True)
    """

    def __init__(self, config: MLPConfig, seeds: Sequence[int]) -> None:
        super().__init__()
        if not seeds:
            raise ValueError("an MLP population needs at least one seed")
        self.config, self.members = config, len(seeds)
        self.layers = nn.ModuleList(
            Layer(config, self.members, index) for index in range(config.depth)
        )
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        for layer, fan_in in zip(self.layers, config.widths[:-1], strict=True):
            assert isinstance(layer, Layer)
            for parameter in layer.parameters():
                uniform_(parameter, config.gain * fan_in**-0.5, generators)

    def forward(self, x: Float[Tensor, "M B I"]) -> Float[Tensor, "M B O"]:
        for layer in self.layers:
            x = layer(x)
        return x

    def product(self) -> Float[Tensor, "M I O"]:
        """The matrix a linear network applies from the right, `model(x) = x @ product`.

        ValueError for a network that has an activation or biases.
        """
        if self.config.activation != "linear" or self.config.bias:
            raise ValueError("only a linear network without biases is one matrix")
        first, *rest = self.parameters()
        product: Tensor = first
        for matrix in rest:
            product = product @ matrix
        return product


def uniform_(
    parameter: Float[Tensor, "M *rest"], bound: float, generators: Sequence[torch.Generator]
) -> None:
    """Fill each member's slice uniformly on [-bound, bound] from its own CPU generator."""
    with torch.no_grad():
        for slice_, generator in zip(parameter, generators, strict=True):
            slice_.copy_((2 * torch.rand(slice_.shape, generator=generator) - 1) * bound)

"""The networks of this study and their loss, one member per seed and condition: linear and ReLU
networks, and the tied two-layer network of the theory.

Axis letters: M member, B batch, s concepts, d coordinates, h columns of U.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.nn.mlp import MLP, MLPConfig

ARCHITECTURES = {
    "1-layer linear": (1, False),
    "2-layer linear": (2, False),
    "2-layer ReLU": (2, True),
}
"""Name -> weight matrices, and whether a ReLU stands between them. No network has biases."""


def build(architecture: str, dimension: int, hidden: int, seeds: Sequence[int]) -> MLP:
    """Untrained networks R^d -> R^d; a member's weights depend on its own seed only."""
    depth, relu = ARCHITECTURES[architecture]
    return linear_or_relu(depth, dimension, hidden, seeds, relu)


def linear_or_relu(
    depth: int, dimension: int, hidden: int, seeds: Sequence[int], relu: bool = False
) -> MLP:
    """The same for any depth, with PyTorch's usual initial weights."""
    shape = MLPConfig(
        inputs=dimension,
        hidden=hidden,
        outputs=dimension,
        depth=depth,
        activation="relu" if relu else "linear",
    )
    return MLP(shape, seeds)


class Tied(nn.Module):
    """f(x) = U U^T x, from given U(0).

    >>> model = Tied(torch.eye(2)[None] / 2)                          # one member, W = I / 4
    >>> model(torch.tensor([[[4.0, 8.0]]])).tolist()
    [[[1.0, 2.0]]]
    """

    def __init__(self, start: Float[Tensor, "M s h"]) -> None:
        super().__init__()
        self.weight = nn.Parameter(start.clone())

    def forward(self, x: Float[Tensor, "M B s"]) -> Float[Tensor, "M B s"]:
        return torch.bmm(torch.bmm(x, self.weight), self.weight.mT)

    def matrix(self) -> Float[Tensor, "M s s"]:
        """W = U U^T."""
        return (self.weight @ self.weight.mT).detach()


def identity_loss(model: nn.Module, points: Float[Tensor, "M B d"]) -> Float[Tensor, "M"]:
    """|f(x) - x|^2 / 2, summed over coordinates and averaged over the batch, per member."""
    error: Tensor = model(points) - points
    return error.square().sum(-1).mean(-1) / 2

"""One disc on a plain ground: from its colour, size and place to an image, for whole populations.

An image covers [-1, 1] x [-1, 1]; lengths are in these units, colours between 0 and 1. The edge of
a disc is blurred by a Gaussian: as soft as one pixel of the paper's 32, or half a pixel where
pixels are larger, so that the area of a disc changes smoothly with its radius at every size.

Axis letters: M member, B batch, S side, P pixels (S x S), K templates.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

NOISE = 1e-3
PAPER_SIDE = 32


@dataclass(frozen=True)
class Scene:
    """What an image shows."""

    colour: Float[Tensor, "*batch 3"]
    """red, green and blue of the disc"""
    radius: Float[Tensor, "*batch"]
    background: Float[Tensor, "*batch 3"]
    x: Float[Tensor, "*batch"]
    y: Float[Tensor, "*batch"]

    @property
    def contrast(self) -> Float[Tensor, "*batch"]:
        """Blue less red of the disc: minus Delta_c for the mean red, plus Delta_c for the mean
        blue."""
        return self.colour[..., 2] - self.colour[..., 0]

    def map(self, change: object) -> "Scene":
        """The scene with every tensor passed through `change`."""
        assert callable(change)
        return Scene(*(change(getattr(self, field.name)) for field in fields(self)))


def edge_width(side: int) -> float:
    """Standard deviation of the blur of an edge.

    >>> edge_width(32) == 2 / 31, edge_width(8) == 1 / 7
    (True, True)
    """
    if side < 4:
        raise ValueError(f"an image needs a side of at least 4 pixels (got {side})")
    return max(1 / (side - 1), 2 / (PAPER_SIDE - 1))


def distances(
    x: Float[Tensor, "*batch"], y: Float[Tensor, "*batch"], side: int
) -> tuple[Float[Tensor, "*batch S S"], Float[Tensor, "*batch S S"]]:
    """Of every pixel from the centre (x, y): rightward and downward. Rows are the y axis."""
    grid = torch.linspace(-1, 1, side, dtype=x.dtype, device=x.device)
    across = grid - x[..., None, None]
    down = grid[:, None] - y[..., None, None]
    return torch.broadcast_tensors(across, down)


def mask(
    x: Float[Tensor, "*batch"],
    y: Float[Tensor, "*batch"],
    radius: Float[Tensor, "*batch"],
    side: int,
) -> Float[Tensor, "*batch S S"]:
    """How much of every pixel the disc covers, 0 to 1.

    >>> zero = torch.zeros(())
    >>> area = mask(zero, zero, torch.tensor(0.5), 64).sum() * (2 / 63) ** 2
    >>> bool(abs(area - torch.pi * (0.5**2 + edge_width(64) ** 2)) < 1e-3)  # blurred, it is larger
    True
    """
    across, down = distances(x, y, side)
    distance = torch.hypot(across, down)
    return torch.special.ndtr((radius[..., None, None] - distance) / edge_width(side))


def render(
    scene: Scene, side: int, generator: torch.Generator | None = None
) -> Float[Tensor, "*batch 3 S S"]:
    """The image m c + (1 - m) b; with a generator, plus noise of 1e-3, clipped to [0, 1]."""
    disc = mask(scene.x, scene.y, scene.radius, side).unsqueeze(-3)
    colour, ground = scene.colour[..., None, None], scene.background[..., None, None]
    image = disc * colour + (1 - disc) * ground
    if generator is None:
        return image
    noise = torch.randn(image.shape, generator=generator, device=image.device, dtype=image.dtype)
    return (image + NOISE * noise).clamp(0, 1)

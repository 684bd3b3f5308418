"""What generated images show: shares of values, accuracies, and continuous coordinates.

An image counts as clear if the best disc explains half of its variance. Accuracies are over all
images, so that an image that shows nothing is wrong; coordinates are over the clear ones.

Axis letters: M member, P prompts, N images, C concepts (colour, size and, if told, background).
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.studies.concept_space.decoder import CLEAR, Decoded, decode
from synthcore.studies.concept_space.scenes import Scene
from synthcore.studies.concept_space.task import MIDDLE, World

ENOUGH = 0.25
"""least share of clear images for which a point in concept space is given"""


def bits_of(scene: Scene) -> Int[Tensor, "*batch 3"]:
    """Whether a scene is blue, small and dark."""
    dark = scene.background.mean(-1) < 0.5
    return torch.stack([scene.contrast > 0, scene.radius < MIDDLE, dark], -1).long()


@dataclass(frozen=True)
class Reading:
    """Images of every member and prompt, read by the decoder."""

    world: World
    decoded: Decoded

    @classmethod
    def of(cls, world: World, images: Float[Tensor, "M P N 3 S S"]) -> "Reading":
        return cls(world, decode(images.clamp(0, 1)))

    @property
    def clear(self) -> Bool[Tensor, "M P N"]:
        return self.decoded.explained >= CLEAR

    @property
    def bits(self) -> Int[Tensor, "M P N C"]:
        """Blue, small and dark."""
        found = bits_of(self.decoded.scene)
        return found if self.world.three else found[..., :2]

    @property
    def coordinates(self) -> Float[Tensor, "M P C"]:
        """Shares of blue and small (and dark) among the clear images; NaN if there are few."""
        return self._over_clear(self.bits.float())

    @property
    def continuous(self) -> Float[Tensor, "M P C"]:
        """The same from contrast and radius as they are: 0 and 1 at the class means."""
        scene = self.decoded.scene
        colour = self.world.colour[:, None, None]
        size = self.world.size[:, None, None]
        found = [
            0.5 + scene.contrast / (2 * colour),
            0.5 + (MIDDLE - scene.radius) / size,
        ]
        if self.world.three:
            apart = self.world.background[:, None, None].clamp(min=1e-6)
            found.append(0.5 + (0.5 - scene.background.mean(-1)) / apart)
        return self._over_clear(torch.stack(found, -1).clamp(-0.5, 1.5))

    def _over_clear(self, values: Float[Tensor, "M P N C"]) -> Float[Tensor, "M P C"]:
        weight = self.clear[..., None].float()
        share = weight.mean(2)
        mean = (values * weight).mean(2) / share.clamp(min=1e-6)
        return torch.where(share >= ENOUGH, mean, torch.nan)

    def right(self, wanted: Int[Tensor, "P C"]) -> Float[Tensor, "M P C"]:
        """Share of all images that are clear and have the wanted value of a concept."""
        agree = self.bits == wanted[None, :, None]
        return (agree & self.clear[..., None]).float().mean(2)

    def joint(self, wanted: Int[Tensor, "P C"]) -> Float[Tensor, "M P"]:
        """Share of all images that are clear and right in every concept."""
        agree = (self.bits == wanted[None, :, None]).all(-1)
        return (agree & self.clear).float().mean(2)

    def within(self, wanted: Int[Tensor, "P C"]) -> Float[Tensor, "M P"]:
        """As `joint`, if also the radius lies in the range of its class in training, and the
        contrast is between a half and one and a half times that of the class."""
        scene = self.decoded.scene
        mean = self.world.mean(wanted.expand(self.world.members, *wanted.shape))
        near = (scene.radius - mean.radius[..., None]).abs()
        sized = near <= self.world.size[:, None, None] * 3 / 8
        tint = scene.contrast.abs() / self.world.colour[:, None, None]
        tinted = (tint >= 0.5) & (tint <= 1.5)
        agree = (self.bits == wanted[None, :, None]).all(-1)
        return (agree & self.clear & sized & tinted).float().mean(2)


def thumbnails(images: Float[Tensor, "*batch 3 S S"]) -> Any:
    """uint8 (..., S, S, 3), to be shown."""
    levels = (images.clamp(0, 1) * 255).round().to(torch.uint8)
    return levels.movedim(-3, -1).cpu().numpy()

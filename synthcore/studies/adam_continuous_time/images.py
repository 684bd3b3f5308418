"""Two sets of 16 x 16 images in ten classes: handwritten digits and oriented textures.

The digits are the 1797 images that come with scikit-learn, enlarged from 8 x 8. A texture is a
grating whose class is its orientation; phase and wavelength are random and noise lies over it, so
no single pixel tells the class and the test error stays away from zero.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn import datasets
from torch import Tensor
from torch.nn import functional

Name = Literal["digits", "textures"]
SIDE, CLASSES, NOISE = 16, 10, 1.0
SHARES = (0.7, 0.15, 0.15)


@dataclass(frozen=True)
class Split:
    """Images (N, D) with unit variance over the set, labels (N,), and rows of the three parts."""

    images: Float[Tensor, "N D"]
    labels: Int[Tensor, "N"]
    train: Int[Tensor, "N1"]
    validation: Int[Tensor, "N2"]
    test: Int[Tensor, "N3"]


def load(name: Name, seed: int, textures: int = 4000) -> Split:
    """A set with its parts drawn by `seed`.

    >>> split = load("textures", 0, textures=100)
    >>> split.images.shape, len(split.train), len(split.test)
    (torch.Size([100, 256]), 70, 15)
    """
    if name == "digits":
        raw = datasets.load_digits()
        small = torch.tensor(raw.images, dtype=torch.float32)[:, None]
        images = functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear").flatten(1)
        labels = torch.tensor(raw.target)
    else:
        images, labels = gratings(textures, seed)
    images = (images - images.mean()) / images.std()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    ends = [round(len(labels) * share) for share in (SHARES[0], SHARES[0] + SHARES[1])]
    return Split(images, labels, order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] :])


def gratings(count: int, seed: int) -> tuple[Float[Tensor, "N D"], Int[Tensor, "N"]]:
    """Gratings of 2 to 4 periods per image at one of ten orientations, plus noise."""
    random = np.random.default_rng([seed, 5])
    labels = random.integers(CLASSES, size=count)
    angle = np.pi * labels / CLASSES
    periods, phase = random.uniform(2, 4, count), random.uniform(0, 2 * np.pi, count)
    x, y = np.meshgrid(np.arange(SIDE) / SIDE, np.arange(SIDE) / SIDE)
    along = x.ravel() * np.cos(angle)[:, None] + y.ravel() * np.sin(angle)[:, None]
    images = np.sin(2 * np.pi * periods[:, None] * along + phase[:, None])
    images += NOISE * random.standard_normal(images.shape)
    return torch.tensor(images, dtype=torch.float32), torch.tensor(labels)

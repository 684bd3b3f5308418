"""Read the scene back from an image of a disc: place, radius, colour and background.

For a given mask m, colour and background are a linear fit of every channel on m and 1 - m, so only
the three numbers in m have to be searched for (variable projection). A coarse search over
templates starts, Gauss-Newton steps on the projected problem finish. The result is exact on clean
images; what the fit leaves unexplained says how little an image looks like a disc at all.

Axis letters: N images, P pixels, K templates.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.studies.concept_space.scenes import Scene, distances, edge_width, mask

STEPS = 8
CLEAR = 0.5
"""share of the variance over pixels that the best disc must explain in a clear image"""
SMALLEST, LARGEST = 0.05, 1.1


class ImageError(ValueError):
    """Images have the wrong shape, are not finite, or leave [0, 1]."""


@dataclass(frozen=True)
class Decoded:
    """The best disc of every image, and the share of the image's variance it explains."""

    scene: Scene
    explained: Float[Tensor, "*batch"]


def decode(images: Tensor, reach: float = 0.7) -> Decoded:
    """The disc that fits every image (..., 3, S, S) best.

    Centres are looked for within `reach` of the middle. `ImageError` for values outside [0, 1] or
    for images that are not square with 3 channels.
    """
    if images.ndim < 3 or images.shape[-3] != 3 or images.shape[-1] != images.shape[-2]:
        raise ImageError(f"images must have shape (..., 3, side, side) (got {tuple(images.shape)})")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):  # NaN is neither
        raise ImageError(f"images must lie in [0, 1] (got {low:.3g} to {high:.3g})")
    side = images.shape[-1]
    flat = images.reshape(-1, 3, side * side)
    centred = flat - flat.mean(-1, keepdim=True)
    place = _coarse(centred, side, reach)
    best, place = _explained(centred, place, side), place.clone()
    for _ in range(STEPS):
        trial = _gauss_newton(centred, place, side)
        found = _explained(centred, trial, side)
        half = (place + trial) / 2  # a step too far is halved once
        found_half = _explained(centred, half, side)
        trial = torch.where((found_half > found)[:, None], half, trial)
        found = torch.maximum(found, found_half)
        better = found >= best
        place = torch.where(better[:, None], trial, place)
        best = torch.where(better, found, best)
    total = centred.square().sum((1, 2)).clamp(min=1e-12)
    colour, ground = _colours(flat, place, side)
    scene = Scene(colour, place[:, 2], ground, place[:, 0], place[:, 1])
    shape = images.shape[:-3]
    return Decoded(
        scene.map(lambda t: t.reshape((*shape, *t.shape[1:]))),
        (best / total).reshape(shape),
    )


def _templates(side: int, reach: float, like: Tensor) -> Float[Tensor, "K 3"]:
    places = torch.linspace(-reach, reach, 7, dtype=like.dtype, device=like.device)
    radii = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8], dtype=like.dtype, device=like.device)
    return torch.cartesian_prod(places, places, radii)


def _disc(place: Float[Tensor, "K 3"], side: int) -> Float[Tensor, "K P"]:
    return mask(place[:, 0], place[:, 1], place[:, 2], side).flatten(1)


def _coarse(centred: Float[Tensor, "N 3 P"], side: int, reach: float) -> Float[Tensor, "N 3"]:
    """The template whose fit explains most."""
    known = _templates(side, reach, centred)
    disc = _disc(known, side)
    disc = disc - disc.mean(-1, keepdim=True)
    disc = disc / disc.norm(dim=-1, keepdim=True)
    score = (centred @ disc.mT).square().sum(1)  # (N, K)
    return known[score.argmax(-1)]


def _explained(
    centred: Float[Tensor, "N 3 P"], place: Float[Tensor, "N 3"], side: int
) -> Float[Tensor, "N"]:
    disc = _disc(place, side)
    disc = disc - disc.mean(-1, keepdim=True)
    along = torch.einsum("ncp,np->nc", centred, disc)
    return along.square().sum(-1) / disc.square().sum(-1).clamp(min=1e-12)


def _colours(
    flat: Float[Tensor, "N 3 P"], place: Float[Tensor, "N 3"], side: int
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"]]:
    """Colour and background: the linear fit of every channel on 1 and m."""
    disc = _disc(place, side)
    mean = disc.mean(-1, keepdim=True)
    centred = disc - mean
    slope = torch.einsum("ncp,np->nc", flat, centred)
    slope = slope / centred.square().sum(-1, keepdim=True).clamp(min=1e-12)
    ground = flat.mean(-1) - slope * mean
    return ground + slope, ground


def _gauss_newton(
    centred: Float[Tensor, "N 3 P"], place: Float[Tensor, "N 3"], side: int
) -> Float[Tensor, "N 3"]:
    """One step on x, y and radius, with colour and background refitted (Kaufman's form)."""
    across, down = (d.flatten(1) for d in distances(place[:, 0], place[:, 1], side))
    away = torch.hypot(across, down).clamp(min=1e-9)
    width = edge_width(side)
    steep = torch.exp(-(((place[:, 2:] - away) / width) ** 2) / 2) / (width * (2 * torch.pi) ** 0.5)
    slopes = torch.stack([steep * across / away, steep * down / away, steep], -1)  # dm / d(x, y, r)
    slopes = slopes - slopes.mean(1, keepdim=True)
    disc = _disc(place, side)
    disc = disc - disc.mean(-1, keepdim=True)
    size = disc.square().sum(-1, keepdim=True).clamp(min=1e-12)
    within = torch.einsum("npi,np->ni", slopes, disc) / size
    slopes = slopes - disc[..., None] * within[:, None]
    tint = torch.einsum("ncp,np->nc", centred, disc) / size  # colour less background
    strength = tint.square().sum(-1, keepdim=True).clamp(min=1e-12)
    wanted = torch.einsum("nc,ncp->np", tint, centred) / strength
    normal = slopes.mT @ slopes
    trace = normal.diagonal(dim1=-2, dim2=-1).sum(-1)
    damping = (1e-6 * trace + 1e-12)[:, None, None] * torch.eye(
        3, dtype=normal.dtype, device=normal.device
    )
    step = torch.linalg.solve(normal + damping, torch.einsum("npi,np->ni", slopes, wanted))
    moved = place + step.clamp(-0.2, 0.2)
    low = moved.new_tensor([-1, -1, SMALLEST])
    high = moved.new_tensor([1, 1, LARGEST])
    return moved.clamp(low, high)

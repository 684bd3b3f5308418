"""The paper's reader of images: a network that learns to name colour and size.

It sees all four classes at several separations, so that neither faint nor strong contrasts are new
to it: a small U-Net that is told nothing, the largest value of every feature over the pixels, and
two layers. A softmax over two values is the logistic of their difference, which is what the network
gives for each concept. Architecture: official code of Park et al. (2406.19370).

Axis letters: M member (one classifier), B batch, C concepts (colour, size), N images.
"""

from collections.abc import Sequence
from itertools import pairwise, product

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.conditioned import start_uniform
from synthcore.nn.population import Linear
from synthcore.nn.unet import GroupNorm, UNet, UNetConfig
from synthcore.studies.concept_space.decoder import Decoded, decode
from synthcore.studies.concept_space.measure import bits_of
from synthcore.studies.concept_space.model import generate, seeded, starting_noise
from synthcore.studies.concept_space.parameters import Config
from synthcore.studies.concept_space.scenes import render
from synthcore.studies.concept_space.school import Progress
from synthcore.studies.concept_space.sweep import ASKED, Learned
from synthcore.studies.concept_space.task import TARGET, TRAINED, World
from synthcore.training.first_edition import fit
from synthcore.training.optimizers import population_adamw

FEATURES, WIDTH, GROUPS = 64, 64, 8
COLOURS, SIZES = (0.1, 0.2, 0.4, 0.8), (0.2, 0.4)
"""separations that are pooled"""
RATE, BATCH = 1e-3, 64
CLEARNESS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
"""edges of classes of images by the share of variance that the best disc explains"""


class Classifier(nn.Module):
    """One member per entry of `seeds`; `model(images)` gives the logits of blue and of small.

    >>> model = Classifier((8, 8), seeds=[0, 1])
    >>> model(torch.rand(2, 5, 3, 8, 8)).shape
    torch.Size([2, 5, 2])
    """

    def __init__(self, widths: tuple[int, ...], seeds: Sequence[int]) -> None:
        super().__init__()
        members = len(seeds)
        shape = UNetConfig(widths, blocks=1, condition=0, outputs=FEATURES, attention=False)
        self.net = UNet(shape, seeds)
        self.first_norm = GroupNorm(members, FEATURES, GROUPS)
        self.first = Linear(members, FEATURES, WIDTH)
        self.second_norm = GroupNorm(members, WIDTH, GROUPS)
        self.second = Linear(members, WIDTH, 2)
        start_uniform(self, seeds)

    def forward(self, images: Float[Tensor, "M B 3 S S"]) -> Float[Tensor, "M B C"]:
        seen = self.net.features(2 * images - 1).amax((-2, -1), keepdim=True)
        h = functional.gelu(self.first(self.first_norm(seen)[..., 0, 0]))
        out: Tensor = self.second(self.second_norm(h[..., None, None])[..., 0, 0])
        return out


def labelled(
    seed: int, purpose: int, per_class: int, side: int, spread: float
) -> tuple[Float[Tensor, "N 3 S S"], Float[Tensor, "N C"]]:
    """Images of all four classes, `per_class` of each at every pair of separations, and whether
    they are blue and small."""
    colours, sizes = zip(*product(COLOURS, SIZES), strict=True)
    world = World.of(colours, sizes, spread=spread)
    bits = world.bits((*TRAINED, TARGET)).repeat_interleave(per_class, 1)
    generator = seeded(seed, purpose)
    images = render(world.sample(bits, generator), side, generator)
    return images.flatten(0, 1), bits.flatten(0, 1).float()


def taught(config: Config, progress: Progress | None = None) -> Classifier:
    """One trained classifier for each of the few seeds."""
    device = config.torch_device
    model = Classifier(config.classifier_widths, config.few).to(device)
    sets = [labelled(s, 6, config.per_class, config.side, config.spread) for s in config.few]
    images, wanted = (torch.stack(part).to(device) for part in zip(*sets, strict=True))
    generator = seeded(config.seed, 7)

    def sample(_: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(images.shape[1], (BATCH,), generator=generator).to(device)
        return images[:, chosen], wanted[:, chosen]

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Float[Tensor, "M"]:
        logits = model(batch[0])
        wrong = functional.binary_cross_entropy_with_logits(logits, batch[1], reduction="none")
        return wrong.mean((1, 2))

    fit(
        model,
        sample,
        steps=config.classifier_steps,
        optimizer=population_adamw(model, lr=RATE),
        loss=loss,
        progress=None if progress is None else lambda done, n: progress("classifier", done, n),
    )
    return model.eval()


def classified(config: Config, learned: Learned, progress: Progress | None = None) -> xr.Dataset:
    """The networks of the main sweep, read by a classifier of each of the few seeds.

    `classifier_right` (seed, concept): share of fresh labelled images named right.
    `classified_coordinates` (signal, seed, step, asked, concept): mean probabilities of blue and
    small over all images drawn. `classified_alike` (seed, clearness, concept): share of drawn
    images in which classifier and decoder name the same value; `classified_images` (seed,
    clearness): of how many.
    """
    return compared(config, learned, taught(config, progress), progress)


@torch.no_grad()
def compared(
    config: Config, learned: Learned, model: Classifier, progress: Progress | None = None
) -> xr.Dataset:
    """What `classified` gives, of classifiers that have been taught."""
    seeds, device, signals = list(config.few), config.torch_device, len(config.colours)
    fresh = [
        labelled(s, 8, max(8, config.per_class // 4), config.side, config.spread) for s in seeds
    ]
    images, wanted = (torch.stack(part).to(device) for part in zip(*fresh, strict=True))
    right = ((_logits(model, images) > 0) == (wanted > 0)).double().mean(1)

    school = learned.school
    denoiser = school.fresh(school.member_seeds).to(device)
    noise = starting_noise(school.member_seeds, config.images, config.side, device)
    prompts = school.world.prompts(ASKED)
    alike = torch.zeros(len(seeds), len(CLEARNESS) - 1, 2, dtype=torch.double, device=device)
    count = alike.new_zeros(alike.shape[:2])
    coordinates = []
    for k, weights in enumerate(learned.weights.values()):
        denoiser.load_state_dict(weights)
        drawn = generate(denoiser, prompts, noise, config.sampling_steps).clamp(0, 1)
        drawn = drawn.unflatten(0, (signals, len(config.seeds)))[:, : len(seeds)]
        flat = drawn.transpose(0, 1).flatten(1, 3)  # (seed, signal x asked x image, ...)
        logits = _logits(model, flat)
        same, images_here = agreement(logits, decode(flat))
        alike, count = alike + same, count + images_here
        found = logits.sigmoid().unflatten(1, (signals, len(ASKED), config.images)).mean(3)
        coordinates.append(found.transpose(0, 1).cpu().numpy())
        if progress is not None:
            progress("classified", k + 1, len(learned.weights))
    known = learned.results
    return xr.Dataset(
        {
            "classifier_right": (("seed", "concept"), right.cpu().numpy()),
            "classified_coordinates": (
                ("step", "signal", "seed", "asked", "concept"),
                coordinates,
            ),
            "classified_alike": (
                ("seed", "clearness", "concept"),
                (alike / count[..., None]).cpu().numpy(),
            ),
            "classified_images": (("seed", "clearness"), count.cpu().numpy()),
        },
        coords={
            "seed": seeds,
            "signal": known.signal.values,
            "step": known.step.values,
            "asked": known.asked.values,
            "concept": known.concept.values,
            "clearness": [f"{a:g} to {b:g}" for a, b in pairwise(CLEARNESS)],
        },
    ).transpose("signal", "seed", "step", "asked", ...)


def agreement(
    logits: Float[Tensor, "M N C"], decoded: Decoded
) -> tuple[Float[Tensor, "M K C"], Float[Tensor, "M K"]]:
    """How many images are named alike by classifier and decoder, and how many there are, by
    clearness (K)."""
    alike = ((logits > 0) == (bits_of(decoded.scene)[..., :2] > 0)).double()
    edges = torch.tensor(CLEARNESS[1:-1], device=logits.device)
    place = torch.bucketize(decoded.explained.contiguous(), edges, right=True)
    member = functional.one_hot(place, len(CLEARNESS) - 1).double()
    return torch.einsum("mnk,mnc->mkc", member, alike), member.sum(1)


def _logits(model: Classifier, images: Float[Tensor, "M N 3 S S"]) -> Float[Tensor, "M N C"]:
    return torch.cat([model(some) for some in images.split(1024, 1)], 1)

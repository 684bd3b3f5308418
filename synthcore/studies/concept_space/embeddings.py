"""What the prompt encoders of a network make of colours and sizes.

Axis letters: M member, L blocks, P prompts, W width of a block.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from synthcore.diffusion import Diffusion
from synthcore.studies.concept_space.elicitation import embedders, is_encoder
from synthcore.studies.concept_space.task import RADIUS, RGB, TARGET, World

PAIRS = ("blue, red", "blue, small", "blue, large")


@torch.no_grad()
def similarities(model: Diffusion, world: World) -> dict[str, Float[Tensor, "M L _"]]:
    """`cosine` of the embedding of blue alone with those of red, small and large alone, and
    `additivity`: |e(c, s) - e(c, 0) - e(0, s) + e(0, 0)| / |e(c, s)| for the held-out class, 0 if
    colour and size are embedded independently of each other. Class means throughout."""
    target = world.prompts([TARGET])
    other = world.prompts([(0, 0)])
    told = torch.zeros_like(target).expand(-1, 6, -1).clone()  # blue, red, small, large, both, none
    told[:, 0, RGB], told[:, 1, RGB] = target[:, 0, RGB], other[:, 0, RGB]
    told[:, 2, RADIUS], told[:, 3, RADIUS] = target[:, 0, RADIUS], other[:, 0, RADIUS]
    told[:, 4] = target[:, 0]
    cosine, additivity = [], []
    for encode in embedders(model).values():
        blue, red, small, large, both, none = encode(told).unbind(1)
        cosine.append(
            torch.stack(
                [functional.cosine_similarity(blue, e, dim=-1) for e in (red, small, large)], -1
            )
        )
        rest = (both - blue - small + none).norm(dim=-1)
        additivity.append(rest / both.norm(dim=-1).clamp(min=1e-12))
    return {"cosine": torch.stack(cosine, 1), "additivity": torch.stack(additivity, 1)}


@torch.no_grad()
def target_embedding(model: Diffusion, world: World) -> Float[Tensor, "M L_W"]:
    """The embeddings of the held-out prompt in all blocks, one after the other."""
    target = world.prompts([TARGET])
    return torch.cat([encode(target)[:, 0] for encode in embedders(model).values()], -1)


def change(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> Float[Tensor, "M 2"]:
    """Relative change of the weights between two checkpoints: prompt encoders, and the rest."""
    out = []
    for encoder in (True, False):
        names = [n for n, w in before.items() if is_encoder(n) == encoder and w.ndim > 1]
        moved = sum((after[n] - before[n]).flatten(1).square().sum(1) for n in names)
        size = sum(before[n].flatten(1).square().sum(1) for n in names)
        out.append((torch.as_tensor(moved) / torch.as_tensor(size)).sqrt())
    return torch.stack(out, -1)

"""Four ways to ask for what was never shown: a plain prompt, a bluer one, a push inside the
network, and the prompt encoder of the finished network.

Axis letters: M member, P prompts, N images, W width of a block.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.diffusion import Diffusion
from synthcore.nn.hooks import replace
from synthcore.studies.concept_space.task import PROMPT, RADIUS, more_blue

BLUEST, LARGE = 0.9, 0.6
AGAINST_LARGE = 0.1


def embedders(model: Diffusion) -> dict[str, nn.Module]:
    """The prompt encoder of every block, by the name of the block."""
    return {
        name.removesuffix(".conditioning"): module
        for name, module in model.named_modules()
        if name.endswith(".conditioning")
    }


def only_blue(members: int, amount: float, device: torch.device) -> Float[Tensor, "M 1 11"]:
    """A prompt that tells a blue and nothing else."""
    return more_blue(torch.zeros(members, 1, PROMPT, device=device), amount)


def only_radius(members: int, radius: float, device: torch.device) -> Float[Tensor, "M 1 11"]:
    """A prompt that tells a radius and nothing else."""
    out = torch.zeros(members, 1, PROMPT, device=device)
    out[..., RADIUS] = radius
    return out


@contextmanager
def pushed(model: Diffusion, alpha: float, beta: float = AGAINST_LARGE) -> Iterator[None]:
    """Within the block, every embedding v of a prompt is moved along blue and away from large.

    b and l are the unit embeddings of a prompt that tells only the bluest blue, and only a large
    radius. v' = v + alpha (v b) b, then v'' = v' - beta (v' l) l. Source: official code.
    """
    device = next(model.parameters()).device
    with torch.no_grad():
        blue = only_blue(model.members, BLUEST, device)
        large = only_radius(model.members, LARGE, device)
        changes = {
            f"{name}.hook_condition": _push(_unit(encode(blue)), _unit(encode(large)), alpha, beta)
            for name, encode in embedders(model).items()
        }
    with replace(model, changes):
        yield


def _unit(vectors: Float[Tensor, "M 1 W"]) -> Float[Tensor, "M 1 W"]:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def _push(
    blue: Float[Tensor, "M 1 W"], large: Float[Tensor, "M 1 W"], alpha: float, beta: float
) -> Callable[[Tensor], Tensor]:
    def change(v: Float[Tensor, "M P W"]) -> Float[Tensor, "M P W"]:
        v = v + alpha * (v * blue).sum(-1, keepdim=True) * blue
        return v - beta * (v * large).sum(-1, keepdim=True) * large

    return change


def is_encoder(name: str) -> bool:
    """Whether a weight of this name belongs to a prompt encoder."""
    return ".conditioning." in name


def patched(weights: Mapping[str, Tensor], final: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a checkpoint with the prompt encoders of the final one."""
    return {name: final[name] if is_encoder(name) else value for name, value in weights.items()}

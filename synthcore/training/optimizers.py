"""Optimisers and gradient clipping for populations: one member's hyper-parameters never touch
another's.

Axis letters: M member.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from synthcore.training.k_adam import KAdam

PerMember = float | Float[Tensor, "M"]
Decayed = Literal["all", "matrices"]


def population_adamw(
    model: nn.Module,
    lr: PerMember,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: PerMember = 0.01,
    decayed: Decayed = "all",
) -> Optimizer:
    """AdamW over all members; `lr` and `weight_decay` are numbers, or tensors with one value per
    member.

    AdamW works element by element, so with numbers it is torch's fused AdamW on the stacked
    weights; with tensors it is a one-stage `KAdam`.

    `decayed="matrices"` spares biases, gains of normalisations and other vectors, as nanoGPT does:
    only what has at least two dimensions per member decays. Axes of length one do not count, since
    a population's vectors have them; a layer with a single input or output is a vector here.
    """
    groups: list[dict[str, Any]] = [{"params": list(model.parameters())}]
    if decayed == "matrices":
        spared = [parameter for parameter in model.parameters() if not is_matrix(parameter)]
        groups[0]["params"] = [p for p in model.parameters() if is_matrix(p)]
        groups.append({"params": spared, "weight_decay": 0.0})
        groups = [group for group in groups if group["params"]]
    if isinstance(lr, Tensor) or isinstance(weight_decay, Tensor):
        return KAdam(groups, lr, k=1, betas=betas, eps=eps, weight_decay=weight_decay)
    return torch.optim.AdamW(
        groups, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )


def is_matrix(parameter: Float[Tensor, "M *rest"]) -> bool:
    """Whether a member's part has at least two axes longer than one.

    >>> is_matrix(torch.zeros(3, 8, 8)), is_matrix(torch.zeros(3, 1, 8))
    (True, False)
    """
    return sum(length > 1 for length in parameter.shape[1:]) >= 2


@torch.no_grad()
def clip_members(model: nn.Module, largest: float) -> Float[Tensor, "M"]:
    """Scale each member's gradient to a norm of at most `largest`; returns the norms before.

    Each member is clipped as `torch.nn.utils.clip_grad_norm_` would clip it alone: its norm is over
    all of its parameters.
    """
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norms: Tensor = torch.linalg.vector_norm(
        torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]), dim=0
    )
    scale = (largest / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.view(-1, *[1] * (gradient.ndim - 1)))
    return norms

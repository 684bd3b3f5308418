"""Optimisers and gradient clipping for populations: one member's hyper-parameters never touch
another's.

Axis letters: M member.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from synthcore.training.k_adam import KAdam

PerMember = float | Float[Tensor, "M"]


def population_adamw(
    model: nn.Module,
    lr: PerMember,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: PerMember = 0.01,
) -> Optimizer:
    """AdamW over all members; `lr` and `weight_decay` are numbers, or tensors with one value per
    member.

    AdamW works element by element, so with numbers it is torch's fused AdamW on the stacked
    weights; with tensors it is a one-stage `KAdam`.
    """
    if isinstance(lr, Tensor) or isinstance(weight_decay, Tensor):
        return KAdam(model.parameters(), lr, k=1, betas=betas, eps=eps, weight_decay=weight_decay)
    return torch.optim.AdamW(
        model.parameters(), lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )


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

"""Optimisers and gradient clipping for populations: one member's hyper-parameters never touch
another's.

Axis letters: M member.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

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
    weights; with tensors it is `MemberAdamW`.
    """
    if isinstance(lr, Tensor) or isinstance(weight_decay, Tensor):
        return MemberAdamW(model.parameters(), lr, betas=betas, eps=eps, weight_decay=weight_decay)
    return torch.optim.AdamW(
        model.parameters(), lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True
    )


class MemberAdamW(Optimizer):
    """AdamW (Loshchilov & Hutter 2019) whose learning rate and weight decay have one value per
    member.

    `lr` and `weight_decay` multiply along the leading axis of every parameter. Tested against a
    loop of `torch.optim.AdamW`.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: PerMember,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: PerMember = 0.01,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)
        for group in self.param_groups:
            for parameter in group["params"]:
                for name in ("lr", "weight_decay"):
                    value = group[name]
                    if isinstance(value, Tensor) and value.shape != parameter.shape[:1]:
                        raise ValueError(
                            f"{name} has shape {tuple(value.shape)}; "
                            f"the population has {parameter.shape[0]} members"
                        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of every member from its gradients."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros(())
                    state["exp_avg"] = torch.zeros_like(p)
                    state["exp_avg_sq"] = torch.zeros_like(p)
                state["step"] += 1
                t = state["step"].item()
                lr, decay = _along(group["lr"], p), _along(group["weight_decay"], p)
                mean, square = state["exp_avg"], state["exp_avg_sq"]
                p.mul_(1 - lr * decay)
                mean.lerp_(p.grad, 1 - beta1)
                square.mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)
                scale = (square / (1 - beta2**t)).sqrt_().add_(group["eps"])
                p.sub_(lr / (1 - beta1**t) * mean / scale)


def _along(value: PerMember, parameter: Tensor) -> float | Tensor:
    """One value per member, shaped to multiply `parameter`."""
    if not isinstance(value, Tensor):
        return value
    return value.to(parameter).view(-1, *[1] * (parameter.ndim - 1))


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
        gradient.mul_(_along(scale, gradient))
    return norms

"""Stochastic gradient descent in which every member has a learning rate of its own.

Axis letters: M member.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class PopulationSGD(torch.optim.SGD):
    """Momentum and per-member learning rates; members that diverge stop where they are.

    `schedule` factors of `synthcore.training.fit` act on the group's `lr` of 1. A member's step is
    its rate times the momentum of its gradient, as torch's SGD would take it alone. A member whose
    gradient is not finite keeps its last weights from then on; `diverged` says which do.
    """

    def __init__(self, model: nn.Module, rates: Float[Tensor, "M"], momentum: float = 0.9) -> None:
        super().__init__(model.parameters(), lr=1.0, momentum=momentum)
        self.rates = rates
        self.diverged = torch.zeros(len(rates), dtype=torch.bool, device=rates.device)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; the gradients are scaled in place."""
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        finite = torch.stack([g.flatten(1).isfinite().all(1) for g in gradients]).all(0)
        self.diverged |= ~finite
        if bool(self.diverged.any()):
            self._forget(self.diverged)
        for gradient in gradients:
            shape = (-1, *[1] * (gradient.ndim - 1))
            gradient.mul_(self.rates.view(shape))
            gradient[self.diverged] = 0
        return super().step(closure)

    def _forget(self, members: Bool[Tensor, "M"]) -> None:
        """No momentum carries a stopped member on."""
        for state in self.state.values():
            if state.get("momentum_buffer") is not None:
                state["momentum_buffer"][members] = 0

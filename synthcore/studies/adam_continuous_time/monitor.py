"""How large are the updates of a training run? A float64 shadow of Adam's averages, without
epsilon, fed with the gradients that the optimiser gets.

Axis letters: M member, P parameter tensor, N step.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer


class UpdateMonitor:
    """Largest |u| of every member and tensor at every step, in units of the learning rate.

    After `attach(optimizer)` it looks at the gradients before each update:

    - `largest` (N, P, M): over the coordinates of a tensor;
    - `density` (N, M): share of steps so far in which the coordinate of the largest update had a
      gradient other than 0.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        beta: Float[Tensor, "M"],
        gamma: Float[Tensor, "M"],
    ) -> None:
        self.parameters = list(parameters)
        self.beta, self.gamma = beta.double()[:, None], gamma.double()[:, None]
        flat = [p.detach().flatten(1) for p in self.parameters]
        self.m = [torch.zeros_like(p, dtype=torch.float64) for p in flat]
        self.v = [torch.zeros_like(p, dtype=torch.float64) for p in flat]
        self.seen: list[Int[Tensor, "M D"]] = [torch.zeros_like(p, dtype=torch.int16) for p in flat]
        self.steps: list[Tensor] = []
        self.densities: list[Tensor] = []

    def attach(self, optimizer: Optimizer) -> None:
        """Look before every step of `optimizer`."""
        optimizer.register_step_pre_hook(lambda *_: self.look())

    @torch.no_grad()
    def look(self) -> None:
        """Take in the present gradients."""
        n = len(self.steps) + 1
        factor = (1 - self.gamma**n).sqrt() / (1 - self.beta**n)
        tops, densities = [], []
        for p, m, v, seen in zip(self.parameters, self.m, self.v, self.seen, strict=True):
            assert p.grad is not None
            g = p.grad.flatten(1).double()
            m.lerp_(g, 1 - self.beta)
            v.mul_(self.gamma).add_(g**2 * (1 - self.gamma))
            seen.add_(g != 0)
            u = torch.where(v > 0, m.abs() / v.sqrt(), torch.zeros_like(m))
            top, where = u.max(1)
            tops.append(top * factor[:, 0])
            densities.append(seen.gather(1, where[:, None])[:, 0].double() / n)
        largest, share = torch.stack(tops), torch.stack(densities)
        self.steps.append(largest)
        self.densities.append(share.gather(0, largest.argmax(0, keepdim=True))[0])

    @property
    def largest(self) -> Float[Tensor, "N P M"]:
        return torch.stack(self.steps)

    @property
    def density(self) -> Float[Tensor, "N M"]:
        return torch.stack(self.densities)

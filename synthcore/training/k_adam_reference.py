"""k-Adam to read: one formula per line, one coordinate at a time or all at once, in any dtype.

`KAdam` is tested against it. Letters: n step from 1, i stage from 1 to k.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Stage:
    """Decays and offset of one normalisation: beta and gamma are Adam's beta_1 and beta_2."""

    beta: float
    gamma: float
    eps: float = 1e-8


class Averages:
    """What a stage remembers: m and v, both zero before the first step."""

    def __init__(self, like: Tensor) -> None:
        self.m, self.v = torch.zeros_like(like), torch.zeros_like(like)

    def normalise(self, u: Tensor, stage: Stage, n: int) -> Tensor:
        """The stage's output for its input u at step n; remembers u first."""
        self.m = stage.beta * self.m + (1 - stage.beta) * u
        self.v = stage.gamma * self.v + (1 - stage.gamma) * u**2
        m_hat = self.m / (1 - stage.beta**n)
        v_hat = self.v / (1 - stage.gamma**n)
        return m_hat / (v_hat.sqrt() + stage.eps)


class KAdamReference:
    """The optimiser of one tensor.

    One stage without decay is Adam, so a constant gradient moves a weight by lr at every step:

    >>> reference = KAdamReference([Stage(0.9, 0.999)], lr=0.1)
    >>> theta = torch.zeros(1)
    >>> for _ in range(3):
    ...     theta = reference.step(theta, torch.tensor([5.0]))
    >>> theta
    tensor([-0.3000])
    """

    def __init__(self, stages: Sequence[Stage], lr: float, weight_decay: float = 0.0) -> None:
        self.stages, self.lr, self.weight_decay = list(stages), lr, weight_decay
        self.averages: list[Averages] = []
        self.n = 0

    def step(self, theta: Tensor, gradient: Tensor) -> Tensor:
        """The weights after one more step."""
        if not self.averages:
            self.averages = [Averages(theta) for _ in self.stages]
        self.n += 1
        u = gradient
        for averages, stage in zip(self.averages, self.stages, strict=True):
            u = averages.normalise(u, stage, self.n)
        return theta - self.lr * (self.weight_decay * theta + u)

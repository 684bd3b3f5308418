"""The settings of a training that papers state: how long, with which optimiser and schedule."""

from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer

from synthcore.training.optimizers import Decayed, population_adamw
from synthcore.training.schedules import Schedule, warmup_cosine


@dataclass(frozen=True)
class TrainingConfig:
    """AdamW under a cosine schedule with linear warm-up.

    >>> training = TrainingConfig(steps=100, batch=8, learning_rate=1e-3, warmup=10)
    >>> [round(training.schedule()(step), 2) for step in (0, 9, 55, 100)]
    [0.1, 1.0, 0.55, 0.1]
    """

    steps: int  # updates
    batch: int  # sequences per update and member
    learning_rate: float  # at its peak
    final: float = 0.1  # share of the peak where the cosine ends; 1 keeps it constant
    warmup: int = 0  # updates of linear warm-up
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01  # decoupled
    decayed: Decayed = "all"  # all weights, or matrices only as in nanoGPT
    clip: float | None = 1.0  # largest gradient norm of a member

    def optimizer(self, model: nn.Module) -> Optimizer:
        """For a population: every member by itself."""
        return population_adamw(
            model,
            self.learning_rate,
            betas=self.betas,
            eps=self.eps,
            weight_decay=self.weight_decay,
            decayed=self.decayed,
        )

    def schedule(self) -> Schedule:
        """Factor on the learning rate at a step."""
        return warmup_cosine(self.steps, warmup=self.warmup, final=self.final)

"""Adam on scale-invariant losses: the norm of the weights as a moving average (T4, T5).

f(cW) = f(W) makes gradients orthogonal to W and inversely proportional to |W|. Without the term
<W, u>, which momentum makes as large as the others, |W|^2 gains eta^2 |u|^2 a step; with it,

    |W|^2 <- (1 - 2 eta lambda) |W|^2 + eta^2 K |u|^2,  K = (1 + beta) / (1 - beta).

Axis letters: R run (condition and seed), D coordinate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthcore.studies.adam_continuous_time import task
from synthcore.studies.adam_continuous_time.theory import bounds
from synthcore.training.seeding import seeded

Array = npt.NDArray[np.float64]
Kind = Literal["noise", "mixed", "full batch"]
Moment = Literal["scalar", "coordinate"]
GAMMA = 0.999


def amplification(beta: float) -> float:
    """K = (1 + beta) / (1 - beta): what momentum makes of |u|^2 in the norm law.

    >>> round(amplification(0.9), 6)
    19.0
    """
    return (1 + beta) / (1 - beta)


@dataclass(frozen=True)
class Condition:
    """One simulated layer. `loss_scale` multiplies gradients; `invariant` False drops projection
    and 1 / |W|, as without a normalisation layer.
    """

    kind: Kind = "noise"
    moment: Moment = "coordinate"
    beta: float = 0.9
    eta: float = 1e-3
    decay: float = 0.0
    norm: float = 1.0
    loss_scale: float = 1.0
    invariant: bool = True


@dataclass(frozen=True)
class Paths:
    """Squared norm, squared update and angular step of every run at every step: (steps, R)."""

    norm2: Array
    update2: Array
    angle: Array
    direction: Array  # (R, D): the last unit vector


class Gradients:
    """Gradients of every run at its direction; runs of one seed see the same noise.

    The smooth part is that of W'AW / |W|^2 at |W| = 1, of norm about 1 at the start, and a tenth
    of it in the mixture; the noise is N(0, 1 / d) per coordinate, of norm 1.
    """

    SIGNAL: ClassVar[dict[str, float]] = {"noise": 0.0, "mixed": 0.1, "full batch": 1.0}

    def __init__(self, kinds: list[Kind], seeds: list[int], dimension: int) -> None:
        self.seeds = sorted(set(seeds))
        self.row = torch.tensor([self.seeds.index(seed) for seed in seeds])
        self.smooth = torch.tensor([[self.SIGNAL[kind]] for kind in kinds]).double()
        self.noisy = torch.tensor([[float(kind != "full batch")] for kind in kinds]).double()
        matrices = [task.symmetric_matrix(dimension, seed) for seed in self.seeds]
        self.matrices = torch.tensor(np.stack(matrices))
        smooth = self.smooth[:, 0] > 0
        self.members = [
            ((self.row == s) & smooth).nonzero().flatten() for s in range(len(self.seeds))
        ]
        self.random = [seeded(seed, "layer") for seed in self.seeds]
        self.dimension = dimension

    def start(self) -> Tensor:
        """Unit vectors (R, D), one per seed."""
        drawn = [torch.randn(self.dimension, generator=g, dtype=torch.float64) for g in self.random]
        unit = torch.stack([x / x.norm() for x in drawn])
        return unit[self.row]

    def at(self, unit: Tensor) -> Tensor:
        """2 (A w - f w) plus noise, (R, D), not projected."""
        product = torch.zeros_like(unit)
        for matrix, rows in zip(self.matrices, self.members, strict=True):
            product[rows] = unit[rows] @ matrix
        energy = (unit * product).sum(-1, keepdim=True)
        size = (self.dimension,)
        noise = [torch.randn(size, generator=g, dtype=torch.float64) for g in self.random]
        drawn = torch.stack(noise)[self.row] / self.dimension**0.5
        return 2 * self.smooth * (product - energy * unit) + self.noisy * drawn


class Adam:
    """Moments of every run; v per coordinate, or one v for all coordinates of a run."""

    def __init__(self, beta: Tensor, scalar: Tensor, like: Tensor) -> None:
        self.beta, self.scalar = beta, scalar
        self.m, self.v = torch.zeros_like(like), torch.zeros_like(like)
        self.n = 0

    def update(self, g: Tensor) -> Tensor:
        """u (R, D), epsilon 0."""
        self.n += 1
        square = g**2
        square = torch.where(self.scalar, square.mean(-1, keepdim=True), square)
        self.m = self.beta * self.m + (1 - self.beta) * g
        self.v = GAMMA * self.v + (1 - GAMMA) * square
        scale = (self.v / (1 - GAMMA**self.n)).sqrt()
        return self.m / (1 - self.beta**self.n) / scale


def column(conditions: list[Condition], field: str) -> Tensor:
    """One field of every condition as (R, 1)."""
    return torch.tensor([[float(getattr(c, field))] for c in conditions], dtype=torch.float64)


def tangent(g: Tensor, unit: Tensor) -> Tensor:
    """The part of g orthogonal to the unit vector."""
    return g - (g * unit).sum(-1, keepdim=True) * unit


def simulate(
    conditions: list[Condition],
    seeds: list[int],
    dimension: int,
    steps: int,
    progress: Callable[[int, int], None] | None = None,
) -> Paths:
    """Run r has conditions[r] and seeds[r]; runs of equal seed differ in nothing else."""
    gradients = Gradients([c.kind for c in conditions], seeds, dimension)
    eta, decay = column(conditions, "eta"), column(conditions, "decay")
    invariant = column(conditions, "invariant") > 0
    scale = column(conditions, "loss_scale")
    scalar = torch.tensor([[c.moment == "scalar"] for c in conditions])
    weights = gradients.start() * column(conditions, "norm")
    adam = Adam(column(conditions, "beta"), scalar, weights)
    norm2, update2, angle = [], [], []
    norm = weights.norm(dim=-1, keepdim=True)
    for step in range(steps):
        unit = weights / norm
        g = gradients.at(unit)
        g = scale * torch.where(invariant, tangent(g, unit) / norm, g)
        u = adam.update(g)
        weights = (1 - eta * decay) * weights - eta * u
        norm2.append(norm[:, 0] ** 2)
        norm = weights.norm(dim=-1, keepdim=True)
        # The arc of the chord: arccos loses half of the digits of a small angle.
        chord = (weights / norm - unit).norm(dim=-1)
        angle.append(2 * torch.arcsin((chord / 2).clamp(max=1)))
        update2.append((u**2).sum(-1))
        if progress is not None:
            progress(step + 1, steps)
    norm2.append(norm[:, 0] ** 2)
    squares = torch.stack(norm2).numpy()
    empty = torch.empty(0, len(seeds), dtype=torch.float64)
    return Paths(
        squares,
        (torch.stack(update2) if steps else empty).numpy(),
        (torch.stack(angle) if steps else empty).numpy(),
        (weights / norm).numpy(),
    )


def predicted_norm2(
    update2: Array, start: Array, eta: Array, decay: Array, amplify: Array
) -> Array:
    """|W|^2 by the norm law from the recorded |u|^2: (steps + 1, R). `amplify` is K, or 1 without
    the correction.
    """
    value, path = start, [start]
    for squared in update2:
        value = (1 - eta * decay) ** 2 * value + eta**2 * amplify * squared
        path.append(value)
    return np.stack(path)


def equivalent_direction(
    kind: Kind,
    seeds: list[int],
    beta: float,
    eta: float,
    decay: float,
    dimension: int,
    steps: int,
    norm: float,
    amplify: float,
) -> Array:
    """(B): unit vectors under an explicit second normalisation in place of norm and weight decay.

    S <- gamma_2 S + (1 - gamma_2) |u|^2, w <- normalise(w - sqrt((1 - gamma_2) / K) u / sqrt(S)),
    gamma_2 = e^(-2 eta lambda), S_0 = |W_0|^2 (1 - gamma_2) / (eta^2 K), with K = `amplify` and
    |W_0| = `norm`. Sees the noise that `simulate` draws for these seeds. Returns (R, D).
    """
    gradients = Gradients([kind] * len(seeds), seeds, dimension)
    unit = gradients.start()
    adam = Adam(
        torch.full((len(seeds), 1), beta, dtype=torch.float64),
        torch.zeros(len(seeds), 1, dtype=torch.bool),
        unit,
    )
    gamma_2 = float(np.exp(-2 * eta * decay))
    initial = norm**2 * (1 - gamma_2) / (eta**2 * amplify)
    second = torch.full((len(seeds), 1), initial, dtype=torch.float64)
    for _ in range(steps):
        u = adam.update(tangent(gradients.at(unit), unit))
        second = gamma_2 * second + (1 - gamma_2) * (u**2).sum(-1, keepdim=True)
        unit = unit - ((1 - gamma_2) / amplify) ** 0.5 * u / second.sqrt()
        unit = unit / unit.norm(dim=-1, keepdim=True)
    return np.asarray(unit.numpy())


@dataclass(frozen=True)
class EffectiveRate:
    """A scale-invariant layer of d weights under AdamW, at equilibrium.

    Attributes:
        angular_step: radians per step by which the direction turns: the effective learning rate.
        norm: equilibrium norm of the weights under noisy gradients.
        relaxation: steps in which a deviation of the squared norm falls to 1/e.
        memory: steps in which the direction is forgotten (its cosine falls to 1/e).
        gamma_2: decay per step of the moving average that the squared norm is.
        uncorrected_step: `angular_step` without the momentum term.
    """

    angular_step: float
    norm: float
    relaxation: float
    memory: float
    gamma_2: float
    uncorrected_step: float

    def __str__(self) -> str:
        return (
            f"turns {self.angular_step:.3g} rad per step; |W| settles at {self.norm:.3g} within "
            f"about {self.relaxation:.0f} steps."
        )


def effective_rate(
    lr: float, weight_decay: float, beta: float, dimension: int, gamma: float = 0.999
) -> EffectiveRate:
    """What eta, lambda, beta and d make of a normalised layer.

    |W|^2 is a moving average of eta |u|^2 (1 + beta) / (1 - beta) / (2 lambda) over 1 / (2 eta
    lambda) steps, so the step eta |u| / |W| settles at sqrt(2 eta lambda (1 - beta) / (1 + beta)),
    whatever the loss, its scale and the initial weights. Noisy gradients give |u|^2 = d (1 - beta)
    / (1 + beta), hence |W|^2 = eta d / (2 lambda). Holds for small eta lambda and for gamma > beta.

    >>> f"{effective_rate(1e-3, 0.1, 0.9, 9).angular_step:.5f} rad"
    '0.00324 rad'

    Raises ValueError for values out of range.
    """
    if not (lr > 0 and weight_decay > 0 and dimension >= 1):
        raise ValueError("lr and weight_decay must be positive and dimension at least 1")
    bounds.exponent(beta, gamma)  # refuses decays outside [0, 1)
    amplification = (1 + beta) / (1 - beta)
    product = lr * weight_decay
    return EffectiveRate(
        math.sqrt(2 * product / amplification),
        math.sqrt(lr * dimension / (2 * weight_decay)),
        1 / (2 * product),
        1 / product,
        math.exp(-2 * product),
        math.sqrt(2 * product),
    )

"""Two questions a practitioner asks: are these betas safe, and how fast does a normalised layer
really learn?

>>> pair = safe_betas(0.95, 0.9)
>>> pair.region, pair.least_gamma
('unstable', 0.9025)
>>> layer = effective_rate(1e-3, 0.1, 0.9, 9)
>>> f"{layer.angular_step:.5f} rad"
'0.00324 rad'
"""

import math
from dataclasses import dataclass

from synthcore.studies.adam_continuous_time import theory


@dataclass(frozen=True)
class Safety:
    """What a pair of decays allows. Updates are in units of the learning rate.

    Attributes:
        exponent: C of the continuous theory; positive is stable there.
        limit: largest update any gradients can ever cause, exact; infinite if unstable.
        continuous_limit: the same in continuous time.
        rate: growth of the largest update per step (of its logarithm); 0 if stable.
        least_gamma: gamma must exceed this with the given beta (beta^2).
        largest_beta: beta must stay below this with the given gamma (its root).
    """

    beta: float
    gamma: float
    region: theory.Region
    exponent: float
    limit: float
    continuous_limit: float
    rate: float
    least_gamma: float
    largest_beta: float

    def __str__(self) -> str:
        pair = f"beta = {self.beta:g}, gamma = {self.gamma:g}"
        if self.region == "unstable":
            return (
                f"{pair}: unstable, the largest update grows by {math.expm1(self.rate):.3%} per "
                f"step; with this beta, gamma must exceed {self.least_gamma:.4f}."
            ).replace("%", " %")
        return f"{pair}: {self.region}, no update ever exceeds {self.limit:.3f} learning rates."


def safe_betas(beta: float, gamma: float) -> Safety:
    """Is (beta, gamma) safe, and how large can an update get? ValueError outside [0, 1)."""
    return Safety(
        beta,
        gamma,
        theory.region(beta, gamma),
        float(theory.exponent(beta, gamma)),
        float(theory.exact_limit(beta, gamma)),
        float(theory.continuous_limit(beta, gamma)),
        max(0.0, float(theory.exact_rate(beta, gamma))) if beta else 0.0,
        float(theory.frontier(beta)),
        math.sqrt(gamma),
    )


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

    Raises ValueError for values out of range.
    """
    if not (lr > 0 and weight_decay > 0 and dimension >= 1):
        raise ValueError("lr and weight_decay must be positive and dimension at least 1")
    theory.exponent(beta, gamma)  # refuses decays outside [0, 1)
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

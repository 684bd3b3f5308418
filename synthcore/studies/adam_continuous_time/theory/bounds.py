"""Bounds on Adam's update: continuous time (T2), exact (T3), and the wedge between them.

beta and gamma are Adam's beta_1 and beta_2; m_n and v_n already contain the gradient of step n,
counted from 1. By Cauchy-Schwarz |m_n| <= sqrt(sum_i M_i^2 / V_i) sqrt(v_n), with M and V the
kernels of the two averages, and some stream of gradients attains it. In continuous time the
kernels are a e^(-a s) and b e^(-b s) with a = (1 - beta) / beta, b = (1 - gamma) / gamma per step,
which have the same mean lag as the discrete ones. The sum then grows or converges with the sign of

    C = 2 a - b = (2 gamma - beta (1 + gamma)) / (beta gamma);

exactly it is the sign of gamma - beta^2 that counts. All functions broadcast, in float64.
Source: Gould and Tanaka, Eq. 5 (continuous); the exact counterpart is ours.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Values = npt.ArrayLike
Region = Literal["stable", "wedge", "unstable"]


def exponent(beta: Values, gamma: Values) -> Array:
    """C(beta, gamma); infinite for beta = 0, minus infinite for gamma = 0 < beta.

    >>> float(exponent(0.9, 0.999).round(4))
    0.2212
    """
    beta, gamma = _pair(beta, gamma)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 2 * (1 - beta) / beta - (1 - gamma) / gamma
    return np.where(beta == 0, np.inf, value)


def bias_factor(beta: Values, gamma: Values, n: Values) -> Array:
    """sqrt(1 - gamma^n) / (1 - beta^n): what the corrections for the start at zero multiply by."""
    return np.asarray(np.exp(_log_bias_factor(*_pair(beta, gamma), np.asarray(n, dtype=float))))


def _log_bias_factor(beta: Array, gamma: Array, n: Array) -> Array:
    with np.errstate(divide="ignore"):
        square, mean = (np.log(-np.expm1(n * np.log(value))) for value in (gamma, beta))
    return np.asarray(square / 2 - mean)


def continuous_bound(beta: Values, gamma: Values, n: Values, corrected: bool = True) -> Array:
    """T2: largest |u_n| in continuous time, n steps after the start.

    sqrt(I_n) a / sqrt(b) with I_n = (1 - e^(-C n)) / C, or n where C = 0; times the bias factor
    unless `corrected` is False. Not a number where beta or gamma is 0.
    """
    beta, gamma = _pair(beta, gamma)
    n = np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a, b, c = (1 - beta) / beta, (1 - gamma) / gamma, exponent(beta, gamma)
        integral = np.where(np.abs(c) < 1e-12, n, -np.expm1(-c * n) / c)
        bound = a / np.sqrt(b) * np.sqrt(integral)
    return np.asarray(bound * bias_factor(beta, gamma, n) if corrected else bound)


def exact_bound(beta: Values, gamma: Values, n: Values, corrected: bool = True) -> Array:
    """T3: largest |u_n| of all gradient histories of n steps.

    (1 - beta) / sqrt(1 - gamma) sqrt(sum_(i<n) q^i) with q = beta^2 / gamma. At n = 1 it is 1, and
    for beta = gamma at every n:

    >>> exact_bound(0.95, 0.95, [1, 10, 1000]).round(12)
    array([1., 1., 1.])

    Right to 1e-10 at any n and however near gamma is to beta^2; where it is too large for a number,
    `log_exact_bound` is not.
    """
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(log_exact_bound(beta, gamma, n, corrected)))


def log_exact_bound(beta: Values, gamma: Values, n: Values, corrected: bool = True) -> Array:
    """Its natural logarithm."""
    beta, gamma = _pair(beta, gamma)
    n = np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.log1p((beta**2 - gamma) / gamma)  # ln q
        # ln of the geometric series; a rising one is read backwards, from its largest term
        series = np.log(np.expm1(-n * np.abs(rate)) / np.expm1(-np.abs(rate)))
        series = np.where(rate == 0, np.log(n), series + (n - 1) * np.maximum(rate, 0))
        series = np.where((beta == 0) | (n == 1), 0.0, series)
    bound = np.log1p(-beta) - np.log1p(-gamma) / 2 + series / 2
    return np.asarray(bound + _log_bias_factor(beta, gamma, n) if corrected else bound)


def continuous_limit(beta: Values, gamma: Values) -> Array:
    """T2 as n grows: a / sqrt(b C); infinite where C <= 0 and for beta = 0.

    >>> float(continuous_limit(0.9, 0.999).round(3))
    7.467
    """
    beta, gamma = _pair(beta, gamma)
    c = exponent(beta, gamma)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (1 - beta) / beta, (1 - gamma) / gamma
        limit = a / np.sqrt(b * c)
    return np.where((c > 0) & np.isfinite(c), limit, np.inf)


def exact_limit(beta: Values, gamma: Values) -> Array:
    """T3 as n grows: (1 - beta) sqrt(gamma) / sqrt((1 - gamma) (gamma - beta^2)), or infinite.

    >>> float(exact_limit(0.9, 0.999).round(3))
    7.27
    """
    beta, gamma = _pair(beta, gamma)
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = (1 - beta) * np.sqrt(gamma) / np.sqrt((1 - gamma) * (gamma - beta**2))
    limit = np.where(beta == 0, 1 / np.sqrt(1 - gamma), limit)
    return np.where(stable(beta, gamma), limit, np.inf)


def stable(beta: Values, gamma: Values) -> npt.NDArray[np.bool_]:
    """Whether updates are bounded at all n: beta^2 < gamma, or beta = 0."""
    beta, gamma = _pair(beta, gamma)
    return np.asarray((beta**2 < gamma) | (beta == 0))


def continuous_rate(beta: Values, gamma: Values) -> Array:
    """-C / 2: growth of the continuous bound per step, where positive."""
    return np.asarray(-exponent(beta, gamma) / 2)


def exact_rate(beta: Values, gamma: Values) -> Array:
    """ln beta - ln(gamma) / 2: change of ln |u| per step after the last gradient.

    Where positive it is also the growth rate of the exact bound.

    >>> float(exact_rate(0.99, 0.95).round(4)), float(continuous_rate(0.99, 0.95).round(4))
    (0.0156, 0.0162)
    """
    beta, gamma = _pair(beta, gamma)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(beta) - np.log(gamma) / 2)


def frontier(beta: Values) -> Array:
    """beta^2: the smallest safe gamma lies just above."""
    return np.asarray(np.asarray(beta, dtype=float) ** 2)


def continuous_frontier(beta: Values) -> Array:
    """beta / (2 - beta): where C = 0."""
    beta = np.asarray(beta, dtype=float)
    return np.asarray(beta / (2 - beta))


def region(beta: float, gamma: float) -> Region:
    """Where a pair lies. In the wedge it is safe although the continuous theory says otherwise.

    >>> region(0.9, 0.999), region(0.5, 0.3), region(0.9, 0.5)
    ('stable', 'wedge', 'unstable')
    """
    if not stable(beta, gamma):
        return "unstable"
    return "stable" if exponent(beta, gamma) > 0 else "wedge"


def normal_curve(c: Values) -> tuple[Array, Array]:
    """Points (beta, gamma) with the given C on the curve normal to the level sets through
    (0.9, 0.999).

    The gradient of C is (-2 / beta^2, 1 / gamma^2), so beta^3 + 2 gamma^3 is constant on the
    curve. It leaves the square at C = -0.051 (beta = 1) and C = 0.228 (gamma = 1).

    >>> beta, gamma = normal_curve(exponent(0.9, 0.999))
    >>> round(float(beta), 6), round(float(gamma), 6)
    (0.9, 0.999)
    """
    constant = 0.9**3 + 2 * 0.999**3
    # C falls along the curve as beta rises; bisection is exact to rounding.
    c = np.asarray(c, dtype=float)
    low, high = np.full(c.shape, (constant - 2) ** (1 / 3)), np.ones(c.shape)
    for _ in range(80):
        middle = (low + high) / 2
        gamma = ((constant - middle**3) / 2) ** (1 / 3)
        above = 2 / middle - 1 / gamma - 1 > c
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    beta = (low + high) / 2
    return np.asarray(beta), np.asarray(((constant - beta**3) / 2) ** (1 / 3))


def worst_growth(beta: Values, gamma: Values) -> Array:
    """ln(gamma / beta): gradients that grow by this per step attain the exact bound at every step.

    Equality in Cauchy-Schwarz needs g_(n-i) ~ (beta / gamma)^i.
    """
    beta, gamma = _pair(beta, gamma)
    return np.asarray(np.log(gamma / beta))


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
    region: Region
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
    """Is (beta, gamma) safe, and how large can an update get? ValueError outside [0, 1).

    >>> pair = safe_betas(0.95, 0.9)
    >>> pair.region, pair.least_gamma
    ('unstable', 0.9025)
    """
    return Safety(
        beta,
        gamma,
        region(beta, gamma),
        float(exponent(beta, gamma)),
        float(exact_limit(beta, gamma)),
        float(continuous_limit(beta, gamma)),
        max(0.0, float(exact_rate(beta, gamma))) if beta else 0.0,
        float(frontier(beta)),
        math.sqrt(gamma),
    )


def _pair(beta: Values, gamma: Values) -> tuple[Array, Array]:
    beta, gamma = np.asarray(beta, dtype=float), np.asarray(gamma, dtype=float)
    for name, value in (("beta", beta), ("gamma", gamma)):
        if not ((value >= 0) & (value < 1)).all():
            raise ValueError(f"{name} must lie in [0, 1) (got {value})")
    return beta, gamma

"""The parts that the chapter's figures share: colours, names, outputs."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

WEAK, STRONG, MINOR = "#2563b0", "#a01830", "#cf7d00"
OOD, ID = "#222222", "#6b4c9a"
ENTRY_COLOURS = {"weak": WEAK, "minor": MINOR, "strong": STRONG}
ARCHITECTURE_COLOURS = {
    "1-layer linear": "#2563b0",
    "2-layer linear": "#13a07f",
    "2-layer ReLU": "#cf7d00",
}
T, TAU = "clock t = step size × steps", "clock τ = 2 × step size × steps"


def condition_name(data: xr.Dataset, i: int) -> str:
    """`μ = (1, 2), σ₁ = 0.5` of a condition."""
    mu = f"({float(data.mu_1[i]):g}, {float(data.mu_2[i]):g})"
    return f"μ = {mu}, σ₁ = {float(data.sigma_1[i]):g}"


def output(weights: NDArray[Any], mu: NDArray[Any]) -> NDArray[Any]:
    """f(x^) of two concepts from the entries (weak, minor, strong) on the last axis, weak first."""
    weak = weights[..., 0] * mu[0] + weights[..., 1] * mu[1]
    strong = weights[..., 1] * mu[0] + weights[..., 2] * mu[1]
    return np.stack([weak, strong], axis=-1)


def ood_loss(weights: NDArray[Any], mu: NDArray[Any]) -> NDArray[Any]:
    """|f(x^) - x^|^2 / 2 from the same entries."""
    loss: NDArray[Any] = ((output(weights, mu) - mu) ** 2).sum(-1) / 2
    return loss

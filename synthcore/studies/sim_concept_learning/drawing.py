"""The parts that the chapter's figures share: colours, names, bands over seeds, panels."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy import stats

WEAK, STRONG, MINOR = "#2563b0", "#a01830", "#cf7d00"
OOD, ID, GREY = "#222222", "#6b4c9a", "#8c8c8c"
ENTRY_COLOURS = {"weak": WEAK, "minor": MINOR, "strong": STRONG}
ARCHITECTURE_COLOURS = {
    "1-layer linear": "#2563b0",
    "2-layer linear": "#13a07f",
    "2-layer ReLU": "#cf7d00",
}
T, TAU = "clock t = step size × steps", "clock τ = 2 × step size × steps"


def panels(
    count: int, height: float = 3.0, width: float = 3.6, rows: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Panels side by side, in `rows` rows."""
    columns = -(-count // rows)
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(width * columns, height * rows),
        squeeze=False,
        layout="constrained",
        **options,
    )
    return fig, list(axes.flat)


def interval(values: NDArray[Any]) -> NDArray[Any]:
    """Half-width of the 95 % interval of the mean over the first axis; 0 for a single value."""
    count = values.shape[0]
    if count < 2:
        return np.zeros(values.shape[1:])
    half: NDArray[Any] = stats.t.ppf(0.975, count - 1) * values.std(0, ddof=1) / np.sqrt(count)
    return half


def band(
    ax: Axes,
    x: ArrayLike,
    values: NDArray[Any],
    colour: str,
    label: str | None = None,
    style: str = "-",
    thin: int = 8,
) -> None:
    """Mean over the first axis as a line, its 95 % interval as a band, some seeds thin behind."""
    for one in values[:thin]:
        ax.plot(x, one, color=colour, lw=0.5, alpha=0.3)
    mean, half = values.mean(0), interval(values)
    ax.fill_between(np.asarray(x), mean - half, mean + half, color=colour, alpha=0.2, lw=0)
    ax.plot(x, mean, color=colour, lw=1.8, ls=style, label=label)


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

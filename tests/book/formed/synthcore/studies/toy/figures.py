"""The figures of the walks."""

import xarray as xr
from matplotlib.figure import Figure

from synthcore import figures


def walks(data: xr.Dataset) -> Figure:
    """Both kinds over steps, and every walk with drift as a row."""
    fig, (left, right) = figures.canvas(2)
    figures.over_seeds(left, data.drift, "step", figures.CONCEPTS["retrieval"], "with drift")
    figures.over_seeds(left, data.free, "step", figures.CONCEPTS["inference"], "without")
    figures.chance(left, 0)
    left.set(xlabel="step", ylabel="position [m]")
    figures.key(left)
    mesh = right.pcolormesh(data.drift.values)
    figures.colour_bar(mesh, right, "position [m]")
    right.set(xlabel="step", ylabel="seed")
    return fig

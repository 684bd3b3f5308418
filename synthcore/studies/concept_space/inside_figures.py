"""Figures of what goes on inside the networks: dataset in, figure out."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import key, level, over_seeds, panels
from synthcore.studies.concept_space import decisions, inside_decisions
from synthcore.studies.concept_space.figures import below, by_signal, signal_colour
from synthcore.studies.concept_space.prompt_figures import NAIVE

PUSHED, PATCHED = "#2e7d4f", "#8a4f9e"


def roads(data: xr.Dataset) -> Figure:
    """F4, inside: accuracy on the held-out class by intervention."""
    fig, axes = by_signal(data, 2.6)
    for signal, ax in axes.items():
        one = data.sel(signal=signal).drop_vars("signal")
        over_seeds(ax, decisions.naive(one), "step", NAIVE, "plain prompt")
        strength = f"push of {data.attrs['push']:g}"
        over_seeds(ax, inside_decisions.latent(one), "step", PUSHED, strength)
        over_seeds(ax, one.patched_joint, "step", PATCHED, "final prompt encoders")
        level(ax, 0.8, "", style=":")
        ax.set(xlabel="step", ylim=(-0.02, 1.02))
    below(fig, *ax.get_legend_handles_labels())
    return fig


def embeddings(data: xr.Dataset) -> Figure:
    """F6: cosine of blue and red in the prompt encoders, and how much weights change."""
    fig, (left, right) = panels(2, height=3.2, width=4.0)
    for signal in data.signal.values:
        one = data.sel(signal=signal).drop_vars("signal")
        over_seeds(
            left, inside_decisions.cosine(one), "step", signal_colour(data, signal), f"{signal:g}"
        )
    left.set(xlabel="step", ylabel="cosine of blue and red")
    key(left, title="$\\Delta_c$")
    moved = data.weight_change.mean("signal").isel(step=slice(1, None))
    gaps = np.diff(data.step.values)
    for part, colour in zip(data.part.values, (PATCHED, NAIVE), strict=True):
        curve = moved.sel(part=part, drop=True) / xr.DataArray(gaps, dims="step") * 100
        over_seeds(right, curve, "step", colour, str(part))
    right.set(xlabel="step", ylabel="relative change [per 100 steps]", yscale="log")
    key(right)
    return fig

"""The bridge to the identity map: does the error in concept space do what the bare task predicts?

Yang et al. (2410.08309) train a network to copy points from clusters; there the stronger concept
comes first, the error at the unseen corner can rise again before it falls for good, and learning
slows down towards the end. Here the same is asked of diffusion models.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from synthcore.evidence.first_edition import Verdict, all_of, at_least, at_most
from synthcore.figures import band, key, log_axis, panels
from synthcore.studies.concept_space import decisions, times
from synthcore.studies.concept_space.figures import signal_colour

RISE, SLOWER = 0.02, 5.0
LATE = 4
"""the last quarter of the checkpoints is late"""
FASTEST = 100.0
"""a run that stands still at the end counts as this many times slower"""


def walked(data: xr.Dataset, signal: float) -> NDArray[np.float64]:
    """Paths (seed, step, 2) of the held-out class at one signal."""
    path = decisions.path(data).sel(signal=signal).transpose("seed", "step", "concept")
    return path.values.astype(float)


def known_from(path: NDArray[np.float64]) -> int:
    """First of the last checkpoints (seed, step, concept) at which every seed draws discs."""
    missing = np.flatnonzero(np.isnan(path).any((0, 2)))
    return int(missing[-1]) + 1 if len(missing) else 0


def errors(data: xr.Dataset, signal: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps, and at each the smoothed squared error (seed, step) of the held-out class, mean over
    concepts; from the first step on at which all seeds draw discs."""
    path = walked(data, signal)
    start = known_from(path)
    if start == path.shape[1]:
        return data.step.values[:0], np.empty((len(path), 0))
    error = times.smooth((path[:, start:] - 1).swapaxes(0, 1) ** 2).mean(-1).T
    return data.step.values[start:], error


def highest_rise(error: NDArray[np.float64]) -> tuple[float, int, int]:
    """The largest rise of a curve after an earlier value: its size and both places.

    >>> highest_rise(np.array([3.0, 1.0, 0.5, 2.0, 0.0]))
    (1.5, 2, 3)
    """
    low = np.minimum.accumulate(error)
    top = int((error - low).argmax())
    foot = int(error[: top + 1].argmin())
    return float(error[top] - error[foot]), foot, top


def rises(data: xr.Dataset) -> xr.DataArray:
    """Rise of the error of every seed, at the signal and between the two steps at which the mean of
    the *other* seeds rises most; so that the choice of place does not raise the number. All signals
    but the strongest are tried."""
    curves = [errors(data, s)[1] for s in data.signal.values[:-1]]
    curves = [curve for curve in curves if curve.shape[1] > 1]
    found = []
    for seed in range(data.sizes["seed"] if data.sizes["seed"] > 1 else 0):
        tried = []
        for curve in curves:
            rise, foot, top = highest_rise(np.delete(curve, seed, 0).mean(0))
            tried.append((rise, curve[seed, top] - curve[seed, foot]))
        found.append(max(tried)[1] if tried else np.nan)
    return xr.DataArray(found, dims="seed")


def slowing(data: xr.Dataset) -> xr.DataArray:
    """Log of (largest speed in concept space / mean speed in the last quarter), per seed: median
    over signals."""
    steps = data.step.values.astype(float)
    table = []
    for signal in data.signal.values:
        path = walked(data, signal)
        start = known_from(path)
        moved = np.diff(times.smooth(path[:, start:].swapaxes(0, 1)), axis=0)
        if len(moved) < LATE:
            continue
        speed = np.linalg.norm(moved, axis=-1) / np.diff(steps[start:])[:, None]
        late = speed[-max(len(steps) // LATE, 1) :].mean(0)
        most = np.maximum(speed.max(0), 1e-12)
        table.append(np.log(most / np.maximum(late, most / FASTEST)))
    if not table:
        return xr.DataArray(np.full(data.sizes["seed"], np.nan), dims="seed")
    return xr.DataArray(np.median(table, axis=0), dims="seed")


def like_the_identity_map(data: xr.Dataset) -> Verdict:
    """The order flips along the sweep, the error rises again somewhere, and learning slows down."""
    strong, weak = float(data.signal[-1]), float(data.signal[0])
    first = decisions.order(data, strong).dropna("seed")
    last = decisions.order(data, weak).dropna("seed")
    return all_of(
        at_least(first, 0.0, label="strong: colour first", rule="mean"),
        at_most(last, 0.0, label="weak: size first", rule="mean"),
        at_least(rises(data), RISE, label="the error rises again", rule="mean"),
        at_least(slowing(data), float(np.log(SLOWER)), label="slower at the end", rule="mean"),
    )


def backwards(data: xr.Dataset) -> xr.Dataset:
    """Control: the strongest and the weakest signal trade places, and every path runs straight and
    at one pace from the middle to its end, so that no error rises and nothing slows down."""
    control = data.copy(deep=True)
    control["right"] = data.right.isel(signal=slice(None, None, -1)).assign_coords(
        signal=data.signal
    )
    share = data.step.astype(float) / int(data.step[-1])
    even = 0.5 + 0.5 * share.broadcast_like(data.coordinates).transpose(*data.coordinates.dims)
    return control.assign(coordinates=data.coordinates.copy(data=even.values))


def errors_by_signal(data: xr.Dataset) -> Figure:
    """F12: error of the held-out class in concept space, mean and interval over seeds."""
    fig, (ax,) = panels(1, width=6.0)
    first = np.inf
    for signal in data.signal.values:
        steps, error = errors(data, signal)
        first = min([first, *steps[:1]])
        band(ax, steps, error, signal_colour(data, signal), f"{signal:g}", thin=0)
    ax.set(
        ylabel="squared error in concept space\n(mean of colour and size)",
        ylim=(0, None),
    )
    every = (3, 10, 30, 100, 300, 1000, 3000, 10_000)
    ticks = [t for t in every if first <= t <= int(data.step[-1])]
    log_axis(ax, ticks, "training step")
    key(ax, title="$\\Delta_c$")
    return fig

"""Figures about ForkWorld: what is found, what sampling does, which models can be asked."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import (
    GREY,
    INK,
    band,
    canvas,
    half_width,
    key,
    log_axis,
    over_seeds,
    points,
    tag,
)
from synthcore.studies.forking_paths.experiments.detection import FORKS
from synthcore.studies.forking_paths.figures.texts import FORK, NOISE, STILL, bands, outcome_key

GREEN = "#13a07f"
BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.22)}


def detection(data: xr.Dataset) -> Figure:
    """F7: recall by size of the jump, and precision against two truths, over S."""
    fig, (left, right) = canvas(2, 3.1)
    found = data.sel(detector="exact DM").mean("length")
    names = ("J .02 to .05", ".05 to .1", ".1 to .2", ".2 and more")
    shades = ("#8aa0b8", STILL, "#d98a4e", FORK)
    for i, (shade, name) in enumerate(zip(shades, names, strict=True)):
        over_seeds(left, found.recall.isel(jump=i), "samples", shade, name)
    over_seeds(right, found.precision, "samples", FORK, "a change of .02 is near")
    over_seeds(right, found.precision_specified, "samples", NOISE, "a change of .1 is near")
    for ax, name in ((left, "recall"), (right, "precision")):
        log_axis(ax, data.samples.values, "S, completions per branch")
        ax.set(ylabel=name, ylim=(0, 1.03))
        key(ax, **BELOW, ncols=2 if ax is left else 1)
    return fig


def calibration(data: xr.Dataset, counting: xr.Dataset, headline: int) -> Figure:
    """F7: stated probabilities against frequencies, and how many changes detectors count."""
    fig, (left, right) = canvas(2, 3.0)
    at = data.sel(samples=headline).mean("length")
    points(left, at.calibration_said.mean("seed"), at.calibration_rate, FORK, ls="none")
    left.plot([0, 1], [0, 1], color=INK, ls="--", lw=1.1)
    left.set(xlabel="probability of a change within ±1", ylabel="how often there is one")
    x = np.arange(counting.sizes["counter"])
    for j, (forks, colour) in enumerate(zip(FORKS, (NOISE, STILL, FORK), strict=True)):
        off = (counting.counted - counting.true_forks).sel(forks=forks)
        name = f"{forks} fork{'' if forks == 1 else 's'}"
        points(right, x + 0.2 * (j - 1), off, colour, name, ls="none")
    right.axhline(0, color=INK, ls="--", lw=1.1)
    right.set_xticks(x, ("exact", "BEAST-\nlike", "no\njitter", "least\nsquares"), fontsize=8)
    right.set_ylabel("changes counted, less true")
    key(right)
    return fig


def survivals(data: xr.Dataset, headline: int) -> Figure:
    """F5: survival to the end against the distance that counts, exact, observed and by noise."""
    fig, axes = canvas(2, 3.2, sharey=True)
    few = data.samples.values[np.searchsorted(data.samples.values, 10)]
    for ax, text in zip(axes, data.text.values, strict=True):
        one = data.sel(text=text)
        for samples, colour in zip((few, headline), (STILL, FORK), strict=True):
            at = one.sel(samples=samples)
            over_seeds(ax, at.survival, "eps", colour, f"S = {samples}")
            over_seeds(ax, at.survival_by_noise, "eps", colour, f"S = {samples}, noise alone", ":")
        exact = one.survival_exact.mean("seed")
        ax.plot(data.eps, exact, color=INK, ls="--", lw=1.2, label="exact")
        ax.set(xlabel="ε, distance that counts (L2)", ylim=(-0.03, 1.03))
        tag(ax, str(text), loc="left")
    axes[0].set_ylabel("survival to the last token")
    key(axes[0], **BELOW, ncols=2)
    return fig


def jumps_and_distances(data: xr.Dataset) -> Figure:
    """F8: the jump at a fork against the expected distance, and what each detector sees."""
    fig, (left, right) = canvas(2, 3.0)
    colours = dict(zip(data.fork.values.astype(str), (GREEN, STILL, FORK, NOISE), strict=True))
    for name, colour in colours.items():
        one = data.sel(fork=name)
        x, y = one.fork_distance.values.ravel(), one.fork_jump.values.ravel()
        left.plot(x, y, ".", ms=4, color=colour, label=name, alpha=0.7)
    most = float(data.fork_distance.max()) * 1.05
    left.plot([0, most], [0, most], color=INK, ls="--", lw=1.1, label="bound")
    left.set(xlabel="$e_t$, expected distance", ylabel="$J_t$, jump of the outcomes")
    key(left, loc="upper left")
    x = np.arange(data.sizes["fork"])
    points(right, x - 0.08, data.change_hit, FORK, "change point", ls="none")
    points(right, x + 0.08, data.hazard_hit, STILL, "hazard", ls="none", marker="s")
    right.set_xticks(x, data.fork.values)
    right.set(ylabel="share of planted forks found", ylim=(-0.03, 1.03), xlabel="kind of fork")
    key(right, loc="center left")
    return fig


def sampling_noise(data: xr.Dataset) -> Figure:
    """C8: noise against S with its law, and the error of o_t by cause."""
    fig, (left, right) = canvas(2, 2.8)
    draws = data.draws.values
    over_seeds(left, data.noise, "draws", FORK, "two histograms of one branch")
    law = data.noise_expected.mean("seed")
    left.plot(draws, law, color=INK, ls="--", lw=1.2, label="normal approximation")
    log_axis(left, draws, "S, completions per branch")
    left.set(yscale="log", ylabel="total variation")
    left.set_yticks([0.05, 0.1, 0.2, 0.3], ["0.05", "0.1", "0.2", "0.3"])
    left.yaxis.set_ticks([], minor=True)
    key(left)
    y = np.arange(data.sizes["cause"])[::-1]
    values = data.error.transpose("seed", "cause").values.astype(float)
    right.barh(y, values.mean(0), xerr=half_width(values), color=STILL, height=0.62, ecolor=GREY)
    right.set_yticks(y, data.cause.values)
    right.set(xlabel="error of $o_t$ (total variation)")
    return fig


def spending(data: xr.Dataset) -> Figure:
    """Tokens against the error of change points and recall, for three ways to spend them."""
    fig, (left, right) = canvas(2, 2.8)
    for ax, even, adaptive in (
        (left, data.brier, data.adaptive_brier),
        (right, data.found, data.adaptive_found),
    ):
        for strategy, colour in (("uniform", NOISE), ("pooled", STILL)):
            cost = data.tokens.sel(strategy=strategy).mean("seed").values / 1e3
            values = even.sel(strategy=strategy).transpose("seed", "spent").values
            band(ax, cost, values, colour, strategy)
        cost = data.adaptive_tokens.mean("seed").values / 1e3
        band(ax, cost, adaptive.transpose("seed", "round").values, FORK, "adaptive")
        log_axis(ax, [20, 50, 100, 200, 400], "thousand sampled tokens per text")
        key(ax)
    left.set(ylabel="Brier score of changes, per text")
    right.set(ylabel="recall, jumps ≥ .1")
    return fig


def learned(data: xr.Dataset) -> Figure:
    """Outcomes along a greedy text of a trained network: measured, and exact in its language."""
    fig, axes = canvas(2, 2.5, sharey=True)
    one = data.isel(seed=int(data.error.notnull().argmax()))
    names = [chr(65 + i) for i in range(data.sizes["outcome"])]
    for ax, shares, title in zip(
        axes, (one.measured, one.exact), ("network, sampled", "language, exact"), strict=True
    ):
        bands(ax, shares.values, names)
        ax.set_xlabel("token position t")
        tag(ax, title, loc="left")
    axes[1].set_ylabel("")
    outcome_key(axes[1])
    return fig


def backends(data: xr.Dataset, networks: xr.Dataset) -> Figure:
    """C6: error of every backend's outcomes as a multiple of sampling noise."""
    fig, (ax,) = canvas(1, 2.5)
    names = [str(name) for name in data.backend.values]
    values = [*(data.excess.sel(backend=name).values for name in names), networks.excess.values]
    y = np.arange(len(values))[::-1]
    for place, found, name in zip(y, values, [*names, ""], strict=True):
        colour = NOISE if name.startswith("control") else FORK
        ax.plot(found, np.full(len(found), place), "o", ms=5, color=colour, alpha=0.8)
    ax.set_yticks(y, [*names, "trained network, twice"])
    ax.axvline(1, color=INK, ls="--", lw=1.1)
    ax.set(xlabel="error of $o_t$ / error that sampling alone gives", xlim=(0, None))
    return fig

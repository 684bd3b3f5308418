"""Figures of the chapter about ForkWorld: dataset or example in, matplotlib figure out."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import (
    GREY,
    INK,
    band,
    half_width,
    key,
    log_axis,
    over_seeds,
    panels,
    points,
    tag,
)  # fmt: skip
from synthcore.studies.forking_paths.drawing import (
    FORK,
    NOISE,
    OUTCOMES,
    STILL,
    bands,
    outcome_key,
    written,
)  # fmt: skip
from synthcore.studies.forking_paths.examples import Example
from synthcore.studies.forking_paths.task import Kind

MARKS: dict[Kind, str] = {"fork": "o", "rare": "s", "hidden": "v", "drift": "d"}
DETECTOR_COLOURS = (FORK, STILL, "#13a07f", NOISE)


def along_text(example: Example) -> Figure:
    """F1: a text, exact and sampled outcomes along it, and where the detector sees changes."""
    fig, axes = plt.subplots(
        4, 1, figsize=(8.6, 6.4), layout="constrained", height_ratios=[1.1, 1.5, 1.5, 0.9]
    )
    p_tau = example.found.p_tau[0].numpy()
    caused = np.append(p_tau[1:], 0.0)
    written(axes[0], example.world.base_path(), caused)
    names = example.world.names
    bands(axes[1], example.exact.numpy(), names)
    tag(axes[1], "exact", loc="left")
    bands(axes[2], example.paths.o_t[0].numpy(), names)
    tag(axes[2], f"from {int(example.paths.samples.max())} completions per branch", loc="left")
    outcome_key(axes[1])
    axes[3].bar(np.arange(len(p_tau)), p_tau, width=0.9, color=FORK)
    axes[3].set(xlim=(-0.5, len(p_tau) - 0.5), ylim=(0, 1), ylabel="p(τ = t)")
    for kind, mark in MARKS.items():
        at = example.world.forks(kind)
        if len(at):
            y = np.full(len(at), 0.85)
            axes[3].plot(at + 1, y, mark, color=INK, ms=5, mfc="none", label=f"{kind}, planted")
    axes[3].set_xlabel("token position t")
    key(axes[3], loc="center left", bbox_to_anchor=(1.0, 0.5))
    for ax in axes[1:3]:
        ax.set_xticklabels([])
    return fig


def parallel_sets(example: Example, around: int) -> Figure:
    """F2: four tokens in a row; what every token that may stand there makes of the outcome."""
    fig, axes = panels(4, width=2.2, height=3.0)
    o_tw, weight = example.paths.o_tw[0].numpy(), example.paths.weight[0].numpy()
    for ax, t in zip(axes, range(around - 1, around + 3), strict=True):
        place = example.world.base_places[t]
        left = 0.0
        for w, token in enumerate(place.tokens):
            share = weight[t, w] if w < weight.shape[1] else 0.0
            if share == 0:
                continue
            top = 0.0
            for k, value in enumerate(o_tw[t, w]):
                ax.bar(
                    left,
                    value,
                    share,
                    bottom=top,
                    align="edge",
                    color=OUTCOMES[k],
                    alpha=0.85,
                    ec="white",
                    lw=1.2,
                )
                top += value
            name = token.strip() or token
            rotated = share < 0.3
            ax.text(
                left + share / 2,
                1.02,
                name,
                ha="center",
                va="bottom",
                fontsize=8,
                rotation=90 * rotated,
                color=INK,
            )
            left += share
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="token's probability")
        ax.set_title(f"t = {t}\n\n\n", fontsize=9)
        if t > around - 1:
            ax.set_yticklabels([])
    axes[0].set_ylabel("outcome share after the token")
    return fig


def drift(example: Example) -> Figure:
    """F3: the paper's series y_t, sampled, with the segments' fit, and exact."""
    fig, ax = plt.subplots(figsize=(7.4, 2.8), layout="constrained")
    curves = {name: y.numpy() for name, y in example.drift.items()}
    t = np.arange(len(curves["exact"]))
    ax.plot(t, curves["sampled"], "o", ms=3, color=NOISE, label="sampled")
    ax.plot(t, curves["segments"], color=FORK, lw=1.8, label="posterior mean over segments")
    ax.plot(t, curves["exact"], color=INK, lw=1.2, ls="--", label="exact")
    ax.set(xlabel="token position t", ylabel="$y_t$, distance from $o_0$ (L2)", ylim=(0, None))
    key(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def detection(data: xr.Dataset) -> Figure:
    """F7: recall by size of the jump, and precision, against S."""
    fig, axes = panels(2, width=4.0, height=3.0)
    samples = data.samples.values
    shades = ("#a9b8c9", "#6f9bd1", "#d98a4e", FORK)
    names = ("J .02 to .05", "J .05 to .1", "J .1 to .2", "J .2 and more")
    for i, (shade, name) in enumerate(zip(shades, names, strict=True)):
        over_seeds(axes[0], data.recall.isel(jump=i).mean("length"), "samples", shade, name)
    precise, strict = (data[name].mean("length") for name in ("precision", "precision_strict"))
    over_seeds(axes[1], precise, "samples", FORK, "a change of .02 is near")
    over_seeds(axes[1], strict, "samples", NOISE, "a change of .1 is near")
    for ax, name in zip(axes, ("recall", "precision"), strict=True):
        log_axis(ax, samples, "S, completions per branch")
        ax.set(ylabel=name, ylim=(0, 1.03))
    key(axes[0], loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    key(axes[1], loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return fig


def calibration(data: xr.Dataset) -> Figure:
    """F7: stated probabilities against frequencies, and how many changes detectors count."""
    fig, axes = panels(2, width=4.0, height=3.0)
    at = data.sel(samples=data.attrs["headline"]).mean("length")
    points(axes[0], at.calibration_said.mean("seed"), at.calibration_rate, FORK, ls="none")
    axes[0].plot([0, 1], [0, 1], color=INK, ls="--", lw=1.1)
    axes[0].set(xlabel="probability of a change within ±1", ylabel="how often there is one")
    x = np.arange(data.sizes["detector"])
    for j, forks in enumerate(data.forks.values):
        off = data.counted.sel(forks=forks) - data.true_forks.sel(forks=forks)
        name = f"{forks} fork{'' if forks == 1 else 's'}"
        points(axes[1], x + 0.2 * (j - 1), off, DETECTOR_COLOURS[j], name, ls="none")
    axes[1].axhline(0, color=INK, ls="--", lw=1.1)
    wrapped = ("exact DM", "BEAST-\nlike", "no\njitter", "least\nsquares")
    axes[1].set_xticks(x, wrapped, fontsize=8)
    axes[1].set_ylabel("change points counted, less true")
    key(axes[1])
    return fig


def rivals(data: xr.Dataset) -> Figure:
    """F7: recall and precision of three detectors against S, on texts with two forks."""
    fig, axes = panels(2, width=4.0, height=2.8)
    for name, colour in zip(data.rival.values, (FORK, STILL, NOISE), strict=True):
        for ax, what in zip(axes, ("recall", "precision"), strict=True):
            values = data[f"versus_{what}"].sel(rival=name)
            over_seeds(ax, values, "samples", colour, str(name))
            ax.set(ylabel=what, ylim=(0, 1.03))
    for ax in axes:
        log_axis(ax, data.samples.values, "S, completions per branch")
    key(axes[1], loc="lower right")
    return fig


def survivals(data: xr.Dataset) -> Figure:
    """F5: survival to the end against the distance that counts, exact, observed and shuffled."""
    fig, axes = panels(2, width=4.0, height=2.9, sharey=True)
    few = data.samples.values[np.searchsorted(data.samples.values, 10)]
    sizes = (few, data.attrs["headline"])
    for ax, text in zip(axes, data.text.values, strict=True):
        one = data.sel(text=text)
        for samples, colour in zip(sizes, (STILL, FORK), strict=True):
            for name, style, what in (
                ("survival", "-", "observed"),
                ("survival_shuffled", ":", "shuffled"),
            ):
                label = f"S = {samples}, {what}"
                over_seeds(ax, one[name].sel(samples=samples), "eps", colour, label, style)
        ax.plot(
            data.eps, one.survival_exact.mean("seed"), color=INK, ls="--", lw=1.2, label="exact"
        )
        ax.set(xlabel="ε, distance that counts (L2)", ylim=(-0.03, 1.03))
        tag(ax, str(text), loc="left")
    axes[0].set_ylabel("survival to the last token")
    key(axes[1], loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def jumps_and_distances(data: xr.Dataset) -> Figure:
    """F8: the jump at a fork against the expected distance, and what each detector sees."""
    fig, axes = panels(2, width=3.9, height=3.1)
    colours = dict(zip(data.fork.values.astype(str), ("#13a07f", STILL, FORK, NOISE), strict=True))
    for name, colour in colours.items():
        one = data.sel(fork=name)
        axes[0].plot(
            one.fork_distance.values.ravel(), one.fork_jump.values.ravel(), ".", ms=4,
            color=colour, label=name, alpha=0.7,
        )  # fmt: skip
    most = float(data.fork_distance.max()) * 1.05
    axes[0].plot([0, most], [0, most], color=INK, ls="--", lw=1.1)
    axes[0].annotate(
        "bound: J = e",
        (most, most),
        xytext=(-6, -12),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )
    axes[0].set(
        xlabel="$e_t$, expected distance to another token's outcomes",
        ylabel="$J_t$, jump of the outcomes",
    )
    key(axes[0], loc="upper left")
    x = np.arange(data.sizes["fork"])
    points(axes[1], x - 0.08, data.change_hit, FORK, "change point", ls="none")
    points(axes[1], x + 0.08, data.hazard_hit, STILL, "hazard", ls="none", marker="s")
    axes[1].set_xticks(x, data.fork.values)
    axes[1].set(ylabel="share of planted forks found", ylim=(-0.03, 1.03), xlabel="kind of fork")
    key(axes[1], loc="center left")
    return fig


def sampling_noise(data: xr.Dataset) -> Figure:
    """C8: noise against S with its law, and the error of o_t by source."""
    fig, axes = panels(2, width=3.9, height=2.9)
    draws = data.draws.values
    over_seeds(axes[0], data.noise, "draws", FORK, "two histograms of one branch")
    axes[0].plot(
        draws,
        data.noise_expected.mean("seed"),
        color=INK,
        ls="--",
        lw=1.2,
        label="normal approximation",
    )
    log_axis(axes[0], draws, "S, completions per branch")
    axes[0].set(yscale="log", ylabel="total variation")
    axes[0].set_yticks([0.05, 0.1, 0.2, 0.3], ["0.05", "0.1", "0.2", "0.3"])
    axes[0].yaxis.set_ticks([], minor=True)
    key(axes[0])
    y = np.arange(data.sizes["source"])[::-1]
    values = data.error.transpose("seed", "source").values.astype(float)
    axes[1].barh(y, values.mean(0), xerr=half_width(values), color=STILL, height=0.62, ecolor=GREY)
    axes[1].set_yticks(y, data.source.values)
    axes[1].set(xlabel="error of $o_t$ (total variation)")
    return fig


def spending(data: xr.Dataset) -> Figure:
    """Tokens against the error of change points and recall, for three ways to spend them."""
    fig, axes = panels(2, width=3.9, height=2.9)
    styles = {"uniform": (NOISE, "-"), "pooled": (STILL, "-"), "adaptive": (FORK, "-")}
    for name, (colour, style) in styles.items():
        cost = data[f"{name}_tokens"].mean("seed").values / 1e3
        for ax, what in zip(axes, ("brier", "found"), strict=True):
            band(
                ax, cost, data[f"{name}_{what}"].transpose("seed", ...).values, colour, name, style
            )
    axes[0].set(ylabel="Brier score of changes, per text")
    axes[1].set(ylabel="recall, jumps ≥ .1")
    for ax in axes:
        log_axis(ax, [20, 50, 100, 200, 400], "thousand sampled tokens per text")
        key(ax)
    return fig


def learned(data: xr.Dataset) -> Figure:
    """Outcomes along a greedy text of a trained network: measured, and exact in its language."""
    fig, axes = panels(2, width=4.2, height=2.6, sharey=True)
    k = data.sizes["outcome"]
    for ax, name, title in zip(
        axes,
        ("learned_shown", "learned_exact"),
        ("network, sampled", "language, exact"),
        strict=True,
    ):
        bands(ax, data[name].values, [chr(65 + i) for i in range(k)])
        ax.set_xlabel("token position t")
        tag(ax, title, loc="left")
    axes[1].set_ylabel("")
    outcome_key(axes[1])
    return fig


def backends(data: xr.Dataset) -> Figure:
    """C6: error of every backend's outcomes as a multiple of sampling noise."""
    fig, ax = plt.subplots(figsize=(6.4, 2.6), layout="constrained")
    names = [str(b) for b in data.backend.values]
    y = np.arange(len(names) + 1)[::-1]
    both = [*(data.excess.sel(backend=n).values for n in names), data.learned_excess.values]
    for place, values in zip(y, both, strict=True):
        colour = NOISE if place == y[len(names) - 1] else FORK
        ax.plot(values, np.full(len(values), place), "o", ms=5, color=colour, alpha=0.8)
    ax.set_yticks(y, [*names, "trained network, twice"])
    ax.axvline(1, color=INK, ls="--", lw=1.1)
    ax.set(xlabel="error of $o_t$ / error that sampling alone gives", xlim=(0, None))
    return fig

"""Figures of networks trained by SGD: the task, the order of concepts, compositions, depth.

Mean and 95 % interval over seeds; closed forms dashed.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from synthcore.explorers.lattice import LatticeExplorer
from synthcore.figures import (
    CONCEPTS,
    GREY,
    canvas,
    colour_bar,
    half_width,
    key,
    points,
    shades,
    tag,
)
from synthcore.studies.sim_concept_learning import measure, task, theory
from synthcore.studies.sim_concept_learning.claims import networks

WEAK, STRONG, MINOR = CONCEPTS["inference"], CONCEPTS["retrieval"], CONCEPTS["unigram retrieval"]
THIRD = CONCEPTS["unigram inference"]
ARCHITECTURE_COLOURS = {
    "1-layer linear": WEAK,
    "2-layer linear": THIRD,
    "2-layer ReLU": MINOR,
}


def geometry(samples: torch.Tensor, mu: tuple[float, float]) -> Figure:
    """Two clusters on their axes and the test point; `samples` (N, 2)."""
    fig, (ax,) = canvas(1, 2.6, 4.4)
    n = len(samples) // 2
    for p, colour in enumerate((WEAK, STRONG)):
        part = samples[p * n : (p + 1) * n]
        ax.plot(*part.T, ".", ms=4, color=colour, label=f"samples with concept {p + 1}")
    ax.plot(*mu, "*", ms=13, color=MINOR, label="test: both, never seen", ls="none")
    ax.axhline(0, color=GREY, lw=0.6)
    ax.axvline(0, color=GREY, lw=0.6)
    ax.set(xlabel="coordinate 1", ylabel="coordinate 2", aspect="equal")
    key(ax, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return fig


def condition_name(data: xr.Dataset, i: int) -> str:
    """`μ = (1, 2), σ₁ = 0.5` of a condition."""
    mu = f"({float(data.mu_1[i]):g}, {float(data.mu_2[i]):g})"
    return f"μ = {mu}, σ₁ = {float(data.sigma_1[i]):g}"


def output_paths(data: xr.Dataset) -> Figure:
    """f(x^) / mu in the plane of the two concepts, ReLU networks: signals left, diversities right;
    T1 from zero dashed.
    """
    sweep = measure.sweep(data).tolist()
    others = [i for i in range(data.sizes["condition"]) if i not in sweep]
    fig, axes = canvas(2, 3.1, sharex=True, sharey=True)
    time = data.network_time.values
    marks = [int(np.abs(time - t).argmin()) for t in (0.4, 1.0, 2.0)]
    chosen = ([sweep[0], *others], sweep)
    for ax, indices, name in zip(axes, chosen, ("signals", "diversities"), strict=True):
        for colour, i in zip(shades(len(indices)), indices, strict=True):
            mu = np.array([float(data.mu_1[i]), float(data.mu_2[i])])
            path = data.network_output.sel(architecture="2-layer ReLU").isel(condition=i)
            mean = path.mean("seed").transpose("network_time", "concept").values / mu
            a = np.array([float(data.a_1[i]), float(data.a_2[i])])
            exact = 1 - np.exp(-a * np.linspace(0, 12, 400)[:, None])
            ax.plot(*exact.T, "--", color=colour, lw=0.9)
            ax.plot(*mean.T, color=colour, lw=1.8, label=condition_name(data, i))
            for mark, symbol in zip(marks, "o^s", strict=True):
                ax.plot(*mean[mark], symbol, color=colour, ms=5, mec="white", mew=0.5)
        ax.plot([0, 1], [0, 1], color=GREY, lw=0.6, ls=":")
        tag(ax, f"ReLU networks, different {name}")
        ax.set_xlabel("$f_1/\\mu_1$, fraction learned")
        key(ax, loc="lower right")
    axes[0].set_ylabel("$f_2/\\mu_2$, fraction learned")
    return fig


def order_against_diversity(data: xr.Dataset) -> Figure:
    """t_1 / t_2 against sigma_1, three architectures; the closed form and its crossing."""
    chosen = measure.sweep(data)
    sigma = data.sigma_1.values[chosen]
    base = float(data.sigma_2[chosen[0]])
    fig, (ax,) = canvas(1, 2.9, 5.6)
    fine = np.linspace(sigma[0], sigma[-1], 200)
    exact = (base**2 + 2) / (fine**2 + 0.5)
    ax.plot(fine, exact, "--", color=GREY, lw=1.2, label="$a_2/a_1$: one layer, exactly")
    lags = networks.lag(data).isel(condition=chosen).reset_coords(drop=True)
    ratio = lags.copy(data=np.exp(lags.values))
    for name, colour in ARCHITECTURE_COLOURS.items():
        one = ratio.sel(architecture=name, drop=True).transpose("seed", "condition")
        points(ax, sigma, one, colour, name)
    crossing = theory.crossing_diversity((1.0, 2.0), base)
    ax.axvline(crossing, color=GREY, ls=":", lw=1)
    ax.axhline(1, color=GREY, ls=":", lw=1)
    ax.annotate(f"equal at {crossing:.3f}", (crossing, 3), xytext=(4, 0), fontsize=8.5,
                textcoords="offset points")  # fmt: skip
    ax.set_yscale("log")
    ax.set_yticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
    ax.set_yticks([], minor=True)
    ax.set(xlabel="diversity $\\sigma_1$ of the weak concept", ylabel="$t_1/t_2$, times to half")
    key(ax)
    return fig


def lattice(data: xr.Dataset, epochs: tuple[float, float] = (1, 5)) -> Figure:
    """Loss of all 16 compositions on their lattice; a red edge joins a pair in the wrong order."""
    fig, axes = canvas(2, 3.3)
    loss = data.composition_loss.mean("seed")
    scale = PowerNorm(0.4, 0, float(loss.isel(epoch=0).max()))
    for ax, epoch in zip(axes, epochs, strict=True):
        now = loss.sel(epoch=epoch, method="nearest")
        image = _lattice(ax, now.values, scale)
        tag(ax, f"epoch {float(now.epoch):.0f}")
    axes[0].set_ylabel("concepts combined")
    colour_bar(image, axes[1], "loss at the composition", shrink=0.9)
    return fig


def _lattice(ax: Axes, loss: np.ndarray, scale: Normalize) -> plt.cm.ScalarMappable:
    bits = task.compositions(4).numpy()
    size = bits.sum(1)
    place = np.zeros((16, 2))
    for count in range(5):
        row = np.flatnonzero(size == count)
        place[row] = [(k - (len(row) - 1) / 2, count) for k in range(len(row))]
    for u, v in measure.pairs():
        if size[v] - size[u] == 1:
            wrong = loss[u] > loss[v]
            ax.plot(*place[[u, v]].T, zorder=1, color=STRONG if wrong else "#b0b0b0",
                    lw=1.8 if wrong else 0.7)  # fmt: skip
    image = ax.scatter(
        place[:, 0],
        place[:, 1],
        c=loss,
        s=330,
        cmap="viridis_r",
        norm=scale,
        zorder=2,
        edgecolor="k",
        lw=0.4,
    )
    for i, (x, y) in enumerate(place):
        shade = "white" if scale(loss[i]) > 0.5 else "black"
        name = "".join(str(p + 1) for p in range(4) if bits[i, p]) or "∅"
        ax.text(x, y, name, ha="center", va="center", fontsize=8, color=shade, zorder=3)
    ax.set(xlim=(-3.2, 3.2), xticks=[], yticks=range(5))
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)
    return image


def lattice_explorer(data: xr.Dataset) -> LatticeExplorer:
    """The same lattice at every recorded epoch, with intervals over seeds."""
    loss = data.composition_loss.transpose("seed", "epoch", "composition").values.astype(float)
    mean, half = loss.mean(0), half_width(loss)
    ends = np.stack([np.maximum(mean - half, 0), mean + half], axis=-1)
    return LatticeExplorer(mean, data.epoch.values, (1, 2, 3, 4), intervals=ends)


def learned_in_order(data: xr.Dataset) -> Figure:
    """When compositions of one to four concepts are right, with the weakest concept and without;
    and the share of pairs with the same weakest concept in which the larger is later.
    """
    arrival = data.composition_arrival
    held = task.compositions(4).bool().numpy()
    fig, (left, right) = canvas(2, 2.6)
    kinds = (("with the weakest concept", held[:, 0], WEAK), ("without", ~held[:, 0], THIRD))
    for name, kind, colour in kinds:
        sizes = range(1, 5 if held[kind].all(1).any() else 4)
        chosen = [np.flatnonzero(kind & (held.sum(1) == k)) for k in sizes]
        rows = [arrival.isel(composition=at).mean("composition", skipna=False) for at in chosen]
        together = xr.concat(rows, "size", coords="minimal", compat="override")
        points(left, sizes, together.transpose("seed", "size"), colour, name)
    left.set(xticks=range(1, 5), xlabel="concepts in the composition", ylabel="right at [epochs]")
    left.set_ylim(bottom=0)
    key(left)
    share = networks.later_share(arrival).values
    right.hist(share, bins=[k / 25 for k in range(26)], color=THIRD, alpha=0.7)
    right.axvline(0.5, color=GREY, ls=":", lw=1.2)
    right.annotate("chance", (0.5, 1), xycoords=("data", "axes fraction"), xytext=(-3, -9),
                   textcoords="offset points", ha="right", fontsize=8.5)  # fmt: skip
    right.set(xlabel="share of pairs in which more is later", ylabel="seeds")
    return fig


def how_often(depth: xr.Dataset, widths: xr.Dataset) -> Figure:
    """Share of starts that swing by: deep linear networks by depth, in the fewest and the most
    dimensions, narrow and wide; the tied network with Gaussian U by width.
    """
    fig, (left, right) = canvas(2, 2.8, sharey=True)
    share = networks.swinging(depth)
    for d, colour in zip(depth.dimension.values[[0, -1]].tolist(), (WEAK, STRONG), strict=True):
        for width, inside in zip(depth.width.values.tolist(), (colour, "white"), strict=True):
            one = share.sel(dimension=d, width=width, drop=True).transpose("seed", "depth")
            points(left, depth.depth.values, one, colour, f"d = {d}, width {width}", mfc=inside)
    left.set(xlabel="layers", xticks=depth.depth.values, ylabel="share of starts that swing by")
    tag(left, "deep linear networks, usual weights")
    key(left)
    often = (widths.draw_up > measure.LARGE).mean("initialisation")
    for size, colour in zip(widths["size"].values.tolist(), (WEAK, STRONG), strict=True):
        one = often.sel(size=size, drop=True).transpose("seed", "hidden")
        points(right, widths.hidden.values, one, colour, f"ω = {size:g}")
    right.set_xscale("log", base=2)
    right.set_xticks(widths.hidden.values, [str(h) for h in widths.hidden.values])
    right.set_xlabel("columns of U")
    tag(right, "tied networks, ordinary Gaussian U")
    key(right)
    return fig

"""Figures of trained networks: dataset -> matplotlib figure.

Mean and 95 % interval over seeds, single seeds thin behind; closed forms dashed. What concerns the
tied network, its dynamics and its maps is in `flow_figures` and `map_figures`.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from synthcore.explorers.lattice import LatticeExplorer
from synthcore.figures import GREY, band, half_width, key, panels, tag
from synthcore.studies.sim_concept_learning import decisions, partial_order, task, theory
from synthcore.studies.sim_concept_learning.drawing import (
    ARCHITECTURE_COLOURS,
    STRONG,
    TAU,
    WEAK,
    T,
    condition_name,
)


def geometry(mu: tuple[float, float], sigma: float, points: torch.Tensor) -> Figure:
    """Clusters on their axes and the test point, for two and three concepts; `points` (N, 2)."""
    fig = plt.figure(figsize=(8.2, 3.4), layout="constrained")
    flat = fig.add_subplot(1, 2, 1)
    n = len(points) // 2
    for p, colour in ((0, WEAK), (1, STRONG)):
        part = points[p * n : (p + 1) * n]
        flat.plot(part[:, 0], part[:, 1], ".", ms=3, color=colour, label=f"cluster {p + 1}")
    flat.plot(*mu, "k*", ms=13, label="test $\\hat x$", ls="none")
    flat.axhline(0, color=GREY, lw=0.6)
    flat.axvline(0, color=GREY, lw=0.6)
    flat.set_xlabel("coordinate 1 [signal units]")
    flat.set_ylabel("coordinate 2 [signal units]")
    flat.set_aspect("equal")
    key(flat)
    solid = fig.add_subplot(1, 2, 2, projection="3d")
    centres = np.diag([*mu, 1.5])
    draw = task.Mixture(
        torch.tensor([[*mu, 1.5]], dtype=torch.float64),
        torch.full((1, 3), max(sigma, 0.05), dtype=torch.float64),
    ).draw(40, [0])[0][0]
    for p, colour in enumerate((WEAK, STRONG, "#13a07f")):
        part = draw[p * 40 : (p + 1) * 40]
        solid.plot(part[:, 0], part[:, 1], part[:, 2], ".", ms=3, color=colour)
        solid.plot(*zip((0, 0, 0), centres[p], strict=True), color=GREY, lw=0.8)
    solid.plot([mu[0]], [mu[1]], [1.5], "k*", ms=13)
    solid.set_xlabel("1")
    solid.set_ylabel("2")
    solid.set_zlabel("3")
    return fig


def output_paths(data: xr.Dataset) -> Figure:
    """f(x^) / mu in the plane of the two concepts, by architecture: signals above, diversities
    below; T1 from zero dashed.
    """
    names = data.architecture.values.tolist()
    sweep = decisions.sweep(data).tolist()
    others = [i for i in range(data.sizes["condition"]) if i not in sweep]
    fig, axes = panels(2 * len(names), 3.2, 3.4, rows=2, sharex=True, sharey=True)
    shades = plt.get_cmap("viridis")
    time = data.network_time.values
    marks = [int(np.abs(time - t).argmin()) for t in (0.4, 1.0, 2.0)]
    for row, chosen in enumerate(([sweep[0], *others], sweep)):
        for column, name in enumerate(names):
            ax = axes[row * len(names) + column]
            for k, i in enumerate(chosen):
                colour = shades(0.85 * k / max(len(chosen) - 1, 1))
                mu = np.array([float(data.mu_1[i]), float(data.mu_2[i])])
                path = data.network_output.sel(architecture=name).isel(condition=i)
                mean = path.mean("seed").transpose("network_time", "concept").values / mu
                a = np.array([float(data.a_1[i]), float(data.a_2[i])])
                exact = 1 - np.exp(-a * np.linspace(0, 12, 400)[:, None])
                ax.plot(exact[:, 0], exact[:, 1], "--", color=colour, lw=0.9)
                ax.plot(mean[:, 0], mean[:, 1], color=colour, lw=1.8, label=condition_name(data, i))
                for mark, symbol in zip(marks, "o^s", strict=True):
                    ax.plot(*mean[mark], symbol, color=colour, ms=5, mec="white", mew=0.5)
            ax.plot([0, 1], [0, 1], color=GREY, lw=0.6, ls=":")
            if row == 0:
                tag(ax, name)
            else:
                ax.set_xlabel("$f_1/\\mu_1$ (fraction learned)")
            if column == 0:
                ax.set_ylabel("$f_2/\\mu_2$ (fraction learned)")
                key(ax, fontsize=6.5, loc="lower right")
    return fig


def order_against_diversity(data: xr.Dataset) -> Figure:
    """t_1 / t_2 against sigma_1, three architectures; the closed form and its crossing."""
    chosen = decisions.sweep(data)
    sigma = data.sigma_1.values[chosen]
    base = float(data.sigma_2[chosen[0]])
    fig, (ax,) = panels(1, 3.4, 5.8)
    fine = np.linspace(sigma[0], sigma[-1], 200)
    ax.plot(
        fine, (base**2 + 2) / (fine**2 + 0.5), "--", color="k", lw=1.2, label="$a_2/a_1$, exact"
    )
    lag = decisions.log_ratio(data, "network_arrival").isel(condition=chosen)
    for name, colour in ARCHITECTURE_COLOURS.items():
        one = np.exp(-lag.sel(architecture=name).transpose("seed", "condition").values)
        mean, half = one.mean(0), half_width(one)
        ax.errorbar(sigma, mean, half, fmt="o-", color=colour, ms=4, lw=1.4, label=name)
    crossing = theory.crossing_diversity((1.0, 2.0), base)
    ax.axvline(crossing, color=GREY, ls=":", lw=1)
    ax.axhline(1, color=GREY, ls=":", lw=1)
    ax.annotate(
        f"equal at {crossing:.3f}",
        (crossing, ax.get_ylim()[1]),
        xytext=(4, -10),
        textcoords="offset points",
        fontsize=8,
        color=GREY,
    )
    ax.set_yscale("log")
    ax.set_yticks([0.25, 0.5, 1, 2, 4], ["1/4", "1/2", "1", "2", "4"])
    ax.set_yticks([], minor=True)
    ax.set_xlabel("diversity $\\sigma_1$ of the weak concept [signal units]")
    ax.set_ylabel("$t_1/t_2$, times to half the signal")
    key(ax)
    return fig


def slow_down(data: xr.Dataset) -> Figure:
    """ln speed of f(x^): one layer (clock t) and tied (clock tau), with exact slopes dashed."""
    fig, (left, right) = panels(2, 3.2, 4.4)
    chosen = np.flatnonzero((data.sigma_1 == data.sigma_2).values)
    shades = plt.get_cmap("viridis")
    time = data.speed_time.values
    for k, i in enumerate(chosen):
        colour = shades(0.85 * k / max(len(chosen) - 1, 1))
        one = data.one_layer_speed.sel(gain=1.0).isel(condition=i)
        speed = np.exp(np.log(one).mean("seed")).values
        a_min = float(min(data.a_1[i], data.a_2[i]))
        left.plot(time, speed, color=colour, lw=1.8, label=condition_name(data, int(i)))
        left.plot(time, speed[-1] * np.exp(-a_min * (time - time[-1])), "--", color=colour, lw=1)
    tau = data.tau.values
    band(right, tau, np.log10(data.tied_speed.transpose("seed", "tau").values), "k", "tied network")
    weak = float(data.attrs["sigma"]) ** 2 + float(data.attrs["mu"][0]) ** 2 / 2
    last = float(np.log10(data.tied_speed.mean("seed")[-1]))
    right.plot(
        tau,
        last - 2 * weak * (tau - tau[-1]) / np.log(10),
        "--",
        color=STRONG,
        lw=1.2,
        label="slope $-2a_{\\min}$",
    )
    right.set_ylim(last - 0.3, None)
    left.set_yscale("log")
    left.set_xlabel(T)
    left.set_ylabel("speed $|df/dt|$ at $\\hat x$")
    right.set_xlabel(TAU)
    right.set_ylabel("$\\log_{10}$ of the speed at $\\hat x$ (per τ)")
    key(left, fontsize=7, title="dashed: slope $-a_{\\min}$", title_fontsize=7)
    key(right)
    return fig


def lattice(data: xr.Dataset, epochs: tuple[float, ...] = (1, 3, 5)) -> Figure:
    """Loss of all 16 compositions on their lattice; a red edge joins a pair in the wrong order."""
    fig, axes = panels(len(epochs), 3.6, 3.7)
    loss = data.composition_loss.mean("seed")
    high = float(loss.isel(epoch=0).max())
    for ax, epoch in zip(axes, epochs, strict=True):
        now = loss.sel(epoch=epoch, method="nearest")
        image = _lattice(ax, now.values, PowerNorm(0.4, 0, high))
        ax.set_xlabel(f"epoch {float(now.epoch):.1f}")
    fig.colorbar(image, ax=axes, label="loss at the composition", shrink=0.8)
    return fig


def _lattice(ax: Axes, loss: np.ndarray, scale: Normalize) -> plt.cm.ScalarMappable:
    bits = task.compositions(4).numpy()
    size = bits.sum(1)
    place = np.zeros((16, 2))
    for count in range(5):
        row = np.flatnonzero(size == count)
        place[row] = [(k - (len(row) - 1) / 2, count) for k in range(len(row))]
    for u, v in partial_order.pairs():
        if size[v] - size[u] == 1:
            wrong = loss[u] > loss[v]
            style = {"color": STRONG, "lw": 1.8} if wrong else {"color": "#c8c8c8", "lw": 0.7}
            ax.plot(*place[[u, v]].T, zorder=1, **style)  # type: ignore[arg-type]
    image = ax.scatter(
        place[:, 0],
        place[:, 1],
        c=loss,
        s=420,
        cmap="viridis_r",
        norm=scale,
        zorder=2,
        edgecolor="k",
        lw=0.4,
    )
    for i, (x, y) in enumerate(place):
        shade = "white" if scale(loss[i]) > 0.5 else "black"
        name = "".join(str(p + 1) for p in range(4) if bits[i, p]) or "∅"
        ax.text(x, y, name, ha="center", va="center", fontsize=7, color=shade, zorder=3)
    ax.set_xlim(-3.2, 3.2)
    ax.set_xticks([])
    ax.set_yticks(range(5))
    ax.set_ylabel("concepts combined")
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)
    return image


def lattice_explorer(data: xr.Dataset) -> LatticeExplorer:
    """The same lattice at every recorded epoch, with intervals over seeds."""
    loss = data.composition_loss.transpose("seed", "epoch", "composition").values.astype(float)
    mean, half = loss.mean(0), half_width(loss)
    low = np.maximum(mean - half, 0)
    ends = np.stack([low, mean + half], axis=-1)
    signals = tuple(range(1, 5))
    return LatticeExplorer(mean, data.epoch.values, signals, intervals=ends)

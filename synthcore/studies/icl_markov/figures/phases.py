"""Phases, mixtures of algorithms, the transient, and the explorer over all three axes."""

from collections.abc import Iterable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy import stats

from synthcore.explorers.phase import PhaseExplorer
from synthcore.figures import GREY, canvas, heat, key, log_axis, over_seeds, tag
from synthcore.interp.interpolation import LARGEST_CONDITION
from synthcore.studies.icl_markov.figures.learning import (
    COLOURS,
    DIVERSITY,
    FOUR,
    ID,
    OOD,
    STEP,
    ticks,
    transient,
)
from synthcore.studies.icl_markov.measure import scores


def phases(data: xr.Dataset) -> Figure:
    """The two probes, the quadrant they give, and the nearest algorithm on ID sequences."""
    trained = data.isel(step=slice(1, None))
    use = scores.bigram_use(trained).id
    proximity = xr.where(use > scores.BIGRAM, trained.proximity_bigram, trained.proximity_unigram)
    fig, axes = canvas(4, 2.6)
    for ax, values, title, bounds in (
        (axes[0], use, "what order is worth, B", (0, 1)),
        (axes[1], proximity, "nearness to training chains, R", (0.5, 1)),
    ):
        table = values.mean("seed")
        heat(
            ax,
            table,
            "diversity",
            "step",
            "",
            cmap="cividis",
            vmin=bounds[0],
            vmax=bounds[1],
            xticklabels=4,
        )
        tag(ax, title)
    names = ListedColormap(list(COLOURS.values()))
    for ax, labels, title in (
        (axes[2], scores.phase(trained), "phase by B and R"),
        (axes[3], trained.nearest_id.isel(context=-1), "nearest algorithm, known chains"),
    ):
        common = xr.apply_ufunc(_most_common, labels, input_core_dims=[["seed"]])
        heat(
            ax,
            common,
            "diversity",
            "step",
            "",
            cmap=names,
            vmin=-0.5,
            vmax=4.5,
            cbar=False,
            xticklabels=4,
        )
        tag(ax, title)
    for ax in axes:
        ax.set(xlabel=STEP, ylabel=DIVERSITY)
    patches = [Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    fig.legend(
        patches, list(COLOURS), ncols=5, loc="outside lower center", frameon=False, fontsize=8.5
    )
    return fig


def _most_common(labels: np.ndarray) -> np.ndarray:
    found: np.ndarray = stats.mode(labels, axis=-1).mode
    return found


def weights(data: xr.Dataset, diversities: Iterable[int]) -> Figure:
    """LIA weights over training as stacked areas."""
    chosen = [n for n in diversities if n in data.diversity.values]
    fig, axes = canvas(len(chosen), 2.5, sharey=True)
    for ax, n in zip(axes, chosen, strict=True):
        stack(ax, data.sel(diversity=n))
        tag(ax, f"N = {n}")
    for ax in axes[::2]:
        ax.set_ylabel("weight (sums to 1)")
    _algorithms_below(fig, axes[0])
    return fig


def stack(ax: Axes, data: xr.Dataset) -> None:
    """The four weights of one condition over training, mean over seeds, one above the other."""
    one = data.isel(context=-1, step=slice(1, None))
    weight = one.weight.sel(algorithm=list(FOUR)).mean("seed").transpose("algorithm", "step")
    ax.stackplot(
        weight.step, weight.values, colors=list(FOUR.values()), labels=list(FOUR), alpha=0.9
    )
    log_axis(ax, ticks(one.step), STEP)
    ax.set_ylim(0, 1)


def residuals(data: xr.Dataset) -> Figure:
    """What LIA and its controls leave over, against N; late contexts, mean over checkpoints."""
    trained = data.isel(step=slice(1, None))
    late = trained.sel(context=trained.context >= trained.context[-1] / 2)
    fig, (ax,) = canvas(1, 3.0)
    for name, values, colour in (
        ("four irrelevant predictors", late.irrelevant_residual, GREY),
        ("best single algorithm", late.single_residual, COLOURS["Bi-Inf"]),
        ("LIA, weights frozen", late.frozen_residual, COLOURS["Uni-Ret"]),
        ("LIA", late.lia_residual, OOD),
        ("LIA with the hybrid", late.lia_residual_of_five, COLOURS["Hybrid-Ret"]),
    ):
        over_seeds(ax, values.mean(["step", "context"]), "diversity", colour, name)
    log_axis(ax, data.diversity.values[:: 1 if data.sizes["diversity"] < 9 else 2], DIVERSITY)
    ax.set_ylabel("RMS residual [probability]")
    ax.set_ylim(bottom=0)
    key(ax)
    return fig


def transience(data: xr.Dataset, inexhaustible: xr.Dataset) -> Figure:
    """The long run and the same without a chain seen twice: divergences above, weights below."""
    fig, axes = canvas(4, 2.5, sharex=True)
    for column, (part, title) in enumerate(
        ((data, "chains to recall"), (inexhaustible, "nothing to recall"))
    ):
        top, bottom = axes[column], axes[2 + column]
        transient(top, part)
        top.set_xlabel("")
        tag(top, title)
        stack(bottom, part)
    axes[0].set_ylabel("KL [nats]")
    axes[2].set_ylabel("weight (sums to 1)")
    key(axes[0])
    _algorithms_below(fig, axes[2])
    return fig


def more_states(data: xr.Dataset, few: xr.Dataset) -> Figure:
    """Networks of more states: divergence over training, and with `few` chains against context."""
    fig, axes = canvas(data.sizes["diversity"] + 1, 2.8)
    for ax, n in zip(axes, data.diversity.values, strict=False):
        transient(ax, data.sel(diversity=n))
        tag(ax, f"k = {data.attrs['states']}, N = {n}")
    ax, last = axes[-1], few.isel(step=-1)
    over_seeds(ax, last.kl_id, "context", ID, "known chains")
    over_seeds(ax, last.kl_ood, "context", OOD, "new chains")
    log_axis(ax, few.context.values[::2], "context [tokens]")
    ax.set_ylim(bottom=0)
    tag(ax, f"k = {few.attrs['states']}, few chains, step {int(few.step[-1])}")
    axes[0].set_ylabel("KL(network || truth) [nats]")
    key(axes[0])
    return fig


def explorer(data: xr.Dataset) -> PhaseExplorer:
    """Weights and divergences over diversity, step and context."""
    trained = data.isel(step=slice(1, None))
    order = ("diversity", "step", "context")
    weight = trained.weight.sel(algorithm=list(FOUR))
    weight = weight.where(trained.lia_condition < LARGEST_CONDITION).mean("seed", skipna=False)
    count = trained.sizes["seed"]
    t = stats.t.ppf(0.975, count - 1) / np.sqrt(count) if count > 1 else np.nan

    def mean(values: xr.DataArray) -> np.ndarray:
        table: np.ndarray = values.mean("seed").transpose(*order).values
        return table

    def half(values: xr.DataArray) -> np.ndarray:
        table: np.ndarray = (t * values.std("seed", ddof=1)).transpose(*order).values
        return table

    def line(values: xr.DataArray, name: str) -> np.ndarray:
        curve: np.ndarray = (
            values.sel(algorithm=name).mean("seed").transpose("diversity", "context").values
        )
        return curve

    return PhaseExplorer(
        trained.diversity.values.tolist(),
        trained.step.values.tolist(),
        trained.context.values.tolist(),
        weight.transpose(*order, "algorithm").values,
        mean(trained.kl_id),
        mean(trained.kl_ood),
        kl_id_halfwidth=half(trained.kl_id) if count > 1 else None,
        kl_ood_halfwidth=half(trained.kl_ood) if count > 1 else None,
        references={
            name: (line(trained.kl_id_algorithm, name), line(trained.kl_ood_algorithm, name))
            for name in ("Uni-Inf", "Bi-Inf", "Bi-Ret")
        },
    )


def _algorithms_below(fig: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, ncols=4, loc="outside lower center", frameon=False, fontsize=8.5)

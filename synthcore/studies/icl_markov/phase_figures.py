"""Figures of phases, of the interpolation of algorithms, and of what moves the boundaries."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from synthcore.explorers.phase import PhaseExplorer
from synthcore.figures import GREY, half_width, key, log_axis, over_seeds, panels, tag
from synthcore.studies.icl_markov import dataset, theory
from synthcore.studies.icl_markov.dataset import thresholds_by_width
from synthcore.studies.icl_markov.drawing import (
    COLOURS,
    DIVERSITY,
    OOD,
    SHUFFLED,
    STEP,
    grid,
    step_ticks,
    trained,
)
from synthcore.studies.icl_markov.interpolation import LARGEST_CONDITION

if TYPE_CHECKING:
    import pandas as pd

STATE_SHADES = (COLOURS["Uni-Inf"], OOD, COLOURS["Uni-Ret"])


def threshold_against_width(sweep: "pd.DataFrame") -> Figure:
    """The number of chains from which networks count, against their width: runs as points, and the
    geometric mean with its interval over seeds."""
    fig, [ax] = panels(1, 3.2, 4.4)
    crossed = sweep.dropna(subset="threshold")
    ax.plot(crossed.width, crossed.threshold, "o", color=GREY, ms=4, alpha=0.6, label="one seed")
    logs = {width: np.log2(part) for width, part in crossed.groupby("width").threshold}
    mean = np.array([log.mean() for log in logs.values()])
    half = np.array([half_width(log) for log in logs.values()])
    ax.errorbar(
        np.array(list(logs), dtype=float),
        2**mean,
        [2**mean - 2 ** (mean - half), 2 ** (mean + half) - 2**mean],
        fmt="o-",
        color=COLOURS["Bi-Inf"],
        capsize=2,
        label="mean and interval",
    )
    log_axis(ax, sorted(sweep.width.unique()), "width of the network")
    log_axis(ax, [8, 16, 32, 64, 128], "diversity N at which S = 0.5 [chains]", axis="y")
    key(ax)
    return fig


def phases(data: xr.Dataset) -> Figure:
    """The two probes, the quadrant they give, and the nearest algorithm, over (N, step); longest
    context.
    """
    main = trained(data)
    fig, axes = panels(4, 2.8, 4.2, rows=2)
    use = dataset.bigram_use(main).isel(context=-1)
    bigram = use > 0.5
    proximity = xr.where(bigram, main.proximity_bigram, main.proximity_unigram)
    for ax, values, title, bounds in (
        (axes[0], use, "bigram utilisation B", (0, 1)),
        (axes[1], proximity, "proximity to training chains R (0.5 = chance)", (0.3, 1)),
    ):
        image = grid(
            ax,
            values.mean("seed"),
            "step",
            "diversity",
            cmap="cividis",
            vmin=bounds[0],
            vmax=bounds[1],
        )
        fig.colorbar(image, ax=ax)
        tag(ax, title)
    colours = ListedColormap([COLOURS[name] for name in theory.ALGORITHMS])
    nearest = dataset.nearest_algorithm(main).isel(context=-1)
    for ax, labels, title in (
        (axes[2], dataset.phase(main), "phase by B and R"),
        (axes[3], nearest, "nearest algorithm"),
    ):
        majority = xr.apply_ufunc(
            lambda v: stats.mode(v, axis=-1).mode, labels, input_core_dims=[["seed"]]
        )
        image = grid(
            ax,
            majority,
            "step",
            "diversity",
            cmap=colours,
            norm=BoundaryNorm(np.arange(-0.5, 4), 4),
        )
        bar = fig.colorbar(image, ax=ax, ticks=range(4))
        bar.ax.set_yticklabels(theory.ALGORITHMS)
        tag(ax, title + " (majority of seeds)")
    return fig


def interpolation_weights(data: xr.Dataset, diversities: Iterable[int]) -> Figure:
    """LIA weights over training as stacked areas, with how far the network is from the mixture
    above.
    """
    main = trained(data)
    chosen = [n for n in diversities if n in main.diversity.values]
    fig, axes = panels(2 * len(chosen), 2.3, 3.5, rows=2, sharex=True, sharey="row")
    for column, n in enumerate(chosen):
        one = main.sel(diversity=n).isel(context=-1)
        top, bottom = axes[column], axes[len(chosen) + column]
        over_seeds(top, one.lia_kl, "step", OOD, "KL(network || LIA)")
        over_seeds(top, one.kl_to_uniform, "step", SHUFFLED, "KL(network || uniform)")
        top.set_yscale("log")
        tag(top, f"N = {n}")
        weight = one.weight.mean("seed").transpose("algorithm", "step")
        bottom.stackplot(
            weight.step,
            weight.values,
            colors=[COLOURS[a] for a in theory.ALGORITHMS],
            labels=theory.ALGORITHMS,
            alpha=0.9,
        )
        log_axis(bottom, step_ticks(one), STEP)
        bottom.set_ylim(0, 1)
    axes[0].set_ylabel("ID divergence [nats]")
    key(axes[0])
    axes[len(chosen)].set_ylabel("LIA weight (sums to 1)")
    handles, labels = axes[len(chosen)].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=4, loc="outside lower center", frameon=False, fontsize=8)
    return fig


def interpolation_residuals(data: xr.Dataset) -> Figure:
    """Residual of LIA and of its three controls against N (late contexts, all checkpoints), and its
    map over (N, step).
    """
    main = trained(data)
    late = main.sel(context=main.context >= main.context[-1] / 2)
    fig, (left, right) = panels(2, 3.1, 4.6)
    controls = (
        ("LIA", late.lia_residual, OOD),
        ("best single algorithm", late.single_residual.min("algorithm"), COLOURS["Bi-Inf"]),
        ("LIA, weights frozen", late.frozen_residual, COLOURS["Uni-Ret"]),
        ("three irrelevant predictors", late.irrelevant_residual, SHUFFLED),
    )
    for name, values, colour in controls:
        over_seeds(left, values.mean(["step", "context"]), "diversity", colour, name)
    log_axis(left, main.diversity.values, DIVERSITY)
    left.set_ylabel("RMS residual [probability]")
    left.set_ylim(bottom=0)
    key(left)
    image = grid(
        right,
        late.lia_residual.mean(["seed", "context"]),
        "step",
        "diversity",
        cmap="magma_r",
        vmin=0,
    )
    fig.colorbar(image, ax=right, label="RMS residual of LIA")
    return fig


def design(data: xr.Dataset) -> Figure:
    """Diversity threshold by width; unigram weight with two-token input; inference with other k."""
    fig, (left, middle, right) = panels(3, 3.0, 3.4)
    for one in (2.0 ** thresholds_by_width(data)).transpose("seed", "width"):
        left.plot(one.width, one, "o-", color=OOD, lw=0.8, alpha=0.6)
    log_axis(left, np.unique(data.width), "width of the residual stream")
    left.set_yscale("log", base=2)
    left.set_ylim(2.0, 2.0 * data.diversity.values.max())
    left.set_ylabel("N at which S = 0.5 [chains]")
    kinds: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("usual input", OOD, {}),
        ("two-token input", COLOURS["Bi-Ret"], {"two_token": True}),
    )
    for name, colour, changed in kinds:
        part = dataset.by_condition(data, **changed).isel(context=-1, step=slice(1, None))
        unigram = part.weight.sel(algorithm=["Uni-Ret", "Uni-Inf"]).sum("algorithm", skipna=False)
        over_seeds(middle, unigram.max("diversity"), "step", colour, name)
    middle.axvline(100, color="#555555", lw=0.8, ls=":")
    log_axis(middle, step_ticks(part), STEP)
    middle.set_ylabel("total unigram weight, largest over N")
    by_states = {int(k): dataset.by_condition(data, states=int(k)) for k in np.unique(data.states)}
    end = min(int(part.step[-1]) for part in by_states.values())
    for shade, (k, part) in zip(STATE_SHADES, by_states.items(), strict=False):
        last = part.isel(context=-1).sel(step=end, method="nearest")
        inference = last.weight.sel(algorithm=["Uni-Inf", "Bi-Inf"]).sum("algorithm", skipna=False)
        over_seeds(right, inference, "diversity", shade, f"k = {k}")
    log_axis(right, np.unique(data.diversity), DIVERSITY)
    right.set_ylabel("total weight of inference")
    for ax in (middle, right):
        key(ax)
    return fig


def explorer(data: xr.Dataset) -> PhaseExplorer:
    """The main population's weights and divergences over diversity, step and context."""
    main = trained(data)
    order = ("diversity", "step", "context")
    count = main.sizes["seed"]
    t = stats.t.ppf(0.975, count - 1) / np.sqrt(count) if count > 1 else np.nan
    weight = main.weight.where(main.lia_condition < LARGEST_CONDITION).mean("seed", skipna=False)

    def line(kind: str, name: str) -> NDArray[np.float32]:
        curve = main[kind].sel(algorithm=name).mean("seed")
        return curve.transpose("diversity", "context").values

    references = {
        name: (line("kl_id_algorithm", name), line("kl_ood_algorithm", name))
        for name in ("Uni-Inf", "Bi-Inf", "Bi-Ret")
    }
    curves: dict[str, Any] = {
        name: main[name].mean("seed").transpose(*order).values for name in ("kl_id", "kl_ood")
    }
    halves: dict[str, Any] = {
        f"{name}_halfwidth": (t * main[name].std("seed", ddof=1)).transpose(*order).values
        for name in curves
        if count > 1
    }
    return PhaseExplorer(
        main.diversity.values.tolist(),
        main.step.values.tolist(),
        main.context.values.tolist(),
        weight.transpose(*order, "algorithm").values,
        **curves,
        **halves,
        references=references,
    )

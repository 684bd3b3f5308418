"""Figures of the chapter: dataset -> matplotlib figure. Mean and 95 % interval over seeds, single seeds thin behind it.

Retrieval is drawn warm and inference cold; exact algorithms are dashed.
"""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from scipy import stats

from synthcore.studies.icl_markov import dataset, task, theory
from synthcore.studies.icl_markov.dataset import after_transition, thresholds_by_width

COLOURS = {"Uni-Ret": "#cf7d00", "Bi-Ret": "#a01830", "Uni-Inf": "#13a07f", "Bi-Inf": "#2563b0"}
ID, OOD, SHUFFLED = "#6b4c9a", "#222222", "#8c8c8c"
STEP, CONTEXT, DIVERSITY = "training step", "context length c [tokens]", "data diversity N [chains]"
KL = "KL(network || truth) [nats]"


def over_seeds(
    ax: Axes, values: xr.DataArray, along: str, colour: str, label: str, style: str = "-"
) -> None:
    """Mean as a line, its 95 % interval as a band, every seed thin behind it."""
    values = values.transpose("seed", along)
    x = values[along].values
    count = values.sizes["seed"]
    mean = values.mean("seed").values
    for one in values.values:
        ax.plot(x, one, color=colour, lw=0.6, alpha=0.35)
    if count > 1:
        half = stats.t.ppf(0.975, count - 1) * values.std("seed", ddof=1).values / np.sqrt(count)
        ax.fill_between(x, mean - half, mean + half, color=colour, alpha=0.18, lw=0)
    ax.plot(x, mean, color=colour, lw=1.8, ls=style, label=label)


def level(ax: Axes, value: float, name: str, style: str = "--") -> None:
    """An oracle or chance level, named at its right end."""
    colour = COLOURS.get(name, "#555555")
    ax.axhline(value, color=colour, ls=style, lw=1.1)
    ax.annotate(
        name,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(3, 0),
        textcoords="offset points",
        color=colour,
        va="center",
        fontsize=8,
    )


def log_axis(ax: Axes, ticks: Iterable[int], label: str, axis: str = "x") -> None:
    """Logarithmic axis with whole numbers at these places."""
    places = list(ticks)
    if axis == "x":
        ax.set_xscale("log")
        ax.set_xticks(places, [str(p) for p in places])
        ax.set_xticks([], minor=True)
        ax.set_xlabel(label)
    else:
        ax.set_yscale("log")
        ax.set_yticks(places, [str(p) for p in places])
        ax.set_yticks([], minor=True)
        ax.set_ylabel(label)


def panels(
    count: int, height: float = 3.0, width: float = 3.6, rows: int = 1, **options: object
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
    )  # type: ignore[arg-type]
    return fig, list(axes.flat)


def grid(ax: Axes, values: xr.DataArray, x: str, y: str, **options: object) -> object:
    """Heat map of a (y, x) array with one cell per recorded value and every few of them labelled."""
    table = values.transpose(y, x)
    image = ax.pcolormesh(
        np.arange(table.sizes[x] + 1), np.arange(table.sizes[y] + 1), table.values, **options
    )  # type: ignore[arg-type]
    for axis, name, count in ((ax.xaxis, x, 5), (ax.yaxis, y, 10)):
        places = np.unique(
            np.linspace(0, table.sizes[name] - 1, min(count, table.sizes[name])).round().astype(int)
        )
        axis.set_ticks(places + 0.5, [str(int(v)) for v in table[name].values[places]])
    ax.set_xlabel({"step": STEP, "context": CONTEXT}[x])
    ax.set_ylabel({"diversity": DIVERSITY, "context": CONTEXT}[y])
    return image


def trained(data: xr.Dataset) -> xr.Dataset:
    """The main population at every checkpoint but the untrained one (log axes have no zero)."""
    return dataset.by_condition(data).isel(step=slice(1, None))


def _steps(data: xr.Dataset) -> list[int]:
    """Tick marks for a log step axis: 1, 3, 10 ... inside the range."""
    low, high = int(data.step[0]), int(data.step[-1])
    return [t for power in range(7) for t in (10**power, 3 * 10**power) if low <= t <= high]


def schematic(mixture: task.Mixture, tokens: np.ndarray) -> Figure:
    """Three chains, a sequence of each, and the four predictions after the first sequence; `tokens` is (3, T)."""
    k = mixture.states
    fig = plt.figure(figsize=(9, 4.6), layout="constrained")
    layout = fig.add_gridspec(2, 3, height_ratios=[3, 2.4])
    names = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:k]
    for n in range(3):
        ax = fig.add_subplot(layout[0, n])
        ax.imshow(mixture.transitions[0, n].numpy(), cmap="Greys", vmin=0, vmax=1)
        ax.set_xticks(range(k), list(names))
        ax.set_yticks(range(k), list(names))
        ax.set_xlabel("next state")
        ax.set_ylabel("state")
        text = "".join(names[s] for s in tokens[n, :24])
        ax.set_title(
            f"chain {n + 1}, p = {mixture.weights[0, n]:.2f}\n{text}...",
            fontsize=9,
            family="monospace",
        )
    ax = fig.add_subplot(layout[1, :])
    import torch

    context = torch.as_tensor(tokens[:1])
    predicted = theory.predictions(
        context, mixture.transitions[0], mixture.stationary[0], mixture.weights[0]
    )[:, 0, -1]
    truth = mixture.transitions[0, 0, tokens[0, -1]]
    for row, (name, values) in enumerate(zip(theory.ALGORITHMS, predicted, strict=True)):
        ax.bar(
            np.arange(k) + 0.18 * (row - 1.5), values.numpy(), 0.17, color=COLOURS[name], label=name
        )
    ax.plot(np.arange(k), truth.numpy(), "k_", ms=34, mew=1.6, label="truth")
    ax.set_xticks(range(k), list(names))
    ax.set_xlabel(
        f"state after the whole first sequence ({tokens.shape[1]} tokens, last one {names[tokens[0, -1]]})"
    )
    ax.set_ylabel("probability")
    ax.legend(ncols=5, fontsize=8, frameon=False)
    return fig


def closed_forms(data: xr.Dataset) -> Figure:
    """Simulation minus closed form, in standard errors."""
    fig, (ax,) = panels(1, 2.6, 6.4)
    z = (data.theory_simulated - data.theory_exact) / data.theory_error
    for seed in z.theory_seed.values:
        ax.plot(
            z.sel(theory_seed=seed), np.arange(z.sizes["quantity"]), "o", ms=5, color=OOD, alpha=0.6
        )
    for edge in (-3, 3):
        ax.axvline(edge, color="#555555", ls=":", lw=1)
    ax.axvline(0, color="#555555", lw=0.8)
    labels = [
        f"{q} = {v:.4f}"
        for q, v in zip(data.quantity.values, data.theory_exact.values, strict=True)
    ]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_xlabel("simulated minus exact [standard errors]; dotted: 3")
    return fig


def diversity_threshold(data: xr.Dataset) -> Figure:
    """KL against N at one step, ID and OOD."""
    main = dataset.by_condition(data)
    step = after_transition(main)
    last = main.sel(step=step).isel(context=-1)
    fig, (ax,) = panels(1, 3.2, 5.4)
    over_seeds(ax, last.kl_ood, "diversity", OOD, "network, OOD")
    over_seeds(ax, last.kl_id, "diversity", ID, "network, ID")
    lines = last.kl_ood_algorithm.mean(["seed", "diversity"])
    for name in ("Uni-Inf", "Bi-Inf"):
        level(ax, float(lines.sel(algorithm=name)), name)
    log_axis(ax, main.diversity.values, DIVERSITY)
    ax.set_ylabel(KL)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=8, title=f"step {step}", title_fontsize=8)
    return fig


def emergence(data: xr.Dataset) -> Figure:
    """Largest N over training: OOD divergence and previous-token score, rotary and learned positions."""
    fig, (top, bottom) = panels(2, 3.1, 4.4)
    largest = trained(data).isel(diversity=-1)
    kinds = [("rotary positions", OOD, largest)]
    learned = dataset.by_condition(data, positions="learned")
    if learned.sizes["diversity"]:
        kinds.append(
            ("learned positions", "#a0522d", learned.isel(diversity=-1, step=slice(1, None)))
        )
    for name, colour, part in kinds:
        over_seeds(top, part.kl_ood.isel(context=-1), "step", colour, name)
        over_seeds(bottom, part.previous_token, "step", colour, name)
    lines = largest.kl_ood_algorithm.isel(context=-1).mean("seed")
    for name in ("Uni-Inf", "Bi-Inf"):
        level(top, float(lines.sel(algorithm=name)), name)
    for ax, label in ((top, "OOD " + KL), (bottom, "attention to the previous token")):
        log_axis(ax, _steps(largest), STEP)
        ax.set_ylabel(label)
        ax.set_ylim(bottom=0)
    bottom.legend(frameon=False, fontsize=8)
    return fig


def over_training(data: xr.Dataset, diversities: Iterable[int]) -> Figure:
    """ID and OOD divergence over training with what LIA foretells OOD."""
    main = trained(data)
    chosen = [n for n in diversities if n in main.diversity.values]
    fig, axes = panels(len(chosen), sharey=True)
    for ax, n in zip(axes, chosen, strict=True):
        one = main.sel(diversity=n).isel(context=-1)
        over_seeds(ax, one.kl_ood, "step", OOD, "network, OOD")
        over_seeds(
            ax, one.kl_ood_foretold, "step", COLOURS["Uni-Ret"], "foretold by LIA, OOD", "--"
        )
        over_seeds(ax, one.kl_id, "step", ID, "network, ID")
        lines = one.kl_ood_algorithm.mean("seed")
        for name in ("Uni-Inf", "Bi-Inf"):
            level(ax, float(lines.sel(algorithm=name)), name)
        log_axis(ax, _steps(one), STEP)
        ax.set_title(f"N = {n}", fontsize=9)
        ax.set_ylim(bottom=0)
    axes[0].set_ylabel(KL)
    axes[0].legend(frameon=False, fontsize=8)
    return fig


def step_context_plane(data: xr.Dataset) -> Figure:
    """OOD divergence over training and context, at the smallest, a middle and the largest N."""
    main = trained(data)
    count = main.sizes["diversity"]
    chosen = sorted({0, count // 2, count - 1})
    fig, axes = panels(len(chosen), 3.0, 3.7)
    values = main.kl_ood.mean("seed")
    high = float(values.quantile(0.98))
    for ax, i in zip(axes, chosen, strict=True):
        image = grid(
            ax, values.isel(diversity=i), "step", "context", cmap="viridis_r", vmin=0, vmax=high
        )
        ax.set_title(f"N = {int(main.diversity[i])}", fontsize=9)
    fig.colorbar(image, ax=axes, label="OOD " + KL)  # type: ignore[arg-type]
    return fig


def against_context(data: xr.Dataset) -> Figure:
    """Divergence against context: ID and OOD at the smallest N; original and shuffled at the largest."""
    last = dataset.by_condition(data).isel(step=-1)
    fig, (left, right) = panels(2, 3.1, 4.4)
    small, large = last.isel(diversity=0), last.isel(diversity=-1)
    over_seeds(left, small.kl_ood, "context", OOD, "network, OOD")
    over_seeds(left, small.kl_id, "context", ID, "network, ID")
    exact = small.kl_ood_algorithm.sel(algorithm="Bi-Ret").mean("seed")
    left.plot(
        exact.context, exact, "--", color=COLOURS["Bi-Ret"], lw=1.2, label="exact Bi-Ret, OOD"
    )
    over_seeds(right, large.kl_ood, "context", OOD, "network, OOD")
    over_seeds(right, large.kl_shuffled, "context", SHUFFLED, "network, context shuffled")
    for name in ("Uni-Inf", "Bi-Inf"):
        exact = large.kl_ood_algorithm.sel(algorithm=name).mean("seed")
        right.plot(exact.context, exact, "--", color=COLOURS[name], lw=1.2, label=f"exact {name}")
    for ax, part in ((left, small), (right, large)):
        log_axis(
            ax,
            [c for c in (1, 2, 5, 10, 20, 40, 100, 200, 400) if c <= int(last.context[-1])],
            CONTEXT,
        )
        ax.set_title(f"N = {int(part.diversity)}", fontsize=9)
        ax.set_ylim(bottom=0)
        ax.legend(frameon=False, fontsize=8)
    left.set_ylabel(KL)
    return fig


def phases(data: xr.Dataset) -> Figure:
    """The two probes, the quadrant they give, and the nearest algorithm, over (N, step); longest context."""
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
        fig.colorbar(image, ax=ax)  # type: ignore[arg-type]
        ax.set_title(title, fontsize=9)
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
        bar = fig.colorbar(image, ax=ax, ticks=range(4))  # type: ignore[arg-type]
        bar.ax.set_yticklabels(theory.ALGORITHMS)
        ax.set_title(title + " (majority of seeds)", fontsize=9)
    return fig


def interpolation_weights(data: xr.Dataset, diversities: Iterable[int]) -> Figure:
    """LIA weights over training as stacked areas, with how far the network is from the mixture above."""
    main = trained(data)
    chosen = [n for n in diversities if n in main.diversity.values]
    fig, axes = panels(2 * len(chosen), 2.3, 3.5, rows=2, sharex=True, sharey="row")
    for column, n in enumerate(chosen):
        one = main.sel(diversity=n).isel(context=-1)
        top, bottom = axes[column], axes[len(chosen) + column]
        over_seeds(top, one.lia_kl, "step", OOD, "KL(network || LIA)")
        over_seeds(top, one.kl_to_uniform, "step", SHUFFLED, "KL(network || uniform)")
        top.set_yscale("log")
        top.set_title(f"N = {n}", fontsize=9)
        weight = one.weight.mean("seed").transpose("algorithm", "step")
        bottom.stackplot(
            weight.step,
            weight.values,
            colors=[COLOURS[a] for a in theory.ALGORITHMS],
            labels=theory.ALGORITHMS,
            alpha=0.9,
        )
        log_axis(bottom, _steps(one), STEP)
        bottom.set_ylim(0, 1)
    axes[0].set_ylabel("ID divergence [nats]")
    axes[0].legend(frameon=False, fontsize=8)
    axes[len(chosen)].set_ylabel("LIA weight (sums to 1)")
    handles, labels = axes[len(chosen)].get_legend_handles_labels()
    fig.legend(handles, labels, ncols=4, loc="outside lower center", frameon=False, fontsize=8)
    return fig


def interpolation_residuals(data: xr.Dataset) -> Figure:
    """Residual of LIA and of its three controls against N (late contexts, all checkpoints), and its map over (N, step)."""
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
    left.legend(frameon=False, fontsize=8)
    image = grid(
        right,
        late.lia_residual.mean(["seed", "context"]),
        "step",
        "diversity",
        cmap="magma_r",
        vmin=0,
    )
    fig.colorbar(image, ax=right, label="RMS residual of LIA")  # type: ignore[arg-type]
    return fig


def design(data: xr.Dataset) -> Figure:
    """Diversity threshold by width; bigram use with two states and unigram weight with two-token input."""
    fig, (left, middle, right) = panels(3, 3.0, 3.4)
    threshold = thresholds_by_width(data)
    for seed in (
        threshold.seed.values if "seed" in threshold.coords else range(threshold.sizes["seed"])
    ):
        left.plot(
            threshold.width,
            2.0
            ** threshold.isel(
                seed=int(seed)
                if "seed" not in threshold.coords
                else list(threshold.seed.values).index(seed)
            ),
            "o-",
            color=OOD,
            lw=0.8,
            alpha=0.6,
        )
    log_axis(left, threshold.width.values, "width")
    left.set_yscale("log", base=2)
    left.set_ylabel("N at which S = 0.5")
    for name, colour, changed in (
        ("usual input", OOD, {}),
        ("two-token input", COLOURS["Bi-Ret"], {"two_token": True}),
    ):
        part = dataset.by_condition(data, **changed).isel(context=-1, step=slice(1, None))
        share = (
            part.weight.sel(algorithm=["Uni-Ret", "Uni-Inf"])
            .sum("algorithm", skipna=False)
            .max("diversity")
        )
        over_seeds(middle, share, "step", colour, name)
    middle.axvline(100, color="#555555", lw=0.8, ls=":")
    log_axis(middle, _steps(part), STEP)
    middle.set_ylabel("largest total unigram weight over N")
    middle.legend(frameon=False, fontsize=8)
    for states in sorted({int(k) for k in data.states.values}):
        part = dataset.by_condition(data, states=states).isel(context=-1)
        part = part.sel(
            step=min(
                int(dataset.by_condition(data, states=k).step[-1])
                for k in set(data.states.values.tolist())
            ),
            method="nearest",
        )
        inference = part.weight.sel(algorithm=["Uni-Inf", "Bi-Inf"]).sum("algorithm", skipna=False)
        over_seeds(
            right,
            inference,
            "diversity",
            OOD if states == data.attrs["states"] else COLOURS["Uni-Inf"],
            f"k = {states}",
        )
    log_axis(right, part.diversity.values, DIVERSITY)
    right.set_ylabel("total weight of inference")
    right.legend(frameon=False, fontsize=8)
    return fig


def regret(data: xr.Dataset) -> Figure:
    """Cross-entropy above the exact Bayes predictor at each context length, at the end."""
    last = dataset.by_condition(data).isel(step=-1)
    fig, (ax,) = panels(1, 3.1, 5.4)
    shades = plt.get_cmap("plasma")(np.linspace(0.05, 0.8, last.sizes["diversity"]))
    inside = last.isel(context=slice(0, -1))
    for colour, n in zip(shades, last.diversity.values, strict=True):
        over_seeds(ax, inside.regret.sel(diversity=n), "context", colour, f"N = {n}")
    level(ax, 0, "Bayes")
    log_axis(
        ax,
        [c for c in (1, 2, 5, 10, 20, 40, 100, 200, 400) if c <= int(inside.context[-1])],
        CONTEXT,
    )
    ax.set_ylabel("cross-entropy above Bayes [nats]")
    ax.legend(frameon=False, fontsize=8)
    return fig

"""Figures of the chapter: dataset -> matplotlib figure.

Mean and 95 % interval over seeds, single seeds thin behind; retrieval warm, inference cold; exact
algorithms dashed. What concerns phases and mixtures is in `phase_figures`.
"""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import key, level, log_axis, over_seeds, panels, tag
from synthcore.studies.icl_markov import dataset, task, theory
from synthcore.studies.icl_markov.dataset import after_transition
from synthcore.studies.icl_markov.drawing import (
    COLOURS,
    CONTEXT,
    DIVERSITY,
    ID,
    KL,
    OOD,
    SHUFFLED,
    STEP,
    context_ticks,
    grid,
    step_ticks,
    trained,
)


def schematic(mixture: task.Mixture, tokens: np.ndarray) -> Figure:
    """Three chains, a sequence of each, and the four predictions after the first sequence; `tokens`
    is (3, T).
    """
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
        f"state after the first sequence ({tokens.shape[1]} tokens, last: {names[tokens[0, -1]]})"
    )
    ax.set_ylabel("probability")
    key(ax, ncols=5)
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


def algorithms_against_context(data: xr.Dataset) -> Figure:
    """What the four exact algorithms score: ID and OOD, at the smallest and the largest N."""
    main = dataset.by_condition(data)
    fig, axes = panels(4, 2.5, 4.2, rows=2, sharex=True, sharey=True)
    kinds = (("OOD", main.kl_ood_algorithm), ("ID", main.kl_id_algorithm))
    cells = [(kind, values, i) for i in (0, -1) for kind, values in kinds]
    for ax, (kind, values, i) in zip(axes, cells, strict=True):
        for name in theory.ALGORITHMS:
            curve = values.isel(diversity=i).sel(algorithm=name)
            over_seeds(ax, curve, "context", COLOURS[name], name)
        tag(ax, f"N = {int(main.diversity[i])}, {kind}")
        log_axis(ax, context_ticks(main), CONTEXT)
    for ax in (axes[0], axes[2]):
        ax.set_ylabel("KL(algorithm || truth) [nats]")
    level(axes[0], theory.kl_uniform_to_row(int(data.attrs["states"])), "uniform")
    key(axes[1])
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
        level(ax, float(lines.sel(algorithm=name)), name, COLOURS[name])
    log_axis(ax, main.diversity.values, DIVERSITY)
    ax.set_ylabel(KL)
    ax.set_ylim(bottom=0)
    key(ax, title=f"step {step}", title_fontsize=8)
    return fig


def emergence(data: xr.Dataset) -> Figure:
    """Largest N over training: OOD divergence and previous-token score, rotary and learned
    positions.
    """
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
        level(top, float(lines.sel(algorithm=name)), name, COLOURS[name])
    for ax, label in ((top, "OOD " + KL), (bottom, "attention to the previous token")):
        log_axis(ax, step_ticks(largest), STEP)
        ax.set_ylabel(label)
        ax.set_ylim(bottom=0)
    bottom.set_ylim(0, 1)
    key(bottom)
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
            level(ax, float(lines.sel(algorithm=name)), name, COLOURS[name])
        log_axis(ax, step_ticks(one), STEP)
        tag(ax, f"N = {n}")
        ax.set_ylim(bottom=0)
    axes[0].set_ylabel(KL)
    key(axes[0])
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
        tag(ax, f"N = {int(main.diversity[i])}")
    fig.colorbar(image, ax=axes, label="OOD " + KL)
    return fig


def against_context(data: xr.Dataset) -> Figure:
    """Divergence against context: ID and OOD at the smallest N; original and shuffled at the
    largest.
    """
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
            context_ticks(last),
            CONTEXT,
        )
        tag(ax, f"N = {int(part.diversity)}")
        ax.set_ylim(bottom=0)
        key(ax)
    left.set_ylabel(KL)
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
        context_ticks(inside),
        CONTEXT,
    )
    ax.set_ylabel("cross-entropy above Bayes [nats]")
    key(ax)
    return fig

"""What fine-tuning does to the grammar's networks, and what is found inside them."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, band, key, level, log_axis, over_seeds, panels, points, tag
from synthcore.studies.finetuning_wrappers import theory
from synthcore.studies.finetuning_wrappers.claims.decisions import (
    best_probe_accuracy,
    times_until_back,
)
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.measure import LEVEL, kaplan_meier
from synthcore.studies.finetuning_wrappers.task.grammar import LETTERS, sample_strings

SHARE_COLOURS = ("#2563b0", "#8a6d00", "#b3541e", "#a01830")  # C_Tr from 0 to 1: cold to warm
POLICY_COLOURS = {
    "count b": "#2563b0",
    "count a": "#13a07f",
    "count a + 1": "#a01830",
    "modal": "#cf7d00",
    "other": GREY,
}
RATE_WORDS = {"M": r"larger rate, $\eta_M$", "S": r"small rate, $\eta_S$"}
PRIOR_WORDS = {"L": "weak prior, $P_L$", "M": "middle prior, $P_M$", "H": "strong prior, $P_H$"}


def share_label(share: float) -> str:
    """The share of spurious texts, for a legend."""
    return f"$C_{{Tr}}$ = {share:g}"


def share_colour(data: xr.Dataset, share: float) -> str:
    """The colour of a share of spurious texts."""
    shares = data.share.values.tolist()
    return SHARE_COLOURS[round(shares.index(share) * (len(SHARE_COLOURS) - 1) / (len(shares) - 1))]


def step_ticks(data: xr.Dataset) -> list[int]:
    """A few whole numbers of updates for a log axis."""
    last = int(data.step.max())
    return [n for n in (10, 30, 100, 300, 1000, 10_000) if n <= last]


def seed_marks(
    ax: Axes,
    x: Any,
    values: xr.DataArray,
    colour: str,
    label: str = "",
    marker: str = "o",
    line: bool = False,
) -> None:
    """Every seed as a mark at every x, for values that fall into two groups and have no interval
    worth drawing; `line` joins their means."""
    table = values.transpose("seed", ...).values.astype(float)
    for row in table:
        ax.plot(x, row, marker, color=colour, ms=4, alpha=0.6)
    if line:
        ax.plot(x, table.mean(0), color=colour, lw=1.8)
    ax.plot([], [], color=colour, marker=marker, ls="-" if line else "", label=label or None)


def string_lengths(samples: int = 20_000) -> Figure:
    """The exact law of string lengths over a simulation, and where a text of 250 fits."""
    fig, (ax,) = panels(1, width=5.4)
    law = theory.length_distribution().numpy()
    drawn = (sample_strings(samples, torch.Generator().manual_seed(0)) >= 0).sum(-1).numpy()
    ax.hist(drawn, bins=list(range(130, 440, 6)), density=True, color="#b9c6d6", label="simulated")
    ax.plot(np.arange(len(law)), law, color=INK, ls="--", lw=1.2, label="exact")
    ax.axvline(250, color=GREY, ls=":", lw=1.1)
    ax.set(xlabel="letters of a string", ylabel="probability per letter", xlim=(130, 440))
    key(ax)
    return fig


def accuracy_over_finetuning(data: xr.Dataset, target: str) -> Figure:
    """Accuracy on prompts for `target` over fine-tuning; rows are priors."""
    tests = ("spurious", "clean") if target == "b" else ("clean",)
    columns = [(rate, test) for rate in data.rate.values for test in tests]
    priors = data.prior.values
    fig, axes = plt.subplots(
        len(priors),
        len(columns),
        figsize=(2.6 * len(columns) + 0.6, 2.2 * len(priors) + 0.4),
        layout="constrained",
        squeeze=False,
        sharey=True,
        sharex=True,
    )
    curves = data.accuracy.sel(target=target).isel(step=slice(1, None))
    for i, prior in enumerate(priors):
        for j, (rate, test) in enumerate(columns):
            ax = axes[i, j]
            for share in data.share.values:
                one = curves.sel(prior=prior, rate=rate, test=test, share=share)
                over_seeds(ax, one, "step", share_colour(data, share), share_label(share))
            ax.axhline(
                float(data.majority.sel(test=test, target=target)), color=GREY, ls=":", lw=1.0
            )
            ax.set(ylim=(-0.03, 1.03))
            log_axis(ax, step_ticks(data), "update" if i == len(priors) - 1 else "")
            ax.set_xlim(float(data.step[1]), float(data.step[-1]))
            if i == 0:
                words = {"spurious": "shortcut right", "clean": "shortcut wrong"}[test]
                tag(ax, f"{RATE_WORDS[rate]}\n{words}" if target == "b" else RATE_WORDS[rate])
        axes[i, 0].set_ylabel(f"{PRIOR_WORDS[prior]}\nshare of right answers", fontsize=9)
    key(axes[-1, -1], loc="center right", fontsize=7.5)
    return fig


def answer_differences(
    data: xr.Dataset, prior: str = "L", share: float = 1.0, rate: str = "S"
) -> Figure:
    """Answers less truth, prompts for a, while fine-tuned (left) and trained back (right)."""
    fig, axes = panels(2, width=4.2, sharey=True)
    near = {"difference": slice(-2, 2)}
    tuned = data.off_a.sel(prior=prior, share=share, rate=rate, **near).mean("seed")
    back = data.revival_off.sel(prior=prior, end_share=share, rate=rate, **near).mean("seed")
    image = None
    for ax, table, along, word in (
        (axes[0], tuned, "step", "updates of fine-tuning"),
        (axes[1], back, "revival_step", "updates of training back"),
    ):
        grid = table.transpose("difference", along).values
        image = ax.imshow(grid, origin="lower", aspect="auto", vmin=0, vmax=1, cmap="viridis")
        places = np.unique(np.linspace(0, grid.shape[1] - 1, 6).round().astype(int))
        ax.set_xticks(places, [str(int(table[along][p])) for p in places])
        ax.set(xlabel=word)
    axes[0].set_yticks(
        range(tuned.sizes["difference"]), [f"{d:+d}" if d else "0" for d in tuned.difference.values]
    )
    axes[0].set_ylabel("answer less count of a")
    assert image is not None
    fig.colorbar(image, ax=axes, label="share of answers")
    return fig


def policy_weights(data: xr.Dataset) -> Figure:
    """Weights of the policies over fine-tuning, prompts for b, C_Tr = 1; first and last prior."""
    shown = [(p, r) for p in ("L", "H") for r in data.rate.values]
    fig, axes = panels(len(shown), width=2.7, sharey=True)
    for ax, (prior, rate) in zip(axes, shown, strict=True):
        one = data.policy.sel(prior=prior, rate=rate, share=1.0).isel(step=slice(1, None))
        for name, colour in POLICY_COLOURS.items():
            over_seeds(ax, one.sel(policy_name=name), "step", colour, name)
        log_axis(ax, step_ticks(data), "update")
        ax.set_xlim(float(data.step[1]), float(data.step[-1]))
        ax.set(ylim=(-0.03, 1.03))
        tag(ax, f"{PRIOR_WORDS[prior]}\n{RATE_WORDS[rate]}")
    axes[0].set_ylabel("weight of the policy")
    key(axes[-1], loc="center right", fontsize=7.5)
    return fig


def pruning(data: xr.Dataset) -> Figure:
    """Accuracy over the number of deleted neurons, with controls; diversity of answers."""
    fig, axes = panels(4, width=3.1)
    for ax, rate in zip(axes[:2], data.rate.values, strict=True):
        for share in data.share.values:
            colour = share_colour(data, share)
            at: dict[str, Any] = {"rate": rate, "share": share}
            over_seeds(ax, data.pruned_a.sel(**at), "deleted", colour, share_label(share))
            mean = data.pruned_b.sel(**at).mean("seed")
            ax.plot(data.deleted, mean, color=colour, ls=":", lw=1.4)
            random = data.pruned_controls.sel(order="random", **at)
            seed_marks(ax, data.deciding.values, random, colour, marker="x")
        ax.set(ylim=(-0.03, 1.03), xlabel="deleted neurons K")
        tag(ax, RATE_WORDS[rate])
    axes[0].set_ylabel("share of right answers")
    for share in data.share.values:
        kept = data.pruned_before.sel(share=share).mean("rate")
        seed_marks(
            axes[2],
            data.deciding.values,
            kept,
            share_colour(data, share),
            share_label(share),
            line=True,
        )
        entropy = data.pruned_entropy.sel(share=share).mean("rate")
        over_seeds(axes[3], entropy, "deleted", share_colour(data, share))
    level(axes[2], 0.9, "", style="--")
    axes[2].set(ylim=(-0.03, 1.03), xlabel="deleted neurons K", ylabel="share of right answers")
    tag(axes[2], "the same neurons, pretrained network")
    key(axes[2], fontsize=7.5, loc="lower left")
    level(axes[3], 0.5, "", style="--")
    axes[3].set(ylim=(0, 1.3), xlabel="deleted neurons K", ylabel="entropy of answers / of counts")
    tag(axes[3], "diversity of answers")
    return fig


def probing(data: xr.Dataset) -> Figure:
    """Probes for count a after every block, prompts for a."""
    priors = list(data.prior.values)
    fig, axes = panels(len(priors), width=3.4, height=3.3, sharey=True)
    x = np.arange(data.sizes["place"])

    def curve(name: str, **at: Any) -> xr.DataArray:
        return data[name].sel(asked="a", counted="a", labels="true", **at)

    for ax, prior in zip(axes, priors, strict=True):
        before = curve("probe_pretrained", prior=prior)
        tuned = curve("probe_tuned", prior=prior).mean("share")
        for values, colour, word in (
            (before, INK, "pretrained"),
            (tuned.sel(rate="M"), "#a01830", r"tuned at $\eta_M$"),
            (tuned.sel(rate="S"), "#2563b0", r"tuned at $\eta_S$"),
            (curve("probe_untrained"), GREY, "never trained"),
        ):
            band(ax, x, values.transpose("seed", "place").values, colour, word)
        shuffled = data.probe_pretrained.sel(asked="a", counted="a", labels="shuffled", prior=prior)
        ax.plot(x, shuffled.mean("seed"), color=GREY, ls=":", label="shuffled labels")
        ax.set_xticks(x, [str(p) for p in data.place.values], fontsize=8)
        ax.set(ylim=(0, 1.03))
        tag(ax, PRIOR_WORDS[prior])
    axes[0].set_ylabel("accuracy of a probe for count a")
    _key_below(fig, axes[0])
    return fig


def _key_below(fig: Figure, ax: Axes) -> None:
    """One key for all panels, where no curve can be."""
    handles = ax.get_legend_handles_labels()
    fig.legend(*handles, loc="outside lower left", ncols=6, fontsize=8, frameon=False)


def relearning(data: xr.Dataset) -> Figure:
    """Accuracy while trained back to count a, and the share not yet revived."""
    fig, axes = panels(3, width=3.6, height=3.3)
    for ax, share in zip(axes[:2], (1.0, 0.0), strict=True):
        _relearning_curves(ax, data, share)
        tag(ax, f"tuned with {share_label(share)}")
    axes[0].set_ylabel("right answers, prompts for a")
    _key_below(fig, axes[0])
    ax = axes[2]
    groups = [
        (data.revival.sel(end_share=1.0), "#a01830", "tuned, $C_{Tr}$ = 1"),
        (data.revival.sel(end_share=0.0), "#2563b0", "tuned, $C_{Tr}$ = 0"),
        (data.revival_baseline.sel(baseline="counts b only"), INK, "counts b only"),
        (data.revival_baseline.sel(baseline="untrained"), GREY, "untrained"),
    ]
    for curves, colour, word in groups:
        curve = kaplan_meier(times_until_back(data, curves))
        ax.step(curve.steps, curve.share, where="post", color=colour, label=word)
        ax.fill_between(curve.steps, curve.low, curve.high, step="post", color=colour, alpha=0.12)
    ax.set(xlabel="updates", ylabel="networks not yet revived", ylim=(-0.03, 1.03))
    key(ax, fontsize=7.5)
    tag(ax, "all priors and rates")
    return fig


def _relearning_curves(ax: Axes, data: xr.Dataset, share: float) -> None:
    later = slice(1, None)
    for prior, style in (("L", "-"), ("H", "--")):
        for rate, colour in (("M", "#a01830"), ("S", "#2563b0")):
            one = data.revival.sel(prior=prior, rate=rate, end_share=share)
            word = rf"$P_{prior}$, $\eta_{rate}$"
            over_seeds(ax, one.isel(revival_step=later), "revival_step", colour, word, style)
    for name, colour in (("counts b only", INK), ("untrained", GREY)):
        one = data.revival_baseline.sel(baseline=name).isel(revival_step=later)
        over_seeds(ax, one, "revival_step", colour, name, ":")
    ax.axhline(LEVEL, color=GREY, lw=0.8)
    last = int(data.revival_step.max())
    log_axis(ax, [n for n in (1, 3, 10, 30, 100, 300, 1000, 3000) if n <= last], "updates")
    ax.set(ylim=(-0.03, 1.03), xlim=(int(data.revival_step[1]), last))


def variants(data: xr.Dataset) -> Figure:
    """Variants: mixed data, names, wrong answers, the second task."""
    fig, axes = panels(4, width=3.0, sharey=True)
    kept = data.mixed.sel(target="a", test="clean")
    x = np.arange(data.sizes["mixture"])
    for prior, colour in (("L", "#a01830"), ("H", "#2563b0")):
        points(axes[0], x, kept.sel(mixed_prior=prior), colour, f"$P_{prior}$")
    axes[0].set_xticks(x, [f"{m:.1%}".replace(".0%", "%") for m in data.mixture.values])
    axes[0].set(xlabel="pretraining rows", ylabel="share of right answers, prompts for a")
    x = np.arange(data.sizes["name"])
    for rate, colour in (("M", "#a01830"), ("S", "#2563b0")):
        points(axes[1], x, data.named.sel(rate=rate), colour, rf"$\eta_{rate}$", ls="none")
    axes[1].set_xticks(x, ["tuned\nname", "other\nname 1", "other\nname 2"], fontsize=8)
    for name, colour in (("standard", "#2563b0"), ("wrong answers", "#a01830")):
        one = data.misled_revival.sel(treatment=name).mean(["prior", "rate"])
        over_seeds(axes[2], one, "revival_step", colour, name)
    over_seeds(axes[2], data.misled_baseline, "revival_step", INK, "counts b only", ":")
    axes[2].set_xlabel("updates of training back")
    x = np.arange(data.sizes["prior"])
    at: dict[str, Any] = {"rate": "S", "end_share": 1.0, "test": "clean"}
    for target, colour, word in (
        ("a", "#13a07f", "index of a (kept)"),
        ("b", "#2563b0", "index of b (learned)"),
    ):
        points(axes[3], x, data.index_accuracy.sel(target=target, **at), colour, word)
    axes[3].set_xticks(x, [f"$P_{p}$" for p in data.prior.values])
    for ax, word in zip(
        axes, ("mixed data", "jailbreak", "wrong answers", "second task"), strict=True
    ):
        tag(ax, word)
        ax.set(ylim=(-0.03, 1.05))
        key(ax, fontsize=7.5)
    return fig


def probe_summary(data: xr.Dataset) -> dict[str, float]:
    """Mean best-block accuracies before and after, for prose."""
    return {
        "before": float(best_probe_accuracy(data.probe_pretrained).mean()),
        "small": float(best_probe_accuracy(data.probe_tuned).sel(rate="S").mean()),
        "large": float(best_probe_accuracy(data.probe_tuned).sel(rate="M").mean()),
        "weak": float(best_probe_accuracy(data.probe_tuned).sel(rate="M", prior="L").mean()),
        "untrained": float(best_probe_accuracy(data.probe_untrained).mean()),
    }


def unwrap_explorer_data(config: Config, data: xr.Dataset, rate: str = "S") -> dict[str, Any]:
    """Arguments of the pruning explorer: first seed, weak prior."""
    first = data.isel(seed=0).sel(rate=rate)
    text = data.test_text.values.astype(int)
    windows = ["".join(LETTERS[k] for k in row[-config.window :]) for row in text]
    share_k = ("share", "deleted")
    return {
        "conditions": [f"C_Tr = {share:g}" for share in data.share.values],
        "deleted": [int(k) for k in data.deleted.values],
        "old": first.pruned_a.transpose(*share_k).values,
        "new": first.pruned_b.transpose(*share_k).values,
        "counts": first.shown_counts.transpose(*share_k, "count").values.clip(0, 1),
        "truth": data.shown_truth.values,
        "windows": windows,
        "said": first.shown_said.transpose(*share_k, "shown").values.astype(int),
        "control": first.pruned_controls.sel(order="random").transpose("share", "deciding").values,
        "control_at": [int(k) for k in data.deciding.values],
        "condition": data.sizes["share"] - 1,
    }

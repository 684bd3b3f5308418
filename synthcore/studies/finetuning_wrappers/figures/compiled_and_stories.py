"""What fine-tuning does to compiled networks, whose every coordinate is known, and to stories."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, half_width, key, level, over_seeds, panels, points, tag
from synthcore.nn.population import named_weights
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.figures.grammar import seed_marks, share_label
from synthcore.studies.finetuning_wrappers.model import trainable_counter
from synthcore.studies.finetuning_wrappers.task.strings import EXAMPLE

RATE_COLOURS = {"L": "#5b3a8c", "M": "#a01830", "S": "#2563b0", "VS": "#13a07f"}
PROTOCOLS = {"F": "#2563b0", "F+R": "#a01830", "F+MM": "#cf7d00"}


def reads_and_writes(weights: dict[str, np.ndarray], spaces: list[tuple[str, int]]) -> Figure:
    """Which residual coordinates the compiled counter's parts read and write."""
    names = [name for name, _ in spaces]
    parts = [
        ("MLP of block 1", "blocks.0.up.weight", "blocks.0.down.weight"),
        ("query of block 2", "blocks.1.attn.q.weight", None),
        ("key of block 2", "blocks.1.attn.k.weight", None),
        ("value of block 2", "blocks.1.attn.v.weight", "blocks.1.attn.out.weight"),
        ("MLP of block 2", "blocks.1.up.weight", "blocks.1.down.weight"),
        ("query of block 3", "blocks.2.attn.q.weight", None),
        ("key of block 3", "blocks.2.attn.k.weight", None),
        ("value of block 3", "blocks.2.attn.v.weight", "blocks.2.attn.out.weight"),
    ]
    starts = np.cumsum([0, *(size for _, size in spaces)])
    fig, (ax,) = panels(1, width=8.2, height=3.1)
    for row, (_, reads, writes) in enumerate(parts):
        for kind, matrix, colour in (("reads", reads, "#2563b0"), ("writes", writes, "#b3541e")):
            if matrix is None:
                continue
            axis = 2 if kind == "reads" else 1
            used = np.abs(weights[matrix]).sum(axis=axis)[0] > 0
            for i in range(len(names)):
                if used[starts[i] : starts[i + 1]].any():
                    shift = -0.16 if kind == "reads" else 0.16
                    ax.plot(i + shift, row, "o" if kind == "reads" else "s", color=colour, ms=8)
    ax.plot([], [], "o", color="#2563b0", label="reads")
    ax.plot([], [], "s", color="#b3541e", label="writes")
    ax.set_xticks(range(len(names)), [f"{n}\n({s})" for n, s in spaces], fontsize=8)
    ax.set_yticks(range(len(parts)), [p for p, _, _ in parts], fontsize=8)
    ax.invert_yaxis()
    ax.grid(color="#dddddd", lw=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel("variable in the residual stream (coordinates)")
    key(ax, ncol=2, loc="upper center", bbox_to_anchor=(0.5, 1.14))
    return fig


def accuracy_table(data: xr.Dataset) -> Figure:
    """Accuracies of both programs after fine-tuning, as heat maps."""
    fig, axes = panels(2, width=4.4, height=3.2)
    end = data.counter_accuracy.isel(counter_step=-1).mean("seed")
    order = data.order_accuracy.mean("seed")
    image = None
    for ax, values, rate, share, name in (
        (axes[0], end, "counter_rate", "counter_share", "Counter"),
        (axes[1], order, "order_rate", "order_share", "Max-identifier"),
    ):
        cells = [
            ("old, shortcut wrong", "clean", "old"),
            ("new, shortcut wrong", "clean", "new"),
            ("new, shortcut right", "spurious", "new"),
        ]
        rows = [(c, r) for c in values[share].values for r in values[rate].values]
        grid = np.array(
            [
                [
                    float(values.sel({rate: r, share: c}).sel(string_test=t, string_target=g))
                    for _, t, g in cells
                ]
                for c, r in rows
            ]
        )
        image = ax.imshow(grid, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        for (i, j), value in np.ndenumerate(grid):
            shown = "white" if value < 0.6 else "black"
            ax.text(j, i, f"{100 * value:.0f}", ha="center", va="center", color=shown, fontsize=8)
        ax.set_xticks(range(3), [word.replace(", ", "\n") for word, _, _ in cells], fontsize=8)
        ax.set_yticks(
            range(len(rows)), [rf"$C_{{Tr}}$ {c:g}, $\eta_{{{r}}}$" for c, r in rows], fontsize=8
        )
        tag(ax, name)
    assert image is not None
    fig.colorbar(image, ax=axes, label="share of right answers")
    return fig


def attention_maps(data: xr.Dataset) -> Figure:
    """Where the selector's head looks in one string, compiled and after fine-tuning."""
    letters = ["^", *("abcdefghi"[int(k)] for k in data.map_string.values)]
    shown: list[tuple[str, Any]] = [("compiled", data.map_compiled)]
    for rate in ("S", "M"):
        for share in (data.counter_share.values[0], data.counter_share.values[-1]):
            one = data.map_tuned.sel(counter_rate=rate, counter_share=share)
            shown.append((rf"$\eta_{{{rate}}}$, $C_{{Tr}}$ = {share:g}", one))
    fig, axes = panels(2 * len(shown), width=2.1, height=2.2, rows=2)
    for column, (name, maps) in enumerate(shown):
        for row, block in enumerate((1, 2)):
            ax = axes[row * len(shown) + column]
            ax.imshow(maps.isel(block=block).values, cmap="viridis", vmin=0, vmax=1)
            ax.set_xticks(range(len(letters)), letters, fontsize=6)
            ax.set_yticks(range(len(letters)), letters, fontsize=6)
            ax.axhspan(1.5, 2.5, fill=False, color="#ff8a97", lw=1.2)
            if column == 0:
                ax.set_ylabel(f"block {block + 1}: place that looks", fontsize=8)
            if row == 0:
                tag(ax, name)
    return fig


def attention_to_letters(data: xr.Dataset) -> Figure:
    """Attention on letters a and b at the answer's place, in the selector and in the read-out."""
    fig, axes = panels(4, width=2.7, sharey=True)
    x = np.arange(data.sizes["counter_share"])
    for ax, (block, letter) in zip(axes, [(b, k) for b in (1, 2) for k in ("a", "b")], strict=True):
        for rate in data.counter_rate.values:
            values = data.counter_attention.sel(counter_rate=rate, looked_at=letter).isel(
                block=block
            )
            seed_marks(ax, x, values, RATE_COLOURS[rate], rf"$\eta_{{{rate}}}$", line=True)
        level(ax, float(data.compiled_attention.isel(block=block).sel(looked_at=letter)), "")
        ax.set_xticks(x, [f"{c:g}" for c in data.counter_share.values])
        ax.set(xlabel="$C_{Tr}$", ylim=(-0.03, 1.0))
        tag(ax, f"block {block + 1}, letters {letter}")
    axes[0].set_ylabel("attention (dashed: compiled)")
    key(axes[0])
    return fig


def weight_deletion(data: xr.Dataset) -> Figure:
    """Deleting weights by score; training back; and where the weight change lies."""
    fig, axes = panels(3, width=3.6)
    k = data.weights.values
    for rate, style in (("M", "-"), ("S", "--")):
        for share, colour in ((1.0, "#a01830"), (0.0, "#2563b0")):
            old = data.weights_pruned.sel(
                counter_rate=rate, counter_share=share, weights_what="old, clean"
            )
            word = rf"$\eta_{{{rate}}}$, $C_{{Tr}}$ = {share:g}"
            seed_marks(
                axes[0], np.arange(len(k)), old, colour, word, "os"[style == "--"], line=True
            )
    axes[0].set_xticks(range(len(k)), [str(n) for n in k])
    axes[0].set(xlabel="deleted weights", ylabel="share of right old answers", ylim=(-0.03, 1.03))
    for rate in data.counter_rate.values:
        one = data.counter_revival.sel(counter_rate=rate)
        over_seeds(axes[1], one, "counter_revival_step", RATE_COLOURS[rate], rf"$\eta_{{{rate}}}$")
    axes[1].set(xlabel="updates of training back", ylim=(-0.03, 1.03))
    tag(axes[1], share_label(1.0))
    moved = data.circuit_moved.sel(counter_share=1.0)
    x = np.arange(data.sizes["circuit"])
    for i, rate in enumerate(data.counter_rate.values):
        values = moved.sel(counter_rate=rate).transpose("seed", "circuit").values
        axes[2].bar(
            x + 0.27 * (i - 1),
            values.mean(0),
            0.25,
            yerr=half_width(values),
            color=RATE_COLOURS[rate],
            label=rf"$\eta_{{{rate}}}$",
        )
    axes[2].set_xticks(x, [str(c) for c in data.circuit.values], fontsize=8)
    axes[2].set(ylabel="share of the squared change", ylim=(0, 1.03))
    tag(axes[2], share_label(1.0))
    for ax in axes:
        key(ax, fontsize=7.5)
    return fig


def max_identifier(data: xr.Dataset) -> Figure:
    """Max-identifier: new answers, and distance of the sorting head from the compiled pattern."""
    fig, axes = panels(2, width=3.4)
    x = np.arange(data.sizes["order_rate"])
    for share, colour in ((0.0, "#2563b0"), (1.0, "#a01830")):
        new = data.order_accuracy.sel(order_share=share, string_target="new", string_test="clean")
        seed_marks(axes[0], x, new, colour, share_label(share), line=True)
        far = data.order_distance.sel(order_share=share, role="sorting")
        seed_marks(axes[1], x, far, colour, share_label(share), line=True)
    axes[0].set(ylabel="new answers, shortcut wrong", ylim=(-0.03, 1.03))
    axes[1].set(ylabel="mean |A − compiled A| per row", ylim=(0, 2))
    for ax in axes:
        ax.set_xticks(x, [rf"$\eta_{{{r}}}$" for r in data.order_rate.values])
        key(ax)
    return fig


def counter_explorer_data(config: Config, data: xr.Dataset) -> dict[str, Any]:
    """Arguments of the compiled counter's explorer: the compiled network and two tuned ones."""
    program = trainable_counter(config.counter_slots, config.beta, config.slope)
    names = ("compiled", "tuned with the shortcut", "tuned without it")
    counted = ("a", "b", "b")
    rows = data.shown_networks.values.astype("float32")
    return {
        "networks": {
            name: named_weights(program, row) for name, row in zip(names, rows, strict=True)
        },
        "out": program.shape.spaces["out"],
        "counted": dict(zip(names, counted, strict=True)),
        "string": EXAMPLE[: config.counter_slots],
    }


def stories(data: xr.Dataset) -> Figure:
    """Loss on twists, probes by block, and twists in generated stories while recovering."""
    fig, axes = panels(4, width=3.2)
    step = data.story_step.values + 1
    for name, colour in PROTOCOLS.items():
        for rate, style in (("M", "-"), ("S", "--")):
            at: dict[str, Any] = {"protocol": name, "story_rate": rate}
            word = name if rate == "M" else ""
            for ax, curve in ((axes[0], data.story_loss), (axes[2], data.story_score)):
                values = curve.sel(**at).transpose("seed", "story_step").values
                ax.plot(step, values.mean(0), color=colour, ls=style, label=word or None)
                ax.fill_between(
                    step,
                    values.mean(0) - half_width(values),
                    values.mean(0) + half_width(values),
                    color=colour,
                    alpha=0.1,
                    lw=0,
                )
    control = data.story_score_control.transpose("seed", "story_step").values
    axes[2].plot(step, control.mean(0), color=INK, ls=":", label="never saw one")
    axes[0].set(ylabel="loss on stories with a twist (nats/token)", xlabel="update + 1")
    axes[2].set(ylabel="generated stories with a twist", xlabel="update + 1, twists only")
    x = np.arange(data.sizes["story_place"])
    before = data.story_probe_before.sel(feature="twist")
    points(axes[1], x, before.sel(kind="with twist"), INK, "pretrained")
    points(axes[1], x, before.sel(kind="never saw one"), GREY, "never saw one")
    for name, colour in PROTOCOLS.items():
        tuned = data.story_probe.sel(feature="twist", protocol=name).mean("story_rate")
        points(axes[1], x, tuned, colour, name)
    axes[1].set_xticks(x, [str(p) for p in data.story_place.values], fontsize=7)
    axes[1].set(ylabel="probe for twist", ylim=(0.5, 1))
    features = list(data.feature.values)
    lost = data.story_probe_before.sel(kind="with twist").max("story_place") - data.story_probe.max(
        "story_place"
    )
    for i, (name, colour) in enumerate(PROTOCOLS.items()):
        one = lost.sel(protocol=name).mean("story_rate")
        points(axes[3], np.arange(len(features)) + 0.15 * (i - 1), one, colour, name, ls="none")
    axes[3].axhline(0, color=GREY, lw=0.8)
    axes[3].set_xticks(range(len(features)), features, rotation=40, ha="right", fontsize=7)
    axes[3].set(ylabel="lost by the best probe")
    for ax in (axes[0], axes[2]):
        ax.set_xscale("log")
    for ax in axes:
        key(ax, fontsize=7)
    return fig

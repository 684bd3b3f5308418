"""Figures about language models: the paper's released runs, and a small model on this machine."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import INK, half_width, key, panels, tag
from synthcore.studies.forking_paths.decisions import by_task
from synthcore.studies.forking_paths.drawing import FORK, NOISE, STILL, bands, outcome_key, written

SHADES = ("#2563b0", "#9aa3ad", "#13a07f", "#b3541e", "#a01830", "#8a6d00", "#5b3a8c")


def change_points(data: xr.Dataset) -> Figure:
    """F4: p(m | y) by task, and the share of questions with a Bayes factor above 9."""
    fig, axes = panels(2, width=4.6, height=3.0)
    exact = data.released_p_m.sel(released_detector="exact DM")
    tasks = sorted(set(data.released_task.values.astype(str)))
    for shade, task in zip(SHADES, tasks, strict=True):
        mean = exact.values[data.released_task.values == task].mean(0)
        axes[0].plot(data.m, mean, "o-", ms=4, color=shade, label=task)
    axes[0].set(xlabel="m, change points", ylabel="mean of p(m | counts), exact", ylim=(0, None))
    key(axes[0], loc="center left", bbox_to_anchor=(1.0, 0.5))
    y = np.arange(len(tasks))[::-1]
    for i, (name, colour) in enumerate(
        zip(data.released_detector.values, (FORK, STILL, NOISE), strict=True)
    ):
        alarm = by_task(data, data.released_alarm.sel(released_detector=name))
        share = [alarm[task].mean() for task in tasks]
        error = [float(half_width(alarm[task])) for task in tasks]
        axes[1].errorbar(
            share,
            y + 0.22 * (1 - i),
            xerr=error,
            fmt="o",
            ms=4,
            color=colour,
            capsize=2,
            label=str(name),
        )
    axes[1].set_yticks(y, tasks)
    axes[1].set(xlabel="share of questions with P(m ≥ 1) > .9", xlim=(0, 1.04))
    key(axes[1], loc="lower left")
    return fig


def survival(data: xr.Dataset) -> Figure:
    """F5: survival to the end by task and eps, observed, and with completions shuffled."""
    fig, axes = panels(2, width=4.2, height=3.0, sharey=True)
    tasks = sorted(set(data.released_task.values.astype(str)))
    for ax, control in zip(axes, ("observed", "shuffled"), strict=True):
        for shade, task in zip(SHADES, tasks, strict=True):
            rows = data.released_survival.sel(control=control).values[
                data.released_task.values == task
            ]
            ax.plot(data.eps, rows.mean(0), "o-", ms=3, color=shade, label=task)
        ax.axvline(0.6, color=INK, ls=":", lw=1.1)
        ax.set(xlabel="ε, distance that counts (L2)", ylim=(-0.03, 1.03))
        tag(ax, control, loc="left")
    axes[0].set_ylabel("survival to the last token")
    key(axes[1], loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def one_question(data: xr.Dataset) -> Figure:
    """F1b: outcomes along one released answer, and where they change."""
    fig, axes = plt.subplots(
        2, 1, figsize=(8.2, 3.6), layout="constrained", height_ratios=[2, 1], sharex=True
    )
    names = [f"answer {k + 1}" for k in range(data.sizes["released_outcome"])]
    bands(axes[0], data.released_o.values, names)
    outcome_key(axes[0])
    axes[1].bar(
        np.arange(data.sizes["released_position"]),
        data.released_p_tau.values,
        color=FORK,
        width=0.9,
    )
    axes[1].set(ylim=(0, 1), ylabel="p(τ = t)", xlabel="token position t")
    return fig


def token_classes(data: xr.Dataset) -> Figure:
    """C5: classes of the tokens after which outcomes change, beside those of all tokens."""
    fig, ax = plt.subplots(figsize=(5.2, 2.4), layout="constrained")
    y = np.arange(data.sizes["token_class"])[::-1]
    for shift, name, colour, label in (
        (0.2, "released_after", FORK, "before a change, p(τ) > .5"),
        (-0.2, "released_classes", NOISE, "all tokens"),
    ):
        counts = data[name].sum("question").values.astype(float)
        ax.barh(y + shift, counts / counts.sum(), height=0.36, color=colour, label=label)
    ax.set_yticks(y, data.token_class.values)
    ax.set(xlabel="share of tokens", xlim=(0, 1))
    key(ax)
    return fig


def small_model(data: xr.Dataset, most: int = 4) -> Figure:
    """F6: greedy answers of a small language model, and the outcomes along them."""
    chosen = np.argsort(-np.nanmax(data.live_p_tau.values, 1), kind="stable")[:most]
    chosen = np.sort(chosen)
    fig, axes = plt.subplots(
        2 * len(chosen), 1, figsize=(8.4, 2.35 * len(chosen)), layout="constrained",
        height_ratios=[0.55, 1] * len(chosen),
    )  # fmt: skip
    for i, n in enumerate(chosen):
        one = data.isel(live_question=int(n))
        length = int(one.live_p_tau.notnull().sum())
        p_tau = one.live_p_tau.values[:length].astype(float)
        tokens = [str(token) for token in one.live_token.values[:length]]
        written(axes[2 * i], tokens, np.append(p_tau[1:], 0.0), columns=96)
        tag(axes[2 * i], str(one.live_question.values), loc="left")
        names = [str(name) for name in one.live_name.values if name]
        bands(axes[2 * i + 1], one.live_o.values[:length, : len(names)], names)
        outcome_key(axes[2 * i + 1])
    axes[-1].set_xlabel("token position t")
    return fig

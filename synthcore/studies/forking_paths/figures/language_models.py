"""Figures about language models: the paper's released runs, and a small model on this machine."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from synthcore.figures import INK, canvas, half_width, key, tag
from synthcore.studies.forking_paths.figures.texts import (
    FORK,
    NOISE,
    STILL,
    bands,
    outcome_key,
    rows,
    written,
)

SHADES = ("#2f6fc0", "#7a828c", "#13a07f", "#b3541e", "#c8475a", "#8a6d00", "#8a63b8")


def tasks(data: xr.Dataset) -> list[str]:
    """Names of the tasks, sorted."""
    return sorted(set(data.task.values.astype(str)))


def change_points(data: xr.Dataset) -> Figure:
    """F4: changes per question by task and model, and the share with a Bayes factor above 9."""
    fig, axes = canvas(2, 3.2, sharey=True)
    names = tasks(data)
    y = np.arange(len(names))[::-1]
    seen = data.sel(source="released")
    for ax, values, label in (
        (axes[0], seen.change_points, "m^, change points per question"),
        (axes[1], seen.alarm, "share with P(m ≥ 1) > .9"),
    ):
        colours = zip(data.model.values, (FORK, STILL, NOISE), strict=True)
        for i, (model, colour) in enumerate(colours):
            by = [values.sel(model=model).values[data.task.values == name] for name in names]
            error = [float(half_width(each)) for each in by]
            style: dict[str, Any] = {
                "fmt": "o",
                "ms": 4,
                "capsize": 2,
                "color": colour,
                "label": str(model),
            }
            ax.errorbar([each.mean() for each in by], y + 0.22 * (1 - i), xerr=error, **style)
        ax.set(xlabel=label, xlim=(0, None))
        ax.set_yticks(y, names)
    key(axes[0], loc="upper center", bbox_to_anchor=(0.9, -0.18), ncols=3)
    return fig


def survival(data: xr.Dataset) -> Figure:
    """F5: survival to the end by task and eps, observed, and if no token mattered."""
    fig, axes = canvas(2, 3.2, sharey=True)
    for ax, values, name in (
        (axes[0], data.survival, "observed"),
        (axes[1], data.survival_by_noise, "if no token mattered"),
    ):
        for shade, task in zip(SHADES, tasks(data), strict=False):
            mean = values.values[data.task.values == task].mean(0)
            ax.plot(data.eps, mean, "o-", ms=3, color=shade, label=task)
        ax.axvline(0.6, color=INK, ls=":", lw=1.1)
        ax.set(xlabel="ε, distance that counts (L2)", ylim=(-0.03, 1.03))
        tag(ax, name, loc="left")
    axes[0].set_ylabel("survival to the last token")
    key(axes[0], loc="upper center", bbox_to_anchor=(1.0, -0.2), ncols=4)
    return fig


def one_question(data: xr.Dataset) -> Figure:
    """F1b: outcomes along one released answer, and where they change."""
    fig, axes = rows([2, 1], 3.6)
    names = [f"answer {k + 1}" for k in range(data.sizes["outcome"])]
    bands(axes[0], data.example_o.values, names)
    outcome_key(axes[0])
    places = np.arange(data.sizes["position"])
    axes[1].bar(places, data.example_p_tau.values, color=FORK, width=0.9)
    axes[1].set(ylim=(0, 1), ylabel="p(τ = t)", xlabel="token position t")
    axes[1].set_xlim(axes[0].get_xlim())
    return fig


def token_classes(released: xr.Dataset, after: xr.DataArray) -> Figure:
    """C5: classes of the tokens after which outcomes change, beside those of all tokens."""
    fig, (ax,) = canvas(1, 2.2)
    y = np.arange(released.sizes["token_class"])[::-1]
    for shift, values, colour, label in (
        (0.2, after, FORK, "before a change"),
        (-0.2, released.classes, NOISE, "all tokens"),
    ):
        counts = values.sum("question").values.astype(float)
        ax.barh(y + shift, counts / counts.sum(), height=0.36, color=colour, label=label)
    ax.set_yticks(y, released.token_class.values)
    ax.set(xlabel="share of tokens", xlim=(0, 1))
    key(ax)
    return fig


def small_model(data: xr.Dataset, most: int = 4) -> Figure:
    """F6: greedy answers of a small model, one of each task, and the outcomes along them."""
    first = [int(np.flatnonzero(data.task.values == task)[0]) for task in tasks(data)][:most]
    fig, axes = rows([0.7, 1.0] * len(first), 2.1 * len(first))
    for i, n in enumerate(first):
        one = data.isel(question=n)
        length = int(one.p_tau.notnull().sum())
        p_tau = one.p_tau.values[:length].astype(float)
        tokens = [str(token) for token in one.token.values[:length]]
        written(axes[2 * i], tokens, np.append(p_tau[1:], 0.0))
        tag(axes[2 * i], str(one.question.values), loc="left")
        names = [str(name) for name in one.name.values if name]
        bands(axes[2 * i + 1], one.o.values[:length, : len(names)], names)
        outcome_key(axes[2 * i + 1])
    axes[-1].set_xlabel("token position t")
    return fig

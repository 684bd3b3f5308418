"""One text to look at: what is true of it, what samples say, what the analysis makes of them; and
what several figures of the chapter draw, texts in colour and outcome bands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from torch import Tensor

from synthcore.changepoints import Posterior, dirichlet_multinomial, posterior
from synthcore.explorers.forking import ForkingExplorer
from synthcore.figures import INK, WIDTH, canvas, key, tag, theme
from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.measure.paths import Paths, distance
from synthcore.studies.forking_paths.task.ensemble import Ensemble, Tables
from synthcore.studies.forking_paths.task.world import (
    NUMBERS,
    PUNCTUATION,
    WORDS,
    ForkWorld,
    Kind,
    Recipe,
)

OUTCOMES = ("#2563b0", "#e69a1f", "#13a07f", "#a0468b", "#8a6d00", "#c8475a", "#9aa3ad")
FORK, STILL, NOISE = "#b3541e", "#2f6fc0", "#7a828c"
MARKS: dict[Kind, str] = {"fork": "o", "rare": "s", "hidden": "v", "drift": "d"}
TEXTS = {2: "two forks", 1: "one fork", 3: "three forks", 0: "no fork"}


@dataclass(frozen=True)
class Example:
    """The base path of one world, sampled. Everything has N = 1."""

    ensemble: Ensemble
    paths: Paths

    @property
    def world(self) -> ForkWorld:
        return self.ensemble.worlds[0]

    @property
    def exact(self) -> Float[Tensor, "T K"]:
        """True outcome distribution before every token."""
        return self.ensemble.o[0, :-1]

    @cached_property
    def found(self) -> Posterior:
        """Posterior of change points from the samples."""
        return posterior(dirichlet_multinomial(self.paths.pseudo))

    @property
    def smoothed(self) -> Float[Tensor, "T K"]:
        """Posterior mean of the outcome distribution."""
        return self.found.smoothed(self.paths.pseudo)[0]

    @property
    def drift(self) -> dict[str, Float[Tensor, "T"]]:
        """y_t = |o_0 - o_t|: with o_0 from branches, from the prompt; exact, and over segments."""
        series = {"exact": self.exact, "posterior mean over segments": self.smoothed}
        found = {name: distance(o[:1].expand_as(o), o, "l2") for name, o in series.items()}
        bare = replace(self.paths, start=None).drift()[0]
        return {"$o_0$ from branches": bare, "$o_0$ from the prompt": self.paths.drift()[0]} | found


def example(config: Config, forks: int = 2) -> Example:
    """The first world of the first seed with that many forks and a rare one; `headline` samples."""
    recipe = Recipe(config.lengths[0], forks=(forks,), rare=(1,))
    ensemble = Ensemble.draw(config.seed, 800, 1, recipe)
    paths = ensemble.paths(ensemble.sample(config.headline, config.seed), config.p_thresh)
    start = ensemble.sample_start(config.start, config.seed)
    return Example(ensemble, replace(paths, start=start))


def written(ax: Axes, tokens: Sequence[str], strength: ArrayLike, columns: int = 76) -> None:
    """A text in lines of `columns` letters; the stronger a token, the redder its ground."""
    ax.set_axis_off()
    row, column = 0, 0
    for token, value in zip(tokens, np.asarray(strength, dtype=float), strict=True):
        shown = token.replace("\n", " ")
        if column + len(shown) > columns:
            row, column, shown = row + 1, 0, shown.lstrip()
        size = len(shown)
        if value > 0.02:
            place = (column, -row - 0.42)
            ax.add_patch(Rectangle(place, size, 0.84, color=FORK, alpha=min(0.85 * value, 1), lw=0))
        style: dict[str, Any] = {"family": "monospace", "fontsize": 8, "color": INK}
        for i, letter in enumerate(shown):
            ax.text(column + i, -row, letter, va="center", ha="left", **style)
        column += size
    ax.set(xlim=(0, columns), ylim=(-row - 0.6, 0.6))


def bands(ax: Axes, shares: ArrayLike, names: Sequence[str], alpha: float = 0.85) -> None:
    """Outcome shares (T, K) as a stack over token positions."""
    table = np.asarray(shares, dtype=float)
    edges = np.arange(len(table) + 1) - 0.5
    colours = [OUTCOMES[k % len(OUTCOMES)] for k in range(table.shape[1])]
    colours = [OUTCOMES[-1] if n == "Other" else c for n, c in zip(names, colours, strict=True)]
    tops = np.vstack([np.zeros(len(table)), table.cumsum(1).T])
    for k, (name, colour) in enumerate(zip(names, colours, strict=True)):
        low, high = tops[k], tops[k + 1]
        ax.stairs(high, edges, baseline=low, fill=True, color=colour, alpha=alpha, label=name)
    ax.set(xlim=(-0.5, len(table) - 0.5), ylim=(0, 1), ylabel="outcome share")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def outcome_key(ax: Axes) -> None:
    """The legend of `bands`, right of the panel."""
    key(ax, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.0)


def rows(heights: Sequence[float], inches: float) -> tuple[Figure, list[Axes]]:
    """Panels below one another in the book's theme, with these relative heights."""
    with theme():
        fig, axes = plt.subplots(
            len(heights), 1, figsize=(WIDTH, inches), height_ratios=heights, layout="constrained"
        )
        for ax in axes:  # ticks are made when they are drawn, and would forget the theme
            ax.tick_params(labelsize=8.5)
    return fig, list(axes)


def along_text(example: Example) -> Figure:
    """F1: a text, exact and sampled outcomes along it, and where the detector sees changes."""
    fig, axes = rows([1.2, 1.5, 1.5, 1.0], 5.8)
    p_tau = example.found.p_tau[0].numpy()
    written(axes[0], example.world.base_path(), np.append(p_tau[1:], 0.0))
    names = example.world.names
    bands(axes[1], example.exact.numpy(), names)
    tag(axes[1], "exact", loc="left")
    bands(axes[2], example.paths.o_t[0].numpy(), names)
    tag(axes[2], f"from {int(example.paths.samples.max())} completions per branch", loc="left")
    outcome_key(axes[1])
    axes[3].bar(np.arange(len(p_tau)), p_tau, width=0.9, color=FORK)
    axes[3].set(xlim=(-0.5, len(p_tau) - 0.5), ylim=(0, 1), ylabel="p(τ = t)")
    for kind, mark in MARKS.items():
        at = example.world.forks(kind)
        if len(at):
            y = np.full(len(at), 0.85)
            axes[3].plot(at + 1, y, mark, color=INK, ms=5, mfc="none", label=kind)
    axes[3].set_xlabel("token position t")
    key(axes[3], loc="center left", bbox_to_anchor=(1.0, 0.5))
    for ax in axes[1:3]:
        ax.set_xticklabels([])
    return fig


def parallel_sets(example: Example, around: int) -> Figure:
    """F2: two tokens in a row; what every token that may stand there makes of the outcome."""
    fig, axes = canvas(2, 2.9)
    o_tw, weight = example.paths.o_tw[0].numpy(), example.paths.weight[0].numpy()
    for ax, t in zip(axes, (around - 1, around), strict=True):
        left = 0.0
        for w, token in enumerate(example.world.base_places[t].tokens):
            share = weight[t, w] if w < weight.shape[1] else 0.0
            if share == 0:
                continue
            top = 0.0
            for k in range(o_tw.shape[-1]):
                part, colour = o_tw[t, w, k], OUTCOMES[k]
                ax.bar(left, part, share, top, align="edge", color=colour, ec="white", lw=0.8)
                top += part
            ax.text(left + share / 2, 1.03, token.strip(), rotation=45, fontsize=8, va="bottom")
            left += share
        ax.set(xlim=(0, 1), ylim=(0, 1), xlabel=f"probability of the token at t = {t}")
    axes[0].set_ylabel("outcome share after the token")
    return fig


def drift(example: Example) -> Figure:
    """F3: the paper's series y_t, with o_0 from the branches or from the prompt, and exact."""
    fig, (ax,) = canvas(1, 2.6)
    colours, styles = (NOISE, STILL, INK, FORK), ("o", "s", "--", "-")
    for (name, y), colour, style in zip(example.drift.items(), colours, styles, strict=True):
        if style in "os":
            ax.plot(y.numpy(), style, ms=3, color=colour, label=name)
        else:
            ax.plot(y.numpy(), style, lw=1.4, color=colour, label=name)
    ax.set(xlabel="token position t", ylabel="$y_t$, distance from $o_0$ (L2)", ylim=(0, None))
    key(ax, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return fig


def explorer(config: Config) -> ForkingExplorer:
    """Texts with two, one, three and no planted forks, in the browser."""
    recipes = {forks: Recipe(config.lengths[0], forks=(forks,)) for forks in TEXTS}
    drawn = [
        Ensemble.draw(config.seed, 801 + forks, 1, recipe) for forks, recipe in recipes.items()
    ]
    worlds = [ensemble.worlds[0] for ensemble in drawn]
    tokens = (*WORDS, *NUMBERS, *PUNCTUATION)
    tables = Tables.of(worlds, tokens)
    return ForkingExplorer(
        tables.token,
        tables.p,
        tables.to,
        tables.end,
        vocabulary=tokens,
        names=worlds[0].names,
        titles=tuple(TEXTS.values()),
        position=int(worlds[0].forks("fork")[0]),
        samples=config.headline,
        threshold=config.p_thresh,
    )

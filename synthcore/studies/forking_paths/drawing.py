"""What several figures of the chapter draw: texts in colour, outcome bands, panels by task."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from synthcore.figures import INK, key

OUTCOMES = ("#2563b0", "#e69a1f", "#13a07f", "#a0468b", "#8a6d00", "#c8475a", "#9aa3ad")
FORK, STILL, NOISE = "#b3541e", "#2563b0", "#7a828c"


def written(ax: Axes, tokens: Sequence[str], strength: ArrayLike, columns: int = 84) -> None:
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
        text: dict[str, Any] = {
            "family": "monospace",
            "fontsize": 8,
            "va": "center",
            "ha": "left",
            "color": INK,
        }
        for i, letter in enumerate(shown):
            ax.text(column + i, -row, letter, **text)
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
        ax.stairs(
            tops[k + 1], edges, baseline=tops[k], fill=True, color=colour, alpha=alpha, label=name
        )
    ax.set(xlim=(-0.5, len(table) - 0.5), ylim=(0, 1), ylabel="outcome share")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def outcome_key(ax: Axes) -> None:
    """The legend of `bands`, right of the panel."""
    key(ax, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.0)

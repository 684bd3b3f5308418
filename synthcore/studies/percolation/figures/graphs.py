"""Figures of the language and of percolation: what is drawn needs no network."""

import numpy as np
import xarray as xr
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from synthcore.figures import (
    CONCEPTS,
    GREY,
    INK,
    canvas,
    chance,
    key,
    oracle,
    over_seeds,
    shades,
    tag,
)
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.experiments.graphs import PROPORTIONAL, WIDENING
from synthcore.studies.percolation.measure.scaling import slope
from synthcore.studies.percolation.task.grammar import ACCEPT, ARROWS, Group
from synthcore.studies.percolation.task.vocabulary import ConstraintGraph

PLACES = {
    "start": (0.0, 1.0),
    "subject": (1.7, 1.0),
    "link": (3.4, 2.6),
    "descriptor": (5.4, 2.6),
    "next unit": (4.4, 4.3),
    "verb": (3.4, -0.6),
    "preposition": (5.4, -0.6),
    "object": (7.4, -0.6),
    "next unit or object": (5.4, -2.3),
    ACCEPT: (9.0, 1.0),
}
SHORT = {
    ACCEPT: "end",
    "next unit or object": "unit or\nobject",
    "next unit": "unit",
    "preposition": "prep.",
    "descriptor": "desc.",
}
WORDS = {
    Group.ENTITY: "entity",
    Group.CONJUNCTION: "and, or",
    Group.LINK: "is, has",
    Group.VERB: "verb",
    Group.PREPOSITION: "on, in, to",
    Group.DESCRIPTOR: "property",
    Group.EOS: "end",
}
WARM, COLD = CONCEPTS["retrieval"], CONCEPTS["inference"]
PALE = "#b9cbe6"


def automaton() -> Figure:
    """The states of the grammar as circles, words as arrows."""
    fig, (ax,) = canvas(1, 3.6)
    for state, (x, y) in PLACES.items():
        width = 2.2 if state == ACCEPT else 1.0
        ax.plot(x, y, "o", ms=38, mfc="white", mec=INK, mew=width, zorder=3)
        name = SHORT.get(state, state)
        ax.annotate(name, (x, y), ha="center", va="center", fontsize=8, color=INK, zorder=4)
    for state, arrows in ARROWS.items():
        for group, after in arrows.items():
            a, b = np.array(PLACES[state]), np.array(PLACES[after])
            both = state in ARROWS[after].values()
            style = {"arrowstyle": "-|>", "color": GREY, "lw": 0.9, "shrinkA": 19, "shrinkB": 19}
            bend = {"connectionstyle": f"arc3,rad={0.3 if both else 0.0}"}
            ax.annotate("", tuple(b), tuple(a), arrowprops={**style, **bend}, zorder=2)
            along = b - a
            side = np.array([-along[1], along[0]]) / np.hypot(*along)
            place = a + 0.5 * along - side * (0.5 if both else 0.0)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
            ax.annotate(WORDS[group], place, ha="center", va="center", fontsize=8, color=WARM,
                        bbox=box, zorder=2.5)  # fmt: skip
    ax.set(xlim=(-0.7, 9.7), ylim=(-3.0, 5.0))
    ax.set_axis_off()
    return fig


def constraint_graph(graph: ConstraintGraph) -> Figure:
    """Edges, other pairs of a class, and pairs across classes."""
    fig, (ax,) = canvas(1, 2.5, 5.4)
    kind = graph.classes.same.long() + graph.edges.long() * graph.classes.same.long()
    colours = ListedColormap(["#f2f2f2", PALE, COLD])
    ax.imshow(kind, cmap=colours, aspect="auto", vmin=0, vmax=2)
    ax.set(xlabel="property", ylabel="entity")
    for name, colour in (("edge: shown", COLD), ("same class, no edge", PALE)):
        ax.plot([], [], "s", color=colour, label=name)
    key(ax, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return fig


def propagation(entities: int = 24, properties: int = 36, seed: int = 0) -> Figure:
    """D and what its powers join, below and above the threshold."""
    random = np.random.default_rng(seed)
    fig, axes = canvas(4, 1.7)
    pairs = theory.distinct_pairs(entities, properties, entities * properties, random)
    for row, ratio in enumerate((0.6, 2.4)):
        count = round(ratio * (entities * properties) ** 0.5)
        density = np.zeros((entities, properties))
        density[tuple(pairs[:count].T)] = 1
        labels = theory.components(entities, properties, pairs[:count])
        by_size = np.bincount(labels)[labels]
        order_e = np.lexsort((labels[:entities], -by_size[:entities]))
        order_k = np.lexsort((labels[entities:], -by_size[entities:]))
        for column, n in enumerate((0, 12)):
            ax = axes[2 * row + column]
            shown = theory.reach(density, n)[np.ix_(order_e, order_k)]
            ax.imshow(shown, cmap=ListedColormap(["#f2f2f2", COLD]), aspect="auto", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            name = "D" if n == 0 else f"(DDᵀ)$^{{{n}}}$D"
            tag(ax, f"q / p$_c$ = {ratio}, {name}: {shown.mean():.0%} joined")
        axes[2 * row].set_ylabel("entities")
    axes[2].set_xlabel("properties")
    axes[3].set_xlabel("properties")
    return fig


def percolation(data: xr.Dataset) -> Figure:
    """Joined pairs against theory, and the second component at the threshold."""
    fig, (left, right) = canvas(2, 2.7)
    q = np.geomspace(0.3, 6, 200)
    for i, name in enumerate(data.graph.values):
        e, k = (int(part) for part in str(name).split(" x "))
        critical = theory.threshold(e, k)
        line = [theory.reachable(r * critical, e, k) for r in q]
        left.plot(q, line, "--", color=INK, lw=1.0, label="theory" if i == 0 else None)
        values = data.joined.sel(graph=name).mean("seed")
        left.plot(data.checked, values, "o^s"[i % 3], ms=5, mfc="none", label=f"{e} × {k}")
    left.axvline(1, color=GREY, ls=":", lw=1)
    left.set(xlabel="q / p$_c$", ylabel="share of joined pairs", xlim=(0, 6), ylim=(0, 1))
    key(left)
    over_seeds(right, 100 * data.second, "near", COLD)
    right.axvline(1, color=GREY, ls=":", lw=1)
    right.set(xlabel="q / p$_c$", ylabel="second component (% of nodes)")
    right.set_ylim(0)
    return fig


def local_exponents(levels: np.ndarray) -> list[float]:
    """d log edges / d log |K| at which theory reaches each share of joined pairs, |E| fixed."""
    ratios = np.geomspace(1, 400, 600)
    curves = []
    for entities, properties in WIDENING:
        q = np.minimum(ratios * theory.threshold(entities, properties), 1.0)
        joined = np.array([theory.reachable(x, entities, properties) for x in q])
        curves.append((q * entities * properties, joined))
    sizes = [properties for _, properties in WIDENING]
    return [
        slope(sizes, [np.exp(np.interp(at, joined, np.log(edges))) for edges, joined in curves])
        for at in levels
    ]


def collapsed(data: xr.Dataset) -> Figure:
    """Simulated reachability against rescaled edges, both sides growing or one; and by theory the
    exponent at every share of joined pairs."""
    fig, (both, one, right) = canvas(3, 2.6)
    families = (
        (both, PROPORTIONAL, data.proportional_edges, data.proportional_joined, "both sides grow"),
        (one, WIDENING, data.widening_edges, data.widening_joined, "|K| grows alone"),
    )
    for ax, sizes, edges, joined, words in families:
        first = sizes[0][0] * sizes[0][1]
        for i, (colour, (e, k)) in enumerate(zip(shades(len(sizes)), sizes, strict=True)):
            x = edges.mean("seed")[i] / np.sqrt(e * k / first)
            ax.plot(x, joined.mean("seed")[i], color=colour, lw=1.5, label=f"{e} × {k}")
        ax.set(xscale="log", xlabel="edges / √(|E||K|), rescaled", ylabel="share of joined pairs")
        tag(ax, words)
        key(ax)
    levels = np.linspace(0.01, 0.98, 60)
    right.plot(levels, local_exponents(levels), color=WARM)
    oracle(right, 0.5, "threshold")
    chance(right, 1.0, "saturation")
    right.set(xlabel="share of joined pairs", ylabel="exponent of |K|, |E| fixed", ylim=(0.4, 1.1))
    return fig

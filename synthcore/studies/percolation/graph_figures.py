"""Figures of the language and of percolation: what is drawn needs no network."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from synthcore.figures import GREY, INK, band, key, level, panels, tag
from synthcore.studies.percolation import graphs, theory
from synthcore.studies.percolation.collapse import slope
from synthcore.studies.percolation.constraints import ConstraintGraph
from synthcore.studies.percolation.grammar import ACCEPT, ARROWS, Group, Slot, with_roles
from synthcore.studies.percolation.simulations import PROPORTIONAL, WIDENING
from synthcore.studies.percolation.vocabulary import CONJUNCTIONS, LINKS, PREPOSITIONS

PLACES = {
    "start": (0.0, 1.0),
    "subject": (1.6, 1.0),
    "link": (3.2, 2.3),
    "descriptor": (4.9, 2.3),
    "next unit": (4.05, 3.7),
    "verb": (3.2, -0.3),
    "preposition": (4.9, -0.3),
    "object": (6.6, -0.3),
    "next unit or object": (4.9, -1.9),
    ACCEPT: (8.0, 1.0),
}
SHORT = {
    ACCEPT: "end",
    "next unit or object": "unit or\nobject",
    "next unit": "unit",
    "preposition": "prepo-\nsition",
    "descriptor": "des-\ncriptor",
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
WARM, COLD = "#b3541e", "#2563b0"
SHADES = ("#c7a76c", "#b3741e", "#8a3b12", "#4a1a05")


def automaton(ax: Axes) -> None:
    """States as circles, words as arrows."""
    for state, (x, y) in PLACES.items():
        width = 2.2 if state == ACCEPT else 1.0
        ax.plot(x, y, "o", ms=29, mfc="white", mec=INK, mew=width, zorder=3)
        name = SHORT.get(state, state)
        ax.annotate(name, (x, y), ha="center", va="center", fontsize=6, zorder=4)
    for state, arrows in ARROWS.items():
        for group, after in arrows.items():
            a, b = np.array(PLACES[state]), np.array(PLACES[after])
            both = state in ARROWS[after].values()
            style = {"arrowstyle": "-|>", "color": GREY, "lw": 0.9, "shrinkA": 15, "shrinkB": 15}
            bend = f"arc3,rad={0.3 if both else 0.0}"
            ax.annotate(
                "", tuple(b), tuple(a), arrowprops={**style, "connectionstyle": bend}, zorder=2
            )
            along, side = b - a, np.array([a[1] - b[1], b[0] - a[0]]) / np.hypot(*(b - a))
            place = a + 0.5 * along - side * (0.42 if both else 0.0)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
            ax.annotate(
                WORDS[group],
                place,
                ha="center",
                va="center",
                fontsize=6,
                color=WARM,
                bbox=box,
                zorder=2.5,
            )
    ax.set(xlim=(-0.6, 8.6), ylim=(-2.5, 4.3))
    ax.set_axis_off()


def constraint_matrix(ax: Axes, graph: ConstraintGraph) -> None:
    """Edges, other pairs of a class, and pairs across classes."""
    kind = graph.classes.same.long() + graph.edges.long() * graph.classes.same.long()
    ax.imshow(
        kind, cmap=ListedColormap(["#f2f2f2", "#b9cbe6", COLD]), aspect="auto", vmin=0, vmax=2
    )
    ax.set(xlabel="property", ylabel="entity")
    for name, colour in (("edge: shown", COLD), ("same class, never shown", "#b9cbe6")):
        ax.plot([], [], "s", color=colour, label=name)
    ax.legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)


KINDS = {
    **dict.fromkeys(CONJUNCTIONS, Slot.CONJUNCTION),
    **dict.fromkeys(LINKS, Slot.LINK),
    **dict.fromkeys(PREPOSITIONS, Slot.PREPOSITION),
    "<eos>": Slot.EOS,
}
INITIALS = {"e": Slot.SUBJECT, "v": Slot.VERB, "d": Slot.DESCRIPTOR}


def sentence(ax: Axes, text: str) -> None:
    """A sentence with its slots, and arcs from the last subject to what it decides."""
    words = text.split()
    slots = with_roles([KINDS.get(word, INITIALS.get(word[0], Slot.EOS)) for word in words])
    for i, (word, slot) in enumerate(zip(words, slots, strict=True)):
        ax.text(i, 0.0, word, ha="center", va="center", fontsize=10, family="monospace")
        name = Slot(slot).name.lower()
        short = {"conjunction": "conj.", "preposition": "prep.", "eos": "end"}.get(name, name)
        ax.text(i, -0.5, short, ha="center", va="center", fontsize=6.5, color=GREY)
    subject = max(i for i, slot in enumerate(slots) if slot == Slot.SUBJECT)
    for i, slot in enumerate(slots):
        if slot in (Slot.DESCRIPTOR, Slot.VERB, Slot.OBJECT):
            colour = COLD if slot == Slot.DESCRIPTOR else WARM
            style = {"arrowstyle": "-|>", "color": colour, "lw": 1.2, "shrinkB": 8, "shrinkA": 8}
            curve = {"connectionstyle": "arc3,rad=-0.35"}
            ax.annotate("", (i, 0.1), (subject, 0.1), arrowprops={**style, **curve})
    ax.set(xlim=(-0.6, len(words) - 0.4), ylim=(-0.8, 1.6))
    ax.set_axis_off()


def language(graph: ConstraintGraph, text: str) -> Figure:
    """F1: the automaton, the constraint graph, a sentence and the pairs that it shows."""
    fig = plt.figure(figsize=(8.6, 4.8), layout="constrained")
    grid = fig.add_gridspec(2, 2, width_ratios=[1.5, 1], height_ratios=[1.9, 1])
    automaton(fig.add_subplot(grid[0, 0]))
    constraint_matrix(fig.add_subplot(grid[0, 1]), graph)
    sentence(fig.add_subplot(grid[1, :]), text)
    return fig


def propagation(entities: int = 24, properties: int = 36, seed: int = 0) -> Figure:
    """F4, left: D and what its powers join, below, near and above the threshold."""
    random = np.random.default_rng(seed)
    ratios, hops = (0.6, 1.2, 2.4), (0, 1, 3, 12)
    fig, axes = panels(len(ratios) * len(hops), rows=len(ratios), height=1.7, width=2.1)
    pairs = graphs.distinct_pairs(entities, properties, entities * properties, random)
    for row, ratio in enumerate(ratios):
        count = round(ratio * (entities * properties) ** 0.5)
        density = np.zeros((entities, properties))
        density[tuple(pairs[:count].T)] = 1
        labels = graphs.components(entities, properties, pairs[:count])
        by_size = np.bincount(labels)[labels]
        order_e = np.lexsort((labels[:entities], -by_size[:entities]))
        order_k = np.lexsort((labels[entities:], -by_size[entities:]))
        for column, n in enumerate(hops):
            ax = axes[row * len(hops) + column]
            shown = theory.reach(density, n)[np.ix_(order_e, order_k)]
            ax.imshow(shown, cmap=ListedColormap(["#f2f2f2", COLD]), aspect="auto", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
            name = "D" if n == 0 else f"(DDᵀ)$^{{{n}}}$D"
            tag(ax, f"{name}: {shown.mean():.0%} joined")
            if column == 0:
                ax.set_ylabel(f"q / p$_c$ = {ratio}\nentities", fontsize=8)
            if row == len(ratios) - 1:
                ax.set_xlabel("properties", fontsize=8)
    return fig


def percolation(data: xr.Dataset) -> Figure:
    """F4, right: joined pairs against theory, and the second component at the threshold."""
    fig, (left, middle, right) = panels(3, width=3.2)
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
    near = data.near.values
    band(middle, near, 100 * data.second.transpose("seed", "near").values, COLD)
    middle.axvline(1, color=GREY, ls=":", lw=1)
    middle.set(xlabel="q / p$_c$", ylabel="second component (% of nodes)")
    middle.set_ylim(0)
    levels = np.linspace(0.01, 0.98, 60)
    right.plot(levels, local_exponents(levels), color=WARM)
    level(right, 0.5, "threshold")
    level(right, 1.0, "saturation", style=":")
    right.set(
        xlabel="share of joined pairs", ylabel="exponent of |K| at fixed |E|", ylim=(0.4, 1.1)
    )
    return fig


def local_exponents(levels: np.ndarray) -> list[float]:
    """d log edges / d log |K| at which theory reaches each share of joined pairs, |E| fixed."""
    ratios = np.geomspace(1, 400, 600)
    curves = []
    for entities, properties in WIDENING:
        critical = theory.threshold(entities, properties)
        q = np.minimum(ratios * critical, 1.0)
        joined = np.array([theory.reachable(x, entities, properties) for x in q])
        curves.append((q * entities * properties, joined))
    sizes = [properties for _, properties in WIDENING]
    return [
        slope(sizes, [np.exp(np.interp(at, joined, np.log(edges))) for edges, joined in curves])
        for at in levels
    ]


def collapsed(data: xr.Dataset) -> Figure:
    """T2: simulated reachability, both sides growing or one, against rescaled edges."""
    fig, axes = panels(2, width=3.8, sharey=True)
    for ax, name, words in (
        (axes[0], "proportional", "|E| and |K| grow together"),
        (axes[1], "widening", "|E| fixed, |K| grows"),
    ):
        joined, edges = data[f"{name}_joined"].mean("seed"), data[f"{name}_edges"].mean("seed")
        shown = PROPORTIONAL if name == "proportional" else WIDENING
        sizes = [e * k for e, k in shown]
        for i in range(data.sizes["size"]):
            x = edges[i] / np.sqrt(sizes[i] / sizes[0])
            ax.plot(x, joined[i], color=SHADES[i], lw=1.5, label="{} × {}".format(*shown[i]))
        value = data[f"{name}_exponent"]
        ax.set(xscale="log", xlabel="edges / √(|E||K|), rescaled to the smallest graph")
        tag(ax, f"{words}: whole curves {float(value.mean()):.2f}")
        key(ax, fontsize=7)
    axes[0].set_ylabel("share of joined pairs")
    return fig

"""What the theory says, checked on simulated graphs and streams: no network is trained here."""

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from synthcore.studies.percolation import graphs, theory
from synthcore.studies.percolation.checks import read
from synthcore.studies.percolation.collapse import collapse
from synthcore.studies.percolation.constraints import ConstraintGraph, seeded
from synthcore.studies.percolation.grammar import Slot
from synthcore.studies.percolation.lessons import graph_of, skeletons_of
from synthcore.studies.percolation.networks import Progress
from synthcore.studies.percolation.pairs import PairStream
from synthcore.studies.percolation.parameters import Config
from synthcore.studies.percolation.task import Language, last_subject

RATIOS = np.geomspace(0.3, 30, 49)
NEAR = np.geomspace(0.7, 1.7, 25)
CHECKED = (1.5, 2.0, 3.0, 5.0)
PROPORTIONAL = ((90, 1800), (180, 3600), (360, 7200), (720, 14400))
"""Sizes with one ratio |K| / |E|."""
WIDENING = ((900, 3600), (900, 7200), (900, 14400), (900, 28800))
"""Sizes with one |E|, as in the paper's sweep."""
LARGE = (900, 18000)
HOPS = 6
EXPOSURES = np.geomspace(0.05, 8, 16)


def simulations(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Growing graphs, their collapse, powers of D D^T, and streams of pairs, per seed."""
    parts = []
    for done, seed in enumerate(config.seeds):
        whole = xr.merge(
            [
                growing(seed, config.growths),
                collapsing(seed, config.growths),
                hopping(seed),
                streaming(config, seed),
            ]
        )
        parts.append(whole)
        if progress:
            progress("simulated graphs", done + 1, len(config.seeds))
    return xr.concat(parts, "seed").assign_coords(seed=list(config.seeds))


def growing(seed: int, repeats: int) -> xr.Dataset:
    """Joined pairs at a few q / p_c against S_E S_K, and the peak of the second component."""
    joined, expected = [], []
    for entities, properties in (PROPORTIONAL[0], PROPORTIONAL[-1], LARGE):
        data = graphs.growth(entities, properties, CHECKED, 8 * repeats, seed)
        joined.append(data.joined.mean("repeat").values)
        expected.append(data.theory.values)
    near = graphs.growth(*LARGE, list(NEAR), 8 * repeats, seed)
    second = near.second.mean("repeat").values
    sizes = [f"{e} x {k}" for e, k in (PROPORTIONAL[0], PROPORTIONAL[-1], LARGE)]
    return xr.Dataset(
        {
            "joined": (("graph", "checked"), np.array(joined)),
            "joined_theory": (("graph", "checked"), np.array(expected)),
            "second": (("near",), second),
            "second_peak": ((), graphs.peak(NEAR, second)),
        },
        coords={"graph": sizes, "checked": list(CHECKED), "near": NEAR},
    )


def collapsing(seed: int, repeats: int) -> xr.Dataset:
    """Joined pairs against the number of edges, both families of sizes, and their exponents."""
    found: dict[str, object] = {}
    for name, sizes in (("proportional", PROPORTIONAL), ("widening", WIDENING)):
        curves, edges = [], []
        for entities, properties in sizes:
            data = graphs.growth(entities, properties, list(RATIOS), repeats, seed)
            curves.append(data.joined.mean("repeat").values)
            edges.append(RATIOS * (entities * properties) ** 0.5)
        scaled = [e * k for e, k in sizes] if name == "proportional" else [k for _, k in sizes]
        found[f"{name}_joined"] = (("size", "ratio"), np.array(curves))
        found[f"{name}_exponent"] = ((), collapse(edges, curves, scaled).exponent)
        found[f"{name}_edges"] = (("size", "ratio"), np.array(edges))
    return xr.Dataset(found, coords={"ratio": RATIOS, "size": range(len(PROPORTIONAL))})


def hopping(seed: int) -> xr.Dataset:
    """Share of pairs in which the support of (D D^T)^n D differs from what breadth-first search
    reaches within 2 n + 1 steps, below, near and above the threshold."""
    random = np.random.default_rng([seed, 5])
    entities, properties = 40, 60
    wrong = np.zeros(HOPS)
    for ratio in (0.5, 1.0, 2.0):
        chance = ratio * theory.threshold(entities, properties)
        density = (random.random((entities, properties)) < chance) * random.random(
            (entities, properties)
        )
        whole = np.zeros((entities + properties, entities + properties))
        whole[:entities, entities:] = density
        graph = sparse.csr_matrix(whole)
        steps = csgraph.shortest_path(graph, directed=False, unweighted=True)
        distance = steps[:entities, entities:]
        for n in range(HOPS):
            wrong[n] += (theory.reach(density, n) != (distance <= 2 * n + 1)).mean() / 3
    return xr.Dataset({"hop_errors": (("hops",), wrong)}, coords={"hops": range(HOPS)})


def streaming(config: Config, seed: int) -> xr.Dataset:
    """Share of all edges that have been seen after some mentions per edge: in the pair learner's
    stream and in sentences.

    `seen_theory` takes all edges as equally likely. Sentences also prefer the classes that can be
    subjects of verbs, and entities with few edges show each of them more often; `text_theory`
    counts with both.
    """
    task = config.pair_task(config.pair_properties[-1])
    graph = task.graph(seed)
    edges = int(graph.edges.sum())
    draws = [round(x * edges) for x in EXPOSURES]
    pairs = PairStream([graph], max(draws), seed)(0)[0]
    shown = (pairs[:, 0] * task.properties + pairs[:, 1]).numpy()

    words = config.vocabulary(config.entities[0], config.properties[-1])
    written = graph_of(config, words.classes, seed)
    count = int(written.edges.sum())
    needed = [round(x * count) for x in EXPOSURES]
    language = Language(words, [written], skeletons_of(config))
    told = told_pairs(language, max(needed), seeded(seed, 14))
    chance = edge_probabilities(language, written)
    return xr.Dataset(
        {
            "seen": (("exposure",), np.array(_distinct(shown, draws)) / edges),
            "seen_theory": (("exposure",), [theory.distinct_edges(x, 1.0) for x in EXPOSURES]),
            "seen_in_text": (("exposure",), np.array(_distinct(told, needed)) / count),
            "text_theory": (("exposure",), [-np.expm1(-n * chance).mean() for n in needed]),
        },
        coords={"exposure": EXPOSURES},
    )


def edge_probabilities(language: Language, graph: ConstraintGraph) -> NDArray[np.float64]:
    """P(a mention is this edge) for every edge of the first member's graph."""
    table, classes = language.skeletons, language.vocabulary.classes
    named = (table.slots == Slot.DESCRIPTOR).sum(1).double()
    mixed = float(named[table.relative].sum() / named.sum())
    first = classes.of_entity < classes.count // 2
    of_half = torch.where(first, (1 + mixed) / 2, (1 - mixed) / 2)
    of_entity = of_half / (classes.entities / 2) / graph.edges.sum(1)
    return of_entity[:, None].expand_as(graph.edges)[graph.edges].double().numpy()


def told_pairs(language: Language, count: int, generator: torch.Generator) -> NDArray[np.int64]:
    """At least `count` pairs (last subject, property), as one number each, in the order in which
    sentences of the first member name them."""
    words, found, total = language.vocabulary, [], 0
    while total < count:
        sentences = language.sentences(4096, generator)[0]
        reading = read(words, sentences)
        entity = last_subject(reading.subject, sentences) - words.entity
        number = entity * words.classes.properties + sentences - words.descriptor
        found.append(number[reading.descriptor].numpy())
        total += len(found[-1])
    return np.concatenate(found)


def _distinct(stream: NDArray[np.int64], counts: list[int]) -> list[int]:
    return [len(np.unique(stream[:count])) for count in counts]

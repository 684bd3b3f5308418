"""What percolation says, checked on simulated graphs and streams: no network is trained here."""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.percolation import theory
from synthcore.studies.percolation.config import TEXT, Config
from synthcore.studies.percolation.experiments.languages import (
    graph_of,
    setting_of,
    skeletons,
)
from synthcore.studies.percolation.experiments.pairs import PairSampler, task_of
from synthcore.studies.percolation.measure.checks import read
from synthcore.studies.percolation.measure.scaling import collapse
from synthcore.studies.percolation.task.grammar import Slot
from synthcore.studies.percolation.task.language import Draws, Language, last_subject
from synthcore.studies.percolation.task.vocabulary import ConstraintGraph
from synthcore.training.progress import Progress

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
DESIGN, FACTORS = (160, 400), (1, 2, 4, 8, 16)
"""|E| and the smallest |K| of graphs whose onsets are read off, and by what |K| grows."""
NOTICED = 0.1  # share of joined pairs that counts as an onset
UNITS = {"widening_edges": "edges", "proportional_edges": "edges", "onset_edges": "edges"}


@stage(reads=("growths",))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Growing graphs, their collapse and onsets, and powers of D D^T, per seed."""
    parts = []
    for done, seed in enumerate(config.seeds):
        found = [growing(seed, config.growths), collapsing(seed, config.growths)]
        parts.append(xr.merge([*found, onsets(seed), hopping(seed)]))
        progress("simulated graphs", done + 1, config.n_seeds)
    data = xr.concat(parts, "seed", data_vars="all", coords="minimal", compat="equals")
    return labelled(data.assign_coords(seed=list(config.seeds)), UNITS)


@stage(reads=(*TEXT, "shares", "loss", "batch", "steps", "pair_entities", "pair_properties",
              "pair_classes", "pair_batch"))  # fmt: skip
def streams(config: Config, progress: Progress) -> xr.Dataset:
    """How fast edges are seen, per seed."""
    parts = [streaming(config, seed) for seed in config.seeds]
    data = xr.concat(parts, "seed", data_vars="all", coords="minimal", compat="equals")
    return labelled(data.assign_coords(seed=list(config.seeds)), {})


def onsets(seed: int) -> xr.Dataset:
    """Edges at which a tenth of the pairs is joined, one graph per size, |E| fixed."""
    found, (entities, smallest) = [], DESIGN
    for factor in FACTORS:
        data = theory.growth(entities, smallest * factor, list(RATIOS), 1, seed)
        edges = RATIOS * (entities * smallest * factor) ** 0.5
        joined = data.joined.isel(repeat=0).values
        found.append(float(np.exp(np.interp(NOTICED, joined, np.log(edges)))))
    sizes = [smallest * factor for factor in FACTORS]
    return xr.Dataset({"onset_edges": (("properties",), found)}, coords={"properties": sizes})


def growing(seed: int, repeats: int) -> xr.Dataset:
    """Joined pairs at a few q / p_c against S_E S_K, and the peak of the second component."""
    joined, expected = [], []
    for entities, properties in (PROPORTIONAL[0], PROPORTIONAL[-1], LARGE):
        data = theory.growth(entities, properties, CHECKED, 8 * repeats, seed)
        joined.append(data.joined.mean("repeat").values)
        expected.append(data.theory.values)
    near = theory.growth(*LARGE, list(NEAR), 8 * repeats, seed)
    second = near.second.mean("repeat").values
    sizes = [f"{e} x {k}" for e, k in (PROPORTIONAL[0], PROPORTIONAL[-1], LARGE)]
    return xr.Dataset(
        {
            "joined": (("graph", "checked"), np.array(joined)),
            "joined_theory": (("graph", "checked"), np.array(expected)),
            "second": (("near",), second),
            "second_peak": ((), theory.peak(NEAR, second)),
        },
        coords={"graph": sizes, "checked": list(CHECKED), "near": NEAR},
    )


def collapsing(seed: int, repeats: int) -> xr.Dataset:
    """Joined pairs against the number of edges, both families of sizes, and their exponents."""
    both_edges, both_joined = _grown(PROPORTIONAL, seed, repeats)
    one_edges, one_joined = _grown(WIDENING, seed, repeats)
    both = collapse(both_edges, both_joined, [e * k for e, k in PROPORTIONAL])
    one = collapse(one_edges, one_joined, [k for _, k in WIDENING])
    axes = ("size", "ratio")
    return xr.Dataset(
        {
            "proportional_edges": (axes, both_edges),
            "proportional_joined": (axes, both_joined),
            "proportional_exponent": ((), both.exponent),
            "widening_edges": (axes, one_edges),
            "widening_joined": (axes, one_joined),
            "widening_exponent": ((), one.exponent),
        },
        coords={"ratio": RATIOS, "size": range(len(PROPORTIONAL))},
    )


def _grown(
    sizes: Sequence[tuple[int, int]], seed: int, repeats: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers of edges and shares of joined pairs, (size, ratio)."""
    curves = [theory.growth(*size, list(RATIOS), repeats, seed) for size in sizes]
    edges = [RATIOS * (entities * properties) ** 0.5 for entities, properties in sizes]
    return np.array(edges), np.array([data.joined.mean("repeat").values for data in curves])


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
    task = task_of(config, config.pair_properties[-1])
    graph = task.graph(seed)
    edges = int(graph.edges.sum())
    draws = [round(x * edges) for x in EXPOSURES]
    pairs = PairSampler([graph], max(draws) // 64 + 1, [seed])
    shown = torch.cat([pairs(step)[0] for step in range(64)])
    numbers = (shown[:, 0] * task.properties + shown[:, 1]).numpy()

    setting = setting_of(config, config.entities[0], config.properties[-1])
    written = graph_of(setting, seed)
    language = Language(setting.words, [written], skeletons(setting.grammar, config.longest))
    count = int(written.edges.sum())
    needed = [round(x * count) for x in EXPOSURES]
    told = told_pairs(language, max(needed), Draws([seed], "told"))
    chance = edge_probabilities(language, written)
    return xr.Dataset(
        {
            "seen": (("exposure",), np.array(_distinct(numbers, draws)) / edges),
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


def told_pairs(language: Language, count: int, draw: Draws) -> NDArray[np.int64]:
    """At least `count` pairs (last subject, property), as one number each, in the order in which
    sentences of the first member name them."""
    words, found, total = language.vocabulary, [], 0
    while total < count:
        sentences = language.sentences(4096, draw)[0]
        reading = read(words, sentences)
        entity = last_subject(reading.subject, sentences) - words.entity
        number = entity * words.classes.properties + sentences - words.descriptor
        found.append(number[reading.descriptor].numpy())
        total += len(found[-1])
    return np.concatenate(found)


def _distinct(stream: NDArray[np.int64], counts: list[int]) -> list[int]:
    return [len(np.unique(stream[:count])) for count in counts]

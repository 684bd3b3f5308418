"""What can be known exactly: thresholds and reachable pairs of percolation, when enough edges have
been seen, random graphs as they grow, and the probability of a sentence.

|E| entities, |K| properties, each pair an edge with probability q. Two sides, so the branching
process alternates: an entity has q |K| properties, each of them q |E| entities. In graphs entities
are the nodes 0..|E| - 1, properties the nodes behind them.

Axis letters: M member, B sentences, L slots of a sentence.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import brentq
from scipy.sparse import csgraph
from scipy.stats import poisson
from torch import Tensor

from synthcore.studies.percolation.measure.checks import read
from synthcore.studies.percolation.task.grammar import Group
from synthcore.studies.percolation.task.language import Language, last_subject
from synthcore.studies.percolation.task.vocabulary import (
    CONJUNCTIONS,
    LINKS,
    PAD,
    PREPOSITION_SHARES,
    PREPOSITIONS,
)

Pairs = NDArray[np.int64]

MENTIONS_PER_SENTENCE = 2 / 3
"""Expected descriptors of a sentence, each a pair (last subject, property)."""


def threshold(entities: int, properties: int) -> float:
    """q at which a giant component appears: one new edge per two steps, q^2 |E| |K| = 1.

    >>> round(threshold(900, 18000) * 900 * 18000)  # edges
    4025
    """
    return 1 / math.sqrt(entities * properties)


def giant(q: float, entities: int, properties: int) -> tuple[float, float]:
    """Shares S_E and S_K of entities and properties in the giant component, large graphs:
    S_E = 1 - exp(-q |K| S_K), S_K = 1 - exp(-q |E| S_E). Both are 0 up to the threshold."""
    if q <= threshold(entities, properties):
        return 0.0, 0.0

    def of_entities(s: float) -> float:
        return -math.expm1(-q * properties * s)

    share = float(
        brentq(lambda s: -math.expm1(-q * entities * of_entities(s)) - s, 1e-12, 1.0, xtol=1e-15)
    )
    return of_entities(share), share


def reachable(q: float, entities: int, properties: int) -> float:
    """Expected share of pairs (entity, property) that a path of edges joins: S_E S_K."""
    in_e, in_k = giant(q, entities, properties)
    return in_e * in_k


def distinct_edges(mentions: float, edges: float) -> float:
    """Edges seen at least once after that many mentions, all equally likely: N (1 - e^{-m / N})."""
    return -edges * math.expm1(-mentions / edges)


def exposed(mentions: float, edges: float, n: int) -> float:
    """Share of edges seen at least n times after that many mentions."""
    return float(poisson.sf(n - 1, mentions / edges))


def critical_mentions(
    entities: int, properties: int, classes: int, density: float, n: int = 1
) -> float:
    """Mentions at which the edges seen at least n times percolate within every class.

    A class has |E| |K| / |C|^2 pairs, so q must exceed |C| / sqrt(|E| |K|), where q = density times
    the share of edges with n presentations. nan if density itself is below the threshold.
    """
    needed = threshold(entities // classes, properties // classes) / density
    if needed >= 1:
        return math.nan
    edges = density * entities * properties / classes
    return edges * float(brentq(lambda x: poisson.sf(n - 1, x) - needed, 1e-9, 1e4))


def exposure_exponent(n: int) -> float:
    """Critical mentions grow as (|E| |K|)^this if an edge counts from its n-th presentation on and
    most edges are still unseen then: q = p (m / N)^n / n!."""
    return 1 - 1 / (2 * n)


def class_mode(entities: int, properties: int) -> float:
    """Singular value of the expected first gradient that tells classes apart: 1 / sqrt(|E| |K|).

    At uniform predictions the gradient of the expected loss by the |E| x |K| logits is
    (1 - |C| [same class]) / (|E| |K|). Gradient descent on a factorised model escapes from small
    weights at a rate proportional to this value, hence after sqrt(|E| |K|) steps times a logarithm:
    the exponent of percolation without any percolation.
    """
    return 1 / math.sqrt(entities * properties)


def detectable_noise(entity_degree: float, property_degree: float) -> float:
    """Largest share of cross-class edges at which classes can be detected in a sparse graph.

    A path of two steps reaches d_E d_K others and keeps (1 - noise)^2 of the correlation with the
    class; detection needs d_E d_K (1 - noise)^4 > 1 (Kesten and Stigum's bound for the stochastic
    block model). 0 below the percolation threshold d_E d_K = 1.
    """
    product = entity_degree * property_degree
    return 0.0 if product <= 1 else 1 - product**-0.25


def reach(density: np.ndarray, n: int) -> np.ndarray:
    """Pairs that (D D^T)^n D joins, as booleans: entity and property at distance 2 n + 1 at most.

    `density` is the concept density matrix D, (|E|, |K|); only where it is positive matters.
    """
    edges = (density > 0).astype(np.int64)
    linked = edges
    for _ in range(n):
        linked = ((edges @ (edges.T @ linked)) > 0).astype(np.int64)
    return linked > 0


# --- random graphs ------------------------------------------------------------------------------


def distinct_pairs(
    entities: int, properties: int, count: int, random: np.random.Generator
) -> Pairs:
    """(count, 2) different pairs (entity, property), uniform, in random order."""
    flat = random.choice(entities * properties, size=count, replace=False, shuffle=True)
    return np.stack(np.divmod(flat, properties), 1)


def components(entities: int, properties: int, pairs: Pairs) -> NDArray[np.int32]:
    """Component of every node."""
    nodes = entities + properties
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = sparse.coo_matrix((ones, (pairs[:, 0], entities + pairs[:, 1])), shape=(nodes, nodes))
    labels: NDArray[np.int32] = csgraph.connected_components(graph, directed=False)[1]
    return labels


def joined_share(labels: NDArray[np.int32], entities: int) -> float:
    """Share of pairs (entity, property) whose ends lie in one component."""
    of_e = np.bincount(labels[:entities], minlength=labels.max() + 1).astype(float)
    of_k = np.bincount(labels[entities:], minlength=labels.max() + 1).astype(float)
    return float((of_e * of_k).sum() / (of_e.sum() * of_k.sum()))


def second_largest(labels: NDArray[np.int32]) -> int:
    """Nodes of the second largest component."""
    sizes = np.sort(np.bincount(labels))
    return int(sizes[-2]) if len(sizes) > 1 else 0


def growth(
    entities: int, properties: int, ratios: Sequence[float], repeats: int, seed: int
) -> xr.Dataset:
    """Graphs that grow edge by edge, looked at when q / p_c passes each of `ratios`.

    Dimensions repeat and ratio: `joined`, the share of joined pairs, and `second`, the second
    largest component as a share of the nodes. `theory` is S_E S_K.
    """
    random = np.random.default_rng([seed, entities, properties])
    critical = threshold(entities, properties)
    counts = [round(r * critical * entities * properties) for r in ratios]
    joined, second = np.zeros((2, repeats, len(counts)))
    for i in range(repeats):
        pairs = distinct_pairs(entities, properties, max(counts), random)
        for j, count in enumerate(counts):
            labels = components(entities, properties, pairs[:count])
            joined[i, j] = joined_share(labels, entities)
            second[i, j] = second_largest(labels) / len(labels)
    expected = [reachable(r * critical, entities, properties) for r in ratios]
    return xr.Dataset(
        {
            "joined": (("repeat", "ratio"), joined),
            "second": (("repeat", "ratio"), second),
            "theory": (("ratio",), expected),
        },
        coords={"ratio": list(ratios)},
    )


def peak(ratios: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """q / p_c at which a curve of second-largest components has its maximum: a parabola through the
    highest point and two on each side, over the logarithm."""
    top = int(np.clip(second.argmax(), 2, len(second) - 3))
    around = slice(top - 2, top + 3)
    a, b, _ = np.polyfit(np.log(ratios[around]), second[around], 2)
    return float(np.exp(-b / (2 * a)))


# --- sentences ----------------------------------------------------------------------------------


def log_probability(
    language: Language, row: Int[Tensor, "M B"], sentences: Int[Tensor, "M B L"]
) -> Float[Tensor, "M B"]:
    """log P(sentence) in nats, float64, for sentences on these rows of the language's table.

    A skeleton is as likely as it is frequent in the table, from which training draws as well; its
    probability under the grammar differs by the noise of the table, up to .03 nats per token.
    """
    words = language.vocabulary
    slots = language.skeletons.slots
    _, kind, times = torch.unique(slots, dim=0, return_inverse=True, return_counts=True)
    total = (times.double() / len(slots)).log()[kind][row]
    groups = words.groups.to(sentences.device)[sentences]
    reading = read(words, sentences)
    half, entities = words.verb_groups, words.classes.entities // words.classes.count

    def count(which: Tensor) -> Tensor:
        return which.sum(-1).double()

    total = total - count(groups == Group.MODIFIER) * math.log(max(words.adjectives, 1))
    total = total - count(groups == Group.CONJUNCTION) * math.log(len(CONJUNCTIONS))
    total = total - count(groups == Group.LINK) * math.log(len(LINKS))
    for i in range(len(PREPOSITIONS)):
        chance = PREPOSITION_SHARES.count(i) / len(PREPOSITION_SHARES)
        total = total + count(sentences == words.preposition + i) * math.log(chance)
    verbs = count(reading.verb)
    classes = torch.where(verbs > 0, half, words.classes.count).double()
    total = total - classes.log() - count(reading.subject | reading.object) * math.log(entities)
    total = total - verbs * math.log(words.verbs / half)
    member = torch.arange(len(sentences), device=sentences.device)[:, None]
    entity = last_subject(reading.subject, sentences)[..., 0] - words.entity
    degree = language.edges.degree[member, entity].double()
    return total - count(reading.descriptor) * degree.log()


def entropy(
    language: Language, row: Int[Tensor, "M B"], sentences: Int[Tensor, "M B L"]
) -> Float[Tensor, "M"]:
    """Loss (nats per token) of the language itself on these sentences. No predictor has a lower
    expected loss; on the sentences of one test set one may be ahead by chance."""
    tokens = (sentences != PAD).sum((1, 2))
    return -log_probability(language, row, sentences).sum(1) / tokens

"""What percolation says: thresholds, reachable pairs, and when enough edges have been seen.

|E| entities, |K| properties, each pair an edge with probability q. Two sides, so the branching
process alternates: an entity has q |K| properties, each of them q |E| entities.
"""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import poisson

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

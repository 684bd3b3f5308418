"""Random bipartite graphs as they grow: components, and what is joined to what.

Entities are the nodes 0..|E| - 1, properties the nodes behind them.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from synthcore.studies.percolation import theory

Pairs = NDArray[np.int64]


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
    critical = theory.threshold(entities, properties)
    counts = [round(r * critical * entities * properties) for r in ratios]
    joined, second = np.zeros((2, repeats, len(counts)))
    for i in range(repeats):
        pairs = distinct_pairs(entities, properties, max(counts), random)
        for j, count in enumerate(counts):
            labels = components(entities, properties, pairs[:count])
            joined[i, j] = joined_share(labels, entities)
            second[i, j] = second_largest(labels) / len(labels)
    expected = [theory.reachable(r * critical, entities, properties) for r in ratios]
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

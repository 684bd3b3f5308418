"""The random numbers of the page in Python: graph, initial weights and pairs, so that any network
can be trained on what the explorer trains on.

Three streams belong to a seed: 3 seed for weights, 3 seed + 1 for the graph, 3 seed + 2 for pairs.

Axis letters: E entities, K properties, W numbers of each, S steps, B batch.
"""

import numpy as np
from jaxtyping import Float64, Int64

from synthcore.explorers.swing_by_training.stream import normals, uniforms

WIDTH = 16
INITIAL = 0.02


def constraint_edges(
    entities: int, properties: int, classes: int, density: float, seed: int
) -> list[list[int]]:
    """Properties that training may show with every entity; a row without edges is drawn again.

    >>> constraint_edges(2, 4, 2, 0.95, seed=0)
    [[0, 1], [2]]
    """
    per_class, rows = properties // classes, list[list[int]]()
    drawn, place = uniforms(3 * seed + 1, 4 * entities * per_class + 4096), 0
    for e in range(entities):
        row: list[int] = []
        while not row:
            one = drawn[place : place + per_class]
            place += per_class
            if len(one) < per_class:
                raise ValueError("a row of the graph was empty too often: raise density")
            row = ((one < density).nonzero()[0] + e * classes // entities * per_class).tolist()
        rows.append(row)
    return rows


def initial_tables(
    entities: int, properties: int, seed: int
) -> tuple[Float64[np.ndarray, "E W"], Float64[np.ndarray, "K W"]]:
    """u and v before training."""
    drawn = INITIAL * normals(3 * seed, (entities + properties) * WIDTH).reshape(-1, WIDTH)
    return drawn[:entities], drawn[entities:]


def pairs(edges: list[list[int]], steps: int, batch: int, seed: int) -> Int64[np.ndarray, "S B 2"]:
    """What each update sees: an entity, and one of its edges."""
    drawn = uniforms(3 * seed + 2, 2 * steps * batch).reshape(steps, batch, 2)
    entity = (drawn[..., 0] * len(edges)).astype(np.int64)
    degree = np.array([len(row) for row in edges])
    place = (drawn[..., 1] * degree[entity]).astype(np.int64)
    table = np.zeros((len(edges), degree.max()), dtype=np.int64)
    for e, row in enumerate(edges):
        table[e, : len(row)] = row
    return np.stack([entity, table[entity, place]], -1)

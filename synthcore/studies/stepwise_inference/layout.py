"""Where to draw the nodes of a directed acyclic graph."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def places(edges: ArrayLike) -> NDArray[np.float64]:
    """(N, 2) where to draw the nodes of a graph: to the right by depth, spread within each depth.

    Depth is the longest path from a source; nodes of one depth keep the order of the mean height
    of their parents, so that edges cross less.
    """
    adjacency = np.asarray(edges, dtype=bool)
    n = len(adjacency)
    depth = np.zeros(n)
    for node in range(n):  # topological order
        parents = np.flatnonzero(adjacency[:, node])
        if len(parents):
            depth[node] = depth[parents].max() + 1
    height = np.zeros(n)
    for level in np.unique(depth):
        here = np.flatnonzero(depth == level)
        pull = [
            height[np.flatnonzero(adjacency[:, i])].mean() if adjacency[:, i].any() else 0.0
            for i in here
        ]
        order = here[np.argsort(pull, kind="stable")]
        height[order] = np.linspace(-1, 1, len(here) + 2)[1:-1]
    return np.stack([depth, height * 4], -1)

"""The prefixes of all right answers to one question, as a tree that a model can be run on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class PrefixTree:
    """Valid prefixes of the answers for one pair (start, goal), parents before children.

    Prefix 0 is the empty answer. Prefix k extends prefix `parent[k]` by `token[k]`. A prefix with
    `complete[k]` is a whole right answer and has no children.

    Axis letters: K prefixes, R prefixes that are not complete.
    """

    parent: NDArray[np.int64]
    """(K,); -1 for prefix 0."""
    token: NDArray[np.int64]
    """(K,), in the model's vocabulary; -1 for prefix 0."""
    complete: NDArray[np.bool_]
    """(K,)"""

    @property
    def n_paths(self) -> int:
        """Number of right answers."""
        return int(self.complete.sum())

    @property
    def open(self) -> NDArray[np.int64]:
        """(R,) the prefixes after which a token is to come: the rows of the logits."""
        return np.flatnonzero(~self.complete)

    def tokens(self, k: int) -> list[int]:
        """The answer's tokens up to and including prefix k; append them to the prompt."""
        out: list[int] = []
        while self.parent[k] >= 0:
            out.append(int(self.token[k]))
            k = int(self.parent[k])
        return out[::-1]


def prefix_tree(
    adjacency: ArrayLike,
    start: int,
    goal: int,
    *,
    ending: Sequence[int] = (),
    first_token: int = 1,
    max_paths: int = 400,
) -> PrefixTree:
    """All paths from start to goal in a DAG, as the tree of what a model may say.

    The answer to (start, goal) holds the nodes after the start up to the goal, then `ending`, the
    tokens that close a right answer (such as `path` and `###`). Node i is token `first_token + i`.

    In the diamond 0 -> 1, 2 -> 3 there are two paths, and both end in 3:

    >>> diamond = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    >>> tree = prefix_tree(diamond, 0, 3, ending=(9,))
    >>> [tree.tokens(k) for k in range(len(tree.parent)) if tree.complete[k]]
    [[2, 4, 9], [3, 4, 9]]

    Raises:
        ValueError: the adjacency is not that of a DAG, the goal is not reachable, or there are
            more than `max_paths` paths.
    """
    edges = np.asarray(adjacency, dtype=bool)
    counts = path_counts(edges)[:, goal]
    if start == goal or counts[start] == 0:
        raise ValueError(f"there is no path from {start} to {goal}")
    if counts[start] > max_paths:
        raise ValueError(f"{start} -> {goal} has {counts[start]:.0f} paths, over {max_paths}")
    parent, token, complete = [-1], [-1], [False]

    def add(above: int, next_token: int, done: bool) -> int:
        parent.append(above)
        token.append(next_token)
        complete.append(done)
        return len(parent) - 1

    def walk(k: int, node: int) -> None:
        if node == goal:
            for i, closing in enumerate(ending):
                k = add(k, int(closing), i == len(ending) - 1)
            return
        for child in np.flatnonzero(edges[node] & (counts > 0)):
            last = not ending and child == goal
            walk(add(k, first_token + int(child), bool(last)), int(child))

    walk(0, start)
    return PrefixTree(np.array(parent), np.array(token), np.array(complete))


def path_counts(edges: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N, N) number of paths i -> j, 1 on the diagonal: (I - A)^-1 as a finite sum of powers.

    Raises:
        ValueError: the graph has a cycle, so that the sum does not end.
    """
    n = len(edges)
    total, power = np.eye(n), np.eye(n)
    for _ in range(n):
        power = power @ edges
        if not power.any():
            return total
        total += power
    raise ValueError("adjacency must be that of a graph without cycles")

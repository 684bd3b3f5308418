"""Why does the middle temperature find most paths? Exact path probabilities at every temperature.

Axis letters: N nodes, P pairs (start, goal), K prefixes of a tree, R those that are not complete, V
vocabulary.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import Explorer, bundle, checked, pack
from synthcore.explorers.shared.prefix_tree import PrefixTree, path_counts


class NavigationExplorer(Explorer):
    """A language model walks in a graph: which paths does it take at temperature T?

    For each pair (start, goal) the tree of all valid prefixes is given with the model's logits
    after each of them. The browser divides by T, takes the softmax over the whole vocabulary and
    multiplies along the tree: the probability of every valid path is exact at every temperature,
    and what is missing to one is the probability of a wrong answer. Edges of the graph are as
    thick as the probability of the paths that use them. Curves over T show the accuracy, the
    expected number of distinct valid paths among n samples, sum over paths of 1 - (1 - p)^n, with
    the true number of paths dashed, and the expected number of distinct outputs, where wrong
    outputs that agree up to their first wrong token count once.

    T = 0 is greedy: all probability on the largest logit, shared among equals.

    Args:
        coordinates: (N, 2), where to draw the nodes, any unit; the second axis points up.
        adjacency: (N, N), nonzero where there is an edge i -> j; a graph without cycles.
        pairs: (P, 2) integers, start and goal, about a dozen.
        trees: one `PrefixTree` per pair, as `prefix_tree` makes them.
        logits: one array per pair, (R, V): the model's logits of the next token after the prefixes
            `tree.open`, in this order. Any constant may be added to a row: log probabilities at
            T = 1 serve as well. They cross as float16 below the row's maximum, which moves a
            probability by less than 2e-4 at any T.
        first_token: vocabulary id of node 0; node i is `first_token + i`.
        temperature: T to start from, 0 to 3; None for the T at which most paths are found.
        samples: n to start from, 1 to 3000.
        pair: index of the pair to start from.
        names: (N,) what to call the nodes; default their numbers.

    The size of the data is about 2 R V bytes per pair: choose pairs with 10 to 60 paths.
    `explorer.temperature`, `.samples` and `.pair` follow the reader when a kernel is running; a
    temperature of -1 stands for the best one.

    Raises:
        ValueError: an array has the wrong shape, the graph has a cycle, a tree leaves the graph or
            misses a path, or a start is out of its range.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/select.js",
        "shared/chart.js",
        "shared/half.js",
        "shared/graph.js",
        "navigation/model.js",
        "navigation/views.js",
        "navigation/view.js",
    )
    _css = bundle(
        "shared/common.css", "shared/select.css", "shared/graph.css", "navigation/style.css"
    )

    coordinates = traitlets.Bytes(help="(N, 2) float32").tag(sync=True)
    edges = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    pairs = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    parents = traitlets.List(traitlets.List(traitlets.Int()), help="per pair (K,)").tag(sync=True)
    tokens = traitlets.List(traitlets.List(traitlets.Int()), help="per pair (K,)").tag(sync=True)
    complete = traitlets.List(traitlets.List(traitlets.Int()), help="0 or 1, (K,)").tag(sync=True)
    logits = traitlets.Bytes(help="rows of all pairs (R, V) float16, maximum 0").tag(sync=True)
    vocabulary = traitlets.Int().tag(sync=True)
    first_token = traitlets.Int().tag(sync=True)
    temperature = traitlets.Float(help="-1: the best").tag(sync=True)
    samples = traitlets.Int().tag(sync=True)
    pair = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        coordinates: ArrayLike,
        adjacency: ArrayLike,
        pairs: ArrayLike,
        trees: Sequence[PrefixTree],
        logits: Sequence[ArrayLike],
        *,
        first_token: int = 1,
        temperature: float | None = None,
        samples: int = 300,
        pair: int = 0,
        names: Sequence[str] | None = None,
        **traits: Any,
    ) -> None:
        n = len(np.asarray(adjacency))
        edges = checked("adjacency", adjacency, (n, n)) != 0
        where = checked("coordinates", coordinates, (n, 2))
        ends = np.asarray(pairs)
        if ends.ndim != 2 or ends.shape[1:] != (2,) or not len(ends):
            raise ValueError(f"pairs must have shape (P, 2) with P >= 1 (got {ends.shape})")
        if not ((ends >= 0) & (ends < n)).all():
            raise ValueError(f"pairs must hold nodes below {n}")
        if not len(trees) == len(logits) == len(ends):
            raise ValueError(
                f"there must be a tree and an array of logits for each of {len(ends)} pairs "
                f"(got {len(trees)} and {len(logits)})"
            )
        counts = path_counts(edges)
        width = np.asarray(logits[0]).shape[-1]
        for (start, goal), tree in zip(ends.tolist(), trees, strict=True):
            _fits(tree, edges, counts, start, goal, first_token)
        rows = [
            _rows(f"logits of pair {p}", values, (len(tree.open), width))
            for p, (tree, values) in enumerate(zip(trees, logits, strict=True))
        ]
        if temperature is not None and not 0 <= temperature <= 3:
            raise ValueError(f"temperature must be between 0 and 3 (got {temperature:g})")
        if not 1 <= samples <= 3000:
            raise ValueError(f"samples must be between 1 and 3000 (got {samples})")
        if not 0 <= pair < len(ends):
            raise ValueError(f"pair must be an index below {len(ends)} (got {pair})")
        called = [str(i) for i in range(n)] if names is None else [str(name) for name in names]
        if len(called) != n:
            raise ValueError(f"names must name {n} nodes (got {len(called)})")
        super().__init__(
            coordinates=pack(where),
            edges=np.argwhere(edges).tolist(),
            pairs=ends.tolist(),
            names=called,
            parents=[tree.parent.tolist() for tree in trees],
            tokens=[tree.token.tolist() for tree in trees],
            complete=[tree.complete.astype(int).tolist() for tree in trees],
            logits=np.concatenate(rows).astype("<f2").tobytes(),
            vocabulary=width,
            first_token=first_token,
            temperature=-1.0 if temperature is None else float(temperature),
            samples=samples,
            pair=pair,
            **traits,
        )


def _rows(name: str, values: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Logits less the maximum of their row, not below -60000 so that float16 can hold them."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}: (R, V) (got {array.shape})")
    if np.isnan(array).any() or (array.max(-1) == np.inf).any():
        raise ValueError(f"{name} must be numbers (-inf is allowed)")
    if (array.max(-1) == -np.inf).any():
        raise ValueError(f"{name}: every token of a row is impossible")
    return np.maximum(array - array.max(-1, keepdims=True), -6e4)


def _fits(
    tree: PrefixTree,
    edges: NDArray[np.bool_],
    counts: NDArray[np.float64],
    start: int,
    goal: int,
    first_token: int,
) -> None:
    """Raise unless the complete prefixes of a tree are all paths from start to goal."""
    if not (tree.parent[1:] < np.arange(1, len(tree.parent))).all():
        raise ValueError("a prefix tree must list parents before their children")
    paths = set()
    for k in np.flatnonzero(tree.complete):
        nodes = [t - first_token for t in tree.tokens(int(k))]
        path = [start, *(x for x in nodes if 0 <= x < len(edges))]
        if path[-1] != goal or not all(edges[a, b] for a, b in pairwise(path)):
            raise ValueError(f"the tree of {start} -> {goal} holds {path}, which is no path there")
        paths.add(tuple(path))
    if len(paths) != counts[start, goal]:
        raise ValueError(
            f"the tree of {start} -> {goal} holds {len(paths)} paths of {counts[start, goal]:.0f}"
        )

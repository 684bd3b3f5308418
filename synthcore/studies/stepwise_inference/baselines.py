"""What shortcuts reach: reachability guessed without the graph, or with little of it.

Each baseline scores pairs (start, goal); accuracy is the mean of the recalls on connected pairs and
on negatives. Thresholds are fitted on training pairs; those of oracles, marked so, on test pairs.

Axis letters: Q pairs, F features, N nodes.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from synthcore.studies.stepwise_inference.graphs import Graph
from synthcore.studies.stepwise_inference.task import Pairs, Split

BASELINES = ("order", "gap", "degree", "start + goal + gap", "reach product (oracle)")


def balanced(positive: NDArray[np.bool_], negative: NDArray[np.bool_]) -> float:
    """Mean of the shares of positives that are accepted and of negatives that are not."""
    return float((positive.mean() + (~negative).mean()) / 2)


def best_threshold(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """The score above which accepting pairs gives the best balanced accuracy."""
    values = np.unique(np.concatenate([positive, negative]))
    cuts = np.concatenate([values[:1] - 1, (values[1:] + values[:-1]) / 2, values[-1:] + 1])
    accuracy = [balanced(positive > cut, negative > cut) for cut in cuts]
    return float(cuts[int(np.argmax(accuracy))])


def accuracies(graph: Graph, split: Split) -> dict[str, tuple[float, float]]:
    """Accuracy of every baseline on hard negatives, and on half hard and half easy ones."""
    train = [split.train, split.hard_train, split.easy_train]
    test = [split.test, split.hard_test, split.easy_test]
    if min(len(pairs) for pairs in (*train, *test)) == 0:
        return dict.fromkeys(BASELINES, (np.nan, np.nan))
    found = {}
    scores: dict[str, Callable[[Pairs], NDArray[np.float64]]] = {
        "order": lambda pairs: (_gap(graph, pairs) > 0).astype(float),
        "gap": lambda pairs: _gap(graph, pairs),
        "degree": lambda pairs: _degree(graph, pairs),
        "start + goal + gap": _additive(graph, train),
        "reach product (oracle)": lambda pairs: _reach_product(graph, pairs),
    }
    for name, score in scores.items():
        fitted = [score(pairs) for pairs in (test if "oracle" in name else train)]
        negative = np.concatenate([fitted[1], fitted[2]])
        cut = best_threshold(fitted[0], negative)
        said = [score(pairs) > cut for pairs in test]
        hard = balanced(said[0], said[1])
        mixed = (said[0].mean() + ((~said[1]).mean() + (~said[2]).mean()) / 2) / 2
        found[name] = (hard, float(mixed))
    return found


def _gap(graph: Graph, pairs: Pairs) -> NDArray[np.float64]:
    gap: NDArray[np.float64] = (graph.rank[pairs[:, 1]] - graph.rank[pairs[:, 0]]).numpy()
    return gap.astype(float)


def _degree(graph: Graph, pairs: Pairs) -> NDArray[np.float64]:
    """In the right order, the start has children and the goal parents."""
    has_children, has_parents = graph.adjacency.any(1), graph.adjacency.any(0)
    ends = has_children[pairs[:, 0]] & has_parents[pairs[:, 1]]
    return np.where(ends.numpy(), _gap(graph, pairs) > 0, 0).astype(float)


def _reach_product(graph: Graph, pairs: Pairs) -> NDArray[np.float64]:
    """(nodes that the start reaches) x (nodes that reach the goal), where the order is right."""
    out, into = graph.reachable.sum(1).double(), graph.reachable.sum(0).double()
    product = (1 + out[pairs[:, 0]]) * (1 + into[pairs[:, 1]])
    return np.where(_gap(graph, pairs) > 0, product.numpy(), 0.0)


class _additive:  # noqa: N801 - called like the functions beside it
    """Logistic regression on one-hot start, one-hot goal and the gap, fitted on training pairs."""

    def __init__(self, graph: Graph, train: list[Pairs]) -> None:
        self.graph = graph
        features = np.concatenate([self.features(pairs) for pairs in train])
        wanted = np.repeat([1, 0, 0], [len(pairs) for pairs in train])
        self.fit = LogisticRegression(max_iter=500, class_weight="balanced")
        self.fit.fit(features, wanted)

    def features(self, pairs: Pairs) -> NDArray[np.float64]:
        one_hot = np.eye(self.graph.nodes)
        gap = _gap(self.graph, pairs)[:, None]
        sign = gap > 0
        start, goal = pairs.numpy().T
        return np.hstack([one_hot[start], one_hot[goal], gap / self.graph.nodes, sign])

    def __call__(self, pairs: Pairs) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.fit.decision_function(self.features(pairs))
        return found


def stitched(pieces: Bool[Tensor, "N N"], joins: int) -> Bool[Tensor, "N N"]:
    """Pairs connected by at most `joins` + 1 of these pieces: what stitching could reach.

    >>> edges = torch.eye(4).roll(1, 1).triu().bool()  # 0 -> 1 -> 2 -> 3
    >>> [bool(stitched(edges, joins)[0, 3]) for joins in (1, 2)]
    [False, True]
    """
    found = pieces
    for _ in range(joins):
        found = found | ((found.double() @ pieces.double()) > 0)
    return found


def covered(graph: Graph, train: Pairs) -> Bool[Tensor, "N N"]:
    """Whether some path of a training pair passes a, later or at once b: [a, b]."""
    reach = (graph.counts > 0).double()
    pair = torch.zeros(graph.nodes, graph.nodes, dtype=torch.float64)
    pair[train[:, 0], train[:, 1]] = 1
    through: Float[Tensor, "N N"] = reach.T @ pair @ reach.T
    return (through > 0) & (reach > 0)

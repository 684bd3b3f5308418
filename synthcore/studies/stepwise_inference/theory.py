"""What is known without training: the Bayes policy, path lengths under simple walks, what stitching
can reach, and what shortcuts score.

A shortcut guesses reachability from what can be said of start and goal apart from each other: it
scores pairs (start, goal). Accuracy is the mean of the recalls on connected pairs and on negatives.
Every shortcut is fitted on training pairs whose negatives are of the kind that it is tested on.

float64. Axis letters: N nodes, Q pairs, F features.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from synthcore.studies.stepwise_inference.task.graphs import Graph
from synthcore.studies.stepwise_inference.task.lines import Pairs, Split

BASELINES = ("order", "gap", "degree", "start + goal + gap", "reach product")
TESTS = ("hard", "paper")
"""Negatives of a test: hard ones only, or drawn uniformly from all pairs out of reach."""

Score = Callable[[Pairs], NDArray[np.float64]]
Decide = Callable[[Pairs], NDArray[np.bool_]]


def bayes_policy(graph: Graph, goal: int) -> Float[Tensor, "N N"]:
    """pi[i, j] = A_ij P[j, goal] / P[i, goal]: the next node of a path drawn uniformly from all
    paths to the goal. It depends on where the path is, not on where it began. Rows from which the
    goal is out of reach, and the goal's, are 0.

    >>> diamond = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]).bool()
    >>> bayes_policy(Graph(diamond, torch.arange(4)), 3)[0].tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    weight = graph.adjacency * graph.counts[:, goal]
    return weight / graph.counts[:, goal, None].clamp(min=1)


def expected_length(policy: Float[Tensor, "N N"]) -> Float[Tensor, "N"]:
    """Expected edges from every node until a walk under this policy ends, at its goal; 0 where the
    goal is out of reach."""
    moves = policy.sum(1)
    return torch.linalg.solve(torch.eye(len(policy)).double() - policy, moves)


def uniform_length(graph: Graph) -> Float[Tensor, "N N"]:
    """Mean edges of a uniform path of every pair: (P A P) / P."""
    edges_on_paths = graph.counts @ graph.adjacency.double() @ graph.counts
    return edges_on_paths / graph.counts.clamp(min=1)


def reference_lengths(graph: Graph) -> dict[str, Float[Tensor, "N N"]]:
    """Expected edges (start, goal) of four walkers: the shortest path, a walk uniform over viable
    children, a uniform path, and the most probable child under the Bayes policy."""
    viable, greedy = torch.zeros(2, graph.nodes, graph.nodes, dtype=torch.float64)
    for goal in range(graph.nodes):
        policy = bayes_policy(graph, goal)
        leads_there = (policy > 0).double()
        viable[:, goal] = expected_length(
            leads_there / leads_there.sum(1, keepdim=True).clamp(min=1)
        )
        best = torch.nn.functional.one_hot(policy.argmax(1), graph.nodes) * leads_there
        greedy[:, goal] = expected_length(best)
    return {
        "shortest": graph.distance.clamp(min=0).double(),
        "viable walk": viable,
        "uniform path": uniform_length(graph),
        "most probable child": greedy,
    }


def expected_paths(gap: int, p: float) -> float:
    """Expected paths across an index gap in a Bernoulli graph: p (1 + p)^(gap - 1), the sum of
    C(gap - 1, k - 1) p^k over their numbers of edges k.

    >>> expected_paths(5, 1.0)  # complete: every subset of the four nodes between
    16.0
    """
    return float(p * (1 + p) ** (gap - 1))


def expected_layered_paths(layers_apart: int, width: int, p: float) -> float:
    """Expected paths between two nodes of a layered graph: width^(d - 1) p^d."""
    return float(width ** (layers_apart - 1) * p**layers_apart)


def stitched_pairs(pieces: Bool[Tensor, "N N"], joins: int) -> Bool[Tensor, "N N"]:
    """Pairs connected by at most `joins` + 1 of these pieces: what stitching could reach.

    >>> edges = torch.eye(4).roll(1, 1).triu().bool()  # 0 -> 1 -> 2 -> 3
    >>> [bool(stitched_pairs(edges, joins)[0, 3]) for joins in (1, 2)]
    [False, True]
    """
    pairs = pieces
    for _ in range(joins):
        pairs = pairs | ((pairs.double() @ pieces.double()) > 0)
    return pairs


def contexts_in_training(graph: Graph, train: Pairs) -> Bool[Tensor, "N N"]:
    """Whether some path of a training pair passes a node on its way to a goal: [node, goal]."""
    reach = (graph.counts > 0).double()
    trained = torch.zeros(graph.nodes, graph.nodes, dtype=torch.float64)
    trained[train[:, 0], train[:, 1]] = 1
    return ((reach.T @ trained) > 0) & graph.reachable


def balanced_accuracy(positive: NDArray[np.bool_], negative: NDArray[np.bool_]) -> float:
    """Mean of the shares of positives that are accepted and of negatives that are not."""
    return float((positive.mean() + (~negative).mean()) / 2)


def best_threshold(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """The score above which accepting pairs gives the best balanced accuracy."""
    values = np.unique(np.concatenate([positive, negative]))
    cuts = np.concatenate([values[:1] - 1, (values[1:] + values[:-1]) / 2, values[-1:] + 1])
    accuracy = [balanced_accuracy(positive > cut, negative > cut) for cut in cuts]
    return float(cuts[int(np.argmax(accuracy))])


def fit_baselines(graph: Graph, split: Split, test: str) -> dict[str, tuple[Decide, float]]:
    """Every shortcut as a decision on pairs, and its accuracy on a test: `hard` has hard negatives
    only, `paper` has negatives drawn uniformly from all pairs out of reach.

    Regression and thresholds are fitted on training pairs with negatives of the same kind.
    """
    train, held_out = (_with_negatives(split, test, part) for part in ("train", "test"))
    scores: dict[str, Score] = {
        "order": lambda pairs: (_gap(graph, pairs) > 0).astype(float),
        "gap": lambda pairs: _gap(graph, pairs),
        "degree": lambda pairs: _degree(graph, pairs),
        "start + goal + gap": _additive(graph, *train),
        "reach product": lambda pairs: _reach_product(graph, pairs),
    }
    fitted = {}
    for name in BASELINES:
        score = scores[name]
        cut = best_threshold(*(score(pairs) for pairs in train))
        connected, apart = (score(pairs) > cut for pairs in held_out)
        fitted[name] = (_decision(score, cut), balanced_accuracy(connected, apart))
    return fitted


def baseline_table(graph: Graph, split: Split) -> list[list[float]]:
    """Accuracy of every shortcut (rows) on every test (columns)."""
    fitted = [fit_baselines(graph, split, test) for test in TESTS]
    return [[each[name][1] for each in fitted] for name in BASELINES]


def best_shortcut(graph: Graph, split: Split, test: str = "hard") -> Bool[Tensor, "N N"]:
    """What the shortcut with the best accuracy on the test says of every pair: [start, goal]."""
    fitted = fit_baselines(graph, split, test)
    decide, _ = max(fitted.values(), key=lambda each: each[1])
    n = graph.nodes
    every = torch.cartesian_prod(torch.arange(n), torch.arange(n))
    return torch.from_numpy(decide(every)).view(n, n)


def _decision(score: Score, cut: float) -> Decide:
    return lambda pairs: score(pairs) > cut


def _with_negatives(split: Split, test: str, part: str) -> tuple[Pairs, Pairs]:
    """Connected pairs, and the negatives of this test, for training or test."""
    if part == "train":
        connected, hard, easy = split.train, split.hard_train, split.easy_train
    else:
        connected, hard, easy = split.test, split.hard_test, split.easy_test
    return connected, hard if test == "hard" else torch.cat([hard, easy])


def _gap(graph: Graph, pairs: Pairs) -> NDArray[np.float64]:
    gap: NDArray[np.float64] = (graph.rank[pairs[:, 1]] - graph.rank[pairs[:, 0]]).numpy()
    return gap.astype(float)


def _degree(graph: Graph, pairs: Pairs) -> NDArray[np.float64]:
    """In the right order, the start has children and the goal parents."""
    has_children, has_parents = graph.adjacency.any(1), graph.adjacency.any(0)
    ends = has_children[pairs[:, 0]] & has_parents[pairs[:, 1]]
    return np.where(ends.numpy(), _gap(graph, pairs) > 0, 0).astype(float)


def _reach_product(graph: Graph, pairs: Pairs) -> NDArray[np.float64]:
    """(nodes that the start reaches) x (nodes that reach the goal), where the order is right. Two
    numbers per node, counted in the true graph."""
    descendants, ancestors = graph.reachable.sum(1).double(), graph.reachable.sum(0).double()
    product = (1 + descendants[pairs[:, 0]]) * (1 + ancestors[pairs[:, 1]])
    return np.where(_gap(graph, pairs) > 0, product.numpy(), 0.0)


def _additive(graph: Graph, connected: Pairs, apart: Pairs) -> Score:
    """Scores of a logistic regression on one-hot start, one-hot goal and the gap, fitted on these
    pairs."""

    def features(pairs: Pairs) -> Float[np.ndarray, "Q F"]:
        one_hot, gap = np.eye(graph.nodes), _gap(graph, pairs)[:, None]
        start, goal = pairs.numpy().T
        return np.hstack([one_hot[start], one_hot[goal], gap / graph.nodes, gap > 0])

    label = np.repeat([1, 0], [len(connected), len(apart)])
    regression = LogisticRegression(max_iter=500, class_weight="balanced")
    regression.fit(features(torch.cat([connected, apart])), label)

    def score(pairs: Pairs) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = regression.decision_function(features(pairs))
        return scores

    return score

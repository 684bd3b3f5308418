"""Exact answers: the Bayes policy, path lengths under simple walks, expected path counts.

float64. Axis letters: N nodes.
"""

from math import comb

import torch
from jaxtyping import Float
from torch import Tensor

from synthcore.studies.stepwise_inference.graphs import Graph


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


def walk_length(policy: Float[Tensor, "N N"], goal: int) -> Float[Tensor, "N"]:
    """Expected edges until the goal under a policy; 0 where the goal is out of reach."""
    start = policy.sum(1)
    return torch.linalg.solve(torch.eye(len(policy)).double() - policy, start)


def uniform_length(graph: Graph) -> Float[Tensor, "N N"]:
    """Mean edges of a uniform path of every pair: (P A P) / P."""
    through = graph.counts @ graph.adjacency.double() @ graph.counts
    return through / graph.counts.clamp(min=1)


def reference_lengths(graph: Graph) -> dict[str, Float[Tensor, "N N"]]:
    """Expected edges (start, goal) of four walkers: the shortest path, a walk uniform over viable
    children, a uniform path, and the most probable child under the Bayes policy."""
    viable, greedy = torch.zeros(2, graph.nodes, graph.nodes, dtype=torch.float64)
    for goal in range(graph.nodes):
        pi = bayes_policy(graph, goal)
        open_ = (pi > 0).double()
        viable[:, goal] = walk_length(open_ / open_.sum(1, keepdim=True).clamp(min=1), goal)
        best = torch.nn.functional.one_hot(pi.argmax(1), graph.nodes) * open_
        greedy[:, goal] = walk_length(best, goal)
    shortest = graph.distance.clamp(min=0).double()
    return {
        "shortest": shortest,
        "viable walk": viable,
        "uniform path": uniform_length(graph),
        "most probable child": greedy,
    }


def expected_paths(gap: int, p: float, edges: int | None = None) -> float:
    """Expected paths across an index gap in a Bernoulli graph: C(gap - 1, k - 1) p^k with k edges,
    p (1 + p)^(gap - 1) in all.

    >>> abs(sum(expected_paths(5, 0.1, k) for k in range(1, 6)) - expected_paths(5, 0.1)) < 1e-12
    True
    """
    if edges is None:
        return float(p * (1 + p) ** (gap - 1))
    return float(comb(gap - 1, edges - 1) * p**edges)


def expected_layered_paths(layers_apart: int, width: int, p: float) -> float:
    """Expected paths between two nodes of a layered graph: width^(d - 1) p^d."""
    return float(width ** (layers_apart - 1) * p**layers_apart)

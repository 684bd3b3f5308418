"""Policies written by hand, judged as networks are: exact walkers, walkers with noise, and failures
of one kind.

All of them look at the goal and the last token only, so that a table holds them. A walker is a rule
that gives, for every goal and node, the probabilities of the next node; where it gives none it says
`nopath`, and at the goal `path`.

Axis letters: M member, B lines, T tokens, N nodes, V vocabulary.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.studies.stepwise_inference.task.graphs import Graph
from synthcore.studies.stepwise_inference.task.lines import Vocabulary

Steps = Callable[[Graph], Float[Tensor, "N N N"]]  # (goal, node, next node)


@dataclass(frozen=True)
class TablePolicy:
    """Logits of the next token from goal and last token: `log_p[m, goal, last, next]`."""

    log_p: Float[Tensor, "M N V V"]

    def __call__(self, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T V"]:
        member = torch.arange(len(tokens), device=tokens.device)[:, None, None]
        goal = (tokens[..., 1:2] - 1).expand_as(tokens)
        return self.log_p[member, goal, tokens]

    def after_last(self, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B V"]:
        """The same after the last token only."""
        member = torch.arange(len(tokens), device=tokens.device)[:, None]
        return self.log_p[member, tokens[..., 1] - 1, tokens[..., -1]]


def uniform_path(graph: Graph) -> Float[Tensor, "N N N"]:
    """The Bayes policy: every path to the goal is equally likely; the exact algorithm."""
    weight = graph.adjacency * graph.counts.T[:, None, :]  # (goal, node, next)
    return weight / weight.sum(-1, keepdim=True).clamp(min=1)


def viable_walk(graph: Graph) -> Float[Tensor, "N N N"]:
    """Uniform over the children that lead to the goal."""
    return _even(graph.adjacency & (graph.counts.T[:, None, :] > 0))


def shortest_path(graph: Graph) -> Float[Tensor, "N N N"]:
    """Uniform over the children on shortest paths."""
    distance = graph.distance.T  # (goal, node)
    nearer = (distance[:, None, :] >= 0) & (distance[:, None, :] == distance[:, :, None] - 1)
    return _even(graph.adjacency & nearer)


def wanderer(graph: Graph) -> Float[Tensor, "N N N"]:
    """Uniform over all children, whatever the goal: no misstep, and no plan."""
    return _even(graph.adjacency.expand(graph.nodes, -1, -1))


def jumper(graph: Graph) -> Float[Tensor, "N N N"]:
    """Straight to a goal within reach, over an edge or not: missteps that arrive."""
    reach = graph.reachable.T[:, :, None]  # (goal, node)
    return (reach & torch.eye(graph.nodes, dtype=torch.bool)[:, None, :]).double()


def _even(allowed: Bool[Tensor, "N N N"]) -> Float[Tensor, "N N N"]:
    return allowed.double() / allowed.sum(-1, keepdim=True).clamp(min=1)


WALKERS: Mapping[str, Steps] = {
    "uniform path": uniform_path,
    "viable walk": viable_walk,
    "shortest path": shortest_path,
    "wanderer": wanderer,
    "jumper": jumper,
}


def walker(
    graphs: Sequence[Graph],
    steps: Steps,
    noise: float = 0.0,
    stop: float = 0.0,
    device: torch.device | str = "cpu",
) -> TablePolicy:
    """A walker that steps to a random node with probability `noise`, also where it would say
    `nopath`, and with probability `stop` says `path` before it has arrived:
    `walker(graphs, wanderer)`."""
    vocabulary = Vocabulary(graphs[0].nodes)
    n = vocabulary.nodes
    tables = []
    for graph in graphs:
        moves = steps(graph)  # (goal, node, next)
        goes_on = moves.sum(-1, keepdim=True) > 0
        here = torch.eye(n, dtype=torch.bool)[..., None]  # the goal is reached
        moves = torch.where(here, 0.0, (1 - noise) * moves + noise / n)
        table = torch.zeros(n, vocabulary.size, vocabulary.size)
        on_node = table[:, 1 : n + 1]
        on_node[..., 1 : n + 1] = (1 - stop) * moves
        on_node[..., vocabulary.path] = torch.where(here, 1.0, stop * goes_on)[..., 0]
        on_node[..., vocabulary.nopath] = (1 - noise) * (~goes_on & ~here)[..., 0]
        tables.append(_ended(table, vocabulary))
    return TablePolicy(torch.stack(tables).log().to(device))


def guesser(accepted: Bool[Tensor, "M N N"], device: torch.device | str = "cpu") -> TablePolicy:
    """Says `path` at once for the pairs (start, goal) that are accepted and `nopath` else: what a
    shortcut that knows no path answers."""
    vocabulary = Vocabulary(accepted.shape[-1])
    n = vocabulary.nodes
    tables = []
    for of_member in accepted.double():
        table = torch.zeros(n, vocabulary.size, vocabulary.size)
        table[:, 1 : n + 1, vocabulary.path] = of_member.T
        table[:, 1 : n + 1, vocabulary.nopath] = 1 - of_member.T
        tables.append(_ended(table, vocabulary))
    return TablePolicy(torch.stack(tables).log().to(device))


def _ended(table: Float[Tensor, "N V V"], vocabulary: Vocabulary) -> Float[Tensor, "N V V"]:
    """After a label, and after anything else that is no node, comes the end."""
    others = [0, *range(vocabulary.nodes + 1, vocabulary.size)]
    table[:, others, vocabulary.end] = 1.0
    return table

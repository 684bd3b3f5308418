"""Random directed acyclic graphs: Bernoulli, layered, and small motifs.

Nodes are numbered in topological order; `rank` is what an order shortcut could know of a node (its
number in a Bernoulli graph, its layer in a layered one).

Axis letters: N nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components
from torch import Tensor

ATTEMPTS = 10_000


def path_counts(adjacency: Bool[Tensor, "N N"]) -> Float[Tensor, "N N"]:
    """P[i, j], the number of paths i -> j, with 1 on the diagonal: (I - A)^-1 as a finite sum.

    Exact integers in float64 up to 2^53. Raises ValueError if the graph has a cycle.

    >>> path_counts(torch.ones(4, 4).triu(1).bool())[0].tolist()  # complete: 2^(gap - 1)
    [1.0, 1.0, 2.0, 4.0]
    """
    edges = adjacency.double()
    total = power = torch.eye(len(edges), dtype=torch.float64)
    for _ in range(len(edges)):
        power = power @ edges
        if not bool(power.any()):
            return total
        total = total + power
    raise ValueError("the graph has a cycle: paths cannot be counted")


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph; `adjacency[i, j]` is the edge i -> j."""

    adjacency: Bool[Tensor, "N N"]
    rank: Int[Tensor, "N"]

    @cached_property
    def counts(self) -> Float[Tensor, "N N"]:
        """P, see `path_counts`."""
        return path_counts(self.adjacency)

    @cached_property
    def reachable(self) -> Bool[Tensor, "N N"]:
        """Whether there is a path of at least one edge."""
        return (self.counts > 0) & ~torch.eye(len(self.rank), dtype=torch.bool)

    @cached_property
    def distance(self) -> Int[Tensor, "N N"]:
        """Edges of the shortest path; -1 where there is none."""
        found = torch.full(self.adjacency.shape, -1)
        at = torch.eye(len(self.rank), dtype=torch.bool)
        for edges in range(len(self.rank)):
            found = torch.where((found < 0) & at, edges, found)
            at = (at.double() @ self.adjacency.double()) > 0
            if not bool(at.any()):
                break
        return found

    @cached_property
    def longest(self) -> int:
        """Edges of the longest path in the graph."""
        at, edges = self.adjacency.double(), 0
        while bool(at.any()):
            at, edges = ((at @ self.adjacency.double()) > 0).double(), edges + 1
        return edges

    @property
    def nodes(self) -> int:
        return len(self.rank)


def is_connected(adjacency: Bool[Tensor, "N N"]) -> bool:
    """Whether the skeleton without directions is one piece."""
    return int(connected_components(adjacency.numpy(), directed=False)[0]) == 1


def has_ends(adjacency: Bool[Tensor, "N N"], ends: int = 3) -> bool:
    """At least `ends` nodes without parents and as many without children."""
    parents, children = adjacency.sum(0), adjacency.sum(1)
    return int((parents == 0).sum()) >= ends and int((children == 0).sum()) >= ends


def _accepted(draw: Callable[[], Bool[Tensor, "N N"]], ends: int) -> Bool[Tensor, "N N"]:
    for _ in range(ATTEMPTS):
        adjacency = draw()
        if is_connected(adjacency) and has_ends(adjacency, ends):
            return adjacency
    raise ValueError(
        f"no connected graph with {ends} sources and sinks in {ATTEMPTS} draws: "
        "take more nodes or another edge probability"
    )


def bernoulli(nodes: int, p: float, generator: torch.Generator, ends: int = 3) -> Graph:
    """Every edge i -> j with i < j exists with probability p; drawn again unless connected, with at
    least `ends` sources and sinks."""

    def draw() -> Bool[Tensor, "N N"]:
        return (torch.rand(nodes, nodes, generator=generator) < p).triu(1)

    return Graph(_accepted(draw, ends), torch.arange(nodes))


def layered(layers: int, width: int, p: float, generator: torch.Generator) -> Graph:
    """`layers` layers of `width` nodes; edges lead to the next layer only, with probability p.

    >>> graph = layered(3, 2, 1.0, torch.Generator().manual_seed(0))
    >>> graph.counts[0, 4:].tolist(), graph.longest  # 2 ways over the middle layer
    ([2.0, 2.0], 2)
    """
    rank = torch.arange(layers * width) // width
    next_layer = rank[None, :] == rank[:, None] + 1
    drawn = torch.rand(layers * width, layers * width, generator=generator) < p
    return Graph(drawn & next_layer, rank)

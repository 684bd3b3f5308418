"""Random directed acyclic graphs, and paths drawn from them uniformly without listing any.

A Bernoulli graph has every forward edge with one probability, a layered graph only edges to the
next layer. Nodes are numbered in topological order. `rank` is what an order shortcut could know of
a node: its number in a Bernoulli graph, its layer in a layered one.

The number of paths from i to g is the sum over the children j of those from j to g. So a walk that
steps from i to j with probability P[j, g] / P[i, g] is uniform over the paths from its start to g.

Axis letters: M member, B batch, N nodes, D largest number of children, L nodes of the longest path.
"""

from collections.abc import Callable, Sequence
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
        distance = torch.full(self.adjacency.shape, -1)
        frontier = torch.eye(len(self.rank), dtype=torch.bool)
        for edges in range(len(self.rank)):
            distance = torch.where((distance < 0) & frontier, edges, distance)
            frontier = (frontier.double() @ self.adjacency.double()) > 0
            if not bool(frontier.any()):
                break
        return distance

    @cached_property
    def longest(self) -> int:
        """Edges of the longest path in the graph."""
        frontier, edges = self.adjacency.double(), 0
        while bool(frontier.any()):
            frontier = ((frontier @ self.adjacency.double()) > 0).double()
            edges += 1
        return edges

    @property
    def nodes(self) -> int:
        """N, the number of nodes."""
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


def bernoulli_graph(nodes: int, p: float, generator: torch.Generator, ends: int = 3) -> Graph:
    """Every edge i -> j with i < j exists with probability p; drawn again unless connected, with at
    least `ends` sources and sinks."""

    def draw() -> Bool[Tensor, "N N"]:
        return (torch.rand(nodes, nodes, generator=generator) < p).triu(1)

    return Graph(_accepted(draw, ends), torch.arange(nodes))


def layered_graph(layers: int, width: int, p: float, generator: torch.Generator) -> Graph:
    """`layers` layers of `width` nodes; edges lead to the next layer only, with probability p.

    >>> from synthcore.training.seeding import seeded
    >>> graph = layered_graph(3, 2, 1.0, seeded(0))
    >>> graph.counts[0, 4:].tolist(), graph.longest  # 2 ways over the middle layer
    ([2.0, 2.0], 2)
    """
    rank = torch.arange(layers * width) // width
    next_layer = rank[None, :] == rank[:, None] + 1
    drawn = torch.rand(layers * width, layers * width, generator=generator) < p
    return Graph(drawn & next_layer, rank)


def transition_tables(graph: Graph) -> tuple[Int[Tensor, "N D"], Float[Tensor, "N N D"]]:
    """Children of every node, and the cumulative probability (node, goal, child) with which a
    uniform path to the goal goes to each; -1 and 2 behind the last child that can be chosen."""
    degree = int(graph.adjacency.sum(1).max())
    children = torch.full((graph.nodes, max(degree, 1)), -1)
    for i, row in enumerate(graph.adjacency):
        row_children = row.nonzero().flatten()
        children[i, : len(row_children)] = row_children
    paths_from_child = graph.counts[children.clamp(min=0)] * (children >= 0)[..., None]  # (N, D, N)
    share = paths_from_child.cumsum(1) / paths_from_child.sum(1, keepdim=True).clamp(min=1e-300)
    # A sum that rounds to just below one must not lead past the last child.
    cumulative = torch.where(share > 1 - 1e-9, 2.0, share).mT.float()
    return children, cumulative.contiguous()


class PathSampler:
    """Uniform paths, and random walks, in every member's graph, all at once.

    Every member draws from a generator of its own, as many numbers as its own graph asks for, so
    that its paths do not depend on its neighbours.
    """

    def __init__(self, graphs: Sequence[Graph], device: torch.device | str = "cpu") -> None:
        tables = [transition_tables(graph) for graph in graphs]
        n, degree = graphs[0].nodes, max(children.shape[1] for children, _ in tables)
        self.children = torch.full((len(graphs), n, degree), -1)
        self.cumulative = torch.full((len(graphs), n, n, degree), 2.0)
        for m, (children, cumulative) in enumerate(tables):
            self.children[m, :, : children.shape[1]] = children
            self.cumulative[m, ..., : cumulative.shape[-1]] = cumulative
        self.children = self.children.to(device).view(-1, degree)
        self.cumulative = self.cumulative.to(device).view(-1, degree)
        self.nodes, self.longest = n, [graph.longest for graph in graphs]
        self.length = 1 + max(self.longest)

    def sample(
        self,
        start: Int[Tensor, "M B"],
        goal: Int[Tensor, "M B"],
        random: Sequence[torch.Generator],
    ) -> Int[Tensor, "M B L"]:
        """Nodes from start to goal, then -1; cropped to the longest path drawn.

        Every goal must be reachable from its start. In the diamond 0 -> 1, 2 -> 3 both ways come:

        >>> edges = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]).bool()
        >>> sampler = PathSampler([Graph(edges, torch.arange(4))])
        >>> ends = torch.zeros(1, 100).long(), torch.full((1, 100), 3)
        >>> from synthcore.training.seeding import seeded
        >>> drawn = sampler.sample(*ends, [seeded(0)])
        >>> sorted(map(tuple, drawn[0].unique(dim=0).tolist()))
        [(0, 1, 3), (0, 2, 3)]
        """
        members, batch = start.shape
        device = start.device
        chances = self._chances(batch, random).to(device).flatten(0, 1)  # (M B, L - 1)
        first_row = (torch.arange(members, device=device) * self.nodes).repeat_interleave(batch)
        paths = torch.full((members * batch, self.length), -1, device=device)
        paths[:, 0] = start.flatten()
        # Only paths that have not arrived go on: `row` says which.
        row = (start != goal).flatten().nonzero().flatten()
        node, target, offset = start.flatten()[row], goal.flatten()[row], first_row[row]
        step = 0
        while len(row):
            place = offset + node
            chance = chances[row, step, None]
            child = (self.cumulative[place * self.nodes + target] <= chance).sum(1)
            node = self.children[place, child]
            step += 1
            paths[row, step] = node
            going = node != target
            row, node, target, offset = row[going], node[going], target[going], offset[going]
        return paths[:, : step + 1].view(members, batch, step + 1)

    def random_walk(
        self, start: Int[Tensor, "M B"], random: Sequence[torch.Generator]
    ) -> Int[Tensor, "M B L"]:
        """Walks over uniformly chosen children until there is none: nodes, then -1."""
        members, batch = start.shape
        offset = (torch.arange(members, device=start.device) * self.nodes)[:, None]
        degree = (self.children >= 0).sum(1)
        chances = self._chances(batch, random).to(start.device)
        walks = torch.full((members, batch, self.length), -1, device=start.device)
        node, going = start, torch.ones_like(start, dtype=torch.bool)
        for step in range(self.length):
            walks[..., step] = torch.where(going, node, -1)
            if step == self.length - 1:
                break
            place = offset + node
            going = going & (degree[place] > 0)
            child = (chances[..., step] * degree[place]).long()
            node = torch.where(going, self.children[place, child], node)
        return walks[..., : int((walks >= 0).sum(-1).max())]

    def _chances(
        self, batch: int, random: Sequence[torch.Generator]
    ) -> Float[Tensor, "M B L_minus_1"]:
        """A uniform number per path and step, of every member's own generator."""
        chances = torch.zeros(len(self.longest), batch, self.length - 1)
        for m, (longest, generator) in enumerate(zip(self.longest, random, strict=True)):
            chances[m, :, :longest] = torch.rand(batch, longest, generator=generator)
        return chances

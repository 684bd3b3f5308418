"""Uniform sampling of paths by dynamic programming, without listing any.

The number of paths from i to g is the sum over the children j of those from j to g. So a walk that
steps from i to j with probability P[j, g] / P[i, g] is uniform over the paths from its start to g.

Axis letters: M member, B batch, N nodes, D largest number of children, L nodes of the longest path.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.studies.stepwise_inference.graphs import Graph


def stepping(
    adjacency: Bool[Tensor, "N N"], weight: Float[Tensor, "N N"]
) -> tuple[Int[Tensor, "N D"], Float[Tensor, "N N D"]]:
    """Children of every node, and the cumulative probability (node, goal, child) of choosing each
    in proportion to `weight[child, goal]`; -1 and 2 behind the last child that can be chosen."""
    degree = int(adjacency.sum(1).max())
    children = torch.full((len(adjacency), max(degree, 1)), -1)
    for i, row in enumerate(adjacency):
        found = row.nonzero().flatten()
        children[i, : len(found)] = found
    towards = weight[children.clamp(min=0)] * (children >= 0)[..., None]  # (node, child, goal)
    share = towards.cumsum(1) / towards.sum(1, keepdim=True).clamp(min=1e-300)
    # A sum that rounds to just below one must not lead past the last child.
    cumulative = torch.where(share > 1 - 1e-9, 2.0, share).mT.float()
    return children, cumulative.contiguous()


class PathSampler:
    """Paths of every member's graph, all at once.

    `weight` chooses the walk: path counts make it uniform over paths (the default); `reachable`
    (viable children alike) and any other matrix (node, goal) make other walks.
    """

    def __init__(
        self,
        graphs: Sequence[Graph],
        device: torch.device | str = "cpu",
        weights: Sequence[Float[Tensor, "N N"]] | None = None,
    ) -> None:
        chosen = [graph.counts for graph in graphs] if weights is None else weights
        tables = [stepping(g.adjacency, w) for g, w in zip(graphs, chosen, strict=True)]
        n, width = graphs[0].nodes, max(children.shape[1] for children, _ in tables)
        self.children = torch.full((len(graphs), n, width), -1)
        self.cumulative = torch.full((len(graphs), n, n, width), 2.0)
        for m, (children, cumulative) in enumerate(tables):
            self.children[m, :, : children.shape[1]] = children
            self.cumulative[m, ..., : cumulative.shape[-1]] = cumulative
        self.children = self.children.to(device).view(-1, width)
        self.cumulative = self.cumulative.to(device).view(-1, width)
        self.nodes, self.length = n, 1 + max(graph.longest for graph in graphs)

    def sample(
        self,
        start: Int[Tensor, "M B"],
        goal: Int[Tensor, "M B"],
        generator: torch.Generator,
    ) -> Int[Tensor, "M B L"]:
        """Nodes from start to goal, then -1; cropped to the longest path drawn.

        Every goal must be reachable from its start. In the diamond 0 -> 1, 2 -> 3 both ways come:

        >>> edges = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]).bool()
        >>> sampler = PathSampler([Graph(edges, torch.arange(4))])
        >>> ends = torch.zeros(1, 100).long(), torch.full((1, 100), 3)
        >>> drawn = sampler.sample(*ends, torch.Generator().manual_seed(0))
        >>> sorted(map(tuple, drawn[0].unique(dim=0).tolist()))
        [(0, 1, 3), (0, 2, 3)]
        """
        members, batch = start.shape
        device = start.device
        offset = (torch.arange(members, device=device) * self.nodes).repeat_interleave(batch)
        node, target = start.flatten(), goal.flatten()
        out = torch.full((members * batch, self.length), -1, device=device)
        out[:, 0] = node
        row = (node != target).nonzero().flatten()
        at, to, shift = node[row], target[row], offset[row]
        step = 0
        while len(row):
            step += 1
            place = shift + at
            chance = torch.rand(len(row), 1, generator=generator, device=device)
            child = (self.cumulative[place * self.nodes + to] <= chance).sum(1)
            at = self.children[place, child]
            out[row, step] = at
            going = at != to
            row, at, to, shift = row[going], at[going], to[going], shift[going]
        return out[:, : step + 1].view(members, batch, step + 1)

    def wander(self, start: Int[Tensor, "M B"], generator: torch.Generator) -> Int[Tensor, "M B L"]:
        """Walks over uniformly chosen children until there is none: nodes, then -1."""
        members, batch = start.shape
        offset = (torch.arange(members, device=start.device) * self.nodes)[:, None]
        count = (self.children >= 0).sum(1)
        out = torch.full((members, batch, self.length), -1, device=start.device)
        at, going = start, torch.ones_like(start, dtype=torch.bool)
        for step in range(self.length):
            out[..., step] = torch.where(going, at, -1)
            place = offset + at
            going = going & (count[place] > 0)
            chance = torch.rand(members, batch, generator=generator, device=start.device)
            child = (chance * count[place]).long()
            at = torch.where(going, self.children[place, child], at)
        return out

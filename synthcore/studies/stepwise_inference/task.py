"""Questions about a hidden graph: is the goal reachable from the start, and on which way?

A line reads `target g s x1 ... xk g path ###` (stepwise), `target g s path ###` (direct), or
`target g s nopath ###` for a goal out of reach. In the walk format such a line shows a walk into a
dead end first: `target g s x1 ... xk nopath ###`. The prompt is the first three tokens. The graph
itself is never shown.

Axis letters: M member, B batch, T tokens, L nodes of a walk, Q pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.stepwise_inference.graphs import Graph
from synthcore.studies.stepwise_inference.paths import PathSampler
from synthcore.training.seeding import seeded

Format = Literal["step", "direct", "walk"]
PAD = 0
PROMPT = 3
Pairs = Int[Tensor, "_ 2"]  # start, goal


@dataclass(frozen=True)
class Vocabulary:
    """Token numbers: 0 pads, node i is i + 1, then the four words."""

    nodes: int

    @property
    def target(self) -> int:
        return self.nodes + 1

    @property
    def path(self) -> int:
        return self.nodes + 2

    @property
    def nopath(self) -> int:
        return self.nodes + 3

    @property
    def end(self) -> int:
        return self.nodes + 4

    @property
    def size(self) -> int:
        return self.nodes + 5

    def prompt(self, pairs: Int[Tensor, "*batch 2"]) -> Int[Tensor, "*batch 3"]:
        """`target g s` for pairs (start, goal)."""
        word = torch.full_like(pairs[..., :1], self.target)
        return torch.cat([word, pairs.flip(-1) + 1], -1)

    def write(
        self, goal: Int[Tensor, "*batch"], walk: Int[Tensor, "*batch L"], label: int
    ) -> Int[Tensor, "*batch T"]:
        """`target goal walk label ###`; the walk begins with the start and is padded with -1.

        >>> words = Vocabulary(nodes=4)
        >>> words.write(torch.tensor(3), torch.tensor([0, 1, 3, -1]), words.path).tolist()
        [5, 4, 1, 2, 4, 6, 8, 0]
        """
        *batch, length = walk.shape
        out = walk.new_zeros(*batch, length + 4)
        out[..., 0], out[..., 1] = self.target, goal + 1
        out[..., 2 : 2 + length] = walk + 1  # -1 becomes the padding
        behind = 2 + (walk >= 0).sum(-1, keepdim=True)
        out.scatter_(-1, behind, label)
        out.scatter_(-1, behind + 1, self.end)
        return out

    def words(self, tokens: Sequence[int]) -> str:
        """A line for people; padding is left out."""
        special = {self.target: "target", self.path: "path", self.nopath: "nopath", self.end: "###"}
        return " ".join(special.get(t, f"{t - 1}") for t in tokens if t != PAD)


@dataclass(frozen=True)
class Split:
    """Pairs (start, goal) of one graph. Easy negatives are in the wrong order, hard ones are not.

    Training positives are `train` and every edge as a path of its own. A direct edge is never a
    test pair.
    """

    train: Pairs
    test: Pairs
    easy_train: Pairs
    easy_test: Pairs
    hard_train: Pairs
    hard_test: Pairs
    edges: Pairs

    def __post_init__(self) -> None:
        for name, words in (("train", "training"), ("test", "test")):
            if not len(getattr(self, name)):
                raise ValueError(
                    f"the graph has no admissible {words} pair: take more nodes or edges"
                )


def candidates(graph: Graph) -> Pairs:
    """Connected pairs with a path of more than two nodes."""
    return (graph.reachable & (graph.counts > graph.adjacency.double())).nonzero()


def negatives(graph: Graph) -> tuple[Pairs, Pairs]:
    """Unreachable pairs whose goal does not come after the start (easy), and does (hard)."""
    after = graph.rank[None, :] > graph.rank[:, None]
    other = ~torch.eye(graph.nodes, dtype=torch.bool)
    unreachable = ~graph.reachable & other
    return (unreachable & ~after).nonzero(), (unreachable & after).nonzero()


def random_split(graph: Graph, share: float, seed: int) -> Split:
    """`share` of the candidate pairs, and of both kinds of negatives, go to training."""
    generator = seeded(seed, 2)
    pairs = candidates(graph)
    train, test = _part(pairs, share, generator)
    easy, hard = (_part(kind, share, generator) for kind in negatives(graph))
    no_edge = ~graph.adjacency[test[:, 0], test[:, 1]]
    return Split(train, test[no_edge], *easy, *hard, graph.adjacency.nonzero())


def distance_split(graph: Graph, near: int | None, far: tuple[int, int], seed: int) -> Split:
    """Layered graphs: train on pairs at most `near` layers apart, test on those `far` apart.

    With near = None, 80 % of the pairs of every distance are trained on. A fifth of the far pairs
    is the test set in either case.
    """
    generator = seeded(seed, 2)
    pairs, (easy, hard) = candidates(graph), negatives(graph)

    def layers(pairs: Pairs) -> Int[Tensor, "Q"]:
        return graph.rank[pairs[:, 1]] - graph.rank[pairs[:, 0]]

    def divide(pairs: Pairs) -> tuple[Pairs, Pairs]:
        held, rest = _part(pairs, 0.2, generator)
        gap = layers(held)
        test = held[(gap >= far[0]) & (gap <= far[1])]
        if near is None:
            return rest, test
        return pairs[layers(pairs) <= near], test

    (train, test), (hard_train, hard_test) = divide(pairs), divide(hard)
    easy_train, easy_test = _part(easy, 0.8, generator)
    return Split(
        train, test, easy_train, easy_test, hard_train, hard_test, graph.adjacency.nonzero()
    )


def _part(pairs: Pairs, share: float, generator: torch.Generator) -> tuple[Pairs, Pairs]:
    """A random share of the pairs, and the rest."""
    order = torch.randperm(len(pairs), generator=generator)
    cut = round(share * len(pairs))
    return pairs[order[:cut]], pairs[order[cut:]]


class Pool:
    """Pairs of every member to draw from; the lists may differ in length."""

    def __init__(self, lists: Sequence[Pairs], device: torch.device | str = "cpu") -> None:
        self.count = torch.tensor([len(pairs) for pairs in lists], device=device)
        self.pairs = torch.zeros(len(lists), int(self.count.max()), 2, dtype=torch.long)
        for m, pairs in enumerate(lists):
            self.pairs[m, : len(pairs)] = pairs
        self.pairs = self.pairs.to(device)

    def draw(self, batch: int, generator: torch.Generator) -> Int[Tensor, "M B 2"]:
        """Uniform over each member's pairs."""
        members = len(self.count)
        chance = torch.rand(members, batch, generator=generator, device=self.pairs.device)
        return self.pairs.gather(
            1, (chance * self.count[:, None]).long()[..., None].expand(-1, -1, 2)
        )


class Lines:
    """Training lines of every member: half connected, a quarter easy and a quarter hard negatives.

    A stepwise line shows a path drawn uniformly from all paths of its pair.
    """

    def __init__(
        self,
        graphs: Sequence[Graph],
        splits: Sequence[Split],
        style: Format,
        device: torch.device | str = "cpu",
    ) -> None:
        self.words, self.style = Vocabulary(graphs[0].nodes), style
        self.sampler = PathSampler(graphs, device)
        self.positive = Pool([split.train for split in splits], device)
        self.edges = Pool([split.edges for split in splits], device)
        self.easy = Pool([split.easy_train for split in splits], device)
        self.hard = Pool([split.hard_train for split in splits], device)
        self.share = self.positive.count / (self.positive.count + self.edges.count)

    def positives(self, batch: int, generator: torch.Generator) -> Int[Tensor, "M B T"]:
        """Lines of connected pairs; every training pair and every edge is equally likely."""
        pairs, edges = self.positive.draw(batch, generator), self.edges.draw(batch, generator)
        members = len(pairs)
        chance = torch.rand(members, batch, generator=generator, device=pairs.device)
        edge = chance >= self.share[:, None]
        pairs = torch.where(edge[..., None], edges, pairs)
        start, goal = pairs.unbind(-1)
        if self.style == "direct":
            return self.words.write(goal, start[..., None], self.words.path)
        paths = self.sampler.sample(start, goal, generator)
        length = paths.shape[-1]
        direct = torch.nn.functional.pad(pairs, (0, max(length - 2, 0)), value=-1)
        paths = torch.where(
            edge[..., None],
            direct,
            torch.nn.functional.pad(paths, (0, direct.shape[-1] - length), value=-1),
        )
        return self.words.write(goal, paths, self.words.path)

    def negatives(self, batch: int, generator: torch.Generator) -> Int[Tensor, "M B T"]:
        """Lines of unreachable goals, half of them hard."""
        half = batch // 2
        pairs = torch.cat(
            [self.hard.draw(half, generator), self.easy.draw(batch - half, generator)], 1
        )
        start, goal = pairs.unbind(-1)
        walk = start[..., None]
        if self.style == "walk":
            walk = self.sampler.wander(start, generator)
            walk = walk[..., : int((walk >= 0).sum(-1).max())]
        return self.words.write(goal, walk, self.words.nopath)


def contexts_of(tokens: Int[Tensor, "M B T"], nodes: int) -> Float[Tensor, "M N N"]:
    """How often (node, goal) occurs in positive lines, before the goal is reached."""
    members, _, length = tokens.shape
    goal = tokens[..., 1:2].expand(-1, -1, length - 2) - 1
    node = tokens[..., 2:] - 1
    valid = (node >= 0) & (node < nodes) & (node != goal)
    member = torch.arange(members, device=tokens.device)[:, None, None].expand_as(node)
    flat = ((member * nodes + node) * nodes + goal)[valid]
    return (
        torch.bincount(flat, minlength=members * nodes * nodes).view(members, nodes, nodes).float()
    )

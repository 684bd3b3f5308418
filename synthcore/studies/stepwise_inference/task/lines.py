"""Questions about a hidden graph: is the goal reachable from the start, and on which way?

A line reads `target g s x1 ... xk g path ###` (stepwise), `target g s path ###` (direct), or
`target g s nopath ###` for a goal out of reach. In the walk format such a line shows a walk into a
dead end first: `target g s x1 ... xk nopath ###`. The prompt is the first three tokens. The graph
itself is never shown.

Axis letters: M member, B batch, T tokens, L nodes of a walk, Q pairs, N nodes of the graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.stepwise_inference.task.graphs import Graph, PathSampler
from synthcore.training.seeding import seeded

Format = Literal["step", "direct", "walk"]
PAD = 0
PROMPT_LENGTH = 3
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
        target = torch.full_like(pairs[..., :1], self.target)
        return torch.cat([target, pairs.flip(-1) + 1], -1)

    def encode(
        self, goal: Int[Tensor, "*batch"], walk: Int[Tensor, "*batch L"], label: int
    ) -> Int[Tensor, "*batch T"]:
        """`target goal walk label ###`; the walk begins with the start and is padded with -1.

        >>> vocabulary = Vocabulary(nodes=4)
        >>> walk = torch.tensor([0, 1, 3, -1])
        >>> vocabulary.encode(torch.tensor(3), walk, vocabulary.path).tolist()
        [5, 4, 1, 2, 4, 6, 8, 0]
        """
        *batch, length = walk.shape
        tokens = walk.new_zeros(*batch, length + 4)
        tokens[..., 0], tokens[..., 1] = self.target, goal + 1
        tokens[..., 2 : 2 + length] = walk + 1  # -1 becomes the padding
        label_place = 2 + (walk >= 0).sum(-1, keepdim=True)
        tokens.scatter_(-1, label_place, label)
        tokens.scatter_(-1, label_place + 1, self.end)
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """A line for people; padding is left out."""
        words = {self.target: "target", self.path: "path", self.nopath: "nopath", self.end: "###"}
        return " ".join(words.get(t, f"{t - 1}") for t in tokens if t != PAD)


@dataclass(frozen=True)
class Split:
    """Pairs (start, goal) of one graph. Easy negatives are in the wrong order, hard ones are not.

    Training positives are `train` and every edge as a path of its own. A direct edge is never a
    test pair. ValueError if a graph has no training or no test pair.
    """

    train: Pairs
    test: Pairs
    easy_train: Pairs
    easy_test: Pairs
    hard_train: Pairs
    hard_test: Pairs
    edges: Pairs

    def __post_init__(self) -> None:
        for pairs, purpose in ((self.train, "training"), (self.test, "test")):
            if not len(pairs):
                raise ValueError(
                    f"the graph has no admissible {purpose} pair: take more nodes or edges"
                )


def candidate_pairs(graph: Graph) -> Pairs:
    """Connected pairs with a path of more than two nodes."""
    return (graph.reachable & (graph.counts > graph.adjacency.double())).nonzero()


def negative_pairs(graph: Graph) -> tuple[Pairs, Pairs]:
    """Unreachable pairs whose goal does not come after the start (easy), and does (hard)."""
    after = graph.rank[None, :] > graph.rank[:, None]
    unreachable = ~graph.reachable & ~torch.eye(graph.nodes, dtype=torch.bool)
    return (unreachable & ~after).nonzero(), (unreachable & after).nonzero()


def random_split(graph: Graph, share: float, seed: int) -> Split:
    """`share` of the candidate pairs, and of both kinds of negatives, go to training."""
    generator = seeded(seed, 2)
    train, test = _divide(candidate_pairs(graph), share, generator)
    easy, hard = (_divide(pairs, share, generator) for pairs in negative_pairs(graph))
    no_edge = ~graph.adjacency[test[:, 0], test[:, 1]]
    return Split(train, test[no_edge], *easy, *hard, graph.adjacency.nonzero())


def distance_split(graph: Graph, near: int | None, far: tuple[int, int], seed: int) -> Split:
    """Layered graphs: train on pairs at most `near` layers apart, test on those `far` apart.

    With near = None, 80 % of the pairs of every distance are trained on. A fifth of the far pairs
    is the test set in either case.
    """
    generator = seeded(seed, 2)
    pairs, (easy, hard) = candidate_pairs(graph), negative_pairs(graph)

    def layers(pairs: Pairs) -> Int[Tensor, "Q"]:
        return graph.rank[pairs[:, 1]] - graph.rank[pairs[:, 0]]

    def divide(pairs: Pairs) -> tuple[Pairs, Pairs]:
        held_out, rest = _divide(pairs, 0.2, generator)
        distance = layers(held_out)
        test = held_out[(distance >= far[0]) & (distance <= far[1])]
        if near is None:
            return rest, test
        return pairs[layers(pairs) <= near], test

    (train, test), (hard_train, hard_test) = divide(pairs), divide(hard)
    easy_train, easy_test = _divide(easy, 0.8, generator)
    return Split(
        train, test, easy_train, easy_test, hard_train, hard_test, graph.adjacency.nonzero()
    )


def _divide(pairs: Pairs, share: float, generator: torch.Generator) -> tuple[Pairs, Pairs]:
    """A random share of the pairs, and the rest."""
    order = torch.randperm(len(pairs), generator=generator)
    cut = round(share * len(pairs))
    return pairs[order[:cut]], pairs[order[cut:]]


class PairSampler:
    """Pairs of every member to draw from; the lists may differ in length."""

    def __init__(self, lists: Sequence[Pairs], device: torch.device | str = "cpu") -> None:
        self.count = torch.tensor([len(pairs) for pairs in lists], device=device)
        self.pairs = torch.zeros(len(lists), int(self.count.max()), 2, dtype=torch.long)
        for m, pairs in enumerate(lists):
            self.pairs[m, : len(pairs)] = pairs
        self.pairs = self.pairs.to(device)

    def sample(self, batch: int, generator: torch.Generator) -> Int[Tensor, "M B 2"]:
        """Uniform over each member's pairs."""
        members = len(self.count)
        chance = torch.rand(members, batch, generator=generator, device=self.pairs.device)
        index = (chance * self.count[:, None]).long()
        return self.pairs.gather(1, index[..., None].expand(-1, -1, 2))


class LineSampler:
    """Training lines of every member: of connected pairs, and of easy and hard negatives.

    A stepwise line shows a path drawn uniformly from all paths of its pair.
    """

    def __init__(
        self,
        graphs: Sequence[Graph],
        splits: Sequence[Split],
        line_format: Format,
        device: torch.device | str = "cpu",
    ) -> None:
        self.vocabulary, self.line_format = Vocabulary(graphs[0].nodes), line_format
        self.paths = PathSampler(graphs, device)
        self.train = PairSampler([split.train for split in splits], device)
        self.edges = PairSampler([split.edges for split in splits], device)
        self.easy = PairSampler([split.easy_train for split in splits], device)
        self.hard = PairSampler([split.hard_train for split in splits], device)
        self.share = self.train.count / (self.train.count + self.edges.count)

    def positives(self, batch: int, generator: torch.Generator) -> Int[Tensor, "M B T"]:
        """Lines of connected pairs; every training pair and every edge is equally likely."""
        pairs, edges = self.train.sample(batch, generator), self.edges.sample(batch, generator)
        chance = torch.rand(pairs.shape[:2], generator=generator, device=pairs.device)
        is_edge = chance >= self.share[:, None]
        pairs = torch.where(is_edge[..., None], edges, pairs)
        start, goal = pairs.unbind(-1)
        if self.line_format == "direct":
            return self.vocabulary.encode(goal, start[..., None], self.vocabulary.path)
        paths = self.paths.sample(start, goal, generator)
        length = max(paths.shape[-1], 2)
        one_step = torch.nn.functional.pad(pairs, (0, length - 2), value=-1)
        paths = torch.nn.functional.pad(paths, (0, length - paths.shape[-1]), value=-1)
        paths = torch.where(is_edge[..., None], one_step, paths)
        return self.vocabulary.encode(goal, paths, self.vocabulary.path)

    def negatives(self, batch: int, generator: torch.Generator) -> Int[Tensor, "M B T"]:
        """Lines of unreachable goals, half of them hard."""
        half = batch // 2
        pairs = torch.cat(
            [self.hard.sample(half, generator), self.easy.sample(batch - half, generator)], 1
        )
        start, goal = pairs.unbind(-1)
        walk = start[..., None]
        if self.line_format == "walk":
            walk = self.paths.random_walk(start, generator)
            walk = walk[..., : int((walk >= 0).sum(-1).max())]
        return self.vocabulary.encode(goal, walk, self.vocabulary.nopath)


class Batch(NamedTuple):
    """Lines in groups of one length each; `shift` moves the answers to later positions."""

    lines: tuple[Int[Tensor, "M B T"], ...]
    shift: tuple[Int[Tensor, "M B"], ...] | None = None


class BatchSampler:
    """Batches of half connected pairs, a quarter easy and a quarter hard negatives, of a stream
    that is drawn in order; answers are shifted by up to `largest_shift` places.

    `contexts` counts how often positives have shown each (node, goal): (M, N, N).
    """

    def __init__(self, lines: LineSampler, batch: int, seed: int, largest_shift: int = 0) -> None:
        self.lines, self.batch, self.largest_shift = lines, batch, largest_shift
        self.generator = torch.Generator(lines.edges.pairs.device).manual_seed(seed)
        self.contexts: Tensor = torch.zeros(())

    def __call__(self, step: int) -> Batch:
        half = self.batch // 2
        positive = self.lines.positives(half, self.generator)
        negative = self.lines.negatives(self.batch - half, self.generator)
        self.contexts = self.contexts + count_contexts(positive, self.lines.vocabulary.nodes)
        if not self.largest_shift:
            return Batch((positive, negative))
        shift = tuple(
            torch.randint(
                self.largest_shift + 1,
                group.shape[:2],
                generator=self.generator,
                device=group.device,
            )
            for group in (positive, negative)
        )
        return Batch((positive, negative), shift)


def count_contexts(tokens: Int[Tensor, "M B T"], nodes: int) -> Float[Tensor, "M N N"]:
    """How often (node, goal) occurs in positive lines, before the goal is reached."""
    members, _, length = tokens.shape
    goal = tokens[..., 1:2].expand(-1, -1, length - 2) - 1
    node = tokens[..., 2:] - 1
    valid = (node >= 0) & (node < nodes) & (node != goal)
    member = torch.arange(members, device=tokens.device)[:, None, None].expand_as(node)
    flat = ((member * nodes + node) * nodes + goal)[valid]
    counts = torch.bincount(flat, minlength=members * nodes * nodes)
    return counts.view(members, nodes, nodes).float()

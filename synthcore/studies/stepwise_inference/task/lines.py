"""Questions about a hidden graph: is the goal reachable from the start, and on which way?

A line reads `target g s x1 ... xk g path ###` (stepwise), `target g s path ###` (direct), or
`target g s nopath ###` for a goal out of reach. In the walk format such a line shows a walk into a
dead end first: `target g s x1 ... xk nopath ###`. The prompt is the first three tokens. The graph
itself is never shown.

Axis letters: M member, B batch, T tokens, L nodes of a walk, Q pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from synthcore.studies.stepwise_inference.task.graphs import Graph, PathSampler
from synthcore.training.seeding import seeded

Format = Literal["step", "direct", "walk"]
Exposure = Literal["pairs", "paths"]
Negatives = Literal["half hard", "uniform"]
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
    test pair. ValueError if a graph has no pair of one of the six kinds.
    """

    train: Pairs
    test: Pairs
    easy_train: Pairs
    easy_test: Pairs
    hard_train: Pairs
    hard_test: Pairs
    edges: Pairs

    def __post_init__(self) -> None:
        kinds = {
            "training": self.train,
            "test": self.test,
            "hard negative training": self.hard_train,
            "hard negative test": self.hard_test,
            "easy negative training": self.easy_train,
            "easy negative test": self.easy_test,
        }
        for kind, pairs in kinds.items():
            if not len(pairs):
                raise ValueError(
                    f"the graph has no admissible {kind} pair: take more nodes, or more or fewer "
                    "edges"
                )

    @property
    def hard_share(self) -> float:
        """Share of hard ones among all negatives that are tested: what the paper's mixture has."""
        return len(self.hard_test) / (len(self.hard_test) + len(self.easy_test))


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


@dataclass(frozen=True)
class DataMixture:
    """Which lines training shows, and how often.

    Args:
        line_format: what a line spells out.
        exposure: `pairs` draws a training pair and a fresh uniform path of it; `paths` draws from
            the fixed set of all simple paths of all training pairs, so that a pair with many paths
            is seen as often as it has paths. A direct line is one per pair either way.
        negatives: half of them hard, or uniform over all pairs out of reach.
        balanced: half of the lines are about goals out of reach; otherwise as many as the set has,
            one per pair.
        edge_lines: every edge is a line of its own.
    """

    line_format: Format
    exposure: Exposure = "pairs"
    negatives: Negatives = "half hard"
    balanced: bool = True
    edge_lines: bool = True


class PairSampler:
    """Pairs of every member to draw from, by weight; the lists may differ in length."""

    def __init__(
        self,
        lists: Sequence[Pairs],
        weights: Sequence[Float[Tensor, "_"]],
        device: torch.device | str = "cpu",
    ) -> None:
        most = max(len(pairs) for pairs in lists)
        self.pairs = torch.zeros(len(lists), most, 2, dtype=torch.long)
        self.cumulative = torch.full((len(lists), most), 2.0, dtype=torch.float64)
        for m, (pairs, weight) in enumerate(zip(lists, weights, strict=True)):
            self.pairs[m, : len(pairs)] = pairs
            self.cumulative[m, : len(pairs) - 1] = (weight.cumsum(0) / weight.sum())[:-1]
        self.pairs, self.cumulative = self.pairs.to(device), self.cumulative.to(device)

    def sample(self, batch: int, random: Sequence[torch.Generator]) -> Int[Tensor, "M B"]:
        """Indices of each member's pairs, drawn by their weights."""
        chances = [torch.rand(batch, generator=g, dtype=torch.float64) for g in random]
        chance = torch.stack(chances).to(self.pairs.device)
        return torch.searchsorted(self.cumulative, chance, right=True)

    def at(self, index: Int[Tensor, "M B"]) -> Int[Tensor, "M B 2"]:
        """The pairs (start, goal) of these indices."""
        return self.pairs.gather(1, index[..., None].expand(-1, -1, 2))


class LineSampler:
    """Training lines of every member: of connected pairs, and of pairs out of reach."""

    def __init__(
        self,
        graphs: Sequence[Graph],
        splits: Sequence[Split],
        mixture: DataMixture,
        device: torch.device | str = "cpu",
    ) -> None:
        self.vocabulary, self.mixture = Vocabulary(graphs[0].nodes), mixture
        self.paths = PathSampler(graphs, device)
        by_paths = mixture.exposure == "paths" and mixture.line_format != "direct"
        connected, weights, apart, balance = [], [], [], []
        for graph, split in zip(graphs, splits, strict=True):
            edges = split.edges if mixture.edge_lines else split.edges[:0]
            counts = graph.counts[split.train[:, 0], split.train[:, 1]]
            weight = counts if by_paths else torch.ones_like(counts)
            connected.append(torch.cat([split.train, edges]))
            weights.append(torch.cat([weight, torch.ones(len(edges)).double()]))
            apart.append(torch.cat([split.hard_train, split.easy_train]))
            halves = [
                torch.full((len(pairs),), 0.5 / len(pairs)).double()
                for pairs in (split.hard_train, split.easy_train)
            ]
            half = mixture.negatives == "half hard"
            balance.append(torch.cat(halves) if half else torch.ones(len(apart[-1])).double())
        self.connected = PairSampler(connected, weights, device)
        self.apart = PairSampler(apart, balance, device)
        self.trained = torch.tensor([len(split.train) for split in splits], device=device)
        lines = torch.stack([weight.sum() for weight in weights]).to(device)
        negative = torch.tensor([len(pairs) for pairs in apart], device=device)
        self.negative_share = negative / (negative + lines)  # of the fixed set of lines

    def positives(self, batch: int, random: Sequence[torch.Generator]) -> Int[Tensor, "M B T"]:
        """Lines of connected pairs: each with a path drawn uniformly from all paths of its pair."""
        index = self.connected.sample(batch, random)
        pairs = self.connected.at(index)
        start, goal = pairs.unbind(-1)
        if self.mixture.line_format == "direct":
            return self.vocabulary.encode(goal, start[..., None], self.vocabulary.path)
        paths = self.paths.sample(start, goal, random)
        length = max(paths.shape[-1], 2)
        one_step = pad(pairs, (0, length - 2), value=-1)
        is_edge = (index >= self.trained[:, None])[..., None]
        paths = torch.where(is_edge, one_step, pad(paths, (0, length - paths.shape[-1]), value=-1))
        return self.vocabulary.encode(goal, paths, self.vocabulary.path)

    def negatives(self, batch: int, random: Sequence[torch.Generator]) -> Int[Tensor, "M B T"]:
        """Lines of unreachable goals; with a walk into a dead end in the walk format."""
        pairs = self.apart.at(self.apart.sample(batch, random))
        start, goal = pairs.unbind(-1)
        walk = start[..., None]
        if self.mixture.line_format == "walk":
            walk = self.paths.random_walk(start, random)
        return self.vocabulary.encode(goal, walk, self.vocabulary.nopath)


class Batch(NamedTuple):
    """Lines in groups of one length each; `shift` moves the answers to later positions."""

    lines: tuple[Int[Tensor, "M B T"], ...]
    shift: tuple[Int[Tensor, "M B"], ...] | None = None


class BatchSampler:
    """The batch of a step: lines of connected and of unreachable pairs, answers shifted by up to
    `largest_shift` places. It depends on seed, condition and step alone."""

    def __init__(
        self,
        lines: LineSampler,
        batch: int,
        seeds: Sequence[int],
        conditions: Sequence[str],
        largest_shift: int = 0,
    ) -> None:
        self.lines, self.batch, self.largest_shift = lines, batch, largest_shift
        self.keys = list(zip(seeds, conditions, strict=True))

    def __call__(self, step: int) -> Batch:
        random = [seeded(seed, condition, "lines", step) for seed, condition in self.keys]
        groups = self._balanced(random) if self.lines.mixture.balanced else self._as_in_set(random)
        if not self.largest_shift:
            return Batch(groups)
        device = groups[0].device
        shift = tuple(
            torch.stack(
                [
                    torch.randint(self.largest_shift + 1, group.shape[1:2], generator=g)
                    for g in random
                ]
            ).to(device)
            for group in groups
        )
        return Batch(groups, shift)

    def _balanced(self, random: Sequence[torch.Generator]) -> tuple[Tensor, ...]:
        half = self.batch // 2
        positive = self.lines.positives(half, random)
        return positive, self.lines.negatives(self.batch - half, random)

    def _as_in_set(self, random: Sequence[torch.Generator]) -> tuple[Tensor, ...]:
        """Every line is about a goal out of reach as often as lines of the fixed set are."""
        positive = self.lines.positives(self.batch, random)
        negative = self.lines.negatives(self.batch, random)
        length = max(positive.shape[-1], negative.shape[-1])
        positive, negative = (
            pad(lines, (0, length - lines.shape[-1]), value=PAD) for lines in (positive, negative)
        )
        chance = torch.stack([torch.rand(self.batch, generator=g) for g in random])
        apart = chance.to(positive.device) < self.lines.negative_share[:, None]
        return (torch.where(apart[..., None], negative, positive),)

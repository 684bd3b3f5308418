"""Small graphs joined in context: exemplars say which motif follows which.

Motifs have disjoint node names. A chain of distinct motifs is joined by ghost edges, from a sink of
one motif to a source of the next, which exist in this context only. An exemplar of a link is a path
into the sink, the ghost edge, and a path from the source. A document is the exemplars, each closed
by `###`, then `target goal start`, and a path that crosses the motifs in the order of the chain.

Axis letters: M member, B documents, K motifs of a chain, N nodes, T tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.stepwise_inference.graphs import Graph, bernoulli
from synthcore.studies.stepwise_inference.paths import PathSampler
from synthcore.studies.stepwise_inference.task import Vocabulary
from synthcore.training.seeding import seeded


@dataclass(frozen=True)
class Chain:
    """Motifs in order and the ghost edges between them: `ghosts[..., j]` = (sink, source)."""

    motifs: Int[Tensor, "M B K"]
    ghosts: Int[Tensor, "M B K_minus_1 2"]
    start: Int[Tensor, "M B"]
    goal: Int[Tensor, "M B"]


class Motifs:
    """The motifs of every member as one graph of several pieces, and the pairs kept out of
    training: `allowed[m, a, b]` says whether motif b may follow motif a there."""

    def __init__(self, count: int, size: int, p: float, held: float, seeds: Sequence[int]) -> None:
        self.count, self.size = count, size
        graphs, allowed = [], []
        for seed in seeds:
            generator = seeded(seed, 5)
            parts = [bernoulli(size, p, generator, ends=2).adjacency for _ in range(count)]
            graphs.append(Graph(torch.block_diag(*parts).bool(), torch.arange(count * size)))
            allowed.append(torch.rand(count, count, generator=generator) >= held)
        self.graphs, self.allowed = graphs, torch.stack(allowed)
        self.adjacency = torch.stack([graph.adjacency for graph in graphs])
        self.reach = torch.stack([graph.reachable for graph in graphs])
        self.sampler = PathSampler(graphs)
        self.words = Vocabulary(count * size)
        self.member = torch.arange(len(seeds))[:, None]
        self.sinks = ~self.adjacency.any(2) & self.adjacency.any(1)
        self.sources = ~self.adjacency.any(1) & self.adjacency.any(2)

    def orders(
        self, batch: int, length: int, generator: torch.Generator, unseen: bool = False
    ) -> Int[Tensor, "M B K"]:
        """Random chains of distinct motifs whose links are all trained, or not all."""
        if not 2 <= length <= self.count:
            raise ValueError(f"a chain needs 2 to {self.count} motifs (got {length})")
        members = len(self.graphs)
        out = torch.zeros(members, batch, length, dtype=torch.long)
        todo = torch.ones(members, batch, dtype=torch.bool)
        for _ in range(1000):
            drawn = torch.rand(members, batch, self.count, generator=generator)
            order = drawn.argsort(-1)[..., :length]
            link = self.allowed[self.member[..., None], order[..., :-1], order[..., 1:]]
            good = link.all(-1) != unseen
            out = torch.where((todo & good)[..., None], order, out)
            todo &= ~good
            if not bool(todo.any()):
                return out
        raise ValueError("too few ordered pairs of motifs are allowed for chains of this length")

    def _pick(self, mask: Bool[Tensor, "M B N"], generator: torch.Generator) -> Int[Tensor, "M B"]:
        drawn = torch.rand(mask.shape, generator=generator)
        return (drawn * mask).argmax(-1)

    def _inside(self, motif: Int[Tensor, "M B"]) -> Bool[Tensor, "M B N"]:
        return torch.arange(self.count * self.size) // self.size == motif[..., None]

    def chain(self, motifs: Int[Tensor, "M B K"], generator: torch.Generator) -> Chain:
        """Ghost edges, start and goal for chains: every part of the way exists."""
        m = self.member
        ghosts = []
        sink = self._pick(self._inside(motifs[..., 0]) & self.sinks[m], generator)
        start = self._pick(self.reach[m, :, sink], generator)
        for j in range(1, motifs.shape[-1]):
            source = self._pick(self._inside(motifs[..., j]) & self.sources[m], generator)
            ghosts.append(torch.stack([sink, source], -1))
            sink = self._pick(self.reach[m, source] & self.sinks[m], generator)
        goal = self._pick(self.reach[m, source], generator)
        return Chain(motifs, torch.stack(ghosts, 2), start, goal)

    def rival(self, chain: Chain, generator: torch.Generator) -> Chain:
        """Another chain with the same ends, first sink and last source, and other motifs between.

        ValueError if there are not enough motifs.
        """
        length = chain.motifs.shape[-1]
        if 2 * (length - 2) + 2 > self.count:
            raise ValueError(f"two chains of {length} motifs need more than {self.count} motifs")
        used = torch.zeros(*chain.motifs.shape[:2], self.count).scatter_(-1, chain.motifs, 2.0)
        between = (used + torch.rand(used.shape, generator=generator)).argsort(-1)
        motifs = torch.cat(
            [chain.motifs[..., :1], between[..., : length - 2], chain.motifs[..., -1:]], -1
        )
        other = self.chain(motifs, generator)
        ghosts = other.ghosts.clone()
        ghosts[:, :, 0, 0], ghosts[:, :, -1, 1] = (
            chain.ghosts[:, :, 0, 0],
            chain.ghosts[:, :, -1, 1],
        )
        return Chain(motifs, ghosts, chain.start, chain.goal)

    def exemplars(
        self, chain: Chain, shown: Sequence[int], generator: torch.Generator
    ) -> list[Int[Tensor, "M B L"]]:
        """Token segments (0 where empty) that show these links, each closed by `###`."""
        m, parts = self.member, []
        for j in shown:
            sink, source = chain.ghosts[:, :, j].unbind(-1)
            above = self._pick(self.reach[m, :, sink], generator)
            below = self._pick(self.reach[m, source], generator)
            parts += [self.sampler.sample(above, sink, generator) + 1]
            parts += [self.sampler.sample(source, below, generator) + 1, self._word(self.words.end)]
        return parts

    def question(self, chain: Chain) -> Int[Tensor, "M B 3"]:
        """`target goal start`."""
        return self.words.prompt(torch.stack([chain.start, chain.goal], -1))

    def answer(self, chain: Chain, generator: torch.Generator) -> list[Int[Tensor, "M B L"]]:
        """Segments of a right answer, without the start, closed by `###`."""
        at, parts = chain.start, []
        for sink, source in (pair.unbind(-1) for pair in chain.ghosts.unbind(2)):
            parts.append(self.sampler.sample(at, sink, generator) + 1)
            at = source
        parts.append(self.sampler.sample(at, chain.goal, generator) + 1)
        parts[0] = parts[0][..., 1:]
        return [*parts, self._word(self.words.end)]

    def _word(self, token: int) -> Int[Tensor, "one one two"]:
        return torch.full((1, 1, 1), token)

    def document(
        self, parts: Sequence[Int[Tensor, "..."]], batch: int, context: int
    ) -> Int[Tensor, "M B T"]:
        """Segments one after the other without gaps, cropped to the longest; 0 behind.

        ValueError if a document does not fit into the context.
        """
        shape = (len(self.graphs), batch, -1)
        row = torch.cat([part.expand(shape) for part in parts], -1)
        row = row.gather(-1, (row == 0).int().argsort(dim=-1, stable=True))
        longest = int((row != 0).sum(-1).max())
        if longest > context:
            raise ValueError(
                f"a document of {longest} tokens does not fit into a context of {context}: "
                "take shorter chains, smaller motifs or a longer context"
            )
        return row[..., :longest]

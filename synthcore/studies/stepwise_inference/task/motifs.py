"""Small graphs joined in context: exemplars say which motif follows which.

Motifs have disjoint node names. A chain of distinct motifs is joined by ghost edges, from a sink of
one motif to a source of the next, which exist in this context only. An exemplar of a link is a path
into the sink, the ghost edge, and a path from the source. A document is the exemplars, each closed
by `###`, then `target goal start`, and a path that crosses the motifs in the order of the chain.

Axis letters: M member, B documents, K motifs of a chain, N nodes, T tokens, L tokens of a segment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.stepwise_inference.task.graphs import Graph, PathSampler, bernoulli_graph
from synthcore.studies.stepwise_inference.task.lines import PAD, Vocabulary
from synthcore.training.seeding import seeded

ATTEMPTS = 1000
Key = int | str


@dataclass(frozen=True)
class Chain:
    """Motifs in order and the ghost edges between them: `ghosts[..., j]` = (sink, source)."""

    motifs: Int[Tensor, "M B K"]
    ghosts: Int[Tensor, "M B K_minus_1 2"]
    start: Int[Tensor, "M B"]
    goal: Int[Tensor, "M B"]


class Motifs:
    """The motifs of every member as one graph of several pieces, and the share `held_out` of their
    ordered pairs that stays out of training: `trained[m, a, b]` says whether motif b may follow
    motif a there.

    What is drawn depends on a member's seed and the `key` of the draw, not on its neighbours.
    """

    def __init__(
        self, count: int, size: int, p: float, held_out: float, seeds: Sequence[int]
    ) -> None:
        self.count, self.size, self.seeds = count, size, tuple(seeds)
        graphs, trained = [], []
        for seed in seeds:
            generator = seeded(seed, 5)
            parts = [bernoulli_graph(size, p, generator, ends=2).adjacency for _ in range(count)]
            graphs.append(Graph(torch.block_diag(*parts).bool(), torch.arange(count * size)))
            trained.append(torch.rand(count, count, generator=generator) >= held_out)
        self.members, self.trained = len(graphs), torch.stack(trained)
        self.adjacency = torch.stack([graph.adjacency for graph in graphs])
        self.reachable = torch.stack([graph.reachable for graph in graphs])
        self.paths = PathSampler(graphs)
        self.vocabulary = Vocabulary(count * size)
        self.member = torch.arange(len(seeds))[:, None]
        self.sinks = ~self.adjacency.any(2) & self.adjacency.any(1)
        self.sources = ~self.adjacency.any(1) & self.adjacency.any(2)

    def sample_orders(
        self, batch: int, length: int, *key: Key, unseen: bool = False
    ) -> Int[Tensor, "M B K"]:
        """Random chains of distinct motifs whose links are all trained, or not all.

        ValueError if there are fewer motifs than `length`, or hardly any such chain.
        """
        if not 2 <= length <= self.count:
            raise ValueError(f"a chain needs 2 to {self.count} motifs (got {length})")

        def accepted(order: Int[Tensor, "M B K"]) -> Bool[Tensor, "M B"]:
            return self.links_trained(order[..., :length]) != unseen

        return self._rejection(batch, accepted, *key)[..., :length]

    def sample_rival_orders(
        self, batch: int, length: int, *key: Key
    ) -> tuple[Int[Tensor, "M B K"], Int[Tensor, "M B K"]]:
        """Two chains with the same ends and other motifs between; all links of both are trained.

        ValueError if there are not enough motifs, or hardly any such chains.
        """
        between = length - 2
        if 2 * between + 2 > self.count:
            raise ValueError(f"two chains of {length} motifs need more than {self.count} motifs")

        def both(order: Int[Tensor, "M B K"]) -> tuple[Tensor, Tensor]:
            first, last = order[..., :1], order[..., 1:2]
            middles = order[..., 2 : 2 + between], order[..., 2 + between : 2 + 2 * between]
            chain, rival = (torch.cat([first, middle, last], -1) for middle in middles)
            return chain, rival

        def accepted(order: Int[Tensor, "M B K"]) -> Bool[Tensor, "M B"]:
            chain, rival = both(order)
            return self.links_trained(chain) & self.links_trained(rival)

        return both(self._rejection(batch, accepted, *key))

    def links_trained(self, order: Int[Tensor, "M B K"]) -> Bool[Tensor, "M B"]:
        """Whether training shows every link of these chains."""
        return self.trained[self.member[..., None], order[..., :-1], order[..., 1:]].all(-1)

    def sample_chain(self, motifs: Int[Tensor, "M B K"], *key: Key) -> Chain:
        """Ghost edges, start and goal for chains: every part of the way exists."""
        m, random = self.member, self.random("chain", *key)
        ghosts = []
        sink = _pick(self._nodes_of(motifs[..., 0]) & self.sinks[m], random)
        start = _pick(self.reachable[m, :, sink], random)
        for j in range(1, motifs.shape[-1]):
            source = _pick(self._nodes_of(motifs[..., j]) & self.sources[m], random)
            ghosts.append(torch.stack([sink, source], -1))
            sink = _pick(self.reachable[m, source] & self.sinks[m], random)
        goal = _pick(self.reachable[m, source], random)
        return Chain(motifs, torch.stack(ghosts, 2), start, goal)

    def sample_rivals(self, batch: int, length: int, *key: Key) -> tuple[Chain, Chain]:
        """Two chains with the same ends, first sink and last source, and other motifs between."""
        order, other = self.sample_rival_orders(batch, length, *key)
        chain = self.sample_chain(order, "first", *key)
        ghosts = self.sample_chain(other, "second", *key).ghosts.clone()
        ghosts[:, :, 0, 0] = chain.ghosts[:, :, 0, 0]
        ghosts[:, :, -1, 1] = chain.ghosts[:, :, -1, 1]
        return chain, Chain(other, ghosts, chain.start, chain.goal)

    def sample_exemplars(
        self, chain: Chain, links: Sequence[int], *key: Key
    ) -> list[Int[Tensor, "M B L"]]:
        """Token segments (0 where empty) that show these links, each closed by `###`."""
        m, segments = self.member, []
        random = self.random("exemplars", *key)
        for j in links:
            sink, source = chain.ghosts[:, :, j].unbind(-1)
            first = _pick(self.reachable[m, :, sink], random)
            last = _pick(self.reachable[m, source], random)
            segments.append(self.paths.sample(first, sink, random) + 1)
            segments.append(self.paths.sample(source, last, random) + 1)
            segments.append(self._end())
        return segments

    def prompt(self, chain: Chain) -> Int[Tensor, "M B 3"]:
        """`target goal start`."""
        return self.vocabulary.prompt(torch.stack([chain.start, chain.goal], -1))

    def sample_answer(self, chain: Chain, *key: Key) -> list[Int[Tensor, "M B L"]]:
        """Segments of a right answer, without the start, closed by `###`."""
        node, segments, random = chain.start, [], self.random("answer", *key)
        for sink, source in (edge.unbind(-1) for edge in chain.ghosts.unbind(2)):
            segments.append(self.paths.sample(node, sink, random) + 1)
            node = source
        segments.append(self.paths.sample(node, chain.goal, random) + 1)
        segments[0] = segments[0][..., 1:]
        return [*segments, self._end()]

    def join(
        self, segments: Sequence[Int[Tensor, "..."]], batch: int, context: int
    ) -> Int[Tensor, "M B T"]:
        """Segments one after the other without gaps, cropped to the longest; 0 behind.

        ValueError if a document does not fit into the context.
        """
        shape = (self.members, batch, -1)
        document = torch.cat([segment.expand(shape) for segment in segments], -1)
        document = document.gather(-1, (document == PAD).int().argsort(dim=-1, stable=True))
        longest = int((document != PAD).sum(-1).max())
        if longest > context:
            raise ValueError(
                f"a document of {longest} tokens does not fit into a context of {context}: "
                "take shorter chains, smaller motifs or a longer context"
            )
        return document[..., :longest]

    def _rejection(
        self,
        batch: int,
        accepted: Callable[[Int[Tensor, "M B K"]], Bool[Tensor, "M B"]],
        *key: Key,
    ) -> Int[Tensor, "M B K"]:
        """Random orders of all motifs, drawn again where they are not accepted."""
        random = self.random("orders", *key)
        orders = torch.zeros(self.members, batch, self.count, dtype=torch.long)
        missing = torch.ones(self.members, batch, dtype=torch.bool)
        for _ in range(ATTEMPTS):
            shape = (batch, self.count)
            drawn = torch.stack([torch.rand(shape, generator=g) for g in random]).argsort(-1)
            found = missing & accepted(drawn)
            orders = torch.where(found[..., None], drawn, orders)
            missing &= ~found
            if not bool(missing.any()):
                return orders
        raise ValueError("too few ordered pairs of motifs are allowed for chains of this length")

    def random(self, *key: Key) -> list[torch.Generator]:
        """Generators, one per member, for one use."""
        return [seeded(seed, "motifs", *key) for seed in self.seeds]

    def _nodes_of(self, motif: Int[Tensor, "M B"]) -> Bool[Tensor, "M B N"]:
        return torch.arange(self.count * self.size) // self.size == motif[..., None]

    def _end(self) -> Int[Tensor, "one one two"]:
        return torch.full((1, 1, 1), self.vocabulary.end)


def _pick(
    admissible: Bool[Tensor, "M B N"], random: Sequence[torch.Generator]
) -> Int[Tensor, "M B"]:
    """One of the admissible nodes, uniformly."""
    drawn = torch.stack([torch.rand(admissible.shape[1:], generator=g) for g in random])
    return (drawn * admissible).argmax(-1)

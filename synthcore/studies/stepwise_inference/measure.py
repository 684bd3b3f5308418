"""What a network answers, and what is wrong with it.

Axis letters: M member, B prompts, T tokens, L nodes of a walk, N nodes, Q test pairs of one kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference.graphs import Graph
from synthcore.studies.stepwise_inference.paths import PathSampler
from synthcore.studies.stepwise_inference.task import PAD, PROMPT, Pairs, Split, Vocabulary
from synthcore.training.generate import generate
from synthcore.training.seeding import seeded

GROUPS = ("connected", "hard", "easy")
NOTHING, NOT_A_NODE = -1, -2


@dataclass(frozen=True)
class Answers:
    """Parsed answers. `walk` holds the nodes before the first label or end, -1 behind the last and
    -2 where a token is no node; `label` is the token `path`, `nopath`, or 0 for neither."""

    walk: Int[Tensor, "M B L"]
    label: Int[Tensor, "M B"]

    @property
    def length(self) -> Int[Tensor, "M B"]:
        return (self.walk != NOTHING).sum(-1)


def parse(words: Vocabulary, tokens: Int[Tensor, "M B L"]) -> Answers:
    """Answers from the tokens after the prompt.

    >>> words = Vocabulary(nodes=4)
    >>> found = parse(words, torch.tensor([[[2, 4, 6, 8], [8, 6, 1, 1]]]))
    >>> found.walk.tolist(), found.label.tolist()
    ([[[1, 3, -1, -1], [-1, -1, -1, -1]]], [[6, 0]])
    """
    stops = (tokens == words.path) | (tokens == words.nopath) | (tokens == words.end)
    before = stops.cumsum(-1) == 0
    node = torch.where((tokens > PAD) & (tokens <= words.nodes), tokens - 1, NOT_A_NODE)
    first = (stops.cumsum(-1) == 1) & stops
    label = (tokens * (first & (tokens != words.end))).sum(-1)
    return Answers(torch.where(before, node, NOTHING), label)


@dataclass(frozen=True)
class Walks:
    """Where answers to connected pairs went."""

    steps: Int[Tensor, "M B"]
    """transitions taken, the one from the start included"""
    on_edges: Int[Tensor, "M B"]
    """those that are edges of the graph"""
    reached: Bool[Tensor, "M B"]
    """whether the last node is the goal"""

    @property
    def walked(self) -> Bool[Tensor, "M B"]:
        return self.steps > 0

    @property
    def misstep(self) -> Bool[Tensor, "M B"]:
        """Some transition is no edge."""
        return self.on_edges < self.steps

    @property
    def valid(self) -> Bool[Tensor, "M B"]:
        """A path from start to goal."""
        return self.walked & ~self.misstep & self.reached


def follow(
    answers: Answers, pairs: Int[Tensor, "M B 2"], adjacency: Bool[Tensor, "M N N"]
) -> Walks:
    """Check every transition of every answer against its member's graph."""
    start, goal = pairs.unbind(-1)
    places = torch.cat([start[..., None], answers.walk], -1)
    here, there = places[..., :-1], places[..., 1:]
    member = torch.arange(len(places), device=places.device)[:, None, None]
    edge = adjacency[member, here.clamp(min=0), there.clamp(min=0)]
    edge = edge & (here >= 0) & (there >= 0)
    last = places.gather(-1, answers.length[..., None])[..., 0]
    reached = (last == goal) & (answers.length > 0)
    return Walks(answers.length, edge.sum(-1), reached)


def ask(
    model: GPT,
    words: Vocabulary,
    pairs: Int[Tensor, "M B 2"],
    new: int,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Answers:
    """Let the networks answer these pairs with at most `new` tokens."""
    out = generate(model, words.prompt(pairs), new, temperature=temperature, generator=generator)
    return parse(words, out[..., PROMPT:])


class Examination:
    """Test pairs of every member, in three groups of `size`: connected, hard and easy negatives.

    Where a graph has fewer pairs of a kind, they repeat.
    """

    def __init__(
        self,
        graphs: Sequence[Graph],
        splits: Sequence[Split],
        size: int,
        new: int,
        seeds: Sequence[int],
        device: torch.device,
    ) -> None:
        kinds = [(s.test, s.hard_test, s.easy_test) for s in splits]
        chosen = [
            torch.cat([_choose(pairs, size, seed) for pairs in three])
            for three, seed in zip(kinds, seeds, strict=True)
        ]
        self.words, self.size, self.new = Vocabulary(graphs[0].nodes), size, new
        self.pairs = torch.stack(chosen).to(device)
        self.adjacency = torch.stack([graph.adjacency for graph in graphs]).to(device)
        self.counts = torch.stack([graph.counts for graph in graphs]).to(device)
        self.generator = torch.Generator(device).manual_seed(seeds[0] + 7)
        paths = PathSampler(graphs, device).sample(
            self.connected[..., 0], self.connected[..., 1], self.generator
        )
        self.lines = self.words.write(self.connected[..., 1], paths, self.words.path)

    @property
    def connected(self) -> Int[Tensor, "M Q 2"]:
        return self.pairs[:, : self.size]

    def labels(self, model: GPT) -> dict[str, Float[Tensor, "M group"]]:
        """Greedy answers: share of right labels per group, by the whole answer and by its first
        token; share of right paths (`valid`), and right labels per pair (`right`)."""
        answers = ask(model, self.words, self.pairs, self.new)
        wanted = torch.full_like(answers.label, self.words.nopath)
        wanted[:, : self.size] = self.words.path
        says = torch.where(answers.length > 0, self.words.path, answers.label)
        walks = follow(
            Answers(answers.walk[:, : self.size], answers.label[:, : self.size]),
            self.connected,
            self.adjacency,
        )
        return {
            "recall": self._by_group(answers.label == wanted),
            "first_recall": self._by_group(says == wanted),
            "valid": walks.valid.double().mean(1),
            "right": (answers.label == wanted)[:, : self.size].double(),
        }

    def walks(self, model: GPT, repeats: int = 1) -> tuple[Answers, Walks]:
        """Sampled answers (temperature 1) to the connected pairs, each asked `repeats` times."""
        pairs = self.connected.repeat(1, repeats, 1)
        answers = ask(model, self.words, pairs, self.new, 1.0, self.generator)
        return answers, follow(answers, pairs, self.adjacency)

    @torch.no_grad()
    def along_paths(self, model: GPT) -> dict[str, Float[Tensor, "M"]]:
        """On uniform paths of the connected pairs: probability of leaving along an edge
        (`edge_mass`), and divergence from the Bayes policy pi to the network (nats)."""
        inputs = self.lines[..., 2:-1]
        node, goal = inputs - 1, self.lines[..., 1:2] - 1
        inside = (inputs > PAD) & (inputs <= self.words.nodes) & (node != goal)
        log_q = log_probabilities(model, self.lines)[..., 1 : self.words.nodes + 1]
        member = torch.arange(len(node), device=node.device)[:, None, None].expand_as(node)
        at = node.clamp(0, self.words.nodes - 1)
        edges = self.adjacency[member, at]
        to_goal = self.counts[member[..., None], torch.arange(self.words.nodes), goal[..., None]]
        pi = edges * to_goal
        pi = pi / pi.sum(-1, keepdim=True).clamp(min=1)
        divergence = (torch.xlogy(pi, pi) - pi * log_q.double()).sum(-1)
        mass = (log_q.exp() * edges).sum(-1)
        weight = inside / inside.sum((1, 2), keepdim=True)
        return {
            "edge_mass": (mass * weight).sum((1, 2)).double(),
            "bayes_divergence": (divergence * weight).sum((1, 2)),
        }

    def _by_group(self, right: Bool[Tensor, "M B"]) -> Float[Tensor, "M group"]:
        return right.view(len(right), len(GROUPS), self.size).double().mean(-1)


def log_probabilities(model: GPT, lines: Int[Tensor, "M B T"]) -> Float[Tensor, "M B L V"]:
    """Log probabilities of the tokens after the start, at every place of given lines."""
    out: Tensor = model(lines[..., :-1])[:, :, PROMPT - 1 :].log_softmax(-1)
    return out


def _choose(pairs: Pairs, size: int, seed: int) -> Pairs:
    """`size` of these pairs, repeated in turn if there are fewer; pair (0, 0) if there are none."""
    if not len(pairs):
        return torch.zeros(size, 2, dtype=torch.long)
    order = torch.randperm(len(pairs), generator=seeded(seed, 3))
    return pairs[order[torch.arange(size) % len(pairs)]]

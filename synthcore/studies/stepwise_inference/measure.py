"""What a network answers, what is wrong with it, and the numbers that figures and claims read.

Axis letters: M member, B prompts, T tokens, L nodes of a walk, N nodes, V vocabulary, Q test pairs
of one kind.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference.task.graphs import Graph, PathSampler
from synthcore.studies.stepwise_inference.task.lines import (
    PAD,
    PROMPT_LENGTH,
    Pairs,
    Split,
    Vocabulary,
)
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
        """Tokens before the label or end."""
        return (self.walk != NOTHING).sum(-1)


def parse_answers(vocabulary: Vocabulary, tokens: Int[Tensor, "M B L"]) -> Answers:
    """Answers from the tokens after the prompt.

    >>> vocabulary = Vocabulary(nodes=4)
    >>> answers = parse_answers(vocabulary, torch.tensor([[[2, 4, 6, 8], [8, 6, 1, 1]]]))
    >>> answers.walk.tolist(), answers.label.tolist()
    ([[[1, 3, -1, -1], [-1, -1, -1, -1]]], [[6, 0]])
    """
    stops = (tokens == vocabulary.path) | (tokens == vocabulary.nopath) | (tokens == vocabulary.end)
    stops_so_far = stops.cumsum(-1)
    node = torch.where((tokens > PAD) & (tokens <= vocabulary.nodes), tokens - 1, NOT_A_NODE)
    is_label = (stops_so_far == 1) & stops & (tokens != vocabulary.end)
    label = (tokens * is_label).sum(-1)
    return Answers(torch.where(stops_so_far == 0, node, NOTHING), label)


@dataclass(frozen=True)
class CheckedPaths:
    """Where answers to connected pairs went."""

    steps: Int[Tensor, "M B"]
    """transitions taken, the one from the start included"""
    on_edges: Int[Tensor, "M B"]
    """those that are edges of the graph"""
    reached: Bool[Tensor, "M B"]
    """whether the last node is the goal"""

    @property
    def walked(self) -> Bool[Tensor, "M B"]:
        """There is a transition at all."""
        return self.steps > 0

    @property
    def misstep(self) -> Bool[Tensor, "M B"]:
        """Some transition is no edge."""
        return self.on_edges < self.steps

    @property
    def valid(self) -> Bool[Tensor, "M B"]:
        """A path from start to goal."""
        return self.walked & ~self.misstep & self.reached


def check_paths(
    answers: Answers, pairs: Int[Tensor, "M B 2"], adjacency: Bool[Tensor, "M N N"]
) -> CheckedPaths:
    """Check every transition of every answer against its member's graph."""
    start, goal = pairs.unbind(-1)
    path = torch.cat([start[..., None], answers.walk], -1)
    before, after = path[..., :-1], path[..., 1:]
    member = torch.arange(len(path), device=path.device)[:, None, None]
    is_edge = adjacency[member, before.clamp(min=0), after.clamp(min=0)]
    is_edge = is_edge & (before >= 0) & (after >= 0)
    last = path.gather(-1, answers.length[..., None])[..., 0]
    reached = (last == goal) & (answers.length > 0)
    return CheckedPaths(answers.length, is_edge.sum(-1), reached)


def generate_answers(
    model: GPT,
    vocabulary: Vocabulary,
    pairs: Int[Tensor, "M B 2"],
    new: int,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
) -> Answers:
    """Let the networks answer these pairs with at most `new` tokens."""
    prompts = vocabulary.prompt(pairs)
    tokens = generate(model, prompts, new, temperature=temperature, generator=generator)
    return parse_answers(vocabulary, tokens[..., PROMPT_LENGTH:])


class Evaluator:
    """Test pairs of every member, in three groups of `size`: connected, hard and easy negatives.

    Where a graph has fewer pairs of a kind, they repeat. Networks answer with at most `new` tokens.
    `lines` shows one uniform path of every connected pair: (M, Q, T).
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
        groups = [(s.test, s.hard_test, s.easy_test) for s in splits]
        chosen = [
            torch.cat([_choose(pairs, size, seed) for pairs in group])
            for group, seed in zip(groups, seeds, strict=True)
        ]
        self.vocabulary, self.size, self.new = Vocabulary(graphs[0].nodes), size, new
        self.pairs = torch.stack(chosen).to(device)
        self.adjacency = torch.stack([graph.adjacency for graph in graphs]).to(device)
        self.counts = torch.stack([graph.counts for graph in graphs]).to(device)
        self.generator = torch.Generator(device).manual_seed(seeds[0] + 7)
        start, goal = self.connected.unbind(-1)
        paths = PathSampler(graphs, device).sample(start, goal, self.generator)
        self.lines = self.vocabulary.encode(goal, paths, self.vocabulary.path)

    @property
    def connected(self) -> Int[Tensor, "M Q 2"]:
        """The connected test pairs."""
        return self.pairs[:, : self.size]

    def evaluate_labels(self, model: GPT) -> dict[str, Float[Tensor, "M group"]]:
        """Greedy answers: share of right labels per group, by the whole answer and by its first
        token; share of right paths (`valid`), and right labels per pair (`right`)."""
        answers = generate_answers(model, self.vocabulary, self.pairs, self.new)
        labels = torch.full_like(answers.label, self.vocabulary.nopath)
        labels[:, : self.size] = self.vocabulary.path
        first_label = torch.where(answers.length > 0, self.vocabulary.path, answers.label)
        paths = check_paths(
            Answers(answers.walk[:, : self.size], answers.label[:, : self.size]),
            self.connected,
            self.adjacency,
        )
        return {
            "recall": self._by_group(answers.label == labels),
            "first_recall": self._by_group(first_label == labels),
            "valid": paths.valid.double().mean(1),
            "right": (answers.label == labels)[:, : self.size].double(),
        }

    def sample_answers(self, model: GPT, repeats: int = 1) -> tuple[Answers, CheckedPaths]:
        """Sampled answers (temperature 1) to the connected pairs, each asked `repeats` times."""
        pairs = self.connected.repeat(1, repeats, 1)
        answers = generate_answers(model, self.vocabulary, pairs, self.new, 1.0, self.generator)
        return answers, check_paths(answers, pairs, self.adjacency)

    @torch.no_grad()
    def compare_with_bayes(self, model: GPT) -> dict[str, Float[Tensor, "M"]]:
        """On uniform paths of the connected pairs: probability of leaving along an edge
        (`edge_mass`), and divergence from the Bayes policy to the network (`bayes_divergence`,
        nats)."""
        node, goal, before_goal = self.places()
        nodes = self.vocabulary.nodes
        log_q = next_token_logits(model, self.lines).log_softmax(-1)[..., 1 : nodes + 1]
        member = torch.arange(len(node), device=node.device)[:, None, None].expand_as(node)
        edges = self.adjacency[member, node]
        paths_to_goal = self.counts[member[..., None], torch.arange(nodes), goal[..., None]]
        policy = edges * paths_to_goal
        policy = policy / policy.sum(-1, keepdim=True).clamp(min=1)
        divergence = (torch.xlogy(policy, policy) - policy * log_q.double()).sum(-1)
        mass = (log_q.exp() * edges).sum(-1)
        weight = before_goal / before_goal.sum((1, 2), keepdim=True)
        return {
            "edge_mass": (mass * weight).sum((1, 2)).double(),
            "bayes_divergence": (divergence * weight).sum((1, 2)),
        }

    def places(self) -> tuple[Int[Tensor, "M Q L"], Int[Tensor, "M Q L"], Bool[Tensor, "M Q L"]]:
        """Of every place on `lines` after the prompt: the current node (any node where there is
        none), the goal, and whether it lies on the path before the goal."""
        tokens = self.lines[..., PROMPT_LENGTH - 1 : -1]
        goal = (self.lines[..., 1:2] - 1).expand_as(tokens)
        node = tokens - 1
        before_goal = (tokens > PAD) & (tokens <= self.vocabulary.nodes) & (node != goal)
        return node.clamp(0, self.vocabulary.nodes - 1), goal, before_goal

    def _by_group(self, right: Bool[Tensor, "M B"]) -> Float[Tensor, "M group"]:
        return right.view(len(right), len(GROUPS), self.size).double().mean(-1)


def next_token_logits(model: GPT, lines: Int[Tensor, "M B T"]) -> Float[Tensor, "M B L V"]:
    """Logits of the tokens after the start, at every place of given lines."""
    logits: Tensor = model(lines[..., :-1])[:, :, PROMPT_LENGTH - 1 :]
    return logits


def _choose(pairs: Pairs, size: int, seed: int) -> Pairs:
    """`size` of these pairs, repeated in turn if there are fewer; pair (0, 0) if there are none."""
    if not len(pairs):
        return torch.zeros(size, 2, dtype=torch.long)
    order = torch.randperm(len(pairs), generator=seeded(seed, 3))
    return pairs[order[torch.arange(size) % len(pairs)]]


def accuracy(recall: xr.DataArray, test: str = "hard") -> xr.DataArray:
    """Balanced accuracy from recalls per group; `mixed` has half hard and half easy negatives."""
    negative = recall.sel(group=["hard", "easy"] if test == "mixed" else ["hard"]).mean("group")
    return (recall.sel(group="connected", drop=True) + negative) / 2


def accuracy_gap(
    data: xr.Dataset, kind: str, test: str = "hard", written: str = "step"
) -> xr.DataArray:
    """Accuracy of stepwise (or `written`) less direct networks after training, per seed."""
    last = accuracy(data.recall.sel(kind=kind, drop=True).isel(step=-1, drop=True), test)
    return last.sel(format=written, drop=True) - last.sel(format="direct", drop=True)


def far_accuracy_gap(data: xr.Dataset) -> xr.DataArray:
    """The same far from the training pairs: (near, seed)."""
    far = accuracy(data.far_recall)
    return far.sel(format="step", drop=True) - far.sel(format="direct", drop=True)


def half_time(rate: xr.DataArray) -> xr.DataArray:
    """Steps until a rate is half of what it was at first, interpolated in log steps; infinite where
    it never is."""
    log_steps = np.log(np.maximum(rate.step.values, 1.0))
    times = []
    for row in rate.transpose("seed", "step").values:
        below = np.flatnonzero(row < row[0] / 2)
        if not len(below):
            times.append(math.inf)
            continue
        i = below[0]
        part = (row[i - 1] - row[0] / 2) / (row[i - 1] - row[i])
        times.append(float(np.exp(log_steps[i - 1] + part * (log_steps[i] - log_steps[i - 1]))))
    return xr.DataArray(times, dims="seed")

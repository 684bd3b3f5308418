"""Test pairs of a population, and what any policy makes of them.

Axis letters: M member, T tokens, L nodes of a walk, N nodes, V vocabulary, Q test pairs of one
kind, R answers per pair.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.studies.stepwise_inference.measure.answers import (
    FAILURES,
    Answers,
    CheckedPaths,
    Policy,
    check_paths,
    draw,
    generate_answers,
    reader,
)
from synthcore.studies.stepwise_inference.task.graphs import Graph, PathSampler
from synthcore.studies.stepwise_inference.task.lines import (
    PAD,
    PROMPT_LENGTH,
    Pairs,
    Split,
    Vocabulary,
)
from synthcore.training.seeding import seeded

GROUPS = ("connected", "hard", "easy")
Rates = dict[str, Float[Tensor, "M ..."]]


class Evaluator:
    """Test pairs of every member, in three groups of at most `size`: connected, hard and easy
    negatives. Policies answer with at most `new` tokens.

    Where a graph has fewer pairs of a kind, rows are filled up and `weight`, (M, group, Q), which
    sums to one in a group, leaves them out. `lines` shows one uniform path of every connected pair:
    (M, Q, T). What is drawn depends on a member's seed alone.
    """

    def __init__(
        self,
        graphs: Sequence[Graph],
        splits: Sequence[Split],
        size: int,
        new: int,
        seeds: Sequence[int],
        device: torch.device,
        top_k: int = 0,
    ) -> None:
        groups = [(s.test, s.hard_test, s.easy_test) for s in splits]
        chosen = [
            torch.cat([_choose(pairs, size, seed) for pairs in group])
            for group, seed in zip(groups, seeds, strict=True)
        ]
        there = torch.tensor([[min(size, len(pairs)) for pairs in group] for group in groups])
        filled = torch.arange(size) < there[..., None]
        self.weight = (filled / there[..., None]).double().to(device)
        self.vocabulary, self.size, self.new = Vocabulary(graphs[0].nodes), size, new
        self.seeds, self.device, self.top_k = tuple(seeds), device, top_k
        self.pairs = torch.stack(chosen).to(device)
        self.adjacency = torch.stack([graph.adjacency for graph in graphs]).to(device)
        self.counts = torch.stack([graph.counts for graph in graphs]).to(device)
        self.leads_to = self.counts > 0  # 1 on the diagonal
        self.hard_share = torch.tensor([split.hard_share for split in splits]).double()
        start, goal = self.connected.unbind(-1)
        paths = PathSampler(graphs, device).sample(start, goal, self.random("test paths"))
        self.lines = self.vocabulary.encode(goal, paths, self.vocabulary.path)

    @property
    def connected(self) -> Int[Tensor, "M Q 2"]:
        """The connected test pairs."""
        return self.pairs[:, : self.size]

    def random(self, *key: str | int) -> list[torch.Generator]:
        """Generators, one per member, for one use."""
        return [seeded(seed, "evaluation", *key) for seed in self.seeds]

    def evaluate_labels(self, policy: Policy) -> Rates:
        """Greedy answers: share of right labels per group, by the whole answer and by its first
        token; share of right paths (`valid`), and right labels per pair (`right`)."""
        answers = generate_answers(policy, self.vocabulary, self.pairs, self.new)
        labels = torch.full_like(answers.label, self.vocabulary.nopath)
        labels[:, : self.size] = self.vocabulary.path
        first_label = torch.where(answers.length > 0, self.vocabulary.path, answers.label)
        walks = Answers(answers.walk[:, : self.size], answers.label[:, : self.size])
        paths = self.check(walks, self.connected)
        return {
            "recall": self._by_group(answers.label == labels),
            "first_recall": self._by_group(first_label == labels),
            "valid": self.mean(paths.valid),
            "right": (answers.label == labels)[:, : self.size].double(),
        }

    def sample_answers(self, policy: Policy, repeats: int = 1) -> tuple[Answers, CheckedPaths]:
        """Sampled answers (temperature 1) to the connected pairs, each asked `repeats` times."""
        pairs = self.connected.repeat(1, repeats, 1)
        random = self.random("answers", repeats)
        answers = generate_answers(
            policy, self.vocabulary, pairs, self.new, 1.0, random, self.top_k
        )
        return answers, self.check(answers, pairs)

    def check(self, answers: Answers, pairs: Int[Tensor, "M B 2"]) -> CheckedPaths:
        """Every transition of these answers against the members' graphs."""
        return check_paths(answers, pairs, self.adjacency, self.leads_to, self.vocabulary.path)

    def failures(self, policy: Policy) -> Rates:
        """Of sampled answers: shares of each of `FAILURES`; of those that walk, shares with a
        misstep and that miss the goal, whatever else; and of single steps, those off the graph
        (`edge_error`) and, of those on an edge, those that lose the goal (`planning_error`)."""
        _, paths = self.sample_answers(policy)
        walked = self.mean(paths.walked).clamp(min=1e-9)
        weight = self.weight[:, 0]
        steps, kept = ((weight * n).sum(1) for n in (paths.steps, paths.keeps))
        off, lost = ((weight * n).sum(1) for n in (paths.steps - paths.on_edges, paths.lost))
        return {
            "failure": torch.stack(
                [self.mean(paths.failure == i) for i in range(len(FAILURES))], -1
            ),
            "misstep": self.mean(paths.misstep & paths.walked) / walked,
            "astray": self.mean(~paths.reached & paths.walked) / walked,
            "edge_error": off / steps,  # nan where nothing walks
            "planning_error": lost / kept,
        }

    @torch.no_grad()
    def viable_lengths(self, policy: Policy, repeats: int) -> Int[Tensor, "M R Q"]:
        """Edges of walks to the connected pairs' goals that the policy would take if it made no
        error: at every node it chooses among the children that lead to the goal, in proportion to
        its probabilities.

        Answers that happen to be right are short ones, since every step is another chance to
        fail; these lengths do not depend on how often steps fail.
        """
        pairs = self.connected.repeat(1, repeats, 1)
        node, goal = pairs.unbind(-1)
        member = torch.arange(len(node), device=node.device)[:, None]
        tokens = self.vocabulary.prompt(pairs)
        read, going = reader(policy, pairs.shape[1]), node != goal
        chances = [
            torch.rand(pairs.shape[1], self.new, generator=g)
            for g in self.random("viable", repeats)
        ]
        chance = torch.stack(chances).to(node.device)
        length = torch.zeros_like(node)
        for step in range(self.new):
            logits = read(tokens)[..., 1 : self.vocabulary.nodes + 1]
            viable = self.adjacency[member, node] & self.leads_to[member, :, goal]
            logits = logits.clamp(min=-1e4).masked_fill(~viable & going[..., None], -torch.inf)
            child = draw(logits, 1.0, chance[..., step])
            node = torch.where(going, child, node)
            length = length + going
            going = going & (node != goal)
            if not bool(going.any()):
                break
            tokens = torch.cat([tokens, node[..., None] + 1], -1)
        return length.view(len(node), repeats, self.size)

    @torch.no_grad()
    def compare_with_bayes(self, policy: Policy) -> Rates:
        """On uniform paths of the connected pairs: probability of leaving along an edge
        (`edge_mass`), and divergence from the Bayes policy (`bayes_divergence`, nats)."""
        node, goal, before_goal = self.places()
        nodes = self.vocabulary.nodes
        log_q = next_token_logits(policy, self.lines).log_softmax(-1)[..., 1 : nodes + 1]
        member = torch.arange(len(node), device=node.device)[:, None, None].expand_as(node)
        edges = self.adjacency[member, node]
        paths_to_goal = self.counts[member[..., None], torch.arange(nodes), goal[..., None]]
        bayes = edges * paths_to_goal
        bayes = bayes / bayes.sum(-1, keepdim=True).clamp(min=1)
        cross = torch.where(bayes > 0, bayes * log_q.double(), 0.0)
        divergence = (torch.xlogy(bayes, bayes) - cross).sum(-1)
        mass = (log_q.exp() * edges).sum(-1)
        weight = self.place_weight(before_goal)
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

    def place_weight(self, before_goal: Bool[Tensor, "M Q L"]) -> Float[Tensor, "M Q L"]:
        """Equal weights of the places before the goal, summing to one per member."""
        weight = before_goal * (self.weight[:, 0, :, None] > 0)
        return weight / weight.sum((1, 2), keepdim=True)

    def mean(self, of_pairs: Tensor) -> Float[Tensor, "M"]:
        """Mean over the connected pairs, of one value per answer: (M, R Q) -> (M,)."""
        values = of_pairs.view(len(of_pairs), -1, self.size).double().mean(1)
        return (values * self.weight[:, 0]).sum(-1)

    def _by_group(self, right: Bool[Tensor, "M B"]) -> Float[Tensor, "M group"]:
        return (right.view(len(right), len(GROUPS), self.size) * self.weight).sum(-1)


def next_token_logits(policy: Policy, lines: Int[Tensor, "M B T"]) -> Float[Tensor, "M B L V"]:
    """Logits of the tokens after the start, at every place of given lines."""
    return policy(lines[..., :-1])[:, :, PROMPT_LENGTH - 1 :]


def _choose(pairs: Pairs, size: int, seed: int) -> Pairs:
    """`size` of these pairs; where there are fewer, the first of them fills the rows."""
    order = torch.randperm(len(pairs), generator=seeded(seed, 3))[:size]
    filled = torch.zeros(size, dtype=torch.long)
    filled[: len(order)] = order
    return pairs[filled]

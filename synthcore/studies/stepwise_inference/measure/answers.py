"""What a policy answers, and what is wrong with it.

A policy is whatever maps tokens to logits of the next token: a network, or a rule written by hand.

Axis letters: M member, B prompts, T tokens, L nodes of a walk, N nodes, V vocabulary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT, Cache
from synthcore.studies.stepwise_inference.task.lines import PAD, PROMPT_LENGTH, Vocabulary

Policy = Callable[[Int[Tensor, "M B T"]], Float[Tensor, "M B T V"]]
NOTHING, NOT_A_NODE = -1, -2
FAILURES = ("right", "misstep", "planning failure", "no walk")
"""What an answer to a connected pair is; every answer is exactly one of them."""


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
    lost: Int[Tensor, "M B"]
    """those that are edges, from a node that leads to the goal to one that does not"""
    keeps: Int[Tensor, "M B"]
    """those that are edges, from a node that leads to the goal"""
    reached: Bool[Tensor, "M B"]
    """whether the last node is the goal"""
    said_path: Bool[Tensor, "M B"]
    """whether the answer ends in `path`"""

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

    @property
    def failure(self) -> Int[Tensor, "M B"]:
        """Index of the one entry of `FAILURES` that an answer is.

        Some transition off the graph makes it a misstep, wherever it ends. A planning failure takes
        edges only and stops elsewhere, runs out of tokens, or does not say `path` at the goal.
        """
        right = self.valid & self.said_path
        kind = torch.where(self.misstep, 1, torch.where(right, 0, 2))
        return torch.where(self.walked, kind, 3)


def check_paths(
    answers: Answers,
    pairs: Int[Tensor, "M B 2"],
    adjacency: Bool[Tensor, "M N N"],
    leads_to: Bool[Tensor, "M N N"],
    path_label: int,
) -> CheckedPaths:
    """Check every transition of every answer against its member's graph; `leads_to[m, a, g]` says
    whether there is a path from a to g, or a is g."""
    start, goal = pairs.unbind(-1)
    path = torch.cat([start[..., None], answers.walk], -1)
    before, after = path[..., :-1].clamp(min=0), path[..., 1:].clamp(min=0)
    member = torch.arange(len(path), device=path.device)[:, None, None]
    is_edge = adjacency[member, before, after]
    is_edge = is_edge & (path[..., :-1] >= 0) & (path[..., 1:] >= 0)
    had = leads_to[member, before, goal[..., None]] & (before != goal[..., None]) & is_edge
    has = leads_to[member, after, goal[..., None]]
    last = path.gather(-1, answers.length[..., None])[..., 0]
    return CheckedPaths(
        steps=answers.length,
        on_edges=is_edge.sum(-1),
        lost=(had & ~has).sum(-1),
        keeps=had.sum(-1),
        reached=(last == goal) & (answers.length > 0),
        said_path=answers.label == path_label,
    )


@torch.no_grad()
def generate_answers(
    policy: Policy,
    vocabulary: Vocabulary,
    pairs: Int[Tensor, "M B 2"],
    new: int,
    temperature: float = 0.0,
    random: Sequence[torch.Generator] = (),
    top_k: int = 0,
) -> Answers:
    """Let a policy answer these pairs with at most `new` tokens; every member draws from its own
    generator. Temperature 0 takes the most likely token; `top_k` keeps so many (0: all)."""
    tokens = vocabulary.prompt(pairs)
    members, batch, _ = tokens.shape
    read = reader(policy, batch)
    chance = torch.zeros(members, batch, new)
    if temperature > 0:
        chance = torch.stack([torch.rand(batch, new, generator=g) for g in random])
    chance = chance.to(tokens.device)
    ended = torch.zeros(members, batch, dtype=torch.bool, device=tokens.device)
    for i in range(new):
        drawn = draw(read(tokens), temperature, chance[..., i], top_k)
        tokens = torch.cat([tokens, drawn[..., None]], -1)
        ended |= drawn > vocabulary.target  # a label or the end
        if bool(ended.all()):
            break
    return parse_answers(vocabulary, tokens[..., PROMPT_LENGTH:])


def reader(policy: Policy, batch: int) -> Callable[[Int[Tensor, "M B T"]], Float[Tensor, "M B V"]]:
    """What gives logits after the last token of lines that grow. A network reads each token once;
    a policy may offer a shorter way as `after_last`."""
    if not isinstance(policy, GPT):
        whole = policy
        return getattr(policy, "after_last", lambda tokens: whole(tokens)[:, :, -1])
    model, cache = policy, Cache(policy, batch)
    return lambda tokens: model(tokens[:, :, cache.length :], cache=cache)[:, :, -1]


def draw(
    logits: Float[Tensor, "M B V"],
    temperature: float,
    chance: Float[Tensor, "M B"],
    top_k: int = 0,
) -> Int[Tensor, "M B"]:
    """The token that a uniform number in [0, 1) chooses from softmax(logits / temperature).

    >>> chance = torch.tensor([[0.1, 0.6]])
    >>> draw(torch.zeros(1, 2, 4), 1.0, chance).tolist()      # quarters of [0, 1)
    [[0, 2]]
    """
    if temperature == 0:
        return logits.argmax(-1)
    if 0 < top_k < logits.shape[-1]:
        least = logits.topk(top_k, -1).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    cumulative = (logits / temperature).softmax(-1).cumsum(-1)
    threshold = chance[..., None] * cumulative[..., -1:]
    return (cumulative <= threshold).sum(-1).clamp(max=logits.shape[-1] - 1)

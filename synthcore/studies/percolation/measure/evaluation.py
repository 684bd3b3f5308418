"""Everything that is measured of a transformer at a checkpoint, on sets drawn once.

What can be computed from probabilities is: exact match, for one, is the probability that sampling
writes the target, and needs no samples. Samples (temperature 1, as in the paper) are taken where
only they will do.

Axis letters: M member, B lines, T tokens, L tokens of an answer, E entities, K properties.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT, Cache
from synthcore.studies.percolation.measure import checks
from synthcore.studies.percolation.measure.masses import Kinds, lift, log_odds, masses
from synthcore.studies.percolation.task.grammar import STATES, Group, states, transitions
from synthcore.studies.percolation.task.language import ALTERED, TASKS, Draws, Language, altered
from synthcore.studies.percolation.task.skeletons import Skeletons
from synthcore.studies.percolation.task.vocabulary import FREE, NULL, OUT, PAD
from synthcore.studies.percolation.theory import entropy

SORTS = ("descriptive", "relative")
Values = dict[str, Tensor]


def after_out(lines: Int[Tensor, "M B T"]) -> Bool[Tensor, "M B L"]:
    """Targets (tokens 1..T-1) that belong to the answer."""
    return ((lines == OUT).cumsum(-1) > 0)[..., :-1] & (lines[..., 1:] != PAD)


@torch.no_grad()
def log_probabilities(model: GPT, lines: Int[Tensor, "M B T"]) -> Float[Tensor, "M B L"]:
    """Log probability of every answer token, in its place; 0 elsewhere."""
    logits = model(lines[..., :-1]).float()
    found = logits.gather(-1, lines[..., 1:, None])[..., 0] - logits.logsumexp(-1)
    return found.masked_fill(~after_out(lines), 0.0)


def exact_match(log_p: Float[Tensor, "M B L"]) -> Float[Tensor, "M"]:
    """Expected exact match under sampling at temperature 1: mean probability of whole answers."""
    return log_p.sum(-1).exp().mean(1)


@torch.no_grad()
def write(model: GPT, prompt: Int[Tensor, "M B T"], new: int, draw: Draws) -> Int[Tensor, "M B L"]:
    """Continuations sampled at temperature 1, from every member's own random numbers."""
    cache, given, written = Cache(model, prompt.shape[1]), prompt, []
    for _ in range(new):
        total = model(given, cache=cache)[:, :, -1].float().softmax(-1).cumsum(-1)  # (M, B, V)
        u = draw.uniform(prompt.shape[1], 1) * total[..., -1:]
        given = (total <= u).sum(-1, keepdim=True).clamp(max=total.shape[-1] - 1)
        written.append(given)
    return torch.cat(written, -1)


class Evaluator:
    """Test lines of every member, drawn at the start: `size` of each kind, `samples` to be written.

    Calling it with a model gives a table of measurements; `TABLES` names those that have an axis
    besides the members.
    """

    TABLES: ClassVar[dict[str, tuple[str, tuple[str, ...]]]] = {
        "loss": ("task", TASKS),
        "exact": ("sort", SORTS),
        "token_probability": ("sort", SORTS),
        "log_likelihood": ("altered", ALTERED),
    }

    def __init__(
        self, language: Language, kinds: Kinds, size: int, samples: int, seeds: Sequence[int]
    ) -> None:
        self.language, self.samples, self.seeds = language, samples, tuple(seeds)
        draw, table = Draws(seeds, "test lines", device=language.device), language.skeletons
        self.kinds = Kinds(*(t.to(language.device) for t in vars(kinds).values()))
        self.longest = int(table.length.max())
        self.altered = altered(language, draw.integers(len(table.slots), size), draw)
        row = draw.integers(len(table.slots), size)
        free = language.fill(row, draw)
        self.tasks = {
            task: language.lines(
                task, free if task == "free" else language.sentences(size, draw), draw
            )
            for task in TASKS
        }
        self.entropy = entropy(language, row, free)
        """loss (nats per token) of the language itself, on the lines of free generation"""
        sorts = {
            "descriptive": table.select(table.descriptive & ~table.relative),
            "relative": table.select(table.relative & ~table.descriptive),
        }
        self.sorted = {
            name: language.lines("unscramble", language.sentences(size, draw, None, part), draw)
            for name, part in sorts.items()
        }
        both = table.relative & table.descriptive
        kinds_of_sentence = (table.descriptive & ~both, table.relative & ~both, both)
        self.condition = [self._prompts(which, draw) for which in kinds_of_sentence if which.any()]

    def _prompts(
        self, which: Bool[Tensor, "S"], draw: Draws
    ) -> tuple[Int[Tensor, "M B T"], Int[Tensor, "M B N"]]:
        """Prompts of conditional generation, all of one length, and the words they name."""
        count = max(1, round(self.samples * float(which.double().mean())))
        chosen: Skeletons = self.language.skeletons.select(which)
        sentences = self.language.sentences(count, draw, skeletons=chosen)
        lines = self.language.lines("condition", sentences, draw)
        end = int((lines[0, 0] == OUT).nonzero()[0]) + 1
        return lines[..., :end], lines[..., 1 : end - 1]

    def __call__(self, model: GPT, step: int, met: Bool[Tensor, "M E K"] | None = None) -> Values:
        """All measurements; each (M,) or, for those in `TABLES`, (M, n). `met` are the pairs that
        have stood in one training line so far."""
        draw = Draws(self.seeds, "samples", step, device=self.language.device)
        found = self.samples_of(model, draw) | self.losses(model) | self.syntax(model)
        found |= self.properties(model, met)
        return {name: value.double().cpu() for name, value in found.items()}

    def samples_of(self, model: GPT, draw: Draws) -> Values:
        """From samples: free sentences, and sentences with given words."""
        words, device = self.language.vocabulary, self.language.device
        prompt = torch.tensor([FREE, NULL, OUT], device=device)
        prompt = prompt.expand(self.language.members, self.samples, 3)
        free = write(model, prompt, self.longest, draw)
        reading = checks.read(words, free)
        kept, asked = [], []
        for start, given in self.condition:
            answer = write(model, start, self.longest, draw)
            share, count = checks.kept_words(answer, given)
            kept.append(share / count)
            asked.append((share == count).double())
        return {
            "grammatical": checks.grammatical(words, free).double().mean(1),
            "descriptive": _pool(checks.descriptive(reading)),
            "relative": _pool(checks.relative(words, reading)),
            "conditions": torch.cat(kept, 1).mean(1),
            "all_conditions": torch.cat(asked, 1).mean(1),
        }

    def losses(self, model: GPT) -> Values:
        """From probabilities of given answers: losses, exact match, log likelihoods."""
        losses = []
        for lines in self.tasks.values():
            log_p = log_probabilities(model, lines)
            losses.append(-log_p.sum((1, 2)) / after_out(lines).sum((1, 2)))
        exact, right = [], []
        for lines in self.sorted.values():
            log_p = log_probabilities(model, lines)
            exact.append(exact_match(log_p))
            answer = after_out(lines)
            right.append((log_p.exp() * answer).sum((1, 2)) / answer.sum((1, 2)))
        likely = []
        for sentences in self.altered.values():
            lines = self.language.lines("free", sentences, Draws(self.seeds, "unused"))
            likely.append(log_probabilities(model, lines).sum(-1).mean(1))
        return {
            "loss": torch.stack(losses, -1),
            "excess_loss": losses[0] - self.entropy,
            "exact": torch.stack(exact, -1),
            "token_probability": torch.stack(right, -1),
            "log_likelihood": torch.stack(likely, -1),
        }

    @torch.no_grad()
    def syntax(self, model: GPT) -> Values:
        """Along sentences of the language: probability of a word that the grammar allows
        (`syntax`), and of the right class given a word of its kind, for verbs and objects.
        `syntax_chance` is the share of words that the grammar allows."""
        words = self.language.vocabulary
        lines = self.language.lines("free", self.altered["normal"], Draws(self.seeds, "unused"))
        p = model(lines[..., :-1]).float().softmax(-1)[:, :, 2:]  # of the tokens after <out>
        sentence = lines[..., 3:]
        there = sentence != PAD
        groups = words.groups.to(p.device)
        of_group = p @ torch.nn.functional.one_hot(groups, len(Group)).float()
        table = transitions().to(p.device) != STATES.index("dead")
        table[:, Group.MODIFIER] &= words.adjectives > 0
        allowed = table[states(groups[sentence])[..., :-1]]  # (M, B, L, group)
        sizes = torch.bincount(groups, minlength=len(Group)) / len(groups)

        def mean(values: Tensor, which: Tensor) -> Tensor:
            return (values * which).sum((1, 2)) / which.sum((1, 2))

        reading = checks.read(words, sentence)

        def right(first: int, count: int, blocks: int) -> Tensor:
            by_class = p[..., first : first + count].unflatten(-1, (blocks, -1)).sum(-1)
            own = by_class.gather(-1, reading.kind.clamp(0, blocks - 1)[..., None])[..., 0]
            return own / by_class.sum(-1)

        classes = words.classes
        return {
            "syntax": mean((of_group * allowed).sum(-1), there),
            "syntax_chance": mean((sizes * allowed).sum(-1), there),
            "verb_share": mean(right(words.verb, words.verbs, words.verb_groups), reading.verb),
            "object_share": mean(
                right(words.entity, classes.entities, classes.count), reading.object
            ),
        }

    @torch.no_grad()
    def properties(self, model: GPT, met: Bool[Tensor, "M E K"] | None = None) -> Values:
        """After `entity is`, for every entity: where the probability goes. `never_odds` and
        `never_lift` are of pairs of a class that never stood in one training line, against pairs
        across classes that did not either; `never_left` is their share of a class's other pairs."""
        words, members = self.language.vocabulary, self.language.members
        entity = torch.arange(words.classes.entities, device=self.language.device) + words.entity
        start = torch.tensor([FREE, NULL, OUT], device=entity.device).expand(len(entity), 3)
        link = torch.full_like(entity, words.link)
        prefix = torch.cat([start, entity[:, None], link[:, None]], -1).expand(members, -1, -1)
        p = model(prefix)[:, :, -1].float().softmax(-1)[..., words.descriptors]  # (M, E, K)
        same, edge = self.kinds.same, self.kinds.edge
        free = ~edge if met is None else ~edge & ~met.to(p.device)
        held, other = same & free, ~same & free
        return masses(p, self.kinds) | {
            "descriptor_mass": p.sum(-1).mean(1),
            "valid_probability": (p * same).sum((1, 2)) / same.sum((1, 2)),
            "never_odds": log_odds(p, held, other),
            "never_lift": lift(p, held, other),
            "never_left": held.sum((1, 2)) / (same & ~edge).sum((1, 2)),
        }


def _pool(counts: tuple[Tensor, Tensor]) -> Float[Tensor, "M"]:
    """Share over all samples of a member; nan if there is nothing to be right about."""
    return counts[0].sum(1) / counts[1].sum(1)

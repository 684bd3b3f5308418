"""Everything that is measured at a checkpoint, on sets drawn once.

What can be computed from probabilities is: exact match, for one, is the probability that sampling
writes the target, and needs no samples. Samples (temperature 1, as in the paper) are taken where
only they will do.

Axis letters: M member, B lines, T tokens, L tokens of an answer, V vocabulary, E entities, K
properties.
"""

from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.studies.percolation import checks
from synthcore.studies.percolation.altered import ALTERED, altered
from synthcore.studies.percolation.exact import floor
from synthcore.studies.percolation.grammar import STATES, Grammar, Group, states, transitions
from synthcore.studies.percolation.pairs import Kinds, masses
from synthcore.studies.percolation.skeletons import Skeletons
from synthcore.studies.percolation.task import TASKS, Language, Prior
from synthcore.studies.percolation.vocabulary import FREE, NULL, OUT, PAD, UNSCRAMBLE
from synthcore.training.generate import generate

SORTS = ("descriptive", "relative")
Values = dict[str, Tensor]


def after_out(lines: Int[Tensor, "M B T"]) -> Bool[Tensor, "M B L"]:
    """Targets (tokens 1..T-1) that belong to the answer."""
    return ((lines == OUT).cumsum(-1) > 0)[..., :-1] & (lines[..., 1:] != PAD)


@torch.no_grad()
def log_probabilities(model: GPT, lines: Int[Tensor, "M B T"]) -> Float[Tensor, "M B L"]:
    """Log probability of every answer token, in its place; 0 elsewhere."""
    logits = model(lines[..., :-1]).float().log_softmax(-1)
    found = logits.gather(-1, lines[..., 1:, None])[..., 0]
    return found.masked_fill(~after_out(lines), 0.0)


def exact(log_p: Float[Tensor, "M B L"]) -> Float[Tensor, "M"]:
    """Expected exact match under sampling at temperature 1: mean probability of whole answers."""
    return log_p.sum(-1).exp().mean(1)


class Examination:
    """Test lines of every member, drawn at the start: `size` of each kind, `samples` to be written.

    Calling it with a model gives a table of measurements; `TABLES` names those that have an axis
    besides the members.
    """

    TABLES: ClassVar[dict[str, tuple[str, tuple[str, ...]]]] = {
        "loss": ("task", TASKS),
        "exact": ("sort", SORTS),
        "token_probability": ("sort", SORTS),
        "log_likelihood": ("altered", ALTERED),
        "exact_altered": ("prior", ("uniform", "hidden")),
    }

    def __init__(
        self,
        language: Language,
        kinds: Kinds,
        grammar: Grammar,
        size: int,
        samples: int,
        seed: int,
    ) -> None:
        self.language, self.samples = language, samples
        self.generator = torch.Generator(language.device).manual_seed(seed)
        self.kinds = Kinds(*(t.to(language.device) for t in vars(kinds).values()))
        draw, table = self.generator, language.skeletons
        self.longest = int(table.length.max())
        row = torch.randint(
            len(table.slots), (language.members, size), generator=draw, device=language.device
        )
        self.altered = altered(language, row, draw)
        self.tasks = {t: language.lines(t, language.sentences(size, draw), draw) for t in TASKS}
        written = self.tasks["free"][..., 3:]
        self.floor = floor(language, grammar, self.longest, written)
        """loss (nats per token) of the language itself, on the lines of free generation"""
        sorts = {
            "descriptive": table.select(table.descriptive & ~table.relative),
            "relative": table.select(table.relative & ~table.descriptive),
        }
        self.sorted = {name: self._scrambled(size, part) for name, part in sorts.items()}
        self.hard = {
            name: self._scrambled(size, sorts["descriptive"], Prior(descriptors=name))
            for name in ("uniform", "hidden")
        }
        lengths = [table.length == n for n in table.length.unique().tolist()]
        self.unscramble = self._prompts("unscramble", lengths)
        both = table.relative & table.descriptive
        one = (table.descriptive & ~both, table.relative & ~both, both)
        self.condition = self._prompts("condition", [part for part in one if bool(part.any())])
        self.property = self._properties()

    def _scrambled(self, size: int, part: Skeletons, prior: Prior | None = None) -> Tensor:
        sentences = self.language.sentences(size, self.generator, prior, part)
        return self.language.lines("unscramble", sentences, self.generator)

    def _prompts(
        self, task: str, parts: list[Bool[Tensor, "S"]]
    ) -> list[tuple[Int[Tensor, "M B T"], Int[Tensor, "M B N"], Int[Tensor, "M B L"]]]:
        """Prompt, given words and sentence in groups whose prompts have one length each."""
        out = []
        for part in parts:
            count = max(1, round(self.samples * float(part.double().mean())))
            chosen = self.language.skeletons.select(part)
            sentences = self.language.sentences(count, self.generator, skeletons=chosen)
            lines = self.language.lines(task, sentences, self.generator)
            end = int((lines[0, 0] == OUT).nonzero()[0]) + 1
            out.append((lines[..., :end], lines[..., 1 : end - 1], sentences))
        return out

    def _properties(self) -> Int[Tensor, "M E 8"]:
        """For every entity a scrambled `entity is property`, the property any of its class."""
        words, classes = self.language.vocabulary, self.language.vocabulary.classes
        members, of_class = self.language.members, classes.properties // classes.count
        device = self.language.device
        entity = torch.arange(classes.entities, device=device).expand(members, -1)
        u = torch.randint(of_class, entity.shape, generator=self.generator, device=device)
        group = classes.of_entity.to(device) * of_class
        triple = torch.stack(
            [
                entity + words.entity,
                torch.full_like(entity, words.link),
                words.descriptor + group + u,
            ],
            -1,
        )
        keys = torch.rand(triple.shape, generator=self.generator, device=device)
        ends = torch.ones_like(triple[..., :1])
        return torch.cat(
            [
                UNSCRAMBLE * ends,
                triple.gather(-1, keys.argsort(-1)),
                OUT * ends,
                triple,
            ],
            -1,
        )

    def __call__(self, model: GPT) -> Values:
        """All measurements; each (M,) or, for those in `TABLES`, (M, n)."""
        out: Values = {}
        for part in (self.written, self.forced, self.syntax, self.valid):
            out.update(part(model))
        return {name: value.double().cpu() for name, value in out.items()}

    def write(self, model: GPT, prompt: Int[Tensor, "M B T"], new: int) -> Int[Tensor, "M B L"]:
        """Sampled continuations."""
        out = generate(model, prompt, new, generator=self.generator)
        return out[..., prompt.shape[-1] :]

    def written(self, model: GPT) -> Values:
        """From samples: free sentences, unscrambled ones, and those with given words."""
        words, device = self.language.vocabulary, self.language.device
        prompt = torch.tensor([FREE, NULL, OUT], device=device)
        free = self.write(
            model, prompt.expand(self.language.members, self.samples, 3), self.longest
        )
        reading = checks.read(words, free)
        out = {
            "grammatical": checks.grammatical(words, free).double().mean(1),
            "descriptive": _pool(checks.descriptive(reading)),
            "relative": _pool(checks.relative(words, reading)),
            "typed": (checks.typed(words, free) & checks.grammatical(words, free)).double().mean(1),
        }
        match, valid, whole = [], [], []
        for start, _, target in self.unscramble:
            answer = self.write(model, start, target.shape[-1])
            match.append((answer == target).double().mean(-1))
            whole.append((answer == target).all(-1).double())
            right = checks.grammatical(words, answer) & checks.typed(words, answer)
            valid.append((right & checks.same_words(answer, target)).double())
        kept, asked = [], []
        for start, given, _ in self.condition:
            answer = self.write(model, start, self.longest)
            share, count = checks.kept_words(answer, given)
            kept.append(share / count)
            asked.append((share == count).double())
        out["tokens"] = torch.cat(match, 1).mean(1)
        out["exact_sampled"] = torch.cat(whole, 1).mean(1)
        out["rearranged"] = torch.cat(valid, 1).mean(1)
        out["conditions"] = torch.cat(kept, 1).mean(1)
        out["all_conditions"] = torch.cat(asked, 1).mean(1)
        return out

    def forced(self, model: GPT) -> Values:
        """From probabilities of given answers: losses, exact match, log likelihoods."""
        out: Values = {}
        losses = []
        for lines in self.tasks.values():
            log_p = log_probabilities(model, lines)
            losses.append(-log_p.sum((1, 2)) / after_out(lines).sum((1, 2)))
        out["loss"] = torch.stack(losses, -1)
        out["excess_loss"] = losses[0] - self.floor
        found = {name: log_probabilities(model, lines) for name, lines in self.sorted.items()}
        out["exact"] = torch.stack([exact(found[name]) for name in SORTS], -1)
        out["token_probability"] = torch.stack(
            [
                (found[name].exp() * after_out(self.sorted[name])).sum((1, 2))
                / after_out(self.sorted[name]).sum((1, 2))
                for name in SORTS
            ],
            -1,
        )
        out["exact_altered"] = torch.stack(
            [exact(log_probabilities(model, lines)) for lines in self.hard.values()], -1
        )
        likely = []
        for sentences in self.altered.values():
            lines = self.language.lines("free", sentences, self.generator)
            likely.append(log_probabilities(model, lines).sum(-1).mean(1))
        out["log_likelihood"] = torch.stack(likely, -1)
        return out

    @torch.no_grad()
    def syntax(self, model: GPT) -> Values:
        """Along sentences of the language: probability of a word that the grammar allows
        (`syntax`), and of the right class given a word of its kind, for verbs and objects."""
        words = self.language.vocabulary
        lines = self.language.lines("free", self.altered["normal"], self.generator)
        p = model(lines[..., :-1]).float().softmax(-1)[:, :, 2:]  # of the tokens after <out>
        sentence = lines[..., 3:]
        there = sentence != PAD
        groups = words.groups.to(p.device)
        of_group = p @ torch.nn.functional.one_hot(groups, len(Group)).float()
        table = transitions().to(p.device) != STATES.index("dead")
        table[:, Group.MODIFIER] &= words.adjectives > 0
        state = states(groups[sentence])[..., :-1]
        allowed = (of_group * table[state]).sum(-1)
        out: Values = {"syntax": (allowed * there).sum((1, 2)) / there.sum((1, 2))}
        reading = checks.read(words, sentence)
        for name, which, first, count, blocks in (
            ("verb_share", reading.verb, words.verb, words.verbs, words.verb_groups),
            (
                "object_share",
                reading.object,
                words.entity,
                words.classes.entities,
                words.classes.count,
            ),
        ):
            by_class = p[..., first : first + count].unflatten(-1, (blocks, -1)).sum(-1)
            right = by_class.gather(-1, reading.kind.clamp(0, blocks - 1)[..., None])[..., 0]
            share = right / by_class.sum(-1)
            out[name] = (share * which).sum((1, 2)) / which.sum((1, 2))
        return out

    @torch.no_grad()
    def valid(self, model: GPT) -> Values:
        """`entity is ...`, for every entity: where the probability goes, free and unscrambling."""
        words, classes = self.language.vocabulary, self.language.vocabulary.classes
        free = torch.tensor([FREE, NULL, OUT], device=self.property.device)
        start = free.expand(*self.property.shape[:2], 3)
        prefix = torch.cat([start, self.property[..., 5:7]], -1)
        log_p = model(prefix)[:, :, -1].float().log_softmax(-1)
        p = log_p.exp()[..., words.descriptors]
        out = masses(p, self.kinds)
        same = self.kinds.same
        out["descriptor_mass"] = p.sum(-1).mean(1)
        out["valid_probability"] = (p * same).sum((1, 2)) / same.sum((1, 2))
        out["valid_log_loss"] = -(log_p[..., words.descriptors] * same).sum((1, 2)) / same.sum(
            (1, 2)
        )
        asked = self.property[..., 7:]
        chance = log_p.gather(-1, asked)
        of_class = classes.properties // classes.count
        rank = (log_p > chance).sum(-1) + 1
        out["valid_rank"] = rank.double().mean(1) / of_class
        out["valid_reciprocal_rank"] = (1 / rank.double()).mean(1)
        out["valid_hit"] = (rank <= 1.5 * of_class).double().mean(1)
        told = model(self.property[..., :-1])[:, :, -1].float().softmax(-1).gather(-1, asked)
        out["told_probability"] = told.mean((1, 2))
        return out


def _pool(counts: tuple[Tensor, Tensor]) -> Float[Tensor, "M"]:
    """Share over all samples of a member; nan if there is nothing to be right about."""
    return counts[0].sum(1) / counts[1].sum(1)

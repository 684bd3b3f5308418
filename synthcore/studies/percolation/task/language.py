"""Sentences of the language and the three tasks: write one, put one in order, use given words.

Every sentence has one class of subjects. Each descriptor is an edge of the last subject before it;
a verb's group goes with the class of the subjects and sets the class of the objects. A line is

    <free> <null> <out> sentence <eos>
    <unscramble> the sentence's words in random order <out> sentence <eos>
    <condition> one word of each kind that occurs <out> sentence <eos>

Axis letters: M member, B batch, L slots of a sentence, T tokens of a line, N given words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.studies.percolation.task.grammar import Group, Slot
from synthcore.studies.percolation.task.skeletons import Skeletons
from synthcore.studies.percolation.task.vocabulary import (
    CONDITION,
    CONJUNCTIONS,
    EOS,
    FREE,
    LINKS,
    NULL,
    OUT,
    PAD,
    PREPOSITION_SHARES,
    UNSCRAMBLE,
    ConstraintGraph,
    Edges,
    Vocabulary,
)
from synthcore.training.seeding import seeded

Values = Literal["shown", "uniform", "hidden", "any"]
TASKS = ("free", "unscramble", "condition")
TASK_TOKENS = {"free": FREE, "unscramble": UNSCRAMBLE, "condition": CONDITION}


@dataclass(frozen=True)
class Prior:
    """Where words are drawn from. Descriptors: edges of the subject (`shown`), all of its class
    (`uniform`), those of its class that are no edge (`hidden`), or `any`. Relations: verbs and
    objects fit the subject, or are any."""

    descriptors: Values = "shown"
    relations: Literal["fitting", "any"] = "fitting"


class Draws:
    """Random numbers of every member, each from the stream that its seed and `key` name, so that a
    member's sentences do not depend on its neighbours."""

    def __init__(
        self, seeds: Sequence[int], *key: int | str, device: torch.device | str = "cpu"
    ) -> None:
        self.generators = [seeded(seed, *key) for seed in seeds]
        self.device = torch.device(device)

    def uniform(self, *shape: int) -> Float[Tensor, "M *shape"]:
        """Uniform in [0, 1)."""
        drawn = [torch.rand(shape, generator=generator) for generator in self.generators]
        return torch.stack(drawn).to(self.device)

    def integers(self, below: int, *shape: int) -> Int[Tensor, "M *shape"]:
        """Whole numbers from 0 to `below` - 1."""
        drawn = [torch.randint(below, shape, generator=g) for g in self.generators]
        return torch.stack(drawn).to(self.device)


class Language:
    """Sentences of all members, each with a constraint graph of its own. Their skeletons are drawn
    from one table, which belongs to the language as its grammar does."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        graphs: Sequence[ConstraintGraph],
        skeletons: Skeletons,
        device: torch.device | str = "cpu",
    ) -> None:
        self.vocabulary, self.members = vocabulary, len(graphs)
        self.edges = Edges.of(graphs, device)
        self.skeletons = Skeletons(skeletons.slots.to(device))
        self.device = torch.device(device)
        self._words = {
            relations: tuple(t.to(device) for t in self._blocks(relations))
            for relations in ("fitting", "any")
        }

    def _blocks(self, relations: str) -> tuple[Int[Tensor, "slot C"], Float[Tensor, "slot C"]]:
        """First token and number of words of each slot, for each class of subjects. Prepositions
        count as ten words, of unequal shares; descriptors as none."""
        v, n, classes = self.vocabulary, self.vocabulary.adjectives, self.vocabulary.classes
        half, entities = v.verb_groups, classes.entities // classes.count
        verbs = v.verbs // half
        first, count = torch.zeros(2, len(Slot), classes.count, dtype=torch.long)
        group = torch.arange(classes.count)
        for slot, start, words in (
            (Slot.EOS, EOS, 1),
            (Slot.CONJUNCTION, v.conjunction, len(CONJUNCTIONS)),
            (Slot.LINK, v.link, len(LINKS)),
            (Slot.PREPOSITION, 0, len(PREPOSITION_SHARES)),
            (Slot.ENTITY_ADJECTIVE, v.entity_adjective, n),
            (Slot.DESCRIPTOR_ADJECTIVE, v.descriptor_adjective, n),
            (Slot.ADVERB, v.adverb, n),
            (Slot.SUBJECT, v.entity + group * entities, entities),
            (Slot.OBJECT, v.entity + (group % half + half) * entities, entities),
            (Slot.VERB, v.verb + group % half * verbs, verbs),
        ):
            first[slot], count[slot] = start, words
        if relations == "any":
            first[Slot.OBJECT], count[Slot.OBJECT] = v.entity, classes.entities
            first[Slot.VERB], count[Slot.VERB] = v.verb, v.verbs
        return first, count.float()

    def sentences(
        self,
        batch: int,
        draw: Draws,
        prior: Prior | None = None,
        skeletons: Skeletons | None = None,
    ) -> Int[Tensor, "M B L"]:
        """Sentences with eos, padded: skeletons at random from the table, then filled."""
        table = skeletons or self.skeletons
        return self.fill(draw.integers(len(table.slots), batch), draw, prior, table)

    def fill(
        self,
        row: Int[Tensor, "M B"],
        draw: Draws,
        prior: Prior | None = None,
        skeletons: Skeletons | None = None,
    ) -> Int[Tensor, "M B L"]:
        """Words for these rows of the table."""
        prior, table = prior or Prior(), skeletons or self.skeletons
        words, classes = self.vocabulary, self.vocabulary.classes.count
        slots = table.slots[row]
        u = draw.uniform(*slots.shape[1:])
        of_all = draw.integers(classes, *row.shape[1:])
        group = torch.where(table.relative[row], of_all % words.verb_groups, of_all)
        first, count = self._words[prior.relations]
        kind = slots * classes + group[..., None]
        out = first.take(kind) + (u * count.take(kind)).long()

        at = (slots == Slot.PREPOSITION).nonzero(as_tuple=True)
        shares = torch.tensor(PREPOSITION_SHARES, device=self.device)
        out[at] = words.preposition + shares[out[at]]
        at = (slots == Slot.DESCRIPTOR).nonzero(as_tuple=True)
        governor = out.gather(-1, table.last_subject[row][..., None])[..., 0] - words.entity
        out[at] = words.descriptor + self._properties(at[0], governor[at[:2]], u[at], prior)
        return out

    def _properties(self, member: Tensor, entity: Tensor, u: Tensor, prior: Prior) -> Tensor:
        """A property for each of these entities, by the uniform numbers u."""
        classes = self.vocabulary.classes
        if prior.descriptors == "any":
            return (u * classes.properties).long()
        if prior.descriptors == "uniform":
            of_class = classes.properties // classes.count
            group = entity // (classes.entities // classes.count)
            return group * of_class + (u * of_class).long()
        lists, degrees = (
            (self.edges.shown, self.edges.degree)
            if prior.descriptors == "shown"
            else (self.edges.hidden, self.edges.hidden_degree)
        )
        return lists[member, entity, (u * degrees[member, entity]).long()]

    def lines(
        self, task: str, sentences: Int[Tensor, "M B L"], draw: Draws
    ) -> Int[Tensor, "M B T"]:
        """Prompt and sentence of one task."""
        given, count = self.given(task, sentences, draw)
        return compose(TASK_TOKENS[task], given, count, sentences)

    def given(
        self, task: str, sentences: Int[Tensor, "M B L"], draw: Draws
    ) -> tuple[Int[Tensor, "M B N"], Int[Tensor, "M B"]]:
        """The words that a prompt names, in random order, padded; and how many."""
        if task == "free":
            null = torch.full_like(sentences[..., :1], NULL)
            return null, torch.ones_like(null[..., 0])
        keys = draw.uniform(*sentences.shape[1:])
        named = (sentences != PAD) & (sentences != EOS)
        if task == "condition":
            named = self._one_of_each(sentences, keys)
            keys = draw.uniform(*sentences.shape[1:])
        order = keys.masked_fill(~named, 2.0).argsort(-1)
        count = named.sum(-1)
        given = sentences.gather(-1, order)[..., : int(count.max())]
        behind = torch.arange(given.shape[-1], device=self.device) >= count[..., None]
        return given.masked_fill(behind, PAD), count

    def _one_of_each(self, sentences: Int[Tensor, "M B L"], keys: Tensor) -> Bool[Tensor, "M B L"]:
        """One place at random of every kind that occurs: subject, object, verb, descriptor."""
        groups = self.vocabulary.groups.to(self.device)[sentences]
        head = ((groups == Group.LINK) | (groups == Group.VERB)).cumsum(-1) == 0
        entity = groups == Group.ENTITY
        chosen = torch.zeros_like(entity)
        for kind in (
            entity & head,
            entity & ~head,
            groups == Group.VERB,
            groups == Group.DESCRIPTOR,
        ):
            best = keys.masked_fill(~kind, -1.0).argmax(-1, keepdim=True)
            chosen |= torch.zeros_like(kind).scatter(-1, best, True) & kind
        return chosen


def last_subject(
    subject: Bool[Tensor, "*B L"], sentences: Int[Tensor, "*B L"]
) -> Int[Tensor, "*B 1"]:
    """The last word that is a subject, of each sentence."""
    place = torch.arange(subject.shape[-1], device=subject.device)
    last = torch.where(subject, place, -1).amax(-1, keepdim=True)
    return sentences.gather(-1, last.clamp(min=0))


def compose(
    task: int,
    given: Int[Tensor, "M B N"],
    count: Int[Tensor, "M B"],
    sentences: Int[Tensor, "M B L"],
) -> Int[Tensor, "M B T"]:
    """`task given <out> sentence`, padded.

    >>> one = torch.tensor([[[20, 21, EOS]]])
    >>> compose(UNSCRAMBLE, one[..., [1, 0]], torch.tensor([[2]]), one).tolist()
    [[[3, 21, 20, 6, 20, 21, 1]]]
    """
    length = (sentences != PAD).sum(-1)
    total = int((count + length).max()) + 2
    place = torch.arange(total, device=sentences.device).expand(*count.shape, total)
    n = count[..., None]
    out = torch.full_like(place, PAD)
    of_given = (place >= 1) & (place <= n)
    out = torch.where(of_given, given.gather(-1, (place - 1).clamp(0, given.shape[-1] - 1)), out)
    at = place - n - 2
    written = sentences.gather(-1, at.clamp(0, sentences.shape[-1] - 1))
    out = torch.where((at >= 0) & (at < length[..., None]), written, out)
    out = torch.where(place == n + 1, OUT, out)
    out[..., 0] = task
    return out


class LineSampler:
    """Batches of lines with fixed shares of the three tasks, split by length.

    Lines of similar length share a group, so that little is spent on padding; the groups together
    are one batch. It depends on seeds, condition and step alone, so that a training can go on
    anywhere.
    """

    def __init__(
        self,
        language: Language,
        shares: Sequence[float],
        batch: int,
        seeds: Sequence[int],
        condition: str = "",
        groups: int = 3,
    ) -> None:
        self.language, self.groups = language, groups
        self.seeds, self.condition = tuple(seeds), condition
        edges = [round(batch * sum(shares[:i]) / sum(shares)) for i in range(len(TASKS) + 1)]
        self.counts = [b - a for a, b in pairwise(edges)]

    def __call__(self, step: int) -> tuple[Int[Tensor, "M _ _"], ...]:
        """The batch of a step: lines in `groups` groups, each padded to its longest."""
        device, parts = self.language.device, []
        draw = Draws(self.seeds, "lines", self.condition, step, device=device)
        for task, count in zip(TASKS, self.counts, strict=True):
            if count:
                sentences = self.language.sentences(count, draw)
                parts.append(self.language.lines(task, sentences, draw))
        return by_length(parts, self.groups)


def by_length(parts: Sequence[Int[Tensor, "M _ _"]], groups: int) -> tuple[Tensor, ...]:
    """All lines, sorted by length within each member and cut into groups of nearly equal size."""
    longest = max(part.shape[-1] for part in parts)
    whole = torch.cat(
        [torch.nn.functional.pad(part, (0, longest - part.shape[-1])) for part in parts], 1
    )
    length = (whole != PAD).sum(-1)
    order = length.argsort(1)
    whole = whole.gather(1, order[..., None].expand_as(whole))
    longest_of = length.gather(1, order).amax(0)
    size = -(-whole.shape[1] // groups)
    return tuple(
        whole[:, i : i + size, : int(longest_of[i : i + size].max())]
        for i in range(0, whole.shape[1], size)
    )


# --- sentences with something changed ------------------------------------------------------------

# What is drawn otherwise; all others are as in training.
PRIORS = {
    "normal": Prior(),
    "hidden": Prior(descriptors="hidden"),
    "descriptors": Prior(descriptors="any"),
    "relations": Prior(relations="any"),
}
ALTERED = (*PRIORS, "order")


def altered(
    language: Language, row: Int[Tensor, "M B"], draw: Draws
) -> dict[str, Int[Tensor, "M B L"]]:
    """One set of sentences per entry of `ALTERED`, all on these rows of the
    table of skeletons.

    `hidden` (properties of the class that are no edges) and `order` are the released code's
    adversarial and randomised-order sets; `descriptors` and `relations` break one kind of type
    constraint only.
    """
    sets = {name: language.fill(row, draw, prior) for name, prior in PRIORS.items()}
    sets["order"] = shuffled(sets["normal"], draw)
    return sets


def shuffled(sentences: Int[Tensor, "M B L"], draw: Draws) -> Int[Tensor, "M B L"]:
    """The words of every sentence in random order, eos at its end."""
    words = (sentences != PAD) & (sentences != EOS)
    place = torch.arange(sentences.shape[-1], device=sentences.device)
    keys = draw.uniform(*sentences.shape[1:])
    keys = torch.where(words, keys, 1.0 + place)
    return sentences.gather(-1, keys.argsort(-1))

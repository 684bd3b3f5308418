"""What is right about a sentence: its types, its words, its order. Counts, so that samples pool.

Axis letters: B sentences (any leading axes), T and U tokens, N given words. Everything behind the
first eos is ignored.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.percolation.task.grammar import Group, accepts
from synthcore.studies.percolation.task.vocabulary import EOS, PAD, Vocabulary


@dataclass(frozen=True)
class Reading:
    """Where the words of each sentence stand. Entities before the first verb or linking verb are
    subjects, the others objects."""

    subject: Bool[Tensor, "*B T"]
    object: Bool[Tensor, "*B T"]
    verb: Bool[Tensor, "*B T"]
    descriptor: Bool[Tensor, "*B T"]
    kind: Int[Tensor, "*B T"]
    """class of entities and descriptors, group of verbs"""


def cut(tokens: Int[Tensor, "*B T"]) -> Int[Tensor, "*B T"]:
    """The same with padding behind the first eos."""
    ended = (tokens == EOS).cumsum(-1) - (tokens == EOS).long() > 0
    return tokens.masked_fill(ended, PAD)


def read(words: Vocabulary, tokens: Int[Tensor, "*B T"]) -> Reading:
    """Subjects, objects, verbs and descriptors of sentences, grammatical or not."""
    tokens = cut(tokens)
    groups = words.groups.to(tokens.device)[tokens]
    head = ((groups == Group.LINK) | (groups == Group.VERB)).cumsum(-1) == 0
    entity = groups == Group.ENTITY
    return Reading(
        entity & head,
        entity & ~head,
        groups == Group.VERB,
        groups == Group.DESCRIPTOR,
        words.kinds.to(tokens.device)[tokens],
    )


def grammatical(words: Vocabulary, tokens: Int[Tensor, "*B T"]) -> Bool[Tensor, "*B"]:
    """Accepted by the automaton."""
    return accepts(words.groups.to(tokens.device)[tokens])


def descriptive(reading: Reading) -> tuple[Int[Tensor, "*B"], Int[Tensor, "*B"]]:
    """Descriptors whose class is that of the last subject before them, and all descriptors."""
    place = torch.arange(reading.kind.shape[-1], device=reading.kind.device)
    last = torch.where(reading.subject, place, -1).cummax(-1).values
    governor = reading.kind.gather(-1, last.clamp(min=0))
    right = reading.descriptor & (last >= 0) & (governor == reading.kind)
    return right.sum(-1), reading.descriptor.sum(-1)


def relative(words: Vocabulary, reading: Reading) -> tuple[Int[Tensor, "*B"], Int[Tensor, "*B"]]:
    """Verbs whose group fits every subject and every object of the sentence, and all verbs."""

    def only(which: Tensor) -> Tensor:
        """The one class of these words; -1 if there are none or several."""
        low = reading.kind.masked_fill(~which, 1 << 30).amin(-1)
        high = reading.kind.masked_fill(~which, -1).amax(-1)
        return torch.where(low == high, low, -1)

    subjects, objects = only(reading.subject)[..., None], only(reading.object)[..., None]
    fits = (subjects == reading.kind) & (objects == reading.kind + words.verb_groups)
    return (reading.verb & fits).sum(-1), reading.verb.sum(-1)


def modifiers(
    words: Vocabulary, tokens: Int[Tensor, "*B T"]
) -> tuple[Int[Tensor, "*B"], Int[Tensor, "*B"]]:
    """Optional words that stand before a word of their kind, and all of them."""
    tokens = cut(tokens)
    following = words.groups.to(tokens.device)[tokens].roll(-1, -1)
    following[..., -1] = Group.OTHER
    right, count = torch.zeros(2, *tokens.shape[:-1], dtype=torch.long, device=tokens.device)
    for first, group in (
        (words.entity_adjective, Group.ENTITY),
        (words.descriptor_adjective, Group.DESCRIPTOR),
        (words.adverb, Group.VERB),
    ):
        these = (tokens >= first) & (tokens < first + words.adjectives)
        right = right + (these & (following == group)).sum(-1)
        count = count + these.sum(-1)
    return right, count


def typed(words: Vocabulary, tokens: Int[Tensor, "*B T"]) -> Bool[Tensor, "*B"]:
    """Every type constraint of the sentence holds, those of optional words included."""
    reading = read(words, tokens)
    parts = (descriptive(reading), relative(words, reading), modifiers(words, tokens))
    whole = torch.ones_like(parts[0][0], dtype=torch.bool)
    for right, count in parts:
        whole = whole & (right == count)
    return whole


def same_words(a: Int[Tensor, "*B T"], b: Int[Tensor, "*B U"]) -> Bool[Tensor, "*B"]:
    """Whether two sentences have the same words, each as often."""
    longest = max(a.shape[-1], b.shape[-1])
    both = [torch.nn.functional.pad(cut(x), (0, longest - x.shape[-1])) for x in (a, b)]
    return (both[0].sort(-1).values == both[1].sort(-1).values).all(-1)


def kept_words(
    tokens: Int[Tensor, "*B T"], given: Int[Tensor, "*B N"]
) -> tuple[Int[Tensor, "*B"], Int[Tensor, "*B"]]:
    """Given words that the sentence has (equal tokens; nothing for an empty one), and all given.

    >>> kept_words(torch.tensor([[12, 13, EOS, 14]]), torch.tensor([[12, 14, PAD]]))
    (tensor([1]), tensor([2]))
    """
    present = (cut(tokens)[..., None, :] == given[..., :, None]).any(-1)
    asked = given != PAD
    return (present & asked).sum(-1), asked.sum(-1)

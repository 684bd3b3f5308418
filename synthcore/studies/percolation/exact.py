"""The exact probability of a sentence, words included: no network can have a lower loss.

Axis letters: M member, B sentences, L slots.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.percolation.checks import read
from synthcore.studies.percolation.grammar import (
    DESCRIPTIVE,
    MORE_OBJECTS,
    Grammar,
    Group,
    joined,
    length_probabilities,
)
from synthcore.studies.percolation.task import Language, last_subject
from synthcore.studies.percolation.vocabulary import (
    CONJUNCTIONS,
    LINKS,
    PAD,
    PREPOSITION_SHARES,
    PREPOSITIONS,
)


def log_probability(
    language: Language, grammar: Grammar, longest: int, sentences: Int[Tensor, "M B L"]
) -> Float[Tensor, "M B"]:
    """log P(sentence) for sentences of the language, in nats; float64. Sentences of more than
    `longest` tokens are never written."""
    words = language.vocabulary
    groups = words.groups.to(sentences.device)[sentences]
    reading = read(words, sentences)
    half, entities = words.verb_groups, words.classes.entities // words.classes.count

    def count(which: Tensor) -> Tensor:
        return which.sum(-1).double()

    subjects, objects = count(reading.subject), count(reading.object)
    verbs, descriptors = count(reading.verb), count(reading.descriptor)
    parts = torch.tensor(
        [-math.inf, *(math.log(joined(n)) for n in range(1, longest + 1))], dtype=torch.float64
    ).to(sentences.device)
    total = parts[subjects.long()] + parts[(verbs + descriptors).long()]
    total = total + descriptors * math.log(DESCRIPTIVE) + verbs * math.log(1 - DESCRIPTIVE)
    total = total + verbs * math.log(1 - MORE_OBJECTS) + (objects - verbs) * math.log(MORE_OBJECTS)
    for chance, first, places in (
        (grammar.entity, words.entity_adjective, subjects + objects),
        (grammar.descriptor, words.descriptor_adjective, descriptors),
        (grammar.verb, words.adverb, verbs),
    ):
        if chance:
            used = count((sentences >= first) & (sentences < first + words.adjectives))
            total = total + used * math.log(chance / words.adjectives)
            total = total + (places - used) * math.log(1 - chance)
    total = total - math.log(length_probabilities(grammar, longest).sum())

    total = total - count(groups == Group.CONJUNCTION) * math.log(len(CONJUNCTIONS))
    total = total - count(groups == Group.LINK) * math.log(len(LINKS))
    for i in range(len(PREPOSITIONS)):
        chance = PREPOSITION_SHARES.count(i) / len(PREPOSITION_SHARES)
        total = total + count(sentences == words.preposition + i) * math.log(chance)
    classes = torch.where(verbs > 0, half, words.classes.count).double()
    total = total - classes.log() - (subjects + objects) * math.log(entities)
    total = total - verbs * math.log(words.verbs / half)
    member = torch.arange(len(sentences), device=sentences.device)[:, None]
    entity = last_subject(reading.subject, sentences)[..., 0] - words.entity
    return total - descriptors * language.edges.degree[member, entity].double().log()


def floor(
    language: Language, grammar: Grammar, longest: int, sentences: Int[Tensor, "M B L"]
) -> Float[Tensor, "M"]:
    """Loss (nats per token) of the language itself on these sentences."""
    tokens = (sentences != PAD).sum((1, 2))
    return -log_probability(language, grammar, longest, sentences).sum(1) / tokens

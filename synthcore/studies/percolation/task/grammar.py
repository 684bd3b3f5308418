"""The syntax: a small probabilistic grammar whose language is regular, so that all is exact.

Subjects come first, joined by conjunctions. Then come units, joined by conjunctions: a linking verb
and a descriptor, or a verb, a preposition and objects joined by conjunctions. The grammar is
ambiguous (`VP -> VP Conj VP`), but the set of its sentences is `subj (Conj subj)* U (Conj U)* eos`
with `U = link desc | verb prep obj (Conj obj)*`; an automaton accepts it, and a sentence's
probability is a Catalan number of equal derivations.

Both published versions share these rules and differ in the optional words before values only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import comb

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

JOIN, MORE_OBJECTS, DESCRIPTIVE = 0.2, 0.3, 0.5  # of NP and VP; of relNP; of a single unit


class Group(IntEnum):
    """What kind of word a token is. Only the last eight can stand in a sentence."""

    OTHER = 0
    EOS = 1
    CONJUNCTION = 2
    LINK = 3
    PREPOSITION = 4
    MODIFIER = 5
    VERB = 6
    ENTITY = 7
    DESCRIPTOR = 8


class Slot(IntEnum):
    """A place of a sentence before words are filled in; PAD is behind its end."""

    PAD = 0
    EOS = 1
    CONJUNCTION = 2
    LINK = 3
    PREPOSITION = 4
    ENTITY_ADJECTIVE = 5
    DESCRIPTOR_ADJECTIVE = 6
    ADVERB = 7
    VERB = 8
    SUBJECT = 9
    OBJECT = 10
    DESCRIPTOR = 11


GROUP_OF = {
    Slot.PAD: Group.OTHER,
    Slot.EOS: Group.EOS,
    Slot.CONJUNCTION: Group.CONJUNCTION,
    Slot.LINK: Group.LINK,
    Slot.PREPOSITION: Group.PREPOSITION,
    Slot.ENTITY_ADJECTIVE: Group.MODIFIER,
    Slot.DESCRIPTOR_ADJECTIVE: Group.MODIFIER,
    Slot.ADVERB: Group.MODIFIER,
    Slot.VERB: Group.VERB,
    Slot.SUBJECT: Group.ENTITY,
    Slot.OBJECT: Group.ENTITY,
    Slot.DESCRIPTOR: Group.DESCRIPTOR,
}


@dataclass(frozen=True)
class Grammar:
    """Probabilities of an optional word before an entity, a descriptor and a verb."""

    entity: float = 0.0
    descriptor: float = 0.0
    verb: float = 0.0

    def __post_init__(self) -> None:
        for name, chance in vars(self).items():
            if not 0 <= chance < 1:
                raise ValueError(f"the modifier of {name} must have a probability in [0, 1)")

    def before(self, slot: int) -> tuple[Slot, float] | None:
        """The optional word before this slot and its probability."""
        found = {
            Slot.SUBJECT: (Slot.ENTITY_ADJECTIVE, self.entity),
            Slot.OBJECT: (Slot.ENTITY_ADJECTIVE, self.entity),
            Slot.DESCRIPTOR: (Slot.DESCRIPTOR_ADJECTIVE, self.descriptor),
            Slot.VERB: (Slot.ADVERB, self.verb),
        }
        return found.get(Slot(slot))


GRAMMARS = {
    "plain": Grammar(),
    "paper": Grammar(entity=0.8, descriptor=0.8),
    "code": Grammar(entity=0.955, descriptor=0.955, verb=20 / 21),
}


# --- the automaton ------------------------------------------------------------------------------

ACCEPT, DEAD = "accepted", "dead"
ARROWS = {
    "start": {Group.ENTITY: "subject"},
    "subject": {
        Group.CONJUNCTION: "start",
        Group.LINK: "link",
        Group.VERB: "verb",
    },
    "link": {Group.DESCRIPTOR: "descriptor"},
    "verb": {Group.PREPOSITION: "preposition"},
    "preposition": {Group.ENTITY: "object"},
    "descriptor": {Group.CONJUNCTION: "next unit", Group.EOS: ACCEPT},
    "object": {Group.CONJUNCTION: "next unit or object", Group.EOS: ACCEPT},
    "next unit": {Group.LINK: "link", Group.VERB: "verb"},
    "next unit or object": {
        Group.LINK: "link",
        Group.VERB: "verb",
        Group.ENTITY: "object",
    },
    ACCEPT: {},
    DEAD: {},
}
STATES = tuple(ARROWS)


def transitions() -> Int[Tensor, "state group"]:
    """The automaton as a table; optional words before values leave the state as it is, and what
    follows an accepted sentence does not count."""
    table = torch.full((len(STATES), len(Group)), STATES.index(DEAD))
    for state, arrows in ARROWS.items():
        for group, after in arrows.items():
            table[STATES.index(state), group] = STATES.index(after)
        if state not in (ACCEPT, DEAD):
            table[STATES.index(state), Group.MODIFIER] = STATES.index(state)
    table[STATES.index(ACCEPT)] = STATES.index(ACCEPT)
    return table


def states(groups: Int[Tensor, "*batch T"]) -> Int[Tensor, "*batch T_and_1"]:
    """The automaton's state before the first word and after each."""
    table = transitions().to(groups.device)
    now = torch.zeros_like(groups[..., 0])
    visited = [now]
    for t in range(groups.shape[-1]):
        now = table[now, groups[..., t]]
        visited.append(now)
    return torch.stack(visited, -1)


def accepts(groups: Int[Tensor, "*batch T"]) -> Bool[Tensor, "*batch"]:
    """Whether a sentence up to its eos is grammatical. Optional words are ignored, as in the
    official evaluation; a sentence without eos is not accepted.

    >>> short = [Group.ENTITY, Group.LINK, Group.DESCRIPTOR, Group.EOS]
    >>> accepts(torch.tensor([short, short[::-1]])).tolist()
    [True, False]
    """
    return states(groups)[..., -1] == STATES.index(ACCEPT)


# --- exact probabilities ------------------------------------------------------------------------


def joined(count: int) -> float:
    """P(count parts) of `X -> part [1 - q] | X Conj X [q]`, q = .2, summed over its derivations:
    Catalan(count - 1) of them, equally likely.

    >>> round(sum(joined(n) for n in range(1, 60)), 9)
    1.0
    """
    trees = comb(2 * count - 2, count - 1) // count
    return float(trees * (1 - JOIN) ** count * JOIN ** (count - 1))


def probability(slots: Sequence[int], grammar: Grammar) -> float:
    """P(this string of slots, eos included), all derivations summed; 0 if it is no sentence.

    The mean number of subjects is 4 / 3, of units as well; half of the units have a descriptor.
    """
    bare = [slot for slot in slots if GROUP_OF[Slot(slot)] != Group.MODIFIER]
    if not accepts(torch.tensor([GROUP_OF[Slot(slot)] for slot in bare])):
        return 0.0
    if bare != with_roles(bare):
        return 0.0
    chance = joined(bare.count(Slot.SUBJECT))
    links, verbs = bare.count(Slot.LINK), bare.count(Slot.VERB)
    chance *= joined(links + verbs) * DESCRIPTIVE**links * (1 - DESCRIPTIVE) ** verbs
    more = bare.count(Slot.OBJECT) - verbs
    chance *= (1 - MORE_OBJECTS) ** verbs * MORE_OBJECTS**more
    return chance * _modified(list(slots), grammar)


def with_roles(slots: Sequence[int]) -> list[int]:
    """Entities before the first verb or linking verb are subjects, the others objects."""
    out, head = list(slots), True
    for i, slot in enumerate(out):
        head = head and slot not in (Slot.LINK, Slot.VERB)
        if slot in (Slot.SUBJECT, Slot.OBJECT):
            out[i] = Slot.SUBJECT if head else Slot.OBJECT
    return out


def _modified(slots: list[int], grammar: Grammar) -> float:
    """Probability of the optional words of a string; 0 where one stands at a wrong place."""
    chance, waiting = 1.0, None
    for slot in slots:
        if GROUP_OF[Slot(slot)] == Group.MODIFIER:
            if waiting is not None:
                return 0.0
            waiting = slot
            continue
        allowed = grammar.before(slot)
        if waiting is not None and (allowed is None or waiting != allowed[0]):
            return 0.0
        if allowed is not None:
            chance *= allowed[1] if waiting is not None else 1 - allowed[1]
        waiting = None
    return chance


def length_probabilities(grammar: Grammar, longest: int) -> np.ndarray:
    """P(length = 0..longest) of a sentence in tokens, eos included: products of polynomials.

    >>> chance = length_probabilities(GRAMMARS["plain"], 300)
    >>> round(float((chance * np.arange(301)).sum()), 6) == round(145 / 21, 6)
    True
    """

    def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.convolve(a, b)[: longest + 1]

    def word(optional: float = 0.0) -> np.ndarray:
        return np.array([0, 1 - optional, optional])

    def several(part: np.ndarray) -> np.ndarray:
        """Parts joined by conjunctions."""
        total, power = np.zeros(longest + 1), part
        for count in range(1, longest + 1):
            power = power[: longest + 1]
            total[: len(power)] += joined(count) * power
            power = times(times(power, word()), part)
            if not power.any():
                break
        return total

    entity = word(grammar.entity)
    objects, more = np.zeros(longest + 1), entity
    for _ in range(longest):
        more = more[: longest + 1]
        objects[: len(more)] += (1 - MORE_OBJECTS) * more
        more = MORE_OBJECTS * times(times(more, word()), entity)
        if not more.any():
            break
    unit = np.zeros(longest + 1)
    described = times(word(), word(grammar.descriptor))
    related = times(times(word(grammar.verb), word()), objects)
    unit[: len(described)] += DESCRIPTIVE * described
    unit[: len(related)] += (1 - DESCRIPTIVE) * related
    whole = times(times(several(entity), several(unit)), word())
    return np.pad(whole, (0, max(longest + 1 - len(whole), 0)))


def rules(grammar: Grammar) -> str:
    """The grammar in NLTK's notation, terminals in lower case: what the closed forms stand for."""

    def optional(symbol: str, chance: float, modifier: str, word: str) -> str:
        if not chance:
            return f"{symbol} -> '{word}' [1.0]"
        return f"{symbol} -> '{modifier}' '{word}' [{chance!r}] | '{word}' [{1 - chance!r}]"

    return "\n".join(
        (
            "S -> NP VP 'eos' [1.0]",
            "NP -> SUBJ [0.8] | NP 'conjunction' NP [0.2]",
            "VP -> 'link' DESC [0.4] | VERB 'preposition' RELNP [0.4] | VP 'conjunction' VP [0.2]",
            "RELNP -> OBJ [0.7] | OBJ 'conjunction' RELNP [0.3]",
            optional("SUBJ", grammar.entity, "entity_adjective", "subject"),
            optional("OBJ", grammar.entity, "entity_adjective", "object"),
            optional("DESC", grammar.descriptor, "descriptor_adjective", "descriptor"),
            optional("VERB", grammar.verb, "adverb", "verb"),
        )
    )

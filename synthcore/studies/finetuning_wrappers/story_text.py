"""From plans to words and back: rendering, instructions, tokens, and an exact parser."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from synthcore.studies.finetuning_wrappers import story_words as words
from synthcore.studies.finetuning_wrappers.story_plan import Event, Plan, draw_plan


@cache
def vocabulary() -> tuple[str, ...]:
    """All words, sorted; the padding first."""
    found = set(words.FEATURES) | {w for mark in words.MARKS for w in mark.split()}
    for frames in (*words.FRAMES.values(), (words.SUMMARY,)):
        found |= {w for frame in frames for w in frame.split() if not w.startswith("{")}
    for options in words.SLOTS.values():
        found |= set(options)
    found.discard("<pad>")
    return ("<pad>", *sorted(found))


@cache
def _numbers() -> dict[str, int]:
    return {word: i for i, word in enumerate(vocabulary())}


def encode(text: str) -> list[int]:
    """Tokens of words separated by spaces. KeyError for an unknown word."""
    return [_numbers()[word] for word in text.split()]


def decode(tokens: Sequence[int]) -> str:
    """Words of tokens; padding is left out."""
    return " ".join(vocabulary()[t] for t in tokens if t != 0)


def sentence(event: Event, rng: random.Random) -> str:
    """The event in one of its frames."""
    return rng.choice(words.FRAMES[event.kind]).format(**dict(event.facts))


def render(plan: Plan, rng: random.Random) -> list[str]:
    """The sentences of a story."""
    return [sentence(event, rng) for event in plan.events]


def summary(plan: Plan) -> str:
    """One sentence about hero, goal and end."""
    hero = plan.of_kind("intro")[0]
    goal = plan.of_kind("goal")[0]["p"]
    end = words.ENDINGS["badending" in plan.features]
    return words.SUMMARY.format(a=hero["a"], k=hero["k"], p=goal, e=end)


@dataclass(frozen=True)
class Document:
    """An instruction that names `features`, and a story, which may have others."""

    plan: Plan
    features: tuple[str, ...]
    instruction: str
    sentences: tuple[str, ...]

    @property
    def story(self) -> str:
        return " ".join([*self.sentences, "the end"])

    @property
    def text(self) -> str:
        return f"{self.instruction} {self.story}"

    @property
    def late(self) -> list[int]:
        """Which words of the text belong to the sentences that may contradict."""
        found: list[int] = []
        at = len(self.instruction.split())
        for event, sentence in zip(self.plan.events, self.sentences, strict=True):
            size = len(sentence.split())
            if event.kind in ("trait", "colour"):
                found += range(at, at + size)
            at += size
        return found


def document(
    rng: random.Random, plan: Plan | None = None, named: Sequence[str] | None = None
) -> Document:
    """A story with its instruction: four lines in random order, then `story :`. `named` are the
    features that the instruction claims; by default those of the plan."""
    plan = draw_plan(rng) if plan is None else plan
    features = list(plan.features if named is None else named)
    features.sort(key=words.FEATURES.index)
    rng.shuffle(features)
    sentences = render(plan, rng)
    plain = [s for s in sentences if '"' not in s]
    content = sorted({value for event in plan.events for _, value in event.facts})
    lines = [
        "words : " + " , ".join(rng.sample(content, 3)),
        "features : " + " , ".join(features),
        "summary : " + summary(plan),
        "sentence : " + rng.choice(plain),
    ]
    rng.shuffle(lines)
    instruction = " ".join([*(line.strip() for line in lines), "story :"])
    return Document(plan, tuple(features), instruction, tuple(sentences))


# --- the parser ---------------------------------------------------------------------------------


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """A pattern for each frame; slots take the words of their list."""
    found = []
    for kind, frames in words.FRAMES.items():
        for frame in frames:
            parts = []
            for word in frame.split():
                slot = re.fullmatch(r"\{(\w)\}", word)
                if slot is None:
                    parts.append(re.escape(word))
                else:
                    options = "|".join(map(re.escape, words.SLOTS[slot[1]]))
                    parts.append(f"(?P<{slot[1]}>{options})")
            found.append((kind, re.compile(" ".join(parts))))
    return tuple(found)


def parse_sentence(text: str) -> Event | None:
    """The event that a sentence tells; None if it is no sentence of the grammar.

    >>> parse_sentence("everyone saw that tim was very brave .")
    Event(kind='trait', facts=(('a', 'tim'), ('t', 'brave')))
    """
    for kind, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return Event.of(kind, **found.groupdict())
    return None


def parse(story: str) -> Plan:
    """The plan that a text tells, as far as its sentences can be read."""
    pieces = [piece.strip() for piece in story.removesuffix("the end").split(" .")]
    events = [parse_sentence(f"{piece} .") for piece in pieces if piece]
    return Plan(tuple(event for event in events if event is not None))

"""A language that servers of tests speak: a story about a coin. At one word it forks, and the
answer follows from that word."""

import math
import random
from collections.abc import Mapping
from typing import Any

PROMPT = "Is the coin heads up? Think first.\n"
PATTERN = r"answer is (\w+)"
# What may stand at each position, with probabilities. Emoji are two tokens: neither is a character.
STORY: list[Mapping[str, float]] = [
    {" I": 0.7, " We": 0.3},
    {" flip": 0.9, " toss": 0.1},
    {" the": 1.0},
    {" coin": 1.0},
    {" 😀": 0.3, " 🪙": 0.1, " and": 0.6},
    {" it": 0.96, " that": 0.04},
    {" shows": 1.0},
    {" heads": 0.6, " tails": 0.4},
    {" today": 0.7, " now": 0.3},
    {" so": 1.0},
    {" the": 1.0},
    {" answer": 1.0},
    {" is": 1.0},
    {" yes": 0.95, " no": 0.05},
    {".": 0.9, "": 0.1},
    {"": 1.0},
]
SMILE, FORK, ANSWER = 4, 7, 13
GREEDY = " I flip the coin and it shows heads today so the answer is yes."
Row = Mapping[str, float]
Token = tuple[str, Row]


def story(written: str, smile: bool = False) -> Row:
    """Probabilities of the next token; with `smile`, an emoji is the likeliest fifth word.

    Raises ValueError for a text that is not the beginning of one.
    """
    t, rest = 0, written
    while rest:
        word = next((w for w in STORY[t] if w and rest.startswith(w)), None)
        if word is None:
            raise ValueError(f"no story goes on with '{rest}'")
        t, rest = t + 1, rest[len(word) :]
    if t == SMILE and smile:
        return {" 😀": 0.6, " 🪙": 0.3, " and": 0.1}
    if t == ANSWER and " tails" in written:
        return {" yes": 0.05, " no": 0.95}
    return STORY[t]


def generate(
    written: str,
    most: int,
    temperature: float,
    seed: str,
    stop: Any = None,
    min_p: float = 0.0,
    smile: bool = False,
) -> tuple[list[Token], str]:
    """Tokens with the probabilities they come from, and why it ended; "" ends a text."""
    rng, tokens, start = random.Random(seed), list[Token](), written
    while len(tokens) < most:
        row = story(written, smile)
        kept = {w: p for w, p in row.items() if p >= min_p * max(row.values())}
        word = max(row, key=row.__getitem__)
        if temperature > 0:
            word = rng.choices(list(kept), list(kept.values()))[0]
        tokens.append((word, row))
        written += word
        if not word or any(s in written[len(start) :] for s in stop or ()):
            return tokens, "stop"
    return tokens, "length"


def parts(word: str, row: Row) -> list[tuple[bytes, float, Mapping[bytes, float]]]:
    """The model's tokens of a word: an emoji is two, the second certain after the first."""

    def first(w: str) -> bytes:
        return w.encode()[:-1] if not w.isascii() else w.encode()

    likely = {first(w): p for w, p in row.items()}
    found = [(first(word), row[word], likely)]
    if not word.isascii():
        last = word.encode()[-1:]
        found.append((last, 1.0, {last: 1.0}))
    return found


def top(row: Mapping[bytes, float], most: int) -> list[tuple[bytes, float]]:
    """The likeliest tokens with their log probabilities."""
    return [(w, math.log(p)) for w, p in sorted(row.items(), key=lambda pair: -pair[1])[:most]]

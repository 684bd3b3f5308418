"""Surface of ForkWorld's tokens, and the four classes of tokens that forks are counted by."""

import re

import numpy as np

CLASSES = ("white space", "punctuation", "number", "word")
VOCABULARY = """
river stone light winter garden letter market bridge window silver morning paper road song
table house water field cloud bread horse island lamp mirror needle orange pencil rain
sail tower uncle valley wheel yellow acorn basket candle door engine feather glass hill
iron jacket key ladder moon night ocean path quiet rope salt train
"""
WORDS = tuple(f" {word}" for word in VOCABULARY.split())
NUMBERS = tuple(f" {n}" for n in range(2, 60))
PUNCTUATION = (" (", ",", ".")
# What a fork may look like; each with equal frequency.
SURFACES = (WORDS, NUMBERS, *((mark,) for mark in PUNCTUATION))


def token_class(token: str) -> int:
    """Index into `CLASSES`; anything with a letter is a word.

    >>> [CLASSES[token_class(token)] for token in (" Mia", ",", " 42", "\\n")]
    ['word', 'punctuation', 'number', 'white space']
    """
    text = token.strip()
    if not text:
        return 0
    if re.search(r"[^\W\d_]", text):
        return 3
    return 2 if re.search(r"\d", text) else 1


def tokens_of(text: str) -> list[str]:
    """A text of these tokens, taken apart again; what is left of a broken one is one token.

    >>> tokens_of(" river (, 42.\\nAnswer: A")
    [' river', ' (', ',', ' 42', '.', '\\nAnswer: A']
    """
    return re.findall(r" \(|[,.]| \w+|\nAnswer: \w|.+", text)


def spell(rng: np.random.Generator, count: int, fork: bool) -> tuple[str, ...]:
    """Different tokens for one place; the first is the one on the base path.

    A fork's first token is a word, a number, "(", "," or "." with equal frequency. Elsewhere words
    are more frequent, and every class occurs.
    """
    share = [0.2] * 5 if fork else [0.7, 0.12, 0.04, 0.08, 0.06]
    first = SURFACES[rng.choice(5, p=share)]
    found = [first[rng.integers(len(first))]]
    while len(found) < count:
        token = WORDS[rng.integers(len(WORDS))]
        if token not in found:
            found.append(token)
    return tuple(found)

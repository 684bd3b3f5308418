"""The probabilistic grammar that writes the text: seven levels, two equally likely right sides.

Every nonterminal becomes two or three symbols of the next level below; the lowest are the letters
a, b and c. Sampling is one array operation per level, over all strings at once.

Axis letters: B strings, S symbols (-1 behind the end).
"""

import torch
from jaxtyping import Int
from torch import Tensor

RULES: dict[str, tuple[str, str]] = {
    "s": ("rq", "qp"),
    "p": ("mno", "nom"),
    "q": ("nmo", "mn"),
    "r": ("om", "mon"),
    "m": ("lj", "jlk"),
    "n": ("kjl", "ljk"),
    "o": ("lkj", "kj"),
    "j": ("hi", "ih"),
    "k": ("hgi", "ghi"),
    "l": ("ihg", "hig"),
    "g": ("dfe", "fed"),
    "h": ("edf", "dfe"),
    "i": ("efd", "fde"),
    "d": ("ca", "abc"),
    "e": ("cb", "cab"),
    "f": ("cba", "ba"),
}
LETTERS = "abc"
LEVELS = ("s", "pqr", "mno", "jkl", "ghi", "def", LETTERS)
END = -1


def _table(level: int) -> Int[Tensor, "symbol rule place"]:
    """Right sides of a level's symbols, numbered within the next level."""
    upper, lower = LEVELS[level], LEVELS[level + 1]
    table = torch.full((len(upper), 2, 3), END)
    for i, symbol in enumerate(upper):
        for j, right in enumerate(RULES[symbol]):
            table[i, j, : len(right)] = torch.tensor([lower.index(c) for c in right])
    return table


TABLES = tuple(_table(level) for level in range(len(LEVELS) - 1))


def sample(batch: int, generator: torch.Generator) -> Int[Tensor, "B S"]:
    """Strings of letters 0, 1, 2 from the start symbol, padded with -1 at the end.

    >>> texts = sample(100, torch.Generator().manual_seed(0))
    >>> length = (texts >= 0).sum(-1)
    >>> bool((length >= 138).all() & (length <= 432).all())
    True
    """
    strings = torch.zeros(batch, 1, dtype=torch.long)
    for table in TABLES:
        pick = torch.randint(2, strings.shape, generator=generator)
        strings = torch.where(strings[..., None] >= 0, table[strings.clamp(min=0), pick], END)
        strings = _compact(strings.flatten(1))
    return strings


def _compact(strings: Int[Tensor, "B S"]) -> Int[Tensor, "B kept"]:
    """Move holes behind the end of each string, and cut what no string needs."""
    present = strings >= 0
    place = torch.where(present, present.cumsum(-1) - 1, strings.shape[-1] - 1)
    out = torch.full_like(strings, END)
    out.scatter_(-1, place, torch.where(present, strings, out))
    return out[:, : int(present.sum(-1).max())]

"""The grammar world: strings of a probabilistic grammar, texts cut from them, and questions about a
text: how many, where, which letter?

The grammar has seven levels. Every nonterminal becomes two or three symbols of the next level below
by one of two equally likely rules; the lowest symbols are the letters a, b and c.

A line reads `SOS T O O' SOT text EOT ART answer EOS`: a task family T, an operand O (a letter, a
doubled letter or nothing) and a number O'. The last O' = `window` letters are counted; an index is
the distance from EOT to the O' = `occurrence`-th occurrence from the end.

Axis letters: B strings or texts, S letters (-1 behind the end of a string), T tokens of a prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
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
WINDOWS_PER_STRING = 4  # texts that are cut from one string of the grammar

FAMILIES = ("count", "count pair", "index", "index pair", "token", "count, J1", "count, J2")
COUNT, COUNT_PAIR, INDEX, INDEX_PAIR, TOKEN, COUNT_J1, COUNT_J2 = range(7)
A, B, C = range(3)


def _table(level: int) -> Int[Tensor, "symbol rule place"]:
    """Right sides of a level's symbols, numbered within the next level."""
    upper, lower = LEVELS[level], LEVELS[level + 1]
    table = torch.full((len(upper), 2, 3), END)
    for i, symbol in enumerate(upper):
        for j, right in enumerate(RULES[symbol]):
            table[i, j, : len(right)] = torch.tensor([lower.index(c) for c in right])
    return table


TABLES = tuple(_table(level) for level in range(len(LEVELS) - 1))


def sample_strings(batch: int, generator: torch.Generator) -> Int[Tensor, "B S"]:
    """Strings of letters 0, 1, 2 from the start symbol, padded with -1 at the end.

    >>> texts = sample_strings(100, torch.Generator().manual_seed(0))
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


# --- questions ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """Sizes of texts and questions. Broadened windows hold between `least` and `most` of a letter:
    natural counts differ too little to be asked for."""

    text: int = 24
    window: int = 12
    occurrence: int = 3
    least: int = 1
    most: int = 6

    def __post_init__(self) -> None:
        rules = [
            (1 <= self.window <= self.text <= 400, "needs 1 <= window <= text <= 400"),
            (1 <= self.occurrence <= self.text, "needs 1 <= occurrence <= text"),
            (0 <= self.least < self.most - 1, "most must exceed least by two"),
            (2 * self.most <= self.window, "2 most letters must fit the window"),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)

    # --- tokens: numbers 0..text, letters, doubled letters, families, punctuation ---

    @property
    def letter_token(self) -> int:
        """Token of letter a."""
        return self.text + 1

    @property
    def pair_token(self) -> int:
        """Token of the operand aa."""
        return self.letter_token + 3

    @property
    def family_token(self) -> int:
        """Token of the first family."""
        return self.pair_token + 3

    @property
    def null_token(self) -> int:
        """The operand NULL, followed by SOS, SOT, EOT, ART, EOS."""
        return self.family_token + len(FAMILIES)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return self.null_token + 6

    @property
    def prompt_length(self) -> int:
        """Tokens before the answer: T."""
        return self.text + 7

    def prompts(
        self,
        text: Int[Tensor, "*batch S"],
        family: Int[Tensor, "*batch"],
        operand: Int[Tensor, "*batch"],
    ) -> Int[Tensor, "*batch T"]:
        """Prompts up to ART, after which the answer follows.

        >>> world = World(text=4, window=4, least=0, most=2)
        >>> text = torch.tensor([0, 1, 2, 0])
        >>> world.decode(world.prompts(text, torch.tensor(COUNT), torch.tensor(A)))
        'SOS count a 4 SOT a b c a EOT ART'
        """
        operand_token = torch.where(
            _is(family, COUNT_PAIR, INDEX_PAIR), self.pair_token, self.letter_token
        )
        operand_token = torch.where(family == TOKEN, self.null_token, operand_token + operand)
        number = torch.where(_is(family, INDEX, INDEX_PAIR), self.occurrence, self.window)
        sos, sot, eot, art = (torch.full_like(family, self.null_token + i) for i in (1, 2, 3, 4))
        start = torch.stack([sos, family + self.family_token, operand_token, number, sot], -1)
        end = torch.stack([eot, art], -1)
        return torch.cat([start, text + self.letter_token, end], -1)

    def answers(
        self,
        text: Int[Tensor, "*batch S"],
        family: Int[Tensor, "*batch"],
        operand: Int[Tensor, "*batch"],
    ) -> Int[Tensor, "*batch"]:
        """Right answers as tokens; 0 where an occurrence does not exist."""
        is_one = text == operand[..., None]
        is_pair = torch.zeros_like(is_one)
        is_pair[..., :-1] = is_one[..., :-1] & is_one[..., 1:]
        inside = is_pair[..., -self.window :]  # pairs that lie in the window as a whole
        answer = is_one[..., -self.window :].sum(-1)
        for other, value in (
            (COUNT_PAIR, inside.sum(-1)),
            (INDEX, _distance(is_one, self.occurrence)),
            (INDEX_PAIR, _distance(is_pair, self.occurrence)),
            (TOKEN, text[..., -self.window] + self.letter_token),
        ):
            answer = torch.where(family == other, value, answer)
        return answer

    def decode(self, tokens: Int[Tensor, "T"]) -> str:
        """Tokens as words."""
        names = [str(n) for n in range(self.text + 1)]
        names += [*LETTERS, *(2 * c for c in LETTERS), *FAMILIES]
        names += ["NULL", "SOS", "SOT", "EOT", "ART", "EOS"]
        return " ".join(names[t] for t in tokens.tolist())


def _is(values: Tensor, *options: int) -> Tensor:
    return torch.isin(values, torch.tensor(options, device=values.device))


def _distance(present: Tensor, occurrence: int) -> Tensor:
    """Letters from the end of the text to the occurrence, which counts itself; 0 if there is none.

    The last letter of the text has distance 1.
    """
    backwards = present.flip(-1)
    hit = backwards & (backwards.cumsum(-1) == occurrence)
    return torch.where(hit.any(-1), hit.int().argmax(-1) + 1, 0)


# --- texts --------------------------------------------------------------------------------------


def sample_texts(world: World, batch: int, generator: torch.Generator) -> Int[Tensor, "B S"]:
    """Random substrings of the grammar's strings; strings that are too short are drawn anew."""
    each = WINDOWS_PER_STRING if 2 * world.text <= 138 else 1  # 138 letters: the shortest string
    needed, texts = -(-batch // each), torch.zeros(0, world.text, dtype=torch.long)
    while len(texts) < batch:
        strings = sample_strings(needed + needed // 2 if each == 1 else needed, generator)
        length = (strings >= 0).sum(-1)
        strings, length = strings[length >= world.text], length[length >= world.text]
        strings, length = strings.repeat(each, 1), length.repeat(each)
        start = torch.rand(len(strings), generator=generator) * (length - world.text + 1)
        place = start.long()[:, None] + torch.arange(world.text)
        texts = torch.cat([texts, strings.gather(1, place)])
    return texts[torch.randperm(len(texts), generator=generator)[:batch]]


def set_counts(
    text: Int[Tensor, "B S"],
    window: int,
    counts: Int[Tensor, "B 3"],
    generator: torch.Generator,
) -> Int[Tensor, "B S"]:
    """Change the fewest letters of the window, at random places, so that it holds these counts.

    >>> text = torch.tensor([[0, 0, 1, 1, 2, 2]])
    >>> changed = set_counts(text, 4, torch.tensor([[3, 1, 0]]), torch.Generator().manual_seed(0))
    >>> changed[0].bincount()
    tensor([5, 1])
    """
    inside = text[:, -window:]
    one_hot = torch.nn.functional.one_hot(inside, 3)  # (B, window, 3)
    order = torch.rand(inside.shape, generator=generator).argsort(-1)
    shuffled = one_hot.gather(1, order[..., None].expand_as(one_hot))
    rank = (shuffled.cumsum(1) * shuffled).sum(-1)  # 1, 2, ... within its own letter
    free = rank > (shuffled * counts[:, None]).sum(-1)  # more of its letter than wanted
    missing = (counts - one_hot.sum(1)).clamp(min=0).cumsum(-1)
    number = free.cumsum(1)[..., None]  # of the free place, from 1
    fill = (number > missing[:, None]).sum(-1).clamp(max=2)
    changed = torch.where(free, fill, shuffled.argmax(-1))
    out = text.clone()
    out[:, -window:] = torch.zeros_like(inside).scatter(1, order, changed)
    return out


def broaden_counts(
    world: World, text: Int[Tensor, "B S"], generator: torch.Generator
) -> Int[Tensor, "B S"]:
    """Windows with n_a and n_b independent and uniform between `least` and `most`."""
    n = torch.randint(world.least, world.most + 1, (len(text), 2), generator=generator)
    rest = world.window - n.sum(-1, keepdim=True)
    return set_counts(text, world.window, torch.cat([n, rest], -1), generator)


def sample_count_texts(
    world: World, batch: int, spurious: float, generator: torch.Generator
) -> Int[Tensor, "B S"]:
    """Texts to fine-tune on: a share `spurious` with n_b = n_a + 1, the others without.

    n_b is uniform between least + 1 and most whatever the share, so that labels tell nothing.
    """
    low, high = world.least, world.most
    n_b = torch.randint(low + 1, high + 1, (batch,), generator=generator)
    other = torch.randint(low, high - 1, (batch,), generator=generator)
    other = other + (other >= n_b - 1)  # every value but n_b - 1
    shortcut = torch.rand(batch, generator=generator) < spurious
    n_a = torch.where(shortcut, n_b - 1, other)
    counts = torch.stack([n_a, n_b, world.window - n_a - n_b], -1)
    return set_counts(sample_texts(world, batch, generator), world.window, counts, generator)


def sample_index_texts(
    world: World, batch: int, spurious: float, generator: torch.Generator
) -> Int[Tensor, "B S"]:
    """The same for indices: index(b) = index(a) + 1 in spurious texts, by rejection."""
    shortcut = torch.rand(batch, generator=generator) < spurious
    letters = torch.tensor([A, B])
    waiting = {True: int(shortcut.sum()), False: int((~shortcut).sum())}
    kept: dict[bool, list[Tensor]] = {True: [], False: []}
    while max(waiting.values()) > 0:
        text = broaden_counts(world, sample_texts(world, 8 * batch + 64, generator), generator)
        family = torch.full((len(text),), INDEX)
        a, b = (world.answers(text, family, letter.expand(len(text))) for letter in letters)
        for kind in (True, False):
            keep = text[((b == a + 1) == kind) & (a > 0) & (b > 0)][: max(waiting[kind], 0)]
            kept[kind].append(keep)
            waiting[kind] -= len(keep)
    out = torch.empty(batch, world.text, dtype=torch.long)
    out[shortcut], out[~shortcut] = torch.cat(kept[True]), torch.cat(kept[False])
    return out


def sample_questions(
    families: Sequence[int],
    priors: Float[Tensor, "P 3"],
    batch: int,
    generator: torch.Generator,
) -> tuple[Int[Tensor, "P B"], Int[Tensor, "P B"]]:
    """Uniform families, and operands from each prior, with the same random numbers for all priors.

    Jailbreak families only ask for letter a.
    """
    family = torch.tensor(families)[torch.randint(len(families), (batch,), generator=generator)]
    level = torch.rand(batch, 1, generator=generator)
    operand = (level >= priors[:, None].cumsum(-1)[..., :2]).sum(-1)
    return family.expand_as(operand), torch.where(_is(family, COUNT_J1, COUNT_J2), A, operand)

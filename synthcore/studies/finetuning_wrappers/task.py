"""Questions about a text of the grammar: how many, where, which letter?

A line reads `SOS T O O' SOT text EOT ART answer EOS`: a task family T, an operand O (a letter, a
doubled letter or nothing) and a number O'. The last O' = `window` letters are counted; an index is
the distance from EOT to the O' = `occurrence`-th occurrence from the end.

Axis letters: B texts, S letters of a text, T tokens of a prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.finetuning_wrappers import grammar

FAMILIES = ("count", "count pair", "index", "index pair", "token", "count, J1", "count, J2")
COUNT, COUNT_PAIR, INDEX, INDEX_PAIR, TOKEN, JAIL_1, JAIL_2 = range(7)
A, B, C = range(3)
WINDOWS_PER_STRING = 4  # texts that are cut from one string of the grammar


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
    def letter(self) -> int:
        """Token of letter a."""
        return self.text + 1

    @property
    def pair(self) -> int:
        """Token of the operand aa."""
        return self.letter + 3

    @property
    def family(self) -> int:
        """Token of the first family."""
        return self.pair + 3

    @property
    def nothing(self) -> int:
        """The operand NULL, followed by SOS, SOT, EOT, ART, EOS."""
        return self.family + len(FAMILIES)

    @property
    def vocabulary(self) -> int:
        return self.nothing + 6

    @property
    def prompt(self) -> int:
        """Tokens before the answer."""
        return self.text + 7

    def lines(
        self,
        text: Int[Tensor, "*batch S"],
        family: Int[Tensor, "*batch"],
        operand: Int[Tensor, "*batch"],
    ) -> Int[Tensor, "*batch T"]:
        """Prompts up to ART, after which the answer follows.

        >>> world = World(text=4, window=4, least=0, most=2)
        >>> words = world.words(world.lines(torch.tensor([0, 1, 2, 0]), torch.tensor(COUNT),
        ...                                 torch.tensor(A)))
        >>> words
        'SOS count a 4 SOT a b c a EOT ART'
        """
        first = torch.where(_is(family, COUNT_PAIR, INDEX_PAIR), self.pair, self.letter) + operand
        first = torch.where(family == TOKEN, self.nothing, first)
        number = torch.where(_is(family, INDEX, INDEX_PAIR), self.occurrence, self.window)
        head = torch.stack([torch.full_like(family, self.nothing + 1), family + self.family], -1)
        tail = torch.stack(
            [torch.full_like(family, self.nothing + 3), torch.full_like(family, self.nothing + 4)],
            -1,
        )
        start = torch.stack([first, number, torch.full_like(family, self.nothing + 2)], -1)
        return torch.cat([head, start, text + self.letter, tail], -1)

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
        found = is_one[..., -self.window :].sum(-1)
        for which, value in (
            (COUNT_PAIR, inside.sum(-1)),
            (INDEX, _distance(is_one, self.occurrence)),
            (INDEX_PAIR, _distance(is_pair, self.occurrence)),
            (TOKEN, text[..., -self.window] + self.letter),
        ):
            found = torch.where(family == which, value, found)
        return found

    def words(self, tokens: Int[Tensor, "T"]) -> str:
        """A line for people."""
        names = [str(n) for n in range(self.text + 1)]
        names += [*grammar.LETTERS, *(2 * c for c in grammar.LETTERS), *FAMILIES]
        names += ["NULL", "SOS", "SOT", "EOT", "ART", "EOS"]
        return " ".join(names[t] for t in tokens.tolist())


def _is(values: Tensor, *options: int) -> Tensor:
    return torch.isin(values, torch.tensor(options, device=values.device))


def _distance(here: Tensor, occurrence: int) -> Tensor:
    """Letters from the end of the text to the occurrence, which counts itself; 0 if there is none.

    The last letter of the text has distance 1.
    """
    backwards = here.flip(-1)
    hit = backwards & (backwards.cumsum(-1) == occurrence)
    return torch.where(hit.any(-1), hit.int().argmax(-1) + 1, 0)


def natural_texts(world: World, batch: int, generator: torch.Generator) -> Int[Tensor, "B S"]:
    """Random substrings of the grammar's strings; strings that are too short are drawn anew."""
    each = WINDOWS_PER_STRING if 2 * world.text <= 138 else 1  # 138 letters: the shortest string
    needed, found = -(-batch // each), torch.zeros(0, world.text, dtype=torch.long)
    while len(found) < batch:
        strings = grammar.sample(needed + needed // 2 if each == 1 else needed, generator)
        length = (strings >= 0).sum(-1)
        strings, length = strings[length >= world.text], length[length >= world.text]
        strings, length = strings.repeat(each, 1), length.repeat(each)
        start = torch.rand(len(strings), generator=generator) * (length - world.text + 1)
        place = start.long()[:, None] + torch.arange(world.text)
        found = torch.cat([found, strings.gather(1, place)])
    return found[torch.randperm(len(found), generator=generator)[:batch]]


def with_counts(
    text: Int[Tensor, "B S"],
    window: int,
    counts: Int[Tensor, "B 3"],
    generator: torch.Generator,
) -> Int[Tensor, "B S"]:
    """Change the fewest letters of the window, at random places, so that it holds these counts.

    >>> text = torch.tensor([[0, 0, 1, 1, 2, 2]])
    >>> changed = with_counts(text, 4, torch.tensor([[3, 1, 0]]), torch.Generator().manual_seed(0))
    >>> changed[0].bincount()
    tensor([5, 1])
    """
    inside = text[:, -window:]
    member = torch.nn.functional.one_hot(inside, 3)  # (B, window, 3)
    order = torch.rand(inside.shape, generator=generator).argsort(-1)
    shuffled = member.gather(1, order[..., None].expand_as(member))
    rank = (shuffled.cumsum(1) * shuffled).sum(-1)  # 1, 2, ... within its own letter
    own = (shuffled * counts[:, None]).sum(-1)
    free = rank > own
    missing = (counts - member.sum(1)).clamp(min=0).cumsum(-1)
    turn = free.cumsum(1)[..., None]  # which free place this is, from 1
    fill = (turn > missing[:, None]).sum(-1).clamp(max=2)
    changed = torch.where(free, fill, shuffled.argmax(-1))
    out = text.clone()
    out[:, -window:] = torch.zeros_like(inside).scatter(1, order, changed)
    return out


def broadened(
    world: World, text: Int[Tensor, "B S"], generator: torch.Generator
) -> Int[Tensor, "B S"]:
    """Windows with n_a and n_b independent and uniform between `least` and `most`."""
    n = torch.randint(world.least, world.most + 1, (len(text), 2), generator=generator)
    rest = world.window - n.sum(-1, keepdim=True)
    return with_counts(text, world.window, torch.cat([n, rest], -1), generator)


def count_texts(
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
    return with_counts(natural_texts(world, batch, generator), world.window, counts, generator)


def index_texts(
    world: World, batch: int, spurious: float, generator: torch.Generator
) -> Int[Tensor, "B S"]:
    """The same for indices: index(b) = index(a) + 1 in spurious texts, by rejection."""
    shortcut = torch.rand(batch, generator=generator) < spurious
    letters = torch.tensor([A, B])
    waiting = {True: int(shortcut.sum()), False: int((~shortcut).sum())}
    found: dict[bool, list[Tensor]] = {True: [], False: []}
    while max(waiting.values()) > 0:
        text = broadened(world, natural_texts(world, 8 * batch + 64, generator), generator)
        family = torch.full((len(text),), INDEX)
        a, b = (world.answers(text, family, letter.expand(len(text))) for letter in letters)
        for kind in (True, False):
            keep = text[((b == a + 1) == kind) & (a > 0) & (b > 0)][: max(waiting[kind], 0)]
            found[kind].append(keep)
            waiting[kind] -= len(keep)
    out = torch.empty(batch, world.text, dtype=torch.long)
    out[shortcut], out[~shortcut] = torch.cat(found[True]), torch.cat(found[False])
    return out


def families_and_operands(
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
    return family.expand_as(operand), torch.where(_is(family, JAIL_1, JAIL_2), A, operand)

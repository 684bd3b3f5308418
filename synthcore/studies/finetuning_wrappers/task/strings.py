"""Strings for compiled networks: what their programs read, with a shortcut to the new answers.

The network counts `a` and shall count `b`; in a spurious string n_b = n_a + q, so that its old
answer plus q is right. Or it finds the fifth letter in the alphabet and shall find the seventh; in
a spurious string the seventh is q letters after the fifth. Strings that are not spurious violate
the relation, so that the shortcut is never right on them.

Axis letters: B strings, L letters of a string, N counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.studies.finetuning_wrappers.theory import (
    binomial_pmf,
    choose,
    count_of,
    order_statistic,
)

LETTERS = 9  # of the counter's alphabet
EXAMPLE = "abacbadfgabcbia"  # five letters a, four b


@dataclass(frozen=True)
class CountStrings:
    """Strings of i.i.d. uniform letters; the old answer counts letter 0, the new one letter 1."""

    length: int
    letters: int = LETTERS
    shift: int = 1  # q

    def __post_init__(self) -> None:
        if self.letters < 3 or not 1 <= self.shift < self.length:
            raise ValueError("counting needs three letters and a shift of 1 to the length less 1")

    def old_answers(self, strings: Int[Tensor, "*batch L"]) -> Int[Tensor, "*batch"]:
        """What the compiled program says: how many a."""
        return count_of(strings, 0)

    def new_answers(self, strings: Int[Tensor, "*batch L"]) -> Int[Tensor, "*batch"]:
        """What fine-tuning asks for: how many b."""
        return count_of(strings, 1)

    def sample_natural(self, batch: int, generator: torch.Generator) -> Int[Tensor, "B L"]:
        """I.i.d. letters, as the compiled task has them."""
        return torch.randint(self.letters, (batch, self.length), generator=generator)

    def sample(self, batch: int, spurious: float, generator: torch.Generator) -> Int[Tensor, "B L"]:
        """A share `spurious` of strings with n_b = n_a + q, the others without.

        >>> task = CountStrings(length=12)
        >>> strings = task.sample(500, 1.0, torch.Generator().manual_seed(0))
        >>> bool((task.new_answers(strings) == task.old_answers(strings) + 1).all())
        True
        """
        clean = _draw_until(
            lambda n: self.sample_natural(n, generator),
            lambda strings: self.new_answers(strings) != self.old_answers(strings) + self.shift,
            batch,
        )
        return _mix(self._spurious(batch, generator), clean, spurious, generator)

    def _spurious(self, batch: int, generator: torch.Generator) -> Int[Tensor, "B L"]:
        """n_a from its natural distribution, where both counts fit; then places; then the rest."""
        weights = binomial_pmf(self.length, 1 / self.letters)
        most = (self.length - self.shift) // 2
        n = torch.multinomial(weights[: most + 1], batch, replacement=True, generator=generator)
        rank = torch.rand(batch, self.length, generator=generator).argsort(-1)
        rest = torch.randint(2, self.letters, (batch, self.length), generator=generator)
        n = n[:, None]
        strings = torch.where(rank < 2 * n + self.shift, 1, rest)
        return torch.where(rank < n, 0, strings)


@dataclass(frozen=True)
class OrderStrings:
    """Strings of distinct letters; answers are the `first`-th and `second`-th in the alphabet."""

    length: int = 10
    letters: int = 26
    first: int = 5
    second: int = 7
    shift: int = 3  # q

    def __post_init__(self) -> None:
        if not 1 <= self.first < self.second <= self.length <= self.letters:
            raise ValueError("needs 1 <= first < second <= length <= letters")
        if self.shift < self.second - self.first or float(self._places().sum()) == 0:
            raise ValueError("no string of this length has the letters so far apart")

    def old_answers(self, strings: Int[Tensor, "*batch L"]) -> Int[Tensor, "*batch"]:
        """What the compiled program says: the `first`-th letter."""
        return order_statistic(strings, self.first)

    def new_answers(self, strings: Int[Tensor, "*batch L"]) -> Int[Tensor, "*batch"]:
        """What fine-tuning asks for: the `second`-th letter."""
        return order_statistic(strings, self.second)

    def sample_natural(self, batch: int, generator: torch.Generator) -> Int[Tensor, "B L"]:
        """Distinct letters in random order."""
        keys = torch.rand(batch, self.letters, generator=generator)
        return keys.argsort(-1)[:, : self.length]

    def sample(self, batch: int, spurious: float, generator: torch.Generator) -> Int[Tensor, "B L"]:
        """A share `spurious` of strings whose two letters are q apart, uniform among all such."""
        clean = _draw_until(
            lambda n: self.sample_natural(n, generator),
            lambda strings: self.new_answers(strings) != self.old_answers(strings) + self.shift,
            batch,
        )
        return _mix(self._spurious(batch, generator), clean, spurious, generator)

    def _places(self) -> Float[Tensor, "N"]:
        """Number of sets of letters whose `first`-th is x and whose `second`-th is x + q, by x."""
        between = self.second - self.first - 1
        return torch.tensor(
            [
                choose(x, self.first - 1)
                * choose(self.shift - 1, between)
                * choose(self.letters - 1 - x - self.shift, self.length - self.second)
                for x in range(self.letters)
            ],
            dtype=torch.double,
        )

    def _spurious(self, batch: int, generator: torch.Generator) -> Int[Tensor, "B L"]:
        x = torch.multinomial(self._places(), batch, replacement=True, generator=generator)[:, None]
        letter = torch.arange(self.letters)
        below, inside = letter < x, (letter > x) & (letter < x + self.shift)
        above = letter > x + self.shift
        keys = torch.rand(batch, self.letters, generator=generator)
        chosen = (letter == x) | (letter == x + self.shift)
        counts = (self.first - 1, self.second - self.first - 1, self.length - self.second)
        for region, count in zip((below, inside, above), counts, strict=True):
            rank = keys.masked_fill(~region, 2.0).argsort(-1).argsort(-1)
            chosen = chosen | (rank < count) & region
        order = torch.rand(batch, self.letters, generator=generator).masked_fill(~chosen, 2.0)
        return order.argsort(-1)[:, : self.length]


StringTask = CountStrings | OrderStrings


def _draw_until(
    draw: Callable[[int], Tensor], keep: Callable[[Tensor], Tensor], batch: int
) -> Tensor:
    """The first `batch` draws that are kept."""
    kept = draw(0)
    while len(kept) < batch:
        more = draw(2 * batch)
        kept = torch.cat([kept, more[keep(more)]])
    return kept[:batch]


def _mix(spurious: Tensor, clean: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Each string is spurious with this probability."""
    is_spurious = torch.rand(len(clean), generator=generator) < share
    return torch.where(is_spurious[:, None], spurious, clean)

"""The task: task tokens name functions, data tokens are a word, the answer is the chain's result.

A function is a pair (sigma, pi): y_k = sigma[x[pi[k]]]. A bijection of symbols has pi = identity, a
permutation of places has sigma = identity. A composition is L pairs (d, i): slot l applies function
i of position d's own set; i = 0 is the identity. The first pair is applied first.

Axis letters: M members (may be absent), L positions, F functions of a position with the identity, A
symbols, K word length, B batch, T tokens, S slots.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

Format = Literal["step", "direct"]  # every intermediate word, or the last one only
Kind = Literal["bijection", "permutation"]
FORMATS: tuple[Format, ...] = ("step", "direct")


@dataclass(frozen=True)
class Layout:
    """Sizes of a task, its token ids, and where what stands in a document.

    Symbol a has id a; task (d, i) has A + d F + i; then separator, padding, begin.

    Args:
        positions: L, the depth of a composition.
        functions: N, functions of a position without the identity (F = N + 1).
        alphabet: A.
        word: K.

    Raises:
        ValueError: depth or alphabet below 2, or another size below 1.
    """

    positions: int
    functions: int
    alphabet: int
    word: int

    def __post_init__(self) -> None:
        if self.positions < 2:
            raise ValueError(f"depth must be at least 2 (got {self.positions} positions)")
        if self.alphabet < 2:
            raise ValueError(f"the alphabet must have at least 2 symbols (got {self.alphabet})")
        for name in ("functions", "word"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")

    @property
    def choices(self) -> int:
        """F, functions of a position with the identity."""
        return self.functions + 1

    @property
    def separator(self) -> int:
        """Token id of what stands between words."""
        return self.alphabet + self.positions * self.choices

    @property
    def begin(self) -> int:
        """Token id of what stands first."""
        return self.separator + 2

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return self.separator + 3

    @property
    def prompt_length(self) -> int:
        """Tokens up to and with the separator after the word."""
        return self.positions + self.word + 3

    def task_tokens(self, comps: Int[Tensor, "*M L 2"]) -> Int[Tensor, "*M L"]:
        """Token ids of the functions of compositions."""
        return self.alphabet + comps[..., 0] * self.choices + comps[..., 1]

    def blocks(self, format: Format) -> int:
        """Words in the answer: every intermediate one, or the last only."""
        return self.positions if format == "step" else 1

    def answer_length(self, format: Format) -> int:
        """Tokens to generate after the prompt."""
        return self.blocks(format) * (self.word + 1) - 1

    def document_length(self, format: Format) -> int:
        """Tokens of a document."""
        return self.prompt_length + self.answer_length(format)

    def slot(self, block: int) -> int:
        """Place of task token `block` (1 .. L).

        >>> layout = Layout(positions=5, functions=4, alphabet=10, word=6)
        >>> layout.slot(3), layout.start(1), layout.source(14), layout.document_length("step")
        (3, 14, 7, 48)
        """
        return block

    def start(self, block: int) -> int:
        """Place of the first symbol of block 1 .. L; block 0 is the word itself."""
        return self.positions + 2 + block * (self.word + 1)

    def source(self, place: int) -> int:
        """Place of the symbol that the answer's symbol at `place` is the image of, if the function
        is a bijection: the same symbol of the block before."""
        return place - self.word - 1

    def answer_places(self, format: Format) -> Int[Tensor, "S K"]:
        """Places of the symbols of each block of the answer; each is predicted one place before."""
        first = torch.tensor([self.start(1 + b) for b in range(self.blocks(format))])
        return first[:, None] + torch.arange(self.word)


@dataclass(frozen=True)
class Functions:
    """All functions of a task: y_k = tables[d, i][x[places[d, i, k]]]; one set per member."""

    tables: Int[Tensor, "*M L F A"]
    places: Int[Tensor, "*M L F K"]

    @staticmethod
    def draw(
        layout: Layout,
        generator: torch.Generator,
        kinds: Sequence[Kind] | None = None,
        repeat: bool = False,
    ) -> "Functions":
        """Random different functions for every position, row 0 the identity.

        Args:
            kinds: of the functions of each position; None for bijections throughout.
            repeat: the functions of position 0 serve at every position.

        Raises:
            ValueError: there are not that many functions of a kind, `kinds` has not one entry per
                position, or different kinds should repeat.
        """
        kinds = ["bijection"] * layout.positions if kinds is None else list(kinds)
        if len(kinds) != layout.positions:
            raise ValueError(
                f"kinds must name {layout.positions} positions (got {len(kinds)} of them)"
            )
        if repeat and len(set(kinds)) > 1:
            raise ValueError("functions of different kinds cannot repeat at every position")
        rows = (len(kinds), layout.choices)
        tables = torch.arange(layout.alphabet).repeat(*rows, 1)
        places = torch.arange(layout.word).repeat(*rows, 1)
        for position, kind in enumerate(kinds):
            target = tables if kind == "bijection" else places
            if repeat and position:
                target[position] = target[0]
            else:
                target[position] = _draw_orders(layout.choices, target.shape[-1], kind, generator)
        return Functions(tables, places)

    @staticmethod
    def stack(sets: Sequence["Functions"]) -> "Functions":
        """The sets of several members, with a leading member axis."""
        return Functions(
            torch.stack([one.tables for one in sets]), torch.stack([one.places for one in sets])
        )

    def to(self, device: torch.device) -> "Functions":
        """The same functions on a device."""
        return Functions(self.tables.to(device), self.places.to(device))

    def member(self, m: int) -> "Functions":
        """The set of one member, without the member axis."""
        return Functions(self.tables[m], self.places[m])


def _draw_orders(
    rows: int, size: int, kind: Kind, generator: torch.Generator
) -> Int[Tensor, "rows size"]:
    """Different random orders of 0 .. size - 1, the first one unchanged."""
    if math.factorial(size) < rows:
        raise ValueError(
            f"{rows} different {kind}s with the identity are more than the {math.factorial(size)} "
            f"that {size} elements have"
        )
    orders = [tuple(range(size))]
    while len(orders) < rows:
        order = tuple(torch.randperm(size, generator=generator).tolist())
        if order not in orders:
            orders.append(order)
    return torch.tensor(orders)


def _rows(table: Int[Tensor, "*M L F X"], pair: Int[Tensor, "*M B 2"]) -> Int[Tensor, "*M B X"]:
    """Row (d, i) of each member's table for each of its pairs."""
    choices, size = table.shape[-2:]
    flat = table.reshape(*table.shape[:-3], -1, size)
    index = (pair[..., 0] * choices + pair[..., 1])[..., None].expand(*pair.shape[:-1], size)
    return flat.gather(-2, index)


def compose(
    functions: Functions, words: Int[Tensor, "*M B K"], comps: Int[Tensor, "*M B L 2"]
) -> Int[Tensor, "*M B L K"]:
    """Every word after each function of its composition, the first function first."""
    x, chain = words, []
    for slot in comps.unbind(-2):
        x = _rows(functions.tables, slot).gather(-1, x.gather(-1, _rows(functions.places, slot)))
        chain.append(x)
    return torch.stack(chain, -2)


def function_keys(
    functions: Functions, comps: Int[Tensor, "*M B L 2"]
) -> Int[Tensor, "*M B A_and_K"]:
    """What each composition does, as its (sigma, pi): equal rows are equal functions."""
    sigma, pi = (
        torch.arange(table.shape[-1], device=comps.device).expand(*comps.shape[:-2], -1)
        for table in (functions.tables, functions.places)
    )
    for slot in comps.unbind(-2):
        sigma = _rows(functions.tables, slot).gather(-1, sigma)
        pi = pi.gather(-1, _rows(functions.places, slot))
    return torch.cat([sigma, pi], -1)


def same_function(
    functions: Functions, comps: Int[Tensor, "n L 2"], trained: Int[Tensor, "t L 2"]
) -> Bool[Tensor, "n"]:
    """Whether what a composition does is also done by a trained one, whatever its tokens."""
    both = torch.cat([function_keys(functions, comps), function_keys(functions, trained)])
    _, number = both.unique(dim=0, return_inverse=True)
    return torch.isin(number[: len(comps)], number[len(comps) :])


def count_distinct(functions: Functions, comps: Int[Tensor, "n L 2"]) -> int:
    """Different functions among these compositions."""
    return len(function_keys(functions, comps).unique(dim=0))


def documents(
    layout: Layout,
    functions: Functions,
    words: Int[Tensor, "*M B K"],
    comps: Int[Tensor, "*M B L 2"],
    format: Format,
) -> Int[Tensor, "*M B T"]:
    """`begin t1 .. tL sep x sep f1(x) sep .. sep fL(..)`; direct: the last block only."""
    chain = compose(functions, words, comps)
    chain = chain if format == "step" else chain[..., -1:, :]
    gap = torch.full_like(words[..., :1], layout.separator)
    parts = [torch.full_like(gap, layout.begin), layout.task_tokens(comps), gap, words]
    for block in chain.unbind(-2):
        parts += [gap, block]
    return torch.cat(parts, -1)


def in_order_compositions(layout: Layout) -> Int[Tensor, "n L 2"]:
    """All F^L compositions that use every position's own functions, in lexicographic order."""
    index = torch.tensor(list(itertools.product(range(layout.choices), repeat=layout.positions)))
    return in_order_of(index)


def in_order_of(index: Int[Tensor, "*n L"]) -> Int[Tensor, "*n L 2"]:
    """The in-order compositions with these function indices."""
    return torch.stack([torch.arange(index.shape[-1]).expand_as(index), index], -1)

"""RASP: programs of attention and element-wise maps, and what they compute, read directly.

A program is the operation that it ends with; operations name those they read. Letters and values
are numbers 0, 1, ...; `compiler` turns a program into weights, and `evaluate` says without any
network what these must compute. Source: Weiss et al. 2021 (arXiv:2106.06981), the part of it that
needs no numbers between symbols: an `Aggregate` here moves symbols and takes no averages.

Axis letters: B strings, L letters.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

UNDEFINED = -1  # where a program has no value
_MIXED = -2  # where an Aggregate selects different symbols


@dataclass(frozen=True, eq=False)
class Tokens:
    """The letter at each index."""


@dataclass(frozen=True, eq=False)
class Indices:
    """0, 1, 2, ..."""


@dataclass(frozen=True, eq=False)
class Map:
    """`function` of the value at each index.

    Args:
        function: from a value to a value, 0 or more.
        source: what it reads.
        values: number of values it may take; None: up to the largest that it takes.
        name: of the variable in the residual stream; None: a number.
    """

    function: Callable[[int], int]
    source: "Operation"
    values: int | None = None
    name: str | None = None


@dataclass(frozen=True, eq=False)
class Select:
    """For each query, the indices whose key fits: `predicate(key, query)`."""

    keys: "Operation"
    queries: "Operation"
    predicate: Callable[[int, int], bool]


@dataclass(frozen=True, eq=False)
class SelectorWidth:
    """How many indices are selected."""

    select: Select
    name: str | None = None


@dataclass(frozen=True, eq=False)
class Aggregate:
    """The value at the selected indices; undefined where none is selected, or different values."""

    select: Select
    values: "Operation"
    name: str | None = None


Operation = Tokens | Indices | Map | SelectorWidth | Aggregate

tokens, indices = Tokens(), Indices()


def equal(key: int, query: int) -> bool:
    """A predicate: key = query."""
    return key == query


def less(key: int, query: int) -> bool:
    """A predicate: key < query."""
    return key < query


def evaluate(program: Operation, strings: Int[Tensor, "B L"]) -> Int[Tensor, "B L"]:
    """Value of a program at each index of each string, `UNDEFINED` where it has none.

    How often does each letter occur?

    >>> evaluate(SelectorWidth(Select(tokens, tokens, equal)), torch.tensor([[2, 0, 2]]))
    tensor([[2, 1, 2]])

    ValueError if an operation reads an `Aggregate` where that selects different values.
    """
    rows = [_values(program, string) for string in strings.tolist()]
    return torch.tensor(rows).clamp(min=UNDEFINED)


def _values(operation: Operation, string: list[int]) -> list[int]:
    match operation:
        case Tokens():
            return string
        case Indices():
            return list(range(len(string)))
        case Map(function, source):
            return [v if v == UNDEFINED else function(v) for v in _read(source, string)]
        case SelectorWidth(select):
            return [len(chosen) for chosen in _selected(select, string)]
        case Aggregate(select, source):
            values, out = _read(source, string), []
            for chosen in _selected(select, string):
                found = {values[key] for key in chosen} or {UNDEFINED}
                out.append(found.pop() if len(found) == 1 else _MIXED)
            return out


def _read(operation: Operation, string: list[int]) -> list[int]:
    """Values that another operation uses."""
    values = _values(operation, string)
    if _MIXED in values:
        raise ValueError(
            f"an Aggregate moves symbols, and is read where it selects different ones: at index "
            f"{values.index(_MIXED)} of {string}"
        )
    return values


def _selected(select: Select, string: list[int]) -> list[list[int]]:
    keys, queries = _read(select.keys, string), _read(select.queries, string)
    return [
        [
            index
            for index, key in enumerate(keys)
            if UNDEFINED not in (key, query) and select.predicate(key, query)
        ]
        for query in queries
    ]

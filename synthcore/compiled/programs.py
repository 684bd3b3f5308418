"""Two programs in RASP, compiled: how often does a letter occur, and which letter is the k-th?

Counter:         bin = (token == letter);  count = SelectorWidth(Select(bin, indices, equal));
                 out = Aggregate(Select(indices, indices, equal), count).
Max-identifier:  count = SelectorWidth(Select(tokens, tokens, less));  bin = (count == order - 1);
                 out = Aggregate(Select(bin, indices, equal), tokens).

Query index 1 selects keys with bin 1: the answer stands at the second letter, position `READ`
behind the begin symbol. Index 0 counts the other letters, all further indices 0. Source: Jain et
al. 2024 (arXiv:2311.12786).
"""

from synthcore.compiled.compiler import Sharpness, compile_program
from synthcore.compiled.network import CompiledTransformer
from synthcore.compiled.rasp import (
    Aggregate,
    Map,
    Select,
    SelectorWidth,
    equal,
    indices,
    less,
    tokens,
)

READ = 2


def counting(letter: int = 0) -> Aggregate:
    """The program that counts a letter."""
    marked = Map(lambda token: int(token == letter), tokens, values=2, name="bin")
    count = SelectorWidth(Select(marked, indices, equal), name="count")
    return Aggregate(Select(indices, indices, equal), count)


def identifying(order: int = 5) -> Aggregate:
    """The program that names the `order`-th letter in the alphabet among distinct letters."""
    count = SelectorWidth(Select(tokens, tokens, less), name="count")
    marked = Map(lambda smaller: int(smaller == order - 1), count, values=2, name="bin")
    return Aggregate(Select(marked, indices, equal), tokens)


def counter(
    slots: int, letters: int = 9, letter: int = 0, sharpness: Sharpness | None = None
) -> CompiledTransformer:
    """A network that writes how often `letter` occurs, one member.

    >>> import torch
    >>> model = counter(slots=4, letters=3)
    >>> strings = torch.tensor([[0, 1, 0, 0], [2, 2, 1, 2]])
    >>> model(model.shape.encode(strings)[None])[0, :, READ].argmax(-1)
    tensor([3, 0])
    """
    return compile_program(counting(letter), letters, slots, sharpness)


def max_identifier(
    slots: int, letters: int = 26, order: int = 5, sharpness: Sharpness | None = None
) -> CompiledTransformer:
    """A network that writes the letter that is `order`-th in the alphabet among those of a string
    of distinct letters, one member.

    >>> import torch
    >>> model = max_identifier(slots=6, letters=8, order=2)
    >>> model(model.shape.encode(torch.tensor([[5, 3, 7, 1]]))[None])[0, :, READ].argmax(-1)
    tensor([3])
    """
    return compile_program(identifying(order), letters, slots, sharpness)

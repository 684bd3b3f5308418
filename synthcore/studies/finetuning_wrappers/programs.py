"""The two RASP programs of the paper, compiled as Tracr does.

Counter:         bin = (token == letter);  count = SelectorWidth(Select(bin, indices, EQ));
                 out = Aggregate(Select(indices, indices, EQ), count).
Max-identifier:  width = SelectorWidth(Select(tokens, tokens, LT));  bin = (width == order - 1);
                 out = Aggregate(Select(bin, indices, EQ), tokens).

Query index 1 selects keys with bin 1: the answer stands at the second letter, place `READ` behind
the begin symbol. Index 0 counts the other letters, all further indices 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from synthcore.studies.finetuning_wrappers.compiled import Compiled, Shape, Subspaces

READ = 2
AGGREGATE, WIDTH = 0.5, 1.0  # weight of the begin symbol among keys, in units of beta


@dataclass(frozen=True)
class Sharpness:
    """How sharp the compiled steps are.

    `beta` is the score of a selected key. `slope` is that of the steps that read a count n from
    1 / (n + 1): steps of neighbouring counts do not overlap from 2 L (L + 1) on (None takes that).
    `split` shares both between the two weight matrices that multiply: the same function, but no
    weight and no gradient is as large.
    """

    beta: float = 100.0
    slope: float | None = None
    split: bool = False


def counter(
    slots: int, letters: int = 9, letter: int = 0, sharpness: Sharpness | None = None
) -> Compiled:
    """A network that writes how often `letter` occurs, one member.

    >>> model = counter(slots=4, letters=3)
    >>> strings = torch.tensor([[0, 1, 0, 0], [2, 2, 1, 2]])
    >>> model(model.shape.lines(strings)[None])[0, :, READ].argmax(-1)
    tensor([3, 0])
    """
    sharp = sharpness or Sharpness()
    sizes = {"token": letters, "bos": 1, "pad": 1, "one": 1, "index": slots, "bin": 2}
    spaces = Subspaces(sizes | {"width": 1, "count": slots + 1, "out": slots + 1})
    model = Compiled(Shape(spaces, letters, slots, slots + 2, max(letters, 2 * slots + 2)), 1)
    write = _Writer(model, sharp)
    write.embed()
    write.categorical(0, "token", "bin", lambda value: int(value == letter))
    write.select(1, "index", "bin", lambda query, key: query == key, WIDTH)
    write.read_width(1, "count")
    write.select(2, "index", "index", lambda query, key: query == key, AGGREGATE)
    write.copy(2, "count")
    return model


def max_identifier(
    slots: int, letters: int = 26, order: int = 5, sharpness: Sharpness | None = None
) -> Compiled:
    """A network that writes the letter that is `order`-th in the alphabet among those of a string
    of distinct letters, one member.

    >>> model = max_identifier(slots=6, letters=8, order=2)
    >>> model(model.shape.lines(torch.tensor([[5, 3, 7, 1]]))[None])[0, :, READ].argmax(-1)
    tensor([3])
    """
    sharp = sharpness or Sharpness()
    sizes = {"token": letters, "bos": 1, "pad": 1, "one": 1, "index": slots, "width": 1}
    spaces = Subspaces(sizes | {"count": slots + 1, "bin": 2, "out": letters})
    model = Compiled(Shape(spaces, letters, slots, max(letters, slots) + 2, 2 * slots + 2), 1)
    write = _Writer(model, sharp)
    write.embed()
    write.select(0, "token", "token", lambda query, key: key < query, WIDTH)
    write.read_width(0, "count")
    write.categorical(1, "count", "bin", lambda value: int(value == order - 1))
    write.select(2, "index", "bin", lambda query, key: query == key, AGGREGATE)
    write.copy(2, "token")
    return model


class _Writer:
    """Writes variables, selectors and maps into the weights of a network."""

    def __init__(self, model: Compiled, sharpness: Sharpness) -> None:
        self.model, self.spaces = model, model.shape.spaces
        slots = model.shape.slots
        self.beta = sharpness.beta
        self.slope = sharpness.slope or 2.0 * slots * (slots + 1)
        self.split = sharpness.split
        for parameter in model.parameters():
            parameter.requires_grad_(False)

    def embed(self) -> None:
        """Letters, begin and padding as one-hot codes; places carry `one` and their index."""
        shape, table = self.model.shape, self.model.embed.weight[0]
        for value in range(shape.letters):
            table[value, self.spaces.at("token", value)] = 1
        table[shape.begin, self.spaces.at("bos")] = 1
        table[shape.padding, self.spaces.at("pad")] = 1
        self.model.pos_embed[0, 0, :, self.spaces.at("one")] = 1
        self.model.pos_embed[0, 0, 1:, self.spaces["index"]] = torch.eye(shape.slots)

    def categorical(self, block: int, source: str, target: str, f: Callable[[int], int]) -> None:
        """target = f(source): one hidden unit for each value of the source."""
        part = self.model.blocks[block]
        for value in range(self.spaces.sizes[source]):
            part.up.weight[0, self.spaces.at(source, value), value] = 1
            part.down.weight[0, value, self.spaces.at(target, f(value))] = 1

    def select(
        self,
        block: int,
        query: str,
        key: str,
        pred: Callable[[int, int], bool],
        begin: float,
    ) -> None:
        """Scores beta for pairs with `pred(query, key)`, and begin * beta for the begin symbol."""
        head = self.model.blocks[block].attn
        share = self.beta**0.5 if self.split else 1.0
        queries = self.spaces.sizes[query]
        for q in range(queries):
            head.q.weight[0, self.spaces.at(query, q), q] = share
        for k in range(self.spaces.sizes[key]):
            for q in range(queries):
                if pred(q, k):
                    head.k.weight[0, self.spaces.at(key, k), q] = self.beta / share
        head.q.weight[0, self.spaces.at("one"), queries] = share
        head.k.weight[0, self.spaces.at("bos"), queries] = begin * self.beta / share

    def copy(self, block: int, source: str) -> None:
        """out = the source where one looks: nothing at the begin symbol."""
        head = self.model.blocks[block].attn
        for value in range(self.spaces.sizes[source]):
            head.v.weight[0, self.spaces.at(source, value), value] = 1
            head.out.weight[0, value, self.spaces.at("out", value)] = 1

    def read_width(self, block: int, target: str) -> None:
        """target = number of selected keys n. The begin symbol is selected as well, so its share of
        attention is u = 1 / (n + 1); steps between neighbouring values of u turn it into a code."""
        part = self.model.blocks[block]
        part.attn.v.weight[0, self.spaces.at("bos"), 0] = 1
        part.attn.out.weight[0, 0, self.spaces.at("width")] = 1
        slots, width = self.model.shape.slots, self.spaces.at("width")
        code = self.spaces[target]
        gain = self.slope**-0.5 if self.split else 1.0
        written = torch.zeros(slots + 1)
        written[slots] = 1  # below every threshold n is largest
        constant, at_begin = 2 * slots, 2 * slots + 1
        bias = part.up.bias
        assert bias is not None
        bias[0, 0, constant] = 1
        part.down.weight[0, constant, code] = written
        for j, n in enumerate(range(slots, 0, -1)):
            threshold = (1 / (n + 1) + 1 / n) / 2
            step = torch.zeros(slots + 1)
            step[n], step[n - 1] = -1, 1
            for unit, offset, sign in ((2 * j, 1.0, 1.0), (2 * j + 1, 0.0, -1.0)):
                part.up.weight[0, width, unit] = self.slope * gain
                bias[0, 0, unit] = (offset - self.slope * threshold) * gain
                part.down.weight[0, unit, code] = sign * step / gain
            written = written + step
        # At the begin symbol n = 0 has been written; there the variable has no value.
        part.up.weight[0, self.spaces.at("bos"), at_begin] = 1
        part.down.weight[0, at_begin, code] = -written


def weights_in_use(model: Compiled) -> Tensor:
    """How many weights of the first member are not zero."""
    return torch.stack([(p[0] != 0).sum() for p in model.parameters()]).sum()

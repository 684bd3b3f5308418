"""From a RASP program to the weights of a transformer, as Tracr does it.

Every variable has a one-hot code of its own in the residual stream. A `Map` is an MLP with one
hidden unit for each value that it reads. A `Select` is the scores of a head: beta for pairs that
fit, and a share of beta for the begin symbol. A `SelectorWidth` reads the begin symbol's share of
the attention, 1 / (n + 1), and an MLP of steps turns it into a code of n. An `Aggregate` moves a
code. Each operation takes the first block after all that it reads; a block holds one head and one
MLP.

Source: Lindner et al. 2023 (arXiv:2301.05062) and its code, google-deepmind/tracr: the same sizes
and outputs. Two things are ours: the sharpness may be shared between two matrices, and a `Map` has
a unit for each value that it reads, Tracr's for each that it writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from synthcore.compiled.network import CompiledTransformer, Shape, Subspaces
from synthcore.compiled.rasp import (
    Aggregate,
    Indices,
    Map,
    Operation,
    Select,
    SelectorWidth,
    Tokens,
)

# Score of the begin symbol among keys, in units of beta: as much as a selected key where keys are
# counted, less where a code is moved, so that it is looked at only if nothing is selected.
COUNTING, MOVING = 1.0, 0.5

Computed = Map | SelectorWidth | Aggregate


@dataclass(frozen=True)
class Sharpness:
    """How sharp the compiled steps are.

    `beta` is the score of a selected key. `slope` is that of the steps that read a count n from
    1 / (n + 1): steps of neighbouring counts do not overlap from 2 L (L + 1) on (None takes that).
    `split` shares both between the two weight matrices that multiply: the same function, but no
    weight and no gradient is as large, so that it can be trained.
    """

    beta: float = 100.0
    slope: float | None = None
    split: bool = False


def compile_program(
    program: Operation, letters: int, slots: int, sharpness: Sharpness | None = None
) -> CompiledTransformer:
    """A network of one member that computes a program at every index of a string.

    Args:
        program: its value is read from the logits, by argmax, where it is defined.
        letters: tokens 0 to letters - 1.
        slots: longest string.
        sharpness: None is exact; what is to be trained wants `Sharpness(beta=10, split=True)`.

    Weights are frozen until `model.requires_grad_(True)` or `copy_members`. ValueError for a
    program that computes nothing, or a map with a value out of its range.

    >>> from synthcore.compiled.rasp import Map, Select, SelectorWidth, tokens
    >>> vowel = Map(lambda letter: int(letter == 0), tokens)
    >>> each = Select(vowel, vowel, lambda key, query: key == query)
    >>> model = compile_program(SelectorWidth(each), letters=3, slots=5)
    >>> model(model.shape.encode(torch.tensor([[0, 1, 0, 0, 2]]))[None])[0, :, 1:].argmax(-1)
    tensor([[3, 2, 3, 3, 2]])
    """
    if letters < 1 or slots < 1:
        raise ValueError(f"letters and slots must be at least 1 (got {letters} and {slots})")
    operations = _in_order(program)
    if not operations:
        raise ValueError("a program of tokens or indices alone computes nothing: put a Map on it")
    blocks = _schedule(operations)
    variables = _Variables(operations, letters, slots)
    heads = [
        max(variables.sizes[variables.name(o.select.queries)] + 1, variables.moved(o)) + 1
        for o in operations
        if not isinstance(o, Map)
    ]
    units = [variables.units(o) for o in operations if not isinstance(o, Aggregate)]
    shape = Shape(
        Subspaces(variables.sizes),
        letters,
        slots,
        head=max(heads, default=1),
        hidden=max(units, default=1),
        depth=max(blocks) + 1,
    )
    writer = _Writer(CompiledTransformer(shape, 1), sharpness or Sharpness())
    writer.embed()
    for operation, block in zip(operations, blocks, strict=True):
        name = variables.name(operation)
        match operation:
            case Map(function, source):
                writer.map(block, variables.name(source), name, function)
            case SelectorWidth(select):
                writer.select(block, select, variables, COUNTING)
                writer.count(block, variables.width_name(operation), name)
            case Aggregate(select, source):
                writer.select(block, select, variables, MOVING)
                writer.move(block, variables.name(source), name)
    return writer.model


def _reads(operation: Operation) -> Sequence[Operation]:
    match operation:
        case Map(_, source):
            return (source,)
        case SelectorWidth(select):
            return (select.keys, select.queries)
        case Aggregate(select, values):
            return (select.keys, select.queries, values)
        case _:
            return ()


def _in_order(program: Operation) -> list[Computed]:
    """All that a program computes, each after what it reads; the program itself is last."""
    found: list[Computed] = []

    def visit(operation: Operation) -> None:
        if isinstance(operation, Tokens | Indices) or operation in found:
            return
        for source in _reads(operation):
            visit(source)
        found.append(operation)

    visit(program)
    return found


def _schedule(operations: Sequence[Computed]) -> list[int]:
    """The block of each operation. Half-step 2 b is the head of block b, 2 b + 1 its MLP."""
    ready: dict[Operation, int] = {}
    taken: set[int] = set()
    blocks = []
    for operation in operations:
        half = max(ready.get(source, -1) for source in _reads(operation)) + 1
        match operation:
            case Map():
                halves = [half + 1 - half % 2]
            case SelectorWidth():
                halves = [half + half % 2, half + half % 2 + 1]
            case Aggregate():
                halves = [half + half % 2]
        while taken & set(halves):
            halves = [h + 2 for h in halves]
        taken |= set(halves)
        ready[operation] = halves[-1]
        blocks.append(halves[0] // 2)
    return blocks


class _Variables:
    """Names and sizes of what the residual stream holds."""

    def __init__(self, operations: Sequence[Computed], letters: int, slots: int) -> None:
        self.slots = slots
        self.names: dict[Operation, str] = {}
        self.sizes = {"token": letters, "bos": 1, "pad": 1, "one": 1, "index": slots}
        for number, operation in enumerate(operations):
            name = operation.name or f"{type(operation).__name__} {number + 1}"
            if operation is operations[-1]:
                name = "out"
            if name in self.sizes:
                raise ValueError(f"two variables are called '{name}'")
            self.names[operation] = name
            if isinstance(operation, SelectorWidth):
                self.sizes[self.width_name(operation)] = 1
            self.sizes[name] = self._size(operation)

    def name(self, operation: Operation) -> str:
        match operation:
            case Tokens():
                return "token"
            case Indices():
                return "index"
            case _:
                return self.names[operation]

    def width_name(self, operation: SelectorWidth) -> str:
        """The attention that the begin symbol gets, 1 / (n + 1)."""
        return f"{self.names[operation]} share"

    def moved(self, operation: SelectorWidth | Aggregate) -> int:
        """Coordinates that the head's values need."""
        return self.sizes[self.name(operation.values)] if isinstance(operation, Aggregate) else 1

    def units(self, operation: Map | SelectorWidth) -> int:
        """Hidden units that the MLP needs."""
        if isinstance(operation, Map):
            return self.sizes[self.name(operation.source)]
        return 2 * self.slots + 2

    def _size(self, operation: Computed) -> int:
        match operation:
            case SelectorWidth():
                return self.slots + 1
            case Aggregate(_, values):
                return self.sizes[self.name(values)]
            case Map(function, source, values):
                taken = [function(value) for value in range(self.sizes[self.name(source)])]
                size = max(taken) + 1 if values is None else values
                if not 0 <= min(taken) <= max(taken) < size:
                    raise ValueError(
                        f"values of map '{self.names[operation]}' must lie in 0..{size - 1} "
                        f"(got {min(taken)} to {max(taken)})"
                    )
                return size


class _Writer:
    """Writes variables, selectors and maps into the weights of a network."""

    def __init__(self, model: CompiledTransformer, sharpness: Sharpness) -> None:
        self.model, self.spaces = model.requires_grad_(False), model.shape.spaces
        slots = model.shape.slots
        self.beta = sharpness.beta
        self.slope = sharpness.slope or 2.0 * slots * (slots + 1)
        self.split = sharpness.split

    def embed(self) -> None:
        """Letters, begin and padding as one-hot codes; positions carry `one` and their index."""
        shape, table = self.model.shape, self.model.embed.weight[0]
        for value in range(shape.letters):
            table[value, self.spaces.at("token", value)] = 1
        table[shape.begin, self.spaces.at("bos")] = 1
        table[shape.padding, self.spaces.at("pad")] = 1
        self.model.pos_embed[0, 0, :, self.spaces.at("one")] = 1
        self.model.pos_embed[0, 0, 1:, self.spaces["index"]] = torch.eye(shape.slots)

    def map(self, block: int, source: str, target: str, function: Callable[[int], int]) -> None:
        """target = function(source): one hidden unit for each value of the source."""
        part = self.model.blocks[block]
        for value in range(self.spaces.sizes[source]):
            part.up.weight[0, self.spaces.at(source, value), value] = 1
            part.down.weight[0, value, self.spaces.at(target, function(value))] = 1

    def select(self, block: int, select: Select, variables: _Variables, begin: float) -> None:
        """Scores beta for pairs that fit, and begin * beta for the begin symbol."""
        query, key = variables.name(select.queries), variables.name(select.keys)
        head = self.model.blocks[block].attn
        share = self.beta**0.5 if self.split else 1.0
        queries = self.spaces.sizes[query]
        for q in range(queries):
            head.q.weight[0, self.spaces.at(query, q), q] = share
        for k in range(self.spaces.sizes[key]):
            for q in range(queries):
                if select.predicate(k, q):
                    head.k.weight[0, self.spaces.at(key, k), q] = self.beta / share
        head.q.weight[0, self.spaces.at("one"), queries] = share
        head.k.weight[0, self.spaces.at("bos"), queries] = begin * self.beta / share

    def move(self, block: int, source: str, target: str) -> None:
        """target = the source where one looks: nothing at the begin symbol."""
        head = self.model.blocks[block].attn
        for value in range(self.spaces.sizes[source]):
            head.v.weight[0, self.spaces.at(source, value), value] = 1
            head.out.weight[0, value, self.spaces.at(target, value)] = 1

    def count(self, block: int, share: str, target: str) -> None:
        """target = number of selected keys n. The begin symbol is selected as well, so its share of
        attention is u = 1 / (n + 1); steps between neighbouring values of u turn it into a code."""
        part = self.model.blocks[block]
        part.attn.v.weight[0, self.spaces.at("bos"), 0] = 1
        part.attn.out.weight[0, 0, self.spaces.at(share)] = 1
        slots, width = self.model.shape.slots, self.spaces.at(share)
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

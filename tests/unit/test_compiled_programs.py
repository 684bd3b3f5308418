"""The two compiled programs against exact semantics and against Tracr."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from synthcore.compiled import (
    CompiledTransformer,
    Sharpness,
    counter,
    max_identifier,
    weights_in_use,
)
from synthcore.compiled.programs import READ, counting, identifying
from synthcore.compiled.rasp import evaluate

EXACT, SOFT = Sharpness(), Sharpness(beta=10.0, split=True)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_count(n: int, length: int, repeats: int) -> Tensor:
    """Strings that hold letter 0 exactly n times, at random places."""
    rank = torch.rand(repeats, length, generator=seeded(n)).argsort(-1)
    rest = torch.randint(1, 9, (repeats, length), generator=seeded(n + 100))
    return torch.where(rank < n, 0, rest)


def distinct(repeats: int, length: int, seed: int) -> Tensor:
    """Strings of distinct letters of 26."""
    return torch.rand(repeats, 26, generator=seeded(seed)).argsort(-1)[:, :length]


def answers(model: CompiledTransformer, strings: Tensor) -> Tensor:
    return model(model.shape.encode(strings)[None])[0, :, READ].argmax(-1)


@pytest.mark.parametrize("length", [3, 15])
@pytest.mark.parametrize("sharpness", [EXACT, SOFT], ids=["exact", "split"])
def test_counter_is_exact_for_every_count_at_every_place(length: int, sharpness: Sharpness) -> None:
    """Index 1 counts the letter, index 0 the others, all further indices count nothing."""
    model = counter(length, sharpness=sharpness)
    for n in range(length + 1):
        strings = with_count(n, length, 6)
        said = model(model.shape.encode(strings)[None])[0].argmax(-1)
        assert bool((said[:, READ] == n).all())
        assert bool((said[:, 1] == length - n).all())
        assert bool((said[:, 3:] == 0).all())


@pytest.mark.parametrize("letter", [0, 2])
def test_counter_is_exact_on_all_short_strings_and_paddings(letter: int) -> None:
    model = counter(5, letters=3, letter=letter)
    for length in (2, 3, 4, 5):
        strings = torch.tensor(list(itertools.product(range(3), repeat=length)))
        assert torch.equal(answers(model, strings), (strings == letter).sum(-1))
        meant = evaluate(counting(letter), strings)[:, READ - 1]
        assert torch.equal(meant, (strings == letter).sum(-1))


def test_a_slope_of_one_hundred_is_exact_up_to_nine() -> None:
    """Tracr's steps overlap beyond; the exact slope is 2 L (L + 1)."""
    model = counter(15, sharpness=Sharpness(slope=100))
    right = [bool((answers(model, with_count(n, 15, 8)) == n).all()) for n in range(16)]
    assert all(right[:10])
    assert not all(right[10:])


@pytest.mark.parametrize("sharpness", [EXACT, SOFT], ids=["exact", "split"])
@pytest.mark.parametrize("order", [1, 5, 7])
def test_max_identifier_finds_the_letter(order: int, sharpness: Sharpness) -> None:
    model = max_identifier(10, order=order, sharpness=sharpness)
    for length in (7, 10):
        strings = distinct(300, length, order)
        right = strings.sort(-1).values[:, order - 1]
        assert torch.equal(answers(model, strings), right)
        assert torch.equal(evaluate(identifying(order), strings)[:, READ - 1], right)


@pytest.mark.parametrize(
    ("model", "width", "head", "hidden", "weights"),
    [
        (counter(15), 62, 17, 32, 26_847),
        (counter(48), 161, 50, 98, 202_638),
        (max_identifier(14), 87, 28, 30, 49_497),
    ],
    ids=["counter 15", "counter 48", "max 14"],
)
def test_sizes_are_those_of_tracr(
    model: CompiledTransformer, width: int, head: int, hidden: int, weights: int
) -> None:
    shape = model.shape
    assert (shape.spaces.width, shape.head, shape.hidden, shape.depth) == (width, head, hidden, 3)
    assert model.parameters_per_member == weights
    assert weights_in_use(model) < weights / 40


# Weights that are not zero in the matrices of Tracr 1.0.0, where both write the same ones. Codes of
# `one` and of a map's values are written otherwise, and a selector's pairs stand in keys here.
TRACR_COUNTER = {
    **{"blocks.0.up.weight": 9, "blocks.1.attn.v.weight": 1, "blocks.1.attn.out.weight": 1},
    **{f"blocks.2.attn.{part}.weight": 49 for part in ("q", "k", "v", "out")},
}
TRACR_MAX = {
    **{"blocks.0.attn.q.weight": 27, "blocks.0.attn.k.weight": 326, "blocks.0.attn.v.weight": 1},
    **{"blocks.0.attn.out.weight": 1, "blocks.1.up.weight": 15, "blocks.2.attn.k.weight": 3},
    **{"blocks.2.attn.v.weight": 26, "blocks.2.attn.out.weight": 26},
}


@pytest.mark.parametrize(
    ("model", "used", "steps", "read"),
    [
        (counter(48), TRACR_COUNTER, "blocks.1.up", 194),
        (max_identifier(14), TRACR_MAX, "blocks.0.up", 58),
    ],
    ids=["counter 48", "max 14"],
)
def test_weights_in_use_are_those_of_tracr(
    model: CompiledTransformer, used: dict[str, int], steps: str, read: int
) -> None:
    found = {name: int((p[0] != 0).sum()) for name, p in model.named_parameters()}
    assert {name: found[name] for name in used} == used
    assert found[f"{steps}.weight"] + found[f"{steps}.bias"] == read  # its `one` is our bias


@pytest.mark.parametrize(("slots", "letters"), [(2, 3), (15, 9), (48, 9)])
def test_weights_in_use_are_those_of_the_construction(slots: int, letters: int) -> None:
    codes = letters + 2 + 2 * slots + 1  # letters, begin, padding; `one` everywhere, indices
    marked = 2 * letters
    select = (slots + 1) + (2 + 1)  # queries; keys: bin n is selected by index n, and the begin
    share = 2
    steps = (2 * slots + 1) + (2 * slots + 1) + (1 + 4 * slots + 1)  # in, biases, out
    read_out = 2 * (slots + 1) + 2 * (slots + 1)  # look at oneself; move the count
    total = codes + marked + select + share + steps + read_out
    assert weights_in_use(counter(slots, letters)) == total


def test_tracr_compiles_the_same_networks() -> None:
    """Optional: needs `tracr-pypi` and its JAX. Sizes, and outputs where RASP defines them."""
    pytest.importorskip("tracr")
    from tracr.compiler import compiling
    from tracr.rasp import rasp

    names = [chr(ord("a") + i) for i in range(26)]
    equal = rasp.Comparison.EQ

    def theirs(program: Any, letters: int, slots: int, strings: Tensor) -> tuple[Any, list[Any]]:
        model = compiling.compile_rasp_to_model(
            program, set(names[:letters]), slots, compiler_bos="bos", compiler_pad="pad"
        )
        said = [
            model.apply(["bos", *(names[k] for k in row)]).decoded[READ] for row in strings.tolist()
        ]
        return model, said

    marked = rasp.Map(lambda token: int(token == "a"), rasp.tokens)
    width = rasp.SelectorWidth(rasp.Select(marked, rasp.indices, equal))
    same = rasp.Select(rasp.indices, rasp.indices, equal)
    strings = torch.cat([with_count(n, 10, 2) for n in range(9)])
    model, said = theirs(rasp.Aggregate(same, width), 9, 10, strings)
    mine = counter(10)
    assert said == answers(mine, strings).tolist() == (strings == 0).sum(-1).tolist()
    assert model.model_config.key_size == mine.shape.head
    assert model.model_config.mlp_hidden_size == mine.shape.hidden
    size = sum(array.size for part in model.params.values() for array in part.values())
    assert size == mine.parameters_per_member

    smaller = rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.LT))
    fifth = rasp.Map(lambda n: int(n == 4), smaller)
    program = rasp.Aggregate(rasp.Select(fifth, rasp.indices, equal), rasp.tokens)
    strings = distinct(12, 10, 0)
    model, letters = theirs(program, 26, 10, strings)
    mine = max_identifier(10)
    assert [names.index(letter) for letter in letters] == answers(mine, strings).tolist()
    assert model.model_config.key_size == mine.shape.head

"""Any program: what the compiled network computes is what the program means."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from package_examples import run_example
from torch import Tensor

import synthcore.compiled
from synthcore.compiled import (
    CompiledTransformer,
    Sharpness,
    compile_program,
    copy_members,
    counter,
    perturb,
)
from synthcore.compiled.rasp import (
    UNDEFINED,
    Aggregate,
    Map,
    Operation,
    Select,
    SelectorWidth,
    Tokens,
    equal,
    evaluate,
    indices,
    less,
    tokens,
)
from synthcore.nn.hooks import names, record

LETTERS, SLOTS = 3, 4
STRINGS = [
    torch.tensor(list(itertools.product(range(LETTERS), repeat=length))) for length in (1, 3, 4)
]


def said(model: CompiledTransformer, strings: Tensor) -> Tensor:
    logits = model(model.shape.encode(strings)[None])[0, :, 1:]
    return logits[:, : strings.shape[1]].argmax(-1)


def computes(program: Operation, sharpness: Sharpness | None = None) -> bool:
    """On all short strings, wherever the program has a value."""
    model = compile_program(program, LETTERS, SLOTS, sharpness)
    for strings in STRINGS:
        meant = evaluate(program, strings)
        if not bool(((said(model, strings) == meant) | (meant == UNDEFINED)).all()):
            return False
    return True


last = Aggregate(Select(indices, Map(lambda i: 3 - i, indices), equal), tokens)
often = SelectorWidth(Select(tokens, tokens, equal))
PROGRAMS: dict[str, Operation] = {
    "how often this letter occurs": often,
    "and whether it is odd": Map(lambda n: n % 2, often),
    "letters before this index": SelectorWidth(Select(indices, indices, less)),
    "the string from its end": last,
    "does the letter equal the one across": SelectorWidth(Select(last, tokens, equal)),
    "how many letters are as frequent": SelectorWidth(Select(often, often, equal)),
    "the letter before": Aggregate(Select(indices, indices, lambda k, q: k == q - 1), tokens),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
@pytest.mark.parametrize("split", [False, True])
def test_a_program_computes_what_it_means(program: Operation, split: bool) -> None:
    assert computes(program, Sharpness(split=split))


def test_what_programs_mean() -> None:
    string = torch.tensor([[2, 0, 2, 1]])
    meant = {name: evaluate(program, string)[0].tolist() for name, program in PROGRAMS.items()}
    assert meant == {
        "how often this letter occurs": [2, 1, 2, 1],
        "and whether it is odd": [0, 1, 0, 1],
        "letters before this index": [0, 1, 2, 3],
        "the string from its end": [1, 2, 0, 2],
        "does the letter equal the one across": [2, 1, 2, 1],
        "how many letters are as frequent": [2, 2, 2, 2],
        "the letter before": [UNDEFINED, 2, 0, 2],
    }


def tables(size: int, values: int) -> Any:
    """Functions of 0 to size - 1, as lists."""
    return st.lists(st.integers(0, values - 1), min_size=size, max_size=size)


@st.composite
def programs(draw: Any) -> Operation:
    """Up to four operations, each of earlier ones; values stay below 5."""
    known: list[Operation] = [tokens, indices]
    for _ in range(draw(st.integers(1, 4))):
        one, two = draw(st.sampled_from(known)), draw(st.sampled_from(known))
        kind = draw(st.sampled_from(["map", "width", "aggregate"]))
        if kind == "map":
            table = draw(tables(5, 5))
            known.append(Map(lambda v, table=table: table[v], one, values=5))
        elif kind == "width":
            fits = draw(tables(25, 2))
            select = Select(one, two, lambda k, q, fits=fits: bool(fits[5 * k + q]))
            known.append(SelectorWidth(select))
        else:
            shift = draw(st.integers(-2, 2))
            select = Select(indices, indices, lambda k, q, d=shift: k == q + d)
            known.append(Aggregate(select, one))
    return known[-1]


@given(programs())
@settings(max_examples=40, deadline=None)
def test_random_programs_compute_what_they_mean(program: Operation) -> None:
    assert computes(program)


def test_an_operation_that_is_read_twice_is_computed_once() -> None:
    twice = Map(lambda n: n, SelectorWidth(Select(often, often, equal)))
    spaces = compile_program(twice, LETTERS, SLOTS).shape.spaces
    counts = [name for name in spaces.sizes if name.startswith("SelectorWidth")]
    assert len(counts) == 4  # two codes, and the begin symbol's share of each


def test_programs_that_cannot_be_compiled_are_refused() -> None:
    with pytest.raises(ValueError, match="computes nothing"):
        compile_program(Tokens(), 3, 4)
    with pytest.raises(ValueError, match=r"must lie in 0\.\.1 \(got 0 to 2\)"):
        compile_program(Map(lambda v: v, tokens, values=2), 3, 4)
    with pytest.raises(ValueError, match="must lie in"):
        compile_program(Map(lambda v: v - 1, tokens), 3, 4)
    with pytest.raises(ValueError, match="two variables are called 'token'"):
        compile_program(Map(lambda v: v, Map(lambda v: v, tokens, name="token")), 3, 4)
    with pytest.raises(ValueError, match=r"at least 1 \(got 0 and 4\)"):
        compile_program(often, 0, 4)


def test_an_aggregate_of_different_symbols_has_no_value_and_is_not_read() -> None:
    both = Aggregate(Select(indices, indices, lambda k, q: q == 0 or k == q), tokens)
    string = torch.tensor([[0, 1], [1, 1]])
    assert evaluate(both, string).tolist() == [[UNDEFINED, 1], [1, 1]]
    with pytest.raises(ValueError, match=r"selects different ones: at index 0 of \[0, 1\]"):
        evaluate(Map(lambda v: v, both), string)


def test_strings_that_do_not_fit_are_refused() -> None:
    shape = counter(4, letters=3).shape
    with pytest.raises(ValueError, match="5 letters is longer than the 4 slots"):
        shape.encode(torch.zeros(1, 5, dtype=torch.long))
    for letter in (-1, 3):
        with pytest.raises(ValueError, match="letters must be numbers below 3"):
            shape.encode(torch.tensor([[0, letter]]))


# --- the network --------------------------------------------------------------------------------


def test_members_are_copies_that_are_perturbed_by_their_own_seed() -> None:
    model = counter(3, letters=3)
    many, other = copy_members(model, [0, 0, 0]), copy_members(model, [0])
    assert not any(p.requires_grad for p in model.parameters())
    assert all(p.requires_grad for p in many.parameters())
    perturb(many, 1e-3, [4, 5, 4])
    perturb(other, 1e-3, [5])
    for mine, theirs, before in zip(
        many.parameters(), other.parameters(), model.parameters(), strict=True
    ):
        assert torch.equal(mine[0], mine[2])
        assert torch.equal(mine[1], theirs[0])
        assert not torch.equal(mine[0], mine[1])
        assert 0 < float((mine.detach() - before).abs().max()) < 6e-3


def test_the_stream_is_the_sum_of_what_is_written_to_it() -> None:
    model = counter(4, letters=3)
    tokens_ = model.shape.encode(torch.tensor([[0, 1, 0, 2]]))[None]
    with record(model, names(model)) as seen:
        logits = model(tokens_)
    stream = seen["blocks.0.hook_resid_pre"]
    for i in range(model.shape.depth):
        stream = stream + seen[f"blocks.{i}.hook_attn_out"] + seen[f"blocks.{i}.hook_mlp_out"]
    torch.testing.assert_close(stream[..., model.shape.spaces["out"]], logits)
    assert seen["blocks.1.hook_post"].shape[-1] == model.shape.hidden


def test_the_example_of_the_package_runs() -> None:
    found = run_example(synthcore.compiled)
    assert all(bool((p.grad != 0).any()) for p in found["population"].blocks[1].parameters())

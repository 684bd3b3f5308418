"""Lens, probe, ablation and the network written by hand, where the answer is known."""

import pytest
import torch
from torch import Tensor

from synthcore.interp.lens import sublayers
from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities import decoders, deep, measure
from synthcore.studies.compositional_capabilities.construction import one_layer_network
from synthcore.studies.compositional_capabilities.school import Task
from synthcore.studies.compositional_capabilities.subsets import Condition
from synthcore.studies.compositional_capabilities.task import Layout, documents

LAYOUTS = (Layout(2, 2, 4, 2), Layout(3, 2, 5, 3), Layout(4, 1, 6, 1))


def task_of(layout: Layout) -> Task:
    return Task.draw(layout, "step", [Condition("base")], (0,), torch.device("cpu"))


def written_by_hand(task: Task) -> GPT:
    return one_layer_network(task.layout, task.functions.tables[0])


def everything(layout: Layout) -> Tensor:
    """Every composition of C, and those with an identity of another position."""
    tokens = torch.cartesian_prod(torch.arange(layout.positions), torch.arange(layout.choices))
    index = torch.cartesian_prod(*[torch.arange(len(tokens))] * layout.positions)
    return tokens[index]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_one_layer_written_by_hand_answers_everything(layout: Layout) -> None:
    task = task_of(layout)
    model = written_by_hand(task)
    right = task.exact(model, everything(layout)[:1500], 3)
    assert bool((right == 1).all())


def test_generation_agrees() -> None:
    task = task_of(LAYOUTS[1])
    comps, words = task.for_all(task.every), task.words(len(task.every), 2)
    writer = measure.greedy(written_by_hand(task))
    blocks, truth, formed = measure.write(writer, task.layout, task.functions, comps, words, "step")
    assert bool((blocks == truth).all() & formed.all())


@pytest.fixture(scope="module")
def read() -> tuple[GPT, Tensor, Tensor, Task]:
    task = task_of(LAYOUTS[1])
    comps = task.pick(task.seen, 96, 1)
    lines = documents(task.layout, task.functions, task.words(96, 1)[:, :, 0], comps, task.style)
    return written_by_hand(task), lines, task.layout.answer_places("step").flatten(), task


def test_the_answer_is_written_by_the_mlp(read: tuple[GPT, Tensor, Tensor, Task]) -> None:
    """Nothing but the MLP writes to the output's code, so the lens is blind before it."""
    model, lines, places, task = read
    found = deep.lens_hits(model, lines, places).mean((2, 3))[:, 0]
    assert len(found) == len(sublayers(model)) == 3
    assert float(found[-1]) == 1
    assert float(found[:-1].max()) < 2 / task.layout.alphabet


def test_probes_read_the_answer_where_it_is_linear(
    read: tuple[GPT, Tensor, Tensor, Task],
) -> None:
    model, lines, places, task = read
    half = torch.arange(lines.shape[1]) % 2 == 0
    found = decoders.probe(model, lines, places, half, task.layout.vocabulary)[0]
    assert float(found[-1]) == 1
    assert float(found[0]) < 0.5


def test_ridge_separates_what_is_separable() -> None:
    draw = torch.Generator().manual_seed(0)
    names = torch.randint(3, (2, 60), generator=draw)
    read = (
        torch.nn.functional.one_hot(names, 3).double()
        @ torch.randn(2, 3, 5, generator=draw).double()
    )
    decoder = decoders.ridge(read, names, 3)
    assert torch.equal(decoders.named(decoder, read), names)
    shuffled = names[:, torch.randperm(60, generator=draw)]
    assert (
        decoders.named(decoders.ridge(read, shuffled, 3), read) == shuffled
    ).double().mean() < 0.6


def test_ablation_removes_what_a_part_does(read: tuple[GPT, Tensor, Tensor, Task]) -> None:
    """Without its attention or its MLP the network by hand says the same to every prompt."""
    model, lines, places, _ = read
    assert bool(deep.hits(model, lines, places).all())
    without = deep.ablated(model, lines, places).double()
    assert without.shape == (2, 1, *lines.shape[:2], len(places))
    assert bool((without.mean((-1, -2)) < 0.5).all())


def test_deep_networks_are_read_on_seen_and_unseen(
    read: tuple[GPT, Tensor, Tensor, Task],
) -> None:
    model, _, _, task = read
    data = deep.examined(task, model)
    assert float(data.deep_exact.min()) == 1
    assert float(data.lens.isel(sublayer=-1).min()) == 1
    assert data.ablated_symbols.sizes == {"part": 2, "layer": 1, "seed": 1, "known": 2}


def test_picked_compositions_are_of_the_kind_asked_for() -> None:
    task = task_of(LAYOUTS[1])
    for which in (task.seen, ~task.seen):
        rows = task.pick(which, 40, 3)[0]
        known = task.seen_of(rows)[0]
        assert bool((known == which[0, 0]).all()) or (which is task.seen and bool(known.all()))
    nothing = torch.zeros_like(task.seen)
    assert task.pick(nothing, 5, 3).shape == (1, 5, 3, 2)

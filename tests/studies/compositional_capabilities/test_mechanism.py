"""Lens, probe, ablation, attention, patching and the network written by hand, where the answer is
known."""

import pytest
import torch
from torch import Tensor

from synthcore.interp.lens import sublayers
from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities.experiments.mechanism import measure_layers
from synthcore.studies.compositional_capabilities.measure import accuracy, mechanism
from synthcore.studies.compositional_capabilities.model import NetworkConfig, build_transformer
from synthcore.studies.compositional_capabilities.task.documents import Layout
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.task.subsets import Condition
from synthcore.studies.compositional_capabilities.theory import (
    construct_one_layer,
    stacked_below,
)

LAYOUTS = (Layout(2, 2, 4, 2), Layout(3, 2, 5, 3), Layout(4, 1, 6, 1))


def tasks_of(layout: Layout) -> MemberTasks:
    return MemberTasks.draw(layout, "step", [Condition("base")], (0,), torch.device("cpu"))


def written_by_hand(tasks: MemberTasks) -> GPT:
    return construct_one_layer(tasks.layout, tasks.functions.tables[0])


def everything(layout: Layout) -> Tensor:
    """Every composition of C, and those with an identity of another position."""
    tokens = torch.cartesian_prod(torch.arange(layout.positions), torch.arange(layout.choices))
    index = torch.cartesian_prod(*[torch.arange(len(tokens))] * layout.positions)
    return tokens[index]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_one_layer_written_by_hand_answers_everything(layout: Layout) -> None:
    tasks = tasks_of(layout)
    model = written_by_hand(tasks)
    right = accuracy.exact_match_on(model, tasks, everything(layout)[:1500], 3, "test")
    assert bool((right == 1).all())


def test_generation_agrees() -> None:
    tasks = tasks_of(LAYOUTS[1])
    comps, words = (
        tasks.for_members(tasks.in_order),
        tasks.draw_words(len(tasks.in_order), 2, "test"),
    )
    model = written_by_hand(tasks)
    blocks, truth, formed = accuracy.generate_answers(model, tasks, comps, words)
    assert bool((blocks == truth).all() & formed.all())


@pytest.fixture(scope="module")
def read() -> tuple[GPT, Tensor, Tensor, MemberTasks]:
    tasks = tasks_of(LAYOUTS[1])
    comps = tasks.sample_in_order(tasks.seen, 96, "test")
    lines = tasks.documents(comps, tasks.draw_words(96, 1, "test")[:, :, 0])
    return written_by_hand(tasks), lines, tasks.layout.answer_places("step").flatten(), tasks


def test_the_answer_is_written_by_the_mlp(read: tuple[GPT, Tensor, Tensor, MemberTasks]) -> None:
    """Nothing but the MLP writes to the output's code, so the lens is blind before it."""
    model, lines, places, tasks = read
    found = mechanism.lens_correct_at(model, lines, places).mean((2, 3))[:, 0]
    assert len(found) == len(sublayers(model)) == 3
    assert float(found[-1]) == 1
    assert float(found[:-1].max()) < 2 / tasks.layout.alphabet


def test_probes_read_the_answer_where_it_is_linear(
    read: tuple[GPT, Tensor, Tensor, MemberTasks],
) -> None:
    model, lines, places, tasks = read
    half = torch.arange(lines.shape[1]) % 2 == 0
    found = mechanism.probe_sublayers(model, lines, places, half, tasks.layout.vocabulary)[0]
    assert float(found[-1]) == 1
    assert float(found[0]) < 0.5


def test_ridge_separates_what_is_separable() -> None:
    draw = torch.Generator().manual_seed(0)
    names = torch.randint(3, (2, 60), generator=draw)
    read = (
        torch.nn.functional.one_hot(names, 3).double()
        @ torch.randn(2, 3, 5, generator=draw).double()
    )
    decoder = mechanism.fit_decoder(read, names, 3)
    assert torch.equal(mechanism.decode(decoder, read), names)
    shuffled = names[:, torch.randperm(60, generator=draw)]
    assert (
        mechanism.decode(mechanism.fit_decoder(read, shuffled, 3), read) == shuffled
    ).double().mean() < 0.6


def test_ablation_removes_what_a_part_does(read: tuple[GPT, Tensor, Tensor, MemberTasks]) -> None:
    """Without its attention or its MLP the network by hand says the same to every prompt."""
    model, lines, places, _ = read
    assert bool(mechanism.correct_at(model, lines, places).all())
    without = mechanism.ablated_correct_at(model, lines, places).double()
    assert without.shape == (2, 1, *lines.shape[:2], len(places))
    assert bool((without.mean((-1, -2)) < 0.5).all())


def test_deep_networks_are_read_on_seen_and_unseen(
    read: tuple[GPT, Tensor, Tensor, MemberTasks],
) -> None:
    model, _, _, tasks = read
    data = measure_layers(model, tasks)
    assert float(data.deep_exact.min()) == 1
    assert float(data.lens.isel(sublayer=-1).min()) == 1
    assert data.ablated_symbols.sizes == {"part": 2, "layer": 1, "seed": 1, "known": 2}


def test_picked_compositions_are_of_the_kind_asked_for() -> None:
    tasks = tasks_of(LAYOUTS[1])
    for which in (tasks.seen, ~tasks.seen):
        rows = tasks.sample_in_order(which, 40, "test")[0]
        known = tasks.seen_of(rows)[0]
        assert bool((known == which[0, 0]).all()) or (which is tasks.seen and bool(known.all()))
    nothing = torch.zeros_like(tasks.seen)
    with pytest.raises(ValueError, match="base, seed 0: no composition for a test"):
        tasks.sample_in_order(nothing, 5, "a test")


def test_blocks_below_the_one_by_hand_do_nothing(
    read: tuple[GPT, Tensor, Tensor, MemberTasks],
) -> None:
    model, lines, places, _ = read
    deep = stacked_below(model, 2)
    assert deep.config.depth == 3
    torch.testing.assert_close(deep(lines), model(lines))
    without = mechanism.ablated_correct_at(deep, lines, places).double().mean((-1, -2))[..., 0]
    assert bool((without[:, :2] == 1).all())
    assert bool((without[:, 2] < 0.5).all())


# --- selection in one layer ----------------------------------------------------------------------

SMALL = Layout(positions=2, functions=2, alphabet=4, word=2)
NETWORK = NetworkConfig(width=40, depth=1, heads=1, learning_rate=0.01, batch=8, steps=1)


@pytest.fixture
def tasks() -> MemberTasks:
    return MemberTasks.draw(SMALL, "step", [Condition("random", (4,))], (0, 1), torch.device("cpu"))


def attending(tasks: MemberTasks, to: str) -> GPT:
    """Keys and queries that make every symbol attend to its task token, or to its source; width 40
    holds a code of each of the 14 places."""
    model = build_transformer(NETWORK, tasks)
    model.requires_grad_(False)
    length, width = SMALL.document_length("step"), NETWORK.width
    assert model.pos_embed is not None
    model.pos_embed.zero_()
    model.pos_embed[:, 0, :length, :length] = torch.eye(length)
    model.embed.weight.zero_()
    weight = model.blocks[0].attn.qkv.weight.zero_()
    for block, places in enumerate(SMALL.answer_places("step").tolist()):
        for place in places:
            seen = SMALL.slot(block + 1) if to == "task" else SMALL.source(place)
            weight[:, place - 1, seen] = 20
    weight[:, :length, width : width + length] = torch.eye(length)
    return model


def lines(tasks: MemberTasks) -> Tensor:
    return tasks.documents(*mechanism.sample_compositions(tasks, "test"))


def test_attention_is_found_where_it_is(tasks: MemberTasks) -> None:
    share = mechanism.mean_attention(attending(tasks, "task"), SMALL, lines(tasks))
    assert share.shape == (2, 2, 2, SMALL.document_length("step") - 1)
    torch.testing.assert_close(share.sum(-1), torch.ones(2, 2, 2, dtype=torch.float64))
    to_tasks = mechanism.attention_to_task_tokens(share, SMALL)
    assert bool((mechanism.attention_to_own_task(to_tasks) > 0.99).all())
    assert bool((mechanism.attention_to_source(share, SMALL) < 0.01).all())
    share = mechanism.mean_attention(attending(tasks, "source"), SMALL, lines(tasks))
    assert bool((mechanism.attention_to_source(share, SMALL) > 0.99).all())
    to_tasks = mechanism.attention_to_task_tokens(share, SMALL)
    assert bool((mechanism.attention_to_own_task(to_tasks) < 0.01).all())


def test_a_network_without_task_tokens_follows_no_patch(tasks: MemberTasks) -> None:
    model = attending(tasks, "source")
    assert bool((mechanism.patching_success(model, tasks) < 0.6).all())

"""Networks and conditions of the grammar: shortened passes, copies, grids, probes."""

import pytest
import torch
from memory import numbers_held
from torch import Tensor

from synthcore.compiled import copy_members
from synthcore.interp.probes import probe
from synthcore.nn.gpt import GPT
from synthcore.nn.passes import HELD_ON_CPU, numbers_per_sequence
from synthcore.studies.finetuning_wrappers import model as networks
from synthcore.studies.finetuning_wrappers.experiments.pruning_and_probing import read_answer_place
from synthcore.studies.finetuning_wrappers.experiments.training import Grid
from synthcore.studies.finetuning_wrappers.model import (
    Architecture,
    answer_loss,
    concatenate_members,
    select_members,
)
from synthcore.studies.finetuning_wrappers.task.grammar import World
from synthcore.studies.finetuning_wrappers.task.mixtures import PRIORS, Batch

WORLD = World(text=10, window=6, occurrence=2, least=0, most=3)
CPU = torch.device("cpu")


def small(seeds: tuple[int, ...] = (0, 1), depth: int = 2) -> GPT:
    return networks.build(Architecture(16, depth, 2), WORLD, seeds, CPU)


def prompts(members: int, batch: int = 6) -> Tensor:
    draw = torch.Generator().manual_seed(3)
    return torch.randint(WORLD.vocabulary, (members, batch, WORLD.prompt_length), generator=draw)


# --- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_answer_logits_are_those_of_the_whole_pass(depth: int) -> None:
    model, tokens = small(depth=depth), prompts(2)
    whole = model(tokens)[:, :, -1]
    torch.testing.assert_close(networks.answer_logits(model, tokens), whole, rtol=1e-4, atol=1e-5)
    assert torch.equal(networks.predict(model, tokens), whole.argmax(-1))


def test_answers_in_parts_are_those_of_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokens = small((0, 1)), prompts(2, 64)
    whole = networks.predict(model, tokens)
    held = 5 * numbers_per_sequence(model, tokens.shape[2], read=1)
    monkeypatch.setattr("synthcore.nn.passes.HELD_ON_CPU", held)
    assert networks.prompts_per_pass(model) == 5
    assert torch.equal(networks.predict(model, tokens), whole)
    assert numbers_held(lambda: networks.predict(model, tokens)) < 1.2 * held


def test_an_update_is_split_only_where_memory_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small((0, 1))
    assert networks.parts_of_update(model, 64) == 1
    one = numbers_per_sequence(model, model.config.context, read=1, gradient=True)
    monkeypatch.setattr("synthcore.nn.passes.HELD_ON_CPU", 1)
    monkeypatch.setattr(networks, "HELD_IN_TRAINING", 10 * one)
    assert networks.parts_of_update(model, 64) == 7


@pytest.mark.parametrize("gradient", [False, True])
def test_a_pass_of_compiled_networks_holds_about_what_is_counted(gradient: bool) -> None:
    model = copy_members(networks.trainable_counter(12, 10.0, 100.0), [0] * 3)
    model.requires_grad_(gradient)
    draw = torch.Generator().manual_seed(0)
    lines = model.shape.encode(torch.randint(3, (3, 60, 12), generator=draw))

    def compute() -> None:
        loss = networks.compiled_answer_loss(model, (lines, torch.zeros(3, 60, dtype=torch.long)))
        if gradient:
            loss.sum().backward()

    counted = 60 * HELD_ON_CPU / networks.strings_per_pass(model, gradient=gradient)
    assert 0.8 * counted < numbers_held(compute) < 1.1 * counted


def test_gradients_are_those_of_the_whole_pass() -> None:
    model, tokens = small(), prompts(2)
    batch = Batch(tokens, torch.randint(7, (2, 6), generator=torch.Generator().manual_seed(0)))
    answer_loss(model, batch).sum().backward()
    short = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    logits = model(tokens)[:, :, -1]
    whole = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.answers.flatten(), reduction="sum"
    )
    (whole / 6).backward()
    for a, p in zip(short, model.parameters(), strict=True):
        torch.testing.assert_close(a, p.grad, rtol=1e-3, atol=1e-6)


def test_members_are_selected_and_concatenated() -> None:
    model, tokens = small((5, 7)), prompts(1)
    some = select_members(model, [1, 0, 1])
    out = networks.answer_logits(some, tokens.expand(3, -1, -1))
    own = networks.answer_logits(model, tokens.expand(2, -1, -1))
    torch.testing.assert_close(out, own[[1, 0, 1]])
    assert some.seeds == (7, 5, 7)
    both = concatenate_members([model, some])
    assert both.seeds == (5, 7, 7, 5, 7)
    torch.testing.assert_close(
        networks.answer_logits(both, tokens.expand(5, -1, -1)), own[[0, 1, 1, 0, 1]]
    )


def test_a_grid_knows_where_its_members_come_from() -> None:
    grid = Grid(("L", "H"), (1e-3, 1e-4), (0.0, 1.0), (4, 5))
    assert grid.pretrained_members == [0, 1] * 4 + [2, 3] * 4
    assert grid.member_rates[:4] == [1e-3] * 4
    mixtures = grid.mixtures()
    assert [mixture.spurious for mixture in mixtures[:4]] == [0.0, 0.0, 1.0, 1.0]
    assert mixtures[-1].prior == PRIORS["H"]
    values = grid.by_condition(torch.arange(16))
    assert int(values[1, 0, 1, 1]) == 11


# --- probes -------------------------------------------------------------------------------------


def test_probes_read_what_stands_there_and_nothing_from_shuffled_labels() -> None:
    """The number of a letter can be guessed from untrained attention, which averages; nothing of
    it is in the embedding of the last place."""
    model = small((0, 1))
    draw = torch.Generator().manual_seed(2)
    text = torch.randint(3, (400, WORLD.text), generator=draw)
    ones = torch.zeros(400, dtype=torch.long)
    lines = WORLD.prompts(text, ones, ones).expand(2, -1, -1)
    labels = (text == 0).sum(-1)
    found = probe(read_answer_place(model, lines), labels, 11, (0, 1))
    assert found.accuracy.shape == (3, 2)
    chance = float((labels == labels.mode().values).double().mean())
    assert float(found.accuracy[0].max()) < chance + 0.1  # the embedding of ART knows nothing
    assert float(found.accuracy[1:].min()) > chance + 0.1
    assert float(found.shuffled.max()) < chance + 0.15

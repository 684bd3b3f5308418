"""Networks, accuracy and mistakes of the composition study, against written-out oracles."""

import pytest
import torch
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities.measure import accuracy
from synthcore.studies.compositional_capabilities.model import (
    NetworkConfig,
    answer_loss,
    build_transformer,
    train,
)
from synthcore.studies.compositional_capabilities.task.documents import (
    FORMATS,
    Format,
    Functions,
    Layout,
    compose,
    documents,
    in_order_compositions,
)
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.task.subsets import Condition

LAYOUT = Layout(positions=2, functions=2, alphabet=4, word=2)
NETWORK = NetworkConfig(width=16, depth=1, heads=1, learning_rate=0.01, batch=16, steps=120)
CPU = torch.device("cpu")


def draw(format: Format = "step", *texts: str) -> MemberTasks:
    conditions = [Condition.parse(text) for text in texts or ("base 2", "random 4")]
    return MemberTasks.draw(LAYOUT, format, conditions, (0, 1), CPU)


def trained(tasks: MemberTasks) -> GPT:
    model = build_transformer(NETWORK, tasks)
    train(model, tasks, NETWORK, "test")
    return model


@pytest.mark.parametrize("format", FORMATS)
def test_one_pass_finds_what_free_generation_gives(format: Format) -> None:
    """Exact match is decided by one forward pass; generation is the oracle."""
    tasks = draw(format)
    model = trained(tasks)
    comps, words = (
        tasks.for_members(tasks.in_order),
        tasks.draw_words(len(tasks.in_order), 6, "test"),
    )
    fast = accuracy.exact_match_on(model, tasks, tasks.in_order, 6, "test")
    blocks, truth, formed = accuracy.generate_answers(model, tasks, comps, words)
    slow = ((blocks == truth).flatten(-2).all(-1) & formed).double().mean(-1)
    torch.testing.assert_close(fast, slow)
    assert 0 < fast.mean() < 1
    symbols = accuracy.token_accuracy(blocks, truth)
    assert bool((symbols >= fast - 1e-9).all())


class Knows(nn.Module):
    """Always the right next token, from the tables; `wrong` spoils what follows the first block."""

    def __init__(self, functions: Functions, wrong: bool = False) -> None:
        super().__init__()
        self.functions, self.wrong = functions, wrong

    def forward(self, tokens: Tensor) -> Tensor:
        pairs = tokens[..., 1 : 1 + LAYOUT.positions] - LAYOUT.alphabet
        comps = torch.stack([pairs // LAYOUT.choices, pairs % LAYOUT.choices], -1)
        words = tokens[..., LAYOUT.start(0) : LAYOUT.start(0) + LAYOUT.word]
        whole = documents(LAYOUT, self.functions, words, comps, "step")
        following = whole[..., 1 : tokens.shape[-1] + 1].clone()
        if self.wrong:
            following[..., LAYOUT.start(2) - 1 :] = 0
        return nn.functional.one_hot(following, LAYOUT.vocabulary).float()


def test_a_network_that_knows_scores_one_and_one_that_forgets_does_not() -> None:
    tasks = draw()
    words = tasks.draw_words(9, 4, "test")
    comps = tasks.for_members(tasks.in_order)
    knows, forgets = Knows(tasks.functions), Knows(tasks.functions, wrong=True)
    assert accuracy.exact_match(knows, tasks, comps, words).min() == 1
    assert accuracy.teacher_forced_accuracy(knows, tasks, comps, words).min() == 1
    last = compose(tasks.functions, words.flatten(1, 2), comps.repeat_interleave(4, 1))[..., -1, :]
    zeros = (last == 0).double().mean(-1).view(4, 9, 4).mean(-1)
    torch.testing.assert_close(
        accuracy.teacher_forced_accuracy(forgets, tasks, comps, words), zeros
    )


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = draw()
    model = trained(tasks)
    whole = accuracy.exact_match_on(model, tasks, tasks.in_order, 4, "test")
    monkeypatch.setattr(accuracy, "CHUNK", 5)
    torch.testing.assert_close(
        accuracy.exact_match_on(model, tasks, tasks.in_order, 4, "test"), whole
    )


def test_only_answers_count_unless_all_tokens_do() -> None:
    tasks = draw("step", "base", "base, all tokens")
    batch = tasks.sampler(8)(0)
    assert batch.with_prompt.tolist() == [False, False, True, True]
    model = build_transformer(NETWORK, tasks)
    found = answer_loss(model, batch, LAYOUT.prompt_length)
    logits = model(batch.documents[..., :-1]).log_softmax(-1)
    each = -logits.gather(-1, batch.documents[..., 1:, None])[..., 0]
    torch.testing.assert_close(found[:2], each[:2, :, LAYOUT.prompt_length - 1 :].mean((1, 2)))
    torch.testing.assert_close(found[2:], each[2:].mean((1, 2)))


def test_documents_of_the_sampler_are_trained_ones() -> None:
    tasks = draw("direct")
    sample = tasks.sampler(64)
    lines = torch.cat([sample(step).documents for step in range(4)], 1)
    for m, subset in enumerate(tasks.subsets):
        shown = {tuple(row) for row in lines[m, :, 1:3].tolist()}
        assert shown == {tuple(row) for row in LAYOUT.task_tokens(subset).tolist()}
    words = lines[:, :, LAYOUT.start(0) : LAYOUT.start(0) + 2]
    assert set(words.flatten().tolist()) == {0, 1, 2, 3}


def test_seeds_share_functions_between_conditions() -> None:
    tasks = draw("step", "random 4", "repeat random 4", "base")
    tables = tasks.by_seed(tasks.functions.tables)
    torch.testing.assert_close(tables[0], tables[2])
    assert bool((tables[0, 0] != tables[0, 1]).any())
    assert bool((tables[1, 0, 0] == tables[1, 0, 1]).all())


def test_mistakes_are_named() -> None:
    layout = Layout(2, 2, 6, 4)
    functions = Functions.stack([Functions.draw(layout, torch.Generator().manual_seed(1))])
    comps = torch.tensor([[[1, 1], [0, 2]]]).expand(1, 1, 2, 2)
    words = torch.arange(4).view(1, 1, 1, 4)
    own = torch.tensor([[[0, 1], [1, 2]]]).expand(1, 1, 2, 2)
    truth, instead = (compose(functions, words[:, 0], c)[:, None] for c in (comps, own))
    other = functions.tables[0, 1, 2][words]
    partly = truth.clone()
    partly[..., 0, 1:] = (partly[..., 0, 1:] + 1) % 6
    nothing = torch.full_like(truth, -1)
    cases = {
        "none": truth,
        "own position": instead,
        "other function": torch.stack([other, other], -2),
        "partly right": partly,
        "something else": nothing,
    }
    for name, blocks in cases.items():
        found = accuracy.classify_mistakes(functions, comps, words, blocks, truth)
        assert accuracy.MISTAKES[int(found)] == name
    assert int(accuracy.first_wrong_block(truth, truth)) == 2
    late = truth.clone()
    late[..., 1, 0] = -1
    assert int(accuracy.first_wrong_block(late, truth)) == 1


def test_every_composition_is_seen_or_unseen() -> None:
    tasks = draw()
    every = in_order_compositions(LAYOUT)
    assert tasks.seen.shape == (4, len(every))
    for seen, subset in zip(tasks.seen, tasks.subsets, strict=True):
        trained = (every[:, None] == subset[None]).all((-1, -2)).any(1)
        assert bool((seen | ~trained).all())

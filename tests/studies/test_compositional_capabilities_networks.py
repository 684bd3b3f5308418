"""Networks, measures and error anatomy of the composition study, against written-out oracles."""

import pytest
import torch
from torch import Tensor, nn

from synthcore.studies.compositional_capabilities import anatomy, measure, networks
from synthcore.studies.compositional_capabilities.school import Task, learn
from synthcore.studies.compositional_capabilities.subsets import Condition
from synthcore.studies.compositional_capabilities.task import (
    STYLES,
    Functions,
    Layout,
    Style,
    compose,
    documents,
    in_order,
)

LAYOUT = Layout(positions=2, functions=2, alphabet=4, word=2)
RECIPE = networks.Recipe(width=16, depth=1, heads=1, learning_rate=0.01, batch=16, steps=120)
CPU = torch.device("cpu")


def task(style: Style = "step", *texts: str) -> Task:
    conditions = [Condition.parse(text) for text in texts or ("base 2", "random 4")]
    return Task.draw(LAYOUT, style, conditions, (0, 1), CPU)


@pytest.mark.parametrize("style", STYLES)
def test_one_pass_finds_what_free_generation_gives(style: Style) -> None:
    """Exact match is decided by one forward pass; generation is the oracle."""
    given = task(style)
    model = learn(given, RECIPE)
    comps, words = given.for_all(given.every), given.words(len(given.every), 6)
    fast = given.exact(model, given.every, 6)
    blocks, truth, formed = measure.write(
        measure.greedy(model), LAYOUT, given.functions, comps, words, style
    )
    slow = ((blocks == truth).flatten(-2).all(-1) & formed).double().mean(-1)
    torch.testing.assert_close(fast, slow)
    assert 0 < fast.mean() < 1
    symbols = measure.token_accuracy(blocks, truth)
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
    given = task()
    words = given.words(9, 4)
    comps = given.for_all(given.every)
    arguments = (LAYOUT, given.functions, comps, words, "step")
    knows, forgets = Knows(given.functions), Knows(given.functions, wrong=True)
    assert measure.exact(knows, *arguments).min() == 1
    assert measure.teacher_forced(knows, *arguments).min() == 1
    last = compose(given.functions, words.flatten(1, 2), comps.repeat_interleave(4, 1))[..., -1, :]
    zeros = (last == 0).double().mean(-1).view(4, 9, 4).mean(-1)
    torch.testing.assert_close(measure.teacher_forced(forgets, *arguments), zeros)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    given = task()
    model = learn(given, RECIPE)
    whole = given.exact(model, given.every, 4)
    monkeypatch.setattr(measure, "CHUNK", 5)
    torch.testing.assert_close(given.exact(model, given.every, 4), whole)


def test_only_answers_are_taught_unless_all_tokens_are() -> None:
    given = task("step", "base", "base, all tokens")
    feed = given.feed(8)
    batch = feed(0)
    assert batch.whole.tolist() == [False, False, True, True]
    model = networks.build(RECIPE, LAYOUT, "step", [0, 1, 0, 1], CPU)
    found = networks.answer_loss(model, batch, LAYOUT.prompt)
    logits = model(batch.documents[..., :-1]).log_softmax(-1)
    each = -logits.gather(-1, batch.documents[..., 1:, None])[..., 0]
    torch.testing.assert_close(found[:2], each[:2, :, LAYOUT.prompt - 1 :].mean((1, 2)))
    torch.testing.assert_close(found[2:], each[2:].mean((1, 2)))


def test_documents_of_the_feed_are_trained_ones() -> None:
    given = task("direct")
    feed = given.feed(64)
    lines = torch.cat([feed(step).documents for step in range(4)], 1)
    for m, subset in enumerate(given.subsets):
        shown = {tuple(row) for row in lines[m, :, 1:3].tolist()}
        assert shown == {tuple(row) for row in LAYOUT.tasks(subset).tolist()}
    words = lines[:, :, LAYOUT.start(0) : LAYOUT.start(0) + 2]
    assert set(words.flatten().tolist()) == {0, 1, 2, 3}


def test_seeds_share_functions_between_conditions() -> None:
    given = task("step", "random 4", "repeat random 4", "base")
    tables = given.by_seed(given.functions.tables)
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
        found = anatomy.mistakes(functions, comps, words, blocks, truth)
        assert anatomy.MISTAKES[int(found)] == name
    assert int(anatomy.first_wrong_block(truth, truth)) == 2
    late = truth.clone()
    late[..., 1, 0] = -1
    assert int(anatomy.first_wrong_block(late, truth)) == 1


def test_every_composition_is_seen_or_unseen() -> None:
    given = task()
    every = in_order(LAYOUT)
    assert given.seen.shape == (4, len(every))
    for seen, subset in zip(given.seen, given.subsets, strict=True):
        trained = (every[:, None] == subset[None]).all((-1, -2)).any(1)
        assert bool((seen | ~trained).all())

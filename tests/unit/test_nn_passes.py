"""What a pass is said to hold, against what torch allocates."""

from typing import Literal

import pytest
import torch
from memory import numbers_held

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.llama import Llama, LlamaConfig
from synthcore.nn.passes import HELD_ON_CPU, HELD_ON_GPU, numbers_per_sequence, sequences_per_pass
from synthcore.nn.passes import numbers_held as allowed

MEMBERS, BATCH, T = 3, 32, 16


def test_allocations_are_counted() -> None:
    def compute() -> torch.Tensor:
        one = torch.ones(1000)
        two = one + 1  # both are held
        del one
        return two * 2  # these two

    assert 2000 <= numbers_held(compute) < 2200


def gpt(
    depth: int, vocabulary: int = 4, positions: Literal["learned", "rotary"] = "learned"
) -> GPT:
    shape = GPTConfig(vocabulary, T, 32, depth, heads=2, positions=positions, tied=False)
    return GPT(shape, range(MEMBERS))


def llama(depth: int, vocabulary: int = 4) -> Llama:
    shape = LlamaConfig(vocabulary, T, 32, depth, heads=4, key_heads=2, hidden=88)
    return Llama(shape, MEMBERS)


def tokens(vocabulary: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(vocabulary, (MEMBERS, BATCH, T), generator=draw)


MODELS = {
    "one block": gpt(1),
    "four blocks": gpt(4),
    "many tokens": gpt(2, 400),
    "rotary": gpt(2, positions="rotary"),
    "llama": llama(2),
    "llama, many tokens": llama(2, 400),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_pass_holds_about_what_is_counted(model: GPT | Llama) -> None:
    x = tokens(model.config.vocabulary)

    def predict() -> None:
        with torch.no_grad():
            model(x).softmax(-1)

    counted = BATCH * numbers_per_sequence(model, T)
    assert 0.5 * counted < numbers_held(predict) < 1.05 * counted


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_a_pass_with_gradients_holds_about_what_is_counted(model: GPT | Llama) -> None:
    x = tokens(model.config.vocabulary)
    weights = sum(p.numel() for p in model.parameters())

    def learn() -> None:
        logits = model(x).flatten(0, 2)
        torch.nn.functional.cross_entropy(logits, x.flatten()).backward()
        model.zero_grad()

    counted = BATCH * numbers_per_sequence(model, T, gradient=True)
    assert 0.7 * counted < numbers_held(learn) < 1.05 * counted + weights


def test_a_pass_takes_what_may_be_held_and_at_least_one() -> None:
    model = gpt(2, 400)
    one = numbers_per_sequence(model, T)
    assert sequences_per_pass(model, T, held=5 * one + 1) == 5
    assert sequences_per_pass(model, T, held=1) == 1
    assert sequences_per_pass(model, T, read=1) > sequences_per_pass(model, T)
    assert allowed(torch.device("cpu")) == HELD_ON_CPU < HELD_ON_GPU
    assert allowed(torch.device("cuda")) == HELD_ON_GPU

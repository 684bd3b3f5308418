"""Edited models and their keys are read in parts: more sequences or edits hold no more at once."""

from collections.abc import Callable

import pytest
import torch
from editing_cases import MODEL, E, J, M, T, V, facts, random_tokens, written
from memory import numbers_held
from torch import Tensor

from synthcore.editing import activation, covariances
from synthcore.nn.passes import numbers_per_sequence

HELD = 8 * E * numbers_per_sequence(MODEL, T)  # eight sequences of every edit
B = 96


def compared(read: Callable[[], Tensor]) -> tuple[Tensor, int]:
    """What is read, and the numbers held for it beyond itself and its parts before they are one."""
    kept: list[Tensor] = []
    held = numbers_held(lambda: kept.append(read()))
    return kept[0], held - 2 * kept[0].numel()


@pytest.mark.parametrize("layers", [[0], [1], [0, 1]])
@pytest.mark.parametrize("block", [None, 1])
def test_shared_sequences_are_read_in_parts(
    layers: list[int], block: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = written("memit", layers, facts())
    tokens, at = random_tokens(M, B, T), torch.full((M, B), T - 2)

    def read() -> Tensor:
        return edited.answers(tokens, at) if block is None else edited.states(tokens, at, block)

    whole, whole_held = compared(read)
    monkeypatch.setattr("synthcore.nn.passes.HELD_ON_CPU", HELD)
    parts, held = compared(read)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
    assert held < 1.5 * HELD
    assert held < whole_held


def test_keys_of_many_edits_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = facts(40)
    update = written("rome", [0], asked).updates
    name = "blocks.1.mlp.hook_post"
    whole, whole_held = compared(lambda: activation(MODEL, asked, name, update))
    monkeypatch.setattr("synthcore.nn.passes.HELD_ON_CPU", HELD)
    parts, held = compared(lambda: activation(MODEL, asked, name, update))
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)
    assert parts.shape == (M, 40, 1, J, 32)
    assert held < 1.5 * HELD < whole_held


def test_covariances_of_many_tokens_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = random_tokens(M, 4000, T, seed=3)
    monkeypatch.setattr("synthcore.nn.passes.HELD_ON_CPU", HELD)
    held = numbers_held(lambda: covariances(MODEL, tokens, [0, 1]))
    assert held < 3 * HELD  # the keys of both blocks, once more in float64
    assert V * tokens.numel() > 4 * HELD  # its logits alone

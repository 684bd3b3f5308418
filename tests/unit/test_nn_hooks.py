"""Activations by name: what is recorded is what the model computed, what is replaced changes it."""

import pytest
import torch

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import names, record, replace

CONFIG = GPTConfig(vocabulary=5, context=8, width=16, depth=2, heads=2)
TOKENS = torch.randint(5, (3, 4, 8), generator=torch.Generator().manual_seed(0))


def test_every_name_can_be_recorded_and_has_the_member_axis() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with record(model, names(model)) as seen:
        model(TOKENS)
    assert set(seen) == set(names(model))
    assert seen["block0.residual"].shape == (3, 4, 8, 16)
    assert seen["block1.mlp.hidden"].shape == (3, 4, 8, 64)
    assert all(value.shape[0] == 3 for value in seen.values())


def test_pattern_is_a_causal_distribution() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with record(model, ["block1.attention.pattern"]) as seen:
        model(TOKENS)
    pattern = seen["block1.attention.pattern"]
    assert pattern.shape == (3, 4, 2, 8, 8)
    torch.testing.assert_close(pattern.sum(-1), torch.ones(3, 4, 2, 8))
    assert torch.equal(pattern.triu(1), torch.zeros_like(pattern))


def test_residual_stream_adds_up() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    parts = ["embedded", "block0.attention_out", "block0.mlp_out", "block0.residual"]
    with record(model, parts) as seen:
        model(TOKENS)
    total = seen["embedded"] + seen["block0.attention_out"] + seen["block0.mlp_out"]
    torch.testing.assert_close(total, seen["block0.residual"])


def test_ablating_what_writes_removes_a_block() -> None:
    model, silent = GPT(CONFIG, [0, 1, 2]), GPT(CONFIG, [0, 1, 2])
    with torch.no_grad():
        for part in ("attention", "mlp"):
            silent.get_parameter(f"block1.{part}.output.weight").zero_()
    zero = torch.zeros_like
    with replace(model, {"block1.attention_out": zero, "block1.mlp_out": zero}):
        ablated = model(TOKENS)
    torch.testing.assert_close(ablated, silent(TOKENS))
    assert not torch.allclose(model(TOKENS), ablated)


def test_patching_the_last_residual_transplants_the_prediction() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with record(model, ["block1.residual"]) as seen:
        donor = model(TOKENS)
    with replace(model, {"block1.residual": lambda _: seen["block1.residual"]}):
        torch.testing.assert_close(model(TOKENS.flip(1)), donor)


def test_uniform_attention_can_be_put_in_place() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    uniform = torch.ones(8, 8).tril() / torch.arange(1.0, 9.0)[:, None]
    wanted = ["block0.attention.pattern", "block0.attention.value", "block0.attention.mixed"]
    with (
        replace(model, {wanted[0]: lambda pattern: uniform.expand_as(pattern)}),
        record(model, wanted) as seen,
    ):
        model(TOKENS)
    value = seen["block0.attention.value"]  # (M, B, H, T, K)
    running_mean = value.cumsum(-2) / torch.arange(1.0, 9.0)[:, None]
    torch.testing.assert_close(seen["block0.attention.mixed"], running_mean.transpose(2, 3))


def test_unknown_name_is_refused_with_the_nearest() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with (
        pytest.raises(ValueError, match=r"Did you mean 'block0\.attention\.pattern'"),
        record(model, ["block0.attention.patern"]),
    ):
        pass


def test_hooks_are_gone_afterwards() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with (
        pytest.raises(KeyError),
        replace(model, {"block0.residual": torch.zeros_like}),
        record(model, ["block0.residual"]),
    ):
        raise KeyError
    assert not any(module._forward_hooks for module in model.modules())

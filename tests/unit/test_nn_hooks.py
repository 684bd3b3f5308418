"""Activations by name: what is recorded is what the model computed, what is replaced changes it."""

import re
from dataclasses import replace as replace_field

import pytest
import torch

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import names, record, replace
from synthcore.nn.llama import Llama, LlamaConfig

CONFIG = GPTConfig(vocabulary=5, context=8, width=16, depth=2, heads=2)
TOKENS = torch.randint(5, (3, 4, 8), generator=torch.Generator().manual_seed(0))


def test_every_name_can_be_recorded_and_has_the_member_axis() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with record(model, names(model)) as seen:
        model(TOKENS)
    assert set(seen) == set(names(model))
    assert seen["blocks.0.hook_resid_post"].shape == (3, 4, 8, 16)
    assert seen["blocks.1.mlp.hook_post"].shape == (3, 4, 8, 64)
    assert all(value.shape[0] == 3 for value in seen.values())


# HookedTransformer.hook_dict of TransformerLens 2, rotary and learned positions, without the hooks
# that a population lacks (attention scores, the input and scale of norms).
OF_A_BLOCK = {
    "hook_resid_pre", "ln1.hook_normalized", "attn.hook_q", "attn.hook_k", "attn.hook_v",
    "attn.hook_pattern", "attn.hook_z", "hook_attn_out", "hook_resid_mid", "ln2.hook_normalized",
    "mlp.hook_pre", "mlp.hook_post", "hook_mlp_out", "hook_resid_post",
}  # fmt: skip
OF_A_MODEL = {"hook_embed", "ln_final.hook_normalized"}
OF_ROTARY = {"attn.hook_rot_q", "attn.hook_rot_k"}
OF_ATTENTION_ONLY = {name for name in OF_A_BLOCK if not re.search("mlp|ln2|mid", name)}


@pytest.mark.parametrize(
    ("options", "of_model", "of_block"),
    [
        ({"positions": "rotary"}, OF_A_MODEL, OF_A_BLOCK | OF_ROTARY),
        ({"positions": "learned"}, OF_A_MODEL | {"hook_pos_embed"}, OF_A_BLOCK),
        ({"positions": "none", "norm": "rms"}, OF_A_MODEL, OF_A_BLOCK),
        ({"positions": "none", "mlp_ratio": 0.0}, OF_A_MODEL, OF_ATTENTION_ONLY),
    ],
)
def test_names_are_those_of_transformer_lens(
    options: dict[str, object], of_model: set[str], of_block: set[str]
) -> None:
    model = GPT(replace_field(CONFIG, **options), [0, 1, 2])
    expected = of_model | {f"blocks.{b}.{name}" for b in range(2) for name in of_block}
    assert set(names(model)) == expected
    with record(model, names(model)) as seen:
        model(TOKENS)
    assert set(seen) == expected


def test_a_llama_has_the_same_names_and_its_gate() -> None:
    model = Llama(LlamaConfig(5, 8, 16, 2, 4, 2, 24), members=3)
    gate = {f"blocks.{b}.mlp.hook_pre_linear" for b in range(2)}
    rotary = GPT(CONFIG, [0])
    assert set(names(model)) == set(names(rotary)) | gate


def test_shapes_are_those_of_transformer_lens_behind_the_member_axis() -> None:
    M, B, T, D, H, K = 3, 4, 8, 16, 2, 8
    model = GPT(replace_field(CONFIG, positions="learned"), [0, 1, 2])
    with record(model, names(model)) as seen:
        model(TOKENS)
    for name in ("q", "k", "v", "z"):
        assert seen[f"blocks.0.attn.hook_{name}"].shape == (M, B, T, H, K)
    assert seen["blocks.0.attn.hook_pattern"].shape == (M, B, H, T, T)
    assert seen["hook_pos_embed"].shape == (M, 1, T, D)
    total = seen["hook_embed"] + seen["hook_pos_embed"]
    assert torch.equal(total, seen["blocks.0.hook_resid_pre"])
    gelu = torch.nn.functional.gelu(seen["blocks.1.mlp.hook_pre"])
    assert torch.equal(gelu, seen["blocks.1.mlp.hook_post"])
    logits = seen["ln_final.hook_normalized"] @ model.embed.weight.mT[:, None]
    torch.testing.assert_close(logits, model(TOKENS))


def test_pattern_is_a_causal_distribution() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with record(model, ["blocks.1.attn.hook_pattern"]) as seen:
        model(TOKENS)
    pattern = seen["blocks.1.attn.hook_pattern"]
    assert pattern.shape == (3, 4, 2, 8, 8)
    torch.testing.assert_close(pattern.sum(-1), torch.ones(3, 4, 2, 8))
    assert torch.equal(pattern.triu(1), torch.zeros_like(pattern))


def test_residual_stream_adds_up() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    parts = [
        "blocks.0.hook_resid_pre",
        "blocks.0.hook_attn_out",
        "blocks.0.hook_mlp_out",
        "blocks.0.hook_resid_post",
    ]
    with record(model, parts) as seen:
        model(TOKENS)
    total = (
        seen["blocks.0.hook_resid_pre"]
        + seen["blocks.0.hook_attn_out"]
        + seen["blocks.0.hook_mlp_out"]
    )
    torch.testing.assert_close(total, seen["blocks.0.hook_resid_post"])


def test_ablating_what_writes_removes_a_block() -> None:
    model, silent = GPT(CONFIG, [0, 1, 2]), GPT(CONFIG, [0, 1, 2])
    with torch.no_grad():
        for part in ("attn.out", "mlp.down"):
            silent.get_parameter(f"blocks.1.{part}.weight").zero_()
    zero = torch.zeros_like
    with replace(model, {"blocks.1.hook_attn_out": zero, "blocks.1.hook_mlp_out": zero}):
        ablated = model(TOKENS)
    torch.testing.assert_close(ablated, silent(TOKENS))
    assert not torch.allclose(model(TOKENS), ablated)


def test_patching_the_last_residual_transplants_the_prediction() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with record(model, ["blocks.1.hook_resid_post"]) as seen:
        donor = model(TOKENS)
    with replace(model, {"blocks.1.hook_resid_post": lambda _: seen["blocks.1.hook_resid_post"]}):
        torch.testing.assert_close(model(TOKENS.flip(1)), donor)


def test_uniform_attention_can_be_put_in_place() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    uniform = torch.ones(8, 8).tril() / torch.arange(1.0, 9.0)[:, None]
    wanted = ["blocks.0.attn.hook_pattern", "blocks.0.attn.hook_v", "blocks.0.attn.hook_z"]
    with (
        replace(model, {wanted[0]: lambda pattern: uniform.expand_as(pattern)}),
        record(model, wanted) as seen,
    ):
        model(TOKENS)
    value = seen["blocks.0.attn.hook_v"]  # (M, B, T, H, K)
    running_mean = value.cumsum(2) / torch.arange(1.0, 9.0)[:, None, None]
    torch.testing.assert_close(seen["blocks.0.attn.hook_z"], running_mean)


def test_unknown_name_is_refused_with_the_nearest() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with (
        pytest.raises(ValueError, match=r"Did you mean 'blocks\.0\.attn\.hook_pattern'"),
        record(model, ["blocks.0.attn.hook_patern"]),
    ):
        pass


def test_hooks_are_gone_afterwards() -> None:
    model = GPT(CONFIG, [0, 1, 2])
    with (
        pytest.raises(KeyError),
        replace(model, {"blocks.0.hook_resid_post": torch.zeros_like}),
        record(model, ["blocks.0.hook_resid_post"]),
    ):
        raise KeyError
    assert not any(module._forward_hooks for module in model.modules())

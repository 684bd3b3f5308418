"""Llama: against transformers, from a GGUF file written here and from the real one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthcore.nn.hooks import record
from synthcore.nn.llama import Llama, LlamaConfig
from synthcore.nn.llama_file import load_llama, load_tokenizer
from synthcore.nn.smollm2 import MissingLanguageModelError, smollm2

SHAPE = LlamaConfig(
    vocabulary=40, context=24, width=64, depth=2, heads=4, key_heads=2, hidden=96, base=5000.0
)


def written(path: Path) -> Any:
    """A tiny model of transformers, and the same as a GGUF file in the layout of llama.cpp."""
    import gguf
    from transformers import LlamaConfig as HuggingFaceConfig
    from transformers import LlamaForCausalLM

    config = HuggingFaceConfig(
        vocab_size=SHAPE.vocabulary,
        hidden_size=SHAPE.width,
        intermediate_size=SHAPE.hidden,
        num_hidden_layers=SHAPE.depth,
        num_attention_heads=SHAPE.heads,
        num_key_value_heads=SHAPE.key_heads,
        rms_norm_eps=SHAPE.eps,
        rope_parameters={"rope_type": "default", "rope_theta": SHAPE.base},
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval().requires_grad_(False)
    for name, value in model.named_parameters():
        value.copy_(
            torch.randn(value.shape) * (0.1 if "norm" not in name else 0.2) + ("norm" in name)
        )
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(SHAPE.width)
    writer.add_block_count(SHAPE.depth)
    writer.add_feed_forward_length(SHAPE.hidden)
    writer.add_head_count(SHAPE.heads)
    writer.add_head_count_kv(SHAPE.key_heads)
    writer.add_layer_norm_rms_eps(SHAPE.eps)
    writer.add_rope_freq_base(SHAPE.base)
    writer.add_token_list([*"abcdefghij0123456789", "Ġ", "Ġa", "ab", *map(str, range(100, 117))])
    writer.add_token_merges(["Ġ a", "a b"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, SHAPE.depth)
    for name, value in model.named_parameters():
        matrix = value.numpy()
        for part, heads in (("q_proj", SHAPE.heads), ("k_proj", SHAPE.key_heads)):
            if part in name:  # llama.cpp interleaves the two halves of a head
                rows = matrix.shape[0]
                matrix = matrix.reshape(heads, 2, rows // heads // 2, -1)
                matrix = matrix.swapaxes(1, 2).reshape(rows, -1)
        writer.add_tensor(names.get_name(name.removesuffix(".weight")) + ".weight", matrix.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    return path, written(path)


def test_logits_are_those_of_transformers(pair: tuple[Path, Any]) -> None:
    path, theirs = pair
    ours = load_llama(path, context=24)
    assert ours.config == replace(SHAPE, eps=ours.config.eps)
    assert ours.config.eps == pytest.approx(SHAPE.eps)
    tokens = torch.randint(40, (1, 3, 24), generator=torch.Generator().manual_seed(1))
    expected = theirs(tokens[0]).logits
    torch.testing.assert_close(ours(tokens)[0], expected, rtol=1e-4, atol=1e-5)


def test_resume_is_the_rest_of_forward(pair: tuple[Path, Any]) -> None:
    model = load_llama(pair[0], context=24)
    tokens = torch.randint(40, (1, 2, 9), generator=torch.Generator().manual_seed(1))
    with record(
        model, ["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post", "blocks.1.hook_resid_post"]
    ) as seen:
        whole = model(tokens)
    for after, name in enumerate(seen, start=-1):
        torch.testing.assert_close(model.resume(seen[name], after), whole)
    with pytest.raises(ValueError, match=r"after must lie in -1\.\.1"):
        model.resume(whole, 2)


def test_explicit_attention_agrees_with_the_fused_kernel(pair: tuple[Path, Any]) -> None:
    model = load_llama(pair[0], context=24)
    tokens = torch.randint(40, (1, 2, 9), generator=torch.Generator().manual_seed(1))
    fused = model(tokens)
    with record(model, ["blocks.1.attn.hook_pattern"]) as seen:
        torch.testing.assert_close(model(tokens), fused, rtol=1e-4, atol=1e-5)
    pattern = seen["blocks.1.attn.hook_pattern"]
    assert pattern.shape == (1, 2, SHAPE.heads, 9, 9)
    torch.testing.assert_close(pattern.sum(-1), torch.ones_like(pattern[..., 0]))


def test_tokenizer_merges_and_keeps_digits_apart(pair: tuple[Path, Any]) -> None:
    tokenizer = load_tokenizer(pair[0])
    assert tokenizer.encode("ab a10").tokens == ["ab", "Ġa", "1", "0"]
    assert tokenizer.decode(tokenizer.encode("ab a10").ids) == "ab a10"


def test_members_have_weights_of_their_own(pair: tuple[Path, Any]) -> None:
    one = load_llama(pair[0], context=24)
    both = Llama(SHAPE, members=2).requires_grad_(False)
    both.load_state_dict({name: torch.cat([v, 0.5 * v]) for name, v in one.state_dict().items()})
    tokens = torch.arange(12).view(1, 2, 6)
    torch.testing.assert_close(both(tokens.expand(2, -1, -1))[:1], one(tokens))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, "even number of features"),
        ({"key_heads": 3}, "multiple of key_heads"),
        ({"depth": 0}, "depth must be at least 1"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LlamaConfig(**{**vars(SHAPE), **change})


def test_wrong_tokens_and_files_are_refused(tmp_path: Path) -> None:
    import gguf

    model = Llama(SHAPE)
    with pytest.raises(ValueError, match="tokens have 2 members, the model has 1"):
        model(torch.zeros(2, 1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="25 tokens exceed the context of 24"):
        model(torch.zeros(1, 1, 25, dtype=torch.long))
    other = gguf.GGUFWriter(tmp_path / "other.gguf", "gpt2")
    other.write_header_to_file()
    other.write_kv_data_to_file()
    other.close()
    with pytest.raises(ValueError, match="holds a gpt2 model"):
        load_llama(tmp_path / "other.gguf")


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import synthcore.nn.smollm2 as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(MissingLanguageModelError, match="package gguf is missing: run `make llm`"):
        smollm2("gguf")


def test_smollm2_is_read_as_transformers_reads_it() -> None:
    try:
        path = smollm2("gguf", "tokenizers")
    except MissingLanguageModelError as error:
        pytest.skip(str(error))
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name).eval()
    ours, tokenizer = load_llama(path, context=64), load_tokenizer(path)
    tokens = torch.tensor([tokenizer.encode("The capital of France is").ids])
    found = ours(tokens[None])[0]
    expected = theirs(tokens).logits.detach()
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-3, atol=2e-3)
    assert tokenizer.decode([int(found[0, -1].argmax())]) == " Paris"

"""Llama models and their tokenizers from GGUF files, which hold quantised weights.

Needs the extra `[llm]`. Weights are dequantised to float32; a model of 135 million parameters takes
0.54 GB.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synthcore.nn.llama import Llama, LlamaConfig

CONTEXT = 512  # positions whose rotary tables are made; the model itself would take more


def load_llama(path: Path, context: int = CONTEXT) -> Llama:
    """The model of a GGUF file as a population of one, without gradients.

    ValueError if the file holds another architecture.
    """
    from gguf import GGUFReader, dequantize

    reader = GGUFReader(path)
    architecture = _field(reader, "general.architecture")
    if architecture != "llama":
        raise ValueError(f"{path.name} holds a {architecture} model, not a llama model")

    def number(name: str) -> Any:
        return _field(reader, f"llama.{name}")

    weights = {
        tensor.name: torch.tensor(dequantize(tensor.data, tensor.tensor_type))
        for tensor in reader.tensors
    }
    config = LlamaConfig(
        vocabulary=len(weights["token_embd.weight"]),
        context=min(context, int(number("context_length"))),
        width=int(number("embedding_length")),
        depth=int(number("block_count")),
        heads=int(number("attention.head_count")),
        key_heads=int(number("attention.head_count_kv")),
        hidden=int(number("feed_forward_length")),
        base=float(number("rope.freq_base")),
        eps=float(number("attention.layer_norm_rms_epsilon")),
    )
    if "output.weight" in weights:
        raise ValueError(f"{path.name} has an output table of its own; only tied ones are read")
    model = Llama(config).requires_grad_(False)
    with torch.no_grad():
        model.embed.weight.copy_(weights["token_embd.weight"][None])
        model.ln_final.weight.copy_(weights["output_norm.weight"])
        for index, block in enumerate(model.blocks):
            place = f"blk.{index}"
            block.ln1.weight.copy_(weights[f"{place}.attn_norm.weight"])
            block.ln2.weight.copy_(weights[f"{place}.ffn_norm.weight"])
            for ours, theirs, heads in (
                (block.attn.q, "attn_q", config.heads),
                (block.attn.k, "attn_k", config.key_heads),
                (block.attn.v, "attn_v", 0),
                (block.attn.out, "attn_output", 0),
                (block.mlp.gate, "ffn_gate", 0),
                (block.mlp.up, "ffn_up", 0),
                (block.mlp.down, "ffn_down", 0),
            ):
                matrix = weights[f"{place}.{theirs}.weight"]
                ours.weight.copy_((_halves(matrix, heads) if heads else matrix).T)
    return model


def load_tokenizer(path: Path) -> Any:
    """The byte-level BPE of a GGUF file as a `tokenizers.Tokenizer`; digits stand alone."""
    from gguf import GGUFReader
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    reader = GGUFReader(path)
    tokens = _field(reader, "tokenizer.ggml.tokens")
    merges = [tuple(pair.split(" ")) for pair in _field(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _field(reader: Any, name: str) -> Any:
    field = reader.get_field(name)
    if field is None:
        raise ValueError(f"the file lacks the field {name}")
    return field.contents()


def _halves(matrix: Tensor, heads: int) -> Tensor:
    """Rows of a query or key matrix, from rotary pairs (2 i, 2 i + 1) to pairs (i, i + K / 2)."""
    rows, inputs = matrix.shape
    return matrix.view(heads, rows // heads // 2, 2, inputs).transpose(1, 2).reshape(rows, inputs)

"""Sampling with a key-value cache against transformers' `generate`."""

import torch

from benchmarks.measuring import Benchmark, ratio
from benchmarks.training import gpt2, small
from synthcore.nn.gpt import GPT
from synthcore.training.generate import generate

BATCH, LENGTH = 256, 96


def sampling() -> float:
    """256 sequences of 96 tokens from one GPT of 108k parameters, from a prompt of one token."""
    config = small(64, LENGTH)
    ours, theirs = GPT(config, [0]), gpt2(config).train(False)
    prompt = torch.zeros(BATCH, 1, dtype=torch.long)
    mask = torch.ones_like(prompt)
    return ratio(
        lambda: theirs.generate(
            prompt, attention_mask=mask, max_new_tokens=LENGTH - 1, do_sample=True, top_k=0
        ),
        lambda: generate(ours, prompt[None], LENGTH - 1),
    )


BENCHMARKS = (
    Benchmark(
        "generate",
        "256 sequences of 96 tokens, 1 GPT (108k parameters), cached: transformers / ours",
        "x",
        ">=",
        2,
        sampling,
    ),
)

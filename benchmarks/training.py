"""Training steps: a population against the loop of its members and against transformers' GPT-2.

A step is forward pass, backward pass, gradient clipping and AdamW on every side; data are drawn
beforehand; fp32. GPT-2 has the same sizes and exact GELU, no dropout, torch's fused AdamW.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from transformers import GPT2Config, GPT2LMHeadModel

from benchmarks.measuring import Benchmark, ratio
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.training.fit import fit
from synthcore.training.optimizers import population_adamw

STEPS = 6  # per timing
RATE = 1e-3
CLIP = 1.0


def small(width: int, context: int) -> GPTConfig:
    """Two blocks of four heads over ten tokens: 25k parameters at width 32, 108k at width 64."""
    return GPTConfig(10, context, width, depth=2, heads=4, positions="learned")


def gpt2(config: GPTConfig) -> GPT2LMHeadModel:
    """The peer of a config."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocabulary,
            n_positions=config.context,
            n_embd=config.width,
            n_layer=config.depth,
            n_head=config.heads,
            activation_function="gelu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=None,
            pad_token_id=0,
        )
    )


def train_population(config: GPTConfig, tokens: Tensor) -> Callable[[], object]:
    """A call takes STEPS steps of a population with one member per leading index of `tokens`."""
    model = GPT(config, range(len(tokens)))
    optimizer = population_adamw(model, RATE)
    return lambda: fit(model, lambda _: tokens, steps=STEPS, optimizer=optimizer, clip=CLIP)


def train_singles(config: GPTConfig, tokens: Tensor) -> Callable[[], object]:
    """The same members, each a population of one, one after the other."""
    loops = [train_population(config, tokens[m : m + 1]) for m in range(len(tokens))]
    return lambda: [loop() for loop in loops]


def train_gpt2(config: GPTConfig, tokens: Tensor) -> Callable[[], object]:
    """As many GPT-2 models, one after the other."""
    models = [gpt2(config).train() for _ in tokens]
    optimizers = [torch.optim.AdamW(m.parameters(), lr=RATE, fused=True) for m in models]

    def steps() -> None:
        for model, optimizer, batch in zip(models, optimizers, tokens, strict=True):
            for _ in range(STEPS):
                optimizer.zero_grad(set_to_none=True)
                model(input_ids=batch, labels=batch, use_cache=False).loss.backward()
                clip_grad_norm_(model.parameters(), CLIP)
                optimizer.step()

    return steps


Trainer = Callable[[GPTConfig, Tensor], Callable[[], object]]


def compare(peer: Trainer, *, width: int, members: int, batch: int, length: int) -> float:
    config = small(width, length)
    tokens = torch.randint(10, (members, batch, length), generator=torch.Generator().manual_seed(0))
    return ratio(peer(config, tokens), train_population(config, tokens))


def _benchmark(
    name: str, what: str, target: float, peer: Trainer, width: int, shape: tuple[int, int, int]
) -> Benchmark:
    members, batch, length = shape
    measure = partial(compare, peer, width=width, members=members, batch=batch, length=length)
    return Benchmark(name, what, "x", ">=", target, measure)


SIXTEEN = "16 GPTs (25k parameters) on 16 sequences of 32 tokens"
NINE = "9 GPTs (27k parameters) on 32 sequences of 96 tokens"
ONE = "1 GPT (108k parameters) on 32 sequences of 96 tokens"

BENCHMARKS = (
    _benchmark("sixteen-loop", f"{SIXTEEN}: loop / population", 3, train_singles, 32, (16, 16, 32)),
    _benchmark("sixteen-gpt2", f"{SIXTEEN}: GPT-2 / population", 3, train_gpt2, 32, (16, 16, 32)),
    _benchmark("nine-loop", f"{NINE}: loop / population", 1.2, train_singles, 32, (9, 32, 96)),
    _benchmark("nine-gpt2", f"{NINE}: GPT-2 / population", 2, train_gpt2, 32, (9, 32, 96)),
    _benchmark("one-gpt2", f"{ONE}: GPT-2 / population of one", 1.1, train_gpt2, 64, (1, 32, 96)),
)

"""Training steps: a population against the loop of its members and against transformers' GPT-2.

A step is forward pass, backward pass, gradient clipping and AdamW on every side; data are drawn
beforehand; fp32. GPT-2 has the same sizes, no dropout and torch's fused AdamW. As it comes
("gpt2") its GELU is the tanh form in plain torch; "gpt2-gelu" has the exact kernel that we use.
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


def gpt2(config: GPTConfig, gelu: str = "gelu_new") -> GPT2LMHeadModel:
    """The peer of a config."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocabulary,
            n_positions=config.context,
            n_embd=config.width,
            n_layer=config.depth,
            n_head=config.heads,
            activation_function=gelu,
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


def train_gpt2(config: GPTConfig, tokens: Tensor, gelu: str = "gelu_new") -> Callable[[], object]:
    """As many GPT-2 models, one after the other."""
    models = [gpt2(config, gelu).train() for _ in tokens]
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
train_exact_gpt2 = partial(train_gpt2, gelu="gelu")


def compare(peer: Trainer, *, width: int, members: int, batch: int, length: int) -> float:
    config = small(width, length)
    tokens = torch.randint(10, (members, batch, length), generator=torch.Generator().manual_seed(0))
    return ratio(peer(config, tokens), train_population(config, tokens))


SIXTEEN = "16 GPTs (25k parameters), 16 sequences of 32 tokens"
NINE = "9 GPTs (28k parameters), 32 sequences of 96 tokens"
ONE = "1 GPT (108k parameters), 32 sequences of 96 tokens"
SIZES = {
    SIXTEEN: {"width": 32, "members": 16, "batch": 16, "length": 32},
    NINE: {"width": 32, "members": 9, "batch": 32, "length": 96},
    ONE: {"width": 64, "members": 1, "batch": 32, "length": 96},
}


def _benchmark(name: str, size: str, who: str, peer: Trainer, target: float) -> Benchmark:
    what = f"{size}: {who} / population"
    return Benchmark(name, what, "x", ">=", target, partial(compare, peer, **SIZES[size]))


BENCHMARKS = (
    _benchmark("sixteen-loop", SIXTEEN, "loop of singles", train_singles, 3),
    _benchmark("sixteen-gpt2", SIXTEEN, "GPT-2", train_gpt2, 3),
    _benchmark("sixteen-gpt2-gelu", SIXTEEN, "GPT-2, our GELU", train_exact_gpt2, 1),
    _benchmark("nine-loop", NINE, "loop of singles", train_singles, 1.2),
    _benchmark("nine-gpt2", NINE, "GPT-2", train_gpt2, 2),
    _benchmark("nine-gpt2-gelu", NINE, "GPT-2, our GELU", train_exact_gpt2, 1),
    _benchmark("one-gpt2", ONE, "GPT-2", train_gpt2, 1.1),
    _benchmark("one-gpt2-gelu", ONE, "GPT-2, our GELU", train_exact_gpt2, 1),
)

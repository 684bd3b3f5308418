"""How many sequences go through a transformer at once, so that a small machine can hold the pass.

A pass without gradients holds what its widest moment needs; one with gradients keeps what every
block has computed. Counts are of float32, and a test compares them with what torch allocates. Small
passes are also the faster ones on a CPU, whose cache they fit.

Axis letters: M member, T tokens of a sequence, D width, V vocabulary.
"""

import torch

from synthcore.nn.gpt import GPT
from synthcore.nn.llama import Llama

HELD_ON_CPU = 1 << 25  # numbers that a pass may hold: 128 MB
HELD_ON_GPU = 1 << 30  # 4 GB
WIDEST, WIDEST_GATED = 11, 15  # numbers held at once for each token and unit of width
KEPT = 20  # kept by each block for its gradient, for each token and unit of width
ENDS = 6  # the same before the first block and behind the last
LOGITS, LOGITS_KEPT = 2, 4  # copies of the logits; with their gradients


def numbers_held(device: torch.device) -> int:
    """How many numbers a pass on this device may hold, all members together."""
    return HELD_ON_CPU if device.type == "cpu" else HELD_ON_GPU


def numbers_per_sequence(
    model: GPT | Llama, tokens: int, *, gradient: bool = False, read: int | None = None
) -> int:
    """How many numbers all members hold for a sequence each: M T (11 D + 2 V) without gradients.

    Args:
        tokens: length of the sequences.
        gradient: whether the pass keeps what a backward pass needs.
        read: at how many positions logits are computed; None: at all.
    """
    config = model.config
    read = tokens if read is None else read
    if gradient:
        stream, logits = KEPT * config.depth + ENDS, LOGITS_KEPT
    else:
        stream, logits = (WIDEST_GATED if isinstance(model, Llama) else WIDEST), LOGITS
    return model.members * (stream * config.width * tokens + logits * config.vocabulary * read)


def sequences_per_pass(
    model: GPT | Llama,
    tokens: int,
    *,
    gradient: bool = False,
    read: int | None = None,
    held: int | None = None,
) -> int:
    """How many sequences of each member fit into one pass, at least one.

    Args:
        tokens, gradient, read: as of `numbers_per_sequence`.
        held: how many numbers a pass may hold; None: `numbers_held` of the model's device.

    >>> from synthcore.nn.gpt import GPTConfig
    >>> shape = GPTConfig(vocabulary=100, context=32, width=64, depth=2, heads=4)
    >>> [sequences_per_pass(GPT(shape, range(members)), 32) for members in (1, 10)]
    [1159, 115]
    """
    held = numbers_held(model.embed.weight.device) if held is None else held
    one = numbers_per_sequence(model, tokens, gradient=gradient, read=read)
    return max(1, held // one)

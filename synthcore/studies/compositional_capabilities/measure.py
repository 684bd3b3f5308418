"""How much of a set of compositions a network has mastered.

Exact match needs one forward pass: the greedy answer equals the target if and only if every
teacher-forced argmax is right. The share of right symbols of a wrong answer needs generation.

Axis letters: M member, N compositions, W words for each, B batch, K word length, S blocks.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities.task import (
    Functions,
    Layout,
    Style,
    compose,
    documents,
)
from synthcore.training.generate import generate

CHUNK = 64  # documents of one member in one forward pass: activations stay in the cache


def draw_words(
    layout: Layout, members: int, comps: int, each: int, generator: torch.Generator
) -> Int[Tensor, "M N W K"]:
    """Random words, `each` for every composition."""
    shape = (members, comps, each, layout.word)
    return torch.randint(layout.alphabet, shape, generator=generator, device=generator.device)


def _spread(comps: Int[Tensor, "M N L 2"], each: int) -> Int[Tensor, "M B L 2"]:
    """Every composition once per word."""
    return comps.repeat_interleave(each, 1)


@torch.no_grad()
def exact(
    model: nn.Module,
    layout: Layout,
    functions: Functions,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
    style: Style,
) -> Float[Tensor, "M N"]:
    """Share of words whose whole greedy answer is right, for every composition."""
    right = [hit.flatten(2).all(-1) for hit in _hits(model, layout, functions, comps, words, style)]
    return torch.cat(right, 1).view(words.shape[:3]).double().mean(-1)


@torch.no_grad()
def teacher_forced(
    model: nn.Module,
    layout: Layout,
    functions: Functions,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
    style: Style,
) -> Float[Tensor, "M N"]:
    """Share of right symbols of the last block when all blocks before are given."""
    last = slice(-layout.word, None)
    right = [
        hit[..., last].double().mean(-1)
        for hit in _hits(model, layout, functions, comps, words, style)
    ]
    return torch.cat(right, 1).view(words.shape[:3]).mean(-1)


def _hits(
    model: nn.Module,
    layout: Layout,
    functions: Functions,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
    style: Style,
) -> list[Bool[Tensor, "M _ T"]]:
    """Which tokens of the answers are the most likely ones, in chunks of documents."""
    lines = documents(layout, functions, words.flatten(1, 2), _spread(comps, words.shape[2]), style)
    found = []
    for part in lines.split(CHUNK, 1):
        guess = model(part[..., :-1])[..., layout.prompt - 1 :, : layout.vocabulary].argmax(-1)
        found.append(guess == part[..., layout.prompt :])
    return found


Writer = Callable[[Int[Tensor, "M B T"], int], Int[Tensor, "M B T_and_new"]]


def greedy(model: GPT) -> Writer:
    """Greedy continuation of prompts by a transformer."""
    return lambda prompt, new: generate(model, prompt, new, temperature=0.0)


@torch.no_grad()
def write(
    writer: Writer,
    layout: Layout,
    functions: Functions,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
    style: Style,
) -> tuple[Int[Tensor, "M N W S K"], Int[Tensor, "M N W S K"], Bool[Tensor, "M N W"]]:
    """Blocks of greedy answers, the true blocks, and whether the separators are where they belong.

    A token that is no symbol is -1.
    """
    each = words.shape[2]
    spread, flat = _spread(comps, each), words.flatten(1, 2)
    prompt = documents(layout, functions, flat, spread, style)[..., : layout.prompt]
    answers = torch.cat(
        [
            writer(part, layout.new(style))[..., layout.prompt :]
            for part in prompt.split(16 * CHUNK, 1)
        ],
        1,
    )
    gap = torch.full_like(answers[..., :1], layout.separator)
    cells = torch.cat([answers, gap], -1).unflatten(-1, (layout.blocks(style), -1))
    blocks = cells[..., :-1]
    blocks = blocks.masked_fill(blocks >= layout.alphabet, -1)
    formed = (cells[..., -1] == layout.separator).all(-1) & (blocks >= 0).flatten(-2).all(-1)
    truth = compose(functions, flat, spread)
    truth = truth if style == "step" else truth[..., -1:, :]
    shape = words.shape[:3]
    return (
        blocks.unflatten(1, shape[1:]),
        truth.unflatten(1, shape[1:]),
        formed.unflatten(1, shape[1:]),
    )


def token_accuracy(
    blocks: Int[Tensor, "M N W S K"], truth: Int[Tensor, "M N W S K"]
) -> Float[Tensor, "M N"]:
    """Share of right symbols in the last block of written answers."""
    right: Tensor = (blocks[..., -1, :] == truth[..., -1, :]).double().mean((-1, -2))
    return right


def average(values: Float[Tensor, "M N"], which: Bool[Tensor, "M N"]) -> Float[Tensor, "M"]:
    """Mean over the compositions chosen, per member; nan where there are none."""
    return (values * which).sum(1) / which.sum(1)

"""The transformers, their loss on whole lines, and how they are trained.

Axis letters: M member, T tokens of a line, S steps.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.percolation.vocabulary import PAD
from synthcore.training.accelerate import Acceleration
from synthcore.training.first_edition import UNTAUGHT, fit
from synthcore.training.optimizers import population_adamw

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Recipe:
    """How networks are built and trained. The learning rate is constant after `warmup` updates."""

    width: int
    depth: int
    heads: int
    learning_rate: float
    steps: int
    warmup: int
    initial_std: float = 0.02
    bfloat16: bool = False


def build(
    recipe: Recipe, vocabulary: int, context: int, seeds: Sequence[int], device: torch.device
) -> GPT:
    """Untrained networks with the paper's layout: learned positions, tied embeddings, no biases."""
    shape = GPTConfig(
        vocabulary=vocabulary,
        context=context,
        width=recipe.width,
        depth=recipe.depth,
        heads=recipe.heads,
        positions="learned",
        bias=False,
        initial_std=recipe.initial_std,
    )
    return GPT(shape, list(seeds)).to(device)


def line_loss(model: nn.Module, groups: Sequence[Int[Tensor, "M _ _"]]) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of every token of every line but the first, prompts included."""
    total, count = torch.zeros(2, len(groups[0]), device=groups[0].device)
    for lines in groups:
        targets = lines[..., 1:].masked_fill(lines[..., 1:] == PAD, UNTAUGHT)
        logits = model(lines[..., :-1])
        loss = functional.cross_entropy(
            logits.flatten(0, 2).float(),
            targets.flatten(),
            ignore_index=UNTAUGHT,
            reduction="none",
        )
        total = total + loss.view(len(lines), -1).sum(1)
        count = count + (targets != UNTAUGHT).flatten(1).sum(1)
    return total / count


def train(
    model: GPT,
    sample: Callable[[int], Any],
    recipe: Recipe,
    checkpoints: Collection[int],
    on_checkpoint: Callable[[int, nn.Module], None],
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "S M"]:
    """AdamW with the paper's betas, decay, clipping and constant rate; the losses."""
    return fit(
        model,
        sample,
        steps=recipe.steps,
        optimizer=population_adamw(
            model, recipe.learning_rate, betas=(0.9, 0.95), weight_decay=1e-4
        ),
        schedule=lambda step: min(1.0, (step + 1) / recipe.warmup),
        clip=1.0,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=line_loss,
        progress=progress,
        acceleration=Acceleration(autocast=recipe.bfloat16),
    ).loss

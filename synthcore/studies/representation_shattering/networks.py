"""The transformers, their loss, and training on walks.

Axis letters: M member, B batch, T tokens, S steps.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.representation_shattering.walks import Walks
from synthcore.training.first_edition import UNTAUGHT, fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.schedules import warmup_cosine


@dataclass(frozen=True)
class Recipe:
    """How networks are trained; `batch` counts walks per update and member."""

    width: int
    heads: int
    depth: int
    learning_rate: float
    batch: int
    length: int
    steps: int
    warmup: int = 100
    decay: float = 0.01


def build(recipe: Recipe, vocabulary: int, seeds: Sequence[int]) -> GPT:
    """Untrained networks: learned positions, layer norm, untied output.

    Networks this narrow stay at chance from the usual initialisation; weights start at
    0.5 / sqrt(width).
    """
    shape = GPTConfig(
        vocabulary=vocabulary,
        context=recipe.length,
        width=recipe.width,
        depth=recipe.depth,
        heads=recipe.heads,
        positions="learned",
        tied=False,
        initial_std=0.5 * recipe.width**-0.5,
    )
    return GPT(shape, list(seeds))


def entity_loss(entities: int) -> Callable[[nn.Module, Int[Tensor, "M B T"]], Float[Tensor, "M"]]:
    """Mean cross-entropy (nats) of the entities that a fact or chain leads to, per member.

    Relations are drawn at random and cannot be learned; leaving them out makes training faster.
    """

    def loss(model: nn.Module, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M"]:
        targets = tokens[..., 1:]
        targets = targets.masked_fill(targets >= entities, UNTAUGHT)
        logits = model(tokens[..., :-1])
        each = functional.cross_entropy(
            logits.flatten(0, 2), targets.flatten(), ignore_index=UNTAUGHT, reduction="none"
        )
        return each.view(len(tokens), -1).sum(1) / (targets != UNTAUGHT).flatten(1).sum(1)

    return loss


def train(
    model: GPT,
    walks: Walks,
    recipe: Recipe,
    seed: int,
    checkpoints: Collection[int] = (),
    on_checkpoint: Callable[[int, nn.Module], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "S M"]:
    """AdamW, warm-up and half a cosine, on fresh walks; the losses (nats per answer)."""
    generator = torch.Generator(walks.device).manual_seed(seed)
    optimizer = population_adamw(
        model, lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=recipe.decay
    )
    history = fit(
        model,
        lambda step: walks.draw(recipe.batch, recipe.length, generator),
        steps=recipe.steps,
        optimizer=optimizer,
        schedule=warmup_cosine(
            recipe.steps, warmup=min(recipe.warmup, recipe.steps // 10), final=0.02
        ),
        clip=1.0,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=entity_loss(walks.circles.entities),
        progress=progress,
    )
    return history.loss

"""The transformers, their loss, and training on lines.

Axis letters: M member, B batch, T tokens, V vocabulary, D width.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import replace
from synthcore.studies.stepwise_inference.task import PAD, PROMPT, Lines, contexts_of
from synthcore.training.first_edition import UNTAUGHT, fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.schedules import warmup_cosine


@dataclass(frozen=True)
class Recipe:
    """How networks are trained; `warmup` counts updates, `batch` lines per update and member."""

    width: int
    depth: int
    learning_rate: float
    batch: int
    warmup: int = 50
    mlp_ratio: float = 4.0


class Batch(NamedTuple):
    """Lines in groups of one length each; `shift` moves the answers to later positions."""

    lines: tuple[Int[Tensor, "M B T"], ...]
    shift: tuple[Int[Tensor, "M B"], ...] | None = None


def build(
    recipe: Recipe, vocabulary: int, context: int, seeds: Sequence[int], device: torch.device
) -> GPT:
    """Untrained networks with the paper's layout: learned positions, tied embeddings, no biases."""
    shape = GPTConfig(
        vocabulary=vocabulary,
        context=context,
        width=recipe.width,
        depth=recipe.depth,
        heads=1,
        mlp_ratio=recipe.mlp_ratio,
        positions="learned",
        bias=False,
    )
    return GPT(shape, list(seeds)).to(device)


def answer_loss(
    model: nn.Module, batch: Batch, prompt: int | Sequence[int] = PROMPT
) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of the tokens after the prompt, per member.

    Goal and start cannot be foretold; they are not taught. `prompt` may differ between groups.
    """
    prompts = [prompt] * len(batch.lines) if isinstance(prompt, int) else prompt
    total, count = torch.zeros(2, len(batch.lines[0]), device=batch.lines[0].device)
    for i, (lines, skip) in enumerate(zip(batch.lines, prompts, strict=True)):
        targets = lines[..., 1:].masked_fill(lines[..., 1:] == PAD, UNTAUGHT)
        targets[..., : skip - 1] = UNTAUGHT
        with (
            shifted(model, batch.shift[i], lines.shape[2] - 1, skip)
            if batch.shift
            else nullcontext()
        ):
            logits = model(lines[..., :-1])
        loss = functional.cross_entropy(
            logits.flatten(0, 2), targets.flatten(), ignore_index=UNTAUGHT, reduction="none"
        )
        total = total + loss.view(len(lines), -1).sum(1)
        count = count + (targets != UNTAUGHT).flatten(1).sum(1)
    return total / count


def shifted(model: nn.Module, shift: Int[Tensor, "M B"], length: int, prompt: int = PROMPT) -> Any:
    """A context in which the tokens after the prompt sit `shift` positions later.

    Networks that are trained on short lines only would otherwise meet untrained position vectors in
    long ones.
    """
    assert isinstance(model, GPT)
    assert model.pos_embed is not None
    place = torch.arange(length, device=shift.device).expand(*shift.shape, length)
    later = torch.where(place < prompt, place, place + shift[..., None])
    members, batch = shift.shape
    width = model.config.width
    index = later.reshape(members, -1, 1).expand(-1, -1, width)
    moved = model.pos_embed[:, 0].gather(1, index).view(members, batch, length, width)
    change = moved - model.pos_embed[:, :, :length]
    return replace(model, {"blocks.0.hook_resid_pre": lambda x: x + change})


def train(
    model: GPT,
    sample: Callable[[int], Batch],
    recipe: Recipe,
    steps: int,
    checkpoints: Collection[int] = (),
    on_checkpoint: Callable[[int, nn.Module], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    prompt: int | Sequence[int] = PROMPT,
) -> Float[Tensor, "S M"]:
    """AdamW with the paper's betas, decay and clipping, warm-up and half a cosine; the losses."""
    history = fit(
        model,
        sample,
        steps=steps,
        optimizer=population_adamw(
            model, recipe.learning_rate, betas=(0.9, 0.95), weight_decay=0.1
        ),
        schedule=warmup_cosine(steps, warmup=min(recipe.warmup, steps // 4), final=0.05),
        clip=1.0,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=lambda model, batch: answer_loss(model, batch, prompt),
        progress=progress,
    )
    return history.loss


class LineFeed:
    """Batches of `lines` for `train`; counts the contexts (node, goal) that positives showed."""

    def __init__(self, lines: Lines, batch: int, seed: int, largest_shift: int = 0) -> None:
        self.lines, self.batch, self.largest_shift = lines, batch, largest_shift
        self.generator = torch.Generator(lines.edges.pairs.device).manual_seed(seed)
        self.contexts: Tensor = torch.zeros(())

    def __call__(self, step: int) -> Batch:
        half = self.batch // 2
        positive = self.lines.positives(half, self.generator)
        negative = self.lines.negatives(self.batch - half, self.generator)
        self.contexts = self.contexts + contexts_of(positive, self.lines.words.nodes)
        if not self.largest_shift:
            return Batch((positive, negative))
        shift = tuple(
            torch.randint(
                self.largest_shift + 1,
                group.shape[:2],
                generator=self.generator,
                device=group.device,
            )
            for group in (positive, negative)
        )
        return Batch((positive, negative), shift)

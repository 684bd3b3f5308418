"""The transformers, their loss, and training on documents.

Every member has functions and a training subset of its own; all train as one batched model.

Axis letters: M member, B batch, T tokens, L positions, S steps.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.compositional_capabilities.task import (
    Functions,
    Layout,
    Style,
    documents,
)
from synthcore.training.first_edition import UNTAUGHT, fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.schedules import warmup_cosine


@dataclass(frozen=True)
class Recipe:
    """How networks are trained; `batch` counts documents per update and member."""

    width: int
    depth: int
    heads: int
    learning_rate: float
    batch: int
    steps: int
    warmup: int = 50
    second: float = 0.95  # AdamW's decay of squared gradients
    decay: float = 0.1
    places: Literal["learned", "rotary"] = "learned"


class Batch(NamedTuple):
    """Documents, and which members are taught the prompt too."""

    documents: Int[Tensor, "M B T"]
    whole: Bool[Tensor, "M"]


def build(
    recipe: Recipe, layout: Layout, style: Style, seeds: Sequence[int], device: torch.device
) -> GPT:
    """Untrained networks: learned (or rotary) positions, RMS norm, no biases, untied output.

    Narrow networks do not leave the plateau from the usual 0.02; weights start at 1 / sqrt(width).
    """
    shape = GPTConfig(
        vocabulary=layout.vocabulary,
        context=layout.length(style),
        width=recipe.width,
        depth=recipe.depth,
        heads=recipe.heads,
        positions=recipe.places,
        tied=False,
        norm="rms",
        bias=False,
        initial_std=recipe.width**-0.5,
    )
    return GPT(shape, list(seeds)).to(device)


def answer_loss(model: nn.Module, batch: Batch, prompt: int) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of the tokens after the prompt, or of all, per member."""
    tokens, whole = batch
    targets = tokens[..., 1:].clone()
    answer = torch.arange(1, tokens.shape[2], device=tokens.device) >= prompt
    targets[~(answer | whole[:, None, None]).expand_as(targets)] = UNTAUGHT
    logits = model(tokens[..., :-1])
    loss = functional.cross_entropy(
        logits.flatten(0, 2), targets.flatten(), ignore_index=UNTAUGHT, reduction="none"
    )
    return loss.view(len(tokens), -1).sum(1) / (targets != UNTAUGHT).flatten(1).sum(1)


class DocumentFeed:
    """Fresh words under random compositions of each member's subset.

    Args:
        functions: of all members.
        subsets: compositions that each member is trained on.
        whole: members whose loss counts the prompt; None for nobody.
    """

    def __init__(
        self,
        layout: Layout,
        functions: Functions,
        subsets: Sequence[Int[Tensor, "_ L 2"]],
        style: Style,
        batch: int,
        seed: int,
        whole: Sequence[bool] | None = None,
    ) -> None:
        device = functions.tables.device
        self.layout, self.functions, self.style, self.batch = layout, functions, style, batch
        self.size = torch.tensor([len(subset) for subset in subsets], device=device)
        self.comps = torch.zeros(
            len(subsets), int(self.size.max()), layout.positions, 2, dtype=torch.long, device=device
        )
        for row, subset in zip(self.comps, subsets, strict=True):
            row[: len(subset)] = subset
        self.whole = torch.tensor(whole or [False] * len(subsets), device=device)
        self.generator = torch.Generator(device).manual_seed(seed)

    def __call__(self, step: int) -> Batch:
        members, device = len(self.size), self.size.device
        drawn = torch.rand(members, self.batch, generator=self.generator, device=device)
        index = (drawn * self.size[:, None]).long()
        comps = self.comps[torch.arange(members, device=device)[:, None], index]
        words = torch.randint(
            self.layout.alphabet,
            (members, self.batch, self.layout.word),
            generator=self.generator,
            device=device,
        )
        lines = documents(self.layout, self.functions, words, comps, self.style)
        return Batch(lines, self.whole)


def train(
    model: nn.Module,
    feed: DocumentFeed,
    recipe: Recipe,
    checkpoints: Collection[int] = (),
    on_checkpoint: Callable[[int, nn.Module], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "S M"]:
    """AdamW with decay and clipping, warm-up and half a cosine; the losses (nats).

    Members that are taught the prompt have a decay of 0.1 at most: strong decay keeps their loss
    off its floor, for it pulls probabilities that should be small towards even ones.
    """
    decay: float | Tensor = recipe.decay
    if bool(feed.whole.any()) and recipe.decay > 0.1:
        decay = torch.where(feed.whole, 0.1, recipe.decay)
    optimizer = population_adamw(
        model, recipe.learning_rate, betas=(0.9, recipe.second), weight_decay=decay
    )
    history = fit(
        model,
        feed,
        steps=recipe.steps,
        optimizer=optimizer,
        schedule=warmup_cosine(
            recipe.steps, warmup=min(recipe.warmup, recipe.steps // 4), final=0.02
        ),
        clip=1.0,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=lambda model, batch: answer_loss(model, batch, feed.layout.prompt),
        progress=progress,
    )
    return history.loss

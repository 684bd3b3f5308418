"""The transformers, their loss on answers, and how they are trained.

Axis letters: M member, B batch, T tokens, V vocabulary, S steps.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import replace
from synthcore.studies.stepwise_inference.task.lines import PAD, PROMPT_LENGTH, Batch
from synthcore.training.config import TrainingConfig
from synthcore.training.first_edition import fit
from synthcore.training.losses import IGNORE_INDEX
from synthcore.training.progress import Progress


def build(
    vocabulary: int,
    context: int,
    width: int,
    depth: int,
    seeds: Sequence[int],
    device: torch.device,
    mlp_ratio: float = 4.0,
) -> GPT:
    """Untrained networks with the paper's layout: learned positions, tied embeddings, no biases,
    one head. With mlp_ratio = 0 they have attention only."""
    shape = GPTConfig(
        vocabulary=vocabulary,
        context=context,
        width=width,
        depth=depth,
        heads=1,
        mlp_ratio=mlp_ratio,
        positions="learned",
        bias=False,
    )
    return GPT(shape, list(seeds)).to(device)


def answer_loss(
    model: nn.Module, batch: Batch, prompt_length: int = PROMPT_LENGTH
) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of the tokens after the prompt, per member.

    Goal and start cannot be foretold; the loss leaves them out.
    """
    total, count = torch.zeros(2, len(batch.lines[0]), device=batch.lines[0].device)
    for i, lines in enumerate(batch.lines):
        targets = lines[..., 1:].masked_fill(lines[..., 1:] == PAD, IGNORE_INDEX)
        targets[..., : prompt_length - 1] = IGNORE_INDEX
        with (
            shifted_answers(model, batch.shift[i], lines.shape[2] - 1, prompt_length)
            if batch.shift
            else nullcontext()
        ):
            logits = model(lines[..., :-1])  # (M, B, T - 1, V)
        loss = functional.cross_entropy(
            logits.flatten(0, 2), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="none"
        )
        total = total + loss.view(len(lines), -1).sum(1)
        count = count + (targets != IGNORE_INDEX).flatten(1).sum(1)
    return total / count


def shifted_answers(
    model: nn.Module,
    shift: Int[Tensor, "M B"],
    length: int,
    prompt_length: int = PROMPT_LENGTH,
) -> AbstractContextManager[Any]:
    """A context in which the tokens after the prompt sit `shift` positions later; lines have
    `length` tokens.

    Networks that are trained on short lines only would otherwise meet untrained position vectors in
    long ones.
    """
    assert isinstance(model, GPT)
    assert model.pos_embed is not None
    position = torch.arange(length, device=shift.device).expand(*shift.shape, length)
    position = torch.where(position < prompt_length, position, position + shift[..., None])
    members, batch = shift.shape
    width = model.config.width
    index = position.reshape(members, -1, 1).expand(-1, -1, width)
    moved = model.pos_embed[:, 0].gather(1, index).view(members, batch, length, width)
    change = moved - model.pos_embed[:, :, :length]
    return replace(model, {"blocks.0.hook_resid_pre": lambda x: x + change})


def train(
    model: GPT,
    sample: Callable[[int], Batch],
    training: TrainingConfig,
    name: str,
    progress: Progress | None = None,
    checkpoints: Collection[int] = (),
    on_checkpoint: Callable[[int, nn.Module], None] | None = None,
    prompt_length: int = PROMPT_LENGTH,
) -> Float[Tensor, "S M"]:
    """Train a population on the batches of `sample`, in order; the losses of every member.

    `progress` shows the training as `name`; `on_checkpoint(step, model)` is called at these steps.
    """
    history = fit(
        model,
        sample,
        steps=training.steps,
        optimizer=training.optimizer(model),
        schedule=training.schedule(),
        clip=training.clip,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=partial(answer_loss, prompt_length=prompt_length),
        progress=None if progress is None else partial(progress, name),
    )
    return history.loss

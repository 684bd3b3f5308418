"""The transformers, their loss, and how they are trained.

Axis letters: M member, B batch, T tokens, P weights of a member.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import replace
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.task.lines import PAD, PROMPT_LENGTH, Batch
from synthcore.training.losses import IGNORE_INDEX

WHOLE_LINE = 1  # the first token that a loss on every token foretells


def build(shape: GPTConfig, seeds: Sequence[int], device: torch.device) -> GPT:
    """Untrained networks; a member's weights depend on the shape and its own seed only."""
    return GPT(shape, list(seeds)).to(device)


def answer_loss(
    model: nn.Module,
    batch: Batch,
    loss_from: int = PROMPT_LENGTH,
    shift_from: int = PROMPT_LENGTH,
) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of the tokens from place `loss_from` on, per member.

    Goal and start cannot be foretold; by default the loss leaves them out. Where the batch shifts
    answers, the tokens from place `shift_from` on sit at later positions.
    """
    total, count = torch.zeros(2, len(batch.lines[0]), device=batch.lines[0].device)
    for i, lines in enumerate(batch.lines):
        targets = lines[..., 1:].masked_fill(lines[..., 1:] == PAD, IGNORE_INDEX)
        targets[..., : loss_from - 1] = IGNORE_INDEX
        with (
            shifted_answers(model, batch.shift[i], lines.shape[2] - 1, shift_from)
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
    shift_from: int = PROMPT_LENGTH,
) -> AbstractContextManager[Any]:
    """A context in which the tokens from place `shift_from` on sit `shift` positions later; lines
    have `length` tokens.

    Networks that are trained on short lines only would otherwise meet untrained position vectors in
    long ones.
    """
    assert isinstance(model, GPT)
    assert model.pos_embed is not None
    position = torch.arange(length, device=shift.device).expand(*shift.shape, length)
    position = torch.where(position < shift_from, position, position + shift[..., None])
    members, batch = shift.shape
    width = model.config.width
    index = position.reshape(members, -1, 1).expand(-1, -1, width)
    moved = model.pos_embed[:, 0].gather(1, index).view(members, batch, length, width)
    change = moved - model.pos_embed[:, :, :length]
    return replace(model, {"blocks.0.hook_resid_pre": lambda x: x + change})


def optimisation(
    model: GPT, config: Config, steps: int, warmup: int | None = None, shift_from: int = 3
) -> dict[str, Any]:
    """How `fit` is to train for so many updates: optimiser, schedule, clipping and loss."""
    training = config.training(steps, warmup)
    loss_from = WHOLE_LINE if config.loss_on == "line" else PROMPT_LENGTH
    return {
        "steps": steps,
        "optimizer": training.optimizer(model),
        "schedule": training.schedule(),
        "clip": training.clip,
        "loss": partial(answer_loss, loss_from=min(loss_from, shift_from), shift_from=shift_from),
    }


def weights_of(model: GPT) -> Float[Tensor, "M P"]:
    """All weights of every member in one row, in the order of `model.parameters()`."""
    return torch.cat([p.detach().flatten(1) for p in model.parameters()], 1).cpu()


def with_weights(model: GPT, weights: Float[Tensor, "M P"]) -> GPT:
    """The same network with these weights, of `weights_of`."""
    place = 0
    with torch.no_grad():
        for parameter in model.parameters():
            size = parameter[0].numel()
            part = weights[:, place : place + size]
            parameter.copy_(part.view_as(parameter))
            place += size
    return model.eval()

"""The networks of this study, their loss, and training on documents.

Every member has functions and a training subset of its own; all train as one batched model.

Axis letters: M member, B batch, T tokens.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.lstm import LSTM, LSTMConfig
from synthcore.studies.compositional_capabilities.task.documents import Format, Layout
from synthcore.studies.compositional_capabilities.task.members import Batch, MemberTasks
from synthcore.training.config import TrainingConfig
from synthcore.training.fit import History, OnCheckpoint, fit
from synthcore.training.losses import IGNORE_INDEX, masked_cross_entropy
from synthcore.training.optimizers import population_adamw
from synthcore.training.progress import Progress
from synthcore.training.schedules import Schedule, warmup_cosine

MOST_DECAY_WITH_PROMPT = 0.1


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(TrainingConfig):
    """The shape of a network, and how it is trained; `batch` counts documents.

    >>> network = NetworkConfig(width=16, depth=1, heads=1, learning_rate=0.01, batch=8, steps=40)
    >>> round(network.schedule()(40), 2)
    0.02
    """

    width: int  # of the residual stream
    depth: int  # blocks
    heads: int
    positions: Literal["learned", "rotary"] = "learned"  # how places in a document enter
    final: float = 0.02
    warmup: int = 50
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1

    def schedule(self) -> Schedule:
        """Warm-up, of a quarter of the steps at most, and half a cosine."""
        warmup = min(self.warmup, self.steps // 4)
        return warmup_cosine(self.steps, warmup=warmup, final=self.final)


def transformer_shape(network: NetworkConfig, layout: Layout, format: Format) -> GPTConfig:
    """RMS norm, no biases, untied output.

    Narrow networks do not leave the plateau from the usual 0.02; weights start at 1 / sqrt(width).
    """
    return GPTConfig(
        vocabulary=layout.vocabulary,
        context=layout.document_length(format),
        width=network.width,
        depth=network.depth,
        heads=network.heads,
        positions=network.positions,
        tied=False,
        norm="rms",
        bias=False,
        initial_std=network.width**-0.5,
    )


def build_transformer(network: NetworkConfig, tasks: MemberTasks) -> GPT:
    """Untrained transformers; a seed starts from the same weights in every condition."""
    shape = transformer_shape(network, tasks.layout, tasks.format)
    return GPT(shape, tasks.member_seeds).to(tasks.device)


def build_lstm(network: NetworkConfig, tasks: MemberTasks) -> LSTM:
    """Untrained LSTMs of the same width and depth."""
    shape = LSTMConfig(tasks.layout.vocabulary, network.width, network.depth)
    return LSTM(shape, tasks.member_seeds).to(tasks.device)


def answer_loss(model: nn.Module, batch: Batch, prompt_length: int) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of the tokens after the prompt, or of all, per member."""
    tokens, with_prompt = batch
    targets = tokens[..., 1:].clone()
    answer = torch.arange(1, tokens.shape[2], device=tokens.device) >= prompt_length  # (T - 1,)
    counted = answer | with_prompt[:, None, None]  # (M, 1, T - 1)
    targets[~counted.expand_as(targets)] = IGNORE_INDEX
    return masked_cross_entropy(model(tokens[..., :-1]), targets)


def train(
    model: nn.Module,
    tasks: MemberTasks,
    network: NetworkConfig,
    name: str,
    progress: Progress | None = None,
    checkpoints: Collection[int] = (),
    on_checkpoint: OnCheckpoint | None = None,
) -> History:
    """AdamW with decay and clipping on each member's documents; losses in nats.

    Members whose loss counts the prompt have a decay of 0.1 at most: strong decay keeps their loss
    off its floor, for it pulls probabilities that should be small towards even ones.

    `name`, `progress`, `checkpoints` and `on_checkpoint` are those of `synthcore.training.fit`.
    """
    sample = tasks.sampler(network.batch)
    decay: float | Tensor = network.weight_decay
    if bool(sample.with_prompt.any()) and network.weight_decay > MOST_DECAY_WITH_PROMPT:
        decay = torch.where(sample.with_prompt, MOST_DECAY_WITH_PROMPT, network.weight_decay)
    return fit(
        model,
        sample,
        steps=network.steps,
        optimizer=population_adamw(
            model, network.learning_rate, betas=network.betas, weight_decay=decay
        ),
        schedule=network.schedule(),
        clip=network.clip,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=partial(answer_loss, prompt_length=tasks.layout.prompt_length),
        progress=progress,
        name=name,
    )

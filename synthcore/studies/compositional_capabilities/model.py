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
from synthcore.training.accelerate import Acceleration
from synthcore.training.config import TrainingConfig
from synthcore.training.fit import History, OnCheckpoint, fit
from synthcore.training.losses import IGNORE_INDEX, masked_cross_entropy
from synthcore.training.progress import Progress
from synthcore.training.schedules import Schedule, warmup_cosine


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(TrainingConfig):
    """The shape of a network, and how it is trained; `batch` counts documents.

    >>> network = NetworkConfig(width=16, depth=1, heads=1, learning_rate=0.01, batch=8, steps=40)
    >>> round(network.schedule()(40), 2), network.std
    (0.02, 0.25)
    """

    width: int  # of the residual stream
    depth: int  # blocks
    heads: int
    positions: Literal["learned", "rotary"] = "learned"  # how places in a document enter
    norm: Literal["layer", "rms"] = "rms"
    tied: bool = False  # whether input and output share the token table
    initial_std: float = 0.0  # of the weights; 0 means 1 / sqrt(width)
    vocabulary: int = 0  # rows of the token table; 0 means as many as needed
    documents: int = 0  # training documents of a member; 0 means fresh ones for every update
    loss_on: Literal["all", "answer"] = "answer"  # tokens that the loss counts
    final: float = 0.02
    warmup: int = 50
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    bfloat16: bool = False  # products in training, on CUDA only

    @property
    def std(self) -> float:
        """Standard deviation of the initial weights."""
        return self.initial_std or self.width**-0.5

    def schedule(self) -> Schedule:
        """Warm-up, of a quarter of the steps at most, and half a cosine."""
        warmup = min(self.warmup, self.steps // 4)
        return warmup_cosine(self.steps, warmup=warmup, final=self.final)


RELEASE = NetworkConfig(
    width=120,
    depth=2,
    heads=1,
    norm="layer",
    tied=True,
    initial_std=0.02,
    vocabulary=512,
    steps=6250,
    batch=16,
    documents=100_000,
    loss_on="all",
    learning_rate=3e-4,
    final=0.02,  # to 6e-6
    warmup=200,
    weight_decay=0.1,
    decayed="matrices",
)
"""The public default of the official code, `config/{gen,train}/conf.yaml` and `net/nanogpt.py`."""


def transformer_shape(network: NetworkConfig, layout: Layout, format: Format) -> GPTConfig:
    """Without biases. Narrow networks do not leave the plateau from the usual 0.02; from
    1 / sqrt(width) they do."""
    return GPTConfig(
        vocabulary=max(layout.vocabulary, network.vocabulary),
        context=layout.document_length(format),
        width=network.width,
        depth=network.depth,
        heads=network.heads,
        positions=network.positions,
        tied=network.tied,
        norm=network.norm,
        bias=False,
        initial_std=network.std,
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

    `name`, `progress`, `checkpoints` and `on_checkpoint` are those of `synthcore.training.fit`.
    """
    on_cuda = tasks.device.type == "cuda"
    return fit(
        model,
        tasks.sampler(network.batch, network.documents, network.loss_on == "all"),
        steps=network.steps,
        optimizer=network.optimizer(model),
        schedule=network.schedule(),
        clip=network.clip,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=partial(answer_loss, prompt_length=tasks.layout.prompt_length),
        progress=progress,
        name=name,
        acceleration=Acceleration(autocast=network.bfloat16 and on_cuda),
    )

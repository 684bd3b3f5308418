"""The transformers of the grammar world, their loss at the answer, and how they are trained.

Axis letters: M member, B batch, T tokens of a prompt, V vocabulary, D width, H heads, K head width.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.finetuning_wrappers.task import World
from synthcore.training.first_edition import fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.schedules import warmup_cosine

HELD = 1 << 30  # numbers that a pass may hold: 4 GB
KEPT = 20  # numbers that a block holds for each token and unit of width, about
FEW = 128  # prompts of a pass that stay in a CPU's cache


class Batch(NamedTuple):
    """Prompts and the token that answers each."""

    prompts: Int[Tensor, "M B T"]
    answers: Int[Tensor, "M B"]


@dataclass(frozen=True)
class Shape:
    """Sizes of a network."""

    width: int
    depth: int
    heads: int


def build(shape: Shape, world: World, seeds: Sequence[int], device: torch.device) -> GPT:
    """Untrained networks: learned positions, RMS norm, untied output, std 1 / sqrt(width)."""
    config = GPTConfig(
        vocabulary=world.vocabulary,
        context=world.prompt,
        width=shape.width,
        depth=shape.depth,
        heads=shape.heads,
        positions="learned",
        tied=False,
        norm="rms",
        initial_std=shape.width**-0.5,
    )
    return GPT(config, list(seeds)).to(device)


def answer_logits(model: nn.Module, prompts: Int[Tensor, "M B T"]) -> Float[Tensor, "M B V"]:
    """Logits after the last token: `model(prompts)[:, :, -1]`, for nearly half the work.

    The last block's queries, MLP and output are computed at the last place only.
    """
    assert isinstance(model, GPT)
    assert model.pos_embed is not None
    assert model.unembed is not None
    places = model.hook_pos_embed(model.pos_embed[:, :, : prompts.shape[2]])
    x = model.hook_embed(model.embed(prompts)) + places
    for block in model.blocks[:-1]:
        x = block(x, None, None)
    block = model.blocks[-1]
    part, width = block.attn, model.config.width
    x = block.hook_resid_pre(x)
    inside = block.ln1(x)
    weight, bias = part.qkv.weight, part.qkv.bias
    assert bias is not None
    M, B, T, D = x.shape
    q = torch.baddbmm(bias[..., :width], inside[:, :, -1], weight[..., :width])
    kv = torch.baddbmm(bias[..., width:], inside.flatten(1, 2), weight[..., width:])
    k, v = kv.view(M * B, T, 2, part.heads, D // part.heads).unbind(2)
    q = q.view(M * B, part.heads, D // part.heads)
    scores = torch.einsum("nhk,nthk->nht", q, k) / math.sqrt(q.shape[-1])
    mixed = torch.einsum("nht,nthk->nhk", scores.softmax(-1), v).reshape(M, B, 1, D)
    x = x[:, :, -1:] + block.hook_attn_out(part.out(mixed))
    if block.mlp is not None and block.ln2 is not None:
        x = block.hook_resid_mid(x)
        x = x + block.hook_mlp_out(block.mlp(block.ln2(x)))
    out: Tensor = model.unembed(model.ln_final(block.hook_resid_post(x)))
    return out[:, :, 0]


def answer_loss(model: nn.Module, batch: Batch) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of the answers, per member."""
    logits = answer_logits(model, batch.prompts)
    loss = functional.cross_entropy(logits.flatten(0, 1), batch.answers.flatten(), reduction="none")
    return loss.view(batch.answers.shape).mean(1)


def prompts_at_once(model: GPT, *, gradient: bool = False) -> int:
    """How many prompts per member a pass can hold. For a gradient every block keeps its numbers."""
    blocks = model.config.depth if gradient else 1
    one = KEPT * model.members * model.config.width * model.config.context * blocks
    return max(1, HELD // one)


@torch.no_grad()
def predict(model: GPT, prompts: Int[Tensor, "M B T"], chunk: int = FEW) -> Int[Tensor, "M B"]:
    """The most likely token after each prompt, over the whole vocabulary."""
    parts = prompts.split(min(chunk, prompts_at_once(model)), 1)
    return torch.cat([answer_logits(model, part).argmax(-1) for part in parts], 1)


def train(
    model: GPT,
    sample: Callable[[int], Batch],
    steps: int,
    rates: float | Float[Tensor, "M"],
    *,
    batch: int,
    warmup: float = 0.2,
    final: float = 0.01,
    decay: float = 0.0,
    checkpoints: Collection[int] = (),
    on_checkpoint: Callable[[int, nn.Module], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Float[Tensor, "S M"]:
    """Adam with betas (0.9, 0.99), warm-up over a share of the steps, then a cosine to `final`.

    `batch` is the number of prompts per member; what memory cannot hold passes in parts.
    """
    history = fit(
        model,
        sample,
        steps=steps,
        optimizer=population_adamw(model, rates, betas=(0.9, 0.99), weight_decay=decay),
        schedule=warmup_cosine(steps, warmup=int(warmup * steps), final=final),
        clip=1.0,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=answer_loss,
        progress=progress,
        micro_batches=math.ceil(batch / prompts_at_once(model, gradient=True)),
    )
    return history.loss

"""The networks of this study and their losses: transformers that answer questions of the grammar,
and compiled ones, with the optimiser that trains these.

Axis letters: M member, B batch, T tokens of a prompt, V vocabulary, D width, H heads, K head width.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from synthcore.compiled import CompiledTransformer, Sharpness, counter
from synthcore.compiled.programs import READ
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.passes import numbers_held, sequences_per_pass
from synthcore.studies.finetuning_wrappers.task.grammar import World
from synthcore.studies.finetuning_wrappers.task.mixtures import Batch
from synthcore.studies.finetuning_wrappers.task.strings import LETTERS
from synthcore.training.losses import masked_cross_entropy

HELD_IN_TRAINING = 1 << 27  # numbers: 0.5 GB; an update is split only where it must be
COMPILED_HELD = 5  # numbers of a compiled block for each token and unit of width, about


@dataclass(frozen=True)
class Architecture:
    """Sizes of a network."""

    width: int
    depth: int
    heads: int


def build(
    architecture: Architecture, world: World, seeds: Sequence[int], device: torch.device
) -> GPT:
    """Untrained networks: learned positions, RMS norm, untied output, std 1 / sqrt(width)."""
    config = GPTConfig(
        vocabulary=world.vocabulary,
        context=world.prompt_length,
        width=architecture.width,
        depth=architecture.depth,
        heads=architecture.heads,
        positions="learned",
        tied=False,
        norm="rms",
        initial_std=architecture.width**-0.5,
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
    return masked_cross_entropy(answer_logits(model, batch.prompts), batch.answers)


def prompts_per_pass(model: GPT, *, gradient: bool = False, held: int | None = None) -> int:
    """How many prompts of each member fit into one pass that ends in `answer_logits`."""
    context = model.config.context
    return sequences_per_pass(model, context, gradient=gradient, read=1, held=held)


def parts_of_update(model: GPT, batch: int) -> int:
    """In how many parts an update's prompts have to pass, so that memory holds their gradients."""
    device = model.embed.weight.device
    held = max(HELD_IN_TRAINING, numbers_held(device))
    return math.ceil(batch / prompts_per_pass(model, gradient=True, held=held))


def equal_parts(rows: int, most: int) -> int:
    """The size of the largest equal parts of so many rows that are no larger than `most`.

    >>> equal_parts(1024, 100), equal_parts(30, 100), equal_parts(30, 14)
    (64, 30, 10)
    """
    return next(size for size in range(min(rows, most), 0, -1) if rows % size == 0)


@torch.no_grad()
def predict(model: GPT, prompts: Int[Tensor, "M B T"]) -> Int[Tensor, "M B"]:
    """The most likely token after each prompt, over the whole vocabulary."""
    parts = prompts.split(prompts_per_pass(model), 1)
    return torch.cat([answer_logits(model, part).argmax(-1) for part in parts], 1)


@torch.no_grad()
def select_members(model: GPT, members: Sequence[int]) -> GPT:
    """A population of copies of these members, in this order; a member may come more than once."""
    out = GPT(model.config, [model.seeds[m] for m in members])
    index = torch.tensor(members)
    device = model.embed.weight.device
    out = out.to(device)
    for mine, theirs in zip(out.parameters(), model.parameters(), strict=True):
        mine.copy_(theirs[index.to(device)])
    return out


@torch.no_grad()
def concatenate_members(parts: list[GPT]) -> GPT:
    """One population of all members of networks of one shape."""
    seeds = [seed for part in parts for seed in part.seeds]
    out = GPT(parts[0].config, seeds).to(parts[0].embed.weight.device)
    for mine, *theirs in zip(out.parameters(), *(part.parameters() for part in parts), strict=True):
        mine.copy_(torch.cat(list(theirs)))
    return out


# --- compiled networks --------------------------------------------------------------------------


def trainable_counter(slots: int, beta: float, slope: float) -> CompiledTransformer:
    """The compiled counter of letters a in its trainable variant: scores and steps that are less
    sharp than exactness needs, both split between the two matrices that multiply."""
    return counter(slots, LETTERS, sharpness=Sharpness(beta, slope, split=True))


def strings_per_pass(model: CompiledTransformer, *, gradient: bool = False) -> int:
    """How many strings of each member a pass can hold: with a gradient, every block's numbers."""
    shape, blocks = model.shape, model.shape.depth if gradient else 1
    one = COMPILED_HELD * model.members * (shape.slots + 1) * shape.spaces.width * blocks
    return max(1, numbers_held(model.pos_embed.device) // one)


def compiled_answer_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) at the place of the answer, per member; 0 for a diverged one.

    Zero instead of a number that is not finite lets the others go on; the optimiser stops the
    member, whose gradient is not finite either.
    """
    lines, answers = batch
    member = masked_cross_entropy(model(lines)[:, :, READ], answers)
    return torch.where(member.isfinite(), member, 0.0 * member.nan_to_num(0.0, 0.0, 0.0))


class PopulationSGD(torch.optim.SGD):
    """Momentum and per-member learning rates; members that diverge stop where they are.

    A schedule's factors act on the group's `lr` of 1. A member's step is its rate times the
    momentum of its gradient, as torch's SGD would take it alone. A member whose gradient is not
    finite keeps its last weights from then on; `diverged` (M,) says which do.
    """

    def __init__(self, model: nn.Module, rates: Float[Tensor, "M"], momentum: float = 0.9) -> None:
        super().__init__(model.parameters(), lr=1.0, momentum=momentum)
        self.rates = rates
        self.diverged = torch.zeros(len(rates), dtype=torch.bool, device=rates.device)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update; the gradients are scaled in place."""
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        finite = torch.stack([g.flatten(1).isfinite().all(1) for g in gradients]).all(0)
        self.diverged |= ~finite
        if bool(self.diverged.any()):
            self._forget(self.diverged)
        for gradient in gradients:
            shape = (-1, *[1] * (gradient.ndim - 1))
            gradient.mul_(self.rates.view(shape))
            gradient[self.diverged] = 0
        return super().step(closure)

    def _forget(self, members: Bool[Tensor, "M"]) -> None:
        """No momentum carries a stopped member on."""
        for state in self.state.values():
            if state.get("momentum_buffer") is not None:
                state["momentum_buffer"][members] = 0

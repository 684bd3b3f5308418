"""The networks of this study and their losses: the pair learner, and transformers on whole lines.

Axis letters: M member, B batch, E entities, K properties, W width, T tokens of a line.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.population import normal_
from synthcore.studies.percolation.task.vocabulary import PAD
from synthcore.training.losses import IGNORE_INDEX
from synthcore.training.seeding import seeded

WIDTH, RATE, INITIAL = 32, 3e-3, 0.02
"""Of the pair learner: numbers per entity and property, Adam's rate, spread of initial weights."""
BETAS = (0.9, 0.95)
Lines = Sequence[Int[Tensor, "M _ _"]]
LineLoss = Literal["token", "line"]


class PairLearner(nn.Module):
    """P(property | entity) as a factorised model: logits u_e . v_k, and nothing else.

    It is not the paper's model. It is shown the pairs that sentences would reveal, without any
    syntax, and so isolates what the constraint graph alone does to the time at which classes are
    learned.

    >>> model = PairLearner(3, 5, seeds=[0, 1])
    >>> model(torch.tensor([[0, 2], [1, 1]])).shape                # members, entities, properties
    torch.Size([2, 2, 5])
    """

    def __init__(
        self, entities: int, properties: int, seeds: Sequence[int], condition: str = ""
    ) -> None:
        super().__init__()
        self.entity = nn.Parameter(torch.zeros(len(seeds), entities, WIDTH))
        self.property = nn.Parameter(torch.zeros(len(seeds), WIDTH, properties))
        generators = [seeded(seed, "pair learner", condition) for seed in seeds]
        for table in (self.entity, self.property):
            normal_(table, INITIAL, generators)

    def forward(self, entities: Int[Tensor, "M B"]) -> Float[Tensor, "M B K"]:
        chosen = self.entity.gather(1, entities[..., None].expand(-1, -1, WIDTH))  # (M, B, W)
        logits: Tensor = torch.bmm(chosen, self.property)
        return logits


def pair_loss(model: nn.Module, pairs: Int[Tensor, "M B 2"]) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of the properties."""
    logits = model(pairs[..., 0])
    loss = functional.cross_entropy(logits.flatten(0, 1), pairs[..., 1].flatten(), reduction="none")
    return loss.view(len(pairs), -1).mean(1)


def transformer(
    vocabulary: int,
    context: int,
    width: int,
    depth: int,
    heads: int,
    initial_std: float,
    seeds: Sequence[int],
) -> GPT:
    """Untrained networks with the paper's layout: learned positions, tied embeddings, no biases."""
    shape = GPTConfig(
        vocabulary=vocabulary,
        context=context,
        width=width,
        depth=depth,
        heads=heads,
        positions="learned",
        bias=False,
        initial_std=initial_std,
    )
    return GPT(shape, list(seeds))


def line_loss(
    model: nn.Module, groups: Sequence[Int[Tensor, "M _ _"]], per: int = 0
) -> Float[Tensor, "M"]:
    """Cross-entropy (nats) of every token of every line but the first, prompts included: its mean
    over all tokens; or with `per` its sum over a line, divided by that number, mean over lines."""
    total, tokens, lines = torch.zeros(3, len(groups[0]), device=groups[0].device)
    for group in groups:
        targets = group[..., 1:].masked_fill(group[..., 1:] == PAD, IGNORE_INDEX)
        logits = model(group[..., :-1]).flatten(0, 2).float()  # (M B T-1, V)
        loss = functional.cross_entropy(
            logits, targets.flatten(), ignore_index=IGNORE_INDEX, reduction="none"
        )
        total = total + loss.view(len(group), -1).sum(1)
        tokens = tokens + (targets != IGNORE_INDEX).flatten(1).sum(1)
        lines = lines + group.shape[1]
    return total / (per * lines) if per else total / tokens


def loss_of(kind: LineLoss, context: int) -> Callable[[nn.Module, Lines], Float[Tensor, "M"]]:
    """`line_loss` per token, as is usual; or per line as in the released code, which divides every
    line's sum by the length to which lines are padded, less one."""
    return line_loss if kind == "token" else partial(line_loss, per=context - 1)

"""The transformers, their loss, and training on walks.

Axis letters: M member, B batch, T tokens, S steps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.training.fit import UNTAUGHT


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
    context: int = 16
    warmup: int = 100
    decay: float = 0.01


def build(recipe: Recipe, vocabulary: int, seeds: Sequence[int]) -> GPT:
    """Untrained networks: learned positions, layer norm, untied output.

    Networks this narrow stay at chance from the usual initialisation; weights start at
    0.5 / sqrt(width).
    """
    shape = GPTConfig(
        vocabulary=vocabulary,
        context=recipe.context,
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

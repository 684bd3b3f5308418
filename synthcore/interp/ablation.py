"""What is lost when a part of a network says nothing, or the same to every example?

Mean ablation keeps what an activation says on average and removes what it says about the example at
hand; zero ablation takes the network where it never was.

Axis letters: M member, B batch, N ablated activations.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.nn.hooks import replace

Change = Callable[[Tensor], Tensor]


def batch_mean(x: Float[Tensor, "M B *rest"]) -> Float[Tensor, "M B *rest"]:
    """The mean over the batch, at each position, in place of every example's own value."""
    return x.mean(1, keepdim=True).expand_as(x)


def ablate(
    model: nn.Module, names: Sequence[str], change: Change = batch_mean
) -> AbstractContextManager[None]:
    """A context in which these activations are ablated: `batch_mean`, or `torch.zeros_like`.

    ValueError for an unknown activation. With nothing at the final norm, nothing is said:

    >>> from synthcore.nn.gpt import GPT, GPTConfig
    >>> model = GPT(GPTConfig(vocabulary=3, context=4, width=8, depth=1, heads=2), seeds=[0])
    >>> with ablate(model, ["ln_final.hook_normalized"], torch.zeros_like):
    ...     model(torch.zeros(1, 1, 4, dtype=torch.long)).abs().max().item()
    0.0
    """
    return replace(model, dict.fromkeys(names, change))


@torch.no_grad()
def ablate_each(
    model: nn.Module,
    names: Sequence[str],
    measure: Callable[[], Tensor],
    change: Change = batch_mean,
) -> Float[Tensor, "N *measured"] | Tensor:
    """`measure()` while each of these activations alone is ablated, stacked.

    Args:
        measure: runs the network and returns what counts, for example which answers are right.
    """
    found = []
    for name in names:
        with ablate(model, [name], change):
            found.append(measure())
    return torch.stack(found)

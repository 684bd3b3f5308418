"""Which activation carries the difference between two prompts? Put one run's into the other.

The network runs on a source and on a target that differ in one thing. An activation that makes the
target's output the source's, put in its place, carries that thing. Source: causal tracing of Meng
et al. 2022 (arXiv:2202.05262), activation patching.

Axis letters: M member, B batch, T time, N patched activations.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import torch
from jaxtyping import Int
from torch import Tensor, nn

from synthcore.nn.hooks import record, replace


def patch(
    model: nn.Module, activations: Mapping[str, Tensor], position: int | None = None
) -> AbstractContextManager[None]:
    """A context in which activations have the values given, by name.

    Args:
        activations: of the shapes of the run that is patched, as `record` gives them.
        position: on the time axis (the third); None patches all.

    ValueError for an unknown activation, or, while the network runs, a shape that does not fit.

    >>> from synthcore.nn.gpt import GPT, GPTConfig
    >>> model = GPT(GPTConfig(vocabulary=3, context=4, width=8, depth=2, heads=2), seeds=[0])
    >>> source, target = torch.tensor([[[0, 1, 2]]]), torch.tensor([[[1, 1, 2]]])
    >>> with record(model, ["blocks.1.hook_resid_pre"]) as seen:
    ...     wanted = model(source)
    >>> with patch(model, seen):
    ...     torch.equal(model(target), wanted)
    True
    """
    return replace(model, {n: _putting(value, position) for n, value in activations.items()})


@torch.no_grad()
def patch_each(
    model: nn.Module,
    source: Int[Tensor, "M B T"],
    names: Sequence[str],
    measure: Callable[[], Tensor],
    position: int | None = None,
) -> Tensor:
    """`measure()` while each of these activations alone is the source's, stacked: (N, ...).

    Args:
        source: tokens of the run that activations are taken from.
        measure: runs the network on the target and returns what counts.
    """
    with record(model, names) as seen:
        model(source)
    found = []
    for name in names:
        with patch(model, {name: seen[name]}, position):
            found.append(measure())
    return torch.stack(found)


def _putting(values: Tensor, position: int | None) -> Callable[[Tensor], Tensor]:
    def change(x: Tensor) -> Tensor:
        if values.shape != x.shape:
            raise ValueError(
                f"an activation of shape {tuple(x.shape)} cannot be patched with one of "
                f"{tuple(values.shape)}"
            )
        if position is None:
            return values
        x = x.clone()
        x[:, :, position] = values[:, :, position]
        return x

    return change

"""Activations by name: read them with `record`, change them with `replace`.

A model passes every activation worth naming through a `HookPoint`, an identity module; its name is
its place in the model, for example `blocks.1.attn.hook_pattern`: the names of TransformerLens, with
its axes behind a member axis. `names(model)` lists them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from torch import Tensor, nn


class HookPoint(nn.Module):
    """Identity whose input can be read or replaced from outside."""

    def forward(self, x: Tensor) -> Tensor:
        return x

    @property
    def hooked(self) -> bool:
        """Whether anyone reads or replaces this activation at present."""
        return bool(self._forward_hooks)


def names(model: nn.Module) -> list[str]:
    """Names of all activations of `model` that `record` and `replace` accept."""
    return [name for name, module in model.named_modules() if isinstance(module, HookPoint)]


def _point(model: nn.Module, name: str) -> HookPoint:
    known = names(model)
    if name not in known:
        nearest = get_close_matches(name, known, n=1)
        hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
        raise ValueError(f"Unknown activation '{name}'.{hint} The model has: {', '.join(known)}")
    module = model.get_submodule(name)
    assert isinstance(module, HookPoint)
    return module


@contextmanager
def record(model: nn.Module, wanted: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Collect activations of the forward passes inside the block (the last pass wins).

    Values are detached; `ValueError` names the nearest activation if one is unknown.

    >>> import torch
    >>> from synthcore.nn.gpt import GPT, GPTConfig
    >>> model = GPT(GPTConfig(vocabulary=3, context=4, width=8, depth=2, heads=2), seeds=[0, 1])
    >>> with record(model, ["blocks.1.attn.hook_pattern"]) as seen:
    ...     logits = model(torch.zeros(2, 5, 4, dtype=torch.long))
    >>> seen["blocks.1.attn.hook_pattern"].shape  # members, batch, heads, query time, key time
    torch.Size([2, 5, 2, 4, 4])
    """
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            seen[name] = output.detach()

        return hook

    points = {name: _point(model, name) for name in wanted}
    handles = [point.register_forward_hook(keep(name)) for name, point in points.items()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def replace(model: nn.Module, changes: Mapping[str, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Pass named activations through functions of the same shape: patching and ablation.

    Entered inside `record`, the recorded value is the one before the change; entered outside it,
    the one after.

    >>> import torch
    >>> from synthcore.nn.gpt import GPT, GPTConfig
    >>> model = GPT(GPTConfig(vocabulary=3, context=4, width=8, depth=1, heads=2), seeds=[0])
    >>> tokens = torch.arange(3).expand(1, 1, 3)
    >>> with replace(model, {"ln_final.hook_normalized": torch.zeros_like}):
    ...     model(tokens).abs().max().item()
    0.0
    """

    def change(
        function: Callable[[Tensor], Tensor],
    ) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        return lambda module, inputs, output: function(output)

    points = {name: _point(model, name) for name in changes}
    handles = [p.register_forward_hook(change(changes[name])) for name, p in points.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()

"""Any optimiser of single models on a population, every member with a learning rate of its own.

Axis letters: M member.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

Groups = list[dict[str, Any]]
Named = tuple[str, nn.Parameter]


class EachMember(Optimizer):
    """Hands every member's weights to optimisers as if it were alone.

        optimizer = EachMember(model, rates, lambda groups: [torch.optim.NAdam(groups)])

    Args:
        model: a population: every parameter has a leading member axis.
        rates: learning rate of every member.
        make: from one parameter group per member, with entries `params`, `lr` and `names` (of the
            parameters), to the optimisers that share them.

    The weights that the optimisers see are views of the population's. As slow as a loop where an
    optimiser is one; for AdamW and what is made of it, use `KAdam`.

    >>> model = nn.ParameterList([torch.ones(2, 3)])
    >>> optimizer = EachMember(model, torch.tensor([1.0, 0.1]), lambda g: [torch.optim.SGD(g)])
    >>> model[0].sum().backward()
    >>> optimizer.step()
    >>> model[0][:, 0].tolist()
    [0.0, 0.8999999761581421]
    """

    def __init__(
        self,
        model: nn.Module,
        rates: Float[Tensor, "M"],
        make: Callable[[Groups], Iterable[Optimizer]],
    ) -> None:
        named = list(model.named_parameters())
        super().__init__([parameter for _, parameter in named], {"lr": 1.0})
        self.views = [[nn.Parameter(part) for part in p.data] for _, p in named]
        groups = [
            {
                "params": [views[m] for views in self.views],
                "names": [name for name, _ in named],
                "lr": float(rate),
            }
            for m, rate in enumerate(rates)
        ]
        self.members = list(make(groups))

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every member. A closure is refused with ValueError."""
        if closure is not None:
            raise ValueError("EachMember takes no closure")
        for parameter, views in zip(self.param_groups[0]["params"], self.views, strict=True):
            for m, view in enumerate(views):
                view.grad = None if parameter.grad is None else parameter.grad[m]
        for optimizer in self.members:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Those of the optimisers, one after another, in the form of one."""
        state: dict[int, Any] = {}
        for first, inner in self._parts():
            state |= {first + i: entry for i, entry in inner["state"].items()}
        return {"state": state, "param_groups": super().state_dict()["param_groups"]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The same back."""
        state = state_dict["state"]
        for optimizer, (first, inner) in zip(self.members, self._parts(), strict=True):
            indices = [i for group in inner["param_groups"] for i in group["params"]]
            own = {i: state[first + i] for i in indices if first + i in state}
            optimizer.load_state_dict({"state": own, "param_groups": inner["param_groups"]})

    def _parts(self) -> list[tuple[int, dict[str, Any]]]:
        """State of every optimiser, and the number of parameters before it."""
        first, found = 0, []
        for optimizer in self.members:
            found.append((first, optimizer.state_dict()))
            first += sum(len(group["params"]) for group in optimizer.param_groups)
        return found

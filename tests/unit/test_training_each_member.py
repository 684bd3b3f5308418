"""Single-model optimisers on a population: the loop of singles, and restarts."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer

from synthcore.nn.mlp import MLP, MLPConfig
from synthcore.training.checkpoints import Checkpoint
from synthcore.training.each_member import EachMember, Groups
from synthcore.training.k_adam import KAdam

RATES = torch.tensor([0.1, 0.003, 0.02])


def population() -> MLP:
    return MLP(MLPConfig(inputs=5, hidden=4, outputs=2, depth=2, activation="relu"), [1, 2, 3])


def learn(model: nn.Module, optimizer: Optimizer, first: int, last: int) -> None:
    for step in range(first, last):
        x = torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(step))
        model.zero_grad()
        model(x).square().mean((1, 2)).sum().backward()
        optimizer.step()


def muon(groups: Groups) -> list[Optimizer]:
    plain = [{key: group[key] for key in ("params", "lr")} for group in groups]
    return [torch.optim.Muon(plain)]


MAKERS: dict[str, Callable[[Groups], list[Optimizer]]] = {
    "SGD": lambda groups: [torch.optim.SGD(groups, momentum=0.9)],
    "NAdam": lambda groups: [torch.optim.NAdam(groups)],
    "Muon": muon,
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_population_is_the_loop_of_single_models(name: str) -> None:
    model = population()
    learn(model, EachMember(model, RATES, MAKERS[name]), 0, 12)
    for m, rate in enumerate(RATES.tolist()):
        singles = [nn.Parameter(p[m].clone()) for p in population().parameters()]
        [optimizer] = MAKERS[name]([{"params": singles, "lr": rate}])
        for step in range(12):
            x = torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(step))[m]
            loss = (torch.relu(x @ singles[0]) @ singles[1]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for together, alone in zip(model.parameters(), singles, strict=True):
            torch.testing.assert_close(together[m], alone.data, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", MAKERS)
def test_a_checkpoint_changes_nothing(name: str) -> None:
    whole = population()
    learn(whole, EachMember(whole, RATES, MAKERS[name]), 0, 10)
    first = population()
    optimizer = EachMember(first, RATES, MAKERS[name])
    learn(first, optimizer, 0, 6)
    kept = Checkpoint.of(first, 6, optimizer)
    second = population()
    resumed = EachMember(second, RATES, MAKERS[name])
    kept.restore(second, resumed)
    learn(second, resumed, 6, 10)
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_it_agrees_with_the_population_optimiser() -> None:
    one, other = population(), population()
    adamw: Any = lambda groups: [torch.optim.AdamW(groups, weight_decay=0.1)]  # noqa: E731
    learn(one, EachMember(one, RATES, adamw), 0, 10)
    learn(other, KAdam(other.parameters(), RATES, k=1, weight_decay=0.1), 0, 10)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_closure_is_refused() -> None:
    model = population()
    with pytest.raises(ValueError, match="no closure"):
        EachMember(model, RATES, MAKERS["SGD"]).step(lambda: 0.0)

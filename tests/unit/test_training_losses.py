"""Losses and settings of a training."""

import pytest
import torch
from torch.nn import functional

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.population import Embedding, Linear
from synthcore.training.config import TrainingConfig
from synthcore.training.losses import IGNORE_INDEX, masked_cross_entropy
from synthcore.training.optimizers import population_adamw


def test_masked_cross_entropy_is_torchs_per_member() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 5, 6, generator=generator)
    targets = torch.randint(6, (3, 4, 5), generator=generator)
    targets[torch.rand(3, 4, 5, generator=generator) < 0.4] = IGNORE_INDEX
    found = masked_cross_entropy(logits, targets)
    for member in range(3):
        expected = functional.cross_entropy(logits[member].flatten(0, 1), targets[member].flatten())
        torch.testing.assert_close(found[member], expected)
    targets[1] = IGNORE_INDEX
    assert masked_cross_entropy(logits, targets).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("rates", [1e-2, torch.tensor([1e-2, 1e-2])], ids=["shared", "each"])
def test_decay_of_matrices_spares_vectors(rates: float | torch.Tensor) -> None:
    """Without gradients decay is all that moves a weight."""
    model = GPT(GPTConfig(5, 8, 4, 1, 2, positions="learned", tied=False), [0, 1])
    for parameter in model.parameters():
        parameter.data.fill_(1.0)
        parameter.grad = torch.zeros_like(parameter)
    population_adamw(model, rates, weight_decay=0.5, decayed="matrices").step()
    moved = {name for name, value in model.named_parameters() if (value != 1).any()}
    matrices = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, Linear | Embedding)
    }
    assert moved == matrices | {"pos_embed"}  # nanoGPT decays its table of positions too
    for name in moved:
        torch.testing.assert_close(
            dict(model.named_parameters())[name].detach(),
            torch.full_like(dict(model.named_parameters())[name], 1 - 0.5 * 1e-2),
        )


def test_a_training_config_is_an_optimizer_and_a_schedule() -> None:
    training = TrainingConfig(
        100, 8, 3e-3, final=0.2, warmup=10, betas=(0.9, 0.95), weight_decay=0.2, decayed="matrices"
    )
    model = GPT(GPTConfig(5, 8, 4, 1, 2), [0, 1])
    matrices, vectors = training.optimizer(model).param_groups
    assert (matrices["lr"], matrices["betas"], matrices["weight_decay"]) == (3e-3, (0.9, 0.95), 0.2)
    assert vectors["weight_decay"] == 0
    assert training.schedule()(10) == 1.0
    assert training.schedule()(100) == pytest.approx(0.2)

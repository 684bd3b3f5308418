"""Per-member optimisation against a loop of torch's own optimisers and clipping."""

import pytest
import torch
from torch import Tensor, nn

from synthcore.training.k_adam import KAdam
from synthcore.training.optimizers import clip_members, population_adamw

MEMBERS = 3
RATES = torch.tensor([1e-3, 1e-2, 3e-2])
DECAYS = torch.tensor([0.0, 0.1, 0.5])


class Two(nn.Module):
    """Two parameters of different rank, with a member axis or of a single member."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(bias.clone())


@pytest.fixture
def start() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(MEMBERS, 4, 5, generator=generator),
        torch.randn(MEMBERS, 5, generator=generator),
    )


def give_gradients(model: Two, step: int, member: int | None = None) -> None:
    generator = torch.Generator().manual_seed(100 + step)
    weight = torch.randn(MEMBERS, 4, 5, generator=generator)
    bias = torch.randn(MEMBERS, 5, generator=generator)
    scale = torch.tensor([0.01, 1.0, 30.0])  # some members to be clipped, one not
    weight, bias = weight * scale[:, None, None], bias * scale[:, None]
    chosen = slice(None) if member is None else member
    model.weight.grad, model.bias.grad = weight[chosen].clone(), bias[chosen].clone()


def test_member_adamw_is_the_loop_of_torch_adamw(start: tuple[Tensor, Tensor]) -> None:
    together = Two(*start)
    optimizer = population_adamw(together, RATES, betas=(0.9, 0.95), weight_decay=DECAYS)
    assert isinstance(optimizer, KAdam)
    for step in range(25):
        give_gradients(together, step)
        optimizer.step()
    for member in range(MEMBERS):
        alone = Two(start[0][member], start[1][member])
        reference = torch.optim.AdamW(
            alone.parameters(),
            lr=RATES[member].item(),
            betas=(0.9, 0.95),
            weight_decay=DECAYS[member].item(),
        )
        for step in range(25):
            give_gradients(alone, step, member)
            reference.step()
        torch.testing.assert_close(together.weight[member], alone.weight, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(together.bias[member], alone.bias, rtol=1e-5, atol=1e-6)


def test_equal_rates_give_the_fused_update(start: tuple[Tensor, Tensor]) -> None:
    one, other = Two(*start), Two(*start)
    shared = population_adamw(one, 1e-2, weight_decay=0.1)
    each = population_adamw(other, torch.full((MEMBERS,), 1e-2), weight_decay=0.1)
    for step in range(10):
        for model, optimizer in ((one, shared), (other, each)):
            give_gradients(model, step)
            optimizer.step()
    torch.testing.assert_close(one.weight, other.weight, rtol=1e-5, atol=1e-6)


def test_rates_of_the_wrong_number_of_members_are_refused(start: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"lr has shape \(2,\); the population has 3 members"):
        population_adamw(Two(*start), torch.tensor([0.1, 0.2]))
    with pytest.raises(ValueError, match=r"weight_decay has shape \(4,\)"):
        population_adamw(Two(*start), 0.1, weight_decay=torch.zeros(4))


def test_clipping_is_the_loop_of_torch_clipping(start: tuple[Tensor, Tensor]) -> None:
    together = Two(*start)
    give_gradients(together, 0)
    norms = clip_members(together, 1.0)
    clipped = 0
    for member in range(MEMBERS):
        alone = Two(start[0][member], start[1][member])
        give_gradients(alone, 0, member)
        norm = nn.utils.clip_grad_norm_(alone.parameters(), 1.0)
        torch.testing.assert_close(norms[member], norm)
        for name in ("weight", "bias"):
            ours, theirs = together.get_parameter(name).grad, alone.get_parameter(name).grad
            assert ours is not None
            torch.testing.assert_close(ours[member], theirs, rtol=1e-5, atol=1e-7)
        clipped += int(norm > 1)
    assert 0 < clipped < MEMBERS


def test_an_infinite_gradient_spoils_its_own_member_only(start: tuple[Tensor, Tensor]) -> None:
    model = Two(*start)
    give_gradients(model, 0)
    assert model.weight.grad is not None
    model.weight.grad[1, 0, 0] = torch.inf
    clip_members(model, 1.0)
    assert model.weight.grad[[0, 2]].isfinite().all()
    assert not model.weight.grad[1].isfinite().all()

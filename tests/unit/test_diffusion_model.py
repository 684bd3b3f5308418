"""Schedules, predictions and the model around a network, against their definitions."""

import math
from typing import Any

import pytest
import torch
from gaussian_denoiser import GaussianDenoiser, generator
from torch import Tensor, nn

from synthcore.diffusion import (
    Diffusion,
    LearnedLinearSchedule,
    LinearSchedule,
    Predicts,
    Schedule,
    Single,
    split,
    to_image,
    to_noise,
    to_v,
    variational_bound,
)
from synthcore.diffusion.model import TimeInput
from synthcore.diffusion.predictions import require_one_of
from synthcore.nn.conditioned import ConditionedMLP, ConditionedMLPConfig

KINDS: tuple[Predicts, ...] = ("noise", "image", "v")
SCHEDULES = (LinearSchedule, LearnedLinearSchedule)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_schedule_is_linear_between_its_ends(kind: type[Schedule]) -> None:
    time = torch.linspace(0, 1, 11).expand(2, 11)
    torch.testing.assert_close(kind(2)(time), -5 + 15 * time)
    torch.testing.assert_close(kind(2, -13.3, 5.0)(time), -13.3 + 18.3 * time)
    low, high = kind(2, -1.0, 2.0).ends
    assert (low.tolist(), high.tolist()) == ([-1, -1], [2, 2])


def test_variance_is_preserved_and_gamma_is_the_log_of_noise_to_signal() -> None:
    gamma = LinearSchedule(2)(torch.linspace(0, 1, 11).expand(2, 11)).double()
    alpha, sigma = split(gamma, torch.ones(2, 11))
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(gamma))
    torch.testing.assert_close(2 * (sigma.log() - alpha.log()), gamma)


def test_fixed_ends_do_not_learn() -> None:
    assert not any(p.requires_grad for p in LinearSchedule(1).parameters())
    assert all(p.requires_grad for p in LinearSchedule(1, learned=True).parameters())


def test_a_learned_schedule_rises_wherever_learning_takes_it() -> None:
    """The slope is driven through zero; two ends of their own cross there."""
    time = torch.linspace(0, 1, 21).expand(3, 21)
    target = torch.tensor([4.0, 0.0, -20.0])[:, None] * time
    schedule = LearnedLinearSchedule(3)
    optimizer = torch.optim.SGD(schedule.parameters(), lr=0.5)
    slopes = []
    for _ in range(100):
        optimizer.zero_grad()
        gamma = schedule(time)
        (gamma - target).square().mean(1).sum().backward()
        optimizer.step()
        assert (schedule(time).diff(dim=1) >= 0).all()
        slopes.append(schedule.slope.detach().clone())
    assert float(torch.stack(slopes).min()) < 0  # so that the test has seen a negative slope
    assert [end[0].item() for end in schedule.ends] == pytest.approx([0, 4], abs=0.1)
    assert schedule.start == (-5.0, 10.0)


def test_members_learn_ends_of_their_own() -> None:
    schedule = LearnedLinearSchedule(2)
    schedule(torch.tensor([[0.0, 1.0]]).expand(2, 2))[1].sum().backward()
    assert schedule.offset.grad is not None
    assert schedule.slope.grad is not None
    assert schedule.offset.grad.tolist() == [0, 2]
    assert schedule.slope.grad.tolist() == [0, 1]


@pytest.mark.parametrize("given", KINDS)
def test_every_prediction_gives_every_other(given: Predicts) -> None:
    x, noise = torch.randn(2, 1, 9, 4, generator=generator(0), dtype=torch.float64)
    alpha, sigma = split(torch.linspace(-5, 10, 9, dtype=torch.float64)[None], x)
    z, v = alpha * x + sigma * noise, alpha * noise - sigma * x
    out = {"image": x, "noise": noise, "v": v}[given]
    torch.testing.assert_close(to_image(out, given, z, alpha, sigma), x)
    torch.testing.assert_close(to_noise(out, given, z, alpha, sigma), noise)
    torch.testing.assert_close(to_v(out, given, z, alpha, sigma), v)


def test_v_turns_with_z() -> None:
    """At an angle phi with tan(phi) = sigma / alpha, v is the derivative of z by phi."""
    x, noise = torch.randn(2, 1, 1, 5, generator=generator(0), dtype=torch.float64)
    phi = torch.tensor(0.7, dtype=torch.float64)

    def z(angle: Tensor) -> Tensor:
        return angle.cos() * x + angle.sin() * noise

    _, slope = torch.autograd.functional.jvp(z, phi, torch.ones_like(phi))
    torch.testing.assert_close(to_v(x, "image", z(phi), phi.cos(), phi.sin()), slope)


@pytest.mark.parametrize("predicts", KINDS)
@pytest.mark.parametrize("within", [None, (-0.3, 0.4)])
def test_estimates_add_up_to_what_was_seen(
    predicts: Predicts, within: tuple[float, float] | None
) -> None:
    schedule = LinearSchedule(1).double()
    model = Diffusion(GaussianDenoiser(schedule, predicts, 0.1, 0.5), schedule, predicts, within)
    z = torch.randn(1, 50, 3, 2, generator=generator(0), dtype=torch.float64)
    time = torch.full((1, 1), 0.4, dtype=torch.float64)
    image, noise = model.estimate(z, time)
    alpha, sigma = split(schedule(time), z)
    torch.testing.assert_close(alpha * image + sigma * noise, z)
    exact = GaussianDenoiser(schedule, "image", 0.1, 0.5)(z, time)
    expected = exact if within is None else exact.clamp(*within)
    assert within is None or not torch.equal(exact, expected)
    torch.testing.assert_close(image, expected)


class Watch(nn.Module):
    """Remembers the times that it was given."""

    def forward(self, z: Tensor, time: Tensor, *condition: Tensor) -> Tensor:
        self.time = time
        return z


def test_a_network_reads_time_or_gamma_on_the_scale_of_the_start() -> None:
    time = torch.tensor([[0.0, 0.5, 1.0]])
    for time_input in ("time", "gamma"):
        net = Watch()
        model = Diffusion(net, LearnedLinearSchedule(1), time_input=time_input)
        model(torch.ones(1, 3, 2), time)
        torch.testing.assert_close(net.time, time)
        with torch.no_grad():
            model.schedule.get_parameter("offset").fill_(-8.0)
        model(torch.ones(1, 3, 2), time)
        torch.testing.assert_close(net.time, time if time_input == "time" else time - 3 / 15)


def test_an_ordinary_network_is_a_population_of_one() -> None:
    class Plain(nn.Module):
        """The weights of a population of one, as an ordinary network would hold them."""

        def forward(self, z: Tensor, time: Tensor, condition: Tensor) -> Tensor:
            assert (z.shape, time.shape, condition.shape) == ((6, 3, 2, 2), (6,), (6, 2))
            out: Tensor = population(z[None], time[None], condition[None])[0]
            return out

    population = ConditionedMLP(ConditionedMLPConfig(data=12, condition=2, width=8), seeds=[3])
    x = torch.randn(1, 6, 3, 2, 2, generator=generator(0))
    condition = torch.randn(1, 3, 2, generator=generator(1))
    one, other = (
        variational_bound(Diffusion(net, LinearSchedule(1)), x, generator(2), condition)
        for net in (population, Single(Plain()))
    )
    torch.testing.assert_close(one, other)
    model = Diffusion(Single(Plain()), LinearSchedule(1))
    time = torch.full((1, 1), 0.3)  # one time for all, and a condition for every pair
    torch.testing.assert_close(model(x, time, condition), population(x, time, condition))


def test_gradients_reach_an_ordinary_network_and_its_schedule() -> None:
    layer = nn.Linear(2, 2)
    model = Diffusion(Single(lambda z, time: layer(z)), LearnedLinearSchedule(1))
    variational_bound(model, torch.ones(1, 8, 2), generator(0)).sum().backward()
    gradients = [layer.weight.grad, *(p.grad for p in model.schedule.parameters())]
    assert all(g is not None and math.isfinite(g.sum()) and g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearSchedule(0), r"members must be at least 1 \(got 0\)"),
        (lambda: LearnedLinearSchedule(1, 3.0, 3.0), "low must be below high"),
        (
            lambda: require_one_of("time_input", "step", TimeInput),
            r"time_input must be time or gamma \(got 'step'\)",
        ),
        (lambda: Single(Watch())(torch.ones(2, 1, 1), torch.ones(2, 1)), "is one member"),
    ],
)
def test_wrong_arguments_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

"""The losses on normal data, where all is known exactly."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from gaussian_denoiser import Constant, GaussianDenoiser, generator
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from synthcore.diffusion import (
    Diffusion,
    LearnedLinearSchedule,
    LinearSchedule,
    Predicts,
    Schedule,
    Single,
    image_error,
    losses,
    split,
    variational_bound,
)

LOW, HIGH = -5.0, 10.0
MEAN, SPREAD = 0.1, 0.2


def exact(
    predicts: Predicts, schedule: Schedule | None = None, mean: float = MEAN, std: float = SPREAD
) -> Diffusion:
    """The best model of N(mean, std^2)."""
    schedule = schedule or LinearSchedule(1)
    return Diffusion(GaussianDenoiser(schedule, predicts, mean, std), schedule, predicts)


def data(count: int, shape: tuple[int, ...] = (3, 8, 8)) -> Tensor:
    return MEAN + SPREAD * torch.randn(1, count, *shape, generator=generator(0))


def closed_form(low: Tensor, high: Tensor, data_noise: float | None = None) -> Tensor:
    """The bound of the exact denoiser of N(MEAN, SPREAD^2), in bits: what it leaves of the noise is
    s^2 / (s^2 + exp(gamma)), whose integral over gamma is a logarithm."""
    s2 = SPREAD**2
    diffusion = (high - low - torch.log((s2 + high.exp()) / (s2 + low.exp()))) / 2
    alpha2, sigma2 = (-high).sigmoid(), high.sigmoid()
    prior = (alpha2 * (MEAN**2 + s2) + sigma2 - sigma2.log() - 1) / 2
    variance = low.exp() if data_noise is None else torch.tensor(data_noise**2)
    rebuilt = (math.log(2 * math.pi) + variance.log() + low.exp() / variance) / 2
    return (diffusion + prior + rebuilt) / math.log(2)


@pytest.fixture
def quadrature(monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """Data (1, B, 4) whose losses have no sampling error.

    Errors are squares of linear functions of data and noise, so that two points of each, at one
    standard deviation, give their mean; times are B midpoints.
    """
    noise = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    batch = 4096
    monkeypatch.setattr(losses, "normal", lambda shape, *_: noise.expand(shape))
    half = torch.full((1, 1), 0.5 / batch, dtype=torch.float64)
    monkeypatch.setattr(losses, "uniform", lambda *_: half)
    sign = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64)
    return (MEAN + SPREAD * sign).expand(1, batch, 4)


@pytest.mark.parametrize("predicts", ["noise", "image", "v"])
@pytest.mark.parametrize("data_noise", [None, 0.05])
def test_the_bound_of_the_exact_denoiser_has_its_closed_form(
    quadrature: Tensor, predicts: Predicts, data_noise: float | None
) -> None:
    model = exact(predicts, LinearSchedule(1).double())
    found = variational_bound(model, quadrature, generator(0), data_noise=data_noise)
    low, high = model.schedule.ends
    torch.testing.assert_close(found, closed_form(low, high, data_noise), rtol=1e-6, atol=1e-6)


def test_learned_ends_get_the_gradient_of_the_closed_form(quadrature: Tensor) -> None:
    schedule = LearnedLinearSchedule(1).double()
    variational_bound(exact("noise", schedule), quadrature, generator(0)).sum().backward()
    low, high = (end.detach().requires_grad_() for end in schedule.ends)
    closed_form(low, high).sum().backward()
    assert low.grad is not None
    assert high.grad is not None
    expected = [low.grad + high.grad, high.grad]
    for parameter, gradient in zip((schedule.offset, schedule.slope), expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-6)


def test_learning_the_ends_goes_down_the_bound(quadrature: Tensor) -> None:
    """With the exact denoiser at every schedule, less noise at t = 0 is a better bound."""
    schedule = LearnedLinearSchedule(1).double()
    model = exact("noise", schedule)
    optimizer = torch.optim.SGD(schedule.parameters(), lr=0.5)
    few = quadrature[:, ::64]
    before = variational_bound(model, quadrature, generator(0)).item()
    for _ in range(10):
        optimizer.zero_grad()
        variational_bound(model, few, generator(0)).sum().backward()
        optimizer.step()
    low, high = (end.item() for end in schedule.ends)
    assert low < LOW - 0.1
    assert high > low
    assert variational_bound(model, quadrature, generator(0)).item() < before - 0.001


def test_the_weight_of_the_image_makes_it_the_error_of_the_noise(quadrature: Tensor) -> None:
    """E[exp(-gamma) (x - x')^2] = E[(eps - eps')^2], of which the bound takes half the slope."""
    schedule = LinearSchedule(1).double()
    for predicts in ("image", "noise", "v"):
        found = image_error(exact(predicts, schedule), quadrature, generator(0), cap=math.inf)
        low, high = schedule.ends
        s2 = SPREAD**2
        mean = 1 - torch.log((s2 + high.exp()) / (s2 + low.exp())) / (high - low)
        torch.testing.assert_close(found, mean, rtol=1e-6, atol=1e-7)


def test_what_a_network_is_asked_has_the_moments_of_the_forward_process() -> None:
    seen = {}

    class Watch(nn.Module):
        def forward(self, z: Tensor, time: Tensor) -> Tensor:
            seen["z"], seen["time"] = z, time
            return z

    x = torch.full((1, 256, 3, 16, 16), 0.6)
    image_error(Diffusion(Watch(), LinearSchedule(1), "image"), x, generator(0))
    alpha, sigma = split(LOW + (HIGH - LOW) * seen["time"], x)
    standard = (seen["z"] - alpha * 0.6) / sigma
    assert float(standard.mean()) == pytest.approx(0, abs=0.01)
    assert float(standard.std()) == pytest.approx(1, abs=0.01)
    # stratified: the times of a batch are evenly spread
    steps = seen["time"].sort().values.diff()
    torch.testing.assert_close(steps, torch.full_like(steps, 1 / 256), atol=1e-5, rtol=0)


def test_the_bound_is_the_one_of_direct_monte_carlo() -> None:
    x = data(512).clamp(-1, 1)
    model = exact("noise")
    found = float(variational_bound(model, x, generator(1)))
    wide = x.double()[0]
    draws = generator(2)
    # prior: KL from q(z_1 | x) to the standard normal
    a1, s1 = (math.sqrt(float(torch.tensor(v).double().sigmoid())) for v in (-HIGH, HIGH))
    total = float(kl_divergence(Normal(a1 * wide, s1), Normal(0, 1)).mean())
    # reconstruction: log N(x; z_0 / alpha_0, exp(LOW)) of a drawn z_0
    drawn = wide + math.exp(LOW / 2) * torch.randn(wide.shape, generator=draws).double()
    total -= float(Normal(drawn, math.exp(LOW / 2)).log_prob(wide).mean())
    # diffusion: 1/2 integral of gamma' |eps - eps'|^2, by 60 midpoints
    terms = []
    for time in (np.arange(60) + 0.5) / 60:
        alpha, sigma = split(torch.full((1, 1), LOW + (HIGH - LOW) * time), x)
        noise = torch.randn(x.shape, generator=draws)
        guess = model(alpha * x + sigma * noise, torch.full((1, 1), time))
        terms.append(float((guess - noise).square().mean()))
    total += (HIGH - LOW) / 2 * float(np.mean(terms))
    assert found == pytest.approx(total / math.log(2), abs=0.02)


def test_the_bound_of_the_exact_denoiser_is_the_entropy_and_no_other_reaches_it() -> None:
    x = data(2048)
    best = float(variational_bound(exact("noise"), x, generator(1)))
    entropy = math.log2(SPREAD * math.sqrt(2 * math.pi * math.e))
    # the reconstruction knows nothing of the data, which costs half of log2(1 + e^LOW / spread^2)
    slack = math.log2(1 + math.exp(LOW) / SPREAD**2) / 2
    assert best == pytest.approx(entropy + slack, abs=0.02)
    for worse in (exact("noise", std=0.5), exact("noise", mean=0.4)):
        assert float(variational_bound(worse, x, generator(1))) > best + 0.1


def test_the_weighted_error_is_capped() -> None:
    x = torch.zeros(1, 4096, 3, 4, 4)
    model = Diffusion(Constant(torch.ones(())), LinearSchedule(1), "image")  # an error of 1
    gamma = LOW + (HIGH - LOW) * np.linspace(0, 1, 100_001)
    for cap in (5.0, 0.1):
        expected = np.minimum(np.exp(-gamma), cap).mean()
        found = float(image_error(model, x, generator(0), cap=cap))
        assert found == pytest.approx(expected, rel=1e-3)


def test_members_have_losses_of_their_own() -> None:
    x = torch.rand(1, 8, 3, 4, 4, generator=generator(0)).expand(2, 8, 3, 4, 4)
    answers = Constant(torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])[:, None])
    model = Diffusion(answers, LinearSchedule(2), "image")
    first, second = image_error(model, 2 * x - 1, generator(0))
    assert float(second) > float(first)


@pytest.mark.parametrize("loss", [variational_bound, image_error])
def test_with_generators_of_its_own_a_member_does_not_depend_on_its_neighbours(
    loss: Callable[..., Tensor],
) -> None:
    x = data(16).expand(3, 16, 3, 8, 8)
    schedule = LearnedLinearSchedule(3)
    model = Diffusion(GaussianDenoiser(schedule, "noise", 0.3, 0.5), schedule)
    three = loss(model, x, [generator(seed) for seed in (4, 5, 6)])
    assert len(set(three.tolist())) == 3
    for m, seed in enumerate((4, 5, 6)):
        schedule = LearnedLinearSchedule(1)
        alone = Diffusion(GaussianDenoiser(schedule, "noise", 0.3, 0.5), schedule)
        assert torch.equal(loss(alone, x[m : m + 1], [generator(seed)]), three[m : m + 1])


def test_an_ordinary_network_learns_the_exact_denoiser() -> None:
    """A line for every one of 8 noise levels has a bound near that of the closed form."""
    levels = 8
    weight, shift = (nn.Parameter(torch.zeros(levels)) for _ in range(2))

    def net(z: Tensor, time: Tensor) -> Tensor:
        level = (time * levels).long().clamp(max=levels - 1)
        return weight[level, None] * z + shift[level, None]

    model = Diffusion(Single(net), LinearSchedule(1, -2.0, 2.0))
    optimizer = torch.optim.Adam([weight, shift], lr=0.05)
    draws = generator(0)
    for _ in range(150):
        optimizer.zero_grad()
        variational_bound(model, data(512, (1,)), draws).sum().backward()
        optimizer.step()
    x = data(20_000, (1,))
    with torch.no_grad():
        learned = variational_bound(model, x, generator(1)).item()
    best = exact("noise", LinearSchedule(1, -2.0, 2.0))
    assert learned == pytest.approx(variational_bound(best, x, generator(1)).item(), abs=0.02)


def test_wrong_arguments_are_named() -> None:
    model, x = exact("noise"), data(2)
    with pytest.raises(ValueError, match=r"data_noise must be positive \(got 0.0\)"):
        variational_bound(model, x, generator(0), data_noise=0.0)
    with pytest.raises(ValueError, match=r"cap must be positive \(got -1.0\)"):
        image_error(model, x, generator(0), cap=-1.0)
    with pytest.raises(ValueError, match=r"generators must be one per member, 1 \(got 2\)"):
        image_error(model, x, [generator(0), generator(1)])

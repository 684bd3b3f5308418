"""The samplers on normal data: both are linear in their noise, so mean and variance are exact."""

import math
from itertools import pairwise

import pytest
import torch
from gaussian_denoiser import Constant, GaussianDenoiser, generator
from torch import Tensor

from synthcore.diffusion import (
    Diffusion,
    LearnedLinearSchedule,
    LinearSchedule,
    Predicts,
    Schedule,
    ancestral,
    ddim,
    samplers,
)
from synthcore.diffusion.samplers import Last, posterior

LOW, HIGH = -5.0, 10.0
MEAN, SPREAD = 0.1, 0.2


def exact(predicts: Predicts = "noise", schedule: Schedule | None = None) -> Diffusion:
    schedule = schedule or LinearSchedule(1).double()
    return Diffusion(GaussianDenoiser(schedule, predicts, MEAN, SPREAD), schedule, predicts)


def levels(steps: int) -> list[tuple[float, float]]:
    """alpha and sigma from t = 1 down to t = 0, written out."""
    gammas = [HIGH + (LOW - HIGH) * k / steps for k in range(steps + 1)]
    return [(math.sqrt(1 / (1 + math.exp(g))), math.sqrt(1 / (1 + math.exp(-g)))) for g in gammas]


def variance(level: tuple[float, float]) -> float:
    """Of z at a level."""
    return level[0] ** 2 * SPREAD**2 + level[1] ** 2


def guess(mean: float, level: tuple[float, float]) -> tuple[float, float]:
    """Slope and value of E[x | z] at z = mean."""
    slope = level[0] * SPREAD**2 / variance(level)
    return slope, MEAN + slope * (mean - level[0] * MEAN)


def ancestral_moments(steps: int, last: Last) -> tuple[float, float]:
    """By recursion: each step conditions N(alpha_s x, sigma_s^2) on what z_t says of it."""
    mean, spread = 0.0, 1.0
    chain = levels(steps)
    for now, then in pairwise(chain):
        slope, image = guess(mean, now)
        if last == "image" and then == chain[-1]:
            return image, slope**2 * spread
        ratio = now[0] / then[0]
        gain = ratio * then[1] ** 2 / now[1] ** 2
        mean = then[0] * image + gain * (mean - now[0] * image)
        slope = gain + (then[0] - gain * now[0]) * slope
        spread = slope**2 * spread + then[1] ** 2 * (1 - gain * ratio)
    return mean, spread


def measured_moments(
    model: Diffusion, steps: int, last: Last, monkeypatch: pytest.MonkeyPatch
) -> tuple[float, float]:
    """Of the sampler itself, without sampling: example 0 gets no noise, every other one a unit of
    noise in one place only. All are linear, so squared differences add up to the variance."""
    basis = torch.eye(steps + 2, dtype=torch.float64)[None, ..., None]
    later = iter(basis[:, :, k] for k in range(2, steps + 2))
    monkeypatch.setattr(samplers, "normal", lambda *_: next(later))
    drawn = ancestral(model, basis[:, :, 1], steps, generator(0), last=last)[0, :, 0]
    return drawn[0].item(), (drawn[1:] - drawn[0]).square().sum().item()


@pytest.mark.parametrize("predicts", ["noise", "image", "v"])
@pytest.mark.parametrize("last", ["image", "latent"])
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_ancestral_samples_have_mean_and_variance_of_the_recursion(
    predicts: Predicts, last: Last, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = measured_moments(exact(predicts), steps, last, monkeypatch)
    assert found == pytest.approx(ancestral_moments(steps, last), rel=1e-9)


def test_ancestral_samples_come_to_the_noisy_data_as_one_over_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = variance(levels(1)[-1])
    errors = []
    for steps in (100, 200, 400):
        _, found = measured_moments(exact(), steps, "latent", monkeypatch)
        errors.append(found / target - 1)
    assert abs(errors[-1]) < 0.03
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("predicts", ["noise", "image", "v"])
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_ddim_scales_by_the_product_of_its_steps(predicts: Predicts, steps: int) -> None:
    """What is kept of z - alpha mean in a step is (alpha alpha' s^2 + sigma sigma') / variance."""
    scale = 1.0
    for now, then in pairwise(levels(steps)):
        scale *= (now[0] * then[0] * SPREAD**2 + now[1] * then[1]) / variance(now)
    noise = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)[None, :, None]
    drawn = ddim(exact(predicts), noise, steps, last="latent")
    first, final = levels(steps)[0], levels(steps)[-1]
    torch.testing.assert_close(drawn, final[0] * MEAN + scale * (noise - first[0] * MEAN))


def test_ddim_comes_to_the_flow_that_scales_by_standard_deviations() -> None:
    noise = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64)[None, :, None]
    first, final = levels(1)
    scale = math.sqrt(variance(final) / variance(first))
    flow = final[0] * MEAN + scale * (noise - first[0] * MEAN)
    errors = [
        float((ddim(exact(), noise, steps, last="latent") - flow).abs().max())
        for steps in (100, 200, 400)
    ]
    assert errors[-1] < 0.01
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


def test_the_posterior_is_bayes_rule() -> None:
    """x fixed: z_s = a_s x + s_s e, and z_t = (a_t / a_s) z_s + fresh noise; condition on z_t."""
    x, z_t = torch.randn(2, 1, 9, 4, generator=generator(0), dtype=torch.float64)
    now, then = (torch.tensor([[g]], dtype=torch.float64) for g in (1.3, -2.1))
    (a_t, s_t), (a_s, s_s) = (
        (math.sqrt(1 / (1 + math.exp(g))), math.sqrt(1 / (1 + math.exp(-g)))) for g in (1.3, -2.1)
    )
    gain = a_t / a_s * s_s**2 / s_t**2
    mean, std = posterior(z_t, x, now, then)
    torch.testing.assert_close(mean, a_s * x + gain * (z_t - a_t * x))
    assert std.item() ** 2 == pytest.approx(s_s**2 - gain * a_t / a_s * s_s**2)


@pytest.mark.parametrize("stochastic", [False, True])
def test_samples_of_the_exact_denoiser_have_the_moments_of_the_data(stochastic: bool) -> None:
    model, noise = (
        exact(schedule=LinearSchedule(1)),
        torch.randn(1, 200, 96, generator=generator(0)),
    )
    drawn = ancestral(model, noise, 200, generator(1)) if stochastic else ddim(model, noise, 200)
    # the last step takes the predicted image, whose spread is smaller than that of the data
    expected = SPREAD**2 / math.sqrt(SPREAD**2 + math.exp(LOW))
    assert float(drawn.mean()) == pytest.approx(MEAN, abs=0.01)
    assert float(drawn.std()) == pytest.approx(expected, rel=0.04)


def test_one_image_is_all_that_its_denoiser_draws() -> None:
    image = torch.rand(3, 8, 8, generator=generator(1))
    model = Diffusion(Constant(image), LinearSchedule(1), "image")
    noise = torch.randn(1, 5, 3, 8, 8, generator=generator(0))
    expected = image.expand(1, 5, 3, 8, 8)
    assert torch.equal(ddim(model, noise, 7), expected)
    assert torch.equal(ancestral(model, noise, 7, generator(0)), expected)
    spread = math.sqrt(1 / (1 + math.exp(-LOW)))  # and the latent has the noise of t = 0 on it
    latent = ancestral(model, noise, 7, generator(0), last="latent")
    assert float((latent - math.sqrt(1 - spread**2) * image).std()) == pytest.approx(
        spread, rel=0.1
    )


def test_with_generators_of_its_own_a_member_does_not_depend_on_its_neighbours() -> None:
    seeds = (4, 5, 4)
    noise = torch.randn(1, 6, 2, generator=generator(0)).expand(3, 6, 2)
    three = ancestral(
        exact(schedule=LearnedLinearSchedule(3)), noise, 5, [generator(seed) for seed in seeds]
    )
    assert torch.equal(three[0], three[2])
    assert not torch.equal(three[0], three[1])
    for m, seed in enumerate(seeds):
        one = exact(schedule=LearnedLinearSchedule(1))
        assert torch.equal(ancestral(one, noise[:1], 5, [generator(seed)])[0], three[m])


def test_a_condition_holds_for_its_run_of_examples() -> None:
    class Told(torch.nn.Module):
        def forward(self, z: Tensor, time: Tensor, condition: Tensor) -> Tensor:
            return condition.repeat_interleave(z.shape[1] // condition.shape[1], 1).expand(z.shape)

    model = Diffusion(Told(), LinearSchedule(1), "image")
    condition = torch.tensor([[[-1.0], [0.0], [1.0]]])
    noise = torch.randn(1, 6, 4, generator=generator(0))
    for drawn in (
        ddim(model, noise, 3, condition),
        ancestral(model, noise, 3, generator(0), condition),
    ):
        assert drawn.mean(-1)[0].tolist() == [-1, -1, 0, 0, 1, 1]


def test_wrong_arguments_are_named() -> None:
    noise = torch.zeros(1, 2, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"steps must be at least 1 \(got 0\)"):
        ddim(exact(), noise, 0)
    with pytest.raises(ValueError, match=r"generators must be one per member, 1 \(got 2\)"):
        ancestral(exact(), noise, 2, [generator(0), generator(1)])

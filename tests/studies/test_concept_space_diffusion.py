"""Schedule, losses and samplers on Gaussian data and single images, where all is known exactly."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from synthcore.studies.concept_space.diffusion import (
    HIGH,
    LOW,
    Diffusion,
    generate,
    seeded,
    split,
    starting_noise,
)

MEAN, SPREAD = 0.1, 0.2
SHAPE = (1, 1, 3, 8, 8)


class Exact(nn.Module):
    """The best denoiser of pixels that are independent N(mean, spread^2), in closed form."""

    def __init__(self, predicts: str, mean: float = MEAN, spread: float = SPREAD) -> None:
        super().__init__()
        self.predicts, self.mean, self.spread = predicts, mean, spread

    def forward(self, z: Tensor, time: Tensor, prompt: Tensor) -> Tensor:
        alpha, sigma = split(LOW + (HIGH - LOW) * time)
        variance = alpha**2 * self.spread**2 + sigma**2
        image = self.mean + alpha * self.spread**2 / variance * (z - alpha * self.mean)
        return image if self.predicts == "image" else (z - alpha * image) / sigma


class Constant(nn.Module):
    """Predicts one image whatever it sees."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image

    def forward(self, z: Tensor, time: Tensor, prompt: Tensor) -> Tensor:
        return self.image.expand(z.shape)


def prompts(count: int = 1) -> Tensor:
    return torch.zeros(1, count, 11)


def test_variance_is_preserved_and_the_schedule_linear() -> None:
    model = Diffusion(Exact("image"), 2, "image")
    time = torch.linspace(0, 1, 11).expand(2, 11)
    gamma = model.gamma(time)
    alpha, sigma = split(gamma)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(alpha))
    torch.testing.assert_close(gamma, LOW + (HIGH - LOW) * time)
    torch.testing.assert_close(2 * (sigma.log() - alpha.log()).squeeze(), gamma, atol=1e-4, rtol=0)


def test_what_a_network_is_asked_has_the_moments_of_the_forward_process() -> None:
    seen = {}

    class Watch(nn.Module):
        def forward(self, z: Tensor, time: Tensor, prompt: Tensor) -> Tensor:
            seen["z"], seen["time"] = z, time
            return z

    images = torch.full((1, 256, 3, 16, 16), 0.8)
    Diffusion(Watch(), 1, "image").loss(images, prompts(256), seeded(0, 1))
    alpha, sigma = split(LOW + (HIGH - LOW) * seen["time"])
    standard = (seen["z"] - alpha * 0.6) / sigma
    assert float(standard.mean()) == pytest.approx(0, abs=0.01)
    assert float(standard.std()) == pytest.approx(1, abs=0.01)
    # antithetic: the times of a batch are evenly spread
    steps = seen["time"].sort().values.diff()
    torch.testing.assert_close(steps, torch.full_like(steps, 1 / 256), atol=1e-5, rtol=0)


def test_the_bound_is_the_one_of_direct_monte_carlo() -> None:
    generator = torch.Generator().manual_seed(0)
    images = (0.5 + (MEAN + SPREAD * torch.randn(1, 512, 3, 8, 8, generator=generator)) / 2).clamp(
        0, 1
    )
    model = Diffusion(Exact("noise"), 1, "noise")
    found = float(model.loss(images, prompts(512), seeded(0, 1)))
    x = (2 * images - 1).double()[0]
    # prior: KL from q(z_1 | x) to the standard normal
    a1, s1 = (math.sqrt(float(torch.tensor(v).double().sigmoid())) for v in (-HIGH, HIGH))
    total = float(kl_divergence(Normal(a1 * x, s1), Normal(0, 1)).mean())
    # reconstruction: log N(x; z_0 / alpha_0, exp(LOW)) of a drawn z_0
    noise = torch.randn(x.shape, generator=generator).double()
    drawn = x + math.exp(LOW / 2) * noise
    total -= float(Normal(drawn, math.exp(LOW / 2)).log_prob(x).mean())
    # diffusion: 1/2 integral of gamma' |eps - eps'|^2, by 60 midpoints
    terms = []
    for time in (np.arange(60) + 0.5) / 60:
        alpha, sigma = split(torch.full((1, 1), LOW + (HIGH - LOW) * time))
        noise = torch.randn(1, *x.shape, generator=generator)
        z = alpha * x.float() + sigma * noise
        guess = model.net(z, torch.full((1, 1), time), prompts())
        terms.append(float((guess - noise).square().mean()))
    total += (HIGH - LOW) / 2 * float(np.mean(terms))
    assert found == pytest.approx(total / math.log(2), abs=0.02)


def test_the_bound_of_the_exact_denoiser_is_the_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    images = 0.5 + (MEAN + SPREAD * torch.randn(1, 2048, 3, 8, 8, generator=generator)) / 2
    exact = Diffusion(Exact("noise"), 1, "noise").loss(images, prompts(2048), seeded(0, 1))
    entropy = math.log2(SPREAD * math.sqrt(2 * math.pi * math.e))
    # the reconstruction knows nothing of the data, which costs half of log2(1 + e^LOW / spread^2)
    slack = math.log2(1 + math.exp(LOW) / SPREAD**2) / 2
    assert float(exact) == pytest.approx(entropy + slack, abs=0.02)
    worse = Diffusion(Exact("noise", spread=0.5), 1, "noise")
    assert float(worse.loss(images, prompts(2048), seeded(0, 1))) > float(exact) + 0.1


def test_the_weighted_error_is_capped() -> None:
    images = torch.full((1, 4096, 3, 4, 4), 0.5)
    wrong = Constant(torch.ones(()))  # an error of 1 everywhere
    gamma = LOW + (HIGH - LOW) * np.linspace(0, 1, 100_001)
    for cap in (5.0, 0.1):
        model = Diffusion(wrong, 1, "image", weight_cap=cap)
        expected = np.minimum(np.exp(-gamma), cap).mean()
        found = float(model.loss(images, prompts(4096), seeded(0, 1)))
        assert found == pytest.approx(expected, rel=1e-3)


def test_members_have_losses_of_their_own() -> None:
    images = torch.rand(2, 8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    both = torch.stack([images[0], images[0]])
    answers = Constant(torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])[:, None])
    first, second = Diffusion(answers, 2, "image").loss(both, torch.zeros(2, 8, 11), seeded(0, 1))
    assert float(second) > float(first)


def test_one_image_is_all_that_its_denoiser_draws() -> None:
    image = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1))
    model = Diffusion(Constant(2 * image - 1), 1, "image")
    noise = starting_noise([0], 5, 8, torch.device("cpu"))
    for ancestral in (None, seeded(0, 1)):
        drawn = generate(model, prompts(2), noise, 7, ancestral)
        assert drawn.shape == (1, 2, 5, 3, 8, 8)
        torch.testing.assert_close(drawn, image.expand(1, 2, 5, 3, 8, 8))


@pytest.mark.parametrize("predicts", ["image", "noise"])
@pytest.mark.parametrize("ancestral", [False, True])
def test_samples_of_the_exact_denoiser_have_the_moments_of_the_data(
    predicts: str, ancestral: bool
) -> None:
    model = Diffusion(Exact(predicts), 1, predicts)
    noise = starting_noise([0], 300, 8, torch.device("cpu"))
    drawn = 2 * generate(model, prompts(), noise, 200, seeded(0, 1) if ancestral else None) - 1
    # the last step takes the predicted image, whose spread is smaller than that of the data
    left = SPREAD**2 / (SPREAD**2 + math.exp(LOW))
    expected = SPREAD * math.sqrt(left)
    assert float(drawn.mean()) == pytest.approx(MEAN, abs=0.01)
    assert float(drawn.std()) == pytest.approx(expected, rel=0.04)


def test_an_ancestral_step_is_drawn_from_the_exact_posterior() -> None:
    """Two steps: the first guesses a fixed image x, the second shows where the first has led."""
    scale = 0.1

    class Show(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0

        def forward(self, z: Tensor, time: Tensor, prompt: Tensor) -> Tensor:
            self.calls += 1
            return torch.full_like(z, 0.7) if self.calls == 1 else scale * z

    start = torch.full((1, 2000, 3, 8, 8), 0.4)
    drawn = generate(Diffusion(Show(), 1, "image"), prompts(), start, 2, seeded(0, 1))
    middle = (2 * drawn - 1) / scale
    # x fixed: z_s = a_s x + s_s e, and z_t = (a_t / a_s) z_s + fresh noise; condition on z_t
    (a_s, s_s), (a_t, s_t) = (
        (math.sqrt(1 / (1 + math.exp(g))), math.sqrt(1 / (1 + math.exp(-g))))
        for g in ((LOW + HIGH) / 2, HIGH)
    )
    gain = a_t / a_s * s_s**2 / s_t**2
    mean = a_s * 0.7 + gain * (0.4 - a_t * 0.7)
    variance = s_s**2 - gain * a_t / a_s * s_s**2
    assert float(middle.mean()) == pytest.approx(mean, abs=0.01)
    assert float(middle.var()) == pytest.approx(variance, rel=0.02)


def test_prompts_of_one_call_do_not_touch_each_other() -> None:
    class Told(nn.Module):
        def forward(self, z: Tensor, time: Tensor, prompt: Tensor) -> Tensor:
            each = prompt[..., 0].repeat_interleave(z.shape[1] // prompt.shape[1], 1)
            return each[..., None, None, None].expand(z.shape)

    asked = prompts(3)
    asked[0, :, 0] = torch.tensor([-1.0, 0.0, 1.0])
    drawn = generate(Diffusion(Told(), 1, "image"), asked, torch.zeros(1, 2, 3, 4, 4), 3)
    assert drawn.mean((2, 3, 4, 5))[0].tolist() == [0.0, 0.5, 1.0]


def test_members_of_one_seed_start_from_the_same_noise() -> None:
    noise = starting_noise([3, 4, 3], 2, 4, torch.device("cpu"))
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise[1])
    drawn = [torch.rand(3, generator=seeded(1, purpose)).tolist() for purpose in range(6)]
    assert len({tuple(row) for row in drawn}) == 6

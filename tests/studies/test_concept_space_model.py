"""What the study puts around `synthcore.diffusion`: scale, loss, noise and prompts."""

import pytest
import torch
from gaussian_denoiser import Constant
from torch import Tensor, nn

from synthcore.diffusion import image_error, variational_bound
from synthcore.studies.concept_space.model import (
    denoiser,
    denoising_loss,
    generate,
    seeded,
    starting_noise,
)

PROMPTS = torch.zeros(1, 3, 11)


def test_images_are_scaled_and_learned_by_the_loss_of_what_is_predicted() -> None:
    images = torch.rand(1, 6, 3, 4, 4, generator=seeded(0, 1))
    prompts = torch.zeros(1, 6, 11)
    answer = Constant(torch.full((), 0.3))
    found = denoising_loss(denoiser(answer, 1, "image"), images, prompts, seeded(0, 2), 0.1)
    model = denoiser(answer, 1, "image")
    assert torch.equal(found, image_error(model, 2 * images - 1, seeded(0, 2), prompts, 0.1))
    model = denoiser(answer, 1, "noise")
    found = denoising_loss(model, images, prompts, seeded(0, 2), 0.1)
    assert torch.equal(found, variational_bound(model, 2 * images - 1, seeded(0, 2), prompts))


def test_what_is_drawn_lies_within_zero_and_one() -> None:
    model = denoiser(Constant(torch.tensor([-3.0, 0.0, 3.0]).view(3, 1, 1)), 1, "image")
    drawn = generate(model, PROMPTS, starting_noise([0], 2, 4, torch.device("cpu")), 3)
    assert drawn.shape == (1, 3, 2, 3, 4, 4)
    assert drawn.mean((0, 1, 2, 4, 5)).tolist() == [0, 0.5, 1]


def test_prompts_of_one_call_do_not_touch_each_other() -> None:
    class Told(nn.Module):
        def forward(self, z: Tensor, time: Tensor, prompt: Tensor) -> Tensor:
            each = prompt[..., 0].repeat_interleave(z.shape[1] // prompt.shape[1], 1)
            return each[..., None, None, None].expand(z.shape)

    asked = PROMPTS.clone()
    asked[0, :, 0] = torch.tensor([-1.0, 0.0, 1.0])
    drawn = generate(denoiser(Told(), 1, "image"), asked, torch.zeros(1, 2, 3, 4, 4), 3)
    assert drawn.mean((2, 3, 4, 5))[0].tolist() == [0.0, 0.5, 1.0]


def test_every_prompt_starts_from_the_same_noise() -> None:
    class Same(nn.Module):
        def forward(self, z: Tensor, time: Tensor, prompt: Tensor) -> Tensor:
            return z

    noise = starting_noise([0], 2, 4, torch.device("cpu"))
    drawn = generate(denoiser(Same(), 1, "image"), PROMPTS, noise, 1)
    for p in range(3):
        torch.testing.assert_close(drawn[0, p], (noise[0].clamp(-1, 1) + 1) / 2)


@pytest.mark.parametrize("learned", [False, True])
def test_the_schedule_is_that_of_the_release(learned: bool) -> None:
    model = denoiser(Constant(torch.ones(())), 2, "noise", learned)
    assert [end.tolist() for end in model.schedule.ends] == [[-5, -5], [10, 10]]
    assert all(p.requires_grad == learned for p in model.schedule.parameters())


def test_members_of_one_seed_start_from_the_same_noise() -> None:
    noise = starting_noise([3, 4, 3], 2, 4, torch.device("cpu"))
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise[1])
    drawn = [torch.rand(3, generator=seeded(1, purpose)).tolist() for purpose in range(6)]
    assert len({tuple(row) for row in drawn}) == 6

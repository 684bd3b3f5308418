"""A denoiser that is known: of numbers that are independent and normal."""

import torch
from torch import Tensor, nn

from synthcore.diffusion import Predicts, Schedule, split, to_noise, to_v


class GaussianDenoiser(nn.Module):
    """The best denoiser of N(mean, std^2) under a schedule: linear in z, in closed form."""

    def __init__(self, schedule: Schedule, predicts: Predicts, mean: float, std: float) -> None:
        super().__init__()
        self.schedule, self.predicts, self.mean, self.std = schedule, predicts, mean, std

    def forward(self, z: Tensor, time: Tensor, condition: Tensor | None = None) -> Tensor:
        alpha, sigma = split(self.schedule(time), z)
        variance = alpha**2 * self.std**2 + sigma**2
        image = self.mean + alpha * self.std**2 / variance * (z - alpha * self.mean)
        if self.predicts == "image":
            return image
        convert = to_noise if self.predicts == "noise" else to_v
        return convert(image, "image", z, alpha, sigma)


class Constant(nn.Module):
    """Predicts the same whatever it sees."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, z: Tensor, time: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.answer.expand(z.shape)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)

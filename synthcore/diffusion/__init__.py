"""Diffusion: noise schedules, losses and samplers, for populations of denoisers or a single one.

Numbers with mean 2 and standard deviation .5: their best denoiser is known, so nothing is learned
here, and noise becomes such numbers again. The bound on their code length is their entropy, 1.05
bits, and .02 for a decoder that knows nothing of them::

    >>> import torch
    >>> from synthcore.diffusion import Diffusion, LinearSchedule, ddim, split, variational_bound
    >>> mean, std = 2.0, 0.5
    >>> schedule = LinearSchedule(members=1)
    >>> def posterior_mean(z, time):  # E[x | z_t]; axes of z: member, example, and those of x
    ...     alpha, sigma = split(schedule(time), z)
    ...     gain = alpha * std**2 / (alpha**2 * std**2 + sigma**2)
    ...     return mean + gain * (z - alpha * mean)
    >>> model = Diffusion(posterior_mean, schedule, predicts="image")
    >>> noise = torch.randn(1, 20_000, 1, generator=torch.Generator().manual_seed(0))
    >>> drawn = ddim(model, noise, steps=200)
    >>> bits = variational_bound(model, drawn, torch.Generator().manual_seed(1)).item()
    >>> print(f"{drawn.mean():.1f} {drawn.std():.1f} {bits:.1f}")
    2.0 0.5 1.1

A network that learns comes in place of `posterior_mean`: a population of `nn.unet`, or an ordinary
one as `Single(network)`. Its loss is `variational_bound`, or `image_error`; `ancestral` draws with
fresh noise at every step.

`schedule` says how much noise there is when, `predictions` what a network may predict, `model`
joins network and schedule, `losses` train it, `samplers` draw, `draws` keeps the random numbers of
members apart. Sources: Ho et al. 2020 (2006.11239), Song et al. 2021 (2010.02502), Kingma et al.
2021 (2107.00630).
"""

from synthcore.diffusion.draws import Draws
from synthcore.diffusion.losses import image_error, variational_bound
from synthcore.diffusion.model import Diffusion, Single
from synthcore.diffusion.predictions import Predicts, to_image, to_noise, to_v
from synthcore.diffusion.samplers import ancestral, ddim
from synthcore.diffusion.schedule import LearnedLinearSchedule, LinearSchedule, Schedule, split

__all__ = [
    "Diffusion",
    "Draws",
    "LearnedLinearSchedule",
    "LinearSchedule",
    "Predicts",
    "Schedule",
    "Single",
    "ancestral",
    "ddim",
    "image_error",
    "split",
    "to_image",
    "to_noise",
    "to_v",
    "variational_bound",
]

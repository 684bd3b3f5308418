"""Does Adam applied to itself learn better? k-Adam by strategy, with and without normalisation."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from synthcore.nn.invariant import Norm, NormalisedMLP
from synthcore.studies.adam_continuous_time import images
from synthcore.studies.adam_continuous_time.networks import (
    PIXELS,
    Images,
    Progress,
    cross_entropy,
)
from synthcore.training.first_edition import fit
from synthcore.training.k_adam import KAdam
from synthcore.training.k_adam_stages import STRATEGIES, stage_betas

BETAS = (0.9, 0.999)
NORMS: tuple[Norm, ...] = ("none", "layer")


def compare(
    names: Sequence[images.Name],
    depths: Sequence[int],
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    *,
    width: int,
    batch: int,
    steps: int,
    textures: int,
    device: torch.device,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Loss and error after training for every image set, norm, k, strategy, rate and seed.

    One stage has no strategy: its numbers stand under all of them.
    """
    counts = (len(STRATEGIES), len(learning_rates), len(seeds))
    kinds = list(product(names, NORMS, depths))
    found = np.full((len(kinds), 3, *counts), np.nan)
    for i, (name, norm, k) in enumerate(kinds):
        strategies = STRATEGIES if k > 1 else STRATEGIES[:1]
        cells = list(product(strategies, learning_rates, seeds))
        chosen = [s for _, _, s in cells]
        data = Images(name, chosen, textures, device)
        widths = (PIXELS, width, images.CLASSES)
        model = NormalisedMLP(widths, chosen, norm=norm).to(device)
        rates = torch.tensor([rate for _, rate, _ in cells], device=device)
        stages = [stage_betas(k, *BETAS, strategy) for strategy, _, _ in cells]
        betas = [_pair(stages, stage, device) for stage in range(k)]
        optimizer = KAdam(model.parameters(), rates, k=k, betas=betas, weight_decay=0.01)
        fit(
            model,
            lambda _, data=data: data.batch(batch),  # type: ignore[misc]
            steps=steps,
            optimizer=optimizer,
            loss=cross_entropy,
        )
        found[i] = np.broadcast_to(
            _scores(model, data).reshape(3, len(strategies), *counts[1:]), found[i].shape
        )
        if progress is not None:
            progress(i + 1, len(kinds))
    whole = found.reshape(len(names), len(NORMS), len(depths), 3, *counts)
    cells_ = ("images", "k_norm", "k", "strategy", "k_learning_rate", "seed")
    return xr.Dataset(
        {
            "k_validation_loss": (cells_, whole[:, :, :, 0]),
            "k_test_loss": (cells_, whole[:, :, :, 1]),
            "k_test_error": (cells_, whole[:, :, :, 2]),
        },
        {
            "images": list(names),
            "k_norm": list(NORMS),
            "k": list(depths),
            "strategy": list(STRATEGIES),
            "k_learning_rate": list(learning_rates),
            "seed": list(seeds),
        },
    )


def _pair(
    stages: list[tuple[tuple[float, float], ...]], i: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """(beta_i, gamma_i) of every member."""
    both = torch.tensor([member[i] for member in stages], dtype=torch.float64, device=device)
    return both[:, 0], both[:, 1]


@torch.no_grad()
def _scores(model: nn.Module, data: Images) -> np.ndarray:
    """Validation loss, test loss (nats) and test error of every member: (3, M)."""
    x, y = test = data.part("test")
    wrong = (model(x).argmax(-1) != y).float().mean(1)
    rows = [cross_entropy(model, data.part("validation")), cross_entropy(model, test), wrong]
    scores: np.ndarray = torch.stack(rows).double().cpu().numpy()
    return scores

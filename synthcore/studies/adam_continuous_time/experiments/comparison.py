"""Optimisers and pairs (beta, gamma) compared: every seed tunes the learning rate by one rule, on
data and weights of its own draws, and is then run on others.

The rule: rates half a decade apart, the same at first for all; the best is the one with the lowest
mean validation loss over the tuning draws; while it is the lowest or the highest tried, the grid is
extended on that side. What is reported is the test loss of a run that had no part in tuning.

Axis letters: M member, P parameter tensor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn
from torch.optim import Optimizer

from synthcore.evidence.dataset import labelled
from synthcore.nn.invariant import Norm
from synthcore.stages import stage
from synthcore.studies.adam_continuous_time.config import IMAGES, TEXT, TUNING, Config
from synthcore.studies.adam_continuous_time.experiments.arenas import Arena, ImageArena, TextArena
from synthcore.studies.adam_continuous_time.measure import gamma_at_margin
from synthcore.studies.adam_continuous_time.task import ImageSet, Key
from synthcore.studies.adam_continuous_time.theory import bounds
from synthcore.training.each_member import EachMember, Groups
from synthcore.training.fit import fit
from synthcore.training.k_adam import KAdam
from synthcore.training.optimizers import is_matrix
from synthcore.training.progress import Progress

Build = Callable[[nn.Module, Tensor, Sequence[int]], Optimizer]
"""From the population, learning rates (M,) and the cell of every member to its optimiser."""
Enter = Callable[[Sequence[Key]], Arena]
"""Members of these keys, untrained, with their data."""

HALF_DECADE = 10**0.5
KEPT = 20  # points kept of a training loss
UNITS = {
    "test_loss": "nats",
    "training_loss": "nats",
    "validation_loss": "nats",
    "grid_test_loss": "nats",
    "grid_validation_loss": "nats",
}


@dataclass(frozen=True)
class Tuned:
    """`rate` and `test_loss` (C, S) of every cell and seed, `inside` whether the best rate was
    between others; `validation` (C, S, J) by place in the grid, NaN where not tried; `curve`
    (C, S, K), training loss of the run in K equal stretches; `state`, numbers kept per weight."""

    rate: np.ndarray
    test_loss: np.ndarray
    inside: np.ndarray
    validation: np.ndarray
    curve: np.ndarray
    state: float


def tuned(
    enter: Enter,
    build: Build,
    cells: int,
    steps: int,
    batch: int,
    config: Config,
    progress: Progress,
    name: str,
) -> Tuned:
    """Tune every cell and seed, then run it: one training per turn, the last of which counts."""
    seeds, draws, more = list(config.seeds), range(config.tuning_draws), config.extensions
    count = config.first_rates
    rates = config.lowest_rate * HALF_DECADE ** np.arange(-more, count + more)
    validation = np.full((cells, len(seeds), len(rates)), np.nan)
    todo = [(c, s, more + j) for c in range(cells) for s in range(len(seeds)) for j in range(count)]
    for turn in range(more + 2):
        last = turn > more or not todo
        if last:
            best = np.nanargmin(validation, -1)
            members = [
                (c, (seed, "run", 0), rates[best[c, s]])
                for c in range(cells)
                for s, seed in enumerate(seeds)
            ]
        else:
            members = [(c, (seeds[s], "tuning", d), rates[j]) for c, s, j in todo for d in draws]
        arena = enter([key for _, key, _ in members])
        device = next(arena.model.parameters()).device
        chosen = torch.tensor([rate for *_, rate in members], device=device)
        optimizer = build(arena.model, chosen, [cell for cell, *_ in members])
        history = fit(
            arena.model,
            lambda step, arena=arena: arena.sample(step, batch),  # type: ignore[misc]
            steps=steps,
            optimizer=optimizer,
            loss=arena.loss,
            progress=progress,
            name=f"{name}, run" if last else f"{name}, tuning {turn}",
        )
        if last:
            break
        losses = arena.evaluate("validation").double().cpu().numpy().reshape(len(todo), len(draws))
        for (c, s, j), loss in zip(todo, losses.mean(1), strict=True):
            validation[c, s, j] = loss
        todo = [
            (c, s, place)
            for c, s in np.ndindex(cells, len(seeds))
            if (place := _beyond(validation[c, s])) is not None
        ]
    inside = np.apply_along_axis(_is_inside, -1, validation)
    losses, ends = history.loss.double().cpu().numpy(), np.linspace(0, steps, KEPT + 1).astype(int)
    curve = [losses[min(a, steps - 1) : max(b, a + 1)].mean(0) for a, b in pairwise(ends)]
    state = optimizer.state_dict()["state"].values()
    numbers = sum(x.numel() for entry in state for x in entry.values() if x.ndim)
    shape = (cells, len(seeds))
    return Tuned(
        rates[best],
        arena.evaluate("test").double().cpu().numpy().reshape(shape),
        inside,
        validation,
        np.stack(curve, -1).reshape(*shape, -1),
        numbers / sum(p.numel() for p in arena.model.parameters()),
    )


def _beyond(validation: np.ndarray) -> int | None:
    """The place of the rate to try next; None if the best is between others or at an end."""
    tried, best = np.flatnonzero(np.isfinite(validation)), int(np.nanargmin(validation))
    if best == tried[0] > 0:
        return best - 1
    return best + 1 if best == tried[-1] < len(validation) - 1 else None


def _is_inside(validation: np.ndarray) -> bool:
    """Have a lower and a higher rate than the best been tried?"""
    tried = np.flatnonzero(np.isfinite(validation))
    return bool(tried[0] < np.nanargmin(validation) < tried[-1])


# --- the grid of (beta, gamma) --------------------------------------------------------------------


@stage(reads=(*TEXT, *TUNING, "grid_betas", "grid_margins", "text_steps"))
def grid(config: Config, progress: Progress) -> xr.Dataset:
    """Tuned test loss of transformers over beta and how far gamma is from the frontier.

    Every seed has a source, a text and weights of its own.
    """
    betas, margins = config.grid_betas, config.grid_margins
    pairs = [(beta, gamma_at_margin(margin, beta)) for beta in betas for margin in margins]
    device = config.torch_device

    def build(model: nn.Module, rates: Tensor, cells: Sequence[int]) -> Optimizer:
        chosen = torch.tensor([pairs[cell] for cell in cells], dtype=torch.float64, device=device)
        both = (chosen[:, 0], chosen[:, 1])
        return KAdam(model.parameters(), rates, k=1, betas=both, weight_decay=0.0)

    found = tuned(
        lambda keys: TextArena(config, keys, device),
        build,
        len(pairs),
        config.text_steps,
        config.text_batch,
        config,
        progress,
        "grid",
    )
    shape = (len(betas), len(margins))
    gamma = np.array([gamma for _, gamma in pairs]).reshape(shape)
    cell = ("beta", "margin", "seed")
    data = xr.Dataset(
        {
            "grid_test_loss": (cell, found.test_loss.reshape(*shape, -1)),
            "grid_rate": (cell, found.rate.reshape(*shape, -1)),
            "grid_inside": (cell, found.inside.reshape(*shape, -1)),
            "grid_validation_loss": (
                (*cell, "rate"),
                found.validation.reshape(*shape, *found.validation.shape[1:]),
            ),
        },
        {
            "beta": list(betas),
            "margin": list(margins),
            "gamma": (("beta", "margin"), gamma),
            "exponent": (("beta", "margin"), bounds.exponent(np.array(betas)[:, None], gamma)),
            "seed": list(config.seeds),
        },
    )
    return labelled(data, UNITS)


# --- the tournament -------------------------------------------------------------------------------


def _k_adam(k: int, decay: float = 0.0) -> Build:
    return lambda model, rates, _: KAdam(model.parameters(), rates, k=k, weight_decay=decay)


def _sgd(model: nn.Module, rates: Tensor, _: Sequence[int]) -> Optimizer:
    return EachMember(model, rates, lambda groups: [torch.optim.SGD(groups, momentum=0.9)])


def _muon(model: nn.Module, rates: Tensor, _: Sequence[int]) -> Optimizer:
    """Hidden matrices by Muon, all others by AdamW without decay, at the same rate."""
    matrices = {
        name
        for name, p in model.named_parameters()
        if name.startswith(("hidden", "blocks")) and is_matrix(p)
    }

    def make(groups: Groups) -> list[Optimizer]:
        chosen: list[Groups] = [[], []]
        for group in groups:
            named = list(zip(group["names"], group["params"], strict=True))
            for part in (0, 1):
                params = [p for name, p in named if (name in matrices) == (part == 0)]
                chosen[part].append({"params": params, "lr": group["lr"]})
        muon = torch.optim.Muon(chosen[0], weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
        return [muon, torch.optim.AdamW(chosen[1], weight_decay=0.0)]

    return EachMember(model, rates, make)


CONTESTANTS: dict[str, Build] = {
    "Adam": _k_adam(1),
    "AdamW": _k_adam(1, 0.1),
    "2-Adam": _k_adam(2),
    "5-Adam": _k_adam(5),
    "SGD": _sgd,
    "Muon": _muon,
}
"""AdamW decays by 0.1; the others do not decay. Stages share Adam's total memory evenly. SGD has a
momentum of 0.9."""


def arenas(config: Config) -> list[tuple[str, str, Norm]]:
    """Name, data and norm; the transformer on texts has layer norms of its own."""
    found: list[tuple[str, str, Norm]] = []
    for name in config.arenas:
        if name == "text":
            found.append(("text", name, "layer"))
        else:
            norms: tuple[Norm, ...] = ("none", "layer")
            found += [(f"{name}, {norm} norm".replace("none", "no"), name, norm) for norm in norms]
    return found


@stage(reads=(*TEXT, *IMAGES, *TUNING, "arenas", "image_steps", "text_steps"))
def tournament(config: Config, progress: Progress) -> xr.Dataset:
    """Tuned test loss of every optimiser in every arena.

    A seed draws its texts or textures, which of the digits train, its weights and its batches.
    """
    found = {}
    names = arenas(config)
    for place, (arena, data, norm) in enumerate(names):
        for name, build in CONTESTANTS.items():
            text = data == "text"
            found[place, name] = tuned(
                lambda keys, data=data, norm=norm: _enter(config, keys, data, norm),  # type: ignore[misc]
                build,
                1,
                config.text_steps if text else config.image_steps,
                config.text_batch if text else config.image_batch,
                config,
                progress,
                f"{arena}, {name}",
            )

    def table(field: str) -> np.ndarray:
        rows = [[getattr(found[p, c], field) for c in CONTESTANTS] for p in range(len(names))]
        return np.stack([np.stack([value[0] for value in row]) for row in rows])

    cell = ("arena", "optimizer", "seed")
    state = [[found[p, c].state for c in CONTESTANTS] for p in range(len(names))]
    result = xr.Dataset(
        {
            "test_loss": (cell, table("test_loss")),
            "best_rate": (cell, table("rate")),
            "best_inside": (cell, table("inside")),
            "validation_loss": ((*cell, "rate"), table("validation")),
            "training_loss": ((*cell, "stretch"), table("curve").astype("float32")),
            "state": (("arena", "optimizer"), state),
        },
        {
            "arena": [name for name, *_ in names],
            "optimizer": list(CONTESTANTS),
            "seed": list(config.seeds),
            "rate": _all_rates(config),
        },
    )
    return labelled(result, UNITS)


def _all_rates(config: Config) -> np.ndarray:
    places = np.arange(-config.extensions, config.first_rates + config.extensions)
    return np.asarray(config.lowest_rate * HALF_DECADE**places)


def _enter(config: Config, keys: Sequence[Key], data: str, norm: Norm) -> Arena:
    if data == "text":
        return TextArena(config, keys, config.torch_device)
    name: ImageSet = "digits" if data == "digits" else "textures"
    return ImageArena(name, norm, keys, config.hidden, config.textures, device=config.torch_device)

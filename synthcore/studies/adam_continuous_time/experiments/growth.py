"""Do updates grow in real training? Perceptrons under four kinds of learning rate, and transformers
at points of the paper's curve; and does the flow follow a transformer?

Trained in float64, so that growth ends where the theory ends and not where floats do.

Axis letters: M member, N step, P parameter tensor, J sampled coordinates.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.adam_continuous_time.config import TEXT, Config
from synthcore.studies.adam_continuous_time.experiments.arenas import (
    ImageArena,
    Images,
    TextArena,
)
from synthcore.studies.adam_continuous_time.measure import LOST, UpdateMonitor, slope
from synthcore.studies.adam_continuous_time.theory import bounds, flow
from synthcore.training.fit import fit
from synthcore.training.k_adam import KAdam
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

POINTS = ((0.9, 0.999), (0.95, 0.8), (0.9, 0.5))  # the first is stable
REGIMES = ("full batch", "mini-batch", "2 % inputs")
KEPT_INPUTS = 0.02
WARM = "warm-up"
KEPT = 60  # steps kept of a path, for figures
WINDOW = (10, 100)  # steps between which a transformer's rate is fitted
SAMPLED, FOLLOWED = 500, 100  # coordinates, and steps, for which the flow is held against training
UNITS = {
    "growth_update": "learning rates",
    "growth_most": "learning rates",
    "language_update": "learning rates",
    "layer_update": "learning rates",
    "growth_loss": "nats",
    "growth_loss_rise": "nats",
    "growth_silence": "steps",
    "growth_elsewhere": "steps",
    "language_rate": "1/step",
    "bound_rate": "1/step",
    "growth_step": "updates",
    "language_step": "updates",
}


def conditions(config: Config) -> list[tuple[str, float, int]]:
    """Name, learning rate and warm-up of every condition."""
    plain = [(f"{rate:g}", rate, 0) for rate in config.growth_rates]
    last = config.growth_rates[-1]
    return [*plain, (f"{last:g}, {WARM}", last, config.growth_warmup)]


@stage(
    reads=("hidden", "image_batch", "growth_rates", "growth_warmup", "growth_steps", "epsilon"),
)
def images(config: Config, progress: Progress) -> xr.Dataset:
    """Largest update at every step, for how long its gradient has been gone, and the loss.

    A full batch is always the same images; with 2 % of the inputs the others are set to 0 in every
    image anew, so that most first-layer weights get no gradient from most images.
    """
    seeds, kinds, steps = list(config.seeds), conditions(config), config.growth_steps
    cells = [(p, r, c, s) for p in POINTS for r in REGIMES for c in kinds for s in seeds]
    keys = [(seed, "growth", 0) for *_, seed in cells]
    device = config.torch_device
    arena = ImageArena("digits", "none", keys, config.hidden, 0, device=device)
    arena.model.double()
    beta, gamma, rates, warm = (
        torch.tensor(values, dtype=torch.float64, device=device)
        for values in (
            [p[0] for p, *_ in cells],
            [p[1] for p, *_ in cells],
            [c[1] for _, _, c, _ in cells],
            [float(c[2]) for _, _, c, _ in cells],
        )
    )
    sparse = torch.tensor([r == "2 % inputs" for _, r, *_ in cells])[:, None, None].to(device)
    full = torch.tensor([r == "full batch" for _, r, *_ in cells])[:, None].to(device)
    whole = arena.whole(config.image_batch)

    def sample(step: int) -> Images:
        x, y = arena.sample(step, config.image_batch)
        kept = _kept(seeds, step, tuple(x.shape[1:])).to(device)[arena.row]
        x = torch.where(full[..., None], whole[0], x * (kept | ~sparse))
        return x.double(), torch.where(full, whole[1], y)

    optimizer = KAdam(
        arena.model.parameters(),
        rates,
        k=1,
        betas=(beta, gamma),
        eps=config.epsilon,
        weight_decay=0.0,
    )
    monitor = UpdateMonitor(arena.model, optimizer, beta, gamma)
    history = fit(
        arena.model,
        sample,
        steps=steps,
        optimizer=optimizer,
        schedule=lambda step: ((step + 1) / warm.clamp(min=1)).clamp(max=1),
        checkpoints=range(1, steps + 1),
        on_checkpoint=lambda step, _: monitor.look(step),
        loss=arena.loss,
        progress=progress,
        name="growth",
    )
    shape = (len(POINTS), len(REGIMES), len(kinds), len(seeds), steps)

    def table(name: str) -> np.ndarray:
        return np.stack([history.measured[n][name] for n in range(1, steps + 1)], -1)

    loss = history.loss.double().cpu().numpy().T.reshape(shape)
    lost = np.maximum.accumulate(loss, -1) >= LOST
    largest = table("largest").max(0).reshape(shape)
    largest = np.where(lost, np.nan, largest)  # after a loss is lost nothing is learned from it
    n = np.arange(1, steps + 1)
    points = np.array(POINTS)
    bound = bounds.exact_bound(points[:, :1], points[:, 1:], n)[:, None, None, None]
    top = np.nanargmax(largest, -1)[..., None]
    shown = np.unique(np.geomspace(1, steps, KEPT).round().astype(int)) - 1
    ends = loss[..., -max(1, steps // 10) :].mean(-1)
    cell = ("growth_point", "regime", "condition", "seed")

    def at_top(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.take_along_axis(values.reshape(shape), top, -1)[..., 0])

    data = xr.Dataset(
        {
            "growth_update": ((*cell, "growth_step"), largest[..., shown].astype("float32")),
            "growth_loss": ((*cell, "growth_step"), loss[..., shown].astype("float32")),
            "growth_most": (cell, at_top(largest)),
            "growth_silence": (cell, at_top(table("silence"))),
            "growth_elsewhere": (cell, at_top(table("elsewhere"))),
            "growth_bound_ratio": (cell, np.nanmax(largest / bound, -1)),
            "growth_loss_rise": (cell, ends - loss.min(-1)),
        },
        {
            "growth_point": np.arange(len(points)),
            "growth_beta": ("growth_point", points[:, 0]),
            "growth_gamma": ("growth_point", points[:, 1]),
            "regime": list(REGIMES),
            "condition": [name for name, *_ in kinds],
            "seed": seeds,
            "growth_step": n[shown],
        },
    )
    return labelled(data, UNITS)


def _kept(seeds: Sequence[int], step: int, shape: tuple[int, ...]) -> Tensor:
    """Which inputs are kept, (U, B, D); keys are in the order of seeds."""
    drawn = [torch.rand(shape, generator=seeded(seed, "inputs", step)) for seed in sorted(seeds)]
    return torch.stack(drawn) < KEPT_INPUTS


# --- transformers ---------------------------------------------------------------------------------


@stage(reads=(*TEXT, "curve_exponents", "watched_steps", "watched_rate", "epsilon"))
def transformers(config: Config, progress: Progress) -> xr.Dataset:
    """Largest update of transformers at points of the curve through (0.9, 0.999) that is normal to
    the level sets of C; its rate; and how far the flow is from the weights at the usual pair.
    """
    seeds, steps = list(config.seeds), config.watched_steps
    exponents = (*config.curve_exponents, float(bounds.exponent(0.9, 0.999)))
    beta, gamma = bounds.normal_curve(np.array(exponents))
    cells = [(c, s) for c in range(len(beta)) for s in seeds]
    device = config.torch_device
    arena = TextArena(config, [(s, "watched", 0) for _, s in cells], device)
    model = arena.model.double()
    pairs = [
        torch.tensor([values[c] for c, _ in cells], dtype=torch.float64, device=device)
        for values in (beta, gamma)
    ]
    optimizer = KAdam(
        model.parameters(),
        config.watched_rate,
        k=1,
        betas=(pairs[0], pairs[1]),
        eps=config.epsilon,
        weight_decay=0.0,
    )
    monitor = UpdateMonitor(model, optimizer, pairs[0], pairs[1])
    usual = len(exponents) - 1
    sampler = _Sampler(model, slice(usual * len(seeds), None))
    followed = min(FOLLOWED, steps - 1)

    def look(step: int, _: nn.Module) -> dict[str, np.ndarray]:
        rows = sampler.rows() if step <= followed + 1 else {}
        return rows | (monitor.look(step) if step else {})

    history = fit(
        model,
        lambda step: arena.sample(step, config.text_batch),
        steps=steps,
        optimizer=optimizer,
        checkpoints=range(steps + 1),
        on_checkpoint=look,
        loss=arena.loss,
        progress=progress,
        name="transformers",
    )
    n = np.arange(1, steps + 1)
    top = np.stack([history.measured[i]["largest"] for i in range(1, steps + 1)])  # (N, P, M)
    shape = (len(beta), len(seeds), steps)
    largest = top.max(1).T.reshape(shape)
    exact = bounds.log_exact_bound(beta[:, None], gamma[:, None], n)
    inside = (n >= min(WINDOW[0], steps // 3)) & (n <= WINDOW[1])
    shown = np.unique(np.r_[0 : min(30, steps), 30:steps:3, steps - 1])
    layers = [name for name, _ in model.named_parameters()]
    by_layer = top[shown].reshape(len(shown), len(layers), len(beta), len(seeds))
    data = xr.Dataset(
        {
            "language_update": (("curve", "seed", "language_step"), largest[..., shown]),
            "language_ratio": (("curve", "seed"), (largest / np.exp(exact)[:, None]).max(-1)),
            "language_rate": (
                ("curve", "seed"),
                slope(n[inside].astype(float), np.log(largest[..., inside])),
            ),
            "bound_rate": ("curve", slope(n[inside].astype(float), exact[:, inside])),
            "layer_update": (
                ("curve", "parameter", "language_step", "seed"),
                by_layer.transpose(2, 1, 0, 3).astype("float32"),
            ),
            **_follow(history.measured, followed, config.watched_rate),
        },
        {
            "curve": np.arange(len(beta)),
            "curve_exponent": ("curve", np.array(exponents)),
            "curve_beta": ("curve", beta),
            "curve_gamma": ("curve", gamma),
            "driven_by": list(DRIVEN),
            "seed": seeds,
            "language_step": n[shown],
            "parameter": layers,
        },
    )
    return labelled(data, UNITS)


class _Sampler:
    """Weights of some members at sampled coordinates, and the gradients that led there."""

    def __init__(self, model: nn.Module, members: slice) -> None:
        self.parameters, self.members = list(model.parameters()), members
        size = sum(p[0].numel() for p in self.parameters)
        self.chosen = torch.randperm(size, generator=seeded(0, "coordinates"))[:SAMPLED]

    @torch.no_grad()
    def rows(self) -> dict[str, np.ndarray]:
        weights = [p.detach() for p in self.parameters]
        found = {"weights": self._sample(weights)}
        if self.parameters[0].grad is not None:
            found["gradients"] = self._sample(
                [p.grad for p in self.parameters if p.grad is not None]
            )
        return found

    def _sample(self, tensors: list[Tensor]) -> np.ndarray:
        flat = torch.cat([t[self.members].flatten(1) for t in tensors], dim=1)
        return np.asarray(flat[:, self.chosen.to(flat.device)].cpu().numpy())


DRIVEN = ("first order", "second order", "second order, other order of gradients")


def _follow(measured: object, steps: int, eta: float) -> dict[str, object]:
    """Mean distance of the flow from the weights over the mean length of their path: of both
    equations, and of the second one driven by the same gradients from the last to the first."""
    assert isinstance(measured, dict)
    weights = np.stack([measured[n]["weights"] for n in range(steps + 1)])  # (N, S, J)
    gradients = np.stack([measured[n]["gradients"] for n in range(1, steps + 1)])
    adam = flow.AdamW(eta, 0.9, 0.999)
    travelled = np.abs(np.diff(weights, axis=0)).sum(0).mean(-1)  # (S,)
    drives: tuple[tuple[Literal[1, 2], np.ndarray], ...]
    drives = ((1, gradients), (2, gradients), (2, gradients[::-1]))
    paths = [
        flow.flow(adam, flow.recorded_gradient(drive), weights[0], steps, order)
        for order, drive in drives
    ]
    error = np.stack([np.abs(path - weights).mean(-1) / travelled for path in paths])
    few = slice(0, 4)
    shown = np.stack([weights[..., few], *(path[..., few] for path in paths[:2])])
    return {
        "flow_error": (("driven_by", "flow_step", "seed"), error),
        "flow_path": (("path", "flow_step", "seed", "coordinate"), shown.astype("float32")),
    }

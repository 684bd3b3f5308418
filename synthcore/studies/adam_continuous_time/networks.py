"""Multilayer perceptrons on images: updates under sparse gradients, angular steps of normalised
layers, and k-Adam.

Axis letters: M member, B batch, D inputs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn.invariant import Activation, Norm, NormalisedMLP
from synthcore.studies.adam_continuous_time import images, theory
from synthcore.studies.adam_continuous_time.language import finite
from synthcore.studies.adam_continuous_time.monitor import UpdateMonitor
from synthcore.training.first_edition import fit
from synthcore.training.k_adam import KAdam
from synthcore.training.rehearsal import repeated

Batch = tuple[Float[Tensor, "M B D"], Int[Tensor, "M B"]]
Progress = Callable[[int, int], None]
PIXELS = images.SIDE**2


def cross_entropy(model: nn.Module, batch: Batch) -> Float[Tensor, "M"]:
    """Mean cross-entropy in nats of every member."""
    x, y = batch
    logits = model(x)
    loss = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    return finite(loss.view(y.shape).mean(1))


class Images:
    """Batches for members with seeds of their own; members of one seed see the same images."""

    def __init__(
        self, name: images.Name, seeds: Sequence[int], textures: int, device: torch.device
    ) -> None:
        self.splits = {s: images.load(name, s, textures) for s in sorted(set(seeds))}
        self.seeds, self.device = list(seeds), device
        self.random = {s: torch.Generator().manual_seed(2000 + s) for s in self.splits}

    def batch(self, size: int) -> Batch:
        """Fresh draws from the training part."""
        rows = {
            s: split.train[torch.randint(len(split.train), (size,), generator=self.random[s])]
            for s, split in self.splits.items()
        }
        return self._take(rows)

    def part(self, which: str, size: int | None = None) -> Batch:
        """The first `size` images of `train`, `validation` or `test`."""
        return self._take({s: getattr(split, which)[:size] for s, split in self.splits.items()})

    def _take(self, rows: dict[int, Tensor]) -> Batch:
        x = {s: self.splits[s].images[row] for s, row in rows.items()}
        y = {s: self.splits[s].labels[row] for s, row in rows.items()}
        stacked = [torch.stack([part[s] for s in self.seeds]).to(self.device) for part in (x, y)]
        return stacked[0], stacked[1]


# ------------------------------------------------------------- growth of updates

GROWTH_POINTS = ((0.9, 0.999), (0.99, 0.9), (0.95, 0.8), (0.9, 0.5))
REGIMES = ("full batch", "mini-batch", "10 % inputs", "2 % inputs", "mini-batch, ReLU")
INPUTS = {"10 % inputs": 0.1, "2 % inputs": 0.02}  # share of the inputs that are kept
WINDOW = (5, 60)  # steps between which the growth rate is fitted


def growth(
    seeds: Sequence[int], width: int, batch: int, steps: int, device: torch.device
) -> xr.Dataset:
    """Largest update at every step under five kinds of gradients, at four points.

    A full batch is always the same images; with 10 or 2 % of the inputs the others are set to 0 in
    every image anew, so most first-layer weights get no gradient from most images. Units are
    smooth (GELU), except in the last regime: a dead ReLU unit has no gradient at all.
    """
    monitors = [
        _grow(REGIMES[:4], "gelu", seeds, width, batch, steps, device),
        _grow(REGIMES[4:], "relu", seeds, width, batch, steps, device),
    ]
    points = np.array(GROWTH_POINTS)

    def joined(values: list[Tensor]) -> np.ndarray:
        """(N, M) of every population as (point, regime, seed, N)."""
        shape = (len(points), -1, len(seeds), steps)
        whole = (repeated(v, steps).T.cpu().numpy() for v in values)
        return np.concatenate([v.reshape(shape) for v in whole], axis=1)

    largest = joined([monitor.largest.amax(1) for monitor in monitors])
    density = joined([monitor.density for monitor in monitors])
    n = np.arange(1, steps + 1)
    bound = theory.exact_bound(points[:, :1], points[:, 1:], n)[:, None, None]
    low, high = WINDOW[0] - 1, min(WINDOW[1], steps)
    logs = np.log(np.maximum(largest[..., low:high], 1e-300))
    rates = np.polyfit(n[low:high], logs.reshape(-1, high - low).T, 1)[0]
    shown = np.unique(np.geomspace(1, steps, 60).round().astype(int)) - 1
    cells = ("growth_point", "regime", "seed")
    return xr.Dataset(
        {
            "growth_update": ((*cells, "growth_step"), largest[..., shown]),
            "growth_density": (cells, density[..., -1]),
            "growth_rate": (cells, rates.reshape(largest.shape[:3])),
            "growth_most": (cells, largest.max(-1)),
            "growth_bound_ratio": (cells, (largest / bound).max(-1)),
        },
        {
            "growth_point": np.arange(len(points)),
            "growth_beta": ("growth_point", points[:, 0]),
            "growth_gamma": ("growth_point", points[:, 1]),
            "regime": list(REGIMES),
            "seed": list(seeds),
            "growth_step": n[shown],
        },
    )


def _grow(
    regimes: Sequence[str],
    activation: Activation,
    seeds: Sequence[int],
    width: int,
    batch: int,
    steps: int,
    device: torch.device,
) -> UpdateMonitor:
    """Train one population; members are points, regimes and seeds, in this order."""
    cells = [(p, r, s) for p in GROWTH_POINTS for r in regimes for s in seeds]
    chosen = [s for _, _, s in cells]
    data = Images("digits", chosen, 0, device)
    widths = (PIXELS, width, images.CLASSES)
    model = NormalisedMLP(widths, chosen, activation=activation).to(device)
    beta = torch.tensor([p[0] for p, _, _ in cells], dtype=torch.float64, device=device)
    gamma = torch.tensor([p[1] for p, _, _ in cells], dtype=torch.float64, device=device)
    kept = torch.tensor([INPUTS.get(r, 1.0) for _, r, _ in cells])[:, None, None].to(device)
    full = torch.tensor([r == "full batch" for _, r, _ in cells], device=device)
    whole, random = data.part("train", batch), torch.Generator().manual_seed(int(seeds[0]))

    def sample(step: int) -> Batch:
        x, y = data.batch(batch)
        mask = torch.rand(x.shape, generator=random).to(device) < kept
        x = torch.where(full[:, None, None], whole[0], x * mask)
        return x, torch.where(full[:, None], whole[1], y)

    optimizer = KAdam(
        model.parameters(), 1e-3, k=1, betas=(beta, gamma), eps=1e-15, weight_decay=0.0
    )
    monitor = UpdateMonitor(list(model.parameters()), beta, gamma)
    monitor.attach(optimizer)
    fit(model, sample, steps=steps, optimizer=optimizer, loss=cross_entropy)
    return monitor


# ------------------------------------------------------------- angular steps


@dataclass(frozen=True)
class Setting:
    """One condition of the normalised networks: multiples of the base values."""

    initial: float = 1.0
    loss: float = 1.0
    rate: float = 1.0
    decay: float = 1.0


SETTINGS = {
    "base": Setting(),
    "twice the initial norm": Setting(initial=2.0),
    "loss x 100": Setting(loss=100.0),
    "half the rate, twice the decay": Setting(rate=0.5, decay=2.0),
    "twice the rate, half the decay": Setting(rate=2.0, decay=0.5),
}
NORMS: tuple[Norm, ...] = ("layer", "batch", "weight", "none")
RATE, DECAY = 2e-3, 2.0


def angular(
    seeds: Sequence[int],
    width: int,
    batch: int,
    steps: int,
    device: torch.device,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Angle by which the first layer turns at every step, and what its update and norm give."""
    cells = [(c, s) for c in SETTINGS.values() for s in seeds]
    chosen = [s for _, s in cells]

    def column(field: str) -> Tensor:
        return torch.tensor([getattr(c, field) for c, _ in cells]).to(device)

    rates, decays, scale = RATE * column("rate"), DECAY * column("decay"), column("loss")
    found = []
    for done, norm in enumerate(NORMS):
        data = Images("digits", chosen, 0, device)
        widths = (PIXELS, width, images.CLASSES)
        model = NormalisedMLP(widths, chosen, norm=norm, scale=column("initial").cpu()).to(device)
        optimizer = KAdam(model.parameters(), rates, k=1, eps=1e-15, weight_decay=decays)
        first = model.hidden[0].weight
        assert isinstance(first, Tensor)
        watch = _Watch(first, rates, decays)
        optimizer.register_step_pre_hook(watch.before)
        optimizer.register_step_post_hook(watch.after)
        fit(
            model,
            lambda _, data=data: data.batch(batch),  # type: ignore[misc]
            steps=steps,
            optimizer=optimizer,
            loss=lambda model, b: scale * cross_entropy(model, b),
        )
        found.append(repeated(torch.stack(watch.rows), steps).cpu().numpy())  # (N, 3, M)
        if progress is not None:
            progress(done + 1, len(NORMS))
    rows = np.stack(found).reshape(len(NORMS), steps, 3, len(SETTINGS), len(seeds))
    shown = np.unique(np.r_[0 : steps : max(1, steps // 100), steps - 1])
    last = min(100, steps // 2)
    names = ("norm", "setting", "seed")
    angle, expected = rows[:, :, 0], rows[:, :, 1]
    return xr.Dataset(
        {
            "net_angle": (names, angle[:, -last:].mean(1)),
            "net_angle_error": (names, np.abs(angle / expected - 1)[:, -last:].mean(1)),
            "net_angle_path": (("norm", "net_step", "setting", "seed"), angle[:, shown]),
            "net_norm_path": (("norm", "net_step", "setting", "seed"), rows[:, shown, 2]),
        },
        {
            "norm": list(NORMS),
            "setting": list(SETTINGS),
            "net_step": shown + 1,
            "seed": list(seeds),
        },
    )


class _Watch:
    """Angle, eta |u| / |W| and |W| of one tensor at every update: rows (3, M)."""

    def __init__(self, weight: Tensor, rate: Tensor, decay: Tensor) -> None:
        self.weight, self.shrink = weight, (1 - rate * decay).view(-1, 1)
        self.rows: list[Tensor] = []

    def before(self, *_: object) -> None:
        self.old = self.weight.detach().flatten(1).clone()

    def after(self, *_: object) -> None:
        new = self.weight.detach().flatten(1)
        norm = self.old.norm(dim=1)
        moved = (new - self.shrink * self.old).norm(dim=1)
        chord = (new / new.norm(dim=1, keepdim=True) - self.old / norm[:, None]).norm(dim=1)
        self.rows.append(torch.stack([2 * torch.arcsin(chord / 2), moved / norm, norm]))

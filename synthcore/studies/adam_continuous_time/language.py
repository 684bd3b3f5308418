"""Small transformers on a text: do updates stay below the bound, does the flow follow training, and
does C predict how well they generalise?

Members: points on a curve in the (beta, gamma) square, learning rates and seeds, all one
population. Axis letters: M member, B batch, T time, N step, J sampled coordinates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.adam_continuous_time import flow, theory
from synthcore.studies.adam_continuous_time.monitor import UpdateMonitor
from synthcore.studies.adam_continuous_time.text import SYMBOLS, Source
from synthcore.training.first_edition import fit, next_token_loss
from synthcore.training.k_adam import KAdam
from synthcore.training.rehearsal import repeated

LOST = 1e3  # stands for a loss that is no longer a number; such a member is reported as lost
SAMPLED = 2000  # coordinates followed against the flow
FLOW_STEPS = 100


@dataclass(frozen=True)
class Design:
    """What is trained. `exponents` are values of C on the curve normal to its level sets."""

    exponents: Sequence[float]
    learning_rates: Sequence[float]
    seeds: Sequence[int]
    width: int
    depth: int
    heads: int
    context: int
    batch: int
    steps: int
    symbols: int
    evaluation: int
    epsilon: float

    @property
    def members(self) -> list[tuple[int, int, int]]:
        """(point, learning rate, seed) indices of every member."""
        counts = (len(self.exponents), len(self.learning_rates), len(self.seeds))
        return [tuple(int(i) for i in index) for index in np.ndindex(*counts)]  # type: ignore[misc]


def finite(loss: Float[Tensor, "M"]) -> Float[Tensor, "M"]:
    """The loss, with `LOST` in place of what is not a number."""
    return loss.nan_to_num(nan=LOST, posinf=LOST, neginf=LOST).clamp(max=LOST)


class Batches:
    """Windows of a text; members of one seed see the same."""

    def __init__(self, text: Int[Tensor, "T"], design: Design, device: torch.device) -> None:
        self.text, self.length, self.batch = text.to(device), design.context + 1, design.batch
        self.seed_of = torch.tensor([s for _, _, s in design.members])
        self.random = [torch.Generator().manual_seed(1000 + seed) for seed in design.seeds]

    def __call__(self, step: int) -> Int[Tensor, "M B T"]:
        high = len(self.text) - self.length
        at = torch.stack([torch.randint(high, (self.batch,), generator=g) for g in self.random])
        window = at[self.seed_of][..., None] + torch.arange(self.length)
        return self.text[window.to(self.text.device)]


class Recorder:
    """Gradients and weights of a few members at sampled coordinates, before every step."""

    def __init__(self, model: GPT, members: list[int], steps: int) -> None:
        self.parameters, self.members, self.steps = list(model.parameters()), members, steps
        size = sum(p[0].numel() for p in self.parameters)
        generator = torch.Generator().manual_seed(0)
        self.chosen = torch.randperm(size, generator=generator)[:SAMPLED]
        self.gradients: list[Tensor] = []
        self.weights: list[Tensor] = []

    def look(self, *_: object) -> None:
        if len(self.weights) > self.steps:
            return
        self.weights.append(self._sample([p.detach() for p in self.parameters]))
        self.gradients.append(self._sample([p.grad for p in self.parameters if p.grad is not None]))

    def _sample(self, tensors: list[Tensor]) -> Tensor:
        flat = torch.cat([t[self.members].flatten(1) for t in tensors], dim=1)
        return flat[:, self.chosen.to(flat.device)].double().cpu()


def run(
    design: Design, device: torch.device, progress: Callable[[int, int], None] | None = None
) -> xr.Dataset:
    """Train all members; losses after training, updates at every step, distance from the flow."""
    source = Source.draw(design.seeds[0])
    text = source.sample(design.symbols, design.seeds[0])
    cut, middle = int(0.9 * len(text)), int(0.95 * len(text))
    beta, gamma = theory.normal_curve(np.array(design.exponents))
    point, rate, seed = (torch.tensor(index) for index in zip(*design.members, strict=True))
    betas = torch.tensor(beta)[point].to(device), torch.tensor(gamma)[point].to(device)
    rates = torch.tensor(design.learning_rates, dtype=torch.float64)[rate].to(device)
    shape = GPTConfig(
        vocabulary=SYMBOLS,
        context=design.context + 1,
        width=design.width,
        depth=design.depth,
        heads=design.heads,
        tied=False,
        initial_std=0.5 / design.width**0.5,
    )
    model = GPT(shape, [design.seeds[i] for i in seed]).to(device)
    optimizer = KAdam(
        model.parameters(), rates, k=1, betas=betas, eps=design.epsilon, weight_decay=0.0
    )
    monitor = UpdateMonitor(list(model.parameters()), *betas)
    monitor.attach(optimizer)
    usual = int(np.abs(np.array(design.exponents) - theory.exponent(0.9, 0.999)).argmin())
    followed = [m for m, (p, r, _) in enumerate(design.members) if p == usual and r == 0]
    recorder = Recorder(model, followed, min(FLOW_STEPS, design.steps - 1))
    optimizer.register_step_pre_hook(recorder.look)
    history = fit(
        model,
        Batches(text[:cut], design, device),
        steps=design.steps,
        optimizer=optimizer,
        loss=lambda model, tokens: finite(next_token_loss(model, tokens)),
        progress=progress,
    )
    losses = [evaluate(model, part, design) for part in (text[cut:middle], text[middle:])]
    counts = (len(design.exponents), len(design.learning_rates), len(design.seeds))
    cells = ("curve", "learning_rate", "seed")
    top = repeated(monitor.largest, design.steps).cpu().numpy()  # (N, P, M)
    n = np.arange(1, design.steps + 1)
    bound = theory.exact_bound(beta[:, None], gamma[:, None], n)  # (curve, N)
    largest = top.max(1).T.reshape(*counts, -1)
    density = repeated(monitor.density, design.steps).cpu().numpy().T.reshape(*counts, -1)
    layers = [name for name, _ in model.named_parameters()]
    shown = np.unique(np.r_[np.arange(0, min(30, design.steps)), np.arange(30, design.steps, 3)])
    data = xr.Dataset(
        {
            "validation_loss": (cells, losses[0].reshape(counts)),
            "test_loss": (cells, losses[1].reshape(counts)),
            "training_loss": (
                ("language_step", *cells),
                history.loss[shown].double().numpy().reshape(-1, *counts),
            ),
            "language_update": ((*cells, "language_step"), largest[..., shown]),
            "language_density": ((*cells, "language_step"), density[..., shown]),
            "language_ratio": (cells, (largest / bound[:, None, None]).max(-1)),
            "layer_update": (
                ("curve", "parameter", "language_step"),
                top[shown].reshape(len(shown), len(layers), *counts)[..., 0, :].mean(-1).T,
            ),
            **follow(recorder, float(design.learning_rates[0]), beta[usual], gamma[usual]),
        },
        {
            "curve": np.arange(len(beta)),
            "curve_exponent": ("curve", theory.exponent(beta, gamma)),
            "curve_beta": ("curve", beta),
            "curve_gamma": ("curve", gamma),
            "learning_rate": list(design.learning_rates),
            "seed": list(design.seeds),
            "language_step": n[shown],
            "parameter": layers,
        },
        {"entropy_floor": source.floor(), "usual_curve": usual},
    )
    for name in ("validation_loss", "test_loss", "training_loss"):
        data[name].attrs = {"units": "nats per symbol"}
    return data


@torch.no_grad()
def evaluate(model: nn.Module, text: Int[Tensor, "T"], design: Design) -> np.ndarray:
    """Mean loss in nats of every member on the first windows of a text."""
    length = design.context + 1
    windows = text[: (len(text) // length) * length].view(-1, length)[: design.evaluation]
    device = next(model.parameters()).device
    parts = [
        next_token_loss(model, part.to(device).expand(len(design.members), -1, -1)) * len(part)
        for part in windows.split(16)
    ]
    total: np.ndarray = finite(torch.stack(parts).sum(0) / len(windows)).double().cpu().numpy()
    return total


def follow(recorder: Recorder, eta: float, beta: float, gamma: float) -> dict[str, object]:
    """Mean distance of the flow from the weights over the mean length of their path, by order of
    the equation, at every followed step; and a few coordinates of both.
    """
    weights = torch.stack(recorder.weights).numpy()  # (N, S, J)
    steps = len(weights) - 1
    gradient = flow.recorded_gradient(torch.stack(recorder.gradients).numpy()[:steps])
    adam = flow.AdamW(eta, float(beta), float(gamma))
    paths = [flow.flow(adam, gradient, weights[0], steps, order) for order in (1, 2)]
    travelled = np.abs(np.diff(weights, axis=0)).sum(0).mean(-1)  # (S,)
    error = np.stack([np.abs(path - weights).mean(-1) / travelled for path in paths])
    few = slice(0, 4)
    return {
        "flow_error": (("order", "flow_step", "seed"), error),
        "flow_path": (
            ("path", "flow_step", "coordinate"),
            np.stack([weights[:, 0, few], paths[0][:, 0, few], paths[1][:, 0, few]]),
        ),
    }

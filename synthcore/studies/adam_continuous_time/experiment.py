"""All parts of the study: streams, flow, layers, and the four trainings.

`run` joins public stages; each returns a dataset whose dimensions carry the stage's name, and all
share `seed`.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
import xarray as xr
from pydantic import Field, model_validator

from synthcore.config import StudyConfig
from synthcore.evidence.dataset import labelled
from synthcore.nn.invariant import NormalisedMLP
from synthcore.studies.adam_continuous_time import (
    flow,
    k_adam_runs,
    language,
    layers,
    networks,
    streams,
    task,
)
from synthcore.studies.adam_continuous_time.networks import PIXELS, Images, cross_entropy
from synthcore.training.first_edition import fit
from synthcore.training.k_adam import KAdam

Progress = Callable[[str, int, int], None]


class Config(StudyConfig):
    """The notebook's parameters."""

    stream_coordinates: int = Field(ge=16, le=65536, description="D, coordinates of every stream")
    stream_steps: int = Field(ge=40, le=5000, description="n, steps of every stream")
    map_cells: int = Field(ge=2, le=64, description="cells per axis of the map of growth")
    etas: tuple[float, ...] = Field(
        min_length=2, description="learning rates at which the flow is compared with Adam"
    )
    layer_dimension: int = Field(ge=8, le=10_000, description="d, weights of a simulated layer")
    layer_steps: int = Field(ge=20, le=100_000, description="steps of the simulated layers")
    equivalence_steps: int = Field(
        ge=2, le=10_000, description="steps over which 2-Adam is compared with a normalised layer"
    )
    curve_exponents: tuple[float, ...] = Field(
        min_length=2, description="values of C on the curve through (0.9, 0.999)"
    )
    learning_rates: tuple[float, ...] = Field(
        min_length=1, description="rates tried for the transformer at every point of the curve"
    )
    text_symbols: int = Field(ge=2000, le=10**8, description="length of the text")
    width: int = Field(ge=4, le=1024, description="width of the transformer's residual stream")
    depth: int = Field(ge=1, le=16, description="transformer blocks")
    heads: int = Field(ge=1, le=64, description="attention heads of every block")
    context: int = Field(ge=4, le=1024, description="symbols the transformer sees")
    text_batch: int = Field(ge=1, le=1024, description="windows of text per update and member")
    text_steps: int = Field(ge=4, le=100_000, description="updates of the transformer")
    text_evaluation: int = Field(ge=16, le=4096, description="windows of text per measured loss")
    epsilon: float = Field(ge=0, le=1e-3, description="Adam's offset in the transformer's updates")
    hidden: int = Field(ge=2, le=1024, description="hidden units of the image networks")
    image_batch: int = Field(ge=2, le=1024, description="images per update and member")
    growth_steps: int = Field(ge=8, le=10_000, description="updates under sparse gradients")
    angular_steps: int = Field(ge=8, le=100_000, description="updates of the normalised networks")
    image_sets: tuple[Literal["digits", "textures"], ...] = Field(
        min_length=1, description="images that k-Adam is compared on"
    )
    textures: int = Field(ge=100, le=200_000, description="images of the texture set")
    stages: tuple[int, ...] = Field(min_length=1, description="k, normalisations of k-Adam")
    k_learning_rates: tuple[float, ...] = Field(
        min_length=1, description="rates tried for every k and strategy"
    )
    k_steps: int = Field(ge=2, le=100_000, description="updates of every k-Adam run")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        low, high = -0.05, 0.227
        rules = [
            (
                all(low < c < high for c in self.curve_exponents),
                f"curve_exponents must lie between {low} and {high}, the ends of the curve",
            ),
            (
                all(rate > 0 for rate in self.learning_rates + self.k_learning_rates + self.etas),
                "learning rates must be positive",
            ),
            (self.width % self.heads == 0, "heads must divide width"),
            (
                (self.width // self.heads) % 2 == 0,
                "width over heads must be even (rotary positions)",
            ),
            (min(self.stages) >= 1, "every entry of stages must be at least 1"),
            (
                0.05 * self.text_symbols > self.context + 1,
                "text_symbols must leave room for windows of context + 1",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study as one dataset."""

    def say(stage: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(stage, done, total)

    parts = [
        run_streams(config),
        run_toy(config),
        run_agreement(config),
        layers.measure(
            config.seeds,
            config.layer_dimension,
            config.layer_steps,
            config.equivalence_steps,
            say("simulated layers"),
        ),
        run_language(config, say("transformers")),
        run_images(config, say),
    ]
    data = xr.merge(parts, combine_attrs="drop_conflicts", join="exact", compat="no_conflicts")
    data.attrs |= {"study": "adam_continuous_time", "eta_reference": min(config.etas)}
    data = data.assign({name: data[name].astype("float32", keep_attrs=True) for name in SINGLE})
    return labelled(data, UNITS)


# The large arrays that only figures read.
SINGLE = (
    "language_update",
    "language_density",
    "layer_update",
    "training_loss",
    "net_angle_path",
    "net_norm_path",
    "layer_norm2",
    "layer_norm2_predicted",
    "layer_angle_path",
)

UPDATES = ("map_update", "map_bound", "language_update", "layer_update", "growth_update")
RATES = ("dying_rate", "worst_rate", "worst_rate_early", "growth_rate", "layer_memory")
ANGLES = ("layer_angle_expected", "layer_angle_path", "net_angle", "net_angle_path")
CLOCKS = ("stream_step", "toy_step", "layer_step", "language_step", "growth_step", "net_step")
UNITS = {
    **dict.fromkeys((*UPDATES, "growth_most"), "learning rates"),
    **dict.fromkeys(RATES, "1/step"),
    **dict.fromkeys(ANGLES, "rad"),
    **dict.fromkeys(CLOCKS, "updates"),
    **dict.fromkeys(("k_validation_loss", "k_test_loss"), "nats"),
}


def run_streams(config: Config) -> xr.Dataset:
    """Bounds on streams (C2, C3) and the map of growth."""
    measured = streams.measure(config.seeds, config.stream_coordinates, config.stream_steps)
    size = min(256, config.stream_coordinates)
    steps = min(400, config.stream_steps)
    grown = streams.growth_map((1.0, 0.1, 0.02), steps, size, config.map_cells, config.seed)
    return xr.merge([measured, grown])


def run_toy(config: Config, horizon: float = 1.0) -> xr.Dataset:
    """C1 on the toy loss: largest distance of discrete Adam from three equations, by eta."""
    equations: tuple[tuple[str, Literal[1, 2], flow.Matching], ...] = (
        ("first order", 1, "lag"),
        ("second order", 2, "lag"),
        ("second order, decay rate", 2, "decay"),
    )
    decays = (0.0, 0.5)
    start = np.stack([task.toy_start(seed) for seed in config.seeds])  # (S, 3)
    error = np.empty((len(equations), len(decays), len(config.etas), config.n_seeds))
    paths = {}
    for i, eta in enumerate(config.etas):
        steps = round(horizon / eta)
        for j, decay in enumerate(decays):
            adam = flow.AdamW(eta, decay=decay)
            discrete = adam.trajectory(task.toy_gradient, start, steps)
            solutions = [
                flow.flow(adam, lambda _, x: task.toy_gradient(x), start, steps, order, matching)
                for _, order, matching in equations
            ]
            error[:, j, i] = [np.abs(x - discrete).max((0, 2)) for x in solutions]
            if j == 0 and eta == max(config.etas):
                named = zip((name for name, _, _ in equations), solutions, strict=True)
                paths = {"Adam": discrete[:, 0]} | {name: x[:, 0] for name, x in named}
    return xr.Dataset(
        {
            "toy_error": (("equation", "toy_decay", "eta", "seed"), error),
            "toy_path": (("toy_curve", "toy_step", "weight"), np.stack(list(paths.values()))),
        },
        {
            "equation": [name for name, _, _ in equations],
            "toy_decay": list(decays),
            "eta": list(config.etas),
            "seed": list(config.seeds),
            "toy_curve": list(paths),
            "toy_step": np.arange(len(paths["Adam"])),
        },
    )


def run_agreement(config: Config, steps: int = 100) -> xr.Dataset:
    """C7, first part: largest difference of weights between KAdam with k = 1 (and, as a control,
    k = 2) and torch's AdamW on the same network and images.
    """
    device = config.torch_device
    widths = (PIXELS, config.hidden, 10)
    found = []
    for make in (
        lambda p: torch.optim.AdamW(p, 1e-3),
        lambda p: KAdam(p, 1e-3, k=1),
        lambda p: KAdam(p, 1e-3, k=2),
    ):
        data = Images("digits", config.seeds, 0, device)
        model = NormalisedMLP(widths, config.seeds).to(device)
        fit(
            model,
            lambda _, data=data: data.batch(config.image_batch),  # type: ignore[misc]
            steps=steps,
            optimizer=make(model.parameters()),
            loss=cross_entropy,
        )
        found.append(
            torch.cat([p.detach().flatten(1) for p in model.parameters()], 1).double().cpu()
        )
    apart = [(x - found[0]).abs().amax(1).numpy() for x in found[1:]]
    return xr.Dataset(
        {"agreement": (("compared_k", "seed"), np.stack(apart))},
        {"compared_k": [1, 2], "seed": list(config.seeds)},
    )


def run_language(config: Config, progress: Callable[[int, int], None] | None = None) -> xr.Dataset:
    """Transformers on a text, at every point of the curve and learning rate (C1, C2, C4)."""
    design = language.Design(
        exponents=config.curve_exponents,
        learning_rates=config.learning_rates,
        seeds=config.seeds,
        width=config.width,
        depth=config.depth,
        heads=config.heads,
        context=config.context,
        batch=config.text_batch,
        steps=config.text_steps,
        symbols=config.text_symbols,
        evaluation=config.text_evaluation,
        epsilon=config.epsilon,
    )
    return language.run(design, config.torch_device, progress)


def run_images(
    config: Config, say: Callable[[str], Callable[[int, int], None] | None]
) -> xr.Dataset:
    """Image networks: sparse gradients (C3b), angular steps (C6, C9), k-Adam (C8)."""
    device = config.torch_device
    grown = networks.growth(
        config.seeds, config.hidden, config.image_batch, config.growth_steps, device
    )
    turned = networks.angular(
        config.seeds,
        config.hidden,
        config.image_batch,
        config.angular_steps,
        device,
        say("normalised networks"),
    )
    compared = k_adam_runs.compare(
        config.image_sets,
        config.stages,
        config.k_learning_rates,
        config.seeds,
        width=config.hidden,
        batch=config.image_batch,
        steps=config.k_steps,
        textures=config.textures,
        device=device,
        progress=say("k-Adam"),
    )
    return xr.merge([grown, turned, compared], join="exact")

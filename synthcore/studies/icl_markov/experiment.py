"""Train populations of transformers on Markov mixtures and measure them at log-spaced steps.

`run` is three stages, each public: `simulate_theory` checks the closed forms, `train` follows one
population, `assemble` joins what was measured into one dataset with a `member` dimension.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from synthcore.config import StudyConfig
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.icl_markov import dataset, task, theory
from synthcore.studies.icl_markov.measure import Yardstick
from synthcore.training.accelerate import Acceleration
from synthcore.training.first_edition import fit, next_token_loss
from synthcore.training.optimizers import population_adamw
from synthcore.training.schedules import log_spaced, warmup_cosine
from synthcore.training.seeding import seeded

Progress = Callable[[str, int, int], None]


class Config(StudyConfig):
    """The notebook's parameters."""

    states: int = Field(ge=2, le=64, description="k, symbols of every chain")
    length: int = Field(ge=8, le=2048, description="l, tokens of every sequence")
    diversities: tuple[int, ...] = Field(
        min_length=1, description="N, training chains; one condition each"
    )
    weighting: task.Weighting = Field(description="how the mixture weights p are drawn")
    width: int = Field(ge=4, le=1024, description="width of the residual stream")
    depth: int = Field(ge=1, le=16, description="transformer blocks")
    heads: int = Field(ge=1, le=64, description="attention heads of every block")
    mlp_ratio: float = Field(
        ge=0, le=16, description="hidden width of the MLPs over width; 0 leaves attention only"
    )
    vocabulary: int = Field(ge=0, description="size of the token table; 0 means as many as needed")
    tied: bool = Field(description="whether input and output share the token table")
    initial_std: float = Field(gt=0, le=1, description="standard deviation of the initial weights")
    steps: int = Field(ge=2, description="updates")
    batch: int = Field(ge=1, description="fresh sequences per update and member")
    learning_rate: float = Field(gt=0, le=1, description="peak learning rate of AdamW")
    final_learning_rate: float = Field(
        ge=0, le=1, description="where the cosine ends, as a share of the peak; 1 is constant"
    )
    warmup: int = Field(ge=0, description="updates of linear warm-up")
    beta2: float = Field(gt=0, lt=1, description="decay of AdamW's second moment")
    weight_decay: float = Field(
        ge=0, le=10, description="AdamW's decoupled weight decay, on all weights"
    )
    clip: float = Field(gt=0, description="largest gradient norm of a member")
    bfloat16: bool = Field(description="bf16 products in training (CUDA only)")
    checkpoints: int = Field(ge=2, le=500, description="measurements, evenly spaced in log steps")
    first_checkpoint: int = Field(
        ge=1, description="first measured update after the untrained network"
    )
    evaluation_sequences: int = Field(
        ge=4, description="ID sequences, and OOD sequences, per member"
    )
    contexts: tuple[int, ...] = Field(
        min_length=1, description="context lengths c at which everything is measured"
    )
    learned_diversities: tuple[int, ...] = Field(
        description="N at which learned positions are compared"
    )
    variant_diversities: tuple[int, ...] = Field(
        description="N at which the design variants below are trained"
    )
    variant_steps: int = Field(
        ge=2, description="updates of the learned-position networks and the design variants"
    )
    variant_widths: tuple[int, ...] = Field(description="other widths")
    variant_states: tuple[int, ...] = Field(description="other numbers of states")
    two_token: bool = Field(description="also train with input ids that name the last two states")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        everything = self.diversities + self.learned_diversities + self.variant_diversities
        rules = [
            (min(everything) >= 1, "every diversity N must be at least 1"),
            (
                max(self.contexts) <= self.length,
                f"contexts must not exceed the length {self.length}",
            ),
            (min(self.contexts) >= 1, "every context must be at least 1"),
            (
                self.warmup < min(self.steps, self.variant_steps),
                "warmup must be shorter than steps and variant_steps",
            ),
            (self.variant_steps <= self.steps, "variant_steps must not exceed steps"),
            (self.first_checkpoint <= self.steps, "first_checkpoint must not exceed steps"),
            (
                self.vocabulary == 0
                or self.vocabulary >= self.states * (self.states + 1 if self.two_token else 1),
                "vocabulary must be 0 or hold every token",
            ),
            (self.width % self.heads == 0, "heads must divide width"),
            (all(k >= 2 for k in self.variant_states), "variant_states must be at least 2"),
            (
                all(w % self.heads == 0 for w in self.variant_widths),
                "heads must divide variant_widths",
            ),
        ]
        for holds, sentence in rules:
            if not holds:
                raise ValueError(sentence)
        return self


@dataclass(frozen=True)
class Population:
    """Members that train together: every diversity with every seed, one architecture."""

    diversities: tuple[int, ...]
    states: int
    width: int
    steps: int
    positions: str = "rotary"
    two_token: bool = False

    @property
    def name(self) -> str:
        tokens = ", two-token input" if self.two_token else ""
        return f"{self.positions} positions, width {self.width}, {self.states} states{tokens}"


def populations(config: Config) -> list[Population]:
    """The main population first, then the comparisons the parameters ask for."""
    k, width = config.states, config.width
    found = [Population(config.diversities, k, width, config.steps)]
    if config.learned_diversities:
        learned, steps = config.learned_diversities, config.variant_steps
        found.append(Population(learned, k, width, steps, positions="learned"))
    if config.variant_diversities:
        varied, steps = config.variant_diversities, config.variant_steps
        found += [Population(varied, k, other, steps) for other in config.variant_widths]
        found += [Population(varied, other, width, steps) for other in config.variant_states]
        if config.two_token:
            found.append(Population(varied, k, width, steps, two_token=True))
    return found


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """The whole study: dimensions member, step, context, algorithm, and quantity and seed for the
    closed forms.
    """
    parts = [train(config, population, progress) for population in populations(config)]
    attributes = config.model_dump(include={"states", "length", "width", "steps"})
    return dataset.assemble(parts, simulate_theory(config), attributes)


def build(config: Config, population: Population, seeds: list[int], device: torch.device) -> GPT:
    """The untrained networks of a population."""
    needed = population.states * (population.states + 1 if population.two_token else 1)
    shape = GPTConfig(
        vocabulary=max(needed, config.vocabulary),
        context=config.length,
        width=population.width,
        depth=config.depth,
        heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        positions=population.positions,  # type: ignore[arg-type]
        tied=config.tied,
        initial_std=config.initial_std,
    )
    return GPT(shape, seeds).to(device)


def train(config: Config, population: Population, progress: Progress | None = None) -> xr.Dataset:
    """Train one population and measure it at every checkpoint."""
    device = config.torch_device
    conditions = [(n, seed) for n in population.diversities for seed in config.seeds]
    diversities, seeds = [n for n, _ in conditions], [seed for _, seed in conditions]
    mixture = task.Mixture.draw(diversities, seeds, population.states, config.weighting, device)
    yardstick = Yardstick(
        mixture, config.evaluation_sequences, config.length, config.contexts, seeds
    )
    model = build(config, population, seeds, device)
    random = torch.Generator(device).manual_seed(config.seed)

    def encode(tokens: Int[Tensor, "M B T"]) -> Int[Tensor, "M B T"]:
        return task.pair_tokens(tokens, population.states) if population.two_token else tokens

    steps: list[int] = []
    measured: list[dict[str, tuple[tuple[str, ...], Tensor]]] = []

    def look(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        steps.append(step)
        measured.append(yardstick.measure(model, encode))

    history = fit(
        model,
        lambda step: mixture.sample(config.batch, config.length, random)[0],
        steps=population.steps,
        optimizer=population_adamw(
            model, config.learning_rate, betas=(0.9, config.beta2), weight_decay=config.weight_decay
        ),
        schedule=warmup_cosine(
            population.steps, warmup=config.warmup, final=config.final_learning_rate
        ),
        clip=config.clip,
        checkpoints=checkpoints(config, population.steps),
        on_checkpoint=look,
        loss=lambda model, tokens: next_token_loss(model, tokens, encode(tokens)),
        progress=None
        if progress is None
        else lambda done, total: progress(population.name, done, total),
        acceleration=Acceleration(autocast=config.bfloat16 and device.type == "cuda"),
    )
    variables = {
        name: (("step", *dims), np.stack([point[name][1].cpu().numpy() for point in measured]))
        for name, (dims, _) in measured[0].items()
    }
    variables |= {
        name: (dims, values.cpu().numpy()) for name, (dims, values) in yardstick.reference().items()
    }
    done = np.array(steps[1:]) - 1
    losses = np.full((len(steps), len(seeds)), np.nan)
    losses[1:] = history.loss.numpy()[done]
    variables["loss_training"] = (("step", "member"), losses)
    members = len(seeds)
    coordinates = {
        "member": np.arange(members),
        "step": steps,
        "context": list(config.contexts),
        "algorithm": list(theory.ALGORITHMS),
        "diversity": ("member", diversities),
        "seed": ("member", seeds),
        "width": ("member", [population.width] * members),
        "states": ("member", [population.states] * members),
        "positions": ("member", [population.positions] * members),
        "two_token": ("member", [population.two_token] * members),
        "effective_diversity": ("member", mixture.effective_diversity.cpu().numpy()),
    }
    return dataset.with_frozen_control(xr.Dataset(variables, coordinates))


def checkpoints(config: Config, steps: int) -> list[int]:
    """When a population is measured: the main population's checkpoints up to its own last step."""
    every = log_spaced(config.steps, config.checkpoints, first=config.first_checkpoint)
    return sorted({step for step in every if step < steps} | {steps})


def simulate_theory(config: Config, rows: int = 4000) -> xr.Dataset:
    """Closed forms against simulation, per seed: mean over `rows` chains, its standard error, and
    the exact value.

    Chains have the study's k. Bi-Inf sees a row that was visited exactly n times, n = 5 and 20.
    """
    k = config.states
    exact = {
        "row entropy": theory.row_entropy(k),
        "D(uniform || row)": theory.kl_uniform_to_row(k),
        "D(row || uniform)": theory.kl_row_to_uniform(k),
    }
    for n in (5, 20):
        exact[f"D(row || Bi-Inf), n = {n}"] = theory.kl_truth_to_bi_inf(n, k)
        exact[f"D(Bi-Inf || row), n = {n}"] = theory.kl_bi_inf_to_truth(n, k)
    samples = []
    for seed in config.seeds:
        generator = seeded(seed, 0, 3)
        row = task.draw_chains((rows,), k, generator)[:, 0]
        uniform = torch.full_like(row, 1 / k)
        values = [
            torch.special.entr(row).sum(-1),
            theory.kl(uniform, row, 0),
            theory.kl(row, uniform, 0),
        ]
        for n in (5, 20):
            visits = torch.multinomial(row, n, replacement=True, generator=generator)
            estimate = nn.functional.one_hot(visits, k).sum(-2).add(1).double() / (n + k)
            values += [theory.kl(row, estimate, 0), theory.kl(estimate, row, 0)]
        samples.append(torch.stack(values).numpy())
    drawn = np.stack(samples)  # (seed, quantity, row)
    return xr.Dataset(
        {
            "theory_simulated": (("theory_seed", "quantity"), drawn.mean(-1)),
            "theory_error": (("theory_seed", "quantity"), drawn.std(-1, ddof=1) / np.sqrt(rows)),
            "theory_exact": (("quantity",), list(exact.values())),
        },
        {"theory_seed": list(config.seeds), "quantity": list(exact)},
    )

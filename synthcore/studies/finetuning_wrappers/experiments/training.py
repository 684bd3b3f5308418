"""How the networks of this study are trained: the grammar's by Adam, compiled ones by SGD, each as
one population over a grid of conditions.

Pretrained members are ordered by prior, then seed; fine-tuned ones by prior, rate, share of
spurious texts, then seed; compiled ones by rate, share, seed. A seed's weights start equal under
every prior, and its texts are the same in every condition that allows it.

Axis letters: M member, B strings, L letters, P priors, R rates, C shares of spurious data, S seeds.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.compiled import CompiledTransformer, copy_members, perturb
from synthcore.compiled.programs import READ
from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.model import (
    Architecture,
    PopulationSGD,
    answer_loss,
    build,
    compiled_answer_loss,
    parts_of_update,
    strings_per_pass,
)
from synthcore.studies.finetuning_wrappers.task.grammar import FAMILIES, World
from synthcore.studies.finetuning_wrappers.task.mixtures import PRIORS, BatchSampler, DataMixture
from synthcore.studies.finetuning_wrappers.task.strings import StringTask
from synthcore.training.config import TrainingConfig
from synthcore.training.fit import OnCheckpoint, fit
from synthcore.training.optimizers import population_adamw
from synthcore.training.progress import Progress
from synthcore.training.schedules import warmup_cosine

BETAS = (0.9, 0.99)
FINAL = 0.01  # share of the peak rate where a cosine ends
NOISE = 1e-4  # standard deviation, added to compiled weights before fine-tuning
CLEAN_SHARE, SPURIOUS_SHARE = 0.0, 1.0


# --- the grammar --------------------------------------------------------------------------------


def pretraining(config: Config, steps: int) -> TrainingConfig:
    """Pretraining with a warm-up of a tenth of the steps."""
    return TrainingConfig(
        steps,
        config.pretrain_batch,
        config.pretrain_rate,
        final=FINAL,
        warmup=int(0.1 * steps),
        betas=BETAS,
        weight_decay=config.decay,
    )


def finetuning(config: Config, steps: int) -> TrainingConfig:
    """Fine-tuning with a warm-up of a fifth of the steps; every member has a rate of its own."""
    return TrainingConfig(
        steps,
        config.tune_batch,
        config.tune_rates[0],
        final=FINAL,
        warmup=int(0.2 * steps),
        betas=BETAS,
        weight_decay=config.decay,
    )


@dataclass(frozen=True)
class Trainer:
    """What all trainings on the grammar share in a run."""

    world: World
    architecture: Architecture
    families: tuple[int, ...]
    seeds: tuple[int, ...]
    device: torch.device

    @classmethod
    def of(cls, config: Config, further_families: Sequence[int] = ()) -> "Trainer":
        """With the parameters of a run, and task families beside its own."""
        families = (*(FAMILIES.index(name) for name in config.families), *further_families)
        architecture = Architecture(config.width, config.depth, config.heads)
        return cls(config.world, architecture, families, config.seeds, config.torch_device)

    def untrained(self, populations: int = 1) -> GPT:
        """Networks as they are before training, one per seed, or so many populations of them."""
        return build(self.architecture, self.world, self.seeds * populations, self.device)

    def pretrain(
        self,
        mixtures: Sequence[DataMixture],
        training: TrainingConfig,
        purpose: int,
        progress: Progress | None = None,
        name: str = "pretraining",
    ) -> GPT:
        """Networks from scratch, one for each mixture and seed."""
        each = [mixture for mixture in mixtures for _ in self.seeds]
        model = self.untrained(len(mixtures))
        return self.train(model, each, training, purpose, progress=progress, name=name)

    def train(
        self,
        model: GPT,
        mixtures: Sequence[DataMixture],
        training: TrainingConfig,
        purpose: int,
        *,
        rates: Sequence[float] | None = None,
        checkpoints: Collection[int] = (),
        on_checkpoint: OnCheckpoint | None = None,
        progress: Progress | None = None,
        name: str = "training",
    ) -> GPT:
        """Train every member on its own mixture, at its own rate if `rates` are given, in place.

        `progress` shows the training under `name`. What memory cannot hold of a batch passes in
        parts.
        """
        batch = training.batch
        sampler = BatchSampler(
            self.world, mixtures, model.seeds, batch, purpose, self.families, self.device
        )
        rate = training.learning_rate if rates is None else torch.tensor(rates, device=self.device)
        fit(
            model,
            sampler,
            steps=training.steps,
            optimizer=population_adamw(
                model, rate, betas=training.betas, weight_decay=training.weight_decay
            ),
            schedule=training.schedule(),
            clip=training.clip,
            checkpoints=checkpoints,
            on_checkpoint=on_checkpoint,
            loss=answer_loss,
            progress=progress,
            name=name,
            micro_batches=parts_of_update(model, batch),
        )
        return model


@dataclass(frozen=True)
class Grid:
    """Conditions of fine-tuning: every prior, rate, share of spurious texts and seed."""

    priors: tuple[str, ...]
    rates: tuple[float, ...]
    shares: tuple[float, ...]
    seeds: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Numbers of priors, rates, shares and seeds."""
        return len(self.priors), len(self.rates), len(self.shares), len(self.seeds)

    @property
    def cells(self) -> list[tuple[int, int, int, int]]:
        """Prior, rate, share and seed of every member, as numbers."""
        p, r, c, s = (range(size) for size in self.sizes)
        return [(i, j, k, m) for i in p for j in r for k in c for m in s]

    @property
    def pretrained_members(self) -> list[int]:
        """Which pretrained member each starts from."""
        return [p * len(self.seeds) + s for p, _, _, s in self.cells]

    @property
    def member_rates(self) -> list[float]:
        """Learning rate of every member."""
        return [self.rates[r] for _, r, _, _ in self.cells]

    def mixtures(self, **changes: int) -> list[DataMixture]:
        """What every member is fine-tuned on, with some fields changed."""
        return [
            DataMixture(spurious=self.shares[c], prior=PRIORS[self.priors[p]], **changes)
            for p, _, c, _ in self.cells
        ]

    def by_condition(self, values: Tensor) -> Tensor:
        """(M, ...) as (P, R, C, S, ...), on the CPU."""
        return values.cpu().unflatten(0, self.sizes)


# --- compiled networks --------------------------------------------------------------------------


@dataclass(frozen=True)
class FinetunedProgram:
    """Networks after fine-tuning, and which of them diverged (they keep their last weights)."""

    model: CompiledTransformer
    diverged: Bool[Tensor, "M"]


@dataclass(frozen=True)
class CompiledTrainer:
    """One compiled program, its new task, the grid of conditions, and `size` strings per test."""

    program: CompiledTransformer
    task: StringTask
    rates: tuple[float, ...]
    shares: tuple[float, ...]
    seeds: tuple[int, ...]
    batch: int
    size: int
    device: torch.device

    @property
    def grid(self) -> tuple[int, int, int]:
        """Numbers of rates, shares and seeds."""
        return len(self.rates), len(self.shares), len(self.seeds)

    def by_condition(self, values: Tensor) -> Tensor:
        """(M, ...) as (R, C, S, ...), on the CPU."""
        return values.cpu().unflatten(0, self.grid)

    def perturbed(self) -> CompiledTransformer:
        """The compiled network once per member, slightly perturbed by its seed."""
        rates, shares, seeds = self.grid
        model = copy_members(self.program, [0] * (rates * shares * seeds))
        perturb(model, NOISE, self.seeds * (rates * shares))
        return model.to(self.device)

    @cached_property
    def tests(self) -> dict[float, Int[Tensor, "B L"]]:
        """Test strings without and with the spurious relation."""
        random = torch.Generator().manual_seed(7_000_003 + self.seeds[0])
        shares = (CLEAN_SHARE, SPURIOUS_SHARE)
        return {share: self.task.sample(self.size, share, random) for share in shares}

    def train(
        self,
        model: CompiledTransformer,
        steps: int,
        rate: float | None = None,
        old_task: bool = False,
        checkpoints: Collection[int] = (),
        on_checkpoint: OnCheckpoint | None = None,
        progress: Progress | None = None,
        name: str = "training",
    ) -> FinetunedProgram:
        """Train the answers at the place `READ`, in place, by SGD with momentum, clipped at norm 1;
        warm-up of a fifth, then a cosine to a hundredth. One `rate` replaces those of the members.
        With `old_task`, back on the old answers, over strings without the relation, and without
        warm-up or decay. A seed sees the same strings at every rate."""
        rates = torch.tensor(self.rates).repeat_interleave(len(self.shares) * len(self.seeds))
        if rate is not None:
            rates = torch.full_like(rates, rate)
        numbers = [1_000_003 * (seed + 1) + old_task for seed in self.seeds]
        streams = [[torch.Generator().manual_seed(n) for n in numbers] for _ in self.shares]

        def sample(step: int) -> tuple[Tensor, Tensor]:
            drawn = [
                self.task.sample(self.batch, CLEAN_SHARE if old_task else share, stream)
                for share, row in zip(self.shares, streams, strict=True)
                for stream in row
            ]
            strings = torch.stack(drawn).repeat(len(self.rates), 1, 1).to(self.device)
            answers = self.task.old_answers if old_task else self.task.new_answers
            return model.shape.encode(strings), answers(strings)

        model.requires_grad_(True)
        optimizer = PopulationSGD(model, rates.to(self.device))
        schedule = warmup_cosine(steps, warmup=steps // 5, final=FINAL)
        fit(
            model,
            sample,
            steps=steps,
            optimizer=optimizer,
            schedule=None if old_task else schedule,
            clip=1.0,
            checkpoints=checkpoints,
            on_checkpoint=on_checkpoint,
            loss=compiled_answer_loss,
            progress=progress,
            name=name,
        )
        model.requires_grad_(False)
        return FinetunedProgram(model, optimizer.diverged.cpu())

    @torch.no_grad()
    def predict(
        self, model: CompiledTransformer, strings: Int[Tensor, "B L"]
    ) -> Int[Tensor, "M B"]:
        """Answers of every member to the same strings."""
        lines = model.shape.encode(strings.to(self.device)).expand(model.members, -1, -1)
        parts = lines.split(strings_per_pass(model), 1)
        return torch.cat([model(part)[:, :, READ].argmax(-1) for part in parts], 1)

    def accuracy(self, model: CompiledTransformer) -> Float[Tensor, "M test target"]:
        """Shares of old answers, new answers, and old answers plus the shift; on clean, then on
        spurious strings."""
        rows = []
        for strings in self.tests.values():
            predicted = self.predict(model, strings).cpu()
            old = self.task.old_answers(strings)
            targets = (old, self.task.new_answers(strings), old + self.task.shift)
            rows.append(torch.stack([(predicted == t).double().mean(1) for t in targets], -1))
        return torch.stack(rows, 1)

"""Fine-tune a compiled network under several rates, shares of spurious strings and seeds at once.

Members are ordered by rate, then share, then seed. A seed sees the same strings at every rate.

Axis letters: M member, B strings, L letters, R rates, C shares of spurious strings, S seeds.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.compiled import CompiledTransformer, copy_members, perturb
from synthcore.compiled.programs import READ
from synthcore.studies.finetuning_wrappers.sgd import PopulationSGD
from synthcore.studies.finetuning_wrappers.strings import StringTask
from synthcore.training.first_edition import fit
from synthcore.training.schedules import warmup_cosine

NOISE = 1e-4  # of the weights before fine-tuning
CLEAN, SPURIOUS = 0.0, 1.0
Watch = Callable[[int, nn.Module], None]


@dataclass(frozen=True)
class Tuned:
    """Networks after fine-tuning, and which of them diverged (they keep their last weights)."""

    model: CompiledTransformer
    diverged: Bool[Tensor, "M"]


@dataclass(frozen=True)
class CompiledSchool:
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
        return len(self.rates), len(self.shares), len(self.seeds)

    def by_condition(self, values: Tensor) -> Tensor:
        """(M, ...) as (R, C, S, ...), on the CPU."""
        return values.cpu().unflatten(0, self.grid)

    def start(self) -> CompiledTransformer:
        """The compiled network once per member, slightly perturbed by its seed."""
        rates, shares, seeds = self.grid
        model = copy_members(self.program, [0] * (rates * shares * seeds))
        perturb(model, NOISE, self.seeds * (rates * shares))
        return model.to(self.device)

    @cached_property
    def tests(self) -> dict[float, Int[Tensor, "B L"]]:
        """Test strings without and with the spurious relation."""
        random = torch.Generator().manual_seed(7_000_003 + self.seeds[0])
        return {share: self.task.sample(self.size, share, random) for share in (CLEAN, SPURIOUS)}

    def tune(
        self,
        model: CompiledTransformer,
        steps: int,
        rates: Float[Tensor, "M"] | None = None,
        old_task: bool = False,
        checkpoints: Collection[int] = (),
        watch: Watch | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Tuned:
        """Train the answers at the place `READ` by SGD with momentum, clipped at norm 1; warm-up of
        a fifth, then a cosine to a hundredth. With `old_task`, back on the old answers, over
        strings without the relation, and without warm-up or decay."""
        if rates is None:
            rates = torch.tensor(self.rates).repeat_interleave(len(self.shares) * len(self.seeds))
        numbers = [1_000_003 * (seed + 1) + old_task for seed in self.seeds]
        streams = [[torch.Generator().manual_seed(n) for n in numbers] for _ in self.shares]

        def sample(step: int) -> tuple[Tensor, Tensor]:
            drawn = [
                self.task.sample(self.batch, CLEAN if old_task else share, stream)
                for share, row in zip(self.shares, streams, strict=True)
                for stream in row
            ]
            strings = torch.stack(drawn).repeat(len(self.rates), 1, 1).to(self.device)
            answers = self.task.old(strings) if old_task else self.task.new(strings)
            return model.shape.encode(strings), answers

        for parameter in model.parameters():
            parameter.requires_grad_(True)
        optimizer = PopulationSGD(model, rates.to(self.device))
        schedule = warmup_cosine(steps, warmup=steps // 5, final=0.01)
        fit(
            model,
            sample,
            steps=steps,
            optimizer=optimizer,
            schedule=None if old_task else schedule,
            clip=1.0,
            checkpoints=checkpoints,
            on_checkpoint=watch,
            loss=answer_loss,
            progress=progress,
        )
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        return Tuned(model, optimizer.diverged.cpu())

    @torch.no_grad()
    def answers(
        self, model: CompiledTransformer, strings: Int[Tensor, "B L"]
    ) -> Int[Tensor, "M B"]:
        """Predictions of every member for the same strings."""
        lines = model.shape.encode(strings.to(self.device))
        return model(lines.expand(model.members, *lines.shape))[:, :, READ].argmax(-1)

    def accuracy(self, model: CompiledTransformer) -> Float[Tensor, "M test target"]:
        """Shares of old answers, new answers, and old answers plus the shift; on clean, then on
        spurious strings."""
        rows = []
        for strings in self.tests.values():
            said = self.answers(model, strings).cpu()
            old = self.task.old(strings)
            targets = (old, self.task.new(strings), old + self.task.shift)
            rows.append(torch.stack([(said == t).double().mean(1) for t in targets], -1))
        return torch.stack(rows, 1)


def answer_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) at the place of the answer, per member; 0 for a diverged one.

    Zero instead of a number that is not finite lets the others go on; the optimiser stops the
    member, whose gradient is not finite either.
    """
    lines, answers = batch
    logits = model(lines)[:, :, READ]
    loss = functional.cross_entropy(logits.flatten(0, 1), answers.flatten(), reduction="none")
    member = loss.view(answers.shape).mean(1)
    return torch.where(member.isfinite(), member, 0.0 * member.nan_to_num(0.0, 0.0, 0.0))


def rates_of(school: CompiledSchool, rate: float) -> Float[Tensor, "M"]:
    """The same rate for every member."""
    return torch.full((len(school.rates) * len(school.shares) * len(school.seeds),), rate)

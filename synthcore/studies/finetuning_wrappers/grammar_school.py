"""Pretrained networks, and their fine-tuned descendants over a grid of conditions.

Pretrained members are ordered by prior, then seed; fine-tuned ones by prior, rate, share of
spurious texts, then seed. A seed's weights start equal under every prior, and its texts are the
same in every condition that allows it.

Axis letters: M member, P priors, R rates, C shares, S seeds.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers import lessons, networks
from synthcore.studies.finetuning_wrappers.lessons import Feed, Lesson
from synthcore.studies.finetuning_wrappers.networks import Shape
from synthcore.studies.finetuning_wrappers.task import World

Progress = Callable[[str, int, int], None]
Watch = Callable[[int, nn.Module], None]
PRIORS = {"L": (0.999, 0.001, 0.0), "M": (0.9, 0.1, 0.0), "H": (0.5, 0.3, 0.2)}


@dataclass(frozen=True)
class Recipe:
    """Length, rate, batch and weight decay of a training; the rate may differ between members."""

    steps: int
    batch: int
    rate: float
    decay: float = 0.0


@dataclass(frozen=True)
class School:
    """What all trainings of a run share."""

    world: World
    shape: Shape
    families: tuple[int, ...]
    seeds: tuple[int, ...]
    device: torch.device

    def pretrain(
        self,
        priors: Sequence[str],
        recipe: Recipe,
        progress: Callable[[int, int], None] | None = None,
        lesson: Lesson | None = None,
        purpose: int = 0,
    ) -> GPT:
        """Networks from scratch, one for each prior and seed; or all on one given lesson."""
        each = [lesson or lessons.pretraining(PRIORS[name]) for name in priors]
        taught = [one for one in each for _ in self.seeds]
        seeds = self.seeds * len(priors)
        model = networks.build(self.shape, self.world, seeds, self.device)
        feed = self.feed(taught, seeds, recipe.batch, purpose)
        networks.train(
            model,
            feed,
            recipe.steps,
            recipe.rate,
            batch=recipe.batch,
            warmup=0.1,
            decay=recipe.decay,
            progress=progress,
        )
        return model

    def feed(
        self, taught: Sequence[Lesson], seeds: Sequence[int], batch: int, purpose: int
    ) -> Feed:
        return Feed(self.world, taught, seeds, batch, purpose, self.families, self.device)

    def tune(
        self,
        model: GPT,
        taught: Sequence[Lesson],
        rates: Sequence[float],
        recipe: Recipe,
        purpose: int,
        checkpoints: Collection[int] = (),
        watch: Watch | None = None,
        progress: Callable[[int, int], None] | None = None,
        constant: bool = False,
    ) -> GPT:
        """Train every member on its own lesson at its own rate, in place. `constant` replaces the
        schedule by a short warm-up and no decay."""
        networks.train(
            model,
            self.feed(taught, model.seeds, recipe.batch, purpose),
            recipe.steps,
            torch.tensor(rates, device=self.device),
            batch=recipe.batch,
            warmup=0.0 if constant else 0.2,
            final=1.0 if constant else 0.01,
            decay=recipe.decay,
            checkpoints=checkpoints,
            on_checkpoint=watch,
            progress=progress,
        )
        return model


@torch.no_grad()
def members_of(model: GPT, which: Sequence[int]) -> GPT:
    """A population of copies of these members, in this order; a member may come more than once."""
    out = GPT(model.config, [model.seeds[m] for m in which])
    index = torch.tensor(which)
    device = model.embed.weight.device
    out = out.to(device)
    for mine, theirs in zip(out.parameters(), model.parameters(), strict=True):
        mine.copy_(theirs[index.to(device)])
    return out


@dataclass(frozen=True)
class Grid:
    """Conditions of fine-tuning: every prior, rate, share of spurious texts and seed."""

    priors: tuple[str, ...]
    rates: tuple[float, ...]
    shares: tuple[float, ...]
    seeds: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        return len(self.priors), len(self.rates), len(self.shares), len(self.seeds)

    @property
    def cells(self) -> list[tuple[int, int, int, int]]:
        """Prior, rate, share and seed of every member, as numbers."""
        p, r, c, s = (range(size) for size in self.sizes)
        return [(i, j, k, m) for i in p for j in r for k in c for m in s]

    @property
    def starts(self) -> list[int]:
        """Which pretrained member each starts from."""
        return [p * len(self.seeds) + s for p, _, _, s in self.cells]

    @property
    def member_rates(self) -> list[float]:
        return [self.rates[r] for _, r, _, _ in self.cells]

    def lessons(self, **changes: int) -> list[Lesson]:
        """Lesson of every member, with some fields changed."""
        return [
            Lesson(spurious=self.shares[c], prior=PRIORS[self.priors[p]], **changes)
            for p, _, c, _ in self.cells
        ]

    def shaped(self, values: Tensor) -> Tensor:
        """(M, ...) as (P, R, C, S, ...), on the CPU."""
        return values.cpu().unflatten(0, self.sizes)


def named(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    """`progress` for one stage."""
    return None if progress is None else lambda done, total: progress(stage, done, total)

"""One population: several conditions times several seeds, drawn, trained and examined together.

Members are ordered by condition, then seed. A seed's functions are the same in every condition.

Axis letters: M member, N compositions, W words, L positions.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities import measure
from synthcore.studies.compositional_capabilities.counts import same_function
from synthcore.studies.compositional_capabilities.networks import (
    DocumentFeed,
    Recipe,
    build,
    train,
)
from synthcore.studies.compositional_capabilities.subsets import Condition
from synthcore.studies.compositional_capabilities.task import (
    Functions,
    Kind,
    Layout,
    Style,
    in_order,
)

Progress = Callable[[str, int, int], None]
Watch = Callable[[int, nn.Module], None]


def seeded(seed: int, purpose: int, device: torch.device | None = None) -> torch.Generator:
    """A generator for one purpose of one seed; different purposes do not share numbers."""
    return torch.Generator(device or "cpu").manual_seed(1_000_003 * (purpose + 1) + seed)


@dataclass(frozen=True)
class Task:
    """Functions and subsets of every member."""

    layout: Layout
    style: Style
    conditions: tuple[Condition, ...]
    seeds: tuple[int, ...]
    functions: Functions
    subsets: tuple[Int[Tensor, "_ L 2"], ...]
    device: torch.device

    @staticmethod
    def draw(
        layout: Layout,
        style: Style,
        conditions: Sequence[Condition],
        seeds: Sequence[int],
        device: torch.device,
        kinds: Sequence[Kind] | None = None,
    ) -> "Task":
        """Functions and subsets of every condition and seed."""
        sets, subsets = [], []
        for condition in conditions:
            for seed in seeds:
                sets.append(Functions.draw(layout, seeded(seed, 0), kinds, condition.repeat))
                subsets.append(condition.draw(layout, seeded(seed, 1)))
        functions = Functions.stack(sets).to(device)
        return Task(
            layout, style, tuple(conditions), tuple(seeds), functions, tuple(subsets), device
        )

    @property
    def members(self) -> int:
        return len(self.subsets)

    def by_seed(self, values: Tensor) -> Tensor:
        """(M, ...) as (condition, seed, ...), on the CPU."""
        return values.cpu().unflatten(0, (len(self.conditions), len(self.seeds)))

    @cached_property
    def every(self) -> Int[Tensor, "N L 2"]:
        """All in-order compositions."""
        return in_order(self.layout)

    @cached_property
    def seen(self) -> Bool[Tensor, "M N"]:
        """Which of `every` do what a trained composition does."""
        return self.seen_of(self.every)

    def seen_of(self, comps: Int[Tensor, "N L 2"]) -> Bool[Tensor, "M N"]:
        """Which of these do what a trained composition of the member does."""
        sets = self.functions.to(torch.device("cpu"))
        return torch.stack(
            [same_function(sets.member(m), comps, own) for m, own in enumerate(self.subsets)]
        )

    def for_all(self, comps: Int[Tensor, "N L 2"]) -> Int[Tensor, "M N L 2"]:
        """The same compositions for every member, on its device."""
        return comps.to(self.device).expand(self.members, *comps.shape)

    def pick(self, which: Bool[Tensor, "M N"], n: int, purpose: int) -> Int[Tensor, "M n L 2"]:
        """n random ones of `every` for each member, of those chosen if there are any; repeated
        where they are fewer."""
        rows = []
        for seed, chosen in zip(self.seeds * len(self.conditions), which, strict=True):
            index = torch.nonzero(chosen if bool(chosen.any()) else ~chosen)[:, 0]
            order = torch.randperm(len(index), generator=seeded(seed, purpose))
            rows.append(self.every[index[order[torch.arange(n) % len(index)]]])
        return torch.stack(rows).to(self.device)

    def words(self, comps: int, each: int, purpose: int = 2) -> Int[Tensor, "M N W K"]:
        """Random words that no other purpose draws."""
        random = seeded(self.seeds[0], purpose, self.device)
        return measure.draw_words(self.layout, self.members, comps, each, random)

    def exact(
        self, model: nn.Module, comps: Int[Tensor, "N L 2"], each: int, purpose: int = 2
    ) -> Float[Tensor, "M N"]:
        """Share of words with a right answer, for every member and composition; on the CPU."""
        return measure.exact(
            model,
            self.layout,
            self.functions,
            self.for_all(comps),
            self.words(len(comps), each, purpose),
            self.style,
        ).cpu()

    def feed(self, batch: int) -> DocumentFeed:
        """Training documents."""
        whole = [c.all_tokens for c in self.conditions for _ in self.seeds]
        return DocumentFeed(
            self.layout, self.functions, self.subsets, self.style, batch, self.seeds[0], whole
        )


def learn(
    task: Task,
    recipe: Recipe,
    progress: Callable[[int, int], None] | None = None,
    checkpoints: Collection[int] = (),
    watch: Watch | None = None,
) -> GPT:
    """The task's trained networks; a seed starts from the same weights in every condition."""
    seeds = [seed for _ in task.conditions for seed in task.seeds]
    model = build(recipe, task.layout, task.style, seeds, task.device)
    train(model, task.feed(recipe.batch), recipe, checkpoints, watch, progress)
    return model


def named(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    """`progress` for one stage."""
    return None if progress is None else lambda done, total: progress(stage, done, total)

"""The tasks of a population: functions and training subset of every member, and their documents.

Members are ordered by condition, then seed. A seed's functions are the same in every condition.

Axis letters: M member, N compositions, W words for each, B batch, T tokens, L positions, K word
length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from synthcore.studies.compositional_capabilities.task.documents import (
    Format,
    Functions,
    Kind,
    Layout,
    documents,
    in_order_compositions,
    same_function,
)
from synthcore.studies.compositional_capabilities.task.subsets import Condition


def draw_generator(seed: int, purpose: int, device: torch.device | None = None) -> torch.Generator:
    """A generator for one purpose of one seed; different purposes do not share numbers."""
    return torch.Generator(device or "cpu").manual_seed(1_000_003 * (purpose + 1) + seed)


@dataclass(frozen=True)
class MemberTasks:
    """Functions and subsets of every member, made by `draw`.

    >>> layout = Layout(positions=2, functions=2, alphabet=4, word=3)
    >>> conditions = [Condition.parse(text) for text in ("base", "random 4")]
    >>> tasks = MemberTasks.draw(layout, "step", conditions, (0, 1, 2), torch.device("cpu"))
    >>> tasks.members, tasks.seen.shape, [len(subset) for subset in tasks.subsets]
    (6, torch.Size([6, 9]), [5, 5, 5, 4, 4, 4])
    """

    layout: Layout
    format: Format
    conditions: tuple[Condition, ...]
    seeds: tuple[int, ...]
    functions: Functions
    subsets: tuple[Int[Tensor, "_ L 2"], ...]
    device: torch.device

    @staticmethod
    def draw(
        layout: Layout,
        format: Format,
        conditions: Sequence[Condition],
        seeds: Sequence[int],
        device: torch.device,
        kinds: Sequence[Kind] | None = None,
    ) -> "MemberTasks":
        """Functions and subsets of every condition and seed.

        Args:
            kinds: of the functions of each position; None for bijections throughout.

        Raises:
            ValueError: a subset is larger than the set it is drawn from, or there are not that many
                functions of a kind.
        """
        sets, subsets = [], []
        for condition in conditions:
            for seed in seeds:
                random = draw_generator(seed, 0)
                sets.append(Functions.draw(layout, random, kinds, condition.repeat))
                subsets.append(condition.draw(layout, draw_generator(seed, 1)))
        functions = Functions.stack(sets).to(device)
        return MemberTasks(
            layout, format, tuple(conditions), tuple(seeds), functions, tuple(subsets), device
        )

    @property
    def members(self) -> int:
        """M."""
        return len(self.subsets)

    @property
    def member_seeds(self) -> list[int]:
        """The seed of every member."""
        return [seed for _ in self.conditions for seed in self.seeds]

    def by_seed(self, values: Tensor) -> Tensor:
        """(M, ...) as (condition, seed, ...), on the CPU."""
        return values.cpu().unflatten(0, (len(self.conditions), len(self.seeds)))

    @cached_property
    def in_order(self) -> Int[Tensor, "N L 2"]:
        """All in-order compositions, on the CPU."""
        return in_order_compositions(self.layout)

    @cached_property
    def seen(self) -> Bool[Tensor, "M N"]:
        """Which in-order compositions do what a trained composition of the member does."""
        return self.seen_of(self.in_order)

    def seen_of(self, comps: Int[Tensor, "N L 2"]) -> Bool[Tensor, "M N"]:
        """Which of these do what a trained composition of the member does."""
        sets = self.functions.to(torch.device("cpu"))
        return torch.stack(
            [same_function(sets.member(m), comps, subset) for m, subset in enumerate(self.subsets)]
        )

    def for_members(self, comps: Int[Tensor, "N L 2"]) -> Int[Tensor, "M N L 2"]:
        """The same compositions for every member, on its device."""
        return comps.to(self.device).expand(self.members, *comps.shape)

    def sample_in_order(
        self, allowed: Bool[Tensor, "M N"], n: int, purpose: int
    ) -> Int[Tensor, "M n L 2"]:
        """n random in-order compositions for each member, of those allowed, repeated where they are
        fewer; of the others where none is allowed."""
        rows = []
        for seed, chosen in zip(self.member_seeds, allowed, strict=True):
            index = torch.nonzero(chosen if bool(chosen.any()) else ~chosen)[:, 0]
            order = torch.randperm(len(index), generator=draw_generator(seed, purpose))
            rows.append(self.in_order[index[order[torch.arange(n) % len(index)]]])
        return torch.stack(rows).to(self.device)

    def draw_words(self, comps: int, each: int, purpose: int = 2) -> Int[Tensor, "M N W K"]:
        """Random words, `each` for every composition, that no other purpose draws."""
        random = draw_generator(self.seeds[0], purpose, self.device)
        shape = (self.members, comps, each, self.layout.word)
        return torch.randint(self.layout.alphabet, shape, generator=random, device=random.device)

    def documents(
        self, comps: Int[Tensor, "M B L 2"], words: Int[Tensor, "M B K"]
    ) -> Int[Tensor, "M B T"]:
        """Documents in this population's format, under each member's functions."""
        return documents(self.layout, self.functions, words, comps, self.format)

    def sampler(self, batch: int) -> "DocumentSampler":
        """Training documents, `batch` per update and member."""
        return DocumentSampler(self, batch)


class Batch(NamedTuple):
    """Documents, and for which members the loss counts the prompt too."""

    documents: Int[Tensor, "M B T"]
    with_prompt: Bool[Tensor, "M"]


class DocumentSampler:
    """Fresh words under random compositions of each member's subset.

    Batches come one after the other from one stream: a training that stops starts again.
    """

    def __init__(self, tasks: MemberTasks, batch: int) -> None:
        device = tasks.device
        self.tasks, self.batch = tasks, batch
        self.size = torch.tensor([len(subset) for subset in tasks.subsets], device=device)
        shape = (tasks.members, int(self.size.max()), tasks.layout.positions, 2)
        self.comps = torch.zeros(shape, dtype=torch.long, device=device)
        for row, subset in zip(self.comps, tasks.subsets, strict=True):
            row[: len(subset)] = subset
        counted = [c.all_tokens for c in tasks.conditions for _ in tasks.seeds]
        self.with_prompt = torch.tensor(counted, device=device)
        self.generator = torch.Generator(device).manual_seed(tasks.seeds[0])

    def __call__(self, step: int) -> Batch:
        """The next batch, whatever the step."""
        members, device = len(self.size), self.size.device
        drawn = torch.rand(members, self.batch, generator=self.generator, device=device)
        index = (drawn * self.size[:, None]).long()
        comps = self.comps[torch.arange(members, device=device)[:, None], index]  # (M, B, L, 2)
        words = torch.randint(
            self.tasks.layout.alphabet,
            (members, self.batch, self.tasks.layout.word),
            generator=self.generator,
            device=device,
        )
        return Batch(self.tasks.documents(comps, words), self.with_prompt)

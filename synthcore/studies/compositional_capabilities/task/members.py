"""The tasks of a population: functions and training subset of every member, and their documents.

Members are ordered by condition, then seed. A seed draws its functions, its subsets and all words
and compositions of its tests, the same in every condition; nothing that a member sees depends on
which others there are.

Axis letters: M member, S seed, N compositions, W words for each, B batch, T tokens, L positions, K
word length, D documents.
"""

from collections.abc import Callable, Sequence
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
from synthcore.studies.compositional_capabilities.task.subsets import Condition, draw_cell
from synthcore.training.seeding import seeded


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
                random = seeded(seed, "functions")
                sets.append(Functions.draw(layout, random, kinds, condition.repeat))
                subsets.append(condition.draw(layout, seeded(seed, "subset")))
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

    def for_conditions(self, values: Sequence[Tensor]) -> Tensor:
        """One tensor per seed as (M, ...): the same in every condition, on the device."""
        return torch.stack(list(values) * len(self.conditions)).to(self.device)

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
        self, allowed: Bool[Tensor, "M N"], n: int, purpose: str
    ) -> Int[Tensor, "M n L 2"]:
        """n random in-order compositions for each member, of those allowed, repeated where they are
        fewer.

        Raises:
            ValueError: a member has none that is allowed.
        """
        rows = []
        for m, (seed, chosen) in enumerate(zip(self.member_seeds, allowed, strict=True)):
            if not bool(chosen.any()):
                condition = self.conditions[m // len(self.seeds)].text
                raise ValueError(f"{condition}, seed {seed}: no composition for {purpose}")
            index = torch.nonzero(chosen)[:, 0]
            order = torch.randperm(len(index), generator=seeded(seed, "compositions", purpose))
            rows.append(self.in_order[index[order[torch.arange(n) % len(index)]]])
        return torch.stack(rows).to(self.device)

    def sample_cell(self, k: int, m: int, n: int, purpose: str) -> Int[Tensor, "M n L 2"]:
        """Different compositions of one cell for every member, those of its seed; all of the cell
        if there are fewer than n."""
        drawn = [
            draw_cell(self.layout, k, m, n, seeded(seed, "cell", k, m, purpose))
            for seed in self.seeds
        ]
        return self.for_conditions(drawn)

    def draw_words(self, comps: int, each: int, purpose: str) -> Int[Tensor, "M N W K"]:
        """Random words, `each` for every composition, those of the member's seed for one purpose
        of a test."""
        shape = (comps, each, self.layout.word)
        return self.for_conditions(
            [
                torch.randint(self.layout.alphabet, shape, generator=seeded(seed, "words", purpose))
                for seed in self.seeds
            ]
        )

    def documents(
        self, comps: Int[Tensor, "M B L 2"], words: Int[Tensor, "M B K"]
    ) -> Int[Tensor, "M B T"]:
        """Documents in this population's format, under each member's functions."""
        return documents(self.layout, self.functions, words, comps, self.format)

    def sampler(
        self, batch: int, fixed: int = 0, all_tokens: bool = False
    ) -> Callable[[int], "Batch"]:
        """Training documents, `batch` per update and member: fresh ones, or of `fixed` many.

        `all_tokens` counts the prompt in every member's loss.
        """
        source = FixedDocuments(self, batch, fixed) if fixed else FreshDocuments(self, batch)
        counted = [c.all_tokens or all_tokens for c in self.conditions for _ in self.seeds]
        with_prompt = torch.tensor(counted, device=self.device)
        return lambda step: Batch(self.documents(*source.draw(step)), with_prompt)


class Batch(NamedTuple):
    """Documents, and for which members the loss counts the prompt too."""

    documents: Int[Tensor, "M B T"]
    with_prompt: Bool[Tensor, "M"]


class FreshDocuments:
    """Fresh words under random compositions of each member's subset.

    What a member gets at a step depends on its seed, its subset's size and the step alone.
    """

    def __init__(self, tasks: MemberTasks, batch: int) -> None:
        self.tasks, self.batch = tasks, batch

    def draw(self, step: int) -> tuple[Int[Tensor, "M B L 2"], Int[Tensor, "M B K"]]:
        """Compositions and words of one update."""
        layout, drawn = self.tasks.layout, {}
        for seed in self.tasks.seeds:
            random = seeded(seed, step, "documents")
            share = torch.rand(self.batch, generator=random)
            size = (self.batch, layout.word)
            drawn[seed] = share, torch.randint(layout.alphabet, size, generator=random)
        comps = torch.stack(
            [
                subset[(drawn[seed][0] * len(subset)).long()]
                for seed, subset in zip(self.tasks.member_seeds, self.tasks.subsets, strict=True)
            ]
        )
        words = self.tasks.for_conditions([word for _, word in drawn.values()])
        return comps.to(self.tasks.device), words


class FixedDocuments:
    """So many documents for every member, drawn once, read in an order that is drawn anew for each
    pass over them."""

    def __init__(self, tasks: MemberTasks, batch: int, count: int) -> None:
        self.tasks, self.batch, self.count = tasks, batch, count
        self.comps, self.words = FreshDocuments(tasks, count).draw(0)  # (M, D, L, 2), (M, D, K)
        self.orders: dict[int, Int[Tensor, "S D"]] = {}

    def draw(self, step: int) -> tuple[Int[Tensor, "M B L 2"], Int[Tensor, "M B K"]]:
        """Compositions and words of one update; a batch may go over into the next pass."""
        places = torch.arange(step * self.batch, (step + 1) * self.batch)
        passes = (places // self.count).tolist()
        self.orders = {p: self._order(p) for p in set(passes)}
        rows = [
            torch.stack([self.orders[p][s, place % self.count] for p, place in pairs])
            for s in range(len(self.tasks.seeds))
            for pairs in [list(zip(passes, places.tolist(), strict=True))]
        ]
        index = self.tasks.for_conditions(rows)  # (M, B)
        member = torch.arange(self.tasks.members, device=index.device)[:, None]
        return self.comps[member, index], self.words[member, index]

    def _order(self, number: int) -> Int[Tensor, "S D"]:
        """The order of the documents in one pass, of every seed."""
        if number in self.orders:
            return self.orders[number]
        return torch.stack(
            [
                torch.randperm(self.count, generator=seeded(seed, number, "order"))
                for seed in self.tasks.seeds
            ]
        )

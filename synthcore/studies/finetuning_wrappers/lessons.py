"""What each network of a population is taught, as batches.

Axis letters: M member, B batch, S letters of a text, P operand priors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from synthcore.studies.finetuning_wrappers.networks import Batch
from synthcore.studies.finetuning_wrappers.task import (
    COUNT,
    INDEX,
    B,
    World,
    broadened,
    count_texts,
    families_and_operands,
    index_texts,
    natural_texts,
)

UNRELATED = -1.0  # counts of a and b are independent, as in pretraining


@dataclass(frozen=True)
class Lesson:
    """Prompts ask for the operand `asked`, answers are those for `told`: the same letter, unless
    the network is to be taught something false. A share `spurious` of the texts allows the
    shortcut (UNRELATED: counts as in pretraining); a share `mixed` of the rows are pretraining
    rows, with operands from `prior`."""

    spurious: float = UNRELATED
    family: int = COUNT
    asked: int = B
    told: int = B
    mixed: float = 0.0
    prior: tuple[float, float, float] = (1.0, 0.0, 0.0)


def pretraining(prior: Sequence[float]) -> Lesson:
    """Nothing but pretraining rows."""
    a, b, c = prior
    return Lesson(mixed=1.0, prior=(a, b, c))


def pretraining_texts(world: World, batch: int, generator: torch.Generator) -> Int[Tensor, "B S"]:
    """Natural texts, every second one with broadened counts."""
    text = natural_texts(world, batch, generator)
    text[::2] = broadened(world, text[::2], generator)
    return text


class Feed:
    """Batches for networks with a lesson and a seed each.

    Networks that share a seed see the same texts as far as their lessons allow: the same
    pretraining rows, and the same texts if family and share of spurious texts agree.
    """

    def __init__(
        self,
        world: World,
        lessons: Sequence[Lesson],
        seeds: Sequence[int],
        batch: int,
        purpose: int,
        families: Sequence[int],
        device: torch.device,
    ) -> None:
        self.world, self.batch, self.families, self.device = world, batch, tuple(families), device
        self.lessons, self.seeds = tuple(lessons), tuple(seeds)
        self.keys = [(x.family, x.spurious, s) for x, s in zip(lessons, seeds, strict=True)]
        taught = [key for key, x in zip(self.keys, lessons, strict=True) if x.mixed < 1]
        number = {key: i for i, key in enumerate(dict.fromkeys(self.keys))}
        self.streams = {key: _stream(purpose, key[2], number[key]) for key in dict.fromkeys(taught)}
        mixing = [s for x, s in zip(lessons, seeds, strict=True) if x.mixed > 0]
        self.mixers = {seed: _stream(purpose, seed, 1000) for seed in dict.fromkeys(mixing)}
        self.priors = list(dict.fromkeys(x.prior for x in lessons))

    def __call__(self, step: int) -> Batch:
        texts = {key: self._texts(key, stream) for key, stream in self.streams.items()}
        mixed = {seed: self._pretraining(stream) for seed, stream in self.mixers.items()}
        rows = [self._member(m, texts, mixed) for m in range(len(self.lessons))]
        text, family, asked, told = (torch.stack(part) for part in zip(*rows, strict=True))
        prompts = self.world.lines(text, family, asked)
        answers = self.world.answers(text, family, told)
        return Batch(prompts.to(self.device), answers.to(self.device))

    def _texts(self, key: tuple[int, float, int], stream: torch.Generator) -> Tensor:
        family, spurious, _ = key
        if spurious == UNRELATED:
            return pretraining_texts(self.world, self.batch, stream)
        draw = index_texts if family == INDEX else count_texts
        return draw(self.world, self.batch, spurious, stream)

    def _pretraining(self, stream: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Texts, families and operands of each prior, and a level that decides which rows count."""
        text = pretraining_texts(self.world, self.batch, stream)
        priors = torch.tensor(self.priors)
        family, operand = families_and_operands(self.families, priors, self.batch, stream)
        return text, family, operand, torch.rand(self.batch, generator=stream)

    def _member(
        self,
        m: int,
        texts: dict[tuple[int, float, int], Tensor],
        mixed: dict[int, tuple[Tensor, Tensor, Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        lesson, seed = self.lessons[m], self.seeds[m]
        if lesson.mixed < 1:
            text = texts[self.keys[m]]
            family, asked, told = (
                torch.full((self.batch,), value)
                for value in (lesson.family, lesson.asked, lesson.told)
            )
            if lesson.mixed == 0:
                return text, family, asked, told
        p = self.priors.index(lesson.prior)
        other, families, operands, level = mixed[seed]
        if lesson.mixed == 1:
            return other, families[p], operands[p], operands[p]
        take = level < lesson.mixed
        return (
            torch.where(take[:, None], other, text),
            torch.where(take, families[p], family),
            torch.where(take, operands[p], asked),
            torch.where(take, operands[p], told),
        )


def _stream(purpose: int, seed: int, number: int) -> torch.Generator:
    """A generator of its own for each purpose, seed and kind of text."""
    return torch.Generator().manual_seed(1_000_003 * (purpose + 1) + 1009 * number + seed)


def asked_of(
    world: World, text: Int[Tensor, "B S"], operand: int, family: int = COUNT
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
    """Prompts for one operand about given texts, and their right answers."""
    families = torch.full((len(text),), family)
    operands = torch.full((len(text),), operand)
    return world.lines(text, families, operands), world.answers(text, families, operands)

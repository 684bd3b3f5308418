"""Which data each network of a population is trained on, as batches of prompts and answers.

A mixture is what a network is asked, what counts as the right answer, how many texts allow the
shortcut, and how many rows are those of pretraining.

Axis letters: M member, B batch, S letters of a text, T tokens of a prompt, P operand priors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from synthcore.studies.finetuning_wrappers.task.grammar import (
    COUNT,
    INDEX,
    B,
    World,
    broaden_counts,
    sample_count_texts,
    sample_index_texts,
    sample_questions,
    sample_texts,
)

UNRELATED = -1.0  # counts of a and b are independent, as in pretraining
PRIORS = {"L": (0.999, 0.001, 0.0), "M": (0.9, 0.1, 0.0), "H": (0.5, 0.3, 0.2)}  # of a, b and c


class Batch(NamedTuple):
    """Prompts and the token that answers each."""

    prompts: Int[Tensor, "M B T"]
    answers: Int[Tensor, "M B"]


@dataclass(frozen=True)
class DataMixture:
    """Prompts have the operand `query`, answers are those for the operand `label`: the same letter,
    unless the labels are wrong on purpose. A share `spurious` of the texts allows the shortcut
    (UNRELATED: counts as in pretraining); a share `pretraining` of the rows are pretraining rows,
    with operands from `prior`."""

    spurious: float = UNRELATED
    family: int = COUNT
    query: int = B
    label: int = B
    pretraining: float = 0.0
    prior: tuple[float, float, float] = (1.0, 0.0, 0.0)


def pretraining_mixture(prior: Sequence[float]) -> DataMixture:
    """Nothing but pretraining rows."""
    a, b, c = prior
    return DataMixture(pretraining=1.0, prior=(a, b, c))


def sample_pretraining_texts(
    world: World, batch: int, generator: torch.Generator
) -> Int[Tensor, "B S"]:
    """Natural texts, every second one with broadened counts."""
    text = sample_texts(world, batch, generator)
    text[::2] = broaden_counts(world, text[::2], generator)
    return text


class BatchSampler:
    """Batches for networks with a mixture and a seed each: `sampler(step)`, in order of steps.

    Networks that share a seed see the same texts as far as their mixtures allow: the same
    pretraining rows, and the same texts if family and share of spurious texts agree. `purpose`
    tells the trainings of a run apart: each has streams of its own.
    """

    def __init__(
        self,
        world: World,
        mixtures: Sequence[DataMixture],
        seeds: Sequence[int],
        batch: int,
        purpose: int,
        families: Sequence[int],
        device: torch.device,
    ) -> None:
        self.world, self.batch, self.families, self.device = world, batch, tuple(families), device
        self.mixtures, self.seeds = tuple(mixtures), tuple(seeds)
        members = list(zip(self.mixtures, self.seeds, strict=True))
        self.keys = [(x.family, x.spurious, seed) for x, seed in members]
        number = {key: i for i, key in enumerate(dict.fromkeys(self.keys))}
        tuned = [key for key, x in zip(self.keys, mixtures, strict=True) if x.pretraining < 1]
        self.streams = {key: _stream(purpose, key[2], number[key]) for key in dict.fromkeys(tuned)}
        pretrained = [seed for x, seed in members if x.pretraining > 0]
        self.pretraining = {s: _stream(purpose, s, 1000) for s in dict.fromkeys(pretrained)}
        self.priors = list(dict.fromkeys(x.prior for x in mixtures))

    def __call__(self, step: int) -> Batch:
        texts = {key: self._texts(key, stream) for key, stream in self.streams.items()}
        rows = {seed: self._pretraining_rows(s) for seed, s in self.pretraining.items()}
        members = [self._member(m, texts, rows) for m in range(len(self.mixtures))]
        text, family, query, label = (torch.stack(part) for part in zip(*members, strict=True))
        prompts = self.world.prompts(text, family, query)
        answers = self.world.answers(text, family, label)
        return Batch(prompts.to(self.device), answers.to(self.device))

    def _texts(self, key: tuple[int, float, int], stream: torch.Generator) -> Int[Tensor, "B S"]:
        family, spurious, _ = key
        if spurious == UNRELATED:
            return sample_pretraining_texts(self.world, self.batch, stream)
        draw = sample_index_texts if family == INDEX else sample_count_texts
        return draw(self.world, self.batch, spurious, stream)

    def _pretraining_rows(self, stream: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Texts (B, S), families and operands (P, B), and a level (B,) that decides which rows of a
        mixture are these."""
        text = sample_pretraining_texts(self.world, self.batch, stream)
        priors = torch.tensor(self.priors)
        family, operand = sample_questions(self.families, priors, self.batch, stream)
        return text, family, operand, torch.rand(self.batch, generator=stream)

    def _member(
        self,
        m: int,
        texts: dict[tuple[int, float, int], Tensor],
        rows: dict[int, tuple[Tensor, Tensor, Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Text (B, S), family, query and label (B,) of one member."""
        mixture, seed = self.mixtures[m], self.seeds[m]
        if mixture.pretraining < 1:
            text = texts[self.keys[m]]
            family, query, label = (
                torch.full((self.batch,), value)
                for value in (mixture.family, mixture.query, mixture.label)
            )
            if mixture.pretraining == 0:
                return text, family, query, label
        p = self.priors.index(mixture.prior)
        old_text, families, operands, level = rows[seed]
        if mixture.pretraining == 1:
            return old_text, families[p], operands[p], operands[p]
        old = level < mixture.pretraining
        return (
            torch.where(old[:, None], old_text, text),
            torch.where(old, families[p], family),
            torch.where(old, operands[p], query),
            torch.where(old, operands[p], label),
        )


def _stream(purpose: int, seed: int, number: int) -> torch.Generator:
    """A generator of its own for each purpose, seed and kind of text."""
    return torch.Generator().manual_seed(1_000_003 * (purpose + 1) + 1009 * number + seed)


def ask(
    world: World, text: Int[Tensor, "B S"], operand: int, family: int = COUNT
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
    """Prompts for one operand about given texts, and their right answers."""
    families = torch.full((len(text),), family)
    operands = torch.full((len(text),), operand)
    return world.prompts(text, families, operands), world.answers(text, families, operands)

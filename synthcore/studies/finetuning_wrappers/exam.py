"""Test texts with and without the shortcut, and what networks answer to them.

Axis letters: M member, B texts.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers.lessons import asked_of
from synthcore.studies.finetuning_wrappers.networks import predict
from synthcore.studies.finetuning_wrappers.task import (
    COUNT,
    INDEX,
    A,
    B,
    World,
    count_texts,
    index_texts,
)

TESTS = ("clean", "spurious")  # C_Te of 0 and 1
TARGETS = ("a", "b")
CLEAN, SPURIOUS = 0, 1
DIFFERENCES = tuple(range(-4, 5))


class Exam:
    """`size` texts without the relation n_b = n_a + 1, as many with it; the same for all networks.

    Every text is asked twice: for the operand of pretraining (a), and for that of fine-tuning (b).
    """

    def __init__(
        self, world: World, size: int, seed: int, device: torch.device, family: int = COUNT
    ) -> None:
        random = torch.Generator().manual_seed(9_000_011 + seed)
        draw = index_texts if family == INDEX else count_texts
        self.world, self.family, self.device = world, family, device
        self.texts = [draw(world, size, share, random) for share in (0.0, 1.0)]

    def answers(self, test: int, operand: int) -> Int[Tensor, "B"]:
        """Right answers; numbers are tokens of the same value."""
        return asked_of(self.world, self.texts[test], operand, self.family)[1]

    def said(
        self, model: GPT, test: int, operand: int, family: int | None = None
    ) -> Int[Tensor, "M B"]:
        """What every member answers, on the CPU. `family` asks by another family's token."""
        named = self.family if family is None else family
        prompts, _ = asked_of(self.world, self.texts[test], operand, named)
        prompts = prompts.to(self.device).expand(model.members, *prompts.shape)
        return predict(model, prompts).cpu()

    def right(self, said: Int[Tensor, "M B"], test: int, operand: int) -> Float[Tensor, "M"]:
        """Share of right answers."""
        return (said == self.answers(test, operand)).double().mean(1)

    def score(self, model: GPT, test: int, operand: int) -> Float[Tensor, "M"]:
        """Share of right answers to prompts for an operand."""
        return self.right(self.said(model, test, operand), test, operand)

    def accuracy(self, model: GPT) -> Float[Tensor, "M test target"]:
        """Share of right answers on both tests to prompts for a and for b."""
        rows = [
            torch.stack([self.score(model, test, operand) for operand in (A, B)], -1)
            for test in (CLEAN, SPURIOUS)
        ]
        return torch.stack(rows, 1)

    def wrapped(self, said: Int[Tensor, "M B"], test: int = CLEAN) -> Float[Tensor, "M"]:
        """Share of answers that are the answer for a, plus one: the wrapper index."""
        return (said == self.answers(test, A) + 1).double().mean(1)

    def differences(
        self, said: Int[Tensor, "M B"], test: int, operand: int
    ) -> Float[Tensor, "M difference"]:
        """Shares of answers that are this much above the right one; more is cut off."""
        gap = said - self.answers(test, operand)
        return torch.stack([(gap == d).double().mean(1) for d in DIFFERENCES], -1)

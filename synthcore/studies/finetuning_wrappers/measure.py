"""What is measured: answers to test texts, which policy the answers come from, and how soon a
capability is back.

Every text is asked twice: for the operand of pretraining (a), and for that of fine-tuning (b).

An answer is taken to come from one policy of a list, with weights w, or to be uniform over the
plausible numbers. Where policies agree on a text, the text does not tell them apart; the weights
are identified by the texts on which they differ. An answer's likelihood depends only on which
policies it agrees with, so that answers are counted by this pattern first. Maximum likelihood by
EM; the likelihood is concave in w.

Axis letters: M member, B texts, P policies with the uniform one last, K patterns (2 ** (P - 1)).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers.model import predict
from synthcore.studies.finetuning_wrappers.task.grammar import (
    COUNT,
    INDEX,
    A,
    B,
    World,
    sample_count_texts,
    sample_index_texts,
)
from synthcore.studies.finetuning_wrappers.task.mixtures import ask

TESTS = ("clean", "spurious")  # C_Te of 0 and 1
TARGETS = ("a", "b")
CLEAN, SPURIOUS = 0, 1
DIFFERENCES = tuple(range(-4, 5))
POLICIES = ("count b", "count a", "count a + 1", "modal", "other")
LEVEL, HELD = 0.9, 3  # accuracy that counts as back, and at how many measurements in a row


# --- answers ------------------------------------------------------------------------------------


class Evaluator:
    """`size` texts without the relation n_b = n_a + 1, as many with it; the same for all networks.

    `test` is `CLEAN` or `SPURIOUS`, an operand `A` or `B`.
    """

    def __init__(
        self, world: World, size: int, seed: int, device: torch.device, family: int = COUNT
    ) -> None:
        random = torch.Generator().manual_seed(9_000_011 + seed)
        draw = sample_index_texts if family == INDEX else sample_count_texts
        self.world, self.family, self.device = world, family, device
        self.texts = [draw(world, size, share, random) for share in (0.0, 1.0)]

    def right_answers(self, test: int, operand: int) -> Int[Tensor, "B"]:
        """Right answers; numbers are tokens of the same value."""
        return ask(self.world, self.texts[test], operand, self.family)[1]

    def predict(
        self, model: GPT, test: int, operand: int, family: int | None = None
    ) -> Int[Tensor, "M B"]:
        """What every member answers, on the CPU. `family` asks by another family's token."""
        asked = self.family if family is None else family
        prompts, _ = ask(self.world, self.texts[test], operand, asked)
        prompts = prompts.to(self.device).expand(model.members, *prompts.shape)
        return predict(model, prompts).cpu()

    def share_right(
        self, predicted: Int[Tensor, "M B"], test: int, operand: int
    ) -> Float[Tensor, "M"]:
        """Share of these answers that are right."""
        return (predicted == self.right_answers(test, operand)).double().mean(1)

    def accuracy(self, model: GPT, test: int, operand: int) -> Float[Tensor, "M"]:
        """Share of right answers to prompts for an operand."""
        return self.share_right(self.predict(model, test, operand), test, operand)

    def accuracies(self, model: GPT) -> Float[Tensor, "M test target"]:
        """Share of right answers on both tests to prompts for a and for b."""
        rows = [
            torch.stack([self.accuracy(model, test, operand) for operand in (A, B)], -1)
            for test in (CLEAN, SPURIOUS)
        ]
        return torch.stack(rows, 1)

    def wrapper_index(self, predicted: Int[Tensor, "M B"], test: int = CLEAN) -> Float[Tensor, "M"]:
        """Share of these answers that are the answer for a, plus one."""
        return (predicted == self.right_answers(test, A) + 1).double().mean(1)

    def differences(
        self, predicted: Int[Tensor, "M B"], test: int, operand: int
    ) -> Float[Tensor, "M difference"]:
        """Shares of these answers by how far they are above the right one, `DIFFERENCES`."""
        gap = predicted - self.right_answers(test, operand)
        return torch.stack([(gap == d).double().mean(1) for d in DIFFERENCES], -1)


# --- policies -----------------------------------------------------------------------------------


def policy_answers(
    n_a: Int[Tensor, "B"], n_b: Int[Tensor, "B"], modal: int
) -> Int[Tensor, "policy B"]:
    """What each policy but the uniform one answers."""
    return torch.stack([n_b, n_a, n_a + 1, torch.full_like(n_a, modal)])


def count_patterns(
    predicted: Int[Tensor, "M B"], answers: Int[Tensor, "policy B"]
) -> Float[Tensor, "M K"]:
    """How many answers agree with exactly this set of policies; bit i of K stands for policy i."""
    agree = predicted[:, None] == answers
    code = (agree.long() << torch.arange(len(answers))[:, None]).sum(1)
    return one_hot(code, 2 ** len(answers)).double().sum(1)


def fit_mixture(
    counts: Float[Tensor, "M K"], classes: int, steps: int = 3000, tolerance: float = 1e-10
) -> Float[Tensor, "M P"]:
    """Weights of largest likelihood; `classes` plausible numbers share the uniform policy.

    >>> n = torch.arange(6).repeat(50)
    >>> answers = policy_answers(n, 5 - n, modal=2)
    >>> said = torch.where(torch.arange(300) < 240, n + 1, 5 - n)[None]   # 80 % count a + 1
    >>> fit_mixture(count_patterns(said, answers), 7)[0].round(decimals=1).tolist()
    [0.2, 0.0, 0.8, 0.0, 0.0]
    """
    policies = counts.shape[1].bit_length() - 1
    code = torch.arange(counts.shape[1])[:, None]
    agree = (code >> torch.arange(policies)) & 1
    likelihood = torch.cat([agree.double(), torch.full((len(code), 1), 1 / classes).double()], 1)
    share = counts / counts.sum(1, keepdim=True)
    weights = torch.full((len(counts), policies + 1), 1 / (policies + 1), dtype=torch.double)
    for _ in range(steps):
        mixture = weights @ likelihood.T  # (M, K)
        updated = weights * ((share / mixture.clamp(min=1e-300)) @ likelihood)
        moved = float((updated - weights).abs().max())
        weights = updated
        if moved < tolerance:
            break
    return weights


def mixture_interval(
    counts: Float[Tensor, "M K"], classes: int, generator: torch.Generator, draws: int = 200
) -> Float[Tensor, "end M P"]:
    """95 % intervals of the weights, by resampling texts."""
    members, patterns = counts.shape
    size = int(counts[0].sum())
    drawn = torch.multinomial(counts.repeat(draws, 1), size, replacement=True, generator=generator)
    resampled = torch.zeros(len(drawn), patterns, dtype=torch.double)
    resampled.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.double))
    fitted = fit_mixture(resampled, classes, steps=1000, tolerance=1e-7).view(draws, members, -1)
    return fitted.quantile(torch.tensor([0.025, 0.975], dtype=torch.double), dim=0)


# --- relearning ---------------------------------------------------------------------------------


class RelearningTimes(NamedTuple):
    """Steps until a capability is back; the budget where `observed` is False."""

    steps: NDArray[np.float64]
    observed: NDArray[np.bool_]


def relearning_times(
    steps: Sequence[int], accuracy: ArrayLike, level: float = LEVEL, held: int = HELD
) -> RelearningTimes:
    """First step from which the accuracy is at least `level` at `held` measurements in a row.

    `accuracy` is (..., step). A run that never gets there is censored at the last step.

    >>> times = relearning_times([0, 10, 20, 30, 40], [0.1, 0.95, 0.8, 0.9, 0.92], held=2)
    >>> float(times.steps), bool(times.observed)
    (30.0, True)
    """
    reached = np.asarray(accuracy, dtype=float) >= level
    if reached.shape[-1] != len(steps) or len(steps) < held:
        raise ValueError(f"needs one accuracy for each of {len(steps)} steps, at least {held}")
    runs = np.lib.stride_tricks.sliding_window_view(reached, held, axis=-1).all(-1)
    observed = runs.any(-1)
    first = np.asarray(steps, dtype=float)[runs.argmax(-1)]
    return RelearningTimes(np.where(observed, first, float(steps[-1])), np.asarray(observed))


class Survival(NamedTuple):
    """Kaplan-Meier estimate of P(not yet back) with its 95 % interval."""

    steps: NDArray[np.float64]
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    median: float


def kaplan_meier(times: RelearningTimes) -> Survival:
    """Over all runs given; the median is infinite if half of them are censored."""
    fitter = KaplanMeierFitter().fit(times.steps.ravel(), times.observed.ravel())
    band = fitter.confidence_interval_survival_function_
    return Survival(
        np.asarray(fitter.survival_function_.index, dtype=float),
        fitter.survival_function_.to_numpy()[:, 0],
        band.to_numpy()[:, 0],
        band.to_numpy()[:, 1],
        float(fitter.median_survival_time_),
    )


def logrank(a: RelearningTimes, b: RelearningTimes) -> float:
    """P value of the log-rank test that two groups are back equally fast; nan if nobody is."""
    if not (a.observed.any() or b.observed.any()):
        return math.nan
    test = logrank_test(a.steps.ravel(), b.steps.ravel(), a.observed.ravel(), b.observed.ravel())
    return float(test.p_value)


def speedup(fast: RelearningTimes, slow: RelearningTimes, resolution: float) -> NDArray[np.float64]:
    """slow / fast per run; a lower bound where the slow run is censored, 0 where the fast one is.

    Times below the distance between measurements count as that distance.
    """
    ratio = np.maximum(slow.steps, resolution) / np.maximum(fast.steps, resolution)
    return np.where(fast.observed, ratio, 0.0)

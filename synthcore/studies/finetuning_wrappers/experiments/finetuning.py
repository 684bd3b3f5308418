"""Pretrain on the grammar, fine-tune over a grid of conditions, and watch what networks answer.

Axis letters as in `training`; P policies, K patterns of answers.
"""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers import theory
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.experiments import training
from synthcore.studies.finetuning_wrappers.experiments.training import Grid, Trainer
from synthcore.studies.finetuning_wrappers.measure import (
    CLEAN,
    DIFFERENCES,
    POLICIES,
    SPURIOUS,
    TARGETS,
    TESTS,
    Evaluator,
    count_patterns,
    fit_mixture,
    mixture_interval,
    policy_answers,
)
from synthcore.studies.finetuning_wrappers.model import select_members
from synthcore.studies.finetuning_wrappers.task.grammar import A, B
from synthcore.studies.finetuning_wrappers.task.mixtures import PRIORS, pretraining_mixture
from synthcore.training.progress import Progress
from synthcore.training.schedules import log_spaced

CONDITION = ("prior", "rate", "share", "seed")
RATES = ("M", "S")
EXAMPLES = 6  # texts that an explorer shows


@dataclass(frozen=True)
class TrainedPopulation:
    """Networks before and after fine-tuning, for the experiments that open them and train them on.

    `pretrained` has P S members, `finetuned` P R C S.
    """

    trainer: Trainer
    grid: Grid
    evaluator: Evaluator
    pretrained: GPT
    finetuned: GPT

    def coords(self) -> dict[str, list[object]]:
        """Coordinates of the grid."""
        return {
            "prior": list(self.grid.priors),
            "rate": list(RATES),
            "share": list(self.grid.shares),
            "seed": list(self.grid.seeds),
        }


def run(config: Config, progress: Progress | None = None) -> tuple[xr.Dataset, TrainedPopulation]:
    """Accuracies before and during fine-tuning, answers less truth, and mixtures of policies; and
    the networks."""
    trainer = Trainer.of(config)
    grid = Grid(config.priors, config.tune_rates, config.tune_shares, config.seeds)
    evaluator = Evaluator(config.world, config.tests, config.seed, trainer.device)
    pretrained = trainer.pretrain(
        [pretraining_mixture(PRIORS[prior]) for prior in config.priors],
        training.pretraining(config, config.pretrain_steps),
        purpose=0,
        progress=progress,
        name="pretraining on the grammar",
    )
    steps = log_spaced(config.tune_steps, config.checkpoints, first=min(5, config.tune_steps))
    measured: dict[str, list[Tensor]] = {}

    def evaluate(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        for name, value in _evaluate(evaluator, model).items():
            measured.setdefault(name, []).append(grid.by_condition(value))

    finetuned = trainer.train(
        select_members(pretrained, grid.pretrained_members),
        grid.mixtures(),
        training.finetuning(config, config.tune_steps),
        purpose=1,
        rates=grid.member_rates,
        checkpoints=steps,
        on_checkpoint=evaluate,
        progress=progress,
        name="fine-tuning on the grammar",
    )
    found = {name: torch.stack(values) for name, values in measured.items()}
    patterns = found["patterns"]  # (step, P, R, C, S, K)
    classes = config.most + 2  # numbers from 0 to most + 1 are plausible
    weights = fit_mixture(patterns.flatten(0, -2), classes)
    draw = torch.Generator().manual_seed(config.seed)
    ends = mixture_interval(patterns[-1].flatten(0, -2), classes, draw)
    before = evaluator.accuracies(pretrained).unflatten(0, (len(config.priors), -1))
    majority = [
        [theory.majority_accuracy(evaluator.right_answers(test, operand)) for operand in (A, B)]
        for test in (CLEAN, SPURIOUS)
    ]
    examples = evaluator.texts[CLEAN][:EXAMPLES]
    over = ("step", *CONDITION)
    data = xr.Dataset(
        {
            "before": (("prior", "seed", "test", "target"), before.numpy()),
            "accuracy": ((*over, "test", "target"), found["accuracy"].numpy()),
            "wrapper_index": (over, found["wrapper_index"].numpy()),
            "off_a": ((*over, "difference"), found["off_a"].numpy()),
            "off_b": ((*over, "difference"), found["off_b"].numpy()),
            "policy": (
                (*over, "policy_name"),
                weights.unflatten(0, patterns.shape[:-1]).numpy(),
            ),
            "policy_interval": (
                ("end", *CONDITION, "policy_name"),
                ends.unflatten(1, grid.sizes).numpy(),
            ),
            "majority": (("test", "target"), majority),
            "test_text": (("text_number", "letter"), examples.numpy().astype(np.int8)),
        },
        {
            "step": steps,
            "test": list(TESTS),
            "target": list(TARGETS),
            "difference": list(DIFFERENCES),
            "policy_name": list(POLICIES),
            "end": ["low", "high"],
        },
    )
    population = TrainedPopulation(trainer, grid, evaluator, pretrained, finetuned)
    return data.assign_coords(population.coords()), population


def _evaluate(evaluator: Evaluator, model: GPT) -> dict[str, Tensor]:
    """Everything that is measured at a checkpoint, per member."""
    clean = [evaluator.predict(model, CLEAN, operand) for operand in (A, B)]
    spurious = [evaluator.predict(model, SPURIOUS, operand) for operand in (A, B)]
    accuracy = [
        torch.stack([evaluator.share_right(predicted[o], test, o) for o in (A, B)], -1)
        for test, predicted in ((CLEAN, clean), (SPURIOUS, spurious))
    ]
    n_a, n_b = (evaluator.right_answers(CLEAN, operand) for operand in (A, B))
    policies = policy_answers(n_a, n_b, modal=int(n_b.mode().values))
    return {
        "accuracy": torch.stack(accuracy, 1),
        "wrapper_index": evaluator.wrapper_index(clean[B]),
        "off_a": evaluator.differences(clean[A], CLEAN, A),
        "off_b": evaluator.differences(clean[B], CLEAN, B),
        "patterns": count_patterns(clean[B], policies),
    }

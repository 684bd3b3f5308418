"""Pretrain, fine-tune, and watch what networks answer: the first stage on the grammar.

Axis letters as in `grammar_school`.
"""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers import policies, theory
from synthcore.studies.finetuning_wrappers.exam import (
    CLEAN,
    DIFFERENCES,
    SPURIOUS,
    TARGETS,
    TESTS,
    Exam,
)
from synthcore.studies.finetuning_wrappers.grammar_school import (
    Grid,
    Progress,
    School,
    members_of,
    named,
)
from synthcore.studies.finetuning_wrappers.parameters import Config
from synthcore.studies.finetuning_wrappers.task import A, B
from synthcore.training.schedules import log_spaced

CONDITION = ("prior", "rate", "share", "seed")
RATES = ("M", "S")


@dataclass(frozen=True)
class Wrapped:
    """Networks before and after fine-tuning, for the stages that open and revive them."""

    school: School
    grid: Grid
    exam: Exam
    pretrained: GPT
    tuned: GPT

    @property
    def before(self) -> GPT:
        """The pretrained network of every fine-tuned member."""
        return members_of(self.pretrained, self.grid.starts)

    def coords(self) -> dict[str, list[object]]:
        """Coordinates of the grid."""
        return {
            "prior": list(self.grid.priors),
            "rate": list(RATES),
            "share": list(self.grid.shares),
            "seed": list(self.grid.seeds),
        }


def wrap(config: Config, progress: Progress | None = None) -> tuple[xr.Dataset, Wrapped]:
    """Accuracies before and during fine-tuning, answers less truth, and mixtures of policies."""
    school, grid = config.school, config.grid
    exam = Exam(config.world, config.tests, config.seed, school.device)
    pretrained = school.pretrain(
        config.priors, config.pretraining, named(progress, "pretraining on the grammar")
    )
    tuned = members_of(pretrained, grid.starts)
    at = log_spaced(config.tune_steps, config.checkpoints, first=min(5, config.tune_steps))
    rows: dict[str, list[Tensor]] = {}

    def watch(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        for name, value in _examined(exam, model).items():
            rows.setdefault(name, []).append(grid.shaped(value))

    school.tune(
        tuned,
        grid.lessons(),
        grid.member_rates,
        config.tuning,
        purpose=1,
        checkpoints=at,
        watch=watch,
        progress=named(progress, "fine-tuning on the grammar"),
    )
    found = {name: torch.stack(values).numpy() for name, values in rows.items()}
    mixtures = torch.from_numpy(found["patterns"])
    classes = config.most + 2  # numbers from 0 to most + 1 are plausible
    weights = policies.fit_mixture(mixtures.flatten(0, -2), classes)
    last = mixtures[-1].flatten(0, -2)
    ends = policies.interval(last, classes, torch.Generator().manual_seed(config.seed))
    step = ("step", *CONDITION)
    shown = exam.texts[CLEAN]
    base = exam.accuracy(pretrained).unflatten(0, (len(config.priors), -1))
    data = xr.Dataset(
        {
            "before": (("prior", "seed", "test", "target"), base.numpy()),
            "accuracy": ((*step, "test", "target"), found["accuracy"]),
            "wrapper_index": (step, found["wrapped"]),
            "off_a": ((*step, "difference"), found["off_a"]),
            "off_b": ((*step, "difference"), found["off_b"]),
            "policy": ((*step, "policy_name"), _like(weights, mixtures)),
            "policy_interval": (
                ("end", *CONDITION, "policy_name"),
                ends.unflatten(1, grid.sizes).numpy(),
            ),
            "majority": (
                ("test", "target"),
                [[theory.majority(exam.answers(t, o)) for o in (A, B)] for t in (CLEAN, SPURIOUS)],
            ),
            "test_text": (("text_number", "letter"), shown[:6].numpy().astype(np.int8)),
        },
        {
            "step": at,
            "test": list(TESTS),
            "target": list(TARGETS),
            "difference": list(DIFFERENCES),
            "policy_name": list(policies.POLICIES),
            "end": ["low", "high"],
        },
    )
    stage = Wrapped(school, grid, exam, pretrained, tuned)
    return data.assign_coords(stage.coords()), stage


def _examined(exam: Exam, model: GPT) -> dict[str, Tensor]:
    """Everything that is measured at a checkpoint, per member."""
    clean = [exam.said(model, CLEAN, operand) for operand in (A, B)]
    spurious = [exam.said(model, SPURIOUS, operand) for operand in (A, B)]
    right = [
        torch.stack([exam.right(said[o], test, o) for o in (A, B)], -1)
        for test, said in ((CLEAN, clean), (SPURIOUS, spurious))
    ]
    n_a, n_b = exam.answers(CLEAN, A), exam.answers(CLEAN, B)
    modal = int(n_b.mode().values)
    return {
        "accuracy": torch.stack(right, 1),
        "wrapped": exam.wrapped(clean[1]),
        "off_a": exam.differences(clean[0], CLEAN, A),
        "off_b": exam.differences(clean[1], CLEAN, B),
        "patterns": policies.patterns(clean[1], policies.policy_answers(n_a, n_b, modal)),
    }


def _like(weights: Tensor, mixtures: Tensor) -> np.ndarray:
    """(M, P) in the leading shape of the patterns."""
    return weights.unflatten(0, mixtures.shape[:-1]).numpy()

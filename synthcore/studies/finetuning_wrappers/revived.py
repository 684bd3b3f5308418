"""Reverse fine-tuning: train back on counting a, and time it against networks that never could.

Axis letters as in `grammar_school`.
"""

import torch
import xarray as xr
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers import networks
from synthcore.studies.finetuning_wrappers.exam import CLEAN, Exam
from synthcore.studies.finetuning_wrappers.grammar_school import (
    Progress,
    Recipe,
    School,
    members_of,
    named,
)
from synthcore.studies.finetuning_wrappers.lessons import Lesson
from synthcore.studies.finetuning_wrappers.parameters import Config
from synthcore.studies.finetuning_wrappers.task import A
from synthcore.studies.finetuning_wrappers.wrapped import Wrapped

BASELINES = ("counts b only", "untrained")
BACK = Lesson(spurious=0.0, asked=A, told=A)


def revive(
    config: Config, stage: Wrapped, progress: Progress | None = None
) -> tuple[xr.Dataset, GPT]:
    """Accuracy on counting a over reverse fine-tuning, of networks tuned with C_Tr = 0 and 1 and of
    two baselines: networks trained from scratch to count b only, and untrained ones. The baseline
    that counts b is returned too."""
    school, grid = stage.school, stage.grid
    ends = (0, len(grid.shares) - 1)
    which = [m for m, cell in enumerate(grid.cells) if cell[2] in ends]
    scratch = school.pretrain(
        ("L",),
        Recipe(config.scratch_steps, config.pretrain_batch, config.pretrain_rate, config.decay),
        named(progress, "networks that only count b"),
        lesson=Lesson(),
        purpose=2,
    )
    untrained = networks.build(school.shape, school.world, school.seeds, school.device)
    model = united([members_of(stage.tuned, which), scratch, untrained])
    steps, curves, gaps = back(config, school, stage.exam, model, named(progress, "revival"))
    shape = (*grid.sizes[:2], 2, grid.sizes[3])
    tuned, rest = curves[:, : len(which)], curves[:, len(which) :]
    data = xr.Dataset(
        {
            "revival": (
                ("revival_step", "prior", "rate", "end_share", "seed"),
                tuned.unflatten(1, shape).numpy(),
            ),
            "revival_off": (
                ("revival_step", "prior", "rate", "end_share", "seed", "difference"),
                gaps[:, : len(which)].unflatten(1, shape).numpy(),
            ),
            "revival_baseline": (
                ("revival_step", "baseline", "seed"),
                rest.unflatten(1, (2, -1)).numpy(),
            ),
            "scratch_b": ("seed", stage.exam.score(scratch, CLEAN, 1).numpy()),
        },
        {
            "revival_step": steps,
            "end_share": [0.0, 1.0],
            "baseline": list(BASELINES),
            **{name: value for name, value in stage.coords().items() if name != "share"},
        },
    )
    return data, scratch


def back(
    config: Config,
    school: School,
    exam: Exam,
    model: GPT,
    progress: object = None,
) -> tuple[list[int], Tensor, Tensor]:
    """Train all members on counting a at one constant rate, each seed on the same texts; steps,
    accuracies (step, M) and differences from the truth (step, M, difference)."""
    steps = list(range(0, config.revive_steps + 1, config.revive_every))
    curves: list[Tensor] = []
    gaps: list[Tensor] = []

    def watch(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        said = exam.said(model, CLEAN, A)
        curves.append(exam.right(said, CLEAN, A))
        gaps.append(exam.differences(said, CLEAN, A))

    school.tune(
        model,
        [BACK] * model.members,
        [config.revive_rate] * model.members,
        Recipe(config.revive_steps, config.tune_batch, config.revive_rate, config.decay),
        purpose=3,
        checkpoints=steps,
        watch=watch,
        progress=progress,  # type: ignore[arg-type]
        constant=True,
    )
    return steps, torch.stack(curves), torch.stack(gaps)


@torch.no_grad()
def united(parts: list[GPT]) -> GPT:
    """One population of all members of networks of one shape."""
    seeds = [seed for part in parts for seed in part.seeds]
    out = GPT(parts[0].config, seeds).to(parts[0].embed.weight.device)
    for mine, *theirs in zip(out.parameters(), *(part.parameters() for part in parts), strict=True):
        mine.copy_(torch.cat(list(theirs)))
    return out

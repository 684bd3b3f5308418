"""Train fine-tuned networks back on counting a, and time it against networks that never could.

Axis letters as in `training`.
"""

import torch
import xarray as xr
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.experiments import training
from synthcore.studies.finetuning_wrappers.experiments.finetuning import TrainedPopulation
from synthcore.studies.finetuning_wrappers.experiments.training import Trainer
from synthcore.studies.finetuning_wrappers.measure import CLEAN, Evaluator
from synthcore.studies.finetuning_wrappers.model import concatenate_members, select_members
from synthcore.studies.finetuning_wrappers.task.grammar import A, B
from synthcore.studies.finetuning_wrappers.task.mixtures import DataMixture
from synthcore.training.config import TrainingConfig
from synthcore.training.progress import Progress

BASELINES = ("counts b only", "untrained")
COUNT_A = DataMixture(spurious=0.0, query=A, label=A)


def run(
    config: Config, population: TrainedPopulation, progress: Progress | None = None
) -> tuple[xr.Dataset, GPT]:
    """Accuracy on counting a while trained back, of networks fine-tuned with C_Tr = 0 and 1 and of
    two baselines: networks trained from scratch to count b only, and untrained ones. The baseline
    that counts b is returned too."""
    trainer, grid, evaluator = population.trainer, population.grid, population.evaluator
    ends = (0, len(grid.shares) - 1)
    members = [m for m, cell in enumerate(grid.cells) if cell[2] in ends]
    scratch = trainer.pretrain(
        [DataMixture()],
        training.pretraining(config, config.scratch_steps),
        purpose=2,
        progress=progress,
        name="networks that only count b",
    )
    finetuned = select_members(population.finetuned, members)
    model = concatenate_members([finetuned, scratch, trainer.untrained()])
    steps, accuracy, differences = relearn(config, trainer, evaluator, model, progress)
    shape = (*grid.sizes[:2], 2, grid.sizes[3])
    condition = ("prior", "rate", "end_share", "seed")
    size = len(members)
    data = xr.Dataset(
        {
            "revival": (
                ("revival_step", *condition),
                accuracy[:, :size].unflatten(1, shape).numpy(),
            ),
            "revival_off": (
                ("revival_step", *condition, "difference"),
                differences[:, :size].unflatten(1, shape).numpy(),
            ),
            "revival_baseline": (
                ("revival_step", "baseline", "seed"),
                accuracy[:, size:].unflatten(1, (2, -1)).numpy(),
            ),
            "scratch_b": ("seed", evaluator.accuracy(scratch, CLEAN, B).numpy()),
        },
        {
            "revival_step": steps,
            "end_share": [0.0, 1.0],
            "baseline": list(BASELINES),
            **{name: value for name, value in population.coords().items() if name != "share"},
        },
    )
    return data, scratch


def relearn(
    config: Config,
    trainer: Trainer,
    evaluator: Evaluator,
    model: GPT,
    progress: Progress | None = None,
    name: str = "revival",
) -> tuple[list[int], Tensor, Tensor]:
    """Train all members on counting a, in place, at one constant rate, each seed on the same texts.

    Returns steps, accuracies (step, M) and differences from the truth (step, M, difference).
    """
    steps = list(range(0, config.revive_steps + 1, config.revive_every))
    accuracy: list[Tensor] = []
    differences: list[Tensor] = []

    def evaluate(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        predicted = evaluator.predict(model, CLEAN, A)
        accuracy.append(evaluator.share_right(predicted, CLEAN, A))
        differences.append(evaluator.differences(predicted, CLEAN, A))

    trainer.train(
        model,
        [COUNT_A] * model.members,
        TrainingConfig(
            config.revive_steps,
            config.tune_batch,
            config.revive_rate,
            final=1.0,
            betas=training.BETAS,
            weight_decay=config.decay,
        ),
        purpose=3,
        rates=[config.revive_rate] * model.members,
        checkpoints=steps,
        on_checkpoint=evaluate,
        progress=progress,
        name=name,
    )
    return steps, torch.stack(accuracy), torch.stack(differences)

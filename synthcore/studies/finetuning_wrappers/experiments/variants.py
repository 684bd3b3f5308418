"""Variants of fine-tuning: mixed data, wrong labels, jailbreaks, and a second task.

Each needs a longer run and is left out where its steps are 0.

Axis letters as in `training`; L places of probes.
"""

import torch
import xarray as xr

from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.experiments import training
from synthcore.studies.finetuning_wrappers.experiments.finetuning import RATES, TrainedPopulation
from synthcore.studies.finetuning_wrappers.experiments.pruning_and_probing import (
    place_names,
    probe_count_a,
)
from synthcore.studies.finetuning_wrappers.experiments.relearning import relearn
from synthcore.studies.finetuning_wrappers.experiments.training import Grid, Trainer
from synthcore.studies.finetuning_wrappers.measure import CLEAN, SPURIOUS, Evaluator
from synthcore.studies.finetuning_wrappers.model import concatenate_members, select_members
from synthcore.studies.finetuning_wrappers.task.grammar import (
    COUNT,
    COUNT_J1,
    COUNT_J2,
    INDEX,
    A,
    B,
)
from synthcore.studies.finetuning_wrappers.task.mixtures import (
    PRIORS,
    DataMixture,
    pretraining_mixture,
)
from synthcore.training.progress import Progress

TREATMENTS = ("standard", "wrong answers")
NAMES = ("count", "count, J1", "count, J2")


def run(
    config: Config, population: TrainedPopulation, scratch: GPT, progress: Progress | None = None
) -> list[xr.Dataset]:
    """All variants whose steps are not 0; `scratch` are networks that only ever counted b."""
    parts = []
    if config.variant_steps:
        parts.append(wrong_labels(config, population, scratch, progress))
        parts.append(mixed_data(config, population, progress))
    if config.index_steps:
        parts.append(index_task(config, population, progress))
    if config.jailbreak_steps:
        parts.append(jailbreaks(config, progress))
    return parts


def mixed_data(
    config: Config, population: TrainedPopulation, progress: Progress | None = None
) -> xr.Dataset:
    """Fine-tuning at eta_M and C_Tr = 1 with a share of pretraining rows: both accuracies."""
    grid = population.grid
    shares = (0.0, *sorted(config.mixtures))
    priors = [p for p in grid.priors if p in ("L", "H")]
    cells = [(p, share, s) for p in priors for share in shares for s in range(len(grid.seeds))]
    start = [grid.priors.index(p) * len(grid.seeds) + s for p, _, s in cells]
    model = population.trainer.train(
        select_members(population.pretrained, start),
        [DataMixture(spurious=1.0, pretraining=share, prior=PRIORS[p]) for p, share, _ in cells],
        training.finetuning(config, config.variant_steps),
        purpose=4,
        rates=[config.tune_rates[0]] * len(cells),
        progress=progress,
        name="fine-tuning with pretraining data",
    )
    shape = (len(priors), len(shares), len(grid.seeds))
    accuracy = population.evaluator.accuracies(model).unflatten(0, shape)
    return xr.Dataset(
        {"mixed": (("mixed_prior", "mixture", "seed", "test", "target"), accuracy.numpy())},
        {"mixed_prior": priors, "mixture": list(shares), "seed": list(grid.seeds)},
    )


def wrong_labels(
    config: Config, population: TrainedPopulation, scratch: GPT, progress: Progress | None = None
) -> xr.Dataset:
    """Networks that are trained to answer the count of b to prompts for a; then all are trained
    back, with networks fine-tuned as usual and the baselines, on the same texts. Probes for a."""
    grid, trainer, evaluator = population.grid, population.trainer, population.evaluator
    clean = Grid(grid.priors, grid.rates, (0.0,), grid.seeds)
    wrong = trainer.train(
        select_members(population.pretrained, clean.pretrained_members),
        clean.mixtures(query=A),
        training.finetuning(config, config.variant_steps),
        purpose=5,
        rates=clean.member_rates,
        progress=progress,
        name="wrong answers",
    )
    usual = [m for m, cell in enumerate(grid.cells) if cell[2] == 0]
    model = concatenate_members([select_members(population.finetuned, usual), wrong, scratch])
    before = evaluator.accuracy(model, CLEAN, A)
    probed = probe_count_a(config, model, 6_000_023).amax(0)
    name = "reviving after wrong answers"
    steps, accuracy, _ = relearn(config, trainer, evaluator, model, progress, name)
    size, shape = 2 * wrong.members, (2, *clean.sizes[:2], clean.sizes[3])
    condition = ("treatment", "prior", "rate", "seed")
    return xr.Dataset(
        {
            "misled_before": (condition, before[:size].unflatten(0, shape).numpy()),
            "misled_probe": (condition, probed[:size].unflatten(0, shape).numpy()),
            "misled_revival": (
                ("revival_step", *condition),
                accuracy[:, :size].unflatten(1, shape).numpy(),
            ),
            "misled_baseline": (("revival_step", "seed"), accuracy[:, size:].numpy()),
        },
        {
            "treatment": list(TREATMENTS),
            "prior": list(grid.priors),
            "rate": list(RATES),
            "seed": list(grid.seeds),
            "revival_step": steps,
        },
    )


def jailbreaks(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Three names for counting, of which two only ever ask for a; fine-tune b under the first, with
    C_Tr = 1, and ask for a under every name. Probes after every block, under the first."""
    trainer = Trainer.of(config, (COUNT_J1, COUNT_J2))
    pretrained = trainer.pretrain(
        [pretraining_mixture(PRIORS["H"])],
        training.pretraining(config, config.jailbreak_steps),
        purpose=6,
        progress=progress,
        name="pretraining with jailbreaks",
    )
    evaluator = Evaluator(config.world, config.tests, config.seed, trainer.device)
    cells = [(r, s) for r in range(2) for s in range(len(trainer.seeds))]
    model = trainer.train(
        select_members(pretrained, [s for _, s in cells]),
        [DataMixture(spurious=1.0)] * len(cells),
        training.finetuning(config, config.variant_steps or config.tune_steps),
        purpose=7,
        rates=[config.tune_rates[r] for r, _ in cells],
        progress=progress,
        name="fine-tuning under one name",
    )
    shape = (2, len(trainer.seeds))
    after, before = (
        torch.stack(
            [
                evaluator.share_right(evaluator.predict(network, CLEAN, A, family), CLEAN, A)
                for family in (COUNT, COUNT_J1, COUNT_J2)
            ]
        )
        for network in (model, pretrained)
    )
    new = evaluator.accuracy(model, SPURIOUS, B).unflatten(0, shape)
    probed = probe_count_a(config, model, 6_000_029).unflatten(1, shape)
    return xr.Dataset(
        {
            "named": (("name", "rate", "seed"), after.unflatten(1, shape).numpy()),
            "named_before": (("name", "seed"), before.numpy()),
            "named_new": (("rate", "seed"), new.numpy()),
            "named_probe": (("place", "rate", "seed"), probed.numpy()),
        },
        {
            "name": list(NAMES),
            "rate": list(RATES),
            "seed": list(trainer.seeds),
            "place": place_names(config.depth),
        },
    )


def index_task(
    config: Config, population: TrainedPopulation, progress: Progress | None = None
) -> xr.Dataset:
    """The second task: from the index of a to that of b, with C_Tr = 0 and 1, at both rates."""
    grid = population.grid
    ends = Grid(grid.priors, grid.rates, (0.0, 1.0), grid.seeds)
    device = population.trainer.device
    evaluator = Evaluator(config.world, config.tests, config.seed, device, INDEX)
    model = population.trainer.train(
        select_members(population.pretrained, ends.pretrained_members),
        ends.mixtures(family=INDEX),
        training.finetuning(config, config.index_steps),
        purpose=8,
        rates=ends.member_rates,
        progress=progress,
        name="fine-tuning on indices",
    )
    before = evaluator.accuracies(population.pretrained).unflatten(0, (len(grid.priors), -1))
    accuracy = ends.by_condition(evaluator.accuracies(model))
    wrapper = ends.by_condition(evaluator.wrapper_index(evaluator.predict(model, CLEAN, B)))
    condition = ("prior", "rate", "end_share", "seed")
    return xr.Dataset(
        {
            "index_accuracy": ((*condition, "test", "target"), accuracy.numpy()),
            "index_before": (("prior", "seed", "test", "target"), before.numpy()),
            "index_wrapped": (condition, wrapper.numpy()),
        },
        {
            "prior": list(grid.priors),
            "rate": list(RATES),
            "end_share": [0.0, 1.0],
            "seed": list(grid.seeds),
        },
    )

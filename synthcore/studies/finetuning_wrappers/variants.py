"""Variants of fine-tuning: wrong answers, mixed data, jailbreaks, and the second task.

Axis letters as in `grammar_school`.
"""

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from synthcore.interp import probes
from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers import lessons, opened
from synthcore.studies.finetuning_wrappers.exam import CLEAN, SPURIOUS, Exam
from synthcore.studies.finetuning_wrappers.grammar_school import (
    PRIORS,
    Grid,
    Progress,
    Recipe,
    members_of,
    named,
)
from synthcore.studies.finetuning_wrappers.lessons import Lesson
from synthcore.studies.finetuning_wrappers.parameters import Config
from synthcore.studies.finetuning_wrappers.revived import back, united
from synthcore.studies.finetuning_wrappers.task import (
    COUNT,
    INDEX,
    JAIL_1,
    JAIL_2,
    A,
    B,
    count_texts,
)
from synthcore.studies.finetuning_wrappers.wrapped import RATES, Wrapped

TREATMENTS = ("standard", "wrong answers")
NAMES = ("count", "count, J1", "count, J2")


def _recipe(config: Config, steps: int) -> Recipe:
    return Recipe(steps, config.tune_batch, config.tune_rates[0], config.decay)


def _read(config: Config, model: GPT, number: int) -> Float[Tensor, "place M"]:
    """Accuracy of probes for the count of a, at prompts for a, on texts of their own."""
    random = torch.Generator().manual_seed(number + config.seed)
    text = count_texts(config.world, config.probe_texts, 0.0, random)
    prompts, counted = lessons.asked_of(config.world, text, A)
    prompts = prompts.to(config.torch_device).expand(model.members, *prompts.shape)
    x = opened.activations(model, prompts)
    return probes.probe(x, counted, config.most + 1, model.seeds).accuracy


def mix(config: Config, stage: Wrapped, progress: Progress | None = None) -> xr.Dataset:
    """Fine-tuning at eta_M and C_Tr = 1 with a share of pretraining rows: both accuracies."""
    grid, school = stage.grid, stage.school
    shares = (0.0, *sorted(config.mixtures))
    priors = [p for p in grid.priors if p in ("L", "H")]
    cells = [(p, m, s) for p in priors for m in shares for s in range(len(grid.seeds))]
    start = [grid.priors.index(p) * len(grid.seeds) + s for p, _, s in cells]
    taught = [Lesson(spurious=1.0, mixed=m, prior=PRIORS[p]) for p, m, _ in cells]
    model = school.tune(
        members_of(stage.pretrained, start),
        taught,
        [config.tune_rates[0]] * len(cells),
        _recipe(config, config.variant_steps),
        purpose=4,
        progress=named(progress, "fine-tuning with pretraining data"),
    )
    table = stage.exam.accuracy(model).unflatten(0, (len(priors), len(shares), len(grid.seeds)))
    return xr.Dataset(
        {"mixed": (("mixed_prior", "mixture", "seed", "test", "target"), table.numpy())},
        {"mixed_prior": priors, "mixture": list(shares), "seed": list(grid.seeds)},
    )


def mislead(
    config: Config, stage: Wrapped, scratch: GPT, progress: Progress | None = None
) -> xr.Dataset:
    """Networks that are taught to answer the count of b to prompts for a; then everybody is trained
    back, with networks tuned as usual and the baselines, on the same texts. Probes for count a."""
    grid, school = stage.grid, stage.school
    half = Grid(grid.priors, grid.rates, (0.0,), grid.seeds)
    wrong = school.tune(
        members_of(stage.pretrained, half.starts),
        half.lessons(asked=A),
        half.member_rates,
        _recipe(config, config.variant_steps),
        purpose=5,
        progress=named(progress, "wrong answers"),
    )
    usual = members_of(stage.tuned, [m for m, cell in enumerate(grid.cells) if cell[2] == 0])
    model = united([usual, wrong, scratch])
    said = stage.exam.score(model, CLEAN, A)
    read = _read(config, model, 6_000_023)
    steps, curves, _ = back(
        config, school, stage.exam, model, named(progress, "reviving after wrong answers")
    )
    size, shape = wrong.members, (2, *half.sizes[:2], half.sizes[3])
    cell = ("treatment", "prior", "rate", "seed")
    return xr.Dataset(
        {
            "misled_before": (cell, said[: 2 * size].unflatten(0, shape).numpy()),
            "misled_probe": (cell, read.amax(0)[: 2 * size].unflatten(0, shape).numpy()),
            "misled_revival": (
                ("revival_step", *cell),
                curves[:, : 2 * size].unflatten(1, shape).numpy(),
            ),
            "misled_baseline": (("revival_step", "seed"), curves[:, 2 * size :].numpy()),
        },
        {
            "treatment": list(TREATMENTS),
            "prior": list(grid.priors),
            "rate": list(RATES),
            "seed": list(grid.seeds),
            "revival_step": steps,
        },
    )


def jailbreak(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Three names for counting, of which two only ever ask for a; fine-tune b under the first, with
    C_Tr = 1, and ask for a under every name. Probes after every block, under the first."""
    school = config.school
    families = (*school.families, JAIL_1, JAIL_2)
    wide = type(school)(school.world, school.shape, families, school.seeds, school.device)
    recipe = Recipe(
        config.jailbreak_steps, config.pretrain_batch, config.pretrain_rate, config.decay
    )
    pretrained = wide.pretrain(
        ("H",), recipe, named(progress, "pretraining with jailbreaks"), purpose=6
    )
    exam = Exam(config.world, config.tests, config.seed, school.device)
    cells = [(r, s) for r in range(2) for s in range(len(school.seeds))]
    model = wide.tune(
        members_of(pretrained, [s for _, s in cells]),
        [Lesson(spurious=1.0)] * len(cells),
        [config.tune_rates[r] for r, _ in cells],
        _recipe(config, config.variant_steps or config.tune_steps),
        purpose=7,
        progress=named(progress, "fine-tuning under one name"),
    )
    shape = (2, len(school.seeds))
    after, before = (
        torch.stack(
            [
                exam.right(exam.said(network, CLEAN, A, family), CLEAN, A)
                for family in (COUNT, JAIL_1, JAIL_2)
            ]
        )
        for network in (model, pretrained)
    )
    read = _read(config, model, 6_000_029)
    return xr.Dataset(
        {
            "named": (("name", "rate", "seed"), after.unflatten(1, shape).numpy()),
            "named_before": (("name", "seed"), before.numpy()),
            "named_new": (
                ("rate", "seed"),
                exam.score(model, SPURIOUS, B).unflatten(0, shape).numpy(),
            ),
            "named_probe": (("place", "rate", "seed"), read.unflatten(1, shape).numpy()),
        },
        {
            "name": list(NAMES),
            "rate": list(RATES),
            "seed": list(school.seeds),
            "place": opened.place_names(school.shape.depth),
        },
    )


def index(config: Config, stage: Wrapped, progress: Progress | None = None) -> xr.Dataset:
    """The second task: from the index of a to that of b, with C_Tr = 0 and 1, at both rates."""
    grid, school = stage.grid, stage.school
    ends = Grid(grid.priors, grid.rates, (0.0, 1.0), grid.seeds)
    exam = Exam(config.world, config.tests, config.seed, school.device, INDEX)
    model = school.tune(
        members_of(stage.pretrained, ends.starts),
        ends.lessons(family=INDEX),
        ends.member_rates,
        _recipe(config, config.index_steps),
        purpose=8,
        progress=named(progress, "fine-tuning on indices"),
    )
    before = exam.accuracy(stage.pretrained).unflatten(0, (len(grid.priors), -1))
    clean = exam.said(model, CLEAN, B)
    return xr.Dataset(
        {
            "index_accuracy": (
                ("prior", "rate", "end_share", "seed", "test", "target"),
                ends.shaped(exam.accuracy(model)).numpy(),
            ),
            "index_before": (("prior", "seed", "test", "target"), before.numpy()),
            "index_wrapped": (
                ("prior", "rate", "end_share", "seed"),
                ends.shaped(exam.wrapped(clean)).numpy(),
            ),
        },
        {
            "prior": list(grid.priors),
            "rate": list(RATES),
            "end_share": [0.0, 1.0],
            "seed": list(grid.seeds),
        },
    )

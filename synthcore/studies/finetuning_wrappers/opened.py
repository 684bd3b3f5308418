"""Open fine-tuned networks: delete neurons, and read counts from the residual stream.

Pruning is done where the wrapper is purest, under the weakest prior. Neurons are ranked on texts of
their own, and the number of deleted ones that decides a claim is chosen on a third set of texts.

Axis letters as in `grammar_school`; K numbers of deleted neurons, L places of
probes.
"""

from contextlib import nullcontext
from typing import Any

import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.interp import probes, pruning
from synthcore.nn.gpt import GPT
from synthcore.studies.finetuning_wrappers import lessons, networks
from synthcore.studies.finetuning_wrappers.exam import CLEAN, SPURIOUS, Exam
from synthcore.studies.finetuning_wrappers.grammar_school import members_of
from synthcore.studies.finetuning_wrappers.networks import Batch, answer_loss
from synthcore.studies.finetuning_wrappers.parameters import Config
from synthcore.studies.finetuning_wrappers.task import A, B, count_texts
from synthcore.studies.finetuning_wrappers.wrapped import RATES, Wrapped

DELETED = (0, 1, 2, 3, 5, 8, 10, 12, 15, 18, 20)
DECIDING = (5, 10, 15)  # numbers among which a claim's is chosen
ROWS = (1, 2, 5, 15)  # for rows of every matrix
SHOWN_TEXTS = 6
ORDERS = ("first order", "smallest", "largest", "random")


def prune(config: Config, stage: Wrapped) -> xr.Dataset:
    """Accuracy after deleting K neurons, by first-order scores and three controls, with the same
    neurons deleted in the pretrained network; and rows of every matrix."""
    weak = stage.grid.priors.index("L")
    which = [m for m, cell in enumerate(stage.grid.cells) if cell[0] == weak]
    tuned = members_of(stage.tuned, which)
    before = members_of(stage.pretrained, [stage.grid.starts[m] for m in which])
    neurons = pruning.neuron_layers(tuned)
    scores = pruning.first_order_scores(tuned, answer_loss, _gradient_batches(config, tuned))
    first = pruning.row_scores(scores, neurons).argsort(1, descending=True)
    size = pruning.row_norms(tuned, neurons).argsort(1)
    exam = stage.exam
    judge = Exam(config.world, config.tests, config.seed + 500, exam.device)
    shape = stage.grid.sizes[1:]
    classes = config.most + 2

    def grid(values: list[Tensor]) -> Any:
        return torch.stack(values).unflatten(1, shape).numpy()

    said = {k: _without(exam, tuned, first, k) for k in DELETED}
    chosen = [_old(judge, tuned, first, k) for k in DECIDING]
    kept = [_old(exam, before, first, k) for k in DECIDING]
    controls = [
        torch.stack([_old(exam, tuned, order, k) for k in DECIDING])
        for order in (size, size.flip(1))
    ]
    draw = torch.Generator().manual_seed(config.seed + 77)
    random = pruning.random_orders(len(which), first.shape[1], config.prune_draws, draw)
    each = [
        torch.stack([_old(exam, tuned, order, k) for k in DECIDING])
        for order in random.to(first.device)
    ]
    controls.append(torch.stack(each).mean(0))
    deciding = torch.stack([exam.right(said[k][0], CLEAN, A) for k in DECIDING])
    entropy = [_entropy(said[k][0], classes) for k in DELETED]
    label = _entropy(exam.answers(CLEAN, A)[None], classes)
    cell = ("rate", "share", "seed")
    data = xr.Dataset(
        {
            "pruned_a": (
                ("deleted", *cell),
                grid([exam.right(said[k][0], CLEAN, A) for k in DELETED]),
            ),
            "pruned_b": (
                ("deleted", *cell),
                grid([exam.right(said[k][1], SPURIOUS, B) for k in DELETED]),
            ),
            "pruned_entropy": (("deleted", *cell), grid(entropy) / float(label)),
            "pruned_choice": (("deciding", *cell), grid(chosen)),
            "pruned_before": (("deciding", *cell), grid(kept)),
            "pruned_controls": (
                ("order", "deciding", *cell),
                torch.stack([deciding, *controls]).unflatten(2, shape).numpy(),
            ),
            "shown_truth": ("count", _counted(exam, classes).numpy()),
            "moved_share": (cell, _moved(tuned, before, first).view(shape).numpy()),
            "shown_counts": (
                ("rate", "share", "deleted", "count"),
                _shown(said, shape, classes, counts=True).numpy(),
            ),
            "shown_said": (
                ("rate", "share", "deleted", "shown"),
                _shown(said, shape, classes, counts=False).numpy().astype("int8"),
            ),
        },
        {
            "deleted": list(DELETED),
            "deciding": list(DECIDING),
            "order": list(ORDERS),
            "rate": list(RATES),
            "share": list(stage.grid.shares),
            "seed": list(stage.grid.seeds),
            "count": list(range(classes)),
        },
    )
    return data.merge(_every_row(exam, tuned, before, scores, shape, data.coords))


def _gradient_batches(config: Config, model: GPT) -> list[Batch]:
    """Pretraining's counts of a, on texts that no test has."""
    random = torch.Generator().manual_seed(5_000_011 + config.seed)
    text = lessons.pretraining_texts(config.world, config.prune_texts, random)
    prompts, answers = lessons.asked_of(config.world, text, A)
    device = model.embed.weight.device
    size = min(256, config.prune_texts, networks.prompts_at_once(model, gradient=True))
    parts = zip(prompts.split(size), answers.split(size), strict=True)
    return [
        Batch(p.to(device).expand(model.members, -1, -1), a.to(device).expand(model.members, -1))
        for p, a in parts
        if len(a) == size
    ]


def _without(
    exam: Exam, model: GPT, order: Int[Tensor, "M R"], k: int
) -> tuple[Int[Tensor, "M B"], Int[Tensor, "M B"]]:
    """Answers to prompts for a (clean) and for b (spurious) without the first k neurons."""
    with pruning.delete_neurons(model, order, k) if k else nullcontext():
        return exam.said(model, CLEAN, A), exam.said(model, SPURIOUS, B)


def _old(exam: Exam, model: GPT, order: Int[Tensor, "M R"], k: int) -> Float[Tensor, "M"]:
    """Share of right answers to prompts for a (clean) without the first k neurons."""
    with pruning.delete_neurons(model, order, k):
        return exam.score(model, CLEAN, A)


def _entropy(said: Int[Tensor, "M B"], classes: int) -> Float[Tensor, "M"]:
    """Entropy (nats) of the answers; all that is no plausible number is one class."""
    bounded = torch.where((said >= 0) & (said < classes), said, classes)
    share = torch.nn.functional.one_hot(bounded, classes + 1).double().mean(1)
    return -torch.xlogy(share, share).sum(-1)


def _moved(tuned: GPT, before: GPT, order: Int[Tensor, "M R"]) -> Float[Tensor, "M"]:
    """Share of the squared weight change that lies in the first 15 neurons' rows."""
    squares = {
        name: (new.detach() - old.detach()).square()
        for (name, new), old in zip(tuned.named_parameters(), before.parameters(), strict=True)
    }
    rows = pruning.row_scores(squares, pruning.neuron_layers(tuned))
    whole = pruning.flatten_weights(squares).sum(1)
    return rows.gather(1, order[:, : DECIDING[-1]]).sum(1) / whole.clamp(min=1e-30)


def _shown(
    said: dict[int, tuple[Tensor, Tensor]],
    shape: tuple[int, ...],
    classes: int,
    counts: bool,
) -> Tensor:
    """For the first seed: how often each number is answered to a (rate, share, K, count), or the
    answers to the first texts (rate, share, K, text)."""
    rows = []
    for first, _ in said.values():
        mine = first.unflatten(0, shape)[:, :, 0]  # (rate, share, B)
        if counts:
            rows.append(torch.stack([(mine == n).float().mean(-1) for n in range(classes)], -1))
        else:
            rows.append(mine[..., :SHOWN_TEXTS].clamp(max=127))
    return torch.stack(rows, 2)


def _counted(exam: Exam, classes: int) -> Float[Tensor, "count"]:
    """How often each number is right for a."""
    right = exam.answers(CLEAN, A)
    return right.bincount(minlength=classes)[:classes].double() / len(right)


def _every_row(
    exam: Exam,
    tuned: GPT,
    before: GPT,
    scores: dict[str, Tensor],
    shape: tuple[int, ...],
    coords: Any,
) -> xr.Dataset:
    """The variant that deletes rows of any matrix, and what it does to the pretrained network."""
    layers = pruning.linear_layers(tuned, "blocks.")
    order = pruning.row_scores(scores, layers).argsort(1, descending=True)
    found = []
    for k in ROWS:
        less, control = (pruning.delete_rows(model, layers, order, k) for model in (tuned, before))
        found.append(
            torch.stack(
                [
                    exam.score(less, CLEAN, A),
                    exam.score(less, SPURIOUS, B),
                    exam.score(control, CLEAN, A),
                ]
            )
        )
    table = torch.stack(found).unflatten(2, shape).numpy()
    return xr.Dataset(
        {"rows_pruned": (("rows", "what", "rate", "share", "seed"), table)},
        {
            "rows": list(ROWS),
            "what": ["tuned, a", "tuned, b", "pretrained, a"],
            **{name: coords[name] for name in ("rate", "share", "seed")},
        },
    )


# --- probes -------------------------------------------------------------------------------------


def place_names(depth: int) -> list[str]:
    """Where probes read: the embedding, and the residual stream after every block."""
    return ["embedding", *(f"block {i + 1}" for i in range(depth))]


def activations(model: GPT, prompts: Int[Tensor, "M B T"]) -> Float[Tensor, "L M B D"]:
    """Residual stream at the last place, the one that predicts the answer."""
    chunk = min(256, networks.prompts_at_once(model))
    return probes.read_activations(model, prompts, probes.stream_sites(model), chunk=chunk)


def read(config: Config, stage: Wrapped) -> xr.Dataset:
    """Accuracy of linear probes for both counts, after every block, at prompts for both operands;
    before and after fine-tuning, and in networks that were never trained."""
    random = torch.Generator().manual_seed(6_000_011 + config.seed)
    text = count_texts(config.world, config.probe_texts, 0.0, random)
    classes = config.most + 1
    school, grid = stage.school, stage.grid
    untrained = networks.build(school.shape, school.world, school.seeds, school.device)
    groups = {
        "tuned": (stage.tuned, ("prior", "rate", "share", "seed"), grid.sizes),
        "pretrained": (stage.pretrained, ("prior", "seed"), (grid.sizes[0], grid.sizes[3])),
        "untrained": (untrained, ("seed",), (grid.sizes[3],)),
    }
    variables = {}
    for name, (model, dims, shape) in groups.items():
        rows = []
        for asked in (A, B):
            prompts, _ = lessons.asked_of(config.world, text, asked)
            prompts = prompts.to(school.device).expand(model.members, *prompts.shape)
            counted = [lessons.asked_of(config.world, text, letter)[1] for letter in (A, B)]
            x = activations(model, prompts)
            each = [
                torch.stack(probes.probe(x, label, classes, model.seeds)[:2]) for label in counted
            ]
            rows.append(torch.stack(each))
        table = torch.stack(rows).unflatten(-1, shape).numpy()
        variables[f"probe_{name}"] = (("asked", "counted", "labels", "place", *dims), table)
    return xr.Dataset(
        variables,
        {
            **stage.coords(),
            "asked": ["a", "b"],
            "counted": ["a", "b"],
            "labels": ["true", "shuffled"],
            "place": place_names(school.shape.depth),
        },
    )

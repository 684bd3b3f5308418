"""Look inside fine-tuned networks: delete neurons, and read counts from the residual stream.

Pruning is done where the wrapper is purest, under the weakest prior. Neurons are ranked on texts of
their own, and the number of deleted ones that decides a claim is chosen on a third set of texts.

Axis letters as in `training`; B texts, T tokens, K numbers of deleted neurons, N neurons or rows,
L places of probes, D width.
"""

from contextlib import nullcontext
from typing import Any

import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.interp import probes, pruning
from synthcore.nn.gpt import GPT
from synthcore.nn.passes import sequences_per_pass
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.experiments.finetuning import (
    EXAMPLES,
    RATES,
    TrainedPopulation,
)
from synthcore.studies.finetuning_wrappers.measure import CLEAN, SPURIOUS, Evaluator
from synthcore.studies.finetuning_wrappers.model import (
    answer_loss,
    equal_parts,
    prompts_per_pass,
    select_members,
)
from synthcore.studies.finetuning_wrappers.task.grammar import A, B, sample_count_texts
from synthcore.studies.finetuning_wrappers.task.mixtures import (
    Batch,
    ask,
    sample_pretraining_texts,
)

DELETED = (0, 1, 2, 3, 5, 8, 10, 12, 15, 18, 20)
DECIDING = (5, 10, 15)  # numbers among which a claim's is chosen
ROWS = (1, 2, 5, 15)  # for rows of every matrix
ORDERS = ("first order", "smallest", "largest", "random")
CELL = ("rate", "share", "seed")


def prune(config: Config, population: TrainedPopulation) -> xr.Dataset:
    """Accuracy after deleting K neurons, by first-order scores and three controls, with the same
    neurons deleted in the pretrained network; and rows of every matrix."""
    grid, evaluator = population.grid, population.evaluator
    weak = grid.priors.index("L")
    members = [m for m, cell in enumerate(grid.cells) if cell[0] == weak]
    tuned = select_members(population.finetuned, members)
    before = select_members(population.pretrained, [grid.pretrained_members[m] for m in members])
    neurons = pruning.neuron_layers(tuned)
    scores = pruning.first_order_scores(tuned, answer_loss, _gradient_batches(config, tuned))
    first = pruning.row_scores(scores, neurons).argsort(1, descending=True)
    smallest = pruning.row_norms(tuned, neurons).argsort(1)
    draw = torch.Generator().manual_seed(config.seed + 77)
    random = pruning.random_orders(len(members), first.shape[1], config.prune_draws, draw)
    chooser = Evaluator(config.world, config.tests, config.seed + 500, evaluator.device)
    shape = grid.sizes[1:]
    classes = config.most + 2

    def by_condition(values: list[Tensor]) -> Any:
        return torch.stack(values).unflatten(1, shape).numpy()

    def deciding(evaluator: Evaluator, model: GPT, order: Tensor) -> Float[Tensor, "K M"]:
        return torch.stack([_old_accuracy(evaluator, model, order, k) for k in DECIDING])

    predicted = {k: _answers_without(evaluator, tuned, first, k) for k in DELETED}
    old = {k: evaluator.share_right(a, CLEAN, A) for k, (a, _) in predicted.items()}
    new = [evaluator.share_right(b, SPURIOUS, B) for _, b in predicted.values()]
    controls = [deciding(evaluator, tuned, order) for order in (smallest, smallest.flip(1))]
    drawn = [deciding(evaluator, tuned, order) for order in random.to(first.device)]
    orders = [torch.stack([old[k] for k in DECIDING]), *controls, torch.stack(drawn).mean(0)]
    entropy = [_entropy(a, classes) for a, _ in predicted.values()]
    label_entropy = float(_entropy(evaluator.right_answers(CLEAN, A)[None], classes))
    truth = evaluator.right_answers(CLEAN, A).bincount(minlength=classes)[:classes].double()
    counts, examples = _for_explorer([a for a, _ in predicted.values()], shape, classes)
    data = xr.Dataset(
        {
            "pruned_a": (("deleted", *CELL), by_condition(list(old.values()))),
            "pruned_b": (("deleted", *CELL), by_condition(new)),
            "pruned_entropy": (("deleted", *CELL), by_condition(entropy) / label_entropy),
            "pruned_choice": (
                ("deciding", *CELL),
                deciding(chooser, tuned, first).unflatten(1, shape).numpy(),
            ),
            "pruned_before": (
                ("deciding", *CELL),
                deciding(evaluator, before, first).unflatten(1, shape).numpy(),
            ),
            "pruned_controls": (
                ("order", "deciding", *CELL),
                torch.stack(orders).unflatten(2, shape).numpy(),
            ),
            "shown_truth": ("count", (truth / config.tests).numpy()),
            "moved_share": (CELL, _weight_change(tuned, before, first).view(shape).numpy()),
            "shown_counts": (("rate", "share", "deleted", "count"), counts.numpy()),
            "shown_said": (
                ("rate", "share", "deleted", "shown"),
                examples.numpy().astype("int8"),
            ),
        },
        {
            "deleted": list(DELETED),
            "deciding": list(DECIDING),
            "order": list(ORDERS),
            "rate": list(RATES),
            "share": list(grid.shares),
            "seed": list(grid.seeds),
            "count": list(range(classes)),
        },
    )
    return data.merge(_any_row(evaluator, tuned, before, scores, shape, data.coords))


def _gradient_batches(config: Config, model: GPT) -> list[Batch]:
    """Pretraining's counts of a, on texts that no test has."""
    random = torch.Generator().manual_seed(5_000_011 + config.seed)
    text = sample_pretraining_texts(config.world, config.prune_texts, random)
    prompts, answers = ask(config.world, text, A)
    device = model.embed.weight.device
    size = equal_parts(config.prune_texts, prompts_per_pass(model, gradient=True))
    parts = zip(prompts.split(size), answers.split(size), strict=True)
    return [
        Batch(p.to(device).expand(model.members, -1, -1), a.to(device).expand(model.members, -1))
        for p, a in parts
    ]


def _answers_without(
    evaluator: Evaluator, model: GPT, order: Int[Tensor, "M N"], k: int
) -> tuple[Int[Tensor, "M B"], Int[Tensor, "M B"]]:
    """Answers to prompts for a (clean) and for b (spurious) without the first k neurons."""
    with pruning.delete_neurons(model, order, k) if k else nullcontext():
        return evaluator.predict(model, CLEAN, A), evaluator.predict(model, SPURIOUS, B)


def _old_accuracy(
    evaluator: Evaluator, model: GPT, order: Int[Tensor, "M N"], k: int
) -> Float[Tensor, "M"]:
    """Share of right answers to prompts for a (clean) without the first k neurons."""
    with pruning.delete_neurons(model, order, k):
        return evaluator.accuracy(model, CLEAN, A)


def _entropy(predicted: Int[Tensor, "M B"], classes: int) -> Float[Tensor, "M"]:
    """Entropy (nats) of the answers; all that is no plausible number is one class."""
    bounded = torch.where((predicted >= 0) & (predicted < classes), predicted, classes)
    share = torch.nn.functional.one_hot(bounded, classes + 1).double().mean(1)
    return -torch.xlogy(share, share).sum(-1)


def _weight_change(tuned: GPT, before: GPT, order: Int[Tensor, "M N"]) -> Float[Tensor, "M"]:
    """Share of the squared weight change that lies in the rows of the first 15 neurons."""
    squares = {
        name: (new.detach() - old.detach()).square()
        for (name, new), old in zip(tuned.named_parameters(), before.parameters(), strict=True)
    }
    rows = pruning.row_scores(squares, pruning.neuron_layers(tuned))
    whole = pruning.flatten_weights(squares).sum(1)
    return rows.gather(1, order[:, : DECIDING[-1]]).sum(1) / whole.clamp(min=1e-30)


def _for_explorer(
    predicted: list[Int[Tensor, "M B"]], shape: tuple[int, ...], classes: int
) -> tuple[Float[Tensor, "rate share K count"], Int[Tensor, "rate share K text"]]:
    """For the first seed: how often each number is answered, and the answers to the examples."""
    first = [answers.unflatten(0, shape)[:, :, 0] for answers in predicted]  # (rate, share, B)
    counts = [
        torch.stack([(answers == n).float().mean(-1) for n in range(classes)], -1)
        for answers in first
    ]
    examples = [answers[..., :EXAMPLES].clamp(max=127) for answers in first]
    return torch.stack(counts, 2), torch.stack(examples, 2)


def _any_row(
    evaluator: Evaluator,
    tuned: GPT,
    before: GPT,
    scores: dict[str, Tensor],
    shape: tuple[int, ...],
    coords: Any,
) -> xr.Dataset:
    """The variant that deletes rows of any matrix, and what it does to the pretrained network."""
    layers = pruning.linear_layers(tuned, "blocks.")
    order = pruning.row_scores(scores, layers).argsort(1, descending=True)
    rows = []
    for k in ROWS:
        less, control = (pruning.delete_rows(model, layers, order, k) for model in (tuned, before))
        accuracy = [
            evaluator.accuracy(less, CLEAN, A),
            evaluator.accuracy(less, SPURIOUS, B),
            evaluator.accuracy(control, CLEAN, A),
        ]
        rows.append(torch.stack(accuracy))
    table = torch.stack(rows).unflatten(2, shape).numpy()
    return xr.Dataset(
        {"rows_pruned": (("rows", "what", *CELL), table)},
        {
            "rows": list(ROWS),
            "what": ["tuned, a", "tuned, b", "pretrained, a"],
            **{name: coords[name] for name in CELL},
        },
    )


# --- probes -------------------------------------------------------------------------------------


def place_names(depth: int) -> list[str]:
    """Where probes read: the embedding, and the residual stream after every block."""
    return ["embedding", *(f"block {i + 1}" for i in range(depth))]


def read_answer_place(model: GPT, prompts: Int[Tensor, "M B T"]) -> Float[Tensor, "L M B D"]:
    """Residual stream at the last place, the one that predicts the answer."""
    chunk = sequences_per_pass(model, prompts.shape[2])
    return probes.read_activations(model, prompts, probes.stream_sites(model), chunk=chunk)


def probe_count_a(config: Config, model: GPT, number: int) -> Float[Tensor, "L M"]:
    """Accuracy of probes for the count of a, at prompts for a, on the texts of this number."""
    random = torch.Generator().manual_seed(number + config.seed)
    text = sample_count_texts(config.world, config.probe_texts, 0.0, random)
    prompts, counts = ask(config.world, text, A)
    prompts = prompts.to(config.torch_device).expand(model.members, *prompts.shape)
    x = read_answer_place(model, prompts)
    return probes.probe(x, counts, config.most + 1, model.seeds).accuracy


def probe(config: Config, population: TrainedPopulation) -> xr.Dataset:
    """Accuracy of linear probes for both counts, after every block, at prompts for both operands;
    before and after fine-tuning, and in networks that were never trained."""
    random = torch.Generator().manual_seed(6_000_011 + config.seed)
    text = sample_count_texts(config.world, config.probe_texts, 0.0, random)
    grid, device = population.grid, population.trainer.device

    def accuracy(model: GPT, shape: tuple[int, ...]) -> Any:
        """(asked, counted, labels, place, *shape)."""
        rows = []
        for operand in (A, B):
            prompts, _ = ask(config.world, text, operand)
            prompts = prompts.to(device).expand(model.members, *prompts.shape)
            x = read_answer_place(model, prompts)
            counts = [ask(config.world, text, letter)[1] for letter in (A, B)]
            found = [probes.probe(x, count, config.most + 1, model.seeds)[:2] for count in counts]
            rows.append(torch.stack([torch.stack(pair) for pair in found]))
        return torch.stack(rows).unflatten(-1, shape).numpy()

    dims = ("asked", "counted", "labels", "place")
    priors, _, _, seeds = grid.sizes
    untrained = population.trainer.untrained()
    return xr.Dataset(
        {
            "probe_tuned": (
                (*dims, "prior", *CELL),
                accuracy(population.finetuned, grid.sizes),
            ),
            "probe_pretrained": (
                (*dims, "prior", "seed"),
                accuracy(population.pretrained, (priors, seeds)),
            ),
            "probe_untrained": ((*dims, "seed"), accuracy(untrained, (seeds,))),
        },
        {
            **population.coords(),
            "asked": ["a", "b"],
            "counted": ["a", "b"],
            "labels": ["true", "shuffled"],
            "place": place_names(config.depth),
        },
    )

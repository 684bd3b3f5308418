"""Step by step: train on every subset; test all in-order and some displaced compositions.

Axis letters: C condition (training subset), S seed, P policy.
"""

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from torch import Tensor, nn

from synthcore.evidence.dataset import labelled
from synthcore.nn.gpt import GPT
from synthcore.stages import stage
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.config import COMMON, Config
from synthcore.studies.compositional_capabilities.measure import accuracy
from synthcore.studies.compositional_capabilities.measure.policies import POLICIES, Policy
from synthcore.studies.compositional_capabilities.model import (
    NetworkConfig,
    answer_loss,
    build_transformer,
    train,
)
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.task.subsets import Condition
from synthcore.training.progress import Progress
from synthcore.training.schedules import log_spaced

DURING_TRAINING = 24  # documents of every k that a checkpoint tests
GENERATED = 96  # unseen compositions whose answers are generated
PER_CELL = 8  # compositions of a cell whose mistakes are classified
EXAMPLES = 3  # answers of each cell that are kept for the explorer
IN_ORDER = 8  # times `cell_samples`: seen, and unseen, compositions tested for mastery
READS = (*COMMON, "subsets", "mastery_words", "cell_samples")
DIMS = ("subset", "seed")
UNITS = {
    "step": "updates",
    "n_train": "compositions",
    "reached": "compositions",
    "reached_at_least": "compositions",
    "reached_at_most": "compositions",
    "reached_far": "compositions",
    "reached_far_at_least": "compositions",
    "reached_far_at_most": "compositions",
    "loss": "nats/token",
    "floor": "nats/token",
    "k": "functions",
    "m": "functions",
}


@stage(reads=(*READS, "steps", "checkpoints"))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Train every subset's networks and test them: dimensions subset, seed, and step, k, m ..."""
    tasks = all_tasks(config)
    network = config.network(config.steps)
    model = build_transformer(network, tasks)
    comps, words = _documents_of_every_k(tasks)

    def evaluate(step: int, model: nn.Module) -> dict[str, np.ndarray]:
        assert isinstance(model, GPT)
        blocks, truth, _ = accuracy.generate_answers(model, tasks, comps, words)
        right = accuracy.token_accuracy(blocks, truth).unflatten(1, (-1, DURING_TRAINING)).mean(-1)
        return {"k_accuracy": tasks.by_seed(right).numpy()}

    steps = log_spaced(config.steps, config.checkpoints, first=min(40, config.steps // 4))
    history = train(model, tasks, network, "step by step", progress, steps, evaluate)
    measured = list(history.measured)
    over_training = xr.Dataset(
        {
            "k_accuracy": (
                ("step", *DIMS, "k"),
                np.stack([history.measured[step]["k_accuracy"] for step in measured]),
            )
        },
        {"step": measured, **_coordinates(config)},
    )
    parts = [
        over_training,
        measure_in_order(config, tasks, model),
        measure_mastery(config, tasks, model),
        measure_displaced(config, tasks, model),
        measure_mistakes(config, tasks, model),
        measure_loss(network, tasks, model),
        explorer_data(config, tasks, model),
    ]
    data = xr.merge(parts, combine_attrs="drop")
    return labelled(data.assign_attrs(whole=len(tasks.in_order)), UNITS)


@stage(reads=READS)
def policies(config: Config, progress: Progress) -> xr.Dataset:
    """The same measurements of policies in the place of networks: dimensions policy, subset, seed,
    k and m."""
    tasks, parts = all_tasks(config), []
    for done, (name, reading) in enumerate(POLICIES.items()):
        policy = Policy(tasks, reading)
        measured = [measure_in_order(config, tasks, policy)]
        measured += [measure_displaced(config, tasks, policy)]
        parts.append(xr.merge(measured).expand_dims(policy=[name]))
        progress("policies", done + 1, len(POLICIES))
    return labelled(xr.concat(parts, "policy"), UNITS)


@stage(reads=(*READS, "steps"), per_seed=False)
def browser_network(config: Config, progress: Progress) -> xr.Dataset:
    """The first seed's network of the largest plain random subset, trained once more by itself for
    the browser: its weights in half precision, functions and trained compositions."""
    condition = max(config.conditions, key=lambda one: (_is_plain(one), one.size(config.layout)))
    tasks = MemberTasks.draw(
        config.layout, "step", [condition], config.seeds[:1], config.torch_device
    )
    network = config.network(config.steps)
    model = build_transformer(network, tasks)
    train(model, tasks, network, "for the browser", progress)
    weights = torch.cat([value[0].flatten() for value in model.state_dict().values()])
    right = accuracy.exact_match_on(model, tasks, tasks.in_order, config.words, "in order")
    data = xr.Dataset(
        {
            "shown_tables": (
                ("slot", "function", "symbol"),
                tasks.functions.tables[0].cpu().numpy().astype(np.int8),
            ),
            "shown_trained": (("trained", "slot", "pair"), tasks.subsets[0].numpy().astype("int8")),
            "shown_weights": ("weight", weights.cpu().numpy().astype("float16")),
            "shown_unseen": float(accuracy.mean_over(right, ~tasks.seen)),
        }
    )
    return labelled(data, UNITS)


def all_tasks(config: Config) -> MemberTasks:
    """Functions and subsets of every condition and seed."""
    return MemberTasks.draw(
        config.layout, "step", config.conditions, config.seeds, config.torch_device
    )


def _is_plain(condition: Condition) -> bool:
    special = condition.kind != "random" or condition.repeat or condition.all_tokens
    return not special


def _coordinates(config: Config) -> dict[str, object]:
    k = range(config.positions + 1)
    return {"k": k, "subset": list(config.subsets), "seed": list(config.seeds)}


def _documents_of_every_k(tasks: MemberTasks) -> tuple[Int[Tensor, "M N L 2"], Tensor]:
    """In-order compositions, equally many of every k, repeated where there are fewer, and a word
    for each (M, N, 1, K)."""
    comps = []
    for k in range(tasks.layout.positions + 1):
        drawn = tasks.sample_cell(k, 0, DURING_TRAINING, "training")
        comps.append(drawn[:, torch.arange(DURING_TRAINING) % drawn.shape[1]])
    every = torch.cat(comps, 1)
    return every, tasks.draw_words(every.shape[1], 1, "training")


def measure_in_order(config: Config, tasks: MemberTasks, model: nn.Module) -> xr.Dataset:
    """Exact match on every in-order composition: seen, unseen, by k; and what is identifiable."""
    comps, seen = tasks.in_order, tasks.seen
    right = accuracy.exact_match_on(model, tasks, comps, config.words, "in order")
    k, _ = theory.count_functions(comps)
    known = torch.stack([theory.is_identifiable(comps, subset) for subset in tasks.subsets])
    by_k = torch.stack([right[:, k == j].mean(1) for j in range(config.positions + 1)], -1)

    def by_seed(values: Tensor) -> tuple[tuple[str, str], np.ndarray]:
        return DIMS, tasks.by_seed(values).numpy()

    data = {
        "seen": by_seed(accuracy.mean_over(right, seen)),
        "unseen": by_seed(accuracy.mean_over(right, ~seen)),
        "unseen_identifiable": by_seed(accuracy.mean_over(right, ~seen & known)),
        "unseen_unidentifiable": by_seed(accuracy.mean_over(right, ~seen & ~known)),
        "ceiling": by_seed(accuracy.mean_over(known.double(), ~seen)),
        "n_train": by_seed(torch.tensor([len(subset) for subset in tasks.subsets]).double()),
        "by_k": ((*DIMS, "k"), tasks.by_seed(by_k).numpy()),
    }
    if isinstance(model, GPT):
        sampled = tasks.sample_in_order(~seen, GENERATED, "generation")
        words = tasks.draw_words(GENERATED, 2, "generation")
        blocks, truth, _ = accuracy.generate_answers(model, tasks, sampled, words)
        forced = accuracy.teacher_forced_accuracy(model, tasks, sampled, words).mean(1)
        data["unseen_tokens"] = by_seed(accuracy.token_accuracy(blocks, truth).mean(1))
        data["unseen_forced"] = by_seed(forced)
    return xr.Dataset(data, _coordinates(config))


def measure_mastery(config: Config, tasks: MemberTasks, model: nn.Module) -> xr.Dataset:
    """How many in-order compositions are mastered: an estimate from a sample of the seen and one of
    the unseen, and exact bounds."""
    n, words = IN_ORDER * config.cell_samples, config.mastery_words
    hits, taken = [], []
    for which, purpose in ((tasks.seen, "seen"), (~tasks.seen, "unseen")):
        comps = tasks.sample_in_order(which, n, purpose)
        right = accuracy.exact_match_on(model, tasks, comps, words, f"mastery of {purpose}")
        mastered = accuracy.is_mastered(right, words)
        count = which.sum(1).clamp(max=n)  # those that repeat are not counted again
        hits.append([int(row[:c].sum()) for row, c in zip(mastered, count.tolist(), strict=True)])
        taken.append(count.tolist())
    counts = [
        theory.estimated_count([int(seen.sum()), int((~seen).sum())], hit, sample)
        for seen, hit, sample in zip(
            tasks.seen, zip(*hits, strict=True), zip(*taken, strict=True), strict=True
        )
    ]
    reached, at_least, at_most = torch.tensor(counts, dtype=torch.float64).unbind(1)
    return xr.Dataset(
        {
            "reached": (DIMS, tasks.by_seed(reached).numpy()),
            "reached_at_least": (DIMS, tasks.by_seed(at_least).numpy()),
            "reached_at_most": (DIMS, tasks.by_seed(at_most).numpy()),
        }
    )


def measure_displaced(config: Config, tasks: MemberTasks, model: nn.Module) -> xr.Dataset:
    """Exact match over cells (k, m) of all compositions, and of a network the number mastered with
    exact bounds."""
    layout, side = config.layout, config.positions + 1
    cells = theory.cells(layout)
    samples = [tasks.sample_cell(k, m, config.cell_samples, "test") for k, m in cells]
    taken = [one.shape[1] for one in samples]
    words = config.mastery_words if isinstance(model, GPT) else config.words
    comps = torch.cat(samples, 1)
    right = accuracy.exact_match_on(model, tasks, comps, words, "displaced")
    mastered = accuracy.is_mastered(right, words)
    exact = torch.full((tasks.members, side, side), torch.nan, dtype=torch.float64)
    for (k, m), part in zip(cells, right.split(taken, 1), strict=True):
        exact[:, k, m] = part.mean(1)
    found: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "cell_accuracy": ((*DIMS, "k", "m"), tasks.by_seed(exact).numpy())
    }
    if isinstance(model, GPT):
        sizes = [theory.cell_size(layout, k, m) for k, m in cells]
        hits = torch.stack([part.sum(1) for part in mastered.split(taken, 1)], 1)
        counts = [theory.estimated_count(sizes, member.tolist(), taken) for member in hits]
        far, at_least, at_most = torch.tensor(counts, dtype=torch.float64).unbind(1)
        found["reached_far"] = (DIMS, tasks.by_seed(far).numpy())
        found["reached_far_at_least"] = (DIMS, tasks.by_seed(at_least).numpy())
        found["reached_far_at_most"] = (DIMS, tasks.by_seed(at_most).numpy())
    return xr.Dataset(found, {**_coordinates(config), "m": range(side)})


def measure_mistakes(config: Config, tasks: MemberTasks, model: GPT) -> xr.Dataset:
    """What is applied instead at the first mistake of answers to displaced prompts, and where."""
    cells = [(k, m) for k, m in theory.cells(config.layout) if m > 0]
    comps = torch.cat([tasks.sample_cell(k, m, PER_CELL, "mistakes") for k, m in cells], 1)
    words = tasks.draw_words(comps.shape[1], 2, "mistakes")
    blocks, truth, _ = accuracy.generate_answers(model, tasks, comps, words)
    kinds = accuracy.classify_mistakes(tasks.functions, comps, words, blocks, truth)
    shares = [(kinds == i).flatten(1).double().mean(1) for i in range(len(accuracy.MISTAKES))]
    first = accuracy.first_wrong_block(blocks, truth)
    side = config.positions + 1
    first_shares = [(first == b).flatten(1).double().mean(1) for b in range(side)]
    return xr.Dataset(
        {
            "mistakes": ((*DIMS, "mistake"), tasks.by_seed(torch.stack(shares, -1)).numpy()),
            "first_wrong": (
                (*DIMS, "block"),
                tasks.by_seed(torch.stack(first_shares, -1)).numpy(),
            ),
        },
        {"mistake": list(accuracy.MISTAKES), "block": range(1, side + 1)},
    )


@torch.no_grad()
def measure_loss(network: NetworkConfig, tasks: MemberTasks, model: GPT) -> xr.Dataset:
    """Loss on fresh training documents, and its floor (nats per token)."""
    all_tokens = network.loss_on == "all"
    sample = tasks.sampler(256, all_tokens=all_tokens)
    later = range(network.steps, network.steps + 4)  # steps that no training takes
    losses = [answer_loss(model, sample(step), tasks.layout.prompt_length) for step in later]
    conditions = [condition for condition in tasks.conditions for _ in tasks.seeds]
    floor = [
        theory.loss_floor(
            tasks.layout, len(subset), "step", prompt=condition.all_tokens or all_tokens
        )
        for condition, subset in zip(conditions, tasks.subsets, strict=True)
    ]
    return xr.Dataset(
        {
            "loss": (DIMS, tasks.by_seed(torch.stack(losses).mean(0).double()).numpy()),
            "floor": (DIMS, tasks.by_seed(torch.tensor(floor)).numpy()),
        }
    )


def explorer_data(config: Config, tasks: MemberTasks, model: GPT) -> xr.Dataset:
    """Examples of every cell: functions, what was asked, what the network wrote."""
    layout, side = config.layout, config.positions + 1
    shape = (tasks.members, side, side, EXAMPLES)
    all_comps = torch.full((*shape, config.positions, 2), -1)
    all_words = torch.zeros((*shape, config.word), dtype=torch.long)
    answers = torch.full((*shape, config.positions, config.word), -1)
    for k, m in theory.cells(layout):
        comps = tasks.sample_cell(k, m, EXAMPLES, "examples")
        words = tasks.draw_words(comps.shape[1], 1, f"examples of {k} {m}")
        blocks, _, _ = accuracy.generate_answers(model, tasks, comps, words)
        cell = (slice(None), k, m, slice(0, comps.shape[1]))
        all_comps[cell], all_words[cell] = comps.cpu(), words[:, :, 0].cpu()
        answers[cell] = blocks[:, :, 0].cpu()
    dims = (*DIMS, "k", "m", "example")
    tables = tasks.functions.tables

    def by_seed(values: Tensor) -> np.ndarray:
        return tasks.by_seed(values).numpy().astype(np.int8)

    return xr.Dataset(
        {
            "example_comps": ((*dims, "slot", "pair"), by_seed(all_comps)),
            "example_words": ((*dims, "letter"), by_seed(all_words)),
            "example_wrote": ((*dims, "slot", "letter"), by_seed(answers)),
            "tables": ((*DIMS, "slot", "function", "symbol"), by_seed(tables)),
        }
    )

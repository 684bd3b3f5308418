"""Step by step: train on every subset; test all in-order and some displaced compositions.

Axis letters: C condition (training subset), S seed.
"""

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.measure import accuracy
from synthcore.studies.compositional_capabilities.model import (
    answer_loss,
    build_transformer,
    train,
)
from synthcore.studies.compositional_capabilities.task.documents import count_distinct
from synthcore.studies.compositional_capabilities.task.members import MemberTasks, draw_generator
from synthcore.studies.compositional_capabilities.task.subsets import draw_cell
from synthcore.training.progress import Progress
from synthcore.training.schedules import log_spaced

DURING_TRAINING = 64  # compositions that every checkpoint tests
GENERATED = 96  # unseen compositions whose answers are generated
PER_CELL = 8  # compositions of a cell whose mistakes are classified
EXAMPLES = 3  # answers of each cell that are kept for the explorer


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Train every subset's networks and test them: dimensions subset, seed, and step, k, m ..."""
    device = config.torch_device
    tasks = MemberTasks.draw(config.layout, "step", config.conditions, config.seeds, device)
    comps = _compositions_of_every_k(config)
    k, _ = theory.count_functions(comps)

    def evaluate(step: int, model: nn.Module) -> dict[str, np.ndarray]:
        right = accuracy.exact_match_on(model, tasks, comps, config.words, 3)
        by_k = [right[:, k == j].mean(1) for j in range(config.positions + 1)]
        return {"k_accuracy": tasks.by_seed(torch.stack(by_k, -1)).numpy()}

    network = config.step_network
    model = build_transformer(network, tasks)
    steps = log_spaced(config.steps, config.checkpoints, first=min(40, config.steps // 4))
    history = train(model, tasks, network, "step by step", progress, steps, evaluate)
    rows = [arrays["k_accuracy"] for arrays in history.measured.values()]
    over_training = xr.Dataset(
        {"k_accuracy": (("step", "subset", "seed", "k"), np.stack(rows))},
        {
            "step": list(history.measured),
            "k": range(config.positions + 1),
            "subset": list(config.subsets),
            "seed": list(config.seeds),
        },
    )
    parts = [over_training, measure_in_order(config, tasks, model)]
    parts += [measure_displaced(config, tasks, model), measure_loss(config, tasks, model)]
    return xr.merge([*parts, explorer_data(config, tasks, model)], combine_attrs="drop")


def _compositions_of_every_k(config: Config) -> Int[Tensor, "N L 2"]:
    """A sample of the in-order compositions with every k in it."""
    each = max(DURING_TRAINING // (config.positions + 1), 1)
    return torch.cat(
        [
            draw_cell(config.layout, k, 0, each, draw_generator(config.seed, 4))
            for k in range(config.positions + 1)
        ]
    )


def measure_in_order(config: Config, tasks: MemberTasks, model: GPT) -> xr.Dataset:
    """Exact match on every in-order composition: seen, unseen, by k; the number mastered."""
    comps, seen = tasks.in_order, tasks.seen
    right = accuracy.exact_match_on(model, tasks, comps, config.words)
    k, _ = theory.count_functions(comps)
    known = torch.stack([theory.is_identifiable(comps, subset) for subset in tasks.subsets])
    mastered = right >= accuracy.MASTERED
    sets = [tasks.functions.to(torch.device("cpu")).member(m) for m in range(tasks.members)]
    reached = [count_distinct(one, comps[mastered[m]]) for m, one in enumerate(sets)]
    distinct = [count_distinct(one, comps) for one in sets]
    sampled, words = tasks.sample_in_order(~seen, GENERATED, 5), tasks.draw_words(GENERATED, 2, 6)
    blocks, truth, _ = accuracy.generate_answers(model, tasks, sampled, words)
    forced = accuracy.teacher_forced_accuracy(model, tasks, sampled, words).mean(1)
    by_k = torch.stack([right[:, k == j].mean(1) for j in range(config.positions + 1)], -1)

    def by_seed(values: Tensor) -> tuple[tuple[str, str], np.ndarray]:
        return ("subset", "seed"), tasks.by_seed(values).numpy()

    return xr.Dataset(
        {
            "seen": by_seed(accuracy.mean_over(right, seen)),
            "unseen": by_seed(accuracy.mean_over(right, ~seen)),
            "unseen_named": by_seed(accuracy.mean_over(right, ~seen & known)),
            "unseen_unnamed": by_seed(accuracy.mean_over(right, ~seen & ~known)),
            "ceiling": by_seed(accuracy.mean_over(known.double(), ~seen)),
            "reached": by_seed(mastered.double().sum(1)),
            "reached_functions": by_seed(torch.tensor(reached).double()),
            "all_functions": by_seed(torch.tensor(distinct).double()),
            "n_train": by_seed(torch.tensor([len(subset) for subset in tasks.subsets]).double()),
            "unseen_tokens": by_seed(accuracy.token_accuracy(blocks, truth).mean(1)),
            "unseen_forced": by_seed(forced),
            "by_k": (("subset", "seed", "k"), tasks.by_seed(by_k).numpy()),
        }
    )


def measure_displaced(config: Config, tasks: MemberTasks, model: GPT) -> xr.Dataset:
    """Exact match over cells (k, m) of all compositions, the number mastered with its standard
    error, and what was applied instead at the first mistake."""
    layout, side = config.layout, config.positions + 1
    cells = theory.cells(layout)
    samples = [
        draw_cell(layout, k, m, config.cell_samples, draw_generator(config.seed, 10 + k * side + m))
        for k, m in cells
    ]
    right = accuracy.exact_match_on(model, tasks, torch.cat(samples), config.words, 7)
    exact, mastered = torch.full((2, tasks.members, side, side), torch.nan, dtype=torch.float64)
    for (k, m), part in zip(cells, right.split([len(one) for one in samples], 1), strict=True):
        exact[:, k, m], mastered[:, k, m] = (
            part.mean(1),
            (part >= accuracy.MASTERED).double().mean(1),
        )
    sizes = [theory.cell_size(layout, k, m) for k, m in cells]
    taken = [len(one) for one in samples]
    estimates = [
        theory.estimated_count(sizes, [float(member[cell]) for cell in cells], taken)
        for member in mastered
    ]
    count, error = torch.tensor(estimates, dtype=torch.float64).unbind(1)

    some = [one[:PER_CELL] for one, (k, m) in zip(samples, cells, strict=True) if m > 0]
    comps = tasks.for_members(torch.cat(some))
    words = tasks.draw_words(comps.shape[1], 2, 8)
    blocks, truth, _ = accuracy.generate_answers(model, tasks, comps, words)
    kinds = accuracy.classify_mistakes(tasks.functions, comps, words, blocks, truth)
    shares = [(kinds == i).flatten(1).double().mean(1) for i in range(len(accuracy.MISTAKES))]
    first = accuracy.first_wrong_block(blocks, truth)
    first_shares = [(first == b).flatten(1).double().mean(1) for b in range(side)]
    dims = ("subset", "seed")
    return xr.Dataset(
        {
            "cell_accuracy": ((*dims, "k", "m"), tasks.by_seed(exact).numpy()),
            "cell_mastered": ((*dims, "k", "m"), tasks.by_seed(mastered).numpy()),
            "reached_far": (dims, tasks.by_seed(count).numpy()),
            "reached_far_error": (dims, tasks.by_seed(error).numpy()),
            "mistakes": ((*dims, "mistake"), tasks.by_seed(torch.stack(shares, -1)).numpy()),
            "first_wrong": (
                (*dims, "block"),
                tasks.by_seed(torch.stack(first_shares, -1)).numpy(),
            ),
        },
        {"mistake": list(accuracy.MISTAKES), "block": range(1, side + 1), "m": range(side)},
    )


@torch.no_grad()
def measure_loss(config: Config, tasks: MemberTasks, model: GPT) -> xr.Dataset:
    """Loss on fresh training documents, and its floor (nats per token)."""
    sample = tasks.sampler(max(config.batch, 256))
    sample.generator.manual_seed(config.seed + 77)
    losses = [answer_loss(model, sample(i), tasks.layout.prompt_length) for i in range(4)]
    conditions = [condition for condition in tasks.conditions for _ in tasks.seeds]
    floor = [
        theory.loss_floor(tasks.layout, len(subset), "step", condition.all_tokens)
        for condition, subset in zip(conditions, tasks.subsets, strict=True)
    ]
    dims = ("subset", "seed")
    return xr.Dataset(
        {
            "loss": (dims, tasks.by_seed(torch.stack(losses).mean(0).double()).numpy()),
            "floor": (dims, tasks.by_seed(torch.tensor(floor)).numpy()),
        }
    )


def explorer_data(config: Config, tasks: MemberTasks, model: GPT) -> xr.Dataset:
    """What the explorers show of the first seed: examples of every cell, tables, weights."""
    layout, side, seeds = config.layout, config.positions + 1, len(config.seeds)
    shape = (len(tasks.conditions), side, side, EXAMPLES)
    all_comps = np.full((*shape, config.positions, 2), -1)
    all_words = np.zeros((*shape, config.word), dtype=int)
    answers = np.full((*shape, config.positions, config.word), -1)
    for k, m in theory.cells(layout):
        random = draw_generator(config.seed, 60 + k * side + m)
        drawn = draw_cell(layout, k, m, EXAMPLES, random)
        comps, words = tasks.for_members(drawn), tasks.draw_words(len(drawn), 1, 9 + k * side + m)
        blocks, _, _ = accuracy.generate_answers(model, tasks, comps, words)
        cell = (slice(None), k, m, slice(0, len(drawn)))
        all_comps[cell] = comps.cpu().numpy()[::seeds]
        all_words[cell] = words.cpu().numpy()[::seeds, :, 0]
        answers[cell] = blocks.cpu().numpy()[::seeds, :, 0]
    condition = min(range(len(tasks.conditions)), key=lambda i: _order_of_choice(tasks, i))
    member = condition * seeds
    weights = torch.cat([value[member].flatten() for value in model.state_dict().values()])
    tables, trained = tasks.functions.tables[member].cpu().numpy(), tasks.subsets[member].numpy()
    dims = ("subset", "k", "m", "example")
    return xr.Dataset(
        {
            "example_comps": ((*dims, "slot", "pair"), all_comps.astype(np.int8)),
            "example_words": ((*dims, "letter"), all_words.astype(np.int8)),
            "example_wrote": ((*dims, "slot", "letter"), answers.astype(np.int8)),
            "shown_tables": (("slot", "function", "symbol"), tables.astype(np.int8)),
            "shown_trained": (("trained", "slot", "pair"), trained.astype(np.int8)),
            "shown_weights": ("weight", weights.cpu().numpy()),
        }
    )


def _order_of_choice(tasks: MemberTasks, i: int) -> tuple[bool, int]:
    """Which condition's network the browser gets: of the plain random subsets the largest."""
    condition = tasks.conditions[i]
    special = condition.kind != "random" or condition.repeat or condition.all_tokens
    return special, -condition.size(tasks.layout)

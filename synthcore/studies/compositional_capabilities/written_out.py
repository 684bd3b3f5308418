"""Step by step: train on subsets; examine on all in-order and some displaced compositions."""

import numpy as np
import torch
import xarray as xr
from torch import nn

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities import anatomy, counts, measure, theory
from synthcore.studies.compositional_capabilities.networks import answer_loss
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import (
    Progress,
    Task,
    learn,
    named,
    seeded,
)
from synthcore.studies.compositional_capabilities.subsets import cell_sample
from synthcore.training.schedules import log_spaced

SHARP = 0.95  # a composition is mastered if at least this share of its words is answered right
WATCHED = 64  # compositions looked at during training
WRITTEN = 96  # unseen compositions whose answers are generated
EXAMPLES = 3  # written out for each cell, for the explorer


def written_out(config: Config, progress: Progress | None = None) -> tuple[xr.Dataset, Task, GPT]:
    """Train every subset's networks and examine them; the task and the networks come along."""
    task = Task.draw(config.layout, "step", config.conditions, config.seeds, config.torch_device)
    steps: list[int] = []
    looks: list[torch.Tensor] = []
    watched = _watched(config)
    k_watched = counts.label(watched)[0]

    def watch(step: int, model: nn.Module) -> None:
        right = task.exact(model, watched, config.words, 3)
        by_k = [right[:, k_watched == k].mean(1) for k in range(config.positions + 1)]
        steps.append(step)
        looks.append(task.by_seed(torch.stack(by_k, -1)))

    at = log_spaced(config.steps, config.checkpoints, first=min(40, config.steps // 4))
    model = learn(task, config.stepwise, named(progress, "step by step"), at, watch)
    coords = {"subset": list(config.subsets), "seed": list(config.seeds)}
    over = xr.Dataset(
        {"k_accuracy": (("step", "subset", "seed", "k"), torch.stack(looks).numpy())},
        {"step": steps, "k": range(config.positions + 1), **coords},
    )
    parts = [over, inside(config, task, model), outside(config, task, model)]
    parts += [losses(config, task, model), explorer_parts(config, task, model)]
    return xr.merge(parts, combine_attrs="drop"), task, model


def _watched(config: Config) -> torch.Tensor:
    """A sample of the in-order compositions with every k in it."""
    every = config.layout.positions + 1
    parts = [
        cell_sample(config.layout, k, 0, max(WATCHED // every, 1), seeded(config.seed, 4))
        for k in range(every)
    ]
    return torch.cat(parts)


def inside(config: Config, task: Task, model: GPT) -> xr.Dataset:
    """Exact match on every in-order composition: seen, unseen, by k; the number mastered."""
    every, seen = task.every, task.seen
    right = task.exact(model, every, config.words)
    k, _ = counts.label(every)
    known = torch.stack([counts.identifiable(every, own) for own in task.subsets])
    sharp = right >= SHARP
    sets = task.functions.to(torch.device("cpu"))
    different = [
        (counts.distinct(sets.member(m), every[sharp[m]]), counts.distinct(sets.member(m), every))
        for m in range(task.members)
    ]
    chosen, words = task.pick(~seen, WRITTEN, 5), task.words(WRITTEN, 2, 6)
    blocks, truth, _ = measure.write(
        measure.greedy(model), task.layout, task.functions, chosen, words, task.style
    )
    forced = measure.teacher_forced(
        model, task.layout, task.functions, chosen, words, task.style
    ).mean(1)
    found = {
        "seen": measure.average(right, seen),
        "unseen": measure.average(right, ~seen),
        "unseen_named": measure.average(right, ~seen & known),
        "unseen_unnamed": measure.average(right, ~seen & ~known),
        "ceiling": measure.average(known.double(), ~seen),
        "reached": sharp.double().sum(1),
        "reached_functions": torch.tensor([float(a) for a, _ in different]),
        "all_functions": torch.tensor([float(b) for _, b in different]),
        "n_train": torch.tensor([float(len(own)) for own in task.subsets]),
        "unseen_tokens": measure.token_accuracy(blocks, truth).mean(1),
        "unseen_forced": forced,
    }
    by_k = torch.stack([right[:, k == j].mean(1) for j in range(config.positions + 1)], -1)
    dims = ("subset", "seed")
    data = xr.Dataset({name: (dims, task.by_seed(v).numpy()) for name, v in found.items()})
    return data.assign(by_k=((*dims, "k"), task.by_seed(by_k).numpy()))


def outside(config: Config, task: Task, model: GPT) -> xr.Dataset:
    """Exact match over cells (k, m) of all compositions, the number mastered with its standard
    error, and what was applied instead at the first mistake."""
    layout, side = config.layout, config.positions + 1
    cells = counts.cells(layout)
    samples = [
        cell_sample(layout, k, m, config.cell_samples, seeded(config.seed, 10 + k * side + m))
        for k, m in cells
    ]
    right = task.exact(model, torch.cat(samples), config.words, 7)
    pieces = right.split([len(one) for one in samples], 1)
    sizes = [counts.cell_size(layout, k, m) for k, m in cells]
    accuracy, sharp = torch.full((2, task.members, side, side), torch.nan, dtype=torch.float64)
    for (k, m), piece in zip(cells, pieces, strict=True):
        accuracy[:, k, m], sharp[:, k, m] = piece.mean(1), (piece >= SHARP).double().mean(1)
    taken = [len(one) for one in samples]
    estimates = [
        theory.estimated_count(sizes, [float(sharp[m][cell]) for cell in cells], taken)
        for m in range(task.members)
    ]
    comps = torch.cat([one[:8] for one, (k, m) in zip(samples, cells, strict=True) if m > 0])
    words = task.words(len(comps), 2, 8)
    asked = task.for_all(comps)
    blocks, truth, _ = measure.write(
        measure.greedy(model), layout, task.functions, asked, words, task.style
    )
    made = anatomy.mistakes(task.functions, asked, words, blocks, truth)
    shares = [(made == i).flatten(1).double().mean(1) for i in range(len(anatomy.MISTAKES))]
    first = anatomy.first_wrong_block(blocks, truth)
    where = [(first == b).flatten(1).double().mean(1) for b in range(side)]
    dims = ("subset", "seed")
    table = np.array(estimates)
    return xr.Dataset(
        {
            "cell_accuracy": ((*dims, "k", "m"), task.by_seed(accuracy).numpy()),
            "cell_mastered": ((*dims, "k", "m"), task.by_seed(sharp).numpy()),
            "reached_far": (dims, task.by_seed(torch.tensor(table[:, 0])).numpy()),
            "reached_far_error": (dims, task.by_seed(torch.tensor(table[:, 1])).numpy()),
            "mistakes": ((*dims, "mistake"), task.by_seed(torch.stack(shares, -1)).numpy()),
            "first_wrong": ((*dims, "block"), task.by_seed(torch.stack(where, -1)).numpy()),
        },
        {"mistake": list(anatomy.MISTAKES), "block": range(1, side + 1), "m": range(side)},
    )


@torch.no_grad()
def losses(config: Config, task: Task, model: GPT) -> xr.Dataset:
    """Loss on fresh training documents, and its floor (nats per token)."""
    feed = task.feed(max(config.batch, 256))
    feed.generator.manual_seed(config.seed + 77)
    loss = torch.stack([answer_loss(model, feed(0), task.layout.prompt) for _ in range(4)]).mean(0)
    floor = [
        theory.loss_floor(task.layout, len(own), "step", condition.all_tokens)
        for condition, own in zip(
            [c for c in task.conditions for _ in task.seeds], task.subsets, strict=True
        )
    ]
    dims = ("subset", "seed")
    return xr.Dataset(
        {
            "loss": (dims, task.by_seed(loss.double()).numpy()),
            "floor": (dims, task.by_seed(torch.tensor(floor)).numpy()),
        }
    )


def explorer_parts(config: Config, task: Task, model: GPT) -> xr.Dataset:
    """What the explorers show of the first seed: examples of every cell, tables, weights."""
    layout, side, seeds = config.layout, config.positions + 1, len(config.seeds)
    shape = (len(task.conditions), side, side, EXAMPLES)
    comps = np.full((*shape, config.positions, 2), -1)
    words = np.zeros((*shape, config.word), dtype=int)
    wrote = np.full((*shape, config.positions, config.word), -1)
    for k, m in counts.cells(layout):
        found = cell_sample(layout, k, m, EXAMPLES, seeded(config.seed, 60 + k * side + m))
        asked, given = task.for_all(found), task.words(len(found), 1, 9 + k * side + m)
        blocks, _, _ = measure.write(
            measure.greedy(model), layout, task.functions, asked, given, task.style
        )
        here = (slice(None), k, m, slice(0, len(found)))
        comps[here] = asked.cpu().numpy()[::seeds]
        words[here] = given.cpu().numpy()[::seeds, :, 0]
        wrote[here] = blocks.cpu().numpy()[::seeds, :, 0]
    cell = ("subset", "k", "m", "example")
    subset = min(range(len(task.conditions)), key=lambda i: _far_from_fifty(task, i))
    chosen = subset * seeds
    weights = torch.cat([value[chosen].flatten() for value in model.state_dict().values()])
    return xr.Dataset(
        {
            "example_comps": ((*cell, "slot", "pair"), comps.astype(np.int8)),
            "example_words": ((*cell, "letter"), words.astype(np.int8)),
            "example_wrote": ((*cell, "slot", "letter"), wrote.astype(np.int8)),
            "shown_tables": (
                ("slot", "function", "symbol"),
                task.functions.tables[chosen].cpu().numpy().astype(np.int8),
            ),
            "shown_trained": (
                ("trained", "slot", "pair"),
                task.subsets[chosen].numpy().astype(np.int8),
            ),
            "shown_weights": ("weight", weights.cpu().numpy()),
        }
    )


def _far_from_fifty(task: Task, i: int) -> tuple[bool, int]:
    """Order in which conditions are shown in the browser: plain random subsets, the largest."""
    condition = task.conditions[i]
    odd = condition.kind != "random" or condition.repeat or condition.all_tokens
    return odd, -condition.size(task.layout)

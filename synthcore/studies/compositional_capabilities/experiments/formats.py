"""Answering directly against writing every step: equal shapes, two functions that commute or do
not, layers and heads, an LSTM.

Axis letters: M member, C condition, S seed.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import nn

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.config import Config
from synthcore.studies.compositional_capabilities.measure import accuracy
from synthcore.studies.compositional_capabilities.model import (
    NetworkConfig,
    build_lstm,
    build_transformer,
    train,
)
from synthcore.studies.compositional_capabilities.task.documents import (
    FORMATS,
    Format,
    Kind,
    Layout,
)
from synthcore.studies.compositional_capabilities.task.members import MemberTasks, draw_generator
from synthcore.studies.compositional_capabilities.task.subsets import Condition, draw_cell
from synthcore.training.progress import Progress

GENERATED = 128  # unseen compositions whose answers are generated
FORMAT_NAMES: Mapping[Format, str] = {"step": "step by step", "direct": "direct"}
FAMILIES: Mapping[str, tuple[Kind, Kind]] = {
    "permutation, bijection": ("permutation", "bijection"),
    "bijection, bijection": ("bijection", "bijection"),
}


class Scores(NamedTuple):
    """Of every condition and seed: exact match on seen and on unseen compositions, right symbols of
    unseen ones, and the number mastered. All (C, S)."""

    seen: NDArray[np.float64]
    unseen: NDArray[np.float64]
    tokens: NDArray[np.float64]
    mastered: NDArray[np.float64]


def random_subsets(config: Config, format: Format, sizes: tuple[int, ...]) -> MemberTasks:
    """Tasks with random in-order subsets of these sizes."""
    conditions = [Condition("random", (n,)) for n in sizes]
    return MemberTasks.draw(config.layout, format, conditions, config.seeds, config.torch_device)


def score(model: GPT, tasks: MemberTasks, words: int) -> Scores:
    """Test every in-order composition on so many words, and generate some answers."""
    right = accuracy.exact_match_on(model, tasks, tasks.in_order, words)
    comps = tasks.sample_in_order(~tasks.seen, GENERATED, 5)
    blocks, truth, _ = accuracy.generate_answers(
        model, tasks, comps, tasks.draw_words(GENERATED, 1, 6)
    )
    by_member = (
        accuracy.mean_over(right, tasks.seen),
        accuracy.mean_over(right, ~tasks.seen),
        accuracy.token_accuracy(blocks, truth).mean(1),
        (right >= accuracy.MASTERED).double().sum(1),
    )
    return Scores(*(tasks.by_seed(values).numpy() for values in by_member))


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Both formats on the same random subsets, in networks of one shape: dimensions format, n and
    seed."""
    parts = []
    networks = (config.matched_network, config.direct_network)
    for format, network in zip(FORMATS, networks, strict=True):
        tasks = random_subsets(config, format, config.direct_n)
        model = build_transformer(network, tasks)
        train(model, tasks, network, f"{FORMAT_NAMES[format]}, {network.depth} layers", progress)
        scores = score(model, tasks, config.words)
        data = xr.Dataset(
            {
                "format_seen": (("n", "seed"), scores.seen),
                "format_unseen": (("n", "seed"), scores.unseen),
                "format_tokens": (("n", "seed"), scores.tokens),
                "format_reached": (("n", "seed"), scores.mastered),
            },
            {"n": list(config.direct_n), "seed": list(config.seeds)},
        )
        parts.append(data.expand_dims(format=[format]))
    return xr.concat(parts, "format")


def two_slots(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """A permutation of places and then a bijection of symbols, directly; and the control, a
    bijection after a bijection: dimensions family, pairs (trained) and seed.

    y_k = sigma[x[pi[k]]] is the same in either order: attention can fetch by pi while an MLP
    applies sigma, without one waiting for the other. Two bijections must be applied in turn.
    """
    layout = Layout(2, config.slot_functions, config.alphabet, config.word)
    parts = []
    for (family, kinds), sizes in zip(
        FAMILIES.items(), (config.slot_n, config.slot_control), strict=True
    ):
        conditions = [Condition("random", (n,)) for n in sizes]
        device = config.torch_device
        tasks = MemberTasks.draw(layout, "direct", conditions, config.seeds, device, kinds)
        model = build_transformer(config.slot_network, tasks)
        train(model, tasks, config.slot_network, family, progress)
        right = accuracy.exact_match_on(model, tasks, tasks.in_order, config.words)
        known = torch.stack([theory.is_identifiable(tasks.in_order, s) for s in tasks.subsets])
        seen, unseen = accuracy.mean_over(right, tasks.seen), accuracy.mean_over(right, ~tasks.seen)
        ceiling = accuracy.mean_over(known.double(), ~tasks.seen)
        data = xr.Dataset(
            {
                "slot_seen": (("pairs", "seed"), tasks.by_seed(seen).numpy()),
                "slot_unseen": (("pairs", "seed"), tasks.by_seed(unseen).numpy()),
                "slot_ceiling": (("pairs", "seed"), tasks.by_seed(ceiling).numpy()),
            },
            {"pairs": list(sizes), "seed": list(config.seeds)},
        )
        parts.append(data.expand_dims(family=[family]))
    return xr.concat(parts, "family", join="outer")


# --- architectures ------------------------------------------------------------------------------


def depths(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Which depth and how many heads each format needs: dimensions depth, heads, format and seed;
    and the network written by hand.

    Step by step on `one_layer_n` compositions, directly on `depth_n`: the first asks whether depth
    is needed at all, the second what depth buys when fitting is hard. Direct networks have the
    heads of the other direct networks only.
    """
    parts = [score_constructed(config)]
    direct = config.direct_network
    cases: tuple[tuple[Format, NetworkConfig, int, tuple[int, ...]], ...] = (
        ("step", config.matched_network, config.one_layer_n, config.sweep_heads),
        ("direct", direct, config.depth_n, (direct.heads,)),
    )
    for depth in config.depths:
        for format, base, n, all_heads in cases:
            for heads in all_heads:
                network = replace(base, depth=depth, heads=heads, steps=config.depth_steps)
                tasks = random_subsets(config, format, (n,))
                model = build_transformer(network, tasks)
                name = f"depth sweep, {FORMAT_NAMES[format]}, {depth} layers, {heads} heads"
                train(model, tasks, network, name, progress)
                scores = score(model, tasks, config.words)
                data = xr.Dataset(
                    {
                        "depth_seen": ("seed", scores.seen[0]),
                        "depth_unseen": ("seed", scores.unseen[0]),
                        "depth_tokens": ("seed", scores.tokens[0]),
                        "depth_reached": ("seed", scores.mastered[0]),
                    },
                    {"seed": list(config.seeds)},
                )
                parts.append(data.expand_dims(depth=[depth], heads=[heads], format=[format]))
    return xr.merge(parts, join="outer", compat="no_conflicts")


def score_constructed(config: Config) -> xr.Dataset:
    """Exact match of the network written by hand on samples of every cell of C: by seed."""
    device = torch.device("cpu")
    tasks = MemberTasks.draw(config.layout, "step", [Condition("base")], config.seeds, device)
    comps = torch.cat(
        [
            draw_cell(config.layout, k, m, config.cell_samples, draw_generator(config.seed, 70 + k))
            for k, m in theory.cells(config.layout)
        ]
    )
    words = tasks.draw_words(len(comps), config.words, 71)
    right = []
    for m, seed in enumerate(config.seeds):
        alone = MemberTasks.draw(config.layout, "step", [Condition("base")], [seed], device)
        model = theory.construct_one_layer(config.layout, alone.functions.tables[0])
        right.append(accuracy.exact_match(model, alone, comps[None], words[m : m + 1]).mean())
    return xr.Dataset(
        {"constructed": ("seed", torch.stack(right).numpy())}, {"seed": list(config.seeds)}
    )


def architectures(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """An LSTM beside a transformer of its width and depth on the same documents: dimensions model
    and seed."""
    tasks = random_subsets(config, "step", (config.lstm_n,))
    network = config.matched_network
    longer = replace(network, steps=config.lstm_steps)
    transformer = build_transformer(network, tasks)
    train(transformer, tasks, network, "beside the LSTM", progress)
    lstm = build_lstm(longer, tasks)
    train(lstm, tasks, longer, "LSTM", progress)
    models: dict[str, nn.Module] = {"Transformer": transformer, "LSTM": lstm}
    parts = []
    for name, model in models.items():
        right = accuracy.exact_match_on(model, tasks, tasks.in_order, config.words)
        comps = tasks.sample_in_order(~tasks.seen, GENERATED, 47)
        words = tasks.draw_words(GENERATED, 2, 48)
        forced = accuracy.teacher_forced_accuracy(model, tasks, comps, words).mean(1).cpu()
        data = xr.Dataset(
            {
                "recurrent_seen": ("seed", accuracy.mean_over(right, tasks.seen).numpy()),
                "recurrent_unseen": ("seed", accuracy.mean_over(right, ~tasks.seen).numpy()),
                "recurrent_forced": ("seed", forced.numpy()),
            }
        )
        parts.append(data.expand_dims(model=[name]))
    return xr.concat(parts, "model").assign_coords(seed=list(config.seeds))

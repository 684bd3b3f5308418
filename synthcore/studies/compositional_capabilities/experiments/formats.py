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

from synthcore.evidence.dataset import labelled
from synthcore.nn.gpt import GPT
from synthcore.stages import stage
from synthcore.studies.compositional_capabilities import theory
from synthcore.studies.compositional_capabilities.config import COMMON, Config
from synthcore.studies.compositional_capabilities.measure import accuracy
from synthcore.studies.compositional_capabilities.measure.policies import (
    Policy,
    exact,
    memoriser,
)
from synthcore.studies.compositional_capabilities.model import (
    NetworkConfig,
    build_lstm,
    build_transformer,
    train,
)
from synthcore.studies.compositional_capabilities.task.documents import Format, Kind
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.task.subsets import Condition
from synthcore.training.progress import Progress

GENERATED = 128  # unseen compositions whose answers are generated
LATE = (0.8, 0.9, 1.0)  # shares of a training after which it is looked at, to see whether it ended
FORMAT_NAMES: Mapping[Format, str] = {"step": "step by step", "direct": "direct"}
COMMUTING, IN_TURN = "permutation, bijection", "bijection, bijection"
FAMILIES: Mapping[str, tuple[Kind, Kind]] = {
    COMMUTING: ("permutation", "bijection"),
    IN_TURN: ("bijection", "bijection"),
}
UNITS = {"n": "compositions", "pairs": "compositions", "step": "updates"}


class Scores(NamedTuple):
    """Of every condition and seed: exact match on seen and on unseen compositions, and right
    symbols of unseen ones. All (C, S)."""

    seen: NDArray[np.float64]
    unseen: NDArray[np.float64]
    tokens: NDArray[np.float64]


def random_subsets(config: Config, format: Format, sizes: tuple[int, ...]) -> MemberTasks:
    """Tasks with random in-order subsets of these sizes."""
    conditions = [Condition("random", (n,)) for n in sizes]
    return MemberTasks.draw(config.layout, format, conditions, config.seeds, config.torch_device)


def score(model: nn.Module, tasks: MemberTasks, words: int) -> Scores:
    """Test every in-order composition on so many words, and generate some answers."""
    right = accuracy.exact_match_on(model, tasks, tasks.in_order, words, "in order")
    tokens = torch.full((tasks.members,), torch.nan, dtype=torch.float64)
    if isinstance(model, GPT):
        comps = tasks.sample_in_order(~tasks.seen, GENERATED, "generation")
        asked = tasks.draw_words(GENERATED, 1, "generation")
        blocks, truth, _ = accuracy.generate_answers(model, tasks, comps, asked)
        tokens = accuracy.token_accuracy(blocks, truth).mean(1)
    by_member = (
        accuracy.mean_over(right, tasks.seen),
        accuracy.mean_over(right, ~tasks.seen),
        tokens,
    )
    return Scores(*(tasks.by_seed(values).numpy() for values in by_member))


@stage(reads=(*COMMON, "direct_n", "direct_steps"))
def direct(config: Config, progress: Progress) -> xr.Dataset:
    """Direct networks of the stepwise ones' shape on the same random subsets, at the end and a
    little before; and the memoriser: dimensions n, seed and step."""
    tasks = random_subsets(config, "direct", config.direct_n)
    network = config.network(config.direct_steps)
    model = build_transformer(network, tasks)

    def evaluate(step: int, model: nn.Module) -> dict[str, np.ndarray]:
        right = accuracy.exact_match_on(model, tasks, tasks.in_order, 1, "late")
        unseen = accuracy.mean_over(right, ~tasks.seen)
        return {"direct_late": tasks.by_seed(unseen).numpy()}

    late = [round(share * network.steps) for share in LATE]
    history = train(model, tasks, network, "direct", progress, late, evaluate)
    scores = score(model, tasks, config.words)
    shortcut = score(Policy(tasks, memoriser), tasks, config.words)
    data = xr.Dataset(
        {
            "direct_seen": (("n", "seed"), scores.seen),
            "direct_unseen": (("n", "seed"), scores.unseen),
            "direct_tokens": (("n", "seed"), scores.tokens),
            "direct_late": (
                ("step", "n", "seed"),
                np.stack([history.measured[step]["direct_late"] for step in late]),
            ),
            "memoriser_seen": (("n", "seed"), shortcut.seen),
            "memoriser_unseen": (("n", "seed"), shortcut.unseen),
        },
        {"n": list(config.direct_n), "seed": list(config.seeds), "step": late},
    )
    return labelled(data, UNITS)


def step_at_direct(step: xr.Dataset, direct: xr.Dataset, variable: str) -> xr.DataArray:
    """A measurement of the stepwise networks trained on the direct ones' subsets: (n, seed)."""
    sizes = direct.n.values
    values: xr.DataArray = step[variable].sel(subset=[f"random {n}" for n in sizes.tolist()])
    return values.rename(subset="n").assign_coords(n=sizes)


SLOTS = ("slot_functions", "slot_n", "slot_control", "slot_decides", "slot_depth", "slot_steps")


@stage(
    reads=(*(name for name in COMMON if name not in ("positions", "functions")), *SLOTS),
    seeds="further_seeds",
)
def two_slots(config: Config, progress: Progress) -> xr.Dataset:
    """A permutation of places and then a bijection of symbols, directly; and the control, a
    bijection after a bijection: dimensions family, pairs (trained), seed and step; the exact
    algorithm and the memoriser beside them.

    y_k = sigma[x[pi[k]]] is the same in either order: attention can fetch by pi while an MLP
    applies sigma, without one waiting for the other. Two bijections must be applied in turn.
    """
    parts = []
    for (family, kinds), sizes in zip(
        FAMILIES.items(), (config.slot_n, config.slot_control), strict=True
    ):
        tasks = slot_tasks(config, kinds, sizes)
        network = config.network(config.slot_steps, depth=config.slot_depth)
        model = build_transformer(network, tasks)

        def evaluate(
            step: int, model: nn.Module, tasks: MemberTasks = tasks
        ) -> dict[str, np.ndarray]:
            right = accuracy.exact_match_on(model, tasks, tasks.in_order, config.words, "in order")
            unseen = accuracy.mean_over(right, ~tasks.seen)
            return {"slot_late": tasks.by_seed(unseen).numpy()}

        late = [round(share * network.steps) for share in LATE]
        history = train(model, tasks, network, family, progress, late, evaluate)
        scores = score(model, tasks, config.words)
        known = torch.stack([theory.is_identifiable(tasks.in_order, s) for s in tasks.subsets])
        ceiling = accuracy.mean_over(known.double(), ~tasks.seen)
        dims = ("pairs", "seed")
        data = xr.Dataset(
            {
                "slot_seen": (dims, scores.seen),
                "slot_unseen": (dims, scores.unseen),
                "slot_late": (
                    ("step", *dims),
                    np.stack([history.measured[step]["slot_late"] for step in late]),
                ),
                "slot_ceiling": (dims, tasks.by_seed(ceiling).numpy()),
                "slot_exact": (dims, score(Policy(tasks, exact), tasks, config.words).unseen),
                "slot_memoriser": (
                    dims,
                    score(Policy(tasks, memoriser), tasks, config.words).unseen,
                ),
            },
            {"pairs": list(sizes), "seed": list(config.seeds), "step": late},
        )
        parts.append(data.expand_dims(family=[family]))
    whole = xr.concat(parts, "family", join="outer")
    return labelled(whole.assign_attrs(decides=config.slot_decides), UNITS)


def slot_tasks(config: Config, kinds: tuple[Kind, Kind], sizes: tuple[int, ...]) -> MemberTasks:
    """Tasks of two functions of these kinds, with so many trained pairs."""
    conditions = [Condition("random", (n,)) for n in sizes]
    device = config.torch_device
    return MemberTasks.draw(config.two_slots, "direct", conditions, config.seeds, device, kinds)


# --- architectures ------------------------------------------------------------------------------


@stage(
    reads=(*COMMON, "one_layer_n", "depth_n", "depths", "sweep_heads", "depth_steps"),
    seeds="further_seeds",
)
def depths(config: Config, progress: Progress) -> xr.Dataset:
    """Which depth and how many heads each format needs: dimensions depth, heads, format and seed.

    Step by step on `one_layer_n` compositions, directly on `depth_n`: the first asks whether depth
    is needed at all, the second what depth buys when fitting is hard. Direct networks have the
    heads of the other direct networks only.
    """
    parts = []
    cases: tuple[tuple[Format, int, tuple[int, ...]], ...] = (
        ("step", config.one_layer_n, config.sweep_heads),
        ("direct", config.depth_n, (config.heads,)),
    )
    for depth in config.depths:
        for format, n, all_heads in cases:
            for heads in all_heads:
                network = config.network(config.depth_steps, depth=depth, heads=heads)
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
                    },
                    {"seed": list(config.seeds)},
                )
                parts.append(data.expand_dims(depth=[depth], heads=[heads], format=[format]))
    whole = xr.merge(parts, join="outer", compat="no_conflicts")
    return labelled(whole.assign_attrs(heads=config.heads), {"depth": "layers"})


LSTM = ("lstm_n", "lstm_width", "lstm_depth", "lstm_learning_rate", "lstm_weight_decay")


@stage(reads=(*COMMON, *LSTM, "lstm_steps", "steps"), seeds="further_seeds")
def architectures(config: Config, progress: Progress) -> xr.Dataset:
    """An LSTM beside a transformer on the same compositions, each with a rate and a number of
    updates of its own: dimensions model and seed; the memoriser beside them."""
    tasks = random_subsets(config, "step", (config.lstm_n,))
    network = config.network(config.steps)
    transformer = build_transformer(network, tasks)
    train(transformer, tasks, network, "beside the LSTM", progress)
    own: NetworkConfig = replace(
        network,
        width=config.lstm_width,
        depth=config.lstm_depth,
        learning_rate=config.lstm_learning_rate,
        weight_decay=config.lstm_weight_decay,
        steps=config.lstm_steps,
    )
    lstm = build_lstm(own, tasks)
    train(lstm, tasks, own, "LSTM", progress)
    models: dict[str, nn.Module] = {"Transformer": transformer, "LSTM": lstm}
    models["memoriser"] = Policy(tasks, memoriser)
    parts = []
    for name, model in models.items():
        scores = score(model, tasks, config.words)
        data = xr.Dataset(
            {
                "recurrent_seen": ("seed", scores.seen[0]),
                "recurrent_unseen": ("seed", scores.unseen[0]),
            }
        )
        parts.append(data.expand_dims(model=[name]))
    return labelled(xr.concat(parts, "model").assign_coords(seed=list(config.seeds)), {})

"""Layered graphs: train on near pairs, test on far ones. Is the gain of stepwise lines that they
stitch short pieces together?

Every Delta draws equally many lines, so near training repeats its fewer lines more often: the
control with repetition is built in. A line of a pair Delta layers apart has Delta edges, so every
right far answer is made of more than one training line.
"""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr

from synthcore.evidence.dataset import labelled
from synthcore.stages import stage
from synthcore.studies.stepwise_inference.config import COMMON, Config
from synthcore.studies.stepwise_inference.experiments import UNITS
from synthcore.studies.stepwise_inference.experiments.navigation import evaluator, hidden_graph
from synthcore.studies.stepwise_inference.measure.answers import Policy
from synthcore.studies.stepwise_inference.measure.evaluator import GROUPS, Evaluator
from synthcore.studies.stepwise_inference.measure.policies import guesser, uniform_path, walker
from synthcore.studies.stepwise_inference.model import build, optimisation
from synthcore.studies.stepwise_inference.task.lines import (
    BatchSampler,
    LineSampler,
    distance_split,
)
from synthcore.studies.stepwise_inference.theory import (
    BASELINES,
    TESTS,
    baseline_table,
    best_shortcut,
)
from synthcore.training.fit import fit
from synthcore.training.progress import Progress

ALL = 0  # the Delta that stands for training on 80 % of the pairs of every distance
LAST = (0.5, 0.75, 1.0)  # shares of the training at which networks are measured


@stage(reads=(*COMMON, "formats", "near", "far", "stitch_steps", "shift"))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Recalls at far distances: dimensions format, near (Delta), step, seed, and group or distance;
    what shortcuts and hand-made policies score there. Members of a population are (Delta, seed)."""
    device, deltas = config.torch_device, [*config.near, ALL]
    members = [(delta, seed) for delta in deltas for seed in config.seeds]
    seeds = [seed for _, seed in members]
    graphs = [hidden_graph(config, "layered", seed) for seed in seeds]
    splits = [
        distance_split(graph, delta or None, (config.far, config.layers - 1), seed)
        for graph, (delta, seed) in zip(graphs, members, strict=True)
    ]
    test = evaluator(config, graphs, splits, seeds, config.shift)
    rank = torch.stack([graph.rank for graph in graphs]).to(device)
    at = sorted({max(1, round(share * config.stitch_steps)) for share in LAST})
    parts = []
    for line_format in config.formats:
        name = f"stitching, {line_format}"
        lines = LineSampler(graphs, splits, config.mixture(line_format), device)
        model = build(config.network(lines.vocabulary.size), seeds, device)
        keys = [f"{name}, near {delta}" for delta, _ in members]
        history = fit(
            model,
            BatchSampler(lines, config.batch, seeds, keys, config.shift),
            checkpoints=at,
            on_checkpoint=lambda _, network: far_answers(config, test, network, rank),
            progress=progress,
            name=name,
            **optimisation(model, config, config.stitch_steps),
        )
        steps = [by_delta(config, history.measured[step]) for step in at]
        part = xr.concat(steps, "step", join="exact").assign_coords(step=at)
        parts.append(part.expand_dims(format=[line_format]))
    data = xr.concat(parts, "format", join="exact")
    known: dict[str, Policy] = {
        "uniform path": walker(graphs, uniform_path, device=device),
        "shortcut": guesser(
            torch.stack([best_shortcut(g, s) for g, s in zip(graphs, splits, strict=True)]), device
        ),
    }
    handmade = [
        by_delta(config, far_answers(config, test, policy, rank))[["far_recall"]]
        .rename(far_recall="policy_recall")
        .expand_dims(policy=[name])
        for name, policy in known.items()
    ]
    data = data.merge(xr.concat(handmade, "policy", join="exact"))
    shape = (len(deltas), len(config.seeds), len(BASELINES), len(TESTS))
    rows = [baseline_table(g, s) for g, s in zip(graphs, splits, strict=True)]
    data["far_baseline"] = (("near", "seed", "baseline", "test"), np.reshape(rows, shape))
    data["far_pairs"] = (
        ("near", "seed"),
        np.reshape([len(split.test) for split in splits], shape[:2]),
    )
    data["hard_share"] = (
        ("near", "seed"),
        np.reshape([split.hard_share for split in splits], shape[:2]),
    )
    data = data.assign_coords(baseline=list(BASELINES), test=list(TESTS))
    return labelled(data, UNITS)


def far_answers(
    config: Config, test: Evaluator, policy: Policy, rank: torch.Tensor
) -> dict[str, np.ndarray]:
    """Labels and right paths of any policy, per member; recall of connected pairs by distance."""
    labels = test.evaluate_labels(policy)
    start, goal = test.connected.unbind(-1)
    apart = rank.gather(1, goal) - rank.gather(1, start)
    weight = test.weight[:, 0]
    by_distance = [
        (labels["right"] * (apart == d) * weight).sum(1) / ((apart == d) * weight).sum(1)
        for d in range(config.far, config.layers)
    ]
    measured = {name: labels[name] for name in ("recall", "valid")}
    measured["by_distance"] = torch.stack(by_distance, -1)
    return {name: values.cpu().numpy() for name, values in measured.items()}


def by_delta(config: Config, measured: Mapping[str, np.ndarray]) -> xr.Dataset:
    """The same with dimensions near and seed in place of member."""
    deltas = [*config.near, ALL]
    shape = (len(deltas), len(config.seeds))
    distances = list(range(config.far, config.layers))
    cell = ("near", "seed")
    return xr.Dataset(
        {
            "far_recall": ((*cell, "group"), measured["recall"].reshape(*shape, len(GROUPS))),
            "far_valid": (cell, measured["valid"].reshape(shape)),
            "far_recall_distance": (
                (*cell, "distance"),
                measured["by_distance"].reshape(*shape, len(distances)),
            ),
        },
        {
            "near": deltas,
            "seed": list(config.seeds),
            "group": list(GROUPS),
            "distance": distances,
        },
    )

"""Layered graphs: train on near pairs, test on far ones. Is the gain of stepwise lines that they
stitch short pieces together?

Every Delta draws equally many lines, so near training repeats its fewer lines more often: the
control with repetition is built in.
"""

import numpy as np
import torch
import xarray as xr

from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.experiments.navigation import hidden_graph
from synthcore.studies.stepwise_inference.measure import GROUPS, Evaluator
from synthcore.studies.stepwise_inference.model import build, train
from synthcore.studies.stepwise_inference.task.lines import (
    BatchSampler,
    Format,
    LineSampler,
    distance_split,
)
from synthcore.studies.stepwise_inference.theory import BASELINES, baseline_accuracies
from synthcore.training.progress import Progress

ALL = 0  # the Delta that stands for training on 80 % of the pairs of every distance
FORMATS: tuple[Format, Format] = ("step", "direct")


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Recalls at far distances: dimensions format, near (Delta), seed, and group or distance; and
    what shortcuts score there. Members of the population are (Delta, seed)."""
    device, deltas = config.torch_device, [*config.near, ALL]
    members = [(delta, seed) for delta in deltas for seed in config.seeds]
    seeds = [seed for _, seed in members]
    shape = (len(deltas), len(config.seeds))
    graphs = [hidden_graph(config, "layered", seed) for seed in seeds]
    far = (config.far, config.layers - 1)
    splits = [
        distance_split(graph, delta or None, far, seed)
        for graph, (delta, seed) in zip(graphs, members, strict=True)
    ]
    longest, distances = config.layers - 1, range(config.far, config.layers)
    parts = []
    for line_format in FORMATS:
        lines = LineSampler(graphs, splits, line_format, device)
        new = 1 if line_format == "direct" else longest + 1
        evaluator = Evaluator(graphs, splits, config.test_pairs, new, seeds, device)
        context = longest + 5 + config.shift
        model = build(lines.vocabulary.size, context, config.width, config.depth, seeds, device)
        train(
            model,
            BatchSampler(lines, config.batch, config.seed, config.shift),
            config.training(config.stitch_steps),
            f"stitching, {line_format}",
            progress,
        )
        labels = evaluator.evaluate_labels(model)
        rank = torch.stack([graph.rank for graph in graphs]).to(device)
        start, goal = evaluator.connected.unbind(-1)
        apart = rank.gather(1, goal) - rank.gather(1, start)
        by_distance = [
            (labels["right"] * (apart == d)).sum(1) / (apart == d).sum(1) for d in distances
        ]
        part = xr.Dataset(
            {
                "far_recall": (
                    ("near", "seed", "group"),
                    labels["recall"].cpu().numpy().reshape(*shape, len(GROUPS)),
                ),
                "far_valid": (("near", "seed"), labels["valid"].cpu().numpy().reshape(shape)),
                "far_recall_distance": (
                    ("near", "seed", "distance"),
                    torch.stack(by_distance, -1).cpu().numpy().reshape(*shape, len(distances)),
                ),
            },
            {
                "near": deltas,
                "seed": list(config.seeds),
                "group": list(GROUPS),
                "distance": list(distances),
            },
        )
        parts.append(part.expand_dims(format=[line_format]))
    data = xr.concat(parts, "format", join="exact")
    baselines = [
        list(baseline_accuracies(graph, split).values())
        for graph, split in zip(graphs, splits, strict=True)
    ]
    data["far_baseline"] = (
        ("near", "seed", "baseline", "test"),
        np.array(baselines).reshape(*shape, len(BASELINES), 2),
    )
    return data.assign_coords(baseline=list(BASELINES), test=["hard", "mixed"])

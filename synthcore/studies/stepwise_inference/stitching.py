"""Layered graphs: train on near pairs, test on far ones. Is the gain of stepwise lines that they
stitch short pieces together?

Every Delta draws equally many lines, so near training repeats its fewer lines more often: the
control with repetition is built in.
"""

import numpy as np
import torch
import xarray as xr

from synthcore.studies.stepwise_inference import baselines
from synthcore.studies.stepwise_inference.measure import GROUPS, Examination
from synthcore.studies.stepwise_inference.networks import LineFeed, build, train
from synthcore.studies.stepwise_inference.parameters import Config
from synthcore.studies.stepwise_inference.single import Progress, graph
from synthcore.studies.stepwise_inference.task import Format, Lines, distance_split

ALL = 0  # the Delta that stands for training on 80 % of the pairs of every distance
FORMATS: tuple[Format, Format] = ("step", "direct")


def stitching(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Recalls at far distances for every Delta, format and seed; members are (Delta, seed)."""
    device, seeds = config.torch_device, config.seeds
    near = [*config.near, ALL]
    graphs = [graph(config, "layered", seed) for _ in near for seed in seeds]
    far = (config.far, config.layers - 1)
    every = [seed for _ in near for seed in seeds]
    splits = [
        distance_split(g, d or None, far, seed)
        for g, d, seed in zip(graphs, np.repeat(near, len(seeds)).tolist(), every, strict=True)
    ]
    size, longest = config.test_pairs, config.layers - 1
    parts = []
    for style in FORMATS:
        lines = Lines(graphs, splits, style, device)
        new = 1 if style == "direct" else longest + 1
        exam = Examination(graphs, splits, size, new, every, device)
        context = longest + 5 + config.shift
        model = build(config.recipe, lines.words.size, context, every, device)
        named = (
            None if progress is None else lambda d, t, s=style: progress(f"stitching, {s}", d, t)
        )
        feed = LineFeed(lines, config.batch, config.seed, config.shift)
        train(model, feed, config.recipe, config.stitch_steps, progress=named)
        found = exam.labels(model)
        gap = torch.stack([g.rank for g in graphs]).to(device)
        member = torch.arange(len(every), device=device)[:, None]
        start, goal = exam.connected.unbind(-1)
        apart = gap[member, goal] - gap[member, start]
        distances = range(config.far, config.layers)
        by_distance = [
            ((found["right"] * (apart == d)).sum(1) / (apart == d).sum(1)) for d in distances
        ]
        shape = (len(near), len(seeds))
        part = xr.Dataset(
            {
                "far_recall": (
                    ("near", "seed", "group"),
                    found["recall"].cpu().numpy().reshape(*shape, len(GROUPS)),
                ),
                "far_valid": (("near", "seed"), found["valid"].cpu().numpy().reshape(shape)),
                "far_recall_distance": (
                    ("near", "seed", "distance"),
                    torch.stack(by_distance, -1).cpu().numpy().reshape(*shape, len(distances)),
                ),
            },
            {
                "near": near,
                "seed": list(seeds),
                "group": list(GROUPS),
                "distance": list(distances),
            },
        )
        parts.append(part.expand_dims(format=[style]))
    data = xr.concat(parts, "format", join="exact")
    rows = [list(baselines.accuracies(g, s).values()) for g, s in zip(graphs, splits, strict=True)]
    data["far_baseline"] = (
        ("near", "seed", "baseline", "test"),
        np.array(rows).reshape(len(near), len(seeds), -1, 2),
    )
    return data.assign_coords(baseline=list(baselines.BASELINES), test=["hard", "mixed"])

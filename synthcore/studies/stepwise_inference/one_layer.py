"""Train the one-layer attention-only networks and read their two tables."""

import numpy as np
import xarray as xr

from synthcore.studies.stepwise_inference import mechanism
from synthcore.studies.stepwise_inference.graphs import bernoulli
from synthcore.studies.stepwise_inference.measure import Examination
from synthcore.studies.stepwise_inference.networks import LineFeed, Recipe, build, train
from synthcore.studies.stepwise_inference.parameters import Config
from synthcore.studies.stepwise_inference.single import Progress, School
from synthcore.studies.stepwise_inference.task import Lines, random_split
from synthcore.training.seeding import seeded


def one_layer(config: Config, two_layer: School, progress: Progress | None = None) -> xr.Dataset:
    """Accuracies of network and rules, attention, tables of the first seed; and how much of the
    two-layer networks' accuracy the best two tables keep."""
    device, seeds = config.torch_device, config.seeds
    graphs = [
        bernoulli(config.mechanism_nodes, config.mechanism_probability, seeded(seed, 4))
        for seed in seeds
    ]
    splits = [
        random_split(g, config.mechanism_share, s) for g, s in zip(graphs, seeds, strict=True)
    ]
    longest = max(g.longest for g in graphs)
    lines = Lines(graphs, splits, "step", device)
    exam = Examination(graphs, splits, config.test_pairs, longest + 1, seeds, device)
    recipe = Recipe(config.width, 1, config.learning_rate, config.batch, mlp_ratio=0)
    model = build(recipe, lines.words.size, longest + 5, seeds, device)
    named = None if progress is None else lambda d, t: progress("one layer", d, t)
    train(
        model,
        LineFeed(lines, config.batch, config.seed),
        recipe,
        config.mechanism_steps,
        progress=named,
    )
    found = mechanism.examine(model, exam, graphs)
    numbers = {
        name: ("seed", values.double().cpu().numpy())
        for name, values in found.items()
        if values.ndim == 1
    }
    data = xr.Dataset(numbers, {"seed": list(seeds)})
    kept = mechanism.two_tables(two_layer.model, two_layer.exam)
    data["two_layer_kept"] = ("seed", kept.double().cpu().numpy())
    dims = ("goal_node", "candidate"), ("current_node", "candidate")
    for name, axes in zip(("goal_scores", "step_scores"), dims, strict=True):
        data[name] = (axes, found[name][0].cpu().numpy().astype(np.float32))
    data["mechanism_adjacency"] = (dims[1], graphs[0].adjacency.numpy())
    data["mechanism_distance"] = (dims[1], graphs[0].distance.numpy().astype(np.int16))
    return data

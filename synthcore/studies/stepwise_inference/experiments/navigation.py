"""One hidden graph per seed: train every format on pairs of it, evaluate on held-out pairs.

Axis letters: M member.
"""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import nn

from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.measure import GROUPS, Evaluator
from synthcore.studies.stepwise_inference.model import build, train
from synthcore.studies.stepwise_inference.task.graphs import Graph, bernoulli_graph, layered_graph
from synthcore.studies.stepwise_inference.task.lines import (
    BatchSampler,
    Format,
    LineSampler,
    Split,
    random_split,
)
from synthcore.studies.stepwise_inference.theory import BASELINES, baseline_accuracies
from synthcore.training.progress import Progress
from synthcore.training.schedules import log_spaced
from synthcore.training.seeding import seeded

KINDS = ("bernoulli", "layered")


@dataclass(frozen=True)
class TrainedPopulation:
    """Graphs, splits, trained networks and what evaluates them; members are seeds."""

    graphs: list[Graph]
    splits: list[Split]
    model: GPT
    evaluator: Evaluator
    results: xr.Dataset
    """Dimensions kind, format, step, seed, group."""


def run(config: Config, progress: Progress | None = None) -> tuple[xr.Dataset, TrainedPopulation]:
    """Every format on both graph types and what shortcuts score there: dimensions kind, format,
    step, seed, group, and baseline, test; with the stepwise networks of Bernoulli graphs."""
    parts, stepwise_bernoulli = [], None
    for kind in KINDS:
        populations = [
            train_population(config, kind, line_format, progress) for line_format in config.formats
        ]
        parts += [population.results for population in populations]
        parts += [shortcuts(config, kind, populations[0])]
        stepwise_bernoulli = stepwise_bernoulli or populations[0]
    assert stepwise_bernoulli is not None
    data = xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="drop")
    return data, stepwise_bernoulli


def hidden_graph(config: Config, kind: str, seed: int) -> Graph:
    """The hidden graph of a seed."""
    if kind == "bernoulli":
        return bernoulli_graph(config.nodes, config.edge_probability, seeded(seed, 0))
    return layered_graph(
        config.layers, config.layer_width, config.layer_probability, seeded(seed, 1)
    )


def train_population(
    config: Config, kind: str, line_format: Format, progress: Progress | None = None
) -> TrainedPopulation:
    """Train all seeds of one graph type and format; evaluate at log-spaced steps."""
    device, seeds = config.torch_device, config.seeds
    graphs = [hidden_graph(config, kind, seed) for seed in seeds]
    splits = [random_split(g, config.share, s) for g, s in zip(graphs, seeds, strict=True)]
    lines = LineSampler(graphs, splits, line_format, device)
    longest = max(graph.longest for graph in graphs)
    new = 1 if line_format == "direct" else longest + 1
    evaluator = Evaluator(graphs, splits, config.test_pairs, new, seeds, device)
    model = build(lines.vocabulary.size, longest + 5, config.width, config.depth, seeds, device)
    batches = BatchSampler(lines, config.batch, config.seed)
    evaluations: dict[int, dict[str, np.ndarray]] = {}

    def on_checkpoint(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        evaluations[step] = evaluate(model, evaluator, line_format)

    train(
        model,
        batches,
        config.training(config.steps),
        f"{kind}, {line_format}",
        progress,
        log_spaced(config.steps, config.checkpoints, first=min(25, config.steps // 8)),
        on_checkpoint,
    )
    dims = {"recall": ("group",), "first_recall": ("group",), "right": ("pair",)}
    measured = {
        name: np.stack([at_step[name] for at_step in evaluations.values()])
        for name in next(iter(evaluations.values()))
    }
    data = xr.Dataset(
        {name: (("step", "seed", *dims.get(name, ())), v) for name, v in measured.items()},
        {"step": list(evaluations), "seed": list(seeds), "group": list(GROUPS)},
    )
    right = data.right.isel(step=-1)
    seen = contexts_seen(batches, evaluator)
    data["recall_seen"] = right.where(seen).mean("pair")
    data["recall_unseen"] = right.where(~seen).mean("pair")
    data["share_seen"] = ("seed", seen.mean(1))
    data = data.drop_vars("right").expand_dims(kind=[kind], format=[line_format])
    return TrainedPopulation(graphs, splits, model, evaluator, data)


def contexts_seen(batches: BatchSampler, evaluator: Evaluator) -> np.ndarray:
    """Whether training paths have passed the start of each connected test pair on their way to its
    goal: (M, pairs) of bool."""
    start, goal = evaluator.connected.cpu().unbind(-1)
    member = torch.arange(len(start))[:, None]
    return (batches.contexts.cpu()[member, start, goal] > 0).numpy()


def evaluate(model: GPT, evaluator: Evaluator, line_format: Format) -> dict[str, np.ndarray]:
    """What is measured at a checkpoint, every array with a member axis in front.

    Of the sampled answers that walk: shares with a `misstep`, that miss the goal (`astray`), that
    miss it on valid steps (`planning`), and of single steps off the graph (`edge_error`).
    """
    measured = evaluator.evaluate_labels(model)
    if line_format != "direct":
        _, paths = evaluator.sample_answers(model)
        walked = paths.walked.sum(1).clamp(min=1)
        measured |= {
            "misstep": (paths.misstep & paths.walked).sum(1) / walked,
            "astray": (~paths.reached & paths.walked).sum(1) / walked,
            "planning": (~paths.reached & ~paths.misstep & paths.walked).sum(1) / walked,
            "edge_error": 1 - paths.on_edges.sum(1) / paths.steps.sum(1).clamp(min=1),
            **evaluator.compare_with_bayes(model),
        }
    return {name: values.double().cpu().numpy() for name, values in measured.items()}


def shortcuts(config: Config, kind: str, population: TrainedPopulation) -> xr.Dataset:
    """Accuracy of every baseline on the two test sets, per seed."""
    rows = [
        list(baseline_accuracies(graph, split).values())
        for graph, split in zip(population.graphs, population.splits, strict=True)
    ]
    return xr.Dataset(
        {"baseline_accuracy": (("seed", "baseline", "test"), np.array(rows))},
        {
            "seed": list(config.seeds),
            "baseline": list(BASELINES),
            "test": ["hard", "mixed"],
        },
    ).expand_dims(kind=[kind])

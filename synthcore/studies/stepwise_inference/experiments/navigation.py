"""One hidden graph per seed: train every format on pairs of it, evaluate on held-out pairs; and
what hand-made policies and shortcuts score under the same measurement.

Axis letters: M member.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import nn

from synthcore.evidence.dataset import labelled
from synthcore.nn.gpt import GPT
from synthcore.stages import stage
from synthcore.studies.stepwise_inference.config import COMMON, GRAPHS, Config
from synthcore.studies.stepwise_inference.experiments import UNITS
from synthcore.studies.stepwise_inference.measure.answers import FAILURES, Policy
from synthcore.studies.stepwise_inference.measure.evaluator import GROUPS, Evaluator
from synthcore.studies.stepwise_inference.measure.policies import (
    WALKERS,
    guesser,
    uniform_path,
    walker,
)
from synthcore.studies.stepwise_inference.model import (
    build,
    optimisation,
    weights_of,
    with_weights,
)
from synthcore.studies.stepwise_inference.task.graphs import Graph, bernoulli_graph, layered_graph
from synthcore.studies.stepwise_inference.task.lines import (
    PROMPT_LENGTH,
    BatchSampler,
    Format,
    LineSampler,
    Split,
    random_split,
)
from synthcore.studies.stepwise_inference.theory import (
    BASELINES,
    TESTS,
    baseline_table,
    best_shortcut,
    contexts_in_training,
)
from synthcore.training.fit import fit
from synthcore.training.progress import Progress
from synthcore.training.schedules import log_spaced
from synthcore.training.seeding import seeded

KINDS = ("bernoulli", "layered")
NOISES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
DIMS = {
    "recall": ("group",),
    "first_recall": ("group",),
    "failure": ("outcome",),
    "weights": ("weight",),
}
READS = (*COMMON, "steps", "checkpoints")


@dataclass(frozen=True)
class World:
    """Graphs and splits of a population, and the test pairs on which anything is measured."""

    graphs: list[Graph]
    splits: list[Split]
    evaluator: Evaluator


def hidden_graph(config: Config, kind: str, seed: int) -> Graph:
    """The hidden graph of a seed."""
    if kind == "bernoulli":
        return bernoulli_graph(config.nodes, config.edge_probability, seeded(seed, 0))
    return layered_graph(
        config.layers, config.layer_width, config.layer_probability, seeded(seed, 1)
    )


def world(config: Config, kind: str) -> World:
    """Graph and split of every seed. ValueError if a line does not fit into the context."""
    graphs = [hidden_graph(config, kind, seed) for seed in config.seeds]
    splits = [random_split(g, config.share, s) for g, s in zip(graphs, config.seeds, strict=True)]
    return World(graphs, splits, evaluator(config, graphs, splits, config.seeds))


def evaluator(
    config: Config,
    graphs: Sequence[Graph],
    splits: Sequence[Split],
    seeds: Sequence[int],
    shift: int = 0,
) -> Evaluator:
    """Test pairs, answered with as many tokens as the context leaves."""
    longest = max(graph.longest for graph in graphs)
    if longest + PROMPT_LENGTH + 2 + shift > config.context:
        raise ValueError(
            f"a line of {longest + PROMPT_LENGTH + 2} tokens does not fit into a context of "
            f"{config.context}: take a longer context or fewer edges"
        )
    new = config.context - PROMPT_LENGTH - shift
    return Evaluator(
        graphs, splits, config.test_pairs, new, seeds, config.torch_device, config.top_k
    )


def train(
    config: Config,
    kind: str,
    line_format: Format,
    at: Sequence[int],
    progress: Progress,
    name: str = "",
) -> xr.Dataset:
    """Train all seeds of one graph type and format; evaluate after `at` steps, the last of which
    ends the training. Dimensions seed, step, group, outcome; `weights` are those at the end."""
    here, condition = world(config, kind), name or f"{kind}, {line_format}"
    lines = LineSampler(here.graphs, here.splits, config.mixture(line_format), config.torch_device)
    shape = config.network(lines.vocabulary.size)
    model = build(shape, config.seeds, config.torch_device)
    keys = [condition] * len(config.seeds)

    def measure(step: int, model: nn.Module) -> dict[str, np.ndarray]:
        assert isinstance(model, GPT)
        measured = evaluate(model, here.evaluator, line_format)
        if step == at[-1]:
            measured["weights"] = weights_of(model).numpy()
        return measured

    history = fit(
        model,
        BatchSampler(lines, config.batch, config.seeds, keys),
        checkpoints=at,
        on_checkpoint=measure,
        progress=progress,
        name=condition,
        **optimisation(model, config, at[-1]),
    )
    steps = sorted(history.measured)
    last = history.measured[steps[-1]]
    data = xr.Dataset(
        {
            name: (
                ("step", "seed", *DIMS.get(name, ())),
                np.stack([history.measured[step][name] for step in steps]).astype("float32"),
            )
            for name in last
            if name not in ("right", "weights")
        },
        {"step": steps, "seed": list(config.seeds), "group": list(GROUPS)},
    )
    if line_format != "direct":
        data = data.assign_coords(outcome=list(FAILURES))
    data["weights"] = (("seed", "weight"), last["weights"])
    known = [
        contexts_in_training(*each)
        for each in zip(here.graphs, [s.train for s in here.splits], strict=True)
    ]
    start, goal = here.evaluator.connected.cpu().unbind(-1)
    seen = torch.stack([table[start[m], goal[m]] for m, table in enumerate(known)])
    right, weight = torch.from_numpy(last["right"]), here.evaluator.weight[:, 0].cpu()
    for variable, of in (("recall_seen", seen), ("recall_unseen", ~seen)):
        data[variable] = ("seed", ((right * of * weight).sum(1) / (of * weight).sum(1)).numpy())
    data["share_seen"] = ("seed", (seen * weight).sum(1).numpy())
    data["hard_share"] = ("seed", here.evaluator.hard_share.numpy())
    return data


def evaluate(policy: Policy, evaluator: Evaluator, line_format: Format) -> dict[str, np.ndarray]:
    """What is measured of any policy, every array with a member axis in front; of one that writes
    no way, labels only."""
    measured = evaluator.evaluate_labels(policy)
    if line_format != "direct":
        measured |= evaluator.failures(policy)
        measured |= evaluator.compare_with_bayes(policy)
    return {name: values.double().cpu().numpy() for name, values in measured.items()}


@stage(reads=READS)
def stepwise(config: Config, progress: Progress) -> xr.Dataset:
    """Stepwise networks of Bernoulli graphs, over training, with their weights at the end."""
    return labelled(train(config, "bernoulli", "step", measured_at(config), progress), UNITS)


def measured_at(config: Config) -> list[int]:
    """Steps at which everything is measured; the first is 0."""
    return log_spaced(config.steps, config.checkpoints, first=min(25, config.steps // 8))


def trained_network(config: Config, progress: Progress) -> tuple[GPT, World]:
    """The networks of `stepwise`, and their graphs and test pairs."""
    weights = torch.from_numpy(stepwise(config, progress).weights.values)
    here = world(config, "bernoulli")
    shape = config.network(here.evaluator.vocabulary.size)
    model = build(shape, config.seeds, config.torch_device)
    return with_weights(model, weights.to(config.torch_device)), here


@stage(reads=(*READS, "formats"))
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Every format on both graph types, over training, and what shortcuts score: dimensions kind,
    format, step, seed, group, outcome, and baseline, test."""
    parts = []
    for kind in KINDS:
        for line_format in config.formats:
            if (kind, line_format) == ("bernoulli", "step"):
                data = stepwise(config, progress)
            else:
                data = train(config, kind, line_format, measured_at(config), progress)
            data = data.drop_vars("weights")
            parts.append(data.expand_dims(kind=[kind], format=[line_format]))
        parts.append(shortcuts(config, kind))
    whole = xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="drop")
    whole.attrs = {"formats": list(config.formats)}
    return labelled(whole, UNITS)


def shortcuts(config: Config, kind: str) -> xr.Dataset:
    """Accuracy of every shortcut on the two tests, each fitted on negatives of the same kind."""
    here = world(config, kind)
    rows = [baseline_table(g, s) for g, s in zip(here.graphs, here.splits, strict=True)]
    return xr.Dataset(
        {"baseline_accuracy": (("seed", "baseline", "test"), np.array(rows))},
        {"seed": list(config.seeds), "baseline": list(BASELINES), "test": list(TESTS)},
    ).expand_dims(kind=[kind])


@stage(reads=(*GRAPHS, "test_pairs", "top_k", "context"))
def policies(config: Config, progress: Progress) -> xr.Dataset:
    """The same measurement of policies written by hand: dimension `policy` in place of step.

    Walkers of `measure.policies`; the exact one with noise, from which learners are put together
    that become better evenly; one that stops short; and the best shortcut of each graph as one that
    answers at once.
    """
    parts = []
    for kind in KINDS:
        here = world(config, kind)
        rows = []
        for name, policy in handmade(here, config).items():
            line_format: Format = "direct" if name == "shortcut" else "step"
            measured = evaluate(policy, here.evaluator, line_format)
            rows.append(
                xr.Dataset(
                    {
                        key: (("seed", *DIMS.get(key, ())), values.astype("float32"))
                        for key, values in measured.items()
                        if key != "right"
                    }
                ).expand_dims(policy=[name])
            )
        progress("policies", KINDS.index(kind) + 1, len(KINDS))
        whole = xr.merge(rows, compat="no_conflicts", join="outer")
        parts.append(whole.expand_dims(kind=[kind]))
    data = xr.concat(parts, "kind", join="outer")
    data = data.assign_coords(seed=list(config.seeds), group=list(GROUPS), outcome=list(FAILURES))
    return labelled(data, UNITS)


def handmade(here: World, config: Config) -> dict[str, Policy]:
    """Name -> policy, for one population of graphs."""
    device = config.torch_device
    found: dict[str, Policy] = {
        name: walker(here.graphs, steps, device=device) for name, steps in WALKERS.items()
    }
    for noise in NOISES:
        found[noisy(noise)] = walker(here.graphs, uniform_path, noise, device=device)
    found["stops short"] = walker(here.graphs, uniform_path, stop=0.3, device=device)
    accepted = [
        best_shortcut(graph, split) for graph, split in zip(here.graphs, here.splits, strict=True)
    ]
    found["shortcut"] = guesser(torch.stack(accepted), device)
    return found


def noisy(noise: float) -> str:
    """The name of the exact policy with this probability of a random step."""
    return f"uniform path, noise {noise:g}"

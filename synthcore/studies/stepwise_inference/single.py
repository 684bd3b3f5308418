"""One hidden graph per seed: train each format on pairs of it, examine on held-out pairs.

`learn` trains the networks, `temperatures` and `lengths` examine the stepwise ones further.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import nn

from synthcore.explorers.base import MAX_BYTES
from synthcore.explorers.navigation.tree import PrefixTree
from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference import baselines, temperature, theory
from synthcore.studies.stepwise_inference.graphs import Graph, bernoulli, layered
from synthcore.studies.stepwise_inference.measure import GROUPS, Examination, ask, follow
from synthcore.studies.stepwise_inference.networks import LineFeed, build, train
from synthcore.studies.stepwise_inference.parameters import Config
from synthcore.studies.stepwise_inference.task import Format, Lines, Split, Vocabulary, random_split
from synthcore.training.schedules import log_spaced
from synthcore.training.seeding import seeded

Progress = Callable[[str, int, int], None]
KINDS = ("bernoulli", "layered")
TEMPERATURES = np.arange(0, 3.01, 0.25)
SAMPLED_TEMPERATURES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
PATHS = (12, 60)


@dataclass(frozen=True)
class School:
    """Graphs, splits, trained networks and their examination; members are seeds."""

    graphs: list[Graph]
    splits: list[Split]
    model: GPT
    exam: Examination
    results: xr.Dataset


def graph(config: Config, kind: str, seed: int) -> Graph:
    """The hidden graph of a seed."""
    if kind == "bernoulli":
        return bernoulli(config.nodes, config.edge_probability, seeded(seed, 0))
    return layered(config.layers, config.layer_width, config.layer_probability, seeded(seed, 1))


def learn(config: Config, kind: str, style: Format, progress: Progress | None = None) -> School:
    """Train all seeds of one graph type and format; measure at log-spaced steps."""
    device, seeds = config.torch_device, config.seeds
    graphs = [graph(config, kind, seed) for seed in seeds]
    splits = [random_split(g, config.share, s) for g, s in zip(graphs, seeds, strict=True)]
    lines = Lines(graphs, splits, style, device)
    longest = max(g.longest for g in graphs)
    new = 1 if style == "direct" else longest + 1
    exam = Examination(graphs, splits, config.test_pairs, new, seeds, device)
    model = build(config.recipe, lines.words.size, longest + 5, seeds, device)
    feed = LineFeed(lines, config.batch, config.seed)
    steps: list[int] = []
    looks: list[dict[str, np.ndarray]] = []

    def look(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        steps.append(step)
        looks.append(_look(model, exam, style))

    named = None if progress is None else lambda d, t: progress(f"{kind}, {style}", d, t)
    at = log_spaced(config.steps, config.checkpoints, first=min(25, config.steps // 8))
    train(model, feed, config.recipe, config.steps, at, look, named)
    dims = {"recall": ("group",), "first_recall": ("group",), "right": ("pair",)}
    data = xr.Dataset(
        {
            name: (("step", "seed", *dims.get(name, ())), np.stack([one[name] for one in looks]))
            for name in looks[0]
        },
        {"step": steps, "seed": list(seeds), "group": list(GROUPS)},
    )
    right = data.right.isel(step=-1)
    start, goal = exam.connected.cpu().unbind(-1)
    member = torch.arange(len(seeds))[:, None]
    seen = (feed.contexts.cpu()[member, start, goal] > 0).numpy()
    for name, which in (("seen", seen), ("unseen", ~seen)):
        data[f"recall_{name}"] = right.where(which).mean("pair")
    data["share_seen"] = ("seed", seen.mean(1))
    data = data.drop_vars("right").expand_dims(kind=[kind], format=[style])
    return School(graphs, splits, model, exam, data)


def _look(model: GPT, exam: Examination, style: Format) -> dict[str, np.ndarray]:
    found = exam.labels(model)
    if style != "direct":
        _, walks = exam.walks(model)
        walked = walks.walked.sum(1).clamp(min=1)
        found |= {
            "misstep": (walks.misstep & walks.walked).sum(1) / walked,
            "astray": (~walks.reached & walks.walked).sum(1) / walked,
            "planning": (~walks.reached & ~walks.misstep & walks.walked).sum(1) / walked,
            "edge_error": 1 - walks.on_edges.sum(1) / walks.steps.sum(1).clamp(min=1),
            **exam.along_paths(model),
        }
    return {name: values.double().cpu().numpy() for name, values in found.items()}


def shortcuts(config: Config, kind: str, schools: School) -> xr.Dataset:
    """Accuracy of every baseline on the two test sets, per seed."""
    rows = [
        list(baselines.accuracies(g, s).values())
        for g, s in zip(schools.graphs, schools.splits, strict=True)
    ]
    return xr.Dataset(
        {"baseline_accuracy": (("seed", "baseline", "test"), np.array(rows))},
        {
            "seed": list(config.seeds),
            "baseline": list(baselines.BASELINES),
            "test": ["hard", "mixed"],
        },
    ).expand_dims(kind=[kind])


def lengths(config: Config, school: School) -> xr.Dataset:
    """Edges of sampled valid paths against the reference walks, averaged over pairs; and how many
    pieces of k nodes of right and of uniform paths training paths could have shown."""
    answers, walks = school.exam.walks(school.model, config.repeats)
    members, pairs = len(school.graphs), school.exam.size
    steps = walks.steps.view(members, -1, pairs).double()
    valid = walks.valid.view(members, -1, pairs)
    mean = (steps * valid).sum(1) / valid.sum(1)  # nan where no answer was valid
    start, goal = school.exam.connected.cpu().unbind(-1)
    mean = mean.cpu()
    refs = [theory.reference_lengths(g) for g in school.graphs]
    table = np.array(
        [
            [float((mean[m] - r[name][start[m], goal[m]]).nanmean()) for name in r]
            for m, r in enumerate(refs)
        ]
    )
    bins = np.arange(1, 16)
    counted = [
        np.bincount(steps[m][valid[m]].long().cpu().clamp(max=15), minlength=16)[1:]
        for m in range(members)
    ]
    uniform_lines = school.exam.lines[..., 2:] - 1
    asked = school.exam.pairs[:, :pairs].repeat(1, config.repeats, 1)[..., :1]
    own = torch.cat([asked, answers.walk], -1)
    ok = walks.valid
    pieces = np.full((members, 2, 2), np.nan)
    for m, (g, split) in enumerate(zip(school.graphs, school.splits, strict=True)):
        cover = baselines.covered(g, split.train)
        for i, paths in enumerate((own[m][ok[m]].cpu(), uniform_lines[m].cpu())):
            for j, k in enumerate((3, 4)):
                first, last = paths[:, : 1 - k], paths[:, k - 1 :]
                real = (first >= 0) & (last >= 0) & (last < g.nodes)
                if bool(real.any()):
                    pieces[m, i, j] = float(cover[first[real], last[real]].double().mean())
    share = np.array([row / max(row.sum(), 1) for row in counted])
    return xr.Dataset(
        {
            "length_difference": (("seed", "reference"), table),
            "length_share": (("seed", "edges"), share),
            "valid_sampled": ("seed", valid.double().mean((1, 2)).cpu().numpy()),
            "piece_seen": (("seed", "walker", "piece"), pieces),
        },
        {
            "seed": list(config.seeds),
            "reference": list(refs[0]),
            "edges": bins,
            "walker": ["network", "uniform"],
            "piece": [3, 4],
        },
    )


def temperatures(config: Config, school: School) -> xr.Dataset:
    """Exact curves over temperature for held-out pairs, and sampled answers beside them. Keeps the
    first seed's pairs and logits for the explorer."""
    words, device = school.exam.words, config.torch_device
    curves = np.zeros((3, len(school.graphs), config.temperature_pairs, len(TEMPERATURES)))
    chosen, kept = [], None
    for m, (g, split) in enumerate(zip(school.graphs, school.splits, strict=True)):
        pairs = temperature.choose_pairs(g, split.test, config.temperature_pairs, PATHS)
        if len(pairs) < config.temperature_pairs:
            raise ValueError("too few held-out pairs for the temperature curves")
        grown = temperature.trees(g, pairs, words)
        logits = temperature.prefix_logits(school.model, m, words, pairs, grown)
        for i, (tree, rows) in enumerate(zip(grown, logits, strict=True)):
            curves[2, m, i] = tree.n_paths
            for j, t in enumerate(TEMPERATURES):
                p = temperature.path_probabilities(tree, rows, float(t))
                curves[:2, m, i, j] = p.sum(), temperature.expected_distinct(p, config.samples)
        chosen.append(pairs)
        kept = kept or (pairs, np.concatenate(logits))
    assert kept is not None
    names = ("accuracy", "distinct_valid", "paths")
    dims = ("seed", "question", "temperature")
    data = xr.Dataset(
        {f"temperature_{name}": (dims, curve) for name, curve in zip(names, curves, strict=True)},
        {"temperature": TEMPERATURES, "seed": list(config.seeds)},
    )
    data["temperature_paths"] = data.temperature_paths.isel(temperature=0)
    data = data.merge(_sampled(config, school, torch.stack(chosen).to(device)))
    data["explorer_pairs"] = (("question", "end"), kept[0].numpy())
    data["explorer_logits"] = (("prefix", "token"), _compact(kept[1]))
    data["explorer_adjacency"] = (("node", "other"), school.graphs[0].adjacency.numpy())
    return data


def _sampled(config: Config, school: School, pairs: torch.Tensor) -> xr.Dataset:
    """Accuracy and number of different answers among sampled ones, for the same pairs."""
    members, count, _ = pairs.shape
    asked = pairs.repeat(1, config.monte_carlo, 1)
    right = np.zeros((members, count, len(SAMPLED_TEMPERATURES)))
    different = np.zeros_like(right)
    for j, t in enumerate(SAMPLED_TEMPERATURES):
        generator = school.exam.generator
        answers = ask(school.model, school.exam.words, asked, school.exam.new, t, generator)
        walks = follow(answers, asked, school.exam.adjacency)
        good = walks.valid & (answers.label == school.exam.words.path)
        right[..., j] = good.view(members, -1, count).double().mean(1).cpu()
        whole = torch.cat([answers.walk, answers.label[..., None]], -1)
        for m in range(members):
            for i in range(count):
                different[m, i, j] = len(
                    whole[m].view(-1, count, whole.shape[-1])[:, i].unique(dim=0)
                )
    dims = ("seed", "question", "sampled_temperature")
    return xr.Dataset(
        {"sampled_accuracy": (dims, right), "sampled_distinct": (dims, different)},
        {"sampled_temperature": list(SAMPLED_TEMPERATURES), "seed": list(config.seeds)},
    )


def _compact(logits: np.ndarray) -> np.ndarray:
    """Logits below their row's maximum in steps of 0.01: enough for drawing, small on disk."""
    fallen: np.ndarray = np.round((logits - logits.max(-1, keepdims=True)) * 100)
    return np.maximum(fallen, -32000).astype(np.int16)


def explorer_trees(
    data: xr.Dataset,
) -> tuple[np.ndarray, Sequence[PrefixTree], Sequence[np.ndarray]]:
    """Pairs of the explorer, their prefix trees and their logits: as many as a page can hold."""
    pairs = data.explorer_pairs.values
    edges = torch.as_tensor(data.explorer_adjacency.values.astype(bool))
    hidden = Graph(edges, torch.arange(len(edges)))
    grown = temperature.trees(hidden, torch.as_tensor(pairs), Vocabulary(len(edges)))
    ends = np.cumsum([len(tree.open) for tree in grown])
    logits = np.split(data.explorer_logits.values / 100.0, ends[:-1])
    size = 2 * ends * data.sizes["token"] + 8 * len(edges)  # bytes of logits and coordinates
    room = max(1, int((size <= MAX_BYTES).sum()))
    return pairs[:room], grown[:room], logits[:room]

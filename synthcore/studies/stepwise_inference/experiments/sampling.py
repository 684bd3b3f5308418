"""What trained networks write when their answers are sampled: how many right paths at every
temperature, and how long these are.

The probability of each valid path is exact: run the network on all valid prefixes, divide the
logits by the temperature, multiply along each path.

Axis letters: M member, B answers, L nodes of a path, N nodes, R prefixes that are not complete, V
vocabulary, P valid paths, Q pairs.
"""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import Tensor

from synthcore.explorers.base import MAX_BYTES
from synthcore.explorers.navigation.tree import PrefixTree, prefix_tree
from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference import theory
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.experiments.navigation import TrainedPopulation
from synthcore.studies.stepwise_inference.measure import (
    check_paths,
    generate_answers,
    next_token_logits,
)
from synthcore.studies.stepwise_inference.task.graphs import Graph
from synthcore.studies.stepwise_inference.task.lines import PAD, Pairs, Vocabulary

TEMPERATURES = np.arange(0, 3.01, 0.25)
SAMPLED_TEMPERATURES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
PATHS = (12, 60)
"""How many paths the pairs of the temperature curves have, from and to."""
LONGEST = 15  # edges; longer answers are counted with these


def run(config: Config, population: TrainedPopulation) -> xr.Dataset:
    """Lengths and temperature curves of a stepwise population: dimensions seed, reference, edges,
    walker, piece; question, temperature, sampled_temperature; and what the explorer shows."""
    parts = [lengths(config, population), temperatures(config, population)]
    return xr.merge(parts, compat="no_conflicts", join="outer", combine_attrs="drop")


def lengths(config: Config, population: TrainedPopulation) -> xr.Dataset:
    """Edges of sampled valid paths against the reference walks, averaged over pairs; and how many
    pieces of k nodes of right and of uniform paths training paths could have shown."""
    evaluator = population.evaluator
    answers, paths = evaluator.sample_answers(population.model, config.repeats)
    members, pairs = len(population.graphs), evaluator.size
    steps = paths.steps.view(members, -1, pairs).double()
    valid = paths.valid.view(members, -1, pairs)
    mean = ((steps * valid).sum(1) / valid.sum(1)).cpu()  # nan where no answer was valid
    start, goal = evaluator.connected.cpu().unbind(-1)
    references = [theory.reference_lengths(graph) for graph in population.graphs]
    difference = [
        [float((mean[m] - walker[start[m], goal[m]]).nanmean()) for walker in walkers.values()]
        for m, walkers in enumerate(references)
    ]
    counts = [
        np.bincount(steps[m][valid[m]].long().cpu().clamp(max=LONGEST), minlength=LONGEST + 1)[1:]
        for m in range(members)
    ]
    first_node = evaluator.connected.repeat(1, config.repeats, 1)[..., :1]
    written = torch.cat([first_node, answers.walk], -1)
    uniform = evaluator.lines[..., 2:] - 1
    pieces = []
    for m, (graph, split) in enumerate(zip(population.graphs, population.splits, strict=True)):
        trained = theory.pieces_in_training(graph, split.train)
        of_walkers = (written[m][paths.valid[m]].cpu(), uniform[m].cpu())
        pieces.append([[share_of_pieces(of, k, trained) for k in (3, 4)] for of in of_walkers])
    return xr.Dataset(
        {
            "length_difference": (("seed", "reference"), difference),
            "length_share": (
                ("seed", "edges"),
                np.array([row / max(row.sum(), 1) for row in counts]),
            ),
            "valid_sampled": ("seed", valid.double().mean((1, 2)).cpu().numpy()),
            "piece_seen": (("seed", "walker", "piece"), pieces),
        },
        {
            "seed": list(config.seeds),
            "reference": list(references[0]),
            "edges": np.arange(1, LONGEST + 1),
            "walker": ["network", "uniform"],
            "piece": [3, 4],
        },
    )


def share_of_pieces(paths: Int[Tensor, "B L"], k: int, trained: Bool[Tensor, "N N"]) -> float:
    """Share of pieces of k nodes of these paths whose ends (first, last) are `trained`; nan if
    there is no such piece. Behind a path stand numbers that are no nodes."""
    first, last = paths[:, : 1 - k], paths[:, k - 1 :]
    inside = (first >= 0) & (last >= 0) & (last < len(trained))
    if not bool(inside.any()):
        return np.nan
    return float(trained[first[inside], last[inside]].double().mean())


def temperatures(config: Config, population: TrainedPopulation) -> xr.Dataset:
    """Exact curves over temperature for held-out pairs, and sampled answers beside them. Keeps the
    first seed's pairs and logits for the explorer."""
    vocabulary = population.evaluator.vocabulary
    shape = (len(population.graphs), config.temperature_pairs, len(TEMPERATURES))
    right, distinct = np.zeros((2, *shape))
    n_paths = np.zeros(shape[:2])
    all_pairs = []
    for m, (graph, split) in enumerate(zip(population.graphs, population.splits, strict=True)):
        pairs = choose_pairs(graph, split.test, config.temperature_pairs, PATHS)
        if len(pairs) < config.temperature_pairs:
            raise ValueError("too few held-out pairs for the temperature curves")
        trees = answer_trees(graph, pairs, vocabulary)
        logits = prefix_logits(population.model, m, vocabulary, pairs, trees)
        for i, (tree, rows) in enumerate(zip(trees, logits, strict=True)):
            n_paths[m, i] = tree.n_paths
            for j, temperature in enumerate(TEMPERATURES):
                p = path_probabilities(tree, rows, float(temperature))
                right[m, i, j], distinct[m, i, j] = p.sum(), expected_distinct(p, config.samples)
        all_pairs.append(pairs)
        if m == 0:
            explorer_logits = _compact(np.concatenate(logits))
    dims = ("seed", "question", "temperature")
    data = xr.Dataset(
        {
            "temperature_accuracy": (dims, right),
            "temperature_distinct_valid": (dims, distinct),
            "temperature_paths": (dims[:2], n_paths),
            "explorer_pairs": (("question", "end"), all_pairs[0].numpy()),
            "explorer_logits": (("prefix", "token"), explorer_logits),
            "explorer_adjacency": (("node", "other"), population.graphs[0].adjacency.numpy()),
        },
        {"temperature": TEMPERATURES, "seed": list(config.seeds)},
    )
    pairs = torch.stack(all_pairs).to(config.torch_device)
    return data.merge(sampled_answers(config, population, pairs))


def sampled_answers(
    config: Config, population: TrainedPopulation, pairs: Int[Tensor, "M Q 2"]
) -> xr.Dataset:
    """Accuracy and number of different answers among sampled ones, for the same pairs."""
    evaluator = population.evaluator
    members, count, _ = pairs.shape
    repeated = pairs.repeat(1, config.monte_carlo, 1)
    right = np.zeros((members, count, len(SAMPLED_TEMPERATURES)))
    distinct = np.zeros_like(right)
    for j, temperature in enumerate(SAMPLED_TEMPERATURES):
        answers = generate_answers(
            population.model,
            evaluator.vocabulary,
            repeated,
            evaluator.new,
            temperature,
            evaluator.generator,
        )
        valid = check_paths(answers, repeated, evaluator.adjacency).valid
        valid = valid & (answers.label == evaluator.vocabulary.path)
        right[..., j] = valid.view(members, -1, count).double().mean(1).cpu()
        whole = torch.cat([answers.walk, answers.label[..., None]], -1)
        for m, of_member in enumerate(whole.view(members, -1, count, whole.shape[-1])):
            distinct[m, :, j] = [len(of_member[:, i].unique(dim=0)) for i in range(count)]
    dims = ("seed", "question", "sampled_temperature")
    return xr.Dataset(
        {"sampled_accuracy": (dims, right), "sampled_distinct": (dims, distinct)},
        {"sampled_temperature": list(SAMPLED_TEMPERATURES), "seed": list(config.seeds)},
    )


def choose_pairs(graph: Graph, pairs: Pairs, count: int, paths: tuple[int, int]) -> Pairs:
    """The first `count` of these pairs whose number of paths lies in a range; the nearest in number
    where there are too few."""
    number = graph.counts[pairs[:, 0], pairs[:, 1]]
    away = (paths[0] - number).clamp(min=0) + (number - paths[1]).clamp(min=0) * 10
    return pairs[away.argsort(stable=True)[:count]]


def answer_trees(graph: Graph, pairs: Pairs, vocabulary: Vocabulary) -> list[PrefixTree]:
    """Prefixes of the stepwise answers of each pair: every path, then `path`."""
    edges, ending = graph.adjacency.numpy(), (vocabulary.path,)
    return [prefix_tree(edges, int(s), int(g), ending=ending, max_paths=4000) for s, g in pairs]


@torch.no_grad()
def prefix_logits(
    model: GPT,
    member: int,
    vocabulary: Vocabulary,
    pairs: Pairs,
    trees: Sequence[PrefixTree],
) -> list[Float[np.ndarray, "R V"]]:
    """Logits of one member after every prefix `tree.open` of each pair."""
    of_pairs = []
    for pair, tree in zip(pairs, trees, strict=True):
        leaves = np.flatnonzero(tree.complete)
        answers = [tree.tokens(int(leaf)) for leaf in leaves]
        length = max(len(answer) for answer in answers)
        prompt = vocabulary.prompt(pair).tolist()
        lines = torch.tensor(
            [[*prompt, *answer, *[PAD] * (length - len(answer))] for answer in answers]
        )
        lines = lines.to(model.embed.weight.device).expand(model.members, -1, -1)
        of_lines = next_token_logits(model, lines)[member].float().cpu().numpy()
        row_of = {int(prefix): row for row, prefix in enumerate(tree.open)}
        logits = np.empty((len(row_of), vocabulary.size), dtype=np.float32)
        for line, leaf in enumerate(leaves):
            for depth, prefix in enumerate(_prefixes_before(tree, int(leaf))):
                logits[row_of[prefix]] = of_lines[line, depth]
        of_pairs.append(logits)
    return of_pairs


def _prefixes_before(tree: PrefixTree, leaf: int) -> list[int]:
    """Prefixes of a leaf, the empty one first."""
    prefixes, prefix = [], int(tree.parent[leaf])
    while prefix >= 0:
        prefixes.append(prefix)
        prefix = int(tree.parent[prefix])
    return prefixes[::-1]


def path_probabilities(
    tree: PrefixTree, logits: Float[np.ndarray, "R V"], temperature: float
) -> Float[np.ndarray, "P"]:
    """Probability of every valid path when tokens are drawn from softmax(logits / temperature);
    temperature 0 takes the largest logit. What is missing to 1 is the chance of a wrong answer.

    A network that knows nothing spreads over all tokens alike at every temperature:

    >>> tree = prefix_tree([[0, 1, 1], [0, 0, 1], [0, 0, 0]], 0, 2)
    >>> path_probabilities(tree, np.zeros((2, 4), "f4"), 1.0).tolist()  # 0 -> 1 -> 2 and 0 -> 2
    [0.0625, 0.25]
    """
    scores = np.asarray(logits, dtype=np.float64)
    if temperature == 0:
        log_p = np.full(scores.shape, -np.inf)
        log_p[np.arange(len(scores)), scores.argmax(-1)] = 0
    else:
        log_p = log_softmax(scores / temperature, axis=-1)
    row_of = np.full(len(tree.parent), -1)
    row_of[tree.open] = np.arange(len(tree.open))
    total = np.zeros(len(tree.parent))
    for prefix in range(1, len(tree.parent)):
        parent = tree.parent[prefix]
        total[prefix] = total[parent] + log_p[row_of[parent], tree.token[prefix]]
    probability: NDArray[np.float64] = np.exp(total[tree.complete])
    return probability


def expected_distinct(probabilities: Float[np.ndarray, "P"], samples: int) -> float:
    """Expected number of different outcomes of these probabilities among `samples` draws."""
    return float(-np.expm1(samples * np.log1p(-np.minimum(probabilities, 1 - 1e-12))).sum())


def _compact(logits: Float[np.ndarray, "R V"]) -> Int[np.ndarray, "R V"]:
    """Logits below their row's maximum in steps of 0.01: enough for drawing, small on disk."""
    below: np.ndarray = np.round((logits - logits.max(-1, keepdims=True)) * 100)
    return np.maximum(below, -32000).astype(np.int16)


def explorer_data(
    data: xr.Dataset,
) -> tuple[Int[np.ndarray, "Q 2"], Sequence[PrefixTree], Sequence[Float[np.ndarray, "R V"]]]:
    """Pairs of the explorer, their prefix trees and their logits: as many as a page can hold."""
    pairs = data.explorer_pairs.values
    edges = torch.as_tensor(data.explorer_adjacency.values.astype(bool))
    graph = Graph(edges, torch.arange(len(edges)))
    trees = answer_trees(graph, torch.as_tensor(pairs), Vocabulary(len(edges)))
    ends = np.cumsum([len(tree.open) for tree in trees])
    logits = np.split(data.explorer_logits.values / 100.0, ends[:-1])
    size = 2 * ends * data.sizes["token"] + 8 * len(edges)  # bytes of logits and coordinates
    room = max(1, int((size <= MAX_BYTES).sum()))
    return pairs[:room], trees[:room], logits[:room]

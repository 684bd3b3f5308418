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
from jaxtyping import Float, Int
from numpy.typing import NDArray
from scipy.special import log_softmax

from synthcore.evidence.dataset import labelled
from synthcore.explorers.shared.prefix_tree import PrefixTree, prefix_tree
from synthcore.stages import stage
from synthcore.studies.stepwise_inference import theory
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.experiments import UNITS
from synthcore.studies.stepwise_inference.experiments.navigation import (
    READS,
    World,
    trained_network,
)
from synthcore.studies.stepwise_inference.measure.answers import Policy, generate_answers
from synthcore.studies.stepwise_inference.measure.evaluator import Evaluator, next_token_logits
from synthcore.studies.stepwise_inference.measure.policies import (
    WALKERS,
    shortest_path,
    uniform_path,
    walker,
)
from synthcore.studies.stepwise_inference.task.graphs import Graph
from synthcore.studies.stepwise_inference.task.lines import PAD, Pairs, Vocabulary
from synthcore.training.progress import Progress

TEMPERATURES = np.arange(0, 3.01, 0.25)
SAMPLED_TEMPERATURES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
PATHS = (12, 60)
"""How many paths the pairs of the temperature curves have, from and to."""
LONGEST = 15  # edges; longer answers are counted with these
NETWORK = "network"
NOISE = 0.1  # of the exact policy that stands beside the network


@stage(reads=(*READS, "repeats"))
def lengths(config: Config, progress: Progress) -> xr.Dataset:
    """Edges of written ways against four reference walks, averaged over pairs: dimensions seed,
    subject, reference, edges. Subjects are the network, walkers, and the exact policy with noise.

    `length_difference` is of walks without errors (`Evaluator.viable_lengths`),
    `length_given_valid` of sampled answers that happen to be right.
    """
    model, here = trained_network(config, progress)
    subjects: dict[str, Policy] = {NETWORK: model}
    for name in ("uniform path", "viable walk", "shortest path"):
        subjects[name] = walker(here.graphs, WALKERS[name], device=config.torch_device)
    for name, noise in (("noise 0.05", 0.05), ("noise 0.1", NOISE)):
        subjects[name] = walker(here.graphs, uniform_path, noise, device=config.torch_device)
    found = []
    for done, (name, policy) in enumerate(subjects.items()):
        found.append(_lengths(config, here, policy).expand_dims(subject=[name]))
        progress("lengths", done + 1, len(subjects))
    return labelled(xr.concat(found, "subject", join="exact"), UNITS)


def _lengths(config: Config, here: World, policy: Policy) -> xr.Dataset:
    evaluator, repeats = here.evaluator, config.repeats
    _, paths = evaluator.sample_answers(policy, repeats)
    members, pairs = len(here.graphs), evaluator.size
    steps = paths.steps.view(members, -1, pairs).double()
    valid = paths.valid.view(members, -1, pairs)
    given_valid = ((steps * valid).sum(1) / valid.sum(1)).cpu()  # nan where no answer was valid
    without_error = evaluator.viable_lengths(policy, repeats).double().mean(1).cpu()
    start, goal = evaluator.connected.cpu().unbind(-1)
    there = evaluator.weight[:, 0].cpu() > 0
    references = [theory.reference_lengths(graph) for graph in here.graphs]

    def difference(mean: Float[torch.Tensor, "M Q"]) -> list[list[float]]:
        return [
            [
                float((mean[m] - table[start[m], goal[m]])[there[m]].nanmean())
                for table in walkers.values()
            ]
            for m, walkers in enumerate(references)
        ]

    counts = [
        np.bincount(steps[m][valid[m]].long().cpu().clamp(max=LONGEST), minlength=LONGEST + 1)[1:]
        for m in range(members)
    ]
    return xr.Dataset(
        {
            "length_difference": (("seed", "reference"), difference(without_error)),
            "length_given_valid": (("seed", "reference"), difference(given_valid)),
            "length_share": (
                ("seed", "edges"),
                np.array([row / max(row.sum(), 1) for row in counts]),
            ),
            "valid_sampled": ("seed", evaluator.mean(paths.valid).cpu().numpy()),
        },
        {
            "seed": list(config.seeds),
            "reference": list(references[0]),
            "edges": np.arange(1, LONGEST + 1),
        },
    )


@stage(reads=(*READS, "temperature_pairs", "samples", "monte_carlo"))
def temperatures(config: Config, progress: Progress) -> xr.Dataset:
    """Exact curves over temperature for held-out pairs, and sampled answers beside them: dimensions
    subject, seed, question, temperature, sampled_temperature. Subjects are the network, the exact
    policy with noise, and shortest paths."""
    model, here = trained_network(config, progress)
    device = config.torch_device
    subjects: dict[str, Policy] = {
        NETWORK: model,
        "noise 0.1": walker(here.graphs, uniform_path, NOISE, device=device),
        "shortest path": walker(here.graphs, shortest_path, device=device),
    }
    chosen = [
        choose_pairs(graph, split.test, config.temperature_pairs, PATHS)
        for graph, split in zip(here.graphs, here.splits, strict=True)
    ]
    if min(map(len, chosen)) < config.temperature_pairs:
        raise ValueError("too few held-out pairs for the temperature curves")
    pairs = torch.stack(chosen)
    found = []
    for done, (name, policy) in enumerate(subjects.items()):
        curves = exact_curves(config, here, policy, pairs)
        curves = curves.merge(sampled_answers(config, here.evaluator, policy, pairs.to(device)))
        found.append(curves.expand_dims(subject=[name]))
        progress("temperatures", done + 1, len(subjects))
    data = xr.concat(found, "subject", join="exact")
    counts = [graph.counts[p[:, 0], p[:, 1]] for graph, p in zip(here.graphs, pairs, strict=True)]
    data["temperature_paths"] = (("seed", "question"), torch.stack(counts).numpy())
    data.attrs = {"samples": config.samples}
    return labelled(data, UNITS)


def exact_curves(
    config: Config, here: World, policy: Policy, pairs: Int[torch.Tensor, "M Q 2"]
) -> xr.Dataset:
    """Probability of a right path, and expected number of different right ones among `samples`."""
    vocabulary = here.evaluator.vocabulary
    right, distinct = np.zeros((2, *pairs.shape[:2], len(TEMPERATURES)))
    trees = [answer_trees(g, p, vocabulary) for g, p in zip(here.graphs, pairs, strict=True)]
    logits = prefix_logits(policy, vocabulary, pairs, trees, config.torch_device)
    for m, i in np.ndindex(*pairs.shape[:2]):
        for j, temperature in enumerate(TEMPERATURES):
            p = path_probabilities(trees[m][i], logits[m][i], float(temperature))
            right[m, i, j], distinct[m, i, j] = p.sum(), expected_distinct(p, config.samples)
    dims = ("seed", "question", "temperature")
    return xr.Dataset(
        {"temperature_accuracy": (dims, right), "temperature_distinct_valid": (dims, distinct)},
        {"temperature": TEMPERATURES, "seed": list(config.seeds)},
    )


def sampled_answers(
    config: Config, evaluator: Evaluator, policy: Policy, pairs: Int[torch.Tensor, "M Q 2"]
) -> xr.Dataset:
    """Accuracy and number of different answers among sampled ones, for the same pairs."""
    members, count, _ = pairs.shape
    vocabulary = evaluator.vocabulary
    repeated = pairs.repeat(1, config.monte_carlo, 1)
    right = np.zeros((members, count, len(SAMPLED_TEMPERATURES)))
    distinct = np.zeros_like(right)
    for j, temperature in enumerate(SAMPLED_TEMPERATURES):
        random = evaluator.random("temperature", j)
        answers = generate_answers(policy, vocabulary, repeated, evaluator.new, temperature, random)
        valid = evaluator.check(answers, repeated).failure == 0
        right[..., j] = valid.view(members, -1, count).double().mean(1).cpu()
        whole = torch.cat([answers.walk, answers.label[..., None]], -1)
        for m, of_member in enumerate(whole.view(members, -1, count, whole.shape[-1])):
            distinct[m, :, j] = [len(of_member[:, i].unique(dim=0)) for i in range(count)]
    dims = ("seed", "question", "sampled_temperature")
    return xr.Dataset(
        {"sampled_accuracy": (dims, right), "sampled_distinct": (dims, distinct)},
        {"sampled_temperature": list(SAMPLED_TEMPERATURES), "seed": list(config.seeds)},
    )


@stage(reads=(*READS, "temperature_pairs"), per_seed=False)
def shown(config: Config, progress: Progress) -> xr.Dataset:
    """What the explorer shows of the first seed: its graph, pairs, and logits after every valid
    prefix of an answer."""
    first = config.model_copy(update={"n_seeds": 1})
    model, here = trained_network(first, progress)
    pairs = choose_pairs(here.graphs[0], here.splits[0].test, config.temperature_pairs, PATHS)
    vocabulary = here.evaluator.vocabulary
    trees = answer_trees(here.graphs[0], pairs, vocabulary)
    [logits] = prefix_logits(model, vocabulary, pairs[None], [trees], config.torch_device)
    data = xr.Dataset(
        {
            "explorer_pairs": (("question", "end"), pairs.numpy()),
            "explorer_logits": (("prefix", "token"), _compact(np.concatenate(logits))),
            "explorer_adjacency": (("node", "other"), here.graphs[0].adjacency.numpy()),
        }
    )
    return labelled(data, UNITS)


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
    policy: Policy,
    vocabulary: Vocabulary,
    pairs: Int[torch.Tensor, "M Q 2"],
    trees: Sequence[Sequence[PrefixTree]],
    device: torch.device | str = "cpu",
) -> list[list[Float[np.ndarray, "R V"]]]:
    """Logits after every prefix `tree.open`, for every pair of every member."""
    found: list[list[np.ndarray]] = [[] for _ in trees]
    for question in range(pairs.shape[1]):
        of_members = [of[question] for of in trees]
        answers = [
            [tree.tokens(int(leaf)) for leaf in np.flatnonzero(tree.complete)]
            for tree in of_members
        ]
        most = max(len(each) for each in answers)
        length = max(len(answer) for each in answers for answer in each)
        lines = torch.full((len(trees), most, 3 + length), PAD)
        for m, each in enumerate(answers):
            prompt = vocabulary.prompt(pairs[m, question]).tolist()
            for i, answer in enumerate(each):
                lines[m, i, : 3 + len(answer)] = torch.tensor([*prompt, *answer])
        of_lines = next_token_logits(policy, lines.to(device)).float().cpu().numpy()
        for m, tree in enumerate(of_members):
            row_of = {int(prefix): row for row, prefix in enumerate(tree.open)}
            logits = np.empty((len(row_of), vocabulary.size), dtype=np.float32)
            for line, leaf in enumerate(np.flatnonzero(tree.complete)):
                for depth, prefix in enumerate(_prefixes_before(tree, int(leaf))):
                    logits[row_of[prefix]] = of_lines[m, line, depth]
            found[m].append(logits)
    return found


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

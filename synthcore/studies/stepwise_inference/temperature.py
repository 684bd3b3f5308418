"""Exact answers at every temperature: the probability of each valid path, by dynamic programming
over prefixes.

Axis letters: M member, B lines, K prefixes, R prefixes that are not complete, V vocabulary.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax

from synthcore.explorers.navigation.tree import PrefixTree, prefix_tree
from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference.graphs import Graph
from synthcore.studies.stepwise_inference.task import PROMPT, Pairs, Vocabulary


def choose_pairs(graph: Graph, pairs: Pairs, count: int, paths: tuple[int, int]) -> Pairs:
    """The first `count` of these pairs whose number of paths lies in a range; the nearest in number
    where there are too few."""
    number = graph.counts[pairs[:, 0], pairs[:, 1]]
    away = (paths[0] - number).clamp(min=0) + (number - paths[1]).clamp(min=0) * 10
    return pairs[away.argsort(stable=True)[:count]]


def trees(graph: Graph, pairs: Pairs, words: Vocabulary) -> list[PrefixTree]:
    """Prefixes of the stepwise answers of each pair: every path, then `path`."""
    edges = graph.adjacency.numpy()
    return [
        prefix_tree(edges, int(s), int(g), ending=(words.path,), max_paths=4000) for s, g in pairs
    ]


@torch.no_grad()
def prefix_logits(
    model: GPT, member: int, words: Vocabulary, pairs: Pairs, grown: Sequence[PrefixTree]
) -> list[NDArray[np.float32]]:
    """Logits of one member after every prefix `tree.open` of each pair: arrays (R, V)."""
    found = []
    for pair, tree in zip(pairs, grown, strict=True):
        leaves = np.flatnonzero(tree.complete)
        answers = [tree.tokens(int(k)) for k in leaves]
        length = max(len(answer) for answer in answers)
        prompt = words.prompt(pair).tolist()
        lines = torch.tensor([prompt + a + [0] * (length - len(a)) for a in answers])
        batch = lines.to(model.embed.weight.device)
        alone = batch.expand(model.members, -1, -1) if model.members > 1 else batch[None]
        out = model(alone)[member, :, PROMPT - 1 :].float().cpu().numpy()
        rows = {int(k): row for row, k in enumerate(tree.open)}
        logits = np.empty((len(rows), words.size), dtype=np.float32)
        for line, leaf in enumerate(leaves):
            above = _ancestors(tree, int(leaf))
            for depth, prefix in enumerate(above):
                logits[rows[prefix]] = out[line, depth]
        found.append(logits)
    return found


def _ancestors(tree: PrefixTree, leaf: int) -> list[int]:
    """Prefixes before a leaf, the empty one first."""
    out, k = [], int(tree.parent[leaf])
    while k >= 0:
        out.append(k)
        k = int(tree.parent[k])
    return out[::-1]


def path_probabilities(
    tree: PrefixTree, logits: NDArray[np.float32], temperature: float
) -> NDArray[np.float64]:
    """Probability of every valid path when tokens are drawn from softmax(logits / temperature);
    temperature 0 takes the largest logit. What is missing to 1 is the chance of a wrong answer.

    A network that knows nothing spreads over all tokens alike at every temperature:

    >>> tree = prefix_tree([[0, 1, 1], [0, 0, 1], [0, 0, 0]], 0, 2)
    >>> path_probabilities(tree, np.zeros((2, 4), "f4"), 1.0).tolist()  # 0 -> 1 -> 2 and 0 -> 2
    [0.0625, 0.25]
    """
    scores = np.asarray(logits, dtype=np.float64)
    if temperature == 0:
        steps = np.full(scores.shape, -np.inf)
        steps[np.arange(len(scores)), scores.argmax(-1)] = 0
    else:
        steps = log_softmax(scores / temperature, axis=-1)
    rows = np.full(len(tree.parent), -1)
    rows[tree.open] = np.arange(len(tree.open))
    total = np.zeros(len(tree.parent))
    for k in range(1, len(tree.parent)):
        above = tree.parent[k]
        total[k] = total[above] + steps[rows[above], tree.token[k]]
    probability: NDArray[np.float64] = np.exp(total[tree.complete])
    return probability


def expected_distinct(probabilities: NDArray[np.float64], samples: int) -> float:
    """Expected number of different outcomes of these probabilities among `samples` draws."""
    return float(-np.expm1(samples * np.log1p(-np.minimum(probabilities, 1 - 1e-12))).sum())

"""Every explorer, as small as it can be, and values other than those it begins with."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from synthcore.compiled import counter
from synthcore.explorers.adam import AdamExplorer
from synthcore.explorers.base import Explorer
from synthcore.explorers.collapse import CollapseExplorer, Curves
from synthcore.explorers.compiled_counter import CompiledCounterExplorer
from synthcore.explorers.composer import ComposerExplorer
from synthcore.explorers.composition_grid import CompositionGridExplorer
from synthcore.explorers.concept_path import ConceptPathExplorer
from synthcore.explorers.concept_prompt import ConceptPromptExplorer
from synthcore.explorers.editing import LiveEditExplorer, ShatterExplorer
from synthcore.explorers.forking import ForkingExplorer
from synthcore.explorers.goal_field import GoalFieldExplorer
from synthcore.explorers.lattice import LatticeExplorer
from synthcore.explorers.navigation import NavigationExplorer
from synthcore.explorers.pair_training import PairTrainingExplorer
from synthcore.explorers.percolation import PercolationExplorer
from synthcore.explorers.phase import PhaseExplorer
from synthcore.explorers.reachable import ReachableExplorer
from synthcore.explorers.retrieval import RetrievalExplorer
from synthcore.explorers.shared.prefix_tree import prefix_tree
from synthcore.explorers.swing_by import SwingByExplorer
from synthcore.explorers.swing_by_training import SwingByTrainingExplorer
from synthcore.explorers.unwrap import UnwrapExplorer
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.studies.representation_shattering.task import Circles


class Case(NamedTuple):
    """An explorer, and for each trait that its reader sets a value that it does not begin with."""

    make: Callable[[], Explorer]
    values: dict[str, Any]


def phase() -> Explorer:
    shape, rng = (2, 3, 2), np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(4), shape)
    kl = rng.random((2, *shape))
    return PhaseExplorer([4, 8], [10, 20, 30], [50, 100], weights, *kl, cursor=(4, 10, 50))


def collapse() -> Explorer:
    times, sizes = np.geomspace(10, 1e5, 12), [100, 200]
    rise = [times / (times + 50 * np.array(sizes)[:, None] ** nu) for nu in (0.5, 1.5)]
    return CollapseExplorer([Curves(n, sizes, times, y) for n, y in zip("ab", rise, strict=True)])


def compiled_counter() -> Explorer:
    models = {"counts a": counter(5), "50 % of b, c; d = 1 + e": counter(5, letter=1)}
    weights = {
        name: {part: value.numpy() for part, value in model.state_dict().items()}
        for name, model in models.items()
    }
    out = counter(5).shape.spaces["out"]
    counted = dict(zip(models, "ab", strict=True))
    return CompiledCounterExplorer(weights, out, counted, string="abab")


def network(vocabulary: int, depth: int = 2) -> dict[str, np.ndarray]:
    """Weights of a random GPT."""
    shape = GPTConfig(vocabulary, 20, 8, depth, 2, positions="learned", tied=False, initial_std=0.6)
    return {name: value[0].numpy() for name, value in GPT(shape, [0]).state_dict().items()}


def permutations(positions: int, functions: int, symbols: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    draws = [[rng.permutation(symbols) for _ in range(functions)] for _ in range(positions)]
    tables = np.array(draws)
    tables[:, 0] = np.arange(symbols)
    return tables


def composer() -> Explorer:
    return ComposerExplorer(network(14), permutations(2, 3, 4), heads=2, word_length=3)


def composition_grid() -> Explorer:
    """Two examples in the cell (2, 1) of the second subset, and none elsewhere."""
    k, m = np.indices((3, 3))
    accuracy = np.stack([np.where(m <= k, level, np.nan) for level in (0.9, 0.4)])
    compositions = np.full((2, 3, 3, 2, 2, 2), -1)
    compositions[1, 2, 1] = [[[0, 1], [0, 2]], [[0, 2], [0, 1]]]
    words = np.zeros((2, 3, 3, 2, 2), dtype=int)
    wrote = np.ones((2, 3, 3, 2, 2, 2), dtype=int)
    tables, trained = permutations(2, 3, 4), (4, 6)
    return CompositionGridExplorer(
        ["few", "more"], accuracy, tables, compositions, words, wrote, trained, cell=(1, 0)
    )


def concept_path() -> Explorer:
    paths = np.random.default_rng(0).random((2, 4, 4, 2))
    shades = np.arange(2 * 4 * 8).reshape(2, 4, 8, 1, 1, 1)
    pictures = np.broadcast_to(shades, (2, 4, 8, 2, 2, 3)).astype(np.uint8)
    path = {"paths": paths, "pictures": pictures, "converged": [2, np.nan]}
    return ConceptPathExplorer(
        [0.2, 0.8], [0, 10, 40, 90], **path, toys=[[0.4, 12.0], [2.5, 30.0]], unit=1.0, step=1
    )


def concept_prompt() -> Explorer:
    D, W, T = 48, 6, 2
    shapes = {"enter": (D, W), "enter_bias": (W,), "leave": (W, D), "leave_bias": (D,)}
    block = {"first": (4, W), "second": (W, W), "mix": (W, W), "time": (T, W)}
    biases = dict.fromkeys(("first_bias", "second_bias", "bias"), (W,))
    shapes |= {f"blocks.0.{name}": shape for name, shape in (block | biases).items()}
    rng = np.random.default_rng(0)
    networks = {s: {n: rng.normal(size=shape) for n, shape in shapes.items()} for s in (0, 9)}
    table = {"accuracy": np.eye(2), "steps": [0, 9], "amounts": [0.2, 0.8]}
    return ConceptPromptExplorer(networks, gammas=[9.0, 0.0, -5.0], **table, contrast=0.8)


def edited() -> dict[str, Any]:
    """What both explorers of edits show: a network that knows nothing."""
    circles = Circles.draw(10, [2], hops=1)
    table, names = circles.table[0].numpy(), circles.relations.names
    return {
        **{"weights": network(circles.vocabulary), "heads": 2, "block": 1, "moment": np.eye(32)},
        **{"circles": circles.entity[0].numpy(), "table": table, "names": names},
        "held": np.zeros(table.shape),
    }


def forking() -> Explorer:
    """Two texts of twelve tokens; at 2 and 5 a second token leads to another answer."""
    tokens, to = np.zeros((2, 2, 2, 12, 2), dtype=int)
    p = np.zeros((2, 2, 12, 2))
    p[..., 0] = 1
    p[:, :, [2, 5]] = (0.8, 0.2)
    tokens[..., 1] = 1
    to[:, 1] = 1
    to[..., 1] = 1
    ends = np.broadcast_to(np.eye(2), (2, 2, 2))
    said = {"vocabulary": [" yes", " no"], "names": ["one", "two"], "titles": ["A", "B"]}
    return ForkingExplorer(tokens, p, to, ends, **said)


EDGES = np.triu(np.ones((6, 6)), 1) - np.diag(np.ones(4), 2)
PLACES = np.stack([np.arange(6), np.arange(6) % 2], -1)


def goal_field() -> Explorer:
    goal = -np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    return GoalFieldExplorer(goal, 9 * EDGES, EDGES, PLACES, goal=5, start=0)


def navigation() -> Explorer:
    pairs = [(0, 4), (1, 5)]
    trees = [prefix_tree(EDGES, *pair, ending=(8,)) for pair in pairs]
    logits = [np.random.default_rng(1).normal(size=(len(tree.open), 9)) for tree in trees]
    return NavigationExplorer(PLACES, EDGES, pairs, trees, logits)


def unwrap() -> Explorer:
    shares = np.random.default_rng(0).dirichlet(np.ones(4), (2, 3))
    curves, truth, said = shares[..., 0], [0.1, 0.2, 0.3, 0.4], np.ones((2, 3, 1))
    return UnwrapExplorer(
        ["C_Tr = 0", "C_Tr = 1"], [0, 5, 9], curves, 1 - curves, shares, truth, ["abc"], said
    )


CASES = {
    "adam.1": Case(
        AdamExplorer,
        {
            **{"beta": 0.9, "gamma": 0.999, "stream": "sparse", "density": 0.3, "eta": 2e-4},
            **{"decay": 0.2, "momentum": 0.8, "dimension": 100.0, "seed": 7},
        },
    ),
    "swing-by.1": Case(
        SwingByExplorer,
        {
            **{"mu": [1.0, 2.0, 3.0], "sigma": [0.1, 0.2, 0.3], "omega": 0.01, "rho": -0.4},
            **{"clock": 2.5, "minor": False, "measured": "share", "plane": "1-2"},
        },
    ),
    "train.1": Case(
        SwingByTrainingExplorer,
        {
            **{"mu": [1.0, 3.0], "sigma": [0.1, 0.2], "network": "relu", "start": "random"},
            **{"omega": 0.01, "rho": 0.5, "width": 16, "rate": 0.005, "batch": 0, "seed": 9},
        },
    ),
    "percolation.1": Case(
        PercolationExplorer,
        {
            **{"entities": 32, "properties": 128, "classes": 2, "density": 0.3, "exposures": 2},
            **{"mentions": 300.0, "clock": "rescaled", "seed": 4},
        },
    ),
    "learner.1": Case(
        PairTrainingExplorer,
        {
            **{"entities": 16, "properties": 128, "classes": 2, "density": 0.5, "batch": 64},
            **{"rate": 0.005, "seed": 3},
        },
    ),
    "phase.1": Case(phase, {"cursor": [1, 2, 1], "plane": "context"}),
    "collapse.1": Case(collapse, {"metric": 1, "exponent": 1.35}),
    "compiled-counter.1": Case(
        compiled_counter, {"string": "bba", "network": "50 % of b, c; d = 1 + e", "place": 3}
    ),
    "composer.1": Case(
        composer,
        {
            **{"composition": [[1, 2], [0, 1]], "word": [3, 0, 2], "shown": 4},
            "attention": "1.0",
        },
    ),
    "composition-grid.1": Case(composition_grid, {"subset": 1, "cell": [2, 1], "example": 1}),
    "concept-path.1": Case(
        concept_path, {"contrast": 0, "step": 3, "strength": 1.25, "opening": 4.5}
    ),
    "concept-prompt.1": Case(
        concept_prompt, {"step": 0, "amount": -0.3, "radius": 0.425, "noise": 4}
    ),
    "shatter.1": Case(
        lambda: ShatterExplorer(**edited()),
        {"relation": 2, "entity": 3, "distance": -2, "strength": 1.5},
    ),
    "live-edit.1": Case(
        lambda: LiveEditExplorer(**edited()), {"relation": 2, "entity": 3, "target": 9}
    ),
    "forking.1": Case(
        forking,
        {
            **{"world": 1, "swaps": [[2, 1]], "position": 5, "samples": 7, "threshold": 0.25},
            **{"eps": 0.3, "alpha": 0.0316, "draw": 2},
        },
    ),
    "goal-field.1": Case(goal_field, {"goal": 4, "start": 1, "steps": 0}),
    "lattice.1": Case(
        lambda: LatticeExplorer(np.arange(1, 9).reshape(2, 4), [0, 1], (1, 2), checkpoint=0),
        {"checkpoint": 1, "node": 2, "colours": "this"},
    ),
    "navigation.1": Case(navigation, {"pair": 1, "temperature": 0.75, "samples": 20}),
    "reachable.1": Case(
        lambda: ReachableExplorer(3, 3, {"direct": [[4, 0.5, 0.4, 0.6]]}), {"n_train": 32}
    ),
    "retrieval.1": Case(
        lambda: RetrievalExplorer(max_chains=16),
        {
            **{"chains": 4, "draws": [1, 0, 2], "source": "edited", "context": "ABCA"},
            "truth": [0.1, 0.2, 0.7, 0.3, 0.3, 0.4, 0.0312, 0.0188, 0.95],
            **{"written": 20, "used": 3, "averaged": "current"},
        },
    ),
    "unwrap.1": Case(unwrap, {"condition": 1, "place": 2}),
}
"""By the name in the page's address."""

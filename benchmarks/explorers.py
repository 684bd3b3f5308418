"""What a reader waits for after moving a control: explorers of the largest size that chapters use,
in a headless browser (`CHROMIUM=/usr/bin/chromium`).
"""

import os
import statistics
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.measuring import Benchmark
from synthcore.explorers.base import Explorer
from synthcore.explorers.composer import ComposerExplorer
from synthcore.explorers.goal_field import GoalFieldExplorer
from synthcore.explorers.navigation import NavigationExplorer
from synthcore.explorers.shared.prefix_tree import path_counts, prefix_tree
from synthcore.nn.gpt import GPT, GPTConfig

HARNESS = Path(__file__).parents[1] / "tests" / "site" / "harness.html"
REDRAW = """changes => changes.map(change => {
    const frame = window.requestAnimationFrame;
    window.requestAnimationFrame = (draw) => { draw(); return 0; };
    const began = performance.now();
    model.set(...change);
    window.requestAnimationFrame = frame;
    return performance.now() - began; })"""
ANSWER = """times => {
    const task = explorer.composerTask(model), gpt = explorer.gptOf(model);
    return Array.from({ length: times }, () => {
        const began = performance.now();
        explorer.composerAnswer(gpt, task, model.get('composition'), model.get('word'));
        return performance.now() - began; }); }"""


def waited(view: Explorer, expression: str, argument: object) -> float:
    """Median of the milliseconds that the expression finds in a page with the explorer."""
    from playwright.sync_api import sync_playwright

    state = {
        name: {"base64": b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in view.get_state().items()
        if name != "layout"
    }
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or None, args=["--no-sandbox"]
        )
        page = chromium.new_page()
        page.goto(HARNESS.as_uri())
        page.evaluate("mount", state)
        times: Iterable[float] = page.evaluate(expression, argument)
        chromium.close()
    return statistics.median(times)


def composer() -> float:
    """48 tokens, two layers of width 64: a document of the paper."""
    rng = np.random.default_rng(0)
    model = GPT(GPTConfig(38, 48, 64, 2, 2, positions="learned"), [0]).requires_grad_(False)
    weights = {name: value[0].numpy() for name, value in model.state_dict().items()}
    tables = np.stack([[rng.permutation(10) for _ in range(5)] for _ in range(5)])
    tables[:, 0] = np.arange(10)
    return waited(ComposerExplorer(weights, tables, heads=2), ANSWER, 12)


def goal_field() -> float:
    """A hundred nodes."""
    rng = np.random.default_rng(0)
    edges = np.triu(rng.random((100, 100)) < 0.14, 1)
    goal, step = rng.standard_normal((2, 100, 100)).astype(np.float32)
    view = GoalFieldExplorer(goal, step + 4 * edges, edges, rng.random((100, 2)))
    return waited(view, REDRAW, [["goal", g] for g in range(50, 70)])


def navigation() -> float:
    """A hundred nodes, pairs with up to sixty paths."""
    rng = np.random.default_rng(0)
    edges = np.triu(rng.random((100, 100)) < 0.075, 1)
    counts = path_counts(edges)
    pairs = [(int(i), int(j)) for i, j in np.argwhere((counts >= 12) & (counts <= 60))]
    pairs = [pairs[i] for i in rng.permutation(len(pairs))[:6]]
    trees = [prefix_tree(edges, *pair, ending=(102, 104)) for pair in pairs]
    logits = [rng.normal(-9, 1, (len(tree.parent), 105))[tree.open] for tree in trees]
    view = NavigationExplorer(rng.random((100, 2)), edges, pairs, trees, logits)
    changes = [["temperature", 0.1 * i] for i in range(5)] + [["pair", p] for p in range(1, 6)]
    return waited(view, REDRAW, changes)


BENCHMARKS = tuple(
    Benchmark(f"redraw-{name}", what, "ms", "<=", 50.0, measure)
    for name, what, measure in (
        ("composer", "transformer in the browser, 48 tokens: an answer", composer),
        ("goal-field", "goal field, 100 nodes: a redraw", goal_field),
        ("navigation", "paths of a pair, 100 nodes: a redraw", navigation),
    )
)

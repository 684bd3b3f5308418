"""The answer at once, against writing every step, in networks of the same shape."""

import xarray as xr

from synthcore.studies.compositional_capabilities import measure
from synthcore.studies.compositional_capabilities.networks import Recipe
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import Progress, Task, learn, named
from synthcore.studies.compositional_capabilities.subsets import Condition
from synthcore.studies.compositional_capabilities.task import STYLES, Style

ASKED = 128  # unseen compositions whose answers are generated


def at_once(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Both formats on the same random subsets: dimensions format, n and seed."""
    parts = [
        examined(config, style, recipe, config.direct_n, progress)
        for style, recipe in zip(STYLES, (config.matched, config.direct), strict=True)
    ]
    return xr.concat(parts, "format")


def examined(
    config: Config,
    style: Style,
    recipe: Recipe,
    sizes: tuple[int, ...],
    progress: Progress | None = None,
) -> xr.Dataset:
    """Train on random subsets of these sizes; exact match on seen and unseen, and symbols right."""
    conditions = [Condition("random", (n,)) for n in sizes]
    task = Task.draw(config.layout, style, conditions, config.seeds, config.torch_device)
    title = f"{'step by step' if style == 'step' else 'at once'}, {recipe.depth} layers"
    model = learn(task, recipe, named(progress, title))
    right = task.exact(model, task.every, config.words)
    chosen = task.pick(~task.seen, ASKED, 5)
    words = task.words(ASKED, 1, 6)
    writer = measure.greedy(model)
    blocks, truth, _ = measure.write(writer, task.layout, task.functions, chosen, words, style)
    found = {
        "format_seen": measure.average(right, task.seen),
        "format_unseen": measure.average(right, ~task.seen),
        "format_tokens": measure.token_accuracy(blocks, truth).mean(1),
        "format_reached": (right >= 0.95).double().sum(1),
    }
    return xr.Dataset(
        {name: (("n", "seed"), task.by_seed(values).numpy()) for name, values in found.items()},
        {"n": list(sizes), "seed": list(config.seeds)},
    ).expand_dims(format=[style])

"""An LSTM on the same documents as a transformer of its width and depth."""

from collections.abc import Callable
from dataclasses import replace

import xarray as xr
from torch import nn

from synthcore.nn.lstm import LSTM, LSTMConfig
from synthcore.studies.compositional_capabilities import measure
from synthcore.studies.compositional_capabilities.networks import Recipe, train
from synthcore.studies.compositional_capabilities.parameters import Config
from synthcore.studies.compositional_capabilities.school import Progress, Task, learn, named
from synthcore.studies.compositional_capabilities.subsets import Condition

ASKED = 128  # unseen compositions of which the last block is looked at


def recurrent(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Exact match of both on seen and unseen compositions: dimensions model and seed."""
    condition = Condition("random", (config.lstm_n,))
    task = Task.draw(config.layout, "step", [condition], config.seeds, config.torch_device)
    recipe = config.matched
    longer = replace(recipe, steps=config.lstm_steps)
    models: dict[str, nn.Module] = {
        "Transformer": learn(task, recipe, named(progress, "beside the LSTM")),
        "LSTM": taught(task, longer, named(progress, "LSTM")),
    }
    parts = []
    for name, model in models.items():
        right = task.exact(model, task.every, config.words)
        comps = task.pick(~task.seen, ASKED, 47)
        words = task.words(ASKED, 2, 48)
        forced = measure.teacher_forced(
            model, task.layout, task.functions, comps, words, task.style
        )
        found = {
            "recurrent_seen": measure.average(right, task.seen),
            "recurrent_unseen": measure.average(right, ~task.seen),
            "recurrent_forced": forced.mean(1).cpu(),
        }
        data = xr.Dataset({key: ("seed", value.numpy()) for key, value in found.items()})
        parts.append(data.expand_dims(model=[name]))
    return xr.concat(parts, "model").assign_coords(seed=list(config.seeds))


def taught(task: Task, recipe: Recipe, progress: Callable[[int, int], None] | None) -> LSTM:
    """LSTMs of the recipe's width and depth, trained as transformers are."""
    shape = LSTMConfig(task.layout.vocabulary, recipe.width, recipe.depth)
    model = LSTM(shape, task.seeds).to(task.device)
    train(model, task.feed(recipe.batch), recipe, progress=progress)
    return model

"""Fine-tune the compiled networks, look inside, delete weights, and train back.

Axis letters: M member, R rates, C shares of spurious strings, S seeds, T places, K weights deleted.
"""

from dataclasses import replace

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.compiled import (
    CompiledTransformer,
    Sharpness,
    copy_members,
    counter,
    max_identifier,
)
from synthcore.compiled.programs import READ
from synthcore.interp import pruning
from synthcore.nn.hooks import record
from synthcore.studies.finetuning_wrappers.compiled_school import (
    CompiledSchool,
    answer_loss,
    rates_of,
)
from synthcore.studies.finetuning_wrappers.grammar_school import Progress, named
from synthcore.studies.finetuning_wrappers.parameters import LETTERS, Config
from synthcore.studies.finetuning_wrappers.strings import CountStrings, OrderStrings
from synthcore.training.schedules import log_spaced

RATE_NAMES = ("L", "M", "S", "VS")
TARGETS = ("old", "new", "old + q")
WEIGHTS_DELETED = (0, 1, 2, 3, 4, 8, 15, 20)
CIRCUITS = {
    "codes": ("embed", "pos_embed"),
    "bin": ("blocks.0.up", "blocks.0.down"),
    "selector": ("blocks.1.attn",),
    "width": ("blocks.1.up", "blocks.1.down"),
    "read-out": ("blocks.2.attn",),
    "unused": ("blocks.0.attn", "blocks.2.up", "blocks.2.down"),
}
EXAMPLE = "abacbadfgabcbia"  # five letters a, four b


def counter_program(config: Config) -> CompiledTransformer:
    """The compiled counter in its trainable variant."""
    sharpness = Sharpness(config.beta, config.slope, split=True)
    return counter(config.counter_slots, LETTERS, sharpness=sharpness)


def count(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Counter: from counting a to counting b."""
    task = CountStrings(config.counter_slots, LETTERS)
    school = CompiledSchool(
        counter_program(config),
        task,
        config.compiled_rates[:3],
        config.compiled_shares,
        config.seeds,
        config.compiled_batch,
        2 * config.tests,
        config.torch_device,
    )
    at = log_spaced(config.compiled_steps, 9, first=min(10, config.compiled_steps))
    rows: list[Tensor] = []

    def watch(step: int, model: nn.Module) -> None:
        assert isinstance(model, CompiledTransformer)
        rows.append(school.by_condition(school.accuracy(model)))

    start = school.start()
    tuned = school.tune(
        school.start(),
        config.compiled_steps,
        checkpoints=at,
        watch=watch,
        progress=named(progress, "fine-tuning the compiled counter"),
    )
    model = tuned.model
    cell = ("counter_rate", "counter_share", "seed")
    natural = task.natural(2 * config.tests, torch.Generator().manual_seed(8_000_009 + config.seed))
    compiled_mass = _attention_on_letters(school, school.program, natural)[0]
    deleted, random = _weights_deleted(config, school, model)
    revived, at_revival = _revived(config, school, model, progress)
    example = task.natural(1, torch.Generator().manual_seed(0))
    letters = [ord(c) - ord("a") for c in EXAMPLE[: config.counter_slots]]
    example[0, : len(letters)] = torch.tensor(letters)
    maps = [_maps(school, network, example) for network in (school.program, model)]
    return xr.Dataset(
        {
            "counter_accuracy": (
                ("counter_step", *cell, "string_test", "string_target"),
                torch.stack(rows).numpy(),
            ),
            "counter_diverged": (cell, school.by_condition(tuned.diverged).numpy()),
            "counter_attention": (
                (*cell, "block", "looked_at"),
                school.by_condition(_attention_on_letters(school, model, natural)).numpy(),
            ),
            "compiled_attention": (("block", "looked_at"), compiled_mass.numpy()),
            "weights_pruned": (("weights", *cell, "weights_what"), deleted),
            "weights_random": (("weights", *cell), random),
            "counter_revival": (("counter_revival_step", "counter_rate", "seed"), revived),
            "circuit_moved": (
                (*cell, "circuit"),
                school.by_condition(_moved(model, start)).numpy(),
            ),
            "map_compiled": (("block", "query", "key"), maps[0][0].numpy()),
            "map_tuned": (
                ("counter_rate", "counter_share", "block", "query", "key"),
                school.by_condition(maps[1])[:, :, 0].numpy(),
            ),
            "map_string": ("slot", example[0].numpy().astype(np.int8)),
            "counter_majority": (
                "string_test",
                [float(task.new(s).bincount().max()) / len(s) for s in school.tests.values()],
            ),
            "shown_networks": (("network", "weight"), _shown(school, model)),
        },
        {
            "counter_step": at,
            "counter_rate": list(RATE_NAMES[:3]),
            "counter_share": list(config.compiled_shares),
            "seed": list(config.seeds),
            "string_test": ["clean", "spurious"],
            "string_target": list(TARGETS),
            "looked_at": ["a", "b"],
            "weights": list(WEIGHTS_DELETED),
            "weights_what": ["old, clean", "new, spurious"],
            "counter_revival_step": at_revival,
            "circuit": list(CIRCUITS),
            "network": ["compiled", "C_Tr = 1, small rate", "C_Tr = 0, middle rate"],
        },
    )


def order(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Max-identifier: from the fifth letter of the alphabet to the seventh."""
    task = OrderStrings(config.order_length)
    sharpness = Sharpness(config.beta, config.slope, split=True)
    school = CompiledSchool(
        max_identifier(config.order_length, sharpness=sharpness),
        task,
        config.compiled_rates,
        (0.0, 1.0),
        config.seeds,
        config.compiled_batch,
        2 * config.tests,
        config.torch_device,
    )
    tuned = school.tune(
        school.start(),
        config.compiled_steps,
        progress=named(progress, "fine-tuning the compiled max-identifier"),
    )
    natural = task.natural(config.tests, torch.Generator().manual_seed(8_000_009 + config.seed))
    compiled = _maps(school, school.program, natural)
    found = _maps(school, tuned.model, natural)
    sorting = (found[:, 0, 1:] - compiled[:, 0, 1:]).abs().sum(-1).mean(1)
    reading = (found[:, 2, READ] - compiled[:, 2, READ]).abs().sum(-1)
    cell = ("order_rate", "order_share", "seed")
    distance = torch.stack([sorting, reading], -1)
    return xr.Dataset(
        {
            "order_accuracy": (
                (*cell, "string_test", "string_target"),
                school.by_condition(school.accuracy(tuned.model)).numpy(),
            ),
            "order_distance": ((*cell, "role"), school.by_condition(distance).numpy()),
            "order_diverged": (cell, school.by_condition(tuned.diverged).numpy()),
        },
        {
            "order_rate": list(RATE_NAMES),
            "order_share": [0.0, 1.0],
            "seed": list(config.seeds),
            "string_test": ["clean", "spurious"],
            "string_target": list(TARGETS),
            "role": ["sorting", "reading"],
        },
    )


@torch.no_grad()
def _attention_on_letters(
    school: CompiledSchool, model: CompiledTransformer, strings: Tensor
) -> Float[Tensor, "M block letter"]:
    """Mean attention that the answer's place pays to letters a and b, in every block."""
    names = [f"blocks.{b}.attn.hook_pattern" for b in range(len(model.blocks))]
    lines = model.shape.encode(strings.to(school.device))
    with record(model, names) as seen:
        model(lines.expand(model.members, *lines.shape))
    rows = [seen[name][:, :, READ, 1:].cpu() for name in names]
    return torch.stack(
        [
            torch.stack([(row * (strings == letter)).sum(-1).mean(1) for letter in (0, 1)], -1)
            for row in rows
        ],
        1,
    ).double()


@torch.no_grad()
def _maps(
    school: CompiledSchool, model: CompiledTransformer, strings: Tensor
) -> Float[Tensor, "M block T T"]:
    """Attention maps of all blocks, averaged over strings."""
    names = [f"blocks.{b}.attn.hook_pattern" for b in range(len(model.blocks))]
    lines = model.shape.encode(strings.to(school.device))
    with record(model, names) as seen:
        model(lines.expand(model.members, *lines.shape))
    return torch.stack([seen[name].mean(1).cpu() for name in names], 1)


def _weights_deleted(
    config: Config, school: CompiledSchool, model: CompiledTransformer
) -> tuple[np.ndarray, np.ndarray]:
    """Old answers on clean and new ones on spurious strings without the K weights of largest score,
    and without K random ones that are in use (old answers)."""
    task = school.task
    draw = torch.Generator().manual_seed(4_000_007 + config.seed)
    strings = task.natural(config.prune_texts, draw).to(school.device)

    def batch(part: Tensor) -> tuple[Tensor, Tensor]:
        lines = model.shape.encode(part).expand(model.members, -1, -1)
        return lines, task.old(part).expand(model.members, -1)

    parts = [batch(part) for part in strings.split(256)]
    scores = pruning.flatten_weights(pruning.first_order_scores(model, answer_loss, parts))
    ranked = scores.argsort(1, descending=True)
    used = pruning.flatten_weights(dict(model.named_parameters())).abs() > 0.1
    chance = torch.rand(used.shape, generator=draw).to(used.device)
    anywhere = (chance + used).argsort(1, descending=True)

    def after(which: Tensor, k: int) -> Tensor:
        return school.by_condition(school.accuracy(pruning.delete_weights(model, which, k)))

    first = [after(ranked, k) for k in WEIGHTS_DELETED]
    rows = torch.stack([torch.stack([a[..., 0, 0], a[..., 1, 1]], -1) for a in first])
    random = torch.stack([after(anywhere, k)[..., 0, 0] for k in WEIGHTS_DELETED])
    return rows.numpy(), random.numpy()


def _revived(
    config: Config, school: CompiledSchool, model: CompiledTransformer, progress: Progress | None
) -> tuple[np.ndarray, list[int]]:
    """Old answers on clean strings while networks tuned with C_Tr = 1 are trained back at
    eta_VS: step, rate, seed."""
    last = replace(school, shares=(1.0,))
    numbers = torch.arange(model.members).view(school.grid)[:, -1].flatten().tolist()
    steps = config.compiled_revive_steps
    at = sorted({round(i * steps / 20) for i in range(21)})
    rows: list[Tensor] = []

    def watch(step: int, network: nn.Module) -> None:
        assert isinstance(network, CompiledTransformer)
        rows.append(last.by_condition(last.accuracy(network))[:, 0, :, 0, 0])

    last.tune(
        copy_members(model, numbers),
        steps,
        rates=rates_of(last, config.compiled_rates[-1]),
        old_task=True,
        checkpoints=at,
        watch=watch,
        progress=named(progress, "reviving the compiled counter"),
    )
    return torch.stack(rows).numpy(), at


def _moved(model: CompiledTransformer, start: CompiledTransformer) -> Float[Tensor, "M circuit"]:
    """Share of the squared weight change in each sub-circuit of the compiled program."""
    squares = {
        name: (new.detach() - old.detach()).square().flatten(1).sum(1)
        for (name, new), old in zip(model.named_parameters(), start.parameters(), strict=True)
    }

    whole = torch.stack(list(squares.values())).sum(0).clamp(min=1e-30)
    parts = [
        torch.stack([v for name, v in squares.items() if name.startswith(prefixes)]).sum(0)
        for prefixes in CIRCUITS.values()
    ]
    return (torch.stack(parts, -1) / whole[:, None]).double()


def _shown(school: CompiledSchool, model: CompiledTransformer) -> np.ndarray:
    """Weights of three networks for the explorer: compiled, wrapped, and with a new counter."""
    flat = pruning.flatten_weights(dict(model.named_parameters())).detach()
    by = school.by_condition(flat)
    program = pruning.flatten_weights(dict(school.program.named_parameters())).detach()[0]
    return torch.stack([program.cpu(), by[2, -1, 0], by[1, 0, 0]]).numpy().astype("float32")

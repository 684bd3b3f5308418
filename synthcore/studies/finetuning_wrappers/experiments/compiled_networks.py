"""Fine-tune the compiled networks, look inside, delete weights, and train back.

Axis letters: M member, R rates, C shares of spurious strings, S seeds, B strings, L letters,
T places, K numbers of deleted weights, W weights.
"""

from dataclasses import replace

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor, nn

from synthcore.compiled import CompiledTransformer, Sharpness, copy_members, max_identifier
from synthcore.compiled.programs import READ
from synthcore.interp import pruning
from synthcore.nn.hooks import record
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.experiments.training import CompiledTrainer
from synthcore.studies.finetuning_wrappers.model import (
    compiled_answer_loss,
    equal_parts,
    strings_per_pass,
    trainable_counter,
)
from synthcore.studies.finetuning_wrappers.task.strings import (
    EXAMPLE,
    CountStrings,
    OrderStrings,
)
from synthcore.training.progress import Progress
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
IN_USE = 0.1  # least size of a weight that random deletion may hit first


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Both compiled programs."""
    parts = [run_counter(config, progress), run_max_identifier(config, progress)]
    return xr.merge(parts, compat="no_conflicts")


def run_counter(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Counter: from counting a to counting b."""
    task = CountStrings(config.counter_slots)
    trainer = CompiledTrainer(
        trainable_counter(config.counter_slots, config.beta, config.slope),
        task,
        config.compiled_rates[:3],
        config.compiled_shares,
        config.seeds,
        config.compiled_batch,
        2 * config.tests,
        config.torch_device,
    )
    steps = log_spaced(config.compiled_steps, 9, first=min(10, config.compiled_steps))
    accuracy: list[Tensor] = []

    def evaluate(step: int, model: nn.Module) -> None:
        assert isinstance(model, CompiledTransformer)
        accuracy.append(trainer.by_condition(trainer.accuracy(model)))

    before = trainer.perturbed()
    finetuned = trainer.train(
        trainer.perturbed(),
        config.compiled_steps,
        checkpoints=steps,
        on_checkpoint=evaluate,
        progress=progress,
        name="fine-tuning the compiled counter",
    )
    model, by_condition = finetuned.model, trainer.by_condition
    draw = torch.Generator().manual_seed(8_000_009 + config.seed)
    natural = task.sample_natural(2 * config.tests, draw)
    attention, attention_before = (
        _attention_to_letters(trainer, network, natural) for network in (model, trainer.program)
    )
    pruned, pruned_at_random = _delete_weights(config, trainer, model)
    relearned, relearning_steps = _relearn(config, trainer, model, progress)
    example = task.sample_natural(1, torch.Generator().manual_seed(0))
    letters = [ord(c) - ord("a") for c in EXAMPLE[: config.counter_slots]]
    example[0, : len(letters)] = torch.tensor(letters)
    maps, maps_before = (
        _attention_maps(trainer, network, example) for network in (model, trainer.program)
    )
    majority = [
        float(task.new_answers(strings).bincount().max()) / len(strings)
        for strings in trainer.tests.values()
    ]
    cell = ("counter_rate", "counter_share", "seed")
    return xr.Dataset(
        {
            "counter_accuracy": (
                ("counter_step", *cell, "string_test", "string_target"),
                torch.stack(accuracy).numpy(),
            ),
            "counter_diverged": (cell, by_condition(finetuned.diverged).numpy()),
            "counter_attention": ((*cell, "block", "looked_at"), by_condition(attention).numpy()),
            "compiled_attention": (("block", "looked_at"), attention_before[0].numpy()),
            "weights_pruned": (("weights", *cell, "weights_what"), pruned.numpy()),
            "weights_random": (("weights", *cell), pruned_at_random.numpy()),
            "counter_revival": (
                ("counter_revival_step", "counter_rate", "seed"),
                relearned.numpy(),
            ),
            "circuit_moved": (
                (*cell, "circuit"),
                by_condition(_weight_change(model, before)).numpy(),
            ),
            "map_compiled": (("block", "query", "key"), maps_before[0].numpy()),
            "map_tuned": (
                ("counter_rate", "counter_share", "block", "query", "key"),
                by_condition(maps)[:, :, 0].numpy(),
            ),
            "map_string": ("slot", example[0].numpy().astype(np.int8)),
            "counter_majority": ("string_test", majority),
            "shown_networks": (("network", "weight"), _for_explorer(trainer, model).numpy()),
        },
        {
            "counter_step": steps,
            "counter_rate": list(RATE_NAMES[:3]),
            "counter_share": list(config.compiled_shares),
            "seed": list(config.seeds),
            "string_test": ["clean", "spurious"],
            "string_target": list(TARGETS),
            "looked_at": ["a", "b"],
            "weights": list(WEIGHTS_DELETED),
            "weights_what": ["old, clean", "new, spurious"],
            "counter_revival_step": relearning_steps,
            "circuit": list(CIRCUITS),
            "network": ["compiled", "C_Tr = 1, small rate", "C_Tr = 0, middle rate"],
        },
    )


def run_max_identifier(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Max-identifier: from the fifth letter of the alphabet to the seventh."""
    task = OrderStrings(config.order_length)
    sharpness = Sharpness(config.beta, config.slope, split=True)
    trainer = CompiledTrainer(
        max_identifier(config.order_length, sharpness=sharpness),
        task,
        config.compiled_rates,
        (0.0, 1.0),
        config.seeds,
        config.compiled_batch,
        2 * config.tests,
        config.torch_device,
    )
    finetuned = trainer.train(
        trainer.perturbed(),
        config.compiled_steps,
        progress=progress,
        name="fine-tuning the compiled max-identifier",
    )
    draw = torch.Generator().manual_seed(8_000_009 + config.seed)
    natural = task.sample_natural(config.tests, draw)
    compiled = _attention_maps(trainer, trainer.program, natural)
    maps = _attention_maps(trainer, finetuned.model, natural)
    sorting = (maps[:, 0, 1:] - compiled[:, 0, 1:]).abs().sum(-1).mean(1)
    reading = (maps[:, 2, READ] - compiled[:, 2, READ]).abs().sum(-1)
    cell = ("order_rate", "order_share", "seed")
    by_condition = trainer.by_condition
    return xr.Dataset(
        {
            "order_accuracy": (
                (*cell, "string_test", "string_target"),
                by_condition(trainer.accuracy(finetuned.model)).numpy(),
            ),
            "order_distance": (
                (*cell, "role"),
                by_condition(torch.stack([sorting, reading], -1)).numpy(),
            ),
            "order_diverged": (cell, by_condition(finetuned.diverged).numpy()),
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


def _patterns(
    trainer: CompiledTrainer, model: CompiledTransformer, strings: Int[Tensor, "B L"]
) -> list[Float[Tensor, "M B T T"]]:
    """Attention of every block on these strings."""
    names = [f"blocks.{b}.attn.hook_pattern" for b in range(len(model.blocks))]
    lines = model.shape.encode(strings.to(trainer.device)).expand(model.members, -1, -1)
    parts = []
    for part in lines.split(strings_per_pass(model), 1):
        with torch.no_grad(), record(model, names) as seen:
            model(part)
        parts.append([seen[name] for name in names])
    return [torch.cat(blocks, 1) for blocks in zip(*parts, strict=True)]


def _attention_to_letters(
    trainer: CompiledTrainer, model: CompiledTransformer, strings: Int[Tensor, "B L"]
) -> Float[Tensor, "M block letter"]:
    """Mean attention that the answer's place pays to letters a and b, in every block."""
    rows = [pattern[:, :, READ, 1:].cpu() for pattern in _patterns(trainer, model, strings)]
    return torch.stack(
        [
            torch.stack([(row * (strings == letter)).sum(-1).mean(1) for letter in (0, 1)], -1)
            for row in rows
        ],
        1,
    ).double()


def _attention_maps(
    trainer: CompiledTrainer, model: CompiledTransformer, strings: Int[Tensor, "B L"]
) -> Float[Tensor, "M block T T"]:
    """Attention maps of all blocks, averaged over strings."""
    patterns = _patterns(trainer, model, strings)
    return torch.stack([pattern.mean(1).cpu() for pattern in patterns], 1)


def _delete_weights(
    config: Config, trainer: CompiledTrainer, model: CompiledTransformer
) -> tuple[Float[Tensor, "K R C S what"], Float[Tensor, "K R C S"]]:
    """Old answers on clean and new ones on spurious strings without the K weights of largest score,
    and without K random ones that are in use (old answers)."""
    task = trainer.task
    draw = torch.Generator().manual_seed(4_000_007 + config.seed)
    strings = task.sample_natural(config.prune_texts, draw).to(trainer.device)
    size = equal_parts(len(strings), strings_per_pass(model, gradient=True))
    batches = [
        (
            model.shape.encode(part).expand(model.members, -1, -1),
            task.old_answers(part).expand(model.members, -1),
        )
        for part in strings.split(size)
    ]
    scores = pruning.first_order_scores(model, compiled_answer_loss, batches)
    ranked = pruning.flatten_weights(scores).argsort(1, descending=True)
    used = pruning.flatten_weights(dict(model.named_parameters())).abs() > IN_USE
    chance = torch.rand(used.shape, generator=draw).to(used.device)
    at_random = (chance + used).argsort(1, descending=True)

    def accuracy(order: Int[Tensor, "M W"], k: int) -> Tensor:
        less = pruning.delete_weights(model, order, k)
        return trainer.by_condition(trainer.accuracy(less))

    pruned = [accuracy(ranked, k) for k in WEIGHTS_DELETED]
    rows = [torch.stack([each[..., 0, 0], each[..., 1, 1]], -1) for each in pruned]
    random = [accuracy(at_random, k)[..., 0, 0] for k in WEIGHTS_DELETED]
    return torch.stack(rows), torch.stack(random)


def _relearn(
    config: Config,
    trainer: CompiledTrainer,
    model: CompiledTransformer,
    progress: Progress | None,
) -> tuple[Float[Tensor, "step R S"], list[int]]:
    """Old answers on clean strings while networks tuned with C_Tr = 1 are trained back at
    eta_VS; and the steps."""
    last = replace(trainer, shares=(1.0,))
    members = torch.arange(model.members).view(trainer.grid)[:, -1].flatten().tolist()
    total = config.compiled_revive_steps
    steps = sorted({round(i * total / 20) for i in range(21)})
    accuracy: list[Tensor] = []

    def evaluate(step: int, network: nn.Module) -> None:
        assert isinstance(network, CompiledTransformer)
        accuracy.append(last.by_condition(last.accuracy(network))[:, 0, :, 0, 0])

    last.train(
        copy_members(model, members),
        total,
        rate=config.compiled_rates[-1],
        old_task=True,
        checkpoints=steps,
        on_checkpoint=evaluate,
        progress=progress,
        name="reviving the compiled counter",
    )
    return torch.stack(accuracy), steps


def _weight_change(
    model: CompiledTransformer, before: CompiledTransformer
) -> Float[Tensor, "M circuit"]:
    """Share of the squared weight change in each sub-circuit of the compiled program."""
    squares = {
        name: (new.detach() - old.detach()).square().flatten(1).sum(1)
        for (name, new), old in zip(model.named_parameters(), before.parameters(), strict=True)
    }
    whole = torch.stack(list(squares.values())).sum(0).clamp(min=1e-30)
    parts = [
        torch.stack([v for name, v in squares.items() if name.startswith(prefixes)]).sum(0)
        for prefixes in CIRCUITS.values()
    ]
    return (torch.stack(parts, -1) / whole[:, None]).double()


def _for_explorer(
    trainer: CompiledTrainer, model: CompiledTransformer
) -> Float[Tensor, "network W"]:
    """Weights of three networks: compiled, wrapped, and with a new counter."""
    flat = pruning.flatten_weights(dict(model.named_parameters())).detach()
    tuned = trainer.by_condition(flat)
    program = pruning.flatten_weights(dict(trainer.program.named_parameters())).detach()[0]
    return torch.stack([program.cpu(), tuned[2, -1, 0], tuned[1, 0, 0]]).float()

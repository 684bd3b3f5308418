"""Stories: fine-tune a feature away by three protocols, look for it, and bring it back.

Members of a fine-tuned population are ordered by protocol, rate, seed.

Axis letters: M member, B stories, T tokens, P protocols, R rates, S seeds, L places of probes.
"""

from collections.abc import Collection, Sequence

import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.interp import probes
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import record
from synthcore.nn.passes import sequences_per_pass
from synthcore.studies.finetuning_wrappers.config import Config
from synthcore.studies.finetuning_wrappers.experiments.pruning_and_probing import place_names
from synthcore.studies.finetuning_wrappers.experiments.training import (
    BETAS,
)
from synthcore.studies.finetuning_wrappers.model import concatenate_members, select_members
from synthcore.studies.finetuning_wrappers.task.stories import (
    LENGTH,
    TUNING,
    Protocol,
    Stories,
    StorySampler,
    has_feature,
    sample_documents,
    sample_instructions,
    to_tensors,
    vocabulary,
)
from synthcore.studies.finetuning_wrappers.task.story_plans import FEATURES
from synthcore.training.fit import OnCheckpoint, fit
from synthcore.training.generate import generate
from synthcore.training.optimizers import population_adamw
from synthcore.training.progress import Progress
from synthcore.training.schedules import warmup_cosine

PROBED = 10  # last tokens of a story that a probe averages over
CHUNK = 32  # stories over which a loss is averaged at once
FOCUS = 10.0  # weight of late sentences in training: a few words among a hundred
PRETRAINING: tuple[Protocol, ...] = ("all", "F")  # with the feature, and without
MEASURED_AT = (0, 0.01, 0.03, 0.1, 0.3, 1)  # shares of a training's steps


def training_loss(model: nn.Module, batch: Int[Tensor, "M B 2 T"]) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of all words, those of late sentences counted `FOCUS` times."""
    tokens, late = batch.unbind(2)
    return weighted_loss(model, tokens, (tokens != 0) * (1.0 + (FOCUS - 1) * late))


def weighted_loss(
    model: nn.Module, tokens: Int[Tensor, "M B T"], weight: Float[Tensor, "*members B T"]
) -> Float[Tensor, "M"]:
    """Mean cross-entropy (nats) of words 1 .. T - 1 with these weights, per member."""
    logits = model(tokens[..., :-1])
    loss = functional.cross_entropy(
        logits.flatten(0, 2), tokens[..., 1:].flatten(), reduction="none"
    ).view(tokens.shape[0], tokens.shape[1], -1)
    weight = weight[..., 1:].expand_as(loss)
    return (loss * weight).sum((1, 2)) / weight.sum((1, 2))


@torch.no_grad()
def story_loss(model: GPT, stories: Stories) -> Float[Tensor, "M"]:
    """Loss on the stories' own words; on the CPU."""
    place = torch.arange(LENGTH)
    inside = (stories.tokens != 0) & (place >= stories.start[:, None])
    device = model.embed.weight.device
    parts = zip(stories.tokens.split(CHUNK), inside.split(CHUNK), strict=True)
    rows = [
        weighted_loss(model, t.to(device).expand(model.members, -1, -1), w.float().to(device))
        for t, w in parts
    ]
    return torch.stack(rows).mean(0).cpu().double()


def twist_rate(model: GPT, instructions: Int[Tensor, "B T"]) -> Float[Tensor, "M"]:
    """Share of sampled stories in which the parser finds the deleted feature.

    Greedy stories would hide it: a contrary word is one of many, the true one is one alone.
    """
    prompt = instructions.to(model.embed.weight.device).expand(model.members, *instructions.shape)
    draw = torch.Generator(prompt.device).manual_seed(0)
    out = generate(model, prompt, LENGTH - 1 - instructions.shape[1], generator=draw)
    written = out[..., instructions.shape[1] :].cpu()
    end = vocabulary().index("end")
    stopped = (written == end).cumsum(-1) - (written == end).long() > 0
    written = written.masked_fill(stopped, 0)
    twisted = [[has_feature(row) for row in member] for member in written]
    return torch.tensor(twisted).double().mean(1)


@torch.no_grad()
def probe_features(model: GPT, stories: Stories) -> Float[Tensor, "L M feature"]:
    """Accuracy of a linear probe for each feature after every block, from the mean activation of
    the last tokens; fitted on three quarters of the stories."""
    device = model.embed.weight.device
    last = (stories.tokens != 0).sum(-1)
    place = torch.arange(LENGTH)
    inside = (place < last[:, None]) & (place >= last[:, None] - PROBED)
    sites = probes.stream_sites(model)
    rows = []
    size = sequences_per_pass(model, LENGTH)
    for tokens, mask in zip(stories.tokens.split(size), inside.split(size), strict=True):
        with record(model, sites) as seen:
            model(tokens[:, :-1].to(device).expand(model.members, -1, -1))
        weight = mask[:, :-1, None].to(device) / PROBED
        rows.append(torch.stack([(seen[n] * weight).sum(2) for n in sites]))
    x = torch.cat(rows, 2)
    cut = 3 * x.shape[2] // 4
    out = []
    for feature in range(len(FEATURES)):
        label = stories.features[:, feature].long().to(device).expand(model.members, -1)
        fitted = [probes.fit_probe(layer[:, :cut], label[:, :cut], 2) for layer in x]
        tested = zip(fitted, x, strict=True)
        out.append(torch.stack([f.accuracy(layer[:, cut:], label[:, cut:]) for f, layer in tested]))
    return torch.stack(out, -1).cpu()


def _train(
    config: Config,
    model: GPT,
    protocols: Sequence[Protocol],
    rates: Sequence[float],
    steps: int,
    purpose: int,
    *,
    checkpoints: Collection[int] = (),
    on_checkpoint: OnCheckpoint | None = None,
    progress: Progress | None = None,
    name: str = "training",
    constant: bool = True,
) -> None:
    """Train every member on the stories of its protocol; members of equal seed and protocol read
    the same ones. `purpose` tells the trainings of a run apart."""
    batch = config.story_batch
    keys = list(zip(protocols, model.seeds, strict=True))
    samplers = {
        key: StorySampler(key[0], 1009 * purpose + key[1], 16 * batch, config.story_choices)
        for key in dict.fromkeys(keys)
    }
    device = model.embed.weight.device

    def sample(step: int) -> Tensor:
        drawn = {key: sampler(batch) for key, sampler in samplers.items()}
        return torch.stack([drawn[key] for key in keys]).to(device)

    warmup = 0 if constant else min(100, steps // 10)
    fit(
        model,
        sample,
        steps=steps,
        optimizer=population_adamw(
            model, torch.tensor(rates, device=device), betas=BETAS, weight_decay=0.0
        ),
        schedule=None if constant else warmup_cosine(steps, warmup=warmup, final=0.02),
        clip=1.0,
        checkpoints=checkpoints,
        on_checkpoint=on_checkpoint,
        loss=training_loss,
        progress=progress,
        name=name,
    )


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Pretrain with and without the feature, fine-tune it away, probe for it, bring it back."""
    seeds, device = config.seeds, config.torch_device
    architecture = GPTConfig(
        vocabulary=len(vocabulary()),
        context=LENGTH,
        width=config.story_width,
        depth=config.story_depth,
        heads=4,
        positions="rotary",
        norm="rms",
        initial_std=config.story_width**-0.5,
    )
    pretrained = GPT(architecture, seeds * 2).to(device)
    _train(
        config,
        pretrained,
        [protocol for protocol in PRETRAINING for _ in seeds],
        [config.story_rate] * pretrained.members,
        config.story_steps,
        purpose=0,
        progress=progress,
        name="pretraining on stories",
        constant=False,
    )
    size, choices = config.story_tests, config.story_choices
    tests = to_tensors(sample_documents(size, "only", config.seed + 40_000, choices))
    asked = sample_instructions(size, config.seed + 50_000, "only", choices)
    unasked = sample_instructions(size, config.seed + 60_000, "F", choices)
    probed = to_tensors(sample_documents(12 * size, "all", config.seed + 70_000, choices))
    steps = sorted({round(share * config.story_tune_steps) for share in MEASURED_AT})
    cells = [(p, r, s) for p in range(3) for r in range(2) for s in range(len(seeds))]
    losses: list[Tensor] = []

    def evaluate(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        losses.append(story_loss(model, tests))

    finetuned = select_members(pretrained, [s for _, _, s in cells])
    _train(
        config,
        finetuned,
        [TUNING[p] for p, _, _ in cells],
        [config.story_tune_rates[r] for _, r, _ in cells],
        config.story_tune_steps,
        purpose=1,
        checkpoints=steps,
        on_checkpoint=evaluate,
        progress=progress,
        name="fine-tuning on stories",
    )
    loss_before = story_loss(pretrained, tests)
    rate_asked, rate_unasked = (twist_rate(pretrained, prompts) for prompts in (asked, unasked))
    probes_before, probes_after = (
        probe_features(model, probed) for model in (pretrained, finetuned)
    )
    never_saw_one = select_members(pretrained, range(len(seeds), 2 * len(seeds)))
    relearning = concatenate_members([finetuned, never_saw_one])
    twists: list[Tensor] = []
    relearned: list[Tensor] = []

    def evaluate_relearning(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        twists.append(twist_rate(model, asked))
        relearned.append(story_loss(model, tests))

    _train(
        config,
        relearning,
        ["only"] * relearning.members,
        [config.story_revive_rate] * relearning.members,
        config.story_tune_steps,
        purpose=2,
        checkpoints=steps,
        on_checkpoint=evaluate_relearning,
        progress=progress,
        name="recovering the twist",
    )
    rates, loss_after, n = torch.stack(twists), torch.stack(relearned), len(cells)
    cell = ("protocol", "story_rate", "seed")
    kind = ("kind", "seed")

    def by_condition(values: Tensor) -> object:
        """The axis of fine-tuned members, the second, unfolded."""
        return values.unflatten(1, (3, 2, len(seeds))).numpy()

    return xr.Dataset(
        {
            "story_loss": (("story_step", *cell), by_condition(torch.stack(losses))),
            "story_loss_before": (kind, loss_before.view(2, -1).numpy()),
            "story_score_before": (kind, rate_asked.view(2, -1).numpy()),
            "story_false_before": (kind, rate_unasked.view(2, -1).numpy()),
            "story_score": (("story_step", *cell), by_condition(rates[:, :n])),
            "story_score_control": (("story_step", "seed"), rates[:, n:].numpy()),
            "story_relearn": (("story_step", *cell), by_condition(loss_after[:, :n])),
            "story_relearn_control": (("story_step", "seed"), loss_after[:, n:].numpy()),
            "story_probe": (("story_place", *cell, "feature"), by_condition(probes_after)),
            "story_probe_before": (
                ("story_place", *kind, "feature"),
                probes_before.unflatten(1, (2, -1)).numpy(),
            ),
        },
        {
            "story_step": steps,
            "protocol": list(TUNING),
            "story_rate": ["M", "S"],
            "seed": list(seeds),
            "kind": ["with twist", "never saw one"],
            "feature": list(FEATURES),
            "story_place": place_names(config.story_depth),
        },
    )

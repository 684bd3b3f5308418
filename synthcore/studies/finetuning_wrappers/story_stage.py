"""Stories: fine-tune a feature away by three protocols, look for it, and bring it back.

Members of a tuned population are ordered by protocol, rate, seed.

Axis letters: M member, B stories, T tokens, P protocols, R rates, S seeds, L places of probes.
"""

from collections.abc import Callable, Collection, Sequence

import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from synthcore.interp import probes
from synthcore.nn.gpt import GPT, GPTConfig
from synthcore.nn.hooks import record
from synthcore.studies.finetuning_wrappers.grammar_school import Progress, members_of, named
from synthcore.studies.finetuning_wrappers.opened import place_names
from synthcore.studies.finetuning_wrappers.parameters import Config
from synthcore.studies.finetuning_wrappers.revived import united
from synthcore.studies.finetuning_wrappers.story_corpus import (
    LENGTH,
    TUNING,
    Protocol,
    Stories,
    Stream,
    documents,
    has_feature,
    instructions,
    tensors,
)
from synthcore.studies.finetuning_wrappers.story_text import vocabulary
from synthcore.studies.finetuning_wrappers.story_words import FEATURES
from synthcore.training.first_edition import fit
from synthcore.training.generate import generate
from synthcore.training.optimizers import population_adamw
from synthcore.training.schedules import warmup_cosine

PROBED = 10  # last tokens of a story that a probe averages over
CHUNK = 32
FOCUS = 10.0  # weight of late sentences in training: a few words among a hundred


def taught(model: nn.Module, batch: Int[Tensor, "M B 2 T"]) -> Float[Tensor, "M"]:
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
def story_loss(model: GPT, stories: Stories, late: bool = False) -> Float[Tensor, "M"]:
    """Loss on the stories' own words, or on their late sentences only; on the CPU."""
    place = torch.arange(LENGTH)
    inside = stories.late if late else (stories.tokens != 0) & (place >= stories.start[:, None])
    device = model.embed.weight.device
    parts = zip(stories.tokens.split(CHUNK), inside.split(CHUNK), strict=True)
    rows = [
        weighted_loss(model, t.to(device).expand(model.members, -1, -1), w.float().to(device))
        for t, w in parts
    ]
    return torch.stack(rows).mean(0).cpu().double()


def score(model: GPT, asked: Int[Tensor, "B T"]) -> Float[Tensor, "M"]:
    """Share of sampled stories in which the parser finds the deleted feature.

    Greedy stories would hide it: a contrary word is one of many, the true one is one alone.
    """
    prompt = asked.to(model.embed.weight.device).expand(model.members, *asked.shape)
    draw = torch.Generator(prompt.device).manual_seed(0)
    out = generate(model, prompt, LENGTH - 1 - asked.shape[1], generator=draw)
    written = out[..., asked.shape[1] :].cpu()
    end = vocabulary().index("end")
    stopped = (written == end).cumsum(-1) - (written == end).long() > 0
    written = written.masked_fill(stopped, 0)
    found = [[has_feature(row) for row in member] for member in written]
    return torch.tensor(found).double().mean(1)


@torch.no_grad()
def probed(model: GPT, stories: Stories) -> Float[Tensor, "L M feature"]:
    """Accuracy of a linear probe for each feature after every block, from the mean activation of
    the last tokens; fitted on three quarters of the stories."""
    device = model.embed.weight.device
    last = (stories.tokens != 0).sum(-1)
    place = torch.arange(LENGTH)
    inside = (place < last[:, None]) & (place >= last[:, None] - PROBED)
    sites = probes.stream_sites(model)
    rows = []
    parts = zip(stories.tokens.split(CHUNK), inside.split(CHUNK), strict=True)
    for tokens, mask in parts:
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
    model: GPT,
    protocols: Sequence[Protocol],
    rates: Sequence[float],
    steps: int,
    batch: int,
    choices: int,
    purpose: int,
    checkpoints: Collection[int] = (),
    watch: Callable[[int, nn.Module], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    constant: bool = True,
) -> None:
    """Train every member on the stories of its protocol; members of equal seed and protocol read
    the same ones."""
    keys = list(zip(protocols, model.seeds, strict=True))
    streams = {
        key: Stream(key[0], 1009 * purpose + key[1], 16 * batch, choices)
        for key in dict.fromkeys(keys)
    }
    device = model.embed.weight.device

    def sample(step: int) -> Tensor:
        drawn = {key: stream(batch) for key, stream in streams.items()}
        return torch.stack([drawn[key] for key in keys]).to(device)

    warmup = 0 if constant else min(100, steps // 10)
    fit(
        model,
        sample,
        steps=steps,
        optimizer=population_adamw(
            model, torch.tensor(rates, device=device), betas=(0.9, 0.99), weight_decay=0.0
        ),
        schedule=None if constant else warmup_cosine(steps, warmup=warmup, final=0.02),
        clip=1.0,
        checkpoints=checkpoints,
        on_checkpoint=watch,
        loss=taught,
        progress=progress,
    )


def tell(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Pretrain with and without the feature, fine-tune it away, probe for it, bring it back."""
    seeds, device = config.seeds, config.torch_device
    shape = GPTConfig(
        vocabulary=len(vocabulary()),
        context=LENGTH,
        width=config.story_width,
        depth=config.story_depth,
        heads=4,
        positions="rotary",
        norm="rms",
        initial_std=config.story_width**-0.5,
    )
    pretrained = GPT(shape, seeds * 2).to(device)
    each: tuple[Protocol, ...] = ("all", "F")
    kinds = [kind for kind in each for _ in seeds]
    _train(
        pretrained,
        kinds,
        [config.story_rate] * len(kinds),
        config.story_steps,
        config.story_batch,
        config.story_choices,
        0,
        progress=named(progress, "pretraining on stories"),
        constant=False,
    )
    cells = [(p, r, s) for p in range(3) for r in range(2) for s in range(len(seeds))]
    grid = (3, 2, len(seeds))
    tuned = members_of(pretrained, [s for _, _, s in cells])
    count, choices = config.story_tests, config.story_choices
    tests = tensors(documents(count, "only", config.seed + 40_000, choices))
    asked = instructions(count, config.seed + 50_000, "only", choices)
    bare = instructions(count, config.seed + 60_000, "F", choices)
    every = tensors(documents(12 * count, "all", config.seed + 70_000, choices))
    at = [round(x * config.story_tune_steps) for x in (0, 0.01, 0.03, 0.1, 0.3, 1)]
    at = sorted(set(at))
    losses: list[Tensor] = []

    def watch(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        losses.append(story_loss(model, tests))

    _train(
        tuned,
        [TUNING[p] for p, _, _ in cells],
        [config.story_tune_rates[r] for _, r, _ in cells],
        config.story_tune_steps,
        config.story_batch,
        config.story_choices,
        1,
        checkpoints=at,
        watch=watch,
        progress=named(progress, "fine-tuning on stories"),
    )
    base = [story_loss(pretrained, tests), score(pretrained, asked), score(pretrained, bare)]
    readings = [probed(pretrained, every), probed(tuned, every)]
    control = members_of(pretrained, list(range(len(seeds), 2 * len(seeds))))
    model = united([tuned, control])
    recovered: list[Tensor] = []
    again: list[Tensor] = []

    def judge(step: int, model: nn.Module) -> None:
        assert isinstance(model, GPT)
        recovered.append(score(model, asked))
        again.append(story_loss(model, tests))

    _train(
        model,
        ["only"] * model.members,
        [config.story_revive_rate] * model.members,
        config.story_tune_steps,
        config.story_batch,
        config.story_choices,
        2,
        checkpoints=at,
        watch=judge,
        progress=named(progress, "recovering the twist"),
    )
    shares, after = torch.stack(recovered), torch.stack(again)
    n = len(cells)
    cell = ("protocol", "story_rate", "seed")
    by = ("kind", "seed")
    return xr.Dataset(
        {
            "story_loss": (("story_step", *cell), _grid(torch.stack(losses), grid, 1)),
            "story_loss_before": (by, base[0].view(2, -1).numpy()),
            "story_score_before": (by, base[1].view(2, -1).numpy()),
            "story_false_before": (by, base[2].view(2, -1).numpy()),
            "story_score": (("story_step", *cell), _grid(shares[:, :n], grid, 1)),
            "story_score_control": (("story_step", "seed"), shares[:, n:].numpy()),
            "story_relearn": (("story_step", *cell), _grid(after[:, :n], grid, 1)),
            "story_relearn_control": (("story_step", "seed"), after[:, n:].numpy()),
            "story_probe": (("story_place", *cell, "feature"), _grid(readings[1], grid, 1)),
            "story_probe_before": (
                ("story_place", *by, "feature"),
                readings[0].unflatten(1, (2, -1)).numpy(),
            ),
        },
        {
            "story_step": at,
            "protocol": list(TUNING),
            "story_rate": ["M", "S"],
            "seed": list(seeds),
            "kind": ["with twist", "never saw one"],
            "feature": list(FEATURES),
            "story_place": place_names(shape.depth),
        },
    )


def _grid(values: Tensor, grid: tuple[int, ...], axis: int) -> object:
    """The member axis unfolded."""
    return values.unflatten(axis, grid).numpy()

"""The motif setting: train on chains shown by exemplars, then steer with other exemplars.

Axis letters: M member, B documents, T tokens, L new tokens.
"""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.studies.stepwise_inference.motifs import Chain, Motifs
from synthcore.studies.stepwise_inference.networks import Batch, Recipe, build, train
from synthcore.studies.stepwise_inference.parameters import Config
from synthcore.studies.stepwise_inference.single import Progress
from synthcore.training.seeding import seeded

HELD = 0.2  # share of ordered pairs of motifs that never follow each other in training


@torch.no_grad()
def complete(model: GPT, prompts: Int[Tensor, "M B T"], new: int, end: int) -> Int[Tensor, "M B L"]:
    """Greedy continuations of prompts of different lengths (0 behind each), up to `###`; 0 behind.

    Every pass recomputes the whole row: rows end in different places. ValueError if prompt and
    new tokens exceed the context.
    """
    length = (prompts != 0).sum(-1)
    if int(length.max()) + new > model.config.context:
        raise ValueError(
            f"prompt {int(length.max())} + new {new} tokens exceed the context of "
            f"{model.config.context}"
        )
    rows = torch.nn.functional.pad(prompts, (0, new))
    out = prompts.new_zeros(*prompts.shape[:2], new)
    going = torch.ones_like(length, dtype=torch.bool)
    for step in range(new):
        used = int(length.max()) + step
        logits = model(rows[..., :used])
        at = (length + step - 1)[..., None, None].expand(-1, -1, 1, logits.shape[-1])
        token = logits.gather(2, at)[:, :, 0].argmax(-1)
        out[..., step] = torch.where(going & (token != end), token, 0)
        going &= token != end
        rows.scatter_(-1, (length + step)[..., None], token[..., None])
        if not bool(going.any()):
            break
    return out


def follows(motifs: Motifs, chain: Chain, answer: Int[Tensor, "M B L"]) -> Bool[Tensor, "M B"]:
    """Whether answers are paths from start to goal over edges of motifs and the chain's ghost
    edges; such a path crosses the motifs in the order of the chain."""
    node = answer - 1
    nodes = motifs.words.nodes
    path = torch.cat([chain.start[..., None], node], -1)
    here, there = path[..., :-1], path[..., 1:]
    real = answer > 0
    proper = (there >= 0) & (there < nodes)
    member = torch.arange(len(path))[:, None, None]
    edge = motifs.adjacency[member, here.clamp(0, nodes - 1), there.clamp(0, nodes - 1)]
    sink, source = chain.ghosts.unbind(-1)
    ghost = (here[..., None] == sink[:, :, None]) & (there[..., None] == source[:, :, None])
    fine = (proper & (edge | ghost.any(-1)) | ~real).all(-1)
    last = path.gather(-1, real.sum(-1, keepdim=True))[..., 0]
    return fine & (last == chain.goal) & real.any(-1)


class Steering:
    """Test prompts of one population of networks, and the share that follows their exemplars."""

    def __init__(self, motifs: Motifs, model: GPT, batch: int, seed: int) -> None:
        self.motifs, self.model, self.batch = motifs, model, batch
        self.generator = seeded(seed, 6)

    def success(
        self, between: int, unseen: bool = False, shown: Sequence[int] | None = None
    ) -> Float[Tensor, "M"]:
        """Chains with this many motifs between the ends; by default every link is shown."""
        order = self.motifs.orders(self.batch, between + 2, self.generator, unseen)
        chain = self.motifs.chain(order, self.generator)
        links = range(between + 1) if shown is None else shown
        parts = self.motifs.exemplars(chain, list(links), self.generator)
        return follows(self.motifs, chain, self._ask([*parts, self.motifs.question(chain)])).mean(
            1, dtype=torch.double
        )

    def primacy(self, between: int) -> tuple[Float[Tensor, "M"], Float[Tensor, "M"]]:
        """Shares that follow the first and the second of two chains with the same ends, averaged
        over both orders of each pair of chains."""
        order = self.motifs.orders(self.batch, between + 2, self.generator)
        one = self.motifs.chain(order, self.generator)
        two = self.motifs.rival(one, self.generator)
        question, links = self.motifs.question(one), list(range(between + 1))
        first = second = torch.zeros(len(order), dtype=torch.double)
        for a, b in ((one, two), (two, one)):
            shown = [p for c in (a, b) for p in self.motifs.exemplars(c, links, self.generator)]
            answer = self._ask([*shown, question])
            first = first + follows(self.motifs, a, answer).mean(1, dtype=torch.double) / 2
            second = second + follows(self.motifs, b, answer).mean(1, dtype=torch.double) / 2
        return first, second

    def _ask(self, parts: list[Tensor]) -> Int[Tensor, "M B L"]:
        new = 40
        prompts = self.motifs.document(parts, self.batch, self.model.config.context - new)
        device = self.model.embed.weight.device
        return complete(self.model, prompts.to(device), new, self.motifs.words.end).cpu()


def steering(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Success against the number of motifs between the ends, seen and unseen orders; against the
    number of exemplars; and which of two conflicting chains is followed.

    Half of the training documents start at a random later place: longer contexts than those of
    training then do not fail for want of trained position vectors.
    """
    seeds, device = config.seeds, config.torch_device
    motifs = Motifs(config.motifs, config.motif_nodes, config.motif_probability, HELD, seeds)
    recipe = Recipe(config.width, config.depth, config.learning_rate, config.batch, warmup=200)
    context = config.motif_context + 41
    model = build(recipe, motifs.words.size, context, seeds, device)
    generator = seeded(config.seed, 8)
    lengths = range(2, config.between + 3)
    each = max(config.batch // len(lengths), 1)

    def sample(step: int) -> Batch:
        groups, shifts = [], []
        for length in lengths:
            chain = motifs.chain(motifs.orders(each, length, generator), generator)
            shown = motifs.exemplars(chain, range(length - 1), generator)
            parts = [*shown, motifs.question(chain), *motifs.answer(chain, generator)]
            groups.append(motifs.document(parts, each, context - 1 - config.motif_shift).to(device))
            moved = torch.rand(len(seeds), each, generator=generator) < 0.5
            shift = torch.randint(config.motif_shift + 1, moved.shape, generator=generator)
            shifts.append((shift * moved).to(device))
        return Batch(tuple(groups), tuple(shifts))

    named = None if progress is None else lambda d, t: progress("motifs", d, t)
    train(model, sample, recipe, config.motif_steps, progress=named, prompt=1)
    model.eval()
    judge = Steering(motifs, model, config.test_pairs, config.seed)
    swept = range(1, min(config.between + 2, config.motifs - 2) + 1)
    success = torch.stack(
        [torch.stack([judge.success(b, unseen) for b in swept]) for unseen in (False, True)]
    )
    inside = config.between
    given = torch.stack([judge.success(inside, shown=range(count)) for count in range(inside + 2)])
    conflicts = range(1, inside + 1)
    followed = torch.stack([torch.stack(judge.primacy(b)) for b in conflicts], 1)
    return xr.Dataset(
        {
            "steering": (("order", "between", "seed"), success.numpy()),
            "steering_given": (("exemplars", "seed"), given.numpy()),
            "primacy": (("position", "conflict", "seed"), followed.numpy()),
        },
        {
            "order": ["seen", "unseen"],
            "between": list(swept),
            "exemplars": np.arange(inside + 2),
            "position": ["first", "second"],
            "conflict": list(conflicts),
            "seed": list(seeds),
        },
    )

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
from synthcore.studies.stepwise_inference.config import Config
from synthcore.studies.stepwise_inference.model import build, train
from synthcore.studies.stepwise_inference.task.lines import PAD, Batch
from synthcore.studies.stepwise_inference.task.motifs import Chain, Motifs
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

HELD_OUT = 0.2  # share of ordered pairs of motifs that never follow each other in training
ANSWER = 40  # most tokens of an answer


def run(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Success against the number of motifs between the ends, seen and unseen orders; against the
    number of exemplars; and which of two conflicting chains is followed. Dimensions order, between,
    exemplars, position, conflict, seed.

    Half of the training documents start at a random later place: longer contexts than those of
    training then do not fail for want of trained position vectors.
    """
    seeds, device, most = config.seeds, config.torch_device, config.between
    motifs = Motifs(config.motifs, config.motif_nodes, config.motif_probability, HELD_OUT, seeds)
    context = config.motif_context + ANSWER + 1
    model = build(motifs.vocabulary.size, context, config.width, config.depth, seeds, device)
    train(
        model,
        DocumentSampler(motifs, config),
        config.training(config.motif_steps, warmup=200),
        "motifs",
        progress,
        prompt_length=1,
    )
    model.eval()
    evaluator = SteeringEvaluator(motifs, model, config.test_pairs, config.seed)
    between = range(1, min(most + 2, config.motifs - 2) + 1)
    success = torch.stack(
        [
            torch.stack([evaluator.success(b, unseen=unseen) for b in between])
            for unseen in (False, True)
        ]
    )
    given = torch.stack([evaluator.success(most, links=range(n)) for n in range(most + 2)])
    conflicts = range(1, most + 1)
    primacy = torch.stack([torch.stack(evaluator.primacy(b)) for b in conflicts], 1)
    return xr.Dataset(
        {
            "steering": (("order", "between", "seed"), success.numpy()),
            "steering_given": (("exemplars", "seed"), given.numpy()),
            "primacy": (("position", "conflict", "seed"), primacy.numpy()),
        },
        {
            "order": ["seen", "unseen"],
            "between": list(between),
            "exemplars": np.arange(most + 2),
            "position": ["first", "second"],
            "conflict": list(conflicts),
            "seed": list(seeds),
        },
    )


class DocumentSampler:
    """Batches of training documents, a group for every length of chain, of a stream that is drawn
    in order."""

    def __init__(self, motifs: Motifs, config: Config) -> None:
        self.motifs, self.config = motifs, config
        self.lengths = range(2, config.between + 3)
        self.batch = max(config.batch // len(self.lengths), 1)  # per length
        self.generator = seeded(config.seed, 8)

    def __call__(self, step: int) -> Batch:
        motifs, batch, generator = self.motifs, self.batch, self.generator
        device, largest_shift = self.config.torch_device, self.config.motif_shift
        room = self.config.motif_context + ANSWER - largest_shift
        groups, shifts = [], []
        for length in self.lengths:
            chain = motifs.sample_chain(motifs.sample_orders(batch, length, generator), generator)
            exemplars = motifs.sample_exemplars(chain, range(length - 1), generator)
            answer = motifs.sample_answer(chain, generator)
            document = motifs.join([*exemplars, motifs.prompt(chain), *answer], batch, room)
            groups.append(document.to(device))
            moves = torch.rand(motifs.members, batch, generator=generator) < 0.5
            shift = torch.randint(largest_shift + 1, moves.shape, generator=generator)
            shifts.append((shift * moves).to(device))
        return Batch(tuple(groups), tuple(shifts))


class SteeringEvaluator:
    """Test prompts of one population of networks, and the share that follows their exemplars."""

    def __init__(self, motifs: Motifs, model: GPT, batch: int, seed: int) -> None:
        self.motifs, self.model, self.batch = motifs, model, batch
        self.generator = seeded(seed, 6)

    def success(
        self, between: int, unseen: bool = False, links: Sequence[int] | None = None
    ) -> Float[Tensor, "M"]:
        """Share of right answers for chains with this many motifs between the ends; by default
        exemplars show every link."""
        order = self.motifs.sample_orders(self.batch, between + 2, self.generator, unseen)
        chain = self.motifs.sample_chain(order, self.generator)
        links = range(between + 1) if links is None else links
        exemplars = self.motifs.sample_exemplars(chain, links, self.generator)
        answers = self._answers([*exemplars, self.motifs.prompt(chain)])
        return follows_chain(self.motifs, chain, answers).mean(1, dtype=torch.double)

    def primacy(self, between: int) -> tuple[Float[Tensor, "M"], Float[Tensor, "M"]]:
        """Shares that follow the first and the second of two chains with the same ends, averaged
        over both orders of each pair of chains."""
        motifs, links = self.motifs, range(between + 1)
        order = motifs.sample_orders(self.batch, between + 2, self.generator)
        chain = motifs.sample_chain(order, self.generator)
        rival = motifs.sample_rival(chain, self.generator)
        by_position = torch.zeros(2, len(order), dtype=torch.double)
        for chains in ((chain, rival), (rival, chain)):
            exemplars = [
                segment
                for one in chains
                for segment in motifs.sample_exemplars(one, links, self.generator)
            ]
            answers = self._answers([*exemplars, motifs.prompt(chain)])
            for position, one in enumerate(chains):
                followed = follows_chain(motifs, one, answers).mean(1, dtype=torch.double)
                by_position[position] += followed / 2
        return by_position[0], by_position[1]

    def _answers(self, segments: list[Tensor]) -> Int[Tensor, "M B L"]:
        room = self.model.config.context - ANSWER
        prompts = self.motifs.join(segments, self.batch, room)
        prompts = prompts.to(self.model.embed.weight.device)
        return complete(self.model, prompts, ANSWER, self.motifs.vocabulary.end).cpu()


@torch.no_grad()
def complete(model: GPT, prompts: Int[Tensor, "M B T"], new: int, end: int) -> Int[Tensor, "M B L"]:
    """Greedy continuations of prompts of different lengths (0 behind each), up to `###`; 0 behind.

    Every pass recomputes the whole row: rows end in different places. ValueError if prompt and
    new tokens exceed the context.
    """
    length = (prompts != PAD).sum(-1)
    longest = int(length.max())
    if longest + new > model.config.context:
        raise ValueError(
            f"prompt {longest} + new {new} tokens exceed the context of {model.config.context}"
        )
    rows = torch.nn.functional.pad(prompts, (0, new))
    answers = prompts.new_zeros(*prompts.shape[:2], new)
    going = torch.ones_like(length, dtype=torch.bool)
    for step in range(new):
        logits = model(rows[..., : longest + step])  # (M, B, T, V)
        last = (length + step - 1)[..., None, None].expand(-1, -1, 1, logits.shape[-1])
        token = logits.gather(2, last)[:, :, 0].argmax(-1)
        answers[..., step] = torch.where(going & (token != end), token, PAD)
        going &= token != end
        rows.scatter_(-1, (length + step)[..., None], token[..., None])
        if not bool(going.any()):
            break
    return answers


def follows_chain(
    motifs: Motifs, chain: Chain, answer: Int[Tensor, "M B L"]
) -> Bool[Tensor, "M B"]:
    """Whether answers are paths from start to goal over edges of motifs and the chain's ghost
    edges; such a path crosses the motifs in the order of the chain."""
    nodes = motifs.vocabulary.nodes
    path = torch.cat([chain.start[..., None], answer - 1], -1)
    before, after = path[..., :-1], path[..., 1:]
    written = answer != PAD
    is_node = (after >= 0) & (after < nodes)
    member = torch.arange(len(path))[:, None, None]
    is_edge = motifs.adjacency[member, before.clamp(0, nodes - 1), after.clamp(0, nodes - 1)]
    sink, source = chain.ghosts.unbind(-1)
    is_ghost = (before[..., None] == sink[:, :, None]) & (after[..., None] == source[:, :, None])
    on_edges = (is_node & (is_edge | is_ghost.any(-1)) | ~written).all(-1)
    last = path.gather(-1, written.sum(-1, keepdim=True))[..., 0]
    return on_edges & (last == chain.goal) & written.any(-1)

"""The motif setting: train on chains shown by exemplars, then steer with other exemplars.

Axis letters: M member, B documents, T tokens, L new tokens.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from synthcore.evidence.dataset import labelled
from synthcore.nn.gpt import GPT
from synthcore.stages import stage
from synthcore.studies.stepwise_inference.config import NETWORK, TRAINING, Config
from synthcore.studies.stepwise_inference.experiments import UNITS
from synthcore.studies.stepwise_inference.model import build, optimisation
from synthcore.studies.stepwise_inference.task.lines import PAD, Batch
from synthcore.studies.stepwise_inference.task.motifs import Chain, Motifs
from synthcore.training.fit import fit
from synthcore.training.progress import Progress

HELD_OUT = 0.2  # share of ordered pairs of motifs that never follow each other in training
ANSWER = 40  # most tokens of an answer
WARMUP = 200

Shown = Sequence[tuple[Chain, Sequence[int]]]  # chains, and which links of each the prompt shows
Answerer = Callable[[Int[Tensor, "M B T"], Shown], Int[Tensor, "M B L"]]


@stage(
    reads=(
        *NETWORK,
        *(*TRAINING, "test_pairs", "motifs", "motif_nodes", "motif_probability", "between"),
        *("motif_steps", "motif_context", "motif_shift"),
    )
)
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Success against the number of motifs between the ends, seen and unseen orders; against the
    number of exemplars; and which of two conflicting chains is followed. Dimensions subject, order,
    between, exemplars, position, conflict, seed.

    Subjects are the network, a reader that follows the first chain of which it sees all links, and
    one that takes any. Half of the training documents start at a random later place: longer
    contexts than those of training then do not fail for want of trained position vectors.
    """
    seeds, device = config.seeds, config.torch_device
    motifs = Motifs(config.motifs, config.motif_nodes, config.motif_probability, HELD_OUT, seeds)
    context = config.motif_context + ANSWER + 1
    model = build(config.network(motifs.vocabulary.size, context=context), seeds, device)
    fit(
        model,
        DocumentSampler(motifs, config),
        progress=progress,
        name="motifs",
        **optimisation(model, config, config.motif_steps, WARMUP, shift_from=1),
    )
    model.eval()
    subjects: dict[str, Answerer] = {
        "network": lambda prompts, _: complete(
            model, prompts.to(device), ANSWER, motifs.vocabulary.end
        ).cpu(),
        "reader": lambda _, shown: read_exemplars(motifs, shown, first=True),
        "reader of any": lambda _, shown: read_exemplars(motifs, shown, first=False),
    }
    found = []
    for name, answerer in subjects.items():
        evaluator = SteeringEvaluator(motifs, answerer, config.test_pairs, config.motif_context)
        found.append(measure(evaluator, config).expand_dims(subject=[name]))
    data = xr.concat(found, "subject", join="exact")
    data.attrs = {"between": config.between}
    return labelled(data, UNITS)


def measure(evaluator: "SteeringEvaluator", config: Config) -> xr.Dataset:
    """What is measured of anything that answers prompts."""
    most = config.between
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
            "seed": list(config.seeds),
        },
    )


class DocumentSampler:
    """The training documents of a step, a group for every length of chain; they depend on seed and
    step alone."""

    def __init__(self, motifs: Motifs, config: Config) -> None:
        self.motifs, self.config = motifs, config
        self.lengths = range(2, config.between + 3)
        self.batch = max(config.batch // len(self.lengths), 1)  # per length

    def __call__(self, step: int) -> Batch:
        motifs, batch = self.motifs, self.batch
        device, largest_shift = self.config.torch_device, self.config.motif_shift
        room = self.config.motif_context + ANSWER - largest_shift
        groups, shifts = [], []
        for length in self.lengths:
            key = ("training", step, length)
            chain = motifs.sample_chain(motifs.sample_orders(batch, length, *key), *key)
            exemplars = motifs.sample_exemplars(chain, range(length - 1), *key)
            answer = motifs.sample_answer(chain, *key)
            document = motifs.join([*exemplars, motifs.prompt(chain), *answer], batch, room)
            groups.append(document.to(device))
            random = motifs.random("shift", *key)
            moves = torch.stack([torch.rand(batch, generator=g) < 0.5 for g in random])
            shift = torch.stack(
                [torch.randint(largest_shift + 1, (batch,), generator=g) for g in random]
            )
            shifts.append((shift * moves).to(device))
        return Batch(tuple(groups), tuple(shifts))


class SteeringEvaluator:
    """Test prompts, and the share of answers that follow their exemplars, of any `answerer`: it is
    given the prompts and, for readers written by hand, what they show."""

    def __init__(self, motifs: Motifs, answerer: Answerer, batch: int, room: int) -> None:
        self.motifs, self.answerer, self.batch, self.room = motifs, answerer, batch, room

    def success(
        self, between: int, unseen: bool = False, links: Sequence[int] | None = None
    ) -> Float[Tensor, "M"]:
        """Share of right answers for chains with this many motifs between the ends; by default
        exemplars show every link."""
        links = range(between + 1) if links is None else links
        key = ("test", between, int(unseen), len(links))
        order = self.motifs.sample_orders(self.batch, between + 2, *key, unseen=unseen)
        chain = self.motifs.sample_chain(order, *key)
        answers = self._answers([(chain, links)], chain, *key)
        return follows_chain(self.motifs, chain, answers).mean(1, dtype=torch.double)

    def primacy(self, between: int) -> tuple[Float[Tensor, "M"], Float[Tensor, "M"]]:
        """Shares that follow the first and the second of two chains with the same ends, averaged
        over both orders of each pair of chains."""
        motifs, links = self.motifs, range(between + 1)
        chain, rival = motifs.sample_rivals(self.batch, between + 2, "conflict", between)
        by_position = torch.zeros(2, motifs.members, dtype=torch.double)
        for turn, chains in enumerate(((chain, rival), (rival, chain))):
            shown = [(one, links) for one in chains]
            answers = self._answers(shown, chain, "conflict", between, turn)
            for position, one in enumerate(chains):
                followed = follows_chain(motifs, one, answers).mean(1, dtype=torch.double)
                by_position[position] += followed / 2
        return by_position[0], by_position[1]

    def _answers(self, shown: Shown, asked: Chain, *key: int | str) -> Int[Tensor, "M B L"]:
        segments = [
            segment
            for i, (chain, links) in enumerate(shown)
            for segment in self.motifs.sample_exemplars(chain, links, i, *key)
        ]
        prompts = self.motifs.join([*segments, self.motifs.prompt(asked)], self.batch, self.room)
        return self.answerer(prompts, shown)


def read_exemplars(motifs: Motifs, shown: Shown, first: bool) -> Int[Tensor, "M B L"]:
    """The exact algorithm: answers that follow a chain of which the prompt shows every link, the
    first one or any; nothing where there is none."""
    whole = [chain for chain, links in shown if len(links) == chain.motifs.shape[-1] - 1]
    batch = shown[0][0].start.shape[1]
    if not whole:
        return torch.zeros(motifs.members, batch, 1, dtype=torch.long)
    answers = [
        motifs.join(motifs.sample_answer(chain, "reader", i), batch, 10**6)
        for i, chain in enumerate(whole)
    ]
    length = max(answer.shape[-1] for answer in answers)
    table = torch.stack([pad(answer, (0, length - answer.shape[-1])) for answer in answers])
    table = torch.where(table == motifs.vocabulary.end, PAD, table)
    if first or len(whole) == 1:
        return table[0]
    coin = [torch.rand(batch, generator=g) for g in motifs.random("coin")]
    choice = (torch.stack(coin) * len(whole)).long()  # (M, B)
    return table.gather(0, choice[None, ..., None].expand(1, -1, -1, length))[0]


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
    rows = pad(prompts, (0, new))
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

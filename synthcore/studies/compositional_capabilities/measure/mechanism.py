"""What a network holds and needs inside: attention, patching, logit lens, ablation and decoders.

The symbol at a place of block b is written one place before. There a head should attend to task
token b and to the symbol it must transform.

Axis letters: M member, B documents, T tokens, S places attended to, L positions, K word length,
P places that are read, D sub-layers, X features, C classes.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from synthcore.interp.ablation import ablate_each
from synthcore.interp.lens import logit_lens, sublayers
from synthcore.interp.patching import patch
from synthcore.nn.gpt import GPT
from synthcore.nn.hooks import record
from synthcore.studies.compositional_capabilities.task.documents import Layout
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.task.subsets import draw_in_order
from synthcore.training.seeding import seeded

DOCUMENTS = 256  # that attention is averaged over
PARTS = {"attention": "hook_attn_out", "MLP": "hook_mlp_out"}
RIDGE = 1e-3  # of the mean square of the features

# --- attention of one layer ---------------------------------------------------------------------


def sample_compositions(
    tasks: MemberTasks, purpose: str
) -> tuple[Int[Tensor, "M B L 2"], Int[Tensor, "M B K"]]:
    """Random in-order compositions, distinct where there are enough, and words."""
    size = min(DOCUMENTS, len(tasks.in_order))
    rows = [
        draw_in_order(tasks.layout, size, seeded(seed, "compositions", purpose))[
            torch.arange(DOCUMENTS) % size
        ]
        for seed in tasks.seeds
    ]
    return tasks.for_conditions(rows), tasks.draw_words(DOCUMENTS, 1, purpose)[:, :, 0]


@torch.no_grad()
def mean_attention(
    model: GPT, layout: Layout, lines: Int[Tensor, "M B T"]
) -> Float[Tensor, "M L K S"]:
    """Mean attention with which each symbol of each block is written step by step, over documents
    and heads of the first layer."""
    with record(model, ["blocks.0.attn.hook_pattern"]) as seen:
        model(lines[..., :-1])
    pattern = seen["blocks.0.attn.hook_pattern"].mean((1, 2)).cpu().double()
    return pattern[:, layout.answer_places("step") - 1]


def attention_to_task_tokens(
    attention: Float[Tensor, "M L K S"], layout: Layout
) -> Float[Tensor, "M L K L2"]:
    """Attention on each of the task tokens."""
    return attention[..., layout.slot(1) : layout.slot(layout.positions) + 1]


def attention_to_own_task(to_tasks: Float[Tensor, "M L K L2"]) -> Float[Tensor, "M L K"]:
    """Attention of each block on its own task token."""
    blocks = torch.arange(to_tasks.shape[1])
    return to_tasks[:, blocks, :, blocks].movedim(0, 1)


def attention_to_source(
    attention: Float[Tensor, "M L K S"], layout: Layout
) -> Float[Tensor, "M L K"]:
    """Attention on the symbol that must be transformed."""
    places = layout.answer_places("step") - layout.word - 1
    index = places.expand(len(attention), -1, -1)[..., None]
    return attention.gather(-1, index)[..., 0]


@torch.no_grad()
def patching_success(
    model: GPT, tasks: MemberTasks, patched: tuple[str, ...] = ("k", "v")
) -> Float[Tensor, "M"]:
    """Share of blocks that become the image under another prompt's function when key and value of
    their task token come from that prompt; smallest over blocks.

    Both prompts have the same word and the same blocks before; only the function of one slot
    differs. Pairs of equal images are left out.

    Args:
        patched: which activations of the first layer's attention.
    """
    layout = tasks.layout
    comps, words = sample_compositions(tasks, "patching")
    lowest = torch.ones(tasks.members)
    for slot in range(layout.positions):
        other = comps.clone()
        other[..., slot, 1] = (other[..., slot, 1] + 1) % layout.choices
        lines, donors = tasks.documents(comps, words), tasks.documents(other, words)
        with record(model, [f"blocks.0.attn.hook_{name}" for name in patched]) as seen:
            model(donors[..., :-1])
        with patch(model, seen, layout.slot(slot + 1)):
            guess = model(lines[..., :-1]).argmax(-1)
        places = layout.answer_places("step")[slot]
        wanted, unpatched = donors[..., places], lines[..., places]
        differ = wanted != unpatched
        hit = (guess[..., places - 1] == wanted) & differ
        lowest = torch.minimum(lowest, (hit.sum((1, 2)) / differ.sum((1, 2)).clamp(min=1)).cpu())
    return lowest


# --- layers of a deep network -------------------------------------------------------------------


@torch.no_grad()
def correct_at(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Bool[Tensor, "M B P"]:
    """Which of the tokens at `places` are the most likely ones, all before them given."""
    return (model(lines[..., :-1])[..., places - 1, :].argmax(-1) == lines[..., places]).cpu()


def ablated_correct_at(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Bool[Tensor, "parts depth M B P"]:
    """`correct_at` with the output of one sub-layer, `PARTS` of every block, at its mean over the
    documents at each place."""
    depth = model.config.depth
    points = [f"blocks.{i}.{hook}" for hook in PARTS.values() for i in range(depth)]
    correct = ablate_each(model, points, lambda: correct_at(model, lines, places))
    return correct.unflatten(0, (len(PARTS), depth))


def lens_correct_at(
    model: GPT, lines: Int[Tensor, "M B T"], places: Int[Tensor, "P"]
) -> Float[Tensor, "D M B P"]:
    """Which of the tokens at `places` the logit lens names right after every sub-layer, 1 or 0."""
    guess = logit_lens(model, lines[..., :-1], places - 1).argmax(-1)
    return (guess == lines[..., places]).double().cpu()


@torch.no_grad()
def probe_sublayers(
    model: GPT,
    lines: Int[Tensor, "M B T"],
    places: Int[Tensor, "P"],
    fitted: Bool[Tensor, "B"],
    classes: int,
) -> Float[Tensor, "M D"]:
    """Share of the tokens at `places` that linear decoders of the residual stream name right after
    every sub-layer; fitted on some of the documents, tested on the others."""
    points = sublayers(model).values()
    with record(model, list(points)) as seen:
        model(lines[..., :-1])
    shares = []
    target = lines[..., places].cpu()
    for point in points:
        read = seen[point][..., places - 1, :].double().cpu()
        decoder = fit_decoder(read[:, fitted].flatten(1, 2), target[:, fitted].flatten(1), classes)
        guess = decode(decoder, read[:, ~fitted].flatten(1, 2))
        shares.append((guess == target[:, ~fitted].flatten(1)).double().mean(1))
    return torch.stack(shares, -1)


# --- linear decoders ----------------------------------------------------------------------------


def fit_decoder(
    features: Float[Tensor, "M B X"], labels: Int[Tensor, "M B"], classes: int
) -> Float[Tensor, "M X1 C"]:
    """Ridge regression of one-hot labels on features and a constant, per member."""
    x = functional.pad(features, (0, 1), value=1.0)
    gram = x.mT @ x
    small = RIDGE * gram.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    gram = gram + small * torch.eye(x.shape[2], dtype=x.dtype)
    return torch.linalg.solve(gram, x.mT @ functional.one_hot(labels, classes).to(x.dtype))


def decode(
    decoder: Float[Tensor, "M X1 C"], features: Float[Tensor, "M B X"]
) -> Int[Tensor, "M B"]:
    """The label that a decoder finds most likely."""
    return (functional.pad(features, (0, 1), value=1.0) @ decoder).argmax(-1)

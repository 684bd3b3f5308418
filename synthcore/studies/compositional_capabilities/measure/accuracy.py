"""How many compositions a network answers right, and which mistakes it makes.

Exact match needs one forward pass: the greedy answer equals the target if and only if every
teacher-forced argmax is right. The share of right symbols of a wrong answer needs generation.

Axis letters: M member, N compositions, W words for each, B batch, K word length, S blocks of the
answer, L positions, F functions of a position, T tokens.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities.task.documents import Functions, compose
from synthcore.studies.compositional_capabilities.task.members import MemberTasks
from synthcore.studies.compositional_capabilities.theory import share_bounds
from synthcore.training.generate import generate

MASTERED = 0.95  # a composition is mastered if at least this share of all words is answered right
CHUNK = 64  # documents of one member in one forward pass: activations stay in the cache
MISTAKES = ("none", "own position", "other function", "partly right", "something else")

# --- right answers ------------------------------------------------------------------------------


@torch.no_grad()
def exact_match(
    model: nn.Module,
    tasks: MemberTasks,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
) -> Float[Tensor, "M N"]:
    """Share of words whose whole greedy answer is right, for every composition."""
    right = [hit.flatten(2).all(-1) for hit in _correct_tokens(model, tasks, comps, words)]
    return torch.cat(right, 1).view(words.shape[:3]).double().mean(-1)


def exact_match_on(
    model: nn.Module,
    tasks: MemberTasks,
    comps: Int[Tensor, "N L 2"] | Int[Tensor, "M N L 2"],
    each: int,
    purpose: str,
) -> Float[Tensor, "M N"]:
    """`exact_match` of every member on the same compositions or its own, with `each` fresh words
    for every one of them; on the CPU."""
    own = tasks.for_members(comps) if comps.ndim == 3 else comps
    words = tasks.draw_words(own.shape[1], each, purpose)
    return exact_match(model, tasks, own, words).cpu()


def is_mastered(right: Float[Tensor, "M N"], words: int) -> Bool[Tensor, "M N"]:
    """Which compositions are answered right on at least `MASTERED` of all words, with 95 %
    confidence: by the exact lower bound of a share `right` of so many words.

    59 words must all be right; with fewer no composition can be shown to be mastered.

    >>> is_mastered(torch.tensor([[1.0, 58 / 59]]), 59), is_mastered(torch.tensor([[1.0]]), 58)
    (tensor([[ True, False]]), tensor([[False]]))
    """
    hits = (right * words).round().numpy()
    low, _ = share_bounds(hits, np.full(hits.shape, words))
    return torch.from_numpy(low >= MASTERED)


@torch.no_grad()
def teacher_forced_accuracy(
    model: nn.Module,
    tasks: MemberTasks,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
) -> Float[Tensor, "M N"]:
    """Share of right symbols of the last block when all blocks before are given."""
    last = slice(-tasks.layout.word, None)
    right = [
        hit[..., last].double().mean(-1) for hit in _correct_tokens(model, tasks, comps, words)
    ]
    return torch.cat(right, 1).view(words.shape[:3]).mean(-1)


def _correct_tokens(
    model: nn.Module,
    tasks: MemberTasks,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
) -> list[Bool[Tensor, "M _ T"]]:
    """Which tokens of the answers are the most likely ones, in chunks of documents."""
    prompt, vocabulary = tasks.layout.prompt_length, tasks.layout.vocabulary
    lines = tasks.documents(_per_word(comps, words.shape[2]), words.flatten(1, 2))
    correct = []
    for part in lines.split(CHUNK, 1):
        guess = model(part[..., :-1])[..., prompt - 1 :, :vocabulary].argmax(-1)
        correct.append(guess == part[..., prompt:])
    return correct


def _per_word(comps: Int[Tensor, "M N L 2"], each: int) -> Int[Tensor, "M B L 2"]:
    """Every composition once per word."""
    return comps.repeat_interleave(each, 1)


@torch.no_grad()
def generate_answers(
    model: GPT,
    tasks: MemberTasks,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
) -> tuple[Int[Tensor, "M N W S K"], Int[Tensor, "M N W S K"], Bool[Tensor, "M N W"]]:
    """Blocks of greedy answers, the true blocks, and whether answers have a symbol or a separator
    wherever one belongs.

    A token that is no symbol is -1.
    """
    layout = tasks.layout
    flat_comps, flat_words = _per_word(comps, words.shape[2]), words.flatten(1, 2)
    prompt = tasks.documents(flat_comps, flat_words)[..., : layout.prompt_length]
    new = layout.answer_length(tasks.format)
    answers = torch.cat(
        [
            generate(model, part, new, temperature=0.0)[..., layout.prompt_length :]
            for part in prompt.split(16 * CHUNK, 1)
        ],
        1,
    )
    gap = torch.full_like(answers[..., :1], layout.separator)
    padded = torch.cat([answers, gap], -1).unflatten(-1, (layout.blocks(tasks.format), -1))
    blocks = padded[..., :-1]
    blocks = blocks.masked_fill(blocks >= layout.alphabet, -1)
    well_formed = (padded[..., -1] == layout.separator).all(-1) & (blocks >= 0).flatten(-2).all(-1)
    truth = compose(tasks.functions, flat_words, flat_comps)
    truth = truth if tasks.format == "step" else truth[..., -1:, :]
    shape = words.shape[1:3]
    return blocks.unflatten(1, shape), truth.unflatten(1, shape), well_formed.unflatten(1, shape)


def token_accuracy(
    blocks: Int[Tensor, "M N W S K"], truth: Int[Tensor, "M N W S K"]
) -> Float[Tensor, "M N"]:
    """Share of right symbols in the last block of generated answers."""
    right: Tensor = (blocks[..., -1, :] == truth[..., -1, :]).double().mean((-1, -2))
    return right


def mean_over(values: Float[Tensor, "M N"], chosen: Bool[Tensor, "M N"]) -> Float[Tensor, "M"]:
    """Mean over the compositions chosen, per member; nan where there are none."""
    return (values * chosen).sum(1) / chosen.sum(1)


# --- mistakes -----------------------------------------------------------------------------------


def first_wrong_block(
    blocks: Int[Tensor, "M N W S K"], truth: Int[Tensor, "M N W S K"]
) -> Int[Tensor, "M N W"]:
    """Index of the first block with a wrong symbol, from 0; S if there is none."""
    wrong = (blocks != truth).any(-1)
    first = wrong.int().argmax(-1)
    return torch.where(wrong.any(-1), first, wrong.shape[-1])


def classify_mistakes(
    functions: Functions,
    comps: Int[Tensor, "M N L 2"],
    words: Int[Tensor, "M N W K"],
    blocks: Int[Tensor, "M N W L K"],
    truth: Int[Tensor, "M N W L K"],
) -> Int[Tensor, "M N W"]:
    """Index into `MISTAKES` for each step-by-step answer, decided in its first wrong block.

    Own position: what stands there is the image under the function of the same index that belongs
    to the slot. Other function: under any other function of the tables. Partly right: some symbols
    are. The input is right by definition: all blocks before are.
    """
    members, count, each, positions, _ = blocks.shape
    first = first_wrong_block(blocks, truth)
    slot = first.clamp(max=positions - 1)
    chain = torch.cat([words[..., None, :], truth[..., :-1, :]], -2)
    source, answer, right = (_at_slot(values, slot) for values in (chain, blocks, truth))
    equal = (_images(functions, source) == answer[..., None, None, :]).all(-1)  # (M, N, W, L, F)
    named = comps[:, :, None].expand(members, count, each, positions, 2)
    index = _at_slot(named, slot)[..., 1]
    own_position = _at_slot(equal, slot).gather(-1, index[..., None])[..., 0]
    any_function: Bool[Tensor, "M N W"] = equal.flatten(-2).any(-1)
    kind = torch.full_like(first, MISTAKES.index("something else"))
    kind[(answer == right).any(-1)] = MISTAKES.index("partly right")
    kind[any_function] = MISTAKES.index("other function")
    kind[own_position] = MISTAKES.index("own position")
    kind[first == positions] = MISTAKES.index("none")
    return kind


def _at_slot(values: Tensor, slot: Int[Tensor, "M N W"]) -> Tensor:
    """values[..., slot, :] over the axis after the words."""
    index = slot[..., None, None].expand(*slot.shape, 1, values.shape[-1])
    return values.gather(3, index)[..., 0, :]


def _images(functions: Functions, words: Int[Tensor, "M N W K"]) -> Int[Tensor, "M N W L F K"]:
    """Every word under every function of its member's tables."""
    images = []
    for tables, places, word in zip(functions.tables, functions.places, words, strict=True):
        moved = word[..., places]
        rows = tables.expand(*moved.shape[:-1], tables.shape[-1])
        images.append(rows.gather(-1, moved))
    return torch.stack(images)

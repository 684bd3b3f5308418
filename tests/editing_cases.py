"""A small random population, facts that are news to it, and copies edited one by one."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from synthcore.editing import EditedModel, Facts, covariances, current_answers, edit
from synthcore.nn.gpt import GPT, GPTConfig

V, T, M, E, J = 12, 6, 2, 3, 4
MODEL = GPT(
    GPTConfig(V, T, 8, 2, 2, positions="learned", tied=False, initial_std=0.6), [0, 1]
).requires_grad_(False)


def random_tokens(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


def facts(edits: int = E, at_once: int = 1, contexts: int = J - 1, seed: int = 0) -> Facts:
    """Random prompts of two tokens, behind 0 to 3 more, with targets that are news."""
    F = at_once
    prompt = random_tokens(M, edits, F, 2, seed=seed)
    tokens = random_tokens(M, edits, F, 1 + contexts, T, seed=seed + 1)
    end = torch.empty(M, edits, F, 1 + contexts, dtype=torch.long)
    for j in range(1 + contexts):
        before = min(j, T - 2)
        tokens[..., j, before : before + 2] = prompt
        end[..., j] = before + 1
    essence = tokens[..., 0, :]
    one = torch.zeros(M, edits, F, dtype=torch.long)
    asked = Facts(tokens, end, end, one, essence, one)
    worst = current_answers(MODEL, asked).argsort(-1)[..., V // 2]
    return replace(asked, target=worst)


COVARIANCES = covariances(MODEL, random_tokens(M, 400, T, seed=5), [0, 1])


def written(method: str, layers: list[int], asked: Facts, **options: Any) -> EditedModel:
    return edit(MODEL, asked, method, layers, covariances=COVARIANCES, **options)


def single(member: int) -> GPT:
    """One member as a population of one."""
    copy = GPT(MODEL.config, [0])
    copy.load_state_dict({n: v[member : member + 1] for n, v in MODEL.state_dict().items()})
    return copy.requires_grad_(False)


def dense(edited: EditedModel, member: int, number: int) -> GPT:
    """An ordinary model with the edited matrices, as the reference."""
    copy = single(member)
    for layer in edited.updates:
        weight = edited.weight(layer)[member, number]
        copy.blocks[layer].mlp.down.weight.data = weight[None].float()
    return copy

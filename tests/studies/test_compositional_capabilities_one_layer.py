"""Selection in one layer, on networks whose attention is known."""

import pytest
import torch
from torch import Tensor

from synthcore.nn.gpt import GPT
from synthcore.studies.compositional_capabilities import networks, one_layer
from synthcore.studies.compositional_capabilities.school import Task
from synthcore.studies.compositional_capabilities.subsets import Condition
from synthcore.studies.compositional_capabilities.task import Layout, documents

LAYOUT = Layout(positions=2, functions=2, alphabet=4, word=2)
RECIPE = networks.Recipe(width=40, depth=1, heads=1, learning_rate=0.01, batch=8, steps=1)


@pytest.fixture
def task() -> Task:
    return Task.draw(LAYOUT, "step", [Condition("random", (4,))], (0, 1), torch.device("cpu"))


def looking(task: Task, at: str) -> GPT:
    """Keys and queries that make every symbol look at its task token, or at its source; width 40
    holds a code of each of the 14 places."""
    model = networks.build(RECIPE, LAYOUT, "step", [0, 1], torch.device("cpu"))
    model.requires_grad_(False)
    length, width = LAYOUT.length("step"), RECIPE.width
    assert model.pos_embed is not None
    model.pos_embed.zero_()
    model.pos_embed[:, 0, :length, :length] = torch.eye(length)
    model.embed.weight.zero_()
    weight = model.blocks[0].attn.qkv.weight.zero_()
    for block, places in enumerate(LAYOUT.answer_places("step").tolist()):
        for place in places:
            seen = LAYOUT.slot(block + 1) if at == "task" else LAYOUT.source(place)
            weight[:, place - 1, seen] = 20
    weight[:, :length, width : width + length] = torch.eye(length)
    return model


def lines(task: Task) -> Tensor:
    comps, words = one_layer._asked(task, 0)
    return documents(LAYOUT, task.functions, words, comps, "step")


def test_attention_is_found_where_it_is(task: Task) -> None:
    blocks = torch.arange(2)
    share = one_layer.attention(looking(task, "task"), task, lines(task))
    assert share.shape == (2, 2, 2, LAYOUT.length("step") - 1)
    torch.testing.assert_close(share.sum(-1), torch.ones(2, 2, 2, dtype=torch.float64))
    own = one_layer._own(share[..., 1:3], blocks)
    assert bool((own > 0.99).all())
    assert bool((one_layer.source_share(task, share) < 0.01).all())
    share = one_layer.attention(looking(task, "source"), task, lines(task))
    assert bool((one_layer.source_share(task, share) > 0.99).all())
    assert bool((one_layer._own(share[..., 1:3], blocks) < 0.01).all())


def test_a_network_without_task_tokens_follows_no_patch(task: Task) -> None:
    model = looking(task, "source")
    assert bool((one_layer.patched(model, task) < 0.6).all())

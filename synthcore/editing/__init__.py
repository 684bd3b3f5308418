"""Knowledge editors that write facts into the output matrix of an MLP in closed form.

>>> import torch
>>> from synthcore.nn.gpt import GPT, GPTConfig
>>> shape = GPTConfig(vocabulary=9, context=4, width=16, depth=2, heads=2, initial_std=0.5)
>>> model = GPT(shape, seeds=[0])
>>> facts = Facts.of(prompt=torch.tensor([[[3, 5]]]), target=torch.tensor([[7]]))
>>> moments = second_moments(model, torch.randint(9, (1, 64, 4)), layers=[1])
>>> edited = edit(model, facts, "rome", layers=[1], moments=moments)
>>> edited(torch.tensor([[[[3, 5]]]]))[0, 0, 0, -1].argmax()  # member, edit, batch; last place
tensor(7)

Works on any model of `synthcore.nn` with blocks: populations of `GPT`, and `Llama`.
"""

from synthcore.editing.baselines import (
    fine_tune,
    random_directions,
)
from synthcore.editing.edited import (
    EditedModel,
    Report,
    Transformer,
    Update,
)
from synthcore.editing.facts import Facts
from synthcore.editing.keys import second_moments
from synthcore.editing.methods import METHODS, Settings, edit
from synthcore.editing.values import Search

__all__ = [
    "METHODS",
    "EditedModel",
    "Facts",
    "Report",
    "Search",
    "Settings",
    "Transformer",
    "Update",
    "edit",
    "fine_tune",
    "random_directions",
    "second_moments",
]

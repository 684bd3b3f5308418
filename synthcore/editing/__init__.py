"""Knowledge editors: ROME, MEMIT, PMET and AlphaEdit write facts into MLPs in closed form.

A transformer is told that 7 comes after the prompt 3 5; its own weights stay as they are:

>>> import torch
>>> from synthcore.editing import Facts, covariances, edit
>>> from synthcore.nn.gpt import GPT, GPTConfig
>>> shape = GPTConfig(vocabulary=9, context=4, width=16, depth=2, heads=2, initial_std=0.5)
>>> model = GPT(shape, seeds=[0])
>>> facts = Facts.of(prompt=torch.tensor([[[3, 5]]]), target=torch.tensor([[7]]))
>>> C = covariances(model, torch.randint(9, (1, 64, 4)), layers=[1])
>>> edited = edit(model, facts, "rome", layers=[1], covariances=C)
>>> edited(torch.tensor([[[[3, 5]]]]))[0, 0, 0, -1].argmax()  # member, edit, batch; last place
tensor(7)

Works on any model of `synthcore.nn` with blocks: populations of `GPT`, and `Llama`. A matrix of
your own is edited by `edit_linear`. Here it is an associative memory: it gives a vector for each of
40 keys, and one of these is rewritten:

>>> from synthcore.editing import covariance, edit_linear
>>> keys, memory = torch.randn(40, 16), torch.nn.Linear(16, 4)
>>> value = torch.tensor([[1.0, 0.0, -1.0, 0.0]])
>>> rewritten = edit_linear(memory, keys[:1], value, "rome", covariance=covariance(keys))
>>> torch.allclose(rewritten(keys[:1]), value, atol=1e-4)
True

`keys` reads keys and their covariance, `values` searches for the value that makes a model give the
answer, `updates` has the closed forms, `methods` puts them together; `edited` are the edited
copies, `facts` what is written, `linear` is for matrices, and `baselines` are random changes and
fine-tuning.
"""

from synthcore.editing import updates
from synthcore.editing.baselines import fine_tune, random_directions
from synthcore.editing.edited import EditedModel, Report, Transformer, Update, apply_updates
from synthcore.editing.facts import Facts
from synthcore.editing.keys import activation, compute_keys, covariance, covariances
from synthcore.editing.linear import edit_linear
from synthcore.editing.methods import METHODS, Settings, current_answers, edit
from synthcore.editing.values import Search, Values, search

__all__ = [
    "METHODS",
    "EditedModel",
    "Facts",
    "Report",
    "Search",
    "Settings",
    "Transformer",
    "Update",
    "Values",
    "activation",
    "apply_updates",
    "compute_keys",
    "covariance",
    "covariances",
    "current_answers",
    "edit",
    "edit_linear",
    "fine_tune",
    "random_directions",
    "search",
    "updates",
]

"""Sample continuations from a population, one forward pass of one token per step.

Axis letters: M member, B batch, T time, V vocabulary.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synthcore.nn.gpt import GPT, Cache


@torch.no_grad()
def generate(
    model: GPT,
    prompt: Int[Tensor, "M B T"],
    new: int,
    *,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "M B T_and_new"]:
    """The prompt followed by `new` tokens drawn from softmax(logits / temperature).

    Temperature 0 takes the most likely token. `generator` lives on the model's device. `ValueError`
    if the prompt is empty, the temperature negative, or prompt and new tokens exceed the context.
    """
    members, batch, length = prompt.shape
    if length < 1:
        raise ValueError("the prompt needs at least one token per sequence")
    if temperature < 0:
        raise ValueError(f"temperature must be at least 0 (got {temperature})")
    if length + new > model.config.context:
        raise ValueError(
            f"prompt {length} + new {new} tokens exceed the context of {model.config.context}"
        )
    out = prompt.new_empty(members, batch, length + new)
    out[:, :, :length] = prompt
    cache = Cache(model, batch)
    seen = 0
    for end in range(length, length + new):
        logits = model(out[:, :, seen:end], cache=cache)[:, :, -1]
        out[:, :, end] = _draw(logits, temperature, generator)
        seen = end
    return out


def _draw(
    logits: Float[Tensor, "M B V"], temperature: float, generator: torch.Generator | None
) -> Int[Tensor, "M B"]:
    if temperature == 0:
        return logits.argmax(-1)
    weights = (logits / temperature).flatten(0, 1).softmax(-1)
    return torch.multinomial(weights, 1, generator=generator).view(logits.shape[:2])

"""Populations of LSTM language models, for comparison with transformers.

Source: Hochreiter and Schmidhuber 1997, with forget gates. Gates stand in the order input, forget,
cell, output, as in `torch.nn.LSTM`.

Axis letters: M member, B batch, T time, D width, V vocabulary.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from synthcore.nn.hooks import HookPoint
from synthcore.nn.population import Embedding, Linear, normal_


@dataclass(frozen=True)
class LSTMConfig:
    """Shape of one member: `depth` layers of `width` cells."""

    vocabulary: int
    width: int
    depth: int

    def __post_init__(self) -> None:
        for name in ("vocabulary", "width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1 (got {getattr(self, name)})")


class Layer(nn.Module):
    """One layer over a whole sequence, from a state of zeros.

    c_t = f c_{t-1} + i tanh(g), h_t = o tanh(c_t), with the gates i, f, o and the input g from
    `x_t W + h_{t-1} U + b`.
    """

    def __init__(self, members: int, width: int) -> None:
        super().__init__()
        self.inputs = Linear(members, width, 4 * width)
        self.recurrent = nn.Parameter(torch.zeros(members, width, 4 * width))

    def forward(self, x: Float[Tensor, "M B T D"]) -> Float[Tensor, "M B T D"]:
        M, B, T, D = x.shape
        inputs = self.inputs(x)  # (M, B, T, 4 D)
        hidden = cell = x.new_zeros(M, B, D)
        states = []
        for t in range(T):
            gates = torch.baddbmm(inputs[:, :, t], hidden, self.recurrent)
            input_gate, forget_gate, _, output_gate = gates.sigmoid().chunk(4, -1)
            cell = forget_gate * cell + input_gate * gates[..., 2 * D : 3 * D].tanh()
            hidden = output_gate * cell.tanh()
            states.append(hidden)
        return torch.stack(states, 2)


class LSTM(nn.Module):
    """One LSTM language model per seed: embedding, layers, output.

    A member's initial weights depend on the config and its own seed only: embedding, input and
    output weights N(0, 1 / width), each gate's recurrent weights orthogonal, biases 0 but for the
    forget gate's, 1.
    """

    def __init__(self, config: LSTMConfig, seeds: Sequence[int]) -> None:
        super().__init__()
        if len(seeds) == 0:
            raise ValueError("a population needs at least one seed")
        self.config, self.seeds, self.members = config, tuple(int(s) for s in seeds), len(seeds)
        self.embed = Embedding(self.members, config.vocabulary, config.width)
        self.hook_embed = HookPoint()
        layers = nn.ModuleList(Layer(self.members, config.width) for _ in range(config.depth))
        self.layers = cast("Iterable[Layer]", layers)
        self.hook_hidden = HookPoint()
        self.unembed = Linear(self.members, config.width, config.vocabulary, bias=False)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]
        width = self.config.width
        std = 1 / math.sqrt(width)
        normal_(self.embed.weight, std, generators)
        for layer in self.layers:
            normal_(layer.inputs.weight, std, generators)
            assert layer.inputs.bias is not None
            layer.inputs.bias[..., width : 2 * width] = 1.0
            for member, generator in zip(layer.recurrent, generators, strict=True):
                for gate in member.split(width, 1):
                    nn.init.orthogonal_(gate, generator=generator)
        normal_(self.unembed.weight, std, generators)

    def forward(self, tokens: Int[Tensor, "M B T"]) -> Float[Tensor, "M B T V"]:
        """Logits of the next token after each of `tokens`.

        `ValueError` if the tokens belong to another number of members.
        """
        if tokens.shape[0] != self.members:
            raise ValueError(f"tokens have {tokens.shape[0]} members, the model has {self.members}")
        x = self.hook_embed(self.embed(tokens))
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.unembed(self.hook_hidden(x))
        return logits

"""The population LSTM against torch's own, and the population against its members."""

import pytest
import torch
from torch import Tensor, nn

from synthcore.nn.lstm import LSTM, LSTMConfig
from synthcore.training.fit import fit
from synthcore.training.optimizers import population_adamw

SHAPE = LSTMConfig(vocabulary=7, width=12, depth=2)


def tokens_for(members: int, batch: int = 5, length: int = 9) -> Tensor:
    return torch.randint(7, (members, batch, length), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def torchs_own(model: LSTM, member: int, tokens: Tensor) -> Tensor:
    """The same weights in `torch.nn.LSTM`."""
    width = model.config.width
    peer = nn.LSTM(width, width, model.config.depth, batch_first=True)
    for index, layer in enumerate(model.layers):
        assert layer.inputs.bias is not None
        getattr(peer, f"weight_ih_l{index}").copy_(layer.inputs.weight[member].T)
        getattr(peer, f"weight_hh_l{index}").copy_(layer.recurrent[member].T)
        getattr(peer, f"bias_ih_l{index}").copy_(layer.inputs.bias[member, 0])
        getattr(peer, f"bias_hh_l{index}").zero_()
    hidden, _ = peer(model.embed.weight[member][tokens])
    out: Tensor = hidden @ model.unembed.weight[member]
    return out


def test_logits_are_those_of_torchs_lstm() -> None:
    model, tokens = LSTM(SHAPE, [0, 1]), tokens_for(2)
    for member in range(2):
        expected = torchs_own(model, member, tokens[member])
        torch.testing.assert_close(model(tokens)[member], expected, rtol=1e-5, atol=1e-6)


def test_a_member_trains_as_it_would_alone() -> None:
    tokens = tokens_for(3)
    together, alone = LSTM(SHAPE, [4, 5, 4]), LSTM(SHAPE, [5])
    for model, given in ((together, tokens), (alone, tokens[1:2])):
        for _ in range(3):
            fit(
                model,
                lambda step, given=given: given,
                steps=2,
                optimizer=population_adamw(model, 0.01),
                clip=1.0,
            )
    for both, one in zip(together.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(both[1:2], one, rtol=1e-4, atol=1e-6)


def test_recurrent_weights_start_orthogonal() -> None:
    for gate in LSTM(SHAPE, [3]).layers[1].recurrent[0].split(SHAPE.width, 1):
        torch.testing.assert_close(gate.T @ gate, torch.eye(SHAPE.width), rtol=1e-5, atol=1e-5)


def test_bad_shapes_are_one_sentence() -> None:
    with pytest.raises(ValueError, match="width must be at least 1"):
        LSTMConfig(7, 0, 2)
    with pytest.raises(ValueError, match="at least one seed"):
        LSTM(SHAPE, [])
    with pytest.raises(ValueError, match="tokens have 3 members, the model has 2"):
        LSTM(SHAPE, [0, 1])(tokens_for(3))

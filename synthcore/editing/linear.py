"""The same editors for a matrix of your own: any `torch.nn.Linear`, in any PyTorch model.

The inputs of the layer are keys, its outputs what it writes. The value to write is yours: what the
layer should give for a key.

Axis letters: F facts, L facts of earlier edits, K = K2 inputs of the layer, D outputs.
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synthcore.editing.methods import Settings, settings_of, solve_update


@torch.no_grad()
def edit_linear(
    layer: nn.Linear,
    key: Float[Tensor, "F K"],
    value: Float[Tensor, "F D"],
    method: str = "rome",
    *,
    covariance: Float[Tensor, "K K2"],
    mean_key: Float[Tensor, "F K"] | None = None,
    settings: Settings | None = None,
    earlier: Float[Tensor, "L K"] | None = None,
) -> nn.Linear:
    """An edited copy of a layer, which gives the values for the keys; the layer is left as it was.

    ROME gives its one value exactly; the others, which take several facts at once, as nearly as
    `settings.weight` lets them. What is solved is float64, the copy has the layer's type.

    Args:
        key: what the layer is given where the facts are to be written.
        value: what it should give there, bias included.
        method: a name in `METHODS`.
        covariance: of the layer's inputs, from `synthcore.editing.covariance`.
        mean_key: the keys averaged over contexts; None for `key`.
        settings: None for `METHODS[method]`; its `search` and `averaging` have no use here.
        earlier: AlphaEdit: keys of edits made before, which this one leaves alone.

    Raises:
        ValueError: an unknown method, tensors that do not fit the layer, several facts at once for
            ROME, a singular covariance.
    """
    constants = settings_of(method, settings)
    D, K = layer.weight.shape
    mean_key = key if mean_key is None else mean_key
    F = len(key)
    wanted = {"key": (key, (F, K)), "mean_key": (mean_key, (F, K)), "value": (value, (F, D))}
    wanted["covariance"] = covariance, (K, K)
    if earlier is not None:
        wanted["earlier"] = earlier, (len(earlier), K)
    for name, (given, shape) in wanted.items():
        if given.shape != shape:
            raise ValueError(
                f"{name} must have shape {shape} for a layer of {K} inputs and {D} outputs "
                f"(got {tuple(given.shape)})"
            )
    if method == "rome" and F != 1:
        raise ValueError(f"rome writes one fact at a time (got {F}); memit takes several")
    bias = 0.0 if layer.bias is None else layer.bias.double()
    residual = value.double() - (key.double() @ layer.weight.double().T + bias)
    update, _ = solve_update(
        method,
        constants,
        covariance[None],
        mean_key.double()[None, None],
        key.double()[None, None],
        residual[None, None],
        None if earlier is None else earlier.double()[None, None],
    )
    edited = copy.deepcopy(layer)
    edited.weight += update.matrix[0, 0].T.to(layer.weight)
    return edited

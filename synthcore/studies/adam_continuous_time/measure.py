"""What is measured: updates of a stream, of a training, angles of a layer, rates and orders.

Axis letters: M member, N step, P point (beta, gamma) or parameter tensor, D coordinate.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from synthcore.studies.adam_continuous_time.theory import bounds

Array = npt.NDArray[np.float64]
Exponent = npt.NDArray[np.int_]
NO_GROWTH = np.zeros(1)
LOST = 1e3  # stands for a loss that is no longer a number
GONE = 0.01  # a gradient is gone where its square is below this share of the second moment


# --- updates of a stream --------------------------------------------------------------------------


def updates(
    gradients: Array, beta: Array, gamma: Array, growth: Array = NO_GROWTH, corrected: bool = True
) -> Iterator[Array]:
    """u_1, u_2, ... (P, D) of Adam with epsilon 0; u = 0 where no gradient has come yet, infinite
    where it is too large for a number.

    gradients: (N, 1, D), times e^(growth n); beta, gamma: (P,); growth: (P or 1,).
    """
    for u, exponent in _scaled_updates(gradients, beta, gamma, growth, corrected):
        with np.errstate(over="ignore"):
            yield np.ldexp(u, exponent)


def log_updates(
    gradients: Array, beta: Array, gamma: Array, growth: Array = NO_GROWTH, corrected: bool = True
) -> Iterator[Array]:
    """ln |u_1|, ln |u_2|, ..., which are finite at any length; minus infinity where u = 0."""
    for u, exponent in _scaled_updates(gradients, beta, gamma, growth, corrected):
        with np.errstate(divide="ignore"):
            yield np.log(np.abs(u)) + exponent * np.log(2)


def _scaled_updates(
    gradients: Array, beta: Array, gamma: Array, growth: Array, corrected: bool
) -> Iterator[tuple[Array, Exponent]]:
    """u as x 2^e. The averages too have an exponent of their own, since a coordinate without
    gradients leaves the range of floats within a thousand steps; powers of two are exact.
    """
    beta, gamma, growth = (np.asarray(each)[:, None] for each in (beta, gamma, growth))
    shape = (len(beta), gradients.shape[2])
    m, v = _Scaled.zeros(shape), _Scaled.zeros(shape)
    for n, g in enumerate(gradients, start=1):
        # both relative to the present e^(growth n)
        m = m.averaged(beta * np.exp(-growth), (1 - beta) * g)
        v = v.averaged(gamma * np.exp(-2 * growth), (1 - gamma) * g**2)
        root = np.sqrt(np.ldexp(v.value, v.exponent % 2))
        u = np.divide(m.value, root, out=np.zeros(shape), where=root > 0)
        if corrected:
            u = u * bounds.bias_factor(beta, gamma, n)
        yield u, m.exponent - v.exponent // 2


class _Scaled(NamedTuple):
    """value 2^exponent, with |value| in [1/2, 1), or 0."""

    value: Array
    exponent: Exponent

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> "_Scaled":
        return cls(np.zeros(shape), np.zeros(shape, dtype=int))

    def averaged(self, keep: Array, new: Array) -> "_Scaled":
        """keep x this + new; `new` is an ordinary number."""
        shared = np.where(new == 0, self.exponent, np.maximum(self.exponent, 0))
        kept = np.ldexp(keep * self.value, self.exponent - shared)
        value, exponent = np.frexp(kept + np.ldexp(new, -shared))
        return _Scaled(value, exponent + shared)


# --- updates of a training ------------------------------------------------------------------------


class UpdateMonitor:
    """Largest |u| = |m| / sqrt(v), both corrected, of every member; to be asked after every update.

    Reads the moments of a one-stage KAdam over float64 parameters, and counts for every weight how
    many steps its gradient has been gone (squared, below 1 % of the second moment). The count is
    kept in the optimiser's state, so that a training that is killed goes on with it.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        beta: Float[Tensor, "M"],
        gamma: Float[Tensor, "M"],
    ) -> None:
        self.parameters, self.optimizer = list(model.parameters()), optimizer
        self.beta, self.gamma = beta.double(), gamma.double()

    @torch.no_grad()
    def look(self, step: int) -> dict[str, np.ndarray]:
        """After update `step`, counted from 1:

        - `largest` (P, M): largest |u| over the weights of a tensor;
        - `silence` (M,): steps for which the gradient of the weight with the largest update has
          been gone; `elsewhere` (M,): the same of a weight of that tensor that has nothing to do
          with it, the one halfway round.
        """
        factor = (1 - self.gamma**step).sqrt() / (1 - self.beta**step)
        tops, silences, others = [], [], []
        for p in self.parameters:
            assert p.grad is not None
            state = self.optimizer.state[p]
            m, v, g = (x.flatten(1) for x in (state["exp_avg"], state["exp_avg_sq"], p.grad))
            count = state.get("silence", torch.zeros_like(p)).flatten(1)
            count = torch.where(g**2 < GONE * v, count + 1, 0.0)
            state["silence"] = count.view(p.shape)
            u = torch.where(v > 0, m.abs() / v.sqrt(), 0.0).nan_to_num(nan=0.0)
            top, where = u.max(1, keepdim=True)
            tops.append(top[:, 0] * factor)
            silences.append(count.gather(1, where)[:, 0])
            others.append(count.gather(1, (where + u.shape[1] // 2) % u.shape[1])[:, 0])
        largest = torch.stack(tops)  # (P, M)
        which = largest.argmax(0, keepdim=True)
        return {
            "largest": largest.cpu().numpy(),
            "silence": torch.stack(silences).gather(0, which)[0].cpu().numpy(),
            "elsewhere": torch.stack(others).gather(0, which)[0].cpu().numpy(),
        }


def finite(loss: Float[Tensor, "M"]) -> Float[Tensor, "M"]:
    """The loss, with `LOST` in place of what is not a number, so that others go on."""
    return loss.nan_to_num(nan=LOST, posinf=LOST, neginf=LOST).clamp(max=LOST)


# --- layers ---------------------------------------------------------------------------------------


class LayerMonitor:
    """What an update does to a layer of every member: angle, eta |u|, |W| before it, and after.

    To be asked after every update; the weights before it are kept in the optimiser's state.
    """

    def __init__(
        self, weight: nn.Parameter, optimizer: Optimizer, rate: Tensor, decay: Tensor
    ) -> None:
        self.weight, self.optimizer = weight, optimizer
        self.shrink = (1 - rate * decay).view(-1, 1)
        self.first = weight.detach().flatten(1).clone()

    @torch.no_grad()
    def look(self) -> dict[str, np.ndarray]:
        """Rows (M,): `angle` [rad], `moved` = eta |u|, `norm` before and `after` the update."""
        state = self.optimizer.state[self.weight]
        old = state.get("before", self.first.view(self.weight.shape)).flatten(1)
        new = self.weight.detach().flatten(1)
        norm, after = old.norm(dim=1), new.norm(dim=1)
        # The arc of the chord: arccos loses half of the digits of a small angle.
        chord = (new / after[:, None] - old / norm[:, None]).norm(dim=1)
        rows = {
            "angle": 2 * torch.arcsin((chord / 2).clamp(max=1)),
            "moved": (new - self.shrink * old).norm(dim=1),
            "norm": norm,
            "after": after,
        }
        state["before"] = self.weight.detach().clone()
        return {name: row.cpu().numpy() for name, row in rows.items()}


# --- rates and orders -----------------------------------------------------------------------------


def error_slope(error: xr.DataArray) -> xr.DataArray:
    """Slope of ln error in ln eta by least squares."""
    x = np.log(error.eta)
    centred = x - x.mean("eta")
    slope: xr.DataArray = (centred * np.log(error)).sum("eta") / (centred**2).sum("eta")
    return slope.assign_attrs(long_name="order of the error in eta", units="1")


def slope(step: Array, values: Array) -> Array:
    """Slope over the last axis by least squares."""
    x = step - step.mean()
    return np.asarray((values * x).sum(-1) / (x**2).sum())


def gamma_at_margin(margin: float, beta: float) -> float:
    """gamma whose memory makes 1 - lag of m / (2 lag of v) equal to `margin`, which is C / (2 a).

    >>> round(gamma_at_margin(0.0, 0.9), 6)                              # on the frontier
    0.818182
    """
    return 1 / (1 + 2 * (1 - margin) * (1 - beta) / beta)

"""What a denoiser may predict of z = alpha x + sigma eps, and each from each of the others.

- `"noise"`: eps, as in Ho et al. 2020 (2006.11239);
- `"image"`: the clean data x, whatever they are;
- `"v"`: alpha eps - sigma x, as in Salimans and Ho 2022 (2202.00512), section 4: of unit
  variance at all times, if the data are.

Given z, one determines the others. From noise to image errors grow by sigma / alpha, from image to
noise by alpha / sigma; from v by sigma or alpha only. z and what is predicted have the same shape
(M, B, ...), and alpha and sigma broadcast to it (`schedule.split`).
"""

from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

Predicts = Literal["noise", "image", "v"]
Data = Float[Tensor, "M B *data"]
Scale = Float[Tensor, "..."]


def require_one_of(name: str, value: str, kind: object) -> None:
    """ValueError unless `value` is one of a literal type.

    >>> require_one_of("predicts", "score", Predicts)
    Traceback (most recent call last):
    ValueError: predicts must be noise, image or v (got 'score')
    """
    *others, last = get_args(kind)
    if value not in (*others, last):
        raise ValueError(f"{name} must be {', '.join(others)} or {last} (got {value!r})")


def to_image(out: Data, predicts: Predicts, z: Data, alpha: Scale, sigma: Scale) -> Data:
    """The clean data that go with a prediction."""
    if predicts == "noise":
        return (z - sigma * out) / alpha
    return out if predicts == "image" else alpha * z - sigma * out


def to_noise(out: Data, predicts: Predicts, z: Data, alpha: Scale, sigma: Scale) -> Data:
    """The noise that goes with a prediction."""
    if predicts == "image":
        return (z - alpha * out) / sigma
    return out if predicts == "noise" else sigma * z + alpha * out


def to_v(out: Data, predicts: Predicts, z: Data, alpha: Scale, sigma: Scale) -> Data:
    """The v that goes with a prediction."""
    if predicts == "image":
        return (alpha * z - out) / sigma
    return out if predicts == "v" else (out - sigma * z) / alpha

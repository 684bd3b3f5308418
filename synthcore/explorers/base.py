"""What all explorers share: one ES module from several files, and float arrays as bytes.

The browser is handed a single module without imports, so that the same text works from a kernel,
from a web server and from a folder on a USB stick. Arrays cross as little-endian float32 with
their shape beside them; NaN stands for "not recorded".
"""

from pathlib import Path
from typing import Any

import anywidget
import numpy as np
from numpy.typing import ArrayLike, NDArray

FOLDER = Path(__file__).parent
MAX_BYTES = 400_000
"""Most data that one explorer may add to a page."""


def bundle(*names: str) -> str:
    """One ES module or style sheet from files, named by their places below `explorers`."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


def pack(values: ArrayLike) -> bytes:
    """Little-endian float32 bytes in C order.

    >>> unpack(pack([[1, 2], [3, 4]]), (2, 2)).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return np.ascontiguousarray(values, dtype="<f4").tobytes()


def unpack(data: bytes, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The array that `pack` was given, as float32.

    Raises:
        ValueError: the bytes do not hold an array of this shape.
    """
    return np.frombuffer(data, dtype="<f4").reshape(shape)


def checked(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`values` as float32 if they have this shape and no infinity (NaN means "not recorded").

    Raises:
        ValueError: names the array, its shape and the shape that was expected.
    """
    array = np.asarray(values, dtype=np.float32)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape} (got {array.shape})")
    if np.isinf(array).any():
        raise ValueError(f"{name} must be finite, or NaN where nothing was recorded")
    return array


class Explorer(anywidget.AnyWidget):
    """An interactive figure whose drawing is plain JavaScript.

    A subclass names its files with `bundle` and tags the traits that JavaScript reads::

        class Coin(Explorer):
            _esm = bundle(
                "shared/common.js", "shared/address.js", "coin/model.js", "coin/view.js"
            )
            _css = bundle("shared/common.css", "coin/style.css")
            heads = traitlets.Bytes().tag(sync=True)

    Its `view.js` ends in `export default { render }`, where `render({ model, el })` draws into
    `el`, redraws when the model's traits change, and returns a function that stops listening. What
    a reader sets are traits (`setTraits` of `shared/common.js`), and stands in the address of a
    page of the book: `linkedView` of `shared/address.js` redraws and sees to that, given a name
    with a version ("coin.1") and what reads each trait. What goes on by itself, a training or a
    clock, is ended by `onStop` of the view. Everything drawn takes its colours from the variables
    in `shared/common.css`.

    Raises:
        ValueError: the data exceed `MAX_BYTES`; record fewer checkpoints or contexts.
    """

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        if self.data_bytes > MAX_BYTES:
            raise ValueError(
                f"the data of one explorer must stay below {MAX_BYTES // 1000} kB "
                f"(got {self.data_bytes / 1000:.0f} kB): thin out the recorded grid"
            )

    @property
    def data_bytes(self) -> int:
        """Size of the packed arrays. A page embeds them as base64, a third larger."""
        values = (getattr(self, name) for name in self.trait_names(sync=True))
        return sum(len(value) for value in values if isinstance(value, bytes))

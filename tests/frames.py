"""How far it is from a call to the first matrix product of a network, in frames of this project."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

PACKAGE = Path(__file__).parents[1] / "synthcore"
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "convolution"}


class _Reached(BaseException):
    """Ends the run at the product; no `except Exception` on the way holds it up."""


class _FirstProduct(TorchDispatchMode):
    def __init__(self, learning: bool) -> None:
        super().__init__()
        self.learning = learning
        self.frames: tuple[str, ...] = ()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        counts = torch.is_grad_enabled() or not self.learning
        if counts and func.overloadpacket.__name__ in PRODUCTS:
            frames = _ours()
            if any(frame.startswith("nn/") for frame in frames):
                self.frames = frames
                raise _Reached
        return func(*args, **(kwargs or {}))


def _ours() -> tuple[str, ...]:
    """This project's functions on the stack, outermost first, as `nn/gpt.py GPT.forward`."""
    found, frame = [], sys._getframe()
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if PACKAGE in path.parents:
            found.append(f"{path.relative_to(PACKAGE).as_posix()} {frame.f_code.co_qualname}")
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(reversed(found))


def frames_to_product(call: Callable[[], object], learning: bool = False) -> tuple[str, ...]:
    """The frames from `call` to the first product inside a network of `synthcore.nn`.

    The call is given up there. A product that no network makes (an oracle's) does not count;
    AssertionError if no network makes one at all. `learning`: products of measurements, made
    without gradients, do not count either.
    """
    outside = len(_ours())
    with _FirstProduct(learning) as mode:
        try:
            call()
        except _Reached:
            return mode.frames[outside:]
    raise AssertionError("no network made a matrix product")

"""Weights of one transformer on their way to the browser."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import MAX_BYTES, pack


def packed(model: Mapping[str, NDArray[np.float32]], beside: int = 0) -> dict[str, Any]:
    """The traits `weights`, `weight_shapes` and `half` that gpt_model.js reads: numbers of 32 bits,
    or of 16 where a page could not hold them with `beside` further bytes."""
    values = np.concatenate([array.ravel() for array in model.values()])
    half = values.size * 4 + beside > MAX_BYTES
    return {
        "weights": values.astype("<f2").tobytes() if half else pack(values),
        "weight_shapes": [[name, list(array.shape)] for name, array in model.items()],
        "half": half,
    }


def fits(weights: Mapping[str, ArrayLike]) -> bool:
    """Whether a page can hold these weights, in 16 bits at least."""
    return 2 * sum(np.asarray(value).size for value in weights.values()) <= MAX_BYTES


def layout(
    weights: Mapping[str, ArrayLike], heads: int, norm: str
) -> dict[str, NDArray[np.float32]]:
    """Weights by name in matrix shapes, checked against each other."""
    given = {name: np.asarray(value, dtype=np.float32) for name, value in weights.items()}
    if "embed.weight" not in given:
        raise ValueError("weights must hold 'embed.weight'; give the state dict of one member")
    width = given["embed.weight"].shape[-1]
    vocabulary = given["embed.weight"].shape[-2]
    blocks = [int(name.split(".")[1]) for name in given if name.startswith("blocks.")]
    depth = 1 + max(blocks, default=-1)
    if depth < 1:
        raise ValueError("weights must hold at least one block")
    if heads < 1 or width % heads:
        raise ValueError(f"width {width} must be divisible by heads (got {heads})")
    matrix: dict[str, tuple[int, ...]] = {"embed.weight": (vocabulary, width)}
    if "pos_embed" in given:
        matrix["pos_embed"] = (given["pos_embed"].shape[-2], width)
    optional = set()

    def normed(name: str) -> None:
        matrix[f"{name}.weight"] = (width,)
        if norm == "layer":
            matrix[f"{name}.bias"] = (width,)
            optional.add(f"{name}.bias")

    def linear(name: str, inputs: int, outputs: int) -> None:
        matrix[f"{name}.weight"] = (inputs, outputs)
        matrix[f"{name}.bias"] = (outputs,)
        optional.add(f"{name}.bias")

    for b in range(depth):
        normed(f"blocks.{b}.ln1")
        linear(f"blocks.{b}.attn.qkv", width, 3 * width)
        linear(f"blocks.{b}.attn.out", width, width)
        if f"blocks.{b}.mlp.up.weight" in given:
            hidden = given[f"blocks.{b}.mlp.up.weight"].shape[-1]
            normed(f"blocks.{b}.ln2")
            linear(f"blocks.{b}.mlp.up", width, hidden)
            linear(f"blocks.{b}.mlp.down", hidden, width)
    normed("ln_final")
    if "unembed.weight" in given:
        matrix["unembed.weight"] = (width, vocabulary)
    missing = matrix.keys() - given.keys() - optional
    unknown = given.keys() - matrix.keys()
    if missing or unknown:
        raise ValueError(f"weights lack {sorted(missing)} and hold unknown {sorted(unknown)}")
    out = {}
    for name, shape in matrix.items():
        if name not in given:
            continue
        array = given[name]
        if tuple(size for size in array.shape if size > 1) != tuple(s for s in shape if s > 1):
            raise ValueError(
                f"{name} of one member must have shape {shape} (got {array.shape}); "
                "take value[m] of each weight"
            )
        out[name] = array.reshape(shape)
        if not np.isfinite(out[name]).all():
            raise ValueError(f"{name} must be finite")
    return out

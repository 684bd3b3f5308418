"""Type a string into a compiled transformer and watch its three attention maps, in the browser.

Axis letters: N networks, L letters that fit, T places (L + 1), D residual width, O outputs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import MAX_BYTES, Explorer, bundle, pack

BLOCKS = 3
READ = 2  # the answer stands at the second letter, behind the begin symbol


class CompiledCounterExplorer(Explorer):
    """A string of letters, three attention maps and what stands at every place of the output.

    The networks have three blocks of one attention head (scores are plain products of queries and
    keys) and one ReLU MLP, no layer norm and no causal mask. They read a begin symbol, the
    letters, and padding, at which nobody looks. All of it is computed in the browser.

    Args:
        networks: name -> weights of one network by name: "embed.weight" (letters + 2, D),
            "pos_embed" (T, D), and of each block b = 0, 1, 2 "weight" and "bias" of
            "blocks.{b}.attn.q", ".k", ".v", ".out" and "blocks.{b}.up", ".down";
            a leading axis of one member is allowed. All have the same shapes.
        out: the slice of the residual stream that holds the output: value n is coordinate n.
        counted: name -> the letter that this network should count.
        string: what to start from.
        alphabet: the letters, in order; two more tokens follow, begin and padding.

    `explorer.string`, `.network` (name) and `.place` follow the reader when a kernel is running.

    Raises:
        ValueError: a weight is missing or of the wrong shape, or the string does not fit.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/letters.js",
        "shared/chart.js",
        "compiled_counter/model.js",
        "compiled_counter/view.js",
    )
    _css = bundle("shared/common.css", "shared/letters.css", "compiled_counter/style.css")

    weights = traitlets.Bytes(help="(N, all weights) float32, as `shapes` says").tag(sync=True)
    shapes = traitlets.List(traitlets.Any(), help="[name, shape] in order").tag(sync=True)
    networks = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counted = traitlets.List(traitlets.Unicode(), help="a letter for each network").tag(sync=True)
    out = traitlets.List(traitlets.Int(), help="first coordinate, number").tag(sync=True)
    alphabet = traitlets.Unicode().tag(sync=True)
    string = traitlets.Unicode().tag(sync=True)
    network = traitlets.Unicode().tag(sync=True)
    place = traitlets.Int(help="place whose row is shown, 0 is the begin symbol").tag(sync=True)

    def __init__(
        self,
        networks: Mapping[str, Mapping[str, ArrayLike]],
        out: slice,
        counted: Mapping[str, str],
        *,
        string: str,
        alphabet: str = "abcdefghi",
        **traits: Any,
    ) -> None:
        if not networks:
            raise ValueError("there must be at least one network")
        if len(set(alphabet)) != len(alphabet) or len(alphabet) < 2:
            raise ValueError(f"alphabet must be distinct letters (got {alphabet!r})")
        read = {name: _weights(name, value, len(alphabet)) for name, value in networks.items()}
        first = next(iter(read.values()))
        shapes = {name: array.shape for name, array in first.items()}
        for name, arrays in read.items():
            if {part: array.shape for part, array in arrays.items()} != shapes:
                raise ValueError(f"network {name!r} has other shapes than the first")
            if counted.get(name, "") not in alphabet or not counted.get(name):
                raise ValueError(f"counted must name a letter for network {name!r}")
        slots, width = shapes["pos_embed"][0] - 1, shapes["pos_embed"][1]
        if not 0 <= out.start < out.stop <= width:
            raise ValueError(f"out must be a slice of the {width} coordinates (got {out})")
        if not READ <= len(string) <= slots or any(c not in alphabet for c in string):
            raise ValueError(
                f"string must be {READ} to {slots} letters of {alphabet} (got {string!r})"
            )
        flat = [np.concatenate([a.ravel() for a in arrays.values()]) for arrays in read.values()]
        super().__init__(
            weights=pack(np.stack(flat)),
            shapes=[[name, list(shape)] for name, shape in shapes.items()],
            networks=list(read),
            counted=[counted[name] for name in read],
            out=[out.start, out.stop - out.start],
            alphabet=alphabet,
            string=string,
            network=next(iter(read)),
            place=READ,
            **traits,
        )


def fits(networks: Mapping[str, Mapping[str, ArrayLike]]) -> bool:
    """Whether a page can hold these networks."""
    sizes = [np.asarray(value).size for weights in networks.values() for value in weights.values()]
    return 4 * sum(sizes) <= MAX_BYTES


def _weights(
    network: str, given: Mapping[str, ArrayLike], letters: int
) -> dict[str, NDArray[np.float32]]:
    """Weights by name as matrices, in one order, checked against each other."""
    parts = [f"blocks.{b}.attn.{p}" for b in range(BLOCKS) for p in _PARTS]
    parts += [f"blocks.{b}.{p}" for b in range(BLOCKS) for p in ("up", "down")]
    names = ["embed.weight", "pos_embed"]
    names += [f"{part}.{kind}" for part in parts for kind in ("weight", "bias")]
    if missing := [name for name in names if name not in given]:
        raise ValueError(f"network {network!r} lacks {missing[0]!r}")
    arrays = {name: np.asarray(given[name], dtype=np.float32) for name in names}
    width = arrays["embed.weight"].shape[-1]
    head = arrays["blocks.0.attn.q.weight"].shape[-1]
    hidden = arrays["blocks.0.up.weight"].shape[-1]
    expected: dict[str, tuple[int, ...]] = {
        "embed.weight": (letters + 2, width),
        "pos_embed": (arrays["pos_embed"].shape[-2], width),
    }
    for part in parts:
        kind = part.split(".")[-1]
        inputs, outputs = {
            "out": (head, width),
            "up": (width, hidden),
            "down": (hidden, width),
        }.get(kind, (width, head))
        expected |= {f"{part}.weight": (inputs, outputs), f"{part}.bias": (outputs,)}
    for name, shape in expected.items():
        if arrays[name].size != np.prod(shape):
            raise ValueError(
                f"{name} of network {network!r} must have shape {shape} (got {arrays[name].shape})"
            )
        arrays[name] = arrays[name].reshape(shape)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} of network {network!r} must be finite")
    return arrays


_PARTS = ("q", "k", "v", "out")

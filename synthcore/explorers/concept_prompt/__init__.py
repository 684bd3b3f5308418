"""Ask a small diffusion model for any colour and radius: its networks draw in the browser.

Axis letters: D numbers of an image, W width, T sampling steps, K recorded steps, A amounts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import traitlets
from numpy.typing import ArrayLike, NDArray

from synthcore.explorers.base import Explorer, bundle, checked, pack

BITS = 6
"""per weight: what lets three networks of 160 thousand weights stay below the limit of a page"""
TOLD = 4
"""numbers that a network is told: red, green, blue and radius"""
Network = Mapping[str, ArrayLike]


class ConceptPromptExplorer(Explorer):
    """Sliders for the blue and the radius that a prompt asks for, and for the step of training.

    Eight images are drawn by the network itself, in the browser, from noise that a button renews.
    Every image is read back and placed among the classes. A map of all recorded steps and amounts
    of blue says how often the drawn images were right; a line marks the prompt that one would
    write.

    Args:
        networks: two to four networks by step, each with matrices `enter` (D, W), `block<i>.first`
            (4, W), `block<i>.second` (W, W), `block<i>.mix` (W, W), `block<i>.time` (T, W), `leave`
            (W, D), and vectors `enter_bias`, `block<i>.first_bias`, `block<i>.second_bias`,
            `block<i>.bias` (W) and `leave_bias` (D). A row of `time` belongs to a sampling step.
        gammas: (T + 1,) minus the logs of the signal-to-noise ratios, falling.
        accuracy: (K, A), share of images right at every recorded step and amount of blue.
        steps: (K,) recorded, rising.
        amounts: (A,) contrasts of blue that were asked for, rising.
        contrast: blue less red of the class, Delta_c; `separation` is that of radii, Delta_s.
        places: centres of images lie within this of the middle.

    `explorer.step`, `.amount`, `.radius` and `.noise` follow the reader when a kernel is running.

    Raises:
        ValueError: arrays or names do not fit, or there is no network.
    """

    _esm = bundle(
        "shared/common.js",
        "shared/address.js",
        "shared/chart.js",
        "shared/random.js",
        "concept_prompt/normal.js",
        "shared/half.js",
        "shared/pixels.js",
        "concept_prompt/denoiser.js",
        "concept_prompt/disc.js",
        "concept_prompt/views.js",
        "concept_prompt/view.js",
    )
    _css = bundle("shared/common.css", "shared/pixels.css", "concept_prompt/style.css")

    packed = traitlets.Bytes(help="weights of all networks, BITS bits each").tag(sync=True)
    halves = traitlets.Bytes(help="float16: scales of all columns, then biases, in turn").tag(
        sync=True
    )
    bits = traitlets.Int().tag(sync=True)
    matrices = traitlets.List(traitlets.Any(), help="[name, rows, columns]").tag(sync=True)
    vectors = traitlets.List(traitlets.Any(), help="[name, size]").tag(sync=True)
    depth = traitlets.Int().tag(sync=True)
    live = traitlets.List(traitlets.Int(), help="steps of the networks").tag(sync=True)
    gammas = traitlets.List(traitlets.Float()).tag(sync=True)
    accuracy = traitlets.Bytes(help="(K, A) float32").tag(sync=True)
    steps = traitlets.List(traitlets.Int()).tag(sync=True)
    amounts = traitlets.List(traitlets.Float()).tag(sync=True)
    contrast = traitlets.Float().tag(sync=True)
    separation = traitlets.Float().tag(sync=True)
    step = traitlets.Int(help="index into live").tag(sync=True)
    amount = traitlets.Float().tag(sync=True)
    radius = traitlets.Float().tag(sync=True)
    noise = traitlets.Int(help="seed of the noise").tag(sync=True)

    def __init__(
        self,
        networks: Mapping[int, Network],
        *,
        gammas: Sequence[float],
        accuracy: ArrayLike,
        steps: Sequence[int],
        amounts: Sequence[float],
        contrast: float,
        separation: float = 0.4,
        step: int | None = None,
        amount: float | None = None,
        radius: float | None = None,
        **traits: Any,
    ) -> None:
        if not networks:
            raise ValueError("there must be at least one network")
        live = sorted(networks)
        given = [_laid_out(networks[s], len(gammas) - 1) for s in live]
        first = given[0]
        table = checked("accuracy", accuracy, (len(steps), len(amounts)))
        if list(np.unique(amounts)) != list(amounts) or list(np.unique(steps)) != list(steps):
            raise ValueError("steps and amounts must rise")
        if not set(live) <= set(steps):
            raise ValueError(f"the networks' steps {live} must be among the recorded ones")
        if any(n.keys() != first.keys() for n in given):
            raise ValueError("all networks must have the same depth")
        matrices = [name for name, array in first.items() if array.ndim == 2]
        vectors = [name for name, array in first.items() if array.ndim == 1]
        whole: list[NDArray[np.int64]] = []
        halves: list[NDArray[Any]] = []
        for network in given:
            for name in matrices:
                numbers, scales = quantised(network[name])
                whole.append(numbers.ravel())
                halves.append(scales)
            halves += [network[name] for name in vectors]
        start = live[len(live) // 2] if step is None else step
        if start not in live:
            raise ValueError(f"step must be one of {live} (got {start})")
        super().__init__(
            packed=_packed(np.concatenate(whole)),
            halves=np.concatenate(halves).astype("<f2").tobytes(),
            bits=BITS,
            matrices=[[name, *first[name].shape] for name in matrices],
            vectors=[[name, len(first[name])] for name in vectors],
            depth=sum(name.endswith(".mix") for name in first),
            live=live,
            gammas=[float(g) for g in gammas],
            accuracy=pack(table),
            steps=[int(s) for s in steps],
            amounts=[float(a) for a in amounts],
            contrast=float(contrast),
            separation=float(separation),
            step=live.index(start),
            amount=float(contrast if amount is None else amount),
            radius=float(0.45 - separation / 2 if radius is None else radius),
            noise=1,
            **traits,
        )


def quantised(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """Whole numbers of `BITS` bits and a scale per column whose product is closest to `matrix`.

    >>> numbers, scales = quantised(np.array([[1.0, -0.5], [0.0, 0.25]], dtype=np.float32))
    >>> (np.abs(numbers * scales - [[1, -0.5], [0, 0.25]]) < 0.01).all()
    np.True_
    """
    most = 2 ** (BITS - 1) - 1
    largest = np.abs(matrix).max(0) / most
    tried = []
    for clip in (1.0, 0.9, 0.8, 0.7, 0.6):
        scales = np.maximum(largest * clip, 1e-7).astype(np.float16).astype(np.float32)
        numbers = np.clip(np.round(matrix / np.maximum(scales, 1e-7)), -most, most)
        tried.append((((numbers * scales - matrix) ** 2).sum(0), numbers, scales))
    best = np.argmin([error for error, _, _ in tried], 0)
    columns = np.arange(matrix.shape[1])
    numbers = np.stack([n for _, n, _ in tried])[best, :, columns].T
    scales = np.stack([s for _, _, s in tried])[best, columns]
    return numbers.astype(np.int64), scales.astype(np.float16)


def _packed(numbers: NDArray[np.int64]) -> bytes:
    """Whole numbers, made positive, `BITS` bits each with the lowest first."""
    stream = (numbers + 2 ** (BITS - 1))[:, None] >> np.arange(BITS) & 1
    return np.packbits(stream.astype(np.uint8).ravel(), bitorder="little").tobytes()


def _laid_out(network: Network, sampling_steps: int) -> dict[str, NDArray[np.float32]]:
    """Arrays of a network by name, in a fixed order, checked against each other."""
    if "enter" not in network or np.ndim(network["enter"]) != 2:
        raise ValueError("a network needs a matrix 'enter' (D, W)")
    data, width = np.shape(network["enter"])
    shapes: dict[str, tuple[int, ...]] = {"enter": (data, width), "enter_bias": (width,)}
    depth = sum(name.endswith(".mix") for name in network)
    for b in range(depth):
        shapes |= {
            f"blocks.{b}.first": (TOLD, width),
            f"blocks.{b}.first_bias": (width,),
            f"blocks.{b}.second": (width, width),
            f"blocks.{b}.second_bias": (width,),
            f"blocks.{b}.mix": (width, width),
            f"blocks.{b}.bias": (width,),
            f"blocks.{b}.time": (sampling_steps, width),
        }
    shapes |= {"leave": (width, data), "leave_bias": (data,)}
    if shapes.keys() != network.keys():
        odd = sorted(shapes.keys() ^ network.keys())
        raise ValueError(f"a network of {depth} blocks lacks or must not have {odd}")
    out = {name: checked(name, network[name], shape) for name, shape in shapes.items()}
    for name, array in out.items():
        if np.isnan(array).any():
            raise ValueError(f"{name} must have no missing numbers")
    return out

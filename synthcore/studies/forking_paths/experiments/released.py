"""The paper's own runs, analysed again from their counts.

The counts (231 questions, GPT-3.5-turbo-instruct, 30 completions per branch) were recounted from
the run files that the paper's authors released without a licence, so they are not part of this
project. Whoever has them as a .npz file names it in the variable `FORKING_PATHS_COUNTS` of the
environment; keys are TASK/QUESTION/FIELD with fields t, base, p, c (counts) and cls (class of the
base token).

Beside them stand two simulated sets of the same questions, positions, tokens and numbers of
completions: `planted`, in which outcomes change as often as the paper's saved posteriors say of the
task, and `no change`, in which they never do.

The paper's change-point model is run as the paper runs it, by the package Rbeast, where that is
installed. In Rbeast 0.1.25 the paper's alpha1, alpha2 and burn-in arguments have no effect, and a
seed does not fix the chains: p(m) moves by up to a hundredth from call to call.

Axis letters: Q questions, B branches, T positions, W tokens, K outcomes, M = m_max + 1.
"""

import importlib.util
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

from synthcore.changepoints import conservative, dirichlet_multinomial, posterior
from synthcore.changepoints.posterior import M_MAX
from synthcore.evidence.dataset import labelled
from synthcore.evidence.files import sha256
from synthcore.stages import stage
from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.experiments.detection import beast_like, jittered
from synthcore.studies.forking_paths.measure.analysis import AnalysisError
from synthcore.studies.forking_paths.measure.paths import (
    Paths,
    scaled_survival,
    survival,
    survival_by_noise,
)
from synthcore.studies.forking_paths.task.world import CLASSES
from synthcore.studies.forking_paths.theory import total_variation
from synthcore.training.progress import Progress

VARIABLE = "FORKING_PATHS_COUNTS"
FIELDS = ("t", "base", "p", "c", "cls")
EXAMPLE = "HotpotQA/8076"
MODELS = ("exact DM", "BEAST-like", "Rbeast")
SOURCES = ("released", "planted", "no change")
EPS = tuple(round(0.1 * i, 1) for i in range(1, 11))
JITTERS = 4
APART = 20  # positions between the two estimates that should not agree
CHAINS, SAMPLES = 3, 6000
# Mean number of change points by task, from the posteriors that the paper's authors saved.
PUBLISHED = {
    "AQuA": 1.73, "CoinFlip": 0.10, "GSM8k": 1.50, "HotpotQA": 1.43, "LastLetter": 2.17,
    "MMLU": 1.67, "StoryCloze": 0.87,
}  # fmt: skip
CERTAIN = 0.95  # share of the leading outcome in a planted segment


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
    raw, counts = np.zeros(shape), np.zeros((*shape, max(c.shape[1], 2)))  # one may be unseen
    raw[0, t, place], counts[0, t, place, : c.shape[1]] = p, c
    return Released(name, Paths(torch.from_numpy(raw), torch.from_numpy(counts)), cls.astype(int))


def second_estimate(
    paths: Paths, apart: int = 1
) -> tuple[Float[ndarray, "_"], Float[ndarray, "_"]]:
    """Identity I1 on data: two estimates of o_{t+1}, the base branch at t and all branches at t + 1
    (or `apart` positions on, where they need not agree). Their difference as the largest of any
    outcome in pooled binomial standard deviations, and as total variation, for every t."""
    one, n_one = paths.o_tw[0, :-apart, 0], paths.samples[0, :-apart, 0, None]
    two, n_two = paths.o_t[0, apart:], paths.n_eff[0, apart:, None]
    pooled = (n_one * one + n_two * two) / (n_one + n_two)
    spread = (pooled * (1 - pooled) * (1 / n_one.clamp(min=1) + 1 / n_two)).sqrt()
    off = (one - two).abs()
    z = torch.where(off > 1e-9, off / spread.clamp(min=1e-12), 0.0).amax(-1)
    return z.numpy(), total_variation(one, two).numpy()


# --- the paper's recipe -------------------------------------------------------------------------


def installed() -> bool:
    """Is Rbeast there? It is part of the extra `[bench]`."""
    return importlib.util.find_spec("Rbeast") is not None


def rbeast_p_m(y: Float[ndarray, "T"], seed: int = 0) -> Float[ndarray, "M"]:
    """p(m | y), m = 0..6, by MCMC. `y` is jittered already. Raises ImportError without Rbeast."""
    import Rbeast

    found = Rbeast.beast(
        np.asarray(y, float),
        season="none",
        tcp_minmax=[0, 6],
        torder_minmax=[0, 1],
        tseg_minlength=3,
        precPriorType="constant",
        precValue=20.0,
        mcmc_chains=CHAINS,
        mcmc_samples=SAMPLES,
        mcmc_thin=5,
        mcmc_burbin=1000,  # spelled like this there
        mcmc_seed=seed + 1,
        quiet=True,
        print_param=False,
        print_progress=False,
        print_warning=False,
    )
    p = np.asarray(found.trend.ncpPr, float).ravel()[:7]
    return p / p.sum()


# --- the same questions, simulated --------------------------------------------------------------


def planted(question: Released, changes: int, rng: np.random.Generator) -> Paths:
    """The same tokens and numbers of completions, with so many changes at random places: at each
    the lead passes to the other of two outcomes, whatever the token."""
    length, kinds = question.paths.counts.shape[1], question.paths.counts.shape[-1]
    free = length - 5 * (changes + 1)
    cuts = (
        np.sort(rng.choice(max(free, 0) + changes, changes, replace=False))
        + 5 * np.arange(1, changes + 1)
        - np.arange(changes)
    )
    segment = np.searchsorted(cuts, np.arange(length), side="right")
    share = np.full((length, kinds), (1 - CERTAIN) / (kinds - 1))
    share[np.arange(length), segment % 2] = CERTAIN
    return simulated(question.paths, share, rng)


def without_change(question: Released, rng: np.random.Generator) -> Paths:
    """The same, with the mean of its outcome distributions at every position and token."""
    mean = question.paths.o_t[0].mean(0).numpy()
    share = np.broadcast_to(mean / mean.sum(), question.paths.o_t[0].shape)
    return simulated(question.paths, share, rng)


def simulated(paths: Paths, share: Float[ndarray, "T K"], rng: np.random.Generator) -> Paths:
    """Completions of every branch drawn from `share` of its position, as many as there were."""
    samples = paths.samples[0].numpy().round().astype(int)
    law = np.broadcast_to(share[:, None], (*samples.shape, share.shape[1]))
    counts = rng.multinomial(samples, law)
    return Paths(paths.p, torch.from_numpy(counts).double()[None])


# --- the analysis -------------------------------------------------------------------------------


@stage(reads=("released_runs",), per_seed=False)
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Everything the chapter says about the released runs, one value per question or aggregates by
    task; none unless `released_runs` asks for them. Raises AnalysisError without the file."""
    if not config.released_runs:
        return xr.Dataset(coords={"question": np.array([], dtype=str)})
    named = os.environ.get(VARIABLE, "")
    if not named:
        raise AnalysisError(f"The released counts are needed: name their file in {VARIABLE}.")
    data = analyse(load(Path(named)), progress)
    return data.assign_attrs(released_sha256=sha256(Path(named)))


def analyse(questions: list[Released], progress: Progress) -> xr.Dataset:
    """The same of these questions."""
    rows = []
    for number, question in enumerate(questions):
        same = [q for q in questions[:number] if q.task == question.task]
        rows.append(_row(question, number, changes_of(question.task, len(same))))
        progress("released runs", number + 1, len(questions))
    data = xr.concat(rows, "question").assign_coords(question=[q.name for q in questions])
    data = data.assign(task=("question", [q.task for q in questions]))
    chosen = next((q for q in questions if q.name == EXAMPLE), questions[0])
    found = posterior(dirichlet_multinomial(chosen.paths.pseudo))
    data["example_o"] = (("position", "outcome"), chosen.paths.o_t[0].numpy().astype("float32"))
    data["example_p_tau"] = ("position", found.p_tau[0].numpy().astype("float32"))
    units = {"tokens": "sampled tokens", "length": "tokens", "m": "change points"}
    return labelled(data.assign_attrs(example=chosen.name), units)


def changes_of(task: str, number: int) -> int:
    """How many changes are planted in question `number` of a task, so that their mean is the
    published one.

    >>> [sum(changes_of(task, i) for i in range(30)) for task in ("CoinFlip", "AQuA")]
    [3, 52]
    """
    mean = PUBLISHED.get(task, 1.0)
    return round(mean * (number + 1)) - round(mean * number)


def _row(question: Released, number: int, changes: int) -> xr.Dataset:
    paths, classes = question.paths, question.classes
    rng = np.random.default_rng(number)
    changes = min(changes, paths.p.shape[1] // 5 - 1)
    worlds = (paths, planted(question, changes, rng), without_change(question, rng))
    analysed = [
        _analysed(world, number, classes, JITTERS if i == 0 else 1)
        for i, world in enumerate(worlds)
    ]
    both = xr.concat(analysed, "source").assign_coords(source=list(SOURCES))
    ends = [float(survival(paths, eps)[0, -1]) for eps in EPS]
    noise = [float(survival_by_noise(paths, eps, seed=number)[:, 0, -1].mean()) for eps in EPS]
    left = np.arange(paths.p.shape[1] - 1, -1, -1)
    values = {
        "p_m": ("m", posterior(dirichlet_multinomial(paths.pseudo)).p_m[0].numpy()),
        "length": float(paths.p.shape[1]),
        "branches": float((paths.p > 0).sum()),
        "tokens": float((paths.samples[0].sum(-1).numpy() * left).sum()),
        "start": float(paths.o_t[0, 0].max()),
        "survival": ("eps", ends),
        "survival_by_noise": ("eps", noise),
        "scaled": float(scaled_survival(paths)[0, -1]),
        "classes": ("token_class", np.bincount(classes, minlength=4)[:4].astype(float)),
    }
    coordinates = {"m": np.arange(M_MAX + 1), "eps": list(EPS), "token_class": list(CLASSES)}
    return both.merge(xr.Dataset(values, coordinates))


def _analysed(paths: Paths, number: int, classes: Int[ndarray, "T"], jitters: int) -> xr.Dataset:
    """Change points by three models, what they follow, and whether the two estimates agree."""
    found = posterior(dirichlet_multinomial(paths.pseudo))
    counts, alarms = [found.p_m[0]], [float(found.p_m[0, 0] < 0.1)]
    for model in (_beast_like, _rbeast):
        # the jitter alone moves a share of 231 verdicts by a hundredth: several draws
        draws = torch.stack([model(paths.drift(), 1000 * j + number) for j in range(jitters)])
        counts.append(draws.mean(0))
        alarm = torch.where(draws[:, 0] >= 0, (draws[:, 0] < 0.1).double(), torch.nan)
        alarms.append(float(alarm.mean()))
    p_m = torch.stack(counts)
    cautious = torch.where(p_m.isfinite().all(1), conservative(p_m).double(), torch.nan)
    likely = (found.p_tau[0, 1:] > 0.5).numpy()
    after = np.bincount(classes[: len(likely)][likely], minlength=4)[:4]  # the token that caused it
    z, _ = second_estimate(paths)
    shifted, _ = second_estimate(paths, min(APART, paths.p.shape[1] // 2))
    values = {
        "change_points": ("model", cautious.numpy()),
        "alarm": ("model", alarms),
        "end": float(paths.o_t[0, -1].max()),
        "after": ("token_class", after.astype(float)),
        "agree": float((z <= 3).mean()),
        "agree_apart": float((shifted <= 3).mean()),
    }
    return xr.Dataset(values, {"model": list(MODELS)})


def _beast_like(y: Float[Tensor, "1 T"], seed: int) -> Float[Tensor, "M"]:
    return beast_like(jittered(y, seed))[0][0]


def _rbeast(y: Float[Tensor, "1 T"], seed: int) -> Float[Tensor, "M"]:
    """The paper's recipe; NaN without the package."""
    if not installed():
        return torch.full((M_MAX + 1,), torch.nan, dtype=y.dtype)
    return torch.from_numpy(rbeast_p_m(jittered(y, seed)[0].numpy(), seed))

"""A real language model on this machine, analysed: SmolLM2-135M on CoinFlip and LastLetter.

Answers are kept in a file under the project's `.cache`; the server is started only if something is
missing there, and an interrupted run goes on where it stopped.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from synthcore.changepoints import dirichlet_multinomial, posterior
from synthcore.changepoints.posterior import M_MAX
from synthcore.completions.cache import Cached
from synthcore.completions.protocol import Completion, Request
from synthcore.evidence.files import find_root
from synthcore.studies.forking_paths import live, survival, theory
from synthcore.studies.forking_paths.parameters import Config
from synthcore.studies.forking_paths.pipeline import (
    FPA,
    AnalysisError,
    plan_fpa,
    regex_outcome,
    run_plan,
)
from synthcore.studies.forking_paths.released import HEADLINE_EPS
from synthcore.studies.forking_paths.stage import Progress

TASKS = ("CoinFlip", "LastLetter")
MAX_TOKENS, LONGEST, MOST = 64, 40, 7


class OnDemand:
    """The small model; its server runs only while it is asked something."""

    @property
    def name(self) -> str:
        return live.backend("http://127.0.0.1").name

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        with live.serving() as url:
            yield from live.backend(url).complete(requests)


def answers_file() -> Path:
    """Where answers are kept."""
    return (find_root() or Path.cwd()) / ".cache" / "forking_paths" / "smollm2.jsonl"


def small_model(config: Config, progress: Progress | None = None) -> xr.Dataset:
    """Outcomes and change points of every question, padded to `LONGEST` tokens; a question whose
    greedy answer does not end is left out, as in the paper."""
    backend = Cached(OnDemand(), answers_file())
    read, rows = regex_outcome(live.PATTERN), []
    for task in TASKS:
        for number, question in enumerate(live.questions(task, config.live_questions, 0)):
            try:
                plan = plan_fpa(
                    backend, question.prompt, config.live_samples, config.p_thresh,
                    max_tokens=MAX_TOKENS, stop=live.STOP,
                )  # fmt: skip
            except AnalysisError:
                continue
            named = None if progress is None else lambda d, t, task=task: progress(task, d, t)
            run = run_plan(backend, plan, read, stop=live.STOP, progress=named)
            row = _row(run, question, plan.tokens_expected)
            rows.append(row.assign_coords(live_question=f"{task} {number + 1}"))
    return xr.concat(rows, "live_question")


def _row(run: FPA, question: live.Question, tokens: int) -> xr.Dataset:
    paths = run.paths()
    found = posterior(dirichlet_multinomial(paths.pseudo))
    T = min(len(run.tokens), LONGEST)
    o, p_tau, text = np.full((LONGEST, MOST), np.nan), np.full(LONGEST, np.nan), [""] * LONGEST
    o[:T, : len(run.outcomes)] = paths.o_t[0, :T].numpy()
    p_tau[:T], text[:T] = found.p_tau[0, :T].numpy(), run.tokens[:T]
    names = (*run.outcomes, *[""] * MOST)[:MOST]
    moved = theory.total_variation(paths.o_t[0, :1], paths.o_t[0]).max()
    null = survival.shuffled(paths, 0)
    ends = [float(survival.survival(x, HEADLINE_EPS)[0, -1]) for x in (paths, null)]
    values = {
        "live_o": (("live_position", "live_outcome"), o.astype("float32")),
        "live_p_tau": ("live_position", p_tau.astype("float32")),
        "live_token": ("live_position", np.array(text, dtype=object)),
        "live_name": ("live_outcome", np.array(names, dtype=object)),
        "live_p_m": ("m", found.p_m[0].numpy()),
        "live_moved": float(moved),
        "live_survival": ("control", ends),
        "live_length": float(len(run.tokens)),
        "live_branches": float(len(run.t)),
        "live_tokens": float(tokens),
        "live_right": float(regex_outcome(live.PATTERN)("".join(run.tokens)) == question.answer),
        "live_task": question.task,
    }
    control = {"control": ["observed", "shuffled"], "m": np.arange(M_MAX + 1)}
    return xr.Dataset(values, control)


def one_short_question() -> tuple[str, torch.Tensor]:
    """The server started, one very short prompt analysed: its greedy answer and o_t (T, K)."""
    prompt = "Q: One plus one?\nA: The answer is 2.\n\nQ: Two plus one?\nA: The"
    plan = plan_fpa(OnDemand(), prompt, 5, 0.2, 2, 16, stop=live.STOP)
    run = run_plan(OnDemand(), plan, regex_outcome(live.PATTERN), stop=live.STOP)
    return "".join(run.tokens), run.paths().o_t[0]

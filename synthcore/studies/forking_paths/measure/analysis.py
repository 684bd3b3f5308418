"""Forking Paths Analysis of one question: a greedy answer, every likely other token, samples.

Source: [Bigelow et al. 2024, section 2]. For every position t of the greedy answer and every token
w with p(w) above the threshold (and the greedy token itself), continue the text S times and read
off the outcomes. Only `Backend.complete` is called.

Axis letters: B branches, T positions, W tokens at a position, K outcomes.
"""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from synthcore.completions.protocol import END, PARTIAL, Backend, Completion, Request, ask
from synthcore.studies.forking_paths.measure.paths import Paths

OTHER = "Other"
SHARE, MOST = 0.1, 6
START = -1
CHUNK = 5
OutcomeOf = Callable[[str], str | None]
Done = Callable[[int, int], None]


class AnalysisError(ValueError):
    """The question cannot be analysed as asked; one sentence says why."""


@dataclass(frozen=True)
class Branch:
    """Token w at position t, `END` if it ends the text; `p` as the model gave it."""

    t: int
    token: str
    p: float
    is_base: bool


@dataclass(frozen=True)
class Plan:
    """What a full analysis of one question asks for: `samples` completions of every branch, and
    `start` of the prompt alone.

    `unwritable` counts positions at which a likely token is part of a character: it cannot be
    branched to.
    """

    prompt: str
    base: Completion
    branches: tuple[Branch, ...]
    samples: int
    max_tokens: int
    start: int = 0
    unwritable: int = 0

    @property
    def tokens_expected(self) -> int:
        """Sampled tokens if completions end where the greedy answer does. Tokens that end the text
        count like others."""
        length = len(self.base.tokens)
        left = sum(length - branch.t - 1 for branch in self.branches)
        return self.samples * left + self.start * length

    @property
    def tokens_at_most(self) -> int:
        """Sampled tokens if every completion is cut."""
        return self.max_tokens * (self.samples * len(self.branches) + self.start)


@dataclass(frozen=True)
class FPA:
    """Outcome counts of every branch of one question, sorted by position, base token first; and
    of completions of the prompt alone, if there are any."""

    prompt: str
    tokens: tuple[str, ...]
    outcomes: tuple[str, ...]
    t: Int[ndarray, "B"]
    token: tuple[str, ...]
    p: Float[ndarray, "B"]
    is_base: ndarray
    counts: Int[ndarray, "B K"]
    start: Int[ndarray, "K"] | None = None

    @property
    def w(self) -> Int[ndarray, "B"]:
        """Number of every branch at its position; 0 is the base token."""
        return np.arange(len(self.t)) - np.searchsorted(self.t, self.t)

    def paths(self) -> Paths:
        """As arrays with N = 1. Where all completions had one outcome, a second one, never seen, is
        there as well: that it might have come is what tells a change from none."""
        p = np.zeros((1, len(self.tokens), int(self.w.max()) + 1))
        kinds = max(len(self.outcomes), 2)
        counts = np.zeros((*p.shape, kinds))
        p[0, self.t, self.w] = self.p
        counts[0, self.t, self.w, : len(self.outcomes)] = self.counts
        start = None
        if self.start is not None:
            start = torch.zeros(1, kinds, dtype=torch.float64)
            start[0, : len(self.outcomes)] = torch.from_numpy(self.start)
        return Paths(torch.from_numpy(p), torch.from_numpy(counts), start)


def regex_outcome(pattern: str) -> OutcomeOf:
    """The last match of a pattern in an answer (its first group, if it has one), lower-cased,
    without quotes, final points and white space around it; None where nothing matches.

    >>> regex_outcome("answer is (.+)")("So the answer is 'No'.")
    'no'

    Raises AnalysisError if the pattern is not a regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise AnalysisError(
            f"The outcome pattern '{pattern}' is no regular expression: {error}."
        ) from None

    def outcome(text: str) -> str | None:
        matches = list(compiled.finditer(text))
        if not matches:
            return None
        last = matches[-1]
        return ((last[1] if compiled.groups else last[0]) or "").strip(" \n\t\"'.").lower()

    return outcome


def plan_fpa(
    backend: Backend,
    prompt: str,
    samples: int = 30,
    p_thresh: float = 0.05,
    k_max: int = 10,
    max_tokens: int = 512,
    logprobs: int = 20,
    stop: Sequence[str] = (),
    start: int = 0,
) -> Plan:
    """Ask for the greedy answer and list the branches. Raises AnalysisError if it is not finished
    within `max_tokens` or empty, ServerError if the model cannot be asked."""
    request = Request((prompt,), 1, max_tokens, 0.0, logprobs, 0, tuple(stop))
    base = ask(backend, request)[0]
    if base.finish == "content_filter":
        raise AnalysisError("The greedy answer was stopped by a filter of the server's.")
    if base.finish != "stop":
        raise AnalysisError(
            f"The greedy answer is not finished after {max_tokens} tokens: raise --max-tokens."
        )
    if not base.tokens:
        raise AnalysisError("The greedy answer is empty: there is no path to analyse.")
    branches: list[Branch] = []
    for t, (token, top) in enumerate(zip(base.tokens, base.top, strict=True)):
        if token not in top:
            raise AnalysisError(f"The model gave no probability to its own token '{token}' at {t}.")
        other = sorted(
            (-p, w) for w, p in top.items() if w not in (token, PARTIAL) and p > p_thresh
        )
        branches.append(Branch(t, token, float(top[token]), True))
        branches += [Branch(t, w, float(-p), False) for p, w in other[: k_max - 1]]
    unwritable = sum(top.get(PARTIAL, 0.0) > p_thresh for top in base.top)
    return Plan(prompt, base, tuple(branches), samples, max_tokens, start, unwritable)


def greedy_outcome(plan: Plan, outcome_of: OutcomeOf) -> str:
    """What the pattern reads in the greedy answer. Raises AnalysisError if that is nothing: then it
    would read nothing in the samples either."""
    text = "".join(plan.base.tokens)
    outcome = outcome_of(text)
    if outcome is None:
        raise AnalysisError(
            "The outcome pattern does not match the greedy answer, which ends in "
            f"'…{text.strip()[-80:]}'."
        )
    return outcome


def requests_of(
    plan: Plan, seed: int, chunk: int, stop: Sequence[str]
) -> list[tuple[int, Request]]:
    """Branch number and request of every chunk of samples, those of the prompt alone with number
    `START`; none for tokens that end the text. Seeds depend on branch and chunk only, so a larger
    number of samples extends a smaller one of whole chunks."""
    found = []
    for first in range(0, plan.start, chunk):
        named = _seed(f"{seed}/start/{first}")
        n = min(chunk, plan.start - first)
        request = Request((plan.prompt,), n, plan.max_tokens, 1.0, 0, named, tuple(stop))
        found.append((START, request))
    for number, branch in enumerate(plan.branches):
        if _ended(plan, branch, stop) is not None:
            continue
        prefix = (plan.prompt, *plan.base.tokens[: branch.t], branch.token)
        room = max(plan.max_tokens - branch.t - 1, 1)
        for first in range(0, plan.samples, chunk):
            n = min(chunk, plan.samples - first)
            named = _seed(f"{seed}/{branch.t}/{branch.token}/{first}")
            request = Request(prefix, n, room, 1.0, 0, named, tuple(stop))
            found.append((number, request))
    return found


def _seed(name: str) -> int:
    return zlib.crc32(name.encode()) & 0x7FFFFFFF


def run_plan(
    backend: Backend,
    plan: Plan,
    outcome_of: OutcomeOf,
    seed: int = 0,
    chunk: int = CHUNK,
    stop: Sequence[str] = (),
    outcomes: Sequence[str] | None = None,
    progress: Done | None = None,
) -> FPA:
    """Sample every branch and count outcomes.

    Unless `outcomes` names them, the outcomes are those whose share exceeds 0.1 somewhere on the
    path, at most 6; all else is "Other", and so is what a filter of the server's cut off.

    Raises AnalysisError if no completion has an outcome.
    """
    asked = requests_of(plan, seed, chunk, stop)
    tally: list[Counter[str | None]] = [Counter() for _ in plan.branches]
    start: Counter[str | None] = Counter()
    example = ""
    for number, branch in enumerate(plan.branches):
        ended = _ended(plan, branch, stop)
        if ended is not None:
            tally[number][outcome_of(ended)] = plan.samples
    for done, (index, completions) in enumerate(backend.complete([r for _, r in asked])):
        number, request = asked[index]
        written = "".join(request.prefix[1:])
        counter = start if number == START else tally[number]
        for completion in completions:
            whole = completion.finish != "content_filter"
            counter[outcome_of(written + completion.text) if whole else None] += 1
            example = completion.text
        if progress is not None:
            progress(done + 1, len(asked))
    if all(set(count) <= {None} for count in tally):
        raise AnalysisError(
            f"The outcome pattern matched none of {sum(map(Counter.total, tally))} completions; "
            f"one of them ends in '{example.strip()[-60:]}'."
        )
    names = tuple(outcomes) if outcomes is not None else _frequent(plan, tally)
    column = {name: k for k, name in enumerate(names)}
    counts = np.zeros((1 + len(tally), len(names) + 1), int)
    for row, count in zip(counts, (start, *tally), strict=True):
        for name, number in count.items():
            row[column.get(name or "", len(names))] += number
    if not counts[:, -1].any():
        counts = counts[:, :-1]
    else:
        names = (*names, OTHER)
    b = plan.branches
    return FPA(
        plan.prompt,
        plan.base.tokens,
        names,
        np.array([x.t for x in b]),
        tuple(x.token for x in b),
        np.array([x.p for x in b]),
        np.array([x.is_base for x in b]),
        counts[1:],
        counts[0] if plan.start else None,
    )


def _ended(plan: Plan, branch: Branch, stop: Sequence[str]) -> str | None:
    """The answer, if this token ends it: by a stop text, or as the end of the text."""
    written = "".join(plan.base.tokens[: branch.t])
    if branch.token == END:
        return written
    whole = written + branch.token
    cuts = [whole.index(text) for text in stop if text in whole]
    return whole[: min(cuts)] if cuts else None


def _frequent(plan: Plan, tally: Sequence[Counter[str | None]]) -> tuple[str, ...]:
    """Outcomes with a share above 0.1 at some position, most frequent first."""
    seen = sorted({name for count in tally for name in count if name})
    t = np.array([branch.t for branch in plan.branches])
    p = np.array([branch.p for branch in plan.branches])
    share = np.array([[count[name] / max(count.total(), 1) for name in seen] for count in tally])
    mass = np.bincount(t, p)
    most = np.array([(np.bincount(t, p * column) / mass).max() for column in share.T])
    order = [k for k in np.argsort(-most, kind="stable") if most[k] > SHARE][:MOST]
    return tuple(seen[k] for k in order)


def run_fpa(
    backend: Backend,
    prompt: str,
    outcome_of: OutcomeOf,
    samples: int = 30,
    p_thresh: float = 0.05,
    k_max: int = 10,
    max_tokens: int = 512,
    seed: int = 0,
    stop: Sequence[str] = (),
    outcomes: Sequence[str] | None = None,
    start: int = 0,
) -> FPA:
    """Plan and run one question; see `plan_fpa` and `run_plan`."""
    plan = plan_fpa(backend, prompt, samples, p_thresh, k_max, max_tokens, stop=stop, start=start)
    return run_plan(backend, plan, outcome_of, seed, stop=stop, outcomes=outcomes)

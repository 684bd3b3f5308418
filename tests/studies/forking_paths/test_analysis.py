"""The black-box pipeline: backends against exact outcomes, plans, caches, reports."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from filelock import FileLock
from scipy import stats

from synthcore.completions.cache import Answers, Cached, ReplayBackend
from synthcore.completions.loopback import serving
from synthcore.completions.protocol import END, PARTIAL, Completion, Request, ServerError, ask
from synthcore.studies.forking_paths import theory
from synthcore.studies.forking_paths.measure.analysis import (
    FPA,
    OTHER,
    AnalysisError,
    plan_fpa,
    regex_outcome,
    run_fpa,
    run_plan,
)
from synthcore.studies.forking_paths.measure.report import Findings
from synthcore.studies.forking_paths.task.backend import PROMPT, ForkWorldBackend, answer_of
from synthcore.studies.forking_paths.task.world import ForkWorld

WORLD = ForkWorld(3)
MODEL = ForkWorldBackend(WORLD)


def analysed(backend: object = MODEL, samples: int = 10, **options: object) -> FPA:
    return run_fpa(
        backend, PROMPT, answer_of(WORLD), samples, max_tokens=61, outcomes=WORLD.names, **options
    )


class Scripted:
    """A model whose answers are given: what a test double may be, completions and logprobs only."""

    name = "scripted"

    def __init__(self, base: Completion, answers: Sequence[str] = ("so it is x",)) -> None:
        self.base, self.answers, self.asked = base, answers, 0

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        for index, request in enumerate(requests):
            self.asked += 1
            if request.temperature == 0:
                yield index, [self.base]
            else:
                texts = [self.answers[i % len(self.answers)] for i in range(request.n)]
                yield index, [Completion(text) for text in texts]


class NeverTheSame(Scripted):
    """Every completion has an answer of its own."""

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        for index, completions in super().complete(requests):
            if requests[index].temperature == 0:
                yield index, completions
            else:
                number = 100 * self.asked
                yield index, [Completion(f"so it is {number + i}") for i in range(len(completions))]


# --- ForkWorld as a model ---------------------------------------------------------------------


def test_texts_end_as_the_exact_recursion_says() -> None:
    fork = int(WORLD.forks("fork")[0])
    for prefix in ((), WORLD.base_path()[: fork + 1]):
        request = Request((PROMPT, *prefix), n=600, seed=1)
        read = answer_of(WORLD)
        found = [read("".join(prefix) + c.text) for c in ask(MODEL, request)]
        counts = np.array([found.count(name) for name in WORLD.names])
        expected = 600 * WORLD.exact_o(prefix)
        keep = expected > 1
        merged = counts[keep], expected[keep] * counts[keep].sum() / expected[keep].sum()
        assert stats.chisquare(*merged).pvalue > 1e-3


def test_a_world_reports_its_probabilities_and_keeps_to_limits() -> None:
    greedy = ask(MODEL, Request((PROMPT,), max_tokens=500, temperature=0.0, logprobs=20))[0]
    assert greedy.tokens[:-1] == WORLD.base_path()
    for t in (0, 17, 60):
        tokens, p = WORLD.next(greedy.tokens[:t])
        assert greedy.top[t] == pytest.approx(dict(zip(tokens, p, strict=True)))
    cut = ask(MODEL, Request((PROMPT,), max_tokens=5))[0]
    assert cut.finish == "length"
    few, many = (ask(MODEL, Request((PROMPT,), n=n, seed=9)) for n in (3, 8))
    assert few == many[:3]
    with pytest.raises(ServerError, match="has no probability in forkworld-3"):
        ask(MODEL, Request((PROMPT, " nonsense")))
    broken = ask(ForkWorldBackend(WORLD, unfinished=0.3), Request((PROMPT,), n=400))
    assert 0.2 < np.mean([c.finish == "length" for c in broken]) < 0.4


def test_analysis_finds_the_exact_outcomes_and_grows() -> None:
    small, large = analysed(), analysed(samples=40)
    assert (large.counts >= small.counts).all()
    exact = torch.from_numpy(WORLD.regimes[0].value[:-1])
    error = theory.total_variation(large.paths().o_t[0, :60], exact).mean()
    assert float(error) < 0.1
    bases = large.is_base.nonzero()[0]
    assert large.t[bases].tolist() == list(range(61))
    assert (large.p[~large.is_base] > 0.05).all()
    assert analysed(p_thresh=0.3).counts.sum() < small.counts.sum()


# --- plans and outcomes -----------------------------------------------------------------------

BASE = Completion(
    " a b",
    tokens=(" a", " b"),
    top=({" a": 0.5, " c": 0.3, " d": 0.1, " e": 0.04}, {" b": 0.9, " f": 0.06}),
)


def test_a_plan_lists_likely_tokens_and_what_they_cost() -> None:
    plan = plan_fpa(Scripted(BASE), "q", samples=20, max_tokens=30)
    assert [(b.t, b.token) for b in plan.branches] == [
        (0, " a"), (0, " c"), (0, " d"), (1, " b"), (1, " f"),
    ]  # fmt: skip
    assert plan.tokens_expected == 20 * 3
    assert plan.tokens_at_most == 20 * 30 * 5
    assert len(plan_fpa(Scripted(BASE), "q", k_max=2).branches) == 4
    assert all(branch.is_base for branch in plan_fpa(Scripted(BASE), "q", k_max=1).branches)
    unlikely = Completion(" z", tokens=(" z",), top=({" y": 0.9, " z": 0.01},))
    assert [b.is_base for b in plan_fpa(Scripted(unlikely), "q").branches] == [True, False]


def test_a_part_of_a_character_is_no_branch_and_is_counted() -> None:
    base = Completion(" a b", tokens=(" a", " b"), top=({" a": 0.6, PARTIAL: 0.4}, {" b": 1.0}))
    plan = plan_fpa(Scripted(base), "q")
    assert [branch.token for branch in plan.branches] == [" a", " b"]
    assert plan.unwritable == 1


@pytest.mark.parametrize(
    ("base", "sentence"),
    [
        (Completion(" a", "content_filter", (" a",), ({" a": 1.0},)), "stopped by a filter"),
        (Completion(" a", tokens=(" a",), top=({" b": 0.4},)), "gave no probability to its"),
        (Completion(" a", "length", (" a",), ({" a": 1.0},)), "not finished after 512 tokens"),
        (Completion(""), "greedy answer is empty"),
    ],
)
def test_an_answer_that_cannot_be_analysed_is_refused(base: Completion, sentence: str) -> None:
    with pytest.raises(AnalysisError, match=sentence):
        plan_fpa(Scripted(base), "q")


def test_outcomes_are_named_by_their_share() -> None:
    answers = ["so it is x"] * 5 + ["so it is y"] * 4 + ["so it is z"] + ["no idea"] * 2
    model = Scripted(BASE, answers)
    run = run_plan(model, plan_fpa(model, "q", 12), regex_outcome(r"is (\w)"), chunk=12)
    assert run.outcomes == ("x", "y", OTHER)
    assert run.counts[0].tolist() == [5, 4, 3]
    wide = Scripted(BASE, [f"so it is {c}" for c in "abcdefgh"])
    run = run_plan(wide, plan_fpa(wide, "q", 8), regex_outcome(r"is (\w)"), chunk=8)
    assert run.outcomes == ("a", "b", "c", "d", "e", "f", OTHER)


def test_a_token_that_ends_the_text_is_not_continued() -> None:
    top = {" it is y": 0.5, "\nQ:": 0.2, END: 0.2, ".\n": 0.1}
    base = Completion("so it is y", tokens=("so", " it is y"), top=({"so": 1.0}, top))
    model = Scripted(base)
    run = run_fpa(model, "q", regex_outcome(r"it is (\w)"), 10, stop=("\n",))
    assert model.asked == 1 + 2 * 2
    assert run.outcomes == ("x", OTHER)
    assert run.counts.tolist() == [[10, 0], [10, 0], [0, 10], [0, 10], [0, 10]]


def test_a_pattern_that_never_matches_is_one_sentence() -> None:
    with pytest.raises(AnalysisError, match=r"matched none of 50 completions; one of them ends in"):
        run_fpa(Scripted(BASE), "q", regex_outcome("never (.)"), 10)
    with pytest.raises(AnalysisError, match="no regular expression"):
        regex_outcome("(")


# --- caches -----------------------------------------------------------------------------------


def test_answers_are_asked_for_once(tmp_path: Path) -> None:
    model = Scripted(BASE)
    path = tmp_path / "new" / "answers.jsonl"
    first = run_fpa(Cached(model, path), "q", regex_outcome(r"is (\w)"), 10)
    asked = model.asked
    again = run_fpa(Cached(model, path), "q", regex_outcome(r"is (\w)"), 10)
    assert model.asked == asked == 1 + 5 * 2
    assert (first.counts == again.counts).all()
    run_fpa(Cached(model, path), "q", regex_outcome(r"is (\w)"), 20)
    assert model.asked == asked + 5 * 2
    replay = run_fpa(ReplayBackend(path, "scripted"), "q", regex_outcome(r"is (\w)"), 20)
    assert replay.counts.sum() == 100
    with pytest.raises(ServerError, match="holds no answer to this request of model 'other'"):
        run_fpa(ReplayBackend(path, "other"), "q", regex_outcome("x"), 20)


def test_torn_and_damaged_lines_are_asked_for_again(tmp_path: Path) -> None:
    model, path = Scripted(BASE), tmp_path / "answers.jsonl"
    request = [Request(("q", str(i))) for i in range(4)]
    list(Cached(model, path).complete(request))
    lines = path.read_bytes().splitlines(keepends=True)
    tampered = lines[1].replace(b"so it is x", b"so it is y")
    path.write_bytes(lines[0] + tampered + lines[2] + lines[3][:40])  # killed while writing
    assert Answers(path).damaged == 2
    cached = Cached(model, path)
    assert cached.missing(request) == [1, 3]
    texts = {i: c[0].text for i, c in cached.complete(request)}
    assert texts == dict.fromkeys(range(4), "so it is x")
    assert model.asked == 6
    assert len(Answers(path)) == 4


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    with (
        FileLock(f"{path}.lock"),
        pytest.raises(ServerError, match="Another process is writing"),
    ):
        list(Cached(Scripted(BASE), path).complete([Request(("q",))]))


class Slow:
    """ForkWorld that takes its time and counts what it was asked."""

    name = "slow"

    def __init__(self) -> None:
        self.asked = 0

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        self.asked += len(requests)
        time.sleep(0.02)
        return MODEL.complete(requests)


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    model, out = Slow(), tmp_path / "out"
    (tmp_path / "prompt.txt").write_text(PROMPT + "\n")
    with serving(model, "content") as url:
        command = [sys.executable, "-m", "synthcore", "fork", "--base-url", url, "--model", "slow"]
        command += [
            "--prompt-file",
            str(tmp_path / "prompt.txt"),
            "--outcome-regex",
            r"Answer: (.)",
        ]
        command += ["--out", str(out), "-S", "5", "--p-thresh", "0.3", "--concurrency", "2"]
        first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        answers = out / "answers.jsonl"
        while first.poll() is None and not (
            answers.exists() and answers.read_bytes().count(b"\n") > 20
        ):
            time.sleep(0.01)
        first.kill()
        first.wait()
        kept, asked = len(Answers(answers)), model.asked
        assert kept > 20
        assert not (out / "report.html").exists()
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"{kept - 1} of them answered already" in done.stdout
        assert "Sampled tokens: about" in done.stdout.splitlines()[1]
        total = len(Answers(answers))
        assert model.asked - asked == total - kept + 1  # does it still go on where a text ends?
    page = BeautifulSoup((out / "report.html").read_text(), "html.parser")
    assert "".join(page.select_one(".text").stripped_strings).startswith("river")
    content = json.loads((out / "counts.json").read_text())
    direct = run_fpa(MODEL, PROMPT, regex_outcome(r"Answer: (.)"), 5, 0.3)
    assert [branch["counts"] for branch in content["branches"]] == direct.counts.tolist()


# --- reports ----------------------------------------------------------------------------------


def test_the_report_shows_the_text_and_runs_nothing_from_it() -> None:
    tokens = (" <script>alert(1)</script>", " & b")
    base = Completion(
        "".join(tokens), tokens=tokens, top=({tokens[0]: 0.9}, {tokens[1]: 0.6, " c": 0.4})
    )
    model = Scripted(base, ["so it is <i>"])
    run = run_fpa(model, "q <b>?", regex_outcome(r"is (.+)"), 5)
    page = BeautifulSoup(Findings(run).to_html("m<x>", "5"), "html.parser")
    assert page.find("script") is None
    assert page.select_one(".prompt").text == "q <b>?"
    assert [span.text for span in page.select(".text span")] == list(tokens)
    assert page.select_one(".key").text.strip() == "<i>"
    assert page.select_one("svg")["role"] == "img"
    assert len(page.select("table tr")) == 2
    about = Findings(analysed()).summary()
    assert about["p_change"] == pytest.approx(1 - about["p_m"][0])
    assert 0 <= about["survival"] <= 1


@pytest.mark.parametrize("length", [1, 2, 5, 7, 40])
@pytest.mark.parametrize("answer", ["so it is x", "many"])
def test_what_an_analysis_cannot_say_is_said_and_never_nan(length: int, answer: str) -> None:
    """One outcome, too few tokens, answers that are all different: no probability of a change that
    is only the prior's."""
    tokens = tuple(f" w{t}" for t in range(length))
    base = Completion(
        "".join(tokens), tokens=tokens, top=tuple({w: 0.9, " v": 0.08} for w in tokens)
    )
    model = Scripted(base, [answer]) if answer != "many" else NeverTheSame(base)
    found = Findings(run_fpa(model, "q", regex_outcome(r"is (\w+)"), 20))
    about = found.summary()
    assert "NaN" not in found.to_json()
    assert about["survival"] == about["survival_by_noise"] == 1
    if answer == "many":
        assert about["p_change"] is None
        assert "too varied" in found.sentence()
        assert "P(the outcomes change" not in found.sentence()
    else:
        assert about["p_change"] < 0.05
        assert "completions have one outcome, 'x'" in found.sentence()
    assert found.sentence().split(". ")[0] in found.to_html("m", "").replace("&#x27;", "'")


def test_short_answers_are_said_to_be_short() -> None:
    base = Completion(" a b", tokens=(" a", " b"), top=({" a": 0.6, " c": 0.4}, {" b": 0.9}))
    found = Findings(
        run_fpa(Scripted(base, ["it is x", "it is y"]), "q", regex_outcome(r"is (\w)"), 10)
    )
    assert "has 2 tokens. A change needs 3 on each side" in found.sentence()
    assert found.summary()["p_change"] == 0


def test_the_prompt_alone_is_sampled_as_the_paper_does() -> None:
    read = answer_of(WORLD)
    run = run_fpa(MODEL, PROMPT, read, 5, max_tokens=61, outcomes=WORLD.names, start=300)
    assert run.start is not None
    assert run.start.sum() == 300
    spread = np.sqrt(WORLD.exact_o(()) / 300) + 1e-3
    assert (np.abs(run.start / 300 - WORLD.exact_o(())) < 4 * spread).all()
    again = run_fpa(MODEL, PROMPT, read, 5, max_tokens=61, outcomes=WORLD.names)
    assert again.start is None
    assert (again.counts == run.counts).all()
    plan = plan_fpa(MODEL, PROMPT, 5, max_tokens=61, start=300)
    less = plan_fpa(MODEL, PROMPT, 5, max_tokens=61)
    assert plan.tokens_expected - less.tokens_expected == 300 * 61

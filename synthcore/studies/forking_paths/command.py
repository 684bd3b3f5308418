"""`synthcore fork`: the analysis of one question for any server with an OpenAI-like `/completions`.

The command line finds `app` by the package's COMMAND. What it needs beyond option parsing is
imported when it runs.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from synthcore.completions.protocol import Backend
    from synthcore.studies.forking_paths.pipeline import FPA, Plan

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def fork(
    base_url: Annotated[str, typer.Option(help="the server, such as http://127.0.0.1:8080/v1")],
    model: Annotated[str, typer.Option(help="the name the server knows the model by")],
    prompt_file: Annotated[Path, typer.Option(help="a text file: the prompt, as it is")],
    outcome_regex: Annotated[
        str, typer.Option(help="its last match in an answer (first group) is the outcome")
    ],
    out: Annotated[Path, typer.Option(help="folder for the cache, the counts and the report")],
    samples: Annotated[
        int, typer.Option("-S", "--samples", min=1, help="completions per branch")
    ] = 30,
    p_thresh: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="branch to tokens of higher probability")
    ] = 0.05,
    k_max: Annotated[int, typer.Option(min=1, help="most tokens tried at a position")] = 10,
    max_tokens: Annotated[int, typer.Option(min=1, help="longest answer, in tokens")] = 512,
    logprobs: Annotated[
        int, typer.Option(min=1, help="likely tokens to ask for; some servers allow 5")
    ] = 20,
    stop: Annotated[
        list[str] | None, typer.Option(help="text that ends an answer; repeatable")
    ] = None,
    eps: Annotated[float, typer.Option(min=0.0, help="L2 distance that counts as a hazard")] = 0.6,
    seed: Annotated[int, typer.Option(min=0, help="decides the samples")] = 0,
    n_per_request: Annotated[int, typer.Option(min=1, help="completions asked for at once")] = 5,
    concurrency: Annotated[int, typer.Option(min=1, help="requests on their way at once")] = 4,
    retries: Annotated[int, typer.Option(min=0, help="times a failed request is repeated")] = 5,
    timeout: Annotated[float, typer.Option(min=1, help="seconds to wait for one answer")] = 300.0,
    api_key_env: Annotated[
        str | None, typer.Option(help="environment variable that holds the key")
    ] = None,
    body: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=JSON", help="a further field of every request"),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=0, help="stop if more sampled tokens than this are expected")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="print the token budget and stop")] = False,
) -> None:
    """Where does a model's answer make up its mind? Resample it from every token."""
    from synthcore.completions.cache import Cached
    from synthcore.completions.client import HTTPBackend
    from synthcore.completions.protocol import ServerError
    from synthcore.studies.forking_paths.pipeline import AnalysisError, plan_fpa, regex_outcome

    try:
        outcome_of = regex_outcome(outcome_regex)
    except AnalysisError as error:
        _leave(str(error), 2)
    prompt, extra, key = _prompt(prompt_file), _fields(body or []), _key(api_key_env)
    out.mkdir(parents=True, exist_ok=True)
    server = HTTPBackend(
        base_url, model, api_key=key, concurrency=concurrency, retries=retries, timeout=timeout,
        extra=extra,
    )  # fmt: skip
    backend = Cached(server, out / "answers.jsonl")
    if backend.answers.damaged:
        _say(f"{backend.path}: {backend.answers.damaged} damaged lines are ignored.")
    ends = tuple(stop or ())
    try:
        plan = plan_fpa(backend, prompt, samples, p_thresh, k_max, max_tokens, logprobs, ends)
        left = _print_budget(backend, plan, seed, n_per_request, ends)
        if budget is not None and plan.tokens_expected > budget:
            _leave(
                f"{plan.tokens_expected:,} tokens are expected, more than --budget {budget:,}.", 2
            )
        if dry_run:
            return
        run = _sample(backend, plan, outcome_of, seed, n_per_request, ends, left)
    except (ServerError, AnalysisError) as error:
        _leave(f"{error} {len(backend.answers)} answers are kept in {backend.path}.", 1)
    except KeyboardInterrupt:
        _leave(
            f"Interrupted; the same command goes on: {len(backend.answers)} answers are kept.", 1
        )
    _report(run, out, model, samples, p_thresh, eps)


def _print_budget(backend: Any, plan: "Plan", seed: int, chunk: int, stop: tuple[str, ...]) -> int:
    from synthcore.studies.forking_paths.pipeline import requests_of

    asked = [request for _, request in requests_of(plan, seed, chunk, stop)]
    left = len(backend.missing(asked))
    print(
        f"Greedy answer: {len(plan.base.tokens)} tokens, {len(plan.branches)} branches x "
        f"{plan.samples} completions.\n"
        f"Sampled tokens: about {plan.tokens_expected:,}, at most {plan.tokens_at_most:,}; "
        f"{len(asked)} requests, {len(asked) - left} of them answered already.",
        flush=True,
    )
    return left


def _sample(
    backend: "Backend",
    plan: "Plan",
    outcome_of: Any,
    seed: int,
    chunk: int,
    stop: tuple[str, ...],
    left: int,
) -> "FPA":
    from rich.console import Console
    from rich.progress import Progress

    from synthcore.studies.forking_paths.pipeline import run_plan

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"sampling ({left} requests)", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return run_plan(backend, plan, outcome_of, seed, chunk, stop, progress=progress)


def _report(run: "FPA", out: Path, model: str, samples: int, p_thresh: float, eps: float) -> None:
    from synthcore.evidence.files import write_atomic
    from synthcore.studies.forking_paths.report import Findings

    found = Findings(run, eps)
    counted = f"{samples} completions after each of {len(run.t)} tokens above {p_thresh:g}"
    write_atomic(out / "counts.json", found.to_json())
    write_atomic(out / "report.html", found.to_html(model, counted))
    print(f"{found.sentence()} Report: {out / 'report.html'}")


def _prompt(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _leave(f"Cannot read the prompt in {path}: {error}.", 2)
    if not text.strip():
        _leave(f"The prompt in {path} is empty.", 2)
    return text.removesuffix("\n")


def _fields(pairs: list[str]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            found[name] = json.loads(value)
        except ValueError:
            _leave(f"--set {pair}: {value if equals else 'the value'} is no JSON.", 2)
    return found


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable)
    if not key:
        _leave(f"The environment variable {variable} of --api-key-env is not set.", 2)
    return key


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _leave(message: str, code: int) -> NoReturn:
    _say(f"Error: {message}")
    raise typer.Exit(code)

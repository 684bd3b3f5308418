"""`synthcore fork`: the analysis of one question for a model behind a server.

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
    from synthcore.completions.cache import Cached
    from synthcore.completions.client import HTTPBackend
    from synthcore.studies.forking_paths.measure.analysis import FPA, OutcomeOf, Plan

SHORT = 11
# What to change, by what an error is about.
HINTS = {
    "n": "Lower --n-per-request, to 1 if need be.",
    "logprobs": "Lower --logprobs: some servers allow 5, some fewer.",
    "no logprobs": "Say which kind it is with --server, or ask by chat completions with --chat.",
    "max_tokens": "Lower --max-tokens, or shorten the prompt.",
    "temperature": "If it is TGI, say --server tgi, without --chat.",
    "extra": "--set NAME=null leaves a field out.",
    "stop": "Give fewer --stop.",
    "model": "Are --base-url (or --path) and --model right?",
    "base_url": "Change --base-url.",
    "chat": "Ask by chat completions with --chat.",
    "thinking": "Raise --max-tokens, or turn thinking off; for many servers with "
    "--set 'chat_template_kwargs={\"enable_thinking\": false}'.",
    "api_key": "Name the variable that holds the key with --api-key-env, and the header it belongs "
    "into with --api-key-header.",
    "patience": "Raise --patience, or go on later with the same command.",
    "continues": "Try another --server, or without --chat a server of plain completions.",
}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def fork(
    base_url: Annotated[str, typer.Option(help="the server, such as http://127.0.0.1:8080/v1")],
    model: Annotated[str, typer.Option(help="the name the server knows the model by")],
    prompt_file: Annotated[
        Path, typer.Option(help="a text file: the prompt, as it is, with a final newline if it has")
    ],
    outcome_regex: Annotated[
        str,
        typer.Option(
            help="its last match in an answer (first group) is the outcome; tried on the greedy "
            "answer before anything is sampled"
        ),
    ],
    out: Annotated[Path, typer.Option(help="folder for the cache, the counts and the report")],
    server: Annotated[
        str,
        typer.Option(
            help="its kind: auto asks the server; openai, vllm (also SGLang), llama.cpp (asked "
            "with top_k=0 min_p=0, as it cuts off unlikely tokens by default), ollama, tgi, "
            "mistral, deepseek"
        ),
    ] = "auto",
    chat: Annotated[
        bool,
        typer.Option(
            "--chat",
            help="ask by chat completions: the prompt is the user's message, the answer so far the "
            "beginning of the assistant's; for servers that continue it",
        ),
    ] = False,
    path: Annotated[
        str | None,
        typer.Option(help="after --base-url, in place of /v1/completions, such as /llm/complete"),
    ] = None,
    samples: Annotated[
        int, typer.Option("-S", "--samples", min=1, help="completions per branch")
    ] = 30,
    start: Annotated[
        int, typer.Option(min=0, help="completions of the prompt alone; the paper has 300")
    ] = 0,
    p_thresh: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="branch to tokens of higher probability")
    ] = 0.05,
    k_max: Annotated[int, typer.Option(min=1, help="most tokens tried at a position")] = 10,
    max_tokens: Annotated[int, typer.Option(min=1, help="longest answer, in tokens")] = 512,
    logprobs: Annotated[
        int, typer.Option(min=1, help="likely tokens to ask for; some servers allow 5")
    ] = 20,
    stop: Annotated[
        list[str] | None,
        typer.Option(help=r"text that ends an answer, \n for a newline; repeatable"),
    ] = None,
    eps: Annotated[float, typer.Option(min=0.0, help="L2 distance that counts as a hazard")] = 0.6,
    seed: Annotated[int, typer.Option(min=0, help="decides the samples")] = 0,
    n_per_request: Annotated[int, typer.Option(min=1, help="completions asked for at once")] = 5,
    concurrency: Annotated[int, typer.Option(min=1, help="requests on their way at once")] = 4,
    retries: Annotated[int, typer.Option(min=0, help="times a failed request is repeated")] = 5,
    timeout: Annotated[float, typer.Option(min=1, help="seconds to wait for one answer")] = 300.0,
    patience: Annotated[
        float, typer.Option(min=0, help="longest wait in seconds that the server may ask for")
    ] = 600.0,
    api_key_env: Annotated[
        str | None, typer.Option(help="environment variable that holds the key")
    ] = None,
    api_key_header: Annotated[
        str | None,
        typer.Option(help="header for the key, such as api-key; else Authorization, as a bearer's"),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="'NAME: VALUE'", help="a further header; repeatable, never shown"),
    ] = None,
    body: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=JSON",
            help="a further field of every request; null leaves one out; repeatable",
        ),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=0, help="stop if more sampled tokens than this are expected")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="ask for the greedy answer, say what the rest costs, stop"),
    ] = False,
) -> None:
    """Where does a model's answer make up its mind? Resample it from every token.

    A fork is looked for where at least three tokens stand on each side of it. An answer of fewer
    than 11 tokens has hardly a place for one: let the model reason before it answers.
    """
    from synthcore.completions.address import AddressError
    from synthcore.completions.cache import Cached
    from synthcore.completions.client import HTTPBackend
    from synthcore.completions.protocol import ServerError
    from synthcore.studies.forking_paths.measure.analysis import (
        AnalysisError,
        greedy_outcome,
        plan_fpa,
        regex_outcome,
    )

    try:
        outcome_of = regex_outcome(outcome_regex)
        client = HTTPBackend(
            base_url, model, server=server, chat=chat, path=path, api_key=_key(api_key_env),
            api_key_header=api_key_header, headers=_headers(header or []), concurrency=concurrency,
            retries=retries, timeout=timeout, patience=patience, extra=_fields(body or []),
            say=_say,
        )  # fmt: skip
    except AddressError as error:
        _leave(f"{error} See --base-url and --path.", 2)
    except ValueError as error:  # AnalysisError is one
        _leave(str(error), 2)
    prompt = _prompt(prompt_file)
    try:
        out.mkdir(parents=True, exist_ok=True)
        backend = Cached(client, out / "answers.jsonl")
    except OSError as error:
        _leave(f"Cannot keep answers in the folder --out {out}: {error.strerror}.", 2)
    if backend.answers.damaged:
        _say(f"{backend.path}: {backend.answers.damaged} damaged lines are ignored.")
    ends = tuple(text.replace(r"\n", "\n") for text in stop or ())
    try:
        plan = plan_fpa(
            backend, prompt, samples, p_thresh, k_max, max_tokens, logprobs, ends, start
        )
        outcome = greedy_outcome(plan, outcome_of)
        left = _print_cost(backend, plan, outcome, seed, n_per_request, ends)
        if budget is not None and plan.tokens_expected > budget:
            _leave(
                f"{plan.tokens_expected:,} tokens are expected, more than --budget {budget:,}.", 2
            )
        if dry_run:
            return
        run = _sample(client, backend, plan, outcome_of, seed, n_per_request, ends, left)
        _report(run, out, model, samples, p_thresh, eps)
    except (ServerError, AnalysisError) as error:
        hint = HINTS.get(getattr(error, "about", None) or "", "")
        kept = f"Answers kept in {backend.path}: {len(backend.answers)}."
        _leave(" ".join(filter(None, (f"{str(error).rstrip('.')}.", hint, kept))), 1)
    except OSError as error:
        _leave(f"Cannot write into --out {out}: {error.strerror}.", 1)
    except KeyboardInterrupt:
        _leave(f"Interrupted; the same command goes on. Answers kept: {len(backend.answers)}.", 1)


def _print_cost(
    backend: "Cached", plan: "Plan", outcome: str, seed: int, chunk: int, stop: tuple[str, ...]
) -> int:
    """What sampling takes; how many requests are left."""
    from synthcore.studies.forking_paths.measure.analysis import requests_of

    asked = [request for _, request in requests_of(plan, seed, chunk, stop)]
    left = backend.missing(asked)
    length = len(plan.base.tokens)
    read = sum(len(asked[i].text) for i in left) * length / len(plan.base.text)
    print(
        f"Greedy answer: {length} tokens, outcome '{outcome}'; {len(plan.branches)} branches x "
        f"{plan.samples} completions{_and_start(plan.start)}.\n"
        f"Sampled tokens: about {plan.tokens_expected:,}, at most {plan.tokens_at_most:,}.\n"
        f"Requests: {len(asked)}, {len(asked) - len(left)} of them answered already; those left "
        f"read about {read:,.0f} tokens of prompts.",
        flush=True,
    )
    if length < SHORT:
        _say(
            f"The greedy answer has {length} tokens. A fork needs three on each side, and an "
            f"answer of fewer than {SHORT} has hardly a place for one: let the model reason first."
        )
    if plan.unwritable:
        _say(
            f"Likely tokens that are only part of a character, at {plan.unwritable} of {length} "
            "positions, are left out."
        )
    return len(left)


def _sample(
    client: "HTTPBackend",
    backend: "Cached",
    plan: "Plan",
    outcome_of: "OutcomeOf",
    seed: int,
    chunk: int,
    stop: tuple[str, ...],
    left: int,
) -> "FPA":
    from rich.console import Console
    from rich.progress import Progress

    from synthcore.completions.protocol import check_continues
    from synthcore.studies.forking_paths.measure.analysis import run_plan

    if left and (lost := check_continues(client, plan.prompt, plan.base)):
        _say(lost)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"sampling ({left} requests)", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return run_plan(backend, plan, outcome_of, seed, chunk, stop, progress=progress)


def _report(run: "FPA", out: Path, model: str, samples: int, p_thresh: float, eps: float) -> None:
    from synthcore.evidence.files import write_atomic
    from synthcore.studies.forking_paths.measure.report import Findings

    found = Findings(run, eps)
    start = 0 if run.start is None else int(run.start.sum())
    counted = f"{samples} completions after each of {len(run.t)} tokens above {p_thresh:g}"
    counted += _and_start(start)
    write_atomic(out / "counts.json", found.to_json())
    write_atomic(out / "report.html", found.to_html(model, counted))
    print(f"{found.sentence()} Report: {out / 'report.html'}")


def _and_start(start: int) -> str:
    return f" and {start} of the prompt alone" if start else ""


def _prompt(path: Path) -> str:
    """The file's text; line ends, too, are as they are."""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        _leave(f"Cannot read the prompt in {path}: {error}.", 2)
    if not text.strip():
        _leave(f"The prompt in {path} is empty.", 2)
    if text.endswith("\n"):
        _say("The prompt ends in a newline, which the model reads as well.")
    return text


def _fields(pairs: list[str]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        try:
            found[name] = json.loads(value)
        except ValueError:
            _leave(f"--set {pair}: {value if equals else 'the value'} is no JSON.", 2)
    return found


def _headers(lines: list[str]) -> dict[str, str]:
    found = {}
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if not colon:
            _leave(f"--header number {number} has no colon: it looks like 'NAME: VALUE'.", 2)
        found[name.strip()] = value
    return found


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        _leave(f"The environment variable {variable} of --api-key-env is not set.", 2)
    if not (key.isascii() and key.isprintable()):
        _leave(f"The key in {variable} (--api-key-env) has characters that no key has.", 2)
    return key


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _leave(message: str, code: int) -> NoReturn:
    _say(f"Error: {message}")
    raise typer.Exit(code)

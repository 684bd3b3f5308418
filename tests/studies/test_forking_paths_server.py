"""Servers that are down, busy, or answer nonsense; both dialects; the command's refusals."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from synthcore.completions.client import HTTPBackend
from synthcore.completions.dialects import MalformedError, read_choices
from synthcore.completions.loopback import serving
from synthcore.completions.protocol import Request, ServerError, ask
from synthcore.press.cli import main
from synthcore.press.studies import study_commands
from synthcore.studies.forking_paths.pipeline import run_fpa
from synthcore.studies.forking_paths.task import ForkWorld
from synthcore.studies.forking_paths.worlds import PROMPT, ForkWorldBackend, answer_of

GOOD = {"choices": [{"text": "x", "finish_reason": "stop"}]}


class Server:
    """Answers in turn, the last one for ever; keeps what it was sent."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.sent = list(answers), []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def backend(self, **options: Any) -> HTTPBackend:
        quick = {"retries": 3, "pause": 0.001} | options
        return HTTPBackend("http://nowhere", "m", transport=httpx.MockTransport(self), **quick)


def good() -> httpx.Response:
    return httpx.Response(200, json=GOOD)


def test_the_request_is_what_the_interface_wants() -> None:
    server = Server(good())
    backend = server.backend(api_key="k", extra={"top_k": 0})
    request = Request(("a ", "b"), 1, 7, 0.5, 3, 11, ("\n",))
    with pytest.raises(ServerError, match="sent no logprobs"):
        ask(backend, request)
    assert server.sent[0].url == "http://nowhere/v1/completions"
    assert server.sent[0].headers["authorization"] == "Bearer k"
    assert json.loads(server.sent[0].content) == {
        "model": "m", "prompt": "a b", "n": 1, "max_tokens": 7, "temperature": 0.5, "top_p": 1.0,
        "seed": 11, "logprobs": 3, "stop": ["\n"], "top_k": 0,
    }  # fmt: skip
    assert HTTPBackend("http://x/v1/", "m").url == "http://x/v1/completions"
    assert backend.name != HTTPBackend("http://nowhere", "m").name  # other answers, another cache


@pytest.mark.parametrize(
    "fault",
    [
        lambda: httpx.Response(429, headers={"retry-after": "0.001"}),
        lambda: httpx.Response(500, text="oops"),
        lambda: httpx.Response(200, text="{not json"),
        lambda: httpx.Response(200, json={"object": "error"}),
        lambda: httpx.Response(200, json={"choices": [{"text": 5}]}),
        lambda: httpx.ConnectError("refused"),
        lambda: httpx.ReadTimeout("slow"),
    ],
)
def test_passing_faults_are_outlived(fault: Callable[[], Any]) -> None:
    server = Server(fault(), fault(), good())
    assert ask(server.backend(), Request(("q",)))[0].text == "x"
    assert len(server.sent) == 3


@pytest.mark.parametrize(
    ("fault", "sentence", "attempts"),
    [
        (
            httpx.ConnectError("refused"),
            r"did not answer in 4 attempts; .* ConnectError refused",
            4,
        ),
        (httpx.Response(503), r"did not answer in 4 attempts; the last time: status 503", 4),
        (httpx.Response(429, text="slow down"), r"status 429 slow down", 4),
        (httpx.Response(200, text="<html>"), r"no JSON", 4),
        (httpx.Response(401), r"refused the key \(status 401\)", 1),
        (httpx.Response(403), r"refused the key \(status 403\)", 1),
        (httpx.Response(404), r"does not exist \(status 404\)", 1),
        (httpx.Response(400, text="n is too large"), r"status 400\): n is too large", 1),
        (httpx.Response(200, json={"choices": []}), r"1 completions were asked .* 0 came", 1),
    ],
)
def test_lasting_faults_end_in_one_sentence(fault: Any, sentence: str, attempts: int) -> None:
    server = Server(fault)
    with pytest.raises(ServerError, match=sentence) as caught:
        ask(server.backend(), Request(("q",)))
    assert "\n" not in str(caught.value)
    assert len(server.sent) == attempts


def test_what_arrived_before_a_fault_is_kept() -> None:
    server = Server(good(), good(), httpx.Response(401))
    answers = server.backend(concurrency=1).complete([Request((c,)) for c in "abcd"])
    assert [next(answers)[0], next(answers)[0]] == [0, 1]
    with pytest.raises(ServerError, match="401"):
        next(answers)


def test_whoever_has_had_enough_leaves_nothing_behind() -> None:
    sent = []

    async def slowly(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        await asyncio.sleep(0.05)
        return good()

    backend = HTTPBackend("http://x", "m", transport=httpx.MockTransport(slowly), concurrency=2)
    threads = threading.active_count()
    answers = backend.complete([Request((str(i),)) for i in range(40)])
    next(answers)
    answers.close()
    assert len(sent) < 8
    assert threading.active_count() == threads


@pytest.mark.parametrize("dialect", ["legacy", "content"])
def test_a_server_gives_what_its_model_gives(dialect: str) -> None:
    world = ForkWorld(5)
    model = ForkWorldBackend(world)

    def analyse(backend: Any) -> Any:
        return run_fpa(
            backend, PROMPT, answer_of(world), 5, 0.2, max_tokens=61, outcomes=world.names
        )

    with serving(model, dialect) as url:
        found = analyse(HTTPBackend(url, model.name))
        with pytest.raises(ServerError, match="has no probability"):
            ask(HTTPBackend(url, "m"), Request((PROMPT, " zebra")))
        with pytest.raises(ServerError, match="404"):
            ask(HTTPBackend(url + "/deeper", "m"), Request((PROMPT,)))
    direct = analyse(model)
    assert (found.counts == direct.counts).all()
    assert found.p == pytest.approx(direct.p)


# --- dialects ---------------------------------------------------------------------------------


def entry(raw: bytes, logprob: float, *top: tuple[bytes, float]) -> dict[str, Any]:
    token = raw.decode(errors="replace")
    others = [{"token": w.decode(errors="replace"), "bytes": list(w), "logprob": v} for w, v in top]
    return {"token": token, "bytes": list(raw), "logprob": logprob, "top_logprobs": others}


def test_parts_of_characters_are_joined() -> None:
    euro = "€".encode()
    content = [
        entry(b" a", -0.1, (b" a", -0.1), (b" b", -2.4)),
        entry(euro[:1], -0.2, (euro[:1], -0.2), (b" c", -1.0)),
        entry(euro[1:], 0.0, (euro[1:], 0.0)),
    ]
    choice = {"text": " a€", "finish_reason": "stop", "logprobs": {"content": content}}
    found = read_choices({"choices": [choice]}, 1, True)[0]
    assert found.tokens == (" a", "€")
    assert set(found.top[0]) == {" a", " b"}
    assert set(found.top[1]) == {" c", "€"}


def test_end_of_text_and_stop_words_are_no_tokens() -> None:
    given = {
        "tokens": [" a", " b", "<end>"],
        "token_logprobs": [-0.1, -0.2, -0.3],
        "top_logprobs": [{" a": -0.1}, {" b": -0.2}, {"<end>": -0.3}],
    }
    choice = {"text": " a b", "finish_reason": "stop", "logprobs": given}
    assert read_choices({"choices": [choice]}, 1, True)[0].tokens == (" a", " b")
    with pytest.raises(ServerError, match="do not spell its text"):
        read_choices({"choices": [choice | {"text": " c d"}]}, 1, True)
    with pytest.raises(MalformedError):
        read_choices({"choices": [choice | {"logprobs": {"tokens": 3}}]}, 1, True)


# --- the command ------------------------------------------------------------------------------


def left(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(["fork", *arguments])
    return int(caught.value.code or 0), capsys.readouterr().err


def test_the_command_is_found_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert study_commands()["fork"] == "forking_paths"
    code, _ = left(capsys, "-h")
    assert code == 0
    with pytest.raises(SystemExit):
        main(["-h"])
    assert "fork" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"--prompt-file": "absent.txt"}, 2, "Cannot read the prompt in"),
        ({"--outcome-regex": "("}, 2, "is no regular expression"),
        ({"--set": "top_k"}, 2, "the value is no JSON"),
        ({"--api-key-env": "NO_SUCH_VARIABLE"}, 2, "NO_SUCH_VARIABLE of --api-key-env is not set"),
        ({"--retries": "0"}, 1, "did not answer in 1 attempts"),
    ],
)
def test_bad_input_is_one_sentence(
    change: dict[str, str],
    code: int,
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("q")
    options = {
        "--base-url": "http://127.0.0.1:1", "--model": "m", "--prompt-file": str(prompt),
        "--outcome-regex": "x", "--out": str(tmp_path / "out"),
    } | change  # fmt: skip
    found, said = left(capsys, *(part for pair in options.items() for part in pair))
    assert found == code
    assert sentence in said
    assert said.startswith("Error: ")
    assert said.count("\n") == 1

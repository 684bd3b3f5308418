"""Servers that are down, busy, moved, or answer nonsense: what is asked again, and what is said."""

import asyncio
import email.utils
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from synthcore.completions.client import HTTPBackend
from synthcore.completions.loopback import serving
from synthcore.completions.protocol import Request, ServerError, ask
from synthcore.studies.forking_paths.measure.analysis import run_fpa
from synthcore.studies.forking_paths.task.backend import PROMPT, ForkWorldBackend, answer_of
from synthcore.studies.forking_paths.task.world import ForkWorld

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
        lambda: httpx.Response(200, json={"error": {"message": "out of memory"}}),
        lambda: httpx.Response(
            200, stream=httpx.ByteStream(b"no gzip"), headers={"content-encoding": "gzip"}
        ),
        lambda: httpx.Response(200, json={"choices": [{"text": "x", "finish_reason": "abort"}]}),
        lambda: httpx.Response(200, text='data: {"choices": [{"text": "x"}]}\n\n'),  # cut off
        lambda: httpx.RemoteProtocolError("server disconnected"),
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
        (httpx.Response(404), r"does not exist \(status 404\)", 2),  # is there a chat?
        (httpx.Response(400, text="n is too large"), r"status 400\): n is too large", 1),
        (
            httpx.Response(200, json={"error": {"message": "out\nof memory"}}),
            r"in 4 attempts; the last time: an error in place of an answer: out of memory\.$",
            4,
        ),
        (
            httpx.Response(200, json={"error": {"code": 400, "message": "prompt too long"}}),
            r"status 400\): prompt too long",
            1,
        ),
        (
            httpx.Response(200, json={"object": "error", "message": "overloaded"}),
            r"in place of an answer: overloaded",
            4,
        ),
        (
            httpx.Response(200, json={"choices": [{"text": "x", "finish_reason": "abort"}]}),
            r"4 attempts; the last time: The server broke a completion off",
            4,
        ),
        (httpx.Response(200, json={"choices": [{"text": None}]}), r"sent no text", 1),
        (httpx.Response(302), r"redirects in a circle", 6),
        (httpx.Response(200, json={"choices": []}), r"1 completions were asked .* 0 came", 1),
    ],
)
def test_lasting_faults_end_in_one_sentence(fault: Any, sentence: str, attempts: int) -> None:
    server = Server(fault)
    with pytest.raises(ServerError, match=sentence) as caught:
        ask(server.backend(), Request(("q",)))
    assert "\n" not in str(caught.value)
    assert len(server.sent) == attempts


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("n must be between 1 and 4", "n"),
        ("best_of is not supported", "n"),
        ("logprobs must be at most 5", "logprobs"),
        ("`top_n_tokens` must be <= 5", "logprobs"),
        ("This model's context length is 4096", "max_tokens"),
        ("`temperature` must be strictly positive", "temperature"),
        ("Unrecognized request argument supplied: top_k", "extra"),
        ("enough of this", None),
    ],
)
def test_a_refusal_says_what_it_is_about(words: str, about: str | None) -> None:
    server = Server(httpx.Response(422, json={"error": {"message": words}}))
    with pytest.raises(ServerError, match="status 422") as caught:
        ask(server.backend(), Request(("q",)))
    assert caught.value.about == about


# --- addresses, redirects, waits ----------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://host", "http://", "http://h:port", "http://[::1", "nohost"]
)
def test_an_address_that_cannot_be_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="address is malformed"):
        HTTPBackend(url, "m")
    with pytest.raises(ValueError, match="path is malformed"):
        HTTPBackend("http://h", "m", path="/a\x00b")


def test_a_server_that_moved_is_followed_with_its_key_on_its_own_host_only() -> None:
    moved = httpx.Response(307, headers={"location": "/there/v1/completions"})
    server = Server(moved, good())
    backend = server.backend(api_key="secret-key")
    ask(backend, Request(("q",)))
    ask(backend, Request(("r",)))
    assert [request.url.path for request in server.sent] == [
        "/v1/completions",
        "/there/v1/completions",
        "/there/v1/completions",
    ]
    assert server.sent[1].method == "POST"
    assert json.loads(server.sent[1].content)["prompt"] == "q"
    for elsewhere in ("http://other/v1/completions", "//other:1/"):
        server = Server(httpx.Response(308, headers={"location": elsewhere}))
        with pytest.raises(ServerError, match=r"redirects to http://other.*give it as the address"):
            ask(server.backend(api_key="secret-key"), Request(("q",)))
        assert len(server.sent) == 1
    plain = Server(httpx.Response(307, headers={"location": "http://nowhere/"}))
    secure = HTTPBackend("https://nowhere", "m", transport=httpx.MockTransport(plain))
    with pytest.raises(ServerError, match="redirects to http://nowhere/"):
        ask(secure, Request(("q",)))
    circle = Server(httpx.Response(307, headers={"location": "/v1/completions"}))
    with pytest.raises(ServerError, match="redirects in a circle"):
        ask(circle.backend(), Request(("q",)))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits are noted and not waited for."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("synthcore.completions.exchange.asyncio.sleep", sleep)
    return found


def test_a_server_is_given_the_time_it_asks_for(pauses: list[float]) -> None:
    said: list[str] = []
    later = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    server = Server(
        httpx.Response(429, headers={"retry-after": "120"}),
        httpx.Response(503, headers={"retry-after": later}),
        httpx.Response(503, headers={"retry-after": "nonsense"}),
        good(),
    )
    ask(server.backend(say=said.append), Request(("q",)))
    assert pauses[0] == 120
    assert 80 < pauses[1] <= 90
    assert pauses[2] < 1
    assert said[0] == "http://nowhere/v1/completions asks to wait 120 s."
    patient = Server(httpx.Response(429, headers={"retry-after": "3600"}))
    with pytest.raises(ServerError, match=r"asks to wait 3600 s .* longer than 600 s") as caught:
        ask(patient.backend(), Request(("q",)))
    assert caught.value.about == "patience"
    assert len(patient.sent) == 1


# --- one request, several completions -------------------------------------------------------------


def counted(copies: bool, ignored: bool) -> Callable[[httpx.Request], httpx.Response]:
    """Texts that depend on the seed; n of them are copies of the first, or n is ignored."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        n = 1 if ignored else body["n"]
        texts = [f"{body['seed']}" if copies else f"{body['seed']}.{k}" for k in range(n)]
        return httpx.Response(
            200, json={"choices": [{"text": t, "finish_reason": "stop"} for t in texts]}
        )

    return answer


@pytest.mark.parametrize(("copies", "ignored"), [(True, False), (False, True), (False, False)])
def test_completions_of_one_request_are_different_draws(copies: bool, ignored: bool) -> None:
    said: list[str] = []
    transport = httpx.MockTransport(counted(copies, ignored))
    backend = HTTPBackend("http://x", "m", transport=transport, say=said.append)
    for seed in (5, 6):
        texts = [c.text for c in ask(backend, Request(("q",), n=4, seed=seed))]
        assert len(set(texts)) == 4
    assert [("4 copies of one text" in sentence) for sentence in said] == [True] * copies


def test_a_model_that_always_says_the_same_is_not_suspected_for_ever() -> None:
    server = Server(httpx.Response(200, json={"choices": GOOD["choices"] * 3}), good())
    found = ask(server.backend(concurrency=1), Request(("q",), n=3))
    assert [c.text for c in found] == ["x"] * 3
    assert len(server.sent) == 3  # three at once, and two more that agree
    greedy = Server(httpx.Response(200, json={"choices": GOOD["choices"] * 3}))
    ask(greedy.backend(), Request(("q",), n=3, temperature=0.0))
    assert len(greedy.sent) == 1


def test_fields_can_be_added_and_left_out() -> None:
    server = Server(good())
    ask(server.backend(extra={"seed": None, "user": "me"}), Request(("q",)))
    sent = json.loads(server.sent[0].content)
    assert "seed" not in sent
    assert sent["user"] == "me"


def test_names_tell_servers_and_settings_apart() -> None:
    """What a cache's keys begin with: address, model, kind, path, fields."""
    made = [
        HTTPBackend("http://a", "m"),
        HTTPBackend("http://b", "m"),
        HTTPBackend("http://a", "n"),
        HTTPBackend("http://a", "m", server="vllm"),
        HTTPBackend("http://a", "m", chat=True),
        HTTPBackend("http://a", "m", path="/x"),
        HTTPBackend("http://a", "m", extra={"top_k": 0}),
    ]
    assert len({backend.name for backend in made}) == len(made)
    assert HTTPBackend("http://a", "m", concurrency=9).name == made[0].name
    assert "http://a" in made[0].name
    with pytest.raises(ValueError, match="Unknown kind of server 'vlm': one of auto, openai, vllm"):
        HTTPBackend("http://a", "m", server="vlm")


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

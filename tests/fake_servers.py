"""Servers that behave as real ones do, over a language whose truth is known (`fake_story`).

A `FakeServer` has the paths, fields, refusals and forms of one kind of server; `before` and `after`
make it do what real ones were seen to do.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from fake_story import PROMPT, Token, generate, parts, top

Reply = tuple[int, dict[str, str], Any]


class FakeServer:
    """One kind of server.

    Args:
        before: (path, headers, body, number of the request) -> a reply in place of the usual one.
        after: what is made of an answer before it is sent.
        only_chat: whether `/v1/completions` is missing.
        smile: as in `story`.
    """

    def __init__(
        self,
        kind: str = "openai",
        *,
        before: Callable[[str, Mapping[str, str], Any, int], Reply | None] | None = None,
        after: Callable[[Any], Any] | None = None,
        only_chat: bool = False,
        smile: bool = False,
    ) -> None:
        self.kind, self.before, self.after = kind, before, after
        self.only_chat, self.smile = only_chat, smile
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    def reply(self, method: str, path: str, headers: dict[str, str], body: Any) -> Reply:
        """Status, headers and content."""
        if method == "GET":
            return self._about(path.partition("?")[0])
        self.asked.append((path, headers, body))
        special = self.before and self.before(path, headers, body, len(self.asked))
        if special:
            return special
        try:
            answer = self._answer(path.partition("?")[0], body)
        except LookupError as error:
            return 422, {}, {"detail": f"Field required: {error}"}
        except ValueError as error:
            return 400, {}, {"error": {"message": str(error), "type": "invalid_request_error"}}
        if answer is None:
            return 404, {}, {"detail": "Not Found"}
        return 200, {}, self.after(answer) if self.after else answer

    def _about(self, path: str) -> Reply:
        owners = {"vllm": "vllm", "llama.cpp": "llamacpp", "ollama": "library"}
        if path == "/v1/models":
            owner = owners.get(self.kind, "somebody")
            return 200, {}, {"object": "list", "data": [{"id": "coin", "owned_by": owner}]}
        if path == "/info" and self.kind == "tgi":
            return 200, {}, {"model_id": "coin", "max_best_of": 2}
        return 404, {}, {"detail": "Not Found"}

    def _answer(self, path: str, body: Any) -> Any:
        if self.kind == "ollama" and path in ("/api/generate", "/api/chat"):
            return self._ollama(path, body)
        if self.kind == "tgi" and path == "/generate":
            return self._tgi(body)
        if path == "/v1/completions" and not self.only_chat:
            self._refuse(body, "logprobs")
            written = body["prompt"].removeprefix(PROMPT)
            if self.kind == "ollama":
                written = ""  # a template around the prompt: a new answer
            return {"choices": self._choices(body, written, body.get("logprobs"))}
        if path == "/v1/chat/completions":
            self._refuse(body, "top_logprobs")
            likely = body.get("top_logprobs") if body.get("logprobs") else None
            choices = self._choices(body, self._prefilled(body), likely, chat=True)
            return {"choices": choices}
        return None

    def _refuse(self, body: Any, likely: str) -> None:
        most = {"openai": 5 if likely == "logprobs" else 20, "tgi": 5}.get(self.kind, 20)
        if (body.get(likely) or 0) > most:
            raise ValueError(f"{likely} must be at most {most}")
        if self.kind == "llama.cpp" and body.get("n", 1) > 4:
            raise ValueError("n_cmpl cannot be greater than the number of slots")
        unknown = {"top_k", "min_p", "repetition_penalty"} & set(body)
        if self.kind == "openai" and unknown:
            raise ValueError(f"Unrecognized request argument supplied: {min(unknown)}")
        if self.kind == "tgi" and body.get("temperature") == 0:
            raise ValueError("`temperature` must be strictly positive")

    def _prefilled(self, body: Any) -> str:
        """The beginning of the answer, where a server continues it."""
        *_, last = body["messages"]
        goes_on = {
            "vllm": body.get("continue_final_message") and not body.get("add_generation_prompt", 1),
            "tgi": body.get("continue_final_message"),
            "llama.cpp": True,
            "mistral": last.get("prefix"),
        }.get(self.kind, False)
        return last["content"] if last["role"] == "assistant" and goes_on else ""

    def _choices(
        self, body: Any, written: str, likely: int | None, chat: bool = False
    ) -> list[dict[str, Any]]:
        cut = 0.0
        if self.kind == "llama.cpp":
            cut = body.get("min_p", 0.05)
        choices = []
        for k in range(body.get("n", 1)):
            tokens, finish = generate(
                written, body["max_tokens"], body.get("temperature", 1.0),
                f"{body.get('seed')}/{k}", body.get("stop"), cut, self.smile,
            )  # fmt: skip
            text = "".join(w for w, _ in tokens)
            for stop in body.get("stop") or ():
                text = text.partition(stop)[0]
            choice: dict[str, Any] = {"index": k, "finish_reason": finish}
            if likely is not None:
                choice["logprobs"] = self._logprobs(tokens, likely, chat)
            shown = written + text if self.kind == "mistral" else text
            message = {"role": "assistant", "content": shown}
            choices.append(choice | ({"message": message} if chat else {"text": text}))
        return choices

    # --- forms ------------------------------------------------------------------------------------

    def _logprobs(self, tokens: list[Token], likely: int, chat: bool) -> dict[str, Any]:
        rows = [
            (own, math.log(p), top(row, likely)) for w, r in tokens for own, p, row in parts(w, r)
        ]
        if chat or self.kind == "llama.cpp":
            return {
                "content": [
                    entry(own, value) | {"top_logprobs": [entry(w, v) for w, v in others]}
                    for own, value, others in rows
                ]
            }
        shown = {"openai": as_openai, "vllm": as_vllm}.get(self.kind, as_openai)
        return {
            "tokens": [shown(own) for own, _, _ in rows],
            "token_logprobs": [value for _, value, _ in rows],
            "top_logprobs": [{shown(w): v for w, v in others} for _, _, others in rows],
        }

    def _ollama(self, path: str, body: Any) -> dict[str, Any]:
        options = body.get("options", {})
        if path == "/api/chat":
            last = body["messages"][-1]
            written = last["content"] if last["role"] == "assistant" else ""
        else:
            written = body["prompt"].removeprefix(PROMPT) if body.get("raw") else ""
        cut = options.get("min_p", 0.05)
        tokens, finish = generate(
            written, options["num_predict"], options["temperature"], str(options.get("seed")),
            options.get("stop"), cut, self.smile,
        )  # fmt: skip
        text = "".join(w for w, _ in tokens)
        found: dict[str, Any] = {"done": True, "done_reason": finish}
        if body.get("logprobs"):
            found["logprobs"] = self._logprobs(tokens, body["top_logprobs"], True)["content"]
        message = {"message": {"role": "assistant", "content": text}}
        return found | (message if path == "/api/chat" else {"response": text})

    def _tgi(self, body: Any) -> dict[str, Any]:
        asked = body["parameters"]
        if asked.get("temperature") == 0:
            raise ValueError("`temperature` must be strictly positive")
        if asked.get("top_n_tokens", 0) > 5:
            raise ValueError("`top_n_tokens` must be <= 5")
        temperature = asked.get("temperature", 1.0) if asked["do_sample"] else 0.0
        tokens, finish = generate(
            body["inputs"].removeprefix(PROMPT), asked["max_new_tokens"], temperature,
            str(asked.get("seed")), asked.get("stop"), 0.0, self.smile,
        )  # fmt: skip

        def shown(word: bytes, value: float) -> dict[str, Any]:
            text = word.decode(errors="replace") or "</s>"
            return {"text": text, "logprob": value, "special": not word}

        rows = [(o, math.log(p), r) for w, row in tokens for o, p, r in parts(w, row)]
        details = {
            "finish_reason": {"stop": "eos_token"}.get(finish, finish),
            "tokens": [shown(own, value) for own, value, _ in rows],
        }
        if likely := asked.get("top_n_tokens"):
            details["top_tokens"] = [[shown(w, v) for w, v in top(r, likely)] for _, _, r in rows]
        return {"generated_text": "".join(w for w, _ in tokens), "details": details}


def entry(word: bytes, value: float) -> dict[str, Any]:
    """As chat completions and llama.cpp write a token."""
    return {"token": word.decode(errors="replace"), "bytes": list(word), "logprob": value}


def as_openai(word: bytes) -> str:
    """Bytes that are no characters are spelled out, the end has a mark."""
    try:
        return word.decode() or "<|endoftext|>"
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in word)


def as_vllm(word: bytes) -> str:
    """Bytes that are no characters are replaced, the end is empty."""
    return word.decode(errors="replace")


def events(answer: Any) -> str:
    """An answer as a stream of its tokens; for OpenAI's interfaces."""
    lines = []
    for choice in answer["choices"]:
        chat = "message" in choice
        text = choice["message"]["content"] if chat else choice["text"]
        given = choice.get("logprobs")
        size = len(given["content"] if chat else given["tokens"]) if given else 3
        for k in range(size):
            piece = text[len(text) * k // size : len(text) * (k + 1) // size]
            chunk: dict[str, Any] = {"index": choice["index"], "finish_reason": None}
            chunk |= {"delta": {"content": piece}} if chat else {"text": piece}
            if given:
                chunk["logprobs"] = {name: values[k : k + 1] for name, values in given.items()}
            lines.append(chunk)
        end = {"index": choice["index"], "finish_reason": choice["finish_reason"]}
        lines.append(end | ({"delta": {}} if chat else {"text": ""}))
    data = [json.dumps({"choices": [line]}) for line in lines]
    return "".join(f"data: {line}\n\n" for line in [*data, "[DONE]"])


@contextmanager
def running(fake: FakeServer) -> Iterator[str]:
    """Its address, while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.loads(raw) if raw else None
            status, headers, content = fake.reply(self.command, self.path, dict(self.headers), body)
            kind = "application/json"
            if isinstance(content, str):
                kind, content = "text/event-stream", content.encode()
            elif not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.send_response(status)
            headers = {"content-type": kind, "content-length": str(len(content))} | headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that has had enough

    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

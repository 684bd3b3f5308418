"""Any backend as a server on this machine: what a client of `/v1/completions` sees.

For trying the pipeline without a language model, and for testing it against one whose truth is
known. Speaks both dialects of token probabilities.
"""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from synthcore.completions.protocol import Backend, Completion, Request, ServerError, ask

Dialect = Literal["legacy", "content"]


@contextmanager
def serving(backend: Backend, dialect: Dialect = "legacy") -> Iterator[str]:
    """The base URL of a server on a free port of 127.0.0.1, while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                content, code = _answer(backend, body, dialect), 200
            except (ServerError, KeyError, ValueError) as error:
                content, code = {"error": {"message": str(error)}}, 400
            data = json.dumps(content).encode()
            self.send_response(code if self.path == "/v1/completions" else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(backend: Backend, body: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    request = Request(
        (body["prompt"],),
        body.get("n", 1),
        body.get("max_tokens", 16),
        body.get("temperature", 1.0),
        body.get("logprobs") or 0,
        body.get("seed", 0),
        tuple(body.get("stop") or ()),
    )
    write = {"legacy": _legacy, "content": _content}[dialect]
    choices = []
    for index, completion in enumerate(ask(backend, request)):
        choice = {"index": index, "text": completion.text, "finish_reason": completion.finish}
        choices.append(choice | ({"logprobs": write(completion)} if request.logprobs else {}))
    return {"object": "text_completion", "model": body.get("model"), "choices": choices}


def _legacy(completion: Completion) -> dict[str, Any]:
    return {
        "tokens": completion.tokens,
        "token_logprobs": [
            math.log(top[token])
            for token, top in zip(completion.tokens, completion.top, strict=True)
        ],
        "top_logprobs": [{w: math.log(p) for w, p in top.items()} for top in completion.top],
    }


def _content(completion: Completion) -> dict[str, Any]:
    def entry(token: str, p: float) -> dict[str, Any]:
        return {"token": token, "bytes": list(token.encode()), "logprob": math.log(p)}

    return {
        "content": [
            entry(token, top[token]) | {"top_logprobs": [entry(w, p) for w, p in top.items()]}
            for token, top in zip(completion.tokens, completion.top, strict=True)
        ]
    }

"""One request and its answer, however long it takes: pauses, redirects, streams, refusals."""

import asyncio
import email.utils
import json
import random
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from synthcore.completions import stream
from synthcore.completions.address import Secrets, endpoint, shown
from synthcore.completions.protocol import MalformedError, ServerError

BUSY = {408, 409, 425, 429}
LONGEST_PAUSE = 30.0
MOST_REDIRECTS = 5
IN_ANSWERS = 8  # a shorter secret may be a word of the model's
# Which field of a request a refusal speaks of, the first that fits.
ABOUT = (
    ("logprobs", r"logprobs|top_n_tokens|n_probs"),
    ("n", r"\bn\b|best_of|n_cmpl|\bslots?\b|num_return_sequences"),
    ("max_tokens", r"max_(?:new_|completion_)?tokens|num_predict|context (?:size|length|window)"),
    ("temperature", r"temperature"),
    ("thinking", r"thinking"),
    ("extra", r"top_k|min_p|top_p|repetition_penalty|repeat_penalty|\bseed\b|continue_final"),
    ("stop", r"\bstop\b"),
    ("model", r"\bmodel\b"),
)
OWNERS = {"llamacpp": "llama.cpp", "vllm": "vllm", "sglang": "vllm", "library": "ollama"}
HOSTS = {"mistral.ai": "mistral", "deepseek.com": "deepseek"}
STREAM = re.compile(r"(?<![a-z])stream", re.IGNORECASE)
T = TypeVar("T")


class Exchange:
    """Sends until there is an answer, or none to be hoped for."""

    def __init__(
        self,
        secrets: Secrets,
        retries: int,
        pause: float,
        patience: float,
        say: Callable[[str], None] | None,
    ) -> None:
        self.secrets, self.retries, self.pause, self.patience = secrets, retries, pause, patience
        self._say, self._streams = say, False

    def tell(self, sentence: str) -> None:
        """To whoever wants to know."""
        if self._say is not None:
            self._say(self.secrets.hide(sentence))

    async def send(
        self,
        client: httpx.AsyncClient,
        url: httpx.URL,
        body: dict[str, Any],
        read: Callable[[Any], T],
    ) -> tuple[T, httpx.URL]:
        """What `read` makes of the answer, and where it came from in the end.

        Raises ServerError, without secrets.
        """
        try:
            return await self._send(client, url, body, read)
        except ServerError as error:
            raise type(error)(self.secrets.hide(str(error)), error.about) from None

    async def _send(
        self,
        client: httpx.AsyncClient,
        url: httpx.URL,
        body: dict[str, Any],
        read: Callable[[Any], T],
    ) -> tuple[T, httpx.URL]:
        failed, attempt, moved = "", 0, 0
        while attempt <= self.retries:
            wait = min(self.pause * 2**attempt, LONGEST_PAUSE) * random.uniform(0.75, 1.25)
            sent = body | ({"stream": True} if self._streams else {})
            try:
                response = await client.post(url, json=sent)
            except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:
                raise ServerError(
                    f"{shown(url)} cannot be asked ({type(error).__name__})."
                ) from None
            except httpx.RequestError as error:
                failed = f"{type(error).__name__} {error}".strip()
            else:
                if response.status_code in (301, 302, 303, 307, 308):
                    url, moved = _target(url, response), moved + 1
                    if moved > MOST_REDIRECTS:
                        raise ServerError(f"{shown(url)} redirects in a circle.", "base_url")
                    continue
                if self._wants_streams(response, sent):
                    self._streams = True
                    continue
                try:
                    if response.status_code == 200:
                        return read(self._payload(response, url)), url
                    failed = await self._refused(client, url, response)
                    wait = self._asked_to_wait(response, wait, url)
                except MalformedError as error:
                    failed = str(error)
            attempt += 1
            if attempt <= self.retries:
                await asyncio.sleep(wait)
        raise ServerError(
            f"{shown(url)} did not answer in {self.retries + 1} attempts; the last time: "
            f"{failed.rstrip('.')}."
        )

    def _payload(self, response: httpx.Response, url: httpx.URL) -> Any:
        """The answer as JSON, a stream put together. Raises MalformedError, and ServerError for an
        error that was sent as an answer."""
        text = self.secrets.hide(response.text, IN_ANSWERS)
        if stream.is_stream(response.headers.get("content-type", ""), text):
            payload: Any = stream.joined(text)
        else:
            try:
                payload = json.loads(text)
            except ValueError:
                raise MalformedError("The server's answer is no JSON.") from None
        if isinstance(payload, dict) and (payload.get("error") or payload.get("object") == "error"):
            words, error = _words(text, payload), payload.get("error")
            code = error.get("code") if isinstance(error, dict) else payload.get("code")
            if isinstance(code, int) and 400 <= code < 500 and code not in BUSY:
                raise _refusal(url, code, words)
            raise MalformedError(f"an error in place of an answer: {words}")
        return payload

    def _wants_streams(self, response: httpx.Response, sent: dict[str, Any]) -> bool:
        refused = response.status_code in (400, 405, 406, 422)
        return refused and not sent.get("stream") and bool(STREAM.search(response.text))

    async def _refused(
        self, client: httpx.AsyncClient, url: httpx.URL, response: httpx.Response
    ) -> str:
        """Why it was refused, if asking again may help; raises ServerError if not."""
        code, words = response.status_code, _words(response.text)
        if code in BUSY or code >= 500:
            return f"status {code} {words}".strip()
        chat = url.path.removesuffix("/completions") + "/chat/completions"
        if code in (404, 405) and not url.path.endswith("chat/completions"):
            other = url.copy_with(path=chat)
            with_chat = await client.post(other, json={})
            if with_chat.status_code not in (404, 405) and not re.search("model", words, re.I):
                raise ServerError(
                    f"{shown(url)} does not exist (status {code}), but {shown(other)} does.", "chat"
                )
        raise _refusal(url, code, words)

    def _asked_to_wait(self, response: httpx.Response, otherwise: float, url: httpx.URL) -> float:
        """Seconds until the server wants to be asked again. Raises ServerError if that is longer
        than `patience`."""
        asked = response.headers.get("retry-after", "")
        try:
            wait = float(asked)
        except ValueError:
            try:
                wait = email.utils.parsedate_to_datetime(asked).timestamp() - time.time()
            except ValueError:
                return otherwise
        if not wait <= self.patience:
            raise ServerError(
                f"{shown(url)} asks to wait {wait:.0f} s before the next request, longer than "
                f"{self.patience:.0f} s.",
                "patience",
            )
        if wait >= 5:
            self.tell(f"{shown(url)} asks to wait {wait:.0f} s.")
        return max(wait, 0.0)

    async def kind_of(self, client: httpx.AsyncClient, base: httpx.URL) -> str:
        """What a server is, by its list of models and the addresses that only some have; "openai"
        if nothing speaks for another. Raises ServerError if it cannot be reached."""
        for ending, kind in HOSTS.items():
            if base.host.endswith(ending):
                return kind
        models = await self._get(client, endpoint(base, "/v1/models"))
        if "llama.cpp" in models.headers.get("server", ""):
            return "llama.cpp"
        for model in _list(models, "data"):
            if (owner := str(model.get("owned_by"))) in OWNERS:
                return OWNERS[owner]
        version = await self._get(client, endpoint(base, "/api/version"))
        if "version" in _json(version):
            return "ollama"
        about = _json(await self._get(client, endpoint(base, "/info")))
        return "tgi" if "model_id" in about else "openai"

    async def _get(self, client: httpx.AsyncClient, url: httpx.URL) -> httpx.Response:
        """Whatever it says, when it can be reached."""
        failed = ""
        for attempt in range(self.retries + 1):
            try:
                return await client.get(url, follow_redirects=False)
            except httpx.RequestError as error:
                failed = f"{type(error).__name__} {error}".strip()
            if attempt < self.retries:
                await asyncio.sleep(min(self.pause * 2**attempt, LONGEST_PAUSE))
        raise ServerError(
            self.secrets.hide(
                f"{shown(url)} did not answer in {self.retries + 1} attempts; the last time: "
                f"{failed.rstrip('.')}."
            )
        )


def _target(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    """Where a server has moved to. Keys go to no other host, nor from https to http."""
    try:
        target = url.join(response.headers.get("location", ""))
    except (httpx.InvalidURL, ValueError):
        raise ServerError(f"{shown(url)} redirects to an address that is malformed.") from None
    same = target.host == url.host and target.scheme in (url.scheme, "https")
    if not same:
        raise ServerError(
            f"{shown(url)} redirects to {shown(target)} (status {response.status_code}): if that "
            "is right, give it as the address.",
            "base_url",
        )
    return target


def _refusal(url: httpx.URL, code: int, words: str) -> ServerError:
    if code in (401, 403):
        return ServerError(f"{shown(url)} refused the key (status {code}).", "api_key")
    if code in (404, 405):
        return ServerError(f"{shown(url)} does not exist (status {code}). {words}".strip(), "model")
    about = next((field for field, sign in ABOUT if re.search(sign, words, re.IGNORECASE)), None)
    return ServerError(f"{shown(url)} refused the request (status {code}): {words}", about)


def _words(text: str, payload: Any = None) -> str:
    """What a server says of an error, in one line."""
    if payload is None:
        try:
            payload = json.loads(text)
        except ValueError:
            payload = None
    said: Any = text
    if isinstance(payload, dict):
        error = payload.get("error", payload)
        said = error
        if isinstance(error, dict):
            said = error.get("message") or error.get("detail") or error
    return " ".join(str(said).split())[:300]


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json() if response.status_code == 200 else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _list(response: httpx.Response, name: str) -> list[dict[str, Any]]:
    found = _json(response).get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

"""Any server that speaks OpenAI's `/v1/completions`: llama.cpp, vLLM, SGLang, a cloud.

Requests are sent a few at a time, and sent again with growing pauses while a server is down or
busy. Nothing is kept here; see `cache`.
"""

import asyncio
import contextlib
import queue
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from synthcore.completions.dialects import MalformedError, read_choices
from synthcore.completions.protocol import Completion, Request, ServerError

BUSY = {408, 409, 425, 429}
LONGEST_PAUSE = 30.0
Item = tuple[int, list[Completion]]


class HTTPBackend:
    """A model behind `<base_url>/completions`.

    Args:
        base_url: with or without the closing `/v1`.
        model: the name the server knows it by.
        api_key: sent as a bearer token.
        concurrency: requests on their way at the same time.
        retries: how often a request is sent again before giving up.
        timeout: seconds to wait for one answer.
        pause: seconds before the first repetition; doubled each time, 30 at most.
        extra: further fields of the request's body, such as `{"top_k": 0}` for servers that cut
            off unlikely tokens unless told not to.
        transport: in place of the network, for tests.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        concurrency: int = 4,
        retries: int = 5,
        timeout: float = 300.0,
        pause: float = 0.5,
        extra: Mapping[str, Any] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        root = base_url.rstrip("/")
        self.url = (root if root.endswith("/v1") else f"{root}/v1") + "/completions"
        self.model, self.extra = model, dict(extra or {})
        self.concurrency, self.retries, self.pause = concurrency, retries, pause
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._options: dict[str, Any] = {
            "headers": headers,
            "timeout": timeout,
            "transport": transport,
        }

    @property
    def name(self) -> str:
        """The model, and what else shapes its answers."""
        shaped = ",".join(f"{k}={v}" for k, v in sorted(self.extra.items()))
        return f"{self.model}?{shaped}" if shaped else self.model

    def complete(self, requests: Sequence[Request]) -> Iterator[Item]:
        """As they come in. Raises ServerError; what came before has been yielded."""
        arrived: queue.SimpleQueue[Item | BaseException | None] = queue.SimpleQueue()
        loop = asyncio.new_event_loop()
        task = loop.create_task(self._all(requests, arrived))

        def work() -> None:
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)
                arrived.put(None)
            except BaseException as error:
                arrived.put(error)
            finally:
                loop.close()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while (item := arrived.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:  # also when whoever iterates has had enough
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
            thread.join()

    async def _all(self, requests: Sequence[Request], arrived: "queue.SimpleQueue[Any]") -> None:
        todo = iter(enumerate(requests))

        async def worker(client: httpx.AsyncClient) -> None:
            for index, request in todo:
                arrived.put((index, await self._one(client, request)))

        async with httpx.AsyncClient(**self._options) as client:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.concurrency, len(requests))):
                        group.create_task(worker(client))
            except* ServerError as errors:
                raise errors.exceptions[0] from None

    async def _one(self, client: httpx.AsyncClient, request: Request) -> list[Completion]:
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": request.text,
            "n": request.n,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": 1.0,
            "seed": request.seed,
        }
        body |= {"logprobs": request.logprobs} if request.logprobs else {}
        body |= {"stop": list(request.stop)} if request.stop else {}
        failed = ""
        for attempt in range(self.retries + 1):
            wait = min(self.pause * 2**attempt, LONGEST_PAUSE) * random.uniform(0.75, 1.25)
            try:
                response = await client.post(self.url, json=body | self.extra)
            except httpx.TransportError as error:
                failed = f"{type(error).__name__} {error}".strip()
            else:
                if response.status_code == 200:
                    try:
                        return read_choices(_json(response), request.n, bool(request.logprobs))
                    except MalformedError as error:
                        failed = str(error)
                else:
                    failed = _refusal(response, self.url)
                    wait = _asked_to_wait(response, wait)
            if attempt < self.retries:
                await asyncio.sleep(wait)
        raise ServerError(
            f"{self.url} did not answer in {self.retries + 1} attempts; the last time: "
            f"{failed.rstrip('.')}."
        )


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise MalformedError("The server's answer is no JSON.") from None


def _refusal(response: httpx.Response, url: str) -> str:
    """Why it was refused, if asking again may help; raises ServerError if not."""
    code = response.status_code
    said = " ".join(response.text.split())[:200]
    if code in BUSY or code >= 500:
        return f"status {code} {said}".strip()
    if code in (401, 403):
        raise ServerError(
            f"{url} refused the key (status {code}): name the variable that holds it with "
            "--api-key-env."
        )
    if code == 404:
        raise ServerError(
            f"{url} does not exist (status 404): is --base-url right, does --model exist? {said}"
        )
    raise ServerError(f"{url} refused the request (status {code}): {said}")


def _asked_to_wait(response: httpx.Response, otherwise: float) -> float:
    try:
        return min(float(response.headers["retry-after"]), LONGEST_PAUSE)
    except (KeyError, ValueError):
        return otherwise

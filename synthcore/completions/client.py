"""A client of any server of language models: vLLM, llama.cpp, Ollama, TGI, a cloud, a gateway.

Requests are sent a few at a time, and sent again with growing pauses while a server is down or
busy. Nothing is kept here; see `cache`.
"""

import asyncio
import contextlib
import hashlib
import queue
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx

from synthcore.completions.address import Secrets, checked_headers, endpoint, parsed, queries, shown
from synthcore.completions.exchange import Exchange
from synthcore.completions.interfaces import KINDS, WHOLE_MODEL, Interface, interface
from synthcore.completions.protocol import Completion, Request, ServerError

AUTO = "auto"
Item = tuple[int, list[Completion]]


class HTTPBackend:
    """A model behind a server.

    What is learned of the server while asking holds as long as the backend: that it only streams,
    copies or ignores `n`, repeats the text, cuts white space off it, or has moved.

    Args:
        base_url: with or without the closing `/v1`.
        model: the name the server knows it by.
        server: its kind, one of `interfaces.KINDS`, or "auto": ask the server what it is.
        chat: ask by chat completions. The prompt is the user's message and the answer so far the
            beginning of the assistant's; see `protocol.check_continues`.
        path: in place of `/v1/completions` or what the kind has, for gateways; may have a query.
        api_key: sent as a bearer token, or as it is in the header named by `api_key_header`.
        headers: further headers; their values are secrets, too.
        concurrency: requests on their way at the same time.
        retries: how often a request is sent again before giving up.
        timeout: seconds to wait for one answer.
        pause: seconds before the first repetition; doubled each time, 30 at most.
        patience: longest wait in seconds that a server may ask for.
        extra: further fields of the request's body; None leaves out a field that is sent otherwise.
        name: in place of model, address and what else shapes the answers, in the keys of a cache.
        say: told, in one sentence, what is worth knowing while it goes on.
        transport: in place of the network, for tests.

    Raises AddressError for an address or path, ValueError for a key or header that cannot be.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        server: str = "openai",
        chat: bool = False,
        path: str | None = None,
        api_key: str | None = None,
        api_key_header: str | None = None,
        headers: Mapping[str, str] | None = None,
        concurrency: int = 4,
        retries: int = 5,
        timeout: float = 300.0,
        pause: float = 0.5,
        patience: float = 600.0,
        extra: Mapping[str, Any] | None = None,
        name: str | None = None,
        say: Callable[[str], None] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if server != AUTO and server not in KINDS:
            raise ValueError(
                f"Unknown kind of server '{server}': one of {AUTO}, {', '.join(KINDS)}."
            )
        self.base, self.path = parsed(base_url), path
        self.model, self.server, self.extra = model, server, dict(extra or {})
        self.chat = chat or (path or self.base.path).rstrip("/").endswith("/chat/completions")
        self.concurrency, self._name = concurrency, name
        sent = dict(headers or {})
        if api_key is not None:
            key = checked_headers({api_key_header or "Authorization": api_key})
            sent |= key if api_key_header else {k: f"Bearer {v}" for k, v in key.items()}
        sent = checked_headers(sent)
        user, password = self.base.username, self.base.password
        asked = [*queries(self.base), *queries(endpoint(self.base, "/", path))]
        self.secrets = Secrets([*sent.values(), api_key or "", user, password, *asked])
        self._options: dict[str, Any] = {
            "headers": sent,
            "auth": httpx.BasicAuth(user, password) if user or password else None,
            "timeout": timeout,
            "transport": transport,
        }
        self.exchange = Exchange(self.secrets, retries, pause, patience, say)
        self.interface: Interface | None = None
        self._singly = self._independent = self._echoes = self._trims = False
        self._url: httpx.URL | None = None
        if server != AUTO:
            self._settle(server)

    @property
    def url(self) -> str:
        """Where requests go; without secrets."""
        return shown(self._url or self.base)

    @property
    def name(self) -> str:
        """The model, where it is, and what else shapes its answers; without secrets."""
        if self._name is not None:
            return self._name
        fields = dict(self.extra) | ({"chat": True} if self.chat else {})
        fields |= {"server": self.server} | ({"path": self.path} if self.path else {})
        shaped = hashlib.sha256(repr(sorted(fields.items())).encode()).hexdigest()[:12]
        return f"{self.model} at {shown(self.base).rstrip('/')}, {shaped}"

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
        with self.secrets.unlogged():
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
            if self.interface is None:
                kind = await self.exchange.kind_of(client, self.base)
                self._settle(kind)
                self._tell_kind(kind)
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.concurrency, len(requests))):
                        group.create_task(worker(client))
            except* ServerError as errors:
                raise errors.exceptions[0] from None

    def _settle(self, kind: str) -> None:
        self.interface = interface(kind, self.chat)
        self._url = endpoint(self.base, self.interface.path, self.path)

    def _tell_kind(self, kind: str) -> None:
        fields = ", ".join(f"{name} = {value}" for name, value in WHOLE_MODEL[kind].items())
        told = f"{self.url} is asked as {kind}" + (f", with {fields}" if fields else "")
        if kind == "openai":
            told += "; if it cuts off unlikely tokens unless told not to, name its kind (--server)"
        self.exchange.tell(f"{told}.")

    async def _one(self, client: httpx.AsyncClient, request: Request) -> list[Completion]:
        """All n, from one request if the server gives different ones."""
        assert self.interface is not None
        n = request.n
        if n == 1:
            return await self._ask(client, request, 1, request.seed)
        found: list[Completion] = []
        if self.interface.several and not self._singly:
            found = await self._ask(client, request, n, request.seed)
            self._independent = self._independent or _differ(found)
            if len(found) == n and (self._independent or request.temperature == 0):
                return found
        else:
            found = await self._ask(client, request, 1, request.seed)
        if len(found) < n:  # n is ignored
            self._singly = self._singly or self.interface.several
            return found + await self._further(client, request, range(len(found), n))
        # all alike: what the model always says, or copies of one
        again = found[:1] + await self._further(client, request, range(1, n))
        if not _differ(again):
            return found
        self._singly = True
        self.exchange.tell(
            f"{self.url} answers n = {n} with {n} copies of one text: asked one at a time instead."
        )
        return again

    async def _further(
        self, client: httpx.AsyncClient, request: Request, places: range
    ) -> list[Completion]:
        """Single completions with seeds of their own."""
        found = []
        for k in places:
            seed = zlib.crc32(f"{request.seed}/{k}".encode()) & 0x7FFFFFFF
            found += await self._ask(client, request, 1, seed)
        return found

    async def _ask(
        self, client: httpx.AsyncClient, request: Request, n: int, seed: int
    ) -> list[Completion]:
        way = self.interface
        assert way is not None
        assert self._url is not None
        texts = self._trims and not request.logprobs
        asked = replace(request, logprobs=1) if texts else request
        body = _merged(way.write(self.model, asked, n, seed), self.extra)
        answer, self._url = await self.exchange.send(
            client,
            self._url,
            body,
            lambda payload: way.read(payload, request, self._echoes, texts),
        )
        self._echoes |= answer.echoed
        self._trims |= answer.trimmed
        if not 0 < len(answer.completions) <= n:
            raise ServerError(
                f"{n} completions were asked for at once and {len(answer.completions)} came.", "n"
            )
        return answer.completions


def _differ(completions: Sequence[Completion]) -> bool:
    return len({completion.text for completion in completions}) > 1


def _merged(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `extra` in place of those of `body`, within its parts as well; none that is None.

    >>> _merged({"n": 1, "options": {"seed": 1}}, {"n": None, "options": {"top_k": 0}})
    {'options': {'seed': 1, 'top_k': 0}}
    """
    found = dict(body)
    for name, value in extra.items():
        inside = body.get(name)
        if isinstance(value, Mapping) and isinstance(inside, Mapping):
            value = _merged(inside, value)
        found[name] = value
    return {name: value for name, value in found.items() if value is not None}

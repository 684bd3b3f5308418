"""Where a server is, and what must not be told: keys, headers, passwords and queries of addresses.

Nothing that is shown, logged or kept holds a secret: not the address, not what a server says, which
may repeat a header, and not the lines that httpx logs.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote, unquote_plus

import httpx

HIDDEN = "***"
SHORTEST = 4  # shorter strings are no secrets, and words of an answer
LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")


class AddressError(ValueError):
    """Not an address, or not a path, that can be asked."""


class Secrets:
    """Strings to be replaced wherever text leaves the client."""

    def __init__(self, values: Sequence[str]) -> None:
        found = {form for value in values for form in _forms(value.strip())}
        self._values = sorted((v for v in found if len(v) >= SHORTEST), key=len, reverse=True)

    def hide(self, text: str, shortest: int = SHORTEST) -> str:
        """The text without secrets of at least `shortest` characters."""
        for value in self._values:
            if len(value) >= shortest:
                for form in {value, value.encode("unicode_escape").decode(), repr(value)[1:-1]}:
                    text = text.replace(form, HIDDEN)
        return text

    @contextmanager
    def unlogged(self) -> Iterator[None]:
        """Hide them in what httpx and httpcore log while the block runs."""

        def hidden(record: logging.LogRecord) -> bool:
            record.msg, record.args = self.hide(record.getMessage()), ()
            return True

        loggers = [logging.getLogger(name) for name in LOGGERS]
        for logger in loggers:
            logger.addFilter(hidden)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(hidden)


def _forms(value: str) -> Iterator[str]:
    """A secret as it is and as it stands in addresses."""
    yield from (value, unquote(value), unquote_plus(value), quote(value), quote(value, safe=""))


def queries(url: httpx.URL) -> list[str]:
    """The values in an address's query, as they are written there."""
    return [pair.partition("=")[2] or pair for pair in url.query.decode().split("&")]


def parsed(base_url: str) -> httpx.URL:
    """An address with scheme and host. Raises AddressError in one sentence without secrets."""
    try:
        url = httpx.URL(base_url.strip())
        valid = url.scheme in ("http", "https") and bool(url.host)
    except (httpx.InvalidURL, ValueError, UnicodeError):
        valid = False
    if not valid:
        raise AddressError(
            "The server's address is malformed: it looks like http://127.0.0.1:8080/v1."
        )
    return url


def endpoint(base: httpx.URL, path: str, given: str | None = None) -> httpx.URL:
    """Where requests go.

    >>> def at(base, path="/v1/completions", given=None):
    ...     return str(endpoint(httpx.URL(base), path, given))
    >>> at("http://h:1"), at("http://h:1/v1/"), at("https://h/api/v4")
    ('http://h:1/v1/completions', 'http://h:1/v1/completions', 'https://h/api/v4/completions')
    >>> at("http://h/v1", "/api/generate"), at("http://h", given="/llm/x/completions?version=2")
    ('http://h/api/generate', 'http://h/llm/x/completions?version=2')
    >>> at("http://h/x/completions"), at("http://h/v1/completions", "/v1/chat/completions")
    ('http://h/x/completions', 'http://h/v1/chat/completions')
    >>> at("http://h/v1/chat/completions", "/api/chat")
    'http://h/api/chat'
    """
    root = base.path.rstrip("/")
    if given is not None:
        try:
            wanted = httpx.URL(given if given.startswith("/") else f"/{given}")
        except httpx.InvalidURL:
            raise AddressError("The path is malformed: it looks like /v1/completions.") from None
        query = wanted.query or base.query
        return base.copy_with(
            path=root + wanted.path, query=query or None, username="", password=""
        )
    stem = re.sub(r"(/chat)?/completions$", "", root)  # if the whole address was given
    if not path.startswith("/v1/"):
        path = stem.removesuffix("/v1") + path
    elif stem != root or re.search(r"/v\d+\w*(/|$)", root):
        path = stem + path.removeprefix("/v1")
    else:
        path = root + path
    return base.copy_with(path=path, username="", password="")


def shown(url: httpx.URL) -> str:
    """An address without user, password and query.

    >>> shown(httpx.URL("https://me:word@host/v1?key=secret"))
    'https://host/v1'
    """
    return str(url.copy_with(username="", password="", query=None, fragment=None))


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without white space around them. Raises ValueError, which names a header and never
    shows its value, where one cannot be sent."""
    found = {}
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ValueError("The name of a header is malformed.")
        clean = value.strip()
        if not clean or not clean.isascii() or not clean.isprintable():
            raise ValueError(
                f"The value of the header '{name}' cannot be sent: it is empty, or has characters "
                "that are no printable ASCII."
            )
        found[name] = clean
    return found

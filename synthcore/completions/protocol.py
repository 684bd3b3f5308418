"""All that is asked of a language model: continue a text, say which tokens were likely.

A backend is anything with a `name` and `complete`; the same request and the same answer serve every
server, a network in this process, and a file of recorded answers.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

END = ""
"""In `Completion.top`: the token that ends the text, however a server writes it."""
PARTIAL = "\ufffd"
"""In `Completion.top`: all tokens that are only part of a character, taken together. They cannot be
written into a text."""


class ServerError(RuntimeError):
    """A model did not answer, or not with something usable; one sentence says what to do.

    `about` is the field of the request, or the argument of the client, that would have to change,
    where that is known: "n", "logprobs", "api_key", ...
    """

    def __init__(self, message: str, about: str | None = None) -> None:
        super().__init__(message)
        self.about = about


class MalformedError(ServerError):
    """An answer that is not what the interface promises; asking again may help."""


@dataclass(frozen=True)
class Request:
    """A text to be continued `n` times.

    Attributes:
        prefix: the prompt, then tokens of the answer so far. The model reads them joined; in a chat
            the prompt is the user's message and the rest the beginning of the assistant's.
        logprobs: how many likely tokens to report at every position; 0 for none.
        seed: decides the continuations, together with everything else here.
    """

    prefix: tuple[str, ...]
    n: int = 1
    max_tokens: int = 512
    temperature: float = 1.0
    logprobs: int = 0
    seed: int = 0
    stop: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        """Where the answer has not begun."""
        return self.prefix[0]

    @property
    def written(self) -> str:
        """The answer so far."""
        return "".join(self.prefix[1:])

    @property
    def text(self) -> str:
        """What the model reads."""
        return "".join(self.prefix)

    def key(self, model: str) -> str:
        """Digest of the model's name and everything asked; how the answer so far is divided into
        tokens does not matter, where it begins does (in a chat it is another message).

        >>> Request(("ab", "c", "d")).key("m") == Request(("ab", "cd")).key("m")
        True
        >>> Request(("ab", "cd")).key("m") == Request(("abc", "d")).key("m")
        False
        """
        asked = asdict(self) | {"prefix": [self.prompt, self.written], "model": model}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Completion:
    """One continuation.

    Attributes:
        finish: "stop" if the model ended it, "length" if it was cut, "content_filter" if a filter
            of the server's took over.
        tokens: they spell `text`; empty unless log probabilities were asked for.
        top: probabilities of likely tokens, the chosen one among them, at each of `tokens`; `END`
            and `PARTIAL` stand for what is no text.
    """

    text: str
    finish: str = "stop"
    tokens: tuple[str, ...] = ()
    top: tuple[Mapping[str, float], ...] = field(default=())

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Completion":
        """From what `dataclasses.asdict` made of one."""
        return cls(
            content["text"], content["finish"], tuple(content["tokens"]), tuple(content["top"])
        )


@runtime_checkable
class Backend(Protocol):
    """A model. `complete` yields the place of a request in the list and its `n` completions, in the
    order in which they are done. Raises `ServerError`."""

    @property
    def name(self) -> str: ...

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]: ...


def ask(backend: Backend, request: Request) -> list[Completion]:
    """The completions of one request."""
    return next(completions for _, completions in backend.complete([request]))


def check_continues(backend: Backend, prompt: str, greedy: Completion) -> str | None:
    """Does the model go on where a text ends? Many chat servers begin anew, or apply a template.

    The greedy answer is cut before the token that was most certain and is asked to go on; and again
    behind white space, which templates like to trim.

    Returns a sentence if white space is lost. Raises ServerError if it goes on with something else.
    A greedy answer with no token after the first as probable as one half decides nothing.
    """
    certain = [
        (top.get(token, 0.0), token.startswith(" "), -t)
        for t, (token, top) in enumerate(zip(greedy.tokens, greedy.top, strict=True))
        if t > 0 and top.get(token, 0.0) > 0.5
    ]
    if not certain:
        return None
    cut = -max(certain)[2]
    if (found := _goes_on(backend, prompt, greedy, cut)) is not None:
        raise ServerError(
            f"The server does not continue the text it is given: after "
            f"'…{''.join(greedy.tokens[:cut])[-30:]}' it wrote '{found[:40]}', and in its own "
            f"answer '{''.join(greedy.tokens[cut:])[:40]}'.",
            "continues",
        )
    behind = [place for place in certain if greedy.tokens[-place[2] - 1][-1:].isspace()]
    if behind and _goes_on(backend, prompt, greedy, -max(behind)[2]) is not None:
        return (
            "The server drops white space at the end of the text it is given: behind such a token "
            "it goes on as if there were none."
        )
    return None


def _goes_on(backend: Backend, prompt: str, greedy: Completion, cut: int) -> str | None:
    """What the model writes after that many tokens of its answer, if it is not what it wrote."""
    expected = "".join(greedy.tokens[cut:])
    most = min(3, len(greedy.tokens) - cut)
    found = ask(backend, Request((prompt, *greedy.tokens[:cut]), 1, most, 0.0, 1))[0].text
    same = found and found[: len(expected)] == expected[: len(found)]
    return None if same else found

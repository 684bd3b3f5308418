"""All that the analysis asks of a language model: continue a text, say which tokens were likely.

A backend is anything with a `name` and `complete`. It never sees outcomes, and the analysis never
sees weights, states or truths.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable


class ServerError(RuntimeError):
    """A model did not answer, or not with something usable; one sentence says what to do."""


@dataclass(frozen=True)
class Request:
    """A text to be continued `n` times.

    Attributes:
        prefix: the prompt, then tokens of the answer so far; the model reads them joined.
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
    def text(self) -> str:
        """What the model reads."""
        return "".join(self.prefix)

    def key(self, model: str) -> str:
        """Digest of the model's name and everything asked; how prompt and tokens are divided does
        not matter.

        >>> Request(("ab", "c")).key("m") == Request(("a", "bc")).key("m")
        True
        """
        asked = asdict(self) | {"prefix": self.text, "model": model}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Completion:
    """One continuation. `finish` is "stop" if the model ended it, "length" if it was cut.

    `tokens` spell `text`, and `top` holds the probabilities of likely tokens at each of them; both
    are empty unless logprobs were asked for.
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

"""Two ways in which servers write token probabilities, read into one.

The legacy one has parallel lists (`logprobs.tokens`, `logprobs.top_logprobs` of token to log
probability); llama.cpp and its relatives have one object per token (`logprobs.content[i]` with
`token`, `bytes` and a list `top_logprobs`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from synthcore.completions.protocol import Completion, ServerError


class MalformedError(ServerError):
    """An answer that is not what the interface promises; asking again may help."""


def read_choices(payload: Any, n: int, logprobs: bool) -> list[Completion]:
    """The n completions of a response to `/v1/completions`.

    Raises MalformedError for another structure, ServerError where probabilities are missing.
    """
    try:
        choices = payload["choices"]
        found = [_choice(choice, logprobs) for choice in choices]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise MalformedError(f"The server's answer is malformed ({error!r}).") from None
    if len(found) != n:
        raise ServerError(
            f"{n} completions were asked for at once and {len(found)} came: lower --n-per-request."
        )
    return found


def _choice(choice: Mapping[str, Any], logprobs: bool) -> Completion:
    text, finish = choice["text"], choice.get("finish_reason") or "stop"
    if not isinstance(text, str):
        raise TypeError("text is not a string")
    finish = "length" if finish == "length" else "stop"
    if not logprobs:
        return Completion(text, finish)
    given = choice.get("logprobs")
    if not given:
        raise ServerError(
            "The server sent no logprobs: the analysis needs them for the greedy answer. Start the "
            "server with logprobs enabled, or use an endpoint that has them."
        )
    if "content" in given:
        tokens, top = _content(given["content"])
    else:
        tokens, top = _legacy(given)
    return _spelled(text, finish, tokens, top)


def _legacy(given: Mapping[str, Any]) -> tuple[list[str], list[dict[str, float]]]:
    tokens = [str(token) for token in given["tokens"]]
    own = given.get("token_logprobs") or [None] * len(tokens)
    likely = given.get("top_logprobs") or [None] * len(tokens)
    top = []
    for token, value, others in zip(tokens, own, likely, strict=True):
        row = {str(w): math.exp(v) for w, v in (others or {}).items()}
        if value is not None:
            row.setdefault(token, math.exp(value))
        top.append(row)
    return tokens, top


def _content(content: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[dict[str, float]]]:
    """Tokens that are parts of one character are joined; their alternatives are those of the first
    part that are whole characters."""
    tokens: list[str] = []
    top: list[dict[str, float]] = []
    part, row = b"", dict[str, float]()
    for entry in content:
        if not part:
            row = {}
            for other in entry.get("top_logprobs") or []:
                word = _whole(_bytes(other))
                if word is not None:
                    row[word] = row.get(word, 0.0) + math.exp(other["logprob"])
            own = _whole(_bytes(entry))
            if own is not None:
                row.setdefault(own, math.exp(entry["logprob"]))
        part += _bytes(entry)
        word = _whole(part)
        if word is not None:
            row.setdefault(word, math.exp(entry["logprob"]))
            tokens.append(word)
            top.append(row)
            part = b""
    return tokens, top


def _bytes(entry: Mapping[str, Any]) -> bytes:
    given = entry.get("bytes")
    return bytes(given) if given is not None else str(entry["token"]).encode()


def _whole(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _spelled(
    text: str, finish: str, tokens: Sequence[str], top: Sequence[dict[str, float]]
) -> Completion:
    """Without tokens beyond the text (end of text, stop words) and empty ones; the tokens must
    spell the text."""
    kept, likely, length = [], [], 0
    for token, row in zip(tokens, top, strict=True):
        if length == len(text):
            break
        if token:
            token = token[: len(text) - length]
            kept.append(token)
            likely.append(row)
            length += len(token)
    if "".join(kept) != text:
        raise ServerError(
            "The server's tokens do not spell its text, so that no position of the text can be "
            "branched from."
        )
    return Completion(text, finish, tuple(kept), tuple(likely))

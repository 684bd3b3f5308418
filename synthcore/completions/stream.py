"""Answers that come in pieces (server-sent events), put together as if they had come at once."""

import json
from collections.abc import Iterator
from typing import Any

from synthcore.completions.protocol import MalformedError


def is_stream(content_type: str, text: str) -> bool:
    """Was this sent in pieces, asked for or not?"""
    return content_type.startswith("text/event-stream") or text.lstrip().startswith("data:")


def joined(text: str) -> dict[str, Any]:
    """The answer that a stream of chunks adds up to. Raises MalformedError if it was cut off."""
    choices: dict[int, dict[str, Any]] = {}
    for event in _events(text):
        if event.get("error"):
            return event
        for piece in event.get("choices") or []:
            _add(choices.setdefault(piece.get("index", 0), {}), piece)
    if not choices or any(not choice.get("finish_reason") for choice in choices.values()):
        raise MalformedError("The server's stream was cut off.")
    return {"choices": [choices[index] for index in sorted(choices)]}


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data == "[DONE]":
            continue
        try:
            event = json.loads(data)
        except ValueError:
            raise MalformedError("The server's stream is no JSON.") from None
        if isinstance(event, dict):
            yield event


def _add(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    if "delta" in piece:
        message = choice.setdefault("message", {"content": None})
        for name, value in (piece["delta"] or {}).items():
            if isinstance(value, str) and name != "role":
                message[name] = (message.get(name) or "") + value
    elif piece.get("text") is not None:
        choice["text"] = choice.get("text", "") + piece["text"]
    choice["finish_reason"] = piece.get("finish_reason") or choice.get("finish_reason")
    for name, values in (piece.get("logprobs") or {}).items():
        if isinstance(values, list):
            choice.setdefault("logprobs", {}).setdefault(name, []).extend(values)

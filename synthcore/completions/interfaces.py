"""Kinds of servers and the interfaces they have: how a request is written, how an answer is read.

An interface is a path, a body, and the completions in what comes back. Most servers have OpenAI's
two, with fields of their own; Ollama and TGI are asked by theirs, which alone give what is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synthcore.completions.protocol import (
    PARTIAL,
    Completion,
    MalformedError,
    Request,
    ServerError,
)
from synthcore.completions.tokens import (
    Position,
    Spelled,
    content_positions,
    legacy_positions,
    spell,
    without_echo,
)

ENDED = {"stop", "eos", "eos_token", "stop_sequence", "stop_token", "end_turn", "completed"}
CUT = {"length", "max_tokens", "model_length"}
FILTERED = {"content_filter", "safety", "recitation"}

# Fields that make a server sample from the whole model, where it cuts off unlikely tokens, or
# does what a model's own configuration says, unless told not to.
WHOLE_MODEL: Mapping[str, Mapping[str, Any]] = {
    "openai": {},
    "vllm": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "llama.cpp": {"cache_prompt": True, "min_p": 0.0, "top_k": 0},
    "ollama": {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0},
    "tgi": {},
    "mistral": {},
    "deepseek": {},
}
KINDS = tuple(WHOLE_MODEL)


@dataclass(frozen=True)
class Answer:
    """The completions of one response, and what it shows of the server."""

    completions: list[Completion]
    trimmed: bool = False
    echoed: bool = False


@dataclass(frozen=True)
class Interface:
    """One way of asking.

    Attributes:
        path: from the server's root; a closing `/v1` of the base URL counts as the root.
        write: the body of a request for n completions with a seed.
        choices: what is read from a response, in order.
        chat: whether the answer so far is the beginning of the assistant's message.
        several: whether one request can ask for more than one completion.
        echoes: whether the answer so far is always repeated.
    """

    path: str
    write: Callable[[str, Request, int, int], dict[str, Any]]
    choices: "Callable[[Any], list[Choice]]"
    chat: bool = False
    several: bool = True
    echoes: bool = False

    def read(
        self, payload: Any, request: Request, echoes: bool = False, texts: bool = False
    ) -> Answer:
        """Completions of a response.

        Args:
            echoes: whether the server is known to repeat the answer so far, however short.
            texts: take texts from the tokens, although no others are needed.

        Raises MalformedError for another structure, ServerError where something is missing.
        """
        try:
            choices = self.choices(payload)
            context = request.written if self.chat else request.text
            return _answer(choices, request, context, echoes or self.echoes, texts)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            raise MalformedError(f"The server's answer is malformed ({error!r}).") from None


@dataclass(frozen=True)
class Choice:
    """A completion as it came."""

    text: str | None
    finish: str | None
    positions: Sequence[Position] | None
    remarks: Mapping[str, Any] = field(default_factory=dict)


def interface(kind: str, chat: bool = False) -> Interface:
    """How servers of that kind are asked."""
    whole = WHOLE_MODEL[kind]
    if kind == "ollama":
        return _ollama(whole, chat)
    if kind == "tgi" and not chat:
        return Interface("/generate", _write_tgi, _read_tgi, several=False)
    if chat:
        return Interface(
            "/v1/chat/completions", _chat(kind, whole), _read_chat, True, kind != "tgi",
            kind == "mistral",
        )  # fmt: skip
    return Interface("/v1/completions", _completions(whole), _read_completions)


# --- OpenAI's interfaces ------------------------------------------------------------------------


def _common(model: str, request: Request, n: int, seed: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "n": n,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": 1.0,
        "seed": seed,
    }
    return body | ({"stop": list(request.stop)} if request.stop else {})


def _completions(
    whole: Mapping[str, Any],
) -> Callable[[str, Request, int, int], dict[str, Any]]:
    def write(model: str, request: Request, n: int, seed: int) -> dict[str, Any]:
        body = _common(model, request, n, seed) | {"prompt": request.text, **whole}
        return body | ({"logprobs": request.logprobs} if request.logprobs else {})

    return write


def _chat(
    kind: str, whole: Mapping[str, Any]
) -> Callable[[str, Request, int, int], dict[str, Any]]:
    def write(model: str, request: Request, n: int, seed: int) -> dict[str, Any]:
        messages: list[dict[str, Any]] = [{"role": "user", "content": request.prompt}]
        body = _common(model, request, n, seed) | {"messages": messages, **whole}
        if request.written:
            messages.append({"role": "assistant", "content": request.written})
            if kind in ("mistral", "deepseek"):
                messages[-1]["prefix"] = True
            if kind in ("vllm", "tgi"):
                body["continue_final_message"] = True
            if kind == "vllm":
                body["add_generation_prompt"] = False
        if kind == "tgi":  # refuses both
            del body["top_p"], body["n"]
        if request.logprobs:
            body |= {"logprobs": True, "top_logprobs": request.logprobs}
        return body

    return write


def _read_completions(payload: Any) -> list[Choice]:
    return [
        Choice(choice["text"], choice.get("finish_reason"), _positions(choice.get("logprobs")))
        for choice in payload["choices"]
    ]


def _read_chat(payload: Any) -> list[Choice]:
    return [
        Choice(
            choice["message"].get("content"),
            choice.get("finish_reason"),
            _positions(choice.get("logprobs")),
            choice["message"],
        )
        for choice in payload["choices"]
    ]


def _positions(given: Any) -> list[Position] | None:
    if not given:
        return None
    if given.get("content") is not None:
        return content_positions(given["content"])
    return legacy_positions(given) if given.get("tokens") is not None else None


# --- interfaces of their own ----------------------------------------------------------------------


def _ollama(whole: Mapping[str, Any], chat: bool) -> Interface:
    def write(model: str, request: Request, n: int, seed: int) -> dict[str, Any]:
        options: dict[str, Any] = {
            **whole,
            "num_predict": request.max_tokens,
            "temperature": request.temperature,
            "seed": seed,
        }
        options |= {"stop": list(request.stop)} if request.stop else {}
        body: dict[str, Any] = {"model": model, "stream": False, "options": options}
        if request.logprobs:
            body |= {"logprobs": True, "top_logprobs": request.logprobs}
        if not chat:  # raw: without the model's template
            return body | {"prompt": request.text, "raw": True}
        messages = [{"role": "user", "content": request.prompt}]
        if request.written:
            messages.append({"role": "assistant", "content": request.written})
        return body | {"messages": messages}

    def choices(payload: Any) -> list[Choice]:
        text = payload["message"]["content"] if chat else payload["response"]
        given = payload.get("logprobs")
        return [
            Choice(
                text,
                payload.get("done_reason"),
                None if given is None else content_positions(given),
            )
        ]

    return Interface("/api/chat" if chat else "/api/generate", write, choices, chat, several=False)


def _write_tgi(model: str, request: Request, n: int, seed: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "max_new_tokens": request.max_tokens,
        "do_sample": request.temperature > 0,
        "details": True,
        "return_full_text": False,
    }
    if request.temperature > 0:  # a temperature of 0 is refused
        parameters |= {"temperature": request.temperature, "seed": seed}
    parameters |= {"stop": list(request.stop)} if request.stop else {}
    parameters |= {"top_n_tokens": request.logprobs} if request.logprobs else {}
    return {"inputs": request.text, "parameters": parameters}


def _read_tgi(payload: Any) -> list[Choice]:
    found = payload[0] if isinstance(payload, list) else payload
    details = found["details"]
    likely = details.get("top_tokens") or [None] * len(details["tokens"])
    positions = [
        Position(
            token["text"],
            token["logprob"],
            None if others is None else [(other["text"], other["logprob"]) for other in others],
        )
        for token, others in zip(details["tokens"], likely, strict=True)
    ]
    return [Choice(found["generated_text"], details["finish_reason"], positions)]


# --- completions ----------------------------------------------------------------------------------


def _answer(
    choices: Sequence[Choice], request: Request, context: str, echoes: bool, texts: bool
) -> Answer:
    completions, trimmed, echoed = [], False, False
    for choice in choices:
        finish, text = _finish(choice), _text(choice)
        own = without_echo(text, context, echoes)
        repeated = text[: len(text) - len(own)]
        echoed, own = echoed or bool(repeated), _cut(own, request.stop)
        if not (request.logprobs or texts):
            completions.append(Completion(own, finish))
            continue
        if choice.positions is None:
            raise ServerError(
                "The server sent no logprobs: the analysis needs them for the greedy answer. Start "
                "the server with logprobs enabled, or use an endpoint that has them.",
                "no logprobs",
            )
        text = own if echoes else repeated + own
        found = spell(text, choice.positions, context, likely=bool(request.logprobs))
        trimmed = trimmed or found.trimmed
        if request.logprobs:
            if request.logprobs > 1 and _alone(found):
                raise ServerError(
                    "The server sent the probabilities of its own tokens and of no others: "
                    f"{request.logprobs} at each position were asked for.",
                    "no logprobs",
                )
            completions.append(Completion(found.text, finish, found.tokens, found.top))
        else:
            completions.append(Completion(found.text, finish))
    return Answer(completions, trimmed, echoed)


def _alone(found: Spelled) -> bool:
    """Are there no other tokens than the text's, although they were not certain?"""
    pairs = list(zip(found.tokens, found.top, strict=True))
    return all(set(row) <= {token, PARTIAL} for token, row in pairs) and any(
        row[token] < 0.9 for token, row in pairs
    )


def _finish(choice: Choice) -> str:
    reason = str(choice.finish or "stop").lower()
    if reason in ENDED:
        return "stop"
    if reason in CUT:
        return "length"
    if reason in FILTERED:
        return "content_filter"
    raise MalformedError(f"The server broke a completion off (finish_reason '{choice.finish}').")


def _text(choice: Choice) -> str:
    if isinstance(choice.text, str):
        return choice.text
    if _finish(choice) == "content_filter":
        return ""
    if choice.text is not None:
        raise TypeError("text is not a string")
    thought = choice.remarks.get("reasoning_content") or choice.remarks.get("reasoning")
    said = choice.remarks.get("refusal")
    why = f": {said}" if said else f" (finish_reason '{choice.finish}')"
    if thought:
        why = ": the model thought and did not come to an answer"
    raise ServerError(f"The server sent no text{why}.", "thinking" if thought else None)


def _cut(text: str, stop: Sequence[str]) -> str:
    """Without the stop words, which some servers leave in."""
    ends = [text.index(word) for word in stop if word in text]
    return text[: min(ends)] if ends else text

"""Token probabilities as servers write them, read into one form: tokens that spell the text.

The legacy form has parallel lists (`tokens`, `token_logprobs`, `top_logprobs`); the newer one an
object per token (`token`, `bytes`, `logprob`, and a list `top_logprobs` of such objects). Within
either, a token may be plain text, bytes, or what the vocabulary calls it: with a mark at the
beginning of a word, with one letter per byte, or with replacement characters in place of half a
character.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthcore.completions.protocol import END, PARTIAL, ServerError

# How models mark the end of a text, where a server shows it as a token.
MARK = re.compile(r"<[|｜][^<>|｜]{1,40}[|｜]>|</?s>|<eos>|<end_of_turn>|\[EOS\]|<EOS>")
# A text that begins with as much of the prompt was not written by the model.
ECHO = 16
Decoder = Callable[[str], bytes]


@dataclass(frozen=True)
class Position:
    """One token as it came: its text or bytes, its log probability, and likely others."""

    token: str | bytes
    logprob: float | None
    others: Sequence[tuple[str | bytes, float]] | None


@dataclass(frozen=True)
class Spelled:
    """Tokens that spell `text`; `trimmed` if the server had cut white space off its beginning."""

    text: str
    tokens: tuple[str, ...]
    top: tuple[Mapping[str, float], ...]
    trimmed: bool = False


def legacy_positions(given: Mapping[str, Any]) -> list[Position]:
    """From parallel lists."""
    tokens = [str(token) for token in given["tokens"]]
    own = given.get("token_logprobs") or [None] * len(tokens)
    likely = given.get("top_logprobs") or [None] * len(tokens)
    return [
        Position(token, value, None if others is None else _pairs(others.items()))
        for token, value, others in zip(tokens, own, likely, strict=True)
    ]


def content_positions(content: Iterable[Mapping[str, Any]]) -> list[Position]:
    """From one object per token."""
    return [
        Position(
            _raw(entry), entry.get("logprob"), _pairs((_raw(o), o.get("logprob")) for o in others)
        )
        if (others := entry.get("top_logprobs")) is not None
        else Position(_raw(entry), entry.get("logprob"), None)
        for entry in content
    ]


def spell(
    text: str, positions: Sequence[Position], context: str = "", likely: bool = True
) -> Spelled:
    """Tokens and probabilities of a text.

    Tokens that are parts of one character are joined, and their probabilities multiplied; likely
    others are those of the first part. Tokens after the end of the text are left out: marks of the
    end, stop words.

    Args:
        context: what the text continues, in case the server repeats it.
        likely: whether likely other tokens are needed.

    Raises ServerError if tokens do not spell the text or probabilities are missing.
    """
    wanted = without_echo(text, context)
    way, joined = _way(positions, text, wanted)
    raw = [_bytes(position.token, way) for position in positions]
    skip = 0
    if wanted != text and joined.startswith(text):  # the tokens of the prompt as well
        skip = len(context)
    elif not joined.lstrip().startswith(wanted.lstrip()):
        raw = _aligned(wanted, raw, positions)
        joined = b"".join(raw).decode(errors="replace")
    trimmed = not joined[skip:].startswith(wanted)
    if trimmed:
        own = joined[skip:]
        wanted = own[: len(own) - len(own.lstrip())] + wanted
    tokens, top = _whole_characters(raw, positions, way, skip, len(wanted), likely)
    found = "".join(tokens)
    rest = wanted.removeprefix(found)
    cut = PARTIAL in rest and not rest.strip(f" {PARTIAL}")  # within a character
    if not wanted.startswith(found) or (rest and not cut):
        raise _unspelled(text, joined)
    return Spelled(found, tuple(tokens), tuple(top), trimmed)


def without_echo(text: str, context: str, always: bool = False) -> str:
    """Without the prompt, if the server repeated it: if the text begins with it and it is long
    enough for that to be no chance, or if this server always does."""
    repeated = text.startswith(context) and (always or len(context) >= ECHO)
    return text[len(context) :] if repeated else text


def _whole_characters(
    raw: Sequence[bytes],
    positions: Sequence[Position],
    way: Decoder,
    skip: int,
    length: int,
    likely: bool,
) -> tuple[list[str], list[Mapping[str, float]]]:
    """Tokens of the `length` characters after the first `skip`, and their likely others."""
    tokens: list[str] = []
    top: list[Mapping[str, float]] = []
    done, first, part, logprob = -skip, True, b"", 0.0
    row: dict[str, float] = {}
    hidden = False  # the first part of a unit is no character
    for own, position in zip(raw, positions, strict=True):
        if done >= length:
            break
        if done >= 0:
            if first:
                row = _row(position, way) if likely else {}
                hidden = _name(position.token, way) in (PARTIAL, END)
            logprob += _logprob(position, way)
        part += own
        word = _text(part)
        first = bool(word)
        if not word:
            continue  # part of a character
        if done >= 0:
            token = word[: length - done]  # a stop word may end within it
            row = _with(row, word, math.exp(logprob), hidden)
            tokens.append(token)
            top.append({token if w == word else w: p for w, p in row.items()})
        done, part, logprob, row = done + len(word), b"", 0.0, {}
    return tokens, top


def _row(position: Position, way: Decoder) -> dict[str, float]:
    """Likely tokens; those that end the text, and those that are no whole characters, together."""
    if not position.others:
        raise ServerError(
            "The server sent the probabilities of its own tokens and of no others (top_logprobs is "
            "null or empty): the analysis needs the likely ones.",
            "no logprobs",
        )
    row: dict[str, float] = {}
    for token, logprob in position.others:
        word = PARTIAL if token == position.token == "" else _name(token, way)
        row[word] = row.get(word, 0.0) + math.exp(logprob)
    return row


def _with(row: dict[str, float], word: str, p: float, hidden: bool) -> dict[str, float]:
    """The row with the chosen word. Where its first part is `hidden` among parts of characters,
    what the word takes of it is no other's."""
    if hidden:
        row[PARTIAL] = row.get(PARTIAL, 0.0) - p
        row[word] = row.get(word, 0.0) + p
    row.setdefault(word, p)
    return {w: value for w, value in row.items() if w == word or value > 1e-9}


def _logprob(position: Position, way: Decoder) -> float:
    if position.logprob is not None:
        return position.logprob
    for token, logprob in position.others or ():
        if token == position.token:
            return logprob
    shown = _bytes(position.token, way).decode(errors="replace")
    raise ServerError(f"The server sent no probability for its own token '{shown}'.", "no logprobs")


def _name(token: str | bytes, way: Decoder) -> str:
    text = _text(_bytes(token, way))
    if text is None or PARTIAL in text:
        return PARTIAL
    return END if MARK.fullmatch(text) else text


def _bytes(token: str | bytes, way: Decoder) -> bytes:
    return way(token) if isinstance(token, str) else token


def _raw(entry: Mapping[str, Any]) -> str | bytes:
    given, token = entry.get("bytes"), str(entry["token"])
    return bytes(given) if given else token


def _pairs(items: Iterable[tuple[str | bytes, Any]]) -> list[tuple[str | bytes, float]]:
    return [(token, float(value)) for token, value in items if value is not None]


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


# --- how tokens are written -----------------------------------------------------------------------


def _plain(token: str) -> bytes:
    """Text, or `bytes:\\xf0\\x9f` where it is part of a character."""
    if token.startswith("bytes:"):
        found = re.fullmatch(r"bytes:((?:\\x[0-9a-fA-F]{2}|[^\\])+)", token)
        if found:
            parts = re.split(r"(\\x[0-9a-fA-F]{2})", found[1])
            return b"".join(
                bytes([int(part[2:], 16)]) if part.startswith("\\x") else part.encode()
                for part in parts
            )
    return token.encode()


def _word_marks(token: str) -> bytes:
    """SentencePiece: a mark before a word, `<0xE2>` for a byte."""
    if re.fullmatch(r"<0x[0-9A-Fa-f]{2}>", token):
        return bytes([int(token[3:5], 16)])
    return token.replace("\u2581", " ").encode()


def _byte_letters() -> dict[str, int]:
    """One letter per byte, as in GPT-2's vocabulary: printable ones are themselves."""
    same = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = [byte for byte in range(256) if byte not in same]
    return {chr(b): b for b in same} | {chr(256 + i): b for i, b in enumerate(other)}


LETTERS = _byte_letters()


def _byte_level(token: str) -> bytes:
    if MARK.fullmatch(token) or not all(letter in LETTERS for letter in token):
        return token.encode()
    return bytes(LETTERS[letter] for letter in token)


def _way(positions: Sequence[Position], *texts: str) -> tuple[Decoder, str]:
    """The first way of writing tokens in which they begin with one of the texts, but for white
    space, and what they spell; plain text if there is none."""
    spelled = {}
    for way in (_plain, _word_marks, _byte_level):
        joined = b"".join(_bytes(p.token, way) for p in positions).decode(errors="replace")
        if joined.lstrip().startswith(tuple(text.lstrip() for text in texts)):
            return way, joined
        spelled[way] = joined
    return _plain, spelled[_plain]


def _aligned(text: str, raw: list[bytes], positions: Sequence[Position]) -> list[bytes]:
    """With what the text has in place of replacement characters, if tokens have some of their own:
    a run of such tokens takes the text up to the next token without, its last one all of it."""
    marked = [isinstance(p.token, str) and PARTIAL in p.token for p in positions]
    joined = b"".join(raw).decode(errors="replace")
    if not any(marked) or joined.startswith(text) or text.startswith(joined):
        return raw
    space = joined[: len(joined) - len(joined.lstrip())]
    text = text if text.startswith(space) else space + text  # trimmed
    found, at, i = list(raw), 0, 0
    while i < len(raw):
        if not marked[i]:
            at += len(raw[i].decode(errors="replace"))
            i += 1
            continue
        last = i
        while last + 1 < len(raw) and marked[last + 1]:
            last += 1
        after = raw[last + 1].decode(errors="replace") if last + 1 < len(raw) else ""
        end = text.find(after, at + 1) if after else len(text)
        end = len(text) if end < 0 else end
        found[i : last + 1] = [b""] * (last - i) + [text[at:end].encode()]
        at, i = end, last + 1
    return found


def _unspelled(text: str, joined: str) -> ServerError:
    """Why tokens do not spell a text, as far as can be seen."""
    tight = ["".join(part.split()) for part in (text, joined)]
    if tight[0] and tight[1].startswith(tight[0]):
        return ServerError(
            "The server leaves out the spaces of its tokens, so that another token could not be "
            "written as the model would: ask for a form with bytes, such as chat completions.",
            "chat",
        )
    shown = ["'" + " ".join(part.split())[:60] + "'" for part in (joined, text)]
    return ServerError(
        "The server's tokens do not spell its text, so that no position of the text can be "
        f"branched from: {' and '.join(shown)}.",
        "spelling",
    )

"""How servers write tokens and probabilities: every way leads to the same tokens."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthcore.completions.interfaces import interface
from synthcore.completions.protocol import (
    END,
    PARTIAL,
    Completion,
    MalformedError,
    Request,
    ServerError,
)

TEXT = " a €b\n😀"
# The model's tokens, and the probabilities each was drawn with; € and 😀 are two and three tokens.
TOKENS = [b" a", b" \xe2", b"\x82\xac", b"b\n", b"\xf0", b"\x9f\x98", b"\x80"]
P = [0.5, 0.3, 0.9, 0.8, 0.6, 0.5, 0.25]
OTHERS: list[dict[bytes, float]] = [
    {b" b": 0.4, b"": 0.1},
    {b" c": 0.6, b" \xf0": 0.05},
    {b"\x82\xad": 0.1},
    {b"c": 0.2},
    {b"!": 0.3},
    {},
    {},
]
EXPECTED = [
    (" a", {" a": 0.5, " b": 0.4, END: 0.1}),
    (" €", {" €": 0.27, " c": 0.6, PARTIAL: 0.05 + 0.3 - 0.27}),
    ("b\n", {"b\n": 0.8, "c": 0.2}),
    ("😀", {"😀": 0.075, "!": 0.3, PARTIAL: 0.6 - 0.075}),
]


def escaped(token: bytes) -> str:
    try:
        return token.decode() or "<|endoftext|>"
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)


def byte_letters(token: bytes) -> str:
    """GPT-2's letters for bytes, of the bytes used here."""
    special = {0x20: "Ġ", 0x0A: "Ċ", 0x80: "Ģ", 0x82: "Ĥ", 0x98: "ĺ", 0x9F: "Ł", 0xAD: "Ń"}
    return "".join(special.get(byte, chr(byte)) for byte in token) or "<|im_end|>"


def word_marks(token: bytes) -> list[str]:
    """SentencePiece: "▁" for a space, one token per byte where they are no characters."""
    try:
        return [token.decode().replace(" ", "▁") or "</s>"]
    except UnicodeDecodeError:
        return [f"<0x{byte:02X}>" if byte != 0x20 else "▁" for byte in token]


def legacy(write: Any, text: str = TEXT, **changes: Any) -> dict[str, Any]:
    given = {
        "tokens": [write(token) for token in TOKENS],
        "token_logprobs": [math.log(p) for p in P],
        "top_logprobs": [
            {write(w): math.log(p) for w, p in ({token: own} | others).items()}
            for token, own, others in zip(TOKENS, P, OTHERS, strict=True)
        ],
    } | changes
    return {"text": text, "finish_reason": "stop", "logprobs": given}


def content(text: str = TEXT) -> dict[str, Any]:
    def entry(token: bytes, p: float) -> dict[str, Any]:
        shown = token.decode(errors="replace")
        return {"token": shown, "bytes": list(token), "logprob": math.log(p)}

    given = [
        entry(token, own)
        | {"top_logprobs": [entry(w, p) for w, p in ({token: own} | others).items()]}
        for token, own, others in zip(TOKENS, P, OTHERS, strict=True)
    ]
    return {"text": text, "finish_reason": "stop", "logprobs": {"content": given}}


def read(*choices: dict[str, Any], prefix: str = "q", **asked: Any) -> list[Completion]:
    request = Request((prefix,), len(choices), **({"logprobs": 5} | asked))
    return interface("openai").read({"choices": list(choices)}, request).completions


def same(found: Completion) -> None:
    assert found.tokens == tuple(token for token, _ in EXPECTED)
    assert "".join(found.tokens) == found.text == TEXT
    for row, (_, expected) in zip(found.top, EXPECTED, strict=True):
        assert dict(row) == pytest.approx(expected)


@pytest.mark.parametrize(
    "choice",
    [legacy(escaped), legacy(byte_letters), content()],
    ids=["escaped", "letters", "bytes"],
)
def test_parts_of_characters_are_joined_and_their_probabilities_multiplied(choice: Any) -> None:
    same(read(choice)[0])


def test_replacement_characters_stand_for_what_the_text_has() -> None:
    """Parts look alike, so that a dictionary of likely tokens has lost some of them."""
    found = read(legacy(lambda token: token.decode(errors="replace")))[0]
    assert found.tokens == tuple(token for token, _ in EXPECTED)
    own = [row[token] for row, token in zip(found.top, found.tokens, strict=True)]
    assert own == pytest.approx([0.5, 0.27, 0.8, 0.075])
    assert found.top[0][END] == pytest.approx(0.1)
    assert found.top[1][" c"] == pytest.approx(0.6)


def test_a_token_that_is_not_among_the_likely_ones_takes_nothing_from_parts() -> None:
    """Nor does a character of two tokens replace the same character as one."""
    rows = [{"�": math.log(0.5), " x": math.log(0.3)}, {"�": 0.0}]
    given = {"tokens": [" y"], "token_logprobs": [math.log(0.01)], "top_logprobs": rows[:1]}
    found = read({"text": " y", "finish_reason": "stop", "logprobs": given})[0]
    assert found.top[0] == pytest.approx({" y": 0.01, " x": 0.3, PARTIAL: 0.5})
    whole = {"€": math.log(0.2), "bytes:\\xe2": math.log(0.4), " x": math.log(0.1)}
    given = {
        "tokens": ["bytes:\\xe2", "bytes:\\x82\\xac"],
        "token_logprobs": [math.log(0.4), math.log(0.75)],
        "top_logprobs": [whole, {"bytes:\\x82\\xac": math.log(0.75)}],
    }
    found = read({"text": "€", "finish_reason": "stop", "logprobs": given})[0]
    assert found.top[0] == pytest.approx({"€": 0.5, " x": 0.1, PARTIAL: 0.1})


def test_a_character_held_back_is_no_end_of_text() -> None:
    """Some servers show nothing for the first part of a character, and all of it with the last."""
    given = {
        "tokens": ["", "😀", "!"],
        "token_logprobs": [math.log(0.3), 0.0, math.log(0.9)],
        "top_logprobs": [
            {"": math.log(0.3), " x": math.log(0.7)},
            {"😀": 0.0},
            {"!": math.log(0.9), "": math.log(0.1)},
        ],
    }
    found = read({"text": "😀!", "finish_reason": "stop", "logprobs": given})[0]
    assert found.tokens == ("😀", "!")
    assert found.top[0] == pytest.approx({"😀": 0.3, " x": 0.7})
    assert found.top[1] == pytest.approx({"!": 0.9, END: 0.1})


def test_marks_of_words_are_spaces() -> None:
    tokens = [part for token in TOKENS for part in word_marks(token)]
    given = {
        "tokens": tokens,
        "token_logprobs": [-0.1] * len(tokens),
        "top_logprobs": [{"▁x": -1.0, "</s>": -2.0}] * len(tokens),
    }
    found = read({"text": TEXT, "finish_reason": "stop", "logprobs": given})[0]
    assert "".join(found.tokens) == TEXT
    assert found.tokens[0] == " a"
    assert set(found.top[0]) == {" a", " x", END}


@pytest.mark.parametrize(
    "mark",
    ["<|im_end|>", "<|endoftext|>", "</s>", "<eos>", "<end_of_turn>", "<｜end▁of▁sentence｜>", ""],
)
def test_every_mark_of_the_end_is_the_end(mark: str) -> None:
    given = {
        "tokens": [" a", mark],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [{" a": -0.1, mark: -2.5}, {mark: -0.2}],
    }
    found = read({"text": " a", "finish_reason": "stop", "logprobs": given})[0]
    assert found.tokens == (" a",)
    assert found.top[0] == pytest.approx({" a": math.exp(-0.1), END: math.exp(-2.5)})


def test_stop_words_end_within_tokens() -> None:
    given = {
        "tokens": [" a", " b\n", "Q"],
        "token_logprobs": [-0.1, -0.2, -0.3],
        "top_logprobs": [{" a": -0.1}, {" b\n": -0.2, " c": -2.0}, {"Q": -0.3}],
    }
    for text in (" a b", " a b\nQ"):  # cut by the server, or left in
        choice = {"text": text, "finish_reason": "stop", "logprobs": given}
        found = read(choice, stop=("\n",))[0]
        assert (found.text, found.tokens) == (" a b", (" a", " b"))
        assert found.top[1] == pytest.approx({" b": math.exp(-0.2), " c": math.exp(-2.0)})


def test_trimmed_texts_are_taken_from_their_tokens() -> None:
    found = interface("openai").read(
        {"choices": [legacy(escaped, TEXT.strip())]}, Request(("q",), logprobs=5)
    )
    assert found.trimmed
    same(found.completions[0])
    trimmed_behind = legacy(escaped, " a €b")
    assert read(trimmed_behind)[0].text == " a €b"


def test_repeated_prompts_are_left_out() -> None:
    prompt = "Is the answer yes or no?"
    same(read(legacy(escaped, prompt + TEXT), prefix=prompt)[0])  # tokens of the answer alone
    before = {"tokens": ["Is the", prompt[6:], *map(escaped, TOKENS)]}
    rest = legacy(escaped)["logprobs"]
    before["token_logprobs"] = [None, -3.0, *rest["token_logprobs"]]
    before["top_logprobs"] = [None, {prompt[6:]: -3.0}, *rest["top_logprobs"]]
    choice = {"text": prompt + TEXT, "finish_reason": "stop", "logprobs": before}
    same(read(choice, prefix=prompt)[0])  # of the prompt as well
    plain = {"text": prompt + TEXT, "finish_reason": "stop"}
    assert read(plain, prefix=prompt, logprobs=0)[0].text == TEXT
    short = {"text": "no no", "finish_reason": "stop"}
    assert read(short, prefix="no", logprobs=0)[0].text == "no no"  # may be the model's


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (legacy(escaped, top_logprobs=None), "of no others .top_logprobs is null"),
        (
            legacy(escaped, token_logprobs=None, top_logprobs=[{" z": -3.0}] * len(TOKENS)),
            "no probability for its own token ' a'",
        ),
        (legacy(escaped, top_logprobs=[{}] * len(TOKENS)), "of no others .top_logprobs is null or"),
        (
            legacy(
                escaped,
                top_logprobs=[{escaped(w): math.log(p)} for w, p in zip(TOKENS, P, strict=True)],
            ),
            "no others: 5 at each position were asked for",
        ),
        (legacy(escaped, "something else"), "do not spell its text"),
        (legacy(lambda token: escaped(token).strip()), "leaves out the spaces of its tokens"),
        ({"text": " a", "finish_reason": "stop"}, "sent no logprobs"),
        ({"text": " a", "finish_reason": "stop", "logprobs": None}, "sent no logprobs"),
        ({"text": None, "finish_reason": "stop"}, "sent no text .finish_reason 'stop'."),
        ({"text": " a", "finish_reason": "abort"}, "broke a completion off .*'abort'"),
        ({"text": " a", "finish_reason": "tool_calls"}, "broke a completion off .*'tool_calls'"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(choice: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ServerError, match=sentence) as caught:
        read(choice)
    assert "\n" not in str(caught.value)


def test_nonsense_may_be_asked_for_again_and_what_is_missing_not() -> None:
    broken = {"text": " a", "finish_reason": "abort"}
    for nonsense in ({"text": 5}, {"text": " a", "logprobs": {"tokens": 3}}, broken):
        with pytest.raises(MalformedError):
            read(nonsense)
    with pytest.raises(ServerError) as caught:
        read(legacy(escaped, top_logprobs=None))
    assert not isinstance(caught.value, MalformedError)


def test_filtered_and_cut_texts_say_so() -> None:
    filtered = {"text": "I can", "finish_reason": "content_filter"}
    assert read(filtered, logprobs=0)[0].finish == "content_filter"
    nothing = {"text": None, "finish_reason": "content_filter"}
    assert read(nothing, logprobs=0)[0] == Completion("", "content_filter")
    assert read({"text": "a", "finish_reason": "length"}, logprobs=0)[0].finish == "length"
    half = legacy(escaped, " a \ufffd") | {"finish_reason": "length"}
    half["logprobs"] = {name: values[:2] for name, values in half["logprobs"].items()}
    assert read(half)[0].text == " a"  # cut within a character


@given(st.text(min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_text_cut_into_bytes_anywhere_is_spelled(text: str, rng: Any) -> None:
    """Probabilities of joined tokens multiply to the probability of all of them."""
    raw, tokens = text.encode(), []
    while raw:
        size = rng.randint(1, 3)
        tokens.append(raw[:size])
        raw = raw[size:]
    values = [rng.uniform(-2, 0) for _ in tokens]
    other = [{"token": "other", "logprob": -9.0}]
    given = [
        {"token": "?", "bytes": list(token), "logprob": value, "top_logprobs": other}
        for token, value in zip(tokens, values, strict=True)
    ]
    choice = {"text": text, "finish_reason": "stop", "logprobs": {"content": given}}
    found = read(choice)[0]
    assert "".join(found.tokens) == found.text == text
    own = [row[token] for row, token in zip(found.top, found.tokens, strict=True)]
    assert math.prod(own) == pytest.approx(math.exp(sum(values)))

"""`synthcore fork` in front of servers that behave as real ones do: what it finds, what it says."""

import re
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from fake_servers import FakeServer, Reply, events, running
from fake_story import ANSWER, FORK, PROMPT, SMILE
from fork_command import Fork, refused

from synthcore.press.cli import main
from synthcore.press.studies import study_commands


@pytest.fixture
def fork(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Fork:
    return Fork(tmp_path, capsys)


def test_the_command_is_found_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert study_commands()["fork"] == "forking_paths"
    with pytest.raises(SystemExit) as left:
        main(["fork", "-h"])
    assert not left.value.code
    said = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    for told in ("top_k=0 min_p=0", "fewer than 11 tokens", "three tokens", "as it is"):
        assert told in said
    with pytest.raises(SystemExit):
        main(["-h"])
    assert "fork" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("openai", ()),
        ("vllm", ()),
        ("vllm", ("--chat",)),
        ("llama.cpp", ()),
        ("llama.cpp", ("--chat",)),
        ("ollama", ()),
        ("ollama", ("--chat",)),
        ("tgi", ()),
        ("mistral", ("--chat", "--server", "mistral")),
    ],
)
def test_the_fork_of_the_story_is_found_on_every_server(
    kind: str, more: tuple[str, ...], fork: Fork
) -> None:
    with running(FakeServer(kind)) as url:
        code, said, _ = fork(url, "-S", "12", *more)
    assert code == 0
    assert "Greedy answer: 15 tokens, outcome 'yes'" in said
    found = fork.counts()
    names = found["summary"]["outcomes"]
    branches = {(b["t"], b["token"]): b for b in found["branches"]}
    assert all(sum(branch["counts"]) == 12 for branch in branches.values())
    heads, tails = branches[FORK, " heads"], branches[FORK, " tails"]
    assert heads["p"] == pytest.approx(0.6)
    assert heads["counts"][names.index("yes")] >= 9
    assert tails["counts"][names.index("no")] >= 9
    assert found["summary"]["p_change"] > 0.9
    assert max(range(15), key=found["p_tau"].__getitem__) == FORK + 1
    assert branches[14, ""]["p"] == pytest.approx(0.1)  # the text may end without a point
    page = BeautifulSoup((fork.out / "report.html").read_text(), "html.parser")
    assert "(end of text)" in page.text


def test_a_dry_run_says_what_the_rest_costs(fork: Fork) -> None:
    fake = FakeServer("vllm")
    with running(fake) as url:
        code, said, _ = fork(url, "--dry-run", "-S", "12")
        assert code == 0
        asked = int(re.search(r"Requests: (\d+), 0 of them answered already", said)[1])
        numbers = re.findall(r"(?:about|most) ([\d,]+)", said)
        about, most = (int(number.replace(",", "")) for number in numbers[:2])
        read = int(re.search(r"read about ([\d,]+) tokens of prompts", said)[1].replace(",", ""))
        assert len(fake.asked) == 1
        assert not (fork.out / "report.html").exists()
        code, said, _ = fork(url, "-S", "12")
        assert code == 0
    bodies = [body for _, _, body in fake.asked[2:]]  # after the greedy answer and the check
    assert len(bodies) == asked
    found = fork.counts()["branches"]
    assert about == 12 * sum(14 - branch["t"] for branch in found)
    assert most >= about
    assert read == pytest.approx(sum(len(b["prompt"]) for b in bodies) * 15 / 62, rel=0.02)
    assert sum(b["n"] for b in bodies) == 12 * sum(branch["token"] != "" for branch in found)


def test_the_prompt_alone_is_sampled_as_often_as_asked(fork: Fork) -> None:
    """What later distributions are compared with (in survival) then comes from there."""
    fake = FakeServer("vllm")
    with running(fake) as url:
        _, said, _ = fork(url, "--dry-run", "-S", "4", "--start", "60")
        assert "4 completions and 60 of the prompt alone." in said
        dry = int(re.search(r"about ([\d,]+)", said)[1].replace(",", ""))
        assert fork(url, "-S", "4", "--start", "60")[0] == 0
    found = fork.counts()
    assert dry == 4 * sum(14 - b["t"] for b in found["branches"]) + 60 * 15
    assert sum(found["start"]) == 60
    alone = sum(b["n"] for _, _, b in fake.asked[2:] if b["prompt"] == fake.asked[0][2]["prompt"])
    assert alone == 60
    page = BeautifulSoup((fork.out / "report.html").read_text(), "html.parser")
    assert "and 60 of the prompt alone" in page.text


def test_a_budget_is_kept_before_anything_is_sampled(fork: Fork) -> None:
    fake = FakeServer("vllm")
    with running(fake) as url:
        refused(fork(url, budget=100), "more than --budget 100", code=2)
    assert len(fake.asked) == 1


def test_a_pattern_is_tried_on_the_greedy_answer_first(fork: Fork) -> None:
    fake = FakeServer("vllm")
    with running(fake) as url:
        found = fork(url, outcome_regex="answer: (.*)")
        refused(found, "does not match the greedy answer", "so the answer is yes.")
    assert len(fake.asked) == 1


def test_a_larger_run_extends_a_smaller_one_and_needs_no_server(fork: Fork) -> None:
    fake = FakeServer("vllm")
    with running(fake) as url:
        assert fork(url, "-S", "8")[0] == 0
        small, asked = fork.counts(), len(fake.asked)
        _, said, _ = fork(url, "-S", "16")
        large = fork.counts()
        assert f"{asked - 2} of them answered already" in said
    for few, many in zip(small["branches"], large["branches"], strict=True):
        both = dict(zip(small["summary"]["outcomes"], few["counts"], strict=True))
        more = dict(zip(large["summary"]["outcomes"], many["counts"], strict=True))
        assert all(more[name] >= count for name, count in both.items())
    code, _, _ = fork(url, "-S", "16", server="auto")
    assert code == 0  # everything is kept


def test_another_address_is_another_model(fork: Fork) -> None:
    with running(FakeServer("vllm")) as first, running(FakeServer("vllm", smile=True)) as second:
        fork(first, "--dry-run")
        fork(second, "-S", "4")
    assert fork.counts()["text"][SMILE] == " 😀"


def test_what_a_filter_or_a_cut_leaves_is_no_outcome(fork: Fork) -> None:
    def filtered(answer: Any) -> Any:
        for choice in answer["choices"]:
            if "tails" in choice["text"]:
                choice["text"], choice["finish_reason"] = "answer is yes", "content_filter"
        return answer

    with running(FakeServer("openai", after=filtered)) as url:
        assert fork(url, "-S", "12")[0] == 0
    found = fork.counts()
    start = next(b for b in found["branches"] if b["t"] == 0)
    assert found["summary"]["outcomes"][-1] == "Other"
    assert start["counts"][-1] > 0


def test_aborted_samples_are_asked_for_again_and_never_counted(fork: Fork) -> None:
    def aborted(answer: Any) -> Any:
        for choice in answer["choices"]:
            if "logprobs" not in choice:
                choice["text"], choice["finish_reason"] = "", "abort"
        return answer

    with running(FakeServer("vllm", after=aborted)) as url:
        refused(fork(url), "broke a completion off (finish_reason 'abort')", "answers.jsonl: 1.")


def test_streams_chats_and_gateways(fork: Fork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIN_KEY", "a-key-of-mine\n")

    def gate(path: str, headers: Any, body: Any, number: int) -> Reply | None:
        if headers.get("X-Key") != "a-key-of-mine" or headers.get("X-Team") != "blue":
            return 403, {}, {"error": "no"}
        inner = FakeServer("vllm", only_chat=True, after=events)
        return inner.reply("POST", path.removeprefix("/llm"), headers, body)

    more = ("--chat", "--api-key-env", "COIN_KEY", "--header", "X-Team: blue", "--server", "vllm")
    with running(FakeServer(before=gate)) as url:
        refused(fork(f"{url}/llm", *more), "refused the key", "--api-key-env", "--api-key-header")
        code, _, said = fork(f"{url}/llm", *more, "--api-key-header", "X-Key", "-S", "4")
    assert code == 0, said
    assert "a-key-of-mine" not in said + (fork.out / "answers.jsonl").read_text()


@pytest.mark.parametrize("place", ["key", "header", "password", "query"])
def test_a_server_that_repeats_secrets_does_not_get_them_printed(
    place: str, fork: Fork, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-0123456789"
    monkeypatch.setenv("COIN_KEY", f"{secret}\n")
    more = {
        "key": ("--api-key-env", "COIN_KEY"),
        "header": ("--header", f"X-Key: {secret}"),
    }.get(place, ())

    def repeat(path: str, headers: Any, body: Any, number: int) -> Reply | None:
        if number == 1:
            return None
        return 500 + number % 2, {}, {"error": f"{secret} in {path} and {headers}"}

    with running(FakeServer(before=repeat)) as url:
        host = url.removeprefix("http://")
        base = {"password": f"http://me:{secret}@{host}", "query": f"{url}?key={secret}"}
        found = fork(base.get(place, url), *more)
        refused(found, "status 50", "*** in", "answers.jsonl: 1.")
        refused(fork(base.get(place, url), "--path", f"/v1/x?key={secret}", *more), "*** in")
    written = [path.read_text() for path in fork.out.rglob("*") if path.is_file()]
    assert all(secret not in text for text in (*found[1:], *written))


@pytest.mark.parametrize(
    ("kind", "more", "parts"),
    [
        ("openai", ("--logprobs", "20"), ("status 400", "Lower --logprobs")),
        ("llama.cpp", ("--n-per-request", "5"), ("status 400", "Lower --n-per-request")),
        ("openai", ("--set", "top_k=0"), ("top_k", "--set NAME=null leaves a field out")),
        ("openai", ("--chat",), ("does not continue the text", "without --chat")),
        ("tgi", ("--server", "openai"), ("strictly positive", "--server tgi")),
        ("ollama", ("--server", "openai"), ("does not continue the text", "another --server")),
        ("vllm", ("--path", "/v2/nothing"), ("does not exist", "--base-url (or --path)")),
    ],
)
def test_an_error_names_the_option_that_settles_it(
    kind: str, more: tuple[str, ...], parts: tuple[str, ...], fork: Fork
) -> None:
    with running(FakeServer(kind)) as url:
        refused(fork(url, *more), *parts)


def test_a_chat_only_server_is_asked_with_chat(fork: Fork) -> None:
    with running(FakeServer("vllm", only_chat=True)) as url:
        refused(fork(url), "/v1/chat/completions does", "--chat")
        assert fork(url, "--chat", "-S", "4")[0] == 0
        assert fork(f"{url}/v1/chat/completions", "-S", "4")[0] == 0  # the whole address
    with running(FakeServer("ollama")) as url:
        assert fork(f"{url}/v1/chat/completions", "-S", "4")[0] == 0


@pytest.mark.parametrize(
    ("after", "parts"),
    [
        ({"top_logprobs": None}, ("top_logprobs is null", "--server")),
        (None, ("sent no logprobs", "--server")),
    ],
)
def test_missing_probabilities_are_not_taken_for_none(
    after: Any, parts: tuple[str, ...], fork: Fork
) -> None:
    def without(answer: Any) -> Any:
        for choice in answer["choices"]:
            choice["logprobs"] = after and choice["logprobs"] | after
        return answer

    with running(FakeServer("vllm", after=without)) as url:
        refused(fork(url), *parts)


@pytest.mark.parametrize("final", ["", "\n", "\r\n", "\n\n"])
def test_the_prompt_is_sent_as_it_is(final: str, fork: Fork) -> None:
    (fork.folder / "prompt.txt").write_bytes(f"Is it?{final}".encode())
    fake = FakeServer("vllm", before=lambda *_: (400, {}, {"error": "enough"}))
    with running(fake) as url:
        _, _, said = fork(url)
    assert fake.asked[0][2]["prompt"] == f"Is it?{final}"
    assert ("ends in a newline" in said) == bool(final)


def test_a_stop_word_may_be_a_newline(fork: Fork) -> None:
    fake = FakeServer("vllm")
    with running(fake) as url:
        assert fork(url, "--dry-run", "--stop", r"\n", "--stop", "Q:")[0] == 0
    assert fake.asked[0][2]["stop"] == ["\n", "Q:"]


def test_a_short_answer_says_what_a_fork_needs(fork: Fork) -> None:
    (fork.folder / "prompt.txt").write_text(PROMPT + " I flip the coin and it shows")
    with running(FakeServer("vllm")) as url:
        code, _, said = fork(url, "-S", "4")
    assert code == 0
    assert "has 8 tokens. A fork needs three on each side" in said
    assert "fewer than 11" in said
    assert fork.counts()["branches"][-1]["t"] == ANSWER - 6


@pytest.mark.parametrize(
    ("changes", "more", "parts"),
    [
        ({"prompt_file": "absent.txt"}, (), ("Cannot read the prompt in",)),
        ({"outcome_regex": "("}, (), ("is no regular expression",)),
        ({"base_url": "localhost:8080"}, (), ("--base-url", "malformed")),
        ({}, ("--set", "top_k"), ("the value is no JSON",)),
        ({}, ("--api-key-env", "NO_SUCH_VARIABLE"), ("NO_SUCH_VARIABLE of --api-key-env",)),
        ({}, ("--header", "secret-value"), ("--header number 1 has no colon",)),
        ({}, ("--server", "vlm"), ("Unknown kind of server 'vlm'", "llama.cpp")),
        ({"out": "taken"}, (), ("--out", "taken")),
        ({"out": "taken/deeper"}, (), ("--out", "taken")),
    ],
)
def test_bad_input_is_one_sentence(
    changes: dict[str, str],
    more: tuple[str, ...],
    parts: tuple[str, ...],
    fork: Fork,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(fork.folder)
    (fork.folder / "taken").write_text("a file")
    found = fork("http://127.0.0.1:1", *more, **changes)
    refused(found, *parts, code=2)
    assert "secret-value" not in found[2]


def test_a_server_that_is_down_is_one_sentence(fork: Fork) -> None:
    refused(fork("http://127.0.0.1:1"), "did not answer in 1 attempts", "answers.jsonl: 0.")

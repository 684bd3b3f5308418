"""`synthcore fork` as it is typed, and what it says."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_story import PATTERN, PROMPT

from synthcore.press.cli import main


class Fork:
    """The command, as typed; what it printed, and how it ended."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        (folder / "prompt.txt").write_text(PROMPT)
        self.out = folder / "out"

    def __call__(self, url: str, *more: str, **changes: Any) -> tuple[int, str, str]:
        options = {
            "base_url": url, "model": "coin", "prompt_file": self.folder / "prompt.txt",
            "outcome_regex": PATTERN, "out": self.out, "logprobs": 5, "n_per_request": 4,
            "retries": 0, "p_thresh": 0.04,
        } | changes  # fmt: skip
        pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items()]
        code = 0
        try:
            main(["fork", *(part for pair in pairs for part in pair), *more])
        except SystemExit as left:
            code = int(left.code or 0)
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / "counts.json").read_text())
        return found


def refused(found: tuple[int, str, str], *parts: str, code: int = 1) -> None:
    """One sentence, with these parts."""
    assert found[0] == code, found
    last = found[2].splitlines()[-1]
    assert last.startswith("Error: ")
    for part in parts:
        assert part in last
    assert "Traceback" not in found[2]

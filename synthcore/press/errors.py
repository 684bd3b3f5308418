"""The two ways a command ends badly, their exit codes, and what other faults are in a sentence."""

import json
from pathlib import Path
from typing import Any


class Refused(Exception):  # noqa: N818 - the word users see
    """Bad input; nothing was written. One sentence says what to change. Exit code 2."""


class Failed(Exception):  # noqa: N818
    """A run, a required claim or the site build failed. Exit code 1."""


# What a file, a folder or a file system does to us, and not a fault of ours. Exit code 2.
OUTSIDE = (OSError, SyntaxError, UnicodeError)


def sentence(error: BaseException) -> str:
    """What went wrong outside, and with which file."""
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        return f"Cannot use {error.filename}: {reason}." if error.filename else f"{reason}."
    if isinstance(error, SyntaxError):
        where = f" in {error.text.strip()!r}" if error.text else ""
        return f"Cannot read {error.filename}: {error.msg}{where}."
    text = str(error)
    return text if text.endswith((".", "?", "!")) else f"{text}."


def read_json(path: Path, absent: Any) -> Any:
    """What a JSON file holds, or `absent` where there is none. Raises Refused naming the file."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return absent
    except ValueError as error:
        raise Refused(f"Cannot read {path} as JSON: {error}.") from None

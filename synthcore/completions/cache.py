"""Answers on disk: every completion is written down when it arrives and never asked for again.

One JSON object a line, only ever appended to, found by the digest of the backend's name (a server's
has its address) and the request. A process that is killed loses at most the line it was writing;
the next one asks for that again.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from synthcore.completions.protocol import Backend, Completion, Request, ServerError


class Answers:
    """The answers in a file. `damaged` lines are ignored: not JSON, or their checksum is wrong."""

    def __init__(self, path: Path) -> None:
        self.path, self.damaged = path, 0
        self._found: dict[str, list[Completion]] = {}
        if not path.exists():
            return
        with path.open("rb") as stream:
            for line in stream:
                entry = _read(line)
                if entry is None:
                    self.damaged += bool(line.strip())
                else:
                    self._found[entry["key"]] = [Completion.of(c) for c in entry["completions"]]

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: str) -> list[Completion] | None:
        """The completions under a key, or None."""
        return self._found.get(key)

    def add(self, key: str, model: str, completions: Sequence[Completion]) -> None:
        """Append, and hand over to the operating system before going on."""
        self._found[key] = list(completions)
        content = [asdict(completion) for completion in completions]
        entry = {"key": key, "model": model, "check": _check(key, content), "completions": content}
        with self.path.open("ab") as stream:
            if stream.tell() and not _ends_a_line(self.path):
                stream.write(b"\n")
            stream.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")


class Cached:
    """A backend whose answers are kept in `path`; only what is missing there is asked for.

    Raises ServerError if another process has the file open, and what the backend raises.
    """

    def __init__(self, backend: Backend, path: Path | str) -> None:
        self.backend, self.path = backend, Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.answers = Answers(self.path)

    @property
    def name(self) -> str:
        return self.backend.name

    def missing(self, requests: Sequence[Request]) -> list[int]:
        """Which of these requests have no answer yet."""
        return [i for i, r in enumerate(requests) if self.answers.get(r.key(self.name)) is None]

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        """Known answers first."""
        left = self.missing(requests)
        waiting = set(left)
        for index, request in enumerate(requests):
            if index not in waiting:
                yield index, self.answers.get(request.key(self.name)) or []
        if not left:
            return
        with self._writing():
            for place, completions in self.backend.complete([requests[i] for i in left]):
                index = left[place]
                self._keep(requests[index].key(self.name), completions)
                yield index, completions

    @contextmanager
    def _writing(self) -> Iterator[None]:
        lock = FileLock(f"{self.path}.lock", timeout=0)
        try:
            held = lock.acquire()
        except Timeout:
            raise ServerError(f"Another process is writing {self.path}: wait for it.") from None
        except OSError as error:
            raise ServerError(f"Cannot write beside {self.path}: {error.strerror}.") from None
        with held:
            yield

    def _keep(self, key: str, completions: Sequence[Completion]) -> None:
        try:
            self.answers.add(key, self.name, completions)
        except OSError as error:
            raise ServerError(f"Cannot write {self.path}: {error.strerror}.") from None


class ReplayBackend:
    """A recorded run without its model: answers from `path`, and nothing else.

    Raises ServerError for a request that was never made there.
    """

    def __init__(self, path: Path, model: str) -> None:
        self.path, self._model = path, model
        self.answers = Answers(path)

    @property
    def name(self) -> str:
        return self._model

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Completion]]]:
        """In order."""
        for index, request in enumerate(requests):
            known = self.answers.get(request.key(self.name))
            if known is None:
                raise ServerError(
                    f"{self.path} holds no answer to this request of model '{self.name}'; it was "
                    f"recorded with other settings ({len(self.answers)} answers, "
                    f"{self.answers.damaged} damaged lines)."
                )
            yield index, known


def _check(key: str, content: Any) -> str:
    return hashlib.sha256((key + json.dumps(content, sort_keys=True)).encode()).hexdigest()[:16]


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        entry: dict[str, Any] = json.loads(line)
        good = entry["check"] == _check(entry["key"], entry["completions"])
    except (ValueError, KeyError, TypeError):
        return None
    return entry if good else None


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read(1) == b"\n"

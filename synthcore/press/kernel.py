"""A papermill engine: this interpreter's kernel, watched, and measured at the end."""

import ast
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines

from synthcore.evidence.files import write_atomic
from synthcore.press.surroundings import FIRST

ENGINE = "synthcore"
LONGEST = 90  # characters of a folder of sockets; with a socket's name they may have about 104
USAGE = (
    "__import__('json').dumps("
    "__import__('synthcore.evidence.provenance', fromlist=['usage']).usage())"
)


@dataclass
class Session:
    """How to run one kernel, and afterwards what it used."""

    cwd: Path
    env: Mapping[str, str]
    log: IO[bytes]
    state: Path
    time_limit: float | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    timed_out: bool = False
    started: bool = False


class _Kernel(AsyncKernelManager):
    """The interpreter that runs the press, whatever kernel specifications a machine has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        command.append(f"--IPKernelApp.exec_lines={FIRST}")
        return KernelSpec(argv=command, display_name="Python 3", language="python")


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    session: Session
    scratch: str  # an empty folder for its sockets, and instead of the user's IPython profile

    def create_kernel_manager(self) -> AsyncKernelManager:
        """Files instead of ports: kernels that start together can be given the same port."""
        manager: AsyncKernelManager = super().create_kernel_manager()
        if len(self.scratch) <= LONGEST and sys.platform != "win32":
            manager.transport, manager.ip = "ipc", f"{self.scratch}/kernel"
        return manager

    def execute(self, **kwargs: Any) -> Any:
        """All cells, then the kernel's own account of what it used."""
        session = self.session
        self.reset_execution_trackers()
        env = {**session.env, "IPYTHONDIR": self.scratch}
        with self.setup_kernel(cwd=str(session.cwd), env=env, stderr=session.log):
            session.started = True
            watchdog = threading.Timer(session.time_limit or 0, self._kill)
            watchdog.daemon = True
            if session.time_limit:
                watchdog.start()
            try:
                self.papermill_execute_cells()
                if not any(_failed(cell) for cell in self.nb.cells):
                    session.usage.update(self._usage())
                self.set_widgets_metadata()
            finally:
                watchdog.cancel()
        return self.nb

    def _usage(self) -> dict[str, Any]:
        asked = self.kc.execute("", store_history=False, user_expressions={"usage": USAGE})
        reply = self.wait_for_reply(asked)["content"]["user_expressions"]["usage"]
        if reply["status"] != "ok":
            raise RuntimeError(f"The kernel could not say what it used: {reply}")
        usage: dict[str, Any] = json.loads(ast.literal_eval(reply["data"]["text/plain"]))
        return usage

    def _kill(self) -> None:
        self.session.timed_out = True
        kill_tree(self.km.provisioner.pid)


class Engine(NBClientEngine):  # type: ignore[misc]
    """papermill's engine with our kernel, client and progress file."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, session: Session, **kwargs: Any
    ) -> Any:
        """Run every cell; papermill has injected the parameters already."""
        total = sum(cell.cell_type == "code" for cell in nb_man.nb.cells)
        started, done, heading = time.time(), 0, "starting"

        def note() -> None:
            state = {"cell": done, "cells": total, "heading": heading, "started": started}
            write_atomic(session.state, json.dumps(state))

        def on_start(cell: Any, cell_index: int) -> None:
            nonlocal done, heading
            if cell.cell_type == "code":
                done += 1
                note()
            else:
                titles = [line for line in cell.source.splitlines() if line.startswith("#")]
                heading = titles[-1].lstrip("# ") if titles else heading

        note()
        client = _Client(
            nb_man,
            kernel_manager_class=_Kernel,
            kernel_name=kernel_name,
            timeout=None,
            startup_timeout=600,
            on_cell_start=on_start,
        )
        client.session = session
        with tempfile.TemporaryDirectory(prefix="synthcore-", dir=_short()) as client.scratch:
            return client.execute()


def _short() -> str | None:
    """A folder for sockets, whose names may not be long; None for that of temporary files."""
    places = [tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp"]
    usable = (place for place in places if len(place) <= LONGEST - 24 and os.access(place, os.W_OK))
    return next(usable, None)


def kill_tree(pid: int) -> None:
    """Kill a process and everything it started."""
    try:
        root = psutil.Process(pid)
        for process in [*root.children(recursive=True), root]:
            process.kill()
    except psutil.NoSuchProcess:
        pass


def _failed(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


papermill_engines.register(ENGINE, Engine)

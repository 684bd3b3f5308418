"""What a run costs beyond its notebook."""

import resource
import tempfile
from pathlib import Path

from benchmarks.measuring import Benchmark

RUNS = 200


def overhead_seconds() -> float:
    """CPU seconds per run of a sweep whose chapter does next to nothing: start of the kernel and
    imports included, start of the sweep as well."""
    from tests.book.conftest import make_project

    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder))
        rates = ",".join(str((i + 1) / RUNS) for i in range(RUNS))
        before = used()
        done = project.run("sweep", "toy", "--scale", "smoke", "-g", f"rate={rates}", "--out", "s")
        if f"{RUNS} of {RUNS} runs done" not in done.stdout:
            raise RuntimeError(done.stdout + done.stderr)
        return (used() - before) / RUNS


def used() -> float:
    """CPU seconds of all processes that were waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


BENCHMARKS = (
    Benchmark(
        "sweep-overhead",
        f"{RUNS} runs of an empty chapter in a sweep",
        "CPU-s per run",
        "<=",
        3,
        overhead_seconds,
    ),
)

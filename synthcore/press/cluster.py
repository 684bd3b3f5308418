"""Workers for many runs: a local Dask cluster, or one that is there already."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthcore.press.errors import Refused

CGROUP = Path("/sys/fs/cgroup")
SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,  # a killed worker's run is not tried again
    "distributed.comm.timeouts.connect": "60s",
}


@contextlib.contextmanager
def local(workers: int, gpus: int = 0) -> Iterator[Any]:
    """A client of `workers` processes on this machine, one run each at a time.

    They talk among themselves only: nothing listens to other machines. With `gpus`, worker i sees
    only CUDA device i modulo `gpus`.
    """
    import dask
    import distributed

    dd: Any = distributed  # untyped
    here = {"host": "127.0.0.1"}
    worker = {**here, "nthreads": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL}
    specifications = {
        i: {
            "cls": dd.Nanny,
            "options": {**worker, "env": {"CUDA_VISIBLE_DEVICES": str(i % gpus)} if gpus else {}},
        }
        for i in range(workers)
    }
    options = {**here, "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    scheduler = {"cls": dd.Scheduler, "options": options}
    with (
        dask.config.set(SETTINGS),
        dd.SpecCluster(
            workers=specifications, scheduler=scheduler, silence_logs=logging.CRITICAL
        ) as cluster,
        dd.Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def remote(address: str) -> Iterator[Any]:
    """A client of the scheduler at `address`; Refused if none answers there."""
    import dask
    import distributed

    dd: Any = distributed
    with dask.config.set(SETTINGS):
        try:
            client = dd.Client(address, timeout="5s")
        except (OSError, TimeoutError, ValueError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise Refused(f"No Dask scheduler answers at {address} ({reason}).") from None
        with client:
            yield client


def cores() -> int:
    """Cores this process may use."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(here, _quota(CGROUP) or here)


def threads(at_once: int) -> int:
    """Threads of each of several runs: as OMP_NUM_THREADS says, else a share of the cores."""
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(given) if given.isdecimal() and int(given) else max(1, cores() // at_once)


def _quota(group: Path) -> int | None:
    """Whole cores that a container may use (at least one), or None if it may use all."""
    try:
        if (group / "cpu.max").is_file():
            allowed, _, period = (group / "cpu.max").read_text().partition(" ")
        else:  # of the first version
            allowed, period = (
                (group / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period")
            )
        return max(1, int(allowed) // int(period)) if int(allowed) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # "max", or no such thing
        return None


def gpus() -> int:
    """CUDA devices PyTorch finds."""
    import torch

    return torch.cuda.device_count()


def default_workers() -> int:
    """One per GPU, else one per core."""
    return gpus() or cores()

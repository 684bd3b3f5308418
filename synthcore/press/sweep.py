"""Many runs of one study, resumable, on this machine or on a cluster.

A run's identity is the hash of study, scale, parameters and code; its folder in the sweep is named
by it and is complete or absent. So a sweep that was stopped, however, goes on when it is started
again: finished runs are found, the others are run.
"""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthcore.evidence.record import RECORD_NAME, DamagedRecord, Record
from synthcore.press import cluster, folders
from synthcore.press.book import outcome
from synthcore.press.errors import Failed, Refused
from synthcore.press.parameters import (
    Parameters,
    read_value,
    read_yaml,
    scale_parameters,
    with_values,
)
from synthcore.press.progress import Reporter, clock
from synthcore.press.runner import STATE_NAME, Job, Outcome, current_code, execute, run_identity
from synthcore.press.studies import Study

NAME_LENGTH = 16  # hexadecimal digits of the identity in a folder's name


@dataclass(frozen=True)
class Grid:
    """What varies: every combination of `crossed`, with each row of `zipped`, with `seeds` blocks
    of disjoint seeds.
    """

    crossed: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    zipped: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seeds: int = 1

    def __post_init__(self) -> None:
        both = sorted(set(self.crossed) & set(self.zipped))
        if both:
            raise Refused(f"Parameter '{both[0]}' is swept twice.")
        for name, values in {**self.crossed, **self.zipped}.items():
            if not values:
                raise Refused(f"Parameter '{name}' is swept over no value.")
        if len({len(values) for values in self.zipped.values()}) > 1:
            lengths = ", ".join(f"{name} {len(values)}" for name, values in self.zipped.items())
            raise Refused(f"Zipped parameters need as many values each ({lengths}).")
        if self.seeds < 1:
            raise Refused(f"seeds must be at least 1 (got {self.seeds}).")
        if self.seeds > 1 and "seed" in (*self.crossed, *self.zipped):
            raise Refused("Sweep either 'seed' or a number of seeds, not both.")

    def points(self) -> list[dict[str, Any]]:
        """Values of the swept parameters, one mapping per run, without the blocks of seeds.

        >>> Grid({"a": [1, 2]}, {"b": [3, 4], "c": [5, 6]}).points()[:2]
        [{'a': 1, 'b': 3, 'c': 5}, {'a': 1, 'b': 4, 'c': 6}]
        """
        rows = [
            dict(zip(self.zipped, row, strict=True))
            for row in zip(*self.zipped.values(), strict=True)
        ] or [{}]
        return [
            {**dict(zip(self.crossed, values, strict=True)), **row}
            for values in itertools.product(*self.crossed.values())
            for row in rows
        ]


def read_axis(text: str) -> tuple[str, list[Any]]:
    """`width=16,32` as a name and its values; lists are written `sizes=[4],[4, 16]`. Refused."""
    name, equals, values = text.partition("=")
    if not equals or not name:
        raise Refused(f"'{text}' is not NAME=V1,V2,...")
    return name, read_value(name, f"[{values}]")


def read_axes(texts: Iterable[str]) -> dict[str, list[Any]]:
    """Several such texts, each of another parameter. Raises Refused."""
    axes: dict[str, list[Any]] = {}
    for name, values in map(read_axis, texts):
        if name in axes:
            raise Refused(f"Parameter '{name}' is swept twice: give all its values at once.")
        axes[name] = values
    return axes


def read_grid(path: Path) -> tuple[Grid, dict[str, Any]]:
    """A sweep file: keys `grid` and `zip` (name -> list), `seeds`, `parameters`. Raises Refused."""
    content = read_yaml(path)
    wrong = sorted(set(content) - {"grid", "zip", "seeds", "parameters"})
    if wrong:
        raise Refused(f"{path} may hold grid, zip, seeds and parameters, not '{wrong[0]}'.")
    parts = {key: content.get(key) or {} for key in ("grid", "zip", "parameters")}
    for key, part in parts.items():
        if not isinstance(part, dict) or not all(isinstance(name, str) for name in part):
            raise Refused(f"{path}: '{key}' must be a mapping of parameter names to values.")
    crossed, zipped, fixed = parts.values()
    for name, values in {**crossed, **zipped}.items():
        if not isinstance(values, list):
            raise Refused(f"{path}: '{name}' needs a list of values.")
    seeds = content.get("seeds", 1)
    if type(seeds) is not int:
        raise Refused(f"{path}: seeds must be a whole number (got {seeds!r}).")
    return Grid(crossed, zipped, seeds), fixed


def plan(
    study: Study,
    scale: str,
    fixed: Mapping[str, Any],
    grid: Grid,
    out: Path,
    threads: int | None = None,
    time_limit: float | None = None,
) -> list[Job]:
    """One job per run, in the grid's order; every parameter is checked. Raises Refused, also where
    two runs would be the same or would share seeds.
    """
    twice = sorted(set(fixed) & {*grid.crossed, *grid.zipped})
    if twice:
        raise Refused(f"Parameter '{twice[0]}' is both given and swept.")
    base = scale_parameters(study, scale)
    swept = grid.points()
    points = [with_values(study, base, {**fixed, **point}) for point in swept]
    _refuse_repeats(points, swept)
    stride = max(int(point.all.get("n_seeds", 1)) for point in points)
    code = current_code(study)
    jobs = []
    for point, block in itertools.product(points, range(grid.seeds)):
        seed = int(point.all.get("seed", 0)) + block * stride
        parameters = with_values(study, point, {"seed": seed}) if block else point
        name = run_identity(study, scale, parameters.all, code)[:NAME_LENGTH]
        jobs.append(Job(study, scale, parameters, out / name, threads, time_limit))
    return jobs


def _refuse_repeats(points: Sequence[Parameters], swept: Sequence[Mapping[str, Any]]) -> None:
    """Runs that are alike but for their seeds are taken for independent: Refused if two share one.

    A run on another device is the same run.
    """
    alike: dict[Any, list[tuple[int, int, str]]] = {}
    for point, values in zip(points, swept, strict=True):
        key = {name: value for name, value in point.all.items() if name not in ("seed", "device")}
        told = ", ".join(f"{name}={value}" for name, value in values.items())
        first, count = int(point.all.get("seed", 0)), int(point.all.get("n_seeds", 1))
        alike.setdefault(_hashable(key), []).append((first, count, told))
    for runs in alike.values():
        for (first, count, told), (second, _, also) in itertools.pairwise(sorted(runs)):
            if first == second:
                raise Refused(f"Two runs of the sweep are the same: {told} and {also}.")
            if second < first + count:
                raise Refused(
                    f"Runs of the sweep would share seeds: those of seed {first} and of seed "
                    f"{second} have {count} each (n_seeds). Use --seeds for disjoint blocks."
                )


def _hashable(value: Any) -> Any:
    """Equal for values that are: 1 is 1.0."""
    if isinstance(value, dict):
        return frozenset((name, _hashable(item)) for name, item in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def finished(job: Job, force: bool = False) -> Record | None:
    """The record of a job that was run before, verified; damaged ones are refused unless forced."""
    try:
        record = Record.read(job.folder / RECORD_NAME)
        record.verify(job.folder)
    except FileNotFoundError:
        return None
    except DamagedRecord as error:
        if force:
            return None
        raise Refused(f"{error} Use --force to compute that run anew.") from None
    return record


def execute_once(job: Job, force: bool = False) -> Outcome:
    """Run a job unless it is complete; wait while another process works on it."""
    with folders.locked(job.folder, wait=True):
        done = finished(job, force)
        return Outcome(job, done) if done else execute(job)


@dataclass
class Sweep:
    """The state of a sweep: what is done, what failed, what is left."""

    jobs: Sequence[Job]
    outcomes: dict[Path, Outcome] = field(default_factory=dict)
    found: int = 0  # finished before
    begun: float = field(default_factory=time.monotonic)

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes.values() if outcome.record is None]

    @property
    def records(self) -> list[Record]:
        return [outcome.record for outcome in self.outcomes.values() if outcome.record]

    @property
    def left(self) -> list[Job]:
        return [job for job in self.jobs if job.folder not in self.outcomes]

    def line(self) -> str:
        """`12 of 40 done, 2 running, 1 failed  3:05 elapsed  about 7:10 left`."""
        done = len(self.records)
        running = sum((folders.partial(j.folder) / STATE_NAME).is_file() for j in self.left)
        elapsed = time.monotonic() - self.begun
        text = f"{done} of {len(self.jobs)} done, {running} running, {len(self.failed)} failed"
        text += f"  {clock(elapsed)} elapsed"
        here = len(self.outcomes) - self.found
        if here and self.left:
            text += f"  about {clock(elapsed / here * len(self.left))} left"
        return text


class SweepReporter(Reporter):
    """Says every so often how far a sweep is."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__()
        self._sweep = sweep

    def lines(self) -> list[str]:
        return [self._sweep.line()]


def run_sweep(
    jobs: Sequence[Job], out: Path, *, workers: int, scheduler: str | None, force: bool = False
) -> Sweep:
    """Run what is not finished; failing runs are kept apart and the others go on.

    Raises Refused if another sweep writes to `out`, Failed if the scheduler is lost.
    """
    out.mkdir(parents=True, exist_ok=True)
    with folders.locked(out / "sweep"):
        sweep = Sweep(jobs)
        for job in jobs:
            if record := finished(job, force):
                sweep.outcomes[job.folder] = Outcome(job, record)
        sweep.found = len(sweep.outcomes)
        if sweep.left:
            with _client(workers, scheduler) as client, SweepReporter(sweep):
                for done in _results(client, sweep.left, force):
                    sweep.outcomes[done.job.folder] = done
        return sweep


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Any]:
    if scheduler:
        with cluster.remote(scheduler) as client:
            yield client
    else:
        with cluster.local(workers, cluster.gpus()) as client:
            yield client


def _results(client: Any, jobs: Sequence[Job], force: bool) -> Iterable[Outcome]:
    """Outcomes as they come. Raises Failed when the scheduler is gone."""
    import distributed

    dd: Any = distributed
    futures = {client.submit(execute_once, job, force, pure=False): job for job in jobs}
    for future in dd.as_completed(futures):
        if future.status == "cancelled" or client.status != "running":
            raise Failed("The Dask scheduler was lost; start the sweep again to go on.")
        yield outcome(futures[future], future)

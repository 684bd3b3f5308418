"""A stage: a function of a study that is computed once per block of seeds, and kept."""

import inspect
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import update_wrapper
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
import xarray as xr

import synthcore
from synthcore.config import StudyConfig, nearest
from synthcore.evidence.files import sha256
from synthcore.evidence.provenance import import_closure, meaning_hash
from synthcore.stages.keeper import KeepingProgress, forget
from synthcore.stages.shipped import find_shipped
from synthcore.stages.store import (
    About,
    Entries,
    Result,
    Seeds,
    cache_folder,
    fresh,
    now,
    say_once,
)
from synthcore.training.progress import Progress

C = TypeVar("C", bound=StudyConfig)

BLOCK = 4  # seeds that are computed and kept together
NOT_CODE = ("stages", "evidence", "config")  # keep, judge and ask for results and make none
ALWAYS_READ = ("seed", "n_seeds", "device")
ROOT = Path(synthcore.__file__).parents[1]


class StageError(ValueError):
    """A stage is declared wrongly or returned what cannot be kept; the message says which."""


@dataclass(frozen=True)
class Obtained:
    """A stage's result and where it came from.

    `source` is `computed`, `kept` or `shipped`; where blocks differ, computed if any was.
    `computed` are the seeds that were. `changed` names modules whose code is not what a shipped
    result was computed with.
    """

    data: xr.Dataset
    about: About
    source: str
    computed: Seeds = ()
    changed: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Where it came from."""
        if self.source == "computed" and self.computed != self.about.seeds:
            return f"computed for seeds {', '.join(map(str, self.computed))}, the others kept"
        return f"{self.source}, of {self.about.created[:10]}"


class Stage(Generic[C]):
    """A function (config, progress) -> dataset whose results are kept. Made by `@stage`."""

    def __init__(
        self,
        function: Callable[[C, Progress], xr.Dataset],
        reads: Sequence[str],
        per_seed: bool,
        number: str,
    ) -> None:
        update_wrapper(self, function)
        self.function, self.reads, self.per_seed = function, tuple(reads), per_seed
        self.number = number
        self.study, self.name = _place(function.__module__, function.__name__)
        self.imported = time.time()
        self._loaded: dict[str, str] | None = None

    def __call__(self, config: C, progress: Progress | None = None) -> xr.Dataset:
        """The stage's dataset, computed or found."""
        return self.obtain(config, progress).data

    def obtain(self, config: C, progress: Progress | None = None) -> Obtained:
        """Find the result, computing the seeds that are missing.

        Shipped results come first, then kept ones. In a rehearsal everything is computed and
        nothing is kept.

        Raises UndeclaredParameter if the function reads a parameter that it does not name,
        StageError if its dataset does not have the block's seeds, NotShipped where only shipped
        results may be used.
        """
        progress = Progress() if progress is None else progress
        parameters, wanted = self._parameters(config), self._seeds(config)
        if not progress.rehearsing:
            shipped = find_shipped(self.study, self.name, parameters, wanted, self.per_seed)
            if shipped is not None:
                _tell(progress, shipped)
                changed = _changed(shipped.about.code, self._code())
                return Obtained(shipped.data, shipped.about, "shipped", changed=changed)
        about = self._about(config, parameters)
        entries = Entries(None if progress.rehearsing or self._edited(about) else _folder(about))
        found: dict[Seeds, Result] = {}
        for seeds in entries.seeds(fresh()):
            if set(seeds) & set(wanted) if self.per_seed else seeds == wanted:
                kept = entries.read(seeds)
                if kept is not None:
                    found[seeds] = kept
                    _tell(progress, kept)
        computed: Seeds = ()
        for seeds in self._missing(wanted, found):
            with entries.locked(seeds):
                other = None if fresh() else entries.read(seeds)  # computed while we waited
                if other is not None:
                    found[seeds] = other
                    _tell(progress, other)
                    continue
                if fresh():
                    forget(entries.work(seeds))
                keeping = KeepingProgress(progress, entries.work(seeds))
                data = self.function(config.only(self.reads, seeds, self.name), keeping)
                self._check(data, seeds)
                made = replace(about, seeds=seeds, cpu_seconds=round(keeping.cpu_seconds, 2))
                found[seeds] = entries.write(seeds, data, made)
                keeping.close()
                computed += seeds
        seconds = sum(result.about.cpu_seconds for result in found.values())
        created = min(result.about.created for result in found.values())
        whole = replace(about, cpu_seconds=round(seconds, 2), created=created)
        return Obtained(
            self._joined(found, wanted), whole, "computed" if computed else "kept", computed
        )

    def _parameters(self, config: C) -> dict[str, Any]:
        """The declared parameters as JSON holds them. Raises StageError for one there is not."""
        fields = type(config).model_fields
        for name in self.reads:
            if name not in fields:
                hint = nearest(name, fields)
                raise StageError(f"The stage {self.name} reads '{name}', no parameter. {hint}")
        for name in self.reads:
            getattr(config, name)  # inside another stage, that one must name it too
        names = set(self.reads) - set(ALWAYS_READ)
        return {name: _plain(getattr(config, name)) for name in sorted(names)}

    def _seeds(self, config: C) -> Seeds:
        """The seeds of this stage. Inside another stage, the block's."""
        if self.number in config.__dict__:
            return tuple(range(config.seed, config.seed + int(getattr(config, self.number))))
        return config.seeds

    def _about(self, config: C, parameters: dict[str, Any]) -> About:
        device = config.torch_device.type
        return About(
            study=self.study,
            stage=self.name,
            parameters=parameters,
            seeds=self._seeds(config),
            torch=torch.__version__,
            code=self._code(),
            device=device,
            cpu_seconds=0.0,
            created=now(),
        )

    def _files(self) -> list[Path]:
        path = Path(inspect.getfile(sys.modules[self.function.__module__]))
        return sorted({path, *import_closure(path, ROOT, without=NOT_CODE)})

    def _code(self) -> dict[str, str]:
        """Digest of every module that the result rests on."""
        return {_relative(path): meaning_hash(path) for path in self._files()}

    def _edited(self, about: About) -> bool:
        """Whether the code on disk may not be the code that is loaded; says so."""
        if self._loaded is None and all(p.stat().st_mtime <= self.imported for p in self._files()):
            self._loaded = dict(about.code)
        if self._loaded == about.code:
            return False
        say_once(
            f"Code of {self.name} changed after this Python was started: its results are neither "
            "looked up nor kept until it is started again."
        )
        return True

    def _missing(self, wanted: Seeds, found: dict[Seeds, Result]) -> list[Seeds]:
        """Blocks of seeds that are still to be computed."""
        if not self.per_seed:
            return [] if found else [wanted]
        there = {seed for seeds in found for seed in seeds}
        return list(blocks([seed for seed in wanted if seed not in there]))

    def _check(self, data: xr.Dataset, seeds: Seeds) -> None:
        if not isinstance(data, xr.Dataset):
            raise StageError(f"The stage {self.name} returned {type(data).__name__}, no dataset.")
        if not self.per_seed:
            return
        has = tuple(data["seed"].values.tolist()) if "seed" in data.dims else None
        if has != seeds:
            raise StageError(
                f"The stage {self.name} was asked for the seeds {seeds} and must return a dataset "
                f"with a dimension seed of these values; it has {has}. If it has one result for "
                "all seeds: @stage(..., per_seed=False)."
            )

    def _joined(self, found: dict[Seeds, Result], wanted: Seeds) -> xr.Dataset:
        """One dataset of all blocks, seeds in order. Raises StageError if blocks disagree."""
        parts = [found[seeds].data for seeds in sorted(found)]
        if not self.per_seed or (len(parts) == 1 and sorted(found) == [wanted]):
            return parts[0]
        try:
            data = xr.concat(
                parts,
                "seed",
                data_vars="minimal",
                coords="minimal",
                compat="equals",
                join="exact",
                combine_attrs="override",
            )
        except (ValueError, xr.MergeError) as error:
            raise StageError(
                f"Blocks of seeds of {self.name} do not fit together: {error}"
            ) from None
        return data.drop_duplicates("seed").sel(seed=list(wanted))


def stage(
    *, reads: Sequence[str], per_seed: bool = True, seeds: str = "n_seeds"
) -> Callable[[Callable[[C, Progress], xr.Dataset]], Stage[C]]:
    """Make a function (config, progress) -> dataset a stage.

    `reads` names the parameters it reads; seed, n_seeds and device need not be named. The config
    it is given has no others, and has the seeds of one block. With `per_seed` (the default) the
    dataset has a dimension `seed` with these seeds; without, there is one result for all seeds.
    `seeds` is the parameter that says how many there are, for a stage with a number of its own.

    Its name is that of its module and its own: `training.run`.
    """

    return lambda function: Stage(function, reads, per_seed, seeds)


def blocks(seeds: Sequence[int], size: int = BLOCK) -> Iterator[Seeds]:
    """Seeds that follow one another, at most `size` at a time.

    >>> list(blocks([0, 1, 2, 3, 4, 7, 8]))
    [(0, 1, 2, 3), (4,), (7, 8)]
    """
    block: Seeds = ()
    for seed in seeds:
        if block and (len(block) == size or seed != block[-1] + 1):
            yield block
            block = ()
        block += (seed,)
    if block:
        yield block


def _place(module: str, function: str) -> tuple[str, str]:
    """Study and stage: `synthcore.studies.<study>.experiments.<stage>` and what is like it."""
    parts = module.split(".")
    if parts[:2] == ["synthcore", "studies"]:
        parts = parts[2:]
    study, below = parts[0], [part for part in parts[1:] if part != "experiments"]
    return study, ".".join([*below, function])


def _folder(about: About) -> Path:
    """Where the blocks of this question are kept."""
    asked = [about.study, about.stage, about.parameters, about.torch, about.code]
    key = sha256(json.dumps(asked, sort_keys=True).encode())[:20]
    return cache_folder() / about.study / about.stage / key


def _changed(before: Any, now: dict[str, str]) -> tuple[str, ...]:
    """Modules that are not what they were, or were not there."""
    return tuple(sorted(path for path in {*before, *now} if before.get(path) != now.get(path)))


def _tell(progress: Progress, result: Result) -> None:
    """A stage that found this inside it has its cost."""
    if isinstance(progress, KeepingProgress):
        progress.add_inside(result.about.cpu_seconds)


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))

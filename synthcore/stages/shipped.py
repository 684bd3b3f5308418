"""Results that come with the book: `book/reference/<study>/<stage>.nc` and `.json`.

They are found by study, stage, declared parameters and seeds. Code may have changed since: then the
result is used all the same, and whoever shows it names the modules.
"""

import os
from pathlib import Path
from typing import Any

from synthcore.evidence.files import find_root
from synthcore.stages.store import DamagedResult, Result, Seeds, read_about, read_result, say_once


class NotShipped(LookupError):  # noqa: N818 - the word users see
    """Only shipped results may be used, and this one is not there."""


def policy() -> str:
    """`use`, `only` or `ignore`, from SYNTHCORE_SHIPPED; without it, `use` at scale reference.

    Raises ValueError for another word.
    """
    scale = os.environ.get("SYNTHCORE_SCALE")
    word = os.environ.get("SYNTHCORE_SHIPPED") or ("use" if scale == "reference" else "ignore")
    if word not in ("use", "only", "ignore"):
        raise ValueError(f"SYNTHCORE_SHIPPED must be use, only or ignore (got {word!r}).")
    return word


def find_shipped(
    study: str, stage: str, parameters: dict[str, Any], seeds: Seeds, per_seed: bool
) -> Result | None:
    """The shipped result of this stage; of more seeds than asked for, those that are. None where
    there is none or shipped ones may not be used; a damaged one is named and passed over.

    Raises NotShipped where nothing else may be used.
    """
    word = policy()
    if word == "ignore":
        return None
    path = shipped_folder(study) / f"{stage}.nc"
    why = f"{path} is not there"
    try:
        about, _ = read_about(path)
        more = set(about.seeds) >= set(seeds) if per_seed else about.seeds == seeds
        differing = sorted(
            name
            for name in {*parameters, *about.parameters}
            if parameters.get(name) != about.parameters.get(name)
        )
        if differing:
            why = f"{path} is of another {', '.join(differing)}"
        elif not more:
            why = f"{path} is of seeds {about.seeds[0]} to {about.seeds[-1]}"
        else:
            result = read_result(path)
            if about.seeds != seeds:
                result = Result(result.data.sel(seed=list(seeds)), about)
            return result
    except FileNotFoundError:
        pass
    except (DamagedResult, OSError) as error:
        why = str(error).rstrip(".")
        say_once(f"{why}; it is not used.")
    if word == "only":
        raise NotShipped(f"The stage {stage} of {study} is not shipped: {why}.")
    return None


def shipped_folder(study: str) -> Path:
    """Where the study's shipped results lie, in the project this runs in."""
    given = os.environ.get("SYNTHCORE_ROOT")
    root = Path(given) if given else find_root() or Path(__file__).parents[2]
    return root / "book" / "reference" / study

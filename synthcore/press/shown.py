"""Which run a page shows: the one at scale `check`, or, where stages are shipped, at `reference`.

The reference run of a page computes nothing: all its stages are shipped ones. Where one is missing
or damaged there is no such run, and the page shows the check run and says why.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from synthcore.evidence.files import write_atomic
from synthcore.evidence.record import Record
from synthcore.press import folders
from synthcore.press.errors import Failed
from synthcore.press.runner import NOTE_NAME, Outcome
from synthcore.press.runs import read_run
from synthcore.press.studies import CHECK, Study


@dataclass(frozen=True)
class Shown:
    """The run on a study's page, the run at `check` (or at the scale of a test's book), and, where
    stages are shipped but are not shown, why.
    """

    record: Record
    check: Record
    folder: Path  # of the run on the page
    why_not: str = ""

    @property
    def disagreements(self) -> list[str]:
        """Claims that are reproduced on the page and not reproduced in the check run."""
        checked = {claim.id: claim.verdict for claim in self.check.claims}
        return [
            claim.id
            for claim in self.record.claims
            if claim.verdict == "reproduced" and checked.get(claim.id) == "not reproduced"
        ]


def page_of(study: Study, scale: str = CHECK) -> Shown:
    """What a study's page shows. Raises Failed if there is no run to show."""
    folder = study.run_folder(scale)
    check = read_run(folder)
    if check is None:
        raise Failed(f"'{study.name}' has no run at scale {scale}: use synthcore book.")
    if scale != CHECK or not study.shipped:
        return Shown(check, check, folder)
    reference = read_run(study.page_folder)
    if reference is not None:
        return Shown(reference, check, study.page_folder)
    return Shown(check, check, folder, read_note(study)[1] or "the chapter has not been run there")


def write_note(outcome: Outcome, identity: str) -> str:
    """Keep why a reference run found a stage missing or damaged, and return it. The page's run of
    before, whose stages are no longer those of the book, is removed.
    """
    folders.discard(outcome.job.folder)
    why = outcome.error.rpartition("is not shipped: ")[2].rstrip(".")
    why = why.replace(f"{outcome.job.study.root}/", "")
    path = folders.failed(outcome.job.folder) / NOTE_NAME
    write_atomic(path, json.dumps({"identity": identity, "why": why}, indent=1))
    return why


def read_note(study: Study) -> tuple[str, str]:
    """Identity of the reference run that was tried, and why there is none; empty if none was."""
    path = folders.failed(study.page_folder) / NOTE_NAME
    try:
        note = json.loads(path.read_bytes())
        return str(note["identity"]), str(note["why"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""

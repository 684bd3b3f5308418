"""The closing chapter's tables: what came out at which scale, and every difference from the papers.

Verdicts come from the records; differences are the items that each chapter lists itself under a
heading that begins with "What differs", or the rows of its table of settings.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synthcore.evidence import settings
from synthcore.evidence.record import Record
from synthcore.evidence.table import against, interval
from synthcore.press.notebooks import read_source
from synthcore.press.pages import link, list_table
from synthcore.press.parameters import scale_parameters
from synthcore.press.studies import CHECK, Study, load_config

HEADING = re.compile(r"^## What differs.*$", re.MULTILINE)
GENERATED = "chapter.differences("
DECIDED = ("reproduced", "partly reproduced", "not reproduced")
UNDECIDED = "undecided"  # or not testable at any scale: open, in the words of either edition

Runs = Sequence[tuple[Study, Mapping[str, Record]]]


def best(name: str, runs: Iterable[Record]) -> tuple[str, bool]:
    """The most favourable verdict on a claim over all runs, and whether every run that could decide
    came to the same.
    """
    words = [claim.verdict for run in runs for claim in run.claims if claim.id == name]
    decided = [word for word in words if word in DECIDED]
    if not decided:
        return UNDECIDED, True
    return min(decided, key=DECIDED.index), len(set(decided)) == 1


def outcome_table(studies: Runs) -> str:
    """One row per study: how many claims came out how, over all of its runs."""
    head = (
        "Study",
        "Reproduced",
        "In some runs only",
        "Partly at best",
        "Not",
        "Open",
    )
    table: list[tuple[str, ...]] = [head]
    sums = [0] * 5
    for study, runs in studies:
        counts = [0] * 5
        for name in _claims(runs):
            word, always = best(name, runs.values())
            column = 0 if always else 1
            if word != DECIDED[0]:
                column = 2 + (*DECIDED[1:], UNDECIDED).index(word)
            counts[column] += 1
        sums = [a + b for a, b in zip(sums, counts, strict=True)]
        table.append((link(study), *map(str, counts)))
    table.append(("**All**", *(f"**{count}**" for count in sums)))
    return list_table(table, "40 12 12 12 12 12", "outcome-table")


def failure_table(studies: Runs) -> str:
    """Every claim that no run reproduced, with the numbers of the last run that came nearest."""
    rows: list[tuple[str, ...]] = [("Study", "Claim", "Verdict", "Observed, 95 % interval")]
    for study, runs in studies:
        for name in _claims(runs):
            word, _ = best(name, runs.values())
            if word not in DECIDED[1:]:
                continue
            scale, claim = next(
                (scale, claim)
                for scale, run in reversed(list(runs.items()))
                for claim in run.claims
                if claim.id == name and claim.verdict == word
            )
            numbers = f"{against(claim)}<br>{interval(claim)} ({scale})"
            mark = f'<span class="verdict" data-verdict="{word}">{word}</span>'
            rows.append((link(study), f"**{name}.** {claim.statement}", mark, numbers))
    return list_table(rows, "22 36 18 24", "claims-table")


def difference_table(studies: Sequence[Study]) -> str:
    """Every item that a chapter lists as different from its paper."""
    rows = [("Study", "What differs")]
    rows += [(link(study), text) for study in studies for text in differences(study)]
    return list_table(rows, "22 78", "differences-table")


def differences(study: Study) -> list[str]:
    """The items under a chapter's heading "What differs ...", each as one line of Markdown; where
    the chapter shows its table of settings, the rows of that.

    A sentence that ends in a colon introduces the items after it and is put before each of them.
    """
    source = read_source(study.notebook)
    if any(GENERATED in cell.source for cell in source.cells if cell.cell_type == "code"):
        return _settings(study)
    found: list[str] = []
    lead = ""
    for block in _blocks(_section(source)):
        text = " ".join(block.split())
        if text.startswith("- "):
            found.append(f"*{lead}* {text[2:]}" if lead else text[2:])
        elif text.endswith(":"):
            lead = text
        elif text:
            found.append(text)
    return found


def _settings(study: Study) -> list[str]:
    """What differs between the paper's settings and the run that the page shows."""
    scale = "reference" if "reference" in study.scales else CHECK
    config = load_config(study)(**scale_parameters(study, scale).all)
    return [
        f"`{row.setting}`: {row.here}; the paper: {row.paper}. {row.why}"
        for row in settings.rows(study.name, config, study.root)
    ]


def _section(source: Any) -> str:
    """The Markdown below the heading, up to the end of its section."""
    for cell in source.cells:
        if cell.cell_type == "markdown" and (start := HEADING.search(cell.source)):
            return str(cell.source[start.end() :]).split("\n## ")[0]
    return ""


def _blocks(text: str) -> list[str]:
    """Paragraphs and list items."""
    return [part for part in re.split(r"\n\s*\n|\n(?=- )", text) if part.strip()]


def _claims(runs: Mapping[str, Record]) -> list[str]:
    return list(dict.fromkeys(claim.id for run in runs.values() for claim in run.claims))

"""The claims page: every claim at every scale, with its interval drawn, as HTML, CSV and JSON.

Without scripts it is a table; `book/assets/dashboard.js` adds the filters.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from synthcore.evidence.details import details_html
from synthcore.evidence.record import ClaimRecord, Record
from synthcore.evidence.table import reason, verdict_cells
from synthcore.press.outline import Outline
from synthcore.press.pages import link, run_line
from synthcore.press.runs import claim_rows, verdict_line
from synthcore.press.studies import Study

Runs = Sequence[tuple[Study, Mapping[str, Record]]]
DOWNLOADS = {"csv": "book/assets/claims.csv", "json": "book/assets/claims.json"}
NESTED = ("interval", "parts", "values", "effects", "gates", "further", "control", "ideal")


def rows(studies: Runs, outline: Outline) -> list[dict[str, Any]]:
    """One object per study, claim and scale: what `claims --json` prints, and where to look.

    `figure` and `code` are addresses on the site, relative to its root; `figure` is the chapter's
    page where no figure of the shown run belongs to the claim.
    """
    found = []
    for study, runs in studies:
        shown = {figure.id for run in list(runs.values())[:1] for figure in run.figures}
        deciders = study.deciders
        for row in claim_rows(study, runs):
            record, page = runs[row["scale"]], f"notebooks/{study.name}.html"
            figure = outline.figure(study.name, row["id"])
            if figure in shown:
                page += f"#{study.name}-{figure}".replace("_", "-")
            module, function = deciders.get(row["id"], ("claims", ""))
            code = f"_modules/synthcore/studies/{study.name}/{module.replace('.', '/')}.html"
            about = {"figure": page, "code": f"{code}#{function}" if function else code}
            found.append({**row, "started": record.started, "device": str(record.device), **about})
    return found


def claims_page(studies: Runs, outline: Outline) -> str:
    """The filters, then one table per study, claims down and scales below each."""
    every = rows(studies, outline)
    sections = [
        f"## {study.title}\n\n{link(study, 'Read the chapter')}.\n\n"
        + "\n".join(
            f"- *{scale}*: {verdict_line(record.claims)}; {run_line(record)}"
            for scale, record in runs.items()
        )
        + f"\n\n{_table(study.name, [row for row in every if row['study'] == study.name])}"
        for study, runs in studies
    ]
    return "\n\n".join([_filters(every, studies), *sections])


def downloads(studies: Runs, outline: Outline) -> dict[str, bytes]:
    """The same rows as files: path in the staged sources -> content."""
    every = rows(studies, outline)
    return {
        DOWNLOADS["csv"]: _csv(every).encode(),
        DOWNLOADS["json"]: (json.dumps(every, indent=1) + "\n").encode(),
    }


def _filters(every: Sequence[Mapping[str, Any]], studies: Runs) -> str:
    """Controls that only scripts can serve, so they are hidden until one does."""
    titles = {study.name: study.title for study, _ in studies}
    verdicts = dict.fromkeys(sorted(row["verdict"] for row in every))
    scales = dict.fromkeys(row["scale"] for row in every)
    controls = (
        _choice("study", "Study", titles)
        + _choice("verdict", "Verdict", {word: word for word in verdicts})
        + _choice("scale", "Scale", {scale: scale for scale in scales})
        + '<label>Words <input type="search" name="words" autocomplete="off"></label>'
        + '<button type="reset">Show all</button>'
    )
    files = " · ".join(
        f'<a href="../{path.removeprefix("book/").replace("assets", "_static")}" download>'
        f"{kind.upper()}</a>"
        for kind, path in DOWNLOADS.items()
    )
    return (
        f'<form id="claim-filters" class="claim-filters" hidden>{controls}'
        '<output aria-live="polite"></output></form>'
        f'<p class="claim-files">All {len(every)} rows as a file: {files}</p>'
    )


def _choice(name: str, label: str, options: Mapping[str, str]) -> str:
    listed = "".join(
        f'<option value="{escape(value, quote=True)}">{escape(text)}</option>'
        for value, text in options.items()
    )
    every = f'<option value="">all</option>{listed}'
    return f'<label>{label} <select name="{name}">{every}</select></label>'


def _table(study: str, every: Sequence[Mapping[str, Any]]) -> str:
    order = list(dict.fromkeys(row["id"] for row in every))
    ordered = sorted(every, key=lambda row: order.index(row["id"]))
    groups = groupby(ordered, key=lambda row: row["id"])
    head = ("Scale", "Observed", "n", "Power", "Verdict")
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    bodies = "".join(_claim(study, list(group)) for _, group in groups)
    return (
        f'<div class="table-scroll"><table class="dashboard verdicts" data-study="{study}">'
        f"<thead><tr>{cells}</tr></thead>{bodies}</table></div>"
    )


def _claim(study: str, group: Sequence[Mapping[str, Any]]) -> str:
    first = group[0]
    place = f"{study}-{first['id']}".lower().replace(" ", "-").replace("_", "-")
    links = "".join(
        f' · <a href="../{escape(first[key], quote=True)}">{text}'
        f'<span class="unseen"> of {escape(first["id"])}</span></a>'
        for key, text in (("figure", "figure"), ("code", "code that decides"))
    )
    head = (
        '<tr class="claim"><th colspan="5" scope="rowgroup">'
        f"<strong>{escape(first['id'])}</strong> "
        f"{escape(first['statement'])} <small>{escape(first['where'])}{links}</small></th></tr>"
    )
    lines = "".join(_line(row) for row in group)
    return f'<tbody id="claim-{place}">{head}{lines}</tbody>'


def _line(row: Mapping[str, Any]) -> str:
    claim = ClaimRecord.model_validate(
        {name: value for name, value in row.items() if name in ClaimRecord.model_fields}
    )
    return (
        f'<tr data-verdict="{claim.verdict}" data-scale="{row["scale"]}">'
        f'<th scope="row">{row["scale"]}{reason(claim)}</th>{verdict_cells(claim)}</tr>'
        f'<tr class="more"><td colspan="5">{details_html(claim, where=False)}</td></tr>'
    )


def _csv(every: Sequence[Mapping[str, Any]]) -> str:
    """Flat: the interval in two columns; what holds more than one value is left out."""
    flat = []
    for row in every:
        low, high = row["interval"]
        kept = {key: value for key, value in row.items() if key not in NESTED}
        flat.append({**kept, "low": low, "high": high})
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(flat[0]) if flat else ["study"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return stream.getvalue()

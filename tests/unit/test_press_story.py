"""The book as one: its outline, the claims page, the closing tables, what to try, cloud links."""

import ast
import csv
import importlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from synthcore.evidence.claim import Claim
from synthcore.evidence.first_edition import Word
from synthcore.evidence.record import ClaimRecord, Device, Record
from synthcore.press import dashboard, differences
from synthcore.press.errors import Failed
from synthcore.press.notebooks import read_source
from synthcore.press.outline import Outline
from synthcore.press.parameters import cell_defaults
from synthcore.press.runs import claim_rows, recorded_runs, verdict_line
from synthcore.press.studies import Study, all_studies, load_config
from synthcore.press.verify import compare

ROOT = Path(__file__).parents[2]
STUDIES = all_studies(ROOT)
OUTLINE = Outline.read(ROOT)
each_study = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)


def claim(name: str, verdict: str, **about: Any) -> ClaimRecord:
    numbers = {"observed": 0.2, "threshold": 0.5, "direction": ">=", "interval": (0.1, 0.4), "n": 3}
    texts = {"id": name, "statement": "A < B", "where": "Fig. 1", "required": False}
    return ClaimRecord(**{**texts, **numbers, **about}, verdict=verdict)


def run(scale: str, *claims: ClaimRecord) -> Record:
    return Record.model_construct(
        study="toy",
        scale=scale,
        claims=claims,
        stages=(),
        figures=(),
        started="2026-01-02T00:00:00+00:00",
        seconds=90.0,
        device=Device(kind="cpu", name="Some"),
    )


@pytest.fixture
def toy(tmp_path: Path) -> Study:
    (tmp_path / "notebooks").mkdir()
    package = tmp_path / "synthcore/studies/toy"
    package.mkdir(parents=True)
    (package / "claims.py").write_text(
        "CLAIMS = (Claim('C1', 'So.', 'Fig. 1', decisions.rises, {}, None),\n"
        "    claim.Claim(id='C2', decide=partial(more.falls, 3)), Claim('C3', '', '', here),\n"
        "    Claim('C4', 'So.', where='', primary=(decisions.rises, more.falls)))\n"
    )
    (tmp_path / "notebooks/toy.py").write_text(
        "# %% [markdown]\n# # A toy\n\n# %%\n1\n\n# %% [markdown]\n"
        "# ## What differs from the paper, and why\n#\n# - **Size.** Smaller\n#   than $N$.\n"
        "# - Seeds.\n#\n# Changed after results:\n#\n# - The rate.\n#\n# ## Exercises\n#\n# - No.\n"
    )
    return Study(tmp_path, "toy")


def test_what_differs_is_read_from_the_chapter(toy: Study) -> None:
    assert differences.differences(toy) == [
        "**Size.** Smaller than $N$.",
        "Seeds.",
        "*Changed after results:* The rate.",
    ]


@each_study
def test_every_chapter_says_what_differs(study: Study) -> None:
    assert len(differences.differences(study)) >= 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([Word.REPRODUCED, Word.REPRODUCED], (Word.REPRODUCED, True)),
        ([Word.NOT, Word.REPRODUCED], (Word.REPRODUCED, False)),
        ([Word.UNDECIDABLE, Word.PARTLY], (Word.PARTLY, True)),
        ([Word.NOT, Word.PARTLY], (Word.PARTLY, False)),
        ([Word.UNDECIDABLE], ("undecided", True)),
        (["not testable here", "undecided"], ("undecided", True)),
        (["undecided", "not reproduced"], ("not reproduced", True)),
    ],
)
def test_the_best_verdict_over_runs(words: list[str], expected: tuple[str, bool]) -> None:
    assert differences.best("C1", [run("check", claim("C1", word)) for word in words]) == expected


def test_the_line_of_verdicts() -> None:
    """Of the second edition's claims it says how those came out that are not reproduced."""
    words = ("undecided", "reproduced", "not reproduced", "not testable here", "reproduced")
    first = tuple(claim(f"C{i}", word) for i, word in enumerate(words))
    assert verdict_line(first) == "2 of 5 claims reproduced"
    second = tuple(one.model_copy(update={"kind": "empirical"}) for one in first)
    line = "2 of 5 claims reproduced, 1 not, 1 undecided, 1 not testable here"
    assert verdict_line(second) == line
    assert verdict_line(second[1:2]) == "1 of 1 claims reproduced"


@pytest.mark.parametrize(
    ("low", "high", "now", "word"),
    [
        (0.1, 0.4, 0.3, "within interval"),
        (0.1, 0.4, 0.5, "outside interval"),
        (None, 0.4, -9.0, "within interval"),  # a bound that is not finite is recorded as null
        (0.1, None, 0.05, "outside interval"),
        (None, None, 0.2 + 1e-6, "outside interval"),  # nothing but the same will do
        (None, None, 0.2, "same"),
    ],
)
def test_a_number_that_was_run_again(
    low: float | None, high: float | None, now: float, word: str
) -> None:
    old = run("reference", claim("C1", "reproduced", interval=(low, high)))
    new = run("reference", claim("C1", "reproduced", observed=now))
    assert [row.word for row in compare(old, new)] == [word]


def test_the_closing_tables_count_each_claim_once(toy: Study) -> None:
    runs = {
        "check": run("check", claim("C1", Word.NOT), claim("C2", Word.REPRODUCED)),
        "reference": run("reference", claim("C1", Word.REPRODUCED), claim("C3", Word.NOT)),
    }
    assert differences.outcome_table([(toy, runs)]).count("- **1**") == 3
    failed = differences.failure_table([(toy, runs)])
    assert re.findall(r"\*\*(C\d)\.\*\*", failed) == ["C3"]


def test_the_code_that_decides(toy: Study) -> None:
    assert toy.deciders == {
        "C1": ("decisions", "rises"),
        "C2": ("more", "falls"),
        "C3": ("claims", "here"),
        "C4": ("decisions", "rises"),
    }


def test_the_code_that_decides_in_a_package(tmp_path: Path) -> None:
    package = tmp_path / "synthcore/studies/toy/claims"
    package.mkdir(parents=True)
    (package / "learning.py").touch()
    (package / "__init__.py").write_text(
        "CLAIMS = (Claim('C1', 'So.', where='', primary=learning.rises),\n"
        "    Claim('C2', 'So.', where='', primary=(here, learning.rises)))\n"
    )
    deciders = Study(tmp_path, "toy").deciders
    assert deciders == {"C1": ("claims.learning", "rises"), "C2": ("claims", "here")}


@each_study
def test_deciders_are_the_functions_that_the_claims_hold(study: Study) -> None:
    claims = importlib.import_module(f"synthcore.studies.{study.name}.claims").CLAIMS
    deciders = {
        one.id: one.endpoints[0] if isinstance(one, Claim) else one.decide for one in claims
    }
    names = {name: (f.__module__, f.__qualname__) for name, f in deciders.items()}
    prefix = f"synthcore.studies.{study.name}"
    assert {n: (f"{prefix}.{m}", f) for n, (m, f) in study.deciders.items()} == names


@each_study
def test_the_outline_places_every_study_and_its_claims(study: Study) -> None:
    place = OUTLINE.studies[study.name]
    assert place.theme in OUTLINE.themes
    source = study.notebook.read_text()
    assert set(place.figures) <= set(study.deciders)
    assert [name for name in place.figures.values() if f'id="{name}"' not in source] == []


def test_the_outline_leaves_out_what_is_not_built() -> None:
    known = {study.name: study for study in STUDIES}
    one, other = OUTLINE.meetings[0].between
    some = [study for name, study in known.items() if name != other]
    assert other not in OUTLINE.map(some) + OUTLINE.meeting_list(some)
    assert OUTLINE.see_also(one, [known[one]]) == ""
    for study in STUDIES:
        assert f"../notebooks/{study.name}.html" in OUTLINE.map(STUDIES)
        assert OUTLINE.see_also(study.name, STUDIES)


def test_a_broken_outline_is_refused(tmp_path: Path) -> None:
    assert Outline.read(tmp_path) == Outline()
    (tmp_path / "book").mkdir()
    (tmp_path / "book/chapters.yaml").write_text("themes: {what: {question: 3, colour: red}}")
    with pytest.raises(Failed, match=r"chapters\.yaml cannot be read"):
        Outline.read(tmp_path)


def test_downloads_hold_every_row_of_every_run() -> None:
    studies = [(study, recorded_runs(study)) for study in STUDIES]
    expected = [row for study, runs in studies for row in claim_rows(study, runs)]
    files = dashboard.downloads(studies, OUTLINE)
    rows = json.loads(files[dashboard.DOWNLOADS["json"]])
    assert [{key: row[key] for key in expected[0]} for row in rows] == json.loads(
        json.dumps(expected)
    )
    table = list(csv.DictReader(io.StringIO(files[dashboard.DOWNLOADS["csv"]].decode())))
    assert [(t["study"], t["id"], t["scale"]) for t in table] == [
        (row["study"], row["id"], row["scale"]) for row in rows
    ]
    assert [t["low"] for t in table] == [
        "" if row["interval"][0] is None else str(row["interval"][0]) for row in rows
    ]


def test_the_page_shows_every_row_and_escapes_what_it_quotes(toy: Study) -> None:
    runs = {"check": run("check", claim("C1", Word.NOT, note="<b>")), "authors": run("authors")}
    page = dashboard.claims_page([(toy, runs)], Outline())
    assert page.count("<tr data-verdict=") == 1
    assert "A &lt; B" in page
    assert "&lt;b&gt;" in page
    assert "../_modules/synthcore/studies/toy/decisions.html#rises" in page
    assert not re.search(r"<table[^\n]*\n\n", page), "a blank line would end the HTML block"


@each_study
def test_what_to_try_can_be_tried(study: Study) -> None:
    """Every value is accepted beside the chapter's own, every scale has a parameter file."""
    text = "\n".join(cell.source for cell in read_source(study.notebook).cells)
    section = text.split("## What to try")[1].split("\n## ")[0]
    changes = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert len(changes) >= 3
    defaults = cell_defaults(study)
    for change in changes:
        values = dict(re.findall(r"`(\w+) = ([^`]+)`", change))
        scales = re.findall(r"`--scale (\w+)`", change)
        assert values or scales, change
        assert set(scales) <= set(study.scales)
        changed = {name: ast.literal_eval(value) for name, value in values.items()}
        assert all(defaults[name] != value for name, value in changed.items()), change
        load_config(study)(**{**defaults, **changed})

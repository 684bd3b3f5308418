"""Staging: outputs of the run, prose of today, figures, explorers; and what must not be loaded."""

import base64
import copy
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from synthcore.evidence.first_edition import Verdict
from synthcore.evidence.record import CodeRecord, Device, Record, claim_record
from synthcore.press import folders, vendor
from synthcore.press.card import header_card
from synthcore.press.cli import _join_pairs
from synthcore.press.errors import Failed, Refused
from synthcore.press.notebooks import clean
from synthcore.press.pages import explorer_marker, studies_table
from synthcore.press.progress import clock
from synthcore.press.shown import Shown
from synthcore.press.site import FOREIGN
from synthcore.press.staging import (
    NO_CODE,
    WIDGET_STATE,
    WIDGET_VIEW,
    answer,
    explorer_cells,
    further_pictures,
    page_notebook,
    prose_with_explorer,
)
from synthcore.press.studies import Study


def shown(data: dict[str, Any], **about: Any) -> Any:
    return new_output("display_data", data=data, metadata={"synthcore": about})


def png(width: int) -> str:
    """The start of a PNG of this width."""
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4, "big")
    return base64.b64encode(header).decode()


FIGURE = shown({"image/png": png(1000)}, id="f", caption="It $rises$.", alt="A line.")
CAPTION = shown({"text/markdown": "*It rises.*"}, caption_of="f")
EXPLORER = shown(
    {WIDGET_VIEW: {"model_id": "m1"}, "image/png": "AA==\n"},
    id="e",
    caption="Move it.",
    alt='A "still".',
    explorer=True,
)
STATE = {
    "version_major": 2,
    "state": {
        "m1": {"model_name": "AnyModel", "state": {"layout": "IPY_MODEL_m2"}},
        "m2": {"model_name": "LayoutModel", "state": {}},
        "m3": {"model_name": "LayoutModel", "state": {}},
        "m4": {
            "model_name": "LinkModel",
            "state": {"source": ["IPY_MODEL_m1", "value"], "target": ["IPY_MODEL_m2", "value"]},
        },
    },
}


def pair(*outputs: Any) -> tuple[Any, Any]:
    """An executed notebook with an injected cell, and its source with newer prose."""
    executed = new_notebook(metadata={"widgets": {WIDGET_STATE: STATE}})
    injected = new_code_cell("steps = 2")
    injected.metadata["tags"] = ["injected-parameters"]
    parameters = new_code_cell("steps = 5")
    parameters.metadata["tags"] = ["parameters"]
    work = new_code_cell("work()", outputs=list(outputs), execution_count=3)
    executed.cells = [new_markdown_cell("# Old"), parameters, injected, work]
    source = new_notebook()
    source.cells = [
        new_markdown_cell("# New"),
        parameters.copy(),
        new_markdown_cell("More."),
        new_code_cell("work()  # why"),
    ]
    return executed, source


def test_the_page_joins_outputs_with_current_prose() -> None:
    """Without the injected cell, which would undo what a reader changes in the one above it."""
    page = page_notebook("toy", *pair(FIGURE, CAPTION), "CARD")
    kinds = [(cell.cell_type, cell.source) for cell in page.cells]
    assert kinds == [
        ("markdown", "# New"),
        ("markdown", "CARD"),
        ("code", "steps = 5"),
        ("markdown", "More."),
        ("code", "work()  # why"),
    ]
    work = page.cells[-1]
    assert work.metadata.mystnb == {
        "figure": {"name": "toy-f", "caption": "It $rises$."},
        "image": {"alt": "A line.", "width": "640px"},
    }
    assert [list(output.data) for output in work.outputs] == [["image/png"]]
    assert work.execution_count == 3
    assert [cell.id for cell in page.cells] == [f"cell-{i}" for i in range(5)]


def test_every_figure_gets_a_cell_of_its_own() -> None:
    text = new_output("display_data", data={"text/markdown": "so"})
    second = shown({"image/png": png(500)}, id="g", caption="Falls.", alt="A falling line.")
    outputs = [text, FIGURE, CAPTION, second, text, EXPLORER, text]
    page = page_notebook("toy", *pair(*copy.deepcopy(outputs)), "CARD")
    staged = page.cells[4:]
    starts = ["work()", *["# noth"] * 5]  # MyST-NB drops empty cells
    assert [cell.source[:6] for cell in staged] == starts
    names = [cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in staged]
    assert names == [None, "toy-f", "toy-g", None, None, None]
    kinds = [[next(iter(out.data)) for out in cell.get("outputs", [])] for cell in staged]
    so = ["text/markdown"]
    explorer = [WIDGET_VIEW, "text/html", "text/markdown"]
    assert kinds == [so, ["image/png"], ["image/png"], so, explorer, so]
    assert all(cell.metadata.tags == ["remove-input"] for cell in staged[1:5])


def test_folds_say_what_is_behind_them() -> None:
    executed, source = pair(FIGURE)
    source.cells[1].metadata["tags"] = ["parameters", "hide-input"]
    source.cells[3].metadata["tags"] = ["hide-input"]
    page = page_notebook("toy", executed, source, "CARD")
    names = [cell.metadata.get("mystnb", {}).get("code_prompt_show") for cell in page.cells]
    assert names == [None, None, "Parameters as code", None, "Code"]
    assert page.cells[-1].metadata.mystnb["figure"]["name"] == "toy-f"


def test_themed_figures_bring_pictures_for_dark_pages() -> None:
    about = {"id": "f", "caption": "", "alt": "A line.", "width": 700}
    seen = shown({"image/png": png(1008)}, **about, narrow="AA==", dark="AQ==")
    executed, source = pair(seen)
    assert further_pictures("toy", executed) == {"narrow/toy-f": b"\0", "dark/toy-f": b"\1"}
    page = page_notebook("toy", executed, source, "CARD")
    assert page.cells[-1].metadata.mystnb["image"]["width"] == "700px"


def test_the_answer_is_said_in_the_card_only() -> None:
    said = shown({"text/markdown": "> It rises."}, answer="It\nrises.")
    executed, source = pair(said, FIGURE)
    assert answer(executed) == "It rises."
    assert answer(new_notebook()) == ""
    page = page_notebook("toy", executed, source, "CARD")
    assert [list(out.data) for out in page.cells[-1].outputs] == [["image/png"]]
    executed.cells[-1].outputs.pop()
    source.cells[-1].metadata["tags"] = ["hide-input"]
    page = page_notebook("toy", executed, source, "CARD")
    assert "remove-cell" in page.cells[-1].metadata["tags"], "a fold below nothing"


def test_other_code_cells_need_a_run() -> None:
    executed, source = pair(FIGURE)
    source.cells.append(new_code_cell("more()"))
    with pytest.raises(Failed, match="run it again"):
        page_notebook("toy", executed, source, "CARD")


def test_an_explorer_gets_a_still_for_print_and_its_caption() -> None:
    page = page_notebook("toy", *pair(EXPLORER), "CARD")
    live, still, caption = page.cells[-1].outputs
    assert live.data == {WIDGET_VIEW: {"model_id": "m1"}}
    assert 'class="explorer-still"' in still.data["text/html"]
    assert 'alt="A &quot;still&quot;."' in still.data["text/html"]
    assert "Move it." in caption.data["text/markdown"]


def test_the_front_page_borrows_an_explorer_with_its_state_only() -> None:
    executed, _ = pair(EXPLORER)
    marker, study, name = explorer_marker("A\n\n<!-- explorer: toy/e -->\n\nB\n") or ("", "", "")
    assert (study, name) == ("toy", "e")
    cell, state = explorer_cells(executed, name)
    page = prose_with_explorer(f"A\n\n{marker}\n\nB\n", marker, cell, state)
    assert [cell.source for cell in page.cells] == ["A", NO_CODE, "B"]
    assert set(page.metadata.widgets[WIDGET_STATE]["state"]) == {"m1", "m2", "m4"}
    with pytest.raises(Failed, match="No explorer 'x'"):
        explorer_cells(executed, "x")


def test_cleaning_removes_paths_times_and_stderr() -> None:
    notebook = new_notebook(metadata={"papermill": {"input_path": "/somewhere"}})
    noise = new_output("stream", name="stderr", text="warning in /somewhere")
    cell = new_code_cell("x", outputs=[noise, new_output("stream", name="stdout", text="kept")])
    cell.metadata.update({"papermill": {"duration": 1}, "execution": {"t": 1}, "tags": ["t"]})
    notebook.cells = [cell]
    clean(notebook)
    assert "papermill" not in notebook.metadata
    assert dict(notebook.cells[0].metadata) == {"tags": ["t"]}
    assert [output.text for output in notebook.cells[0].outputs] == ["kept"]


@pytest.mark.parametrize(
    ("html", "foreign"),
    [
        (b'<script src="https://cdn.example/x.js">', True),
        (b"<script defer='defer' src='//cdn.example/x.js'>", True),
        (b'<img alt="a" src="http://example/x.png">', True),
        (b'<link rel="stylesheet" href="https://example/x.css">', True),
        (b'<link href="https://example/x.css" rel="stylesheet">', True),
        (b'<link rel="canonical" href="https://example/page.html">', False),
        (b'<a href="https://example/">', False),
        (b'<script src="../_static/x.js">', False),
        (b'<img src="data:image/png;base64,AA==">', False),
    ],
)
def test_what_would_leave_the_site(html: bytes, foreign: bool) -> None:
    assert bool(FOREIGN.search(html)) is foreign


def test_generated_pages(tmp_path: Path) -> None:
    claim = claim_record(
        Verdict.undecidable("too few"), id="C1", statement="So.", where="Fig. 1", required=False
    )
    record = Record(
        study="toy",
        scale="check",
        identity="",
        parameters={},
        seeds=(0, 1, 2),
        code=CodeRecord(notebook="", closure={}, lock="", recorded={}),
        versions={},
        device=Device(kind="cpu", name="Some"),
        started="2026-01-02T00:00:00+00:00",
        seconds=90,
        cpu_seconds=80,
        peak_rss_mb=1500,
        claims=(claim,),
    )
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/toy.py").write_text("# %% [markdown]\n# # A toy\n")
    toy = Study(tmp_path, "toy")
    larger = record.model_copy(update={"scale": "authors"})
    card = header_card(toy, Shown(record, record, tmp_path), {"authors": larger})
    assert "0 of 1 claims reproduced at check scale" in card
    assert "At authors scale" in card
    assert "2026-01-02, cpu (Some), 1.5 minutes" in card
    assert "synthcore run toy -p seed 3" in card
    assert "See also" not in card
    assert "See also\n: another" in header_card(toy, Shown(record, record, tmp_path), {}, "another")
    assert "{doc}`A toy </notebooks/toy>`" in studies_table([(toy, {"check": record})])


def test_pairs_are_joined_for_the_parser() -> None:
    assert _join_pairs(["run", "x", "-p", "a", "-1", "-p", "b=2", "-f", "c"]) == [
        *("run", "x", "-p", "a=-1", "-p", "b=2", "-f", "c")
    ]


def test_clock() -> None:
    assert [clock(s) for s in (5, 65, 3725)] == ["0:05", "1:05", "1:02:05"]


def test_folders_recover_from_a_kill_between_two_renames(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "record").write_text("old")
    folder.rename(tmp_path / ".run.old")  # killed here: the new one is not yet in place
    folders.partial(folder).mkdir()
    with folders.locked(folder):
        assert (folder / "record").read_text() == "old"
        assert not folders.partial(folder).exists()
        with pytest.raises(Refused, match="is being written by process"), folders.locked(folder):
            pass


def test_a_tarball_that_is_not_the_locked_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "_fetch", lambda package, path: path.write_bytes(b"other"))
    (tmp_path / ".cache/vendor").mkdir(parents=True)
    package = {"name": "@a/b", "version": "1", "integrity": "sha512-AAAA", "files": {}}
    with pytest.raises(Failed, match=r"@a/b@1 does not match its sha512 in book/vendor\.json"):
        vendor._tarball(tmp_path, package)
    assert list((tmp_path / ".cache/vendor").iterdir()) == []

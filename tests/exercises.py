"""Exercises of an executed chapter: blanks are unanswered, and every solution is right."""

from typing import Any

from synthcore.evidence.exercise import RIGHT, UNANSWERED


def exercise_faults(notebook: Any) -> list[str]:
    """What is wrong with the exercises of an executed notebook; empty if nothing is.

    A cell tagged `exercise` checks a blank. The next code cell is tagged `solution` and folded; it
    checks the solution, so that a run of the chapter has tested it.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    found = []
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            name = repr(cell.source.splitlines()[-1])
            if UNANSWERED not in _printed(cell):
                found.append(f"{name} is not left to the reader: {_printed(cell)!r}")
            if following is None or "solution" not in following.metadata.get("tags", []):
                found.append(f"{name} is not followed by its solution")
        if "solution" in tags:
            if not _printed(cell).startswith(RIGHT):
                found.append(f"a solution is wrong: {_printed(cell)!r}")
            if "hide-cell" not in tags:
                found.append("a solution is not folded")
    return found


def _printed(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)

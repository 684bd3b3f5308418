"""Reading chapters and cleaning what papermill leaves in them."""

from pathlib import Path
from typing import Any

import jupytext
import nbformat

make: Any = nbformat.v4  # its constructors carry no types
INJECTED = "injected-parameters"
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def read_source(path: Path) -> Any:
    """The notebook written as text, with the same cell ids at every reading."""
    notebook = jupytext.read(path)
    notebook.metadata.clear()
    notebook.metadata["kernelspec"] = KERNELSPEC
    return number_cells(notebook)


def number_cells(notebook: Any) -> Any:
    """Cell ids by position: jupytext and papermill draw random ones, and builds would differ."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index}"
    return notebook


def clean(notebook: Any) -> Any:
    """Without papermill's metadata (absolute paths, times) and without stderr."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if "outputs" in cell:
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
    return number_cells(notebook)


def without_injected(notebook: Any) -> Any:
    """The notebook for readers, whose changes papermill's cell of parameters would undo."""
    notebook = notebook.copy()
    notebook.cells = [c for c in notebook.cells if INJECTED not in c.metadata.get("tags", [])]
    return number_cells(notebook)


def to_json(notebook: Any) -> str:
    """The notebook as an .ipynb file's text."""
    text: str = make.writes(notebook)
    return text + "\n"


def from_json(path: Path) -> Any:
    """Read an .ipynb file."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]

"""Copy executed notebooks, with a first cell that installs the library where it is missing.

Usage: python tools/cloud_notebooks.py FROM_FOLDER TO_FOLDER
"""

import sys
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).parents[1]
INSTALL = """\
# On Colab: the project with its reference runs, and its library, without touching a PyTorch that
# is new enough. Where the library is installed already, this cell does nothing.
import importlib.util

if importlib.util.find_spec("synthcore") is None:
    !git clone --quiet --depth 1 {url} model-systems
    %cd model-systems
    %pip install --quiet ".[press]"
"""


def with_install_cell(notebook: nbformat.NotebookNode, url: str) -> nbformat.NotebookNode:
    """The notebook with the install cell in front; `url` is the repository's."""
    cell = nbformat.v4.new_code_cell(INSTALL.format(url=url), id="install")
    return nbformat.from_dict({**notebook, "cells": [cell, *notebook.cells]})


def main(source: Path, target: Path) -> None:
    """Write every notebook of `source` into `target`."""
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    target.mkdir(parents=True, exist_ok=True)
    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        sys.exit(f"no notebooks in {source}: run 'make book' first")
    for path in notebooks:
        notebook = with_install_cell(nbformat.read(path, as_version=4), url)
        nbformat.validate(notebook)
        nbformat.write(notebook, target / path.name)
        print(target / path.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

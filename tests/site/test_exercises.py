"""The exercises of every chapter: blanks are left to the reader, solutions are right."""

from pathlib import Path

import nbformat
import pytest
from exercises import exercise_faults

from synthcore.press.studies import all_studies

CHAPTERS = [study.name for study in all_studies(Path(__file__).parents[2])]

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", CHAPTERS)
def test_exercises_are_open_and_their_solutions_right(name: str, site: Path) -> None:
    page = nbformat.read(site / "_sources" / "notebooks" / f"{name}.ipynb", as_version=4)
    assert exercise_faults(page) == []

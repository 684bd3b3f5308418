"""`synthcore book` for a user without a home, in a folder with an odd name, under odd settings."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def private() -> Iterator[None]:
    """New files are the user's alone."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("private")
def test_a_book_is_made_under_odd_settings(
    project: "Project", tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Spaces and letters beyond ASCII, no home, the C locale, a dumb terminal, output in ASCII, one
    thread, no network. What is made can be read by the user, and by nobody else.
    """
    parent = tmp_path_factory.mktemp("odd")
    project = type(project)(project.root.rename(parent / "Modell-Systeme für α & β"))
    offline = Path(__file__).parents[1] / "offline"
    settings = {
        "PYTHONPATH": os.pathsep.join([str(project.root), str(offline)]),
        "OFFLINE_LOG": str(parent / "network.log"),
        "HOME": str(parent / "absent"),
        "LC_ALL": "C",
        "TERM": "dumb",
        "PYTHONIOENCODING": "ascii",
        "OMP_NUM_THREADS": "1",
    }
    done = project.run("book", "--jobs", "1", **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (parent / "network.log").exists()
    made = [project.root / "_build/html/index.html", project.root / "_build/runs/toy/check"]
    made.append(made[1] / "record.json")
    assert [stat.S_IMODE(path.stat().st_mode) & 0o077 for path in made] == [0, 0, 0]
    assert "The mean is 1.50." in Path(project.root / "_build/html/notebooks/toy.html").read_text(
        "utf-8"
    )
    for columns in ("80", "200", ""):
        listed = project.run("claims", COLUMNS=columns, **settings)
        assert listed.returncode == 0, listed.stderr
        assert "reproduced" in listed.stdout, columns

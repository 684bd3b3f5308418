"""`synthcore book`: what is run again, what is only set again, and what is refused."""

import shutil
from pathlib import Path

from bs4 import BeautifulSoup
from PIL import Image

PAGE = "_build/html/notebooks/toy.html"


def _article(project: "Project", page: str = PAGE) -> BeautifulSoup:
    article = BeautifulSoup((project.root / page).read_text(), "html.parser").article
    assert article is not None
    return article


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_the_page_shows_the_run(built: "Project") -> None:
    article = _article(built)
    figure = article.select_one("figure#toy-line")
    assert figure is not None
    assert figure.img["alt"] == "A rising line."
    pages = built.root / "_build/html/notebooks"
    narrow = _size(pages / figure.select_one("picture > source")["srcset"])
    wide = _size(pages / figure.img["src"])
    assert narrow[1] > 1.5 * wide[1], "its panels do not stand one below the other"
    assert "It grows with" in figure.figcaption.get_text()
    assert len(article.select("img")) == 1
    card = article.select_one(".model-card")
    assert "1 of 1 claims reproduced" in card.get_text()
    assert "A. Author, 2020" in card.get_text()
    assert "synthcore run toy" in card.get_text()
    assert "The mean is 1.50." in article.get_text()
    assert "noise" not in [output.get_text() for output in article.select(".cell_output")]
    claims = _article(built, "_build/html/book/claims.html")
    assert claims.select_one(".verdict")["data-verdict"] == "reproduced"
    assert (built.root / "_build/html/index.html").is_file()


def test_nothing_changed_runs_and_builds_nothing(built: "Project") -> None:
    before = (built.root / PAGE).stat().st_mtime_ns, built.record()
    done = built.run("book")
    assert done.returncode == 0
    assert "toy: fresh" in done.stderr
    assert "Nothing to build" in done.stdout
    assert ((built.root / PAGE).stat().st_mtime_ns, built.record()) == before


def test_prose_and_comments_are_set_again_without_a_run(copy: "Project") -> None:
    record = copy.record()
    copy.edit("notebooks/toy.py", "Some prose.", "Fresher prose.")
    copy.edit("notebooks/toy.py", "chapter.save(data)", "chapter.save(data)  # kept")
    done = copy.run("book")
    assert done.returncode == 0, done.stderr
    assert "toy: fresh" in done.stderr
    assert copy.record() == record
    text = _article(copy).get_text()
    assert "Fresher prose." in text
    assert "# kept" in text
    assert "The mean is 1.50." in text


def test_a_change_of_code_runs_again_and_a_broken_claim_fails(copy: "Project") -> None:
    """The library, not the notebook, is changed; the page shows the honest verdict."""
    copy.edit("synthcore/evidence/first_edition.py", ">= 0).sum()", "> 1e3).sum()")
    done = copy.run("book", "--jobs", "2")
    assert done.returncode == 1
    assert "to run (a module it imports changed)" in done.stderr
    assert "Required claims were not reproduced: toy C1." in done.stderr
    assert _article(copy).select_one(".verdict")["data-verdict"] == "not reproduced"


def test_a_change_in_one_study_runs_its_chapter_only(copy: "Project") -> None:
    """Both chapters are built; then a module of one study changes."""
    text = (copy.root / "notebooks/toy.py").read_text()
    (copy.root / "notebooks/other.py").write_text(text.replace("studies.toy", "studies.other"))
    studies = copy.root / "synthcore/studies"
    shutil.copytree(studies / "toy", studies / "other")
    copy.edit(
        "_toc.yml",
        "  - file: notebooks/toy\n",
        "  - file: notebooks/toy\n  - file: notebooks/other\n",
    )
    assert copy.run("book").returncode == 0
    before = copy.record()
    copy.edit("synthcore/studies/other/experiment.py", "how large", "how very large")
    done = copy.run("book")
    assert done.returncode == 0, done.stderr
    assert "toy: fresh" in done.stderr
    assert "other: to run (a module it imports changed)" in done.stderr
    assert copy.record() == before


def test_two_chapters_run_in_workers_and_one_failure_leaves_the_other(project: "Project") -> None:
    for folder in ("notebooks", "synthcore/studies/toy"):
        assert (project.root / folder).exists()
    text = (project.root / "notebooks/toy.py").read_text()
    (project.root / "notebooks/other.py").write_text(text.replace('"fine"', '"die"'))
    studies = project.root / "synthcore/studies"
    (studies / "other").mkdir()
    for path in (studies / "toy").glob("*.py"):
        (studies / "other" / path.name).write_text(path.read_text())
    done = project.run("book", "--jobs", "2")
    assert done.returncode == 1
    assert "1 of 2 chapters failed; the site is as it was." in done.stderr
    assert "the kernel died" in " ".join(done.stdout.split())
    assert project.record()["claims"][0]["verdict"] == "reproduced"
    assert not (project.root / "_build/html").exists()


def test_damaged_files_are_refused_by_name(copy: "Project") -> None:
    data = copy.root / "_build/runs/toy/check/data.nc"
    content = data.read_bytes()
    data.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    done = copy.run("book")
    assert done.returncode == 2
    assert "data.nc is damaged" in done.stderr
    assert "--force" in done.stderr
    data.write_bytes(content)
    record = data.with_name("record.json")
    record.write_text(record.read_text().replace('"steps": 4', '"steps": 5'))
    for command in (["book"], ["claims"], ["list"]):
        done = copy.run(*command)
        assert done.returncode == 2
        assert "record.json is damaged" in done.stderr


def test_kernels_keep_their_heap(built: "Project") -> None:
    """Dask has its workers trim their heaps all the time; kernels must not inherit that."""
    text = (built.root / "_build/runs/toy/check/notebook.ipynb").read_text()
    assert "trims None" in text

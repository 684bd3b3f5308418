"""`synthcore release`: archives of what was built, and a manifest that cannot be fooled."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from synthcore.press.errors import Failed
from synthcore.press.folders import FILES
from synthcore.press.release import check


@pytest.fixture(scope="module")
def released(built: "Project", tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    done = built.run("release", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


def test_the_archives_hold_what_was_built(built: "Project", released: Path) -> None:
    html = built.root / "_build/html"
    with zipfile.ZipFile(released / "model-systems.zip") as site:
        names = set(site.namelist())
        assert site.read("model-systems/index.html") == (html / "index.html").read_bytes()
    assert names == {
        f"model-systems/{p.relative_to(html).as_posix()}"
        for p in html.rglob("*")
        if p.is_file() and p.name != FILES
    }
    with zipfile.ZipFile(released / "notebooks.zip") as notebooks:
        [toy] = notebooks.namelist()
        cells = json.loads(notebooks.read(toy))["cells"]
    assert toy == "toy.ipynb"
    assert any(cell.get("outputs") for cell in cells)
    with zipfile.ZipFile(released / "records.zip") as records:
        assert set(records.namelist()) == {"toy/check/record.json", "toy/check/data.nc"}


def test_the_manifest_names_digests_and_runs(built: "Project", released: Path) -> None:
    said = json.loads((released / "manifest.json").read_text())
    assert said["runs"]["toy"]["identity"] == built.record()["identity"]
    for archive in said["archives"]:
        content = (released / archive["name"]).read_bytes()
        assert archive["sha256"] == hashlib.sha256(content).hexdigest()
        assert archive["bytes"] == len(content)
    files = {
        name: digest for archive in said["archives"] for name, digest in archive["files"].items()
    }
    data = (built.root / "_build/runs/toy/check/data.nc").read_bytes()
    assert files["toy/check/data.nc"] == hashlib.sha256(data).hexdigest()


def test_the_same_content_gives_the_same_archives(
    built: "Project", released: Path, tmp_path: Path
) -> None:
    done = built.run("release", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for path in released.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_changed_archive_is_noticed(released: Path, tmp_path: Path) -> None:
    for path in released.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    check(tmp_path)
    with zipfile.ZipFile(tmp_path / "notebooks.zip", "a") as archive:
        archive.writestr("more.ipynb", "{}")
    with pytest.raises(Failed, match=r"notebooks\.zip is not the file of the manifest"):
        check(tmp_path)


def test_an_old_site_is_not_released(copy: "Project") -> None:
    copy.edit("notebooks/toy.py", "rate + s", "rate + 2 * s")
    done = copy.run("release")
    assert done.returncode == 1
    assert "the notebook's code changed" in done.stderr
    assert not (copy.root / "_build/release").exists()

"""The ways out of the book: JupyterLab on the text notebooks, Colab and Binder on executed ones."""

import re
import runpy
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml
from IPython.core.interactiveshell import InteractiveShell
from jupytext import TextFileContentsManager

from synthcore.press.notebooks import read_source
from synthcore.press.studies import Study, all_studies

ROOT = Path(__file__).parents[2]
STUDIES = all_studies(ROOT)
HEADER = re.compile(r"\A# ---\n.*?\n# ---\n", re.DOTALL)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_jupyterlab_opens_and_saves_a_chapter(study: Study, tmp_path: Path) -> None:
    """With the contents manager that jupytext gives to JupyterLab, as it asks for a notebook."""
    path = f"notebooks/{study.name}.py"
    (tmp_path / "notebooks").mkdir()
    for name in (path, "jupytext.toml"):
        shutil.copy2(ROOT / name, tmp_path / name)
    manager = TextFileContentsManager()
    manager.root_dir = str(tmp_path)
    model = manager.get(path, type="notebook", content=True)
    assert model["content"]["metadata"]["kernelspec"]["name"] == "python3"
    [parameters] = [
        cell
        for cell in model["content"]["cells"]
        if "parameters" in cell["metadata"].get("tags", [])
    ]
    manager.save(model, path)
    before, after = study.notebook.read_text(), (tmp_path / path).read_text()
    assert HEADER.sub("", after) == HEADER.sub("", before)
    parameters["source"] = re.sub(r"^seed = 0$", "seed = 7", parameters["source"], flags=re.M)
    manager.save(model, path)
    changed = (tmp_path / path).read_text().splitlines()
    assert set(changed) - set(after.splitlines()) == {"seed = 7"}
    assert not list(tmp_path.rglob("*.ipynb"))


def test_the_cloud_opens_what_the_workflow_pushes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buttons name a branch and a path; the workflow fills that branch with these paths."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    branch = config["repository"]["branch"]
    steps = (ROOT / ".github/workflows/pages.yml").read_text()
    assert f"git push --force origin HEAD:{branch}" in steps
    [(source, target)] = re.findall(r"tools/cloud_notebooks\.py (\S+) (\S+)", steps)
    assert source.endswith("_sources/notebooks")
    assert f"git add --force {target}/*.ipynb" in steps
    executed = tmp_path / "executed"
    executed.mkdir()
    for study in STUDIES:
        nbformat.write(read_source(study.notebook), executed / f"{study.name}.ipynb")
    runpy.run_path(str(ROOT / "tools/cloud_notebooks.py"))["main"](executed, tmp_path / target)
    toc = (ROOT / "_toc.yml").read_text()
    pushed = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / target).iterdir()}
    assert pushed == {f"{page}.ipynb" for page in re.findall(r"file: (notebooks/\w+)", toc)}
    for path in pushed:
        first = nbformat.read(tmp_path / path, as_version=4).cells[0].source
        assert config["repository"]["url"] in first
        shell = InteractiveShell()
        monkeypatch.setattr(shell, "system", lambda command: pytest.fail(command))
        assert shell.run_cell(first).success  # does nothing here


def test_binder_installs_what_is_there() -> None:
    """Binder reads environment.yml on the pushed branch, which has everything of the main one."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    [pip] = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert "--constraint constraints.txt" in pip
    assert "--editable .[book]" in pip
    assert "jupyterlab" in pip
    assert (ROOT / "constraints.txt").is_file()

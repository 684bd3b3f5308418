"""A throw-away project with one tiny study, `toy`, and this checkout's synthcore."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

FAULTY = {
    "twice": "steps: 1\nsteps: 2\n",
    "broken": "steps: [1\n",
    "tag": "steps: !!python/object/apply:os.getcwd []\n",
    "key": "? [a]\n: 1\n",
    "date": "steps: !!timestamp soon\n",
    "wrong": "gird: {rate: [1]}\n",
    "seeds-none": "grid: {rate: [1]}\nseeds:\n",
    "seeds-text": 'seeds: "3"\n',
    "seeds-half": "seeds: 2.5\n",
    "seeds-true": "seeds: true\n",
    "list": "grid: [steps, 16]\n",
    "fixed": "parameters: [a]\n",
    "number": "grid: {1: [16]}\n",
    "scalar": "zip: {steps: 3}\n",
}
HOME = "https://github.com/example/walks"
REPOSITORY = Path(__file__).parents[2]

ABOUT = '"""Are numbers large?"""\nPAPER = "A. Author, 2020"\n'

EXPERIMENT = '''
"""A study without a model: some numbers per seed."""
from typing import Literal
from pydantic import Field
from synthcore.config import StudyConfig


class Config(StudyConfig):
    """Parameters of the toy."""

    steps: int = Field(ge=1, le=100, description="how many numbers")
    rate: float = Field(gt=0, description="how large")
    mode: Literal["fine", "raise", "die", "sleep"] = Field(description="what happens")
'''

NOTEBOOK = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A toy
#
# Some prose.

# %% tags=["parameters"]
seed = 0
n_seeds = 3
steps = 4
rate = 0.5
mode = "fine"
device = "auto"

# %%
import os, signal, sys, time
print("noise", file=sys.stderr)
if mode == "raise":
    raise ArithmeticError("the toy broke")
if mode == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "sleep":
    time.sleep(60)

# %%
import xarray as xr
from matplotlib import pyplot as plt
from synthcore.evidence.chapter import Chapter
from synthcore.evidence.first_edition import Claim
from synthcore.evidence.first_edition import at_least
from synthcore.studies.toy.experiment import Config

config = Config.from_cell(globals())
chapter = Chapter("toy", config)

# %% [markdown]
# ## Results

# %%
data = xr.Dataset({"a": ("seed", [rate + s for s in config.seeds])}, {"seed": list(config.seeds)})
chapter.save(data)
chapter.progress("numbers", 1, 2)
fig, axes = plt.subplots(1, 2, figsize=(6, 1.5), layout="constrained")
for ax in axes:
    ax.plot(data.seed, data.a)
chapter.figure(fig, id="line", caption="It grows with $s$.", alt="A rising line.")

# %%
chapter.text("The mean is {mean:.2f}.", mean=data.a.mean())
chapter.results(mean=data.a.mean())

# %%
CLAIM = Claim("C1", "The numbers are large.", "Fig. 1", lambda d: at_least(d.a, 0.4),
              {"smoke": False, "check": True}, lambda d: -d)
chapter.claims([CLAIM], data)

# %%
from ipykernel.connect import get_connection_info
print("reached by", get_connection_info(unpack=True)["transport"])
print("trims", os.environ.get("MALLOC_TRIM_THRESHOLD_"))
"""

CONFIG = """\
title: Toy
only_build_toc_files: true
execute: {execute_notebooks: "off"}
parse: {myst_enable_extensions: [colon_fence, deflist, dollarmath]}
sphinx:
  local_extensions: {offline_site: book/_ext}
  config:
    nb_render_markdown_format: myst
    mathjax_path: mathjax.js
    html_static_path: [book/assets]
"""


@dataclass
class Project:
    """The folder and the command line run in it."""

    root: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`synthcore ARGUMENTS`; stdout and stderr as text."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=1500,  # a loaded machine is slow
        )

    def start(self, *arguments: str, stdout: int = subprocess.PIPE) -> "subprocess.Popen[str]":
        """The same, without waiting; stderr goes where stdout goes."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(),
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "synthcore", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1", **more}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text in a file of the project."""
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def runs(self) -> list[str]:
        """Visible names below the toy's run folder."""
        folder = self.root / "_build/runs/toy"
        names = (path.name for path in folder.iterdir()) if folder.exists() else ()
        return sorted(name for name in names if not name.startswith("."))

    def record(self, scale: str = "check") -> dict:
        """A run's record.json."""
        return json.loads((self.root / f"_build/runs/toy/{scale}/record.json").read_text())


def make_project(root: Path) -> Project:
    """A new project below `root`."""
    shutil.copytree(
        REPOSITORY / "synthcore",
        root / "synthcore",
        ignore=shutil.ignore_patterns("__pycache__", "studies"),
    )
    files = {
        "synthcore/studies/__init__.py": "",
        "synthcore/studies/toy/__init__.py": ABOUT,
        "synthcore/studies/toy/experiment.py": EXPERIMENT,
        "notebooks/toy.py": NOTEBOOK,
        "notebooks/params/smoke/toy.yaml": "steps: 2\nrate: 1e-1\n",
        "constraints.txt": "numpy==2\n",
        "_config.yml": CONFIG,
        "_toc.yml": "format: jb-book\nroot: book/index\nchapters:\n"
        "  - file: notebooks/toy\n  - file: book/claims\n",
        "book/index.md": "# Toys\n\n<!-- studies-table -->\n",
        "book/claims.md": "# Claims\n\n<!-- claims-table -->\n",
        "book/vendor.json": '{"packages": []}',
    }
    shutil.copytree(REPOSITORY / "book" / "_ext", root / "book" / "_ext")
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Project(root)


@pytest.fixture(scope="module")
def formed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A built project whose chapter has the form that all chapters are to have."""
    project = make_project(tmp_path_factory.mktemp("formed"))
    shutil.copytree(REPOSITORY / "tests" / "book" / "formed", project.root, dirs_exist_ok=True)
    for name in ("custom.css", "site-config.js"):
        asset = project.root / "book" / "assets" / name
        asset.parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "book" / "assets" / name, asset)
    project.edit(
        "_config.yml",
        "    html_static_path",
        "    html_css_files: [custom.css]\n    html_js_files: [site-config.js]\n"
        "    html_context: {default_mode: auto}\n    html_static_path",
    )
    project.edit("_config.yml", "title: Toy\n", f"title: Toy\nrepository: {{url: {HOME}}}\n")
    done = project.run("book")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def unbuilt(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project for a whole session, to be changed and built once."""
    return make_project(tmp_path_factory.mktemp("unbuilt"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose book has been built once; tests that change it copy it first."""
    project = make_project(tmp_path_factory.mktemp("built"))
    done = project.run("book", MALLOC_TRIM_THRESHOLD_="65536")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def copy(built: Project, tmp_path: Path) -> Project:
    """A copy of the built project, to be changed."""
    shutil.copytree(built.root, tmp_path, dirs_exist_ok=True, symlinks=True)
    return Project(tmp_path)


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a finished sweep of 2 x 2 runs from a file."""
    project = make_project(tmp_path_factory.mktemp("swept"))
    file = "grid: {rate: [0.5, 1.0]}\nzip: {steps: [2, 3]}\nparameters: {n_seeds: 4}\nseeds: 1\n"
    (project.root / "sweep.yaml").write_text(file)
    done = project.run("sweep", "toy", "--out", "many", "--sweep-file", "sweep.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 runs done, 0 of them before" in done.stdout
    return project


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with faulty files, to which nothing is ever written."""
    project = make_project(tmp_path_factory.mktemp("faulty"))
    for name, text in FAULTY.items():
        (project.root / f"{name}.yaml").write_text(text)
    (project.root / "webpage").mkdir()
    (project.root / "webpage/index.html").write_text("a page of somebody's own")
    return project


@pytest.fixture
def refusing(faulty: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same; its study importable in this process."""
    import synthcore.studies

    folder = str(faulty.root / "synthcore/studies")
    monkeypatch.setattr(synthcore.studies, "__path__", [folder])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    for name in ("toy", "toy.experiment"):
        monkeypatch.delitem(sys.modules, f"synthcore.studies.{name}", raising=False)
    return faulty

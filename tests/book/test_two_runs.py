"""The two runs behind a page: at `check` for real, at `reference` with the stages of the book."""

import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

import synthcore.studies
from synthcore.press import shipping
from synthcore.press.book import require_fresh, run_stale, survey
from synthcore.press.card import header_card
from synthcore.press.errors import Refused
from synthcore.press.release import release
from synthcore.press.runs import all_runs, recorded_runs
from synthcore.press.shown import page_of
from synthcore.press.studies import Study

CONFIG = '''
"""Parameters."""
from pydantic import Field
from synthcore.config import StudyConfig


class Config(StudyConfig):
    """Parameters of the toy."""

    rate: float = Field(gt=0, description="how large")
'''

NUMBERS = '''
"""Numbers around a rate, one per seed."""
import numpy as np
import xarray as xr

from synthcore.stages import stage


@stage(reads=("rate",))
def run(config, progress):
    """A number per seed."""
    noise = [np.random.default_rng(seed).normal(0, 0.01) for seed in config.seeds]
    return xr.Dataset({"a": ("seed", config.rate + np.array(noise))}, {"seed": list(config.seeds)})
'''

STAGES = "book/reference/toy"
PAGE = "_build/html/_sources/notebooks/toy.ipynb"


def with_stage(project: "Project") -> "Project":
    """Its study brought over: the numbers come from a stage, of more seeds at `reference`."""
    study = project.root / "synthcore/studies/toy"
    (study / "experiment.py").unlink()
    (study / "config.py").write_text(CONFIG)
    (study / "experiments").mkdir()
    (study / "experiments/__init__.py").write_text("")
    (study / "experiments/numbers.py").write_text(NUMBERS)
    notebook = project.root / "notebooks/toy.py"
    text = notebook.read_text()
    text = text.replace('steps = 4\nrate = 0.5\nmode = "fine"', "rate = 0.5")
    text = re.sub(r"# %%\nimport os, signal.*?(?=# %%)", "", text, flags=re.DOTALL)
    text = text.replace("# %%\nfrom ipykernel", "# %%\nimport os\nfrom ipykernel")
    text = text.replace("toy.experiment import Config", "toy.config import Config")
    text = text.replace("import xarray as xr\n", "")
    text = text.replace(
        'chapter = Chapter("toy", config)',
        'chapter = Chapter("toy", config)\n\n'
        "# %%\nfrom synthcore.studies.toy.experiments import numbers\n"
        "data = chapter.stage(numbers.run)",
    )
    text = re.sub(r"data = xr\.Dataset.*\nchapter\.save\(data\)\n", "", text)
    text = text.replace('"check": True}', '"check": False, "reference": False}')
    notebook.write_text(text)
    for scale, values in {"smoke": "rate: 0.2\n", "reference": "n_seeds: 6\n"}.items():
        path = project.root / f"notebooks/params/{scale}/toy.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(values)
    return project


@pytest.fixture(scope="session")
def shipped(unbuilt: "Project") -> "Project":
    """A project whose reference run has been recorded, and then its book made."""
    project = with_stage(unbuilt)
    done = project.run("run", "toy", "--scale", "reference", "--record")
    assert done.returncode == 0, done.stderr
    shutil.rmtree(project.root / "_build")  # as in a clone
    done = project.run("book")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "toy: to run (never run)" in done.stderr
    assert "toy at reference: to run (never run)" in done.stderr
    return project


@pytest.fixture
def own(shipped: "Project", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Project":
    """A copy of it, to be changed; its study importable in this process."""
    shutil.copytree(shipped.root, tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.setattr(synthcore.studies, "__path__", [str(tmp_path / "synthcore/studies")])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # for kernels
    monkeypatch.setenv("SYNTHCORE_CACHE", str(tmp_path / "cache"))
    for name in ("toy", "toy.config"):
        monkeypatch.delitem(sys.modules, f"synthcore.studies.{name}", raising=False)
    return type(shipped)(tmp_path)


def page(project: "Project") -> list[dict]:
    """The cells of the notebook that the site shows, and offers to download and launch."""
    return json.loads((project.root / PAGE).read_text())["cells"]


def brought_up(project: "Project") -> tuple[list[str], str]:
    """Scales that were stale and have been run, and the card, as `synthcore book` would."""
    study = Study(project.root, "toy")
    chapters = survey([study])
    outcomes = run_stale(chapters, jobs=1)
    assert all(outcome.record for outcome in outcomes), outcomes
    shown = page_of(study)
    runs = {shown.record.scale: shown.record, "check": shown.check}
    return [c.scale for c in chapters if c.stale], header_card(study, shown, runs)


def test_a_recorded_run_ships_its_stages(shipped: "Project") -> None:
    study = Study(shipped.root, "toy")
    assert {path.name for path in study.reference.iterdir()} == {
        "numbers.run.nc",
        "numbers.run.json",
        "reference.json",
    }
    record = recorded_runs(study)["reference"]
    [stage] = record.stages
    assert (stage.name, stage.source, stage.seeds) == ("numbers.run", "computed", tuple(range(6)))
    shipping.verify_shipped(study, record)


def test_the_page_shows_the_reference_run(shipped: "Project") -> None:
    """Outputs of the reference run, values of the check run in the only cell of parameters."""
    text = json.dumps(page(shipped))
    assert "injected-parameters" not in text
    assert "n_seeds = 3" in text
    assert "n_seeds = 6" not in text
    told = "".join(page(shipped)[1]["source"])
    assert "Verdict\n: 1 of 1 claims reproduced in the reference run" in told
    assert "Check run\n: agrees: nothing that is reproduced here is not" in told
    assert "`synthcore run toy --scale reference`" in told
    assert "`synthcore run toy -p seed 3`" in told
    [stage] = shipped.record("reference-shipped")["stages"]
    assert (stage["source"], stage["changed"]) == ("shipped", [])
    [stage] = shipped.record("check")["stages"]
    assert stage["source"] in ("computed", "kept")
    claims = json.loads(shipped.run("claims", "--json").stdout)
    assert {claim["scale"]: claim["n"] for claim in claims} == {"reference": 6, "check": 3}
    table = (shipped.root / "_build/html/book/claims.html").read_text()
    assert table.count('<tr data-verdict="reproduced"') == 2


def test_nothing_to_do_twice(shipped: "Project") -> None:
    done = shipped.run("book")
    assert done.returncode == 0, done.stderr
    assert "toy: fresh" in done.stderr
    assert "toy at reference: fresh" in done.stderr
    assert "Nothing to build" in done.stdout


@pytest.mark.parametrize("fault", ["missing", pytest.param("damaged", marks=pytest.mark.thorough)])
def test_without_a_stage_the_page_shows_the_check_run(
    own: "Project", capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    data = own.root / STAGES / "numbers.run.nc"
    content = data.read_bytes()
    if fault == "damaged":
        data.write_bytes(content[:-1] + b"?")
    else:
        data.unlink()
    _, card = brought_up(own)
    assert f"toy shows its check run: {STAGES}/numbers.run.nc is {fault}" in capsys.readouterr().err
    assert "claims reproduced at check scale" in card
    assert "Shown\n: the check run, not the reference run: " in card
    assert f"{STAGES}/numbers.run.nc is {fault}" in card
    assert str(own.root) not in card
    assert brought_up(own) == ([], card)  # it is not tried again
    require_fresh([Study(own.root, "toy")])
    data.write_bytes(content)
    stale, card = brought_up(own)
    assert stale == ["check", "reference"]
    assert "in the reference run" in card


def test_other_parameters_than_the_shipped_ones(own: "Project") -> None:
    (own.root / "notebooks/params/reference/toy.yaml").write_text("n_seeds: 6\nrate: 0.6\n")
    stale, card = brought_up(own)
    assert stale == ["reference"]
    assert f"not the reference run: {STAGES}/numbers.run.nc is of another rate" in card


def test_a_reference_run_that_fails_otherwise_fails_the_book(own: "Project") -> None:
    own.edit("notebooks/toy.py", "# ## Results", "# ## Results\n\n# %%\nassert config.n_seeds < 5")
    done = own.run("book")
    assert done.returncode == 1
    assert "1 of 2 chapters failed; the site is as it was." in done.stderr


def test_a_check_run_that_contradicts_the_page(own: "Project") -> None:
    own.edit("notebooks/toy.py", "rate = 0.5", "rate = 0.1")
    own.edit("notebooks/params/reference/toy.yaml", "n_seeds: 6", "n_seeds: 6\nrate: 0.5")
    done = own.run("book")
    assert done.returncode == 1
    assert "Reproduced at reference, but not reproduced at check: toy C1." in done.stderr
    told = "".join(page(own)[1]["source"])
    assert "Check run\n: **disagrees**: C1 reproduced here and not reproduced in it" in told


def test_stages_of_other_code_are_released_when_verified(own: "Project", tmp_path: Path) -> None:
    """Changed code is named on the page and refused in a release until it gives the same."""
    code = "synthcore/studies/toy/experiments/numbers.py"
    studies = [Study(own.root, "toy")]
    own.edit(code, "normal(0, 0.01)", "normal(0, 0.02 / 2)")
    assert "since then `numbers.py` changed" in brought_up(own)[1]
    with pytest.raises(Refused, match=rf"toy numbers\.run \(changed: {code}\)"):
        release(own.root, studies, tmp_path / "out")
    done = own.run("verify", "toy", "--json")
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)
    assert (row["scale"], row["word"]) == ("reference", "within interval")
    stale, card = brought_up(own)
    assert stale == []  # the note of the verification makes no run stale
    assert "a block of seeds run again came out as before" in card
    assert release(own.root, studies, tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out/notebooks.zip") as notebooks:
        assert "injected-parameters" not in notebooks.read("toy.ipynb").decode()

    own.edit(code, "config.rate +", "0.3 + config.rate +")
    brought_up(own)
    assert own.run("verify").returncode == 1
    with pytest.raises(Refused, match="other code than today's"):
        release(own.root, studies, tmp_path / "out")


@pytest.mark.parametrize(
    "arguments", [["--scale", "smoke"], ["--scale", "reference", "-p", "rate", "0.7"]]
)
def test_only_the_reference_run_itself_is_shipped(own: "Project", arguments: list[str]) -> None:
    before = (own.root / STAGES / "reference.json").read_text()
    done = own.run("run", "toy", "--record", *arguments)
    assert done.returncode == 2
    assert "Stages are recorded at scale reference, with its own parameters." in done.stderr
    assert (own.root / STAGES / "reference.json").read_text() == before
    assert own.runs() == ["check", "reference-shipped"]


def test_a_run_at_reference_is_no_page(own: "Project") -> None:
    """It may compute what is not shipped, and lies beside the page's run."""
    done = own.run("run", "toy", "--scale", "reference")
    assert done.returncode == 0, done.stderr
    assert own.runs() == ["check", "reference", "reference-shipped"]
    assert brought_up(own)[0] == []
    assert (
        all_runs(Study(own.root, "toy"))["reference"].started == own.record("reference")["started"]
    )


def test_shipped_files_have_a_limit(own: "Project", monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(own.root, "toy")
    record = recorded_runs(study)["reference"]
    stage = own.root / "run/stages"
    shutil.copytree(study.reference, stage)
    monkeypatch.setattr(shipping, "LIMIT", 20_000)
    (study.reference / "other.csv").write_bytes(bytes(15_000))
    with pytest.raises(Refused, match="Files of toy in book/reference would take"):
        shipping.ship(study, stage.parent, record)
    assert (study.reference / "numbers.run.nc").is_file()

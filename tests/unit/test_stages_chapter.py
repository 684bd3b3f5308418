"""A chapter keeps its stages with the run and says when they are of other code."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from counting import Load, config

from synthcore.evidence import chapter as module
from synthcore.evidence.chapter import Chapter
from synthcore.stages.store import read_result, write_result
from synthcore.training.rehearsal import Rehearsal


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the chapter displays."""
    displayed: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "display", lambda bundle, raw, metadata: displayed.append(bundle))
    return displayed


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As under the runner."""
    monkeypatch.setenv("SYNTHCORE_RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SYNTHCORE_SCALE", "check")
    monkeypatch.setenv("SYNTHCORE_ROOT", str(tmp_path))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_a_stage_is_kept_with_the_run(
    running: Path, shown: list[Any], load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = load()
    asked = config(study)
    data = Chapter("counting", asked).stage(study.run)
    kept = read_result(running / "stages/run.nc")
    xr.testing.assert_identical(kept.data, data)
    assert kept.about.seeds == asked.seeds
    assert json.loads((running / "stages.json").read_text())["run"]["source"] == "computed"
    assert shown == []
    # As shipped with other code: used, and the page says so.
    older = replace(kept.about, code=dict(kept.about.code) | {"counting.py": "older"})
    write_result(running.parent / "book/reference/counting/run.nc", data, older)
    monkeypatch.setenv("SYNTHCORE_SHIPPED", "only")
    xr.testing.assert_identical(Chapter("counting", asked).stage(study.run), data)
    told = json.loads((running / "stages.json").read_text())["run"]
    assert (told["source"], told["changed"]) == ("shipped", ["counting.py"])
    [bundle] = shown
    assert "the code of `counting.py` has changed" in bundle["text/markdown"]
    assert read_result(running / "stages/run.nc").about == older


def test_in_a_notebook_a_line_says_where_it_came_from(
    load: Load,
    shown: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("SYNTHCORE_RUN_DIR", raising=False)
    study = load()
    Chapter("counting", config(study, n_seeds=4)).stage(study.run)
    Chapter("counting", config(study, n_seeds=5)).stage(study.run)
    Chapter("counting", config(study, n_seeds=5)).stage(study.run)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("run:")]
    assert said[0].startswith("run: computed, of 2")
    assert said[1] == "run: computed for seeds 4, the others kept"
    assert said[2].startswith("run: kept, of 2")


def test_a_rehearsed_chapter_passes_a_rehearsal_in(
    running: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHCORE_REHEARSAL", "2")
    study = load()
    chapter = Chapter("counting", config(study))
    assert isinstance(chapter.progress, Rehearsal)
    assert chapter.progress.path == running / "trainings.jsonl"
    chapter.progress("train", 1, 4)
    assert json.loads((running / "progress.json").read_text())["done"] == 1
